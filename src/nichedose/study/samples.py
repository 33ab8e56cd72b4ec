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
from nichedose.values import uniform_from_key

__all__ = ["QUANTITIES", "Samples", "correct_draws", "default_full_draws", "quantiles"]

QUANTITIES = ("activity_MBq", "mean_dose_Gy", "log_kill", "log_kill_positive", "log_kill_negative",
              "worst_decile_survival", "bed_Gy")
FULL_DRAWS, FEWEST_DRAWS_FOR_FULL = 16, 128
DrawOutcome = Mapping[str, Mapping[Mode, Metrics]]


@dataclass(frozen=True)
class Samples:
    """Draws of every quantity: (n_draws,) by (candidate, mode, quantity), moved to the fine grid.

    ``grid_error`` by candidate: relative error of the coarse grid in the deciding mode, of the central run and, where
    draws were repeated on the fine grid (``full_draws`` of them), the spread that is left after the correction.
    ``same_winner`` is the share of those draws in which both grids have the same best candidate.
    """

    values: Mapping[tuple[str, Mode, str], Array]
    grid_error: Mapping[str, Mapping[str, float]]
    full_draws: int = 0
    same_winner: float | None = None


def default_full_draws(draws: int) -> int:
    """Draws that are repeated on the fine grid when the case does not say."""
    return FULL_DRAWS if draws >= FEWEST_DRAWS_FOR_FULL else 0


def correct_draws(
    central: Sequence[CentralCandidate],
    coarse: DrawOutcome,
    draws: Sequence[DrawOutcome],
    decide_by: Mode,
    full: Sequence[DrawOutcome] = (),
    seed: int = 0,
) -> Samples:
    """Draws on the coarse grid, moved to the fine one.

    Without ``full`` every draw is multiplied by fine / coarse of the central run. With the first draws repeated in
    ``full`` on the fine grid, those stand as they are, and each other draw is multiplied by the mean ratio and by what
    the ratio of one repeated draw, picked at random and the same for all candidates, is off that mean: so the error of
    the coarse grid, and how candidates share it, is part of the spread. Ratios of survival are of its logarithm.
    """
    values: dict[tuple[str, Mode, str], Array] = {}
    errors: dict[str, dict[str, float]] = {}
    picks = np.array([int(len(full) * uniform_from_key(seed, i, "study.grid_error")) for i in range(len(draws))],
                     dtype=np.intp)
    for entry in central:
        name = entry.candidate.name
        for mode, fine in entry.metrics.items():
            base = coarse.get(name, {}).get(mode)
            own: dict[str, float] = {}
            for quantity in QUANTITIES:
                raw = np.array([_value(d.get(name, {}).get(mode), quantity) for d in draws])
                repeated = np.array([_value(d.get(name, {}).get(mode), quantity) for d in full])
                if len(full) > 1:
                    raw, spread = _with_error(quantity, raw, repeated, picks)
                    own |= {f"{quantity}_spread": spread} if quantity in ("mean_dose_Gy", "log_kill") else {}
                elif base is not None:
                    raw = _corrected(quantity, raw, getattr(fine, quantity), getattr(base, quantity))
                values[name, mode, quantity] = raw
            if base is not None and mode == decide_by:
                errors[name] = own | {
                    q: getattr(base, q) / getattr(fine, q) - 1.0
                    for q in ("mean_dose_Gy", "log_kill")
                    if getattr(fine, q) > 0.0
                }
    return Samples(values, errors, len(full), _same_winner(draws, full, decide_by))


def _with_error(quantity: str, raw: Array, full: Array, picks: np.ndarray) -> tuple[Array, float]:
    """Draws with the mean ratio and its scatter put in, and the relative scatter; the repeated ones as they are."""
    n = len(full)
    a, b = _scale(quantity, full), _scale(quantity, raw[:n])
    usable = (a > 0.0) & (b > 0.0)
    out = raw.copy()
    spread = 0.0
    if usable.any():
        logs = np.where(usable, np.log(np.where(usable, a, 1.0) / np.where(usable, b, 1.0)), np.nan)
        mean = float(np.nanmean(logs))
        # n - 1 degrees of freedom: the scatter around a mean that was taken from the same draws
        scatter = np.nan_to_num(logs - mean) * np.sqrt(usable.sum() / max(usable.sum() - 1, 1))
        spread = float(np.sqrt(np.mean(scatter[usable] ** 2)))
        out = _unscale(quantity, _scale(quantity, raw) * np.exp(mean + scatter[picks]))
    out[:n] = full
    return out, spread


def _scale(quantity: str, values: Array) -> Array:
    """Survival through its logarithm, so that ratios mean the same from 0.9 to 1e-9."""
    if quantity != "worst_decile_survival":
        return values
    return np.asarray(-np.log(np.clip(values, 1e-300, 1.0)))


def _unscale(quantity: str, values: Array) -> Array:
    return values if quantity != "worst_decile_survival" else np.asarray(np.exp(-np.minimum(values, 690.0)))


def _same_winner(draws: Sequence[DrawOutcome], full: Sequence[DrawOutcome], mode: Mode) -> float | None:
    winners = [(_best(a, mode), _best(b, mode)) for a, b in zip(draws, full, strict=False)]
    return float(np.mean([a == b for a, b in winners])) if winners else None


def _best(outcome: DrawOutcome, mode: Mode) -> str | None:
    kills = {name: modes[mode].log_kill for name, modes in outcome.items() if mode in modes}
    return max(kills, key=lambda name: kills[name]) if kills else None


def _value(metrics: Metrics | None, quantity: str) -> float:
    return float("nan") if metrics is None else float(getattr(metrics, quantity))


def _corrected(quantity: str, raw: Array, fine: float, coarse: float) -> Array:
    a, b = (float(_scale(quantity, np.array([x]))[0]) for x in (fine, coarse))
    if not (a > 0.0 and b > 0.0):
        return raw
    return _unscale(quantity, _scale(quantity, raw) * (a / b))


def quantiles(central: float, draws: Array) -> Quantiles | None:
    """The central run with 5, 50 and 95 % of the draws; None for a number that was not computed."""
    if not np.isfinite(central):
        return None
    finite = draws[np.isfinite(draws)]
    if finite.size == 0:
        return Quantiles(central)
    q05, q50, q95 = np.quantile(finite, (0.05, 0.5, 0.95))
    return Quantiles(central, float(q05), float(q50), float(q95))
