"""The tissue that each cell or spot stands for: a nearest-neighbour tessellation, never a bounding box."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray, Grid

__all__ = ["IntArray", "Raster", "inside_outlines", "signed_distance_um", "tessellate"]

IntArray = NDArray[np.intp]
MAX_RASTER = 40_000_000


@dataclass(frozen=True, eq=False)
class Raster:
    """``owner`` (ny, nx): the row to which a voxel belongs, -1 outside the tissue; ``place`` (n,): each row's voxel."""

    grid: Grid
    owner: IntArray
    place: IntArray

    @property
    def tissue(self) -> BoolArray:
        return np.asarray(self.owner >= 0)

    @property
    def area_mm2(self) -> float:
        return float(self.tissue.sum()) * self.grid.voxel_area_mm2

    def at_rows(self, field: NDArray[np.generic]) -> NDArray[np.generic]:
        """A raster field (ny, nx) at the rows: (n,)."""
        return field.ravel()[self.place]

    def of_owner(self, values: NDArray[np.generic], outside: float) -> Array:
        """A value per row (n,) spread over what it owns: (ny, nx)."""
        return np.where(self.tissue, np.asarray(values)[self.owner], outside)

    def total_per_voxel(self, amounts: Array) -> Array:
        """Amounts per row (n,) summed in the voxel in which the row lies: (ny, nx)."""
        total = np.bincount(self.place, np.asarray(amounts, dtype=float), minlength=self.owner.size)
        return np.asarray(total.reshape(self.owner.shape), dtype=float)

    def spread(self, amounts: Array) -> Array:
        """Amounts per row (n,) spread evenly over what each row owns: (ny, nx), with the same sum."""
        owned = np.bincount(self.owner[self.tissue], minlength=len(amounts))
        return self.of_owner(np.asarray(amounts, dtype=float) / np.maximum(owned, 1), 0.0)


def tessellate(
    xy_um: Array, *, voxel_um: float, reach_um: float, margin_um: float, outlines_um: Sequence[Array] = ()
) -> Raster:
    """Give every voxel of the tissue to the nearest row.

    Tissue is what lies within ``reach_um`` of a row, drawn back from every open border to ``margin_um`` outside the
    outermost rows (a closing: gaps narrower than twice the reach are filled, the outside is not), and inside
    ``outlines_um`` where there are any. The raster starts at the lowest coordinates, so that it moves with the section.
    """
    low = xy_um.min(axis=0) - reach_um
    size = xy_um.max(axis=0) + reach_um - low
    nx, ny = (max(math.ceil(s / voxel_um), 1) for s in size.tolist())
    if nx * ny > MAX_RASTER:
        raise BadInput(
            f"A raster of {voxel_um:g} um over {size[0]:.0f} x {size[1]:.0f} um has {nx * ny:,} voxels, more than "
            f"{MAX_RASTER:,}; take larger voxels (voxel_um), or check the unit of the positions."
        )
    grid = Grid((ny, nx), voxel_um, (float(low[1]) + 0.5 * voxel_um, float(low[0]) + 0.5 * voxel_um))
    y, x = np.meshgrid(grid.y_um, grid.x_um, indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    found = cKDTree(xy_um).query(points, distance_upper_bound=reach_um, workers=-1)
    distance, owner = np.asarray(found[0]).reshape(grid.shape), np.asarray(found[1]).reshape(grid.shape)
    tissue = np.isfinite(distance)
    deep = distance_transform_edt(np.pad(tissue, 1), sampling=voxel_um)[1:-1, 1:-1]
    tissue &= deep - 0.5 * voxel_um > reach_um - margin_um
    tissue |= distance <= margin_um
    owner = np.where(tissue, owner, -1).astype(np.intp)
    if outlines_um:
        owner[~inside_outlines(grid, outlines_um)] = -1
    column = np.clip(((xy_um[:, 0] - low[0]) / voxel_um).astype(np.intp), 0, nx - 1)
    row = np.clip(((xy_um[:, 1] - low[1]) / voxel_um).astype(np.intp), 0, ny - 1)
    return Raster(grid, owner, row * nx + column)


def inside_outlines(grid: Grid, outlines_um: Sequence[Array]) -> BoolArray:
    """Voxels whose centre lies inside an odd number of the closed ``outlines_um``, each (n, 2) as (x, y)."""
    crossings = np.zeros(grid.shape, dtype=np.intp)
    y = grid.y_um
    for outline in outlines_um:
        a = np.asarray(outline, dtype=float)
        b = np.roll(a, -1, axis=0)
        low, high = np.minimum(a[:, 1], b[:, 1]), np.maximum(a[:, 1], b[:, 1])
        first, last = np.searchsorted(y, low, side="left"), np.searchsorted(y, high, side="left")
        count = last - first  # rows of voxels that each edge crosses; none for a level edge
        edge = np.repeat(np.arange(len(a)), count)
        row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
        slope = (b[edge, 0] - a[edge, 0]) / (b[edge, 1] - a[edge, 1])
        at = a[edge, 0] + (y[row] - a[edge, 1]) * slope
        column = np.clip(np.ceil((at - grid.x_um[0]) / grid.spacing_um).astype(np.intp), 0, grid.shape[1])
        keep = column < grid.shape[1]
        np.add.at(crossings, (row[keep], column[keep]), 1)
    return np.asarray(np.cumsum(crossings, axis=1) % 2 == 1)


def signed_distance_um(inside: BoolArray, outside: BoolArray, voxel_um: float) -> Array:
    """Distance to the border between ``inside`` and ``outside``, below zero inside; NaN where neither is.

    Only that border counts, not the edge of the section. Infinite where the other side does not exist.
    """
    distance = np.full(inside.shape, np.nan)
    for here, there, sign in ((inside, outside, -1.0), (outside, inside, 1.0)):
        if not here.any():
            continue
        if not there.any():
            distance[here] = sign * np.inf
            continue
        away = distance_transform_edt(~there, sampling=voxel_um)
        distance[here] = sign * np.maximum(away[here] - 0.5 * voxel_um, 0.0)
    return distance
