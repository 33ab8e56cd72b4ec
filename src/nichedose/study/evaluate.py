"""One candidate in one draw: kinetics -> dose -> survival, at any activity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nichedose.case import Daughters, Lesion, Surroundings
from nichedose.dose import CellLabel, DoseMap, SectionGeometry, section_dose, section_dose_with_migration
from nichedose.effect import EffectParameters, lea_catcheside, log_survival
from nichedose.fields.grid import Array
from nichedose.library.schema import Radiobiology, Target, TissueParameters
from nichedose.study.cells_within import CellsWithin
from nichedose.study.daughters import follow_daughters
from nichedose.study.kinetics import FormRun
from nichedose.study.setup import ResolvedCandidate
from nichedose.tissue import TissueMap
from nichedose.values import Draw

__all__ = [
    "FULL_OXYGEN_MMHG", "NEGATIVE", "POSITIVE", "CandidateDose", "Metrics", "SectionDose", "cell_labels", "combine",
    "effect_parameters", "log_survival_by_class", "section_dose_of", "section_geometry", "tcp_from_log_kill",
]

POSITIVE, NEGATIVE = "target-positive tumour", "target-negative tumour"
CLONOGENIC = frozenset({"tumour"})
FULL_OXYGEN_MMHG = np.array(1e6)  # BED is stated for well-oxygenated cells, whatever the tissue's oxygen


@dataclass(frozen=True)
class SectionDose:
    """Dose of one candidate in one section per MBq injected, with what survival needs."""

    tissue: TissueMap
    dose: DoseMap
    g: Array
    clonogens: Mapping[str, Array]
    tia_MBq_h_per_L: Array
    washed_out_per_decay: Mapping[str, float] = field(default_factory=dict)
    within: CellsWithin | None = None


@dataclass(frozen=True)
class CandidateDose:
    """One candidate over all sections of the lesion, per MBq injected, one administration.

    ``washed_out_per_decay``: atoms of each progeny that the blood carries off per decay of the parent in the lesion,
    each with its own progeny to come; empty where daughters decay in place.
    """

    sections: tuple[SectionDose, ...]
    mean_dose_Gy_per_MBq: float
    escaped_fraction: float
    entered_fraction: float
    washed_out_per_decay: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Metrics:
    """What a candidate does at one activity per administration, over the whole course.

    ``bed_Gy`` is the tissue mean of the low-LET, well-oxygenated dose without protraction that would kill as much.
    """

    activity_MBq: float
    mean_dose_Gy: float
    log_kill: float
    log_kill_positive: float
    log_kill_negative: float
    worst_decile_survival: float
    bed_Gy: float
    tcp: float


def effect_parameters(radiobiology: Radiobiology, draw: Draw) -> EffectParameters:
    """Numbers of one draw; every candidate shares them."""
    key = f"radiobiology.{radiobiology.name}"

    def take(name: str) -> float:
        return draw(f"{key}.{name}", getattr(radiobiology, name))

    low_let, rbe_alpha = take("oer_max_low_let"), take("rbe_alpha_particle")
    oer_alpha = min(take("oer_max_alpha_particle"), low_let)
    return EffectParameters(
        alpha_per_Gy=take("alpha_per_Gy"),
        alpha_beta_Gy=take("alpha_beta_Gy"),
        repair_rate_per_h=np.log(2.0) / take("repair_half_time_h"),
        rbe={"alpha": rbe_alpha, "recoil": rbe_alpha, "beta": 1.0, "conversion": 1.0, "auger": take("rbe_auger"),
             "photon": 1.0},
        oer_max={"alpha": oer_alpha, "recoil": oer_alpha, "beta": low_let, "conversion": low_let, "auger": low_let,
                 "photon": low_let},
        oer_half_pressure_mmHg=take("oer_half_pressure_mmHg"),
    )


def section_geometry(lesion: Lesion, surroundings: Surroundings | None = None) -> SectionGeometry:
    """What the case says of space, in um; ``surroundings`` overrides it for the alternatives."""
    diameter_um = lesion.diameter * 1e3
    thickness_um = lesion.section_thickness if lesion.along_z == "section" else (
        lesion.slab_thickness * 1e3 if lesion.slab_thickness is not None else diameter_um)
    return SectionGeometry(
        along_z=lesion.along_z,
        thickness_um=thickness_um,
        surroundings=surroundings or lesion.surroundings,
        lesion_diameter_um=diameter_um,
    )


def section_dose_of(
    tissue: TissueMap,
    run: FormRun,
    candidate: ResolvedCandidate,
    target: Target,
    parameters: TissueParameters,
    geometry: SectionGeometry,
    repair: tuple[Sequence[float], Sequence[float]],
    draw: Draw,
    pairs: int | None,
    daughters: Daughters | None = None,
    within: CellsWithin | None = None,
) -> SectionDose:
    """Dose per MBq injected of one candidate in one section, by quality and by class of tumour cell.

    Progeny decay in place; with ``daughters`` they go where it says. ``repair`` is rates (per h) and their shares;
    ``within`` the classes of cells in each voxel, where a case asks for them.
    """
    tia = run.time_integrated_activity(candidate.radionuclide)
    total = tia["free"] + tia["bound"] + tia["internalised"]
    tumour_hosts = [h for h in target.hosts if h in CLONOGENIC]
    positive = draw(f"target.{target.name}.positive_fraction", target.positive_fraction) if tumour_hosts else 0.0
    tumour = tissue.cell_density_per_mm3["tumour"] * tissue.mask
    clonogens = {POSITIVE: positive * tumour, NEGATIVE: (1.0 - positive) * tumour}
    common: dict[str, Any] = {
        "cells": cell_labels(tissue, target.name, tumour_hosts, tia, clonogens[POSITIVE]),
        "times_h": run.solution.times_h,
        "activity_MBq_per_L": run.activity_history(candidate.radionuclide),
        "geometry": geometry,
        "cell_radius_um": draw("tissue.cell_radius_um", parameters.cell_radius_um),
        "nucleus_radius_um": draw("tissue.nucleus_radius_um", parameters.nucleus_radius_um),
        "pairs": pairs,
        "bounded": False,  # with pairs None, the central run, it is bounded all the same
    }
    washed_out: Mapping[str, float] = {}
    if daughters is None:
        dose = section_dose(tissue.grid, tissue.mask, candidate.radionuclide, tia_MBq_h_per_L=total, **common)
    else:
        migration = follow_daughters(tissue, candidate.radionuclide, tia, daughters)
        dose, washed_out = section_dose_with_migration(migration, **common), migration.washed_out_per_parent_decay
    mean_map = np.asarray(sum(dose.by_quality.values()))
    g = lea_catcheside(dose.history, mean_map, *repair)
    return SectionDose(tissue, dose, g, clonogens, total, washed_out, within)


def cell_labels(
    tissue: TissueMap, target: str, tumour_hosts: list[str], tia: Mapping[str, Array], positive_per_mm3: Array
) -> dict[str, CellLabel]:
    """Time-integrated activity on and in one cell of each class; the other hosts' label is cross-fire to both."""
    field = tissue.targets[target]
    zero = np.zeros(tissue.grid.shape)
    total = field.total_nmol_per_L
    on_tumour = np.asarray(sum((field.by_host_nmol_per_L[h] for h in tumour_hosts), start=zero))
    share = np.divide(on_tumour, total, out=zero.copy(), where=total > 0.0)
    per_litre = positive_per_mm3 * 1e6
    per_cell = np.divide(share, per_litre, out=zero.copy(), where=per_litre > 0.0)
    return {
        POSITIVE: CellLabel(tia["bound"] * per_cell, tia["internalised"] * per_cell),
        NEGATIVE: CellLabel(zero, zero),
    }


