"""What `nichedose body` says of a case: curves, organ doses of this patient, and the activity that the organs allow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nichedose.body import BodySolution, MeasuredActivity
from nichedose.case import Administration, Case
from nichedose.decide import Tolerance, max_tolerated_activity
from nichedose.errors import BadInput
from nichedose.findings import Cell, FindingChart, Findings, FindingTable, Part
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.study.measured_findings import (
    ParameterRow,
    PointRow,
    measured_numbers,
    measured_part,
    parameter_rows,
    point_rows,
)
from nichedose.study.off_tumour import OffTumour, off_tumour
from nichedose.study.organ_doses import body_organ_doses_Gy
from nichedose.study.patient_doses import FittedCandidate, fitted_candidate, tolerated_interval_MBq
from nichedose.study.patient_fit import PatientFit, fit_case
from nichedose.study.setup import ResolvedCandidate, Setup, resolve
from nichedose.study.whole_body import (
    ALL_LESIONS,
    case_patient,
    form_in_patient,
    has_body,
    organ_ratios,
    regimen_of,
    self_dose_Gy_per_MBq_h,
    simulate_form,
)
from nichedose.study.words import activity_text
from nichedose.values import Draw, ValueUse

__all__ = ["BodyReport", "OrganRow", "body_report"]

Progress = Callable[[str, int, int], None]
CHART_ORGANS = ("plasma", "kidney", "salivary glands", "liver", "spleen", "marrow", ALL_LESIONS)
CHART_TIMES_H = tuple(float(t) for t in np.geomspace(0.1, 400.0, 61))


@dataclass(frozen=True)
class OrganRow:
    """One organ of one candidate. ``Gy_per_GBq`` is the number to use: ``origin`` says whether it is the published
    coefficient scaled to this patient by ``ratio``, the model's own dose, or that of the model fitted to measurements
    in this organ; then with its 90 % interval."""

    candidate: str
    organ: str
    volume_mL: float
    residence_h: float
    model_Gy_per_GBq: float
    published_Gy_per_GBq: float | None
    ratio: float
    Gy_per_GBq: float
    course_Gy: float
    quantity: str
    origin: str
    low_Gy_per_GBq: float | None = None
    high_Gy_per_GBq: float | None = None


@dataclass(frozen=True)
class BodyReport:
    """Findings for people, and tidy rows for programs: organs, curves (candidate, place, time, activity), and where
    activity was measured its points and the fitted parameters."""

    findings: Findings
    organs: tuple[OrganRow, ...]
    curves: tuple[tuple[str, str, float, float], ...]
    points: tuple[PointRow, ...] = ()
    parameters: tuple[ParameterRow, ...] = ()


def body_report(
    case: Case, measured: Sequence[tuple[MeasuredActivity, ...]] = (), *, progress: Progress = lambda *_: None
) -> BodyReport:
    """Whole-body kinetics of every candidate of ``case`` whose form has a whole-body set.

    At the medians; where ``measured`` (the series of each ``[[measured_activity]]``) tell of the form, in the body
    fitted to them. Raises `BadInput` where no candidate has a set. The section is not read.
    """
    library = load_library()
    setup = resolve(case, library, ())
    known = [c for c in setup.candidates if has_body(c.form)]
    absent = [c for c in setup.candidates if not has_body(c.form)]
    if not known:
        sets = ", ".join(load_bodies().kinetics)
        raise BadInput(f"No candidate's labelled form has a whole-body set. Sets: {sets}.")
    given = {c.name: g.administration for c, g in zip(setup.candidates, case.candidates, strict=True)}
    fit = fit_case(case, setup.library, measured)
    draw = Draw()
    rows: list[OrganRow] = []
    curves: list[tuple[str, str, float, float]] = []
    parts: list[Part] = []
    answers: list[str] = []
    numbers: dict[str, Any] = {}
    for done, candidate in enumerate(known):
        progress("kinetics", done, len(known))
        if fit is not None and fit.tells_of(candidate.form):
            own = _fitted(fit, case, setup, candidate, given[candidate.name])
            rows += own.rows
            curves += _curves(candidate, own.run)
            answers.append(own.answer)
            parts.append(own.part)
            numbers[candidate.name] = own.numbers
            continue
        run = _run(case, candidate, given[candidate.name], draw)
        ratios = organ_ratios(candidate.form, case.patient, candidate.radionuclide, _nmol(candidate))
        mine = _organ_rows(candidate, run, ratios, f"adult_{case.patient.sex or 'male'}")
        tolerance = max_tolerated_activity(
            form_in_patient(candidate.form, ratios, candidate.radionuclide), candidate.radionuclide, library.limits,
            candidate.cycles, setup.prior_doses, draw, emits_alpha=candidate.emits_alpha)
        rows += mine
        curves += _curves(candidate, run)
        warned = off_tumour(candidate, case.patient, library.limits)
        answers.append(_answer(candidate, tolerance))
        parts.append(_part(candidate, run, mine, tolerance, warned))
        numbers[candidate.name] = _numbers(candidate, run, mine, tolerance, warned)
    progress("kinetics", len(known), len(known))
    used = {**draw.used, **({} if fit is None else dict(zip(fit.found.parameters, fit.found.priors, strict=True)))}
    if absent:
        text = ", ".join(f"{c.name} ({c.form.name})" for c in absent)
        parts.append(Part("Not modelled", (f"No whole-body set for: {text}.",)))
    if fit is not None:
        parts.insert(0, measured_part(fit))
    findings = Findings(
        title=f"{case.title}: whole body",
        answer=" ".join(answers),
        parts=tuple(parts),
        values_used=tuple(ValueUse(key, used[key]) for key in sorted(used)),
        sources={**library.sources, **load_bodies().sources},
        assumptions=ASSUMPTIONS if fit is None else ASSUMPTIONS + FIT_ASSUMPTIONS,
        numbers={"candidates": numbers} if fit is None else {"candidates": numbers, "measured": measured_numbers(fit)},
    )
    if fit is None:
        return BodyReport(findings, tuple(rows), tuple(curves))
    return BodyReport(findings, tuple(rows), tuple(curves), tuple(point_rows(fit)), tuple(parameter_rows(fit.found)))


ASSUMPTIONS = (
    "All lesions but the section's share one target density, flow and permeability.",
    "What this case does not say of the patient is that of the patients in whom organ doses were published.",
    "Published organ doses per activity are the anchor; the model scales them to this patient. Organs without one show "
    "the model's own dose: S values of a stylised adult with the patient's organ masses, all progeny in place; for "
    "lesions, muscle and fat a water sphere of their volume.",
    "Released label is taken to leave by the kidneys like a small chelate.",
)


FIT_ASSUMPTIONS = (
    "Measured activities differ from the model by their own errors, by what a place's points share, and by 10 % that "
    "the model misses at each point (assumed).",
    "Organs in which the agent itself was measured have the fitted model's own dose; other organs their published dose "
    "times what the fit changes.",
    "Warnings of targets outside the tumour are of the body before the fit.",
)


@dataclass(frozen=True)
class _Fitted:
    """What the report says of a candidate in the fitted body."""

    run: BodySolution
    rows: list[OrganRow]
    answer: str
    part: Part
    numbers: dict[str, Any]


def _fitted(
    fit: PatientFit, case: Case, setup: Setup, candidate: ResolvedCandidate, how: Administration
) -> _Fitted:
    own = fitted_candidate(fit, case, candidate, how)
    rows = [_with_interval(r, own, candidate) for r in _organ_rows(
        candidate, own.run, dict(own.ratios), f"adult_{case.patient.sex or 'male'}")]
    tolerance = max_tolerated_activity(
        own.form, candidate.radionuclide, setup.library.limits, candidate.cycles, setup.prior_doses, Draw(),
        emits_alpha=candidate.emits_alpha)
    interval = tolerated_interval_MBq(own, candidate, setup.library.limits, setup.prior_doses)
    answer = _answer(candidate, tolerance)
    if interval is not None and tolerance.activity_MBq is not None:
        answer += f" 90 % interval, by measurements: {activity_text(interval[0])} to {activity_text(interval[1])}."
    warned = off_tumour(candidate, case.patient, setup.library.limits)
    part = _part(candidate, own.run, rows, tolerance, warned)
    activity = FindingTable(
        head=("Place", "Most probable, MBq.h", "Median, MBq.h", "Low, MBq.h", "High, MBq.h"),
        rows=tuple((p.place, p.most_probable_MBq_h, p.median_MBq_h, p.low_MBq_h, p.high_MBq_h)
                   for p in own.activity.values()),
        title="Time-integrated activity of the course", note="90 % intervals.")
    numbers = _numbers(candidate, own.run, rows, tolerance, warned) | {
        "tolerated_activity_interval_MBq": interval,
        "time_integrated_activity_MBq_h": {
            p.place: {"median": p.median_MBq_h, "low": p.low_MBq_h, "high": p.high_MBq_h}
            for p in own.activity.values()},
    }
    return _Fitted(own.run, rows, answer, dataclasses.replace(part, tables=(*part.tables, activity)), numbers)


def _with_interval(row: OrganRow, own: FittedCandidate, candidate: ResolvedCandidate) -> OrganRow:
    """The row with the fitted dose where the agent was measured in this organ."""
    if row.organ not in own.Gy_per_GBq:
        return row
    low, middle, high = np.quantile(own.Gy_per_GBq[row.organ], np.array([0.05, 0.5, 0.95]), method="weibull")
    return dataclasses.replace(
        row, Gy_per_GBq=float(middle), course_Gy=float(middle) * candidate.activity_MBq * candidate.cycles * 1e-3,
        quantity=own.quantity[row.organ], origin="fitted to measurements in it", low_Gy_per_GBq=float(low),
        high_Gy_per_GBq=float(high))


def _nmol(candidate: ResolvedCandidate) -> float:
    return candidate.form.injected_nmol.central


def _run(case: Case, candidate: ResolvedCandidate, how: Administration, draw: Draw) -> BodySolution:
    regimen = regimen_of(candidate.form, how, activity_MBq=candidate.activity_MBq, ligand_nmol=_nmol(candidate),
                         number=candidate.cycles, interval_h=candidate.interval_h)
    patient = case_patient(candidate.form, case.patient, draw)
    return simulate_form(candidate.form, patient, case.patient, regimen, (candidate.radionuclide,), draw)


def _organ_rows(
    candidate: ResolvedCandidate, run: BodySolution, ratios: dict[str, float], phantom: str
) -> list[OrganRow]:
    published = {c.organ: c for c in candidate.form.dose_coefficients if c.radionuclide == candidate.radionuclide}
    course_GBq = candidate.activity_MBq * candidate.cycles * 1e-3
    doses = body_organ_doses_Gy(run, candidate.radionuclide, phantom)
    rows = []
    for organ, volume in run.model.volume_L.items():
        tia = run.time_integrated_activity_MBq_h(organ, candidate.radionuclide)
        residence = tia / (course_GBq * 1e3)
        own = (sum(doses[organ].values()) / course_GBq if organ in doses else
               residence * 1e3 * self_dose_Gy_per_MBq_h(candidate.radionuclide, round(volume * 1e3, 2)))
        coefficient, ratio = published.get(organ), ratios.get(organ, 1.0)
        stated = None if coefficient is None else coefficient.Gy_per_GBq.central
        used = own if stated is None else stated * ratio
        rows.append(OrganRow(
            candidate=candidate.name, organ=organ, volume_mL=volume * 1e3, residence_h=residence, model_Gy_per_GBq=own,
            published_Gy_per_GBq=stated, ratio=ratio, Gy_per_GBq=used, course_Gy=used * course_GBq,
            quantity="absorbed_dose" if coefficient is None else coefficient.quantity,
            origin="model" if stated is None else "published, scaled to this patient"))
    return rows


def _curves(candidate: ResolvedCandidate, run: BodySolution) -> list[tuple[str, str, float, float]]:
    found = []
    for place in run.organs:
        activity = run.activity_MBq(place, candidate.radionuclide)
        found += [(candidate.name, place, float(t), float(a)) for t, a in zip(run.times_h, activity, strict=True)]
    return found


def _answer(candidate: ResolvedCandidate, tolerance: Tolerance) -> str:
    if tolerance.activity_MBq is None:
        return f"{candidate.name}: no tolerated activity can be given ({tolerance.reason})."
    return (f"{candidate.name}: up to {activity_text(tolerance.activity_MBq)} in each of {candidate.cycles} "
            f"administrations, limited by {tolerance.limiting_organ} "
            f"(prescribed {activity_text(candidate.activity_MBq)}).")


def _part(
    candidate: ResolvedCandidate, run: BodySolution, rows: Sequence[OrganRow], tolerance: Tolerance,
    warned: Sequence[OffTumour],
) -> Part:
    """Table of organs, curves of the first administration, what limits, and the target outside the tumour."""
    fitted = any(r.low_Gy_per_GBq is not None for r in rows)
    table = FindingTable(
        head=("Organ", "Volume, mL", "Residence, h", "Model, Gy/GBq", "Published, Gy/GBq", "This patient / reference",
              "Used, Gy/GBq", *(("Low", "High") if fitted else ()), "Course, Gy"),
        rows=tuple((
            r.organ, r.volume_mL, r.residence_h, r.model_Gy_per_GBq,
            "none" if r.published_Gy_per_GBq is None else r.published_Gy_per_GBq, r.ratio, r.Gy_per_GBq,
            *((_or_dash(r.low_Gy_per_GBq), _or_dash(r.high_Gy_per_GBq)) if fitted else ()), r.course_Gy,
        ) for r in rows),
        title="Organs",
        note="Published doses of alpha emitters are weighted by 5; the model's are physical.",
    )
    bounds = FindingTable(
        head=("Organ", "Quantity", "Dose of the course, Gy", "Earlier dose, Gy", "Limit, Gy"),
        rows=tuple((f"{o.organ}{' (limits)' if o.is_limiting else ''}", o.quantity.replace("_", " "), o.dose_Gy,
                    o.prior_Gy, "none" if o.limit_Gy is None else o.limit_Gy) for o in tolerance.organs),
        title="At the tolerated activity",
        note=tolerance.reason,
    )
    given = run.regimen.labelled[0].start_h
    shown = [o for o in CHART_ORGANS if o in run.organs]
    times = np.array(CHART_TIMES_H)
    lines = {
        organ: tuple(float(v) for v in np.interp(given + times, run.times_h,
                                                 run.activity_MBq(organ, candidate.radionuclide)))
        for organ in shown
    }
    chart = FindingChart(
        title="Activity",
        summary=f"Activity in {', '.join(shown)} after the first administration, decay included.",
        x_label="hours after the first administration", y_label="MBq", x=CHART_TIMES_H, lines=lines, log_x=True)
    out = ", ".join(f"{100 * run.excreted_fraction(given + t):.0f} % by {t:g} h" for t in (4.0, 24.0, 72.0))
    text = (f"Excreted (ligand): {out}.",
            f"Largest change against half the steps {run.error_estimate:.0e}; mass balance {run.mass_closure:.0e}, "
            f"activity balance {run.activity_closure(candidate.radionuclide):.0e}.",
            *(organ.text for organ in warned))
    return Part(candidate.name, text, (table, bounds) if tolerance.organs else (table,), (chart,))


def _or_dash(number: float | None) -> Cell:
    return "-" if number is None else number


def _numbers(
    candidate: ResolvedCandidate, run: BodySolution, rows: Sequence[OrganRow], tolerance: Tolerance,
    warned: Sequence[OffTumour],
) -> dict[str, Any]:
    return {
        "tolerated_activity_MBq": tolerance.activity_MBq,
        "limiting_organ": tolerance.limiting_organ,
        "reason": tolerance.reason,
        "prescribed_MBq": candidate.activity_MBq,
        "cycles": candidate.cycles,
        "organs": {r.organ: {k: v for k, v in vars(r).items() if k not in ("candidate", "organ")} for r in rows},
        "off_tumour": [vars(organ) for organ in warned],
        "error_estimate": run.error_estimate,
        "mass_closure": run.mass_closure,
        "activity_closure": run.activity_closure(candidate.radionuclide),
    }
