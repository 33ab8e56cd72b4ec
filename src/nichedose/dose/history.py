"""The time course of dose rate in a few (map, curve) pairs, with a bound on what they cost G.

The time-integrated map is convolved exactly. What each voxel's time course differs from the section's mean course is
compressed by a singular value decomposition in the metric of the Lea-Catcheside integral itself,
<f, g> = int int f(t) g(s) exp(-mu |t - s|) ds dt averaged over repair half-times of 0.5, 1.2 and 3 h, so that what is dropped
is what G feels least.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline

from nichedose.dose.result import DoseRateHistory
from nichedose.fields.grid import Array, BoolArray

__all__ = ["G_TARGET", "MOST_PAIRS", "base_curve", "compress_history"]

G_TARGET = 1e-3
MOST_PAIRS = 6
REPAIR_HALF_TIMES_H = (0.5, 1.2, 3.0)
_RANK = 24  # terms that are followed for the bound; what lies beyond them is added as a whole


def base_curve(times_h: Array, activity: Array, mask: BoolArray) -> Array:
    """Mean time course of the section, (nt,), its spline's integral 1; a constant where there is no activity."""
    mean = activity[:, mask].mean(axis=1)
    weights = _integral_weights(times_h.tobytes())
    area = float(weights @ mean)
    return np.asarray(mean / area) if area > 0.0 else np.full(len(times_h), 1.0 / float(times_h[-1] - times_h[0]))


def compress_history(
    times_h: Array,
    activity: Array,
    tia: Array,
    mask: BoolArray,
    dose: Array,
    spread: Callable[[Array], Array],
    pairs: int | None,
) -> DoseRateHistory:
    """Pairs for the dose rate; ``activity`` (nt, ny, nx), ``tia`` and ``dose`` (ny, nx), ``spread`` maps (n, ny, nx) of
    time-integrated activity to dose. ``pairs`` None takes as many as bring the bound below `G_TARGET`, at most `MOST_PAIRS`.

    The bound: in the metric above G = |rate|^2 / dose^2, so dropping a rate d changes G by at most
    2 sqrt(G) |d|/dose + (|d|/dose)^2, and |d| at a voxel is at most the convolution of the dropped norms.
    """
    base = base_curve(times_h, activity, mask)
    curves, amplitudes = _decompose(times_h, activity, tia, mask, dose, base)
    if not len(curves):
        return DoseRateHistory(times_h, base, np.empty((0, len(times_h))), np.empty((0, *mask.shape)), 0.0)
    forms = np.stack([_form(times_h.tobytes(), half) for half in REPAIR_HALF_TIMES_H])
    gram = np.einsum("it,rts,js->rij", curves, forms, curves)
    base_norm = float(np.sqrt(np.einsum("t,rts,s->r", base, forms, base).max()))
    chosen = range(min(pairs, len(curves)), len(curves) + 1) if pairs is not None else range(min(MOST_PAIRS, len(curves)) + 1)
    count, bound = 0, np.inf
    for count in chosen:
        bound = _bound(amplitudes, gram, count, base_norm, dose, mask, spread)
        if pairs is not None or bound <= G_TARGET:
            break
    maps = spread(amplitudes[:count]) if count else np.empty((0, *mask.shape))
    return DoseRateHistory(times_h, base, curves[:count], maps, bound)


def _decompose(
    times_h: Array, activity: Array, tia: Array, mask: BoolArray, dose: Array, base: Array
) -> tuple[Array, Array]:
    """Curves (n, nt) of integral zero and their activity maps (n, ny, nx), the most important first."""
    weights = _integral_weights(times_h.tobytes())
    courses, totals = activity[:, mask], tia[mask]
    areas = weights @ courses
    scale = np.divide(totals, areas, out=np.zeros_like(totals), where=areas > 0.0)
    rest = courses * scale - np.outer(base, totals)  # (nt, n_voxel); each column integrates to 0
    importance = np.divide(1.0, dose[mask], out=np.zeros_like(totals), where=dose[mask] > 0.0)
    metric = np.mean([_form(times_h.tobytes(), half) for half in REPAIR_HALF_TIMES_H], axis=0)
    root = np.linalg.cholesky(metric + 1e-12 * np.trace(metric) / len(metric) * np.eye(len(metric)))
    weighted = root.T @ (rest * importance)
    values, vectors = np.linalg.eigh(weighted @ weighted.T)
    order = np.argsort(values)[::-1][:_RANK]
    order = order[values[order] > 1e-14 * max(float(values[-1]), 1e-300)]
    if not len(order) or values[-1] <= 0.0:
        return np.empty((0, len(times_h))), np.empty((0, *mask.shape))
    curves = np.linalg.solve(root.T, vectors[:, order]).T
    amplitudes = np.zeros((len(order), *mask.shape))
    amplitudes[:, mask] = (root @ vectors[:, order]).T @ rest
    return _zero_integral(curves, weights), amplitudes


