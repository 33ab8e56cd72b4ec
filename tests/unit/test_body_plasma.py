"""Multi-exponential plasma curves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from nichedose.body import PlasmaCurve
from nichedose.errors import BadInput


def test_values_and_areas() -> None:
    curve = PlasmaCurve((30.0, 4.0), (2.0, 0.1))
    values = curve.concentration_nmol_per_L(np.array([[0.0, 1.0]]))
    assert np.allclose(values, [[34.0, 30 * np.exp(-2) + 4 * np.exp(-0.1)]])
    for decay in (0.0, 0.3):
        area, _ = quad(lambda t, d=decay: float(curve.concentration_nmol_per_L(t)) * np.exp(-d * t), 0, np.inf)
        assert curve.integral_nmol_h_per_L(decay) == pytest.approx(area, rel=1e-7)
    assert curve.scaled(3.0).integral_nmol_h_per_L() == pytest.approx(3.0 * curve.integral_nmol_h_per_L())


def test_uptake_from_a_depot_is_a_difference_that_stays_positive() -> None:
    assert PlasmaCurve((-5.0, 5.0), (2.0, 0.1)).concentration_nmol_per_L(0.0) == 0.0
    with pytest.raises(BadInput, match="falls below 0"):
        PlasmaCurve((10.0, -5.0), (2.0, 0.1))


@pytest.mark.parametrize(
    ("amplitudes", "rates"),
    [((), ()), ((1.0,), (1.0, 2.0)), ((1.0,), (0.0,)), ((1.0,), (-1.0,)), ((np.nan,), (1.0,)), ((-1.0,), (1.0,))],
)
def test_impossible_curves(amplitudes: tuple[float, ...], rates: tuple[float, ...]) -> None:
    with pytest.raises(BadInput):
        PlasmaCurve(amplitudes, rates)
