"""Truth from the priors, activity with noise, calibration and model errors: what does the fit find again?

Used by `tests/unit/test_body_fit.py` in small and by `benchmarks/body_fit.py` in full.
"""

from __future__ import annotations

import math

import numpy as np

from nichedose.body import (
    BodyModel,
    Injection,
    MeasuredActivity,
    Patient,
    Regimen,
    Tumour,
    anatomy,
    body_ligand,
    body_model,
    fit,
    solve_population,
)
from nichedose.body.score_draw import ScoreDraw
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.values import Draw

BODIES, FORM = load_bodies(), load_library().forms["PSMA-617"]
KINETICS = BODIES.of_form("PSMA-617")
DECAY_PER_H = math.log(2.0) / 159.5
REGIMEN = Regimen((Injection(57.0, 7400.0),))
TIMES_H = {3: (4.0, 24.0, 96.0), 2: (24.0, 96.0), 1: (96.0,)}
PLACES = ("kidney", "salivary glands", "lesion")
NOISE, COMMON, MODEL = 0.1, 0.05, 0.05  # per point; calibration of a place, all its points; the model, per point
LEVEL = 0.9
DRAWS = 512


def patient_with_lesion(draw: Draw) -> BodyModel:
    """A man of 80 kg with known kidney function and one lesion of 50 mL; the rest as the library knows it."""
    key = "form.PSMA-617.body"
    lesion = Tumour(
        "lesion", 50.0,
        draw(f"{key}.tumour_plasma_flow_mL_per_min_per_mL", KINETICS.tumour_plasma_flow_mL_per_min_per_mL),
        draw(f"{key}.tumour_permeability_mL_per_min_per_mL", KINETICS.tumour_permeability_mL_per_min_per_mL),
        draw("lesion.target_nmol_per_L", KINETICS.reference.tumour_target_nmol_per_L))
    who = Patient(weight_kg=80.0, gfr_mL_per_min=80.0, tumours=(lesion,))
    return body_model(who, anatomy(who, BODIES.physiology, draw),
                      body_ligand(FORM, KINETICS, BODIES.physiology.antibody, draw))


def replicate(rng: np.random.Generator, points: int, shift: float) -> dict[str, tuple[bool, float, float]]:
    """By place: whether the interval holds the truth, its width over the truth, log(most probable/truth)."""
    middle = Draw()
    patient_with_lesion(middle)
    names = [key for key, value in middle.used.items() if not value.is_fixed]
    truth = patient_with_lesion(ScoreDraw(scores={n: shift + rng.standard_normal() for n in names}))
    times = TIMES_H[points]
    [run] = solve_population([truth], REGIMEN, decay_per_h={"177Lu": DECAY_PER_H}, times_h=times,
                             end_h=10.0 * math.log(2.0) / DECAY_PER_H)
    at = np.searchsorted(run.times_h, times)
    measured = []
    for place in PLACES:
        error = COMMON * rng.standard_normal() + np.hypot(NOISE, MODEL) * rng.standard_normal(points)
        seen = run.activity_MBq(place, "177Lu")[at] * np.exp(error)
        measured.append(MeasuredActivity(place, times, tuple(float(v) for v in seen), unit="MBq",
                                         decay_corrected=False, relative_sd=NOISE,
                                         calibration_sd=COMMON))
    found = fit(patient_with_lesion, measured, regimen=REGIMEN, decay_per_h=DECAY_PER_H,
                model_sd=MODEL)
    predicted = found.predict(PLACES, draws=DRAWS, level=LEVEL)
    result = {}
    for place, p in predicted.items():
        true = run.time_integrated_activity_MBq_h(place, "177Lu")
        result[place] = (p.low_MBq_h <= true <= p.high_MBq_h, (p.high_MBq_h - p.low_MBq_h) / true,
                         math.log(p.most_probable_MBq_h / true))
    return result