def _zero_integral(curves: Array, weights: Array) -> Array:
    """Take out what rounding left of each curve's integral."""
    return np.asarray(curves - np.outer(curves @ weights, weights) / float(weights @ weights))


def _bound(
    amplitudes: Array, gram: Array, kept: int, base_norm: float, dose: Array, mask: BoolArray, spread: Callable[[Array], Array]
) -> float:
    """Largest change of G in any voxel when only the first ``kept`` pairs are used, over the repair half-times."""
    dropped = amplitudes[kept:, mask]
    if not len(dropped):
        return 0.0
    squared = np.einsum("iv,rij,jv->rv", dropped, gram[:, kept:, kept:], dropped, optimize=True)
    norms = np.zeros((1, *mask.shape))
    norms[0, mask] = np.sqrt(np.maximum(squared.max(axis=0), 0.0))
    positive = mask & (dose > 0.0)
    relative = spread(norms)[0][positive] / dose[positive]
    return float(np.max(2.0 * base_norm * relative + relative**2, initial=0.0))


@lru_cache(maxsize=64)
def _integral_weights(times: bytes) -> Array:
    """Weights such that weights @ values is the integral of the cubic spline through them."""
    times_h = np.frombuffer(times)
    spline = CubicSpline(times_h, np.eye(len(times_h)))
    return np.asarray(spline.integrate(times_h[0], times_h[-1]))


@lru_cache(maxsize=64)
def _form(times: bytes, repair_half_time_h: float) -> Array:
    """Matrix Q with f Q g = int int f(t) g(s) exp(-mu |t - s|) ds dt for straight lines between the times, (nt, nt)."""
    times_h = np.frombuffer(times)
    n, mu = len(times_h), np.log(2.0) / repair_half_time_h
    form, memory = np.zeros((n, n)), np.zeros(n)
    for k, step in enumerate(np.diff(times_h)):
        x = float(mu * step)
        ends = slice(k, k + 2)
        fade, grow, nested = _hats(x)
        block = np.zeros((n, n))
        block[ends, ends] = step * step * nested
        block[ends] += step * np.outer(fade, memory)
        form += block + block.T
        memory = memory * np.exp(-x)
        memory[ends] += step * grow
    return form


def _hats(x: float) -> tuple[Array, Array, Array]:
    """For the falling and the rising line on [0, 1]: int f e^(-xs), int f e^(-x(1-s)), int f(s) int_0^s g(u) e^(-x(s-u))."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    u, w = 0.5 * (nodes + 1.0), 0.5 * weights
    lines = np.stack([1.0 - u, u])
    if x < 8.0:  # smooth enough for Gauss points
        inner = np.einsum("p,sp,gsp->gs", w, u[:, None] * np.exp(-x * np.outer(u, 1.0 - u)),
                          np.stack([1.0 - np.outer(u, u), np.outer(u, u)]))
        return lines @ (w * np.exp(-x * u)), lines @ (w * np.exp(-x * (1.0 - u))), (lines * w) @ inner.T
    e = np.exp(-x)
    one, s = -np.expm1(-x) / x, (1.0 - e * (1.0 + x)) / x**2  # int e^(-xs), int s e^(-xs)
    fade = np.array([one - s, s])
    # int_0^s e^(-x(s-u)) du = (1 - e^(-xs))/x and int_0^s u e^(-x(s-u)) du = s/x - (1 - e^(-xs))/x^2
    second = (2.0 - e * (x * x + 2.0 * x + 2.0)) / x**3  # int s^2 e^(-xs)
    flat = np.array([0.5 - fade[0], 0.5 - fade[1]]) / x
    moments = np.array([1.0 / 6.0, 1.0 / 3.0])  # int s f(s)
    rising = moments / x - flat / x
    assert second >= 0.0
    return fade, fade[::-1].copy(), np.stack([flat - rising, rising], axis=1)
