"""Spots and grid: what each voxel takes from which spot, and back, without creating or losing anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from scipy import ndimage
from scipy.spatial import cKDTree

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray, Grid

__all__ = [
    "SpotLattice", "grid_to_points", "grid_to_spots", "interpolate_spots", "section_grid", "spots_to_grid",
    "tissue_mask",
]

# lattice cell: (radius that covers it, area), in pitches; a free layout is treated like a hexagonal one
CELL = {"hexagonal": (0.60, math.sqrt(0.75)), "square": (0.73, 1.0), "none": (0.60, math.sqrt(0.75))}
SAMPLES_PER_PITCH = 8  # sample points along a pitch; voxels of any size average the same dense samples
DISC_SAMPLES = 48  # points of a spot's capture area
DISCS_AT_ONCE = 50_000  # 20 MB per array
MAX_VOXELS = 4_000_000
MAX_SPACING_PITCHES = 3.0  # a coarser grid would join spots that do not even touch


class SpotLattice(Protocol):
    """Where the spots lie (`SpotModel` is one)."""

    @property
    def xy_um(self) -> Array: ...
    @property
    def pitch_um(self) -> float: ...
    @property
    def spot_diameter_um(self) -> float: ...
    @property
    def lattice(self) -> str: ...


def section_grid(spots: SpotLattice, spacing_um: float) -> Grid:
    """The smallest grid over all lattice cells; its low edges do not depend on the spacing."""
    if not (math.isfinite(spacing_um) and spacing_um > 0.0):
        raise BadInput(f"The grid spacing must be above 0 um; got {spacing_um}.")
    if spacing_um > MAX_SPACING_PITCHES * spots.pitch_um:
        raise BadInput(
            f"A grid spacing of {spacing_um:g} um is too coarse for spots {spots.pitch_um:g} um apart; take at most "
            f"{MAX_SPACING_PITCHES * spots.pitch_um:g} um."
        )
    reach = CELL[spots.lattice][0] * spots.pitch_um
    low = spots.xy_um.min(axis=0) - reach
    extent = spots.xy_um.max(axis=0) + reach - low
    nx, ny = (max(math.ceil(e / spacing_um - 1e-9), 1) for e in extent.tolist())
    if nx * ny > MAX_VOXELS:
        raise BadInput(
            f"A grid of {spacing_um:g} um over {extent[0]:.0f} x {extent[1]:.0f} um has {nx * ny:,} voxels; at most "
            f"{MAX_VOXELS:,} are allowed. Take a coarser spacing."
        )
    return Grid((ny, nx), spacing_um, (float(low[1]) + 0.5 * spacing_um, float(low[0]) + 0.5 * spacing_um))


def tissue_mask(spots: SpotLattice, grid: Grid) -> BoolArray:
    """Voxels of ``grid`` (ny, nx) that are at least half inside the spots' lattice cells, or hold a spot's centre.

    Holes smaller than a lattice cell (a spot that failed) count as tissue.
    """
    return _partition(spots, grid).mask.copy()


def spots_to_grid(values: Array, spots: SpotLattice, grid: Grid) -> Array:
    """Spread an amount per spot (n_spots,) over the tissue: amount per mm2, (ny, nx), zero outside the tissue.

    Sum of the result times the voxel area equals the sum of ``values`` to rounding. A spot's amount stays within a
    pitch of its centre, and falls smoothly to zero at its neighbours' centres.
    """
    partition = _partition(spots, grid)
    share = np.asarray(values, dtype=float) / partition.voxels_per_spot
    return np.asarray((partition.weights @ share).reshape(grid.shape) / grid.voxel_area_mm2)


def interpolate_spots(values: Array, spots: SpotLattice, grid: Grid) -> Array:
    """A quantity per spot (n_spots,) that is a level, not an amount, as voxel means (ny, nx), zero outside the tissue.

    The interpolation takes the spot's value at its centre, never leaves the range of the spots, and keeps a constant.
    """
    return np.asarray((_partition(spots, grid).weights @ np.asarray(values, dtype=float)).reshape(grid.shape))


def grid_to_spots(field: Array, spots: SpotLattice, grid: Grid) -> Array:
    """Mean of ``field`` (ny, nx) over the part of each spot's capture area that lies in tissue: (n_spots,)."""
    return grid_to_points(field, spots.xy_um, spots.spot_diameter_um, tissue_mask(spots, grid), grid)


