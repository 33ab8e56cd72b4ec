"""Compiled kernels of one implicit step: right-hand sides, Newton with bound ligand eliminated, sums over the stages.

All fields are packed red and black apart (see ``_checkerboard``). What does not move is linear in few numbers: with the
slopes kb of bound ligand, every stage's bound and internalised ligand is a combination of B, I and kb whose weights are
the same in all voxels. So of the stages only free ligand and kb are kept, and fluxes are taken from combinations of
free ligand.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nichedose.fields.grid import Array
from nichedose.transport._multigrid import Field, conjugate_gradient, flows, jit, prepare_levels

__all__ = ["combine", "integrate", "mix", "step_error", "take_step"]

Ints = NDArray[np.int64]
MOST_NEWTON = 25
LEAST_RESIDUAL = 1e-8  # what any stage is content with
REFRESH = 3  # Newton steps after which the multigrid's diagonals are made anew
STRIP = 256  # cells of all stages that fit in the innermost cache


@jit
def mix(terms: Array, weights: Array, count: int, lo: int, hi: int, out: Array) -> None:
    """out = sum over the first ``count`` terms (6, cells) of weights x terms, for the cells ``lo`` to ``hi``."""
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    t0, t1, t2, t3, t4, t5 = terms[0], terms[1], terms[2], terms[3], terms[4], terms[5]
    if count <= 1:
        for i in range(lo, hi):
            out[i] = w0 * t0[i]
    elif count == 2:
        for i in range(lo, hi):
            out[i] = w0 * t0[i] + w1 * t1[i]
    elif count == 3:
        for i in range(lo, hi):
            out[i] = w0 * t0[i] + w1 * t1[i] + w2 * t2[i]
    elif count == 4:
        for i in range(lo, hi):
            out[i] = w0 * t0[i] + w1 * t1[i] + w2 * t2[i] + w3 * t3[i]
    elif count == 5:
        for i in range(lo, hi):
            out[i] = w0 * t0[i] + w1 * t1[i] + w2 * t2[i] + w3 * t3[i] + w4 * t4[i]
    else:
        for i in range(lo, hi):
            out[i] = w0 * t0[i] + w1 * t1[i] + w2 * t2[i] + w3 * t3[i] + w4 * t4[i] + w5 * t5[i]


@jit
def combine(base: Array, share: float, terms: Array, weights: Array, lo: int, hi: int, out: Array) -> None:
    """out += share x base + sum over the six stages of weights x terms (6, cells), for the cells ``lo`` to ``hi``.

    A range, not slices: a slice of all rows is no longer contiguous, and the loop would lose its vector registers.
    """
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    t0, t1, t2, t3, t4, t5 = terms[0], terms[1], terms[2], terms[3], terms[4], terms[5]
    for i in range(lo, hi):
        out[i] += share * base[i] + (w0 * t0[i] + w1 * t1[i] + w2 * t2[i]) + (w3 * t3[i] + w4 * t4[i] + w5 * t5[i])


@jit
def predict(free: Array, moves: Array, weights: Array, i: int, mixed: Array, out: Array) -> None:
    """Sum of ``moves`` x free ligand of the stages before ``i``, and ``out`` extrapolated from them, not below 0."""
    for lo in range(0, mixed.size, STRIP):
        hi = min(lo + STRIP, mixed.size)
        mix(free, moves, i, lo, hi, mixed)
        mix(free, weights, i, lo, hi, out)
        for k in range(lo, hi):
            out[k] = max(out[k], 0.0)


@jit
def integrate(
    free: Array, slopes: Array, bound: Array, inside: Array, weights: Array, of_bound: Array, of_inside: Array,
    out: Array,
) -> None:  # fmt: skip
    """Add to ``out`` (labels, 3, cells) the stages' free ligand times ``weights`` (labels, 6), and bound and
    internalised ligand as combinations (labels, 8) of kb, ``bound`` and ``inside`` at the step's start."""
    for lo in range(0, bound.size, STRIP):
        hi = min(lo + STRIP, bound.size)
        for n in range(weights.shape[0]):
            combine(bound, 0.0, free, weights[n], lo, hi, out[n, 0])
            combine(bound, of_bound[n, 6], slopes, of_bound[n], lo, hi, out[n, 1])
            combine(bound, of_inside[n, 6], slopes, of_inside[n], lo, hi, out[n, 2])
            share, total = of_inside[n, 7], out[n, 2]
            for i in range(lo, hi):
                total[i] += share * inside[i]


