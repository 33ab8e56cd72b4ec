"""The finite-volume diffusion operator on a masked grid, as a sparse matrix over the voxels that are free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray, Grid

__all__ = ["Stencil", "diffusion_stencil"]

IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class Stencil:
    """``matrix`` (n, n) is -div(D grad .) over the n free voxels, symmetric, per s.

    ``held_supply`` (n,) is what held neighbours add to the right-hand side. ``free`` marks the n voxels (row-major
    order); ``rows`` and ``columns`` place them.
    """

    matrix: sp.csr_matrix
    held_supply: Array
    free: BoolArray
    rows: IntArray
    columns: IntArray


def diffusion_stencil(grid: Grid, mask: BoolArray, diffusivity_um2_per_s: Array, held: Array | None) -> Stencil:
    """Cell-centred finite volumes with harmonic face diffusivities and no flux through the edge of ``mask``.

    A voxel of ``mask`` whose ``held`` is not NaN keeps that value (at its centre) and leaves the unknowns.
    """
    fixed = np.zeros(grid.shape, bool) if held is None else mask & np.isfinite(held)
    free = mask & ~fixed
    n = int(free.sum())
    if n == 0:
        raise BadInput("No free voxel is left to solve for: the mask is empty or every voxel in it is held.")
    index = np.full(grid.shape, -1, dtype=np.intp)
    index[free] = np.arange(n)
    boundary = np.zeros(grid.shape) if held is None else np.where(fixed, held, 0.0)
    a, b, conductance = _faces(mask, diffusivity_um2_per_s, grid.spacing_um)
    first, second, values = index.ravel()[a], index.ravel()[b], boundary.ravel()
    diagonal, supply = np.zeros(n), np.zeros(n)
    for here, there, there_voxel in ((first, second, b), (second, first, a)):
        at = here >= 0
        diagonal += np.bincount(here[at], conductance[at], minlength=n)
        edge = at & (there < 0)
        supply += np.bincount(here[edge], (conductance * values[there_voxel])[edge], minlength=n)
    both = (first >= 0) & (second >= 0)
    i, j, g = first[both], second[both], conductance[both]
    everyone = np.arange(n)
    matrix = sp.csr_matrix(
        (np.concatenate([diagonal, -g, -g]), (np.concatenate([everyone, i, j]), np.concatenate([everyone, j, i]))),
        shape=(n, n),
    )
    rows, columns = np.nonzero(free)
    return Stencil(matrix, supply, free, rows, columns)


def _faces(mask: BoolArray, diffusivity: Array, spacing_um: float) -> tuple[IntArray, IntArray, Array]:
    """Flat voxel indices on both sides of every inner face, and its conductance D/h^2 (1/s)."""
    flat = np.arange(mask.size).reshape(mask.shape)
    sides = [(np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1, :], np.s_[1:, :])]
    a = np.concatenate([flat[low][mask[low] & mask[high]] for low, high in sides])
    b = np.concatenate([flat[high][mask[low] & mask[high]] for low, high in sides])
    here, there = diffusivity.ravel()[a], diffusivity.ravel()[b]
    total = here + there
    harmonic = np.divide(2.0 * here * there, total, out=np.zeros_like(total), where=total > 0.0)
    return a, b, harmonic / spacing_um**2
