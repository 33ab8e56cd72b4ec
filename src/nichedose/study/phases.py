"""A course in phases: cycles that meet the same tissue, with what each leaves behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from nichedose.effect import EffectParameters, bed_from_log_survival, fewest_left, log_survival, region_effect
from nichedose.fields.grid import Array
from nichedose.study.evaluate import (
    FULL_OXYGEN_MMHG,
    NEGATIVE,
    POSITIVE,
    CandidateDose,
    Metrics,
    log_survival_by_class,
    tcp_from_log_kill,
)
from nichedose.tissue import TissueMap

__all__ = [
    "CourseSurvival", "Phase", "TissueState", "course_average", "course_metrics", "course_survival", "evaluate_at",
    "surviving_fraction",
]


@dataclass(frozen=True)
class TissueState:
    """Maps as a cycle finds them. ``key`` tells states apart in a cache; None when nothing else will ask for it."""

    maps: tuple[TissueMap, ...]
    key: Hashable = ()
    permeability_factor: float = 1.0


@dataclass(frozen=True)
class Phase:
    """``cycles`` administrations whose dose per MBq and sensitivity are the same."""

    dose: CandidateDose
    effect: EffectParameters
    cycles: int


def evaluate_at(
    dose: CandidateDose, effect: EffectParameters, activity_MBq: float, cycles: int, clonogens_in_lesion: float | None
) -> Metrics:
    """All numbers of ``cycles`` equal cycles at ``activity_MBq`` per administration, without regrowth."""
    return course_metrics((Phase(dose, effect, cycles),), activity_MBq, 1.0, clonogens_in_lesion)


@dataclass(frozen=True)
class CourseSurvival:
    """Natural log of survival of each class of tumour cell in each section, (ny, nx), after ``cycles``: all of them,
    or with growth those that leave fewest clonogens (`fewest_left`). ``log_growth`` (natural) until then is not in
    the maps: it multiplies every clonogen alike."""

    by_section: tuple[dict[str, Array], ...]
    cycles: int
    log_growth: float


def course_survival(phases: Sequence[Phase], activity_MBq: float, interval_h: float) -> CourseSurvival:
    """Survival at ``activity_MBq`` per administration."""
    sections, cycles = phases[0].dose.sections, sum(p.cycles for p in phases)
    growth = next((s.within.options.growth for s in sections if s.within is not None), None)
    if growth is None:
        return CourseSurvival(_after(phases, activity_MBq, cycles), cycles, 0.0)
    after = [_after(phases, activity_MBq, n) for n in range(1, cycles + 1)]
    clonogens = np.concatenate([s.clonogens[name][s.tissue.mask] * s.tissue.grid.voxel_area_mm2
                                for s, of in zip(sections, after[0], strict=True) for name in of])
    log_left = [float(logsumexp(np.concatenate([
        values[s.tissue.mask] for s, of in zip(sections, found, strict=True) for values in of.values()]), b=clonogens))
        for found in after]
    last, grown = fewest_left(log_left, interval_h * np.arange(cycles), growth)
    return CourseSurvival(after[last], last + 1, grown)


def _after(phases: Sequence[Phase], activity_MBq: float, cycles: int) -> tuple[dict[str, Array], ...]:
    """Natural log of survival after the first ``cycles``, without growth."""
    given = []
    for phase in phases:
        given.append((phase, min(phase.cycles, cycles)))
        cycles -= given[-1][1]
    return tuple(_summed([log_survival_by_class(p.dose.sections[i], p.effect, activity_MBq, n) for p, n in given if n])
                 for i in range(len(phases[0].dose.sections)))


def _summed(by_phase: Sequence[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.asarray(sum(found[name] for found in by_phase)) for name in by_phase[0]}


def surviving_fraction(phase: Phase, section: int, activity_MBq: float) -> Array:
    """Share of the tumour cells in each voxel that one cycle of ``phase`` leaves; 1 where there are none, (ny, nx)."""
    entry = phase.dose.sections[section]
    logs = log_survival_by_class(entry, phase.effect, activity_MBq, 1)
    total = np.asarray(sum(entry.clonogens.values()))
    left = np.asarray(sum(entry.clonogens[name] * np.exp(values) for name, values in logs.items()))
    return np.where(total > 0.0, np.clip(left / np.where(total > 0.0, total, 1.0), 0.0, 1.0), 1.0)


def course_average(phases: Sequence[Phase]) -> CandidateDose:
    """Dose per MBq of a mean cycle: times activity and cycles it is the dose of the course. Tissue is the first's."""
    if len(phases) == 1:
        return phases[0].dose
    weight = np.array([p.cycles for p in phases]) / sum(p.cycles for p in phases)
    sections = []
    for position, first in enumerate(phases[0].dose.sections):
        entries = [p.dose.sections[position] for p in phases]
        by_quality = {q: _mean(weight, [e.dose.by_quality[q] for e in entries]) for q in first.dose.by_quality}
        nuclei = {name: {q: _mean(weight, [e.dose.nucleus_by_quality[name][q] for e in entries]) for q in of}
                  for name, of in first.dose.nucleus_by_quality.items()}
        sections.append(dataclasses.replace(
            first, tia_MBq_h_per_L=_mean(weight, [e.tia_MBq_h_per_L for e in entries]),
            dose=dataclasses.replace(first.dose, by_quality=by_quality, nucleus_by_quality=nuclei)))
    return dataclasses.replace(
        phases[0].dose, sections=tuple(sections),
        mean_dose_Gy_per_MBq=float(weight @ [p.dose.mean_dose_Gy_per_MBq for p in phases]),
        escaped_fraction=float(weight @ [p.dose.escaped_fraction for p in phases]),
        entered_fraction=float(weight @ [p.dose.entered_fraction for p in phases]))


