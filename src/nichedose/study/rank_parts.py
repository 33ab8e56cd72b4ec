"""The parts of a ranking in tables and words: who is where, what knowing more is worth, where answers disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nichedose.decide import Decision, DecisionTable, Objective
from nichedose.decide.decision import LARGEST_LOG_KILL
from nichedose.fields.grid import Array
from nichedose.findings import Cell, FindingTable, Part
from nichedose.study.words import activity_text

__all__ = ["disagreement_part", "information_part", "ranking_part", "unit", "word"]

SHOWN_INPUTS = 8
_ROUNDING = 1e-6


def ranking_part(table: DecisionTable, d: Decision) -> Part:
    rows = []
    rivals = len(d.ranking.candidates) > 1
    complete = all(c.evaluable_fraction == 1.0 for c in d.ranking.candidates)
    for c in d.ranking.candidates:
        v = table.values[c.name]
        low, high = c.interval or (float("nan"), float("nan"))
        quantiles = np.nanquantile(v[d.objective], (0.05, 0.95))
        rows.append((
            f"{c.rank}. {c.name}", c.median if d.objective != "organ_burden" else abs(c.median or 0.0),
            " to ".join(_bound(float(q), d.objective) for q in quantiles),
            f"{100 * (c.probability_best or 0):.0f} % ({100 * low:.0f} to {100 * high:.0f})" if rivals else None,
            c.expected_regret if rivals else None,
            None if complete else f"{100 * (c.evaluable_fraction or 0):.0f} %",
            _activities(table.activities.get(c.name)), _median(v["mean_dose"]), _median(v["worst_decile"]),
            _median(v["organ_burden"]), None if _median(v["organ_burden"]) is None else
            "yes" if c.name in d.frontier else "no"))
    head = ("candidate", word(d.objective), "5 to 95 %", "best in draws (95 %)", "expected regret", "draws evaluated",
            "MBq per cycle", "mean dose, Gy", "log kill, worst tenth", "share of limit", "not dominated")
    shown, filled = _filled(head, rows)
    out = [(name, reason) for name, reason in (*d.excluded.items(), *d.not_evaluable.items())]
    note = ("Not dominated: no other candidate does at least as well with at most the same share of the organ limits."
            if "not dominated" in shown else
            "Shares of the organ limits need the case file: a finished plan does not hold them.")
    tables = [FindingTable(shown, filled, note=note)]
    if out:
        tables.append(FindingTable(("candidate", "why it is not ranked"), tuple(out), "Not ranked"))
    conditions = tuple(f"Only candidates with {c} count." for c in d.conditions)
    return Part("Ranking", (*conditions, *_over_limits(table, d)), tuple(tables))


def _over_limits(table: DecisionTable, d: Decision) -> tuple[str, ...]:
    """Which ranked candidates take an organ past its limit: in most modes nothing else holds them back."""
    shares = {n: _median(table.values[n]["organ_burden"]) for n in d.ranking.order}
    over = [f"{n} ({s:.2g} times)" for n, s in shares.items() if s is not None and s > 1.0 + _ROUNDING]
    unknown = [n for n, s in shares.items() if s is None]
    return (*((f"Past an organ limit at this activity (medians): {', '.join(over)}.",) if over else ()),
            *((f"Organ doses not known: {', '.join(unknown)}.",) if unknown and len(unknown) < len(shares) else ()))


def _filled(
    head: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]
) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    """Without the columns in which nothing was computed."""
    keep = [i for i in range(len(head)) if any(row[i] is not None for row in rows)]
    return tuple(head[i] for i in keep), tuple(tuple(row[i] for i in keep) for row in rows)


def information_part(d: Decision) -> Part:
    title = "What would change the answer"
    if d.information is None:
        needs = "Not computed: it needs 32 draws, two candidates, and an objective of which more is better."
        return Part(title, (needs,))
    strong = [i for i in d.inputs if i.matters][:SHOWN_INPUTS]
    unit_ = unit(d.objective)
    text = (f"Knowing every input before choosing would gain {d.information:.3g} {unit_} on average. The table says "
            "what knowing one input alone would gain, and how much it explains of whether the first candidate is best.")
    if not strong:
        return Part(title, (text, "No single input stands out from chance in these draws; more draws would tell more."))
    rows = tuple((i.key, i.value, f"{100 * i.decision_share:.0f} %") for i in strong)
    note = f"Inputs below {d.inputs[0].noise:.2g} {unit_} cannot be told from chance and are left out."
    return Part(title, (text,), (FindingTable(("input", f"worth measuring, {unit_}", "explains of the choice"), rows,
                                              note=note),))


def disagreement_part(d: Decision, tables: Mapping[Any, DecisionTable]) -> Part:
    """Who is first by dose and by survival in each mode."""
    rows = []
    firsts: dict[str, str] = {}
    for mode, table in tables.items():
        by = {o: _first(table, o) for o in ("log_kill", "mean_dose", "worst_decile")}
        if by["log_kill"] is None:
            continue
        firsts[str(mode)] = by["log_kill"]
        dose = "all alike" if mode == "equal_mean_dose" else by["mean_dose"]
        rows.append((str(mode).replace("_", " "), by["log_kill"], by["worst_decile"], dose))
    text = []
    if len(set(firsts.values())) > 1:
        text.append("The comparison modes disagree: " + "; ".join(
            f"{mode.replace('_', ' ')}, {name}" for mode, name in firsts.items()) + ". What is held equal decides.")
    else:
        text.append("All modes agree on the candidate with the most log kill.")
    differ = [row for row in rows if row[3] not in ("all alike", row[1])]
    if differ:
        text.append("Dose and survival disagree: " + "; ".join(f"{r[0]}, {r[1]} by log kill and {r[3]} by dose"
                                                              for r in differ) + ".")
    return Part("Where answers disagree", tuple(text), (FindingTable(
        ("mode", "first by log kill", "first in the worst tenth", "first by mean dose"), tuple(rows)),))


def _first(table: DecisionTable, objective: Objective) -> str | None:
    medians = {n: _median(v[objective]) for n, v in table.values.items()}
    known = {n: m for n, m in medians.items() if m is not None}
    return max(known, key=lambda n: known[n]) if known else None


def _median(values: Any) -> float | None:
    if values is None:
        return None
    finite = np.asarray(values)[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None


def _activities(by_agent: Array | None) -> Cell:
    """Medians, one for each agent: a sum of MBq of two radionuclides would say nothing."""
    found = [m for of in (() if by_agent is None else by_agent) if (m := _median(of)) is not None]
    return " + ".join(activity_text(m) for m in found) if len(found) > 1 else found[0] if found else None


def _bound(value: float, objective: Objective) -> str:
    """Log kill beyond what is told apart is not given in digits."""
    beyond = objective in ("log_kill", "worst_decile") and value > LARGEST_LOG_KILL
    return f"over {LARGEST_LOG_KILL:g}" if beyond else f"{value:.3g}".replace("-", "−")


def word(objective: Objective) -> str:
    return {"log_kill": "log kill", "tcp": "tumour control", "worst_decile": "log kill of the worst tenth",
            "mean_dose": "mean dose (Gy)", "organ_burden": "share of organ limits"}[objective]


def unit(objective: Objective) -> str:
    return {"log_kill": "log kill", "tcp": "control probability", "worst_decile": "log kill", "mean_dose": "Gy",
            "organ_burden": "of the limit"}[objective]
