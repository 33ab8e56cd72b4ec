"""Platelets and lymphocytes over a course of therapy, from the dose rates of marrow and blood.

All numbers are shares of the baseline. Marrow dose rate R(t), unrepaired damage u (u' = R - mu u):

    progenitors  P' = kP ((1/C)^gamma - 1) P - alpha (R + 2 R u/(alpha/beta)) P
    steps        M1' = kt (P - M1), ... Mn' = kt (Mn-1 - Mn),  kt = n/maturation
    platelets    C' = (Mn - C)/life
    lymphocytes  L' = (1 - L)/recovery - Rb L/D0;  those hit leave in two phases and are counted until they are gone

Over an exposure that is short against turnover ln P falls by alpha D + beta G D^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from nichedose.effect.mixed_field import Exposure
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.library.haematology import Haematology, load_haematology
from nichedose.values import Draw

__all__ = ["CTCAE", "BloodCounts", "blood_counts", "toxicity_grade"]

Cells = Literal["platelets", "lymphocytes"]
CTCAE: dict[Cells, tuple[float, float, float, float]] = {
    "platelets": (150.0, 75.0, 50.0, 25.0), "lymphocytes": (1.0, 0.8, 0.5, 0.2)}
"""Lower limits (1e9/L) below which grades 1, 2, 3, 4 begin; grade 1 at the usual lower limit of normal."""

_LN2 = float(np.log(2.0))
_ACCURACY = 1e-8


@dataclass(frozen=True)
class BloodCounts:
    """Shares of the baseline at ``times_h`` (nt,): ``platelets``, ``lymphocytes`` (nt,)."""

    times_h: Array
    platelets: Array
    lymphocytes: Array

    def nadir(self, cells: Cells) -> tuple[float, float]:
        """(time in h, share of the baseline) of the lowest count."""
        counts = self.platelets if cells == "platelets" else self.lymphocytes
        lowest = int(np.argmin(counts))
        return float(self.times_h[lowest]), float(counts[lowest])


def blood_counts(
    marrow: Exposure, blood: Exposure, times_h: ArrayLike, *, starts_h: Sequence[float] = (0.0,),
    values: Haematology | None = None, draw: Draw | None = None,
) -> BloodCounts:
    """Counts at ``times_h`` (nt,), increasing from 0 or later, when each of ``starts_h`` begins the same exposure.

    ``marrow`` and ``blood`` are dose rates in Gy/h of one administration (their alpha and beta are not used); dose of
    alpha particles weighted as the user holds right. ``draw`` samples the library's values; without it, medians.
    Raises `BadInput` for times that do not increase and starts that are negative or not in order.

    >>> lu = Exposure((0.3 * 0.0086,), (0.0086,))  # 0.3 Gy to marrow, effective half-life 80 h
    >>> found = blood_counts(lu, lu, [0.0, 24.0 * 30, 24.0 * 365])
    >>> bool(found.platelets[1] < found.platelets[2] < 1.01)
    True
    """
    times, starts = np.atleast_1d(np.asarray(times_h, dtype=float)), tuple(float(s) for s in starts_h)
    if not (np.isfinite(times).all() and times[0] >= 0.0 and bool((np.diff(times) > 0.0).all())):
        raise BadInput("times_h must be finite, not negative, and increase.")
    if not starts or min(starts) < 0.0 or list(starts) != sorted(starts) or not np.isfinite(starts).all():
        raise BadInput(f"starts_h = {list(starts)}; give at least one time, not negative and in order.")
    number = _numbers(values or load_haematology(), draw or Draw())
    edges = sorted({0.0, *(s for s in starts if s < times[-1]), float(times[-1])})
    found = np.empty((len(times), 2))
    state = np.concatenate([[1.0, 0.0], np.ones(number.steps + 1), [1.0, 0.0, 0.0]])
    found[times <= 0.0] = 1.0
    for start, end in pairwise(edges):
        here = (times > start) & (times <= end)
        active = [s for s in starts if s <= start]
        solved = solve_ivp(_slope, (start, end), state, "LSODA", t_eval=np.unique(np.append(times[here], end)),
                           args=(number, marrow, blood, active), rtol=_ACCURACY, atol=1e-12)
        state = solved.y[:, -1]
        counted = solved.y[:, : int(here.sum())]
        found[here, 0] = counted[2 + number.steps]
        found[here, 1] = counted[3 + number.steps :].sum(axis=0)
    return BloodCounts(times, found[:, 0], found[:, 1])


def toxicity_grade(cells: Cells, count_1e9_per_L: float) -> int:
    """Grade 0 to 4 by CTCAE version 5 of a count in 1e9/L.

    >>> toxicity_grade("platelets", 60.0), toxicity_grade("lymphocytes", 0.4)
    (2, 3)
    """
    if cells not in CTCAE:
        raise BadInput(f"cells = '{cells}'; it must be 'platelets' or 'lymphocytes'.")
    if not (np.isfinite(count_1e9_per_L) and count_1e9_per_L >= 0.0):
        raise BadInput(f"count_1e9_per_L = {count_1e9_per_L:g}; it must be finite and not negative.")
    return sum(count_1e9_per_L < limit for limit in CTCAE[cells])


@dataclass(frozen=True)
class _Numbers:
    steps: int
    alpha: float
    alpha_beta: float
    repair: float
    turnover: float
    transit: float
    loss: float
    feedback: float
    lethal_Gy: float
    fast_share: float
    fast: float
    slow: float
    recovery: float


def _numbers(values: Haematology, draw: Draw) -> _Numbers:
    def take(part: str, name: str) -> float:
        return draw(f"haematology.{part}.{name}", getattr(getattr(values, part), name))

    steps = values.platelets.transit_steps
    return _Numbers(
        steps=steps, alpha=take("platelets", "progenitor_alpha_per_Gy"),
        alpha_beta=take("platelets", "progenitor_alpha_beta_Gy"), repair=_LN2 / take("platelets", "repair_half_time_h"),
        turnover=take("platelets", "progenitor_turnover_per_d") / 24.0,
        transit=steps / (24.0 * take("platelets", "maturation_d")), loss=1.0 / (24.0 * take("platelets", "life_d")),
        feedback=take("platelets", "feedback"), lethal_Gy=take("lymphocytes", "lethal_dose_Gy"),
        fast_share=take("lymphocytes", "fast_share"), fast=_LN2 / take("lymphocytes", "fast_half_life_h"),
        slow=_LN2 / take("lymphocytes", "slow_half_life_h"), recovery=1.0 / (24.0 * take("lymphocytes", "recovery_d")))


def _rate(exposure: Exposure, time_h: float, starts: Sequence[float]) -> float:
    return sum(a * float(np.exp(-k * (time_h - s))) for s in starts
               for a, k in zip(exposure.amplitudes_Gy_per_h, exposure.rates_per_h, strict=True))


def _slope(
    time_h: float, state: Array, n: _Numbers, marrow: Exposure, blood: Exposure, starts: Sequence[float]
) -> Array:
    progenitors, unrepaired = state[0], state[1]
    steps, platelets = state[2 : 2 + n.steps], max(float(state[2 + n.steps]), 1e-9)
    lymphocytes, fast, slow = state[3 + n.steps :]
    rate, blood_rate = max(_rate(marrow, time_h, starts), 0.0), max(_rate(blood, time_h, starts), 0.0)
    kill = n.alpha * rate * (1.0 + 2.0 * unrepaired / n.alpha_beta)
    before = np.concatenate([[progenitors], steps[:-1]])
    hit = blood_rate / n.lethal_Gy * lymphocytes
    grown = n.turnover * (platelets**-n.feedback - 1.0)
    return np.concatenate([
        [(grown - kill) * progenitors, rate - n.repair * unrepaired],
        n.transit * (before - steps), [n.loss * (steps[-1] - platelets)],
        [n.recovery * (1.0 - lymphocytes) - hit, n.fast_share * hit - n.fast * fast,
         (1.0 - n.fast_share) * hit - n.slow * slow]])
