"""Compiled kernels of one implicit step: right-hand sides, Newton with bound ligand eliminated.

All fields are packed red and black apart (see ``_checkerboard``); of the stages only free ligand and the slopes kb of
bound ligand are kept (see ``_sums``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nichedose.fields.grid import Array
from nichedose.transport._flows import Field, apart, flows_of_rows, jit
from nichedose.transport._multigrid import prepare_levels, solve_linear
from nichedose.transport._sums import two_sums

__all__ = ["take_step"]

Ints = NDArray[np.int64]
MOST_NEWTON = 25
LEAST_RESIDUAL = 1e-8  # what any stage is content with
REFRESH = 3  # Newton steps after which the multigrid's diagonals are made anew
GOAL = 0.3  # of a stage's tolerance, to which the linear solver goes where that is near


@apart
def rows_rhs(
    line: Array, own: Array, fs: Array, leave: Array, source: Array, capacity: Array, s0: Array, supplied: float,
    brought: float, a: float, g: float, q: Array, holds: Array,
) -> float:  # fmt: skip
    """`stage_rhs` of some rows; returns its sum of what voxels hold."""
    total = 0.0
    for j in range(own.size):
        so, lv, cp = source[j], leave[j], capacity[j]
        inside = cp > 0.0
        value = s0[j] - q[j] + line[j] - (g * fs[j] + lv) * own[j] + supplied * so
        value = value if inside else 0.0
        given = brought * so
        volume = cp if inside else 1.0
        held = abs(value) + abs(given) * volume / (volume + a * lv)
        q[j] = value + given
        holds[j] = held if inside else -1.0
        total += held if inside else 0.0
    return total


@jit
def stage_rhs(
    mixed: Array, start: Array, source: Array, leave: Array, capacity: Array, supplied: float, brought: float, a: float,
    exact_sum: Field, faces: Field, g: float, height: int, deep: int, lines: Array, q: Array, holds: Array,
) -> float:  # fmt: skip
    """Right-hand side ``q`` of free + bound ligand of a stage, in place of what bound ligand lost in earlier ones.
    Here as below, fields other than the one that diffuses are (2, cells of a colour).

    ``mixed`` the sum of step x weight x free ligand of earlier stages, ``supplied`` that of plasma, ``brought`` plasma
    of the stage itself times ``a``; ``start`` free + bound ligand at the step's start. ``holds`` what each voxel holds
    (-1 outside), its right-hand side and what plasma alone would bring, under fast exchange far less than what passes
    through within the step. Returns the sum of ``holds`` over the tissue.
    """
    total = 0.0
    flat = lines.reshape(-1)
    for c in range(2):
        for k in range(deep, mixed.shape[1] // height - deep):
            for y in range(1, height - 1, lines.shape[0]):
                lo, hi = flows_of_rows(mixed[1 - c], faces[c], g, k, y, height, deep, c, lines)
                line = flat[: hi - lo]
                total += rows_rhs(
                    line, mixed[c].reshape(-1)[lo:hi], exact_sum[c, lo:hi], leave[c, lo:hi], source[c, lo:hi],
                    capacity[c, lo:hi], start[c, lo:hi], supplied, brought, a, g, q[c, lo:hi],
                    holds[c, lo:hi],
                )  # fmt: skip
    return total


@apart
def rows_weight(holds: Array, unit: float, scale: float, floor: float, weight: Field) -> None:
    """Weights of an rms norm of residuals relative to what each voxel holds, not below ``floor`` of the mean."""
    for j in range(holds.size):
        weight[j] = scale / (holds[j] * unit + floor) if holds[j] >= 0.0 else 0.0


@apart
def rows_residual(
    line: Array, own: Array, fs: Array, rhs: Array, br: Array, tg: Array, leave: Array, capacity: Array, wt: Field,
    unit: float, a: float, g: float, kon: float, koff: float, kint: float, r: Field, mass: Field,
) -> float:  # fmt: skip
    """`stage_residual` of some rows."""
    total = 0.0
    keep, gain, on = 1.0 + a * kint, 1.0 + a * (koff + kint), a * kon
    for j in range(own.size):
        f, cp = own[j], capacity[j]
        share = 1.0 / (gain + on * f)
        bound = (br[j] + on * tg[j] * f) * share
        slope = on * share * (tg[j] - bound)
        linear = cp + a * leave[j]
        value = rhs[j] - linear * f - keep * bound + a * (line[j] - g * fs[j] * f)
        value = value * unit if cp > 0.0 else 0.0
        r[j] = value
        mass[j] = linear + keep * max(slope, 0.0)
        weighted = value * wt[j]
        total += weighted * weighted
    return total


@jit
def stage_residual(
    free: Array, q: Array, bound_rhs: Array, target: Array, leave: Array, capacity: Array, holds: Array, fresh: bool,
    weight: Field, unit: float, scale: float, floor: float, exact_sum: Field, faces: Field, g: float, a: float,
    kon: float, koff: float, kint: float, height: int, deep: int, lines: Array, r: Field, mass: Field,
) -> float:  # fmt: skip
    """Residual ``r`` (times ``unit``) and Newton's diagonal ``mass`` of the scalar stage equation at ``free``; returns
    the square of the weighted norm. The weights are made of ``holds`` where ``fresh``.

    capacity F + a leave F + (1 + a kint) B(F) - a div(faces grad F) = q, with the bound ligand eliminated:
    B(F) = (bound_rhs + a kon R F) / (1 + a (kon F + koff + kint)).
    """
    total = 0.0
    flat = lines.reshape(-1)
    for c in range(2):
        for k in range(deep, free.shape[1] // height - deep):
            for y in range(1, height - 1, lines.shape[0]):
                lo, hi = flows_of_rows(free[1 - c], faces[c], g, k, y, height, deep, c, lines)
                line = flat[: hi - lo]
                wt = weight[c, lo:hi]
                if fresh:
                    rows_weight(holds[c, lo:hi], unit, scale, floor, wt)
                total += rows_residual(
                    line, free[c].reshape(-1)[lo:hi], exact_sum[c, lo:hi], q[c, lo:hi], bound_rhs[c, lo:hi],
                    target[c, lo:hi], leave[c, lo:hi], capacity[c, lo:hi], wt, unit, a, g, kon, koff, kint,
                    r[c, lo:hi], mass[c, lo:hi],
                )  # fmt: skip
    return total


@apart
def move(free: Array, dx: Field, p: Field, alpha: float, back: float, lowest: float) -> None:
    """Newton's step: ``free`` + ``back`` x (``dx`` + ``alpha`` ``p``), not below ``lowest``."""
    for i in range(free.size):
        free[i] = max(free[i] + back * (dx[i] + alpha * p[i]), lowest)


