"""Compiled pass over the fields at a step's end: the last slope, the new content, the embedded error.

All fields are packed red and black apart (see ``_checkerboard``). One pass, a block of rows at a time (see
``_stage_rows``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nichedose._compiled import njit
from nichedose.fields.grid import Array
from nichedose.transport._flows import Field, apart, flows_of_rows, jit
from nichedose.transport._stage_rows import Rates, capacity_of, finish_stage, rows_ahead
from nichedose.transport._tableau import B_EMBEDDED, B

__all__ = ["DIFFERENCE", "end_step"]

DIFFERENCE = B - B_EMBEDDED  # of the weights of the scheme and its embedded partner
# a minimum goes into vector registers only where NaN need not be kept
least_of: Callable[..., Any] = njit(cache=True, nogil=True, forceinline=True, fastmath={"nnan", "nsz"})


@apart
def mix(free: Array, weights: Array, lo: int, hi: int, out: Array) -> None:
    """``out`` = the sum of ``weights`` (6,) x ``free`` (6, cells), for the cells ``lo`` to ``hi``."""
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    f0, f1, f2 = free[0][lo:hi], free[1][lo:hi], free[2][lo:hi]
    f3, f4, f5 = free[3][lo:hi], free[4][lo:hi], free[5][lo:hi]
    for i in range(out.size):
        out[i] = (w0 * f0[i] + w1 * f1[i] + w2 * f2[i]) + (w3 * f3[i] + w4 * f4[i] + w5 * f5[i])


@apart
def rows_end(
    line: Array, own: Array, fs: Array, bound_rhs: Array, slope: Array, leave: Array, a: float, kint: float,
    g: float, q: Array,
) -> float:  # fmt: skip
    """Free + bound ligand at the step's end in some rows, in place of the last stage's ``q``; returns its sum.

    Taken from the fluxes, not from the solved equation: then what leaves one voxel enters its neighbour exactly, and an
    unfinished Newton iteration creates no ligand.
    """
    total = 0.0
    for j in range(own.size):
        taken = kint * (bound_rhs[j] + a * slope[j])
        moved = line[j] - (g * fs[j] + leave[j]) * own[j] - taken
        value = q[j] + (a * moved if fs[j] > 0.0 else 0.0)
        q[j] = value
        total += value
    return total


@apart
def rows_error(
    line: Array, own: Array, fs: Array, leave: Array, source: Array, capacity: Array, s0: Array, b0: Array, i0: Array,
    s1: Array, end: Array, k0: Array, k1: Array, k2: Array, k3: Array, k4: Array, k5: Array, w: Array,
    supplied: float, floor: float, g: float, least: Array,
) -> float:  # fmt: skip
    """Squares of `end_step`'s error of some rows, and its ``least`` contents at the step's end."""
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
        within = fs[j] > 0.0
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
def end_step(
    step: float, a: float, rates: Rates, krel: float, plasma: Array, floor: float, state: Array, free: Array,
    slopes: Array, of_bound: Array, of_inside: Array, fields: tuple[Array, Array, Array, Array],
    work: tuple[Array, Array, Array, Field], exact_sum: Field, faces: Field, g: float, height: int, deep: int,
    lines: Array, least: Array,
) -> tuple[float, float, float]:  # fmt: skip
    """Last slope kb, and free + bound ligand at the step's end in place of the last stage's right-hand side.

    Returns the latter's sum; the sum over the tissue of the squared embedded error relative to the ligand that a voxel
    holds (or ``floor``), of free + bound, bound and internalised; and how far below 0 any content at the end lies.
    ``of_bound``, ``of_inside`` as in `accept`.
    """
    kon, koff, kint = rates
    capacity, target, source, leave = fields
    q, bound_rhs, mixed, _ = work
    rows, places = mixed.shape[1], mixed.shape[2]
    n, block, line = rows * places, lines.shape[0], lines.reshape(-1)
    half = (2, n)
    difference = step * DIFFERENCE
    supplied = np.sum(difference * plasma)
    numbers = np.zeros((5, 8))  # errors of bound, of what it lost, of internalised; bound and internalised at the end
    numbers[0, :6] = difference
    numbers[1] = kint * (difference @ of_bound)
    numbers[2] = numbers[1] - krel * (difference @ of_inside)
    numbers[3], numbers[4] = of_bound[-1], of_inside[-1]
    before, kb, flat_free = state.reshape((3, *half)), slopes.reshape((6, *half)), free.reshape((6, 2 * n))
    flat_mixed, diffused, end = mixed.reshape(-1), mixed.reshape(half), free[5].reshape(half)
    content, total, low = 0.0, 0.0, 0.0
    done = 0
    for k in range(deep, rows // height - deep):
        for y in range(1, height - 1, block):
            ahead = rows_ahead(y, k, height, deep, block, rows)
            for c in range(2):
                lo, hi = c * n + done * places, c * n + ahead * places
                mix(flat_free, difference, lo, hi, flat_mixed[lo:hi])
            done = ahead
            for c in range(2):
                lo, hi = flows_of_rows(free[5, 1 - c], faces[c], g, k, y, height, deep, c, lines)
                flow, fs, lv = line[: hi - lo], exact_sum[c, lo:hi], leave[c, lo:hi]
                cp = capacity_of(capacity, c, lo, hi, n)
                own, br, last, new = end[c, lo:hi], bound_rhs[c, lo:hi], kb[5, c, lo:hi], q[c, lo:hi]
                finish_stage(own, br, target[c, lo:hi], a, kon, koff, kint, last)
                content += rows_end(flow, own, fs, br, last, lv, a, kint, g, new)
                flows_of_rows(mixed[1 - c], faces[c], g, k, y, height, deep, c, lines)
                found = least[: hi - lo]
                total += rows_error(
                    flow, diffused[c, lo:hi], fs, lv, source[c, lo:hi], cp, before[0, c, lo:hi], before[1, c, lo:hi],
                    before[2, c, lo:hi], new, own, kb[0, c, lo:hi], kb[1, c, lo:hi], kb[2, c, lo:hi],
                    kb[3, c, lo:hi], kb[4, c, lo:hi], last, numbers, supplied, floor, g, found,
                )  # fmt: skip
                low = min(low, rows_least(found))
    return content, total, -low
