"""Compiled kernels of the linear solver: conjugate gradients with one red-black multigrid V-cycle, for M-matrices.

All fields are packed red and black apart (see ``_checkerboard``), in single precision in a run: Newton's method around
it measures the true residual in double precision, so that rounding here costs iterations at worst, never accuracy.
``faces`` (2, 5 or 7, rows, places) is empty where all open faces have the conductance ``g``; the finest grid of such a
section has sweeps of its own (``_section_sweeps``). Nothing here allocates in proportion to the grid, and nothing runs
in parallel, so that the same input gives the same bits.
"""

from __future__ import annotations

import numpy as np

from nichedose.transport._flows import Field, apart, flows, jit
from nichedose.transport._section_sweeps import climb, correct_rows, descend, join_rows, new_direction

__all__ = ["conjugate_gradient", "multiply", "prepare_levels", "solve_linear", "v_cycle"]

MOST_ITERATIONS = 60
MOST_COUPLING = 1e4  # a x conductance, above which a product with the matrix is summed in double precision
STRIP = 4096  # cells of which sums are taken in single precision


@apart
def relax_even(
    own: Field, inv: Field, rhs: Field, above: Field, below: Field, same: Field, side: Field, before: Field,
    behind: Field, ag: float,
) -> None:  # fmt: skip
    for j in range(own.size):
        total = ((above[j] + below[j]) + (same[j] + side[j])) + (before[j] + behind[j])
        own[j] = inv[j] * (rhs[j] + ag * total)


@apart
def relax_uneven(
    own: Field, inv: Field, rhs: Field, above: Field, below: Field, same: Field, left: Field, right: Field,
    f0: Field, f1: Field, f2: Field, f3: Field, f4: Field, a: float,
) -> None:  # fmt: skip
    for i in range(own.size):
        total = (f0[i] * above[i] + f1[i] * below[i] + f2[i] * same[i]) + (f3[i] * left[i] + f4[i] * right[i])
        own[i] = inv[i] * (rhs[i] + a * total)


@apart
def relax_uneven_stack(
    own: Field, inv: Field, rhs: Field, above: Field, below: Field, same: Field, left: Field, right: Field,
    before: Field, behind: Field, f0: Field, f1: Field, f2: Field, f3: Field, f4: Field, f5: Field, f6: Field, a: float,
) -> None:  # fmt: skip
    for i in range(own.size):
        total = (f0[i] * above[i] + f1[i] * below[i] + f2[i] * same[i]) + (f3[i] * left[i] + f4[i] * right[i])
        own[i] = inv[i] * (rhs[i] + a * (total + (f5[i] * before[i] + f6[i] * behind[i])))