def grid_to_points(field: Array, xy_um: Array, diameter_um: float, mask: BoolArray, grid: Grid) -> Array:
    """Mean of ``field`` (ny, nx) over the part in tissue (``mask``) of a disc around each point (n, 2): (n,).

    A disc that lies outside the tissue altogether takes the nearest voxel in it.
    """
    if field.shape != grid.shape:
        raise BadInput(f"The field has shape {field.shape}; the grid is {grid.shape} (y, x).")
    blocks = [_discs(field, xy_um[i:i + DISCS_AT_ONCE], diameter_um, mask, grid)
              for i in range(0, len(xy_um), DISCS_AT_ONCE)]
    return np.concatenate(blocks)


def _discs(field: Array, xy_um: Array, diameter_um: float, mask: BoolArray, grid: Grid) -> Array:
    turn = np.arange(DISC_SAMPLES)
    radius = 0.5 * diameter_um * np.sqrt((turn + 0.5) / DISC_SAMPLES)
    angle = turn * math.pi * (3.0 - math.sqrt(5.0))
    row = _index(xy_um[:, 1:] + radius * np.sin(angle), grid.origin_um[0], grid)
    column = _index(xy_um[:, :1] + radius * np.cos(angle), grid.origin_um[1], grid)
    row, column = np.clip(row, 0, grid.shape[0] - 1), np.clip(column, 0, grid.shape[1] - 1)
    inside = mask[row, column]
    number = inside.sum(axis=1)
    mean = (field[row, column] * inside).sum(axis=1) / np.maximum(number, 1)
    if not number.all():
        nearest = ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True)
        lost = np.flatnonzero(number == 0)
        y, x = nearest[:, row[lost, 0], column[lost, 0]]
        mean[lost] = field[y, x]
    return np.asarray(mean)


def _index(position: Array, origin: float, grid: Grid) -> np.ndarray:
    return np.asarray(np.floor((position - origin) / grid.spacing_um + 0.5), dtype=np.intp)


@dataclass(frozen=True, eq=False)
class _Partition:
    """``weights`` (n_voxels, n_spots): rows of tissue voxels sum to 1; ``voxels_per_spot`` are the column sums."""

    mask: BoolArray
    weights: sp.csr_matrix
    voxels_per_spot: Array


def _partition(spots: SpotLattice, grid: Grid) -> _Partition:
    return _cached(np.ascontiguousarray(spots.xy_um, dtype=float).tobytes(), spots.pitch_um, spots.lattice, grid)


