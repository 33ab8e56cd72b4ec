"""Coarser grids of tissue in pieces: the connected parts of blocks, listed, for conjugate gradients' preconditioner.

A block of the regular ladder (see ``_checkerboard``) may hold voxels on both sides of a crack, or of two pieces of
tissue; what corrects one then spoils the other, and cycles over such grids hardly converge. Here each connected part
of a block is a cell of its own, on all grids, so that each piece of tissue ends as one cell, whose equation is exact.
A piece that is one cell needs no coarser grid.
Only the finest grid keeps its regular form. Conductances between cells are halved from grid to grid, as there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from nichedose.fields.grid import Array
from nichedose.transport._flows import Field, U, jit
from nichedose.transport._smoothing import At, relax, start_red

__all__ = ["Parts", "build_parts", "cycle_of_parts", "no_parts", "prepare_parts"]

# Cell of the first listed grid of each packed voxel (one more than there are: none); where each grid begins, and its
# black cells; where the rows of cells' neighbours begin, those neighbours, conductances to them (rows are filled up to
# pairs, with conductances of 0); cell of the next grid, or none; fields: x, b, mass, inverse, sum of conductances.
# Unsigned, or each index would be looked at for a count from the end: three times as long.
Parts = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], Field, NDArray[Any], Field]
PAIR = U(2)  # neighbours taken at a time


def no_parts(dtype: type) -> Parts:
    none, start = np.zeros(0, np.uint32), np.zeros(1, np.uint64)
    return none, start, start, start, none, np.zeros(0, dtype), none, np.zeros((5, 0), dtype)


def build_parts(
    number: NDArray[np.int64], packed: NDArray[np.int64], per_axis: tuple[NDArray[Any], ...], dtype: type
) -> Parts:
    """From the ``number`` of each voxel (from 1 on in their order; 0 outside), the same in a ``packed`` field, and the
    conductances between neighbours along each axis. Empty where no block holds more than one part."""
    if (number > 0).all() and all((face > 0.0).all() for face in per_axis):
        return no_parts(dtype)
    here, there, face = _edges(number, per_axis)
    places = np.argwhere(number > 0)
    parts: list[NDArray[Any]] = []
    reds: list[int] = []
    graphs: list[Any] = []
    torn = False
    while not graphs or graphs[-1].nnz > 0:
        block = np.asarray(np.ravel_multi_index(tuple((places // 2).T), tuple(places.max(axis=0) // 2 + 1)))
        within = block[here] == block[there]
        found, count = _connected(len(places), here, there, within)
        torn = torn or bool(count > np.count_nonzero(np.bincount(block)) or found.min() < 0)
        on = np.flatnonzero(found >= 0)
        places = places[on[np.unique(found[on], return_index=True)[1]]] // 2
        black = places.sum(axis=1) & 1  # parts of one block are not neighbours: the blocks' colours will do
        order = np.argsort(black, kind="stable")
        rank = np.empty(count + 1, np.int64)
        rank[order], rank[-1] = np.arange(count), -1
        part: NDArray[Any] = rank[found]
        places = places[order]
        parts.append(part)
        reds.append(count - int(black.sum()))
        ends = part[here[~within]], part[there[~within]]
        graphs.append(sp.coo_matrix((0.5 * face[~within], ends), (count, count)).tocsr())
        upper = graphs[-1].tocoo()
        here, there, face = upper.row, upper.col, upper.data
        graphs[-1] = (graphs[-1] + graphs[-1].T).tocsr()
    if not torn:
        return no_parts(dtype)
    start = np.cumsum([0, *(g.shape[0] for g in graphs)])
    whole = sp.block_diag(graphs, "csr")
    length = 2 * -(-np.diff(whole.indptr) // 2)
    row = np.concatenate([[0], np.cumsum(length)])
    neighbour, conductance = np.zeros(row[-1], np.uint32), np.zeros(row[-1], dtype)
    at = np.arange(whole.nnz) + np.repeat(row[:-1] - whole.indptr[:-1], np.diff(whole.indptr))
    neighbour[at], conductance[at] = whole.indices, whole.data
    fields = np.zeros((5, start[-1] + 1), dtype)
    fields[4, :-1] = np.asarray(whole.sum(axis=1)).ravel()
    nowhere = start[-1]
    first = np.append(nowhere, np.where(parts[0] < 0, nowhere, parts[0]))[packed].astype(np.uint32)
    ups = [np.where(part < 0, nowhere, part + lo) for part, lo in zip(parts[1:], start[1:], strict=False)]
    up = np.concatenate([np.zeros(0), *ups]).astype(np.uint32)
    black_from = start[:-1] + np.array(reds)
    return (first, start.astype(np.uint64), black_from.astype(np.uint64), row.astype(np.uint64), neighbour, conductance,
            up, fields)  # fmt: skip


def _connected(
    cells: int, here: NDArray[Any], there: NDArray[Any], within: NDArray[np.bool_]
) -> tuple[NDArray[Any], int]:
    """The connected part of its block that each cell belongs to, and their number. -1 for a cell without open faces: a
    piece of tissue by itself, which sweeps on its own grid solve exactly (unless there is no other)."""
    ones = np.ones(np.count_nonzero(within), bool)
    links = sp.coo_matrix((ones, (here[within], there[within])), (cells, cells))
    _, found = connected_components(links, directed=False)
    goes_on = np.zeros(cells, bool)
    goes_on[here], goes_on[there] = True, True
    goes_on[0] |= not goes_on.any()
    numbers, part = np.unique(found[goes_on], return_inverse=True)
    out = np.full(cells, -1)
    out[goes_on] = part
    return out, numbers.size


def _edges(
    number: NDArray[np.int64], per_axis: tuple[NDArray[Any], ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Both ends of open faces, as voxels from 0 on, and their conductances."""
    found = []
    for axis, face in enumerate(per_axis):
        open_ = np.moveaxis(face > 0.0, axis, 0)
        along = np.moveaxis(number, axis, 0) - 1
        found.append((along[:-1][open_], along[1:][open_], np.moveaxis(face, axis, 0)[open_].astype(float)))
    here, there, face = (np.concatenate(column) for column in zip(*found, strict=True))
    return here, there, face


