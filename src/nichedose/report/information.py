"""What choosing now costs, and what each measurement would be worth, from the draws of a plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nichedose.decide import make_decision
from nichedose.decide.information import FEWEST_DRAWS
from nichedose.errors import NichedoseError
from nichedose.report.format import number, percent
from nichedose.results import PlanResult
from nichedose.study.decision import table_from_draws

__all__ = ["InformationRow", "InformationView", "information_view"]

MOST = 6
_NEEDED = ("log_kill", "mean_dose_Gy", "worst_decile_survival", "input", "mode", "candidate", "key")


@dataclass(frozen=True)
class InformationRow:
    """One input: what knowing it is worth, and how much of the choice it explains; ``width`` in per cent of the top."""

    name: str
    value: str
    explains: str
    width: float


@dataclass(frozen=True)
class InformationView:
    """``cost`` of choosing the candidate that is ``best`` on average, in log kill; inputs worth measuring."""

    best: str
    cost: str
    rows: tuple[InformationRow, ...]
    noise: str


def information_view(result: PlanResult) -> InformationView | None:
    """None with fewer than 32 draws, or fewer than two candidates in the deciding mode."""
    draws = result.draws
    if not set(_NEEDED) <= set(draws.variables):
        return None
    if int(draws.sizes.get("draw", 0)) < FEWEST_DRAWS or result.decide_by not in draws["mode"].values:
        return None
    try:
        table = table_from_draws(draws, result.decide_by)
        decision = make_decision(table, "log_kill")
    except NichedoseError:
        return None
    if decision.information is None or not decision.inputs:
        return None
    kept = [i for i in decision.inputs if i.matters and np.isfinite(i.value)][:MOST]
    top = max((i.value for i in kept), default=1.0)
    means = {name: float(np.nanmean(np.minimum(v["log_kill"], 10.0))) for name, v in table.values.items()}
    return InformationView(
        best=max(means, key=lambda n: means[n]),
        cost=number(decision.information),
        rows=tuple(InformationRow(i.key, number(i.value), percent(min(i.decision_share, 1.0)),
                                  round(100.0 * i.value / top, 2)) for i in kept),
        noise=number(decision.inputs[0].noise),
    )
