"""Several radiations at once, each with its own course in time: exact quadratic terms with repair between them.

    -ln S = sum_i alpha_i D_i + sum_ij sqrt(beta_i beta_j) G_ij D_i D_j

The cross terms are the synergy of Zaider and Rossi: damage of one radiation meets damage of another while both wait for
repair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.effect.protraction import repair_terms
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["Exposure", "cycles_g", "log_survival_mixed", "pair_g"]


@dataclass(frozen=True)
class Exposure:
    """One radiation: dose rate sum of ``amplitudes_Gy_per_h`` exp(-``rates_per_h`` t) from time 0, and its LQ terms."""

    amplitudes_Gy_per_h: tuple[float, ...]
    rates_per_h: tuple[float, ...]
    alpha_per_Gy: float = 0.0
    beta_per_Gy2: float = 0.0

    def __post_init__(self) -> None:
        numbers = np.array([*self.amplitudes_Gy_per_h, *self.rates_per_h, self.alpha_per_Gy, self.beta_per_Gy2])
        same = len(self.amplitudes_Gy_per_h) == len(self.rates_per_h) > 0
        if not same or not np.isfinite(numbers).all() or min(self.rates_per_h, default=0.0) <= 0.0:
            raise BadInput("An exposure needs as many finite amplitudes (Gy/h) as rates (per h), rates above 0.")
        if self.alpha_per_Gy < 0.0 or self.beta_per_Gy2 < 0.0 or self.dose_Gy < 0.0:
            raise BadInput("An exposure's dose, alpha and beta must not be negative.")

    @property
    def dose_Gy(self) -> float:
        return float(sum(a / k for a, k in zip(self.amplitudes_Gy_per_h, self.rates_per_h, strict=True)))


def pair_g(
    first: Exposure, second: Exposure, repair_rate_per_h: float | Sequence[float],
    repair_weights: Sequence[float] = (1.0,), *, second_starts_h: float = 0.0,
) -> float:
    """G_ij: the share of the acute cross term 2 sqrt(beta_i beta_j) D_i D_j that protraction leaves.

    ``second_starts_h`` shifts the second exposure; several repair rates with weights give multi-exponential repair.

    >>> rate = Exposure((1.0,), (0.1,))
    >>> round(pair_g(rate, rate, 0.3), 6)  # k/(k + mu)
    0.25
    """
    if not (np.isfinite(second_starts_h) and second_starts_h >= 0.0):
        raise BadInput(f"second_starts_h = {second_starts_h:g}; it must be finite and not negative.")
    rates, weights = repair_terms(repair_rate_per_h, repair_weights)
    if first.dose_Gy == 0.0 or second.dose_Gy == 0.0:
        return 0.0
    a, k = np.array(first.amplitudes_Gy_per_h), np.array(first.rates_per_h)
    b, q = np.array(second.amplitudes_Gy_per_h), np.array(second.rates_per_h)
    total = 0.0
    for mu, weight in zip(rates, weights, strict=True):
        together = np.exp(-k * second_starts_h)[:, None] / np.add.outer(k, q) * np.add.outer(1 / (k + mu), 1 / (q + mu))
        waiting = _met_on_start(k, float(mu), second_starts_h)
        total += float(weight) * float(a @ (together + np.outer(waiting, 1.0 / (q + mu))) @ b)
    return total / (first.dose_Gy * second.dose_Gy)


def _met_on_start(k: Array, mu: float, delay_h: float) -> Array:
    """Unrepaired damage when the second exposure starts: int_0^T exp(-k t) exp(-mu (T - t)) dt."""
    gap = np.abs(k - mu) * delay_h  # the slower of both leads, so that nothing overflows
    small = gap < 1e-8
    share = np.where(small, 1.0 - 0.5 * gap, -np.expm1(-gap) / np.where(small, 1.0, gap))
    return np.asarray(delay_h * np.exp(-np.minimum(k, mu) * delay_h) * share)


def log_survival_mixed(
    exposures: Sequence[Exposure], repair_rate_per_h: float | Sequence[float], repair_weights: Sequence[float] = (1.0,),
    *, synergy: bool = True,
) -> float:
    """Natural log of survival after all ``exposures`` together; without ``synergy`` each acts as if it were alone."""
    if not exposures:
        raise BadInput("Give at least one exposure.")
    linear = sum(e.alpha_per_Gy * e.dose_Gy for e in exposures)
    quadratic = 0.0
    for i, one in enumerate(exposures):
        for j, other in enumerate(exposures):
            if i == j or synergy:
                root = np.sqrt(one.beta_per_Gy2 * other.beta_per_Gy2)
                g = pair_g(one, other, repair_rate_per_h, repair_weights)
                quadratic += float(root) * g * one.dose_Gy * other.dose_Gy
    return -(linear + quadratic)


def cycles_g(
    exposure: Exposure, cycles: int, interval_h: float, repair_rate_per_h: float | Sequence[float],
    repair_weights: Sequence[float] = (1.0,),
) -> float:
    """G of the dose of *all* cycles, damage of one cycle meeting that of the next; 1/cycles of G alone when far apart.

    >>> alone = pair_g(e := Exposure((1.0,), (0.0136,)), e, 0.365)
    >>> bool(abs(4 * cycles_g(e, 4, 1008.0, 0.365) / alone - 1.0) < 1e-5)
    True
    """
    if cycles < 1 or not (np.isfinite(interval_h) and interval_h > 0.0):
        raise BadInput(f"cycles = {cycles} and interval_h = {interval_h:g}; give at least one cycle, and a finite "
                       "interval above 0 h.")
    total = cycles * pair_g(exposure, exposure, repair_rate_per_h, repair_weights)
    for apart in range(1, cycles):
        g = pair_g(exposure, exposure, repair_rate_per_h, repair_weights, second_starts_h=apart * interval_h)
        total += 2.0 * (cycles - apart) * g
    return total / cycles**2
