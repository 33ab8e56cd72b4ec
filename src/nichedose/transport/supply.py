"""What plasma (or a culture medium) offers over time: boluses, infusions, sampled curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import gammainc

from nichedose.body.plasma import PlasmaCurve
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.fields.number import are_numbers, is_number, kind

__all__ = ["Given", "Sampled", "Supply"]


class Supply(Protocol):
    """Concentration of one batch outside the tissue, nmol/L, decay-corrected to ``start_h``."""

    @property
    def start_h(self) -> float:
        """When the batch's clock starts."""

    @property
    def kinks_h(self) -> tuple[float, ...]:
        """Times at which the curve or its slope jumps."""

    @property
    def quickest_per_h(self) -> float:
        """The fastest rate of change after a kink."""

    def level(self, time_h: Array) -> Array:
        """nmol/L at ``time_h``."""

    def area(self, start_h: float, end_h: float, decay_per_h: float = 0.0) -> float:
        """Integral of exp(-decay (t - start of the batch)) x level between two times, in closed form."""


@dataclass(frozen=True)
class Given:
    """A ``curve`` that starts at ``start_h``, given at once or evenly ``over_h`` hours (a constant infusion).

    >>> float(Given(PlasmaCurve((10.0,), (1.0,)), over_h=2.0).area(0.0, 1e3).__round__(9))
    10.0
    """

    curve: PlasmaCurve
    start_h: float = 0.0
    over_h: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.curve, PlasmaCurve):
            raise BadInput(f"What is given follows a PlasmaCurve; got {kind(self.curve)}.")
        if not all(is_number(time) and time >= 0.0 for time in (self.start_h, self.over_h)):
            raise BadInput(f"A batch starts at or after 0 h and lasts 0 h or more; got {self.start_h}, {self.over_h}.")

    @property
    def kinks_h(self) -> tuple[float, ...]:
        return (self.start_h, self.start_h + self.over_h) if self.over_h > 0.0 else (self.start_h,)

    @property
    def quickest_per_h(self) -> float:
        return max(self.curve.rates_per_h)

    def level(self, time_h: Array) -> Array:
        since = np.asarray(time_h, dtype=float) - self.start_h
        if self.over_h == 0.0:
            return np.where(since >= 0.0, self.curve.concentration_nmol_per_L(np.maximum(since, 0.0)), 0.0)
        out = np.zeros_like(since)
        for amplitude, rate in self._terms():
            during = amplitude / (rate * self.over_h) * -np.expm1(-rate * np.clip(since, 0.0, self.over_h))
            out += during * np.exp(-rate * np.maximum(since - self.over_h, 0.0))
        return out

    def area(self, start_h: float, end_h: float, decay_per_h: float = 0.0) -> float:
        low, high = (max(t - self.start_h, 0.0) for t in (start_h, end_h))
        total = 0.0
        for amplitude, rate in self._terms():
            if self.over_h > 0.0:
                a, b = min(low, self.over_h), min(high, self.over_h)
                scale = amplitude / (rate * self.over_h)
                total += scale * (_faded(decay_per_h, a, b) - _faded(decay_per_h + rate, a, b))
                amplitude = scale * -np.expm1(-rate * self.over_h) * np.exp(-decay_per_h * self.over_h)
            a, b = (max(t - self.over_h, 0.0) for t in (low, high))
            total += amplitude * _faded(decay_per_h + rate, a, b)
        return float(total)

    def _terms(self) -> list[tuple[float, float]]:
        return list(zip(self.curve.amplitudes_nmol_per_L, self.curve.rates_per_h, strict=True))


@dataclass(frozen=True)
class Sampled:
    """Straight lines between samples ``nmol_per_L`` at ``times_h`` (rising); 0 before the first and after the last.

    >>> Sampled((0.0, 1.0, 3.0), (0.0, 4.0, 0.0)).area(0.0, 10.0)
    6.0
    """

    times_h: tuple[float, ...]
    nmol_per_L: tuple[float, ...]

    def __post_init__(self) -> None:
        if not (are_numbers(self.times_h) and are_numbers(self.nmol_per_L)):
            raise BadInput("A sampled curve needs as many finite values as times, at least two.")
        t, c = np.array(self.times_h), np.array(self.nmol_per_L)
        if t.size != c.size or t.size < 2:
            raise BadInput("A sampled curve needs as many finite values as times, at least two.")
        if t[0] < 0.0 or bool((np.diff(t) <= 0.0).any()) or bool((c < 0.0).any()):
            raise BadInput("A sampled curve needs rising times from 0 h on and no negative concentration.")

    @property
    def start_h(self) -> float:
        return self.times_h[0]

    @property
    def kinks_h(self) -> tuple[float, ...]:
        return self.times_h

    @property
    def quickest_per_h(self) -> float:
        return 1.0 / float(np.diff(self.times_h).min())

    def level(self, time_h: Array) -> Array:
        at = np.asarray(time_h, dtype=float)
        return np.asarray(np.interp(at, self.times_h, self.nmol_per_L, left=0.0, right=0.0))

    def area(self, start_h: float, end_h: float, decay_per_h: float = 0.0) -> float:
        inner = [t for t in self.times_h if start_h < t < end_h]
        knots = np.array([max(start_h, self.times_h[0]), *inner, min(end_h, self.times_h[-1])])
        if knots[-1] <= knots[0]:
            return 0.0
        level, length = self.level(knots), np.diff(knots)
        z = decay_per_h * length
        some = np.maximum(z, 1e-8)
        # of exp(-z u) and of u exp(-z u) from 0 to 1, however short the label lives
        whole = np.where(z < 1e-8, 1.0 - z / 2.0, -np.expm1(-some) / some)
        late = np.where(z < 1e-8, 0.5 - z / 3.0, gammainc(2.0, some) / some**2)
        left = np.exp(-decay_per_h * (knots[:-1] - self.start_h))
        return float((left * length * (level[:-1] * (whole - late) + level[1:] * late)).sum())


def _faded(rate: float, start: float, end: float) -> float:
    """Integral of exp(-rate s) from start to end."""
    if end <= start:
        return 0.0
    return end - start if rate == 0.0 else float(np.exp(-rate * start) * -np.expm1(-rate * (end - start)) / rate)
