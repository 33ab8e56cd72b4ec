"""Dose in a tissue section: tissue mean and cell nuclei, by quality, with its time course."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nichedose.dose.cells import check_radii, nucleus_s_values
from nichedose.dose.convolve import (
    GY_PER_MEV_MBQ_H_PER_L,
    KernelKey,
    Plane,
    beyond_sphere,
    dose_with_surroundings,
    inside_dose,
)
from nichedose.dose.geometry import sphere_volume_um3
from nichedose.dose.history import compress_history, mean_history
from nichedose.dose.kernels import Daughters, charged_qualities, energy_MeV_per_decay, radial_kernel
from nichedose.dose.numbers import check_kind, one_length, real_array, whole_number
from nichedose.dose.result import DoseMap, DoseRateHistory, Quality, SectionGeometry
from nichedose.dose.units import DECAYS_PER_MBQ_H, UM3_PER_L
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.nuclide import Source, canonical_name
from nichedose.values import Flag

__all__ = ["LONGEST_PROGENY_HALF_LIFE_H", "CellLabel", "check_geometry", "nuclei", "section_dose", "section_keys"]

# Progeny that live longer than a year do not decay in place within a treatment (207Bi after 211At); assumed.
LONGEST_PROGENY_HALF_LIFE_H = 8766.0


@dataclass(frozen=True)
class CellLabel:
    """Label of one cell class per MBq injected: time-integrated activity on and in one cell, MBq.h, arrays (ny, nx)."""

    surface_MBq_h_per_cell: Array
    internal_MBq_h_per_cell: Array


def section_dose(
    grid: Grid,
    mask: BoolArray,
    nuclide: str,
    *,
    tia_MBq_h_per_L: Array,
    cells: Mapping[str, CellLabel],
    times_h: Array,
    activity_MBq_per_L: Array,
    geometry: SectionGeometry,
    cell_radius_um: float,
    nucleus_radius_um: float,
    daughters: Daughters = "equilibrium",
    history: bool = True,
    pairs: int | None = None,
    bounded: bool = True,
    photons: bool = False,
    decay_data: Source | None = None,
) -> DoseMap:
    """Dose per MBq injected in a section, from charged particles, and with ``photons`` from photons too.

    ``tia_MBq_h_per_L`` (ny, nx): time-integrated activity of all states per tissue volume and MBq injected;
    ``activity_MBq_per_L`` (nt, ny, nx): its time course at ``times_h`` (nt,), used for the shape in time alone.
    ``cells``: the label of one cell of each class (zero for cells without target). ``daughters="equilibrium"``: progeny
    that live less than a year decay in place and with the parent. ``pairs`` fixes the number of pairs of the history,
    and ``bounded=False`` then saves the bound on its error; ``history=False`` keeps the mean time course only (both:
    infinity). Without ``photons`` their share of the
    energy and a bound on the dose that they would add are returned. ``decay_data``: "icrp107" or "ensdf".
    Raises `BadInput` for an unknown nuclide, wrong shapes, NaN or negative values, and sizes not above zero.
    """
    nuclide = canonical_name(nuclide, decay_data)
    for name, value, kind in (("grid", grid, Grid), ("mask", mask, np.ndarray), ("cells", cells, Mapping)):
        check_kind(name, value, kind)
    check_radii(cell_radius_um, nucleus_radius_um)
    times_h, tia_MBq_h_per_L = real_array("times_h", times_h), real_array("tia_MBq_h_per_L", tia_MBq_h_per_L)
    activity_MBq_per_L = real_array("activity_MBq_per_L", activity_MBq_per_L)
    _check(grid, mask, tia_MBq_h_per_L, cells, times_h, activity_MBq_per_L)
    check_geometry(geometry)
    if pairs is not None and not whole_number(pairs, 0):
        raise BadInput(f"pairs = {pairs!r}; give a whole number, 0 or above, or None to let the error decide.")
    plane = Plane(grid.shape, grid.spacing_um, np.ascontiguousarray(mask, dtype=np.bool_).tobytes(), geometry)
    keys = section_keys(nuclide, daughters, decay_data, photons)
    tia = np.where(mask, tia_MBq_h_per_L, 0.0)
    own = inside_dose(plane, tia[None], keys)
    # the transforms leave rounding of either sign, 1e-16 of the peak, where nothing arrives
    total = np.maximum(dose_with_surroundings(plane, tia[None], keys, own)[:, 0], 0.0)
    by_quality = {key.quality: total[i] for i, key in enumerate(keys)}
    energies = energy_MeV_per_decay(nuclide, daughters, LONGEST_PROGENY_HALF_LIFE_H, decay_data)
    charged = [i for i, key in enumerate(keys) if key.quality != "photon"]
    escaped, entered = _edge(tia, own[charged], total[charged], sum(energies[keys[i].quality] for i in charged))
    return DoseMap(
        grid=grid,
        mask=mask,
        by_quality=by_quality,
        nucleus_by_quality=nuclei(keys, by_quality, tia, cells, mask, cell_radius_um, nucleus_radius_um),
        history=_history(plane, keys, times_h, activity_MBq_per_L, tia, total.sum(axis=0), pairs,
                         bounded) if history
        else mean_history(times_h, activity_MBq_per_L, plane.mask),
        escaped_fraction=escaped,
        entered_fraction=entered,
        photon_energy_fraction=energies["photon"] / sum(energies.values()),
        photon_dose_bound=_photon_bound(nuclide, daughters, decay_data, geometry.lesion_diameter_um),
        flags=_flags(plane),
    )


def section_keys(
    nuclide: str, daughters: Daughters = "equilibrium", decay_data: Source | None = None, photons: bool = False
) -> tuple[KernelKey, ...]:
    longest = LONGEST_PROGENY_HALF_LIFE_H
    charged = charged_qualities(nuclide, daughters, longest, decay_data)
    if not charged:
        raise BadInput(f"{nuclide} emits no charged particles; its dose in a section cannot be computed.")
    qualities: tuple[Quality, ...] = (*charged, "photon") if photons else charged
    return tuple(KernelKey(nuclide, q, daughters, longest, decay_data) for q in qualities)


@lru_cache(maxsize=64)
def _photon_bound(nuclide: str, daughters: Daughters, decay_data: Source | None, diameter_um: float) -> float:
    """What a photon source in the middle of the lesion leaves in it, over the charged energy; elsewhere it is less.

    By reciprocity it is also what the middle of an evenly filled lesion receives.
    """
    longest = LONGEST_PROGENY_HALF_LIFE_H
    energies = energy_MeV_per_decay(nuclide, daughters, longest, decay_data)
    photon = radial_kernel(nuclide, "photon", daughters, longest, decay_data)
    kept = float(np.interp(0.5 * diameter_um, photon.radius_um, photon.cumulative_MeV))
    return kept / (sum(energies.values()) - energies["photon"])


def _edge(tia: Array, own: Array, total: Array, energy_MeV: float) -> tuple[float, float]:
    """Fractions of the emitted charged energy that left the section, and that came in from around it."""
    emitted = float(tia.sum()) * energy_MeV * GY_PER_MEV_MBQ_H_PER_L
    if emitted <= 0.0:
        return 0.0, 0.0
    kept = float(own.sum())
    return max(0.0, 1.0 - kept / emitted), max(0.0, (float(total.sum()) - kept) / emitted)


def nuclei(
    keys: tuple[KernelKey, ...],
    by_quality: Mapping[Quality, Array],
    tia: Array,
    cells: Mapping[str, CellLabel],
    mask: BoolArray,
    cell_radius_um: float,
    nucleus_radius_um: float,
) -> dict[str, dict[Quality, Array]]:
    """Cross-fire plus self-dose: the voxel's mean dose, less what its own cell's volume contributed to it as if evenly
    filled, plus what the cell's own label gives from where it sits."""
    cell_L = sphere_volume_um3(cell_radius_um) / UM3_PER_L
    doses: dict[str, dict[Quality, Array]] = {name: {} for name in cells}
    for key in keys:
        s = nucleus_s_values(
            key.nuclide, key.quality, key.daughters, key.longest_half_life_h, cell_radius_um, nucleus_radius_um,
            key.decay_data)
        own_volume = tia * (cell_L * DECAYS_PER_MBQ_H * s["cell"])
        cross_fire = np.maximum(by_quality[key.quality] - own_volume, 0.0)
        for name, label in cells.items():
            self_dose = DECAYS_PER_MBQ_H * (
                label.surface_MBq_h_per_cell * s["surface"] + label.internal_MBq_h_per_cell * s["cytoplasm"])
            doses[name][key.quality] = np.where(mask, cross_fire + self_dose, 0.0)
    return doses


