"""Organ doses and tolerated activity of one candidate in the fitted body, with what the fit leaves open."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.body import BodyModel, BodySolution, PredictedActivity, Regimen, solve
from nichedose.case import Case
from nichedose.decide import PriorDoses, Tolerance, max_tolerated_activity
from nichedose.fields.grid import Array
from nichedose.library.schema import DoseCoefficient, LabelledForm, OrganLimit
from nichedose.nuclide import half_life_h
from nichedose.study.administration import once, regimen_of, target_changes
from nichedose.study.organ_doses import organ_doses_of_draws, weighted_Gy
from nichedose.study.organ_repair import half_lives_of_curves
from nichedose.study.patient_fit import LESION, PatientFit
from nichedose.study.setup import ResolvedCandidate
from nichedose.study.whole_body import (
    ALL_LESIONS,
    HALF_LIVES_FOLLOWED,
    TOLERANCE,
    form_in_patient,
    organ_ratios,
    self_dose_Gy_per_MBq_h,
)
from nichedose.values import Draw, Value

__all__ = ["DRAWS", "LEVEL", "FittedCandidate", "fitted_candidate", "tolerated_interval_MBq"]

DRAWS, LEVEL = 256, 0.9
SEED = 1
FITTED = "this patient's measurements"


@dataclass(frozen=True)
class FittedCandidate:
    """A candidate in the fitted body: the most probable run, time-integrated activities, and the form's organ doses.

    ``form`` holds, for organs in which the form itself was measured, their dose by the model as a distribution over the
    posterior; for the others the published one times what the fitted model makes of it (``ratios``). ``half_lives_h``
    of organs with a BED limit.
    ``Gy_per_GBq`` (draws,) of the measured ones.
    """

    run: BodySolution
    activity: Mapping[str, PredictedActivity]
    form: LabelledForm
    ratios: Mapping[str, float]
    half_lives_h: Mapping[str, Value]
    Gy_per_GBq: Mapping[str, Array]
    quantity: Mapping[str, str]


def fitted_candidate(
    fit: PatientFit, case: Case, candidate: ResolvedCandidate, limits: Sequence[OrganLimit]
) -> FittedCandidate:
    """Carry ``candidate`` through the fitted body."""
    nmol, how = candidate.form.injected_nmol.central, candidate.administration
    regimen = regimen_of(candidate.form, how, activity_MBq=candidate.activity_MBq, ligand_nmol=candidate.ligand_nmol,
                         number=candidate.cycles, interval_h=candidate.interval_h)
    build = fit.build_of(candidate.form, how)
    run = _run(build(fit.most_probable), regimen, candidate.radionuclide)
    before = _run(build(Draw()), regimen, candidate.radionuclide)
    activity = _activity(fit, candidate, run)
    published = organ_ratios(candidate.form, case.patient, candidate.radionuclide, nmol, how)
    ratios = {o: r * _per_mL(run, o, candidate) / _per_mL(before, o, candidate) for o, r in published.items()}
    measured = [p for p in fit.measured_in(candidate.form) if p in run.model.volume_L]
    course_GBq = candidate.activity_MBq * candidate.cycles * 1e-3
    quantity = {o: _quantity(o, candidate) for o in measured}
    doses = _doses_Gy(run, activity, candidate.radionuclide, f"adult_{case.patient.sex or 'male'}", quantity)
    per_GBq = {o: d / course_GBq for o, d in doses.items()}
    one = _run(run.model, regimen_of(candidate.form, once(how), activity_MBq=1.0, ligand_nmol=candidate.ligand_nmol,
                                     number=1, interval_h=1.0), candidate.radionuclide)
    half_lives = half_lives_of_curves(
        {o: (one.times_h, one.activity_MBq(o, candidate.radionuclide)) for o in ratios}, limits)
    form = _form(candidate, ratios, half_lives, per_GBq, quantity)
    return FittedCandidate(run, activity, form, ratios, half_lives, per_GBq, quantity)


def _activity(fit: PatientFit, candidate: ResolvedCandidate, run: BodySolution) -> dict[str, PredictedActivity]:
    """Of the course. Where the target stays, one administration stands for all: weeks apart, they do not meet."""
    how = candidate.administration
    number = candidate.cycles if target_changes(candidate.form, how, candidate.cycles) else 1
    regimen = regimen_of(
        candidate.form, how, activity_MBq=candidate.activity_MBq * candidate.cycles / number,
        ligand_nmol=candidate.ligand_nmol, number=number, interval_h=candidate.interval_h)
    return fit.found.predict(
        [o for o in run.organs if o not in ("urine", "faeces")], regimen=regimen,
        decay_per_h=run.decay_per_h[candidate.radionuclide], build=fit.build_of(candidate.form, how), draws=DRAWS,
        seed=SEED, level=LEVEL)


def tolerated_interval_MBq(
    fitted: FittedCandidate, candidate: ResolvedCandidate, limits: Sequence[OrganLimit], prior: PriorDoses
) -> tuple[float, float] | None:
    """Interval of the tolerated activity over the posterior and all that limits and other organs leave open."""
    found = []
    for k in range(DRAWS):
        own = {o: np.asarray(d[k : k + 1]) for o, d in fitted.Gy_per_GBq.items()}
        form = _form(candidate, fitted.ratios, fitted.half_lives_h, own, fitted.quantity)
        found.append(_tolerance(form, candidate, limits, prior, Draw(SEED, k)).activity_MBq)
    known = [a for a in found if a is not None]
    if len(known) < DRAWS:
        return None
    tail = 0.5 - 0.5 * LEVEL
    low, high = np.quantile(np.array(known), np.array([tail, 1.0 - tail]), method="weibull")
    return float(low), float(high)


def _tolerance(
    form: LabelledForm, candidate: ResolvedCandidate, limits: Sequence[OrganLimit], prior: PriorDoses, draw: Draw
) -> Tolerance:
    return max_tolerated_activity(form, candidate.radionuclide, limits, candidate.cycles, prior, draw,
                                  emits_alpha=candidate.emits_alpha)


def _run(model: BodyModel, regimen: Regimen, radionuclide: str) -> BodySolution:
    half_life = half_life_h(radionuclide)
    last = max(i.start_h + i.duration_h for i in regimen.injections)
    return solve(model, regimen, decay_per_h={radionuclide: math.log(2.0) / half_life},
                 end_h=last + HALF_LIVES_FOLLOWED * half_life, tolerance=TOLERANCE)


def _per_mL(run: BodySolution, organ: str, candidate: ResolvedCandidate) -> float:
    return run.time_integrated_activity_MBq_h(organ, candidate.radionuclide) / run.model.volume_L[organ]


def _quantity(organ: str, candidate: ResolvedCandidate) -> str:
    """As the published dose of this organ is stated; else as limits of this kind of radiation are."""
    stated = [c.quantity for c in candidate.form.dose_coefficients
              if (c.organ, c.radionuclide) == (organ, candidate.radionuclide)]
    return stated[0] if stated else "weighted_rbe5" if candidate.emits_alpha else "absorbed_dose"


def _doses_Gy(
    run: BodySolution, activity: Mapping[str, PredictedActivity], radionuclide: str, phantom: str,
    quantity: Mapping[str, str],
) -> dict[str, Array]:
    """(draws,) dose of the course to each organ of ``quantity``, in it."""
    draws = [{o: float(p.draws_MBq_h[k]) for o, p in activity.items()} for k in range(DRAWS)]
    by_quality = organ_doses_of_draws(draws, run.model.volume_L, radionuclide, phantom)
    found = {}
    for organ, kind in quantity.items():
        if organ in by_quality[0]:
            found[organ] = np.array([weighted_Gy(doses[organ], kind) for doses in by_quality])
        elif kind == "absorbed_dose":  # lesions and organs that the phantom lacks: a sphere of water
            per_MBq_h = self_dose_Gy_per_MBq_h(radionuclide, round(run.model.volume_L[organ] * 1e3, 2))
            found[organ] = activity[organ].draws_MBq_h * per_MBq_h
    return found


def _form(
    candidate: ResolvedCandidate, ratios: Mapping[str, float], half_lives_h: Mapping[str, Value],
    per_GBq: Mapping[str, Array], quantity: Mapping[str, str],
) -> LabelledForm:
    """The form with doses of this patient."""
    scaled = form_in_patient(candidate.form, ratios, candidate.radionuclide, half_lives_h)
    kept = tuple(c for c in scaled.dose_coefficients
                 if c.radionuclide != candidate.radionuclide or c.organ not in per_GBq)
    own = tuple(
        DoseCoefficient.model_validate({
            "organ": organ, "radionuclide": candidate.radionuclide, "quantity": quantity[organ],
            "Gy_per_GBq": _distribution(draws), "derived_from": FITTED,
            "effective_half_life_h": half_lives_h.get(organ)})
        for organ, draws in per_GBq.items() if organ not in (LESION, ALL_LESIONS))
    return scaled.model_copy(update={"dose_coefficients": kept + own})


def _distribution(draws: Array) -> Value:
    """Log-normal with the draws' median and spread; a single draw is a fixed value."""
    if draws.size == 1:
        return Value(value=float(draws[0]), evidence="fitted", source="case")
    return Value(median=float(np.median(draws)), geometric_sd=float(np.exp(np.std(np.log(draws)))), evidence="fitted",
                 read="dataset", source="case", note="Fitted to the measured activity of the case.")
