"""Where a voxel lives in memory: red and black apart, and the ladder of coarser grids, for sections and stacks.

A field of (nz, ny, nx) voxels is held as ``(2, rows, nh + 2)`` with ``nh = ceil(nx / 2)``: first the voxels with
z + y + x even ("red"), then the odd ones ("black"), with one ring of zeros. A plane takes ny + 2 rows; a stack has a
plane of zeros at either end, a section is one plane. Row y, place j of plane z holds the voxel at
x = 2 j + ((y + z + colour) mod 2).
The neighbours of a voxel all have the other colour and lie at the same place in the rows above and below and in the
planes before and behind, and in the same row at the same place ("same") and one place aside ("side"), so that a
red-black sweep runs over contiguous memory. One place of both colours in two rows (of two planes) is a block of
2 x 2 (x 2) voxels: the voxel of the next coarser grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose._compiled import njit
from nichedose.fields.grid import Array, BoolArray
from nichedose.transport._bottom import Bottom, room_for_bottom
from nichedose.transport._parts import Parts, build_parts, no_parts

__all__ = ["Ladder", "build_ladder", "cells_of", "ends", "pack", "packed_shape", "unpack", "with_parts"]

ALONE = 1e-30  # sum of conductances of a voxel without open faces: nothing, but not the 0 of what is no tissue
COARSEST = 4  # voxels along the longest side at which coarsening stops
TWICE = {2: (1,), 3: (1,)}  # grids of a section, of a stack, below which a cycle goes twice
UP, DOWN, SAME, LEFT, RIGHT, BEFORE, BEHIND = range(7)  # order of a cell's faces


def packed_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    planes = shape[0] + 2 if len(shape) == 3 else 1
    return 2, planes * (shape[-2] + 2), (shape[-1] + 1) // 2 + 2


def cells_of(shape: tuple[int, ...]) -> int:
    """Cells of a packed field, ring included."""
    return int(np.prod(packed_shape(shape)))


def _inner(packed: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """View of a packed field (..., 2, rows, places) without its ring: (..., 2, nz, ny, nh)."""
    deep = len(shape) == 3
    whole = packed.reshape(*packed.shape[:-2], -1, shape[-2] + 2, packed.shape[-1])
    return whole[..., slice(1, -1) if deep else slice(None), 1:-1, 1:-1]


@lru_cache(maxsize=64)
def _halves(shape: tuple[int, ...]) -> list[tuple[int, Any, Any]]:
    """(colour, places of a packed inner field, places of a (nz, ny, nx) field) that hold the same voxels."""
    found: list[tuple[int, Any, Any]] = []
    for colour in (0, 1):
        for z in range(len(shape) - 1):
            for y in (0, 1):
                first = (z + y + colour) % 2
                rows = (slice(z, None, 2), slice(y, None, 2))
                found.append((colour, (*rows, slice(0, (shape[-1] - first + 1) // 2)), (*rows, slice(first, None, 2))))
    return found


def pack(field: NDArray[Any], dtype: type = np.float64, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """(ny, nx) or (nz, ny, nx) -> (2, rows, nh + 2), zero in the ring."""
    shape = field.shape
    packed = np.zeros(packed_shape(shape), dtype) if out is None else out
    inner, natural = _inner(packed, shape), field.reshape(-1, *shape[-2:])
    for colour, there, here in _halves(shape):
        inner[(colour, *there)] = natural[here]
    return packed


def unpack(packed: NDArray[Any], shape: tuple[int, ...], out: Array | None = None) -> Array:
    """(..., 2, rows, nh + 2) -> (..., ny, nx) or (..., nz, ny, nx), contiguous."""
    front, deep = packed.shape[:-3], len(shape) == 3
    found = np.empty((*front, *shape)) if out is None else out
    planes, rows, _ = natural = (shape[0] if deep else 1, *shape[-2:])
    whole = packed.reshape(-1, 2, planes + 2 * deep, rows + 2, packed.shape[-1])
    _interleave(whole, int(deep), found.reshape(-1, *natural))
    return found


@njit(cache=True, nogil=True)
def _interleave(packed: Array, deep: int, out: Array) -> None:
    """Packed (n, 2, planes, height, places) to ``out`` (n, nz, ny, nx)."""
    nx = out.shape[3]
    for n in range(out.shape[0]):
        for z in range(out.shape[1]):
            for y in range(out.shape[2]):
                first = (z + y) & 1  # the colour of x = 0
                even, odd = packed[n, first, z + deep, y + 1, 1:], packed[n, 1 - first, z + deep, y + 1, 1:]
                row = out[n, z, y]
                for j in range(nx // 2):
                    row[2 * j], row[2 * j + 1] = even[j], odd[j]
                if nx & 1:
                    row[nx - 1] = even[nx // 2]


@dataclass(frozen=True)
class Ladder:
    """The face conductances of all grids, finest first, in flat arrays.

    ``planes``, ``height`` (rows of a plane), ``places`` (levels,) packed sizes with ring; ``start`` (levels + 1,) where
    each grid begins in a flat cell array, ``face_start`` in ``faces``: five (section) or seven (stack) conductances
    per cell (up, down, same, left, right, before, behind; 1/h, zero where closed). The neighbour aside lies left in
    one row and right in the next; two faces for it, one of them zero, let a sweep run through all rows in one go.
    ``face_sum`` their sum. Where all open faces of the finest grid have one conductance, ``even``, its faces are
    not kept (closed ones have zeros behind them) and its ``face_sum`` counts them; otherwise ``even`` is 1.
    ``exact_sum`` (cells of the finest grid) is the same without rounding to ``face_sum``'s type; it is above 0 in the
    tissue alone, and everywhere there (`ALONE`). ``path`` the grids in the order in which a cycle goes through them,
    ``bottom`` what the solver of the coarsest one asks. ``parts`` coarser grids of tissue in pieces, empty at first.
    """

    planes: NDArray[np.int64]
    height: NDArray[np.int64]
    places: NDArray[np.int64]
    start: NDArray[np.int64]
    face_start: NDArray[np.int64]
    faces: NDArray[Any]
    face_sum: NDArray[Any]
    exact_sum: NDArray[Any]
    even: float
    path: NDArray[np.int64]
    bottom: Bottom
    parts: Parts

    @property
    def deep(self) -> int:
        """1 in a stack, 0 in a section: planes of ring at either end."""
        return int(self.planes[0] > 1)

    @property
    def sizes(self) -> Any:
        """What the compiled solver asks of it."""
        return self.height, self.places, self.start, self.face_start, self.path, self.deep, self.bottom, self.parts


def build_ladder(
    mask: BoolArray, faces: float | tuple[Array, ...], dtype: type = np.float32
) -> Ladder:
    """All grids of ``mask`` (ny, nx) or (nz, ny, nx). ``faces``: one conductance, or per axis those between neighbours
    along it (one shorter along that axis; zero across the edge of the mask), 1/h."""
    one = isinstance(faces, float) and max(mask.shape) > COARSEST
    per_axis = _per_axis(mask, faces, dtype)
    shape: tuple[int, ...] = mask.shape
    sizes: list[tuple[int, int, int]] = []
    all_faces: list[NDArray[Any]] = []
    sums: list[NDArray[Any]] = []
    exact: NDArray[Any] = np.zeros(0)
    while True:
        planes = shape[0] + 2 if len(shape) == 3 else 1
        sizes.append((planes, shape[-2] + 2, (shape[-1] + 1) // 2 + 2))
        if not all_faces:  # the finest grid
            exact = _sum(tuple(_open(mask, k) for k in range(mask.ndim)) if one else per_axis, shape,
                         dtype if one else np.float64)  # fmt: skip
            exact[pack(mask, np.bool_) & (exact == 0.0)] = ALONE
            sums.append(exact.astype(dtype, copy=False).ravel())
            all_faces.append(np.zeros(0, dtype) if one else _pack_faces(per_axis, shape, dtype).ravel())
        else:
            sums.append(_sum(per_axis, shape, dtype).ravel())
            all_faces.append(_pack_faces(per_axis, shape, dtype).ravel())
        if max(shape) <= COARSEST:
            break
        per_axis = tuple(_coarser(per_axis, axis, shape) for axis in range(len(shape)))
        shape = tuple((n + 1) // 2 for n in shape)
    face_sum = np.concatenate(sums)
    if one:
        exact = face_sum[: exact.size].reshape(exact.shape)  # counts are exact in any type
    planes_, height, places = (np.array(column, dtype=np.int64) for column in zip(*sizes, strict=True))
    return Ladder(
        planes=planes_,
        height=height,
        places=places,
        start=np.concatenate([[0], np.cumsum([s.size for s in sums])]).astype(np.int64),
        face_start=np.concatenate([[0], np.cumsum([f.size for f in all_faces])]).astype(np.int64),
        faces=np.concatenate(all_faces),
        face_sum=face_sum,
        exact_sum=exact,
        even=float(faces) if one else 1.0,  # type: ignore[arg-type]
        path=np.array([*_visits(0, len(sizes) - 1, TWICE[len(shape)])], dtype=np.int64),
        bottom=room_for_bottom(*_bottom_of(shape)),
        parts=no_parts(dtype),
    )


def _per_axis(
    mask: BoolArray, faces: float | tuple[Array, ...], dtype: type
) -> tuple[NDArray[Any], ...]:
    return tuple(
        _open(mask, axis).astype(dtype) * dtype(faces) if isinstance(faces, float) else np.asarray(faces[axis], dtype)
        for axis in range(mask.ndim)
    )


def with_parts(ladder: Ladder, mask: BoolArray, faces: float | tuple[Array, ...]) -> Ladder:
    """The same ladder with the connected parts of its blocks, if there are any apart; see ``_parts``."""
    number = np.zeros(mask.shape, np.int64)  # of each voxel, from 1
    number[mask] = np.arange(1, np.count_nonzero(mask) + 1)
    dtype = ladder.face_sum.dtype.type
    parts = build_parts(number, pack(number, np.int64).reshape(-1), _per_axis(mask, faces, dtype), dtype)
    return replace(ladder, parts=parts)


@lru_cache(maxsize=64)
def _bottom_of(shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the cells of the coarsest grid, and the faces to those before, lie in their packed arrays."""
    cells = cells_of(shape)
    places = unpack(np.arange(cells, dtype=float).reshape(packed_shape(shape)), shape).astype(np.int64)
    kinds, half = 2 * len(shape) + 1, cells // 2
    even_x = np.arange(shape[-1]) % 2 == 0
    kind = {len(shape) - 2: UP, len(shape) - 1: np.where(even_x, LEFT, SAME)}
    faces = np.full((len(shape), *shape), -1)
    for axis in range(len(shape)):
        colour, cell = np.divmod(places, half)
        faces[axis] = (colour * kinds + kind.get(axis, BEFORE)) * half + cell
        np.moveaxis(faces[axis], axis, 0)[0] = -1
    return places, faces


