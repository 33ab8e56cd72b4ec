"""Compiled sums over the six stages of a step: first guesses, label integrals, the new state, errors.

All fields are packed red and black apart (see ``_checkerboard``). What does not move is linear in few numbers: with the
slopes kb of bound ligand, every stage's bound and internalised ligand is a combination of B, I and kb whose weights are
the same in all voxels. So of the stages only free ligand and kb are kept, and fluxes are taken from combinations of
free ligand. Each kernel goes through memory once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nichedose._compiled import njit
from nichedose.fields.grid import Array
from nichedose.transport._flows import Field, apart, flows_of_rows, jit

__all__ = ["accept", "combine", "integrate", "measure", "step_error", "two_sums"]

# a minimum goes into vector registers only where NaN need not be kept
least_of: Callable[..., Any] = njit(cache=True, nogil=True, forceinline=True, fastmath={"nnan", "nsz"})
STRIP = 1024  # cells of all stages that fit in the middle cache


@apart
def two_sums(
    base: Array, terms: Array, one: Array, two: Array, count: int, least: float, out: Array, other: Array
) -> None:
    """out = one[0] base + the sum of one[1 + j] terms[j] over the first ``count`` (at most 5) of ``terms`` (.., cells);
    ``other`` likewise with ``two``, and not below ``least``."""
    u, v = one[0], two[0]
    u0, u1, u2, u3, u4 = one[1], one[2], one[3], one[4], one[5]
    v0, v1, v2, v3, v4 = two[1], two[2], two[3], two[4], two[5]
    t0 = terms[0]
    t1, t2, t3, t4 = terms[min(1, count)], terms[min(2, count)], terms[min(3, count)], terms[min(4, count)]
    n = base.size
    if count == 0:
        for i in range(n):
            out[i], other[i] = u * base[i], max(v * base[i], least)
    elif count == 1:
        for i in range(n):
            out[i] = u * base[i] + u0 * t0[i]
            other[i] = max(v * base[i] + v0 * t0[i], least)
    elif count == 2:
        for i in range(n):
            out[i] = u * base[i] + u0 * t0[i] + u1 * t1[i]
            other[i] = max(v * base[i] + v0 * t0[i] + v1 * t1[i], least)
    elif count == 3:
        for i in range(n):
            out[i] = u * base[i] + u0 * t0[i] + u1 * t1[i] + u2 * t2[i]
            other[i] = max(v * base[i] + v0 * t0[i] + v1 * t1[i] + v2 * t2[i], least)
    elif count == 4:
        for i in range(n):
            out[i] = (u * base[i] + u0 * t0[i] + u1 * t1[i]) + (u2 * t2[i] + u3 * t3[i])
            other[i] = max((v * base[i] + v0 * t0[i] + v1 * t1[i]) + (v2 * t2[i] + v3 * t3[i]), least)
    else:
        for i in range(n):
            out[i] = (u * base[i] + u0 * t0[i] + u1 * t1[i]) + (u2 * t2[i] + u3 * t3[i] + u4 * t4[i])
            other[i] = max((v * base[i] + v0 * t0[i] + v1 * t1[i]) + (v2 * t2[i] + v3 * t3[i] + v4 * t4[i]), least)


@apart
def combine(base: Array, share: float, terms: Array, weights: Array, lo: int, hi: int, out: Array) -> None:
    """out += share x base + sum over the six stages of weights x terms (6, cells), for the cells ``lo`` to ``hi``."""
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    t0, t1, t2 = terms[0][lo:hi], terms[1][lo:hi], terms[2][lo:hi]
    t3, t4, t5 = terms[3][lo:hi], terms[4][lo:hi], terms[5][lo:hi]
    start, total = base[lo:hi], out[lo:hi]
    for i in range(total.size):
        total[i] += share * start[i] + (w0 * t0[i] + w1 * t1[i] + w2 * t2[i]) + (w3 * t3[i] + w4 * t4[i] + w5 * t5[i])


@apart
def add_integrals(
    free: Array, slopes: Array, bound: Array, inside: Array, w: Array, b: Array, c: Array, lo: int, hi: int, out: Array
) -> None:
    """One label's share of `integrate`, for the cells ``lo`` to ``hi``."""
    w0, w1, w2, w3, w4, w5 = w[0], w[1], w[2], w[3], w[4], w[5]
    b0, b1, b2, b3, b4, b5, b6 = b[0], b[1], b[2], b[3], b[4], b[5], b[6]
    c0, c1, c2, c3, c4, c5, c6, c7 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
    f0, f1, f2 = free[0][lo:hi], free[1][lo:hi], free[2][lo:hi]
    f3, f4, f5 = free[3][lo:hi], free[4][lo:hi], free[5][lo:hi]
    k0, k1, k2 = slopes[0][lo:hi], slopes[1][lo:hi], slopes[2][lo:hi]
    k3, k4, k5 = slopes[3][lo:hi], slopes[4][lo:hi], slopes[5][lo:hi]
    start_b, start_i = bound[lo:hi], inside[lo:hi]
    of_free, of_bound, of_inside = out[0][lo:hi], out[1][lo:hi], out[2][lo:hi]
    for i in range(start_b.size):
        of_free[i] += (w0 * f0[i] + w1 * f1[i] + w2 * f2[i]) + (w3 * f3[i] + w4 * f4[i] + w5 * f5[i])
        held = (b0 * k0[i] + b1 * k1[i] + b2 * k2[i]) + (b3 * k3[i] + b4 * k4[i] + b5 * k5[i])
        of_bound[i] += held + b6 * start_b[i]
        held = (c0 * k0[i] + c1 * k1[i] + c2 * k2[i]) + (c3 * k3[i] + c4 * k4[i] + c5 * k5[i])
        of_inside[i] += held + c6 * start_b[i] + c7 * start_i[i]


