"""Compiled kernels of the backward run between its stages: slopes from what was kept, jumps of plasma, faces, sums."""

from __future__ import annotations

from nichedose.fields.grid import Array
from nichedose.transport._elimination import BINDING, CONSTANT, FROM_PLASMA, MOBILE, jit
from nichedose.transport._network_kernels import passing

__all__ = ["explicit_slopes", "hand_on", "jump", "through_faces"]


@jit
def coefficient(r: int, i: int, rate: Array, field: Array, fields: Array) -> float:
    """Rate of reaction ``r`` in cell ``i``, its field included."""
    c: float = rate[r]
    return c * fields[field[r], i] if field[r] >= 0 else c


@jit
def explicit_slopes(
    free: Array, fixed: Array, plasma: Array, enter: Array, leave: Array, kind: Array, rate: Array, site: Array,
    field: Array, fields: Array, first: Array, change_of: Array, change: Array, net: Array, slot: Array, batch: Array,
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


@jit
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


@jit
def through_faces(free: Array, scaled: Array, a: Array, b: Array, face_bar: Array) -> None:
    """Add what each face's conductance (mobiles, f) owes: difference of free ligand times that of the adjoint."""
    for m in range(free.shape[0]):
        for f in range(a.size):
            here, there = a[f], b[f]
            face_bar[m, f] += (free[m, here] - free[m, there]) * (scaled[m, there] - scaled[m, here])


@jit
def hand_on(bar: Array, weights: Array, count: int, state_bar: Array, slope_bars: Array) -> None:
    """Hand a stage's right-hand side on to the step's start and to the slopes of the ``count`` earlier stages."""
    for i in range(bar.size):
        state_bar[i] += bar[i]
    for j in range(count):
        w, slope = weights[j], slope_bars[j]
        for i in range(bar.size):
            slope[i] += w * bar[i]
