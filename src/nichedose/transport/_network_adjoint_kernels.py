"""Compiled kernels of one implicit stage of the network engine, run backwards.

Immobile species are eliminated cell by cell with the transposed small systems; what is left is the transposed matrix of
the stage. Its species lie in reverse order, so that what turns into another one is again solved before it. Bars are
derivatives of the objective; see the theory page on derivatives of transport for the algebra.
"""

from __future__ import annotations

import numpy as np

from nichedose.fields.grid import Array
from nichedose.transport._network_kernels import (
    BINDING,
    CONSTANT,
    FROM_PLASMA,
    IMMOBILE,
    MOBILE,
    _jit,
    eliminate,
    krylov,
    operate,
    passing,
    prepare,
    weighted,
)

__all__ = ["after_solve", "before_solve", "explicit_slopes", "hand_on", "jump", "solve_transposed", "through_faces"]

PASSES = 12  # of Krylov solves, each of what the last one left


@_jit
def transposed_again(matrix: Array, x: Array) -> None:
    """Solve with the transposed of what `eliminate` left as factors in ``matrix``, in place."""
    n = x.size
    for k in range(n):
        total = x[k]
        for j in range(k):
            if matrix[j, k] != 0.0:
                total -= matrix[j, k] * x[j]
        x[k] = total / matrix[k, k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            if matrix[j, k] != 0.0:
                x[k] -= matrix[j, k] * x[j]


@_jit
def coefficient(r: int, i: int, rate: Array, field: Array, fields: Array) -> float:
    """Rate of reaction ``r`` in cell ``i``, its field included."""
    c: float = rate[r]
    return c * fields[field[r], i] if field[r] >= 0 else c


@_jit
def before_solve(
    free: Array, rhs: Array, plasma: Array, a: float, capacity: Array, leave: Array, held: Array,
    kind: Array, rate: Array, site: Array, field: Array, fields: Array, first: Array, change_of: Array, change: Array,
    net: Array, volume: Array, given: Array, lost: Array, neighbour: Array,
    free_bar: Array, mobile_bar: Array, immobile_bar: Array, scaled: Array, jacobian: Array, right: Array,
) -> None:  # fmt: skip
    """Transposed local Jacobian (species, species, n) and right-hand side of a stage's adjoint.

    ``free_bar`` (mobiles, n) of the stage's free ligand, ``mobile_bar`` and ``immobile_bar`` of its slopes. ``given``
    and ``lost`` are transposed and reversed; so are ``scaled`` (``mobile_bar`` per volume), ``jacobian``, ``right``.
    """
    mobiles, immobiles = free.shape[0], rhs.shape[0]
    matrix, x, z = np.empty((immobiles, immobiles)), np.empty(immobiles), np.empty(immobiles)
    for m in range(mobiles):
        for i in range(volume.size):
            scaled[mobiles - 1 - m, i] = mobile_bar[m, i] / volume[i]
    for i in range(volume.size):
        eliminate(i, a, free, rhs, plasma, kind, rate, site, field, fields, first, change_of, change, matrix, x)
        for k in range(immobiles):
            z[k] = immobile_bar[k, i] / a
        for m in range(mobiles):
            back = mobiles - 1 - m
            faces = passing(i, scaled[back], given[back], lost[back], neighbour)
            right[back, i] = free_bar[m, i] - leave[m, i] * mobile_bar[m, i] + faces
            for m2 in range(mobiles):
                jacobian[mobiles - 1 - m2, back, i] = 0.0
            jacobian[back, back, i] = capacity[m, i] + a * leave[m, i]
        for r in range(kind.size):
            if kind[r] == MOBILE or kind[r] == IMMOBILE:
                c, into = coefficient(r, i, rate, field, fields), 0.0
                for m in range(mobiles):
                    into += net[r, m] * mobile_bar[m, i]
                if kind[r] == IMMOBILE:
                    z[site[r, 1]] += c * into
                else:
                    source = mobiles - 1 - site[r, 0]
                    right[source, i] += c * into
                    for m in range(mobiles):
                        jacobian[source, mobiles - 1 - m, i] -= a * c * net[r, m]
        transposed_again(matrix, z)
        for r in range(kind.size):
            if kind[r] == BINDING:
                c = a * coefficient(r, i, rate, field, fields) * x[site[r, 1]]
                for q in range(first[r], first[r + 1]):
                    right[mobiles - 1 - site[r, 0], i] += c * change[q] * z[change_of[q]]
        for m in range(mobiles):
            for k in range(immobiles):
                z[k] = held[k, m]
            for r in range(kind.size):
                if kind[r] == IMMOBILE and net[r, m] != 0.0:
                    z[site[r, 1]] -= a * coefficient(r, i, rate, field, fields) * net[r, m]
            transposed_again(matrix, z)
            for r in range(kind.size):
                if kind[r] == BINDING:
                    c = a * coefficient(r, i, rate, field, fields) * x[site[r, 1]]
                    for q in range(first[r], first[r + 1]):
                        jacobian[mobiles - 1 - site[r, 0], mobiles - 1 - m, i] += c * change[q] * z[change_of[q]]
        for m in range(mobiles):
            for m2 in range(mobiles):
                jacobian[m, m2, i] *= volume[i]


@_jit
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
            0.5 * reduction * size / norm, 0.0,
        )  # fmt: skip
        for m in range(mobiles):
            for i in range(n):
                out[m, i] += dx[m, i]
    return norm / size, size, cycles


