"""The Runge-Kutta scheme in time: ESDIRK4(3)6L[2]SA, and its quadrature for decaying labels.

Six stages, the first explicit, one diagonal coefficient, order 4 with an embedded order 3, L-stable and stiffly
accurate, stage order 2. Source: C. A. Kennedy, M. H. Carpenter, "Diagonally implicit Runge-Kutta methods for ordinary
differential equations. A review", NASA/TM-2016-219173 (2016). The order conditions are tested.
"""

from __future__ import annotations

import math

import numpy as np

from nichedose._compiled import njit
from nichedose.fields.grid import Array

__all__ = ["BEFORE", "B_EMBEDDED", "GAMMA", "PREDICTOR", "STAGES", "A", "B", "C", "label_weights",
           "label_weights_slope"]  # fmt: skip

_S = math.sqrt(2.0)
STAGES = 6
GAMMA = 0.25


def _coefficients() -> Array:
    a = np.zeros((STAGES, STAGES))
    a[1, 0] = GAMMA
    a[2, :2] = (1 - _S) / 8
    a[3, :2] = (5 - 7 * _S) / 64
    a[3, 2] = 7 * (1 + _S) / 32
    a[4, :2] = (-13796 - 54539 * _S) / 125000
    a[4, 2] = (506605 + 132109 * _S) / 437500
    a[4, 3] = 166 * (-97 + 376 * _S) / 109375
    a[5, :2] = (1181 - 987 * _S) / 13782
    a[5, 2] = 47 * (-267 + 1783 * _S) / 273343
    a[5, 3] = -16 * (-22922 + 3525 * _S) / 571953
    a[5, 4] = -15625 * (97 + 376 * _S) / 90749876
    a[np.arange(1, STAGES), np.arange(1, STAGES)] = GAMMA
    return a


A = _coefficients()
B = A[-1].copy()
BEFORE = np.tril(A, -1)  # weights of earlier stages
C = np.array([0.0, 0.5, (2 - _S) / 4, 5 / 8, 26 / 25, 1.0])
B_EMBEDDED = np.array(
    [
        -480923228411 / 4982971448372,
        -480923228411 / 4982971448372,
        6709447293961 / 12833189095359,
        3513175791894 / 6748737351361,
        -498863281070 / 6042575550617,
        2077005547802 / 8945017530137,
    ]
)
# A stage value is off by h^3 y''' times this (over 2): a quadrature must not see it, or it loses one order.
_STAGE_DEFECT = A @ C**2 - C**3 / 3
_CONDITIONS = np.vstack([C**m for m in range(4)] + [_STAGE_DEFECT])
_INVERSE = np.linalg.pinv(_CONDITIONS)[:, :4]  # the defect's share stays as it is in the scheme: none


_TERMS = 18  # of the series below; the last one is under 1e-16 at its limit
_SERIES = np.array([[(-1.0) ** k / (math.factorial(k) * (k + m + 1)) for k in range(_TERMS)] for m in range(4)])
_SERIES_LIMIT = 1.0


def label_weights(z: float) -> Array:
    """Weights of the six stage values in the integral of exp(-z s) y(s) over one step, s in 0..1.

    Exact for cubic y; nearest to the scheme's own weights, to which they fall back at z = 0. A label that decays within
    a step (large ``z`` = decay x step) needs no shorter step than the ligand itself.

    >>> bool(np.allclose(label_weights(0.0), B))
    True
    """
    return np.asarray(_label_weights(float(z), B, _INVERSE, _SERIES))


@njit(cache=True, nogil=True)
def _moments(z: float, series: Array) -> Array:
    """Integrals of exp(-z s) s^m over 0..1, m = 0..3."""
    out = np.zeros(4)
    if z < _SERIES_LIMIT:  # the recurrence below cancels; the series does not
        power = 1.0
        for k in range(_TERMS):
            for m in range(4):
                out[m] += series[m, k] * power
            power *= z
    else:
        out[0] = -math.expm1(-z) / z
        for m in range(1, 4):
            out[m] = (m * out[m - 1] - math.exp(-z)) / z
    return out


@njit(cache=True, nogil=True)
def _label_weights(z: float, usual: Array, inverse: Array, series: Array) -> Array:
    moments = _moments(z, series)
    weights = usual.copy()
    for i in range(STAGES):
        for m in range(4):
            weights[i] += inverse[i, m] * (moments[m] - series[m, 0])
    return weights


def label_weights_slope(z: float) -> Array:
    """Derivative of `label_weights` by ``z``.

    >>> h = 1e-4
    >>> bool(np.allclose(label_weights_slope(2.0), (label_weights(2.0 + h) - label_weights(2.0 - h)) / (2 * h)))
    True
    """
    moments = _moments(float(z), _SERIES)
    if z < _SERIES_LIMIT:
        terms = [(-z) ** k / (math.factorial(k) * (k + 5)) for k in range(_TERMS)]
        fourth = sum(terms)
    else:
        fourth = (4 * moments[3] - math.exp(-z)) / z
    return np.asarray(-_INVERSE @ np.array([*moments[1:], fourth]))


def _predictor() -> Array:
    """Weights that extrapolate earlier stages of a step to the next one, (6, 6): Newton's first guess.

    The polynomial through the start and the latest stages, at most cubic. Stage 4 lies so far beyond the others that a
    cubic would amplify what they are off by: a line through stages 1 and 3 comes twice as near (measured).
    """
    out = np.zeros((STAGES, STAGES))
    for i in range(1, STAGES):
        nodes = [1, 3] if i == 4 else list(range(i))[-4:]
        out[i, nodes] = [
            math.prod((C[i] - C[k]) / (C[j] - C[k]) for k in nodes if k != j) for j in nodes
        ]
    return out


PREDICTOR = _predictor()
