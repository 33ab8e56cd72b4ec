"""Compiled sweeps over the finest grid of a section whose open faces have one conductance: two rows at a time.

Two rows of fields packed red and black apart (see ``_checkerboard``) give one row of the next coarser grid. Each sweep
follows the one before by two rows, so that all of them work on rows that are still in the innermost cache, and no row
waits for memory more than once on the way down and once on the way up. Sums run in the fields' own precision along two
rows, in double precision over them.
"""

from __future__ import annotations

from nichedose.transport._flows import Field, apart, jit

__all__ = ["climb", "correct_rows", "descend", "join_rows", "new_direction"]


@apart
def scale_rows(own: Field, inv: Field, rhs: Field) -> None:
    """A sweep over red from zero."""
    for j in range(own.size):
        own[j] = inv[j] * rhs[j]


@apart
def relax_rows(
    own0: Field, own1: Field, inv0: Field, inv1: Field, rhs0: Field, rhs1: Field, above: Field, same0: Field,
    same1: Field, below: Field, side0: Field, side1: Field, ag: float, zero: float,
) -> float:  # fmt: skip
    """Gauss-Seidel over two rows of a colour; the sum of new value x right-hand side."""
    part = zero
    for j in range(own0.size):
        v0 = inv0[j] * (rhs0[j] + ag * ((above[j] + same1[j]) + (same0[j] + side0[j])))
        v1 = inv1[j] * (rhs1[j] + ag * ((same0[j] + below[j]) + (same1[j] + side1[j])))
        own0[j], own1[j] = v0, v1
        part += v0 * rhs0[j] + v1 * rhs1[j]
    return part


@apart
def lacking_rows(
    inv0: Field, inv1: Field, above: Field, same0: Field, same1: Field, below: Field, side0: Field, side1: Field,
    ag: float, zero: float, line: Field,
) -> None:  # fmt: skip
    """What red voxels of two rows lack, both rows together, where black ones are in balance."""
    for j in range(line.size):
        v0 = ag * ((above[j] + same1[j]) + (same0[j] + side0[j]))
        v1 = ag * ((same0[j] + below[j]) + (same1[j] + side1[j]))
        line[j] = (v0 if inv0[j] > zero else zero) + (v1 if inv1[j] > zero else zero)


@apart
def part_rows(line: Field, odd: Field, even: Field) -> None:
    """Places 1, 3, .. and 2, 4, .. of a fine row go to the two colours of the coarse one."""
    for m in range(even.size):
        odd[m], even[m] = line[2 * m], line[2 * m + 1]
    if odd.size > even.size:
        odd[even.size] = line[2 * even.size]


@apart
def join_rows(odd: Field, even: Field, line: Field) -> None:
    """`part_rows` backwards."""
    for m in range(even.size):
        line[2 * m], line[2 * m + 1] = odd[m], even[m]
    if odd.size > even.size:
        line[2 * even.size] = odd[even.size]


@apart
def correct_rows(own0: Field, own1: Field, inv0: Field, inv1: Field, line: Field, zero: float) -> None:
    for j in range(line.size):
        own0[j] += line[j] if inv0[j] > zero else zero
        own1[j] += line[j] if inv1[j] > zero else zero


@apart
def turn_rows(p: Field, z: Field, dx: Field, beta: float, alpha: float) -> None:
    """dx += alpha p, then p = z + beta p."""
    for j in range(p.size):
        old = p[j]
        dx[j] += alpha * old
        p[j] = z[j] + beta * old


@apart
def first_rows(p: Field, z: Field, dx: Field, zero: float) -> None:
    for j in range(p.size):
        p[j], dx[j] = z[j], zero


@apart
def product_rows(
    own0: Field, own1: Field, ms0: Field, ms1: Field, fs0: Field, fs1: Field, above: Field, same0: Field, same1: Field,
    below: Field, side0: Field, side1: Field, ag: float, zero: float, four: float, out0: Field, out1: Field,
) -> float:  # fmt: skip
    """Matrix times two rows of a colour; the sum of that times their values.

    Differences to neighbours are taken first: exact for values within a factor two, so that a strong coupling does not
    cancel. A closed face has a zero behind it, whose difference is taken off again.
    """
    part = zero
    for j in range(own0.size):
        u, v = own0[j], own1[j]
        flow = ((u - above[j]) + (u - same1[j])) + ((u - same0[j]) + (u - side0[j]))
        w0 = ms0[j] * u + ag * (flow - (four - fs0[j]) * u)
        flow = ((v - same0[j]) + (v - below[j])) + ((v - same1[j]) + (v - side1[j]))
        w1 = ms1[j] * v + ag * (flow - (four - fs1[j]) * v)
        w0 = w0 if ms0[j] > zero else zero
        w1 = w1 if ms1[j] > zero else zero
        out0[j], out1[j] = w0, w1
        part += u * w0 + v * w1
    return part


