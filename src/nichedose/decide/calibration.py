"""Whether stated probabilities come true: shares by bin, with what chance alone allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["ReliabilityBin", "brier_score", "reliability"]

BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)


@dataclass(frozen=True)
class ReliabilityBin:
    """Cases with a stated probability between two bounds. ``low`` to ``high``: where the share that came true lies in
    95 % of repetitions if the stated probabilities are right."""

    stated: float
    came_true: float
    cases: int
    low: float
    high: float

    @property
    def within(self) -> bool:
        return self.low <= self.came_true <= self.high


def reliability(stated: Array, came_true: Array, bounds: tuple[float, ...] = BINS) -> tuple[ReliabilityBin, ...]:
    """Bins of ``stated`` (n,) against ``came_true`` (n,) of 0 and 1; empty bins are left out.

    The band is binomial at the bin's mean stated probability. Candidates of one tissue exclude each other, so the
    bins are not quite independent.

    >>> [b.cases for b in reliability(np.array([0.1, 0.9, 0.9]), np.array([0.0, 1.0, 1.0]))]
    [1, 2]
    """
    p, hit = np.asarray(stated, dtype=float), np.asarray(came_true, dtype=float)
    if p.shape != hit.shape or p.ndim != 1 or not p.size:
        raise BadInput(f"Give as many outcomes as stated probabilities; got {hit.shape} and {p.shape}.")
    if not bool(((p >= 0.0) & (p <= 1.0)).all()) or not bool(np.isin(hit, (0.0, 1.0)).all()):
        raise BadInput("Stated probabilities must lie in 0 to 1 and outcomes must be 0 or 1.")
    where = np.clip(np.searchsorted(bounds, p, side="right") - 1, 0, len(bounds) - 2)
    found = []
    for i in range(len(bounds) - 1):
        inside = where == i
        n = int(inside.sum())
        if n:
            mean = float(p[inside].mean())
            low, high = (float(x) / n for x in binom.interval(0.95, n, mean))
            found.append(ReliabilityBin(mean, float(hit[inside].mean()), n, low, high))
    return tuple(found)


def brier_score(stated: Array, came_true: Array) -> float:
    """Mean squared difference of stated probability and outcome; 0 is perfect."""
    return float(np.mean((np.asarray(stated) - np.asarray(came_true)) ** 2))
