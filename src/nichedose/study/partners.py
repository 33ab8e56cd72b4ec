"""Partner drugs as candidates of their own: asked for on the command line, cycle by cycle, and what they are worth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nichedose.case import CandidatePartner, Case
from nichedose.decide import DecisionTable
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.findings import Cell, FindingTable, Part
from nichedose.library.partners import Partner
from nichedose.quantities import parse_quantity
from nichedose.study.combinations import ResolvedCombination, combinations_of
from nichedose.study.setup import ResolvedCandidate, ResolvedPartner, Setup
from nichedose.study.words import partner_text
from nichedose.tissue.partner import partner_effects
from nichedose.values import Draw

__all__ = ["partner_part", "rests_on_partner", "with_partners", "without_effect"]

_ASKED = re.compile(
    r"^(?P<name>.+?)(?:\s+(?P<time>[\d.]+\s*\w+)\s+(?P<side>before|after))?(?:\s+given\s+(?P<word>\w+))?$")
# what must not be left over in a name
_NO_NAME = re.compile(r"\s(?:[\d.]+\s*[a-z]+\b.*|before|after|given)$", re.IGNORECASE)

Course = ResolvedCandidate | ResolvedCombination


def with_partners(case: Case, asked: Sequence[str]) -> Case:
    """The case with every candidate and combination once more beside each partner asked for.

    Texts are ``NAME``, ``NAME 2 wk before`` (or ``after``) the first administration, and ``... given
    hyaluronan_high`` for what is known of the tumour. Raises `BadInput` for what cannot be read.

    >>> _ASKED.match("losartan 2 wk before").groups()
    ('losartan', '2 wk', 'before', None)
    """
    candidates, combinations = list(case.candidates), list(case.combinations)
    for text in dict.fromkeys(asked):
        partner, words = _read(text)
        candidates += [c.model_copy(update={"partners": (*c.partners, partner),
                                            "label": f"{c.label or c.agent} + {words}"}) for c in case.candidates]
        combinations += [c.model_copy(update={"partners": (*c.partners, partner), "label": f"{c.name} + {words}"})
                         for c in case.combinations]
    return case.model_copy(update={"candidates": tuple(candidates), "combinations": tuple(combinations)})


def _read(text: str) -> tuple[CandidatePartner, str]:
    """A partner and its time from the command line, and how the two are told."""
    found = _ASKED.match(text.strip())
    left = None if found is None else _NO_NAME.search(found["name"])
    if found is None or left is not None:
        why = "" if left is None else f": '{left[0].strip()}' is neither part of a name nor a time before or after"
        raise BadInput(f"--partner '{text}' cannot be read{why}. Write a name, 'losartan'; with its time, if it does "
                       "not start with the first administration, 'losartan 2 wk before'; and with what is known of the "
                       "tumour, 'PEGPH20 given hyaluronan_high'.")
    hours = parse_quantity(found["time"], "h", minimum=0.0) if found["time"] else 0.0
    partner = CandidatePartner.model_validate({
        "name": found["name"], ("delay" if found["side"] == "after" else "lead"): f"{hours} h",
        "stated": (found["word"],) if found["word"] else ()})
    return partner, _when(found["name"], hours, found["side"])


def _when(name: str, hours: float, side: str | None) -> str:
    if hours == 0.0:
        return name
    return f"{name} {f'{hours / 168.0:g} wk' if hours % 168.0 == 0.0 else f'{hours / 24.0:g} d'} {side}"


def without_effect(setup: Setup, log_kill: Mapping[str, Array]) -> dict[str, str]:
    """Candidates and combinations whose partners change the log kill of the same course alone in no draw, and why.

    ``log_kill`` (n_draws,) by candidate. Ranked as a twin of that agent, such a one would share its probability of
    being best.
    """
    found = {}
    for c in _courses(setup):
        plain = _plain(setup, c) if c.partners else None
        if plain is not None and c.name in log_kill and plain.name in log_kill and np.allclose(
                log_kill[c.name], log_kill[plain.name], rtol=1e-9, atol=0.0, equal_nan=True):
            found[c.name] = f"its partner drug changes no number here, so it is {plain.name} alone"
    return found


def rests_on_partner(setup: Setup, order: Sequence[str]) -> str:
    """What to say where the first of ``order`` has a partner drug: how its size is known, and who leads without."""
    by_name = {c.name: c for c in _courses(setup)}
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


def _courses(setup: Setup) -> tuple[Course, ...]:
    return (*setup.evaluable, *combinations_of(setup))


def _pairs(setup: Setup) -> Iterator[tuple[Course, ResolvedPartner]]:
    return ((c, p) for c in _courses(setup) for p in c.partners)


def _acting_cycles(setup: Setup, course: Course, partner: ResolvedPartner) -> list[int]:
    """Cycles, from 1, in which the partner changes tissue or cells for one of the agents; a checkpoint acts in the
    immune course."""
    draw = Draw(seed=setup.case.sampling.seed)
    offsets = course.offsets_h if isinstance(course, ResolvedCombination) else (0.0,)
    return [n + 1 for n in range(course.cycles) if any(
        e.field != "immune_blockade" for offset in offsets for e in partner_effects(
            partner.partner, partner.lead_h + n * course.interval_h + offset, setup.case.tumour, draw, partner.stated))]


def _timing(partner: ResolvedPartner) -> str:
    days = partner.lead_h / 24.0
    return "with the first cycle" if days == 0.0 else (
        f"{abs(days):.3g} d {'before' if days > 0.0 else 'after'} the first cycle")


def _plain(setup: Setup, course: Course) -> Course | None:
    """The same agents at the same times without a partner, where the case holds them."""
    return next((c for c in _courses(setup) if not c.partners and _given(c) == _given(course)), None)


def _given(course: Course) -> tuple[object, ...]:
    if isinstance(course, ResolvedCombination):
        return course.agents, course.split, course.offsets_h, course.cycles, course.interval_h
    return course.agent, course.cycles, course.interval_h


def _gain(setup: Setup, table: DecisionTable, candidate: Course) -> tuple[Cell, Cell]:
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
