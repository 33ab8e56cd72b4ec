"""Compiled kernels of the linear solver: conjugate gradients with one red-black multigrid V-cycle, for M-matrices.

All fields are packed red and black apart (see ``_checkerboard``), in single precision in a run: Newton's method around
it measures the true residual in double precision, so that rounding here costs iterations at worst, never accuracy. A
product with the matrix is summed in double precision, because a strong coupling nearly cancels in it. ``faces`` (2, 5
or 7, rows, places) is empty where all open faces have the conductance ``g``. Nothing here allocates in proportion to
the grid, and nothing runs in parallel, so that the same input gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose._compiled import njit

__all__ = ["conjugate_gradient", "flows", "jit", "multiply", "prepare_levels", "v_cycle"]

Field = NDArray[Any]
# Reassociation lets sums use vector registers; NaN and infinity keep their meaning, they report failure.
jit: Callable[..., Any] = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
MOST_ITERATIONS = 60


@jit
def flows(other: Field, faces: Field, g: float, row: int, stride: int, aside: int, zero: float, line: Field) -> None:
    """Into ``line``: what the neighbours of one row's voxels give, the sum of conductance x value.

    ``other`` (rows, places) the other colour; ``faces`` (0, 5 or 7, rows, places) of this one; ``stride`` rows between
    planes, 0 in a section; ``aside`` where the fourth neighbour lies, -1 or 1. ``zero`` sets the precision of the sum.
    """
    places = other.shape[1]
    if faces.shape[0] == 0:
        side = other[row, 1 + aside : places - 1 + aside]
        if stride == 0:
            for j in range(1, places - 1):
                total = (zero + other[row - 1, j]) + other[row + 1, j]
                line[j] = g * (total + ((zero + other[row, j]) + side[j - 1]))
        else:
            for j in range(1, places - 1):
                total = (zero + other[row - 1, j]) + other[row + 1, j]
                total += (zero + other[row, j]) + side[j - 1]
                line[j] = g * (total + ((zero + other[row - stride, j]) + other[row + stride, j]))
        return
    left, right = other[row, : places - 2], other[row, 2:]
    for j in range(1, places - 1):
        total = (zero + faces[0, row, j]) * other[row - 1, j] + (zero + faces[1, row, j]) * other[row + 1, j]
        total += (zero + faces[2, row, j]) * other[row, j]
        line[j] = g * (total + ((zero + faces[3, row, j]) * left[j - 1] + (zero + faces[4, row, j]) * right[j - 1]))
    if stride != 0:
        for j in range(1, places - 1):
            total = (zero + faces[5, row, j]) * other[row - stride, j]
            line[j] += g * (total + (zero + faces[6, row, j]) * other[row + stride, j])


@jit
def flows_of_all(other: Field, faces: Field, places: int, plane: int, out: Field) -> None:
    """Into ``out``: the sum of face x neighbour of all cells of a colour, flat fields; ``plane`` cells lie between
    planes of a stack (0 in a section).

    All rows in one go, since the ring's faces are zero. What would reach beyond the field is ring. Two or three loops,
    because one over so many arrays would not be turned into vector instructions.
    """
    edge = max(places, plane)
    n = other.size - 2 * edge
    here = slice(edge, edge + n)
    total, same = out[here], other[here]
    above, below = other[edge - places : edge - places + n], other[edge + places : edge + places + n]
    left, right = other[edge - 1 : edge - 1 + n], other[edge + 1 : edge + 1 + n]
    to_above, to_below, to_same = faces[0, here], faces[1, here], faces[2, here]
    for i in range(n):
        total[i] = (to_above[i] * above[i] + to_below[i] * below[i]) + to_same[i] * same[i]
    to_left, to_right = faces[3, here], faces[4, here]
    for i in range(n):
        total[i] += to_left[i] * left[i] + to_right[i] * right[i]
    if plane != 0:
        before, behind = other[:n], other[2 * edge : 2 * edge + n]
        to_before, to_behind = faces[5, here], faces[6, here]
        for i in range(n):
            total[i] += to_before[i] * before[i] + to_behind[i] * behind[i]


@jit
def relax(
    x: Field, b: Field, inverse: Field, faces: Field, g: float, a: float, colour: int, height: int, deep: int,
    zero: float, line: Field,
) -> None:  # fmt: skip
    """Gauss-Seidel over the voxels of one colour: x = inverse (b + a sum of face x neighbour)."""
    own, other, rhs, inv, fc = x[colour], x[1 - colour], b[colour], inverse[colour], faces[colour]
    rows, places = own.shape
    if fc.shape[0] != 0:
        flat = fc.reshape((fc.shape[0], rows * places))
        mine, scale, given = own.reshape(-1), inv.reshape(-1), rhs.reshape(-1)
        flows_of_all(other.reshape(-1), flat, places, height * deep * places, mine)
        for i in range(mine.size):
            mine[i] = scale[i] * (given[i] + a * mine[i])
        return
    ag = a * g
    for k in range(deep, rows // height - deep):
        for y in range(1, height - 1):
            row = k * height + y
            aside = 1 - 2 * ((y + k - deep + colour) & 1)
            if deep == 0:  # a section of one conductance, in one pass
                mine, scale, given = own[row, 1 : places - 1], inv[row, 1 : places - 1], rhs[row, 1 : places - 1]
                above, below = other[row - 1, 1 : places - 1], other[row + 1, 1 : places - 1]
                same, side = other[row, 1 : places - 1], other[row, 1 + aside : places - 1 + aside]
                for j in range(mine.size):
                    mine[j] = scale[j] * (given[j] + ag * ((above[j] + below[j]) + (same[j] + side[j])))
                continue
            flows(other, fc, g, row, height * deep, aside, zero, line)
            for j in range(1, places - 1):
                own[row, j] = inv[row, j] * (rhs[row, j] + a * line[j])


@jit
def start_red(x: Field, b: Field, inverse: Field) -> None:
    """The first sweep over red from a zero start."""
    own, rhs, inv = x[0].reshape(-1), b[0].reshape(-1), inverse[0].reshape(-1)
    for i in range(own.size):
        own[i] = inv[i] * rhs[i]


@jit
def restrict_red(
    x: Field, inverse: Field, faces: Field, g: float, a: float, height: int, deep: int, zero: float, line: Field,
    spare: Field, coarse: Field, coarse_height: int,
) -> None:  # fmt: skip
    """Residual after a red and a black sweep from zero, summed over blocks; ``spare`` of a colour's size.

    Black voxels are then in balance, and a red one lacks what its black neighbours give.
    """
    black, inv = x[1], inverse[0]
    rows, places = black.shape
    even, ag = faces.shape[1] == 0 and deep == 0, a * g
    coarse[...] = zero
    if faces.shape[1] != 0:
        flat = faces[0].reshape((faces.shape[1], rows * places))
        flows_of_all(black.reshape(-1), flat, places, height * deep * places, spare)
        balance, inside = spare, inv.reshape(-1)
        for i in range(balance.size):
            balance[i] = a * balance[i] if inside[i] > zero else zero
    given = spare.reshape((rows, places))
    for k in range(deep, rows // height - deep):
        for y in range(1, height - 1):
            row = k * height + y
            aside = 1 - 2 * ((y + k - deep) & 1)
            if even:
                out, scale = line[1 : places - 1], inv[row, 1 : places - 1]
                above, below = black[row - 1, 1 : places - 1], black[row + 1, 1 : places - 1]
                same, side = black[row, 1 : places - 1], black[row, 1 + aside : places - 1 + aside]
                for j in range(out.size):
                    total = ag * ((above[j] + below[j]) + (same[j] + side[j]))
                    out[j] = total if scale[j] > zero else zero
                add_to_blocks(line, k, y, places, deep, coarse, coarse_height)
            elif faces.shape[1] == 0:
                flows(black, faces[0], g, row, height * deep, aside, zero, line)
                for j in range(1, places - 1):
                    line[j] = a * line[j] if inv[row, j] > zero else zero
                add_to_blocks(line, k, y, places, deep, coarse, coarse_height)
            else:
                add_to_blocks(given[row], k, y, places, deep, coarse, coarse_height)


@jit
def add_to_blocks(line: Field, k: int, y: int, places: int, deep: int, coarse: Field, coarse_height: int) -> None:
    """Add one row of a colour to the blocks that it belongs to: place j to the block at x = j."""
    block, plane = (y - 1) >> 1, (k - deep) >> 1
    row = (plane + deep) * coarse_height + block + 1
    for colour in range(2):
        first = (block + plane + colour) & 1
        out = coarse[colour, row]
        for m in range((places - 2 - first + 1) // 2):
            out[m + 1] += line[2 * m + first + 1]


@jit
def prolong_red(
    coarse: Field, coarse_height: int, x: Field, inverse: Field, height: int, deep: int, zero: float
) -> None:
    """Add each block's correction to its red voxels; the black ones follow in the next sweep."""
    red = x[0]
    rows, places = red.shape
    for k in range(deep, rows // height - deep):
        plane = (k - deep) >> 1
        for y in range(1, height - 1):
            block = (y - 1) >> 1
            own, inv = red[k * height + y], inverse[0, k * height + y]
            for colour in range(2):
                first = (block + plane + colour) & 1
                row = coarse[colour, (plane + deep) * coarse_height + block + 1]
                for m in range((places - 2 - first + 1) // 2):
                    j = 2 * m + first + 1
                    own[j] += row[m + 1] if inv[j] > zero else zero


@jit
def prepare_levels(
    mass: Field, inverse: Field, face_sum: Field, g: float, a: float, height: Field, places: Field, start: Field,
    deep: int,
) -> None:  # fmt: skip
    """Diagonals of all grids from that of the finest, and their inverses: 0 outside the tissue, which keeps voxels
    there at 0. ``g`` multiplies ``face_sum`` on the finest grid."""
    for level in range(height.size - 1):
        lo, hi = start[level], start[level + 1]
        fine = mass[lo:hi].reshape((2, (hi - lo) // 2 // places[level], places[level]))
        coarse = mass[hi : start[level + 2]]
        coarse[:] = 0
        grid = coarse.reshape((2, coarse.size // 2 // places[level + 1], places[level + 1]))
        h = height[level]
        for colour in range(2):
            for k in range(deep, fine.shape[1] // h - deep):
                for y in range(1, h - 1):
                    add_to_blocks(fine[colour, k * h + y], k, y, places[level], deep, grid, height[level + 1])
    finest = start[1]
    for i in range(mass.size):
        d = mass[i] + (a * g if i < finest else a) * face_sum[i]
        inverse[i] = 1.0 / d if mass[i] > 0.0 else 0.0


@jit
def v_cycle(
    x: Field, b: Field, inverse: Field, faces: Field, g: float, a: float, line: Field, spare: Field, zero: float,
    one: float, height: Field, places: Field, start: Field, face_start: Field, deep: int,
) -> None:  # fmt: skip
    """One V(1,1) cycle from zero for A x = b on the finest grid; symmetric, so that CG may use it.

    ``spare`` of the size of ``x``, to work in; ``g``, ``a``, ``zero`` and ``one`` of the fields' type, to keep the
    arithmetic in it.
    """
    top = height.size - 1
    for step in range(2 * top + 1):
        down = step <= top
        level = step if down else 2 * top - step
        lo, hi, h, p = start[level], start[level + 1], height[level], places[level]
        shape = (2, (hi - lo) // 2 // p, p)
        xl, bl, il = x[lo:hi].reshape(shape), b[lo:hi].reshape(shape), inverse[lo:hi].reshape(shape)
        flat = faces[face_start[level] : face_start[level + 1]]
        fl = flat.reshape((2, flat.size // (hi - lo), shape[1], p))
        gl = g if level == 0 else one
        if down:
            start_red(xl, bl, il)
            relax(xl, bl, il, fl, gl, a, 1, h, deep, zero, line)
        else:
            above = x[hi : start[level + 2]]
            pn = places[level + 1]
            prolong_red(above.reshape((2, above.size // 2 // pn, pn)), height[level + 1], xl, il, h, deep, zero)
            relax(xl, bl, il, fl, gl, a, 1, h, deep, zero, line)
            relax(xl, bl, il, fl, gl, a, 0, h, deep, zero, line)
        if level == top:
            for _ in range(3):
                relax(xl, bl, il, fl, gl, a, 0, h, deep, zero, line)
                relax(xl, bl, il, fl, gl, a, 1, h, deep, zero, line)
            relax(xl, bl, il, fl, gl, a, 0, h, deep, zero, line)
        elif down:
            below = b[hi : start[level + 2]]
            pn = places[level + 1]
            restrict_red(xl, il, fl, gl, a, h, deep, zero, line, spare[lo : (lo + hi) // 2],
                         below.reshape((2, below.size // 2 // pn, pn)), height[level + 1])  # fmt: skip


@jit
def multiply(
    p: Field, out: Field, mass: Field, face_sum: Field, faces: Field, g: float, a: float, height: int, deep: int,
    line: Field,
) -> float:  # fmt: skip
    """out = A p with A = mass + a (face_sum - faces), summed in double precision; returns p . A p."""
    total = 0.0
    rows, places = p.shape[1], p.shape[2]
    for colour in range(2):
        own, other, ms, fs, res = p[colour], p[1 - colour], mass[colour], face_sum[colour], out[colour]
        for k in range(deep, rows // height - deep):
            for y in range(1, height - 1):
                row = k * height + y
                flows(other, faces[colour], g, row, height * deep, 1 - 2 * ((y + k - deep + colour) & 1), 0.0, line)
                for j in range(1, places - 1):
                    value = ms[row, j] * own[row, j] + a * ((g * fs[row, j]) * own[row, j] - line[j])
                    value = value if ms[row, j] > 0.0 else 0.0
                    res[row, j] = value
                    total += own[row, j] * value
    return total


@jit
def dot(u: Field, v: Field, n: int) -> float:
    total = 0.0
    for i in range(n):
        total += u[i] * v[i]
    return total


@jit
def conjugate_gradient(
    dx: Field, mass: Field, inverse: Field, weight: Field, cells: Field, exact_sum: Field, faces: Field, g: float,
    a: float, line: Field, line64: Field, reduction: float, goal: float,
    height: Field, places: Field, start: Field, face_start: Field, deep: int,
) -> int:  # fmt: skip
    """Solve A dx = r, with r in ``cells[0]``, until its weighted norm fell by ``reduction`` or to ``goal``.

    ``cells`` (4, flat): r and coarse right-hand sides, z and coarse corrections, p, A p. Returns the iterations.
    """
    r, z, p, ap = cells[0], cells[1], cells[2], cells[3]
    n = start[1]
    shape = (2, n // 2 // places[0], places[0])
    flat = faces[: face_start[1]]
    finest = flat.reshape((2, flat.size // n, shape[1], shape[2]))
    numbers = np.zeros(5, dx.dtype)  # scalars in the fields' own type, or all arithmetic would leave it
    numbers[0], numbers[1], numbers[2] = a, g, 1.0
    a_, g_, one, zero = numbers[0], numbers[1], numbers[2], numbers[3]
    first = 0.0
    for i in range(z.size):
        z[i] = zero  # its ring must be; other work may have left anything there
    for i in range(n):
        dx[i] = zero
        first += (r[i] * weight[i]) ** 2
    limit = max(reduction * reduction * first, goal * goal)
    rz_old = 1.0
    for iteration in range(MOST_ITERATIONS):
        v_cycle(z, r, inverse, faces, g_, a_, line, ap, zero, one, height, places, start, face_start, deep)
        rz = dot(r, z, n)
        numbers[4] = rz / rz_old if iteration > 0 else 0.0
        beta = numbers[4]
        rz_old = rz
        for i in range(n):
            p[i] = z[i] + beta * p[i] if iteration > 0 else z[i]
        pap = multiply(
            p[:n].reshape(shape), ap[:n].reshape(shape), mass[:n].reshape(shape), exact_sum, finest, g, a, height[0],
            deep, line64,
        )  # fmt: skip
        numbers[4] = rz / pap if pap > 0.0 else 0.0
        alpha = numbers[4]
        norm = 0.0
        for i in range(n):
            dx[i] += alpha * p[i]
            r[i] -= alpha * ap[i]
            norm += (r[i] * weight[i]) ** 2
        if not norm > limit:
            return iteration + 1
    return MOST_ITERATIONS
