"""Clonogens that divide during therapy: when fewest are left, and what a decaying dose rate still gains on them.

While alpha x dose rate exceeds the growth rate ln2/T_pot clonogens fall; from T* on they rise, and dose after T* is
wasted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["Repopulation", "effective_time_h", "fewest_left", "repopulation_loss_Gy"]

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

    @property
    def log10_per_h(self) -> float:
        """Decades of growth in an hour."""
        return math.log10(2.0) / self.doubling_time_h

    def log_growth(self, since_first_h: ArrayLike) -> Array:
        """Natural log of the growth by a time after the first administration, h."""
        return self.rate_per_h * np.maximum(np.asarray(since_first_h, dtype=float) - self.starts_h, 0.0)


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


def fewest_left(
    log_left: ArrayLike, since_first_h: ArrayLike, growth: Repopulation
) -> tuple[int, float]:
    """After which administration fewest clonogens are left, and the growth until then.

    ``log_left`` (n,): natural log of the clonogens of a whole region that each administration and those before it
    leave, over those at the start, without growth; ``since_first_h`` (n,), in order. All clonogens divide alike, so
    growth multiplies their number, and is given as its natural log. Where what grows in an interval is more than the
    next administration kills, a course has done what it did before that. Of administrations that leave equally few it
    is the last: one of no activity beside another belongs to the course, and owes it a derivative.

    >>> fewest_left([-1.0, -2.0, -3.0], [0.0, 100.0, 200.0], Repopulation(50.0))
    (0, 0.0)
    """
    left = np.asarray(log_left, dtype=float)
    grown = growth.log_growth(since_first_h)
    if left.ndim != 1 or not left.size or left.shape != grown.shape:
        raise BadInput(f"Give one number of clonogens for each administration: {left.shape} for times {grown.shape}.")
    last = left.size - 1 - int(np.argmin((left + grown)[::-1]))
    return last, float(grown[last])
