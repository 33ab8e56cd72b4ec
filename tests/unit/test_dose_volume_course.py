"""Dose rate over time in a 3-D map: the pairs, their bound, and each time convolved by itself."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose import CHARGED, convolve, convolve_course
from nichedose.dose.history import G_TARGET
from nichedose.dose.repair import integral_weights, repair_form
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

TIMES_H = np.concatenate([[0.0], np.geomspace(0.5, 900.0, 32)])
SHAPE = (4, 9, 8)


def _maps() -> tuple[Array, Array]:
    rng = np.random.default_rng(6)
    peak, washout, uptake = (scale * np.exp(0.6 * rng.normal(size=SHAPE)) for scale in (1.0, 0.02, 0.4))
    t = TIMES_H[:, None, None, None]
    course = peak * np.abs(np.exp(-washout * t) - np.exp(-uptake * t))
    return np.tensordot(integral_weights(TIMES_H.tobytes()), course, axes=1), course


def test_rates_are_those_of_each_time_convolved() -> None:
    """With all pairs the dose rate at a time is the convolution of the activity then: 1e-4 of the peak."""
    tia, course = _maps()
    dose, history = convolve_course(tia, course, TIMES_H, "177Lu", 100.0, quality=CHARGED, pairs=32)
    rates = np.multiply.outer(history.base_per_h, dose.total_Gy)
    rates += np.tensordot(history.curves_per_h.T, history.maps_Gy, axes=1)
    for i in (2, 9, 17, 25):
        wanted = convolve(course[i], "177Lu", 100.0, quality=CHARGED).total_Gy
        np.testing.assert_allclose(rates[i], wanted, rtol=0, atol=1e-4 * float(rates.max()))
    np.testing.assert_allclose(dose.total_Gy, convolve(tia, "177Lu", 100.0, quality=CHARGED).total_Gy)


def test_the_bound_holds_in_every_voxel() -> None:
    tia, course = _maps()
    results = [convolve_course(tia, course, TIMES_H, "225Ac", 40.0, quality="alpha", pairs=n) for n in (32, 1)]
    form, found = repair_form(TIMES_H.tobytes(), 1.2), []
    for dose, history in results:
        total = dose.total_Gy
        rates = np.multiply.outer(history.base_per_h, total)
        rates += np.tensordot(history.curves_per_h.T, history.maps_Gy, axes=1)
        flat = rates.reshape(len(TIMES_H), -1)
        found.append(np.sum(flat * (form @ flat), axis=0) / total.ravel() ** 2)
    assert 0.0 < float(np.abs(found[1] - found[0]).max()) <= results[1][1].g_error
    chosen = convolve_course(tia, course, TIMES_H, "225Ac", 40.0, quality="alpha")[1]
    assert chosen.g_error <= G_TARGET or len(chosen.maps_Gy) == 6
    assert chosen.maps_Gy.shape[1:] == SHAPE


@pytest.mark.parametrize(("changes", "message"), [
    ({"times_h": TIMES_H[::-1]}, "that rise"),
    ({"activity": np.ones((2, 2))}, "shape of tia_map"),
    ({"activity": -np.ones((len(TIMES_H), *SHAPE))}, "0 or above"),
    ({"pairs": 1.5}, "whole number"),
    ({"spacing_um": 0.0}, "above 0 um"),
    ({"nuclide": "177Lx"}, "Did you mean"),
])
def test_bad_input(changes: dict[str, object], message: str) -> None:
    given: dict[str, object] = {
        "tia_map": np.ones(SHAPE), "activity": np.ones((len(TIMES_H), *SHAPE)), "times_h": TIMES_H, "nuclide": "177Lu",
        "spacing_um": 100.0}
    with pytest.raises(BadInput, match=message):
        convolve_course(**{**given, **changes})  # type: ignore[arg-type]
