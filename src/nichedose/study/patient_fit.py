"""The body of a case fitted to what was measured in this patient."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.body import (
    BodyFit,
    BodyModel,
    MeasuredActivity,
    Observation,
    Regimen,
    anatomy,
    body_model,
    fit_observations,
    sample_posterior,
)
from nichedose.body.score_draw import ScoreDraw
from nichedose.body.tracer import TracerDraw
from nichedose.case import Administration, Case, MeasuredActivityTable
from nichedose.errors import BadInput, near_miss
from nichedose.library import Library, find_agent
from nichedose.library.bodies import load_bodies
from nichedose.library.schema import LabelledForm
from nichedose.nuclide import canonical_name, half_life_h
from nichedose.study.administration import USUAL, competitor_of, refuse_more_nuclei_than_ligand, regimen_of
from nichedose.study.whole_body import ALL_LESIONS, LESION, case_patient, ligand_of, with_lesion
from nichedose.tissue.anchored import anchored_mean
from nichedose.values import Draw

__all__ = ["LESION", "MODEL_SD", "Measured", "PatientFit", "fit_case", "measured_entries"]

MODEL_SD = 0.1  # what the model misses at a point; assumed
AS_BLOOD = "'plasma' was whole blood"
PERCENT = 100.0
OTHER_UNITS = (
    (1e3, "1000 times as high (kBq for MBq, or per mL for per L?)"), (1e-3, "a thousandth (MBq for kBq, or per L for "
    "per mL?)"), (PERCENT, "100 times as high (shares for percent?)"))
TELLING = 6.0  # of -2 log(posterior): a reading that fits better by more is pointed out


@dataclass(frozen=True)
class Measured:
    """One table of the case: of which form, or of which ``tracer`` that the form stands in for, and as observation.

    ``lead_h`` is the start of the injection on the observation's clock.
    """

    form: LabelledForm
    radionuclide: str
    tracer: str | None
    observation: Observation
    lead_h: float

    @property
    def name(self) -> str:
        return self.tracer or f"{self.radionuclide}-{self.form.name}"

    @property
    def places(self) -> tuple[str, ...]:
        return tuple(m.place for m in self.observation.measured)


@dataclass(frozen=True)
class PatientFit:
    """The fit to all tables of a case at once, and what makes the body of a form in this patient."""

    found: BodyFit
    entries: tuple[Measured, ...]
    build_of: Callable[[LabelledForm, Administration], Callable[[Draw], BodyModel]]
    cautions: tuple[str, ...]

    @property
    def most_probable(self) -> ScoreDraw:
        """A draw in which the fitted parameters are the most probable ones."""
        return ScoreDraw(scores=dict(zip(self.found.parameters, self.found.scores.tolist(), strict=True)))

    def tells_of(self, form: LabelledForm) -> bool:
        return any(e.form.name == form.name for e in self.entries)

    def measured_in(self, form: LabelledForm) -> tuple[str, ...]:
        """Places in which ``form`` itself was measured."""
        own = [e for e in self.entries if e.form.name == form.name and e.tracer is None]
        return tuple(dict.fromkeys(p for e in own for p in e.places))


def fit_case(case: Case, library: Library, tables: Sequence[tuple[MeasuredActivity, ...]]) -> PatientFit | None:
    """Fit the case's body to the series of its ``[[measured_activity]]``; None without any. Raises `BadInput`."""
    if not case.measured_activity:
        if case.sampling.body_posterior == "nuts":
            raise BadInput("sampling.body_posterior = 'nuts' samples the body that is fitted to [[measured_activity]]; "
                           "give such a table, or drop body_posterior.")
        return None
    has_lesion = any(m.place == LESION for table in tables for m in table)
    entries = measured_entries(case, library, tables)
    found = fit_observations([e.observation for e in entries], model_sd=MODEL_SD)
    walked = case.sampling.body_posterior == "nuts"
    return PatientFit(
        found=sample_posterior(found, seed=case.sampling.seed) if walked else found,
        entries=entries,
        build_of=lambda form, how: _body_of(case, library, form, has_lesion, None, how),
        cautions=(*_cautions(found, entries), *_without_candidate(case, library, entries)),
    )


def measured_entries(
    case: Case, library: Library, tables: Sequence[tuple[MeasuredActivity, ...]]
) -> tuple[Measured, ...]:
    """The tables as observations. Raises `BadInput` for what cannot be."""
    has_lesion = any(m.place == LESION for table in tables for m in table)
    return tuple(_entry(case, library, given, series, has_lesion)
                 for given, series in zip(case.measured_activity, tables, strict=True))


