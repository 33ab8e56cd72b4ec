"""Compiled small sums of one step: six stages and a few labels, no fields. In Python they would cost as much as the
fields of a small section, and hold the lock that other threads wait for."""

from __future__ import annotations

import numpy as np

from nichedose._compiled import njit
from nichedose.fields.grid import Array
from nichedose.transport._tableau import STAGES, A, B, C

__all__ = ["at_end", "combinations", "content_after", "label_misses", "plasma_levels"]

jit = njit(cache=True, nogil=True, error_model="numpy")


@jit
def combinations(step: float, kint: float, krel: float, bound: Array, inside: Array) -> None:
    """``bound`` and ``inside`` ligand of the six stages, each as weights (6, 8) of kb (6), B and I of the state.

    inside = (1 + step krel A)^-1 (I + step kint A bound), from the first stage on since A is triangular.
    """
    bound[:, :STAGES], bound[:, STAGES], bound[:, STAGES + 1] = step * A, 1.0, 0.0
    for i in range(STAGES):
        for k in range(STAGES + 2):
            total = 1.0 if k == STAGES + 1 else 0.0
            for j in range(i + 1):
                total += step * A[i, j] * (kint * bound[j, k] - (krel * inside[j, k] if j < i else 0.0))
            inside[i, k] = total / (1.0 + step * krel * A[i, i])


@jit
def _parts(totals: Array, before: Array) -> Array:
    """Sums over the tissue of what the weights of `combinations` belong to."""
    parts = np.empty(STAGES + 2)
    parts[:STAGES], parts[STAGES], parts[STAGES + 1] = totals[:, 2], before[1], before[2]
    return parts


@jit
def content_after(
    weights: Array, plasma: Array, brought: float, kint: float, bound: Array, totals: Array, before: Array
) -> float:
    """Free + bound ligand in the tissue once ``weights`` (6,) x slopes of the stages have been added to the start:
    flows within the tissue cancel. ``brought`` per h by plasma of level 1; else as in `at_end`."""
    parts = _parts(totals, before)
    total = float(before[0])
    for j in range(STAGES):
        held = 0.0
        for k in range(STAGES + 2):
            held += bound[j, k] * parts[k]
        total += weights[j] * (brought * plasma[j] - totals[j, 1] - kint * held)
    return total


@jit
def at_end(content: float, bound: Array, inside: Array, totals: Array, before: Array, after: Array) -> None:
    """Sums over the tissue ``after`` a step, of free + bound (``content``), bound and internalised ligand.

    ``totals`` (6, 3) of the stages' free ligand, what leaves and kb; ``before`` (3,) the sums at the step's start.
    """
    parts = _parts(totals, before)
    after[0], after[1], after[2] = content, 0.0, 0.0
    for k in range(STAGES + 2):
        after[1] += bound[-1, k] * parts[k]
        after[2] += inside[-1, k] * parts[k]


@jit
def label_misses(
    step: float, plasma: Array, brought: float, krel: float, decays: Array, weights: Array, bound: Array, inside: Array,
    totals: Array, before: Array, after: Array,
) -> Array:  # fmt: skip
    """What each label's quadrature (``weights`` (labels, 6)) misses of its balance over the step, at the label's
    strength at its start."""
    parts, found = _parts(totals, before), np.empty(decays.size)
    slopes, contents = np.empty(STAGES), np.empty(STAGES)
    for i in range(STAGES):
        held, within = 0.0, 0.0
        for k in range(STAGES + 2):
            held += (bound[i, k] + inside[i, k]) * parts[k]
            within += inside[i, k] * parts[k]
        slopes[i] = brought * plasma[i] - totals[i, 1] - krel * within
        contents[i] = totals[i, 0] + held
    for n in range(decays.size):
        z = decays[n] * step
        change = 0.0
        for i in range(STAGES):
            change += step * weights[n, i] * slopes[i] - z * weights[n, i] * contents[i]
        found[n] = abs(np.exp(-z) * (after[0] + after[2]) - before[0] - before[2] - change)
    return found


@jit
def plasma_levels(amplitudes: Array, rates: Array, start: float, step: float, values: Array) -> float:
    """Plasma at the six stages into ``values``, corrected so that the step takes in exactly the area under the curve;
    returns the size of that correction."""
    area, rough = 0.0, 0.0
    values[:] = 0.0
    for n in range(rates.size):
        area += amplitudes[n] * np.exp(-rates[n] * start) * -np.expm1(-rates[n] * step) / rates[n]
        for i in range(STAGES):
            values[i] += amplitudes[n] * np.exp(-rates[n] * (start + C[i] * step))
    for i in range(STAGES):
        rough += step * B[i] * values[i]
    if rough > 0.0 and 0.5 < area / rough < 2.0:
        values *= area / rough  # a factor keeps the shape
    else:
        values += (area - rough) / step  # the stages miss the curve (it is over within the step)
    return abs(area - rough)