@jit
def stage_rhs(
    mixed: Array, state: Array, slopes: Array, count: int, of_slopes: Array, of_bound: float, held: Array,
    source: Array, leave: Array, capacity: Array, supplied: float, kint: float, exact_sum: Field, faces: Field,
    g: float, height: int, deep: int, line: Array, q: Array, bound_rhs: Array,
) -> None:  # fmt: skip
    """Right-hand sides of a stage: ``q`` of free + bound and ``bound_rhs``, from what earlier stages moved.

    ``mixed`` the sum of step x weight x free ligand of the ``count`` earlier stages, ``supplied`` that of plasma,
    ``of_slopes`` (6,) that of kb; bound ligand's own sum is ``of_bound`` B + ``held`` (6,) kb. Plasma of the stage
    itself is not in ``q``.
    """
    rows, places = mixed.shape[1], mixed.shape[2]
    for colour in range(2):
        own, other, fs, fc = mixed[colour], mixed[1 - colour], exact_sum[colour], faces[colour]
        s0, b0, cp, so, lv = state[0, colour], state[1, colour], capacity[colour], source[colour], leave[colour]
        out, br = q[colour], bound_rhs[colour]
        for k in range(deep, rows // height - deep):
            for y in range(1, height - 1):
                row = k * height + y
                flows(other, fc, g, row, height * deep, 1 - 2 * ((y + k - deep + colour) & 1), 0.0, line)
                for j in range(1, places - 1):
                    moved = line[j] - (g * fs[row, j] + lv[row, j]) * own[row, j] + supplied * so[row, j]
                    bound = b0[row, j]
                    value = s0[row, j] + moved - kint * of_bound * bound
                    out[row, j] = value if cp[row, j] > 0.0 else 0.0
                    br[row, j] = bound
                for m in range(count):
                    kb, u, v = slopes[m, colour], of_slopes[m], kint * held[m]
                    for j in range(1, places - 1):
                        br[row, j] += u * kb[row, j]
                        out[row, j] -= v * kb[row, j]


@jit
def stage_weight(
    q: Array, source: Array, leave: Array, capacity: Array, a: float, plasma: float, floor: float, holds: Array,
    weight: Field,
) -> float:  # fmt: skip
    """Weights of an rms norm of residuals relative to what each voxel holds (not below ``floor`` of the mean), and the
    plasma of the stage added to ``q``.

    That is its right-hand side and what plasma alone would bring: under fast exchange far less than what passes through
    within the step. Returns the unit of residuals (one over the mean content): weights belong to residuals times that.
    """
    total, count = 0.0, 0.0
    for i in range(q.size):
        inside = capacity[i] > 0.0
        brought = a * source[i] * plasma
        volume = capacity[i] if inside else 1.0
        holds[i] = abs(q[i]) + abs(brought) * volume / (volume + a * leave[i])
        q[i] += brought
        count += 1.0 if inside else 0.0
        total += holds[i] if inside else 0.0
    unit = 1.0 / (total / count + 1e-290)
    scale = 1.0 / np.sqrt(count)
    for i in range(q.size):
        weight[i] = scale / (holds[i] * unit + floor) if capacity[i] > 0.0 else 0.0
    return float(unit)


@jit
def stage_residual(
    free: Array, q: Array, bound_rhs: Array, target: Array, leave: Array, capacity: Array, weight: Field, unit: float,
    exact_sum: Field, faces: Field, g: float, a: float, kon: float, koff: float, kint: float, height: int, deep: int,
    line: Array, r: Field, mass: Field,
) -> float:  # fmt: skip
    """Residual ``r`` (times ``unit``) and Newton's diagonal ``mass`` of the scalar stage equation at ``free``; returns
    the weighted norm.

    capacity F + a leave F + (1 + a kint) B(F) - a div(faces grad F) = q, with the bound ligand eliminated:
    B(F) = (bound_rhs + a kon R F) / (1 + a (kon F + koff + kint)).
    """
    total = 0.0
    keep, gain, on = 1.0 + a * kint, 1.0 + a * (koff + kint), a * kon
    rows, places = free.shape[1], free.shape[2]
    for colour in range(2):
        own, other, fs, fc = free[colour], free[1 - colour], exact_sum[colour], faces[colour]
        rhs, br, tg, lv, cp = q[colour], bound_rhs[colour], target[colour], leave[colour], capacity[colour]
        wt, res, ms = weight[colour], r[colour], mass[colour]
        for k in range(deep, rows // height - deep):
            for y in range(1, height - 1):
                row = k * height + y
                flows(other, fc, g, row, height * deep, 1 - 2 * ((y + k - deep + colour) & 1), 0.0, line)
                for j in range(1, places - 1):
                    f = own[row, j]
                    share = 1.0 / (gain + on * f)
                    bound = (br[row, j] + on * tg[row, j] * f) * share
                    slope = on * share * (tg[row, j] - bound)
                    linear = cp[row, j] + a * lv[row, j]
                    value = rhs[row, j] - linear * f - keep * bound + a * (line[j] - g * fs[row, j] * f)
                    value = value * unit if cp[row, j] > 0.0 else 0.0
                    res[row, j] = value
                    ms[row, j] = linear + keep * max(slope, 0.0)
                    total += (value * wt[row, j]) ** 2
    return total


@jit
def solve_stage(
    free: Array, q: Array, bound_rhs: Array, target: Array, leave: Array, capacity: Array, weight: Field, unit: float,
    a: float, kon: float, koff: float, kint: float, tolerance: float, reduction: float,
    mass: Field, inverse: Field, dx: Field, cells: Field, exact_sum: Field, face_sum: Field, faces: Field, g: float,
    line: Field, line64: Array, height: Ints, places: Ints, start: Ints, face_start: Ints, deep: int,
) -> tuple[float, int, int]:  # fmt: skip
    """Newton for one stage, ``free`` in place. Returns weighted residual, Newton and CG iterations."""
    n = start[1]
    shape = free.shape
    flat_faces = faces[: face_start[1]]
    finest = flat_faces.reshape((2, flat_faces.size // n, shape[1], shape[2]))
    r0, m0 = cells[0, :n].reshape(shape), mass[:n].reshape(shape)
    flat = free.reshape(-1)
    # Below this the eliminated denominator would vanish; no solution lies there.
    lowest = -0.5 * (1.0 + a * (koff + kint)) / (a * kon) if a * kon > 0.0 else -np.inf
    cg, newton = 0, 0
    back = 1.0 / unit
    while True:
        residual = np.sqrt(stage_residual(
            free, q, bound_rhs, target, leave, capacity, weight, unit, exact_sum, finest, g, a, kon, koff, kint,
            height[0], deep, line64, r0, m0,
        ))  # fmt: skip
        if not residual > tolerance or newton == MOST_NEWTON:
            return residual, newton, cg
        if newton % REFRESH == 0:  # the cycle need only resemble the matrix
            prepare_levels(mass, inverse, face_sum, g, a, height, places, start, deep)
        cg += conjugate_gradient(
            dx, mass, inverse, weight.reshape(-1), cells, exact_sum, faces, g, a, line, line64, reduction,
            0.3 * tolerance, height, places, start, face_start, deep,
        )  # fmt: skip
        for i in range(n):
            flat[i] = max(flat[i] + back * dx[i], lowest)
        newton += 1


@jit
def finish_stage(
    free: Array, bound_rhs: Array, target: Array, a: float, kon: float, koff: float, kint: float, slope: Array
) -> None:
    """Slope kb of bound ligand of a stage from its solved ``free``; flat fields."""
    gain, on, over = 1.0 + a * (koff + kint), a * kon, 1.0 / a
    for i in range(free.size):
        bound = (bound_rhs[i] + on * target[i] * free[i]) / (gain + on * free[i])
        slope[i] = (bound - bound_rhs[i]) * over


@jit
def last_slope(
    free: Array, bound_rhs: Array, slope: Array, leave: Array, capacity: Array, a: float, kint: float,
    exact_sum: Field, faces: Field, g: float, height: int, deep: int, line: Array, q: Array,
) -> None:  # fmt: skip
    """Free + bound ligand at the step's end, in place of the last stage's ``q``.

    Taken from the fluxes, not from the solved equation: then what leaves one voxel enters its neighbour exactly, and an
    unfinished Newton iteration creates no ligand.
    """
    rows, places = free.shape[1], free.shape[2]
    for colour in range(2):
        own, other, fs, fc = free[colour], free[1 - colour], exact_sum[colour], faces[colour]
        br, kb, lv, cp, out = bound_rhs[colour], slope[colour], leave[colour], capacity[colour], q[colour]
        for k in range(deep, rows // height - deep):
            for y in range(1, height - 1):
                row = k * height + y
                flows(other, fc, g, row, height * deep, 1 - 2 * ((y + k - deep + colour) & 1), 0.0, line)
                for j in range(1, places - 1):
                    taken = kint * (br[row, j] + a * kb[row, j])
                    moved = line[j] - (g * fs[row, j] + lv[row, j]) * own[row, j] - taken
                    out[row, j] += a * moved if cp[row, j] > 0.0 else 0.0


@jit
def take_step(
    step: float, plasma: Array, before: Array, diagonal: float, held: Array, predictor: Array, tolerances: Array,
    reduction: float, floor: float, rates: tuple[float, float, float], state: Array, free: Array, slopes: Array,
    fields: tuple[Array, Array, Array, Array], work: tuple[Array, Array, Array, Field],
    solver: tuple[Field, Field, Field, Field], grid: tuple[Field, Field, Field, float],
    lines: tuple[Field, Array], sizes: tuple[Ints, Ints, Ints, Ints, int], totals: Array, tally: Ints,
) -> float:  # fmt: skip
    """All stages of a step: ``free`` and ``slopes`` (6, ...) of stages 1 to 5, free + bound ligand at its end in the
    work field ``q``. Returns the residual of the last stage solved, above the tolerance where it did not converge.

    ``before`` (6, 6) the tableau's earlier stages, ``held`` before x tableau, ``tolerances`` (6,); ``totals`` (6, 3)
    and the ``tally`` of Newton and CG iterations are filled.
    """
    capacity, target, source, leave = fields
    q, bound_rhs, mixed, weight = work
    mass, inverse, dx, cells = solver
    exact_sum, face_sum, faces, g = grid
    line, line64 = lines
    height, places, start, face_start, deep = sizes
    kon, koff, kint = rates
    n = q.size
    flat_faces = faces[: face_start[1]]
    finest = flat_faces.reshape((2, flat_faces.size // n, q.shape[1], q.shape[2]))
    a = diagonal * step
    residual = 0.0
    for i in range(1, before.shape[0]):
        moves = step * before[i]
        predict(free.reshape((6, n)), moves, predictor[i], i, mixed.reshape(-1), free[i].reshape(-1))
        stage_rhs(
            mixed, state, slopes, i, moves, moves.sum(), step * step * held[i], source, leave, capacity,
            np.sum(moves * plasma), kint, exact_sum, finest, g, height[0], deep, line64, q, bound_rhs,
        )  # fmt: skip
        unit = stage_weight(
            q.reshape(-1), source.reshape(-1), leave.reshape(-1), capacity.reshape(-1), a, plasma[i], floor,
            mixed.reshape(-1), weight.reshape(-1),
        )  # fmt: skip
        residual, newton, cg = solve_stage(
            free[i], q, bound_rhs, target, leave, capacity, weight, unit, a, kon, koff, kint, tolerances[i], reduction,
            mass, inverse, dx, cells, exact_sum, face_sum, faces, g, line, line64, height, places, start, face_start,
            deep,
        )  # fmt: skip
        tally[0] += newton
        tally[1] += cg
        if not residual <= max(tolerances[i], LEAST_RESIDUAL):
            return float(residual)
        finish_stage(free[i].reshape(-1), bound_rhs.reshape(-1), target.reshape(-1), a, kon, koff, kint,
                     slopes[i].reshape(-1))  # fmt: skip
    last_slope(
        free[-1], bound_rhs, slopes[-1], leave, capacity, a, kint, exact_sum, finest, g, height[0], deep, line64, q
    )
    measure(free.reshape((6, n)), slopes.reshape((6, n)), capacity.reshape(-1), leave.reshape(-1), totals)
    return float(residual)


@jit
def measure(free: Array, slopes: Array, capacity: Array, leave: Array, out: Array) -> None:
    """Sums over the tissue at the six stages: free ligand per tissue, what leaves per h, kb; ``out`` (6, 3)."""
    for stage in range(free.shape[0]):
        f, kb = free[stage], slopes[stage]
        content, gone, slope = 0.0, 0.0, 0.0
        for i in range(capacity.size):
            content += capacity[i] * f[i]
            gone += leave[i] * f[i]
            slope += kb[i]
        out[stage, 0], out[stage, 1], out[stage, 2] = content, gone, slope


@jit
def step_error(
    mixed: Array, free: Array, state: Array, new: Array, slopes: Array, supplied: float, source: Array, leave: Array,
    capacity: Array, numbers: Array, kint: float, floor: float, exact_sum: Field, faces: Field, g: float, height: int,
    deep: int, line: Array, lines: Array,
) -> tuple[float, float]:  # fmt: skip
    """Sum over tissue of the squared embedded error relative to the ligand that a voxel holds (or ``floor``), of free +
    bound, bound and internalised; and how far below 0 any content at the step's end (``free``) lies.

    ``mixed`` the difference of weights x free ligand, ``supplied`` that of plasma; ``new`` free + bound at the end.
    ``numbers`` (5, 8): rows for the errors of bound, of what bound ligand lost, of internalised, then bound and
    internalised at the end, each from kb (6), B and I.
    """
    total, low = 0.0, 0.0
    rows, places = mixed.shape[1], mixed.shape[2]
    for colour in range(2):
        own, other, fs, fc = mixed[colour], mixed[1 - colour], exact_sum[colour], faces[colour]
        s0, b0, i0, s1 = state[0, colour], state[1, colour], state[2, colour], new[colour]
        so, lv, cp, end = source[colour], leave[colour], capacity[colour], free[colour]
        for k in range(deep, rows // height - deep):
            for y in range(1, height - 1):
                row = k * height + y
                flows(other, fc, g, row, height * deep, 1 - 2 * ((y + k - deep + colour) & 1), 0.0, line)
                for n in range(5):
                    t = lines[n]
                    w0, w1, w2, w3 = numbers[n, 0], numbers[n, 1], numbers[n, 2], numbers[n, 3]
                    w4, w5, wb, wi = numbers[n, 4], numbers[n, 5], numbers[n, 6], numbers[n, 7]
                    k0, k1, k2 = slopes[0, colour, row], slopes[1, colour, row], slopes[2, colour, row]
                    k3, k4, k5 = slopes[3, colour, row], slopes[4, colour, row], slopes[5, colour, row]
                    for j in range(1, places - 1):
                        first, second = w0 * k0[j] + w1 * k1[j] + w2 * k2[j], w3 * k3[j] + w4 * k4[j] + w5 * k5[j]
                        t[j] = first + second + (wb * b0[row, j] + wi * i0[row, j])
                for j in range(1, places - 1):
                    free_error = line[j] - (g * fs[row, j] + lv[row, j]) * own[row, j] + supplied * so[row, j]
                    free_error -= kint * lines[1, j]
                    # mostly the new content: a voxel that empties within the step must still be right at its end
                    holds = abs(s1[row, j]) + abs(lines[4, j]) + 0.1 * (abs(s0[row, j]) + abs(i0[row, j])) + floor
                    over = 1.0 / holds
                    inside = cp[row, j] > 0.0
                    squares = (free_error * over) ** 2 + (lines[0, j] * over) ** 2 + (lines[2, j] * over) ** 2
                    total += squares if inside else 0.0
                    least = min(cp[row, j] * end[row, j], min(lines[3, j], lines[4, j]))
                    low = min(low, least if inside else 0.0)
    return total, -low
