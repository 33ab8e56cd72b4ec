"""Courses of several agents: survival, shared damage, organs, and their exact derivatives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from decide_cases import TIMES_H, agent, lesion
from nichedose.decide import (
    Administration,
    CandidateCourse,
    LesionResponse,
    course_burdens,
    course_effect,
    course_in_mode,
    course_outcome,
    overlap,
    regular_course,
    scale_to_limits,
    worst_burden,
)
from nichedose.effect import Repopulation, g_exponentials
from nichedose.errors import BadInput, NotComputed

MODES = {"equal_activity_MBq": 1000.0, "equal_mean_dose_Gy": 10.0}


def kill(log_survival: np.ndarray, weights: np.ndarray) -> float:
    return float(-np.log10(np.sum(weights * np.exp(log_survival)) / weights.sum()))


def test_one_administration_is_the_quadratic_of_each_class() -> None:
    one = lesion()
    a = one["A"]
    expected = [-(a.linear[row] * 3000.0 + a.quadratic[row] * 3000.0**2) for row in (0, 1)]
    weights = np.concatenate([0.8 * one.clonogens, 0.2 * one.clonogens])
    found = course_effect(one, [Administration("A", 3000.0)])
    assert found.log_kill == pytest.approx(kill(np.concatenate(expected), weights), rel=1e-12)


def test_an_agent_whose_target_no_tumour_cell_bears_has_one_class() -> None:
    one = lesion()
    found = course_effect(one, [Administration("B", 3000.0)])
    assert found.log_survival.shape == one.clonogens.shape


def test_two_targets_make_four_classes_and_shares_multiply() -> None:
    one = dataclasses.replace(lesion(), bearing={"PSMA": 0.8, "FAP": 0.3})
    assert sorted(round(s, 6) for s, _ in one.groups(["A", "B"])) == [0.06, 0.14, 0.24, 0.56]


def test_administrations_far_apart_add_up() -> None:
    """60 weeks between administrations of at most 200 h of half-life: nothing is shared."""
    one = lesion()
    alone = course_effect(one, [Administration("A", 2000.0)]).log_survival
    both = course_effect(one, regular_course({"A": 2000.0}, 3, 10080.0)).log_survival
    assert both == pytest.approx(3.0 * alone, rel=1e-12)


def test_two_halves_at_once_are_the_whole() -> None:
    """Splitting one administration into two at the same time must change nothing: all damage is shared."""
    one = lesion()
    whole = course_effect(one, [Administration("A", 4000.0)]).log_kill
    halves = course_effect(one, [Administration("A", 1000.0), Administration("A", 3000.0)]).log_kill
    assert halves == pytest.approx(whole, rel=1e-9)


def mixed_damage(k1: float, k2: float, mu: float, lag: float) -> float:
    """K12 of two exponentials by hand, the second ``lag`` behind the first."""
    if lag < 0.0:
        return mixed_damage(k2, k1, mu, -lag)
    first_before = k1 * k2 / (mu - k1) * (np.exp(-k1 * lag) / (k1 + k2) - np.exp(-mu * lag) / (mu + k2))
    return float(first_before + k1 * k2 / (mu - k2) * np.exp(-k1 * lag) * (1.0 / (k1 + k2) - 1.0 / (mu + k1)))


@pytest.mark.parametrize("lag_h", [0.0, 2.0, 12.0, 100.0, -50.0])
def test_shared_damage_of_exponentials_against_the_closed_form(lag_h: float) -> None:
    """The table's step, a fifth of the repair half-time, allows 0.3 %."""
    mu, k1, k2 = np.log(2.0) / 1.5, np.log(2.0) / 50.0, np.log(2.0) / 30.0
    curve = [(TIMES_H, np.exp(-k * TIMES_H)) for k in (k1, k2)]
    own = [g_exponentials([1.0], [k], mu) for k in (k1, k2)]
    expected = mixed_damage(k1, k2, mu, lag_h) / np.sqrt(own[0] * own[1])
    assert overlap(curve[0], curve[1], mu)(lag_h) == pytest.approx(expected, rel=3e-3)


def test_the_overlap_of_a_curve_with_itself_is_one_and_falls() -> None:
    curve = TIMES_H, np.exp(-0.02 * TIMES_H)
    shared = overlap(curve, curve, np.log(2.0) / 1.5)
    assert shared(0.0) == pytest.approx(1.0, abs=1e-12)
    values = [shared(lag) for lag in (0.0, 1.0, 10.0, 100.0, 400.0)]
    assert values == sorted(values, reverse=True) and shared(5000.0) == 0.0


