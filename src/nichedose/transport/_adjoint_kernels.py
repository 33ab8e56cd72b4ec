"""Compiled kernels of one implicit stage, run backwards: what a change of its output asks of its input.

Packed fields as in ``_checkerboard``. The stage's matrix is symmetric, so the adjoint solve is the forward one.
"""

from __future__ import annotations

import numpy as np

from nichedose.fields.grid import Array
from nichedose.transport._kernels import Ints
from nichedose.transport._multigrid import MOST_ITERATIONS, Field, conjugate_gradient, jit, multiply, prepare_levels

__all__ = [
    "after_solve", "before_solve", "between_steps", "first_slopes", "gather", "replay", "solve", "spread", "start_step",
]  # fmt: skip

# Rows of ``sums``: derivatives with respect to these numbers.
KON, KOFF, KINT, KREL, LOG_CONDUCTANCE, CAPACITY, PLASMA = range(7)
PASSES = 20  # of single-precision solves, each of what the last one left
REDUCTION_PER_PASS = 1e-4


@jit
def gather(base: Array, terms: Array, weights: Array, count: int, out: Array) -> None:
    """out = base + sum over the first ``count`` stages, at least one, of weights x terms."""
    first, w = terms[0], weights[0]
    for i in range(out.size):
        out[i] = base[i] + w * first[i]
    left = count - 1
    for k in range(1, left, 2):  # two at a time: fewer passes over ``out``
        u, v, wu, wv = terms[k], terms[k + 1], weights[k], weights[k + 1]
        for i in range(out.size):
            out[i] += wu * u[i] + wv * v[i]
    if left % 2 == 1:
        last, w = terms[left], weights[left]
        for i in range(out.size):
            out[i] += w * last[i]


@jit
def replay(
    free: Array, rhs: Array, target: Array, leave: Array, source: Array, face_sum: Array, faces: Array,
    a: float, plasma: float, kon: float, koff: float, kint: float, krel: float, value: Array, slope: Array,
) -> None:
    """Values (F, B, I) and slopes (F + B, B, I) of a stage from its solved ``free`` and right-hand sides (3, ...)."""
    gain, on, hold = 1.0 + a * (koff + kint), a * kon, 1.0 / (1.0 + a * krel)
    rows, places = free.shape[1], free.shape[2]
    for colour in range(2):
        up, down, same = faces[colour, 0], faces[colour, 1], faces[colour, 2]
        to_left, to_right = faces[colour, 3], faces[colour, 4]
        own, other, br, ir = free[colour], free[1 - colour], rhs[1, colour], rhs[2, colour]
        tg, lv, so, fs = target[colour], leave[colour], source[colour], face_sum[colour]
        vf, vb, vi = value[0, colour], value[1, colour], value[2, colour]
        ss, sb, si = slope[0, colour], slope[1, colour], slope[2, colour]
        for y in range(1, rows - 1):
            at_left, at_right = other[y, : places - 2], other[y, 2:]
            for j in range(1, places - 1):
                flow = up[y, j] * other[y - 1, j] + down[y, j] * other[y + 1, j]
                flow += same[y, j] * other[y, j] + (to_left[y, j] * at_left[j - 1] + to_right[y, j] * at_right[j - 1])
                f = own[y, j]
                bound = (br[y, j] + on * tg[y, j] * f) / (gain + on * f)
                taken = kint * bound
                inside = (ir[y, j] + a * taken) * hold
                vf[y, j], vb[y, j], vi[y, j] = f, bound, inside
                ss[y, j] = flow - (fs[y, j] + lv[y, j]) * f + plasma * so[y, j] - taken
                sb[y, j] = (bound - br[y, j]) / a
                si[y, j] = taken - krel * inside


@jit
def first_slopes(
    free: Array, bound: Array, inside: Array, leave: Array, face_sum: Array, faces: Array, kint: float, krel: float,
    slope: Array,
) -> None:  # fmt: skip
    """Slopes of free + bound, without plasma's share, and of internalised ligand at a step's start; bound's is kept."""
    for colour in range(2):
        up, down, same = faces[colour, 0], faces[colour, 1], faces[colour, 2]
        to_left, to_right = faces[colour, 3], faces[colour, 4]
        own, other = free[colour], free[1 - colour]
        rows, places = own.shape
        for y in range(1, rows - 1):
            at_left, at_right = other[y, : places - 2], other[y, 2:]
            for j in range(1, places - 1):
                flow = up[y, j] * other[y - 1, j] + down[y, j] * other[y + 1, j]
                flow += same[y, j] * other[y, j] + (to_left[y, j] * at_left[j - 1] + to_right[y, j] * at_right[j - 1])
                taken = kint * bound[colour, y, j]
                slope[0, colour, y, j] = flow - (face_sum[colour, y, j] + leave[colour, y, j]) * own[y, j] - taken
                slope[2, colour, y, j] = taken - krel * inside[colour, y, j]


