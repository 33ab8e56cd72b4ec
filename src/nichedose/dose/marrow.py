"""Active marrow: what of its charged particles' energy stays in it, and how much activity it holds.

Along a straight track spongy bone alternates between cavities and trabeculae, and a cavity between active marrow and
fat cells. With chords that are exponential the chance to be in a phase again after a mass path s relaxes to its share
as exp(-s (1/a + 1/b)), a and b the two mean chords in mass; folded with the radial kernel that gives the absorbed
fraction.
"""

from __future__ import annotations

import numpy as np

from nichedose.dose.kernels import RadialKernel
from nichedose.dose.numbers import one_number
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.library.phantoms import Tissue

__all__ = ["marrow_activity_from_blood", "marrow_activity_from_image", "marrow_fraction"]

_MARROW, _TRABECULA, _FAT = 1.03, 1.92, 0.92  # g/cm3, rounded
_BLOOD_SHARE = 0.19  # extracellular fluid of active marrow: the ratio of marrow to blood is 0.19/(1 - Hct)
_HAEMATOCRIT = (0.1, 0.7)


def marrow_fraction(kernel: RadialKernel, tissue: Tissue, start: str = "marrow") -> float:
    """Share of the energy that active marrow takes, of particles from active marrow or from ``start="trabeculae"``."""
    distance = 0.5 * (kernel.radius_um[1:] + kernel.radius_um[:-1])
    energy = np.diff(kernel.cumulative_MeV)
    if start == "marrow":
        taken = kernel.cumulative_MeV[0] + float(energy @ _again_in_marrow(distance, tissue))
    else:
        taken = float(energy @ _reached_from_bone(distance, tissue))
    return float(taken / kernel.total_MeV)


def _again_in_marrow(path_um: Array, tissue: Tissue) -> Array:
    active = tissue.cellularity.central
    fat_chord = 2.0 / 3.0 * tissue.fat_cell_um.central * _FAT
    between = 1.0 / fat_chord * (1.0 + (1.0 - active) / active)
    return np.asarray(_stay(path_um, tissue) * (active + (1.0 - active) * np.exp(-path_um * between)))


def _reached_from_bone(path_um: Array, tissue: Tissue) -> Array:
    cavity, rate = _spongy(tissue)
    return np.asarray(tissue.cellularity.central * cavity * -np.expm1(-path_um * rate))


def _stay(path_um: Array, tissue: Tissue) -> Array:
    cavity, rate = _spongy(tissue)
    return np.asarray(cavity + (1.0 - cavity) * np.exp(-path_um * rate))


def _spongy(tissue: Tissue) -> tuple[float, float]:
    """Share of cavities along a track, by mass, and the rate of relaxation, 1/um of water."""
    cavity = tissue.cavity_chord_um.central * _MARROW
    bone = tissue.trabecula_chord_um.central * _TRABECULA
    return cavity / (cavity + bone), 1.0 / cavity + 1.0 / bone


def marrow_activity_from_blood(
    blood_MBq_h_per_mL: float, marrow_mass_g: float, haematocrit: float | None = None, ratio: float | None = None
) -> float:
    """Time-integrated activity of active marrow, MBq.h, from that of a millilitre of *blood* (not plasma).

    The concentration in marrow (per g) is ``ratio`` times that in blood (per mL): given, or 0.19/(1 - ``haematocrit``)
    for labels that stay in plasma and the marrow's extracellular space. After 177Lu-DOTATATE marrow was found to hold
    as much as blood (Forrer et al., abstract): a ratio of 1. What binds in marrow must be imaged. Raises
    `BadInput` unless just one of the two is given.

    Source of 0.19: "Bone marrow dosimetry for radioimmunotherapy: theoretical considerations", of which the abstract
    was read (0.36 at a haematocrit of 0.47); Sgouros, J Nucl Med 1993; 34: 689, as remembered: the copy names neither.

    >>> round(marrow_activity_from_blood(0.01, 1170.0, haematocrit=0.45), 3)
    4.042
    """
    if (haematocrit is None) == (ratio is None):
        raise BadInput("Give either haematocrit or ratio (concentration in marrow over that in blood).")
    if haematocrit is not None:
        low, high = _HAEMATOCRIT
        if not low <= one_number("haematocrit", haematocrit, "a fraction") <= high:
            raise BadInput(f"haematocrit = {haematocrit:g}; it must lie between {low:g} and {high:g}, as a fraction.")
        ratio = _BLOOD_SHARE / (1.0 - haematocrit)
    assert ratio is not None
    for name, value in (("blood_MBq_h_per_mL", blood_MBq_h_per_mL), ("marrow_mass_g", marrow_mass_g), ("ratio", ratio)):
        if not 0.0 <= one_number(name, value, "0 or above") < np.inf:
            raise BadInput(f"{name} = {value:g}; it must be finite and not negative.")
    return blood_MBq_h_per_mL * ratio * marrow_mass_g


def marrow_activity_from_image(region_MBq_h: float, share_of_active_marrow: float) -> float:
    """Time-integrated activity of all active marrow, MBq.h, from that seen in a part that holds a share of it.

    >>> round(marrow_activity_from_image(0.3, 0.123), 2)  # all lumbar vertebrae
    2.44
    """
    if not 0.0 <= one_number("region_MBq_h", region_MBq_h, "MBq.h") < np.inf:
        raise BadInput(f"region_MBq_h = {region_MBq_h:g}; it must be finite and not negative.")
    if not 0.0 < one_number("share_of_active_marrow", share_of_active_marrow, "above 0 and up to 1") <= 1.0:
        raise BadInput(f"share_of_active_marrow = {share_of_active_marrow:g}; it must lie above 0 and up to 1.")
    return region_MBq_h / share_of_active_marrow
