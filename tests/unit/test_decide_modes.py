"""Comparison modes and the activity that saturation asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nichedose.decide import Tolerance, activity_for_mode, solve_activity
from nichedose.errors import BadInput, DidNotConverge, NotComputed

TOLERANCE = Tolerance(5000.0, "kidneys", (), True, "")
REFUSED = Tolerance(None, None, (), False, "marrow: no dose coefficient is known")


def activity(mode: Any, **change: Any) -> float:
    numbers: dict[str, Any] = {
        "cycles": 4,
        "prescribed_MBq": 7400.0,
        "equal_activity_MBq": 1000.0,
        "equal_mean_dose_Gy": 10.0,
        "mean_dose_Gy_per_MBq": 5e-4,
        "tolerance": TOLERANCE,
    }
    return activity_for_mode(mode, **(numbers | change))


def test_modes() -> None:
    assert activity("as_prescribed") == 7400.0
    assert activity("equal_activity") == 1000.0
    assert activity("equal_toxicity") == 5000.0
    per_cycle = activity("equal_mean_dose")
    assert 4 * per_cycle * 5e-4 == pytest.approx(10.0)  # the mean dose is that of the whole course


def test_modes_that_cannot_be_evaluated() -> None:
    with pytest.raises(NotComputed, match="marrow: no dose coefficient is known"):
        activity("equal_toxicity", tolerance=REFUSED)
    with pytest.raises(NotComputed, match="not evaluated"):
        activity("equal_toxicity", tolerance=None)
    with pytest.raises(NotComputed, match="no dose"):
        activity("equal_mean_dose", mean_dose_Gy_per_MBq=0.0)
    with pytest.raises(BadInput, match="Unknown"):
        activity("equal_luck")
    with pytest.raises(BadInput, match="at least one"):
        activity("as_prescribed", cycles=0)


class Counted:
    """A saturating dose, and how often it was asked for."""

    def __init__(self, top_Gy: float, half_MBq: float) -> None:
        self.top_Gy, self.half_MBq, self.calls = top_Gy, half_MBq, 0

    def __call__(self, activity_MBq: float) -> float:
        self.calls += 1
        return self.top_Gy * activity_MBq / (activity_MBq + self.half_MBq)


@pytest.mark.parametrize("start", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("target", [0.5, 10.0, 27.0])
def test_solves_a_saturating_dose(target: float, start: float) -> None:
    dose = Counted(30.0, 4000.0)
    found = solve_activity(target, dose, start)
    assert found == pytest.approx(4000.0 * target / (30.0 - target), rel=2e-3)
    assert Counted(30.0, 4000.0)(found) == pytest.approx(target, rel=1e-4)
    assert dose.calls <= 20


def test_proportional_dose_takes_two_solves_from_above() -> None:
    calls: list[float] = []

    def dose(a: float) -> float:
        calls.append(a)
        return 0.01 * a

    assert solve_activity(10.0, dose, 5000.0) == pytest.approx(1000.0)
    assert len(calls) == 2


def test_steep_dose() -> None:
    assert solve_activity(1.0, lambda a: (a / 100.0) ** 6, 3.0) == pytest.approx(100.0, rel=1e-4)


def test_unreachable_dose() -> None:
    with pytest.raises(DidNotConverge, match=r"levels off near .* saturated"):
        solve_activity(31.0, Counted(30.0, 4000.0), 1e3)


def test_bad_dose_or_target() -> None:
    with pytest.raises(DidNotConverge, match="finite"):
        solve_activity(1.0, lambda _: float("nan"), 1.0)
    for target, start in [(0.0, 1.0), (1.0, 0.0), (np.nan, 1.0)]:
        with pytest.raises(BadInput, match="above 0"):
            solve_activity(target, lambda a: a, start)
