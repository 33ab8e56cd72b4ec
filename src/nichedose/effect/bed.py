"""Biologically effective dose and its relatives."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from nichedose.effect.protraction import g_exponentials
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["bed", "bed_from_log_survival", "dose_from_bed", "eqd2", "organ_bed", "organ_g", "rbe2"]


def bed(dose_Gy: ArrayLike, g: ArrayLike, alpha_beta_Gy: float) -> Array:
    """BED of one administration, D (1 + G D/(alpha/beta)), Gy. Cycles far apart add: multiply by their number."""
    _check_alpha_beta(alpha_beta_Gy)
    dose = np.asarray(dose_Gy, dtype=float)
    if not np.isfinite(dose).all() or bool((dose < 0.0).any()):
        raise BadInput("Dose must be finite and not negative (Gy).")
    return np.asarray(dose * (1.0 + np.asarray(g, dtype=float) * dose / alpha_beta_Gy))


def dose_from_bed(bed_Gy: float, g: float, alpha_beta_Gy: float) -> float:
    """The dose of one administration whose BED is ``bed_Gy``; the inverse of `bed`.

    >>> round(dose_from_bed(float(bed(3.182, 0.06542, 2.5)), 0.06542, 2.5), 9)
    3.182
    """
    _check_alpha_beta(alpha_beta_Gy)
    if bed_Gy < 0.0:
        raise BadInput(f"bed_Gy = {bed_Gy:g}; it must not be negative.")
    # the usual root -1 + sqrt(1 + x) loses digits for small x; this is the same number
    return float(2.0 * bed_Gy / (1.0 + np.sqrt(1.0 + 4.0 * g * bed_Gy / alpha_beta_Gy)))


def bed_from_log_survival(log_survival: ArrayLike, alpha_per_Gy: float) -> Array:
    """BED as -ln S/alpha: low-LET dose, given infinitely slowly in full oxygen, that kills as much."""
    if not alpha_per_Gy > 0.0:
        raise BadInput(f"alpha_per_Gy = {alpha_per_Gy:g}; it must be above 0.")
    return -np.asarray(log_survival, dtype=float) / alpha_per_Gy


def eqd2(bed_Gy: ArrayLike, alpha_beta_Gy: float) -> Array:
    """Dose in fractions of 2 Gy with the same BED, Gy."""
    _check_alpha_beta(alpha_beta_Gy)
    return np.asarray(bed_Gy, dtype=float) / (1.0 + 2.0 / alpha_beta_Gy)


def rbe2(rbe_max: float, alpha_beta_Gy: float) -> float:
    """RBE against low-LET radiation in 2-Gy fractions of a radiation without quadratic term: EQD2 = rbe2 x dose.

    >>> round(rbe2(5.0, 2.5), 2), round(rbe2(5.0, 10.0), 2)
    (2.78, 4.17)
    """
    _check_alpha_beta(alpha_beta_Gy)
    return rbe_max / (1.0 + 2.0 / alpha_beta_Gy)


def organ_g(repair_half_time_h: float, effective_half_life_h: float) -> float:
    """G of an organ whose dose rate falls as one exponential: T_repair/(T_repair + T_effective)."""
    if not (repair_half_time_h > 0.0 and effective_half_life_h > 0.0):
        raise BadInput(f"repair_half_time_h = {repair_half_time_h:g} and effective_half_life_h = "
                       f"{effective_half_life_h:g}; both must be above 0.")
    return g_exponentials([1.0], [np.log(2.0) / effective_half_life_h], np.log(2.0) / repair_half_time_h)


def organ_bed(
    dose_Gy: float, alpha_beta_Gy: float, repair_half_time_h: float, effective_half_life_h: float, cycles: int = 1
) -> float:
    """BED of an organ over ``cycles`` administrations of ``dose_Gy`` each, Gy; repair is complete between them.

    >>> round(organ_bed(7.4 * 0.43, 2.5, 2.8, 40.0, cycles=6), 1)
    20.7
    """
    if cycles < 1:
        raise BadInput(f"cycles = {cycles}; a course has at least one.")
    return cycles * float(bed(dose_Gy, organ_g(repair_half_time_h, effective_half_life_h), alpha_beta_Gy))


def _check_alpha_beta(alpha_beta_Gy: float) -> None:
    if not (np.isfinite(alpha_beta_Gy) and alpha_beta_Gy > 0.0):
        raise BadInput(f"alpha_beta_Gy = {alpha_beta_Gy:g}; it must be finite and above 0.")
