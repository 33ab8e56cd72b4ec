"""Time course of dose rate: the inner product, the pairs, and the bound on G."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.ndimage import gaussian_filter

from nichedose.dose import DoseMap, SectionGeometry, section_dose
from nichedose.dose.history import G_TARGET, MOST_PAIRS, REPAIR_HALF_TIMES_H
from nichedose.dose.repair import integral_weights, repair_form
from nichedose.fields.grid import Array, Grid

TIMES_H = np.concatenate([[0.0], np.geomspace(0.2, 1500.0, 48)])
GRID = Grid((24, 28), 30.0)


def _maps(spread: float) -> tuple[Array, Array]:
    """Per-voxel bi-exponentials with log-normal rates: time-integrated activity and activity (nt, ny, nx)."""
    rng = np.random.default_rng(4)

    def field() -> Array:
        return np.asarray(np.exp(spread * 4.0 * gaussian_filter(rng.normal(size=GRID.shape), 2.0)))

    peak, washout, uptake = field(), 0.02 * field(), 0.4 * field()
    activity = peak * (np.exp(-washout * TIMES_H[:, None, None]) - np.exp(-uptake * TIMES_H[:, None, None]))
    return peak * (1.0 / washout - 1.0 / uptake), activity


def _run(
    tia: Array, activity: Array, nuclide: str = "177Lu", surroundings: str = "isolated", **options: Any
) -> DoseMap:
    geometry = SectionGeometry("slab", 5e3, surroundings, 5e3)  # type: ignore[arg-type]  # one of three names
    return section_dose(
        GRID, np.ones(GRID.shape, bool), nuclide, tia_MBq_h_per_L=tia, cells={}, times_h=TIMES_H,
        activity_MBq_per_L=activity, geometry=geometry, cell_radius_um=7.0, nucleus_radius_um=5.0, **options)


def _dose(spread: float = 0.5, **options: Any) -> DoseMap:
    return _run(*_maps(spread), **options)


def _rates(dose: DoseMap) -> Array:
    """Dose rate (nt, ny, nx), Gy/h."""
    total = np.asarray(sum(dose.by_quality.values()))
    h = dose.history
    return np.asarray(np.multiply.outer(h.base_per_h, total) + np.tensordot(h.curves_per_h.T, h.maps_Gy, axes=1))


def _g(rates: Array, dose: Array, half_time_h: float) -> Array:
    form = repair_form(TIMES_H.tobytes(), half_time_h)
    flat = rates.reshape(len(TIMES_H), -1)
    return np.asarray((np.sum(flat * (form @ flat), axis=0) / dose.ravel() ** 2).reshape(dose.shape))


@pytest.mark.parametrize("half_time_h", [0.5, 3.0])
def test_inner_product_against_quadrature(half_time_h: float) -> None:
    """<f, f> of a straight line from 1 to 0 over 0-2 h, against nested quadrature: 1e-9."""
    mu = np.log(2.0) / half_time_h
    times = np.array([0.0, 0.3, 2.0])
    values = 1.0 - times / 2.0
    form = repair_form(times.tobytes(), half_time_h)

    def inner(t: float) -> float:
        return float(quad(lambda s: (1.0 - s / 2.0) * np.exp(-mu * (t - s)), 0.0, t, epsabs=1e-13)[0])

    exact = 2.0 * quad(lambda t: (1.0 - t / 2.0) * inner(t), 0.0, 2.0, epsabs=1e-12)[0]
    assert float(values @ form @ values) == pytest.approx(exact, rel=1e-9)


def test_inner_product_is_continuous_and_has_its_limits() -> None:
    """No jump where closed forms take over from quadrature; fast repair: 2/mu int f^2 (1 % at mu = 700/h); none:
    (int f)^2."""
    times = np.linspace(0.0, 10.0, 11)
    f = np.exp(-times / 4.0)
    below, above = (repair_form(times.tobytes(), np.log(2.0) / x) for x in (1.0 - 1e-9, 1.0 + 1e-9))
    np.testing.assert_allclose(below, above, rtol=1e-6, atol=1e-9)
    straight = sum((a * a + a * b + b * b) / 3.0 for a, b in itertools.pairwise(f))
    fast = np.log(2.0) / 700.0
    assert float(f @ repair_form(times.tobytes(), fast) @ f) == pytest.approx(2.0 / 700.0 * straight, rel=0.01)
    area = float(np.trapezoid(f, times))
    assert float(f @ repair_form(times.tobytes(), 1e9) @ f) == pytest.approx(area**2, rel=1e-6)
    assert float(integral_weights(times.tobytes()) @ f) == pytest.approx(4.0 * (1.0 - np.exp(-2.5)), rel=1e-4)


@pytest.mark.parametrize("surroundings", ["isolated", "uniform", "mirror"])
@pytest.mark.parametrize("pairs", [0, 1, 3, None])
def test_curves_leave_the_dose_alone(surroundings: str, pairs: int | None) -> None:
    """The mean course integrates to 1 and each pair's curve to 0 (1e-9 of what it integrates in absolute value)."""
    history = _dose(surroundings=surroundings, pairs=pairs).history
    weights = integral_weights(TIMES_H.tobytes())
    assert float(weights @ history.base_per_h) == pytest.approx(1.0)
    for curve in history.curves_per_h:
        assert abs(float(weights @ curve)) < 1e-9 * float(np.abs(weights) @ np.abs(curve))
    if pairs is not None:
        assert len(history.curves_per_h) == len(history.maps_Gy) == pairs