@_jit
def after_solve(
    solved: Array, free: Array, rhs: Array, plasma: Array, a: float, enter: Array, held: Array, batch: Array,
    kind: Array, rate: Array, site: Array, field: Array, fields: Array, first: Array, change_of: Array, change: Array,
    net: Array, volume: Array, mobile_slope: Array, immobile_slope: Array, mobile_bar: Array, immobile_bar: Array,
    scaled: Array, mobile_rhs_bar: Array, immobile_rhs_bar: Array, capacity_bar: Array, leave_bar: Array,
    enter_bar: Array, change_bar: Array, net_bar: Array, field_bar: Array, level_bar: Array,
) -> float:  # fmt: skip
    """From the adjoint of free ligand ``solved``: that of the right-hand sides; what coefficients owe is added.

    ``change_bar`` (changes,) and ``net_bar`` (reactions, mobiles) per unit of rate; ``field_bar`` (fields, n);
    ``level_bar`` (batches,). ``scaled`` (mobiles, n + 1) is the adjoint of the fluxes per volume. Returns what a
    relative change of the step size owes to the stage.
    """
    mobiles, immobiles = free.shape[0], rhs.shape[0]
    matrix, x, z, flux = np.empty((immobiles, immobiles)), np.empty(immobiles), np.empty(immobiles), np.empty(mobiles)
    by_size = 0.0
    for i in range(volume.size):
        eliminate(i, a, free, rhs, plasma, kind, rate, site, field, fields, first, change_of, change, matrix, x)
        for k in range(immobiles):
            z[k] = immobile_bar[k, i] / a
        for m in range(mobiles):
            value = volume[i] * solved[mobiles - 1 - m, i]
            flux[m] = mobile_bar[m, i] + a * value
            scaled[m, i] = flux[m] / volume[i]
            mobile_rhs_bar[m, i] = value
            capacity_bar[m, i] -= value * free[m, i]
            leave_bar[m, i] -= flux[m] * free[m, i]
            enter_bar[m, i] += plasma[batch[m]] * flux[m]
            level_bar[batch[m]] += enter[m, i] * flux[m]
            by_size += flux[m] * mobile_slope[m, i]
            for k in range(immobiles):
                z[k] -= held[k, m] * value
        for r in range(kind.size):
            if kind[r] == IMMOBILE:
                c = coefficient(r, i, rate, field, fields)
                for m in range(mobiles):
                    z[site[r, 1]] += c * net[r, m] * flux[m]
        transposed_again(matrix, z)
        for k in range(immobiles):
            immobile_rhs_bar[k, i] = z[k] - immobile_bar[k, i] / a
            by_size += a * z[k] * immobile_slope[k, i]
        for r in range(kind.size):
            product = 1.0
            if kind[r] == MOBILE or kind[r] == BINDING:
                product = free[site[r, 0], i]
            elif kind[r] == FROM_PLASMA:
                product = plasma[site[r, 0]]
            if kind[r] == IMMOBILE or kind[r] == BINDING or kind[r] == FROM_PLASMA:
                product *= x[site[r, 1]]
            scale = fields[field[r], i] if field[r] >= 0 else 1.0
            total = 0.0
            for q in range(first[r], first[r + 1]):
                change_bar[q] += scale * product * a * z[change_of[q]]
                total += change[q] * a * z[change_of[q]]
            if kind[r] == FROM_PLASMA:
                level_bar[site[r, 0]] += rate[r] * scale * x[site[r, 1]] * total
            for m in range(mobiles):
                net_bar[r, m] += scale * product * flux[m]
                total += net[r, m] * flux[m]
            if field[r] >= 0:
                field_bar[field[r], i] += rate[r] * product * total
    return by_size


