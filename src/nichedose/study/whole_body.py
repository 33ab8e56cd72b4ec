"""From a case to whole-body kinetics: the patient, the plasma that the tumour sees, and organ doses of this patient."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    cycles,
    simulate,
)
from nichedose.body.exponentials import fit_exponentials
from nichedose.case import Administration
from nichedose.case import Patient as CasePatient
from nichedose.dose import sphere_s_value
from nichedose.dose.units import DECAYS_PER_MBQ_H
from nichedose.errors import BadInput, near_miss
from nichedose.library import load_library
from nichedose.library.bodies import BodyLibrary, load_bodies
from nichedose.library.body_schema import BodyKinetics
from nichedose.library.schema import DoseCoefficient, LabelledForm
from nichedose.nuclide import half_life_h
from nichedose.values import Draw, Value

__all__ = [
    "ALL_LESIONS", "OrganExposure", "body_plasma", "case_patient", "check_organs", "form_in_patient", "has_body",
    "ligand_of", "organ_exposures", "organ_ratios", "reference_patient", "regimen_of", "self_dose_Gy_per_MBq_h",
    "simulate_form", "target_changes", "target_decline",
]

ALL_LESIONS = "all lesions"
DECLINES = ("PSMA",)  # targets whose fall over cycles was measured
DEFAULT_INFUSION_H = 0.25
AMINO_ACIDS_H = (-0.5, 4.0)  # from half an hour before, over four hours, as in the label of 177Lu-DOTATATE
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


def regimen_of(
    form: LabelledForm, how: Administration, *, activity_MBq: float, ligand_nmol: float, number: int, interval_h: float
) -> Regimen:
    """The course as it is given; without ``target_by_cycle`` tumours' targets fall as they were measured to."""
    if how.target_by_cycle and len(how.target_by_cycle) != number:
        raise BadInput(f"'target_by_cycle' holds {len(how.target_by_cycle)} numbers, and {form.name} is given in "
                       f"{number} cycles. Give one per cycle, the first of them 1.")
    kinetics = load_bodies().of_form(form.name)
    acids = how.amino_acids if how.amino_acids is not None else kinetics.regimen_has_amino_acids
    lead = max(how.predose_lead if how.predose is not None else 0.0, -AMINO_ACIDS_H[0] if acids else 0.0)
    plain = cycles(
        activity_MBq, ligand_nmol, number=number, interval_h=interval_h,
        duration_h=how.infusion if how.infusion is not None else DEFAULT_INFUSION_H,
        split=how.split, split_interval_h=how.split_interval,
        target_factors=target_changes(form, how, number))
    given = [dataclasses.replace(i, start_h=i.start_h + lead) for i in plain.injections]
    before = [] if how.predose is None else [
        Injection(how.predose, 0.0, i.start_h - how.predose_lead) for i in given]
    spans = tuple((i.start_h + AMINO_ACIDS_H[0], i.start_h + AMINO_ACIDS_H[0] + AMINO_ACIDS_H[1]) for i in given)
    return Regimen(
        injections=tuple(before + given),
        amino_acids_h=spans if acids else (),
        target_changes=tuple(dataclasses.replace(c, start_h=c.start_h + lead) for c in plain.target_changes),
    )


def target_changes(
    form: LabelledForm, how: Administration, number: int, draw: Draw | None = None
) -> tuple[float, ...]:
    """Tumour target in each of ``number`` cycles over that in the first: as the case has it, else as measured."""
    return how.target_by_cycle or target_decline(form, number, draw)


def target_decline(form: LabelledForm, number: int, draw: Draw | None = None) -> tuple[float, ...]:
    """Tumour target in each of ``number`` cycles over that in the first, where it was measured; else empty.

    Of PSMA by the uptake of 177Lu-PSMA-I&T (library/data/answer.toml), which holds cells and selection too.
    """
    if number == 1 or form.target not in DECLINES:
        return ()
    answer, take = load_library().answer, draw if draw is not None else Draw()
    names = ("uptake_cycle_2", "uptake_cycle_3", "uptake_cycle_4")[:number - 1]
    later = [take(f"answer.{name}", getattr(answer, name)) for name in names]
    return tuple(1.0 if cycle == 0 else later[min(cycle, len(later)) - 1] for cycle in range(number))


def simulate_form(
    form: LabelledForm, patient: Patient, given: CasePatient, regimen: Regimen, radionuclides: tuple[str, ...],
    draw: Draw,
) -> BodySolution:
    """Whole-body kinetics of ``form`` in ``patient``, for every radionuclide it carries here."""
    half_lives = {name: half_life_h(name) for name in radionuclides}
    last = max(i.start_h + i.duration_h for i in regimen.injections)
    return simulate(
        patient, ligand_of(form, given, draw), regimen, physiology=load_bodies().physiology,
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

    ``on_target`` counts what is bound or inside cells.
    """

    residence_h: float
    volume_L: float
    on_target: float


def organ_exposures(
    form: LabelledForm, given: CasePatient, radionuclide: str, injected_nmol: float
) -> dict[str, OrganExposure]:
    """Every organ and all lesions of the case's patient, at the medians."""
    return dict(_exposures(form.model_dump_json(), given.model_dump_json(), radionuclide, injected_nmol))


def organ_ratios(form: LabelledForm, given: CasePatient, radionuclide: str, injected_nmol: float) -> dict[str, float]:
    """Dose per activity of each organ in the case's patient over that in the reference patient, at the medians.

    Kinetics and organ mass change; the energy per decay that stays in the organ is taken as the same.
    """
    reference, patient = (organ_exposures(form, who, radionuclide, injected_nmol) for who in (CasePatient(), given))
    return {organ: (patient[organ].residence_h / patient[organ].volume_L) / (of.residence_h / of.volume_L)
            for organ, of in reference.items() if organ in patient}


@functools.lru_cache(maxsize=512)
def _exposures(
    form_json: str, given_json: str, radionuclide: str, injected_nmol: float
) -> dict[str, OrganExposure]:
    """Asked for in every draw, the same each time."""
    form, given = LabelledForm.model_validate_json(form_json), CasePatient.model_construct(**json.loads(given_json))
    draw = Draw()
    regimen = regimen_of(form, Administration(), activity_MBq=1.0, ligand_nmol=injected_nmol, number=1, interval_h=1.0)
    run = simulate_form(form, case_patient(form, given, draw), given, regimen, (radionuclide,), draw)
    states = run.model.network.states
    decays = run.integrals_nmol_h[0, 0] / injected_nmol
    found = {}
    for organ, volume in run.model.volume_L.items():
        if organ not in run.organs:
            continue
        mine = [i for i, state in enumerate(states) if state.organ == organ]
        held = sum(float(decays[i]) for i in mine)
        on_target = sum(float(decays[i]) for i in mine if states[i].kind in ("bound", "internalised"))
        found[organ] = OrganExposure(held, volume, on_target / held if held > 0.0 else 0.0)
    return found


def form_in_patient(
    form: LabelledForm, ratios: Mapping[str, float], radionuclide: str
) -> LabelledForm:
    """``form`` with its published organ doses of ``radionuclide`` times ``ratios``."""
    def scaled(c: DoseCoefficient) -> DoseCoefficient:
        if c.radionuclide != radionuclide or c.organ not in ratios:
            return c
        return c.model_copy(update={"Gy_per_GBq": c.Gy_per_GBq.times(ratios[c.organ])})

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
