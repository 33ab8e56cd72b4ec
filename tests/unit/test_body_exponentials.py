"""Plasma curves as exponentials: linear bodies, and sinks that saturate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from nichedose.body.exponentials import fit_exponentials
from nichedose.errors import BadInput, DidNotConverge

TIMES = np.geomspace(1e-3, 1500.0, 400)


def test_three_phases_come_back() -> None:
    c = 30.0 * np.exp(-20.0 * TIMES) + 5.0 * np.exp(-0.7 * TIMES) + np.exp(-0.02 * TIMES)
    curve, error = fit_exponentials(TIMES, c)
    assert error < 2e-3
    assert min(curve.amplitudes_nmol_per_L) > 0.0


@pytest.mark.parametrize("dose", [0.3, 3.0, 10.0, 30.0])
def test_a_sink_that_saturates_needs_both_signs(dose: float) -> None:
    """Michaelis-Menten loss: while the sink is full the curve is a straight line down, no sum of positive terms."""
    c = solve_ivp(lambda _, y: -2.0 * y / (5.0 + y) - 0.003 * y, (0.0, 1500.0), [dose], method="LSODA", t_eval=TIMES,
                  rtol=1e-10, atol=1e-14).y[0].clip(min=0.0)
    curve, error = fit_exponentials(TIMES, c, 0.004)
    assert error < 0.02
    assert curve.concentration_nmol_per_L(np.geomspace(1e-4, 1e4, 2000)).min() >= -1e-9 * dose
    area = np.trapezoid(c * np.exp(-0.004 * TIMES), TIMES)
    assert curve.integral_nmol_h_per_L(0.004) == pytest.approx(area, rel=0.02)


def test_a_curve_that_starts_late_is_refused() -> None:
    with pytest.raises(DidNotConverge, match="bolus"):
        fit_exponentials(TIMES, np.where(TIMES > 500.0, 1.0, 0.0))


@pytest.mark.parametrize("bad", [np.full(400, np.nan), np.zeros(400), np.ones(399)])
def test_arrays_that_are_no_curve_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(BadInput, match="Plasma"):
        fit_exponentials(TIMES, bad)
