"""Partner drugs as candidates of their own: asked for on the command line, cycle by cycle, and what they are worth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nichedose.case import Candidate, CandidatePartner, Case
from nichedose.decide import DecisionTable
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.findings import Cell, FindingTable, Part
from nichedose.library.partners import Partner
from nichedose.quantities import parse_quantity
from nichedose.study.setup import ResolvedCandidate, ResolvedPartner, Setup
from nichedose.study.words import partner_text
from nichedose.tissue.partner import partner_effects
from nichedose.values import Draw

__all__ = ["cycle_responses", "partner_part", "rests_on_partner", "with_partners", "without_effect"]

_ASKED = re.compile(
    r"^(?P<name>.+?)(?:\s+(?P<time>[\d.]+\s*\w+)\s+(?P<side>before|after))?(?:\s+given\s+(?P<word>\w+))?$")


def with_partners(case: Case, asked: Sequence[str]) -> Case:
    """The case with every candidate once more beside each partner asked for.

    Texts are ``NAME``, ``NAME 2 wk before`` (or ``after``) the first administration, and ``... given
    hyaluronan_high`` for what is known of the tumour. Raises `BadInput` for what cannot be read.

    >>> _ASKED.match("losartan 2 wk before").groups()
    ('losartan', '2 wk', 'before', None)
    """
    more: list[Candidate] = []
    for text in dict.fromkeys(asked):
        found = _ASKED.match(text.strip())
        if found is None:
            raise BadInput(f"--partner '{text}' cannot be read; write a name, 'losartan', with its time if it is not "
                           "given with the first administration, 'losartan 2 wk before', and what is known of the "
                           "tumour, 'PEGPH20 given hyaluronan_high'.")
        hours = parse_quantity(found["time"], "h", minimum=0.0) if found["time"] else 0.0
        partner = CandidatePartner.model_validate({
            "name": found["name"], ("delay" if found["side"] == "after" else "lead"): f"{hours} h",
            "stated": (found["word"],) if found["word"] else ()})
        more += [c.model_copy(update={"partners": (*c.partners, partner),
                                      "label": f"{c.label or c.agent} + {_when(found['name'], hours, found['side'])}"})
                 for c in case.candidates]
    return case.model_copy(update={"candidates": (*case.candidates, *more)})


def _when(name: str, hours: float, side: str | None) -> str:
    if hours == 0.0:
        return name
    return f"{name} {f'{hours / 168.0:g} wk' if hours % 168.0 == 0.0 else f'{hours / 24.0:g} d'} {side}"


def cycle_responses(setup: Setup, candidate: ResolvedCandidate) -> dict[str, tuple[int, ...]]:
    """Cycles that meet the same effects of partners, by the name of the response that they share.

    The first keeps the candidate's own name. Times decide this, not draws.
    """
    draw = Draw(seed=setup.case.sampling.seed)
    groups: dict[object, list[int]] = {}
    for cycle in range(candidate.cycles):
        effects = tuple(
            e for p in candidate.partners for e in partner_effects(
                p.partner, p.lead_h + cycle * candidate.interval_h, setup.case.tumour, draw, p.stated))
        groups.setdefault(effects, []).append(cycle)
    return {candidate.name if i == 0 else f"{candidate.name}, cycle {cycles[0] + 1}": tuple(cycles)
            for i, cycles in enumerate(groups.values())}


def without_effect(setup: Setup, log_kill: Mapping[str, Array]) -> dict[str, str]:
    """Candidates whose partners change the log kill of the same agent alone in no draw, with the reason.

    ``log_kill`` (n_draws,) by candidate. Ranked as a twin of that agent, such a one would share its probability of
    being best.
    """
    found = {}
    for c in setup.evaluable:
        plain = _plain(setup, c) if c.partners else None
        if plain is not None and c.name in log_kill and plain.name in log_kill and np.allclose(
                log_kill[c.name], log_kill[plain.name], rtol=1e-9, atol=0.0, equal_nan=True):
            found[c.name] = f"its partner drug changes no number here, so it is {plain.name} alone"
    return found


def rests_on_partner(setup: Setup, order: Sequence[str]) -> str:
    """What to say where the first of ``order`` has a partner drug: how its size is known, and who leads without."""
    by_name = {c.name: c for c in setup.candidates}
    first = by_name.get(order[0]) if order else None
    if first is None or not first.partners:
        return ""
    said = "; ".join(f"{p.partner.name} ({evidence_of(p.partner)})" for p in first.partners)
    alone = next((n for n in order if n not in by_name or not by_name[n].partners), None)
    return (f" First place rests on the size of a partner's effect: {said}."
            + (f" Without partner drugs {alone} is first." if alone else ""))


def partner_part(setup: Setup, table: DecisionTable) -> Part | None:
    """What each partner adds to the log kill of the same candidate without it, draw by draw, and how that is known."""
    rows: list[tuple[Cell, ...]] = []
    notes: dict[str, None] = {}
    for candidate, partner in _pairs(setup):
        cycles = _acting_cycles(setup, candidate, partner)
        acts = "no cycle" if not cycles else "all cycles" if len(cycles) == candidate.cycles else (
            f"cycle{'s' if len(cycles) > 1 else ''} {', '.join(map(str, cycles))} of {candidate.cycles}")
        rows.append((candidate.name, _timing(partner), acts, *_gain(setup, table, candidate),
                     evidence_of(partner.partner)))
        notes[partner_text(partner, candidate.name)] = None
        if partner.partner.note:
            notes[f"{partner.partner.name}: {partner.partner.note}"] = None
    if not rows:
        return None
    head = ("candidate", "partner starts", "acts in", "log kill gained (5 to 95 %)", "better in draws, %",
            "size known by")
    return Part("Partner drugs", tuple(notes), (FindingTable(head, tuple(rows), note=(
        "Against the same agent without a partner in the same draws, in this mode; not computed where the case holds "
        "no such candidate. What a partner does to organs or marrow is not in the limits.")),))


def evidence_of(partner: Partner) -> str:
    """How the sizes of a partner's effects are known, the weakest first."""
    kinds = {e.factor.evidence for e in partner.effects}
    worst = next((k for k in ("assumed", "fitted", "derived", "measured") if k in kinds), "definition")
    return worst if partner.quantified else f"{worst}: a scenario"


