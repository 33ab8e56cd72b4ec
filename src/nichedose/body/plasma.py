"""Plasma concentration of a ligand after one administration, as a sum of exponentials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.fields.number import are_numbers

__all__ = ["PlasmaCurve"]


@dataclass(frozen=True)
class PlasmaCurve:
    """Free ligand in plasma, nmol per L of plasma, decay-corrected.

    The sum of ``amplitudes_nmol_per_L`` exp(-``rates_per_h`` t).
    One injection at time zero. Physical decay is not in it: the label is followed by tagged fractions. Negative
    amplitudes (uptake from a depot) are allowed where the sum never falls below 0. Raises ``BadInput``.

    >>> PlasmaCurve((10.0, 2.0), (3.0, 0.1)).integral_nmol_h_per_L()
    23.333333333333332
    """

    amplitudes_nmol_per_L: tuple[float, ...]
    rates_per_h: tuple[float, ...]

    def __post_init__(self) -> None:
        if not are_numbers(self.rates_per_h) or not all(r > 0 for r in self.rates_per_h):
            raise BadInput(f"Plasma rates must be a tuple of numbers above 0 per h; got {self.rates_per_h}.")
        if not are_numbers(self.amplitudes_nmol_per_L) or sum(self.amplitudes_nmol_per_L) < 0:
            raise BadInput(f"Plasma amplitudes must be finite and sum to 0 or more; got {self.amplitudes_nmol_per_L}.")
        if len(self.amplitudes_nmol_per_L) != len(self.rates_per_h) or len(self.rates_per_h) == 0:
            raise BadInput("A plasma curve needs as many rates as amplitudes, at least one.")
        self._refuse_negative()

    def _refuse_negative(self) -> None:
        """A difference of exponentials may dip below 0 later on; looked for on 400 log-spaced times."""
        if min(self.amplitudes_nmol_per_L) >= 0.0:
            return
        times = np.geomspace(1e-3 / max(self.rates_per_h), 30.0 / min(self.rates_per_h), 400)
        values = self.concentration_nmol_per_L(times)
        if values.min() < -1e-9 * max(values.max(), 1e-300):
            raise BadInput(
                f"The plasma curve falls below 0 at {times[values.argmin()]:.3g} h (amplitudes "
                f"{self.amplitudes_nmol_per_L}, rates {self.rates_per_h}). The slowest term needs a positive amplitude."
            )

    def concentration_nmol_per_L(self, time_h: Array | float) -> Array:
        """nmol/L at ``time_h``, of its shape."""
        t = np.asarray(time_h, dtype=float)[..., None]
        terms = np.array(self.amplitudes_nmol_per_L) * np.exp(-np.array(self.rates_per_h) * t)
        return np.asarray(terms.sum(axis=-1))

    def integral_nmol_h_per_L(self, decay_per_h: float = 0.0) -> float:
        """Area under the curve of the label that decays with ``decay_per_h``."""
        terms = zip(self.amplitudes_nmol_per_L, self.rates_per_h, strict=True)
        return float(sum(a / (k + decay_per_h) for a, k in terms))

    def scaled(self, factor: float) -> PlasmaCurve:
        """The curve of ``factor`` times the ligand."""
        return PlasmaCurve(tuple(a * factor for a in self.amplitudes_nmol_per_L), self.rates_per_h)
