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
    n, mu = len(times_h), np.log(2.0) / repair_half_time_h
    form, memory = np.zeros((n, n)), np.zeros(n)
    for k, step in enumerate(np.diff(times_h)):
        x = float(mu * step)
        ends = slice(k, k + 2)
        fade, nested = _hats(x)
        block = np.zeros((n, n))
        block[ends, ends] = step * step * nested
        block[ends] += step * np.outer(fade, memory)
        form += block + block.T
        memory = memory * np.exp(-x)
        memory[ends] += step * fade[::-1]
    return form


def _hats(x: float) -> tuple[Array, Array]:
    """For f the falling and the rising line on [0, 1], (2,) and (2, 2): int f(s) e^(-xs) ds and
    int f(s) int_0^s g(u) e^(-x(s-u)) du ds."""
    if x < 1.0:  # the closed forms lose digits; 12 Gauss points are exact to rounding
        u, w = 0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS
        lines = np.stack([1.0 - u, u])
        inner_at = np.multiply.outer(u, u)  # points s u' inside [0, s]
        decay = np.exp(-x * (u[:, None] - inner_at)) * (w * u[:, None])
        inner = np.stack([(decay * (1.0 - inner_at)).sum(axis=1), (decay * inner_at).sum(axis=1)])
        return lines @ (w * np.exp(-x * u)), (lines * w) @ inner.T
    whole, first = -np.expm1(-x) / x, (1.0 - np.exp(-x) * (1.0 + x)) / x**2  # int e^(-xs), int s e^(-xs)
    fade = np.array([whole - first, first])
    # int_0^s e^(-x(s-u)) du = (1 - e^(-xs))/x,  int_0^s u e^(-x(s-u)) du = s/x - (1 - e^(-xs))/x^2
    flat = (np.array([0.5, 0.5]) - fade) / x
    rising = (np.array([1.0 / 6.0, 1.0 / 3.0]) - flat) / x
    return fade, np.stack([flat - rising, rising], axis=1)