def _history(
    plane: Plane, keys: tuple[KernelKey, ...], times_h: Array, activity: Array, tia: Array, dose: Array,
    pairs: int | None, bounded: bool,
) -> DoseRateHistory:
    def spread(maps: Array) -> Array:
        inside = inside_dose(plane, maps, keys, summed=True)
        return np.asarray(dose_with_surroundings(plane, maps, keys, inside, summed=True)[0])

    return compress_history(times_h, activity, tia, plane.mask, dose, spread, pairs, bounded)


def _flags(plane: Plane) -> tuple[Flag, ...]:
    outside = beyond_sphere(plane) if plane.geometry.surroundings == "uniform" else 0
    if not outside:
        return ()
    share, diameter_mm = outside / int(plane.mask.sum()), plane.geometry.lesion_diameter_um * 1e-3
    return (Flag("caution", "surroundings", f"{share:.0%} of the section lies outside a sphere of the stated lesion "
                 f"diameter ({diameter_mm:g} mm) around its centre; those voxels are treated as on its surface."),)


def _check(
    grid: Grid, mask: BoolArray, tia: Array, cells: Mapping[str, CellLabel], times_h: Array, activity: Array
) -> None:
    arrays = {"tia_MBq_h_per_L": tia, "activity_MBq_per_L": activity}
    for name, label in cells.items():
        arrays[f"cells['{name}'].surface_MBq_h_per_cell"] = label.surface_MBq_h_per_cell
        arrays[f"cells['{name}'].internal_MBq_h_per_cell"] = label.internal_MBq_h_per_cell
    if mask.shape != grid.shape or not mask.any():
        raise BadInput(f"mask has shape {mask.shape}; it must be {grid.shape} (y, x), with voxels in tissue.")
    ordered = times_h.ndim == 1 and len(times_h) > 1 and bool((np.diff(times_h) > 0.0).all())
    if not (ordered and np.isfinite(times_h).all()):
        raise BadInput("times_h must be one-dimensional, finite and increasing, with at least two times.")
    for name, array in arrays.items():
        expected = (len(times_h), *grid.shape) if name.startswith("activity") else grid.shape
        if array.shape != expected:
            raise BadInput(f"{name} has shape {array.shape}; it must be {expected}.")
        if not (array.min() >= 0.0 and array.max() < np.inf):  # False for NaN
            raise BadInput(f"{name} holds NaN, infinite or negative values.")


def check_geometry(geometry: SectionGeometry) -> None:
    """Raise `BadInput` for words that are not known and for sizes not above 0."""
    check_kind("geometry", geometry, SectionGeometry)
    for name, value, allowed in (("along_z", geometry.along_z, ("slab", "section")),
                                 ("surroundings", geometry.surroundings, ("uniform", "mirror", "isolated"))):
        if value not in allowed:
            raise BadInput(f"geometry.{name} = '{value}'.{near_miss(str(value), allowed)}")
    one_length("geometry.thickness_um", geometry.thickness_um)
    one_length("geometry.lesion_diameter_um", geometry.lesion_diameter_um)
