"""The fit of the body to measured activity: units and errors, slopes, limits, and what it must find again."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from body_cases import LU177, PHYSIOLOGY, ligand, model, patient
from body_fit_study import PLACES, patient_with_lesion, replicate
from nichedose.body import (
    BodyModel,
    Injection,
    MeasuredActivity,
    Patient,
    Regimen,
    TargetChange,
    Tumour,
    anatomy,
    body_ligand,
    body_model,
    fit,
    small_competitor,
    solve_population,
)
from nichedose.body.misfit import Misfit
from nichedose.body.observation import Observation
from nichedose.body.rate_map import rate_map
from nichedose.body.score_draw import ScoreDraw
from nichedose.errors import BadInput
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.values import Draw, Value

BOLUS = Regimen((Injection(57.0, 7400.0),))
KIDNEY, SITES = "kidney target", "lesion sites"
PRIORS = {KIDNEY: Value(median=16.0, geometric_sd=1.5, evidence="assumed"),
          SITES: Value(low=10.0, high=120.0, evidence="assumed"),
          "fixed": Value(value=0.026, evidence="assumed")}
TIMES = (4.0, 24.0, 96.0)
TRUE = {KIDNEY: 0.8, SITES: -0.5}


def build(draw: Draw) -> BodyModel:
    sites = draw(SITES, PRIORS[SITES])
    who = Patient(weight_kg=80.0, tumours=(Tumour("lesion", 50.0, 0.26, 0.6, sites),))
    base = ligand()
    agent = dataclasses.replace(
        base, target_nmol_per_L={**base.target_nmol_per_L, "kidney": draw(KIDNEY, PRIORS[KIDNEY])},
        tumour_release_per_h=draw("fixed", PRIORS["fixed"]))
    return body_model(who, anatomy(who, PHYSIOLOGY), agent)


def series(place: str, times=TIMES, *, noise: float = 0.0, scores=TRUE, unit: str = "MBq", corrected: bool = False,
           sd: float = 0.1, seed: int = 1) -> MeasuredActivity:
    """Activity as the true body has it, with noise."""
    [run] = solve_population([build(ScoreDraw(scores=scores))], BOLUS, decay_per_h={"l": LU177}, times_h=times,
                             end_h=max(times) + 1.0)
    blank = MeasuredActivity(place, times, (1.0,) * len(times), unit=unit, decay_corrected=corrected)
    values = blank.in_model(run, "l") / blank.as_measured(BOLUS, LU177)
    values = values * np.exp(noise * np.random.default_rng(seed).standard_normal(len(times)))
    return dataclasses.replace(blank, values=tuple(float(v) for v in values), relative_sd=sd)


def misfit(*measured: MeasuredActivity, names: tuple[str, ...], model_sd: float) -> Misfit:
    observation = Observation(build, measured, BOLUS, LU177)
    return Misfit((observation,), (rate_map(build),), names, model_sd)


def fitted(*measured: MeasuredActivity, **changes):
    return fit(build, measured, regimen=BOLUS, decay_per_h=LU177, **{"model_sd": 0.0, **changes})


# ---- what it must find


def test_exact_data_give_the_truth_back() -> None:
    found = fitted(series("kidney", sd=0.001), series("lesion", sd=0.001))
    assert dict(zip(found.parameters, found.scores, strict=True)) == pytest.approx(TRUE, abs=5e-3)
    assert found.value(KIDNEY) == pytest.approx(16.0 * 1.5**0.8, rel=2e-3)
    assert found.narrowing(KIDNEY) < 0.02
    assert np.abs(found.residuals).max() < 0.05


def test_the_mode_and_its_covariance_are_those_of_a_scan() -> None:
    """One parameter: normalised exp(log posterior) on a grid of scores, against mode and Laplace width."""
    measured = (series("kidney", (24.0,), noise=0.1),)
    found = fitted(*measured, parameters=[KIDNEY])
    scores = np.linspace(-3.0, 3.0, 601)
    log_density = -0.5 * (found.problem.many(scores[:, None]) ** 2).sum(axis=1)
    weight = np.exp(log_density - log_density.max())
    mean = float((weight * scores).sum() / weight.sum())
    width = math.sqrt(float((weight * (scores - mean) ** 2).sum() / weight.sum()))
    assert found.scores[0] == pytest.approx(scores[log_density.argmax()], abs=0.01)  # the grid's own step
    assert found.scores[0] == pytest.approx(mean, abs=0.05 * width)
    assert math.sqrt(found.covariance[0, 0]) == pytest.approx(width, rel=0.05)
    assert found.effective_share > 0.95


COURSES = {
    "at once": BOLUS,
    "infused, amino acids, target falls": Regimen(
        (Injection(57.0, 7400.0, duration_h=0.25),), amino_acids_h=((0.0, 4.0),),
        target_changes=(TargetChange(48.0, 0.7),)),
    "cold before": Regimen((Injection(100.0), Injection(57.0, 7400.0, 1.0))),
    "split, cold before, amino acids, target falls": Regimen(
        (Injection(100.0), Injection(28.0, 3700.0, 1.0, 0.25), Injection(28.0, 3700.0, 25.0, 0.25)),
        amino_acids_h=((0.5, 4.5),), target_changes=(TargetChange(48.0, 0.7),)),
}


def central(problem: Misfit, at: np.ndarray) -> np.ndarray:
    """Slopes by central differences, extrapolated (Richardson)."""
    def differences(h: float) -> np.ndarray:
        steps = h * np.eye(at.size)
        return (problem.many(at + steps) - problem.many(at - steps)).T / (2.0 * h)

    return (4.0 * differences(0.01) - differences(0.02)) / 3.0


@pytest.mark.parametrize("course", COURSES)
def test_slopes_of_all_parameters_are_those_of_central_differences(course: str) -> None:
    """The adjoint to 1e-7, what the extrapolation leaves; forward differences of 1e-4 leave 1e-4 of the curvature."""
    places = (("kidney", "MBq"), ("lesion", "kBq/mL"), ("blood", "MBq/L"), ("plasma", "MBq/L"))
    measured = tuple(MeasuredActivity(p, TIMES, (3.0, 2.0, 1.0), unit=u, decay_corrected=False) for p, u in places)
    rates = rate_map(patient_with_lesion)
    problem = Misfit((Observation(patient_with_lesion, measured, COURSES[course], LU177),), (rates,), rates.names, 0.1)
    at = 0.7 * np.random.default_rng(0).standard_normal(len(rates.names))
    misfit, slope = problem.with_slope(at)
    expected = central(problem, at)
    largest = np.abs(expected).max()
    assert misfit == pytest.approx(problem.one(at), abs=1e-10)
    assert slope == pytest.approx(expected, abs=1e-7 * largest)
    assert problem.with_differences(at)[1] == pytest.approx(expected, abs=2e-4 * largest)


def test_slopes_beside_a_competitor_are_exact_for_one_injection_and_by_differences_for_several() -> None:
    def rivalled(draw: Draw) -> BodyModel:
        who, form = patient(), load_library().forms["PSMA-617"]
        own = body_ligand(form, load_bodies().of_form(form.name), PHYSIOLOGY.antibody, draw)
        rival = small_competitor("2-PMPA", load_bodies().competitors["2-PMPA"], own, draw)
        return body_model(who, anatomy(who, PHYSIOLOGY, draw), own, rival)

    rates = rate_map(rivalled)
    at = 0.7 * np.random.default_rng(0).standard_normal(len(rates.names))
    measured = (MeasuredActivity("kidney", TIMES, (3.0, 2.0, 1.0), unit="MBq", decay_corrected=False),)
    for labelled, tolerance in (((Injection(57.0, 7400.0, 1.0),), 1e-7),
                                ((Injection(28.0, 3700.0, 1.0), Injection(28.0, 3700.0, 9.0)), 2e-4)):
        course = Regimen((Injection(500.0, species="competitor"), *labelled))
        problem = Misfit((Observation(rivalled, measured, course, LU177),), (rates,), rates.names, 0.1)
        expected = central(problem, at)
        assert problem.with_slope(at)[1] == pytest.approx(expected, abs=tolerance * np.abs(expected).max())


def test_slopes_of_a_part_of_the_parameters_are_in_their_order() -> None:
    problem = misfit(series("kidney"), series("lesion"), names=(SITES, KIDNEY), model_sd=0.1)
    at = np.array([-0.2, 0.3])
    assert problem.slope(at) == pytest.approx(central(problem, at), abs=1e-7 * np.abs(problem.slope(at)).max())


def test_data_without_weight_leave_the_prior() -> None:
    found = fitted(series("lesion", (96.0,), sd=1.0), model_sd=1.0, parameters=[KIDNEY])
    assert found.scores[0] == pytest.approx(0.0, abs=0.1)
    assert found.narrowing(KIDNEY) == pytest.approx(1.0, abs=0.02)
    low, high = found.interval(KIDNEY)
    assert (low, high) == pytest.approx((16.0 / 1.5**1.645, 16.0 * 1.5**1.645), rel=0.08)


def test_more_points_narrow_and_one_point_is_allowed() -> None:
    widths = []
    for times in (TIMES, TIMES[1:], TIMES[2:]):
        p = fitted(series("kidney", times)).predict(["kidney"], draws=64)["kidney"]
        widths.append(p.high_MBq_h - p.low_MBq_h)
    assert widths[0] < widths[1] < widths[2]


def test_a_shared_error_does_not_average_out() -> None:
    """n points with own error s and shared error c: the variance of the whole series is s^2/n + c^2."""
    def information(own: float, shared: float) -> float:
        one = dataclasses.replace(series("kidney"), relative_sd=own, calibration_sd=shared)
        problem = misfit(one, names=(KIDNEY,), model_sd=0.0)
        return float(np.sum(np.linalg.solve(problem.root, np.ones(3)) ** 2))

    assert 1.0 / information(0.1, 0.2) == pytest.approx(math.log1p(0.01) / 3.0 + math.log1p(0.04), rel=1e-12)
    assert 1.0 / information(0.1, 0.0) == pytest.approx(math.log1p(0.01) / 3.0, rel=1e-12)


def test_the_order_of_series_does_not_matter() -> None:
    a, b = series("kidney", noise=0.1), series("lesion", noise=0.1, seed=2)
    assert fitted(a, b).scores == pytest.approx(fitted(b, a).scores, abs=1e-4)


@pytest.mark.parametrize(("unit", "corrected"), [("kBq", True), ("%IA", True), ("%IA", False), ("kBq/mL", False)])
def test_units_and_decay_correction_say_the_same(unit: str, corrected: bool) -> None:
    plain, other = fitted(series("kidney")), fitted(series("kidney", unit=unit, corrected=corrected))
    assert other.scores == pytest.approx(plain.scores, abs=1e-4)


def test_per_cent_and_correction_by_hand() -> None:
    one = MeasuredActivity("kidney", (24.0,), (2.0,), unit="%IA", decay_corrected=True)
    assert one.as_measured(BOLUS, LU177) == pytest.approx([148.0 * math.exp(-24.0 * LU177)])
    litre = MeasuredActivity("plasma", (24.0,), (500.0,), unit="kBq/L", decay_corrected=False)
    assert litre.as_measured(BOLUS, LU177) == pytest.approx([5e-4])


def test_blood_becomes_plasma_by_haematocrit() -> None:
    body = model()
    [run] = solve_population([body], BOLUS, decay_per_h={"l": LU177}, times_h=(2.0,), end_h=3.0)
    blood, plasma = (float(MeasuredActivity(p, (2.0,), (1.0,), unit="MBq/mL", decay_corrected=False)
                           .in_model(run, "l")[0]) for p in ("blood", "plasma"))
    h, ratio = body.haematocrit, body.blood_cell_ratio
    assert blood / plasma == pytest.approx(1.0 - h + h * ratio, rel=1e-12)
    assert plasma == pytest.approx(
        float(run.plasma_nmol_per_L(free=False)[np.searchsorted(run.times_h, 2.0)]) * 1e-3 * 7400.0 / 57.0
        * math.exp(-2.0 * LU177), rel=1e-12)


def test_a_therapy_is_predicted_from_a_diagnostic_injection() -> None:
    """Same ligand: activity scales. Another ligand: what is not shared is drawn from its prior, so it is wider."""
    found = fitted(series("kidney"), series("lesion"))
    same = found.predict(["kidney"], draws=64)["kidney"]
    double = found.predict(["kidney"], regimen=Regimen((Injection(57.0, 14800.0),)), draws=64)["kidney"]
    assert double.most_probable_MBq_h == pytest.approx(2.0 * same.most_probable_MBq_h, rel=1e-12)

    def other(draw: Draw) -> BodyModel:
        body = build(draw)
        faster = draw("other ligand's release", Value(median=1.0, geometric_sd=2.0, evidence="assumed"))
        key = "kidney internalised > released label"
        return dataclasses.replace(body, rates={**body.rates, key: body.rates[key] * faster})

    wider = found.predict(["kidney"], build=other, draws=64)["kidney"]
    assert wider.most_probable_MBq_h == pytest.approx(same.most_probable_MBq_h, rel=1e-12)
    assert wider.high_MBq_h - wider.low_MBq_h > 1.5 * (same.high_MBq_h - same.low_MBq_h)


def test_recovery_of_all_parameters_in_a_few_replicates() -> None:
    """Small version of benchmarks/body_fit.py: 8 runs, 3 places. Fewer than 15 of 24 at a true 90 % has p < 1e-4."""
    rng = np.random.default_rng(5)
    rows = [replicate(rng, 2, 0.0) for _ in range(8)]
    assert sum(row[p][0] for row in rows for p in PLACES) >= 15
    assert max(abs(row[p][2]) for row in rows for p in PLACES) < 0.6


# ---- what it refuses


GOOD = {"place": "kidney", "times_h": (24.0,), "values": (3.0,), "unit": "%IA", "decay_corrected": True}


@pytest.mark.parametrize(("changes", "message"), [
    ({"unit": "mCi"}, "the unit must be one of MBq.*got 'mCi'"),
    ({"unit": "%ID/g"}, "the unit must be one of"),
    ({"decay_corrected": "yes"}, "decay_corrected must be true"),
    ({"values": (1.0, 2.0)}, "equally long.*got 1 and 2"),
    ({"values": (), "times_h": ()}, "at least one point"),
    ({"values": (math.nan,)}, "finite and above 0; got nan"),
    ({"values": (0.0,)}, "Leave out points below the limit of detection"),
    ({"times_h": (math.inf,)}, "times must be above 0 h; got inf"),
    ({"times_h": (-1.0,)}, "times must be above 0 h"),
    ({"relative_sd": 10.0}, "0.1 is 10 %"),
    ({"relative_sd": 0.0}, "relative_sd"),
    ({"calibration_sd": 5.0}, "calibration_sd"),
    ({"place": "blood"}, "give it per volume"),
    ({"place": "plasma", "unit": "kBq"}, "give it per volume, as kBq/mL"),
])
def test_bad_series(changes: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        MeasuredActivity(**{**GOOD, **changes})


@pytest.mark.parametrize(("changes", "message"), [
    ({"place": "kidny"}, "No place 'kidny'.*Did you mean 'kidney'"),
    ({"values": (300.0,)}, "only .* MBq of what was injected is left.*Check the unit"),
    ({"values": (7000.0,), "unit": "MBq", "times_h": (168.0,), "decay_corrected": False}, "decay_corrected .now false"),
    ({"place": "plasma", "unit": "MBq/mL", "values": (30.0,)}, "'plasma' at 24 h"),
])
def test_data_that_cannot_be(changes: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        fitted(MeasuredActivity(**{**GOOD, **changes}))


def test_references_that_are_missing() -> None:
    twice = Regimen((Injection(57.0, 3700.0), Injection(57.0, 3700.0, 24.0)))
    cold = Regimen((Injection(57.0),))
    late = Regimen((Injection(57.0, 7400.0, 48.0),))
    for regimen, message in ((twice, "2 injections carry activity"), (cold, "injects no activity"),
                             (late, "not after the start of the injection")):
        with pytest.raises(BadInput, match=message):
            fit(build, [MeasuredActivity(**GOOD)], regimen=regimen, decay_per_h=LU177)


@pytest.mark.parametrize(("changes", "message"), [
    ({"parameters": ["kidney targt"]}, "no parameter 'kidney targt'.*Did you mean 'kidney target'"),
    ({"parameters": ["fixed"]}, "fixed value in the library"),
    ({"parameters": []}, "parameters is empty"),
    ({"parameters": [KIDNEY, KIDNEY]}, "one of them twice"),
    ({"model_sd": 10.0}, "model_sd"),
    ({"decay_per_h": math.nan}, "decay_per_h"),
])
def test_bad_requests(changes: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        fit(build, [MeasuredActivity(**GOOD)], **{"regimen": BOLUS, "decay_per_h": LU177, **changes})
    with pytest.raises(BadInput, match="at least one measured point"):
        fit(build, [], regimen=BOLUS, decay_per_h=LU177)


def test_bad_questions_to_a_fit() -> None:
    found = fitted(series("kidney"), parameters=[KIDNEY])
    for ask, message in (
        (lambda: found.value(SITES), "was not fitted"),
        (lambda: found.interval(KIDNEY, 90.0), "level must lie"),
        (lambda: found.predict(["liverr"], draws=2), "Did you mean 'liver'"),
        (lambda: found.predict(["liver"], draws=1), "at least 2 draws"),
        (lambda: found.predict(["liver"], decay_per_h=0.0), "Give end_h"),
    ):
        with pytest.raises(BadInput, match=message):
            ask()