def combine(sections: list[SectionDose]) -> CandidateDose:
    """Pool the sections of a lesion: means over all tissue voxels of all sections."""
    voxels = np.array([s.tissue.mask.sum() * s.tissue.grid.voxel_area_mm2 for s in sections])
    weights = voxels / voxels.sum()
    means = np.array([sum(float(m[s.tissue.mask].mean()) for m in s.dose.by_quality.values()) for s in sections])
    return CandidateDose(
        sections=tuple(sections),
        mean_dose_Gy_per_MBq=float(weights @ means),
        escaped_fraction=float(weights @ np.array([s.dose.escaped_fraction for s in sections])),
        entered_fraction=float(weights @ np.array([s.dose.entered_fraction for s in sections])),
        washed_out_per_decay=_pooled(sections),
    )


def _pooled(sections: list[SectionDose]) -> dict[str, float]:
    """What leaves, over all sections: each counts with the decays of the parent in it."""
    decays = np.array([s.tia_MBq_h_per_L.sum() * s.tissue.grid.voxel_area_mm2 for s in sections])
    total = float(decays.sum())
    names = sections[0].washed_out_per_decay
    return {name: float(decays @ np.array([s.washed_out_per_decay[name] for s in sections])) / total if total > 0.0
            else 0.0 for name in names}


def log_survival_by_class(
    section: SectionDose, effect: EffectParameters, activity_MBq: float, cycles: int
) -> dict[str, Array]:
    """Natural log of survival of each class of tumour cell after ``cycles``, (ny, nx)."""
    if section.within is not None:
        voxel_dose = np.asarray(sum(activity_MBq * d for d in section.dose.by_quality.values()))
        return {
            name: section.within.log_survival(
                {quality: activity_MBq * d for quality, d in by_quality.items()}, voxel_dose, section.g, effect, cycles)
            for name, by_quality in section.dose.nucleus_by_quality.items()
        }
    return {
        name: log_survival(
            {quality: activity_MBq * d for quality, d in by_quality.items()},
            section.g,
            section.tissue.oxygen_mmHg,
            effect,
            cycles=cycles,
        )
        for name, by_quality in section.dose.nucleus_by_quality.items()
    }


def tcp_from_log_kill(log_kill: float, clonogens: float) -> float:
    """Poisson tumour control of a lesion that the sections represent."""
    return float(np.exp(-clonogens * 10.0**-log_kill))
