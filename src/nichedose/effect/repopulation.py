"""Clonogens that divide during therapy: what a decaying dose rate still gains against growth.

While alpha x dose rate exceeds the growth rate ln2/T_pot clonogens fall; from T* on they rise, and dose after T* is
wasted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["Repopulation", "effective_time_h", "regrowth", "repopulation_loss_Gy"]

_LN2 = math.log(2.0)


@dataclass(frozen=True)
class Repopulation:
    """``doubling_time_h`` of clonogens (T_pot) once they divide unchecked, from ``starts_h`` (T_k) on."""

    doubling_time_h: float
    starts_h: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.doubling_time_h) and self.doubling_time_h > 0.0 and self.starts_h >= 0.0):
            raise BadInput(f"doubling_time_h = {self.doubling_time_h:g} must be finite and above 0, and starts_h = "
                           f"{self.starts_h:g} not negative.")

    @property
    def rate_per_h(self) -> float:
        return _LN2 / self.doubling_time_h


def effective_time_h(initial_kill_per_h: ArrayLike, decay_per_h: float, growth: Repopulation) -> Array:
    """T*: when ``initial_kill_per_h`` exp(-``decay_per_h`` t), alpha times dose rate, has fallen to the growth rate.

    0 where the kill never exceeds it.

    >>> round(float(effective_time_h(0.1, 0.0136, Repopulation(480.0))), 1)
    311.6
    """
    kill = np.asarray(initial_kill_per_h, dtype=float)
    if not np.isfinite(kill).all() or bool((kill < 0.0).any()) or not decay_per_h > 0.0:
        raise BadInput("The kill rate must be finite and not negative, and decay_per_h above 0.")
    ratio = np.maximum(kill / growth.rate_per_h, 1.0)
    return np.asarray(np.log(ratio) / decay_per_h)


def repopulation_loss_Gy(
    initial_dose_rate_Gy_per_h: ArrayLike, decay_per_h: float, alpha_per_Gy: float, growth: Repopulation
) -> Array:
    """BED lost to growth until T*: ln2 (T* - T_k)/(alpha T_pot), 0 where T* comes before T_k (low dose rate)."""
    if not alpha_per_Gy > 0.0:
        raise BadInput(f"alpha_per_Gy = {alpha_per_Gy:g}; it must be above 0.")
    kill = alpha_per_Gy * np.asarray(initial_dose_rate_Gy_per_h, dtype=float)
    over = np.maximum(effective_time_h(kill, decay_per_h, growth) - growth.starts_h, 0.0)
    return np.asarray(growth.rate_per_h * over / alpha_per_Gy)


def regrowth(log_survival_of_cycles: Sequence[Array], interval_h: float, growth: Repopulation) -> Array:
    """Natural log of clonogens over those at the start, at its lowest, with growth in the intervals of a course.

    Each cycle multiplies by its survival; between cycles clonogens double every ``doubling_time_h`` after ``starts_h``,
    never beyond their number before therapy. The lowest point is taken: what a course achieves where growth wins is
    what its first cycle did.
    """
    if not log_survival_of_cycles or not interval_h > 0.0:
        raise BadInput(f"Give at least one cycle, and an interval above 0 h (interval_h = {interval_h:g}).")
    now = lowest = np.asarray(log_survival_of_cycles[0], dtype=float)
    for n, cycle in enumerate(log_survival_of_cycles[1:], start=1):
        grown = max(n * interval_h - growth.starts_h, 0.0) - max((n - 1) * interval_h - growth.starts_h, 0.0)
        now = np.minimum(now + growth.rate_per_h * grown, 0.0) + np.asarray(cycle, dtype=float)
        lowest = np.minimum(lowest, now)
    return np.asarray(lowest)