def _entry(
    case: Case, library: Library, given: MeasuredActivityTable, series: tuple[MeasuredActivity, ...], has_lesion: bool
) -> Measured:
    form = _form(given, library)
    radionuclide = canonical_name(given.radionuclide)
    tracer = given.tracer
    if tracer is None and radionuclide not in form.radionuclides:
        tracer = f"{radionuclide}-{form.name}"
    regimen = _regimen(form, given, tracer)
    lead = regimen.labelled[0].start_h
    on_clock = tuple(dataclasses.replace(m, times_h=tuple(t + lead for t in m.times_h)) for m in series)
    build = _body_of(case, library, form, has_lesion, tracer)
    decay = math.log(2.0) / half_life_h(radionuclide)
    model = build(Draw())
    try:
        for one in on_clock:
            one.refuse_impossible(model, regimen, decay)
        observation = Observation(build, on_clock, regimen, decay)
        _refuse_more_than_injected(observation, given)
        _refuse_blood_as_plasma(observation, model)
    except BadInput as error:
        raise BadInput(f"{given.path}: {error}") from error
    return Measured(form, radionuclide, tracer, observation, lead)


def _form(given: MeasuredActivityTable, library: Library) -> LabelledForm:
    sets = load_bodies().kinetics
    if given.form not in library.forms:
        raise BadInput(f"'measured_activity.form': no labelled form '{given.form}'.{near_miss(given.form, sets)}")
    if given.form not in sets:
        raise BadInput(f"'measured_activity.form': {given.form} has no whole-body set that could be fitted. Sets: "
                       f"{', '.join(sets)}.")
    return library.forms[given.form]


def _regimen(form: LabelledForm, given: MeasuredActivityTable, tracer: str | None) -> Regimen:
    if given.ligand is not None:
        refuse_more_nuclei_than_ligand(
            canonical_name(given.radionuclide), given.injected, given.ligand, f"'measured_activity' of {given.path}")
    acids = given.amino_acids
    if acids is None and tracer is not None:
        acids = False
    found = regimen_of(
        form, Administration(amino_acids=acids), activity_MBq=given.injected,
        ligand_nmol=given.ligand if given.ligand is not None else form.injected_nmol.central, number=1, interval_h=1.0)
    injections = tuple(dataclasses.replace(i, duration_h=given.infusion or 0.0) for i in found.injections)
    return dataclasses.replace(found, injections=injections)


def _body_of(
    case: Case, library: Library, form: LabelledForm, has_lesion: bool, tracer: str | None, how: Administration = USUAL
) -> Callable[[Draw], BodyModel]:
    """What makes the body of ``form``, given as ``how`` says, in the case's patient, or that of a tracer for which it
    stands in."""
    bodies = load_bodies()
    target = library.targets[form.target]
    target_key = f"target.{target.name}.mean_density_nmol_per_L"  # as in the tissue map: it is the same lesion
    burden_key = f"form.{form.name}.body.reference.tumour_target_nmol_per_L"

    def build(draw: Draw) -> BodyModel:
        own = draw if tracer is None else TracerDraw(
            inner=draw, name=tracer, form=form.name, ratio=bodies.tracer_rate_ratio, also=(target_key, burden_key))
        who = case_patient(form, case.patient, own)
        if has_lesion:
            anchor = case.anchors.get(target.name)
            density = (own(target_key, target.mean_density_nmol_per_L) if anchor is None
                       else anchored_mean(anchor, target, library.tissue, own))
            volume_mL = math.pi / 6.0 * case.lesion.diameter**3 * 1e-3
            [burden] = who.tumours
            who = with_lesion(who, dataclasses.replace(
                burden, name=LESION, volume_mL=volume_mL, target_nmol_per_L=density))
        organs, ligand = anatomy(who, bodies.physiology, draw), ligand_of(form, case.patient, own)
        return body_model(who, organs, ligand, competitor_of(form, how, ligand, draw))

    return build


