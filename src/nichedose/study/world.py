"""One world: one joint draw of everything uncertain, in which all candidates are tried."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.body import Tumour
from nichedose.case import Mode, Surroundings
from nichedose.decide import Tolerance, activity_for_mode, max_tolerated_activity, solve_activity
from nichedose.effect import EffectParameters
from nichedose.errors import NotComputed
from nichedose.study.administration import USUAL, once, shifts_kinetics, target_decline
from nichedose.study.answers import cycle_answer
from nichedose.study.cells_within import CellsWithin, candidate_parameters, repair_of, survival_options
from nichedose.study.evaluate import (
    CandidateDose,
    Metrics,
    combine,
    effect_parameters,
    section_dose_of,
    section_geometry,
)
from nichedose.study.kinetics import TRANSPORT_TOLERANCE, FormRun, solve_form
from nichedose.study.one_tumour import lesion_ratio, section_lesion, section_over_body
from nichedose.study.phases import Phase, TissueState, course_metrics, surviving_fraction
from nichedose.study.setup import ResolvedCandidate, Setup
from nichedose.study.whole_body import has_body
from nichedose.tissue import TissueMap
from nichedose.tissue.answer import answer_to_cycle
from nichedose.tissue.build import oxygen_parameters
from nichedose.tissue.partner import ActiveEffect, apply_effects, partner_effects, product
from nichedose.values import Draw, Value

__all__ = ["World"]

MEAN_DOSE_ROUNDS = 3
DRAW_PAIRS = 3  # of the dose-rate history in a draw; the central run decides its own number by error
DRAW_TOLERANCE = 2e-3  # of transport in time: moves log kill by less than 0.1 % in most draws, the coarse grid by more


@dataclass(frozen=True)
class _Key:
    form: str
    mass_factor: float
    state: Hashable
    given: Hashable  # radionuclide and administration, where that differs from the usual one


class World:
    """Tissue of one draw, with the transport solutions that its candidates share (a cache, no other state).

    ``pairs`` bounds the dose-rate history's rank and ``tolerance`` is that of transport in time; draws need less than
    the central run.
    """

    def __init__(self, setup: Setup, draw: Draw, maps: tuple[TissueMap, ...], *, pairs: int | None,
                 tolerance: float = TRANSPORT_TOLERANCE) -> None:
        self.setup, self.draw, self.maps, self.pairs, self.tolerance_in_time = setup, draw, maps, pairs, tolerance
        self.effect = effect_parameters(setup.radiobiology, draw)
        self.options = survival_options(setup.case.effect, setup.library, draw)
        self._runs: dict[_Key, tuple[FormRun, ...]] = {}
        self._states: dict[Hashable, TissueState] = {(): TissueState(maps)}

    @classmethod
    def of_draw(cls, setup: Setup, draw: Draw, maps: tuple[TissueMap, ...]) -> World:
        """As cheap as one draw of many may be."""
        return cls(setup, draw, maps, pairs=DRAW_PAIRS, tolerance=DRAW_TOLERANCE)

    def effects(self, candidate: ResolvedCandidate, cycle: int = 0) -> tuple[ActiveEffect, ...]:
        """What the candidate's partners do when its ``cycle`` (0 is the first) is given."""
        return tuple(
            e for p in candidate.partners
            for e in partner_effects(p.partner, p.lead_h + cycle * candidate.interval_h, self.setup.case.tumour,
                                     self.draw, p.stated))

    def effect_of(self, candidate: ResolvedCandidate, cycle: int = 0) -> EffectParameters:
        """Numbers of the survival model for this candidate: the draw's, with the case's forms and its partners."""
        return candidate_parameters(
            self.effect, self.setup.case.effect, candidate.radionuclide, candidate.emits_alpha,
            self.setup.radiobiology, self.draw, self.effects(candidate, cycle))

    def state(
        self, candidate: ResolvedCandidate, cycle: int = 0, maps: tuple[TissueMap, ...] | None = None
    ) -> TissueState:
        """The tissue that a cycle meets; ``maps`` are what earlier cycles left, the draw's own when absent."""
        effects = self.effects(candidate, cycle)
        if maps is None and effects in self._states:
            return self._states[effects]
        oxygen = oxygen_parameters(self.setup.library.tissue, self.draw)
        changed = tuple(apply_effects(m, effects, oxygen) for m in maps or self.maps)
        state = TissueState(changed, effects if maps is None else None, product(effects, "permeability"))
        if maps is None:
            self._states[effects] = state
        return state

    def runs(
        self, candidate: ResolvedCandidate, mass_factor: float = 1.0, state: TissueState | None = None
    ) -> tuple[FormRun, ...]:
        """Transport of the candidate's form in every section, for all radionuclides that this case puts on it.

        After a bolus; what the candidate's administration makes of it is a factor on the whole lesion.
        """
        state = state or self.state(candidate)
        given = self._given(candidate)
        key = _Key(candidate.form.name, mass_factor, state.key, given)
        if state.key is not None and key in self._runs:
            return self._runs[key]
        baseline = _Key(candidate.form.name, 1.0, (), ())
        nuclides = {c.radionuclide for c in self.setup.evaluable if c.form.name == key.form}
        runs = tuple(
            solve_form(
                tissue,
                candidate.form,
                tuple(sorted(nuclides)),
                self.setup.library.tissue,
                patient=self.setup.case.patient,
                mass_factor=mass_factor,
                draw=self.draw,
                ligand_nmol=candidate.administration.ligand,
                permeability_factor=state.permeability_factor,
                reference_matrix=before.matrix if self.setup.case.tissue.matrix_hindrance else None,
                vessel_gradients=self.setup.case.tissue.vessel_gradients,
                tolerance=self.tolerance_in_time,
            )
            for tissue, before in zip(state.maps, self.maps, strict=True)
        )
        measured = self._uptake_factor(candidate, runs if key == baseline else None)
        way = 1.0 if not shifts_kinetics(candidate.administration) else lesion_ratio(
            candidate.form, self.setup.case.patient, self._lesion(candidate, state), candidate.radionuclide,
            runs[0].injected_nmol, candidate.administration, self.draw)
        runs = tuple(dataclasses.replace(run, uptake_factor=measured, administration_factor=way) for run in runs)
        if state.key is not None:
            self._runs[key] = runs
        return runs

    @staticmethod
    def _given(candidate: ResolvedCandidate) -> Hashable:
        how = once(candidate.administration)
        return () if how == USUAL else (candidate.radionuclide, how)

    def _lesion(self, candidate: ResolvedCandidate, state: TissueState) -> Tumour:
        """This lesion as the whole body sees it."""
        return section_lesion(
            state.maps, candidate.form, self.setup.library.tissue, self.setup.case.lesion, self.draw,
            permeability_factor=state.permeability_factor)

    def section_over_body(self, candidate: ResolvedCandidate) -> float | None:
        """Activity of the sections over that of a well-mixed lesion in the body; None without a whole-body set."""
        if not has_body(candidate.form):
            return None
        state = self.state(candidate)
        return section_over_body(
            state.maps, self.runs(candidate), candidate.form, self.setup.case.patient, self._lesion(candidate, state),
            candidate.radionuclide, self.draw)

    def _uptake_factor(self, candidate: ResolvedCandidate, untreated: tuple[FormRun, ...] | None) -> float:
        """Measured over modelled uptake of the untreated lesion at the prescribed mass; 1 without a measurement.

        ``untreated`` are those runs where they have just been made.
        """
        measured = next((m for m in self.setup.case.measured_uptake if m.form == candidate.form.name), None)
        series = self.setup.measured.uptake.get(candidate.form.name) if self.setup.measured is not None else None
        if measured is None and series is None:
            return 1.0
        if untreated is None:
            usual = dataclasses.replace(candidate, administration=USUAL)
            return self.runs(usual, 1.0, TissueState(self.maps, (), 1.0))[0].uptake_factor
        weights = np.array([m.mask.sum() * m.grid.voxel_area_mm2 for m in self.maps])

        def modelled(time_h: float) -> float:
            pairs = zip(untreated, self.maps, strict=True)
            found = np.array([run.percent_per_mL(time_h, tissue.mask) for run, tissue in pairs])
            return float(weights @ found / weights.sum())

        if measured is None:
            assert series is not None
            ratios = [math.log(p / modelled(t)) for t, p in zip(series.times_h, series.percent_per_mL, strict=True)]
            spread = Value(median=1.0, geometric_sd=math.exp(series.relative_sd), evidence="measured", read="dataset",
                           source="case")
            return math.exp(sum(ratios) / len(ratios)) * self.draw(
                f"measured_activity.{candidate.form.name}.uptake_factor", spread)
        mean = measured.in_percent_per_mL(self.setup.case.patient.weight_kg)
        value = Value(mean=mean, sd=measured.relative_sd * mean, evidence="measured", read="dataset", source="case")
        drawn = self.draw(f"measured_uptake.{candidate.form.name}.percent_per_mL", value)
        return drawn / modelled(measured.time)

    def dose(
        self, candidate: ResolvedCandidate, *, mass_factor: float = 1.0, surroundings: Surroundings | None = None,
        cycle: int = 0, state: TissueState | None = None,
    ) -> CandidateDose:
        """Dose of the candidate per MBq injected, in the tissue that ``cycle`` meets."""
        geometry = section_geometry(self.setup.case.lesion, surroundings)
        state = state or self.state(candidate, cycle)
        sensitivity = product(self.effects(candidate, cycle), "sensitivity")
        oxygen = oxygen_parameters(self.setup.library.tissue, self.draw)
        return combine([
            section_dose_of(
                tissue,
                run,
                candidate,
                self.setup.library.targets[candidate.form.target],
                self.setup.library.tissue,
                geometry,
                repair_of(self.setup.case.effect, self.effect.repair_rate_per_h),
                self.draw,
                self.pairs,
                self.setup.case.daughters,
                CellsWithin.of(tissue, self.options, oxygen, sensitivity),
            )
            for tissue, run in zip(state.maps, self.runs(candidate, mass_factor, state), strict=True)
        ])

    def course(
        self, candidate: ResolvedCandidate, activity_MBq: float, *, mass_factor: float = 1.0,
        surroundings: Surroundings | None = None,
    ) -> tuple[Phase, ...]:
        """The candidate's cycles in phases of equal tissue; with an answer to therapy every cycle is its own."""
        if self.setup.case.effect.answer and candidate.cycles > 1:
            return self._answered(candidate, activity_MBq, mass_factor, surroundings)
        phases: list[Phase] = []
        last: Hashable = None
        for cycle in range(candidate.cycles):
            effects = self.effects(candidate, cycle)
            if phases and effects == last:
                phases[-1] = dataclasses.replace(phases[-1], cycles=phases[-1].cycles + 1)
                continue
            last = effects
            dose = self.dose(candidate, mass_factor=mass_factor, surroundings=surroundings, cycle=cycle)
            phases.append(Phase(dose, self.effect_of(candidate, cycle), 1))
        return tuple(phases)

    def _answered(
        self, candidate: ResolvedCandidate, activity_MBq: float, mass_factor: float, surroundings: Surroundings | None
    ) -> tuple[Phase, ...]:
        phases: list[Phase] = []
        maps = self.maps
        oxygen = oxygen_parameters(self.setup.library.tissue, self.draw)
        for cycle in range(candidate.cycles):
            if phases:
                answer = cycle_answer(self.setup.case.effect.answer, self.setup.library.answer, cycle, self.draw)
                maps = tuple(
                    answer_to_cycle(m, surviving_fraction(phases[-1], i, activity_MBq), answer, oxygen)
                    for i, m in enumerate(maps))
            state = self.state(candidate, cycle, maps if phases else None)
            dose = self.dose(candidate, mass_factor=mass_factor, surroundings=surroundings, cycle=cycle, state=state)
            phases.append(Phase(dose, self.effect_of(candidate, cycle), 1))
        return tuple(phases)

    def tolerance(self, candidate: ResolvedCandidate) -> Tolerance:
        """The activity that the organ limits leave in this draw, organ doses being those of this patient."""
        measured = self.setup.measured
        if measured is not None and candidate.name in measured.falling:
            target_decline(candidate.form, candidate.cycles, self.draw)  # part of those doses: its values are told
        return max_tolerated_activity(
            self.setup.form_in_patient(candidate),
            candidate.radionuclide,
            self.setup.library.limits,
            candidate.cycles,
            self.setup.prior_doses,
            self.draw,
            emits_alpha=candidate.emits_alpha,
        )

    def evaluate(
        self, candidate: ResolvedCandidate, surroundings: Surroundings | None = None
    ) -> Mapping[Mode, Metrics]:
        """The candidate in every comparison mode that can be evaluated."""
        comparison, clonogens = self.setup.case.comparison, self.setup.clonogens_in_lesion
        tolerance = self.tolerance(candidate)
        doses: dict[float, CandidateDose] = {}

        def dose_at(activity_MBq: float) -> CandidateDose:
            factor = 1.0
            if comparison.scaling == "fixed_molar_activity":
                factor = activity_MBq / candidate.activity_MBq
            if factor not in doses:
                doses[factor] = self.dose(candidate, mass_factor=factor, surroundings=surroundings)
            return doses[factor]

        def course_at(activity_MBq: float) -> tuple[Phase, ...]:
            factor = activity_MBq / candidate.activity_MBq if comparison.scaling == "fixed_molar_activity" else 1.0
            if self.one_phase(candidate):
                return (Phase(dose_at(activity_MBq), self.effect_of(candidate), candidate.cycles),)
            return self.course(candidate, activity_MBq, mass_factor=factor, surroundings=surroundings)

        outcome: dict[Mode, Metrics] = {}
        for mode in comparison.modes:
            try:
                activity = self._activity(mode, candidate, tolerance, dose_at)
            except NotComputed:
                continue
            phases = course_at(activity)
            if mode == "equal_mean_dose" and len(phases) > 1:
                for _ in range(MEAN_DOSE_ROUNDS):  # later cycles meet another tissue: bring the course to the dose
                    per_MBq = sum(p.dose.mean_dose_Gy_per_MBq * p.cycles for p in phases)
                    activity = comparison.equal_mean_dose / per_MBq
                    phases = course_at(activity)
            outcome[mode] = course_metrics(phases, activity, candidate.interval_h, clonogens)
        return outcome

    def one_phase(self, candidate: ResolvedCandidate) -> bool:
        """Whether every cycle meets the same tissue and the same partners' effects."""
        if self.setup.case.effect.answer and candidate.cycles > 1:
            return False
        return len({self.effects(candidate, cycle) for cycle in range(candidate.cycles)}) == 1

    def _activity(
        self, mode: Mode, candidate: ResolvedCandidate, tolerance: Tolerance,
        dose_at: Callable[[float], CandidateDose],
    ) -> float:
        """Activity per administration in a mode; with the ligand mass tied to it, equal dose takes a search."""
        comparison = self.setup.case.comparison
        searched = mode == "equal_mean_dose" and comparison.scaling == "fixed_molar_activity"
        if searched:
            return solve_activity(
                comparison.equal_mean_dose,
                lambda a: dose_at(a).mean_dose_Gy_per_MBq * a * candidate.cycles,
                candidate.activity_MBq,
            )
        needs_dose = mode == "equal_mean_dose"
        return activity_for_mode(
            mode,
            cycles=candidate.cycles,
            prescribed_MBq=candidate.activity_MBq,
            equal_activity_MBq=comparison.equal_activity / candidate.cycles,
            equal_mean_dose_Gy=comparison.equal_mean_dose,
            mean_dose_Gy_per_MBq=dose_at(candidate.activity_MBq).mean_dose_Gy_per_MBq if needs_dose else 0.0,
            tolerance=tolerance,
        )
