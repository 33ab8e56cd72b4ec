"""Organ doses of one patient from whole-body kinetics: activities where the model has them, S values of the phantom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nichedose.body import BodySolution
from nichedose.body.model import BLADDER, GUT_CONTENT, PLASMA
from nichedose.dose import organ_dose, organ_names, organ_s_values
from nichedose.dose.kernels import Daughters
from nichedose.dose.result import Quality

__all__ = ["body_organ_doses_Gy", "organ_doses_of_draws", "weighted_Gy"]

ALPHA_WEIGHT = 5.0  # of the limits that count alpha dose so
HEAVY = ("alpha", "recoil")

# organs of the kinetics under their name in the phantom; what is not named lies in the rest of the body
IN_PHANTOM: Mapping[str, str] = {
    "kidney": "kidneys", "salivary glands": "salivary glands", "lacrimal glands": "lacrimal glands", "liver": "liver",
    "spleen": "spleen", "pancreas": "pancreas", "gut": "small intestine", "marrow": "marrow", "bone": "skeleton",
    "lungs": "lungs", "heart": "heart wall", "brain": "brain", "skin": "skin", BLADDER: "bladder contents",
    GUT_CONTENT: "upper colon contents",
}
SCALED = ("kidney", "salivary glands", "lacrimal glands", "liver", "spleen", "pancreas", "marrow", "brain")
REST, HEART_CONTENTS = "rest of body", "heart contents"
IN_THE_HEART = 0.25  # of the blood outside organs, 9 of about 35 parts; the rest in great vessels (ICRP 89, remembered)
DENSITY_G_PER_ML = 1.04
OUTSIDE = ("urine", "faeces")


def body_organ_doses_Gy(
    run: BodySolution, radionuclide: str, phantom: str = "adult_male", daughters: Daughters = "equilibrium"
) -> dict[str, dict[Quality | str, float]]:
    """Dose of the whole run to each organ of the kinetics that the phantom has, by quality, Gy.

    Organs have the patient's size where the kinetics scales it (others the reference mass), and hold their own blood.
    Plasma outside them lies in the heart and in great vessels; these, lesions and organs that the phantom lacks count
    as rest of the body: only their photons reach organs.
    """
    activity = {place: run.time_integrated_activity_MBq_h(place, radionuclide) for place in run.organs}
    [doses] = organ_doses_of_draws([activity], run.model.volume_L, radionuclide, phantom, daughters)
    return doses


def organ_doses_of_draws(
    activities: Sequence[Mapping[str, float]], volume_L: Mapping[str, float], radionuclide: str,
    phantom: str = "adult_male", daughters: Daughters = "equilibrium",
) -> list[dict[str, dict[Quality | str, float]]]:
    """As `body_organ_doses_Gy`, for many sets of time-integrated activities, MBq.h by place, in organs of one size."""
    held = [_in_phantom(activity) for activity in activities]
    masses = {IN_PHANTOM[o]: volume_L[o] * 1e3 * DENSITY_G_PER_ML for o in SCALED}
    known = organ_names(phantom)
    targets = [name for name in dict.fromkeys(IN_PHANTOM.values()) if name in known]
    s = organ_s_values(radionuclide, phantom, masses, daughters, targets=targets, sources=held[0])
    found = []
    for sources in held:
        doses = organ_dose(sources, s)
        found.append({o: doses[name] for o, name in IN_PHANTOM.items() if name in doses and o in volume_L})
    return found


def weighted_Gy(by_quality: Mapping[Quality | str, float], quantity: str) -> float:
    """One dose in the quantity of a limit or a published dose: absorbed, or alphas times 5."""
    heavy = ALPHA_WEIGHT if quantity == "weighted_rbe5" else 1.0
    return sum(gray * (heavy if quality in HEAVY else 1.0) for quality, gray in by_quality.items())


def _in_phantom(activity: Mapping[str, float]) -> dict[str, float]:
    """The same activity by source of the phantom."""
    held: dict[str, float] = {}

    def put(organ: str, amount: float) -> None:
        held[organ] = held.get(organ, 0.0) + amount

    for place, amount in activity.items():
        if place in OUTSIDE:
            continue
        if place == PLASMA:
            put(HEART_CONTENTS, IN_THE_HEART * amount)
            put(REST, (1.0 - IN_THE_HEART) * amount)
        else:
            put(IN_PHANTOM.get(place, REST), amount)
    return held
