"""From a case to whole-body kinetics: the patient, the plasma that the tumour sees, and organ doses of this patient."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.body import (
    BodyLigand,
    BodySolution,
    Injection,
    Patient,
    PlasmaCurve,
    Regimen,
    Tumour,
    anatomy,
    body_ligand,
    simulate,
)
from nichedose.body.exponentials import fit_exponentials
from nichedose.case import Administration
from nichedose.case import Patient as CasePatient
from nichedose.dose import sphere_s_value
from nichedose.dose.units import DECAYS_PER_MBQ_H
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.library.bodies import BodyLibrary, load_bodies
from nichedose.library.body_schema import BodyKinetics
from nichedose.library.schema import DoseCoefficient, LabelledForm
from nichedose.nuclide import half_life_h
from nichedose.study.administration import USUAL, competitor_of, once, regimen_of
from nichedose.values import Draw, Value

__all__ = [
    "ALL_LESIONS", "LESION", "OrganExposure", "body_plasma", "case_patient", "check_organs", "form_in_patient",
    "has_body", "ligand_of", "organ_exposures", "organ_ratios", "reference_patient",
    "self_dose_Gy_per_MBq_h", "simulate_form", "with_lesion",
]

ALL_LESIONS = "all lesions"
LESION = "lesion"  # the section's own, beside all others
LEAST_REST = 0.01  # of the tumour burden that is left beside the section's lesion
HALF_LIVES_FOLLOWED = 10.0
TOLERANCE = 1e-4


def has_body(form: LabelledForm, bodies: BodyLibrary | None = None) -> bool:
    """Whether a whole-body set describes ``form``."""
    return form.name in (bodies or load_bodies()).kinetics


def reference_patient(form: LabelledForm, draw: Draw) -> Patient:
    """The patient in whom the organ doses of ``form`` were published, as the set describes them."""
    bodies = load_bodies()
    kinetics = bodies.of_form(form.name)
    key = f"form.{form.name}.body.reference"

    def take(name: str) -> float:
        value: Value = getattr(kinetics.reference, name)
        return draw(f"{key}.{name}", value)

    return Patient(
        weight_kg=take("weight_kg"),
        height_cm=take("height_cm"),
        age_years=take("age_years"),
        gfr_mL_per_min=take("gfr_mL_per_min"),
        tumours=(_burden(form, kinetics, take("tumour_volume_mL"), take("tumour_target_nmol_per_L"), draw),),
    )


def case_patient(form: LabelledForm, given: CasePatient, draw: Draw) -> Patient:
    """The patient of a case; what it leaves out is that of the set's reference patient.

    A GFR that is not given is the reference one, scaled by what age and body surface do to it.
    """
    reference = reference_patient(form, draw)
    size = dataclasses.replace(
        reference,
        weight_kg=given.weight_kg / 70.0 * reference.weight_kg,  # organ doses are stated for 70 kg
        height_cm=given.height_cm if given.height_cm is not None else reference.height_cm,
        sex=given.sex if given.sex is not None else reference.sex,
        age_years=given.age_years if given.age_years is not None else reference.age_years,
        haematocrit=given.haematocrit,
        organ_volumes_mL=given.organ_volumes_mL,
    )
    gfr = given.gfr_mL_per_min
    if gfr is None and reference.gfr_mL_per_min is not None:
        gfr = reference.gfr_mL_per_min * _predicted_gfr(size, draw) / _predicted_gfr(reference, draw)
    [burden] = reference.tumours
    if given.tumour_volume_mL is not None:
        burden = dataclasses.replace(burden, volume_mL=given.tumour_volume_mL)
    return dataclasses.replace(size, gfr_mL_per_min=gfr, tumours=(burden,))


def with_lesion(patient: Patient, lesion: Tumour) -> Patient:
    """``patient`` with one ``lesion`` apart from all others, which have what is left of the tumour burden."""
    [burden] = patient.tumours
    rest = max(burden.volume_mL - lesion.volume_mL, LEAST_REST * burden.volume_mL)
    return dataclasses.replace(patient, tumours=(lesion, dataclasses.replace(burden, volume_mL=rest)))


def check_organs(forms: Sequence[LabelledForm], patient: CasePatient) -> None:
    """Raise `BadInput` for comorbidities and organ targets of ``patient`` that no candidate can make use of."""
    bodies = load_bodies()
    scenarios = sorted({c for f in forms if has_body(f) for c in bodies.of_form(f.name).comorbidity})
    for scenario in patient.comorbidities:
        if scenario not in scenarios:
            known = f"{near_miss(scenario, scenarios)} Known: {', '.join(scenarios)}." if scenarios else (
                " None of their whole-body sets has any; leave 'comorbidities' out.")
            raise BadInput(f"'patient.comorbidities': no comorbidity scenario '{scenario}' for the candidates.{known}")
    targets = sorted({f.target for f in forms})
    bearing = [o for o, e in bodies.physiology.organs.items() if e.interstitial_fraction is not None]
    for key, given in patient.organ_targets.items():
        if not isinstance(given, dict) and len(targets) > 1:
            raise BadInput(f"'patient.organ_targets.{key}': the candidates bind {' and '.join(targets)}; say whose "
                           f"density it is: organ_targets.{targets[0]}.{key} = ...")
        if isinstance(given, dict) and key not in targets:
            raise BadInput(f"'patient.organ_targets.{key}': no candidate binds '{key}'.{near_miss(key, targets)} "
                           f"Targets of the candidates: {', '.join(targets)}.")
        for organ in given if isinstance(given, dict) else (key,):
            if organ not in bearing:
                raise BadInput(f"'patient.organ_targets': '{organ}' is no organ that can bear a target."
                               f"{near_miss(organ, bearing)} Organs: {', '.join(bearing)}.")


def ligand_of(form: LabelledForm, given: CasePatient, draw: Draw) -> BodyLigand:
    """Rates of ``form`` in this draw, with the case's measured organ targets and those comorbidities that its set has.

    `check_organs` refuses names that no candidate's set has.
    """
    bodies = load_bodies()
    kinetics = bodies.of_form(form.name)
    return body_ligand(form, kinetics, bodies.physiology.antibody, draw,
                       comorbidities=[c for c in given.comorbidities if c in kinetics.comorbidity],
                       target_nmol_per_L=given.organ_targets_of(form.target))


def simulate_form(
    form: LabelledForm, patient: Patient, given: CasePatient, regimen: Regimen, radionuclides: tuple[str, ...],
    draw: Draw, how: Administration = USUAL,
) -> BodySolution:
    """Whole-body kinetics of ``form`` in ``patient``, for every radionuclide it carries here.

    ``how`` describes the competitor that ``regimen`` gives, if any.
    """
    half_lives = {name: half_life_h(name) for name in radionuclides}
    last = max(i.start_h + i.duration_h for i in regimen.injections)
    ligand = ligand_of(form, given, draw)
    return simulate(
        patient, ligand, regimen, physiology=load_bodies().physiology,
        competitor=competitor_of(form, how, ligand, draw),
        decay_per_h={name: math.log(2.0) / t for name, t in half_lives.items()},
        end_h=last + HALF_LIVES_FOLLOWED * max(half_lives.values()), tolerance=TOLERANCE, draw=draw)


def body_plasma(
    form: LabelledForm, given: CasePatient, injected_nmol: float, radionuclides: tuple[str, ...], draw: Draw
) -> tuple[PlasmaCurve, float]:
    """Free ligand in plasma after a bolus of ``injected_nmol`` in the case's patient, and the exponentials' error.

    Amino acids, infusion time and split are left aside: they change the organs more than the tumour.
    """
    patient = case_patient(form, given, draw)
    run = simulate_form(form, patient, given, Regimen((Injection(injected_nmol, 1.0),)), radionuclides, draw)
    slowest = min(run.decay_per_h.values())
    return fit_exponentials(run.times_h, run.plasma_nmol_per_L(), slowest)


@dataclass(frozen=True)
class OrganExposure:
    """One organ after one administration: decays per activity (h), its volume, and the share of them on target.

    ``on_target`` counts what is bound or inside cells. ``activity`` over ``times_h`` per injected activity.
    """

    residence_h: float
    volume_L: float
    on_target: float
    times_h: Array = dataclasses.field(compare=False, repr=False)
    activity: Array = dataclasses.field(compare=False, repr=False)


def organ_exposures(
    form: LabelledForm, given: CasePatient, radionuclide: str, injected_nmol: float, how: Administration = USUAL
) -> dict[str, OrganExposure]:
    """Every organ and all lesions of the case's patient after one administration, at the medians.

    ``injected_nmol`` as is usual with the form; ``how.ligand`` replaces it.
    """
    return dict(_exposures(form.model_dump_json(), given.model_dump_json(), radionuclide, injected_nmol, once(how)))


def organ_ratios(
    form: LabelledForm, given: CasePatient, radionuclide: str, injected_nmol: float, how: Administration = USUAL
) -> dict[str, float]:
    """Dose per activity of each organ in the case's patient, given as ``how`` says, over that in the reference patient
    with the usual administration, at the medians.

    Kinetics and organ mass change; the energy per decay that stays in the organ is taken as the same.
    """
    reference = organ_exposures(form, CasePatient(), radionuclide, injected_nmol)
    patient = organ_exposures(form, given, radionuclide, injected_nmol, how)
    return {organ: (patient[organ].residence_h / patient[organ].volume_L) / (of.residence_h / of.volume_L)
            for organ, of in reference.items() if organ in patient}


@functools.lru_cache(maxsize=512)
def _exposures(
    form_json: str, given_json: str, radionuclide: str, injected_nmol: float, how: Administration
) -> dict[str, OrganExposure]:
    """Asked for in every draw, the same each time."""
    form, given = LabelledForm.model_validate_json(form_json), CasePatient.model_construct(**json.loads(given_json))
    draw, nmol = Draw(), how.ligand or injected_nmol
    regimen = regimen_of(form, how, activity_MBq=1.0, ligand_nmol=nmol, number=1, interval_h=1.0)
    run = simulate_form(form, case_patient(form, given, draw), given, regimen, (radionuclide,), draw, how)
    states = run.model.network.states
    decays = np.array([i.activity_MBq / i.ligand_nmol for i in regimen.labelled]) @ run.integrals_nmol_h[:, 0]
    found = {}
    for organ, volume in run.model.volume_L.items():
        if organ not in run.organs:
            continue
        mine = [i for i, state in enumerate(states) if (state.organ, state.species) == (organ, "ligand")]
        held = sum(float(decays[i]) for i in mine)
        on_target = sum(float(decays[i]) for i in mine if states[i].kind in ("bound", "internalised"))
        found[organ] = OrganExposure(
            held, volume, on_target / held if held > 0.0 else 0.0, run.times_h, run.activity_MBq(organ, radionuclide))
    return found


def form_in_patient(
    form: LabelledForm, ratios: Mapping[str, float], radionuclide: str, half_lives_h: Mapping[str, Value]
) -> LabelledForm:
    """``form`` with its published organ doses of ``radionuclide`` times ``ratios``, and their half-lives for BED."""
    def scaled(c: DoseCoefficient) -> DoseCoefficient:
        if c.radionuclide != radionuclide or c.organ not in ratios:
            return c
        return c.model_copy(update={
            "Gy_per_GBq": c.Gy_per_GBq.times(ratios[c.organ]),
            "effective_half_life_h": half_lives_h.get(c.organ, c.effective_half_life_h)})

    return form.model_copy(update={"dose_coefficients": tuple(scaled(c) for c in form.dose_coefficients)})


@functools.lru_cache(maxsize=512)
def self_dose_Gy_per_MBq_h(radionuclide: str, volume_mL: float) -> float:
    """Dose to a sphere of water of ``volume_mL`` per MBq.h in it, all progeny in place, photons included."""
    diameter_um = (6.0 * volume_mL / math.pi) ** (1.0 / 3.0) * 1e4
    return sphere_s_value(radionuclide, round(diameter_um, -2), daughters="equilibrium") * DECAYS_PER_MBQ_H


def _burden(form: LabelledForm, kinetics: BodyKinetics, volume_mL: float, target: float, draw: Draw) -> Tumour:
    key = f"form.{form.name}.body"
    return Tumour(
        name=ALL_LESIONS,
        volume_mL=volume_mL,
        plasma_flow_mL_per_min_per_mL=draw(
            f"{key}.tumour_plasma_flow_mL_per_min_per_mL", kinetics.tumour_plasma_flow_mL_per_min_per_mL),
        permeability_mL_per_min_per_mL=draw(
            f"{key}.tumour_permeability_mL_per_min_per_mL", kinetics.tumour_permeability_mL_per_min_per_mL),
        target_nmol_per_L=target,
    )


def _predicted_gfr(patient: Patient, draw: Draw) -> float:
    unmeasured = dataclasses.replace(patient, gfr_mL_per_min=None, tumours=())
    return anatomy(unmeasured, load_bodies().physiology, draw).gfr_L_per_h
