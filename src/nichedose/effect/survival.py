"""Cell survival after a mixed, protracted dose in tissue with oxygen: linear-quadratic, natural logarithms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from nichedose.dose.result import Quality
from nichedose.effect.oxygen import oxygen_enhancement_ratio
from nichedose.effect.parameters import HIGH_LET, EffectParameters
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array

__all__ = ["log_survival", "survival_terms"]

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
    terms = survival_terms(tuple(dose_by_quality), oxygen_mmHg, p, sensitivity=factor)
    doses = {quality: _checked_dose(raw, quality) for quality, raw in dose_by_quality.items()}
    shape = np.broadcast_shapes(g.shape, np.shape(oxygen_mmHg), factor.shape, *(d.shape for d in doses.values()))
    linear, root_quadratic = np.zeros(shape), np.zeros(shape)
    for quality, dose in doses.items():
        alpha, root_beta = terms[quality]
        linear += alpha * dose
        root_quadratic += root_beta * dose
    return np.asarray(-float(cycles) * (linear + g * root_quadratic**2), dtype=float)


def survival_terms(
    qualities: Sequence[Quality], oxygen_mmHg: Array, p: EffectParameters, *, sensitivity: ArrayLike = 1.0
) -> dict[Quality, tuple[Array, Array]]:
    """alpha (per Gy) and sqrt(beta) (per Gy) of each quality in each place: RBE, oxygen and sensitivity are in them.

    Raises `BadInput` for a quality without parameters.
    """
    enhancement: dict[float, Array] = {}
    found: dict[Quality, tuple[Array, Array]] = {}
    for quality in qualities:
        if quality not in p.rbe:
            raise BadInput(f"No RBE and OER for radiation quality '{quality}'.{near_miss(quality, p.rbe)}")
        oer_max = p.oer_max[quality]
        if oer_max not in enhancement:
            enhancement[oer_max] = oxygen_enhancement_ratio(oxygen_mmHg, oer_max, p.oer_half_pressure_mmHg)
        per_dose = np.asarray(sensitivity, dtype=float) / enhancement[oer_max]
        share = p.high_let_root_beta if quality in HIGH_LET else 1.0
        found[quality] = (p.rbe[quality] * p.alpha_per_Gy * per_dose, share * np.sqrt(p.beta_per_Gy2) * per_dose)
    return found


def _checked_dose(raw: Array, quality: str) -> Array:
    dose = np.asarray(raw, dtype=float)
    if not np.isfinite(dose).all():
        raise BadInput(f"The {quality} dose holds NaN or infinite values.")
    lowest, highest = float(dose.min(initial=0.0)), float(dose.max(initial=0.0))
    if lowest < -_ROUNDING * highest:
        raise BadInput(f"The {quality} dose goes down to {lowest:g} Gy; dose cannot be negative.")
    return np.asarray(np.maximum(dose, 0.0), dtype=float)