@jit
def solve_stage(
    free: Array, q: Array, bound_rhs: Array, target: Array, leave: Array, capacity: Array, holds: Array, weight: Field,
    unit: float, scale: float, floor: float, a: float, kon: float, koff: float, kint: float, tolerance: float,
    reduction: float, mass: Field, inverse: Field, dx: Field, cells: Field, exact_sum: Field, face_sum: Field,
    faces: Field, g: float, line: Field, line64: Array, lines: Array, height: Ints, places: Ints, start: Ints,
    face_start: Ints, deep: int,
) -> tuple[float, int, int]:  # fmt: skip
    """Newton for one stage, ``free`` in place. Returns weighted residual, Newton and CG iterations."""
    n = start[1]
    shape = free.shape
    flat_faces = faces[: face_start[1]]
    finest = flat_faces.reshape((2, flat_faces.size // n, shape[1], shape[2]))
    half = q.shape
    r0, m0, sums = cells[0, :n].reshape(half), mass[:n].reshape(half), exact_sum.reshape(half)
    # Below this the eliminated denominator would vanish; no solution lies there.
    lowest = -0.5 * (1.0 + a * (koff + kint)) / (a * kon) if a * kon > 0.0 else -np.inf
    cg, newton = 0, 0
    while True:
        residual = np.sqrt(stage_residual(
            free, q, bound_rhs, target, leave, capacity, holds, newton == 0, weight, unit, scale, floor, sums,
            finest, g, a, kon, koff, kint, height[0], deep, lines, r0, m0,
        ))  # fmt: skip
        if not residual > tolerance or newton == MOST_NEWTON:
            return residual, newton, cg
        if newton % REFRESH == 0:  # the cycle need only resemble the matrix
            prepare_levels(mass, inverse, face_sum, g, a, height, places, start, deep)
        limit = max(reduction * residual, GOAL * tolerance) ** 2
        iterations, alpha = solve_linear(
            dx, mass, inverse, weight.reshape(-1), cells, exact_sum, faces, g, a, line, line64, limit, height, places,
            start, face_start, deep,
        )  # fmt: skip
        cg += iterations
        move(free.reshape(-1), dx, cells[2, :n], alpha, 1.0 / unit, lowest)
        newton += 1


@apart
def finish_stage(
    free: Array, bound_rhs: Array, target: Array, a: float, kon: float, koff: float, kint: float, slope: Array
) -> None:
    """Slope kb of bound ligand of a stage from its solved ``free``; flat fields or rows."""
    gain, on, over = 1.0 + a * (koff + kint), a * kon, 1.0 / a
    for i in range(free.size):
        bound = (bound_rhs[i] + on * target[i] * free[i]) / (gain + on * free[i])
        slope[i] = (bound - bound_rhs[i]) * over


@apart
def rows_end(
    line: Array, own: Array, fs: Array, bound_rhs: Array, slope: Array, leave: Array, capacity: Array, a: float,
    kint: float, g: float, q: Array,
) -> float:  # fmt: skip
    """`step_end` of some rows."""
    total = 0.0
    for j in range(own.size):
        taken = kint * (bound_rhs[j] + a * slope[j])
        moved = line[j] - (g * fs[j] + leave[j]) * own[j] - taken
        value = q[j] + (a * moved if capacity[j] > 0.0 else 0.0)
        q[j] = value
        total += value
    return total


@jit
def step_end(
    free: Array, bound_rhs: Array, target: Array, slope: Array, leave: Array, capacity: Array, a: float, kon: float,
    koff: float, kint: float, exact_sum: Field, faces: Field, g: float, height: int, deep: int, lines: Array, q: Array,
) -> float:  # fmt: skip
    """Free + bound ligand at the step's end, in place of the last stage's ``q``, and the last ``slope`` kb; returns
    the former's sum.

    Taken from the fluxes, not from the solved equation: then what leaves one voxel enters its neighbour exactly, and an
    unfinished Newton iteration creates no ligand.
    """
    total = 0.0
    flat = lines.reshape(-1)
    for c in range(2):
        for k in range(deep, free.shape[1] // height - deep):
            for y in range(1, height - 1, lines.shape[0]):
                lo, hi = flows_of_rows(free[1 - c], faces[c], g, k, y, height, deep, c, lines)
                line = flat[: hi - lo]
                own, br, kb = free[c].reshape(-1)[lo:hi], bound_rhs[c, lo:hi], slope[c, lo:hi]
                finish_stage(own, br, target[c, lo:hi], a, kon, koff, kint, kb)
                total += rows_end(line, own, exact_sum[c, lo:hi], br, kb, leave[c, lo:hi],
                                 capacity[c, lo:hi], a, kint, g, q[c, lo:hi])  # fmt: skip
    return total


@jit
def take_step(
    step: float, plasma: Array, before: Array, diagonal: float, held: Array, predictor: Array, tolerances: Array,
    reduction: float, floor: float, voxels: int, rates: tuple[float, float, float], state: Array, free: Array,
    slopes: Array, fields: tuple[Array, Array, Array, Array], work: tuple[Array, Array, Array, Field],
    solver: tuple[Field, Field, Field, Field], grid: tuple[Field, Field, Field, float],
    buffers: tuple[Field, Array, Array], sizes: tuple[Ints, Ints, Ints, Ints, int], tally: Ints,
) -> tuple[float, float]:  # fmt: skip
    """All stages of a step: ``free`` and ``slopes`` (6, ...) of stages 1 to 5, free + bound ligand at its end in the
    work field ``q``. Returns the residual of the last stage solved, above the tolerance where it did not converge, and
    the sum of ``q``.

    ``before`` (6, 6) the tableau's earlier stages, ``held`` before x tableau, ``tolerances`` (6,); ``voxels`` in the
    tissue; the ``tally`` of Newton and CG iterations is filled.
    """
    n = work[0].size
    half, shape = (2, n // 2), work[0].shape
    capacity, target, source, leave = (
        fields[0].reshape(half), fields[1].reshape(half), fields[2].reshape(half), fields[3].reshape(half))
    q, bound_rhs, mixed, weight = work[0].reshape(half), work[1].reshape(half), work[2], work[3].reshape(half)
    mass, inverse, dx, cells = solver
    exact_sum, face_sum, faces, g = grid
    line, line64, lines = buffers
    height, places, start, face_start, deep = sizes
    kon, koff, kint = rates
    flat_faces = faces[: face_start[1]]
    finest = flat_faces.reshape((2, flat_faces.size // n, shape[1], shape[2]))
    sums = exact_sum.reshape(half)
    a = diagonal * step
    residual = 0.0
    flat_free, flat_slopes, bound = free.reshape((6, n)), slopes.reshape((6, n)), state[1].reshape(-1)
    of_bound, lost = np.zeros(6), np.zeros(6)
    for i in range(1, before.shape[0]):
        moves = step * before[i]
        of_bound[0], of_bound[1:] = 1.0, moves[:5]
        lost[0], lost[1:] = kint * moves.sum(), kint * step * step * held[i, :5]
        two_sums(flat_free[0], flat_free[1:], moves, predictor[i], i - 1, 0.0, mixed.reshape(-1), flat_free[i])
        two_sums(bound, flat_slopes, of_bound, lost, i, -np.inf, bound_rhs.reshape(-1), q.reshape(-1))
        slope = flat_slopes[i].reshape(half)  # what voxels hold, until the stage is solved
        total = stage_rhs(
            mixed, state[0].reshape(half), source, leave, capacity, np.sum(moves * plasma), a * plasma[i], a, sums,
            finest, g, height[0], deep, lines, q, slope,
        )  # fmt: skip
        unit = 1.0 / (total / voxels + 1e-290)
        residual, newton, cg = solve_stage(
            free[i], q, bound_rhs, target, leave, capacity, slope, weight, unit, 1.0 / np.sqrt(voxels), floor, a, kon,
            koff, kint, tolerances[i], reduction, mass, inverse, dx, cells, exact_sum, face_sum, faces, g, line, line64,
            lines, height, places, start, face_start, deep,
        )  # fmt: skip
        tally[0] += newton
        tally[1] += cg
        if not residual <= max(tolerances[i], LEAST_RESIDUAL):
            return float(residual), 0.0
        if i < before.shape[0] - 1:
            finish_stage(flat_free[i], bound_rhs.reshape(-1), target.reshape(-1), a, kon, koff, kint, flat_slopes[i])
    total = step_end(
        free[-1], bound_rhs, target, slopes[-1].reshape(half), leave, capacity, a, kon, koff, kint, sums, finest, g,
        height[0], deep, lines, q,
    )  # fmt: skip
    return float(residual), float(total)
