"""What measured activity tells a plan: the body's parameters in every draw, organ doses, and the lesion's uptake."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np

from nichedose.case import Case
from nichedose.io import read_measured_activity
from nichedose.library.schema import LabelledForm
from nichedose.study.administration import target_decline
from nichedose.study.patient_doses import fitted_candidate
from nichedose.study.patient_fit import LESION, MODEL_SD, Measured, PatientFit, fit_case
from nichedose.study.setup import LesionUptake, MeasuredBody, Setup
from nichedose.study.whole_body import has_body

__all__ = ["with_measured_body"]

ROWS = 256


def with_measured_body(setup: Setup, case_path: Path) -> Setup:
    """``setup`` with the body fitted to the case's ``[[measured_activity]]``; itself without any. Raises `BadInput`."""
    case = setup.case
    fit = fit_case(case, setup.library, read_measured_activity(case, case_path))
    if fit is None:
        return setup
    forms: dict[str, LabelledForm] = {}
    falling = set()
    for candidate in setup.candidates:
        if has_body(candidate.form) and fit.tells_of(candidate.form):
            forms[candidate.name] = fitted_candidate(fit, case, candidate, setup.library.limits).form
            if not candidate.administration.target_by_cycle and target_decline(candidate.form, candidate.cycles):
                falling.add(candidate.name)
    body = MeasuredBody(
        names=fit.found.parameters,
        most_probable=fit.found.scores,
        rows=fit.found.draw_scores(ROWS, case.sampling.seed),
        forms=forms,
        falling=frozenset(falling),
        uptake=_uptakes(fit, case),
    )
    return dataclasses.replace(setup, measured=body)


def _uptakes(fit: PatientFit, case: Case) -> dict[str, LesionUptake]:
    """Measured uptake of the section's lesion, by the form that was injected itself."""
    volume_mL = math.pi / 6.0 * case.lesion.diameter**3 * 1e-3
    found: dict[str, LesionUptake] = {}
    for entry in fit.entries:
        if entry.tracer is None and LESION in entry.places and entry.form.name not in found:
            found[entry.form.name] = _uptake(entry, volume_mL)
    return found


def _uptake(entry: Measured, volume_mL: float) -> LesionUptake:
    o = entry.observation
    [series] = [m for m in o.measured if m.place == LESION]
    since = np.array(series.times_h) - entry.lead_h
    amount = series.as_measured(o.regimen, o.decay_per_h) * np.exp(o.decay_per_h * since)
    per_mL = amount if series.per_volume else amount / volume_mL
    whole = sum(i.activity_MBq for i in o.regimen.labelled)
    own = np.hypot(series.point_sd, MODEL_SD)
    sd = math.hypot(float(np.sqrt((own**2).sum())) / own.size, series.calibration_sd)
    return LesionUptake(tuple(since.tolist()), tuple((100.0 * per_mL / whole).tolist()), sd)
