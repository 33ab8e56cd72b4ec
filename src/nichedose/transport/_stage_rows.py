"""Compiled passes over the fields of one stage: its start, with the first residual, and a Newton step with the next.

All fields are packed red and black apart (see ``_checkerboard``), (2, cells of a colour) or, those that diffuse, (2,
rows, places). What lies in the tissue has a sum of open faces above 0 (see `Ladder`); capacity that is the same in all
tissue is given for one block of rows. Beyond the caches a pass costs what it reads and writes. So each goes through a
block of rows at a time: what neighbours need is made for some rows ahead, and what one loop leaves is still in the
cache for the next.
"""

from __future__ import annotations

import numpy as np

from nichedose.fields.grid import Array
from nichedose.transport._flows import Field, apart, flows_of_rows, jit
from nichedose.transport._sums import two_sums

__all__ = ["capacity_of", "finish_stage", "next_residual", "rows_ahead", "start_stage"]

Rates = tuple[float, float, float]  # kon, koff, kint


@jit
def rows_ahead(y: int, k: int, height: int, deep: int, block: int, rows: int) -> int:
    """Rows, from the first one on, in which all neighbours of a block of rows from ``y`` of plane ``k`` lie."""
    return min(rows, k * height + min(y + block, height - 1) + 1 + height * deep)


@jit
def capacity_of(capacity: Array, c: int, lo: int, hi: int, cells: int) -> Array:
    """Of cells ``lo`` to ``hi`` of a colour."""
    first = lo if capacity.shape[1] >= cells else 0
    return capacity[c, first : first + hi - lo]


@apart
def finish_stage(
    free: Array, bound_rhs: Array, target: Array, a: float, kon: float, koff: float, kint: float, slope: Array
) -> None:
    """Slope kb of bound ligand of a stage from its solved ``free``; flat fields or rows."""
    gain, on, over = 1.0 + a * (koff + kint), a * kon, 1.0 / a
    for i in range(free.size):
        bound = (bound_rhs[i] + on * target[i] * free[i]) / (gain + on * free[i])
        slope[i] = (bound - bound_rhs[i]) * over


@apart
def rows_rhs(
    line: Array, own: Array, fs: Array, leave: Array, source: Array, capacity: Array, s0: Array, supplied: float,
    brought: float, a: float, g: float, q: Array, holds: Array,
) -> None:  # fmt: skip
    """Right-hand side ``q`` of free + bound ligand of some rows, in place of what bound ligand lost in earlier stages.

    ``own`` the sum of step x weight x free ligand of earlier stages, ``supplied`` that of plasma, ``brought`` plasma
    of the stage itself times ``a``; ``s0`` free + bound ligand at the step's start. ``holds`` what each voxel holds
    (-1 outside), its right-hand side and what plasma alone would bring, under fast exchange far less than what passes
    through within the step.
    """
    for j in range(own.size):
        so, lv, inside = source[j], leave[j], fs[j] > 0.0
        value = s0[j] - q[j] + line[j] - (g * fs[j] + lv) * own[j] + supplied * so
        value = value if inside else 0.0
        given = brought * so
        volume = capacity[j] if inside else 1.0
        held = abs(value) + abs(given) * volume / (volume + a * lv)
        q[j] = value + given
        holds[j] = held if inside else -1.0


@apart
def rows_weight(holds: Array, unit: float, scale: float, floor: float, weight: Field) -> None:
    """Weights of an rms norm of residuals relative to what each voxel holds, not below ``floor`` of the mean."""
    for j in range(holds.size):
        weight[j] = scale / (holds[j] * unit + floor) if holds[j] >= 0.0 else 0.0


