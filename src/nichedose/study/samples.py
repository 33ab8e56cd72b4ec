"""The draws of every number, moved from the coarser grid to the fine one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.case import Mode
from nichedose.fields.grid import Array
from nichedose.results import Quantiles
from nichedose.study.central import CentralCandidate
from nichedose.study.evaluate import Metrics

__all__ = ["QUANTITIES", "Samples", "correct_draws", "quantiles"]

QUANTITIES = ("activity_MBq", "mean_dose_Gy", "log_kill", "log_kill_positive", "log_kill_negative",
              "worst_decile_survival", "bed_Gy")


@dataclass(frozen=True)
class Samples:
    """Draws of every quantity: (n_draws,) by (candidate, mode, quantity), moved to the fine grid's central value.

    The draws run on a coarser grid. Each is multiplied by fine / coarse of the central run, where both are positive;
    survival is corrected through its logarithm. The correction itself is reported.
    """

    values: Mapping[tuple[str, Mode, str], Array]
    grid_error: Mapping[str, Mapping[str, float]]


def correct_draws(
    central: Sequence[CentralCandidate],
    coarse: Mapping[str, Mapping[Mode, Metrics]],
    draws: Sequence[Mapping[str, Mapping[Mode, Metrics]]],
    decide_by: Mode,
) -> Samples:
    """Draws on the coarse grid, moved by the ratio that the central run shows between the grids."""
    values: dict[tuple[str, Mode, str], Array] = {}
    errors: dict[str, dict[str, float]] = {}
    for entry in central:
        name = entry.candidate.name
        for mode, fine in entry.metrics.items():
            base = coarse.get(name, {}).get(mode)
            for quantity in QUANTITIES:
                raw = np.array([_value(d.get(name, {}).get(mode), quantity) for d in draws])
                if base is not None:
                    raw = _corrected(quantity, raw, getattr(fine, quantity), getattr(base, quantity))
                values[name, mode, quantity] = raw
            if base is not None and mode == decide_by:
                errors[name] = {
                    q: getattr(base, q) / getattr(fine, q) - 1.0
                    for q in ("mean_dose_Gy", "log_kill")
                    if getattr(fine, q) > 0.0
                }
    return Samples(values, errors)


def _value(metrics: Metrics | None, quantity: str) -> float:
    return float("nan") if metrics is None else float(getattr(metrics, quantity))


def _corrected(quantity: str, raw: Array, fine: float, coarse: float) -> Array:
    if quantity == "worst_decile_survival":
        if not (0.0 < fine < 1.0 and 0.0 < coarse < 1.0):
            return raw
        logs = np.log(np.clip(raw, 1e-300, 1.0)) * (np.log(fine) / np.log(coarse))
        return np.asarray(np.exp(np.maximum(logs, -690.0)))
    if not (fine > 0.0 and coarse > 0.0):
        return raw
    return raw * (fine / coarse)


def quantiles(central: float, draws: Array) -> Quantiles | None:
    """The central run with 5, 50 and 95 % of the draws; None for a number that was not computed."""
    if not np.isfinite(central):
        return None
    finite = draws[np.isfinite(draws)]
    if finite.size == 0:
        return Quantiles(central)
    q05, q50, q95 = np.quantile(finite, (0.05, 0.5, 0.95))
    return Quantiles(central, float(q05), float(q50), float(q95))
