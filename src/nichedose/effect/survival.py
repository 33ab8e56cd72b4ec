"""Cell survival after a mixed, protracted dose in tissue with oxygen: linear-quadratic, natural logarithms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from nichedose.dose.result import Quality
from nichedose.effect.oxygen import oxygen_enhancement_ratio
from nichedose.effect.parameters import HIGH_LET, EffectParameters
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array

__all__ = ["log_survival"]

_ROUNDING = 1e-9  # negative dose below this share of the largest is rounding of a convolution and counts as zero


def log_survival(
    dose_by_quality: Mapping[Quality, Array], g: Array, oxygen_mmHg: Array, p: EffectParameters, cycles: int = 1,
    *, sensitivity: ArrayLike = 1.0,
) -> Array:
    """Natural log of the surviving fraction after ``cycles`` equal, independent administrations; arrays of one shape.

    ``dose_by_quality`` is the dose of *one* administration (Gy), ``g`` its Lea-Catcheside factor. Mixed field after
    Zaider and Rossi, with oxygen: -ln S = cycles [sum_q RBE_q alpha D_q/OER_q + G (sum_q sqrt(beta_q) D_q/OER_q)^2],
    sqrt(beta_q) is that of low LET times ``p.high_let_root_beta`` (0 unless set) for alpha particles and recoils.
    ``sensitivity`` multiplies alpha and sqrt(beta) from place to place, as a factor on dose would.
    Raises `BadInput` for a quality without parameters, negative or missing dose, G outside [0, 1], or no cycle.
    """
    if cycles < 1:
        raise BadInput(f"cycles = {cycles}; a course has at least one.")
    g = np.asarray(g, dtype=float)
    if not bool(((g >= 0.0) & (g <= 1.0)).all()):
        raise BadInput("The Lea-Catcheside factor must lie between 0 and 1 everywhere.")
    factor = np.asarray(sensitivity, dtype=float)
    if not np.isfinite(factor).all() or bool((factor < 0.0).any()):
        raise BadInput("Sensitivity must be finite and not negative.")
    doses = (np.shape(d) for d in dose_by_quality.values())
    shape = np.broadcast_shapes(g.shape, np.shape(oxygen_mmHg), factor.shape, *doses)
    linear, root_quadratic = np.zeros(shape), np.zeros(shape)
    enhancement: dict[float, Array] = {}
    for quality, raw in dose_by_quality.items():
        if quality not in p.rbe:
            raise BadInput(f"No RBE and OER for radiation quality '{quality}'.{near_miss(quality, p.rbe)}")
        oer_max = p.oer_max[quality]
        if oer_max not in enhancement:
            enhancement[oer_max] = oxygen_enhancement_ratio(oxygen_mmHg, oer_max, p.oer_half_pressure_mmHg)
        effective = factor * _checked_dose(raw, quality) / enhancement[oer_max]
        linear += p.rbe[quality] * p.alpha_per_Gy * effective
        share = p.high_let_root_beta if quality in HIGH_LET else 1.0
        if share > 0.0:
            root_quadratic += share * np.sqrt(p.beta_per_Gy2) * effective
    return np.asarray(-float(cycles) * (linear + g * root_quadratic**2), dtype=float)


def _checked_dose(raw: Array, quality: str) -> Array:
    dose = np.asarray(raw, dtype=float)
    if not np.isfinite(dose).all():
        raise BadInput(f"The {quality} dose holds NaN or infinite values.")
    lowest, highest = float(dose.min(initial=0.0)), float(dose.max(initial=0.0))
    if lowest < -_ROUNDING * highest:
        raise BadInput(f"The {quality} dose goes down to {lowest:g} Gy; dose cannot be negative.")
    return np.asarray(np.maximum(dose, 0.0), dtype=float)