def course_of(x: np.ndarray) -> list[Administration]:
    return [Administration(n, a, t) for n, a, t in zip("ABCA", x[:4], x[4:], strict=True)]


def test_derivatives_agree_with_finite_differences() -> None:
    one = lesion()
    x = np.array([2500.0, 1800.0, 900.0, 2000.0, 0.3, 6.1, 30.2, 45.7])
    effect = course_effect(one, course_of(x))
    exact = np.concatenate([effect.by_activity, effect.by_time])
    steps = np.array([1.0] * 4 + [1e-3] * 4)
    for i, step in enumerate(steps):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slope = (course_effect(one, course_of(up)).log_kill - course_effect(one, course_of(down)).log_kill) / (2 * step)
        assert exact[i] == pytest.approx(slope, rel=1e-3, abs=1e-12), i


def test_burdens_add_over_agents_and_differentiate() -> None:
    one = lesion(Q=agent("Q", 9, quadratic_organ=2e-9))
    course = [Administration("A", 10000.0), Administration("Q", 20000.0, 500.0)]
    by_organ = {b.organ: b for b in course_burdens(one, course)}
    assert by_organ["kidney"].share == pytest.approx((4e-4 * 30000.0) / 20.0)
    assert by_organ["marrow"].share == pytest.approx((3e-5 * 30000.0 + 2e-9 * 20000.0**2) / 2.0)
    assert by_organ["marrow"].by_activity == pytest.approx([1.5e-5, (3e-5 + 4e-9 * 20000.0) / 2.0])
    scale = scale_to_limits(one, course)
    scaled = [Administration(a.agent, a.activity_MBq * scale, a.time_h) for a in course]
    assert worst_burden(one, scaled).share == pytest.approx(1.0)


def test_modes_of_a_pair() -> None:
    one = lesion()
    pair = CandidateCourse("pair", {"A": 0.25, "B": 0.75}, 3, 1008.0)
    prescribed = course_in_mode(one, pair, "as_prescribed", **MODES)
    assert [a.activity_MBq for a in prescribed[:2]] == [1250.0, 3750.0] and len(prescribed) == 6
    equal = course_in_mode(one, pair, "equal_activity", **MODES)
    assert sum(a.activity_MBq for a in equal) == pytest.approx(1000.0)
    same_dose = course_in_mode(one, pair, "equal_mean_dose", **MODES)
    assert course_outcome(one, same_dose).mean_dose == pytest.approx(10.0)
    tolerated = course_in_mode(one, pair, "equal_toxicity", **MODES)
    assert course_outcome(one, tolerated).organ_burden == pytest.approx(1.0)


def test_growth_between_administrations_is_taken_off() -> None:
    one = lesion()
    course = regular_course({"A": 3000.0}, 3, 720.0)
    growth = Repopulation(7200.0)
    plain, grown = (course_outcome(one, course, g) for g in (None, growth))
    for name in ("log_kill", "worst_decile"):
        assert getattr(plain, name) - getattr(grown, name) == pytest.approx(0.2 * np.log10(2.0))
    late = course_outcome(one, course, Repopulation(7200.0, starts_h=720.0))
    assert plain.log_kill - late.log_kill == pytest.approx(0.1 * np.log10(2.0))


def test_a_course_that_growth_outruns_has_done_what_went_before() -> None:
    """The order in which administrations are named does not matter, and none adds to what is counted later."""
    one = lesion()
    course = regular_course({"A": 3000.0, "B": 1000.0}, 3, 720.0, {"B": 24.0})
    fast = Repopulation(48.0)
    found = course_effect(one, course, fast)
    assert found.log_kill == pytest.approx(course_effect(one, course[:1], fast).log_kill)  # B comes too late as well
    assert (found.last, found.log10_growth) == (0, 0.0)
    assert course_effect(one, course[::-1], fast).log_kill == pytest.approx(found.log_kill)
    assert not found.by_activity[1:].any() and not found.by_time.any()
    first_cycle = course_effect(one, course, Repopulation(400.0))
    assert first_cycle.last == 1
    assert first_cycle.log_kill == pytest.approx(course_effect(one, course[:2]).log_kill - 24.0 / 400.0 * np.log10(2.0))


