"""The immune course of a treated tumour: ordinary differential equations, per region, for many parameter sets at once.

Tumour V and dying mass N relative to the tumour at the start, time in days, effectors E relative to what saturating
antigen keeps up, regulatory cells R on the same scale, b(t) = 1 while a checkpoint is blocked:

    dV/dt = (growth - alpha rate(t) - K f E) V
    dN/dt = (q alpha rate(t) + K (f E - f0 s0)) V - clearance N          q: immunogenicity of radiation death
    dE/dt = turnover (s - E) - lymphocyte_alpha share rate(t) E,   s = s0 + (1 - s0) N/(N + N50)
    dR/dt = turnover (E (1 - b) - R)
    f = 1/(1 + suppression (1 - b) + regulation R)

Dying tissue primes: N is the mean over regions by their tumour mass, and of the immune kill only what goes beyond the
untreated one counts in it. K carries the infiltration of each region. Without dose and blockade the tumour grows
exponentially: E = R = s0 is then a steady state, and ``net_growth_per_d`` is what is seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["Blockade", "DoseRate", "ImmuneCourse", "ImmuneParameters", "immune_course", "time_to_size"]

STEP_D = 0.1
_LN2 = math.log(2.0)


@dataclass(frozen=True)
class ImmuneParameters:
    """Rates per day, alphas per Gy; each a number or an array (n_sets,). ``net_growth_per_d`` is without treatment."""

    net_growth_per_d: ArrayLike
    alpha_per_Gy: ArrayLike
    kill_per_d: ArrayLike
    baseline_signal: ArrayLike
    suppression: ArrayLike
    regulation: ArrayLike
    half_antigen: ArrayLike
    clearance_per_d: ArrayLike
    turnover_per_d: ArrayLike
    lymphocyte_alpha_per_Gy: ArrayLike
    immunogenicity: ArrayLike = 1.0

    def __post_init__(self) -> None:
        for name, raw in vars(self).items():
            value = np.asarray(raw, dtype=float)
            least = 0.0 if name not in ("half_antigen", "turnover_per_d", "clearance_per_d") else 1e-12
            if not np.isfinite(value).all() or bool((value < least).any()):
                raise BadInput(f"ImmuneParameters: {name} must be finite and {'above' if least else 'at least'} 0.")
        if bool((np.asarray(self.baseline_signal) > 1.0).any()):
            raise BadInput("ImmuneParameters: baseline_signal is a share of the saturating signal, at most 1.")

    @property
    def baseline_kill_per_d(self) -> Array:
        """What effectors kill without treatment; growth without them is ``net_growth_per_d`` plus this."""
        s0 = np.asarray(self.baseline_signal, dtype=float)
        return np.asarray(np.asarray(self.kill_per_d) * s0 / (
            1.0 + np.asarray(self.suppression) + np.asarray(self.regulation) * s0))


@dataclass(frozen=True)
class DoseRate:
    """One administration: ``dose_Gy`` (a number, or one for each region) with ``half_life_d`` from ``start_d`` on.

    ``lymphocyte_share`` is what effectors in the tumour receive of it, for example 0.3 where they stay in stroma that
    only cross-fire reaches.
    """

    dose_Gy: ArrayLike
    half_life_d: ArrayLike
    start_d: float = 0.0
    lymphocyte_share: ArrayLike = 1.0

    def __post_init__(self) -> None:
        dose, half = np.asarray(self.dose_Gy, float), np.asarray(self.half_life_d, float)
        share = np.asarray(self.lymphocyte_share, float)
        if not np.isfinite(dose).all() or bool((dose < 0.0).any()) or not bool((half > 0.0).all()):
            raise BadInput("A dose rate needs a finite dose, not negative (Gy), and a half-life above 0 (d).")
        if not math.isfinite(self.start_d) or self.start_d < 0.0 or bool((share < 0.0).any()):
            raise BadInput("A dose rate starts at day 0 or later, and lymphocyte_share is not negative.")

    def at(self, t_d: float) -> Array:
        """Gy per day at ``t_d``."""
        rate = _LN2 / np.asarray(self.half_life_d, float)
        since = t_d - self.start_d
        return np.asarray(self.dose_Gy, float) * rate * (np.exp(-rate * since) if since >= 0.0 else 0.0)


@dataclass(frozen=True)
class Blockade:
    """A checkpoint blocked from ``start_d`` for ``days`` (the antibody's stay, repeated doses included)."""

    start_d: float
    days: ArrayLike

    def __post_init__(self) -> None:
        days = np.asarray(self.days, float)
        if not math.isfinite(self.start_d) or self.start_d < 0.0 or not bool((days > 0.0).all()):
            raise BadInput("A blockade starts at day 0 or later and lasts longer than 0 days.")

    def at(self, t_d: float) -> Array:
        since = t_d - self.start_d
        return np.asarray((since >= 0.0) & (since < np.asarray(self.days, float)), dtype=float)


@dataclass(frozen=True)
class ImmuneCourse:
    """``times_d`` (nt,), ``region_shares`` (n_regions,); the others (nt, n_sets, n_regions).

    Tumour (natural log) and dying mass are relative to the tumour at the start in that region.
    """

    times_d: Array
    log_tumour: Array
    dying: Array
    effectors: Array
    region_shares: Array

    @property
    def total(self) -> Array:
        """Viable and dying tumour together, all regions: what a calliper sees, relative to the start (nt, n_sets)."""
        return np.asarray((np.exp(self.log_tumour) + self.dying) @ self.region_shares)


def immune_course(
    p: ImmuneParameters,
    end_d: float,
    *,
    doses: tuple[DoseRate, ...] = (),
    blockade: Blockade | None = None,
    infiltration: ArrayLike = 1.0,
    region_shares: ArrayLike | None = None,
    step_d: float = STEP_D,
) -> ImmuneCourse:
    """Integrate to ``end_d`` in steps of ``step_d`` (classical Runge-Kutta, fourth order).

    ``infiltration`` (n_regions,) multiplies the effectors' kill in each region, ``region_shares`` is each region's part
    of the tumour (equal when absent); each parameter is a number or (n_sets,), and a dose or its share a number,
    (n_regions,) or (n_sets, 1). Raises `BadInput` for a step or end not above 0, negative infiltration, or shapes that
    do not fit.

    >>> quiet = ImmuneParameters(0.2, 0.3, 0.1, 0.1, 3.0, 1.0, 0.5, 0.2, 0.2, 0.3)
    >>> bool(abs(immune_course(quiet, 10.0).log_tumour[-1, 0, 0] - 2.0) < 1e-9)  # grows as it is seen to
    True
    """
    regions = np.atleast_1d(np.asarray(infiltration, dtype=float))
    if not (end_d > 0.0 and step_d > 0.0 and math.isfinite(end_d)) or bool((regions < 0.0).any()):
        raise BadInput("immune_course needs end_d and step_d above 0, and infiltration not negative.")
    shares = np.full(len(regions), 1.0 / len(regions)) if region_shares is None else np.asarray(region_shares, float)
    if shares.shape != regions.shape or bool((shares < 0.0).any()) or abs(float(shares.sum()) - 1.0) > 1e-9:
        raise BadInput("region_shares needs one share for each infiltration, none negative, with sum 1.")
    column = {name: np.asarray(value, dtype=float).reshape(-1, 1) for name, value in vars(p).items()}
    try:
        sets = np.broadcast_shapes(*(v.shape for v in column.values()))[0]
    except ValueError:
        raise BadInput("ImmuneParameters: arrays must have one length.") from None
    growth = column["net_growth_per_d"] + p.baseline_kill_per_d.reshape(-1, 1) * regions
    s0, turnover = column["baseline_signal"], column["turnover_per_d"]

    def slope(t: float, state: Array) -> Array:
        log_v, dying, effectors, regulators = state
        rate = sum((np.atleast_2d(d.at(t)) for d in doses), start=np.zeros((1, 1)))
        on_lymphocytes = sum((np.atleast_2d(d.at(t)) * _column(d.lymphocyte_share) for d in doses),
                             start=np.zeros((1, 1)))
        b = np.zeros((1, 1)) if blockade is None else _column(blockade.at(t))
        killed = column["alpha_per_Gy"] * rate
        function = 1.0 / (1.0 + column["suppression"] * (1.0 - b) + column["regulation"] * regulators)
        eaten = column["kill_per_d"] * regions * function * effectors
        pooled = (dying @ shares)[:, None]
        signal = s0 + (1.0 - s0) * pooled / (pooled + column["half_antigen"])
        return np.stack([
            growth - killed - eaten + np.zeros_like(log_v),
            (column["immunogenicity"] * killed + _induced(eaten, column, regions, s0)) * np.exp(log_v)
            - column["clearance_per_d"] * dying,
            turnover * (signal - effectors) - column["lymphocyte_alpha_per_Gy"] * on_lymphocytes * effectors,
            turnover * (effectors * (1.0 - b) - regulators),
        ])

    shape = (sets, len(regions))
    start = np.broadcast_to(s0, shape)
    state = np.stack([np.zeros(shape), np.zeros(shape), start, start]).astype(float)
    steps = max(1, math.ceil(end_d / step_d - 1e-9))
    kept = np.empty((steps + 1, 3, *shape))
    kept[0] = state[:3]
    for i in range(steps):
        # stages stay inside the step's half-open interval, so that what starts on a step is not felt before
        t, h = i * step_d, step_d
        inside = t + h * (1.0 - 1e-9)
        k1 = slope(t, state)
        k2 = slope(t + 0.5 * h, state + 0.5 * h * k1)
        k3 = slope(t + 0.5 * h, state + 0.5 * h * k2)
        k4 = slope(inside, state + h * k3)
        state = state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        kept[i + 1] = state[:3]
    times = np.asarray(np.arange(steps + 1) * step_d, dtype=float)
    return ImmuneCourse(times, kept[:, 0], kept[:, 1], kept[:, 2], shares)


def _column(value: ArrayLike) -> Array:
    array = np.asarray(value, dtype=float)
    return array.reshape(-1, 1) if array.ndim == 1 and array.size > 1 else np.atleast_2d(array)


def _induced(eaten: Array, column: dict[str, Array], regions: Array, s0: Array) -> Array:
    """Immune kill beyond that without treatment: the steady part is tolerated and primes nothing new."""
    quiet = column["kill_per_d"] * regions * s0 / (1.0 + column["suppression"] + column["regulation"] * s0)
    return np.maximum(eaten - quiet, 0.0)


def time_to_size(course: ImmuneCourse, size: ArrayLike) -> Array:
    """Days until the tumour, viable and dying, first reaches ``size`` times its start, (n_sets,); inf if never."""
    total = np.log(np.maximum(course.total, 1e-300))
    wanted = np.log(np.broadcast_to(np.asarray(size, dtype=float), total.shape[1:]))
    over = total >= wanted
    first = np.argmax(over, axis=0)
    found = over.any(axis=0)
    before = np.maximum(first - 1, 0)
    rows = np.arange(total.shape[1])
    low, high = total[before, rows], total[first, rows]
    part = np.where(high > low, (wanted - low) / np.where(high > low, high - low, 1.0), 1.0)
    step = float(course.times_d[1] - course.times_d[0])
    days = course.times_d[before] + np.clip(part, 0.0, 1.0) * step * (first > 0)
    return np.where(found, days, np.inf)
