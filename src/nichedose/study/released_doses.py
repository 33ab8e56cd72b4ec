"""What the daughters that one lesion hands to the blood do to organs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nichedose.body import redistribute
from nichedose.dose import Quality, organ_dose_of_nuclides
from nichedose.errors import BadInput
from nichedose.study.evaluate import CandidateDose

__all__ = ["lesion_MBq_h_per_MBq", "released_note", "released_organ_doses_Gy_per_GBq"]

_L_PER_UM3 = 1e-15
SHOWN = ("kidneys", "marrow")  # the organs that released daughters of alpha emitters are known to reach


def lesion_MBq_h_per_MBq(dose: CandidateDose, lesion_diameter_um: float) -> float:
    """Decays of the parent in the whole lesion per MBq injected: the sections' mean times its volume as a sphere."""
    voxels = np.array([s.tissue.mask.sum() * s.tissue.grid.voxel_area_mm2 for s in dose.sections])
    means = np.array([float(s.tia_MBq_h_per_L[s.tissue.mask].mean()) for s in dose.sections])
    return float(voxels @ means / voxels.sum()) * np.pi / 6.0 * lesion_diameter_um**3 * _L_PER_UM3


def released_organ_doses_Gy_per_GBq(
    washed_out_per_decay: Mapping[str, float], lesion_MBq_h_per_MBq: float, phantom: str = "adult_male"
) -> dict[str, dict[Quality | str, float]]:
    """Organ dose by quality per GBq injected, from what leaves one lesion; empty where nothing leaves.

    Comes on top of doses from activity that the organs take up themselves. Published organ doses of alpha emitters hold
    what their own patients' lesions released, so the two are not simply added.
    """
    released = {name: 1e3 * share * lesion_MBq_h_per_MBq for name, share in washed_out_per_decay.items() if share > 0.0}
    if not released:
        return {}
    return organ_dose_of_nuclides(redistribute(released).in_organs(), phantom)


def released_note(washed_out_per_decay: Mapping[str, float], lesion_MBq_h_per_MBq: float, phantom: str) -> str:
    """What a report says of it; empty where nothing leaves. Says so where a daughter's way is not known."""
    try:
        doses = released_organ_doses_Gy_per_GBq(washed_out_per_decay, lesion_MBq_h_per_MBq, phantom)
    except BadInput as error:
        return f"what daughters that leave this lesion do to organs is not known: {error}"
    alpha = {organ: doses.get(organ, {}).get("alpha", 0.0) for organ in SHOWN}
    if not any(alpha.values()):
        return ""
    text = ", ".join(f"{organ} {value:.2g}" for organ, value in alpha.items())
    return (f"daughters that this lesion hands to the blood add {text} Gy/GBq of alpha dose, which the organ limits do "
            "not count: published doses hold their patients' own")