@lru_cache(maxsize=8)  # a pure function of its arguments; every draw asks for the same few
def _cached(xy_bytes: bytes, pitch_um: float, lattice: str, grid: Grid) -> _Partition:
    xy = np.frombuffer(xy_bytes).reshape(-1, 2)
    place = np.stack([_index(xy[:, 1], grid.origin_um[0], grid), _index(xy[:, 0], grid.origin_um[1], grid)])
    if bool((place < 0).any() or (place >= np.array(grid.shape)[:, None]).any()):
        raise BadInput("The grid does not cover all spots; make it with section_grid.")
    split = max(math.ceil(grid.spacing_um * SAMPLES_PER_PITCH / pitch_um - 1e-9), 1)
    step = grid.spacing_um / split
    shift = 0.5 * (grid.spacing_um - step)
    origin = (grid.origin_um[0] - shift, grid.origin_um[1] - shift)
    fine = Grid((grid.shape[0] * split, grid.shape[1] * split), step, origin)
    owner, sample, distance = _pairs(xy, pitch_um, fine)
    reach, area = CELL[lattice]
    tissue = np.zeros(fine.shape, bool)
    tissue.ravel()[sample[distance <= reach * pitch_um]] = True
    tissue = _close_holes(tissue, area * (pitch_um / step) ** 2)
    mask = tissue.reshape(grid.shape[0], split, grid.shape[1], split).mean(axis=(1, 3)) >= 0.5
    mask[place[0], place[1]] = True
    tissue &= np.kron(mask, np.ones((split, split), bool))
    kernel = (1.0 - (distance / pitch_um) ** 2) ** 2
    keep = tissue.ravel()[sample] & (kernel > 0.0)
    owner, sample, kernel = owner[keep], sample[keep], kernel[keep]
    lonely = np.flatnonzero(tissue.ravel() & (np.bincount(sample, kernel, minlength=tissue.size) == 0.0))
    if lonely.size:  # inside a closed hole, a pitch from every spot: the nearest one decides
        y, x = np.divmod(lonely, fine.shape[1])
        nearest = cKDTree(xy).query(np.stack([fine.x_um[x], fine.y_um[y]], axis=1))[1]
        owner, sample = np.append(owner, nearest), np.append(sample, lonely)
        kernel = np.append(kernel, np.ones(lonely.size))
    return _assemble(owner, sample, kernel, fine, split, mask, len(xy))


def _pairs(xy: Array, pitch_um: float, fine: Grid) -> tuple[np.ndarray, np.ndarray, Array]:
    """Spot, sample (flat index) and distance of all pairs within one pitch."""
    half = math.ceil(pitch_um / fine.spacing_um) + 1
    offsets = np.arange(-half, half + 1)
    row = _index(xy[:, 1], fine.origin_um[0], fine)[:, None] + offsets
    column = _index(xy[:, 0], fine.origin_um[1], fine)[:, None] + offsets
    dy = fine.origin_um[0] + fine.spacing_um * row - xy[:, 1:]
    dx = fine.origin_um[1] + fine.spacing_um * column - xy[:, :1]
    squared = dy[:, :, None] ** 2 + dx[:, None, :] ** 2
    valid = (row >= 0) & (row < fine.shape[0])
    near = (squared < pitch_um**2) & valid[:, :, None] & ((column >= 0) & (column < fine.shape[1]))[:, None, :]
    spot, i, j = np.nonzero(near)
    return spot, row[spot, i] * fine.shape[1] + column[spot, j], np.sqrt(squared[spot, i, j])


def _close_holes(tissue: BoolArray, area_samples: float) -> BoolArray:
    padded = np.pad(tissue, 1)
    label, count = ndimage.label(~padded)
    size = np.bincount(label.ravel(), minlength=count + 1)
    small = size <= area_samples
    small[[0, label[0, 0]]] = False
    return np.asarray((padded | small[label])[1:-1, 1:-1])


def _assemble(
    owner: np.ndarray, sample: np.ndarray, kernel: Array, fine: Grid, split: int, mask: BoolArray, n_spots: int
) -> _Partition:
    """Shares per sample point, then their means over each voxel's samples in tissue."""
    share = kernel / np.bincount(sample, kernel)[sample]
    y, x = np.divmod(sample, fine.shape[1])
    voxel = (y // split) * mask.shape[1] + x // split
    weights = sp.csr_matrix((share, (voxel, owner)), shape=(mask.size, n_spots))
    total = np.asarray(weights.sum(axis=1), dtype=float).ravel()
    weights = sp.csr_matrix(sp.diags(np.divide(1.0, total, out=np.zeros_like(total), where=total > 0.0)) @ weights)
    return _Partition(mask, weights, np.asarray(weights.sum(axis=0), dtype=float).ravel())
