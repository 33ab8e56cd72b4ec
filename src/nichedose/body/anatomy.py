"""Volumes and flows of one patient, from reference adults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nichedose.body.patient import Patient
from nichedose.errors import BadInput, near_miss
from nichedose.library.body_schema import OrganPhysiology, Physiology
from nichedose.values import Draw, Value

__all__ = ["Anatomy", "anatomy", "body_surface_m2"]

L_PER_H_FROM_ML_PER_MIN = 0.06
LEAST_ADIPOSE = 0.04  # of body weight; below, muscle is what is missing
LEAST_MUSCLE = 0.2  # of what size predicts
MOST_CHANGED = 40.0  # a given organ over an adult's; polycystic kidneys grow 25-fold, a slip of unit is 1000
LEAST_CENTRAL = 0.15  # of plasma: what large vessels hold at least


@dataclass(frozen=True)
class Anatomy:
    """One patient in numbers: litres, L/h, 1/h. Organs in the order of the physiology, tumours not among them.

    ``permeability_L_per_h`` and ``interstitial_L`` lack organs that ligand does not leave vessels in.
    """

    plasma_L: float
    central_plasma_L: float
    haematocrit: float
    gfr_L_per_h: float
    volume_L: Mapping[str, float]
    plasma_in_organ_L: Mapping[str, float]
    interstitial_L: Mapping[str, float]
    flow_L_per_h: Mapping[str, float]
    permeability_L_per_h: Mapping[str, float]
    portal: tuple[str, ...]
    metabolite_L: float
    voiding_per_h: float
    gut_transit_per_h: float
    liver_to_reference: float


def body_surface_m2(weight_kg: float, height_cm: float) -> float:
    """Du Bois and Du Bois, Arch Intern Med 1916;17:863.

    >>> round(body_surface_m2(70.0, 175.0), 2)
    1.85
    """
    surface: float = 0.007184 * weight_kg**0.425 * height_cm**0.725
    return surface


def anatomy(patient: Patient, physiology: Physiology, draw: Draw | None = None) -> Anatomy:
    """Organs and flows of ``patient``; raises `BadInput` where the masses do not add up to the body weight.

    Organs other than brain and fat go with body surface; fat is what is left of the weight.
    """
    take = _Taker(physiology, draw if draw is not None else Draw())
    sex = patient.sex
    surface = body_surface_m2(patient.weight_kg, patient.height_cm)
    reference = body_surface_m2(take(f"{sex}_weight_kg"), take(f"{sex}_height_cm"))
    haematocrit = patient.haematocrit if patient.haematocrit is not None else take("haematocrit")
    plasma = take(f"{sex}_plasma_L_per_m2") * (1.0 - haematocrit) * surface
    flow = take("plasma_flow_per_min") * plasma * 60.0
    volumes = _volumes(patient, physiology, take, surface / reference)
    in_organs = {o: take.organ(o, "plasma_fraction") * v for o, v in volumes.items()}
    tumour_plasma = sum(t.plasma_fraction * t.volume_mL * 1e-3 for t in patient.tumours)
    central = max(plasma - sum(in_organs.values()) - tumour_plasma, LEAST_CENTRAL * plasma)
    volumes = _fit_weight(patient, physiology, volumes, central / (1.0 - haematocrit))
    in_organs = {o: take.organ(o, "plasma_fraction") * v for o, v in volumes.items()}
    flows = {
        o: take.organ(o, "flow_share") * flow if entry.flow_share is not None
        else take.organ(o, "flow_mL_per_min_per_g") * v * 1e3 * L_PER_H_FROM_ML_PER_MIN
        for (o, entry), v in zip(physiology.organs.items(), volumes.values(), strict=True)
    }
    gfr = _gfr(patient, take, surface) * L_PER_H_FROM_ML_PER_MIN
    if "kidney" in flows and gfr >= flows["kidney"]:
        raise BadInput(f"Patient: a GFR of {gfr / L_PER_H_FROM_ML_PER_MIN:.0f} mL/min exceeds the plasma flow of the "
                       f"kidneys ({flows['kidney'] / L_PER_H_FROM_ML_PER_MIN:.0f} mL/min for this size). Give the GFR "
                       "in mL/min, and check weight and height.")
    leaving = {o: e for o, e in physiology.organs.items() if e.interstitial_fraction is not None}
    return Anatomy(
        plasma_L=plasma,
        central_plasma_L=central,
        haematocrit=haematocrit,
        gfr_L_per_h=gfr,
        volume_L=volumes,
        plasma_in_organ_L=in_organs,
        interstitial_L={o: take.organ(o, "interstitial_fraction") * volumes[o] for o in leaving},
        flow_L_per_h=flows,
        permeability_L_per_h={
            o: take.organ(o, "permeability_mL_per_min_per_g") * volumes[o] * 1e3 * L_PER_H_FROM_ML_PER_MIN
            for o, e in leaving.items() if e.permeability_mL_per_min_per_g is not None},
        portal=tuple(o for o, e in physiology.organs.items() if e.portal),
        metabolite_L=take("metabolite_distribution_L_per_kg") * patient.weight_kg,
        voiding_per_h=take("voiding_per_h"),
        gut_transit_per_h=take("gut_transit_per_h"),
        liver_to_reference=volumes["liver"] / (take.organ("liver", f"{sex}_mass_g") * 1e-3),
    )


class _Taker:
    """Values of the physiology in one draw, by name."""

    def __init__(self, physiology: Physiology, draw: Draw) -> None:
        self.physiology, self.draw = physiology, draw

    def __call__(self, name: str) -> float:
        return self.draw(f"body.{name}", getattr(self.physiology, name))

    def organ(self, organ: str, name: str) -> float:
        value: Value = getattr(self.physiology.organs[organ], name)
        return self.draw(f"body.{organ}.{name}", value)


def _volumes(patient: Patient, physiology: Physiology, take: _Taker, surface_ratio: float) -> dict[str, float]:
    """Litres: as given, or from the reference adult of that sex."""
    for organ in patient.organ_volumes_mL:
        if organ not in physiology.organs:
            raise BadInput(f"Patient: no organ '{organ}'.{near_miss(organ, physiology.organs)}")

        reference: Value = getattr(physiology.organs[organ], f"{patient.sex}_mass_g")
        given, usual = patient.organ_volumes_mL[organ], reference.central
        if not usual / MOST_CHANGED < given < usual * MOST_CHANGED:
            raise BadInput(f"Patient: {given:g} mL for '{organ}', of which an adult has about {usual:g} mL. Volumes "
                           "are in mL; check the unit.")

    def size(organ: str, entry: OrganPhysiology) -> float:
        if organ in patient.organ_volumes_mL:
            return patient.organ_volumes_mL[organ] * 1e-3
        mass = take.organ(organ, f"{patient.sex}_mass_g") * 1e-3
        return mass if entry.scaling == "constant" else mass * surface_ratio

    return {organ: size(organ, entry) for organ, entry in physiology.organs.items()}


def _fit_weight(
    patient: Patient, physiology: Physiology, volumes: Mapping[str, float], central_blood_L: float
) -> dict[str, float]:
    """Fat takes what the weight leaves; where that is less than a lean body has, muscle gives."""
    [fat] = [o for o, e in physiology.organs.items() if e.scaling == "remainder"]
    found = dict(volumes)
    tumours = sum(t.volume_mL for t in patient.tumours) * 1e-3
    others = sum(v for o, v in found.items() if o != fat) + tumours + central_blood_L
    if fat not in patient.organ_volumes_mL:
        found[fat] = max(patient.weight_kg - others, LEAST_ADIPOSE * patient.weight_kg)
    excess = others + found[fat] - patient.weight_kg
    if excess <= 1e-9:
        return found
    muscle = found["muscle"] - excess
    if "muscle" in patient.organ_volumes_mL or muscle < LEAST_MUSCLE * found["muscle"]:
        given = ", ".join(f"{o} {v:g} mL" for o, v in patient.organ_volumes_mL.items()) or "none"
        raise BadInput(f"Patient: organs, blood and tumours ({tumours * 1e3:.0f} mL) add up to "
                       f"{patient.weight_kg + excess:.1f} kg in a body of {patient.weight_kg:g} kg. Volumes given: "
                       f"{given}. Check them, the weight and the height.")
    found["muscle"] = muscle
    return found


def _gfr(patient: Patient, take: _Taker, surface: float) -> float:
    """mL/min: as given, or by age and surface; loss with age counts from 40 years on."""
    if patient.gfr_mL_per_min is not None:
        return patient.gfr_mL_per_min
    years = max(patient.age_years, 40.0) - 65.0
    return max(take("gfr_mL_per_min_per_1p73m2") - take("gfr_loss_per_year") * years, 5.0) * surface / 1.73
