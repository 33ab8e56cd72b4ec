"""How much unrepaired damage two administrations share, as a function of the time between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft
from scipy.integrate import cumulative_trapezoid

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["Overlap", "overlap"]

_STEP_OF_REPAIR = 0.2  # time step over the repair half-time
_MOST_POINTS = 1 << 16


@dataclass(frozen=True)
class Overlap:
    """Share c in [0, 1] by the lag of the second behind the first administration, tabulated at even steps.

    Two administrations with quadratic coefficients q1, q2 have the mixed term 2 sqrt(q1 q2) c A1 A2; c = 1 where both
    follow the same course at the same time, 0 where one is repaired before the other begins.
    """

    first_lag_h: float
    step_h: float
    table: Array

    def __call__(self, lag_h: float) -> float:
        return self._local(lag_h)[0]

    def slope(self, lag_h: float) -> float:
        """Derivative by the lag, 1/h: that of the same cubic that `__call__` reads."""
        return self._local(lag_h)[1]

    def _local(self, lag_h: float) -> tuple[float, float]:
        place = (lag_h - self.first_lag_h) / self.step_h
        i = int(np.floor(place))
        if i < 1 or i > len(self.table) - 3:
            return 0.0, 0.0
        before, left, right, after = self.table[i - 1 : i + 3]
        u = place - i
        m0, m1 = 0.5 * (right - before), 0.5 * (after - left)
        d = right - left
        a, b = m0 + m1 - 2.0 * d, 3.0 * d - 2.0 * m0 - m1
        return float(((a * u + b) * u + m0) * u + left), float(((3.0 * a * u + 2.0 * b) * u + m0) / self.step_h)


def overlap(first: tuple[Array, Array], second: tuple[Array, Array], repair_rate_per_h: float) -> Overlap:
    """Of two courses (times_h (nt,), dose rate (nt,) on any scale).

    c(lag) = K12(lag)/sqrt(K11(0) K22(0)) with K12 = int int r1(t) r2(s - lag) exp(-mu |t - s|) ds dt.

    Raises `BadInput` for a repair rate not above 0 or a course that is not positive anywhere.
    """
    if not (np.isfinite(repair_rate_per_h) and repair_rate_per_h > 0.0):
        raise BadInput(f"repair_rate_per_h = {repair_rate_per_h:g}; it must be finite and above 0.")
    longest = max(float(first[0][-1]), float(second[0][-1]))
    step = max(_STEP_OF_REPAIR * np.log(2.0) / repair_rate_per_h, longest / _MOST_POINTS)
    n = int(np.ceil(longest / step)) + 1
    size = int(fft.next_fast_len(4 * n, real=True))
    a, b = (fft.rfft(_shares(*course, step, n), size) for course in (first, second))
    lags = fft.fftfreq(size, 1.0 / size) * step
    kernel = fft.rfft(np.exp(-repair_rate_per_h * np.abs(lags))).real
    own = [float(fft.irfft(np.abs(x) ** 2 * kernel, size)[0]) for x in (a, b)]
    mixed = fft.irfft(a * np.conj(b) * kernel, size)
    ordered = np.concatenate([mixed[-(n - 1) :], mixed[:n]])
    return Overlap(-(n - 1) * step, step, np.clip(ordered / np.sqrt(own[0] * own[1]), 0.0, 1.0))


def _shares(times: Array, dose_rate: Array, step: float, n: int) -> Array:
    """Share of the dose in each step around k ``step``; the sum is 1."""
    edges = np.maximum(np.arange(n + 1) - 0.5, 0.0) * step
    rate = np.maximum(dose_rate, 0.0)
    given = cumulative_trapezoid(rate, times, initial=0)
    shares = np.diff(np.interp(edges, times, given))
    if not shares.sum() > 0.0:
        raise BadInput("A course of dose rate is zero; it gives no dose.")
    return np.asarray(shares / shares.sum())
