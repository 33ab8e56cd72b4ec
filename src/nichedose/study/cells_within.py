"""What a case's `[effect]` options make of the survival model in one draw: per candidate, per voxel, per cycle."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nichedose.case import EffectOptions
from nichedose.dose import Quality
from nichedose.dose.hits import alphas_by_mass
from nichedose.effect import (
    HIGH_LET,
    Bystander,
    DoseSpread,
    EffectParameters,
    Repopulation,
    bystander_log_survival,
    chain_rbe,
    dose_spread,
    log_mean_course,
    log_survival,
    oer_form,
    sensitivity_factor,
    track_oer_max,
)
from nichedose.fields.grid import Array
from nichedose.library import Library
from nichedose.library.schema import Radiobiology
from nichedose.nuclide import Lines
from nichedose.study.growth import growth_of
from nichedose.tissue import TissueMap
from nichedose.tissue.krogh import OxygenParameters
from nichedose.tissue.oxygen_spread import oxygen_classes
from nichedose.tissue.partner import ActiveEffect, product
from nichedose.values import Draw

__all__ = ["CellsWithin", "SurvivalOptions", "candidate_parameters", "repair_of", "survival_options"]

LONGEST_PROGENY_h = 24.0 * 365.0


@dataclass(frozen=True)
class SurvivalOptions:
    """Options of one draw that all candidates share."""

    oxygen_in_classes: bool
    dealt_anew: bool
    spread: DoseSpread
    growth: Repopulation | None
    bystander: Bystander | None
    log_change_per_sd: Mapping[str, float]

    @property
    def plain(self) -> bool:
        return not self.oxygen_in_classes and self.bystander is None and len(self.spread.factors) == 1


@dataclass(frozen=True)
class CellsWithin:
    """Classes of cells in each voxel of one section: ``oxygen_mmHg`` (n, ny, nx) with ``shares`` (n,)."""

    oxygen_mmHg: Array
    shares: Array
    options: SurvivalOptions
    sensitivity: float | Array

    def log_survival(
        self, dose_by_quality: Mapping[Quality, Array], voxel_dose_Gy: Array, g: Array, effect: EffectParameters,
        cycles: int,
    ) -> Array:
        """Natural log of survival after ``cycles``; doses are of one, ``voxel_dose_Gy`` that of the voxel's tissue."""
        def one_cycle(oxygen: Array, factor: float) -> Array:
            doses = {q: d * factor if q in HIGH_LET else d for q, d in dose_by_quality.items()}
            return log_survival(doses, g, oxygen, effect, sensitivity=self.sensitivity)

        o = self.options
        if o.plain:
            own = cycles * one_cycle(self.oxygen_mmHg[0], 1.0)
        else:
            spread = o.spread if HIGH_LET & set(dose_by_quality) else DoseSpread()
            own = log_mean_course(one_cycle, self.oxygen_mmHg, self.shares, spread, cycles, dealt_anew=o.dealt_anew)
        if o.bystander is None:
            return own
        return own + cycles * bystander_log_survival(np.maximum(voxel_dose_Gy, 0.0), o.bystander)

    @classmethod
    def of(cls, tissue: TissueMap, options: SurvivalOptions, parameters: OxygenParameters, partners: float
           ) -> CellsWithin | None:
        """Classes of ``tissue``, or None where the plain model is meant; ``partners`` multiply sensitivity."""
        sensitivity: float | Array = partners
        for trait, change in options.log_change_per_sd.items():
            sensitivity = sensitivity * sensitivity_factor(tissue.traits[trait], change)
        if not options.log_change_per_sd and options.plain and options.growth is None and partners == 1.0:
            return None
        if options.oxygen_in_classes:
            oxygen, shares = oxygen_classes(
                tissue.oxygen_mmHg, tissue.mask, tissue.vessel_surface_per_cm, parameters)
        else:
            oxygen, shares = tissue.oxygen_mmHg[None], np.ones(1)
        return cls(oxygen, shares, options, sensitivity)