@_jit
def through_faces(free: Array, scaled: Array, a: Array, b: Array, face_bar: Array) -> None:
    """Add what each face's conductance (mobiles, f) owes: difference of free ligand times that of the adjoint."""
    for m in range(free.shape[0]):
        for f in range(a.size):
            here, there = a[f], b[f]
            face_bar[m, f] += (free[m, here] - free[m, there]) * (scaled[m, there] - scaled[m, here])


@_jit
def explicit_slopes(
    free: Array, fixed: Array, plasma: Array, enter: Array, leave: Array, kind: Array, rate: Array, site: Array,
    field: Array, fields: Array, first: Array, change_of: Array, change: Array, net: Array, batch: Array,
    volume: Array, given: Array, lost: Array, neighbour: Array, mobile_slope: Array, immobile_slope: Array,
) -> None:  # fmt: skip
    """Slopes of mobile species with what they hold bound and of immobile ones, from ``free`` and ``fixed`` ligand."""
    mobiles = free.shape[0]
    for i in range(volume.size):
        for k in range(fixed.shape[0]):
            immobile_slope[k, i] = 0.0
        for m in range(mobiles):
            faces = passing(i, free[m], given[m], lost[m], neighbour)
            mobile_slope[m, i] = enter[m, i] * plasma[batch[m]] - leave[m, i] * free[m, i] + faces / volume[i]
        for r in range(kind.size):
            c = coefficient(r, i, rate, field, fields)
            if kind[r] == MOBILE or kind[r] == BINDING:
                c *= free[site[r, 0], i]
            elif kind[r] == FROM_PLASMA:
                c *= plasma[site[r, 0]]
            if kind[r] != MOBILE and kind[r] != CONSTANT:
                c *= fixed[site[r, 1], i]
            for q in range(first[r], first[r + 1]):
                immobile_slope[change_of[q], i] += c * change[q]
            for m in range(mobiles):
                mobile_slope[m, i] += c * net[r, m]


@_jit
def jump(
    levels: Array, fixed: Array, enter: Array, batch: Array, kind: Array, rate: Array, site: Array, field: Array,
    fields: Array, first: Array, change_of: Array, change: Array, mobile_bar: Array, immobile_bar: Array,
    fixed_bar: Array, enter_bar: Array, change_bar: Array, level_bar: Array,
) -> None:  # fmt: skip
    """The last slope of a step becomes the first of the next but for the ``levels`` by which plasma has changed."""
    for i in range(fixed.shape[1]):
        for m in range(mobile_bar.shape[0]):
            enter_bar[m, i] += levels[batch[m]] * mobile_bar[m, i]
            level_bar[batch[m]] += enter[m, i] * mobile_bar[m, i]
        for r in range(kind.size):
            if kind[r] == FROM_PLASMA:
                total, k = 0.0, site[r, 1]
                scale = fields[field[r], i] if field[r] >= 0 else 1.0
                for q in range(first[r], first[r + 1]):
                    change_bar[q] += levels[site[r, 0]] * scale * fixed[k, i] * immobile_bar[change_of[q], i]
                    total += change[q] * immobile_bar[change_of[q], i]
                level_bar[site[r, 0]] += rate[r] * scale * fixed[k, i] * total
                fixed_bar[k, i] += levels[site[r, 0]] * rate[r] * scale * total


@_jit
def hand_on(bar: Array, weights: Array, count: int, state_bar: Array, slope_bars: Array) -> None:
    """Hand a stage's right-hand side on to the step's start and to the slopes of the ``count`` earlier stages."""
    for i in range(bar.size):
        state_bar[i] += bar[i]
    for j in range(count):
        w, slope = weights[j], slope_bars[j]
        for i in range(bar.size):
            slope[i] += w * bar[i]
