"""Compiled kernels that eliminate what does not move, for a strip of cells at a time.

In each cell the immobile species x obey (1 - a M(F)) x = c, small and sparse, with the same pattern in every cell. So
the factorisation is laid out once (``slot``), and each of its operations runs over a strip of cells, in vector
registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose._compiled import njit
from nichedose.fields.grid import Array

__all__ = ["STRIP", "coefficients", "eliminate", "layout", "room", "solve_again", "transposed_again"]

jit: Callable[..., Any] = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
CONSTANT, MOBILE, IMMOBILE, BINDING, FROM_PLASMA = 0, 1, 2, 3, 4  # kinds of reaction, as in `network`
STRIP = 64  # cells


def layout(size: int, entries: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Places (size, size) of the factors' entries, -1 where there is none: those of the matrix and of its fill."""
    there = np.eye(size, dtype=bool)
    for row, column in entries:
        there[row, column] = True
    for k in range(size):
        for j in range(k + 1, size):
            if there[j, k]:
                there[j, k + 1 :] |= there[k, k + 1 :]
    slot = np.full((size, size), -1, dtype=np.int64)
    slot[there] = np.arange(np.count_nonzero(there))
    return slot


@jit
def room(slot: Array) -> tuple[Array, Array, Array, Array]:
    """``matrix``, ``inverse``, ``c`` and ``x`` for `eliminate`."""
    n = slot.shape[0]
    entries = slot[n - 1, n - 1] + 1 if n > 0 else 0  # the last one lies last
    return np.empty((entries, STRIP)), np.empty((n, STRIP)), np.empty(STRIP), np.empty((n, STRIP))


@jit
def coefficients(lo: int, width: int, r: int, scale: float, field: Array, fields: Array, out: Array) -> None:
    """``scale`` times the field of reaction ``r``."""
    if field[r] >= 0:
        row = fields[field[r]]
        for i in range(width):
            out[i] = scale * row[lo + i]
    else:
        for i in range(width):
            out[i] = scale


@jit
def eliminate(
    lo: int, width: int, a: float, free: Array, rhs: Array, plasma: Array, kind: Array, rate: Array, site: Array,
    field: Array, fields: Array, first: Array, change_of: Array, change: Array, slot: Array, matrix: Array,
    inverse: Array, c: Array, x: Array,
) -> None:  # fmt: skip
    """Immobile species ``x`` (n, STRIP) of the cells from ``lo``: solve (1 - a M(free)) x = rhs + a constants.

    M is linear in free and plasma ligand, and its columns never gain, so no pivoting is needed. Leaves the factors in
    ``matrix`` (entries, STRIP), 1 over the pivots in ``inverse`` (n, STRIP).
    """
    n = rhs.shape[0]
    matrix[...] = 0.0
    for k in range(n):
        pivot, xk, given = matrix[slot[k, k]], x[k], rhs[k]
        for i in range(width):
            pivot[i] = 1.0
            xk[i] = given[lo + i]
    for r in range(kind.size):
        if kind[r] == MOBILE:
            continue
        scale = a * rate[r] * (plasma[site[r, 0]] if kind[r] == FROM_PLASMA else 1.0)
        coefficients(lo, width, r, scale, field, fields, c)
        if kind[r] == BINDING:
            level = free[site[r, 0]]
            for i in range(width):
                c[i] *= level[lo + i]
        for q in range(first[r], first[r + 1]):
            by = change[q]
            if kind[r] == CONSTANT:
                row = x[change_of[q]]
                for i in range(width):
                    row[i] += by * c[i]
            else:
                row = matrix[slot[change_of[q], site[r, 1]]]
                for i in range(width):
                    row[i] -= by * c[i]
    for k in range(n):
        pivot, over, xk = matrix[slot[k, k]], inverse[k], x[k]
        for i in range(width):
            over[i] = 1.0 / pivot[i]
        for j in range(k + 1, n):
            if slot[j, k] >= 0:
                factor, xj = matrix[slot[j, k]], x[j]
                for i in range(width):
                    factor[i] *= over[i]
                    xj[i] -= factor[i] * xk[i]
                for m in range(k + 1, n):
                    if slot[k, m] >= 0:
                        row, top = matrix[slot[j, m]], matrix[slot[k, m]]
                        for i in range(width):
                            row[i] -= factor[i] * top[i]
    back_substitute(width, slot, matrix, inverse, x)


@jit
def take_off(width: int, factor: Array, other: Array, out: Array) -> None:
    for i in range(width):
        out[i] -= factor[i] * other[i]


@jit
def back_substitute(width: int, slot: Array, matrix: Array, inverse: Array, x: Array) -> None:
    n = slot.shape[0]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            if slot[k, j] >= 0:
                take_off(width, matrix[slot[k, j]], x[j], x[k])
        xk, over = x[k], inverse[k]
        for i in range(width):
            xk[i] *= over[i]


@jit
def solve_again(width: int, slot: Array, matrix: Array, inverse: Array, x: Array) -> None:
    """``x`` for another right-hand side, in place, with the factors of `eliminate`."""
    n = slot.shape[0]
    for k in range(n):
        for j in range(k + 1, n):
            if slot[j, k] >= 0:
                take_off(width, matrix[slot[j, k]], x[k], x[j])
    back_substitute(width, slot, matrix, inverse, x)


@jit
def transposed_again(width: int, slot: Array, matrix: Array, inverse: Array, x: Array) -> None:
    """The same with the transposed matrix."""
    n = slot.shape[0]
    for k in range(n):
        for j in range(k):
            if slot[j, k] >= 0:
                take_off(width, matrix[slot[j, k]], x[j], x[k])
        xk, over = x[k], inverse[k]
        for i in range(width):
            xk[i] *= over[i]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            if slot[j, k] >= 0:
                take_off(width, matrix[slot[j, k]], x[j], x[k])