@jit
def before_solve(
    free: Array, rhs: Array, target: Array, leave: Array, capacity: Array, face_sum: Array, faces: Array,
    a: float, kon: float, koff: float, kint: float, krel: float,
    value_bar: Array, slope_bar: Array, mass: Array, right: Array, bound_bar: Array, inside_bar: Array,
) -> None:
    """Matrix diagonal ``mass``, right-hand side ``right`` of the adjoint solve, and what falls to bound and inside.

    ``value_bar`` (3, ...) weighs F per tissue, B and I of the stage; ``slope_bar`` (3, ...) its slopes.
    """
    keep, gain, on, hold = 1.0 + a * kint, 1.0 + a * (koff + kint), a * kon, 1.0 / (1.0 + a * krel)
    rows, places = free.shape[1], free.shape[2]
    for colour in range(2):
        up, down, same = faces[colour, 0], faces[colour, 1], faces[colour, 2]
        to_left, to_right = faces[colour, 3], faces[colour, 4]
        own, other = slope_bar[0, colour], slope_bar[0, 1 - colour]
        for y in range(1, rows - 1):
            at_left, at_right = other[y, : places - 2], other[y, 2:]
            for j in range(1, places - 1):
                flow = up[y, j] * other[y - 1, j] + down[y, j] * other[y + 1, j]
                flow += same[y, j] * other[y, j] + (to_left[y, j] * at_left[j - 1] + to_right[y, j] * at_right[j - 1])
                f, tg = free[colour, y, j], target[colour, y, j]
                share = 1.0 / (gain + on * f)
                bound = (rhs[1, colour, y, j] + on * tg * f) * share
                slope = on * share * (tg - bound)
                of_slope = own[y, j]
                inside = value_bar[2, colour, y, j] - krel * slope_bar[2, colour, y, j]
                held = value_bar[1, colour, y, j] + slope_bar[1, colour, y, j] / a
                held += kint * (slope_bar[2, colour, y, j] - of_slope + a * hold * inside)
                ms = capacity[colour, y, j] + a * leave[colour, y, j] + keep * slope
                mass[colour, y, j] = ms if capacity[colour, y, j] > 0.0 else 0.0
                bound_bar[colour, y, j], inside_bar[colour, y, j] = held, inside
                into = capacity[colour, y, j] * value_bar[0, colour, y, j] + held * slope + flow
                right[colour, y, j] = into - (face_sum[colour, y, j] + leave[colour, y, j]) * of_slope


@jit
def solve(
    x: Array, right: Array, reduction: float, a: float, exact_mass: Array, exact_sum: Array, exact_faces: Array,
    left: Array, mass: Field, inverse: Field, weight: Field, dx: Field, cells: Field, sums: Field, face_sum: Field,
    faces: Field, g: float, line: Field, line64: Array, height: Ints, places: Ints, start: Ints, face_start: Ints,
) -> int:  # fmt: skip
    """Solve the stage's matrix for ``x`` (packed, its content the first guess) to ``reduction`` of ``right``.

    The forward run's single-precision solver, on what is left in double precision. Returns CG iterations.
    """
    n = start[1]
    flat, wanted, rest, ms = x.reshape(-1), right.reshape(-1), left.reshape(-1), exact_mass.reshape(-1)
    size = 0.0
    for i in range(n):
        size += wanted[i] ** 2 if ms[i] > 0.0 else 0.0
        mass[i] = ms[i]
    if size == 0.0:
        flat[:] = 0.0
        return 0
    prepare_levels(mass, inverse, face_sum, g, a, height, places, start, 0)
    goal, used = reduction * np.sqrt(size), 0
    for _ in range(PASSES):
        multiply(x, left, exact_mass, exact_sum, exact_faces, 1.0, a, height[0], 0, line64)
        norm = 0.0
        for i in range(n):
            rest[i] = wanted[i] - rest[i] if ms[i] > 0.0 else 0.0
            norm += rest[i] ** 2
        norm = np.sqrt(norm)
        if not norm > goal:
            break
        for i in range(n):
            cells[0, i] = rest[i] / norm
        wanted_here = 0.5 * goal / norm
        iterations = conjugate_gradient(
            dx, mass, inverse, weight, cells, sums, faces, g, a, line, line64,
            max(REDUCTION_PER_PASS, wanted_here), 0.0, height, places, start, face_start, 0,
        )  # fmt: skip
        used += iterations
        for i in range(n):
            flat[i] += norm * dx[i]
        # so far single precision can be trusted with the residual; beyond, look again in double
        if wanted_here >= REDUCTION_PER_PASS and iterations < MOST_ITERATIONS:
            break
    return used


