"""The tables of a result: ranking, organs, and every library value that was used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nichedose.results import CandidateSummary, ModeResult, PlanResult, Quantiles

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["organ_table", "ranking_table", "values_table"]

_QUANTITIES = (
    "activity_MBq", "mean_dose_Gy", "log_kill", "log_kill_positive", "log_kill_negative", "worst_decile_survival",
    "bed_Gy", "tcp",
)
_VALUE_FIELDS = (
    "value", "median", "geometric_sd", "mean", "sd", "low", "high", "log", "evidence", "read", "source", "locator",
    "note", "spread",
)
_ORGAN_COLUMNS = (
    "candidate", "mode", "organ", "quantity", "dose_Gy", "prior_Gy", "limit_Gy", "is_limiting", "derived_from",
    "origin",
)


def ranking_table(result: PlanResult) -> pd.DataFrame:
    """One row per candidate and mode; each quantity as ``<name>_central``, ``_q05``, ``_q50`` and ``_q95``."""
    import pandas as pd

    return pd.DataFrame([_ranking_row(c, m) for c in result.candidates for m in c.modes.values()])


def organ_table(result: PlanResult) -> pd.DataFrame:
    """One row per candidate, mode and organ: dose with the prior dose, and the limit in the limit's own quantity."""
    import pandas as pd

    rows = [
        {"candidate": c.name, "mode": m.mode, **vars(organ)}
        for c in result.candidates for m in c.modes.values() for organ in m.organs
    ]
    return pd.DataFrame(rows, columns=list(_ORGAN_COLUMNS))


def values_table(result: PlanResult) -> pd.DataFrame:
    """One row per library value used: number or distribution, kind of evidence, how it was read, and the citation."""
    import pandas as pd

    rows = []
    for use in sorted(result.values_used, key=lambda u: u.key):
        source = result.sources.get(use.value.source) if use.value.source else None
        row: dict[str, Any] = {"key": use.key, **{name: getattr(use.value, name) for name in _VALUE_FIELDS}}
        row |= {"citation": source.citation if source else None, "doi": source.doi if source else None}
        rows.append(row)
    return pd.DataFrame(rows, columns=["key", *_VALUE_FIELDS, "citation", "doi"])


def _ranking_row(candidate: CandidateSummary, mode: ModeResult) -> dict[str, Any]:
    row: dict[str, Any] = {
        "candidate": candidate.name, "agent": candidate.agent, "form": candidate.form,
        "radionuclide": candidate.radionuclide, "target": candidate.target, "cycles": candidate.cycles,
        "interval_h": candidate.interval_h, "mode": mode.mode,
        "rank": mode.rank, "probability_best": mode.probability_best, "probability_best_se": mode.probability_best_se,
    }
    for name in _QUANTITIES:
        row |= _columns(name, getattr(mode, name))
    return row | {
        "escaped_fraction": candidate.escaped_fraction, "entered_fraction": candidate.entered_fraction,
        "status": candidate.status, "evaluable": mode.evaluable, "reason": mode.reason,
        "reasons": "; ".join(candidate.reasons),
    }


def _columns(name: str, quantity: Quantiles | None) -> dict[str, float | None]:
    parts = ("central", "q05", "q50", "q95")
    return {f"{name}_{part}": None if quantity is None else getattr(quantity, part) for part in parts}
