"""Harm to organs by the library's curves, with what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nichedose.effect.ntcp import LymanCurve, ntcp
from nichedose.errors import BadInput, near_miss
from nichedose.library.effects import OrganHarm
from nichedose.values import Draw

__all__ = ["HarmEstimate", "organ_harm"]


@dataclass(frozen=True)
class HarmEstimate:
    """Probability of ``harm`` to an organ; it holds for ``quantity`` alone, and ``origin`` says where it was found."""

    organ: str
    harm: str
    probability: float
    quantity: str
    origin: str


def organ_harm(organ: str, dose_Gy: float, curves: Sequence[OrganHarm], draw: Draw | None = None) -> HarmEstimate:
    """The curve of ``organ`` at ``dose_Gy``, in one draw (the medians without one).

    ``dose_Gy`` must be in the curve's own quantity; EQD2 comes nearest for a protracted dose (`eqd2`, `organ_bed`).
    Raises `BadInput` for an organ without a curve, with what is known.

    >>> from nichedose.library import load_library
    >>> round(organ_harm("parotid", 26.0, load_library().harm).probability, 2)
    0.19
    """
    found = [c for c in curves if c.organ == organ]
    if not found:
        known = [c.organ for c in curves]
        raise BadInput(f"No curve of harm is known for '{organ}'.{near_miss(organ, known)}")
    curve, take = found[0], draw or Draw()
    lyman = LymanCurve(take(f"harm.{organ}.half_Gy", curve.half_Gy), take(f"harm.{organ}.slope", curve.slope))
    return HarmEstimate(organ, curve.harm, ntcp(dose_Gy, lyman), curve.quantity, curve.origin)
