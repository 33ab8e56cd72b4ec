"""Plasma concentration of a ligand after one administration, as a sum of exponentials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["PlasmaCurve"]


@dataclass(frozen=True)
class PlasmaCurve:
    """Free ligand in plasma, nmol per L of plasma, decay-corrected: sum of ``amplitudes_nmol_per_L`` exp(-``rates_per_h`` t).

    One injection at time zero. Physical decay is not in it: the label is followed by tagged fractions.
    """

    amplitudes_nmol_per_L: tuple[float, ...]
    rates_per_h: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.amplitudes_nmol_per_L) != len(self.rates_per_h) or not self.rates_per_h:
            raise BadInput("A plasma curve needs as many rates as amplitudes, at least one.")
        if not all(np.isfinite(r) and r > 0 for r in self.rates_per_h):
            raise BadInput(f"Plasma rates must be above 0 per h; got {self.rates_per_h}.")
        if not all(np.isfinite(a) for a in self.amplitudes_nmol_per_L) or sum(self.amplitudes_nmol_per_L) < 0:
            raise BadInput(f"Plasma amplitudes must be finite and start at or above 0; got {self.amplitudes_nmol_per_L}.")

    def concentration_nmol_per_L(self, time_h: Array | float) -> Array:
        t = np.asarray(time_h, dtype=float)[..., None]
        terms = np.array(self.amplitudes_nmol_per_L) * np.exp(-np.array(self.rates_per_h) * t)
        return np.asarray(terms.sum(axis=-1))

    def integral_nmol_h_per_L(self, decay_per_h: float = 0.0) -> float:
        """Area under the curve of the label that decays with ``decay_per_h``."""
        return float(sum(a / (k + decay_per_h) for a, k in zip(self.amplitudes_nmol_per_L, self.rates_per_h, strict=True)))

    def scaled(self, factor: float) -> PlasmaCurve:
        return PlasmaCurve(tuple(a * factor for a in self.amplitudes_nmol_per_L), self.rates_per_h)
