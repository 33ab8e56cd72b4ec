"""The time course of dose rate in a few (map, curve) pairs, with a bound on what they cost G.

The time-integrated map is convolved exactly. What each voxel's time course differs from the section's mean course is
compressed by a singular value decomposition in the metric of the Lea-Catcheside integral itself (`repair`), averaged
over repair half-times of 0.5, 1.2 and 3 h, so that what is dropped is what G feels least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nichedose.dose.repair import integral_weights, repair_form
from nichedose.dose.result import DoseRateHistory
from nichedose.fields.grid import Array, BoolArray

__all__ = ["G_TARGET", "MOST_PAIRS", "REPAIR_HALF_TIMES_H", "compress_history", "mean_history"]

G_TARGET = 1e-3
MOST_PAIRS = 6
REPAIR_HALF_TIMES_H = (0.5, 1.2, 3.0)
_NEGLIGIBLE = 1e-10  # of the largest eigenvalue: 1e-5 of the amplitude

Spread = Callable[[Array], Array]


@dataclass(frozen=True)
class _Terms:
    """Decomposed remainder: ``curves`` (n, nt) of integral zero, ``amplitudes`` (n, n_voxel), most important first."""

    curves: Array
    amplitudes: Array


def mean_history(times_h: Array, activity: Array, mask: BoolArray) -> DoseRateHistory:
    """Every voxel follows the section's mean time course; how wrong that is is not bounded."""
    courses = activity.reshape(len(times_h), -1)[:, np.flatnonzero(mask)]
    base = _base(courses, times_h)
    return DoseRateHistory(times_h, base, np.empty((0, len(times_h))), np.empty((0, *mask.shape)), float("inf"))


def compress_history(
    times_h: Array, activity: Array, tia: Array, mask: BoolArray, dose: Array, spread: Spread, pairs: int | None,
    bounded: bool = True,
) -> DoseRateHistory:
    """Pairs for the dose rate.

    ``activity`` (nt, ny, nx), ``tia`` and ``dose`` (ny, nx); ``spread`` turns maps (n, ny, nx) of time-integrated
    activity into dose. ``pairs`` None takes as many as bring the bound below `G_TARGET`, at most `MOST_PAIRS`; a given
    number can do without a bound.
    """
    at = np.flatnonzero(mask)
    courses = activity.reshape(len(times_h), -1)[:, at]
    base = _base(courses, times_h)
    terms = _decompose(times_h, courses, tia.ravel()[at], dose.ravel()[at], base)
    most = len(terms.curves)
    counts = range(min(MOST_PAIRS, most) + 1) if pairs is None else [min(pairs, most)]
    count, error = counts[-1], float("inf")
    if bounded or pairs is None:
        bound = _bound(times_h, terms, base, dose, mask, spread)
        for count in counts:
            error = bound(count)
            if error <= G_TARGET:
                break
    maps = spread(_on_grid(terms.amplitudes[:count], mask)) if count else np.empty((0, *mask.shape))
    return DoseRateHistory(times_h, base, terms.curves[:count], maps, error)


def _base(courses: Array, times_h: Array) -> Array:
    """Mean time course (nt,), its spline's integral 1; a constant where there is no activity."""
    mean = courses.mean(axis=1)
    area = float(integral_weights(times_h.tobytes()) @ mean)
    return np.asarray(mean / area) if area > 0.0 else np.full(len(times_h), 1.0 / float(times_h[-1] - times_h[0]))


def _decompose(times_h: Array, courses: Array, totals: Array, dose: Array, base: Array) -> _Terms:
    weights = integral_weights(times_h.tobytes())
    areas = weights @ courses
    scale = np.divide(totals, areas, out=np.zeros_like(totals), where=areas > 0.0)
    rest = courses * scale
    rest -= np.multiply.outer(base, totals * (areas > 0.0))  # each column integrates to 0
    importance = np.divide(1.0, dose, out=np.zeros_like(totals), where=dose > 0.0)
    metric = np.mean([repair_form(times_h.tobytes(), half) for half in REPAIR_HALF_TIMES_H], axis=0)
    root = np.linalg.cholesky(metric + 1e-12 * np.trace(metric) / len(metric) * np.eye(len(metric)))
    relative = rest * importance
    values, vectors = np.linalg.eigh(root.T @ (relative @ relative.T) @ root)
    kept = np.flatnonzero(values > _NEGLIGIBLE * max(float(values[-1]), 1e-30))[::-1]
    curves = np.linalg.solve(root.T, vectors[:, kept]).T
    curves -= np.outer(curves @ weights, weights) / float(weights @ weights)  # rounding leaves a little integral
    return _Terms(curves, (root @ vectors[:, kept]).T @ rest)


def _bound(
    times_h: Array, terms: _Terms, base: Array, dose: Array, mask: BoolArray, spread: Spread
) -> Callable[[int], float]:
    """Largest change of G in any voxel when only the first so many pairs are used, over the repair half-times.

    In the metric G = |rate|^2 / dose^2, so dropping a rate d changes G by at most 2 sqrt(G) |d|/dose + (|d|/dose)^2,
    and |d| in a voxel is at most the spread of the dropped norms. sqrt(G) is at most that of the mean course plus what
    all pairs add, bounded in the same way.
    """
    forms = np.stack([repair_form(times_h.tobytes(), half) for half in REPAIR_HALF_TIMES_H])
    base_norm = float(np.sqrt(np.einsum("t,rts,s->r", base, forms, base).max()))
    gram = np.einsum("it,rts,js->rij", terms.curves, forms, terms.curves, optimize=True)
    positive = mask & (dose > 0.0)

    def share(start: int) -> Array:
        norms = _norms(terms.amplitudes[start:], gram[:, start:, start:])
        return np.asarray(spread(_on_grid(norms[None], mask))[0][positive] / dose[positive])

    everything = share(0)

    def bound(kept: int) -> float:
        dropped = share(kept) if kept else everything
        return float(np.max((2.0 * (base_norm + everything) + dropped) * dropped, initial=0.0))

    return bound


def _norms(amplitudes: Array, gram: Array) -> Array:
    """Norm of the given terms in each voxel, the largest over the repair half-times, (n_voxel,)."""
    squared = [np.einsum("iv,iv->v", amplitudes, g @ amplitudes) for g in gram]
    return np.asarray(np.sqrt(np.maximum(np.max(squared, axis=0), 0.0)))


def _on_grid(values: Array, mask: BoolArray) -> Array:
    """(n, n_voxel) to (n, ny, nx), zero outside the mask."""
    out = np.zeros((len(values), *mask.shape))
    out[:, mask] = values
    return out