@pytest.mark.parametrize("nuclide", ["177Lu", "225Ac"])
@pytest.mark.parametrize("surroundings", ["isolated", "uniform", "mirror"])
def test_bound_on_g_holds_in_every_voxel(nuclide: str, surroundings: str) -> None:
    """G of all pairs against G of the first n, for repair half-times in and between those that the bound names."""
    full = _dose(nuclide=nuclide, surroundings=surroundings, pairs=12)
    total = np.asarray(sum(full.by_quality.values()))
    assert full.history.g_error < 1e-5
    bounds = []
    for pairs in (0, 1, 2, 3):
        short = _dose(nuclide=nuclide, surroundings=surroundings, pairs=pairs)
        bounds.append(short.history.g_error)
        for half_time in (*REPAIR_HALF_TIMES_H, 0.8, 2.0):
            difference = np.abs(_g(_rates(full), total, half_time) - _g(_rates(short), total, half_time))
            assert float(difference.max()) <= bounds[-1] + full.history.g_error
    assert bounds == sorted(bounds, reverse=True)


def test_pairs_are_chosen_for_the_target() -> None:
    chosen = _dose(0.6).history
    assert chosen.g_error <= G_TARGET or len(chosen.curves_per_h) == MOST_PAIRS
    assert 1 <= len(chosen.curves_per_h) <= MOST_PAIRS


def test_rates_are_those_of_each_time_convolved() -> None:
    """With all pairs the dose rate at a time is the convolution of the activity then: 1e-4 of the peak.

    Each voxel's course is scaled (here by less than 1 %) so that it integrates to the time-integrated activity.
    """
    tia, activity = _maps(0.5)
    areas = np.tensordot(integral_weights(TIMES_H.tobytes()), activity, axes=1)
    rates = _rates(_dose(pairs=16))
    for k in (3, 20, 35):
        then = _run(activity[k] * tia / areas, activity, history=False)
        np.testing.assert_allclose(rates[k], sum(then.by_quality.values()), atol=1e-4 * float(rates[k].max()))


def test_same_course_everywhere_needs_no_pair() -> None:
    tia, _ = _maps(0.5)
    activity = np.multiply.outer(np.exp(-TIMES_H / 100.0), tia)
    dose = _run(tia, activity, "90Y")
    assert len(dose.history.curves_per_h) == 0 and dose.history.g_error < 1e-6


def test_without_history_nothing_is_claimed() -> None:
    dose = _dose(nuclide="90Y", history=False)
    assert dose.history.g_error == np.inf and dose.history.maps_Gy.shape == (0, *GRID.shape)


def test_no_activity_at_all() -> None:
    dose = _run(np.zeros(GRID.shape), np.zeros((len(TIMES_H), *GRID.shape)), surroundings="uniform")
    assert not any(d.any() for d in dose.by_quality.values())
    assert np.isfinite(dose.history.base_per_h).all() and dose.history.g_error == 0.0