@apart
def rows_residual(
    line: Array, own: Array, fs: Array, rhs: Array, br: Array, tg: Array, leave: Array, capacity: Array, wt: Field,
    unit: float, a: float, g: float, kon: float, koff: float, kint: float, r: Field, mass: Field,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Residual ``r`` (times ``unit``) and Newton's diagonal ``mass`` of the scalar stage equation at ``own``, in some
    rows.

    capacity F + a leave F + (1 + a kint) B(F) - a div(faces grad F) = q, with the bound ligand eliminated:
    B(F) = (bound_rhs + a kon R F) / (1 + a (kon F + koff + kint)).
    Returns the square of the weighted norm, and sums of free ligand per tissue, of what leaves per h and of a x kb.
    """
    total, content, leaving, taken = 0.0, 0.0, 0.0, 0.0
    keep, gain, on = 1.0 + a * kint, 1.0 + a * (koff + kint), a * kon
    for j in range(own.size):
        f, cp, lv, inside = own[j], capacity[j], leave[j], fs[j] > 0.0
        share = 1.0 / (gain + on * f)
        bound = (br[j] + on * tg[j] * f) * share
        slope = on * share * (tg[j] - bound)
        linear = cp + a * lv
        value = rhs[j] - linear * f - keep * bound + a * (line[j] - g * fs[j] * f)
        value = value * unit if inside else 0.0
        r[j] = value
        mass[j] = linear + keep * max(slope, 0.0) if inside else 0.0
        weighted = value * wt[j]
        total += weighted * weighted
        content += cp * f
        leaving += lv * f
        taken += bound - br[j]
    return total, content, leaving, taken


@apart
def rows_move(free: Array, dx: Field, back: float, lowest: float) -> None:
    """Newton's step: ``free`` + ``back`` x ``dx``, not below ``lowest``."""
    for i in range(free.size):
        free[i] = max(free[i] + back * dx[i], lowest)


@jit
def start_stage(
    i: int, a: float, rates: Rates, sums: tuple[Array, Array, Array, Array], plasma: tuple[float, float], unit: float,
    scale: float, floor: float, state: Array, free: Array, slopes: Array, fields: tuple[Array, Array, Array, Array],
    work: tuple[Array, Array, Array, Field], residual: tuple[Field, Field], exact_sum: Field, faces: Field, g: float,
    height: int, deep: int, lines: Array, holds: Array, totals: Array,
) -> float:  # fmt: skip
    """Slope of stage ``i`` - 1, then stage ``i``: its right-hand sides, first guess, weights and first residual.

    ``sums`` (6,) weights of the step's start and the stages in the sum that diffuses, in the first guess, in the
    right-hand side of bound ligand and in what it lost; ``plasma`` as in `rows_rhs`. Returns and gives as
    `next_residual`.
    """
    kon, koff, kint = rates
    moves, predictor, of_bound, lost = sums
    supplied, brought = plasma
    capacity, target, source, leave = fields
    q, bound_rhs, mixed, weight = work
    r, mass = residual
    rows, places = mixed.shape[1], mixed.shape[2]
    n, block, line = rows * places, lines.shape[0], lines.reshape(-1)
    half = (2, n)
    flat_free, flat_slopes, start = free.reshape((6, 2 * n)), slopes.reshape((6, 2 * n)), state.reshape((3, *half))
    flat_mixed, diffused, guess = mixed.reshape(-1), mixed.reshape(half), free[i].reshape(half)
    solved, slope = free[i - 1].reshape(half), slopes[i - 1].reshape(half)
    total, content, leaving, taken = 0.0, 0.0, 0.0, 0.0
    done = 0
    for k in range(deep, rows // height - deep):
        for y in range(1, height - 1, block):
            ahead = rows_ahead(y, k, height, deep, block, rows)
            for c in range(2):
                lo, hi = c * n + done * places, c * n + ahead * places
                two_sums(flat_free[0][lo:hi], flat_free[1:], lo, moves, predictor, i - 1, 0.0, flat_mixed[lo:hi],
                         flat_free[i][lo:hi])
            done = ahead
            for c in range(2):
                lo, hi = flows_of_rows(mixed[1 - c], faces[c], g, k, y, height, deep, c, lines)
                flow, fs, lv, tg = line[: hi - lo], exact_sum[c, lo:hi], leave[c, lo:hi], target[c, lo:hi]
                cp = capacity_of(capacity, c, lo, hi, n)
                rhs, br, held, wt = q[c, lo:hi], bound_rhs[c, lo:hi], holds[: hi - lo], weight[c, lo:hi]
                if i > 1:
                    finish_stage(solved[c, lo:hi], br, tg, a, kon, koff, kint, slope[c, lo:hi])
                two_sums(start[1, c, lo:hi], flat_slopes, c * n + lo, of_bound, lost, i, -np.inf, br, rhs)
                rows_rhs(flow, diffused[c, lo:hi], fs, lv, source[c, lo:hi], cp, start[0, c, lo:hi], supplied, brought,
                         a, g, rhs, held)
                rows_weight(held, unit, scale, floor, wt)
                flows_of_rows(free[i, 1 - c], faces[c], g, k, y, height, deep, c, lines)
                found = rows_residual(flow, guess[c, lo:hi], fs, rhs, br, tg, lv, cp, wt, unit, a, g, kon, koff, kint,
                                      r[c, lo:hi], mass[c, lo:hi])
                total, content = total + found[0], content + found[1]
                leaving, taken = leaving + found[2], taken + found[3]
    totals[0], totals[1], totals[2] = content, leaving, taken / a
    return total


@jit
def next_residual(
    free: Array, dx: Field, back: float, lowest: float, unit: float, a: float, rates: Rates,
    fields: tuple[Array, Array, Array, Array], work: tuple[Array, Array, Array, Field], residual: tuple[Field, Field],
    exact_sum: Field, faces: Field, g: float, height: int, deep: int, lines: Array, totals: Array,
) -> float:  # fmt: skip
    """Newton's step in ``free`` (2, rows, places), and the residual there. Returns the square of its weighted norm, and
    in ``totals`` (3,) the sums over the tissue of free ligand per tissue, of what leaves per h and of kb."""
    kon, koff, kint = rates
    capacity, target, _, leave = fields
    q, bound_rhs, _, weight = work
    r, mass = residual
    rows, places = free.shape[1], free.shape[2]
    n, block, line = rows * places, lines.shape[0], lines.reshape(-1)
    flat = free.reshape((2, n))
    total, content, leaving, taken = 0.0, 0.0, 0.0, 0.0
    done = 0
    for k in range(deep, rows // height - deep):
        for y in range(1, height - 1, block):
            ahead = rows_ahead(y, k, height, deep, block, rows)
            for c in range(2):
                lo, hi = done * places, ahead * places
                rows_move(flat[c, lo:hi], dx[c * n + lo : c * n + hi], back, lowest)
            done = ahead
            for c in range(2):
                lo, hi = flows_of_rows(free[1 - c], faces[c], g, k, y, height, deep, c, lines)
                found = rows_residual(
                    line[: hi - lo], flat[c, lo:hi], exact_sum[c, lo:hi], q[c, lo:hi], bound_rhs[c, lo:hi],
                    target[c, lo:hi], leave[c, lo:hi], capacity_of(capacity, c, lo, hi, n), weight[c, lo:hi], unit, a,
                    g, kon, koff, kint, r[c, lo:hi], mass[c, lo:hi],
                )  # fmt: skip
                total, content = total + found[0], content + found[1]
                leaving, taken = leaving + found[2], taken + found[3]
    totals[0], totals[1], totals[2] = content, leaving, taken / a
    return total
