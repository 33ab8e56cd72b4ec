"""A plasma curve as a sum of exponentials, with its error."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from nichedose.body.plasma import PlasmaCurve
from nichedose.errors import BadInput, DidNotConverge
from nichedose.fields.grid import Array

__all__ = ["fit_exponentials"]

RATES_PER_DECADE = 12
FASTEST_PER_H, SLOWEST_SHARE = 120.0, 0.3  # nothing in blood is faster; slowest rate times the last time
LARGEST_ERROR = 0.05
AREA_WEIGHT = 10.0  # of the running integral beside the concentrations themselves


def fit_exponentials(times_h: Array, nmol_per_L: Array, decay_per_h: float = 0.0) -> tuple[PlasmaCurve, float]:
    """A `PlasmaCurve` through concentrations after a bolus, and its error.

    Amplitudes are not negative: the response of a central compartment to a bolus has no others. The error is the
    largest one of the running integral of exp(-decay t) C, over the whole integral. Raises `BadInput` for arrays that
    do not fit, `DidNotConverge` where the error exceeds 5 % (a curve that rises is no response to a bolus).

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
    low, high = np.log10(SLOWEST_SHARE / t[-1]), np.log10(FASTEST_PER_H)
    rates = np.logspace(low, high, int(np.ceil((high - low) * RATES_PER_DECADE)) + 1)
    terms = np.exp(-np.outer(t, rates))
    # every step counts by its share of the integral, and early times at least by their own size
    steps = np.gradient(t)
    weight = np.sqrt(steps / t.clip(min=t[1])) / np.maximum(c, 1e-4 * c.max())
    running = _running(t, c)
    areas = -np.expm1(-np.outer(t, rates)) / rates / running[-1] * AREA_WEIGHT
    matrix = np.concatenate([terms * weight[:, None], areas])
    amplitudes, _ = nnls(matrix, np.concatenate([c * weight, running / running[-1] * AREA_WEIGHT]),
                         maxiter=50 * rates.size)
    kept = amplitudes > 1e-9 * amplitudes.max()
    curve = PlasmaCurve(tuple(float(a) for a in amplitudes[kept]), tuple(float(r) for r in rates[kept]))
    fade = np.exp(-decay_per_h * t)
    difference = _running(t, (curve.concentration_nmol_per_L(t) - c) * fade)
    error = float(np.abs(difference).max() / _running(t, c * fade)[-1])
    if error > LARGEST_ERROR:
        raise DidNotConverge(f"Plasma: exponentials leave an error of {100 * error:.1f} % of the area under the curve; "
                             f"{100 * LARGEST_ERROR:g} % is allowed. Is it the response to a bolus?")
    return curve, error


def _running(t: Array, values: Array) -> Array:
    return np.concatenate([[0.0], np.cumsum(0.5 * np.diff(t) * (values[1:] + values[:-1]))])
