"""Compiled kernels of the network engine: eliminate what does not move, Newton, Krylov, one multigrid V-cycle.

Cells are listed (see ``_ladder``), so that any mesh will do. Mobile species lie in (species, n + 1) with a zero at the
end, immobile ones in (species, n). Balances are weighted by ``volume`` (n,), each cell's over the mean. Serial: same
input, same bits.
"""

from __future__ import annotations

import numpy as np

from nichedose.fields.grid import Array
from nichedose.transport._elimination import (
    BINDING,
    CONSTANT,
    FROM_PLASMA,
    IMMOBILE,
    MOBILE,
    STRIP,
    coefficients,
    eliminate,
    jit,
    room,
    solve_again,
)

__all__ = ["blend", "contents", "finish", "solve_stage", "stage_weight", "sums"]

MAX_NEWTON, MAX_KRYLOV = 25, 60


@jit
def passing(i: int, free: Array, given: Array, lost: Array, neighbour: Array) -> float:
    """Net gain of one species in cell i through its faces."""
    total: float = -lost[i] * free[i]
    for k in range(neighbour.shape[1]):
        total += given[i, k] * free[neighbour[i, k]]
    return total


@jit
def residual(
    free: Array, q: Array, rhs: Array, plasma: Array, a: float, capacity: Array, leave: Array, held: Array,
    kind: Array, rate: Array, site: Array, field: Array, fields: Array, first: Array, change_of: Array, change: Array,
    net: Array, slot: Array, volume: Array, weight: Array, given: Array, lost: Array, neighbour: Array,
    out: Array, jacobian: Array,
) -> float:  # fmt: skip
    """Residual (species, n + 1) of the stage equations of free ligand and their local Jacobian (species, species, n).

    capacity F + sum of held L(F) + a leave F - a (net reactions) - a (faces) = q. Returns the weighted norm.
    """
    mobiles, immobiles, cells = free.shape[0], rhs.shape[0], volume.size
    matrix, inverse, c, x = room(slot)
    dx = np.empty((immobiles, STRIP))
    total = 0.0
    for lo in range(0, cells, STRIP):
        w = min(STRIP, cells - lo)
        eliminate(
            lo, w, a, free, rhs, plasma, kind, rate, site, field, fields, first, change_of, change, slot, matrix,
            inverse, c, x,
        )  # fmt: skip
        for m in range(mobiles):
            o, f, cap, lv, want = out[m], free[m], capacity[m], leave[m], q[m]
            for m2 in range(mobiles):
                jm = jacobian[m, m2]
                for i in range(lo, lo + w):
                    jm[i] = 0.0
            jm = jacobian[m, m]
            for i in range(lo, lo + w):
                jm[i] = cap[i] + a * lv[i]
                o[i] = want[i] - jm[i] * f[i]
            for k in range(immobiles):
                if held[k, m] != 0.0:
                    add(lo, w, -held[k, m], x[k], o)
        for r in range(kind.size):
            if kind[r] == MOBILE or kind[r] == IMMOBILE:
                coefficients(lo, w, r, a * rate[r], field, fields, c)
                for m in range(mobiles):
                    if net[r, m] != 0.0:
                        if kind[r] == MOBILE:
                            add(lo, w, -net[r, m], c, jacobian[m, site[r, 0]])
                            o, f = out[m], free[site[r, 0]]
                            for i in range(w):
                                o[lo + i] += net[r, m] * c[i] * f[lo + i]
                        else:
                            o, xk = out[m], x[site[r, 1]]
                            for i in range(w):
                                o[lo + i] += net[r, m] * c[i] * xk[i]
        for m2 in range(mobiles):
            moves = False
            for r in range(kind.size):
                if kind[r] == BINDING and site[r, 0] == m2:
                    if not moves:
                        dx[...] = 0.0
                        moves = True
                    coefficients(lo, w, r, a * rate[r], field, fields, c)
                    xk = x[site[r, 1]]
                    for k in range(first[r], first[r + 1]):
                        row = dx[change_of[k]]
                        for i in range(w):
                            row[i] += change[k] * c[i] * xk[i]
            if not moves:
                continue
            solve_again(w, slot, matrix, inverse, dx)
            for m in range(mobiles):
                for k in range(immobiles):
                    if held[k, m] != 0.0:
                        add(lo, w, held[k, m], dx[k], jacobian[m, m2])
            for r in range(kind.size):
                if kind[r] == IMMOBILE:
                    made = False
                    for m in range(mobiles):
                        if net[r, m] != 0.0:
                            if not made:
                                coefficients(lo, w, r, a * rate[r], field, fields, c)
                                made = True
                            jm, row = jacobian[m, m2], dx[site[r, 1]]
                            for i in range(w):
                                jm[lo + i] -= net[r, m] * c[i] * row[i]
        for m in range(mobiles):
            fm, gm, lm, o = free[m], given[m], lost[m], out[m]
            for m2 in range(mobiles):
                jm = jacobian[m, m2]
                for i in range(lo, lo + w):
                    jm[i] *= volume[i]
            jm, wm, cap = jacobian[m, m], weight[m], capacity[m]
            for i in range(lo, lo + w):
                o[i] = volume[i] * o[i] + a * passing(i, fm, gm, lm, neighbour)
                jm[i] = max(jm[i], volume[i] * cap[i])
            for i in range(lo, lo + w):  # apart: a sum in a loop that also writes takes its order from where arrays lie
                total += (o[i] * wm[i]) ** 2
    return total


