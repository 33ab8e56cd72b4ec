"""One uniform dose in place of an uneven one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from nichedose.effect.bed import dose_from_bed
from nichedose.effect.region import equivalent_uniform_bed
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["equivalent_uniform_dose", "generalised_eud"]


def equivalent_uniform_dose(
    log_survival: Array, clonogens: Array, alpha_per_Gy: float, alpha_beta_Gy: float, g: float
) -> float:
    """The uniform low-LET dose, with the same protraction ``g``, that leaves as many survivors (Niemierko 1997), Gy."""
    return dose_from_bed(equivalent_uniform_bed(log_survival, clonogens, alpha_per_Gy), g, alpha_beta_Gy)


def generalised_eud(dose_Gy: ArrayLike, volumes: ArrayLike, exponent: float) -> float:
    """(sum v D^a)^(1/a), a = ``exponent``: 1 the mean, large the maximum; 1/n of the Lyman model. Gy.

    With a negative exponent (targets) any dose of 0 makes it 0. Raises `BadInput` for negative doses or volumes, or an
    exponent of 0.

    >>> round(generalised_eud([10.0, 20.0], [1.0, 1.0], 1.0), 6)
    15.0
    """
    dose, volume = np.asarray(dose_Gy, dtype=float), np.asarray(volumes, dtype=float)
    bad = dose.shape != volume.shape or not np.isfinite(dose).all() or bool((dose < 0.0).any())
    if bad or bool((volume < 0.0).any()) or not volume.sum() > 0.0:
        raise BadInput("Give one volume per dose; doses finite and not negative, volumes with a sum above 0.")
    if exponent == 0.0 or not np.isfinite(exponent):
        raise BadInput(f"exponent = {exponent:g}; it must be finite and not 0.")
    kept = volume > 0.0
    with np.errstate(divide="ignore"):  # a dose of 0 has weight 0, or with a negative exponent an infinite one
        logs = exponent * np.log(dose[kept])
    return float(np.exp((logsumexp(logs, b=volume[kept]) - np.log(volume.sum())) / exponent))
