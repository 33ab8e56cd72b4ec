"""Dose by radiation quality, its time course in a few pairs, and what crossed the edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.values import Flag

__all__ = ["QUALITIES", "DoseMap", "DoseRateHistory", "Quality", "SectionGeometry"]

Quality = Literal["alpha", "recoil", "beta", "conversion", "auger", "photon"]
QUALITIES: tuple[Quality, ...] = ("alpha", "recoil", "beta", "conversion", "auger", "photon")


@dataclass(frozen=True)
class SectionGeometry:
    """What the section stands for in space (design, decision 5); lengths in um."""

    along_z: Literal["slab", "section"]
    thickness_um: float
    surroundings: Literal["uniform", "mirror", "isolated"]
    lesion_diameter_um: float


@dataclass(frozen=True)
class DoseRateHistory:
    """The time course of dose rate at every place, as a few (map, curve) pairs with the total dose exact.

    Dose rate (x, t) = dose(x) * ``base_per_h``(t) + sum over r of ``maps``[r](x) * ``curves_per_h``[r](t);
    the integral of ``base_per_h`` is 1 and of each ``curves_per_h`` 0, so the integral is the dose itself.
    ``times_h`` (nt,), curves (n, nt), maps (n, ny, nx) or (n, nz, ny, nx) in Gy; ``g_error`` bounds, absolutely, what
    dropping further pairs does to the Lea-Catcheside factor in the worst voxel.
    """

    times_h: Array
    base_per_h: Array
    curves_per_h: Array
    maps_Gy: Array
    g_error: float


@dataclass(frozen=True)
class DoseMap:
    """Absorbed dose of one administration per MBq injected (Gy/MBq), by quality; arrays (ny, nx), 0 outside ``mask``.

    ``by_quality`` is the tissue mean in each voxel. ``nucleus_by_quality[cell class][quality]`` is the dose to the
    nuclei of a cell class there: cross-fire plus self-dose from its own label, counted once.
    ``escaped_fraction``: of the charged-particle energy emitted in the section, what left it; ``entered_fraction``:
    what came in from the surroundings, relative to the same. ``photon_energy_fraction``: of all emitted energy,
    photons, which are not deposited unless ``photon`` stands among the qualities; ``photon_dose_bound``: the mean dose
    that they add in a sphere of the lesion's size, at most, over the charged energy emitted per mass.
    """

    grid: Grid
    mask: BoolArray
    by_quality: Mapping[Quality, Array]
    nucleus_by_quality: Mapping[str, Mapping[Quality, Array]]
    history: DoseRateHistory
    escaped_fraction: float
    entered_fraction: float
    photon_energy_fraction: float
    photon_dose_bound: float = 0.0
    flags: tuple[Flag, ...] = ()
