"""Compiled kernels of one implicit stage: eliminate bound ligand, Newton, CG, one multigrid V-cycle.

All fields are packed red and black apart (see ``_checkerboard``). Nothing here allocates in proportion to the grid, and
nothing runs in parallel, so that the same input gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from nichedose.fields.grid import Array

__all__ = ["add_source", "combine", "finish_stage", "scaled_error", "solve_stage", "stage_weight"]

# Reassociation lets sums use vector registers; NaN and infinity keep their meaning, they report failure.
_jit: Callable[..., Any] = numba.njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})


@_jit
def relax(x: Array, b: Array, inverse: Array, faces: Array, a: float, colour: int) -> None:
    """Gauss-Seidel over the voxels of one colour: x = inverse (b + a sum of face x neighbour)."""
    up, down, same, side = faces[colour, 0], faces[colour, 1], faces[colour, 2], faces[colour, 3]
    own, other, rhs, inv = x[colour], x[1 - colour], b[colour], inverse[colour]
    rows, places = own.shape
    for y in range(1, rows - 1):
        s = 1 - 2 * ((y + colour) & 1)
        aside = other[y, 1 + s : places - 1 + s]
        for j in range(1, places - 1):
            flow = up[y, j] * other[y - 1, j] + down[y, j] * other[y + 1, j]
            flow += same[y, j] * other[y, j] + side[y, j] * aside[j - 1]
            own[y, j] = inv[y, j] * (rhs[y, j] + a * flow)


@_jit
def start_red(x: Array, b: Array, inverse: Array) -> None:
    """The first sweep over red from a zero start."""
    own, rhs, inv = x[0], b[0], inverse[0]
    rows, places = own.shape
    for y in range(1, rows - 1):
        for j in range(1, places - 1):
            own[y, j] = inv[y, j] * rhs[y, j]


@_jit
def restrict_red(x: Array, faces: Array, a: float, work: Array, coarse: Array) -> None:
    """Residual after a red and a black sweep from zero, summed over 2 x 2 blocks.

    Black voxels are then in balance, and a red one lacks what its black neighbours give.
    """
    up, down, same, side = faces[0, 0], faces[0, 1], faces[0, 2], faces[0, 3]
    black = x[1]
    rows, places = black.shape
    for y in range(1, rows - 1):
        s = 1 - 2 * (y & 1)
        aside = black[y, 1 + s : places - 1 + s]
        for j in range(1, places - 1):
            flow = up[y, j] * black[y - 1, j] + down[y, j] * black[y + 1, j]
            work[y, j] = a * (flow + same[y, j] * black[y, j] + side[y, j] * aside[j - 1])
    sum_blocks(work, work, 0.0, coarse)


@_jit
def sum_blocks(red: Array, black: Array, black_share: float, coarse: Array) -> None:
    """Sum of a packed field over 2 x 2 blocks: red + ``black_share`` x black."""
    rows, places = coarse.shape[1], red.shape[1]
    last = red.shape[0] - 1
    for block in range(rows - 2):
        y = 2 * block + 1
        below = y + 1 if y + 1 < last else last
        for colour in range(2):
            first = (block + colour) & 1
            out = coarse[colour, block + 1]
            for m in range((places - 2 - first + 1) // 2):
                j = 2 * m + first + 1
                total = red[y, j] + red[below, j]
                if black_share != 0.0:
                    total += black_share * (black[y, j] + black[below, j])
                out[m + 1] = total


@_jit
def prolong_red(coarse: Array, x: Array) -> None:
    """Add each block's correction to its red voxels; the black ones follow in the next sweep."""
    red = x[0]
    rows, places = red.shape
    for y in range(1, rows - 1):
        block = (y - 1) >> 1
        for colour in range(2):
            first = (block + colour) & 1
            row = coarse[colour, block + 1]
            for m in range((places - 2 - first + 1) // 2):
                red[y, 2 * m + first + 1] += row[m + 1]


@_jit
def set_inverse(mass: Array, face_sum: Array, a: float, inverse: Array) -> None:
    """1 / (mass + a face_sum), and 0 outside the tissue, which keeps those voxels at 0."""
    for i in range(mass.size):
        d = mass[i] + a * face_sum[i]
        inverse[i] = 1.0 / d if mass[i] > 0.0 else 0.0


@_jit
def prepare_levels(
    mass: Array, inverse: Array, face_sum: Array, a: float, rows: Array, places: Array, start: Array
) -> None:
    """Diagonals of all grids from that of the finest."""
    for level in range(rows.size - 1):
        fine = mass[start[level] : start[level + 1]].reshape((2, rows[level], places[level]))
        coarse = mass[start[level + 1] : start[level + 2]].reshape((2, rows[level + 1], places[level + 1]))
        sum_blocks(fine[0], fine[1], 1.0, coarse)
    set_inverse(mass, face_sum, a, inverse)


@_jit
def v_cycle(
    x: Array, b: Array, inverse: Array, faces: Array, a: float, work: Array, rows: Array, places: Array, start: Array
) -> None:
    """One V(1,1) cycle from zero for A x = b on the finest grid; symmetric, so that CG may use it."""
    top = rows.size - 1
    for level in range(top + 1):
        lo, hi, shape = start[level], start[level + 1], (2, rows[level], places[level])
        xl, bl, il = x[lo:hi].reshape(shape), b[lo:hi].reshape(shape), inverse[lo:hi].reshape(shape)
        gl = faces[4 * lo : 4 * hi].reshape((2, 4, rows[level], places[level]))
        start_red(xl, bl, il)
        relax(xl, bl, il, gl, a, 1)
        if level < top:
            half = work[: rows[level] * places[level]].reshape((rows[level], places[level]))
            next_b = b[hi : start[level + 2]].reshape((2, rows[level + 1], places[level + 1]))
            restrict_red(xl, gl, a, half, next_b)
        else:
            for _ in range(3):
                relax(xl, bl, il, gl, a, 0)
                relax(xl, bl, il, gl, a, 1)
    for level in range(top, -1, -1):
        lo, hi, shape = start[level], start[level + 1], (2, rows[level], places[level])
        xl, bl, il = x[lo:hi].reshape(shape), b[lo:hi].reshape(shape), inverse[lo:hi].reshape(shape)
        gl = faces[4 * lo : 4 * hi].reshape((2, 4, rows[level], places[level]))
        if level < top:
            prolong_red(x[hi : start[level + 2]].reshape((2, rows[level + 1], places[level + 1])), xl)
            relax(xl, bl, il, gl, a, 1)
        relax(xl, bl, il, gl, a, 0)


@_jit
def apply_operator(p: Array, out: Array, mass: Array, face_sum: Array, faces: Array, a: float) -> float:
    """out = A p with A = mass + a (face_sum - faces); returns p . A p."""
    total = 0.0
    rows, places = p.shape[1], p.shape[2]
    for colour in range(2):
        up, down, same, side = faces[colour, 0], faces[colour, 1], faces[colour, 2], faces[colour, 3]
        own, other, ms, fs, res = p[colour], p[1 - colour], mass[colour], face_sum[colour], out[colour]
        for y in range(1, rows - 1):
            s = 1 - 2 * ((y + colour) & 1)
            aside = other[y, 1 + s : places - 1 + s]
            for j in range(1, places - 1):
                flow = up[y, j] * other[y - 1, j] + down[y, j] * other[y + 1, j]
                flow += same[y, j] * other[y, j] + side[y, j] * aside[j - 1]
                value = (ms[y, j] + a * fs[y, j]) * own[y, j] - a * flow
                res[y, j] = value
                total += own[y, j] * value
    return total


@_jit
def dot(u: Array, v: Array, n: int) -> float:
    total = 0.0
    for i in range(n):
        total += u[i] * v[i]
    return total


@_jit
def conjugate_gradient(
    dx: Array, mass: Array, inverse: Array, weight: Array, cells: Array, face_sum: Array, faces: Array, a: float,
    reduction: float, goal: float, rows: Array, places: Array, start: Array,
) -> int:
    """Solve A dx = r, with r in ``cells[0]``, until its weighted norm fell by ``reduction`` or to ``goal``.

    ``cells`` (5, flat): r and coarse right-hand sides, z and coarse corrections, p, A p, work. Returns the iterations.
    """
    r, z, p, ap, work = cells[0], cells[1], cells[2], cells[3], cells[4]
    n = start[1]
    shape = (2, rows[0], places[0])
    g0 = faces[: 4 * n].reshape((2, 4, rows[0], places[0]))
    first = 0.0
    for i in range(n):
        dx[i] = 0.0
        first += (r[i] * weight[i]) ** 2
    limit = max(reduction * reduction * first, goal * goal)
    rz_old = 1.0
    for iteration in range(60):
        v_cycle(z, r, inverse, faces, a, work, rows, places, start)
        rz = dot(r, z, n)
        beta = rz / rz_old if iteration > 0 else 0.0
        rz_old = rz
        for i in range(n):
            p[i] = z[i] + beta * p[i]
        pap = apply_operator(
            p[:n].reshape(shape), ap[:n].reshape(shape), mass[:n].reshape(shape), face_sum[:n].reshape(shape), g0, a
        )
        alpha = rz / pap if pap > 0.0 else 0.0
        norm = 0.0
        for i in range(n):
            dx[i] += alpha * p[i]
            r[i] -= alpha * ap[i]
            norm += (r[i] * weight[i]) ** 2
        if not norm > limit:
            return iteration + 1
    return 60


@_jit
def stage_residual(
    free: Array, rhs: Array, bound_rhs: Array, target: Array, leave: Array, capacity: Array, weight: Array,
    face_sum: Array, faces: Array, a: float, kon: float, koff: float, kint: float, r: Array, mass: Array,
) -> float:
    """Residual r and Newton's diagonal ``mass`` of the scalar stage equation at ``free``; returns the weighted norm.

    capacity F + a leave F + (1 + a kint) B(F) - a div(faces grad F) = rhs, with the bound ligand eliminated:
    B(F) = (bound_rhs + a kon R F) / (1 + a (kon F + koff + kint)).
    """
    total = 0.0
    keep, gain = 1.0 + a * kint, 1.0 + a * (koff + kint)
    on = a * kon
    rows, places = free.shape[1], free.shape[2]
    for colour in range(2):
        up, down, same, side = faces[colour, 0], faces[colour, 1], faces[colour, 2], faces[colour, 3]
        own, other, q, br = free[colour], free[1 - colour], rhs[colour], bound_rhs[colour]
        tg, lv, cp, fs = target[colour], leave[colour], capacity[colour], face_sum[colour]
        wt, res, ms = weight[colour], r[colour], mass[colour]
        for y in range(1, rows - 1):
            s = 1 - 2 * ((y + colour) & 1)
            aside = other[y, 1 + s : places - 1 + s]
            for j in range(1, places - 1):
                flow = up[y, j] * other[y - 1, j] + down[y, j] * other[y + 1, j]
                flow += same[y, j] * other[y, j] + side[y, j] * aside[j - 1]
                f = own[y, j]
                share = 1.0 / (gain + on * f)
                bound = (br[y, j] + on * tg[y, j] * f) * share
                slope = on * share * (tg[y, j] - bound)
                linear = cp[y, j] + a * lv[y, j]
                value = q[y, j] - (linear + a * fs[y, j]) * f - keep * bound + a * flow
                res[y, j] = value
                ms[y, j] = linear + keep * max(slope, 0.0)
                total += (value * wt[y, j]) ** 2
    return total


@_jit
def solve_stage(
    free: Array, rhs: Array, bound_rhs: Array, target: Array, leave: Array, capacity: Array, weight: Array,
    a: float, kon: float, koff: float, kint: float, tolerance: float, reduction: float,
    mass: Array, inverse: Array, cells: Array, face_sum: Array, faces: Array, rows: Array, places: Array, start: Array,
) -> tuple[float, int, int]:
    """Newton for one stage, ``free`` in place. Returns weighted residual, Newton and CG iterations."""
    n = start[1]
    shape = (2, rows[0], places[0])
    g0, fs0 = faces[: 4 * n].reshape((2, 4, rows[0], places[0])), face_sum[:n].reshape(shape)
    r0, m0, dx = cells[0, :n].reshape(shape), mass[:n].reshape(shape), cells[5]
    flat = free.reshape(-1)
    # Below this the eliminated denominator would vanish; no solution lies there.
    lowest = -0.5 * (1.0 + a * (koff + kint)) / (a * kon) if a * kon > 0.0 else -np.inf
    cg = 0
    residual = np.inf
    for newton in range(25):
        residual = np.sqrt(stage_residual(free, rhs, bound_rhs, target, leave, capacity, weight, fs0, g0, a, kon, koff,
                                          kint, r0, m0))
        if not residual > tolerance:
            return residual, newton, cg
        prepare_levels(mass, inverse, face_sum, a, rows, places, start)
        cg += conjugate_gradient(
            dx, mass, inverse, weight.reshape(-1), cells, face_sum, faces, a, reduction, 0.3 * tolerance,
            rows, places, start,
        )  # fmt: skip
        for i in range(n):
            flat[i] = max(flat[i] + dx[i], lowest)
    residual = np.sqrt(stage_residual(free, rhs, bound_rhs, target, leave, capacity, weight, fs0, g0, a, kon, koff,
                                      kint, r0, m0))
    return residual, 25, cg


@_jit
def stage_weight(
    content: Array, source: Array, leave: Array, capacity: Array, a: float, plasma: float, floor: float, weight: Array
) -> None:
    """Weights of an rms norm of residuals relative to what each voxel holds (not below ``floor`` of the mean).

    That is its right-hand side ``content`` and what plasma alone would bring: under fast exchange far less than what
    passes through within the step.
    """
    total, count = 0.0, 0.0
    for i in range(content.size):
        if capacity[i] > 0.0:
            count += 1.0
            weight[i] = abs(content[i]) + a * source[i] * abs(plasma) / (1.0 + a * leave[i] / capacity[i])
            total += weight[i]
    least = floor * total / count + 1e-290
    scale = 1.0 / np.sqrt(count)
    for i in range(content.size):
        weight[i] = scale / (weight[i] + least) if capacity[i] > 0.0 else 0.0


@_jit
def add_source(rhs: Array, source: Array, amount: float, out: Array) -> None:
    """out = rhs + amount x source."""
    for i in range(out.size):
        out[i] = rhs[i] + amount * source[i]


@_jit
def predict(values: Array, weights: Array, out: Array) -> None:
    """Free ligand extrapolated from earlier stages, not below 0. ``values`` (6, 3, cells)."""
    w0, w1, w2, w3, w4 = weights[0], weights[1], weights[2], weights[3], weights[4]
    f0, f1, f2, f3, f4 = values[0, 0], values[1, 0], values[2, 0], values[3, 0], values[4, 0]
    for i in range(out.size):
        out[i] = max(w0 * f0[i] + w1 * f1[i] + w2 * f2[i] + w3 * f3[i] + w4 * f4[i], 0.0)


@_jit
def combine(base: Array, terms: Array, weights: Array, out: Array) -> None:
    """out = base + sum over the six stages of weights x terms; ``out`` may be ``base``."""
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    t0, t1, t2, t3, t4, t5 = terms[0], terms[1], terms[2], terms[3], terms[4], terms[5]
    for i in range(out.size):
        out[i] = base[i] + (w0 * t0[i] + w1 * t1[i] + w2 * t2[i] + w3 * t3[i] + w4 * t4[i] + w5 * t5[i])


@_jit
def finish_stage(
    free: Array, rhs: Array, target: Array, leave: Array, source: Array, face_sum: Array, faces: Array,
    a: float, plasma: float, kon: float, koff: float, kint: float, krel: float, value: Array, slope: Array,
) -> None:
    """Values (F, B, I) and slopes (F + B, B, I) of a stage from its solved ``free`` and right-hand sides (3, ...).

    The slope of free + bound is taken from the fluxes, not from the solved equation: then what leaves one voxel enters
    its neighbour exactly, and an unfinished Newton iteration creates no ligand.
    """
    gain, on, hold = 1.0 + a * (koff + kint), a * kon, 1.0 / (1.0 + a * krel)
    rows, places = free.shape[1], free.shape[2]
    for colour in range(2):
        up, down, same, side = faces[colour, 0], faces[colour, 1], faces[colour, 2], faces[colour, 3]
        own, other, br, ir = free[colour], free[1 - colour], rhs[1, colour], rhs[2, colour]
        tg, lv, so, fs = target[colour], leave[colour], source[colour], face_sum[colour]
        vf, vb, vi = value[0, colour], value[1, colour], value[2, colour]
        ss, sb, si = slope[0, colour], slope[1, colour], slope[2, colour]
        for y in range(1, rows - 1):
            s = 1 - 2 * ((y + colour) & 1)
            aside = other[y, 1 + s : places - 1 + s]
            for j in range(1, places - 1):
                flow = up[y, j] * other[y - 1, j] + down[y, j] * other[y + 1, j]
                flow += same[y, j] * other[y, j] + side[y, j] * aside[j - 1]
                f = own[y, j]
                bound = (br[y, j] + on * tg[y, j] * f) / (gain + on * f)
                taken = kint * bound
                inside = (ir[y, j] + a * taken) * hold
                vf[y, j], vb[y, j], vi[y, j] = f, bound, inside
                ss[y, j] = flow - (fs[y, j] + lv[y, j]) * f + plasma * so[y, j] - taken
                sb[y, j] = (bound - br[y, j]) / a
                si[y, j] = taken - krel * inside


@_jit
def scaled_error(old: Array, new: Array, slopes: Array, weights: Array, capacity: Array, floor: float) -> float:
    """Root mean square over tissue of the embedded error, relative to the ligand that a voxel holds (or ``floor``).

    ``old``, ``new`` (3, cells) with free + bound, bound, internalised; ``slopes`` (6, 3, cells), ``weights``
    step (b - b^).
    """
    count, total = 0.0, 0.0
    for i in range(capacity.size):
        count += 1.0 if capacity[i] > 0.0 else 0.0
    for field in range(3):
        k0, k1, k2 = slopes[0, field], slopes[1, field], slopes[2, field]
        k3, k4, k5 = slopes[3, field], slopes[4, field], slopes[5, field]
        for i in range(capacity.size):
            e = weights[0] * (k0[i] + k1[i]) + weights[2] * k2[i] + weights[3] * k3[i]
            e += weights[4] * k4[i] + weights[5] * k5[i]
            # mostly the new content: a voxel that empties within the step must still be right at its end
            holds = abs(new[0, i]) + abs(new[2, i]) + 0.1 * (abs(old[0, i]) + abs(old[2, i]))
            total += (e / (holds + floor)) ** 2
    return float(np.sqrt(total / count))


@_jit
def total_content(state: Array) -> float:
    """Ligand in the section, free + bound + internalised; ``state`` (3, cells)."""
    total = 0.0
    for i in range(state.shape[1]):
        total += state[0, i] + state[2, i]
    return total


@_jit
def deepest(values: Array, capacity: Array) -> float:
    """How far below 0 any content of a stage lies, nmol/L of tissue; ``values`` (3, cells)."""
    low = 0.0
    for i in range(capacity.size):
        low = min(low, capacity[i] * values[0, i], min(values[1, i], values[2, i]))
    return -low


@_jit
def stage_totals(values: Array, slopes: Array, capacity: Array, out: Array) -> None:
    """Content and its slope at each of the six stages, summed over the section: ``out`` (6, 2)."""
    for stage in range(values.shape[0]):
        content, slope = 0.0, 0.0
        f, b, inside = values[stage, 0], values[stage, 1], values[stage, 2]
        ks, ki = slopes[stage, 0], slopes[stage, 2]
        for i in range(capacity.size):
            content += capacity[i] * f[i] + b[i] + inside[i]
            slope += ks[i] + ki[i]
        out[stage, 0], out[stage, 1] = content, slope
