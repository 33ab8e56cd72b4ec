"""Compiled kernels of one implicit step, run backwards: what a change of its end asks of its start.

Packed fields as in ``_checkerboard``, flat unless said otherwise. The stage's matrix is symmetric, so the adjoint solve
is the forward one. With bound ligand eliminated, the adjoint of a stage is two fields: ``x`` of its right-hand side for
free + bound ligand, and that of its right-hand side for bound ligand. Earlier stages see combinations of these whose
weights are the same in all voxels; internalised ligand has no field at all (see ``_sweep``).

Rows are taken in blocks that fit in the innermost cache, in many short loops that each write one array: a loop over
more arrays would not be turned into vector instructions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nichedose.fields.grid import Array
from nichedose.transport._flows import Field, flows, flows_of_rows, jit
from nichedose.transport._multigrid import MOST_ITERATIONS, solve_linear
from nichedose.transport._smoothing import prepare_levels

__all__ = ["BUFFERS", "SUMS", "between_steps", "keep", "step_back"]

# Rows of ``sums``: derivatives with respect to these numbers.
KON, KOFF, KINT, KREL, LOG_CONDUCTANCE, CAPACITY = range(6)
SUMS = 6
STRIP = 512  # cells of a few fields that fit in the innermost cache
BUFFERS = 2  # rows of work within a block
PASSES = 20  # of single-precision solves, each of what the last one left
REDUCTION_PER_PASS = 1e-4


@jit
def weigh(base: Array, share: float, terms: Array, weights: Array, count: int, lo: int, hi: int, out: Array) -> None:
    """out = share x base + sum over the first ``count``, at most 6, of weights x ``terms`` (.., cells), from ``lo`` to
    ``hi``. Two at a time in slices: what is in the innermost cache may be gone through again."""
    total, start = out[lo:hi], base[lo:hi]
    if count % 2 == 1:
        u, wu = terms[0, lo:hi], weights[0]
        for i in range(total.size):
            total[i] = share * start[i] + wu * u[i]
    else:
        for i in range(total.size):
            total[i] = share * start[i]
    for k in range(count % 2, count, 2):
        u, v, wu, wv = terms[k, lo:hi], terms[k + 1, lo:hi], weights[k], weights[k + 1]
        for i in range(total.size):
            total[i] += wu * u[i] + wv * v[i]


@jit
def keep(free: Array, slopes: Array, bound: Array, weights: Array, out_free: Array, out_bound: Array) -> None:
    """Free and bound ligand of stages 1 to 5 (5, cells), of what the forward step holds; ``weights`` step x tableau."""
    for i in range(1, free.shape[0]):
        out_free[i - 1, :] = free[i]
    for lo in range(0, bound.size, STRIP):
        hi = min(lo + STRIP, bound.size)
        for i in range(1, free.shape[0]):
            weigh(bound, 1.0, slopes, weights[i], i + 1, lo, hi, out_bound[i - 1])


@jit
def between_steps(slope_bar: Array, source: Array, jump: float, exchange_bar: Array) -> float:
    """The plasma's jump between two steps, as the last slope becomes the first; returns its own derivative."""
    total = 0.0
    for i in range(slope_bar.size):
        total += slope_bar[i] * source[i]
    for i in range(slope_bar.size):
        exchange_bar[i] += jump * slope_bar[i]
    return total


