"""Cells of one voxel are not alike: oxygen falls from vessel to vessel, and alpha tracks miss some nuclei.

Survival is averaged over classes of cells, each with its oxygen and its share of the voxel's dose. Between cycles they
may keep their places (the hypoxic ones stay hypoxic) or be dealt anew (full reoxygenation).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammainccinv, gammaincinv, logsumexp

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["DoseSpread", "dose_spread", "log_mean_course"]

MOST_KILL = 1e3  # a D of the mean dose up to which survivors are followed
TAILS = (1e-4, 1e-7)  # shares of survivors below, and of cells above, the classes of dose


@dataclass(frozen=True)
class DoseSpread:
    """Relative dose of classes of cells (mean 1) and the share of cells in each (sum 1)."""

    factors: tuple[float, ...] = (1.0,)
    shares: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        f, w = np.array(self.factors), np.array(self.shares)
        if f.shape != w.shape or bool((f < 0.0).any()) or bool((w < 0.0).any()):
            raise BadInput("A dose spread needs as many factors as shares, none negative.")
        if abs(float(w.sum()) - 1.0) > 1e-9 or abs(float(f @ w) - 1.0) > 1e-9:
            raise BadInput(f"Shares must sum to 1 (they sum to {w.sum():g}) and the mean factor must be 1 "
                           f"({float(f @ w):g}).")


def dose_spread(coefficient_of_variation: float) -> DoseSpread:
    """Gamma-distributed dose with mean 1: the spread that many small independent contributions leave.

    Mean survival of exp(-a D) is then (1 + a D cv^2)^(-1/cv^2), to 1e-3 up to a D = 1000. At high dose those decide who
    got least, so classes are even steps in the *logarithm* of dose (the trapezoid rule converges exponentially), down
    to doses that hardly any receives. Raises `BadInput` for a negative coefficient, or above 1.5.

    >>> dose_spread(0.0).factors
    (1.0,)
    """
    cv = coefficient_of_variation
    if not 0.0 <= cv <= 1.5:
        raise BadInput(f"coefficient_of_variation = {cv:g}; it must lie between 0 and 1.5.")
    if cv < 1e-6:
        return DoseSpread()
    shape = 1.0 / cv**2
    # survivors of exp(-a D) are gamma-distributed too, moved down in logarithm by ln(1 + a cv^2)
    low = math.log(gammaincinv(shape, TAILS[0]) / shape) - math.log1p(MOST_KILL * cv**2)
    high = math.log(gammainccinv(shape, TAILS[1]) / shape)
    log_dose = np.linspace(low, high, math.ceil((high - low) / min(1.1 * cv, 0.85)) + 1)
    log_density = shape * (log_dose - np.expm1(log_dose))
    shares = np.exp(log_density - log_density.max())
    shares = shares / shares.sum()
    factors = np.exp(log_dose)
    factors = factors / float(factors @ shares)
    return DoseSpread(tuple(factors.tolist()), tuple(shares.tolist()))


def log_mean_course(
    log_survival_of_cycle: Callable[[Array, float], Array],
    oxygen_mmHg: Array,
    oxygen_shares: Array,
    spread: DoseSpread,
    cycles: int,
    *,
    dealt_anew: bool,
) -> Array:
    """Natural log of the mean survival of a voxel's cells after ``cycles``.

    ``log_survival_of_cycle(oxygen, dose_factor)`` gives one cycle's log survival for one class; ``oxygen_mmHg`` is
    (n, ...) with ``oxygen_shares`` (n,). With ``dealt_anew`` every cycle meets cells in new places, else the same ones.
    """
    shares = np.asarray(oxygen_shares, dtype=float)
    if len(oxygen_mmHg) != len(shares) or abs(float(shares.sum()) - 1.0) > 1e-9 or cycles < 1:
        raise BadInput("Oxygen needs one share per class, the shares must sum to 1, and cycles be at least 1.")
    power = 1 if dealt_anew else cycles
    logs, weights = [], []
    for pressure, share in zip(oxygen_mmHg, shares, strict=True):
        for factor, part in zip(spread.factors, spread.shares, strict=True):
            logs.append(power * log_survival_of_cycle(pressure, factor))
            weights.append(math.log(share * part) if share * part > 0.0 else -math.inf)
    stacked = np.stack(logs) + np.reshape(weights, (-1, *(1,) * np.ndim(logs[0])))
    return np.asarray((cycles if dealt_anew else 1) * logsumexp(stacked, axis=0))
