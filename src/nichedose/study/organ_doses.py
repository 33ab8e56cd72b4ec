"""Organ doses of one patient from whole-body kinetics: activities where the model has them, S values of the phantom."""

from __future__ import annotations

from collections.abc import Mapping

from nichedose.body import BodySolution
from nichedose.body.model import BLADDER, GUT_CONTENT, PLASMA
from nichedose.dose import organ_dose, organ_names, organ_s_values
from nichedose.dose.kernels import Daughters
from nichedose.dose.result import Quality

__all__ = ["body_organ_doses_Gy"]

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
    held: dict[str, float] = {}

    def put(organ: str, activity: float) -> None:
        held[organ] = held.get(organ, 0.0) + activity

    for place in run.organs:
        if place in OUTSIDE:
            continue
        activity = run.time_integrated_activity_MBq_h(place, radionuclide)
        if place == PLASMA:
            put(HEART_CONTENTS, IN_THE_HEART * activity)
            put(REST, (1.0 - IN_THE_HEART) * activity)
        else:
            put(IN_PHANTOM.get(place, REST), activity)
    masses = {IN_PHANTOM[o]: run.model.volume_L[o] * 1e3 * DENSITY_G_PER_ML for o in SCALED}
    known = organ_names(phantom)
    targets = [name for name in dict.fromkeys(IN_PHANTOM.values()) if name in known]
    s = organ_s_values(radionuclide, phantom, masses, daughters, targets=targets, sources=held)
    doses = organ_dose(held, s)
    return {organ: doses[name] for organ, name in IN_PHANTOM.items() if name in doses and organ in run.model.volume_L}