def _visits(level: int, top: int, twice: tuple[int, ...]) -> Iterator[int]:
    """Grids from ``level`` on, there and back; those in ``twice`` send it through the coarser ones twice."""
    yield level
    for _ in range((1 + (level in twice)) * (level < top)):
        yield from _visits(level + 1, top, twice)
        yield level


def ends(axes: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """All but the last, and all but the first, along an axis."""
    whole = [slice(None)] * axes
    low, high = list(whole), list(whole)
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return tuple(low), tuple(high)


def _open(mask: BoolArray, axis: int) -> BoolArray:
    low, high = ends(mask.ndim, axis)
    return np.asarray(mask[low] & mask[high])


def _both_sides(face: NDArray[Any], axis: int, shape: tuple[int, ...], dtype: type) -> tuple[NDArray[Any], ...]:
    """Conductance towards the neighbour before and behind along an axis, for every voxel."""
    low, high = ends(len(shape), axis)
    before: NDArray[Any] = np.zeros(shape, dtype)
    behind: NDArray[Any] = np.zeros(shape, dtype)
    before[high], behind[low] = face, face
    return before, behind


def _sum(per_axis: tuple[NDArray[Any], ...], shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    total: NDArray[Any] = np.zeros(shape, dtype)
    for axis, face in enumerate(per_axis):
        low, high = ends(len(shape), axis)
        total[low] += face
        total[high] += face
    return pack(total, dtype)


def _pack_faces(per_axis: tuple[NDArray[Any], ...], shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    """Packed (2, 5 or 7, rows, places)."""
    out: NDArray[Any] = np.zeros((2, 2 * len(shape) + 1, *packed_shape(shape)[1:]), dtype)
    up, down = _both_sides(per_axis[-2], len(shape) - 2, shape, dtype)
    left, right = _both_sides(per_axis[-1], len(shape) - 1, shape, dtype)
    even_x = np.arange(shape[-1]) % 2 == 0
    # x = 2 j + shift: in rows with shift 0 the odd neighbour at the same place is to the right, and so on
    sides = [up, down, np.where(even_x, right, left), np.where(even_x, left, 0.0), np.where(even_x, 0.0, right)]
    if len(shape) == 3:
        sides += _both_sides(per_axis[0], 0, shape, dtype)
    for number, side in enumerate(sides):
        out[:, number] = pack(side, dtype)
    return out


def _coarser(per_axis: tuple[NDArray[Any], ...], axis: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Conductances along ``axis`` of the grid of blocks: the faces between two blocks, over twice the distance."""
    padded = np.zeros([2 * ((n + 1) // 2) - (k == axis) for k, n in enumerate(shape)], per_axis[axis].dtype)
    padded[tuple(slice(0, n) for n in per_axis[axis].shape)] = per_axis[axis]
    total = padded[tuple(slice(1, None, 2) if k == axis else slice(None) for k in range(len(shape)))]
    for k in range(len(shape)):
        if k != axis:
            first, second = ([slice(None)] * len(shape) for _ in range(2))
            first[k], second[k] = slice(0, None, 2), slice(1, None, 2)
            total = total[tuple(first)] + total[tuple(second)]
    return np.asarray(0.5 * total, per_axis[axis].dtype)
