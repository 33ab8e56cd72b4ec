"""Cells harmed by their neighbours' damage. An option: the direction is established, the size is not.

Cells that take up medium of cells treated with beta emitters die in proportion to dose at first, and no more at high
dose (review: Front Oncol 2013, doi:10.3389/fonc.2013.00215). Effects of alpha and Auger emitters were seen both to rise
and to fall with dose; they are not told apart here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["Bystander", "bystander_log_survival"]


@dataclass(frozen=True)
class Bystander:
    """``most_killed``: share of cells that signals kill at high dose; ``scale_Gy``: 63 % of that are met there."""

    most_killed: float
    scale_Gy: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.most_killed < 1.0 and math.isfinite(self.scale_Gy) and self.scale_Gy > 0.0):
            raise BadInput(f"most_killed = {self.most_killed:g} must be at least 0 and below 1, and scale_Gy = "
                           f"{self.scale_Gy:g} finite and above 0.")


def bystander_log_survival(neighbours_dose_Gy: Array, effect: Bystander) -> Array:
    """Natural log of survival of signals from around: ln(1 - b (1 - exp(-D/D_b))), to be added to that of own dose."""
    dose = np.asarray(neighbours_dose_Gy, dtype=float)
    if not np.isfinite(dose).all() or bool((dose < 0.0).any()):
        raise BadInput("The neighbours' dose must be finite and not negative (Gy).")
    return np.log1p(effect.most_killed * np.expm1(-dose / effect.scale_Gy))
