"""Dose in a section as the linear map of its label that it is, run forwards and backwards (the transpose)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import fft

from nichedose.dose.cells import nucleus_s_values
from nichedose.dose.convolve import (
    GY_PER_MEV_MBQ_H_PER_L,
    KernelKey,
    Plane,
    dose_with_surroundings,
    from_uniform,
    inside_dose,
    mirror_box,
    mirror_spectra,
)
from nichedose.dose.geometry import sphere_volume_um3
from nichedose.dose.result import Quality, SectionGeometry
from nichedose.dose.section import CellLabel, nuclei, section_keys
from nichedose.dose.units import DECAYS_PER_MBQ_H, UM3_PER_L
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.nuclide import canonical_name

__all__ = ["LinearDose", "linear_dose", "nucleus_doses", "nucleus_owed", "voxel_doses", "voxel_owed"]

ByClass = Mapping[str, Mapping[Quality, Array]]


@dataclass(frozen=True)
class LinearDose:
    """What dose in a section depends on besides its label.

    ``cells`` by class: the share of a voxel's bound and internalised time-integrated activity (MBq.h per L) that one
    cell holds, in L.
    """

    plane: Plane
    keys: tuple[KernelKey, ...]
    cells: Mapping[str, CellLabel]
    cell_radius_um: float
    nucleus_radius_um: float


def linear_dose(
    grid: Grid, mask: BoolArray, nuclide: str, cells: Mapping[str, CellLabel], geometry: SectionGeometry,
    cell_radius_um: float, nucleus_radius_um: float,
) -> LinearDose:
    """The map behind `section_dose` for charged particles and progeny that decay in place."""
    plane = Plane(grid.shape, grid.spacing_um, np.ascontiguousarray(mask, dtype=np.bool_).tobytes(), geometry)
    return LinearDose(plane, section_keys(canonical_name(nuclide)), cells, cell_radius_um, nucleus_radius_um)


def voxel_doses(of: LinearDose, maps: Array) -> Array:
    """Mean dose of each voxel, all qualities together, Gy, for maps (n, ny, nx) of activity in MBq.h/L."""
    inside = inside_dose(of.plane, maps, of.keys, summed=True)
    return np.asarray(dose_with_surroundings(of.plane, maps, of.keys, inside, summed=True)[0])


def voxel_owed(of: LinearDose, owed: Array) -> Array:
    """Transpose of `voxel_doses`: a number's derivatives by those doses (n, ny, nx) to its derivatives by the maps."""
    return np.stack([_transposed(of, np.stack([one] * len(of.keys))) for one in owed])


def nucleus_doses(of: LinearDose, tia: Mapping[str, Array]) -> ByClass:
    """Dose to the nuclei of each class by quality, Gy, for ``tia`` of free, bound and internalised label, MBq.h/L."""
    total, by_quality = _by_quality(of, tia)
    cells = {name: CellLabel(tia["bound"] * c.surface_MBq_h_per_cell, tia["internalised"] * c.internal_MBq_h_per_cell)
             for name, c in of.cells.items()}
    return nuclei(of.keys, by_quality, total, cells, of.plane.mask, of.cell_radius_um, of.nucleus_radius_um)


def nucleus_owed(of: LinearDose, tia: Mapping[str, Array], owed: ByClass) -> dict[str, Array]:
    """A number's derivatives by `nucleus_doses` to its derivatives by ``tia``, state by state.

    Where the cross-fire to nuclei is cut at zero it owes nothing to the voxel's dose.
    """
    total, by_quality = _by_quality(of, tia)
    zero = np.zeros(of.plane.shape)
    own, bound, inside = zero.copy(), zero.copy(), zero.copy()
    spread = []
    for key in of.keys:
        s = nucleus_s_values(key.nuclide, key.quality, key.daughters, key.longest_half_life_h, of.cell_radius_um,
                             of.nucleus_radius_um, key.decay_data)
        per_tia = sphere_volume_um3(of.cell_radius_um) / UM3_PER_L * DECAYS_PER_MBQ_H * s["cell"]
        crossing = by_quality[key.quality] > total * per_tia
        weights = {name: np.where(of.plane.mask, owed[name][key.quality], 0.0) for name in of.cells}
        cross = np.where(crossing, sum(weights.values(), start=zero), 0.0)
        own -= per_tia * cross
        spread.append(np.where(by_quality[key.quality] > 0.0, cross, 0.0))
        for name, cell in of.cells.items():
            bound += weights[name] * (DECAYS_PER_MBQ_H * s["surface"]) * cell.surface_MBq_h_per_cell
            inside += weights[name] * (DECAYS_PER_MBQ_H * s["cytoplasm"]) * cell.internal_MBq_h_per_cell
    everything = own + _transposed(of, np.stack(spread))
    return {"free": everything, "bound": everything + bound, "internalised": everything + inside}


def _by_quality(of: LinearDose, tia: Mapping[str, Array]) -> tuple[Array, dict[Quality, Array]]:
    total = np.where(of.plane.mask, tia["free"] + tia["bound"] + tia["internalised"], 0.0)
    inside = inside_dose(of.plane, total[None], of.keys)
    doses = np.maximum(dose_with_surroundings(of.plane, total[None], of.keys, inside)[:, 0], 0.0)
    return total, {key.quality: doses[i] for i, key in enumerate(of.keys)}


def _transposed(of: LinearDose, weights: Array) -> Array:
    """Sum over kernels of the transpose of their convolution, for weights (n_key, ny, nx); kernels are even."""
    plane, mask = of.plane, of.plane.mask
    weights = weights * mask
    if plane.geometry.surroundings == "mirror":
        return _mirror_transposed(of, weights)
    out = np.zeros(plane.shape)
    for key, weight in zip(of.keys, weights, strict=True):
        out += inside_dose(plane, weight[None], (key,))[0, 0]
        if plane.geometry.surroundings == "uniform":
            out += mask * (float((from_uniform(plane, key) * weight).sum()) / np.count_nonzero(mask))
    return out


def _mirror_transposed(of: LinearDose, weights: Array) -> Array:
    """Reflection for ever is its own transpose; that of taking the nearest value adds up what was handed out."""
    rows, columns, i, j = mirror_box(of.plane)
    boxed = weights[:, rows, columns]
    even = np.concatenate([boxed, boxed[:, ::-1]], axis=1)
    even = np.concatenate([even, even[:, :, ::-1]], axis=2)
    period = (even.shape[1], even.shape[2])
    spectra = mirror_spectra(of.keys, of.plane, period)
    back: Array = np.asarray(fft.irfft2((spectra * fft.rfft2(even, workers=1)).sum(axis=0), s=period, workers=1))
    ny, nx = boxed.shape[1:]
    places = np.asarray(i * nx + j, dtype=np.intp)
    found = np.bincount(places.ravel(), weights=back[:ny, :nx].ravel(), minlength=ny * nx).reshape(ny, nx)
    out: Array = np.zeros(of.plane.shape)
    out[rows, columns] = found
    return out * GY_PER_MEV_MBQ_H_PER_L
