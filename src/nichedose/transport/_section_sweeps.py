"""Compiled sweeps over the finest grid of a section whose open faces have one conductance: two rows at a time.

Two rows of fields packed red and black apart (see ``_checkerboard``) give one row of the next coarser grid. Each sweep
follows the one before by two rows, so that all of them work on rows that are still in the innermost cache, and no row
waits for memory more than once on the way down and once on the way up. Fields are flat, all grids one behind the other,
and loops count from given cells (see ``_smoothing``). Sums run in the fields' own precision along two rows, in double
precision over them.
"""

from __future__ import annotations

from nichedose.transport._flows import Field, U, apart, jit
from nichedose.transport._smoothing import At, correct, join, part, scale

__all__ = ["descend", "turn"]


@apart
def relax_rows(
    out: Field, x: Field, b: Field, inv: Field, own: int, other: int, side0: int, side1: int, p: int, n: int, ag: float
) -> None:
    """Gauss-Seidel over two rows of a colour."""
    for j in range(n):
        same0, same1 = x[other + j], x[other + p + j]
        total0 = (x[other - p + j] + same1) + (same0 + x[side0 + j])
        total1 = (same0 + x[other + p + p + j]) + (same1 + x[side1 + j])
        out[own + j] = inv[own + j] * (b[own + j] + ag * total0)
        out[own + p + j] = inv[own + p + j] * (b[own + p + j] + ag * total1)


@apart
def lacking_rows(
    x: Field, inv: Field, own: int, other: int, side0: int, side1: int, p: int, n: int, ag: float, zero: float,
    line: Field,
) -> None:  # fmt: skip
    """What red voxels of two rows lack, both rows together, where black ones were 0 and are in balance."""
    for j in range(n):
        same0, same1 = x[other + j], x[other + p + j]
        v0 = ag * ((x[other - p + j] + same1) + (same0 + x[side0 + j]))
        v1 = ag * ((same0 + x[other + p + p + j]) + (same1 + x[side1 + j]))
        line[j] = (v0 if inv[own + j] > zero else zero) + (v1 if inv[own + p + j] > zero else zero)


@apart
def left_rows(
    x: Field, b: Field, inv: Field, weight: Field, own: int, other: int, side0: int, side1: int, p: int, n: int,
    ag: float, zero: float, line: Field,
) -> float:  # fmt: skip
    """What two rows of a colour lack of balance, both together; the sum of squares of that times weight."""
    squares = zero
    for j in range(n):
        same0, same1 = x[other + j], x[other + p + j]
        i0, i1 = inv[own + j], inv[own + p + j]
        v0 = (b[own + j] + ag * ((x[other - p + j] + same1) + (same0 + x[side0 + j]))) - x[own + j] / i0
        v1 = (b[own + p + j] + ag * ((same0 + x[other + p + p + j]) + (same1 + x[side1 + j]))) - x[own + p + j] / i1
        v0, v1 = v0 if i0 > zero else zero, v1 if i1 > zero else zero
        line[j] = v0 + v1
        w0, w1 = v0 * weight[own + j], v1 * weight[own + p + j]
        squares += w0 * w0 + w1 * w1
    return squares


@jit
def relax_pair(x: Field, b: Field, inverse: Field, ag: float, half: int, p: int, colour: int, y: int) -> None:
    own, other = colour * half + y * p + 1, (1 - colour) * half + y * p + 1
    aside = 1 - 2 * ((y + colour) & 1)
    relax_rows(x, x, b, inverse, U(own), U(other), U(other + aside), U(other + p - aside), U(p), U(p - 2), ag)


@jit
def descend(
    x: Field, b: Field, inverse: Field, at: At, to: At, ag: float, zero: float, line: Field
) -> None:
    """Sweeps over red and black from zero; what is lacking then, summed over blocks, into the coarser grid's ``b``."""
    _, half, p, rows, _, _ = at
    clo, chalf, cp, _, _, _ = to
    pairs, blocks = (rows - 1) // 2, (p - 1) // 2
    line[p - 2] = zero
    for t in range(-1, pairs + 1):
        if t + 1 < pairs:  # both rows of the next pair, and the ring before the first one
            first = (2 * t + 3) * p if t >= 0 else 0
            scale(x, b, inverse, U(first), U(min(2 * t + 5, rows) * p - first))
        if 0 <= t < pairs:
            relax_pair(x, b, inverse, ag, half, p, 1, 2 * t + 1)
        if t >= 1:
            own = (2 * t - 1) * p + 1
            other = own + half
            lacking_rows(
                x, inverse, U(own), U(other), U(other - 1), U(other + p + 1), U(p), U(p - 2), ag, zero, line)
            o, c = clo + t * cp + 1, ((t - 1) & 1) * chalf
            part(line, b, U(o + c), U(o + chalf - c), U(blocks))


@jit
def turn(
    x: Field, b: Field, inverse: Field, weight: Field, at: At, to: At, ag: float, zero: float, sweeps: int, line: Field
) -> float:
    """The coarser grid's corrections to black voxels, ``sweeps`` of red, black, .. and black; what red ones then lack,
    summed over blocks, into its ``b``. Returns the square of what they lack times ``weight``."""
    _, half, p, rows, _, _ = at
    clo, chalf, cp, _, _, _ = to
    pairs, blocks, n = (rows - 1) // 2, (p - 1) // 2, U(p - 2)
    total = 0.0
    line[p - 2] = zero
    for t in range(pairs + sweeps + 1):
        if t < pairs:
            o, c = clo + (t + 1) * cp + 1, (t & 1) * chalf
            join(line, x, U(o + c), U(o + chalf - c), U(blocks))
            own = half + (2 * t + 1) * p + 1
            correct(x, inverse, U(own), line, n, zero)
            correct(x, inverse, U(own + p), line, n, zero)
        for behind in range(1, sweeps + 1):
            if 0 <= t - behind < pairs:
                relax_pair(x, b, inverse, ag, half, p, 1 - (behind & 1), 2 * (t - behind) + 1)
        if t > sweeps:
            own = (2 * (t - sweeps) - 1) * p + 1
            other = own + half
            total += left_rows(
                x, b, inverse, weight, U(own), U(other), U(other - 1), U(other + p + 1), U(p), n, ag, zero, line)
            line[p - 2] = zero
            o, c = clo + (t - sweeps) * cp + 1, ((t - sweeps - 1) & 1) * chalf
            part(line, b, U(o + c), U(o + chalf - c), U(blocks))
    return total
