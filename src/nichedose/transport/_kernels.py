"""Compiled kernels of one implicit step: Newton for its stages, with bound ligand eliminated.

All fields are packed red and black apart (see ``_checkerboard``); of the stages only free ligand and the slopes kb of
bound ligand are kept (see ``_sums``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose.fields.grid import Array
from nichedose.transport._flows import Field, apart, jit
from nichedose.transport._multigrid import solve_linear
from nichedose.transport._smoothing import prepare_levels
from nichedose.transport._stage_rows import Rates, capacity_of, next_residual, start_stage
from nichedose.transport._step_end import end_step
from nichedose.transport._tableau import BEFORE, GAMMA, PREDICTOR, A, B
from nichedose.transport._weights import at_end, content_after

__all__ = ["take_step"]

Ints = NDArray[np.int64]
MOST_NEWTON = 25
STRIP = 1024  # cells, no more than a block of rows has
LEAST_RESIDUAL = 1e-8  # what any stage is content with
HELD = BEFORE @ A  # weights of kb in what earlier stages' bound ligand lost
GOAL = 0.5  # of a stage's tolerance, to which the linear solver goes where that is near
# How far the linear solver goes before Newton's method looks again, of the residual: no less than `REDUCTION`, and no
# further than `BEND_LEFT` of what the equations' bend will leave anyway, nor than single precision can be trusted with.
REDUCTION, BEND_LEFT, DEEPEST = 0.1, 0.5, 1e-3


@apart
def rows_given(source: Array, leave: Array, capacity: Array, a: float) -> float:
    total = 0.0
    for j in range(source.size):
        volume = capacity[j] if capacity[j] > 0.0 else 1.0
        total += source[j] * volume / (volume + a * leave[j])
    return total


@jit
def sum_given(source: Array, leave: Array, capacity: Array, a: float) -> float:
    """What plasma of level 1 alone would bring within ``a``, less what leaves again; over the tissue."""
    total, n = 0.0, source.shape[1]
    for c in range(2):
        for lo in range(0, n, STRIP):
            hi = min(lo + STRIP, n)
            total += rows_given(source[c, lo:hi], leave[c, lo:hi], capacity_of(capacity, c, lo, hi, n), a)
    return total


@jit
def solve_stage(
    norm: float, free: Array, fields: tuple[Array, Array, Array, Array], work: tuple[Array, Array, Array, Field],
    unit: float, a: float, rates: Rates, tolerance: float, bend: float,
    solver: tuple[Field, Field, Field, Field], grid: tuple[Field, Field, Field, float], finest: Field,
    buffers: tuple[Field, Array, Array, Array], sizes: Any, totals: Array,
) -> tuple[float, float, int, int]:  # fmt: skip
    """Newton for one stage, ``free`` in place, from the first residual, of which ``norm`` is the weighted square.

    ``bend`` is what the last Newton step left beyond the linear solver's residual, over the square of where it started:
    mostly it tells how much of this step's solution the equations' bend will spoil. Infinite where none was taken yet.
    Returns weighted residual, ``bend``, Newton iterations and multigrid cycles; ``totals`` as in `next_residual`.
    """
    mass, inverse, dx, cells = solver
    exact_sum, face_sum, faces, g = grid
    line, line64, lines, _ = buffers
    height, _, start, _, _, deep, _, _ = sizes
    kon, koff, kint = rates
    n = start[1]
    half = (2, n // 2)
    residual_at, sums = (cells[0, :n].reshape(half), mass[:n].reshape(half)), exact_sum.reshape(half)
    # Below this the eliminated denominator would vanish; no solution lies there.
    lowest = -0.5 * (1.0 + a * (koff + kint)) / (a * kon) if a * kon > 0.0 else -np.inf
    cycles, newton = 0, 0
    while True:
        residual = np.sqrt(norm)
        if not residual > tolerance or newton == MOST_NEWTON:
            return residual, bend, newton, cycles
        # anew each time: cycles by themselves solve the matrix that they were made of
        prepare_levels(mass, inverse, face_sum, faces, g, a, line, sizes)
        aim = min(max(BEND_LEFT * bend * residual, DEEPEST), REDUCTION) * residual
        limit = max(aim, GOAL * tolerance) ** 2
        used, linear = solve_linear(
            dx, mass, inverse, work[3].reshape(-1), cells, exact_sum, faces, g, a, line, line64, norm, limit, sizes)
        cycles += used
        norm = next_residual(
            free, cells[1, :n], 1.0 / unit, lowest, unit, a, rates, fields, work, residual_at, sums, finest,
            g, height[0], deep, lines, totals,
        )  # fmt: skip
        newton += 1
        bend = np.sqrt(abs(norm - linear)) / residual**2


@jit
def take_step(
    step: float, plasma: Array, tolerances: Array, floor: float, voxels: int, brought: float,
    peak: float, rates: Rates, krel: float, state: Array, free: Array, slopes: Array, of_bound: Array,
    of_inside: Array, totals: Array, before: Array, after: Array, fields: tuple[Array, Array, Array, Array],
    work: tuple[Array, Array, Array, Field], solver: tuple[Field, Field, Field, Field],
    grid: tuple[Field, Field, Field, float], buffers: tuple[Field, Array, Array, Array],
    sizes: Any, tally: Ints,
) -> tuple[float, float, float]:  # fmt: skip
    """All stages of a step: ``free`` and ``slopes`` (6, ...) of stages 1 to 5, free + bound ligand at its end in the
    work field ``q``. Returns the residual of the last stage solved, above the tolerance where it did not converge, and
    of `end_step` the sum of squared errors and the depth below 0.

    ``tolerances`` (6,); ``voxels`` in the tissue, ``brought`` the sum of the source over it, ``peak`` the largest mean
    content so far. ``of_bound``, ``of_inside`` as in `accept`. ``before`` (3,) the sums of ``state`` over the tissue;
    those at the end are left in ``after``, those of stages 1 to 5 (see `next_residual`) in ``totals`` (6, 3). The
    ``tally`` of Newton iterations and multigrid cycles is filled.
    """
    shape = work[0].shape
    n = work[0].size
    half = (2, n // 2)
    capacity, source, leave = fields[0], fields[2].reshape(half), fields[3].reshape(half)
    flat_fields = (capacity, fields[1].reshape(half), source, leave)
    flat_work = (work[0].reshape(half), work[1].reshape(half), work[2], work[3].reshape(half))
    exact_sum, _, faces, g = grid
    _, _, lines, spare = buffers
    height, _, _, face_start, _, deep, _, _ = sizes
    kint = rates[2]
    flat_faces = faces[: face_start[1]]
    finest = flat_faces.reshape((2, flat_faces.size // n, shape[1], shape[2]))
    sums = exact_sum.reshape(half)
    residual_at = (solver[3][0, :n].reshape(half), solver[0][:n].reshape(half))
    a = GAMMA * step
    given = sum_given(source, leave, capacity, a)
    residual, bend = 0.0, np.inf
    guess, bound_weights, lost = np.zeros(6), np.zeros(6), np.zeros(6)
    totals[1:] = 0.0  # a stage that failed may have left anything
    for i in range(1, 6):
        moves = step * BEFORE[i]
        guess[:] = PREDICTOR[i]
        bound_weights[0], bound_weights[1:] = 1.0, moves[:5]
        lost[0], lost[1:] = kint * moves.sum(), kint * step * step * HELD[i, :5]
        # the mean of what voxels hold: known before the right-hand side is, in whose sum flows cancel
        holds = abs(content_after(moves, plasma, brought, kint, of_bound, totals, before)) + a * abs(plasma[i]) * given
        unit = 1.0 / (holds / voxels + 1e-290)
        norm = start_stage(
            i, a, rates, (moves, guess, bound_weights, lost), (np.sum(moves * plasma), a * plasma[i]), unit,
            1.0 / np.sqrt(voxels), floor, state, free, slopes, flat_fields, flat_work, residual_at, sums, finest, g,
            height[0], deep, lines, spare, totals[i],
        )  # fmt: skip
        residual, bend, newton, cycles = solve_stage(
            norm, free[i], flat_fields, flat_work, unit, a, rates, tolerances[i], bend, solver, grid, finest,
            buffers, sizes, totals[i],
        )  # fmt: skip
        tally[0] += newton
        tally[1] += cycles
        if not residual <= max(tolerances[i], LEAST_RESIDUAL):
            return float(residual), 0.0, 0.0
    content = content_after(step * B, plasma, brought, kint, of_bound, totals, before)
    at_end(content, of_bound, of_inside, totals, before, after)
    least = floor * (max(peak, (after[0] + after[2]) / voxels) + 1e-290)
    after[0], squares, low = end_step(
        step, a, rates, krel, plasma, least, state, free, slopes, of_bound, of_inside, flat_fields, flat_work, sums,
        finest, g, height[0], deep, lines, spare,
    )  # fmt: skip
    return float(residual), float(squares), float(low)
