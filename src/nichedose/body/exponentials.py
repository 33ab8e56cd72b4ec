"""A plasma curve as a sum of exponentials, with its error."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from scipy.optimize import nnls
from scipy.special import comb

from nichedose.body.plasma import PlasmaCurve
from nichedose.errors import BadInput, DidNotConverge
from nichedose.fields.grid import Array

__all__ = ["fit_exponentials"]

RATES_PER_DECADE = 12
FASTEST_PER_H, SLOWEST_SHARE = 120.0, 0.3  # nothing in blood is faster; slowest rate times the last time
LARGEST_ERROR = 0.05
AREA_WEIGHT = 10.0  # of the running integral beside the concentrations themselves
GOOD_ERROR = 0.005  # above it, a curve may fall faster and faster, as a saturated sink does
DEGREE = 10  # of the terms that can do so
DEGREE_RATES = (0.1, 0.2, 0.4, 0.8)  # their slowest rate, over the mean residence time


def fit_exponentials(times_h: Array, nmol_per_L: Array, decay_per_h: float = 0.0) -> tuple[PlasmaCurve, float]:
    """A `PlasmaCurve` through concentrations after a bolus, and its error.

    Amplitudes are not negative where that is enough: a linear body answers a bolus so. A saturable sink lets the curve
    fall faster as it empties; then Bernstein polynomials in exp(-k t), positive by construction, join in: exponentials
    with amplitudes of both signs. The error is the largest one of the running integral of
    exp(-decay t) C, over the whole integral. Raises `BadInput` for arrays that do not fit, `DidNotConverge` where the
    error exceeds 5 %.

    >>> t = np.geomspace(1e-3, 200.0, 300)
    >>> curve, error = fit_exponentials(t, 9.0 * np.exp(-3.0 * t) + np.exp(-0.05 * t))
    >>> error < 2e-3
    True
    """
    t, c = np.asarray(times_h, dtype=float), np.asarray(nmol_per_L, dtype=float)
    if t.ndim != 1 or t.shape != c.shape or t.size < 4 or not np.all(np.diff(t) > 0.0):
        raise BadInput(f"Plasma: times and concentrations must be equally long and times rise; got {t.shape}, "
                       f"{c.shape}.")
    if not (np.all(np.isfinite(c)) and c.min() >= -1e-9 * max(c.max(), 1e-300) and c.max() > 0.0):
        raise BadInput("Plasma: concentrations must be finite, not negative, and somewhere above 0.")
    rates, into = _plain(t)
    curve = _fitted(t, c, rates, into)
    error = _error(curve, t, c, decay_per_h)
    if error > GOOD_ERROR:
        area, moment = _running(t, c)[-1], _running(t, t * c)[-1]
        tried = [curve]
        for share in DEGREE_RATES:
            more, parts = _bernstein(share * area / moment)
            both = np.concatenate([rates, more])
            terms = np.block([
                [into, np.zeros((len(rates), parts.shape[1]))], [np.zeros((len(more), into.shape[1])), parts]])
            with suppress(BadInput):  # amplitudes that cancel to nothing but rounding are no curve
                tried.append(_fitted(t, c, both, terms))
        error, curve = min(((_error(one, t, c, decay_per_h), one) for one in tried), key=lambda pair: pair[0])
    if error > LARGEST_ERROR:
        raise DidNotConverge(f"Plasma: exponentials leave an error of {100 * error:.1f} % of the area under the curve; "
                             f"{100 * LARGEST_ERROR:g} % is allowed. Is it the response to a bolus?")
    return curve, error


def _plain(t: Array) -> tuple[Array, Array]:
    """Log-spaced rates (n,), each a term by itself (n, n)."""
    low, high = np.log10(SLOWEST_SHARE / t[-1]), np.log10(FASTEST_PER_H)
    rates = np.logspace(low, high, int(np.ceil((high - low) * RATES_PER_DECADE)) + 1)
    return rates, np.eye(rates.size)


def _bernstein(rate_per_h: float) -> tuple[Array, Array]:
    """Rates j k, j = 1..n, and amplitudes (n, n) of C(n, i) x^i (1 - x)^(n - i), x = exp(-k t), in columns i = 1..n."""
    parts = np.zeros((DEGREE, DEGREE))
    for i in range(1, DEGREE + 1):
        for m in range(DEGREE - i + 1):
            parts[i + m - 1, i - 1] = comb(DEGREE, i) * comb(DEGREE - i, m) * (-1.0) ** m
    return rate_per_h * np.arange(1.0, DEGREE + 1), parts


def _fitted(t: Array, c: Array, rates: Array, parts: Array) -> PlasmaCurve:
    """Least squares over terms with weights that are not negative; ``parts`` (rates, terms) holds their amplitudes."""
    # every step counts by its share of the integral, and early times at least by their own size
    steps = np.gradient(t)
    weight = np.sqrt(steps / t.clip(min=t[1])) / np.maximum(c, 1e-4 * c.max())
    running = _running(t, c)
    terms = np.exp(-np.outer(t, rates)) @ parts
    areas = -np.expm1(-np.outer(t, rates)) / rates / running[-1] * AREA_WEIGHT @ parts
    matrix = np.concatenate([terms * weight[:, None], areas])
    shares, _ = nnls(matrix, np.concatenate([c * weight, running / running[-1] * AREA_WEIGHT]),
                     maxiter=50 * rates.size)
    shares[shares < 1e-9 * shares.max()] = 0.0
    amplitudes = parts @ shares
    kept = amplitudes != 0.0
    return PlasmaCurve(tuple(float(a) for a in amplitudes[kept]), tuple(float(r) for r in rates[kept]))


def _error(curve: PlasmaCurve, t: Array, c: Array, decay_per_h: float) -> float:
    fade = np.exp(-decay_per_h * t)
    difference = _running(t, (curve.concentration_nmol_per_L(t) - c) * fade)
    return float(np.abs(difference).max() / _running(t, c * fade)[-1])


def _running(t: Array, values: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum(0.5 * np.diff(t) * (values[1:] + values[:-1]))])
