"""Compiled kernels of one implicit stage of the network engine, run backwards.

Immobile species are eliminated in each cell with the transposed small systems; what is left is the transposed matrix of
the stage. Its species lie in reverse order, so that what turns into another one is again solved before it. Bars are
derivatives of the objective; see the theory page on derivatives of transport for the algebra.
"""

from __future__ import annotations

import numpy as np

from nichedose.fields.grid import Array
from nichedose.transport._elimination import (
    BINDING,
    FROM_PLASMA,
    IMMOBILE,
    MOBILE,
    STRIP,
    coefficients,
    eliminate,
    jit,
    room,
    transposed_again,
)
from nichedose.transport._network_kernels import krylov, operate, passing, prepare, weighted

__all__ = ["after_solve", "before_solve", "solve_transposed"]

PASSES = 12  # of Krylov solves, each of what the last one left


@jit
def before_solve(
    free: Array, rhs: Array, plasma: Array, a: float, capacity: Array, leave: Array, held: Array,
    kind: Array, rate: Array, site: Array, field: Array, fields: Array, first: Array, change_of: Array, change: Array,
    net: Array, slot: Array, volume: Array, given: Array, lost: Array, neighbour: Array,
    free_bar: Array, mobile_bar: Array, immobile_bar: Array, scaled: Array, jacobian: Array, right: Array,
) -> None:  # fmt: skip
    """Transposed local Jacobian (species, species, n) and right-hand side of a stage's adjoint.

    ``free_bar`` (mobiles, n) of the stage's free ligand, ``mobile_bar`` and ``immobile_bar`` of its slopes. ``given``
    and ``lost`` are transposed and reversed; so are ``scaled`` (``mobile_bar`` per volume), ``jacobian``, ``right``.
    """
    mobiles, immobiles, cells = free.shape[0], rhs.shape[0], volume.size
    matrix, inverse, c, x = room(slot)
    z = np.empty((immobiles, STRIP))
    for m in range(mobiles):
        to, bar = scaled[mobiles - 1 - m], mobile_bar[m]
        for i in range(cells):
            to[i] = bar[i] / volume[i]
    for lo in range(0, cells, STRIP):
        w = min(STRIP, cells - lo)
        eliminate(
            lo, w, a, free, rhs, plasma, kind, rate, site, field, fields, first, change_of, change, slot, matrix,
            inverse, c, x,
        )  # fmt: skip
        for k in range(immobiles):
            zk, bar = z[k], immobile_bar[k]
            for i in range(w):
                zk[i] = bar[lo + i] / a
        for m in range(mobiles):
            back = mobiles - 1 - m
            for m2 in range(mobiles):
                jm = jacobian[m2, back]
                for i in range(lo, lo + w):
                    jm[i] = 0.0
            to, fb, bar, cap, lv = right[back], free_bar[m], mobile_bar[m], capacity[m], leave[m]
            jm, sm, gm, lm = jacobian[back, back], scaled[back], given[back], lost[back]
            for i in range(lo, lo + w):
                jm[i] = cap[i] + a * lv[i]
                to[i] = fb[i] - lv[i] * bar[i] + passing(i, sm, gm, lm, neighbour)
        for r in range(kind.size):
            if kind[r] == MOBILE or kind[r] == IMMOBILE:
                coefficients(lo, w, r, rate[r], field, fields, c)
                for m in range(mobiles):
                    if net[r, m] != 0.0:
                        bar = mobile_bar[m]
                        if kind[r] == IMMOBILE:
                            zk = z[site[r, 1]]
                            for i in range(w):
                                zk[i] += net[r, m] * c[i] * bar[lo + i]
                        else:
                            source = mobiles - 1 - site[r, 0]
                            to, jm = right[source], jacobian[source, mobiles - 1 - m]
                            for i in range(w):
                                to[lo + i] += net[r, m] * c[i] * bar[lo + i]
                                jm[lo + i] -= a * net[r, m] * c[i]
        transposed_again(w, slot, matrix, inverse, z)
        for r in range(kind.size):
            if kind[r] == BINDING:
                onto(lo, w, a, r, rate, site, field, fields, first, change_of, change, x, z, c,
                     right[mobiles - 1 - site[r, 0]])  # fmt: skip
        for m in range(mobiles):
            z[...] = 0.0
            for k in range(immobiles):
                if held[k, m] != 0.0:
                    z[k] += held[k, m]
            for r in range(kind.size):
                if kind[r] == IMMOBILE and net[r, m] != 0.0:
                    coefficients(lo, w, r, a * rate[r] * net[r, m], field, fields, c)
                    zk = z[site[r, 1]]
                    for i in range(w):
                        zk[i] -= c[i]
            transposed_again(w, slot, matrix, inverse, z)
            for r in range(kind.size):
                if kind[r] == BINDING:
                    onto(lo, w, a, r, rate, site, field, fields, first, change_of, change, x, z, c,
                         jacobian[mobiles - 1 - site[r, 0], mobiles - 1 - m])  # fmt: skip
        for m in range(mobiles):
            for m2 in range(mobiles):
                jm = jacobian[m, m2]
                for i in range(lo, lo + w):
                    jm[i] *= volume[i]


