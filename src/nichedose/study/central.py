"""One candidate at the medians, on the fine grid: its numbers in every mode, its maps, and where its target sits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.case import Case, Mode, Surroundings
from nichedose.decide import Tolerance
from nichedose.dose import Quality
from nichedose.fields.grid import Array
from nichedose.study.evaluate import CandidateDose, Metrics
from nichedose.study.phases import course_average, course_survival
from nichedose.study.place import TargetPlace, target_place
from nichedose.study.released_doses import lesion_MBq_h_per_MBq, released_note
from nichedose.study.setup import ResolvedCandidate
from nichedose.study.world import World
from nichedose.transport import LabelLedger

__all__ = ["CentralCandidate", "central_candidate"]

ALTERNATIVES: tuple[Surroundings, ...] = ("uniform", "mirror", "isolated")


@dataclass(frozen=True)
class CentralCandidate:
    """One candidate on the fine grid at the medians; maps of the whole course at ``activity_MBq`` an administration."""

    candidate: ResolvedCandidate
    metrics: Mapping[Mode, Metrics]
    alternatives: Mapping[str, Mapping[Mode, Metrics]]
    tolerance: Tolerance
    activity_MBq: float
    dose_by_quality: tuple[Mapping[Quality, Array], ...]
    log10_survival: tuple[Array, ...]
    tia_MBq_h_per_L: tuple[Array, ...]
    clonogens: tuple[Mapping[str, Array], ...]
    g_mean: tuple[float, ...]
    g_error: float
    mean_dose_Gy_per_GBq: float
    escaped_fraction: float
    entered_fraction: float
    photon_energy_fraction: float
    ledgers: tuple[LabelLedger, ...]
    occupancy_at_end: float
    dose_after_next_cycle: float
    released: str
    section_over_body: float | None
    administration_factor: float
    mode: Mode
    place: TargetPlace
    counted_cycles: int


def central_candidate(world: World, candidate: ResolvedCandidate) -> CentralCandidate:
    """Evaluate ``candidate`` in ``world`` under all surroundings, with maps at the activity of the deciding mode."""
    setup = world.setup
    metrics = world.evaluate(candidate)
    chosen = setup.case.comparison.decide_by
    mode: Mode = chosen if chosen in metrics else "as_prescribed"
    activity = metrics[mode].activity_MBq if mode in metrics else candidate.activity_MBq
    factor = 1.0
    if setup.case.comparison.scaling == "fixed_molar_activity":
        factor = activity / candidate.activity_MBq
    phases = world.course(candidate, activity, mass_factor=factor)
    dose = course_average(phases)
    course = activity * candidate.cycles
    found = course_survival(phases, activity, candidate.interval_h)
    survival = [_mean_log10_survival(logs, s.clonogens, found.log_growth)
                for logs, s in zip(found.by_section, dose.sections, strict=True)]
    other = [s for s in ALTERNATIVES if s != setup.case.lesion.surroundings]
    runs = world.runs(candidate, factor)
    return CentralCandidate(
        candidate=candidate,
        metrics=metrics,
        alternatives={s: world.evaluate(candidate, surroundings=s) for s in other},
        tolerance=world.tolerance(candidate),
        activity_MBq=activity,
        dose_by_quality=tuple({q: d * course for q, d in s.dose.by_quality.items()} for s in dose.sections),
        log10_survival=tuple(survival),
        tia_MBq_h_per_L=tuple(s.tia_MBq_h_per_L * course for s in dose.sections),
        clonogens=tuple(dict(s.clonogens) for s in dose.sections),
        g_mean=tuple(float(s.g[s.tissue.mask].mean()) for s in dose.sections),
        g_error=max(s.dose.history.g_error for s in dose.sections),
        mean_dose_Gy_per_GBq=dose.mean_dose_Gy_per_MBq * 1e3,
        escaped_fraction=dose.escaped_fraction,
        entered_fraction=dose.entered_fraction,
        photon_energy_fraction=max(s.dose.photon_energy_fraction for s in dose.sections),
        ledgers=tuple(run.solution.ledgers[candidate.radionuclide] for run in runs),
        occupancy_at_end=max(run.solution.max_occupancy_at_end for run in runs),
        dose_after_next_cycle=_dose_after(dose, candidate),
        released=_released(dose, setup.case),
        section_over_body=world.section_over_body(candidate),
        administration_factor=runs[0].administration_factor,
        mode=mode,
        place=target_place(dose, candidate.form.target, survival),
        counted_cycles=found.cycles,
    )


def _released(dose: CandidateDose, case: Case) -> str:
    """What is said of daughters that this lesion hands to the blood."""
    lesion = lesion_MBq_h_per_MBq(dose, case.lesion.diameter * 1e3)
    return released_note(dose.washed_out_per_decay, lesion, f"adult_{case.patient.sex or 'male'}")


def _mean_log10_survival(by_class: Mapping[str, Array], clonogens: Mapping[str, Array], log_growth: float) -> Array:
    """log10 of the clonogen-weighted survival in each voxel, above zero where clonogens grew to more than there were;
    zero where there are no tumour cells."""
    weights = np.stack([clonogens[name] for name in by_class])
    logs = np.stack(list(by_class.values()))
    total = weights.sum(axis=0)
    top = np.where(weights > 0.0, logs, -np.inf).max(axis=0)
    top = np.where(np.isfinite(top), top, 0.0)
    mean = (weights * np.exp(np.minimum(logs - top, 0.0))).sum(axis=0) / np.where(total > 0.0, total, 1.0)
    return np.where(total > 0.0, (top + np.log(np.where(mean > 0.0, mean, 1.0)) + log_growth) / np.log(10.0), 0.0)


def _dose_after(dose: CandidateDose, candidate: ResolvedCandidate) -> float:
    """Share of one cycle's dose that falls after the interval to the next; 0 for a single cycle."""
    if candidate.cycles == 1:
        return 0.0
    shares = []
    for section in dose.sections:
        times, rate = section.dose.history.times_h, section.dose.history.base_per_h
        total = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(times))])
        shares.append(1.0 - float(np.interp(candidate.interval_h, times, total)) / float(total[-1]))
    return max(0.0, *shares)
