"""The Lea-Catcheside factor: how much of the quadratic kill is left when dose is protracted and cells repair.

G = (2/D^2) int_0^inf R(t) int_0^t R(s) exp(-mu (t - s)) ds dt for dose rate R and repair rate mu: 1 for an acute dose.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import CubicSpline

from nichedose.dose.result import DoseRateHistory
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["g_exponentials", "lea_catcheside", "repair_terms"]

_DEGREE = 3  # cubic between the stored times
_NORMALISATION = 0.1  # how far the base curve's integral may be from 1 before the history is refused


def lea_catcheside(
    history: DoseRateHistory,
    dose_Gy: Array,
    repair_rate_per_h: float | Sequence[float],
    repair_weights: Sequence[float] = (1.0,),
) -> Array:
    """G in each voxel, (ny, nx), in [0, 1]; ``dose_Gy`` (ny, nx) on any scale that ``history.maps_Gy`` shares.

    Exact for the cubic spline through the stored times, which is linear in the data and so does not depend on how the
    pairs were chosen. Several repair rates with ``repair_weights`` that sum to 1 give multi-exponential repair.
    Where the dose is zero, G of the base curve is returned.
    Raises `BadInput` for shapes that do not fit, negative rates, or a base curve that does not integrate to 1.
    """
    rates, weights = repair_terms(repair_rate_per_h, repair_weights)
    curves = np.vstack([history.base_per_h[None, :], np.reshape(history.curves_per_h, (-1, len(history.times_h)))])
    maps = np.reshape(history.maps_Gy, (-1, *dose_Gy.shape)) if len(curves) > 1 else np.empty((0, *dose_Gy.shape))
    if len(maps) != len(curves) - 1:
        raise BadInput(f"A dose-rate history needs one map per curve; got {len(maps)} maps, {len(curves) - 1} curves.")
    cubics = _cubics(history.times_h, curves)
    integrals = np.asarray(np.einsum("njd,n,d->j", cubics, np.diff(history.times_h), 1.0 / np.arange(1, _DEGREE + 2)))
    if abs(integrals[0] - 1.0) > _NORMALISATION:
        raise BadInput(f"base_per_h integrates to {integrals[0]:.3g} over {history.times_h[-1]:g} h; it must be 1: "
                       "store more times, or up to a later one.")
    form = np.zeros((len(curves), len(curves)))
    for weight, rate in zip(weights, rates, strict=True):
        form += weight * _double_integral(cubics, np.diff(history.times_h), float(rate))
    amplitudes = np.concatenate([dose_Gy[None], maps])
    total = np.tensordot(integrals, amplitudes, axes=1)
    damage = np.sum(amplitudes * np.tensordot(form, amplitudes, axes=1), axis=0)
    base = float(form[0, 0] / integrals[0] ** 2)
    g = np.divide(damage, total**2, out=np.full(dose_Gy.shape, base), where=total**2 > 0.0)
    return np.asarray(np.clip(g, 0.0, 1.0), dtype=float)


def g_exponentials(
    amplitudes: ArrayLike,
    rates_per_h: ArrayLike,
    repair_rate_per_h: float | Sequence[float],
    repair_weights: Sequence[float] = (1.0,),
) -> float:
    """G of the dose rate sum of ``amplitudes`` exp(-``rates_per_h`` t); an uptake phase has a negative amplitude.

    Closed form (2/D^2) sum_ij A_i A_j / ((k_i + k_j)(k_i + mu)).

    >>> round(g_exponentials([1.0], [np.log(2) / 51], np.log(2) / 1.9), 5)
    0.03592
    """
    a, k = np.atleast_1d(np.asarray(amplitudes, float)), np.atleast_1d(np.asarray(rates_per_h, float))
    rates, weights = repair_terms(repair_rate_per_h, repair_weights)
    finite = bool(np.isfinite(a).all() and np.isfinite(k).all())
    if a.shape != k.shape or a.ndim != 1 or not finite or bool((k <= 0.0).any()):
        raise BadInput("Give as many finite amplitudes as rates, the rates above 0 per h.")
    dose = float(np.sum(a / k))
    if dose <= 0.0:
        raise BadInput(f"The dose, sum of amplitude/rate, is {dose:g}; it must be above 0.")
    pairs = np.multiply.outer(a, a) / np.add.outer(k, k)
    damage = [w * float(np.sum(pairs / (k + mu)[:, None])) for w, mu in zip(weights, rates, strict=True)]
    return float(2.0 / dose**2 * sum(damage))


def repair_terms(rate: float | Sequence[float], weights: Sequence[float]) -> tuple[Array, Array]:
    """Repair rates (per h) and their shares, checked; raises `BadInput`."""
    rates, shares = np.atleast_1d(np.asarray(rate, float)), np.asarray(weights, float)
    if rates.shape != shares.shape or not np.isfinite(rates).all() or bool((rates < 0.0).any()):
        raise BadInput(f"Repair rates {rates.tolist()} must be finite, not negative, and as many as the weights "
                       f"{shares.tolist()}.")
    if bool((shares < 0.0).any()) or abs(float(shares.sum()) - 1.0) > 1e-9:
        raise BadInput(f"Repair weights {shares.tolist()} must not be negative and must sum to 1.")
    return rates, shares


def _cubics(times_h: Array, curves: Array) -> Array:
    """Spline through the curves: coefficients (intervals, curves, power) in each interval's own time, from 0 to 1."""
    if times_h.ndim != 1 or len(times_h) < 2 or not bool((np.diff(times_h) > 0).all()):
        raise BadInput("times_h must be one-dimensional, increasing, with at least two times.")
    if not np.isfinite(curves).all():
        raise BadInput("The curves of a dose-rate history must be finite.")
    powers = np.arange(_DEGREE + 1)
    local = CubicSpline(times_h, curves, axis=1).c[::-1] * (np.diff(times_h) ** powers[:, None])[:, :, None]
    return np.asarray(local.transpose(1, 2, 0), dtype=float)


