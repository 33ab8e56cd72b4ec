"""Compiled kernels of the network engine: eliminate what does not move, Newton, Krylov, one multigrid V-cycle.

Cells are listed (see ``_ladder``), so that any mesh will do. Mobile species lie in (species, n + 1) with a zero at the
end, immobile ones in (species, n). Balances are weighted by ``volume`` (n,), each cell's over the mean. Serial: same
input, same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nichedose._compiled import njit
from nichedose.fields.grid import Array

__all__ = ["blend", "contents", "finish", "solve_stage", "stage_weight", "sums"]

_jit: Callable[..., Any] = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
CONSTANT, MOBILE, IMMOBILE, BINDING, FROM_PLASMA = 0, 1, 2, 3, 4  # kinds of reaction, as in `network`
MAX_NEWTON, MAX_KRYLOV = 25, 60


@_jit
def eliminate(
    i: int, a: float, free: Array, rhs: Array, plasma: Array, kind: Array, rate: Array, site: Array, field: Array,
    fields: Array, first: Array, change_of: Array, change: Array, matrix: Array, x: Array,
) -> None:
    """Immobile species of cell i: solve (1 - a M(free)) x = rhs + a constants; leaves the factors in ``matrix``.

    M is linear in free and plasma ligand, and its columns never gain, so no pivoting is needed; zeros are skipped.
    """
    n = x.size
    for k in range(n):
        for j in range(n):
            matrix[k, j] = 0.0
        matrix[k, k] = 1.0
        x[k] = rhs[k, i]
    for r in range(kind.size):
        if kind[r] == MOBILE:
            continue
        c = a * rate[r]
        if field[r] >= 0:
            c *= fields[field[r], i]
        if kind[r] == BINDING:
            c *= free[site[r, 0], i]
        elif kind[r] == FROM_PLASMA:
            c *= plasma[site[r, 0]]
        for q in range(first[r], first[r + 1]):
            if kind[r] == CONSTANT:
                x[change_of[q]] += c * change[q]
            else:
                matrix[change_of[q], site[r, 1]] -= c * change[q]
    for k in range(n):
        pivot = 1.0 / matrix[k, k]
        for j in range(k + 1, n):
            if matrix[j, k] != 0.0:
                factor = matrix[j, k] * pivot
                matrix[j, k] = factor
                for c2 in range(k + 1, n):
                    matrix[j, c2] -= factor * matrix[k, c2]
                x[j] -= factor * x[k]
    back_substitute(matrix, x)


@_jit
def back_substitute(matrix: Array, x: Array) -> None:
    for k in range(x.size - 1, -1, -1):
        total = x[k]
        for j in range(k + 1, x.size):
            if matrix[k, j] != 0.0:
                total -= matrix[k, j] * x[j]
        x[k] = total / matrix[k, k]


@_jit
def solve_again(matrix: Array, x: Array) -> None:
    """``x`` for another right-hand side, in place, with the factors of `eliminate`."""
    for k in range(x.size):
        if x[k] != 0.0:
            for j in range(k + 1, x.size):
                if matrix[j, k] != 0.0:
                    x[j] -= matrix[j, k] * x[k]
    back_substitute(matrix, x)


@_jit
def passing(i: int, free: Array, given: Array, lost: Array, neighbour: Array) -> float:
    """Net gain of one species in cell i through its faces."""
    total: float = -lost[i] * free[i]
    for k in range(neighbour.shape[1]):
        total += given[i, k] * free[neighbour[i, k]]
    return total


@_jit
def residual(
    free: Array, q: Array, rhs: Array, plasma: Array, a: float, capacity: Array, leave: Array, held: Array,
    kind: Array, rate: Array, site: Array, field: Array, fields: Array, first: Array, change_of: Array, change: Array,
    net: Array, volume: Array, weight: Array, given: Array, lost: Array, neighbour: Array,
    out: Array, jacobian: Array,
) -> float:  # fmt: skip
    """Residual (species, n + 1) of the stage equations of free ligand and their local Jacobian (species, species, n).

    capacity F + sum of held L(F) + a leave F - a (net reactions) - a (faces) = q. Returns the weighted norm.
    """
    mobiles, immobiles, cells = free.shape[0], rhs.shape[0], volume.size
    matrix, x, dx = np.empty((immobiles, immobiles)), np.empty(immobiles), np.empty(immobiles)
    total = 0.0
    for i in range(cells):
        eliminate(i, a, free, rhs, plasma, kind, rate, site, field, fields, first, change_of, change, matrix, x)
        for m in range(mobiles):
            value = q[m, i] - (capacity[m, i] + a * leave[m, i]) * free[m, i]
            for k in range(immobiles):
                value -= held[k, m] * x[k]
            out[m, i] = value
            for m2 in range(mobiles):
                jacobian[m, m2, i] = 0.0
            jacobian[m, m, i] = capacity[m, i] + a * leave[m, i]
        for r in range(kind.size):
            c = a * rate[r]
            if field[r] >= 0:
                c *= fields[field[r], i]
            for m in range(mobiles):
                if net[r, m] != 0.0:
                    if kind[r] == MOBILE:
                        out[m, i] += net[r, m] * c * free[site[r, 0], i]
                        jacobian[m, site[r, 0], i] -= net[r, m] * c
                    elif kind[r] == IMMOBILE:
                        out[m, i] += net[r, m] * c * x[site[r, 1]]
        for m2 in range(mobiles):
            moves = False
            for k in range(immobiles):
                dx[k] = 0.0
            for r in range(kind.size):
                if kind[r] == BINDING and site[r, 0] == m2:
                    moves = True
                    c = a * rate[r] * x[site[r, 1]]
                    if field[r] >= 0:
                        c *= fields[field[r], i]
                    for k in range(first[r], first[r + 1]):
                        dx[change_of[k]] += c * change[k]
            if not moves:
                continue
            solve_again(matrix, dx)
            for m in range(mobiles):
                for k in range(immobiles):
                    jacobian[m, m2, i] += held[k, m] * dx[k]
                for r in range(kind.size):
                    if kind[r] == IMMOBILE and net[r, m] != 0.0:
                        c = a * rate[r] * net[r, m] * dx[site[r, 1]]
                        if field[r] >= 0:
                            c *= fields[field[r], i]
                        jacobian[m, m2, i] -= c
        for m in range(mobiles):
            faces = passing(i, free[m], given[m], lost[m], neighbour)
            out[m, i] = volume[i] * out[m, i] + a * faces
            for m2 in range(mobiles):
                jacobian[m, m2, i] *= volume[i]
            jacobian[m, m, i] = max(jacobian[m, m, i], volume[i] * capacity[m, i])
            total += (out[m, i] * weight[m, i]) ** 2
    return total


@_jit
def sweep(x: Array, b: Array, inverse: Array, given: Array, neighbour: Array, a: float, forward: bool) -> None:
    """Gauss-Seidel in the order of the cells, or against it."""
    n = inverse.size
    for step in range(n):
        i = step if forward else n - 1 - step
        total = 0.0
        for k in range(neighbour.shape[1]):
            total += given[i, k] * x[neighbour[i, k]]
        x[i] = inverse[i] * (b[i] + a * total)


@_jit
def prepare(mass: Array, inverse: Array, lost: Array, block: Array, a: float, start: Array) -> None:
    """Diagonals of all grids of one species from that of the finest (``mass``, which it fills)."""
    for level in range(start.size - 1):
        lo, hi = start[level], start[level + 1] - 1
        if level + 2 < start.size:
            nxt = start[level + 1]
            for j in range(nxt, start[level + 2]):
                mass[j] = 0.0
            for i in range(lo, hi):
                mass[nxt + block[i]] += mass[i]
        for i in range(lo, hi):
            inverse[i] = 1.0 / (mass[i] + a * lost[i])


@_jit
def v_cycle(
    x: Array, b: Array, mass: Array, inverse: Array, given: Array, lost: Array, neighbour: Array, block: Array,
    a: float, start: Array,
) -> None:
    """One V(1,1) cycle from zero, forward sweeps down and backward ones up: symmetric where the operator is."""
    top = start.size - 2
    for level in range(top + 1):
        lo, hi = start[level], start[level + 1] - 1
        xl, bl, il, gl, nl = x[lo : hi + 1], b[lo:hi], inverse[lo:hi], given[lo:hi], neighbour[lo:hi]
        for i in range(hi - lo + 1):
            xl[i] = 0.0
        sweep(xl, bl, il, gl, nl, a, True)
        if level == top:
            for _ in range(6):
                sweep(xl, bl, il, gl, nl, a, True)
                sweep(xl, bl, il, gl, nl, a, False)
            sweep(xl, bl, il, gl, nl, a, False)
        else:
            nxt = start[level + 1]
            for j in range(nxt, start[level + 2]):
                b[j] = 0.0
            for i in range(hi - lo):
                left = bl[i] - (mass[lo + i] + a * lost[lo + i]) * xl[i]
                total = 0.0
                for k in range(nl.shape[1]):
                    total += gl[i, k] * xl[nl[i, k]]
                b[nxt + block[lo + i]] += left + a * total
    for level in range(top - 1, -1, -1):
        lo, hi, nxt = start[level], start[level + 1] - 1, start[level + 1]
        xl, bl, il, gl, nl = x[lo : hi + 1], b[lo:hi], inverse[lo:hi], given[lo:hi], neighbour[lo:hi]
        for i in range(hi - lo):
            xl[i] += x[nxt + block[lo + i]]
        sweep(xl, bl, il, gl, nl, a, False)


@_jit
def precondition(
    r: Array, z: Array, jacobian: Array, mass: Array, inverse: Array, given: Array, lost: Array, neighbour: Array,
    block: Array, a: float, start: Array, x: Array, b: Array,
) -> None:
    """Species after species: one V-cycle each, with what the ones before already explain taken off."""
    mobiles, n = z.shape[0], z.shape[1] - 1
    for m in range(mobiles):
        for i in range(n):
            b[i] = r[m, i]
        for m2 in range(m):
            for i in range(n):
                b[i] -= jacobian[m, m2, i] * z[m2, i]
        v_cycle(x, b, mass[m], inverse[m], given[m], lost[m], neighbour, block, a, start)
        for i in range(n):
            z[m, i] = x[i]


@_jit
def operate(p: Array, out: Array, jacobian: Array, given: Array, lost: Array, neighbour: Array, a: float) -> None:
    mobiles, n = p.shape[0], p.shape[1] - 1
    for m in range(mobiles):
        pm = p[m]
        for i in range(n):
            out[m, i] = jacobian[m, m, i] * pm[i] - a * passing(i, pm, given[m], lost[m], neighbour)
        for m2 in range(mobiles):
            if m2 != m:
                for i in range(n):
                    out[m, i] += jacobian[m, m2, i] * p[m2, i]


@_jit
def inner(u: Array, v: Array) -> float:
    total = 0.0
    for m in range(u.shape[0]):
        for i in range(u.shape[1] - 1):
            total += u[m, i] * v[m, i]
    return total


@_jit
def weighted(u: Array, weight: Array) -> float:
    total = 0.0
    for m in range(u.shape[0]):
        for i in range(u.shape[1] - 1):
            total += (u[m, i] * weight[m, i]) ** 2
    return total


@_jit
def krylov(
    dx: Array, vectors: Array, weight: Array, jacobian: Array, mass: Array, inverse: Array, given: Array, lost: Array,
    neighbour: Array, block: Array, a: float, start: Array, x: Array, b: Array, symmetric: bool, reduction: float,
    goal: float,
) -> int:  # fmt: skip
    """Solve for ``dx`` from the residual in ``vectors[0]``: CG where symmetric, else BiCGStab. Returns V-cycles."""
    r, p, ap, z = vectors[0], vectors[1], vectors[2], vectors[3]
    mobiles, n = dx.shape[0], dx.shape[1] - 1
    norm = weighted(r, weight)
    limit = max(reduction * reduction * norm, goal * goal)
    dx[...] = 0.0
    if symmetric:
        before = 1.0
        for iteration in range(MAX_KRYLOV):
            precondition(r, z, jacobian, mass, inverse, given, lost, neighbour, block, a, start, x, b)
            rz = inner(r, z)
            beta = rz / before if iteration > 0 else 0.0
            before = rz
            for i in range(n):
                p[0, i] = z[0, i] + beta * p[0, i]
            operate(p, ap, jacobian, given, lost, neighbour, a)
            bottom = inner(p, ap)
            alpha = rz / bottom if bottom > 0.0 else 0.0
            for i in range(n):
                dx[0, i] += alpha * p[0, i]
                r[0, i] -= alpha * ap[0, i]
            if not weighted(r, weight) > limit:
                return iteration + 1
        return MAX_KRYLOV
    shadow, t, hat = vectors[4], vectors[5], vectors[6]
    # weighting the shadow keeps its products far from under- and overflow when species differ by decades
    for m in range(mobiles):
        for i in range(n):
            shadow[m, i] = r[m, i] * weight[m, i] * weight[m, i]
    rho = inner(shadow, r)
    p[...] = r
    for iteration in range(MAX_KRYLOV // 2):
        precondition(p, hat, jacobian, mass, inverse, given, lost, neighbour, block, a, start, x, b)
        operate(hat, ap, jacobian, given, lost, neighbour, a)
        bottom = inner(shadow, ap)
        alpha = rho / bottom if bottom != 0.0 else 0.0
        for m in range(mobiles):
            for i in range(n):
                dx[m, i] += alpha * hat[m, i]
                r[m, i] -= alpha * ap[m, i]
        if not weighted(r, weight) > limit:
            return 2 * iteration + 1
        precondition(r, z, jacobian, mass, inverse, given, lost, neighbour, block, a, start, x, b)
        operate(z, t, jacobian, given, lost, neighbour, a)
        top, bottom = 0.0, 0.0
        for m in range(mobiles):
            for i in range(n):
                scaled = t[m, i] * weight[m, i]
                top += scaled * r[m, i] * weight[m, i]
                bottom += scaled * scaled
        omega = top / bottom if bottom > 0.0 else 0.0
        for m in range(mobiles):
            for i in range(n):
                dx[m, i] += omega * z[m, i]
                r[m, i] -= omega * t[m, i]
        if not weighted(r, weight) > limit:
            return 2 * iteration + 2
        fresh = inner(shadow, r)
        beta = fresh / rho * alpha / omega if rho != 0.0 and omega != 0.0 else 0.0
        rho = fresh
        for m in range(mobiles):
            for i in range(n):
                p[m, i] = r[m, i] + beta * (p[m, i] - omega * ap[m, i])
    return MAX_KRYLOV


@_jit
def solve_stage(
    free: Array, q: Array, rhs: Array, plasma: Array, a: float, capacity: Array, leave: Array, held: Array,
    kind: Array, rate: Array, site: Array, field: Array, fields: Array, first: Array, change_of: Array, change: Array,
    net: Array, volume: Array, weight: Array, given: Array, lost: Array, neighbour: Array, block: Array, start: Array,
    lowest: Array, jacobian: Array, mass: Array, inverse: Array, vectors: Array, dx: Array, x: Array, b: Array,
    symmetric: bool, tolerance: float, reduction: float,
) -> tuple[float, int, int]:  # fmt: skip
    """Newton for one stage, ``free`` in place. Returns weighted residual, Newton steps and V-cycles."""
    n = volume.size
    cycles = 0
    norm = np.inf
    for newton in range(MAX_NEWTON + 1):
        norm = np.sqrt(residual(
            free, q, rhs, plasma, a, capacity, leave, held, kind, rate, site, field, fields, first, change_of, change,
            net, volume, weight, given, lost, neighbour, vectors[0], jacobian,
        ))  # fmt: skip
        if not norm > tolerance or newton == MAX_NEWTON:
            return norm, newton, cycles
        for m in range(free.shape[0]):
            for i in range(n):
                mass[m, i] = jacobian[m, m, i]
            prepare(mass[m], inverse[m], lost[m], block, a, start)
        cycles += krylov(
            dx, vectors, weight, jacobian, mass, inverse, given, lost, neighbour, block, a, start, x, b, symmetric,
            reduction, 0.3 * tolerance,
        )  # fmt: skip
        for m in range(free.shape[0]):
            for i in range(n):
                free[m, i] = max(free[m, i] + dx[m, i], lowest[m])
    return norm, MAX_NEWTON, cycles


@_jit
def finish(
    free: Array, rhs: Array, plasma: Array, enter: Array, a: float, leave: Array, kind: Array, rate: Array,
    site: Array, field: Array, fields: Array, first: Array, change_of: Array, change: Array, net: Array, volume: Array,
    given: Array, lost: Array, neighbour: Array, mobile_slope: Array, immobile_slope: Array, from_plasma: Array,
) -> None:  # fmt: skip
    """Slopes of a stage: of each mobile species with what it holds bound, from its fluxes; of the immobile ones.

    ``from_plasma`` (reactions,) receives what sites on the vessel wall take from plasma, summed over the mesh.
    """
    mobiles, immobiles = free.shape[0], rhs.shape[0]
    matrix, x = np.empty((immobiles, immobiles)), np.empty(immobiles)
    from_plasma[...] = 0.0
    for i in range(volume.size):
        eliminate(i, a, free, rhs, plasma, kind, rate, site, field, fields, first, change_of, change, matrix, x)
        for k in range(immobiles):
            immobile_slope[k, i] = (x[k] - rhs[k, i]) / a
        for m in range(mobiles):
            faces = passing(i, free[m], given[m], lost[m], neighbour)
            mobile_slope[m, i] = enter[m, i] - leave[m, i] * free[m, i] + faces / volume[i]
        for r in range(kind.size):
            c = rate[r]
            if field[r] >= 0:
                c *= fields[field[r], i]
            if kind[r] == FROM_PLASMA:
                from_plasma[r] += volume[i] * c * plasma[site[r, 0]] * x[site[r, 1]]
            for m in range(mobiles):
                if net[r, m] != 0.0:
                    if kind[r] == MOBILE:
                        mobile_slope[m, i] += net[r, m] * c * free[site[r, 0], i]
                    elif kind[r] == IMMOBILE:
                        mobile_slope[m, i] += net[r, m] * c * x[site[r, 1]]


@_jit
def stage_weight(
    content: Array, enter: Array, leave: Array, capacity: Array, a: float, volume: Array, holds: Array
) -> None:
    """What each cell holds of each species: its right-hand side, and what plasma alone would bring."""
    for m in range(content.shape[0]):
        for i in range(volume.size):
            holds[m, i] = abs(content[m, i]) + a * abs(enter[m, i]) / (1.0 + a * leave[m, i] / capacity[m, i])


@_jit
def blend(weights: Array, terms: Array, least: float, out: Array) -> None:
    """out = sum over stages of weights x terms (stages, cells), not below ``least``."""
    for i in range(out.size):
        total = 0.0
        for s in range(weights.size):
            total += weights[s] * terms[s, i]
        out[i] = max(total, least)


@_jit
def sums(terms: Array, volume: Array, out: Array) -> None:
    """Sum over the mesh of each row of ``terms`` (rows, n)."""
    for r in range(terms.shape[0]):
        total = 0.0
        for i in range(volume.size):
            total += volume[i] * terms[r, i]
        out[r] = total


@_jit
def contents(mobile: Array, immobile: Array, apart: Array, out: Array) -> None:
    """Ligand of each mobile species in all states: its own state and the immobile ones that are ``apart`` from it."""
    for m in range(mobile.shape[0]):
        for i in range(out.shape[1]):
            out[m, i] = mobile[m, i]
        for k in range(immobile.shape[0]):
            if apart[k, m] != 0.0:
                for i in range(out.shape[1]):
                    out[m, i] += immobile[k, i]
