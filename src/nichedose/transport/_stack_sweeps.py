"""Compiled sweeps over the finest grid of a stack whose open faces have one conductance: plane behind plane.

Each sweep follows the one before by one plane, so that all of them work on planes that are still in the middle cache,
and none waits for memory more than once on the way down and once on the way up. Fields are flat, all grids one behind
the other, and loops count from given cells (see ``_smoothing``). Sums run in the fields' own precision along a row of
blocks, in double precision over them.
"""

from __future__ import annotations

from nichedose.transport._flows import Field, U, apart, jit
from nichedose.transport._smoothing import At, clear, part, prolong_plane, scale

__all__ = ["descend_stack", "turn_stack"]


@apart
def relax_two(
    out: Field, x: Field, b: Field, inv: Field, own: int, other: int, side0: int, side1: int, p: int, plane: int,
    n: int, ag: float,
) -> None:  # fmt: skip
    """Gauss-Seidel over two rows of a colour."""
    for j in range(n):
        same0, same1 = x[other + j], x[other + p + j]
        total0 = (x[other - p + j] + same1) + (same0 + x[side0 + j])
        total1 = (same0 + x[other + p + p + j]) + (same1 + x[side1 + j])
        total0 += x[other - plane + j] + x[other + plane + j]
        total1 += x[other + p - plane + j] + x[other + p + plane + j]
        out[own + j] = inv[own + j] * (b[own + j] + ag * total0)
        out[own + p + j] = inv[own + p + j] * (b[own + p + j] + ag * total1)


@apart
def lacking_two(
    x: Field, inv: Field, own: int, other: int, side0: int, side1: int, p: int, plane: int, n: int, ag: float,
    zero: float, line: Field,
) -> None:  # fmt: skip
    """Add to ``line`` what red voxels of two rows lack, where black ones were 0 and are in balance."""
    for j in range(n):
        same0, same1 = x[other + j], x[other + p + j]
        v0 = (x[other - p + j] + same1) + (same0 + x[side0 + j])
        v1 = (same0 + x[other + p + p + j]) + (same1 + x[side1 + j])
        v0 = ag * (v0 + (x[other - plane + j] + x[other + plane + j]))
        v1 = ag * (v1 + (x[other + p - plane + j] + x[other + p + plane + j]))
        line[j] += (v0 if inv[own + j] > zero else zero) + (v1 if inv[own + p + j] > zero else zero)


@apart
def left_two(
    x: Field, b: Field, inv: Field, weight: Field, own: int, other: int, side0: int, side1: int, p: int, plane: int,
    n: int, ag: float, zero: float, line: Field,
) -> float:  # fmt: skip
    """Add to ``line`` what two rows of red voxels lack of balance; the sum of squares of that times weight."""
    squares = zero
    for j in range(n):
        same0, same1 = x[other + j], x[other + p + j]
        i0, i1 = inv[own + j], inv[own + p + j]
        v0 = (x[other - p + j] + same1) + (same0 + x[side0 + j])
        v1 = (same0 + x[other + p + p + j]) + (same1 + x[side1 + j])
        v0 = (b[own + j] + ag * (v0 + (x[other - plane + j] + x[other + plane + j]))) - x[own + j] / i0
        v1 = (b[own + p + j] + ag * (v1 + (x[other + p - plane + j] + x[other + p + plane + j]))) - x[own + p + j] / i1
        v0, v1 = v0 if i0 > zero else zero, v1 if i1 > zero else zero
        line[j] += v0 + v1
        w0, w1 = v0 * weight[own + j], v1 * weight[own + p + j]
        squares += w0 * w0 + w1 * w1
    return squares


@jit
def relax_plane(x: Field, b: Field, inverse: Field, ag: float, half: int, p: int, h: int, colour: int, k: int) -> None:
    for y in range(1, h - 1, 2):
        o = (k * h + y) * p + 1
        own, other, aside = colour * half + o, (1 - colour) * half + o, 1 - 2 * ((y + k - 1 + colour) & 1)
        relax_two(
            x, x, b, inverse, U(own), U(other), U(other + aside), U(other + p - aside), U(p), U(h * p), U(p - 2), ag)


@jit
def descend_stack(
    x: Field, b: Field, inverse: Field, at: At, to: At, ag: float, zero: float, line: Field
) -> None:
    """Sweeps over red and black from zero; what is lacking then, summed over blocks, into the coarser grid's ``b``."""
    _, half, p, h, _, _ = at
    clo, chalf, cp, ch, _, _ = to
    plane, blocks = h * p, (p - 1) // 2
    deep = half // plane - 2
    for k in range(deep + 4):  # from the ring before the first plane
        if k <= deep:
            scale(x, b, inverse, U(k * plane), U(plane))
        if 1 <= k - 1 <= deep:
            relax_plane(x, b, inverse, ag, half, p, h, 1, k - 1)
        first = k - 3  # of two planes whose neighbours are done
        if first < 1 or first > deep or (first & 1) == 0:
            continue
        for y in range(1, h - 1, 2):
            clear(line, U(2 * blocks), zero)
            for z in range(first, min(first + 2, deep + 1)):
                own = (z * h + y) * p + 1
                other, aside = own + half, 1 - 2 * ((y + z - 1) & 1)
                lacking_two(x, inverse, U(own), U(other), U(other + aside), U(other + p - aside), U(p), U(plane),
                            U(p - 2), ag, zero, line)
            row, block = (y - 1) >> 1, (first - 1) >> 1
            o, c = clo + ((block + 1) * ch + row + 1) * cp + 1, ((row + block) & 1) * chalf
            part(line, b, U(o + c), U(o + chalf - c), U(blocks))


@jit
def turn_stack(
    x: Field, b: Field, inverse: Field, weight: Field, at: At, to: At, ag: float, zero: float, sweeps: int, line: Field
) -> float:
    """The coarser grid's corrections to black voxels, ``sweeps`` of red, black, .. and black; what red ones then
    lack, summed over blocks, into its ``b``. Returns the square of what they lack times ``weight``."""
    _, half, p, h, _, _ = at
    clo, chalf, cp, ch, _, _ = to
    plane, blocks, n = h * p, (p - 1) // 2, U(p - 2)
    deep = half // plane - 2
    total = 0.0
    for k in range(1, deep + sweeps + 3):
        if k <= deep:
            prolong_plane(x, inverse, at, to, 1, k, 1, zero, line)
        for behind in range(1, sweeps + 1):
            if 1 <= k - behind <= deep:
                relax_plane(x, b, inverse, ag, half, p, h, 1 - (behind & 1), k - behind)
        first = k - sweeps - 2
        if first < 1 or first > deep or (first & 1) == 0:
            continue
        for y in range(1, h - 1, 2):
            clear(line, U(2 * blocks), zero)
            for z in range(first, min(first + 2, deep + 1)):
                own = (z * h + y) * p + 1
                other, aside = own + half, 1 - 2 * ((y + z - 1) & 1)
                total += left_two(x, b, inverse, weight, U(own), U(other), U(other + aside), U(other + p - aside), U(p),
                                  U(plane), n, ag, zero, line)
            row, block = (y - 1) >> 1, (first - 1) >> 1
            o, c = clo + ((block + 1) * ch + row + 1) * cp + 1, ((row + block) & 1) * chalf
            part(line, b, U(o + c), U(o + chalf - c), U(blocks))
    return total
