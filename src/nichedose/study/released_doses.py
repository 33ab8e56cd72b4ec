"""What the daughters that one lesion hands to the blood do to organs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nichedose.body import redistribute
from nichedose.dose import Quality, organ_dose_of_nuclides
from nichedose.study.evaluate import CandidateDose

__all__ = ["lesion_MBq_h_per_MBq", "released_organ_doses_Gy_per_GBq"]

_L_PER_UM3 = 1e-15


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
