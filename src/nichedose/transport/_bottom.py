"""Compiled direct solver of the coarsest grid: a band matrix of a few dozen cells, in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose.fields.grid import Array
from nichedose.transport._flows import Field, jit

__all__ = ["Bottom", "factorise_bottom", "room_for_bottom", "solve_bottom"]

# place in a packed field of each cell, in natural order; place among the faces of that to the cell before along each
# axis, or -1; how many cells lie between the two; the factorised band; the right-hand side
Bottom = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Array, Array]


def room_for_bottom(places: NDArray[np.int64], faces: NDArray[np.int64]) -> Bottom:
    """``places`` (nz, ny, nx) or (ny, nx) of cells in a packed field, ``faces`` (axes, ...) of those to the one before
    along each axis in theirs; -1 where there is none."""
    strides = np.array([int(np.prod(places.shape[k + 1 :])) for k in range(places.ndim)])
    band = int(strides.max())
    n = places.size
    return (places.ravel(), faces.reshape(places.ndim, n), strides, np.zeros((n + band, band + 1)), np.zeros(n + band))


@jit
def factorise_bottom(mass: Field, faces: Field, a: float, bottom: Any) -> None:
    """L D L^T of mass + a (sum of faces - faces), with 1/D on the diagonal; rows of cells outside the tissue are 0."""
    places, sides, strides, band, _ = bottom
    n, width = places.size, band.shape[1]
    band[:] = 0.0
    for k in range(n):
        band[k, 0] += mass[places[k]]
        for axis in range(strides.size):
            if sides[axis, k] >= 0:
                face, before = a * faces[sides[axis, k]], k - strides[axis]
                band[k, 0] += face
                band[before, 0] += face
                band[before, strides[axis]] -= face
    for k in range(n):
        over = 1.0 / band[k, 0] if mass[places[k]] > 0.0 else 0.0
        for i in range(1, width):
            share = over * band[k, i]
            if share != 0.0:
                for j in range(i, width):
                    band[k + i, j - i] -= share * band[k, j]
        band[k, 1:] *= over
        band[k, 0] = over


@jit
def solve_bottom(x: Field, b: Field, bottom: Any) -> None:
    """``x`` from ``b``, flat packed fields; 0 outside the tissue."""
    places, _, _, band, right = bottom
    n, width = places.size, band.shape[1]
    for k in range(n):
        right[k] = b[places[k]]
    for k in range(n):
        value = right[k]
        for i in range(1, width):
            right[k + i] -= band[k, i] * value
    right[n:] = 0.0
    for k in range(n - 1, -1, -1):
        value = right[k] * band[k, 0]
        for i in range(1, width):
            value -= band[k, i] * right[k + i]
        right[k] = value
        x[places[k]] = value
