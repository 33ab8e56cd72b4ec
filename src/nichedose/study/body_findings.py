"""What `nichedose body` says of a case: curves, organ doses of this patient, and the activity that the organs allow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nichedose.body import BodySolution, MeasuredActivity, body_sbml
from nichedose.case import Case
from nichedose.decide import max_tolerated_activity
from nichedose.errors import BadInput, OutOfValidity
from nichedose.findings import Findings, FindingTable, Part
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.study.administration import regimen_of, target_changes
from nichedose.study.body_agreement import body_doubt, disagreements
from nichedose.study.body_part import candidate_answer, candidate_numbers, candidate_part
from nichedose.study.body_rows import CurveRow, OrganRow, curve_rows, organ_rows, with_interval
from nichedose.study.measured_findings import (
    ParameterRow,
    PointRow,
    measured_numbers,
    measured_part,
    parameter_rows,
    point_rows,
)
from nichedose.study.off_tumour import off_tumour
from nichedose.study.patient_doses import fitted_candidate, tolerated_interval_MBq
from nichedose.study.patient_fit import PatientFit, fit_case
from nichedose.study.setup import ResolvedCandidate, Setup, resolve
from nichedose.study.whole_body import (
    case_patient,
    has_body,
    organ_ratios,
    simulate_form,
)
from nichedose.study.words import activity_text
from nichedose.values import Draw, ValueUse

__all__ = ["BodyReport", "body_report"]

_HOW_TO_READ = ("Activities are at the medians of all inputs; a plan shows the median over its draws, which is another "
                "number. Organ limits are conventions: a dose at a limit is not a safe dose.")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BodyReport:
    """Findings for people, and tidy rows for programs: organs, curves (candidate, place, time, activity), and where
    activity was measured its points and the fitted parameters. ``sbml`` by candidate: its body after a bolus."""

    findings: Findings
    organs: tuple[OrganRow, ...]
    curves: tuple[CurveRow, ...]
    points: tuple[PointRow, ...] = ()
    parameters: tuple[ParameterRow, ...] = ()
    sbml: Mapping[str, str] = field(default_factory=dict)


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
    fit = fit_case(case, setup.library, measured)
    draw = Draw()
    rows: list[OrganRow] = []
    curves: list[CurveRow] = []
    parts: list[Part] = []
    answers: list[str] = []
    numbers: dict[str, Any] = {}
    sbml: dict[str, str] = {}
    for done, candidate in enumerate(known):
        progress("kinetics", done, len(known))
        target_changes(candidate.form, candidate.administration, candidate.cycles, draw)  # so that its values are told
        if fit is not None and fit.tells_of(candidate.form):
            own = _fitted(fit, case, setup, candidate)
            rows += own.rows
            curves += curve_rows(candidate, own.run)
            answers.append(own.answer)
            parts.append(own.part)
            numbers[candidate.name] = own.numbers
            sbml[candidate.name] = body_sbml(own.run.model, candidate.ligand_nmol)
            continue
        run = _run(case, candidate, draw)
        ratios = organ_ratios(candidate.form, case.patient, candidate.radionuclide,
                              candidate.form.injected_nmol.central, candidate.administration)
        mine = organ_rows(candidate, run, ratios, f"adult_{case.patient.sex or 'male'}")
        tolerance = max_tolerated_activity(
            setup.form_in_patient(candidate), candidate.radionuclide, library.limits, candidate.cycles,
            setup.prior_doses, draw, emits_alpha=candidate.emits_alpha)
        rows += mine
        curves += curve_rows(candidate, run)
        warned = off_tumour(candidate, case.patient, library.limits)
        answers.append(candidate_answer(candidate, tolerance))
        doubt = body_doubt(candidate)
        parts.append(candidate_part(candidate, run, mine, tolerance, warned, (f"In doubt: {doubt}.",) if doubt else ()))
        numbers[candidate.name] = candidate_numbers(candidate, run, mine, tolerance, warned) | {
            "differs_from_published": [vars(d) for d in disagreements(candidate)]}
        sbml[candidate.name] = body_sbml(run.model, candidate.ligand_nmol)
    progress("kinetics", len(known), len(known))
    used = {**draw.used, **({} if fit is None else dict(zip(fit.found.parameters, fit.found.priors, strict=True)))}
    if absent:
        text = ", ".join(f"{c.name} ({c.form.name})" for c in absent)
        parts.append(Part("Not modelled", (f"No whole-body set for: {text}.",)))
    if fit is not None:
        parts.insert(0, measured_part(fit))
    findings = Findings(
        title=f"{case.title}: whole body",
        answer=" ".join((*answers, _HOW_TO_READ)),
        parts=tuple(parts),
        values_used=tuple(ValueUse(key, used[key]) for key in sorted(used)),
        sources={**library.sources, **load_bodies().sources},
        assumptions=ASSUMPTIONS if fit is None else ASSUMPTIONS + FIT_ASSUMPTIONS,
        numbers={"candidates": numbers} if fit is None else {"candidates": numbers, "measured": measured_numbers(fit)},
    )
    if fit is None:
        return BodyReport(findings, tuple(rows), tuple(curves), sbml=sbml)
    return BodyReport(findings, tuple(rows), tuple(curves), tuple(point_rows(fit)), tuple(parameter_rows(fit.found)),
                      sbml)


ASSUMPTIONS = (
    "All lesions but the section's share one target density, flow and permeability.",
    "What this case does not say of the patient is that of the patients in whom organ doses were published.",
    "Published organ doses per activity are the anchor; the model scales them to this patient. Organs without one show "
    "the model's own dose: S values of a stylised adult with the patient's organ masses, all progeny in place; for "
    "lesions, muscle and fat a water sphere of their volume.",
    "Over cycles of PSMA ligands the tumours' target falls as uptake of 177Lu-PSMA-I&T did (0.73, 0.50 and 0.44 of the "
    "first in cycles 2, 3 and later), unless the case's target_by_cycle says otherwise. Other targets stay.",
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


def _fitted(fit: PatientFit, case: Case, setup: Setup, candidate: ResolvedCandidate) -> _Fitted:
    own = fitted_candidate(fit, case, candidate, setup.library.limits)
    rows = [with_interval(r, own, candidate) for r in organ_rows(
        candidate, own.run, dict(own.ratios), f"adult_{case.patient.sex or 'male'}")]
    tolerance = max_tolerated_activity(
        own.form, candidate.radionuclide, setup.library.limits, candidate.cycles, setup.prior_doses, Draw(),
        emits_alpha=candidate.emits_alpha)
    interval = tolerated_interval_MBq(own, candidate, setup.library.limits, setup.prior_doses)
    answer = candidate_answer(candidate, tolerance)
    if interval is not None and tolerance.activity_MBq is not None:
        answer += f" 90 % interval, by measurements: {activity_text(interval[0])} to {activity_text(interval[1])}."
    warned = off_tumour(candidate, case.patient, setup.library.limits)
    part = candidate_part(candidate, own.run, rows, tolerance, warned)
    activity = FindingTable(
        head=("Place", "Most probable, MBq.h", "Median, MBq.h", "Low, MBq.h", "High, MBq.h"),
        rows=tuple((p.place, p.most_probable_MBq_h, p.median_MBq_h, p.low_MBq_h, p.high_MBq_h)
                   for p in own.activity.values()),
        title="Time-integrated activity of the course", note="90 % intervals.")
    numbers = candidate_numbers(candidate, own.run, rows, tolerance, warned) | {
        "tolerated_activity_interval_MBq": interval,
        "time_integrated_activity_MBq_h": {
            p.place: {"median": p.median_MBq_h, "low": p.low_MBq_h, "high": p.high_MBq_h}
            for p in own.activity.values()},
    }
    return _Fitted(own.run, rows, answer, dataclasses.replace(part, tables=(*part.tables, activity)), numbers)


def _run(case: Case, candidate: ResolvedCandidate, draw: Draw) -> BodySolution:
    how = candidate.administration
    regimen = regimen_of(candidate.form, how, activity_MBq=candidate.activity_MBq, ligand_nmol=candidate.ligand_nmol,
                         number=candidate.cycles, interval_h=candidate.interval_h)
    patient = case_patient(candidate.form, case.patient, draw)
    try:
        return simulate_form(candidate.form, patient, case.patient, regimen, (candidate.radionuclide,), draw, how)
    except OutOfValidity as error:
        if not regimen.target_changes:
            raise
        raise OutOfValidity(
            f"{candidate.name}: {error} Tumours' targets fall from cycle to cycle, here every "
            f"{candidate.interval_h:g} h: make 'candidates.interval' longer, or state "
            "'candidates.administration.target_by_cycle', all 1 where targets stay.") from error