@jit
def before_solve(
    free: Array, bound: Array, mixed: Array, of_slope: Array, held: Array, seeds: Array, weights: Array,
    fields: tuple[Array, Array, Array, Array], a: float, kon: float, gain: float, kint: float,
    grid: tuple[Field, Field, float], height: int, deep: int, lines: Array, right: Array, mass: Field, slope: Array,
    inner: Array, sums: Array,
) -> float:  # fmt: skip
    """Right-hand side ``right`` and diagonal ``mass`` of a stage's adjoint solve; returns the square of the former.

    ``mixed`` (2, rows, places) and ``of_slope`` (cells) what falls to the stage's slopes of free + bound and of bound
    ligand, ``held`` (cells) to bound ligand itself. ``slope`` (cells) is that of bound over free ligand.
    ``weights`` (3, labels) of the ``seeds`` (labels, 3, cells) of free, bound and internalised ligand, the last as it
    falls to bound ligand. ``inner`` (labels,) is given the sums of bound ligand x seeds of internalised ligand.
    """
    capacity, target, leave, _ = fields
    exact_sum, faces, g = grid
    rows, places = mixed.shape[1], mixed.shape[2]
    keep_bound, on, over = 1.0 + a * kint, a * kon, 1.0 / a
    block = lines.shape[1]
    flow, wanted = lines[0].reshape(-1), lines[1].reshape(-1)
    y_flat, sum_flat = mixed.reshape(-1), exact_sum.reshape(-1)
    conductance, content, norm = 0.0, 0.0, 0.0
    for colour in range(2):
        other, fc, before = mixed[1 - colour], faces[colour], colour * rows * places  # cells of the colour before
        for k in range(deep, rows // height - deep):
            for first in range(1, height - 1, block):
                lo, hi = flows_of_rows(other, fc, g, k, first, height, deep, colour, lines[0])
                lo, hi, n = before + lo, before + hi, hi - lo
                f, b, tg, yy = free[lo:hi], bound[lo:hi], target[lo:hi], y_flat[lo:hi]
                cp, lv, fs, bar, kb = capacity[lo:hi], leave[lo:hi], sum_flat[lo:hi], held[lo:hi], of_slope[lo:hi]
                sl, rt, ms = slope[lo:hi], right[lo:hi], mass[lo:hi]
                for j in range(n):
                    sl[j] = on * (tg[j] - b[j]) / (gain + on * f[j])
                for j in range(n):
                    ms[j] = cp[j] + a * lv[j] + keep_bound * sl[j] if cp[j] > 0.0 else 0.0
                for j in range(n):
                    flow[j] -= g * fs[j] * yy[j]
                    conductance += f[j] * flow[j]
                for j in range(n):
                    bar[j] = over * kb[j] - kint * yy[j]
                for label in range(seeds.shape[0]):
                    of_free, of_bound, of_inside = weights[0, label], weights[1, label], weights[2, label]
                    sf, sb, si = seeds[label, 0, lo:hi], seeds[label, 1, lo:hi], seeds[label, 2, lo:hi]
                    total = 0.0
                    for j in range(n):
                        bar[j] += of_bound * sb[j] + of_inside * si[j]
                        total += si[j] * b[j]
                    inner[label] += total
                    if label == 0:
                        for j in range(n):
                            wanted[j] = of_free * sf[j]
                    else:
                        for j in range(n):
                            wanted[j] += of_free * sf[j]
                for j in range(n):
                    content += f[j] * wanted[j]
                for j in range(n):
                    value = cp[j] * wanted[j] + bar[j] * sl[j] + (flow[j] - lv[j] * yy[j])
                    rt[j] = value if cp[j] > 0.0 else 0.0
                for j in range(n):
                    norm += rt[j] ** 2
    sums[LOG_CONDUCTANCE] += conductance
    sums[CAPACITY] += content
    return norm


@jit
def remainder(
    x: Array, scale: float, right: Array, unit: float, slope: Array, fields: tuple[Array, Array, Array, Array],
    a: float, kint: float, grid: tuple[Field, Field, float], height: int, deep: int, lines: Array, left: Field,
) -> float:  # fmt: skip
    """``left`` = unit (right - scale A x), computed in double precision; returns its square."""
    capacity, _, leave, _ = fields
    exact_sum, faces, g = grid
    rows, places = x.shape[1], x.shape[2]
    keep_bound, flow = 1.0 + a * kint, lines[0, 0]
    norm, times = 0.0, unit * scale
    for colour in range(2):
        other, to_other = x[1 - colour].reshape(-1), faces[colour].reshape(-1)
        for k in range(deep, rows // height - deep):
            for y in range(1, height - 1):
                row = k * height + y
                aside = 1 - 2 * ((y + k - deep + colour) & 1)
                flows(other, to_other, g, row, rows, places, height * deep, aside, 0.0, flow, 1)
                lo = (colour * rows + row) * places
                hi = lo + places
                own, fs, cp, lv = x[colour, row], exact_sum[colour, row], capacity[lo:hi], leave[lo:hi]
                sl, rt, out = slope[lo:hi], right[lo:hi], left[lo:hi]
                for j in range(1, places - 1):
                    diagonal = cp[j] + a * lv[j] + keep_bound * sl[j]
                    value = unit * rt[j] - times * (diagonal * own[j] - a * (flow[j] - g * fs[j] * own[j]))
                    value = value if cp[j] > 0.0 else 0.0
                    out[j] = value
                    norm += value**2
    return norm


@jit
def solve(
    x: Array, right: Array, size: float, before: float, reduction: float, slope: Array,
    fields: tuple[Array, Array, Array, Array], a: float, kint: float,
    solver: tuple[Field, Field, Field, Field, Field], levels: tuple[Field, Field, Field, float], finest: Field,
    buffers: tuple[Field, Array, Array], sizes: Any,
) -> int:  # fmt: skip
    """Solve the stage's matrix for ``x`` (packed) to ``reduction`` of ``right``, of norm ``size``.

    The first guess is its content, times what the norm grew by from ``before``. Then the forward run's
    single-precision solver, on what is left in double precision. Returns multigrid cycles.
    """
    mass, inverse, dx, cells, even = solver
    exact_sum, face_sum, faces, g = levels
    line, line64, lines = buffers
    height, _, start, _, _, deep, _, _ = sizes
    n = start[1]
    flat, found = x.reshape(-1), cells[1]
    if size == 0.0:
        flat[:] = 0.0
        return 0
    prepare_levels(mass, inverse, face_sum, faces, g, a, line, sizes)
    grid = (exact_sum, finest, g)
    used, scale, unit = 0, size / before if before > 0.0 else 0.0, 1.0 / size
    for _ in range(PASSES):
        left = np.sqrt(remainder(
            x, scale, right, unit, slope, fields, a, kint, grid, height[0], deep, lines, cells[0],
        ))  # fmt: skip
        if not left > reduction:
            break
        wanted_here = 0.5 * reduction / left
        limit = (max(REDUCTION_PER_PASS, wanted_here) * left) ** 2
        iterations, _ = solve_linear(
            dx, mass, inverse, even, cells, exact_sum, faces, g, a, line, line64, left**2, limit, sizes)
        used += iterations
        for i in range(n):
            flat[i] = scale * flat[i] + size * found[i]
        scale = 1.0
        # so far single precision can be trusted with the residual; beyond, look again in double
        if wanted_here >= REDUCTION_PER_PASS and iterations < MOST_ITERATIONS:
            break
    if scale != 1.0:
        for i in range(n):
            flat[i] *= scale
    return used


@jit
def after_solve(
    x: Array, free: Array, bound: Array, mixed: Array, held: Array, fields: tuple[Array, Array, Array, Array],
    a: float, plasma: float, kon: float, gain: float, kint: float, grid: tuple[Field, Field, float], height: int,
    deep: int, lines: Array, bound_bar: Array, target_bar: Array, exchange_bar: Array, sums: Array,
) -> float:  # fmt: skip
    """From the solved ``x``: the adjoint ``bound_bar`` of the right-hand side of bound ligand, in place of what fell to
    its slope; parameters are added. ``mixed`` becomes what falls to the stage's flux. Returns plasma's derivative."""
    _, target, _, source = fields
    exact_sum, faces, g = grid
    rows, places = x.shape[1], x.shape[2]
    keep_bound, on, over = 1.0 + a * kint, a * kon, 1.0 / a
    block = lines.shape[1]
    flow, of_bound = lines[0].reshape(-1), lines[1].reshape(-1)
    x_flat, sum_flat = x.reshape(-1), exact_sum.reshape(-1)
    by_kon, by_gain, by_kint, by_flow, by_content, by_plasma = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for colour in range(2):
        other, fc, before = x[1 - colour], faces[colour], colour * rows * places
        for k in range(deep, rows // height - deep):
            for first in range(1, height - 1, block):
                lo, hi = flows_of_rows(other, fc, g, k, first, height, deep, colour, lines[0])
                lo, hi, n = before + lo, before + hi, hi - lo
                f, b, tg, xx, so = free[lo:hi], bound[lo:hi], target[lo:hi], x_flat[lo:hi], source[lo:hi]
                fs, yy, bar, hd = sum_flat[lo:hi], mixed[lo:hi], bound_bar[lo:hi], held[lo:hi]
                tb, eb = target_bar[lo:hi], exchange_bar[lo:hi]
                for j in range(n):
                    of_bound[j] = (hd[j] - keep_bound * xx[j]) / (gain + on * f[j])
                for j in range(n):
                    bar[j] = of_bound[j] - over * bar[j]
                for j in range(n):
                    yy[j] += a * xx[j]
                for j in range(n):
                    by_kon += of_bound[j] * f[j] * (tg[j] - b[j])
                    by_gain += of_bound[j] * b[j]
                    by_kint += b[j] * yy[j]
                for j in range(n):
                    by_flow += f[j] * (flow[j] - g * fs[j] * xx[j])
                    by_content += f[j] * xx[j]
                    by_plasma += yy[j] * so[j]
                for j in range(n):
                    tb[j] += on * of_bound[j] * f[j]
                for j in range(n):
                    eb[j] += (plasma - f[j]) * yy[j]
    sums[KON] += a * by_kon
    sums[KOFF] -= a * by_gain
    sums[KINT] -= a * by_gain + by_kint
    sums[LOG_CONDUCTANCE] += a * by_flow
    sums[CAPACITY] -= by_content
    return by_plasma


@jit
def step_back(
    step: float, diagonal: float, weights: Array, plasma: Array, jump: float, reduction: float,
    rates: tuple[float, float, float], free: Array, bound: Array, seeds: Array, label_weights: Array,
    bars: tuple[Array, Array, Array, Array], parameters: tuple[Array, Array, Array],
    fields: tuple[Array, Array, Array, Array], work: tuple[Array, Array, Array, Array],
    solver: tuple[Field, Field, Field, Field, Field], levels: tuple[Field, Field, Field, float],
    lines: tuple[Field, Array, Array], sizes: Any, by_level: Array,
    inner: Array, last_sizes: Array,
) -> int:  # fmt: skip
    """All stages of a step, last one first. Returns multigrid cycles.

    ``bars``: adjoints of free + bound ligand and of bound ligand, each (6, 2, rows, places) with that of the step's end
    first, in whose place that of its start is left, then stages 5 to 1, whose content in the former is the first guess
    of the solves; and what falls to the first slopes of either in the following step, and is left of this one's.
    ``weights`` (6, 6) the tableau in the order of these. ``plasma`` (6,) and ``free``, ``bound`` (5, cells) in forward
    order, ``jump`` of plasma to the first stage of the following step. ``label_weights`` (5, 3, labels) for stages 5 to
    1, see `before_solve`. ``by_level`` (7,) derivatives by plasma at stages 0 to 5 and at the following step's start,
    ``inner`` (5, labels) in forward order. ``last_sizes`` (6,) norms of right-hand sides in the following step.
    """
    of_rhs, of_bound, first_slope, first_bound = bars
    target_bar, exchange_bar, sums = parameters
    source = fields[3]
    mixed, held, right, slope = work
    exact_sum, _, faces, g = levels
    line, line64, block = lines
    height, _, start, face_start, _, deep, _, _ = sizes
    kon, koff, kint = rates
    n = start[1]
    shape = mixed.shape
    flat_faces = faces[: face_start[1]]
    finest = flat_faces.reshape((2, flat_faces.size // n, shape[1], shape[2]))
    grid = (exact_sum, finest, g)
    a = diagonal * step
    gain = 1.0 + a * (koff + kint)
    x_terms, b_terms, y = of_rhs.reshape((6, n)), of_bound.reshape((6, n)), mixed.reshape(-1)
    by_level[6] = between_steps(first_slope, source, jump, exchange_bar)
    used = 0
    for s in range(1, 6):
        i = 6 - s
        moves, bar, first = step * weights[s], b_terms[s], 1.0 if s == 1 else 0.0
        for lo in range(0, n, STRIP):
            hi = min(lo + STRIP, n)
            weigh(first_slope, first, x_terms, moves, s, lo, hi, y)
            weigh(first_bound, first, b_terms, moves, s, lo, hi, bar)
        size = np.sqrt(before_solve(
            free[i - 1], bound[i - 1], mixed, bar, held, seeds, label_weights[s - 1], fields, a, kon, gain, kint, grid,
            height[0], deep, block, right, solver[0], slope, inner[i - 1], sums,
        ))  # fmt: skip
        used += solve(
            of_rhs[s], right, size, last_sizes[s], reduction, slope, fields, a, kint, solver, levels, finest,
            (line, line64, block), sizes,
        )  # fmt: skip
        last_sizes[s] = size
        if s == 5:
            first_bound[:] = bar
        by_level[i] = after_solve(
            of_rhs[s], free[i - 1], bound[i - 1], y, held, fields, a, plasma[i], kon, gain, kint, grid, height[0], deep,
            block, bar, target_bar, exchange_bar, sums,
        )  # fmt: skip
    # stages 0 and 1 weigh alike in all later ones
    last = b_terms[5]
    for k in range(n):
        first_bound[k] += a * last[k]
    first_slope[:] = y
    for terms in (x_terms, b_terms):
        total, t1, t2, t3, t4, t5 = terms[0], terms[1], terms[2], terms[3], terms[4], terms[5]
        for k in range(n):
            total[k] += (t1[k] + t2[k]) + (t3[k] + t4[k]) + t5[k]
    return used