@jit
def onto(
    lo: int, width: int, a: float, r: int, rate: Array, site: Array, field: Array, fields: Array, first: Array,
    change_of: Array, change: Array, x: Array, z: Array, c: Array, out: Array,
) -> None:  # fmt: skip
    """What free ligand owes to a binding, from the adjoint ``z`` of immobile species, is added to ``out``."""
    coefficients(lo, width, r, a * rate[r], field, fields, c)
    xk = x[site[r, 1]]
    for i in range(width):
        c[i] *= xk[i]
    for q in range(first[r], first[r + 1]):
        zk = z[change_of[q]]
        for i in range(width):
            out[lo + i] += change[q] * c[i] * zk[i]


@jit
def solve_transposed(
    out: Array, right: Array, weight: Array, jacobian: Array, mass: Array, inverse: Array, given: Array, lost: Array,
    neighbour: Array, block: Array, a: float, start: Array, vectors: Array, dx: Array, x: Array, b: Array,
    symmetric: bool, reduction: float, last_size: float,
) -> tuple[float, float, int]:  # fmt: skip
    """Solve for ``out`` to ``reduction`` of ``right``, both in the norm of ``weight``.

    The first guess follows from what ``out`` holds, the solution for a right-hand side of ``last_size``. Returns the
    residual over the size, the size, and V-cycles.
    """
    mobiles, n = right.shape[0], right.shape[1] - 1
    size = np.sqrt(weighted(right, weight))
    if size == 0.0:
        out[...] = 0.0
        return 0.0, 0.0, 0
    grown = size / last_size if last_size > 0.0 else 0.0
    for m in range(mobiles):
        for i in range(n):
            out[m, i] *= grown
        for i in range(n):
            mass[m, i] = jacobian[m, m, i]
        prepare(mass[m], inverse[m], lost[m], block, a, start)
    cycles = 0
    left = vectors[0]
    for attempt in range(PASSES + 1):
        operate(out, left, jacobian, given, lost, neighbour, a)
        for m in range(mobiles):
            for i in range(n):
                left[m, i] = right[m, i] - left[m, i]
        norm = np.sqrt(weighted(left, weight))
        if not norm > reduction * size or attempt == PASSES:
            break
        cycles += krylov(
            dx, vectors, weight, jacobian, mass, inverse, given, lost, neighbour, block, a, start, x, b, symmetric,
            0.9 * reduction * size / norm, 0.0,
        )  # fmt: skip
        for m in range(mobiles):
            for i in range(n):
                out[m, i] += dx[m, i]
    return norm / size, size, cycles