@jit
def integrate(
    free: Array, slopes: Array, bound: Array, inside: Array, weights: Array, of_bound: Array, of_inside: Array,
    out: Array,
) -> None:  # fmt: skip
    """Add to ``out`` (labels, 3, cells) the stages' free, bound and internalised ligand times ``weights`` (labels, 6).

    ``of_bound``, ``of_inside`` (6, 8): both at the stages as combinations of kb, ``bound`` and ``inside`` at the step's
    start.
    """
    b, c = weights @ of_bound, weights @ of_inside
    for lo in range(0, bound.size, STRIP):
        hi = min(lo + STRIP, bound.size)
        for n in range(weights.shape[0]):
            add_integrals(free, slopes, bound, inside, weights[n], b[n], c[n], lo, hi, out[n])


@apart
def accept(
    new: Array, free_end: Array, slopes: Array, of_bound: Array, of_inside: Array, state: Array, free_start: Array,
    slope_start: Array,
) -> None:  # fmt: skip
    """The step's end becomes the start of the next: ``state`` (3, cells) free + bound, bound, internalised ligand.

    ``of_bound``, ``of_inside`` (8,) weights of kb (6), B and I; ``slopes`` (5, cells) kb of stages 1 to 5.
    """
    b0, b1, b2, b3, b4, b5, b6 = (
        of_bound[0], of_bound[1], of_bound[2], of_bound[3], of_bound[4], of_bound[5], of_bound[6])  # fmt: skip
    c0, c1, c2, c3, c4, c5, c6, c7 = (
        of_inside[0], of_inside[1], of_inside[2], of_inside[3], of_inside[4], of_inside[5], of_inside[6], of_inside[7])
    k1, k2, k3, k4, k5 = slopes[0], slopes[1], slopes[2], slopes[3], slopes[4]
    total, bound, inside = state[0], state[1], state[2]
    for i in range(new.size):
        b, k0 = bound[i], slope_start[i]
        held = (b0 * k0 + b1 * k1[i] + b2 * k2[i]) + (b3 * k3[i] + b4 * k4[i] + b5 * k5[i])
        taken = (c0 * k0 + c1 * k1[i] + c2 * k2[i]) + (c3 * k3[i] + c4 * k4[i] + c5 * k5[i])
        bound[i] = b + (held + (b6 - 1.0) * b)
        inside[i] = c7 * inside[i] + taken + c6 * b
        total[i], free_start[i], slope_start[i] = new[i], free_end[i], k5[i]