def _refuse_more_than_injected(observation: Observation, given: MeasuredActivityTable) -> None:
    """All places together at one time cannot hold more than was injected and is left."""
    held: dict[float, float] = {}
    for series in observation.measured:
        if series.per_volume or series.place == ALL_LESIONS:
            continue
        amounts = series.as_measured(observation.regimen, observation.decay_per_h)
        slack = 1.0 + 2.0 * np.hypot(series.point_sd, series.calibration_sd)
        for time, amount in zip(series.times_h, amounts / slack, strict=True):
            held[time] = held.get(time, 0.0) + float(amount)
    start = observation.regimen.labelled[0].start_h
    for time, amount in held.items():
        left = given.injected * math.exp(-observation.decay_per_h * (time - start))
        if amount > left:
            raise BadInput(f"All places together hold more at {time - start:g} h than the {left:.3g} MBq "
                           "that are left of what was injected. Check units, decay_corrected, and whether places "
                           "overlap.")


def _refuse_blood_as_plasma(observation: Observation, model: BodyModel) -> None:
    """Where cells hold less than plasma, whole blood cannot hold more than it."""
    by_place = {m.place: m for m in observation.measured}
    if not {"blood", "plasma"} <= set(by_place) or model.blood_cell_ratio >= 1.0:
        return
    blood, plasma = (
        dict(zip(m.times_h, zip(m.as_measured(observation.regimen, observation.decay_per_h), m.point_sd, strict=True),
                 strict=True))
        for m in (by_place["blood"], by_place["plasma"]))
    start = observation.regimen.labelled[0].start_h
    for time in blood.keys() & plasma.keys():
        (b, sd_b), (p, sd_p) = blood[time], plasma[time]
        if b > p * (1.0 + 2.0 * math.hypot(sd_b, sd_p)):
            raise BadInput(f"At {time - start:g} h 'blood' holds {b / p:.2g} times the activity of 'plasma' per "
                           "volume, but this ligand stays out of blood cells. Are the two exchanged?")


def _cautions(found: BodyFit, entries: Sequence[Measured]) -> tuple[str, ...]:
    """Other readings of the data that would fit clearly better."""
    best = _misfit(found)
    said = []
    for i, entry in enumerate(entries):
        for reading, changed in _other_readings(entry):
            if reading != AS_BLOOD and best <= TELLING:
                continue  # nothing can fit clearly better
            observations = [e.observation for e in entries]
            observations[i] = dataclasses.replace(entry.observation, measured=changed)
            try:
                other = _misfit(fit_observations(observations, model_sd=MODEL_SD))
            except BadInput:
                continue
            if best - other > TELLING:
                said.append(f"{entry.name}: the data fit clearly better if {reading} "
                            f"(-2 log posterior {other:.1f} instead of {best:.1f}). Check the table.")
            elif reading == AS_BLOOD and other - best < TELLING:
                said.append(f"{entry.name}: the data fit as well if {reading} (-2 log posterior {other:.1f} and "
                            f"{best:.1f}), so they cannot tell the two apart. Make sure that plasma was counted; "
                            "whole blood is called 'blood'.")
    return tuple(said)


def _other_readings(entry: Measured) -> list[tuple[str, tuple[MeasuredActivity, ...]]]:
    series = entry.observation.measured
    found = []
    corrected = sorted({m.decay_corrected for m in series})
    if len(corrected) == 1:
        now = "were not decay-corrected" if corrected[0] else "were decay-corrected"
        found.append((f"they {now}", tuple(dataclasses.replace(m, decay_corrected=not corrected[0]) for m in series)))
    groups = [entry.places, *((p,) for p in entry.places if len(entry.places) > 1)]
    for places in groups:
        units = {m.unit for m in series if m.place in places}
        for factor, words in OTHER_UNITS:
            if factor != PERCENT or all(u.startswith("%") for u in units):
                found.append((f"values of {', '.join(places)} were {words}", tuple(
                    dataclasses.replace(m, values=tuple(factor * v for v in m.values)) if m.place in places else m
                    for m in series)))
    if "plasma" in entry.places and "blood" not in entry.places:
        found.append((AS_BLOOD, tuple(
            dataclasses.replace(m, place="blood") if m.place == "plasma" else m for m in series)))
    return found


def _without_candidate(case: Case, library: Library, entries: Sequence[Measured]) -> tuple[str, ...]:
    """Measured forms that no candidate is on."""
    mine = {find_agent(library, c.agent).form for c in case.candidates}
    return tuple(f"{e.name}: no candidate is on {e.form.name}, so no dose is fitted to it. Add one, or give the table "
                 "the form of a candidate and name what was injected as its tracer."
                 for e in entries if e.form.name not in mine)


def _misfit(found: BodyFit) -> float:
    return float((found.residuals**2).sum() + (found.scores**2).sum())

