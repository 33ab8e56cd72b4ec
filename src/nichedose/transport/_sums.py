"""Compiled sums over the six stages of a step: first guesses, label integrals, the new state.

All fields are packed red and black apart (see ``_checkerboard``). What does not move is linear in few numbers: with the
slopes kb of bound ligand, every stage's bound and internalised ligand is a combination of B, I and kb whose weights are
the same in all voxels. So of the stages only free ligand and kb are kept, and fluxes are taken from combinations of
free ligand.
"""

from __future__ import annotations

from nichedose.fields.grid import Array
from nichedose.transport._flows import apart, jit

__all__ = ["accept", "combine", "two_sums"]

STRIP = 2048  # cells of all stages that fit in the middle cache


@apart
def two_sums(
    base: Array, terms: Array, lo: int, one: Array, two: Array, count: int, least: float, out: Array, other: Array
) -> None:
    """out = one[0] base + the sum of one[1 + j] terms[j] over the first ``count`` (at most 5) of ``terms`` (.., cells),
    whose cells from ``lo`` on are taken; ``other`` likewise with ``two``, and not below ``least``."""
    u, v = one[0], two[0]
    u0, u1, u2, u3, u4 = one[1], one[2], one[3], one[4], one[5]
    v0, v1, v2, v3, v4 = two[1], two[2], two[3], two[4], two[5]
    n = base.size
    t0, t1, t2 = terms[0][lo : lo + n], terms[min(1, count)][lo : lo + n], terms[min(2, count)][lo : lo + n]
    t3, t4 = terms[min(3, count)][lo : lo + n], terms[min(4, count)][lo : lo + n]
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
    """One label's share of what `accept` adds, for the cells ``lo`` to ``hi``."""
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


@apart
def move_on(
    new: Array, free_end: Array, slopes: Array, b: Array, c: Array, lo: int, hi: int, total: Array, bound: Array,
    inside: Array, free_start: Array, slope_start: Array,
) -> None:  # fmt: skip
    """State, free ligand and slope at the step's end in place of those at its start, for the cells ``lo`` to ``hi``;
    ``b``, ``c`` (8,) weights of kb (6), B and I."""
    b0, b1, b2, b3, b4, b5, b6 = b[0], b[1], b[2], b[3], b[4], b[5], b[6]
    c0, c1, c2, c3, c4, c5, c6, c7 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]
    k1, k2, k3 = slopes[1][lo:hi], slopes[2][lo:hi], slopes[3][lo:hi]
    k4, k5 = slopes[4][lo:hi], slopes[5][lo:hi]
    for i in range(new.size):
        b_start, k0 = bound[i], slope_start[i]
        held = (b0 * k0 + b1 * k1[i] + b2 * k2[i]) + (b3 * k3[i] + b4 * k4[i] + b5 * k5[i])
        taken = (c0 * k0 + c1 * k1[i] + c2 * k2[i]) + (c3 * k3[i] + c4 * k4[i] + c5 * k5[i])
        bound[i] = b_start + (held + (b6 - 1.0) * b_start)
        inside[i] = c7 * inside[i] + taken + c6 * b_start
        total[i], free_start[i], slope_start[i] = new[i], free_end[i], k5[i]


@jit
def accept(
    new: Array, free: Array, slopes: Array, of_bound: Array, of_inside: Array, weights: Array, integrals: Array,
    state: Array,
) -> None:  # fmt: skip
    """Add to ``integrals`` (labels, 3, cells) the stages' free, bound and internalised ligand times ``weights``
    (labels, 6); then the step's end becomes the start of the next.

    ``of_bound``, ``of_inside`` (6, 8): both at the stages as combinations of kb, and bound and internalised ligand at
    the step's start. ``state`` (3, cells) free + bound, bound, internalised ligand, ``new`` the first at the end;
    ``free`` and ``slopes`` (6, cells).
    """
    b, c = weights @ of_bound, weights @ of_inside
    for lo in range(0, new.size, STRIP):
        hi = min(lo + STRIP, new.size)
        for n in range(weights.shape[0]):
            add_integrals(free, slopes, state[1], state[2], weights[n], b[n], c[n], lo, hi, integrals[n])
        move_on(new[lo:hi], free[5][lo:hi], slopes, of_bound[5], of_inside[5], lo, hi, state[0][lo:hi],
                state[1][lo:hi], state[2][lo:hi], free[0][lo:hi], slopes[0][lo:hi])  # fmt: skip