def _pairs(setup: Setup) -> Iterator[tuple[ResolvedCandidate, ResolvedPartner]]:
    return ((c, p) for c in setup.evaluable for p in c.partners)


def _acting_cycles(setup: Setup, candidate: ResolvedCandidate, partner: ResolvedPartner) -> list[int]:
    """Cycles, from 1, in which the partner changes tissue or cells; a checkpoint acts in the immune course."""
    draw = Draw(seed=setup.case.sampling.seed)
    return [n + 1 for n in range(candidate.cycles) if any(e.field != "immune_blockade" for e in partner_effects(
        partner.partner, partner.lead_h + n * candidate.interval_h, setup.case.tumour, draw, partner.stated))]


def _timing(partner: ResolvedPartner) -> str:
    days = partner.lead_h / 24.0
    return "with the first cycle" if days == 0.0 else (
        f"{abs(days):.3g} d {'before' if days > 0.0 else 'after'} the first cycle")


def _plain(setup: Setup, candidate: ResolvedCandidate) -> ResolvedCandidate | None:
    """The same agent at the same times without a partner, where the case holds it."""
    return next((c for c in setup.evaluable if not c.partners and c.agent == candidate.agent
                 and (c.cycles, c.interval_h) == (candidate.cycles, candidate.interval_h)), None)


def _gain(setup: Setup, table: DecisionTable, candidate: ResolvedCandidate) -> tuple[Cell, Cell]:
    plain = _plain(setup, candidate)
    values: Mapping[str, Mapping[str, Array]] = table.values  # type: ignore[assignment]
    if plain is None or plain.name not in values or candidate.name not in values:
        return None, None
    gained = values[candidate.name]["log_kill"] - values[plain.name]["log_kill"]
    gained = gained[np.isfinite(gained)]
    if not gained.size:
        return None, None
    low, middle, high = np.quantile(gained, (0.05, 0.5, 0.95))
    return f"{middle:+.2g} ({low:+.2g} to {high:+.2g})", 100.0 * float((gained > 1e-9).mean())