@jit
def after_solve(
    x: Array, free: Array, rhs: Array, target: Array, source: Array, face_sum: Array, faces: Array,
    a: float, plasma: float, kon: float, koff: float, kint: float, krel: float,
    value_bar: Array, slope_bar: Array, bound_bar: Array, inside_bar: Array,
    rhs_bar: Array, target_bar: Array, exchange_bar: Array, sums: Array,
) -> None:
    """From the adjoint of free ligand ``x``: that of the stage's right-hand sides ``rhs_bar``; parameters are added."""
    keep, gain, on, hold = 1.0 + a * kint, 1.0 + a * (koff + kint), a * kon, 1.0 / (1.0 + a * krel)
    rows, places = free.shape[1], free.shape[2]
    for colour in range(2):
        up, down, same = faces[colour, 0], faces[colour, 1], faces[colour, 2]
        to_left, to_right = faces[colour, 3], faces[colour, 4]
        own, other = free[colour], free[1 - colour]
        for y in range(1, rows - 1):
            at_left, at_right = other[y, : places - 2], other[y, 2:]
            for j in range(1, places - 1):
                flow = up[y, j] * other[y - 1, j] + down[y, j] * other[y + 1, j]
                flow += same[y, j] * other[y, j] + (to_left[y, j] * at_left[j - 1] + to_right[y, j] * at_right[j - 1])
                f, tg, xi = own[y, j], target[colour, y, j], x[colour, y, j]
                share = 1.0 / (gain + on * f)
                bound = (rhs[1, colour, y, j] + on * tg * f) * share
                inside = (rhs[2, colour, y, j] + a * kint * bound) * hold
                into = inside_bar[colour, y, j]
                of_bound = bound_bar[colour, y, j] - keep * xi
                of_flux = a * xi + slope_bar[0, colour, y, j]
                of_inside = slope_bar[2, colour, y, j]
                rhs_bar[0, colour, y, j] = xi
                rhs_bar[1, colour, y, j] = of_bound * share - slope_bar[1, colour, y, j] / a
                rhs_bar[2, colour, y, j] = into * hold
                target_bar[colour, y, j] += of_bound * share * on * f
                exchange_bar[colour, y, j] += (plasma - f) * of_flux
                sums[0] += of_bound * share * a * f * (tg - bound)
                sums[1] -= of_bound * share * a * bound
                sums[2] += bound * (of_inside - of_flux + a * hold * into) - of_bound * share * a * bound
                sums[3] -= inside * (of_inside + a * hold * into)
                sums[4] += of_flux * (flow - face_sum[colour, y, j] * f)
                sums[5] += f * (value_bar[0, colour, y, j] - xi)
                sums[6] += of_flux * source[colour, y, j]


@jit
def between_steps(slope_bar: Array, source: Array, jump: float, exchange_bar: Array) -> float:
    """The plasma's jump between two steps, as the last slope becomes the first; returns its own derivative."""
    total = 0.0
    bar, so, ex = slope_bar.reshape(-1), source.reshape(-1), exchange_bar.reshape(-1)
    for i in range(bar.size):
        total += bar[i] * so[i]
        ex[i] += jump * bar[i]
    return total


@jit
def start_step(
    seeds: Array, label_weights: Array, state_bar: Array, step_weights: Array, value_bars: Array, slope_bars: Array
) -> None:
    """What all stages of a step owe at first: values by ``seeds`` (labels, cells), slopes by the step's end.

    ``label_weights`` (6, labels), ``step_weights`` (6,); bars (6, cells).
    """
    for i in range(value_bars.shape[0]):
        value, slope, b = value_bars[i], slope_bars[i], step_weights[i]
        first, w = seeds[0], label_weights[i, 0]
        for k in range(state_bar.size):
            value[k] = w * first[k]
            slope[k] = b * state_bar[k]
        for label in range(1, seeds.shape[0]):
            other, w = seeds[label], label_weights[i, label]
            for k in range(state_bar.size):
                value[k] += w * other[k]


@jit
def spread(rhs_bar: Array, weights: Array, i: int, state_bar: Array, slope_bars: Array) -> None:
    """Hand stage ``i``'s right-hand sides on to the step's start and to the slopes of earlier stages."""
    for k in range(rhs_bar.size):
        state_bar[k] += rhs_bar[k]
    for j in range(i):
        slope, w = slope_bars[j], weights[j]
        if w != 0.0:
            for k in range(rhs_bar.size):
                slope[k] += w * rhs_bar[k]