@apart
def measure(
    free: Array, slopes: Array, capacity: Array, leave: Array, weights: Array, out: Array, mixed: Array
) -> None:
    """``out`` (6, 3): sums over the tissue at the six stages of free ligand per tissue, of what leaves per h and of kb;
    ``mixed`` (cells,) the sum of ``weights`` (6,) x free ligand."""
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    f0, f1, f2, f3, f4, f5 = free[0], free[1], free[2], free[3], free[4], free[5]
    k0, k1, k2, k3, k4, k5 = slopes[0], slopes[1], slopes[2], slopes[3], slopes[4], slopes[5]
    s0, s1, s2, s3, s4, s5 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    c0, c1, c2, c3, c4, c5 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    g0, g1, g2, g3, g4, g5 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(mixed.size):
        cp, lv = capacity[i], leave[i]
        a0, a1, a2, a3, a4, a5 = f0[i], f1[i], f2[i], f3[i], f4[i], f5[i]
        mixed[i] = (w0 * a0 + w1 * a1 + w2 * a2) + (w3 * a3 + w4 * a4 + w5 * a5)
        c0, c1, c2, c3, c4, c5 = c0 + cp * a0, c1 + cp * a1, c2 + cp * a2, c3 + cp * a3, c4 + cp * a4, c5 + cp * a5
        g0, g1, g2, g3, g4, g5 = g0 + lv * a0, g1 + lv * a1, g2 + lv * a2, g3 + lv * a3, g4 + lv * a4, g5 + lv * a5
        s0, s1, s2, s3, s4, s5 = s0 + k0[i], s1 + k1[i], s2 + k2[i], s3 + k3[i], s4 + k4[i], s5 + k5[i]
    out[:, 0] = (c0, c1, c2, c3, c4, c5)
    out[:, 1] = (g0, g1, g2, g3, g4, g5)
    out[:, 2] = (s0, s1, s2, s3, s4, s5)


@apart
def rows_error(
    line: Array, own: Array, fs: Array, leave: Array, source: Array, capacity: Array, s0: Array, b0: Array, i0: Array,
    s1: Array, end: Array, k0: Array, k1: Array, k2: Array, k3: Array, k4: Array, k5: Array, w: Array,
    supplied: float, floor: float, g: float, least: Array,
) -> float:  # fmt: skip
    """Squares of `step_error` of some rows, and its ``least`` contents at the step's end."""
    total = 0.0
    p0, p1, p2, p3, p4, p5 = w[0, 0], w[0, 1], w[0, 2], w[0, 3], w[0, 4], w[0, 5]
    q0, q1, q2, q3, q4, q5, q6, q7 = w[2, 0], w[2, 1], w[2, 2], w[2, 3], w[2, 4], w[2, 5], w[2, 6], w[2, 7]
    l0, l1, l2, l3, l4, l5, l6 = w[1, 0], w[1, 1], w[1, 2], w[1, 3], w[1, 4], w[1, 5], w[1, 6]
    u0, u1, u2, u3, u4, u5, u6 = w[3, 0], w[3, 1], w[3, 2], w[3, 3], w[3, 4], w[3, 5], w[3, 6]
    v0, v1, v2, v3, v4, v5, v6, v7 = w[4, 0], w[4, 1], w[4, 2], w[4, 3], w[4, 4], w[4, 5], w[4, 6], w[4, 7]
    for j in range(own.size):
        a0, a1, a2, a3, a4, a5, b, i = k0[j], k1[j], k2[j], k3[j], k4[j], k5[j], b0[j], i0[j]
        bound = (p0 * a0 + p1 * a1 + p2 * a2) + (p3 * a3 + p4 * a4 + p5 * a5)
        lost = (l0 * a0 + l1 * a1 + l2 * a2) + (l3 * a3 + l4 * a4 + l5 * a5) + l6 * b
        inside = (q0 * a0 + q1 * a1 + q2 * a2) + (q3 * a3 + q4 * a4 + q5 * a5) + (q6 * b + q7 * i)
        bound_end = (u0 * a0 + u1 * a1 + u2 * a2) + (u3 * a3 + u4 * a4 + u5 * a5) + u6 * b
        inside_end = (v0 * a0 + v1 * a1 + v2 * a2) + (v3 * a3 + v4 * a4 + v5 * a5) + (v6 * b + v7 * i)
        error = line[j] - (g * fs[j] + leave[j]) * own[j] + supplied * source[j] - lost
        # mostly the new content: a voxel that empties within the step must still be right at its end
        holds = abs(s1[j]) + abs(inside_end) + 0.1 * (abs(s0[j]) + abs(i)) + floor
        over = 1.0 / holds
        error, bound, inside = error * over, bound * over, inside * over
        squares = error * error + bound * bound + inside * inside
        within = capacity[j] > 0.0
        total += squares if within else 0.0
        lower = min(min(capacity[j] * end[j], s1[j]), min(bound_end, inside_end))
        least[j] = lower if within else 0.0
    return total


