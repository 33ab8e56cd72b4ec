"""Progeny that are released in the tumour: how the case's numbers and the tissue's vessels move them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nichedose.case import Daughters
from nichedose.dose import Migration, Mobility, migrate
from nichedose.dose.section import LONGEST_PROGENY_HALF_LIFE_H
from nichedose.fields.grid import Array
from nichedose.tissue import TissueMap

__all__ = ["follow_daughters"]

_CM_PER_UM = 1e-4


def follow_daughters(
    tissue: TissueMap, radionuclide: str, tia_by_state: Mapping[str, Array], daughters: Daughters
) -> Migration:
    """Where the progeny of a label with ``tia_by_state`` (MBq.h/L: free, bound, internalised) decay.

    The clearance follows the vessels: permeability of their walls times their perfused surface per tissue volume.
    """
    clearance = np.asarray(daughters.permeability_um_per_s * tissue.vessel_surface_per_cm * _CM_PER_UM)
    return migrate(
        tissue.grid, tissue.mask, radionuclide, tia_by_state,
        retention={"free": daughters.retained_free, "bound": daughters.retained_bound,
                   "internalised": daughters.retained_internalised},
        mobility=Mobility(daughters.diffusivity_um2_per_s, clearance),
        longest_half_life_h=LONGEST_PROGENY_HALF_LIFE_H)
