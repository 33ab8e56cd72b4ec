"""Optimised courses: limits hold, derivatives are right, and a long random search is beaten."""

from __future__ import annotations

import numpy as np
import pytest

from decide_cases import agent, lesion
from nichedose.decide.optimise import CourseSpace, _Problem, optimise_course, random_search
from nichedose.effect import Repopulation
from nichedose.errors import BadInput, NotComputed

SPACE = CourseSpace(("A", "B", "C"), 4, (500.0, 2000.0), 200.0)


def many(n: int = 3) -> list:  # type: ignore[type-arg]
    return [lesion(10 * k, B=agent("B", k + 50, target="FAP", half_life_h=30.0, kidney=2e-4, quadratic_organ=3e-9))
            for k in range(n)]


def test_the_limits_hold_and_one_binds() -> None:
    best = optimise_course(many(), SPACE)
    assert max(best.shares.values()) == pytest.approx(1.0, abs=1e-6)
    assert all(share <= 1.0 + 1e-6 for share in best.shares.values())
    assert len(best.course) == 12


def test_the_gradient_of_the_mean_net_log_kill() -> None:
    problem = _Problem(many(), many()[0], SPACE, Repopulation(5000.0))
    x = np.array([0.31, 0.22, 0.17, 0.4, 0.2, 0.6, 0.05])
    value, exact = problem.value(x)
    for i in range(len(x)):
        up, down = x.copy(), x.copy()
        up[i] += 1e-4
        down[i] -= 1e-4
        slope = (problem.value(up)[0] - problem.value(down)[0]) / 2e-4
        assert exact[i] == pytest.approx(slope, rel=1e-3, abs=1e-6), i
    assert np.isfinite(value)


def test_a_thousand_random_courses_are_beaten_at_a_tenth_of_the_evaluations() -> None:
    draws = many(1)
    best = optimise_course(draws, SPACE, growth=Repopulation(1440.0))
    yardstick = random_search(draws, SPACE, 1000, growth=Repopulation(1440.0), seed=1)
    assert best.value > yardstick.value
    assert best.evaluations <= 100 and yardstick.evaluations == 1000


def test_growth_shortens_the_intervals() -> None:
    best = optimise_course(many(), SPACE, growth=Repopulation(1440.0))
    assert best.interval_h == pytest.approx(500.0, rel=1e-3)


@pytest.mark.parametrize("doubling_time_h", [200.0, 1440.0])
def test_an_interval_that_growth_would_outrun_is_left(doubling_time_h: float) -> None:
    """In the middle of the range the first cycle alone counts at 200 h, and the derivative by the interval is 0."""
    growth = Repopulation(doubling_time_h)
    free = optimise_course(many(1), CourseSpace(("A", "B", "C"), 4, (300.0, 2000.0)), growth=growth)
    shortest = optimise_course(many(1), CourseSpace(("A", "B", "C"), 4, (300.0, 300.0)), growth=growth)
    assert free.value >= shortest.value - 1e-6
    assert free.interval_h == pytest.approx(300.0, rel=1e-6)


def test_differences_find_the_same_course() -> None:
    exact = optimise_course(many(1), SPACE)
    rough = optimise_course(many(1), SPACE, gradient="difference")
    assert rough.value == pytest.approx(exact.value, rel=1e-3)


def test_one_agent_is_given_to_its_limit() -> None:
    best = optimise_course(many(1), CourseSpace(("A",), 2, (1000.0, 1000.0)))
    assert max(best.shares.values()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("agents", "cycles", "interval", "offset", "words"), [
    ((), 1, (1.0, 2.0), 0.0, "once"), (("A", "A"), 1, (1.0, 2.0), 0.0, "once"), (("A",), 0, (1.0, 2.0), 0.0, "cycle"),
    (("A",), 2, (2.0, 1.0), 0.0, "interval"), (("A",), 2, (0.0, 1.0), 0.0, "interval"),
    (("A", "B"), 2, (24.0, 48.0), 24.0, "overlap impossibly"),
])
def test_spaces_that_make_no_sense(agents, cycles, interval, offset, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadInput, match=words):
        CourseSpace(agents, cycles, interval, offset)


def test_agents_without_limits_cannot_be_optimised() -> None:
    from dataclasses import replace

    one = lesion(N=replace(agent("N", 3), organs=(), missing="kidney: unknown"))
    with pytest.raises(NotComputed, match="kidney"):
        optimise_course([one], CourseSpace(("N", "A"), 1, (10.0, 10.0)))
    with pytest.raises(BadInput, match="not among"):
        optimise_course([one], CourseSpace(("X",), 1, (10.0, 10.0)))
    with pytest.raises(BadInput, match="one point"):
        random_search([one], CourseSpace(("A",), 1, (10.0, 10.0)), 0)
