"""Compiled kernels of the linear solver: multigrid cycles by themselves, else as conjugate gradients' preconditioner.

All fields are packed red and black apart (see ``_checkerboard``), in single precision in a run: Newton's method around
it measures the true residual in double precision, so that rounding here costs iterations at worst, never accuracy.
Nothing here runs in parallel, so that the same input gives the same bits. ``sizes`` are the ladder's (height, places,
start, face_start, path, deep, bottom).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nichedose.transport._bottom import solve_bottom
from nichedose.transport._flows import Field, apart, flows, jit
from nichedose.transport._parts import cycle_of_parts, prepare_parts
from nichedose.transport._section_sweeps import descend, turn
from nichedose.transport._smoothing import STRIP, place_of, prolong, relax, restrict, start_red
from nichedose.transport._stack_sweeps import descend_stack, turn_stack

__all__ = ["MOST_ITERATIONS", "cycle", "multiply", "solve_linear"]

MOST_ITERATIONS = 60
SWEEPS = 6  # of red, black, .. on the finest grid after its corrections
SLOW = 0.5  # of the squared norm, that may be left by a cycle before conjugate gradients take over


@jit
def cycle(
    x: Field, b: Field, inverse: Field, weight: Field, faces: Field, g: float, a: float, line: Field, spare: Field,
    zero: float, one: float, path: Field, begin: int, symmetric: bool, sizes: Any,
) -> float:  # fmt: skip
    """One cycle for A x = b over the grids in ``path``, from its place ``begin``: 0 for a cycle from zero.

    Down: red and black; up: red, black, red, after blocks' corrections to black, and black again before the next way
    down: then red ones alone lack something, so that the next cycle may begin at place 1. On the finest grid red and
    black once more: what corrections leave there is rough, and weighs most where voxels hold little. Returns the square
    of what they lack times ``weight``. Where ``symmetric``, as conjugate gradients ask, up is black, red after
    corrections to red, and 0 is returned. ``spare`` of the size of ``x``, to work in. ``b`` and ``x`` are zero in the
    ring, ``x`` on all grids. ``g``, ``a``, ``zero`` and ``one`` of the fields' type, to keep the arithmetic in it.
    """
    _, _, start, _, _, deep, bottom, _ = sizes
    top, total = start.size - 2, 0.0
    for i in range(begin, path.size):
        level = path[i]
        at = place_of(level, sizes)
        lo, half, _, _, _, kinds = at
        if level == top:
            solve_bottom(x[lo:], b[lo:], bottom)
            continue
        to = place_of(level + 1, sizes)
        gl = g if level == 0 else one
        from_above, down = i == 0 or path[i - 1] < level, i + 1 < path.size and path[i + 1] > level
        if kinds == 0 and from_above:  # the finest grid
            if deep == 0:
                descend(x, b, inverse, at, to, a * g, zero, line)
            else:
                descend_stack(x, b, inverse, at, to, a * g, zero, line)
            continue
        if kinds == 0 and not symmetric:
            if deep == 0:
                total = turn(x, b, inverse, weight, at, to, a * g, zero, SWEEPS, line)
            else:
                total = turn_stack(x, b, inverse, weight, at, to, a * g, zero, SWEEPS, line)
            continue
        if from_above:
            start_red(x, b, inverse, at)
            relax(x, x, b, inverse, faces, at, gl, a, 1, deep)
        elif symmetric:
            prolong(x, inverse, at, to, 0, deep, zero, line)
            relax(x, x, b, inverse, faces, at, gl, a, 1, deep)
            relax(x, x, b, inverse, faces, at, gl, a, 0, deep)
        else:
            prolong(x, inverse, at, to, 1, deep, zero, line)
            for n in range(SWEEPS if level == 0 else 3 + down):
                relax(x, x, b, inverse, faces, at, gl, a, n & 1, deep)
        if down or (level == 0 and not symmetric):
            wanted = weight[:half] if level == 0 and i > 0 else weight[:0]
            total = restrict(x, b, inverse, faces, at, to, gl, a, deep, zero, spare, wanted, line)
    return float(total)


@jit
def multiply(
    p: Field, out: Field, mass: Field, face_sum: Field, faces: Field, g: float, a: float, height: int, deep: int,
    line: Field,
) -> float:  # fmt: skip
    """out = A p with A = mass + a (face_sum - faces), summed in double precision; returns p . A p."""
    total = 0.0
    rows, m = p.shape[1], p.shape[2] - 1
    for c in range(2):
        other, to_other = p[1 - c].reshape(-1), faces[c].reshape(-1)
        for k in range(deep, rows // height - deep):
            for y in range(1, height - 1):
                row = k * height + y
                aside = 1 - 2 * ((y + k - deep + c) & 1)
                flows(other, to_other, g, row, rows, m + 1, height * deep, aside, 0.0, line, 1)
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
def turn_round(p: Field, z: Field, dx: Field, beta: float, alpha: float) -> None:
    """dx += alpha p, then p = z + beta p."""
    for i in range(p.size):
        old = p[i]
        dx[i] += alpha * old
        p[i] = z[i] + beta * old


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
def conjugate_gradients(
    dx: Field, mass: Field, inverse: Field, weight: Field, cells: Field, exact_sum: Field, faces: Field, g: float,
    a: float, line: Field, line64: Field, limit: float, begun: bool, sizes: Any,
) -> tuple[int, float]:  # fmt: skip
    """`solve_linear` with symmetric cycles, from what ``cells[1]`` holds where ``begun``. Returns likewise."""
    height, places, start, face_start, _, deep, _, parts = sizes
    r, z, p, ap = cells[0], cells[1], cells[2], cells[3]
    n, top = start[1], height.size - 1
    shape = (2, n // 2 // places[0], places[0])
    flat = faces[: face_start[1]]
    finest = flat.reshape((2, flat.size // n, shape[1], shape[2]))
    numbers = np.zeros(6, dx.dtype)  # scalars in the fields' own type, or all arithmetic would leave it
    numbers[0], numbers[1], numbers[2] = a, g, 1.0
    a_, g_, one, zero = numbers[0], numbers[1], numbers[2], numbers[5]
    path, at = top - np.abs(np.arange(-top, top + 1)), place_of(0, sizes)
    if parts[0].size > 0:
        prepare_parts(mass, a_, parts)
    dx[:] = zero
    if begun:
        dx[:] = z[:n]
        multiply(
            dx.reshape(shape), ap[:n].reshape(shape), mass[:n].reshape(shape), exact_sum, finest, g, a, height[0], deep,
            line64,
        )  # fmt: skip
        less(r[:n], ap[:n], weight, one, zero)
    p[:n] = zero
    rz_old, used, norm = 1.0, MOST_ITERATIONS, 0.0
    for iteration in range(MOST_ITERATIONS):
        if parts[0].size > 0:
            cycle_of_parts(z, r, inverse, faces, at, g_, a_, deep, ap, parts, zero)
        else:
            cycle(z, r, inverse, weight, faces, g_, a_, line, ap, zero, one, path, 0, True, sizes)
        rz = dot(z, r, n, zero)
        numbers[3] = rz / rz_old
        rz_old = rz
        turn_round(p[:n], z[:n], dx, numbers[3], numbers[4])
        pap = multiply(
            p[:n].reshape(shape), ap[:n].reshape(shape), mass[:n].reshape(shape), exact_sum, finest, g, a, height[0],
            deep, line64,
        )  # fmt: skip
        numbers[4] = rz / pap if pap > 0.0 else 0.0
        norm = 0.0
        for lo in range(0, n, STRIP):
            hi = min(lo + STRIP, n)
            norm += less(r[lo:hi], ap[lo:hi], weight[lo:hi], numbers[4], zero)
        if not norm > limit:
            used = iteration + 1
            break
    turn_round(p[:n], z[:n], dx, zero, numbers[4])
    z[:n] = dx
    return used, norm


@jit
def solve_linear(
    dx: Field, mass: Field, inverse: Field, weight: Field, cells: Field, exact_sum: Field, faces: Field, g: float,
    a: float, line: Field, line64: Field, first: float, limit: float, sizes: Any,
) -> tuple[int, float]:  # fmt: skip
    """Solve A x = b, with b in ``cells[0]``, until its weighted norm's square, ``first`` now, is down to ``limit``.

    ``cells`` (4, flat): b and coarse right-hand sides, x and coarse corrections, room for two more. Cycles by
    themselves, as long as they gain; then conjugate gradients, which use ``dx``. Returns the cycles, and what is left.
    """
    height, places, start, _, path, _, _, _ = sizes
    b, x, spare = cells[0], cells[1], cells[3]
    n = start[1]
    shape = (2, n // 2 // places[0], places[0])
    numbers = np.zeros(4, dx.dtype)  # scalars in the fields' own type, or all arithmetic would leave it
    numbers[0], numbers[1], numbers[2] = a, g, 1.0
    # what other work has left there; on the only grid a direct solver would leave it between the ends of odd rows
    x[n if path.size > 1 else 0 :] = numbers[3]
    clear_ring(x[:n].reshape(shape), height[0])
    norm, last, used = first, first, 0
    while path.size > 1 and used < MOST_ITERATIONS and sizes[7][0].size == 0:
        norm = cycle(
            x, b, inverse, weight, faces, numbers[1], numbers[0], line, spare, numbers[3], numbers[2], path,
            int(used > 0), False, sizes,
        )  # fmt: skip
        used += 1
        if not norm > limit:
            return used, norm
        if used > 1 and norm > SLOW * last:
            break
        last = norm
    more, norm = conjugate_gradients(
        dx, mass, inverse, weight, cells, exact_sum, faces, g, a, line, line64, limit, norm < first, sizes)
    return used + more, norm