def _mean(weight: Array, maps: Sequence[Array]) -> Array:
    return np.asarray(sum(w * m for w, m in zip(weight, maps, strict=True)))


def course_metrics(
    phases: Sequence[Phase], activity_MBq: float, interval_h: float, clonogens_in_lesion: float | None
) -> Metrics:
    """All numbers of a course at ``activity_MBq`` per administration; clonogens are those before it."""
    survival: dict[str, list[Array]] = {POSITIVE: [], NEGATIVE: []}
    clonogens: dict[str, list[Array]] = {POSITIVE: [], NEGATIVE: []}
    bed_sum = weight = 0.0
    found = course_survival(phases, activity_MBq, interval_h)
    for position, section in enumerate(phases[0].dose.sections):
        mask, area = section.tissue.mask, section.tissue.grid.voxel_area_mm2
        for name, values in found.by_section[position].items():
            survival[name].append(values[mask])
            clonogens[name].append(section.clonogens[name][mask] * area)
        bed_sum += sum(_oxic_bed(p, position, activity_MBq) for p in phases) * area
        weight += float(mask.sum()) * area
    region = region_effect(
        {name: np.concatenate(v) for name, v in survival.items()},
        {name: np.concatenate(v) for name, v in clonogens.items()},
    )
    grown = found.log_growth / np.log(10.0)
    log_kill = region.log_kill - grown
    return Metrics(
        activity_MBq=activity_MBq,
        mean_dose_Gy=sum(p.dose.mean_dose_Gy_per_MBq * p.cycles for p in phases) * activity_MBq,
        log_kill=log_kill,
        log_kill_positive=region.log_kill_by_class.get(POSITIVE, float("nan")) - grown,
        log_kill_negative=region.log_kill_by_class.get(NEGATIVE, float("nan")) - grown,
        worst_decile_survival=region.worst_decile_survival * float(np.exp(found.log_growth)),
        bed_Gy=bed_sum / weight,
        tcp=float("nan") if clonogens_in_lesion is None else tcp_from_log_kill(log_kill, clonogens_in_lesion),
    )


def _oxic_bed(phase: Phase, section: int, activity_MBq: float) -> float:
    """Sum over tissue voxels of the BED that well-oxygenated cells of the tissue mean would have."""
    entry = phase.dose.sections[section]
    mask = entry.tissue.mask
    doses = {q: activity_MBq * d[mask] for q, d in entry.dose.by_quality.items()}
    oxic = log_survival(doses, entry.g[mask], FULL_OXYGEN_MMHG, phase.effect, cycles=phase.cycles)
    return float(bed_from_log_survival(oxic, phase.effect.alpha_per_Gy).sum())
