"""Probability of harm to an organ: the Lyman-Kutcher-Burman curve, in the quantity in which it was found."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from nichedose.errors import BadInput

__all__ = ["LymanCurve", "dose_for_ntcp", "ntcp"]


@dataclass(frozen=True)
class LymanCurve:
    """``half_Gy`` harms half of the organs; ``slope`` is m, the relative width; both in the curve's own quantity."""

    half_Gy: float
    slope: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0.0):
                raise BadInput(f"LymanCurve: {name} = {value:g}; it must be finite and above 0.")


def ntcp(dose_Gy: float, curve: LymanCurve) -> float:
    """Phi((D - D50)/(m D50)): share of organs harmed by an even dose (or its generalised EUD), in the curve's quantity.

    Raises `BadInput` for a negative or missing dose.

    >>> round(ntcp(26.0, LymanCurve(39.9, 0.40)), 3)  # parotid, mean dose
    0.192
    """
    if not (math.isfinite(dose_Gy) and dose_Gy >= 0.0):
        raise BadInput(f"dose_Gy = {dose_Gy:g}; it must be finite and not negative.")
    return float(ndtr((dose_Gy - curve.half_Gy) / (curve.slope * curve.half_Gy)))


def dose_for_ntcp(probability: float, curve: LymanCurve) -> float:
    """The dose at which ``probability`` of organs is harmed; 0 where the curve starts above it."""
    if not 0.0 < probability < 1.0:
        raise BadInput(f"probability = {probability:g}; it must lie between 0 and 1, without them.")
    return max(0.0, curve.half_Gy * (1.0 + curve.slope * float(ndtri(probability))))