@jit
def after_solve(
    solved: Array, free: Array, rhs: Array, plasma: Array, a: float, enter: Array, held: Array, batch: Array,
    kind: Array, rate: Array, site: Array, field: Array, fields: Array, first: Array, change_of: Array, change: Array,
    net: Array, slot: Array, volume: Array, mobile_slope: Array, immobile_slope: Array, mobile_bar: Array,
    immobile_bar: Array, scaled: Array, mobile_rhs_bar: Array, immobile_rhs_bar: Array, capacity_bar: Array,
    leave_bar: Array, enter_bar: Array, change_bar: Array, net_bar: Array, field_bar: Array, level_bar: Array,
) -> float:  # fmt: skip
    """From the adjoint of free ligand ``solved``: that of the right-hand sides; what coefficients owe is added.

    ``change_bar`` (changes,) and ``net_bar`` (reactions, mobiles) per unit of rate; ``field_bar`` (fields, n);
    ``level_bar`` (batches,). ``scaled`` (mobiles, n + 1) is the adjoint of the fluxes per volume. Returns what a
    relative change of the step size owes to the stage.
    """
    mobiles, immobiles, cells = free.shape[0], rhs.shape[0], volume.size
    matrix, inverse, c, x = room(slot)
    z, flux, product = np.empty((immobiles, STRIP)), np.empty((mobiles, STRIP)), np.empty(STRIP)
    by_size = 0.0
    for lo in range(0, cells, STRIP):
        w = min(STRIP, cells - lo)
        eliminate(
            lo, w, a, free, rhs, plasma, kind, rate, site, field, fields, first, change_of, change, slot, matrix,
            inverse, c, x,
        )  # fmt: skip
        for k in range(immobiles):
            zk, bar = z[k], immobile_bar[k]
            for i in range(w):
                zk[i] = bar[lo + i] / a
        for m in range(mobiles):
            level, total = plasma[batch[m]], 0.0
            sv, bar, sc, rb, fx = solved[mobiles - 1 - m], mobile_bar[m], scaled[m], mobile_rhs_bar[m], flux[m]
            cb, lb, eb, fm, em, sl = capacity_bar[m], leave_bar[m], enter_bar[m], free[m], enter[m], mobile_slope[m]
            for i in range(w):
                j = lo + i
                value = volume[j] * sv[j]
                fx[i] = bar[j] + a * value
                sc[j] = fx[i] / volume[j]
                rb[j] = value
                cb[j] -= value * fm[j]
                lb[j] -= fx[i] * fm[j]
                eb[j] += level * fx[i]
            for i in range(w):  # apart: a sum in a loop that also writes takes its order from where arrays lie
                total += em[lo + i] * fx[i]
                by_size += fx[i] * sl[lo + i]
            level_bar[batch[m]] += total
            for k in range(immobiles):
                if held[k, m] != 0.0:
                    zk = z[k]
                    for i in range(w):
                        zk[i] -= held[k, m] * rb[lo + i]
        for r in range(kind.size):
            if kind[r] == IMMOBILE:
                coefficients(lo, w, r, rate[r], field, fields, c)
                for m in range(mobiles):
                    if net[r, m] != 0.0:
                        zk, fx = z[site[r, 1]], flux[m]
                        for i in range(w):
                            zk[i] += net[r, m] * c[i] * fx[i]
        transposed_again(w, slot, matrix, inverse, z)
        for k in range(immobiles):
            zk, bar, rb, sl = z[k], immobile_bar[k], immobile_rhs_bar[k], immobile_slope[k]
            for i in range(w):
                rb[lo + i] = zk[i] - bar[lo + i] / a
            for i in range(w):
                by_size += a * zk[i] * sl[lo + i]
        for r in range(kind.size):
            if kind[r] == MOBILE or kind[r] == BINDING:
                level_row = free[site[r, 0]]
                for i in range(w):
                    product[i] = level_row[lo + i]
            else:
                product[:w] = plasma[site[r, 0]] if kind[r] == FROM_PLASMA else 1.0
            if kind[r] == IMMOBILE or kind[r] == BINDING or kind[r] == FROM_PLASMA:
                xk = x[site[r, 1]]
                for i in range(w):
                    product[i] *= xk[i]
            if field[r] >= 0:  # a map of its own: what each cell owes
                fb = field_bar[field[r]]
                for q in range(first[r], first[r + 1]):
                    zk, by = z[change_of[q]], rate[r] * change[q] * a
                    for i in range(w):
                        fb[lo + i] += by * product[i] * zk[i]
                for m in range(mobiles):
                    if net[r, m] != 0.0:
                        fx, by = flux[m], rate[r] * net[r, m]
                        for i in range(w):
                            fb[lo + i] += by * product[i] * fx[i]
            coefficients(lo, w, r, 1.0, field, fields, c)
            for i in range(w):
                product[i] *= c[i]
            owed = 0.0
            for q in range(first[r], first[r + 1]):
                zk, total = z[change_of[q]], 0.0
                for i in range(w):
                    total += product[i] * zk[i]
                change_bar[q] += a * total
                owed += change[q] * a * total
            if kind[r] == FROM_PLASMA and plasma[site[r, 0]] != 0.0:
                level_bar[site[r, 0]] += rate[r] * owed / plasma[site[r, 0]]
            elif kind[r] == FROM_PLASMA:
                xk, total = x[site[r, 1]], 0.0
                for q in range(first[r], first[r + 1]):
                    zk, by = z[change_of[q]], change[q] * a
                    for i in range(w):
                        total += by * c[i] * xk[i] * zk[i]
                level_bar[site[r, 0]] += rate[r] * total
            for m in range(mobiles):
                if net[r, m] != 0.0:
                    fx, total = flux[m], 0.0
                    for i in range(w):
                        total += product[i] * fx[i]
                    net_bar[r, m] += total
    return by_size
