"""One world: one joint draw of everything uncertain, in which all candidates are tried."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nichedose.case import Mode, Surroundings
from nichedose.decide import Tolerance, activity_for_mode, max_tolerated_activity, solve_activity
from nichedose.errors import NotComputed
from nichedose.study.evaluate import (
    CandidateDose,
    Metrics,
    combine,
    effect_parameters,
    evaluate_at,
    section_dose_of,
    section_geometry,
)
from nichedose.study.kinetics import FormRun, solve_form
from nichedose.study.setup import ResolvedCandidate, Setup
from nichedose.tissue import TissueMap, build_tissue_map
from nichedose.values import Draw

__all__ = ["World", "tissue_maps"]


def tissue_maps(setup: Setup, draw: Draw, spacing_um: float) -> tuple[TissueMap, ...]:
    """The sections as fields on a grid, in this draw."""
    return tuple(
        build_tissue_map(
            section,
            setup.library.tissue,
            setup.library.targets,
            spacing_um=spacing_um,
            anchors_nmol_per_L=setup.case.anchors,
            draw=draw,
        )
        for section in setup.sections
    )


@dataclass(frozen=True)
class _Key:
    form: str
    mass_factor: float


class World:
    """Tissue of one draw, with the transport solutions that its candidates share (a cache, no other state).

    ``pairs`` bounds the dose-rate history's rank; draws need less than the central run.
    """

    def __init__(self, setup: Setup, draw: Draw, maps: tuple[TissueMap, ...], *, pairs: int | None) -> None:
        self.setup, self.draw, self.maps, self.pairs = setup, draw, maps, pairs
        self.effect = effect_parameters(setup.radiobiology, draw)
        self._runs: dict[_Key, tuple[FormRun, ...]] = {}

    def runs(self, candidate: ResolvedCandidate, mass_factor: float = 1.0) -> tuple[FormRun, ...]:
        """Transport of the candidate's form in every section, for all radionuclides that this case puts on it."""
        key = _Key(candidate.form.name, mass_factor)
        if key not in self._runs:
            nuclides = {c.radionuclide for c in self.setup.evaluable if c.form.name == key.form}
            self._runs[key] = tuple(
                solve_form(
                    tissue,
                    candidate.form,
                    tuple(sorted(nuclides)),
                    self.setup.library.tissue,
                    weight_kg=self.setup.case.patient.weight_kg,
                    mass_factor=mass_factor,
                    draw=self.draw,
                )
                for tissue in self.maps
            )
        return self._runs[key]

    def dose(
        self, candidate: ResolvedCandidate, *, mass_factor: float = 1.0, surroundings: Surroundings | None = None
    ) -> CandidateDose:
        """Dose of the candidate per MBq injected."""
        geometry = section_geometry(self.setup.case.lesion, surroundings)
        return combine([
            section_dose_of(
                tissue,
                run,
                candidate,
                self.setup.library.targets[candidate.form.target],
                self.setup.library.tissue,
                geometry,
                self.effect.repair_rate_per_h,
                self.draw,
                self.pairs,
                self.setup.case.daughters,
            )
            for tissue, run in zip(self.maps, self.runs(candidate, mass_factor), strict=True)
        ])

    def tolerance(self, candidate: ResolvedCandidate) -> Tolerance:
        """The activity that the organ limits leave in this draw; organ doses per activity fall with body weight."""
        found = max_tolerated_activity(
            candidate.form,
            candidate.radionuclide,
            self.setup.library.limits,
            candidate.cycles,
            self.setup.prior_doses,
            self.draw,
            emits_alpha=candidate.emits_alpha,
        )
        if found.activity_MBq is None:
            return found
        return dataclasses.replace(found, activity_MBq=found.activity_MBq * self.setup.weight_ratio)

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

        outcome: dict[Mode, Metrics] = {}
        for mode in comparison.modes:
            try:
                activity = self._activity(mode, candidate, tolerance, dose_at)
            except NotComputed:
                continue
            outcome[mode] = evaluate_at(dose_at(activity), self.effect, activity, candidate.cycles, clonogens)
        return outcome

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
