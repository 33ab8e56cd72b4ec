"""Cells and the faces between them: one description for sections, stacks and radial bodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.fields.number import is_number, real_array

__all__ = ["IntArray", "Mesh", "radial_mesh", "voxel_mesh"]

IntArray = NDArray[np.signedinteger[Any]]
CONTENT_PER_ANGLE = {1: 1.0, 2: 2.0 * np.pi, 3: 4.0 * np.pi}


@dataclass(frozen=True)
class Mesh:
    """``n`` cells of tissue, in row-major order of ``mask``, and their faces.

    ``volume`` (n,) um3 (per um of what is not resolved: depth of a section). ``places`` (axes, n) integer grid places;
    ``lines_um`` the centres of the cells along each axis, from the corner or the middle.
    Inner faces lie between cells ``a`` and ``b`` (a before b along ``axis``) with ``area`` (f,) um2 and the distances
    from both centres, um. Edge faces bound ``edge_cell`` on the side ``edge_side`` (-1 or 1) of ``edge_axis``.
    """

    mask: BoolArray
    volume: Array
    places: IntArray
    a: IntArray
    b: IntArray
    axis: IntArray
    area: Array
    distance_a: Array
    distance_b: Array
    edge_cell: IntArray
    edge_axis: IntArray
    edge_side: IntArray
    edge_area: Array
    edge_distance: Array
    lines_um: tuple[Array, ...]

    @property
    def n(self) -> int:
        return int(self.volume.size)

    def gather(self, name: str, field: Array | float) -> Array:
        """Values of the cells (n,) of a number or an array of the mask's shape; raises `BadInput` for another shape and
        for values that are not finite."""
        array = real_array(name, field)
        if array.ndim and array.shape != self.mask.shape:
            raise BadInput(
                f"{name} has shape {array.shape}; give a number or an array of the grid's shape {self.mask.shape}."
            )
        values = np.broadcast_to(array, self.mask.shape)[self.mask] if array.ndim else np.full(self.n, float(array))
        wrong = ~np.isfinite(values)
        if wrong.any():
            first = [int(p) for p in self.places[:, np.flatnonzero(wrong)[0]]]
            raise BadInput(f"{name} must be finite in tissue; {int(wrong.sum())} cells are not, the first at {first}.")
        return values

    def scatter(self, values: Array) -> Array:
        """(..., n) -> (..., *shape), zero outside the mask."""
        out = np.zeros((*values.shape[:-1], *self.mask.shape))
        # one by one: with an ellipsis before the mask, NumPy takes ten times as long
        for whole, row in zip(out.reshape(-1, *self.mask.shape), values.reshape(-1, values.shape[-1]), strict=True):
            whole[self.mask] = row
        return out

    def conductance(self, diffusivity: Array, along: tuple[float, ...] | None = None) -> Array:
        """Face conductances (f,), um3/s for ``diffusivity`` (n,) um2/s: two half cells in series (harmonic mean).

        ``along`` gives each axis a factor (a tensor whose axes are the grid's).
        """
        here, there = diffusivity[self.a], diffusivity[self.b]
        below = self.distance_a * there + self.distance_b * here
        out = np.divide(self.area * here * there, below, out=np.zeros_like(below), where=below > 0.0)
        return out if along is None else out * np.asarray(along)[self.axis]

    def edge_conductance(self, diffusivity: Array, along: tuple[float, ...] | None = None) -> Array:
        """The same between each edge cell's centre and its edge face (e,)."""
        out = diffusivity[self.edge_cell] * self.edge_area / self.edge_distance
        return np.asarray(out if along is None else out * np.asarray(along)[self.edge_axis])

    def divergence(self, through_faces: Array, through_edge: Array) -> Array:
        """What leaves each cell (n,), for flows (f,) from a to b and (e,) outwards."""
        out = np.bincount(self.a, through_faces, minlength=self.n) + np.bincount(
            self.edge_cell, through_edge, minlength=self.n
        )
        return np.asarray(out - np.bincount(self.b, through_faces, minlength=self.n))


def voxel_mesh(mask: BoolArray, spacing_um: float) -> Mesh:
    """Square or cubic voxels of a 1-, 2- or 3-D ``mask`` of any shape.

    >>> voxel_mesh(np.ones((2, 3), bool), 10.0).area.size
    7
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or not 1 <= mask.ndim <= 3:
        got = f"{mask.dtype} with {mask.ndim}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise BadInput(f"A mask must be a boolean array with 1 to 3 axes; got {got}.")
    if not mask.any():
        raise BadInput("The mask is empty; no voxel lies in tissue.")
    if not (is_number(spacing_um) and spacing_um > 0.0):
        raise BadInput(f"A grid spacing must be above 0 um; got {spacing_um}.")
    n = int(mask.sum())
    number = np.int32 if n < 2**31 else np.int64
    index: IntArray = np.full(mask.shape, -1, dtype=number)
    index[mask] = np.arange(n, dtype=number)
    face = spacing_um ** (mask.ndim - 1)
    pairs, edges = [], []
    for axis in range(mask.ndim):
        low, high = _ends(mask.ndim, axis)
        first, second = index[low].ravel(), index[high].ravel()
        inner = (first >= 0) & (second >= 0)
        pairs.append((first[inner], second[inner], axis))
        for side, neighbour in ((-1, _shifted(index, axis, 1)), (1, _shifted(index, axis, -1))):
            edges.append((index[mask & (neighbour < 0)], axis, side))
    count = sum(p[0].size for p in pairs)
    edge_cell = np.concatenate([e[0] for e in edges])
    return Mesh(
        mask=mask,
        volume=np.broadcast_to(spacing_um**mask.ndim, n),  # one number, not a field
        places=_places(mask),
        a=np.concatenate([p[0] for p in pairs]),
        b=np.concatenate([p[1] for p in pairs]),
        axis=np.concatenate([np.full(p[0].size, p[2], dtype=np.int8) for p in pairs]),
        area=np.broadcast_to(face, count),
        distance_a=np.broadcast_to(0.5 * spacing_um, count),
        distance_b=np.broadcast_to(0.5 * spacing_um, count),
        edge_cell=edge_cell,
        edge_axis=np.concatenate([np.full(e[0].size, e[1]) for e in edges]),
        edge_side=np.concatenate([np.full(e[0].size, e[2]) for e in edges]),
        edge_area=np.full(edge_cell.size, face),
        edge_distance=np.full(edge_cell.size, 0.5 * spacing_um),
        lines_um=tuple(spacing_um * (np.arange(length, dtype=float) + 0.5) for length in mask.shape),
    )


def _places(mask: BoolArray) -> IntArray:
    """Grid places of the cells (axes, n), an axis at a time: small numbers, and no larger copy on the way."""
    number = np.int16 if max(mask.shape) < 2**15 else np.int32
    out: IntArray = np.empty((mask.ndim, int(mask.sum())), dtype=number)
    for axis, length in enumerate(mask.shape):
        steps = np.arange(length, dtype=number).reshape([-1 if k == axis else 1 for k in range(mask.ndim)])
        out[axis] = np.broadcast_to(steps, mask.shape)[mask]
    return out


def radial_mesh(edges_um: Array, dimension: int = 3) -> Mesh:
    """Shells between the radii ``edges_um`` (n + 1,), rising from 0 or a wall: a sphere (dimension 3), cylinder, slab.

    A positive first radius makes an inner edge face (a vessel's wall), the last one the outer.

    >>> bool(np.isclose(radial_mesh(np.linspace(0.0, 3.0, 4)).volume.sum(), 36.0 * np.pi))
    True
    """
    edges = real_array("edges_um of shells", edges_um)
    if not is_number(dimension) or dimension not in CONTENT_PER_ANGLE:
        raise BadInput(f"A radial body has dimension 1, 2 or 3; got {dimension!r:.40}.")
    rising = edges.ndim == 1 and edges.size > 1 and np.isfinite(edges).all() and bool((np.diff(edges) > 0).all())
    if not rising or edges[0] < 0.0:
        raise BadInput("The radii of shells must be finite, start at or above 0 um and rise.")
    angle, n = CONTENT_PER_ANGLE[dimension], edges.size - 1
    volume = angle / dimension * np.diff(edges**dimension)
    centres = 0.5 * (edges[1:] + edges[:-1])
    area = angle * edges ** (dimension - 1)
    inner = edges[0] > 0.0
    sides = ([0] if inner else []) + [n - 1]
    side_edges = edges[[0, n]] if inner else edges[[n]]
    return Mesh(
        mask=np.ones(n, bool),
        volume=volume,
        places=np.arange(n)[None],
        a=np.arange(n - 1),
        b=np.arange(1, n),
        axis=np.zeros(n - 1, dtype=np.intp),
        area=area[1:-1],
        distance_a=edges[1:-1] - centres[:-1],
        distance_b=centres[1:] - edges[1:-1],
        edge_cell=np.array(sides),
        edge_axis=np.zeros(len(sides), dtype=np.intp),
        edge_side=np.array([-1, 1] if inner else [1]),
        edge_area=angle * side_edges ** (dimension - 1),
        edge_distance=np.abs(centres[sides] - side_edges),
        lines_um=(centres,),
    )


def _ends(axes: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    whole = [slice(None)] * axes
    low, high = list(whole), list(whole)
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return tuple(low), tuple(high)


def _shifted(index: IntArray, axis: int, by: int) -> IntArray:
    """The index of each voxel's neighbour: ``by`` = 1 the one before, -1 the one after; -1 where there is none."""
    out = np.full_like(index, -1)
    low, high = _ends(index.ndim, axis)
    if by == 1:
        out[high] = index[low]
    else:
        out[low] = index[high]
    return out
