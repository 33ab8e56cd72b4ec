"""Steady diffusion with loss and source: div(D grad n) - k n - V n/(n + K) + s = 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from nichedose.errors import BadInput, DidNotConverge
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.fields.linear import solve_spd
from nichedose.fields.number import is_number, kind, real_array
from nichedose.fields.stencil import Stencil, diffusion_stencil

__all__ = ["MichaelisMenten", "SteadySolution", "steady_reaction_diffusion"]

MAX_NEWTON = 200
ROUNDING = 4.0 * np.finfo(float).eps  # of the largest flux: no imbalance below it can be seen
INNER_TOLERANCE = 1e-4  # of each Newton step's linear system; the outer residual decides the accuracy


@dataclass(frozen=True)
class MichaelisMenten:
    """A saturable loss ``max_rate`` n/(n + ``half_value``): n per s (number or array (ny, nx)), and n."""

    max_rate_per_s: Array | float
    half_value: float


@dataclass(frozen=True)
class SteadySolution:
    """``values`` (ny, nx), zero outside the mask. ``residual``: the largest imbalance of any voxel, relative to the
    largest source, saturable loss or supply from a held neighbour. ``iterations``: Newton steps (1 when linear).
    """

    values: Array
    residual: float
    iterations: int


def steady_reaction_diffusion(
    grid: Grid,
    mask: BoolArray,
    *,
    diffusivity_um2_per_s: Array | float,
    loss_per_s: Array | float,
    source_per_s: Array | float,
    saturable: MichaelisMenten | None = None,
    held: Array | None = None,
    tolerance: float = 1e-9,
) -> SteadySolution:
    """Solve div(D grad n) - k n - V n/(n + K) + s = 0 on the voxels of ``mask``; nothing flows through its edge.

    D, k, s, V may be numbers or arrays (ny, nx); ``held`` (ny, nx) gives voxels a fixed value where it is not NaN. The
    unit of n is the caller's; s and V are that unit per s. Second order in space. The discrete problem has exactly one
    solution, which is not negative.

    Raises `BadInput` for wrong shapes, negative or non-finite coefficients, and a connected part of the mask in which
    nothing is lost or held; `DidNotConverge` with the residual.

    >>> g = Grid((1, 3), 10.0)
    >>> steady_reaction_diffusion(g, np.ones((1, 3), bool), diffusivity_um2_per_s=1.0, loss_per_s=2.0,
    ...                           source_per_s=6.0).values.round(6).tolist()
    [[3.0, 3.0, 3.0]]
    """
    if not isinstance(grid, Grid):
        raise BadInput(f"A steady field stands on a Grid; got {kind(grid)}.")
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != grid.shape:
        raise BadInput(f"The mask must be boolean of the grid's shape {grid.shape} (y, x); got {kind(mask)}.")
    fields = {"diffusivity_um2_per_s": diffusivity_um2_per_s, "loss_per_s": loss_per_s, "source_per_s": source_per_s}
    if saturable is not None:
        if not isinstance(saturable, MichaelisMenten):
            raise BadInput(f"saturable is a MichaelisMenten; got {kind(saturable)}.")
        fields["saturable.max_rate_per_s"] = saturable.max_rate_per_s
        if not (is_number(saturable.half_value) and saturable.half_value > 0.0):
            raise BadInput(f"saturable.half_value must be above 0; got {saturable.half_value}.")
    arrays = {name: _field(name, value, grid, mask) for name, value in fields.items()}
    held = None if held is None else real_array("held", held)
    if held is not None and (held.shape != grid.shape or bool((held[mask & np.isfinite(held)] < 0.0).any())):
        raise BadInput(f"held must have the grid's shape {grid.shape} and no negative value; got shape {held.shape}.")
    stencil = diffusion_stencil(grid, mask, arrays["diffusivity_um2_per_s"], held)
    problem = _problem(stencil, arrays, saturable)
    solution, residual, iterations = _newton(problem, stencil, tolerance)
    values = np.zeros(grid.shape) if held is None else np.where(mask & np.isfinite(held), held, 0.0)
    values[stencil.free] = solution
    return SteadySolution(values, residual, iterations)


@dataclass(frozen=True)
class _Problem:
    """A n + sink(n) = right over the free voxels; ``scale`` makes residuals relative."""

    matrix: sp.csr_matrix
    right: Array
    max_rate: Array | None
    half_value: float
    scale: float

    def sink(self, n: Array) -> tuple[Array, Array]:
        """Rate and slope; below zero the law goes on as its tangent, which keeps it concave and smooth."""
        assert self.max_rate is not None
        shifted = np.maximum(n, 0.0) + self.half_value
        slope = self.max_rate * self.half_value / shifted**2
        return np.where(n > 0.0, self.max_rate * n / shifted, slope * n), slope


def _problem(stencil: Stencil, arrays: dict[str, Array], saturable: MichaelisMenten | None) -> _Problem:
    source, loss = arrays["source_per_s"][stencil.free], arrays["loss_per_s"][stencil.free]
    max_rate = arrays["saturable.max_rate_per_s"][stencil.free] if saturable is not None else None
    matrix = sp.csr_matrix(stencil.matrix + sp.diags(loss))
    sink_slope = loss if saturable is None or max_rate is None else loss + max_rate / saturable.half_value
    _refuse_singular(stencil, matrix, sink_slope - loss)
    right = source + stencil.held_supply
    scale = max(float(right.max()), float(max_rate.max()) if max_rate is not None else 0.0, 1e-300)
    return _Problem(matrix, right, max_rate, saturable.half_value if saturable is not None else 1.0, scale)


def _newton(problem: _Problem, stencil: Stencil, tolerance: float) -> tuple[Array, float, int]:
    """Newton's method; it cannot miss, because the sink is concave and the matrix an M-matrix.

    From any start the first step lands below the solution; the larger of that and zero still lies below, and from there
    the steps rise to the solution without passing it (up to the tolerance of the linear solves).
    """
    rows, columns = stencil.rows, stencil.columns
    if problem.max_rate is None:
        if not problem.right.any():
            return np.zeros_like(problem.right), 0.0, 1
        n = solve_spd(problem.matrix, problem.right, rows, columns, tolerance=0.1 * tolerance)
        n = np.maximum(n, 0.0)
        return n, float(np.abs(problem.matrix @ n - problem.right).max()) / problem.scale, 1
    n, diagonal = np.zeros_like(problem.right), problem.matrix.diagonal()
    for iteration in range(MAX_NEWTON):
        sink, slope = problem.sink(n)
        imbalance = problem.right - problem.matrix @ n - sink
        residual = float(np.abs(imbalance).max()) / problem.scale
        if residual <= max(tolerance, ROUNDING * float((diagonal * n).max()) / problem.scale):
            return n, residual, iteration
        jacobian = sp.csr_matrix(problem.matrix + sp.diags(slope))
        step = solve_spd(jacobian, imbalance, rows, columns, tolerance=INNER_TOLERANCE)
        n = np.maximum(n + step, 0.0)
    raise DidNotConverge(
        f"The reaction-diffusion solve stopped after {MAX_NEWTON} Newton steps at a relative residual "
        f"of {residual:.1e}; {tolerance:.1e} was asked for. A half value far below the field's range "
        "makes the sink nearly a step: raise it."
    )


def _refuse_singular(stencil: Stencil, matrix: sp.csr_matrix, extra: Array) -> None:
    """Every connected part must lose something or hold a value; else there is no steady state, or no single one."""
    gain = np.asarray(matrix.sum(axis=1)).ravel() + extra
    scale = np.abs(matrix.diagonal()).max() + float(extra.max(initial=0.0))
    count, part = connected_components(stencil.matrix, directed=False)
    strongest = np.zeros(count)
    np.maximum.at(strongest, part, gain)
    lossless = strongest <= 1e-14 * max(float(scale), 1e-300)
    if bool(lossless.any()):
        raise BadInput(
            f"{int(lossless.sum())} connected part(s) of the mask neither lose anything nor hold a value, "
            "so no steady state exists; give a loss above 0 there, hold a voxel, or drop the part."
        )


def _field(name: str, value: Array | float, grid: Grid, mask: BoolArray) -> Array:
    array = real_array(name, value)
    if array.ndim and array.shape != grid.shape:
        raise BadInput(f"{name} has shape {array.shape}; give a number or an array of the grid's shape {grid.shape}.")
    array = np.where(mask, array, 0.0)
    if not np.isfinite(array).all() or bool((array < 0.0).any()):
        raise BadInput(f"{name} must be finite and not negative inside the mask.")
    return array
