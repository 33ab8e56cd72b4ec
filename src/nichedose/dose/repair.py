"""The inner product in which the Lea-Catcheside factor is a norm: G = <rate, rate> / dose^2.

<f, g> = int int f(t) g(s) exp(-mu |t - s|) ds dt, exact for straight lines between the stored times.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline

from nichedose.fields.grid import Array
from nichedose.fields.threads import one_blas_thread

__all__ = ["integral_weights", "repair_form"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


@lru_cache(maxsize=64)
@one_blas_thread
def integral_weights(times: bytes) -> Array:
    """Weights (nt,) with weights @ values the integral of the cubic spline through them; ``times`` float64 as bytes."""
    times_h = np.frombuffer(times)
    spline = CubicSpline(times_h, np.eye(len(times_h)))
    return np.asarray(spline.integrate(times_h[0], times_h[-1]))


@lru_cache(maxsize=64)
@one_blas_thread
def repair_form(times: bytes, repair_half_time_h: float) -> Array:
    """Matrix Q (nt, nt) with f @ Q @ g = <f, g>; ``times`` float64 as bytes."""
    times_h = np.frombuffer(times)
    steps, mu = np.diff(times_h), np.log(2.0) / repair_half_time_h
    fade, nested = _hats(mu * steps)
    at = np.arange(len(steps))
    ends, starts = np.zeros((2, len(steps), len(times_h)))  # of each step: what its end, its start sees of each line
    starts[at, at], starts[at, at + 1] = steps * fade.T
    ends[at, at + 1], ends[at, at] = steps * fade.T
    since = np.subtract.outer(times_h[:-1], times_h[1:])  # from the end of a step to the start of a later one
    memory = np.tril(np.exp(-mu * np.maximum(since, 0.0)), -1) @ ends
    form = starts.T @ memory
    for i, j in np.ndindex(2, 2):
        form[at + i, at + j] += steps**2 * nested[:, i, j]
    return np.asarray(form + form.T)


def _hats(x: Array) -> tuple[Array, Array]:
    """For f the falling and the rising line on [0, 1], (n, 2) and (n, 2, 2): int f(s) e^(-xs) ds and
    int f(s) int_0^s g(u) e^(-x(s-u)) du ds, for each of ``x`` (n,)."""
    fade, nested = np.empty((len(x), 2)), np.empty((len(x), 2, 2))
    few = x < 1.0  # the closed forms lose digits; 12 Gauss points are exact to rounding
    fade[few], nested[few] = _hats_by_points(x[few])
    y = x[~few]
    whole, first = -np.expm1(-y) / y, (1.0 - np.exp(-y) * (1.0 + y)) / y**2  # int e^(-xs), int s e^(-xs)
    fade[~few] = np.stack([whole - first, first], axis=1)
    # int_0^s e^(-x(s-u)) du = (1 - e^(-xs))/x,  int_0^s u e^(-x(s-u)) du = s/x - (1 - e^(-xs))/x^2
    flat = (0.5 - fade[~few]) / y[:, None]
    rising = (np.array([1.0 / 6.0, 1.0 / 3.0]) - flat) / y[:, None]
    nested[~few] = np.stack([flat - rising, rising], axis=2)
    return fade, nested


def _hats_by_points(x: Array) -> tuple[Array, Array]:
    u, w = 0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS
    lines = np.stack([1.0 - u, u])
    inner_at = np.multiply.outer(u, u)  # points s u' inside [0, s]
    decay = np.exp(-x[:, None, None] * (u[:, None] - inner_at)) * (w * u[:, None])
    inner = np.stack([(decay * (1.0 - inner_at)).sum(axis=2), (decay * inner_at).sum(axis=2)], axis=2)
    return (w * np.exp(-np.multiply.outer(x, u))) @ lines.T, (lines * w) @ inner
