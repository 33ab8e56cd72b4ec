"""A mesh and its coarser copies, as the arrays that the multigrid of the network engine runs over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nichedose.fields.grid import Array
from nichedose.fields.mesh import IntArray, Mesh

__all__ = ["MeshLadder", "build_ladder", "fitted", "fitted_slope", "species_coefficients"]

Int32 = NDArray[np.int32]
COARSEST = 12  # cells at which coarsening stops
PECLET_SERIES = 1e-3  # below it, x/(e^x - 1) is taken from its series


@dataclass(frozen=True)
class _Level:
    """Faces of one grid, and where its cells go on the next: ``block`` (n,)."""

    n: int
    a: IntArray
    b: IntArray
    slot_a: IntArray  # place of the face among the neighbours of a, of b
    slot_b: IntArray
    block: IntArray
    merged: IntArray  # the face of the next grid into which each face goes, -1 within a block


@dataclass(frozen=True)
class MeshLadder:
    """All grids, finest first. Each takes n + 1 entries of a flat cell array: the last is a zero for "no neighbour".

    ``start`` (levels + 1,); ``neighbour`` (total, most) cell numbers within the grid; ``block`` (total,) cell of the
    next grid.
    """

    levels: tuple[_Level, ...]
    start: IntArray
    neighbour: Int32
    block: Int32


def build_ladder(mesh: Mesh) -> MeshLadder:
    """Grids of 2 x 2 (x 2) blocks of the grid before, down to a dozen cells or until blocks no longer join."""
    levels: list[_Level] = []
    places, a, b, n = mesh.places, mesh.a, mesh.b, mesh.n
    while True:
        half = places // 2
        shape = tuple(int(p) + 1 for p in half.max(axis=1))
        keys, block = np.unique(np.ravel_multi_index(tuple(half), shape), return_inverse=True)
        slot_a, slot_b = _slots(n, a, b)
        last = n <= COARSEST or keys.size > 0.9 * n
        between = block[a] * (keys.size + 1) + block[b]
        open_faces = block[a] != block[b]
        pairs, joined = np.unique(between[open_faces], return_inverse=True)
        merged = np.full(a.size, -1, dtype=np.intp)
        merged[open_faces] = joined
        levels.append(_Level(n, a, b, slot_a, slot_b, block, merged))
        if last:
            break
        places, n = np.stack(np.unravel_index(keys, shape)), int(keys.size)
        a, b = pairs // (keys.size + 1), pairs % (keys.size + 1)
    start = np.concatenate([[0], np.cumsum([level.n + 1 for level in levels])])
    most = max(int(max(s.max(initial=0) for s in (lv.slot_a, lv.slot_b))) + 1 for lv in levels)
    neighbour = np.empty((start[-1], most), dtype=np.int32)
    block_of = np.zeros(start[-1], dtype=np.int32)
    for level, lo in zip(levels, start, strict=False):
        own = neighbour[lo : lo + level.n + 1]
        own[...] = level.n
        own[level.a, level.slot_a] = level.b
        own[level.b, level.slot_b] = level.a
        block_of[lo : lo + level.n] = level.block
    return MeshLadder(tuple(levels), start, neighbour, block_of)


def species_coefficients(ladder: MeshLadder, conductance: Array, stream: Array) -> tuple[Array, Array]:
    """What neighbours give (total, most) and what a cell loses through its faces (total,), for one mobile species.

    ``conductance`` (f,) of diffusion and ``stream`` (f,) of convection from a to b, both per h. Flux between two cells
    is that of a steady profile with the face's velocity (exponential fitting): second order while the stream is below
    the conductance, upwind where it is far above, and never a negative coefficient. On coarser grids streams add, and
    conductances are halved for twice the distance.
    """
    given = np.zeros(ladder.neighbour.shape)
    lost = np.zeros(ladder.neighbour.shape[0])
    for level, lo in zip(ladder.levels, ladder.start, strict=False):
        onward, back = fitted(conductance, stream)
        given[lo + level.b, level.slot_b] = onward
        given[lo + level.a, level.slot_a] = back
        lost[lo : lo + level.n] = np.bincount(level.a, onward, level.n) + np.bincount(level.b, back, level.n)
        kept = level.merged >= 0
        count = int(level.merged.max(initial=-1)) + 1
        conductance = np.asarray(0.5 * np.bincount(level.merged[kept], conductance[kept], count), dtype=float)
        stream = np.asarray(np.bincount(level.merged[kept], stream[kept], count), dtype=float)
    return given, lost


def fitted(conductance: Array, stream: Array) -> tuple[Array, Array]:
    """Coefficients of the value before and behind each face: G x/(e^x - 1) at x = -stream/G and stream/G."""
    open_faces = conductance > 0.0
    x = np.divide(np.abs(stream), conductance, out=np.zeros_like(stream), where=open_faces)
    x = np.minimum(x, 500.0)  # beyond, nothing diffuses against the stream
    small = x < PECLET_SERIES
    safe = np.where(small, 1.0, x)
    against = np.where(small, 1.0 - 0.5 * x + x * x / 12.0, safe / np.expm1(safe))
    upstream = np.where(open_faces, conductance * against, 0.0)
    return upstream + np.maximum(stream, 0.0), upstream + np.maximum(-stream, 0.0)


def fitted_slope(conductance: Array, stream: Array) -> Array:
    """Derivative of both coefficients of `fitted` by the conductance: b(x) - x b'(x), with b(x) = x/(e^x - 1).

    >>> up, down = fitted(np.array([1.001]), np.array([2.0])), fitted(np.array([0.999]), np.array([2.0]))
    >>> bool(np.allclose(fitted_slope(np.array([1.0]), np.array([2.0])), (up[0] - down[0]) / 0.002, rtol=1e-6))
    True
    """
    open_faces = conductance > 0.0
    x = np.divide(stream, conductance, out=np.zeros_like(stream), where=open_faces)
    x = np.clip(np.abs(x), 0.0, 500.0)  # even in x
    small = x < PECLET_SERIES
    half = np.where(small, 1.0, 0.5 * x)
    return np.asarray(np.where(open_faces, np.where(small, 1.0 - x * x / 12.0, (half / np.sinh(half)) ** 2), 0.0))


def _slots(n: int, a: IntArray, b: IntArray) -> tuple[IntArray, IntArray]:
    """A running number for each face among the faces of its two cells."""
    ends = np.concatenate([a, b])
    order = np.argsort(ends, kind="stable")
    first = np.searchsorted(ends[order], np.arange(n))
    number = np.empty(ends.size, dtype=np.intp)
    number[order] = np.arange(ends.size) - first[ends[order]]
    return number[: a.size], number[a.size :]
