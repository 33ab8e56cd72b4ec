"""The three passes of a padded convolution, compiled; rows as in `nichedose.dose._butterflies`.

y and x of a plane of the map, while it is in the cache; z there, times the spectrum, and back; x and y back. The half
spectrum is flat, rows (x frequency, block of y frequencies, z), y frequencies side by side within a row. Frequencies
stay in the order in which the transforms leave them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nichedose._compiled import njit
from nichedose.dose._butterflies import ROW_BYTES, begin, finish, join, pack, split, transpose, unpack, weigh

__all__ = ["Axis", "across", "backward", "forward"]

_PART_BYTES = ROW_BYTES // 2


class Axis(NamedTuple):
    """``length`` of a transform; ``radices``, two or more; ``twiddles`` of each split, one split after the other."""

    length: int
    radices: Any
    twiddles: Any


@njit(cache=True, nogil=True, error_model="numpy")
def _split_all(axis: Any, count: int, source: Any, at: Any, rows: Any) -> None:
    """All steps forth but the last, from ``count`` rows of ``source`` and zeros."""
    first, blocks, q = 0, 1, axis.length
    for k in range(axis.radices.size - 1):
        r = axis.radices[k]
        q //= r
        some = -(-count // q) if k == 0 else r
        edge = count - q * (some - 1) if k == 0 else q
        here, start = (source, at) if k == 0 else (rows, 0)
        for block in range(blocks):
            for part in range(2):
                for j in range(part * edge, edge + part * (q - edge)):
                    row = block * q * r + j
                    split(r, some - part, here, start + row, rows, row, q, axis.twiddles, first + 2 * j * (r - 1))
        first += 2 * q * (r - 1)
        blocks *= r


@njit(cache=True, nogil=True, error_model="numpy")
def _join_all(axis: Any, count: int, rows: Any, target: Any, to: Any) -> None:
    """All steps back but the first, to ``count`` rows of ``target``."""
    first, q = axis.twiddles.size, axis.radices[-1]
    blocks = axis.length // q
    for k in range(axis.radices.size - 2, -1, -1):
        r = axis.radices[k]
        blocks //= r
        first -= 2 * q * (r - 1)
        some = -(-count // q) if k == 0 else r
        edge = count - q * (some - 1) if k == 0 else q
        there, start = (target, to) if k == 0 else (rows, 0)
        for block in range(blocks):
            for part in range(2):
                for j in range(part * edge, edge + part * (q - edge)):
                    row = block * q * r + j
                    join(r, some - part, rows, row, there, start + row, q, axis.twiddles, first + 2 * j * (r - 1))
        q *= r


@njit(cache=True, nogil=True, error_model="numpy")
def _finish_all(axis: Any, rows: Any, target: Any, to: Any, stride: Any) -> None:
    r = axis.radices[-1]
    for row in range(0, axis.length, r):
        finish(r, rows, row, target, to + row * stride, stride)


@njit(cache=True, nogil=True, error_model="numpy")
def _begin_all(axis: Any, source: Any, at: Any, stride: Any, rows: Any) -> None:
    r = axis.radices[-1]
    for row in range(0, axis.length, r):
        begin(r, source, at + row * stride, stride, rows, row)


@njit(cache=True, nogil=True, error_model="numpy")
def forward(planes: Any, shape: Any, y: Any, x: Any, twist: Any, field: Any, half: Any, ys: Any, xs: Any, plane: Any
            ) -> None:
    """These planes of ``field`` (flat) to ``half``. Rows ``ys`` (y frequencies in whole blocks, those beyond the
    length zero), ``xs`` (x frequencies) and ``plane`` (blocks of y frequencies, x) are work space."""
    nz, ny, nx = shape
    zero, one = np.intp(0), np.intp(1)  # of constants numba compiles another version of what they are given to
    lanes = _PART_BYTES // field.itemsize
    blocks = -(-y.length // lanes)
    for z in planes:
        for c in range(0, nx, lanes):
            begins = min(c, nx - lanes)  # the last columns a second time, if need be
            for j in range(min(y.length, ny)):
                near = (z * ny + j) * nx + begins
                pack(field, near, near + y.length * nx, int(j + y.length < ny), ys, j, twist)
            _split_all(y, min(y.length, ny), ys, zero, ys)
            _finish_all(y, ys, ys, zero, one)
            for block in range(blocks):
                transpose(ys, block * lanes, plane, block * nx + begins)
        for block in range(blocks):
            _split_all(x, min(nx, x.length), plane, block * nx, xs)
            _finish_all(x, xs, half, block * nz + z, blocks * nz)


@njit(cache=True, nogil=True, error_model="numpy")
def across(columns: Any, nz: int, blocks: int, z: Any, spectrum: Any, x_fold: Any, z_fold: Any, half: Any, zs: Any
           ) -> None:
    """z of these x frequencies forth, times ``spectrum``, and back."""
    r = z.radices[-1]
    for column in columns:
        for block in range(blocks):
            at = (column * blocks + block) * nz
            base = (x_fold[column] * blocks + block) * (z.length // 2 + 1)
            _split_all(z, nz, half, at, zs)
            for row in range(0, z.length, r):
                weigh(r, zs, row, spectrum, base, z_fold)
            _join_all(z, nz, zs, half, at)


@njit(cache=True, nogil=True, error_model="numpy")
def backward(planes: Any, shape: Any, y: Any, x: Any, twist: Any, half: Any, out: Any, ys: Any, xs: Any, plane: Any
             ) -> None:
    """What `forward` did, backwards."""
    nz, ny, nx = shape
    zero, one = np.intp(0), np.intp(1)
    lanes = _PART_BYTES // out.itemsize
    blocks = -(-y.length // lanes)
    for z in planes:
        for block in range(blocks):
            _begin_all(x, half, block * nz + z, blocks * nz, xs)
            _join_all(x, min(nx, x.length), xs, plane, block * nx)
        for c in range(0, nx, lanes):
            begins = min(c, nx - lanes)
            for block in range(blocks):
                transpose(plane, block * nx + begins, ys, block * lanes)
            _begin_all(y, ys, zero, one, ys)
            _join_all(y, min(y.length, ny), ys, ys, zero)
            for j in range(min(y.length, ny)):
                near = (z * ny + j) * nx + begins
                unpack(ys, j, twist, out, near, near + y.length * nx, int(j + y.length < ny))