@pytest.mark.parametrize("doubling_time_h", [5.0, 60.0, 1e4])
def test_derivatives_under_growth_agree_with_finite_differences(doubling_time_h: float) -> None:
    one, growth = lesion(), Repopulation(doubling_time_h, starts_h=2.0)
    x = np.array([2500.0, 1800.0, 900.0, 2000.0, 0.3, 6.1, 30.2, 45.7])
    effect = course_effect(one, course_of(x), growth)
    exact = np.concatenate([effect.by_activity, effect.by_time])
    for i, step in enumerate(np.array([1.0] * 4 + [1e-3] * 4)):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        high, low = (course_effect(one, course_of(y), growth) for y in (up, down))
        assert high.last == low.last == effect.last
        assert exact[i] == pytest.approx((high.log_kill - low.log_kill) / (2 * step), rel=1e-3, abs=1e-12), i


def test_a_missing_organ_is_no_burden_and_no_mode() -> None:
    bare = dataclasses.replace(agent("N", 5), organs=(), missing="kidney: no dose coefficient")
    one = lesion(N=bare)
    assert course_outcome(one, [Administration("N", 100.0)]).organ_burden is None
    with pytest.raises(NotComputed, match="kidney"):
        course_in_mode(one, CandidateCourse("n", {"N": 1.0}, 1, 100.0), "equal_toxicity", **MODES)


@pytest.mark.parametrize(("activities", "cycles", "interval", "offsets", "words"), [
    ({}, 1, 1.0, {}, "at least one agent"),
    ({"A": 1.0}, 0, 1.0, {}, "at least one"),
    ({"A": 1.0}, 2, 0.0, {}, "above 0"),
    ({"A": 1.0}, 2, float("nan"), {}, "above 0"),
    ({"A": 1.0, "B": 1.0}, 2, 24.0, {"B": 24.0}, "overlap impossibly"),
    ({"A": 1.0}, 2, 24.0, {"B": 1.0}, "not in the course"),
    ({"A": 1.0}, 2, 24.0, {"A": -1.0}, "0 or more"),
    ({"A": -1.0}, 1, 24.0, {}, "not negative"),
])
def test_impossible_courses_are_refused(activities, cycles, interval, offsets, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadInput, match=words):
        regular_course(activities, cycles, interval, offsets)


def test_other_mistakes_are_refused() -> None:
    one = lesion()
    with pytest.raises(BadInput, match="sum to 1"):
        CandidateCourse("p", {"A": 0.5, "B": 0.6}, 1, 24.0)
    with pytest.raises(BadInput, match="not among the agents"):
        course_effect(one, [Administration("X", 1.0)])
    with pytest.raises(BadInput, match="at least one administration"):
        course_effect(one, [])
    with pytest.raises(BadInput, match="doubling_time"):
        course_outcome(one, [Administration("A", 1.0)], Repopulation(0.0))
    with pytest.raises(BadInput, match="finite, not negative"):
        LesionResponse({"A": dataclasses.replace(one["A"], linear=one["A"].linear * np.nan)}, one.clonogens,
                       one.bearing, 0.4)
    with pytest.raises(BadInput, match="clonogens"):
        LesionResponse({}, np.zeros(3), {}, 0.4)
    with pytest.raises(BadInput, match="repair_rate"):
        overlap((TIMES_H, TIMES_H), (TIMES_H, TIMES_H), 0.0)
    with pytest.raises(NotComputed, match="no limit"):
        scale_to_limits(one, [Administration("A", 0.0)])


@pytest.mark.parametrize("growth", [None, Repopulation(1e4), Repopulation(50.0), Repopulation(50.0, starts_h=1e4)])
def test_an_agent_of_no_activity_has_the_derivative_of_a_little(growth: Repopulation | None) -> None:
    """At 0 MBq it kills nobody, at the time of another or before growth starts; the first MBq of it does."""
    one, step = lesion(), 1e-3
    course = regular_course({"A": 3000.0, "B": 0.0, "C": 0.0}, 3, 1000.0)
    effect = course_effect(one, course, growth)
    for j, given in enumerate(course):
        more = [*course[:j], dataclasses.replace(given, activity_MBq=given.activity_MBq + step), *course[j + 1:]]
        slope = (course_effect(one, more, growth).log_kill - effect.log_kill) / step
        assert effect.by_activity[j] == pytest.approx(slope, rel=1e-4, abs=1e-12), j
