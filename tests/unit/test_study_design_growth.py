"""Log kill of a course net of growth, against cell numbers followed through it, and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from decide_cases import agent, lesion
from nichedose.decide import Administration, LesionResponse, course_effect
from nichedose.study.design_growth import net_kill

MBQ = 4000.0


def of_half_life(half_life_h: float) -> LesionResponse:
    """Its kill is linear in dose, so that a part of the dose counts at once."""
    return lesion(A=agent("A", 1, alpha=True, half_life_h=half_life_h))


def fewest(one: LesionResponse, cycles: int, interval_h: float, doubling_time_h: float) -> float:
    """-log10 of the fewest cells of a course over those at its start: every kind of cell divides and is killed."""
    a = one["A"]
    per_Gy = np.concatenate([a.linear[0], a.linear[1]]) * MBQ / np.trapezoid(a.rate_per_h, a.times_h)
    cells = np.concatenate([0.8 * one.clonogens, 0.2 * one.clonogens])
    now, low = np.zeros(cells.size), 0.0
    for n in range(1, cycles + 1):
        length = interval_h if n < cycles else float(a.times_h[-1])

        def change(t: float, _: np.ndarray, n: int = n) -> np.ndarray:
            rate = sum(float(np.interp(t + k * interval_h, a.times_h, a.rate_per_h, right=0.0)) for k in range(n))
            return math.log(2.0) / doubling_time_h - per_Gy * rate

        run = solve_ivp(change, (0.0, length), now, rtol=1e-8, atol=1e-10, max_step=5.0)
        total = np.log10(cells @ np.exp(run.y) / cells.sum())
        low, now = min(low, float(total.min())), run.y[:, -1]
    return -low


@pytest.mark.parametrize(("half_life_h", "interval_h", "doubling_time_h"), [
    (50.0, 1008.0, 3000.0),  # fewest in the last cycle
    (200.0, 300.0, 1500.0),  # labels of several cycles at once
    (50.0, 1008.0, 500.0),  # growth in an interval outdoes a cycle: fewest in the first
    (50.0, 400.0, 700.0),
    (12.0, 100.0, 300.0),
])
def test_net_kill_is_that_of_cells_that_divide_and_are_killed(
    half_life_h: float, interval_h: float, doubling_time_h: float
) -> None:
    """1e-3 of a decade: times of the fewest cells are 5 h apart at most, where their number is flat."""
    one = of_half_life(half_life_h)
    for cycles in (1, 3):
        found = net_kill(one, "A", MBQ, cycles, interval_h, doubling_time_h)
        assert found == pytest.approx(fewest(one, cycles, interval_h, doubling_time_h), abs=1e-3)


def test_a_course_too_weak_for_its_interval_does_what_its_first_cycle_does() -> None:
    one = of_half_life(50.0)
    first = net_kill(one, "A", MBQ, 1, 1008.0, 500.0)
    assert net_kill(one, "A", MBQ, 6, 1008.0, 500.0) == pytest.approx(first, rel=1e-9)
    assert net_kill(one, "A", 1.0, 6, 1008.0, 24.0) == 0.0  # never below the number before therapy


def test_a_label_gone_long_before_the_next_cycle_pays_for_the_interval() -> None:
    """As `rank` counts it: kill of the course less growth between the first and the last administration."""
    one = of_half_life(0.5)
    doubling_time_h, cycles, interval_h = 5000.0, 3, 1008.0
    whole = course_effect(one, [Administration("A", MBQ, interval_h * i) for i in range(cycles)]).log_kill
    growth = (cycles - 1) * interval_h / doubling_time_h * math.log10(2.0)
    assert net_kill(one, "A", MBQ, cycles, interval_h, doubling_time_h) == pytest.approx(whole - growth, abs=1e-3)


def test_without_growth_nothing_is_lost() -> None:
    one = lesion()
    gross = net_kill(one, "A", MBQ, 3, 1008.0, None)
    assert net_kill(one, "A", MBQ, 3, 1008.0, 1e12) == pytest.approx(gross, rel=2e-4)  # the search ends at 1e-5