def _double_integral(cubics: Array, h: Array, mu: float) -> Array:
    """The symmetric form Q_ij = int int f_i(t) f_j(s) exp(-mu |t - s|) ds dt."""
    fading, growing, nested = _moments(mu * h)
    felt = h[:, None] * np.einsum("njd,nd->nj", cubics, fading)  # of what is unrepaired at an interval's start
    left = h[:, None] * np.einsum("njd,nd->nj", cubics, growing)  # unrepaired at its end
    ends = np.cumsum(h)
    since = np.subtract.outer(ends - h, ends)  # from the end of an interval to the start of a later one
    unrepaired = np.tril(np.exp(-mu * np.maximum(since, 0.0)), -1) @ left
    ordered = felt.T @ unrepaired + np.einsum("nid,n,nde,nje->ij", cubics, h**2, nested, cubics, optimize=True)
    return np.asarray(ordered + ordered.T)


def _moments(x: Array) -> tuple[Array, Array, Array]:
    """Integrals over [0, 1], k, l = 0..3, of s^k e^(-xs), s^k e^(-x(1-s)), and s^k int_0^s u^l e^(-x(s-u)) du:
    (n, 4), (n, 4) and (n, 4, 4) for each of ``x`` (n,)."""
    k = np.arange(_DEGREE + 1)
    fading, growing = np.empty((2, len(x), len(k)))
    nested = np.empty((len(x), len(k), len(k)))
    few = x < 1.0  # the recursions below lose digits; here Gauss-Legendre is exact to rounding
    fading[few], growing[few], nested[few] = _moments_by_points(x[few])
    y = x[~few]
    f, g, both = fading[~few], growing[~few], nested[~few]
    f[:, 0] = g[:, 0] = -np.expm1(-y) / y
    for i in k[1:]:
        f[:, i] = (i * f[:, i - 1] - np.exp(-y)) / y
        g[:, i] = (1.0 - i * g[:, i - 1]) / y
    both[:, :, 0] = (1.0 / (k + 1.0) - f) / y[:, None]
    for i in k[1:]:
        both[:, :, i] = (1.0 / (k + i + 1.0) - i * both[:, :, i - 1]) / y[:, None]
    fading[~few], growing[~few], nested[~few] = f, g, both
    return fading, growing, nested


def _moments_by_points(x: Array) -> tuple[Array, Array, Array]:
    powers = _NODES[:, None] ** np.arange(_DEGREE + 1)
    fading = (_WEIGHTS * np.exp(-np.multiply.outer(x, _NODES))) @ powers
    growing = (_WEIGHTS * np.exp(-np.multiply.outer(x, 1.0 - _NODES))) @ powers
    # u = s v with v on [0, 1]
    inner = np.exp(-np.multiply.outer(x, np.multiply.outer(_NODES, 1.0 - _NODES))) @ (_WEIGHTS[:, None] * powers)
    weighted = (_WEIGHTS * _NODES)[:, None] * powers
    return fading, growing, weighted.T @ (powers * inner)


def _gauss_on_unit(order: int) -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(order)
    return 0.5 * (nodes + 1.0), 0.5 * weights


_NODES, _WEIGHTS = _gauss_on_unit(12)