@jit
def prepare_parts(mass: Field, a: float, parts: Any) -> None:
    """Diagonals of all listed grids from the finest grid's ``mass``."""
    first, _, _, _, _, _, up, fields = parts
    own, inverse, faces = fields[2], fields[3], fields[4]
    own[:] = 0.0
    for i in range(first.size):
        own[first[i]] += mass[i]
    for i in range(up.size):
        own[up[i]] += own[i]
    for i in range(own.size - 1):
        inverse[i] = 1.0 / (own[i] + a * faces[i])


@jit
def neighbours_of(i: int, row: NDArray[Any], neighbour: NDArray[Any], conductance: Field, x: Field, zero: float) -> Any:
    total = zero
    for k in range(row[i], row[i + U(1)], PAIR):
        total += conductance[k] * x[neighbour[k]] + conductance[k + U(1)] * x[neighbour[k + U(1)]]
    return total


@jit
def cycle_of_parts(
    x: Field, b: Field, inverse: Field, faces: Field, at: At, g: float, a: float, deep: int, spare: Field, parts: Any,
    zero: float,
) -> None:  # fmt: skip
    """One symmetric cycle from zero: as `cycle` where ``symmetric``, over listed grids below the finest."""
    first, start, blacks, row, neighbour, conductance, up, fields = parts
    xl, bl, il = fields[0], fields[1], fields[3]
    half, grids = U(at[1]), start.size - 1
    start_red(x, b, inverse, at)
    relax(x, x, b, inverse, faces, at, g, a, 1, deep)
    relax(spare, x, b, inverse, faces, at, g, a, 0, deep)
    bl[:] = zero
    for i in range(half):
        bl[first[i]] += (spare[i] - x[i]) / inverse[i] if inverse[i] > zero else zero
    for level in range(grids):
        lo, black, hi = start[level], blacks[level], start[level + 1]
        for i in range(lo, black):
            xl[i] = il[i] * bl[i]
        for i in range(black, hi):
            xl[i] = il[i] * (bl[i] + a * neighbours_of(i, row, neighbour, conductance, xl, zero))
        if level + 1 < grids:
            for i in range(lo, black):  # black ones were 0 when it was solved
                bl[up[i]] += a * neighbours_of(i, row, neighbour, conductance, xl, zero)
    for level in range(grids - 2, -1, -1):
        lo, black, hi = start[level], blacks[level], start[level + 1]
        for i in range(lo, black):
            xl[i] += xl[up[i]]
        for i in range(black, hi):
            xl[i] = il[i] * (bl[i] + a * neighbours_of(i, row, neighbour, conductance, xl, zero))
        for i in range(lo, black):
            xl[i] = il[i] * (bl[i] + a * neighbours_of(i, row, neighbour, conductance, xl, zero))
    for i in range(half):
        x[i] += xl[first[i]]
    relax(x, x, b, inverse, faces, at, g, a, 1, deep)
    relax(x, x, b, inverse, faces, at, g, a, 0, deep)
