"""Symmetric positive definite systems from a grid: direct when small, otherwise conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from nichedose.errors import DidNotConverge
from nichedose.fields.grid import Array

__all__ = ["conjugate_gradients", "multigrid", "solve_spd"]

DIRECT_BELOW = 3000  # unknowns; a sparse factorisation is faster than building a hierarchy below this
DOMINANT = 0.02  # smallest row sum over diagonal at which Jacobi's iterations stay below about 60
COARSEST = 300  # unknowns that are factorised at the bottom of the hierarchy
AGGREGATE = 3  # voxels along each side of an aggregate, the natural size for one smoothing step
JACOBI = 2.0 / 3.0  # damping; the spectrum of D^-1 A of a diffusion operator lies in [0, 2]
SWEEPS = 2
MAX_ITERATIONS = 500

Preconditioner = Callable[[Array], Array]
IntArray = NDArray[np.intp]


def solve_spd(
    matrix: sp.csr_matrix,
    right: Array,
    *places: IntArray,
    start: Array | None = None,
    tolerance: float = 1e-10,
) -> Array:
    """``x`` with ``matrix @ x = right`` to a relative residual (2-norm) of ``tolerance``.

    ``matrix`` is symmetric positive definite with non-positive off-diagonals (an M-matrix); unknown i stands at
    grid place (``places[0][i]``, ``places[1][i]``, ...), one array for each axis. Raises `DidNotConverge` with the
    residual.
    """
    diagonal = matrix.diagonal()
    dominance = float((np.asarray(matrix.sum(axis=1)).ravel() / diagonal).min())
    if dominance >= DOMINANT:
        return conjugate_gradients(matrix, right, lambda r: r / diagonal, start, tolerance)
    if matrix.shape[0] <= DIRECT_BELOW:
        return np.asarray(_factor(matrix)(right))
    return conjugate_gradients(matrix, right, multigrid(matrix, *places), start, tolerance)


def conjugate_gradients(
    matrix: sp.csr_matrix, right: Array, precondition: Preconditioner, start: Array | None, tolerance: float
) -> Array:
    """Preconditioned conjugate gradients; raises `DidNotConverge` after `MAX_ITERATIONS`."""
    x = np.zeros_like(right) if start is None else start.copy()
    residual = right - matrix @ x if start is not None else right.copy()
    goal = tolerance * float(np.linalg.norm(right))
    norm = float(np.linalg.norm(residual))
    if norm <= goal:
        return x
    z = precondition(residual)
    direction, rho = z, float(residual @ z)
    for _ in range(MAX_ITERATIONS):
        image = matrix @ direction
        step = rho / float(direction @ image)
        x += step * direction
        residual -= step * image
        norm = float(np.linalg.norm(residual))
        if norm <= goal:
            return x
        z = precondition(residual)
        rho, previous = float(residual @ z), rho
        direction = z + (rho / previous) * direction
    raise DidNotConverge(
        f"Conjugate gradients stopped after {MAX_ITERATIONS} iterations at a relative residual of "
        f"{norm / max(float(np.linalg.norm(right)), 1e-300):.1e}; {tolerance:.1e} was asked for."
    )


@dataclass(frozen=True)
class _Level:
    matrix: sp.csr_matrix
    damping: Array
    prolong: sp.csr_matrix
    restrict: sp.csr_matrix


def multigrid(matrix: sp.csr_matrix, *places: IntArray) -> Preconditioner:
    """One symmetric V-cycle of smoothed aggregation over 3 x 3 (x 3) voxel blocks, for a mask of any shape.

    Method: Vanek, Mandel & Brezina, Computing 1996;56:179-196, with blocks of the grid as aggregates.
    """
    levels: list[_Level] = []
    at = np.stack(places)
    while matrix.shape[0] > COARSEST:
        shape = tuple(int(p) // AGGREGATE + 1 for p in at.max(axis=1))
        keys, member = np.unique(np.ravel_multi_index(tuple(at // AGGREGATE), shape), return_inverse=True)
        blocks, count = np.stack(np.unravel_index(keys, shape)), keys.size
        if count >= matrix.shape[0]:
            break  # scattered voxels: nothing is left to join
        n = matrix.shape[0]
        damping = JACOBI / matrix.diagonal()
        gather = sp.csr_matrix((np.ones(n), (np.arange(n), member.ravel())), shape=(n, count))
        prolong = sp.csr_matrix(gather - sp.diags(damping) @ (matrix @ gather))
        restrict = sp.csr_matrix(prolong.T)
        levels.append(_Level(matrix, damping, prolong, restrict))
        matrix, at = sp.csr_matrix(restrict @ matrix @ prolong), blocks
    bottom = _factor(matrix)
    return lambda residual: _cycle(levels, 0, bottom, residual)


def _cycle(levels: list[_Level], depth: int, bottom: Preconditioner, right: Array) -> Array:
    if depth == len(levels):
        return bottom(right)
    level = levels[depth]
    x = level.damping * right
    for _ in range(SWEEPS - 1):
        x += level.damping * (right - level.matrix @ x)
    x += level.prolong @ _cycle(levels, depth + 1, bottom, level.restrict @ (right - level.matrix @ x))
    for _ in range(SWEEPS):
        x += level.damping * (right - level.matrix @ x)
    return x


def _factor(matrix: sp.csr_matrix) -> Preconditioner:
    """A sparse direct solve; the ordering and the pivoting suit a symmetric M-matrix."""
    factor = splu(
        sp.csc_matrix(matrix), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    return lambda right: np.asarray(factor.solve(right))