@jit
def add(lo: int, width: int, scale: float, strip: Array, out: Array) -> None:
    """``out`` from ``lo`` += scale x strip."""
    for i in range(width):
        out[lo + i] += scale * strip[i]


@jit
def sweep(x: Array, b: Array, inverse: Array, given: Array, neighbour: Array, a: float, forward: bool) -> None:
    """Gauss-Seidel in the order of the cells, or against it."""
    n = inverse.size
    for step in range(n):
        i = step if forward else n - 1 - step
        total = 0.0
        for k in range(neighbour.shape[1]):
            total += given[i, k] * x[neighbour[i, k]]
        x[i] = inverse[i] * (b[i] + a * total)


@jit
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


@jit
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


@jit
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


@jit
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


@jit
def inner(u: Array, v: Array) -> float:
    total = 0.0
    for m in range(u.shape[0]):
        for i in range(u.shape[1] - 1):
            total += u[m, i] * v[m, i]
    return total


@jit
def weighted(u: Array, weight: Array) -> float:
    total = 0.0
    for m in range(u.shape[0]):
        for i in range(u.shape[1] - 1):
            total += (u[m, i] * weight[m, i]) ** 2
    return total


@jit
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


@jit
def solve_stage(
    free: Array, q: Array, rhs: Array, plasma: Array, a: float, capacity: Array, leave: Array, held: Array,
    kind: Array, rate: Array, site: Array, field: Array, fields: Array, first: Array, change_of: Array, change: Array,
    net: Array, slot: Array, volume: Array, weight: Array, given: Array, lost: Array, neighbour: Array, block: Array,
    start: Array, lowest: Array, jacobian: Array, mass: Array, inverse: Array, vectors: Array, dx: Array, x: Array,
    b: Array, symmetric: bool, tolerance: float, reduction: float,
) -> tuple[float, int, int]:  # fmt: skip
    """Newton for one stage, ``free`` in place. Returns weighted residual, Newton steps and V-cycles."""
    n = volume.size
    cycles = 0
    norm = np.inf
    for newton in range(MAX_NEWTON + 1):
        norm = np.sqrt(residual(
            free, q, rhs, plasma, a, capacity, leave, held, kind, rate, site, field, fields, first, change_of, change,
            net, slot, volume, weight, given, lost, neighbour, vectors[0], jacobian,
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


@jit
def finish(
    free: Array, rhs: Array, plasma: Array, enter: Array, a: float, leave: Array, kind: Array, rate: Array,
    site: Array, field: Array, fields: Array, first: Array, change_of: Array, change: Array, net: Array, slot: Array,
    volume: Array, given: Array, lost: Array, neighbour: Array, mobile_slope: Array, immobile_slope: Array,
    from_plasma: Array,
) -> None:  # fmt: skip
    """Slopes of a stage: of each mobile species with what it holds bound, from its fluxes; of the immobile ones.

    ``from_plasma`` (reactions,) receives what sites on the vessel wall take from plasma, summed over the mesh.
    """
    mobiles, immobiles, cells = free.shape[0], rhs.shape[0], volume.size
    matrix, inverse, c, x = room(slot)
    from_plasma[...] = 0.0
    for lo in range(0, cells, STRIP):
        w = min(STRIP, cells - lo)
        eliminate(
            lo, w, a, free, rhs, plasma, kind, rate, site, field, fields, first, change_of, change, slot, matrix,
            inverse, c, x,
        )  # fmt: skip
        for k in range(immobiles):
            s, xk, given_k = immobile_slope[k], x[k], rhs[k]
            for i in range(w):
                s[lo + i] = (xk[i] - given_k[lo + i]) / a
        for m in range(mobiles):
            s, e, lv, fm, gm, lm = mobile_slope[m], enter[m], leave[m], free[m], given[m], lost[m]
            for i in range(lo, lo + w):
                s[i] = e[i] - lv[i] * fm[i] + passing(i, fm, gm, lm, neighbour) / volume[i]
        for r in range(kind.size):
            if kind[r] == CONSTANT or kind[r] == BINDING:
                continue
            coefficients(lo, w, r, rate[r], field, fields, c)
            if kind[r] == MOBILE:
                level = free[site[r, 0]]
                for i in range(w):
                    c[i] *= level[lo + i]
            else:
                xk = x[site[r, 1]]
                for i in range(w):
                    c[i] *= xk[i]
            if kind[r] == FROM_PLASMA:
                total = 0.0
                for i in range(w):
                    total += volume[lo + i] * c[i]
                from_plasma[r] += plasma[site[r, 0]] * total
            else:
                for m in range(mobiles):
                    if net[r, m] != 0.0:
                        add(lo, w, net[r, m], c, mobile_slope[m])


@jit
def stage_weight(
    content: Array, enter: Array, leave: Array, capacity: Array, a: float, volume: Array, holds: Array
) -> None:
    """What each cell holds of each species: its right-hand side, and what plasma alone would bring."""
    for m in range(content.shape[0]):
        for i in range(volume.size):
            holds[m, i] = abs(content[m, i]) + a * abs(enter[m, i]) / (1.0 + a * leave[m, i] / capacity[m, i])


@jit
def blend(weights: Array, terms: Array, least: float, out: Array) -> None:
    """out = sum over stages of weights x terms (stages, cells), not below ``least``."""
    for i in range(out.size):
        total = 0.0
        for s in range(weights.size):
            total += weights[s] * terms[s, i]
        out[i] = max(total, least)


@jit
def sums(terms: Array, volume: Array, out: Array) -> None:
    """Sum over the mesh of each row of ``terms`` (rows, n)."""
    for r in range(terms.shape[0]):
        total = 0.0
        for i in range(volume.size):
            total += volume[i] * terms[r, i]
        out[r] = total


@jit
def contents(mobile: Array, immobile: Array, apart: Array, out: Array) -> None:
    """Ligand of each mobile species in all states: its own state and the immobile ones that are ``apart`` from it."""
    for m in range(mobile.shape[0]):
        for i in range(out.shape[1]):
            out[m, i] = mobile[m, i]
        for k in range(immobile.shape[0]):
            if apart[k, m] != 0.0:
                for i in range(out.shape[1]):
                    out[m, i] += immobile[k, i]