@jit
def relax(
    x: Field, b: Field, inverse: Field, faces: Field, g: float, a: float, colour: int, height: int, deep: int
) -> None:
    """Gauss-Seidel over the voxels of one colour: x = inverse (b + a sum of face x neighbour).

    With faces of their own all rows go in one go, since the ring's faces are zero; the outermost cells are ring.
    """
    own, other, rhs, inv, fc = x[colour], x[1 - colour], b[colour], inverse[colour], faces[colour]
    rows, p = own.shape
    if fc.shape[0] == 0:
        m, stride = p - 1, height * deep
        for k in range(deep, rows // height - deep):
            for y in range(k * height + 1, (k + 1) * height - 1):
                aside = 1 - 2 * ((y - k * height + k - deep + colour) & 1)
                relax_even(
                    own[y, 1:m], inv[y, 1:m], rhs[y, 1:m], other[y - 1, 1:m], other[y + 1, 1:m], other[y, 1:m],
                    other[y, 1 + aside : m + aside], other[y - stride, 1:m], other[y + stride, 1:m], a * g,
                )  # fmt: skip
        return
    plane = height * deep * p
    lo = max(p, plane)
    hi = rows * p - lo
    f, at = fc.reshape((fc.shape[0], rows * p)), other.reshape(-1)
    mine, scale, given = own.reshape(-1)[lo:hi], inv.reshape(-1)[lo:hi], rhs.reshape(-1)[lo:hi]
    if deep == 0:
        relax_uneven(
            mine, scale, given, at[lo - p : hi - p], at[lo + p : hi + p], at[lo:hi], at[lo - 1 : hi - 1],
            at[lo + 1 : hi + 1], f[0, lo:hi], f[1, lo:hi], f[2, lo:hi], f[3, lo:hi], f[4, lo:hi], a,
        )  # fmt: skip
    else:
        relax_uneven_stack(
            mine, scale, given, at[lo - p : hi - p], at[lo + p : hi + p], at[lo:hi], at[lo - 1 : hi - 1],
            at[lo + 1 : hi + 1], at[lo - plane : hi - plane], at[lo + plane : hi + plane], f[0, lo:hi], f[1, lo:hi],
            f[2, lo:hi], f[3, lo:hi], f[4, lo:hi], f[5, lo:hi], f[6, lo:hi], a,
        )  # fmt: skip


@apart
def start_red(own: Field, inv: Field, rhs: Field) -> None:
    """The first sweep over red from a zero start."""
    for i in range(own.size):
        own[i] = inv[i] * rhs[i]


@apart
def lacking_even(
    inv: Field, above: Field, below: Field, same: Field, side: Field, before: Field, behind: Field, ag: float,
    zero: float, out: Field,
) -> None:  # fmt: skip
    for j in range(out.size):
        total = ag * (((above[j] + below[j]) + (same[j] + side[j])) + (before[j] + behind[j]))
        out[j] = total if inv[j] > zero else zero


@apart
def lacking_uneven(
    inv: Field, above: Field, below: Field, same: Field, left: Field, right: Field, f0: Field, f1: Field, f2: Field,
    f3: Field, f4: Field, a: float, zero: float, out: Field,
) -> None:  # fmt: skip
    for i in range(out.size):
        total = (f0[i] * above[i] + f1[i] * below[i] + f2[i] * same[i]) + (f3[i] * left[i] + f4[i] * right[i])
        out[i] = a * total if inv[i] > zero else zero


@apart
def lacking_uneven_stack(
    inv: Field, above: Field, below: Field, same: Field, left: Field, right: Field, before: Field, behind: Field,
    f0: Field, f1: Field, f2: Field, f3: Field, f4: Field, f5: Field, f6: Field, a: float, zero: float, out: Field,
) -> None:  # fmt: skip
    for i in range(out.size):
        total = (f0[i] * above[i] + f1[i] * below[i] + f2[i] * same[i]) + (f3[i] * left[i] + f4[i] * right[i])
        total = a * (total + (f5[i] * before[i] + f6[i] * behind[i]))
        out[i] = total if inv[i] > zero else zero


@jit
def restrict_red(
    x: Field, inverse: Field, faces: Field, g: float, a: float, height: int, deep: int, zero: float, spare: Field,
    coarse: Field, coarse_height: int,
) -> None:  # fmt: skip
    """Residual after a red and a black sweep from zero, summed over blocks; ``spare`` of a colour's size.

    Black voxels are then in balance, and a red one lacks what its black neighbours give.
    """
    black, inv = x[1], inverse[0]
    rows, p = black.shape
    m, plane = p - 1, height * deep * p
    lacking, at, scale = spare.reshape((rows, p)), black.reshape(-1), inv.reshape(-1)
    if faces.shape[1] == 0:
        stride = height * deep
        for k in range(deep, rows // height - deep):
            for y in range(k * height + 1, (k + 1) * height - 1):
                aside = 1 - 2 * ((y - k * height + k - deep) & 1)
                lacking_even(
                    inv[y, 1:m], black[y - 1, 1:m], black[y + 1, 1:m], black[y, 1:m], black[y, 1 + aside : m + aside],
                    black[y - stride, 1:m], black[y + stride, 1:m], a * g, zero, lacking[y, 1:m],
                )  # fmt: skip
    else:
        lo = max(p, plane)
        hi = rows * p - lo
        f = faces[0].reshape((faces.shape[1], rows * p))
        if deep == 0:
            lacking_uneven(
                scale[lo:hi], at[lo - p : hi - p], at[lo + p : hi + p], at[lo:hi], at[lo - 1 : hi - 1],
                at[lo + 1 : hi + 1], f[0, lo:hi], f[1, lo:hi], f[2, lo:hi], f[3, lo:hi], f[4, lo:hi], a, zero,
                spare[lo:hi],
            )  # fmt: skip
        else:
            lacking_uneven_stack(
                scale[lo:hi], at[lo - p : hi - p], at[lo + p : hi + p], at[lo:hi], at[lo - 1 : hi - 1],
                at[lo + 1 : hi + 1], at[lo - plane : hi - plane], at[lo + plane : hi + plane], f[0, lo:hi], f[1, lo:hi],
                f[2, lo:hi], f[3, lo:hi], f[4, lo:hi], f[5, lo:hi], f[6, lo:hi], a, zero, spare[lo:hi],
            )  # fmt: skip
    coarse[...] = zero
    for k in range(deep, rows // height - deep):
        for y in range(1, height - 1, 2):
            row = k * height + y
            next_row = lacking[row + 1 if y < height - 2 else 0]
            add_to_blocks(lacking[row], next_row, k, y, deep, coarse, coarse_height)


@apart
def add_rows(one: Field, two: Field, odd: Field, even: Field) -> None:
    for m in range(even.size):
        odd[m] += one[2 * m] + two[2 * m]
        even[m] += one[2 * m + 1] + two[2 * m + 1]
    if odd.size > even.size:
        odd[even.size] += one[2 * even.size] + two[2 * even.size]


@jit
def add_to_blocks(one: Field, two: Field, k: int, y: int, deep: int, coarse: Field, coarse_height: int) -> None:
    """Add two rows of a colour, ``y`` and the next, to the blocks that they belong to: place j to the block at x = j.

    The ring of zeros stands for the second row where there is none.
    """
    block, plane, m = (y - 1) >> 1, (k - deep) >> 1, one.size - 1
    row, c = (plane + deep) * coarse_height + block + 1, (block + plane) & 1
    add_rows(one[1:m], two[1:m], coarse[c, row, 1 : 1 + m // 2], coarse[1 - c, row, 1 : 1 + (m - 1) // 2])


@jit
def prolong_red(
    coarse: Field, coarse_height: int, x: Field, inverse: Field, height: int, deep: int, zero: float, line: Field
) -> None:
    """Add each block's correction to its red voxels; the black ones follow in the next sweep."""
    red, inv, m = x[0], inverse[0], x.shape[2] - 1
    for k in range(deep, x.shape[1] // height - deep):
        plane = (k - deep) >> 1
        for y in range(1, height - 1, 2):
            block, row = (y - 1) >> 1, k * height + y
            from_row, c = (plane + deep) * coarse_height + block + 1, (block + plane) & 1
            join_rows(coarse[c, from_row, 1 : 1 + m // 2], coarse[1 - c, from_row, 1 : 1 + (m - 1) // 2], line[1:m])
            # where there is no second row, it is ring
            correct_rows(red[row, 1:m], red[row + 1, 1:m], inv[row, 1:m], inv[row + 1, 1:m], line[1:m], zero)


@apart
def invert(mass: Field, face_sum: Field, ag: float, inverse: Field) -> None:
    for i in range(mass.size):
        d = mass[i] + ag * face_sum[i]
        inverse[i] = 1.0 / d if mass[i] > 0.0 else 0.0


@jit
def prepare_levels(
    mass: Field, inverse: Field, face_sum: Field, g: float, a: float, height: Field, places: Field, start: Field,
    deep: int,
) -> None:  # fmt: skip
    """Diagonals of all grids from that of the finest, and their inverses: 0 outside the tissue, which keeps voxels
    there at 0. ``g`` multiplies ``face_sum`` on the finest grid."""
    numbers = np.zeros(2, mass.dtype)  # in the fields' own type, or all arithmetic would leave it
    numbers[0], numbers[1] = a * g, a
    for level in range(height.size):
        lo, hi = start[level], start[level + 1]
        invert(mass[lo:hi], face_sum[lo:hi], numbers[0] if level == 0 else numbers[1], inverse[lo:hi])
        if level == height.size - 1:
            break
        fine = mass[lo:hi].reshape((2, (hi - lo) // 2 // places[level], places[level]))
        coarse = mass[hi : start[level + 2]]
        coarse[:] = 0
        grid = coarse.reshape((2, coarse.size // 2 // places[level + 1], places[level + 1]))
        h = height[level]
        for k in range(deep, fine.shape[1] // h - deep):
            for y in range(1, h - 1, 2):
                row = k * h + y
                for c in range(2):
                    next_row = fine[c, row + 1 if y < h - 2 else 0]
                    add_to_blocks(fine[c, row], next_row, k, y, deep, grid, height[level + 1])


@jit
def v_cycle(
    x: Field, b: Field, inverse: Field, faces: Field, g: float, a: float, line: Field, spare: Field, zero: float,
    one: float, height: Field, places: Field, start: Field, face_start: Field, deep: int,
) -> float:  # fmt: skip
    """One V(1,1) cycle from zero for A x = b; symmetric, so that CG may use it. Returns x . b on the finest grid.

    ``spare`` of the size of ``x``, to work in. ``b`` and ``x`` are zero in the ring, ``x`` and ``spare`` on all grids.
    ``g``, ``a``, ``zero`` and ``one`` of the fields' type, to keep the arithmetic in it.
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
        swept = fl.shape[1] == 0 and deep == 0 and top > 0
        if level < top:
            pn, end = places[level + 1], start[level + 2]
            coarse_shape = (2, (end - hi) // 2 // pn, pn)
        if down:
            if swept:
                descend(xl, bl, il, a * g, zero, line, b[hi:end].reshape(coarse_shape))
                continue
            start_red(xl[0].reshape(-1), il[0].reshape(-1), bl[0].reshape(-1))
            relax(xl, bl, il, fl, gl, a, 1, h, deep)
        else:
            above = x[hi:end].reshape(coarse_shape)
            if swept:
                total: float = climb(xl, bl, il, a * g, zero, line, above)
                return total
            prolong_red(above, height[level + 1], xl, il, h, deep, zero, line)
            relax(xl, bl, il, fl, gl, a, 1, h, deep)
            relax(xl, bl, il, fl, gl, a, 0, h, deep)
        if level == top:
            for _ in range(3):
                relax(xl, bl, il, fl, gl, a, 0, h, deep)
                relax(xl, bl, il, fl, gl, a, 1, h, deep)
            relax(xl, bl, il, fl, gl, a, 0, h, deep)
        elif down:
            restrict_red(xl, il, fl, gl, a, h, deep, zero, spare[lo : (lo + hi) // 2],
                         b[hi:end].reshape(coarse_shape), height[level + 1])
    return float(dot(x, b, start[1], zero))


@jit
def multiply(
    p: Field, out: Field, mass: Field, face_sum: Field, faces: Field, g: float, a: float, height: int, deep: int,
    line: Field,
) -> float:  # fmt: skip
    """out = A p with A = mass + a (face_sum - faces), summed in double precision; returns p . A p."""
    total = 0.0
    rows, m = p.shape[1], p.shape[2] - 1
    for c in range(2):
        for k in range(deep, rows // height - deep):
            for y in range(1, height - 1):
                row = k * height + y
                flows(p[1 - c], faces[c], g, row, height * deep, 1 - 2 * ((y + k - deep + c) & 1), 0.0, line)
                total += product_row(
                    p[c, row, 1:m], mass[c, row, 1:m], face_sum[c, row, 1:m], line[1:m], g, a, out[c, row, 1:m])
    return total


@apart
def product_row(own: Field, ms: Field, fs: Field, line: Field, g: float, a: float, out: Field) -> float:
    total = 0.0
    for j in range(own.size):
        value = ms[j] * own[j] + a * ((g * fs[j]) * own[j] - line[j])
        value = value if ms[j] > 0.0 else 0.0
        out[j] = value
        total += own[j] * value
    return total


@apart
def sum_of_products(u: Field, v: Field, zero: float) -> float:
    part = zero
    for i in range(u.size):
        part += u[i] * v[i]
    return part


@jit
def dot(u: Field, v: Field, n: int, zero: float) -> float:
    total = 0.0
    for lo in range(0, n, STRIP):
        hi = min(lo + STRIP, n)
        total += sum_of_products(u[lo:hi], v[lo:hi], zero)
    return total


@apart
def less(r: Field, ap: Field, weight: Field, alpha: float, zero: float) -> float:
    """r -= alpha A p; the square of its weighted norm."""
    part = zero
    for i in range(r.size):
        left = r[i] - alpha * ap[i]
        r[i] = left
        weighted = left * weight[i]
        part += weighted * weighted
    return part


@apart
def turn(p: Field, z: Field, dx: Field, beta: float, alpha: float) -> None:
    """dx += alpha p, then p = z + beta p."""
    for i in range(p.size):
        old = p[i]
        dx[i] += alpha * old
        p[i] = z[i] + beta * old


@apart
def add_last(dx: Field, p: Field, alpha: float) -> None:
    for i in range(dx.size):
        dx[i] += alpha * p[i]


@jit
def clear_ring(x: Field, height: int) -> None:
    """Zeros around every plane of a packed field; a stack's outermost planes are ring too."""
    for c in range(2):
        x[c, :, 0], x[c, :, -1] = 0, 0
        for row in range(0, x.shape[1], height):
            x[c, row], x[c, row + height - 1] = 0, 0
        if x.shape[1] > height:
            x[c, :height], x[c, -height:] = 0, 0


@jit
def solve_linear(
    dx: Field, mass: Field, inverse: Field, weight: Field, cells: Field, exact_sum: Field, faces: Field, g: float,
    a: float, line: Field, line64: Field, limit: float,
    height: Field, places: Field, start: Field, face_start: Field, deep: int,
) -> tuple[int, float]:  # fmt: skip
    """Solve A x = r, with r in ``cells[0]``, until the square of its weighted norm is down to ``limit``.

    ``cells`` (4, flat): r and coarse right-hand sides, z and coarse corrections, p, A p. Returns the iterations and
    alpha: the solution is ``dx`` + alpha p.
    """
    r, z, p, ap = cells[0], cells[1], cells[2], cells[3]
    n = start[1]
    shape = (2, n // 2 // places[0], places[0])
    flat = faces[: face_start[1]]
    finest = flat.reshape((2, flat.size // n, shape[1], shape[2]))
    numbers = np.zeros(7, dx.dtype)  # scalars in the fields' own type, or all arithmetic would leave it
    numbers[0], numbers[1], numbers[2], numbers[3] = a, g, 1.0, 4.0
    a_, g_, one, four, zero = numbers[0], numbers[1], numbers[2], numbers[3], numbers[6]
    swept = flat.size == 0 and deep == 0 and a * g < MOST_COUPLING
    # what other work has left there
    z[n:] = zero
    clear_ring(z[:n].reshape(shape), height[0])
    clear_ring(p[:n].reshape(shape), height[0])
    rz_old, alpha = 1.0, zero
    for iteration in range(MOST_ITERATIONS):
        rz = v_cycle(z, r, inverse, faces, g_, a_, line, ap, zero, one, height, places, start, face_start, deep)
        numbers[4] = rz / rz_old
        beta = numbers[4]
        rz_old = rz
        if swept:
            pap = new_direction(
                p[:n].reshape(shape), z[:n].reshape(shape), dx.reshape(shape), ap[:n].reshape(shape),
                mass[:n].reshape(shape), exact_sum, a_ * g_, beta, alpha, iteration == 0, zero, four,
            )  # fmt: skip
        else:
            if iteration == 0:
                p[:n] = z[:n]
                dx[:] = zero
            else:
                turn(p[:n], z[:n], dx, beta, alpha)
            pap = multiply(
                p[:n].reshape(shape), ap[:n].reshape(shape), mass[:n].reshape(shape), exact_sum, finest, g, a,
                height[0], deep, line64,
            )  # fmt: skip
        numbers[5] = rz / pap if pap > 0.0 else 0.0
        alpha = numbers[5]
        norm = 0.0
        for lo in range(0, n, STRIP):
            hi = min(lo + STRIP, n)
            norm += less(r[lo:hi], ap[lo:hi], weight[lo:hi], alpha, zero)
        if not norm > limit:
            return iteration + 1, alpha
    return MOST_ITERATIONS, alpha


@jit
def conjugate_gradient(
    dx: Field, mass: Field, inverse: Field, weight: Field, cells: Field, exact_sum: Field, faces: Field, g: float,
    a: float, line: Field, line64: Field, reduction: float, goal: float,
    height: Field, places: Field, start: Field, face_start: Field, deep: int,
) -> int:  # fmt: skip
    """Solve A dx = r, with r in ``cells[0]``, until its weighted norm fell by ``reduction`` or to ``goal``.

    ``cells`` as in `solve_linear`. Returns the iterations.
    """
    n = start[1]
    first = 0.0
    for i in range(n):
        first += (cells[0, i] * weight[i]) ** 2
    iterations, alpha = solve_linear(
        dx, mass, inverse, weight, cells, exact_sum, faces, g, a, line, line64,
        max(reduction * reduction * first, goal * goal), height, places, start, face_start, deep,
    )  # fmt: skip
    add_last(dx, cells[2, :n], alpha)
    return int(iterations)