@jit
def relax_pair(x: Field, b: Field, inverse: Field, ag: float, colour: int, y: int, zero: float) -> float:
    own, other, rhs, inv = x[colour], x[1 - colour], b[colour], inverse[colour]
    m = own.shape[1] - 1
    aside = 1 - 2 * ((y + colour) & 1)
    total: float = relax_rows(
        own[y, 1:m], own[y + 1, 1:m], inv[y, 1:m], inv[y + 1, 1:m], rhs[y, 1:m], rhs[y + 1, 1:m], other[y - 1, 1:m],
        other[y, 1:m], other[y + 1, 1:m], other[min(y + 2, own.shape[0] - 1), 1:m], other[y, 1 + aside : m + aside],
        other[y + 1, 1 - aside : m - aside], ag, zero,
    )  # fmt: skip
    return total


@jit
def descend(
    x: Field, b: Field, inverse: Field, ag: float, zero: float, line: Field, coarse: Field
) -> None:
    """Sweeps over red and black from zero; what is lacking then, summed over blocks, into ``coarse``."""
    rows, places = x.shape[1], x.shape[2]
    m, pairs = places - 1, (rows - 1) // 2
    red, black, inv = x[0].reshape(-1), x[1], inverse[0]
    flat_b, flat_inv = b[0].reshape(-1), inv.reshape(-1)
    for t in range(-1, pairs + 1):
        if t + 1 < pairs:  # both rows of the next pair, and the ring before the first one
            lo = (2 * t + 3) * places if t >= 0 else 0
            hi = min(2 * t + 5, rows) * places
            scale_rows(red[lo:hi], flat_inv[lo:hi], flat_b[lo:hi])
        if 0 <= t < pairs:
            relax_pair(x, b, inverse, ag, 1, 2 * t + 1, zero)
        if t >= 1:
            y, c = 2 * t - 1, (t - 1) & 1
            aside = 1 - 2 * (y & 1)
            below = black[min(y + 2, rows - 1), 1:m]
            lacking_rows(
                inv[y, 1:m], inv[y + 1, 1:m], black[y - 1, 1:m], black[y, 1:m], black[y + 1, 1:m], below,
                black[y, 1 + aside : m + aside], black[y + 1, 1 - aside : m - aside], ag, zero, line[1:m],
            )  # fmt: skip
            part_rows(line[1:m], coarse[c, t, 1 : 1 + m // 2], coarse[1 - c, t, 1 : 1 + (m - 1) // 2])


@jit
def climb(x: Field, b: Field, inverse: Field, ag: float, zero: float, line: Field, coarse: Field) -> float:
    """Blocks' corrections to red, then sweeps over black and red; returns the sum of ``x`` x ``b``."""
    rows, places = x.shape[1], x.shape[2]
    m, pairs = places - 1, (rows - 1) // 2
    red, inv = x[0], inverse[0]
    total = 0.0
    for t in range(-1, pairs + 1):
        if t + 1 < pairs:
            y, c = 2 * t + 3, (t + 1) & 1
            join_rows(coarse[c, t + 2, 1 : 1 + m // 2], coarse[1 - c, t + 2, 1 : 1 + (m - 1) // 2], line[1:m])
            correct_rows(red[y, 1:m], red[y + 1, 1:m], inv[y, 1:m], inv[y + 1, 1:m], line[1:m], zero)
        if 0 <= t < pairs:
            total += relax_pair(x, b, inverse, ag, 1, 2 * t + 1, zero)
        if t >= 1:
            total += relax_pair(x, b, inverse, ag, 0, 2 * t - 1, zero)
    return total


@jit
def new_direction(
    p: Field, z: Field, dx: Field, out: Field, mass: Field, face_sum: Field, ag: float, beta: float, alpha: float,
    first: bool, zero: float, four: float,
) -> float:  # fmt: skip
    """Conjugate gradients' next direction p = z + beta p, after dx += alpha p, and ``out`` = A p; returns p . A p."""
    rows, places = p.shape[1], p.shape[2]
    m, pairs = places - 1, (rows - 1) // 2
    half = (2, rows * places)
    flat_p, flat_z, flat_dx = p.reshape(half), z.reshape(half), dx.reshape(half)
    total = 0.0
    for t in range(-1, pairs):
        if t + 1 < pairs:
            lo, hi = (2 * t + 3) * places, min(2 * t + 5, rows) * places
            for c in range(2):
                if first:
                    first_rows(flat_p[c, lo:hi], flat_z[c, lo:hi], flat_dx[c, lo:hi], zero)
                else:
                    turn_rows(flat_p[c, lo:hi], flat_z[c, lo:hi], flat_dx[c, lo:hi], beta, alpha)
        if t >= 0:
            y = 2 * t + 1
            for c in range(2):
                own, other = p[c], p[1 - c]
                aside = 1 - 2 * ((y + c) & 1)
                total += product_rows(
                    own[y, 1:m], own[y + 1, 1:m], mass[c, y, 1:m], mass[c, y + 1, 1:m], face_sum[c, y, 1:m],
                    face_sum[c, y + 1, 1:m], other[y - 1, 1:m], other[y, 1:m], other[y + 1, 1:m],
                    other[min(y + 2, rows - 1), 1:m], other[y, 1 + aside : m + aside],
                    other[y + 1, 1 - aside : m - aside], ag, zero, four, out[c, y, 1:m], out[c, y + 1, 1:m],
                )  # fmt: skip
    return total