@least_of
def rows_least(line: Array) -> float:
    """Least of some cells and 0; a NaN may be passed over."""
    low = 0.0
    for j in range(line.size):
        low = line[j] if line[j] < low else low
    return low


@jit
def step_error(
    mixed: Array, free: Array, state: Array, new: Array, slopes: Array, difference: Array, plasma: Array, source: Array,
    leave: Array, capacity: Array, of_bound: Array, of_inside: Array, kint: float, krel: float, floor: float,
    exact_sum: Field, faces: Field, g: float, height: int, deep: int, lines: Array, least: Array,
) -> tuple[float, float]:  # fmt: skip
    """Sum over tissue of the squared embedded error relative to the ligand that a voxel holds (or ``floor``), of free +
    bound, bound and internalised; and how far below 0 any content at the step's end (``free``) lies.

    ``difference`` (6,) of the two schemes' weights, ``mixed`` that of free ligand; ``new`` free + bound at the end.
    ``of_bound``, ``of_inside`` as in `integrate`.
    """
    total, low = 0.0, 0.0
    supplied = np.sum(difference * plasma)
    numbers = np.zeros((5, 8))  # errors of bound, of what it lost, of internalised; bound and internalised at the end
    numbers[0, :6] = difference
    numbers[1] = kint * (difference @ of_bound)
    numbers[2] = numbers[1] - krel * (difference @ of_inside)
    numbers[3], numbers[4] = of_bound[-1], of_inside[-1]
    half = (2, mixed.size // 2)
    own, fs, lv, so = mixed.reshape(half), exact_sum.reshape(half), leave.reshape(half), source.reshape(half)
    cp, after, end = capacity.reshape(half), new.reshape(half), free.reshape(half)
    before, kb = state.reshape((3, *half)), slopes.reshape((6, *half))
    flat = lines.reshape(-1)
    for c in range(2):
        for k in range(deep, mixed.shape[1] // height - deep):
            for y in range(1, height - 1, lines.shape[0]):
                lo, hi = flows_of_rows(mixed[1 - c], faces[c], g, k, y, height, deep, c, lines)
                line = flat[: hi - lo]
                total += rows_error(
                    line, own[c, lo:hi], fs[c, lo:hi], lv[c, lo:hi], so[c, lo:hi], cp[c, lo:hi], before[0, c, lo:hi],
                    before[1, c, lo:hi], before[2, c, lo:hi], after[c, lo:hi], end[c, lo:hi], kb[0, c, lo:hi],
                    kb[1, c, lo:hi], kb[2, c, lo:hi], kb[3, c, lo:hi], kb[4, c, lo:hi], kb[5, c, lo:hi], numbers,
                    supplied, floor, g, least[: hi - lo],
                )  # fmt: skip
                low = min(low, rows_least(least[: hi - lo]))
    return total, -low
