"""How lack of oxygen protects cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["in_common_form", "oxygen_enhancement_ratio"]


def oxygen_enhancement_ratio(oxygen_mmHg: ArrayLike, oer_max: float, half_pressure_mmHg: float) -> Array:
    """How many times more dose is needed at ``oxygen_mmHg`` than in full oxygen: ``oer_max`` in anoxia, 1 in plenty.

    (p + K)/(p + K/oer_max), the one form to which the published ones reduce. Raises `BadInput` for negative or missing
    oxygen, ``oer_max`` below 1 or K not above 0.

    >>> float(oxygen_enhancement_ratio(3.0, 3.0, 3.0))
    1.5
    """
    if not (oer_max >= 1.0 and half_pressure_mmHg > 0.0):
        raise BadInput(f"oer_max = {oer_max:g} must be at least 1, and half_pressure_mmHg = {half_pressure_mmHg:g} "
                       "above 0.")
    return in_common_form(oxygen_mmHg, np.asarray(oer_max), half_pressure_mmHg)


def in_common_form(oxygen_mmHg: ArrayLike, oer_max: Array, half_pressure_mmHg: float | Array) -> Array:
    """(p + K)/(p + K/O) of arrays that broadcast; raises `BadInput` for negative or missing oxygen."""
    pressure = np.asarray(oxygen_mmHg, dtype=float)
    if not np.isfinite(pressure).all() or bool((pressure < 0.0).any()):
        raise BadInput("Oxygen must be finite and not negative (mmHg).")
    return np.asarray((pressure + half_pressure_mmHg) / (pressure + half_pressure_mmHg / oer_max))