def survival_options(options: EffectOptions, library: Library, draw: Draw) -> SurvivalOptions:
    """The case's options with what they draw from the library."""
    bystander = None
    if options.bystander:
        bystander = Bystander(draw("effects.bystander_most_killed", library.effects.bystander_most_killed),
                              draw("effects.bystander_scale_Gy", library.effects.bystander_scale_Gy))
    return SurvivalOptions(
        options.oxygen_within_voxels, options.reoxygenation, dose_spread(options.alpha_dose_spread), growth_of(options),
        bystander,
        {trait: draw(f"effects.{trait}_log_change_per_sd", getattr(library.effects, f"{trait}_log_change_per_sd"))
         for trait in ("dna_repair", "proliferation") if getattr(options, trait)})


def repair_of(options: EffectOptions, repair_rate_per_h: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Repair rates (per h) and their shares."""
    if options.slow_repair_half_time is None:
        return (repair_rate_per_h,), (1.0,)
    slow = math.log(2.0) / options.slow_repair_half_time
    return (repair_rate_per_h, slow), (1.0 - options.slow_repair_share, options.slow_repair_share)


def candidate_parameters(
    base: EffectParameters, options: EffectOptions, radionuclide: str, emits_alpha: bool, radiobiology: Radiobiology,
    draw: Draw, effects: Sequence[ActiveEffect],
) -> EffectParameters:
    """``base`` with the forms that the case chose, for the alphas of one radionuclide, and what partners change.

    A form gives the central value; the draw's distance from the library's median, relative to it, is kept, so that a
    form does not pretend to be known better than the library's range.
    """
    low_let, alpha = base.oer_max["beta"], base.oer_max["alpha"]
    half, rbe = base.oer_half_pressure_mmHg, base.rbe["alpha"]
    if options.oer != "library":
        form = oer_form(options.oer)
        low_let = _moved(form.low_let_oer_max, low_let, radiobiology.oer_max_low_let.central)
        half = form.half_pressure_mmHg * half / radiobiology.oer_half_pressure_mmHg.central
    if emits_alpha and options.oer_alpha != "library":
        alpha = _moved(_track_oer(radionuclide, options.oer_alpha), alpha,
                       radiobiology.oer_max_alpha_particle.central)
    if emits_alpha and options.rbe_alpha == "howell":
        rbe = _chain_rbe(radionuclide) * rbe / radiobiology.rbe_alpha_particle.central
    protection = product(effects, "hypoxic_protection")
    low_let = 1.0 + (low_let - 1.0) * protection
    alpha = min(1.0 + (alpha - 1.0) * protection, low_let)
    return dataclasses.replace(
        base,
        rbe={**base.rbe, "alpha": rbe, "recoil": rbe},
        oer_max={q: alpha if q in HIGH_LET else low_let for q in base.oer_max},
        oer_half_pressure_mmHg=half,
        high_let_root_beta=options.synergy,
    )


def _moved(form: float, drawn: float, median: float) -> float:
    """The form's OER with the draw's relative distance from the median, on OER - 1."""
    return 1.0 + (form - 1.0) * (drawn - 1.0) / (median - 1.0) if median > 1.0 else form


@lru_cache(maxsize=64)
def _alpha_lines(radionuclide: str) -> Lines:
    groups = alphas_by_mass(radionuclide, "equilibrium", LONGEST_PROGENY_h)
    return Lines(np.concatenate([g.energy_MeV for g in groups]), np.concatenate([g.per_decay for g in groups]))


@lru_cache(maxsize=64)
def _track_oer(radionuclide: str, form: str) -> float:
    return track_oer_max(_alpha_lines(radionuclide), oer_form(form))


@lru_cache(maxsize=64)
def _chain_rbe(radionuclide: str) -> float:
    return chain_rbe(_alpha_lines(radionuclide))
