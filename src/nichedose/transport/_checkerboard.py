"""Where a voxel lives in memory: red and black apart, and the ladder of coarser grids.

A field of (ny, nx) voxels is held as ``(2, ny + 2, nh + 2)`` with ``nh = ceil(nx / 2)``: first the voxels with y + x
even ("red"), then the odd ones ("black"), with one ring of zeros. Row y, place j holds x = 2 j + ((y + colour) mod 2).
The four neighbours of a voxel all have the other colour and lie in the rows above and below at the same place, and in
the same row at the same place ("same") and one place aside ("side"), so that a red-black sweep runs over contiguous
memory. One place of both colours in two rows is a 2 x 2 block: the voxel of the next coarser grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array

__all__ = ["Ladder", "build_ladder", "pack", "packed_shape", "unpack"]

COARSEST = 3  # voxels along the longer side at which coarsening stops


def packed_shape(shape: tuple[int, int]) -> tuple[int, int, int]:
    return 2, shape[0] + 2, (shape[1] + 1) // 2 + 2


def pack(field: Array) -> Array:
    """(ny, nx) -> (2, ny + 2, nh + 2), zero in the ring."""
    ny, nx = field.shape
    even = np.zeros((ny, nx + nx % 2))
    even[:, :nx] = field
    out = np.zeros(packed_shape((ny, nx)))
    for colour in (0, 1):
        inner = out[colour, 1:-1, 1:-1]
        inner[0::2] = even[0::2, colour::2]
        inner[1::2] = even[1::2, 1 - colour :: 2]
    return out


def unpack(packed: Array, shape: tuple[int, int]) -> Array:
    """(..., 2, ny + 2, nh + 2) -> (..., ny, nx)."""
    ny, nx = shape
    even = np.empty((*packed.shape[:-3], ny, nx + nx % 2))
    for colour in (0, 1):
        inner = packed[..., colour, 1:-1, 1:-1]
        even[..., 0::2, colour::2] = inner[..., 0::2, :]
        even[..., 1::2, 1 - colour :: 2] = inner[..., 1::2, :]
    return np.ascontiguousarray(even[..., :nx])


@dataclass(frozen=True)
class Ladder:
    """The face conductances of all grids, finest first, in flat arrays.

    ``rows``, ``places`` (n,) packed sizes with ring; ``start`` (n + 1,) where each grid begins in a flat cell array.
    ``faces`` four conductances per cell (up, down, same, side; 1/h, zero where closed), ``face_sum`` their sum.
    """

    rows: Array
    places: Array
    start: Array
    faces: Array
    face_sum: Array


def _pack_faces(gy: Array, gx: Array) -> Array:
    """Natural face conductances (ny - 1, nx), (ny, nx - 1) -> packed (2, 4, ny + 2, nh + 2)."""
    ny, nx = gx.shape[0], gy.shape[1]
    up, down, left, right = (np.zeros((ny, nx)) for _ in range(4))
    up[1:], down[:-1] = gy, gy
    left[:, 1:], right[:, :-1] = gx, gx
    even_x = np.arange(nx) % 2 == 0
    same, side = np.where(even_x, right, left), np.where(even_x, left, right)
    return np.stack([pack(f) for f in (up, down, same, side)], axis=1)


def _coarser(gy: Array, gx: Array) -> tuple[Array, Array]:
    """Conductances of the grid of 2 x 2 blocks: the faces between two blocks, over twice the distance."""
    ny, nx = gx.shape[0], gy.shape[1]
    my, mx = (ny + 1) // 2, (nx + 1) // 2
    y, x = np.zeros((2 * my - 1, 2 * mx)), np.zeros((2 * my, 2 * mx - 1))
    y[: ny - 1, :nx], x[:ny, : nx - 1] = gy, gx
    return 0.5 * (y[1::2, 0::2] + y[1::2, 1::2]), 0.5 * (x[0::2, 1::2] + x[1::2, 1::2])


def build_ladder(gy: Array, gx: Array) -> Ladder:
    """All grids for face conductances ``gy`` (ny - 1, nx) and ``gx`` (ny, nx - 1), 1/h."""
    grids = [(gy, gx)]
    while max(grids[-1][1].shape[0], grids[-1][0].shape[1]) > COARSEST:
        grids.append(_coarser(*grids[-1]))
    packed = [_pack_faces(*g) for g in grids]
    return Ladder(
        rows=np.array([p.shape[2] for p in packed]),
        places=np.array([p.shape[3] for p in packed]),
        start=np.concatenate([[0], np.cumsum([p.size // 4 for p in packed])]),
        faces=np.concatenate([p.ravel() for p in packed]),
        face_sum=np.concatenate([p.sum(axis=1).ravel() for p in packed]),
    )
