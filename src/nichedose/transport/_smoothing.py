"""Compiled Gauss-Seidel sweeps, and the ways between grids, for any section or stack.

All fields are flat, all grids one behind the other, each packed red and black apart (see ``_checkerboard``). ``at``
tells of a grid: its first cell, cells of a colour, places of a row, rows of a plane, its first face, and how many
conductances its cells have: 5, in a stack 7; 0 where all open faces have ``g``. Loops count from given cells instead of
cutting arrays into slices, which would cost more than the work on a row or on a small grid; unsigned, or each index
would be looked at for a count from the end. Nothing here allocates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nichedose.transport._bottom import factorise_bottom
from nichedose.transport._flows import Field, U, apart, jit

__all__ = ["STRIP", "At", "clear", "correct", "join", "part", "place_of", "prepare_levels", "prolong",
           "prolong_plane", "relax", "restrict", "scale", "start_red"]  # fmt: skip

At = tuple[int, int, int, int, int, int]
STRIP = 4096  # cells of which sums are taken in single precision


@jit
def place_of(level: int, sizes: Any) -> At:
    """``at`` of a grid."""
    height, places, start, face_start = sizes[0], sizes[1], sizes[2], sizes[3]
    cells = start[level + 1] - start[level]
    kinds = (face_start[level + 1] - face_start[level]) // cells
    return start[level], cells // 2, places[level], height[level], face_start[level], kinds


@apart
def even_row(
    out: Field, x: Field, b: Field, inv: Field, own: int, other: int, side: int, p: int, n: int, ag: float
) -> None:
    for i in range(n):
        total = (x[other - p + i] + x[other + p + i]) + (x[other + i] + x[side + i])
        out[own + i] = inv[own + i] * (b[own + i] + ag * total)


@apart
def even_row_of_stack(
    out: Field, x: Field, b: Field, inv: Field, own: int, other: int, side: int, p: int, plane: int, n: int, ag: float
) -> None:
    for i in range(n):
        total = (x[other - p + i] + x[other + p + i]) + (x[other + i] + x[side + i])
        total += x[other - plane + i] + x[other + plane + i]
        out[own + i] = inv[own + i] * (b[own + i] + ag * total)


@apart
def uneven(
    out: Field, x: Field, b: Field, inv: Field, f: Field, own: int, other: int, face: int, half: int, p: int, n: int,
    a: float,
) -> None:  # fmt: skip
    left, right, second, third = other - U(1), other + U(1), face + half, face + half + half
    fourth, fifth = third + half, third + half + half
    for i in range(n):
        total = f[face + i] * x[other - p + i] + f[second + i] * x[other + p + i] + f[third + i] * x[other + i]
        total += f[fourth + i] * x[left + i] + f[fifth + i] * x[right + i]
        out[own + i] = inv[own + i] * (b[own + i] + a * total)


@apart
def uneven_stack(
    out: Field, x: Field, b: Field, inv: Field, f: Field, own: int, other: int, face: int, half: int, p: int,
    plane: int, n: int, a: float,
) -> None:  # fmt: skip
    left, right, second, third = other - U(1), other + U(1), face + half, face + half + half
    fourth, fifth = third + half, third + half + half
    sixth, seventh = fifth + half, fifth + half + half
    for i in range(n):
        total = f[face + i] * x[other - p + i] + f[second + i] * x[other + p + i] + f[third + i] * x[other + i]
        total += f[fourth + i] * x[left + i] + f[fifth + i] * x[right + i]
        total += f[sixth + i] * x[other - plane + i] + f[seventh + i] * x[other + plane + i]
        out[own + i] = inv[own + i] * (b[own + i] + a * total)


@jit
def relax(
    out: Field, x: Field, b: Field, inverse: Field, faces: Field, at: At, g: float,
    a: float, colour: int, deep: int,
) -> None:  # fmt: skip
    """Gauss-Seidel over the voxels of one colour: out = inverse (b + a sum of face x neighbour).

    With faces of their own all rows go in one go, since the ring's faces are zero; the outermost cells are ring.
    """
    lo, half, p, h, face, kinds = at
    own, other, plane = lo + colour * half, lo + (1 - colour) * half, h * deep * p
    if kinds == 0:
        for k in range(deep, half // (p * h) - deep):
            for y in range(1, h - 1):
                o = (k * h + y) * p + 1
                side = other + o + 1 - 2 * ((y + k - deep + colour) & 1)
                if deep == 0:
                    even_row(out, x, b, inverse, U(own + o), U(other + o), U(side), U(p), U(p - 2), a * g)
                else:
                    even_row_of_stack(
                        out, x, b, inverse, U(own + o), U(other + o), U(side), U(p), U(plane), U(p - 2), a * g)
        return
    edge = max(p, plane)
    first = face + colour * kinds * half + edge
    if deep == 0:
        uneven(
            out, x, b, inverse, faces, U(own + edge), U(other + edge), U(first), U(half), U(p), U(half - 2 * edge), a)
    else:
        uneven_stack(
            out, x, b, inverse, faces, U(own + edge), U(other + edge), U(first), U(half), U(p), U(plane),
            U(half - 2 * edge), a,
        )  # fmt: skip


@apart
def scale(x: Field, b: Field, inv: Field, lo: int, n: int) -> None:
    for i in range(n):
        x[lo + i] = inv[lo + i] * b[lo + i]


@jit
def start_red(x: Field, b: Field, inverse: Field, at: At) -> None:
    """A sweep over red from zero."""
    scale(x, b, inverse, U(at[0]), U(at[1]))


@apart
def lack(left: Field, x: Field, inv: Field, lo: int, n: int, zero: float) -> None:
    """In place of what a sweep would make of voxels: what they lack of balance."""
    for i in range(n):
        left[lo + i] = (left[lo + i] - x[lo + i]) / inv[lo + i] if inv[lo + i] > zero else zero


@apart
def weighted_square(left: Field, weight: Field, lo: int, n: int, zero: float) -> float:
    part = zero
    for i in range(n):
        weighted = left[lo + i] * weight[lo + i]
        part += weighted * weighted
    return part


@apart
def two_rows(field: Field, o: int, p: int, n: int, line: Field) -> None:
    for i in range(n):
        line[i] += field[o + i] + field[o + p + i]


@apart
def clear(line: Field, n: int, zero: float) -> None:
    for i in range(n):
        line[i] = zero


@apart
def part(line: Field, coarse: Field, odd: int, even: int, n: int) -> None:
    """Places 1, 3, .. and 2, 4, .. of a fine row go to the two colours of the coarse one."""
    for i in range(n):
        coarse[odd + i], coarse[even + i] = line[U(2) * i], line[U(2) * i + U(1)]


@apart
def join(line: Field, coarse: Field, odd: int, even: int, n: int) -> None:
    """`part` backwards."""
    for i in range(n):
        line[U(2) * i], line[U(2) * i + U(1)] = coarse[odd + i], coarse[even + i]


@apart
def correct(x: Field, inv: Field, o: int, line: Field, n: int, zero: float) -> None:
    for i in range(n):
        x[o + i] += line[i] if inv[o + i] > zero else zero


@jit
def sum_blocks(
    field: Field, colours: int, at: At, coarse: Field,
    to: At, deep: int, line: Field, zero: float,
) -> None:  # fmt: skip
    """``field``, of red voxels or of both ``colours``, summed over blocks into ``coarse``.

    Rows and planes of ring stand for those that a block lacks.
    """
    lo, half, p, h, _, _ = at
    clo, chalf, cp, ch, _, _ = to
    n, pairs = p - 2, (p - 1) // 2
    for k in range(deep, half // (p * h) - deep, 1 + deep):
        plane = (k - deep) >> 1
        for y in range(1, h - 1, 2):
            block = (y - 1) >> 1
            clear(line, U(2 * pairs), zero)
            for colour in range(colours):
                for z in range(k, k + 1 + deep):
                    two_rows(field, U(lo + colour * half + (z * h + y) * p + 1), U(p), U(n), line)
            o = clo + ((plane + deep) * ch + block + 1) * cp + 1
            c = ((block + plane) & 1) * chalf
            part(line, coarse, U(o + c), U(o + chalf - c), U(pairs))


@jit
def restrict(
    x: Field, b: Field, inverse: Field, faces: Field, at: At,
    to: At, g: float, a: float, deep: int, zero: float, spare: Field, weight: Field,
    line: Field,
) -> float:  # fmt: skip
    """What red voxels lack of balance, summed over blocks into the coarser grid's ``b``, where black ones are in
    balance. ``spare`` like ``x``, to work in. Returns the square of what they lack times ``weight``, which may be
    empty."""
    lo, half = at[0], at[1]
    relax(spare, x, b, inverse, faces, at, g, a, 0, deep)
    lack(spare, x, inverse, U(lo), U(half), zero)
    total = 0.0
    for first in range(0, weight.size, STRIP):
        total += weighted_square(spare, weight, U(first), U(min(STRIP, weight.size - first)), zero)
    sum_blocks(spare, 1, at, b, to, deep, line, zero)
    return total


@jit
def prolong(
    x: Field, inverse: Field, at: At, to: At, colour: int, deep: int, zero: float, line: Field
) -> None:  # fmt: skip
    """Add each block's correction, in the coarser grid's ``x``, to its voxels of one colour."""
    for k in range(deep, at[1] // (at[2] * at[3]) - deep):
        prolong_plane(x, inverse, at, to, colour, k, deep, zero, line)


@jit
def prolong_plane(
    x: Field, inverse: Field, at: At, to: At, colour: int, k: int, deep: int, zero: float, line: Field
) -> None:  # fmt: skip
    """`prolong` for one plane."""
    lo, half, p, h, _, _ = at
    clo, chalf, cp, ch, _, _ = to
    n, pairs, plane = p - 2, (p - 1) // 2, (k - deep) >> 1
    for y in range(1, h - 1, 2):
        block = (y - 1) >> 1
        o = clo + ((plane + deep) * ch + block + 1) * cp + 1
        c = ((block + plane) & 1) * chalf
        join(line, x, U(o + c), U(o + chalf - c), U(pairs))
        fine = lo + colour * half + (k * h + y) * p + 1
        # where there is no second row, it is ring
        correct(x, inverse, U(fine), line, U(n), zero)
        correct(x, inverse, U(fine + p), line, U(n), zero)


@apart
def invert(mass: Field, face_sum: Field, ag: float, inverse: Field) -> None:
    for i in range(mass.size):
        d = mass[i] + ag * face_sum[i]
        inverse[i] = 1.0 / d if mass[i] > 0.0 else 0.0


@jit
def prepare_levels(
    mass: Field, inverse: Field, face_sum: Field, faces: Field, g: float, a: float, line: Field, sizes: Any
) -> None:
    """Diagonals of all grids from that of the finest, and their inverses: 0 outside the tissue, which keeps voxels
    there at 0. ``g`` multiplies ``face_sum`` on the finest grid."""
    start, deep = sizes[2], sizes[5]
    numbers = np.zeros(3, mass.dtype)  # in the fields' own type, or all arithmetic would leave it
    numbers[0], numbers[1] = a * g, a
    last = start.size - 2
    for level in range(last + 1):
        lo, hi = start[level], start[level + 1]
        invert(mass[lo:hi], face_sum[lo:hi], numbers[0] if level == 0 else numbers[1], inverse[lo:hi])
        if level < last:
            at, to = place_of(level, sizes), place_of(level + 1, sizes)
            sum_blocks(mass, 2, at, mass, to, deep, line, numbers[2])
    factorise_bottom(mass[start[last] :], faces[sizes[3][last] :], a, sizes[6])
