"""The best course of given agents under the organ limits, by exact derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.optimize import minimize

from nichedose.decide.burden import course_burdens, scale_to_limits
from nichedose.decide.course import Administration, by_cycle, course_effect, regular_course
from nichedose.decide.response import LesionResponse
from nichedose.effect import Repopulation
from nichedose.errors import BadInput, DidNotConverge, NotComputed
from nichedose.fields.grid import Array

__all__ = ["CourseSpace", "OptimisedCourse", "optimise_course", "random_search"]

CAP = 10.0  # log kill beyond it gains nothing
_TOLERANCE, _ITERATIONS = 1e-7, 40
_DIFFERENCE, _NOTHING = 1e-5, 1e-6
Gradient = Literal["exact", "difference"]


@dataclass(frozen=True)
class CourseSpace:
    """What may vary: the activity of each agent (0 to what its own limits leave), and, where ``low < high``, the
    interval between cycles and the delay of each agent within a cycle (0 to ``longest_offset_h``), all in h.

    ``in_cycle`` by agent: the response that each cycle meets, where a partner drug acts in some of them; times must be
    fixed then, because a response belongs to its time.
    """

    agents: tuple[str, ...]
    cycles: int
    interval_h: tuple[float, float]
    longest_offset_h: float = 0.0
    in_cycle: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        low, high = self.interval_h
        if not self.agents or len(set(self.agents)) != len(self.agents):
            raise BadInput(f"Name each agent to optimise once; got {', '.join(self.agents) or 'none'}.")
        if self.cycles < 1 or not (0.0 < low <= high and math.isfinite(high)):
            raise BadInput(f"cycles = {self.cycles}, interval {low:g} to {high:g} h: there must be a cycle, and the "
                           "interval must be above 0 and not end before it begins.")
        if not 0.0 <= self.longest_offset_h < low:
            raise BadInput(f"Cycles overlap impossibly: delays up to {self.longest_offset_h:g} h within cycles that "
                           f"may be {low:g} h apart.")
        if self.in_cycle and (low < high or self.longest_offset_h > 0.0):
            raise BadInput("Cycles that meet different tissue have fixed times: give one interval, and no delays.")
        if any(name not in self.agents or len(of) != self.cycles for name, of in self.in_cycle.items()):
            raise BadInput(f"in_cycle names a response for each of {self.cycles} cycles of the agents to optimise.")


@dataclass(frozen=True)
class OptimisedCourse:
    """The best course found. ``value`` is the mean over the draws; ``evaluations`` counts calls of the objective, with
    or without its gradient. ``shares`` by organ: of its limit."""

    course: tuple[Administration, ...]
    value: float
    evaluations: int
    interval_h: float
    offsets_h: Mapping[str, float]
    activities_MBq: Mapping[str, float]
    shares: Mapping[str, float] = field(default_factory=dict)


def optimise_course(
    draws: Sequence[LesionResponse], space: CourseSpace, *, limits: LesionResponse | None = None,
    growth: Repopulation | None = None, gradient: Gradient = "exact",
) -> OptimisedCourse:
    """Maximise the mean over ``draws`` of the log kill (each capped at 10; with ``growth`` when fewest clonogens are
    left), with every organ of ``limits`` (the first draw when absent) within its limits.

    Sequential quadratic programming from an equal split and from the best single agent, with growth at the shortest
    interval. ``gradient`` "difference"
    uses differences instead of the exact derivatives, for engines that have none. Raises `NotComputed` for agents
    without organ data, `DidNotConverge` where no start ends within the limits.
    """
    problem = _Problem(draws, limits or draws[0], space, growth)
    starts = [np.full(len(space.agents), 1.0 / len(space.agents))]
    singles = np.eye(len(space.agents))
    values = [problem.value(problem.start(s))[0] for s in singles] if len(space.agents) > 1 else []
    if values:
        starts.append(0.9 * singles[int(np.argmax(values))] + 0.1 / len(space.agents))
    found = [_climb(problem, problem.start(s), gradient) for s in starts]
    feasible = [(value, x) for value, x in found if problem.largest_share(x) <= 1.0 + 1e-6]
    if not feasible:
        raise DidNotConverge("No start of the optimisation ended within the organ limits; simplify the question: fewer "
                             "agents, or a fixed interval.")
    value, x = max(feasible, key=lambda pair: pair[0])
    return problem.result(x, value)


def random_search(
    draws: Sequence[LesionResponse], space: CourseSpace, points: int, *, limits: LesionResponse | None = None,
    growth: Repopulation | None = None, seed: int = 0,
) -> OptimisedCourse:
    """The best of ``points`` random courses, each with a random split, scaled to the organ limits: a yardstick."""
    problem = _Problem(draws, limits or draws[0], space, growth)
    rng = np.random.default_rng(seed)
    best: tuple[float, Array] | None = None
    for _ in range(points):
        x = problem.start(rng.dirichlet(np.ones(len(space.agents))), rng.uniform(size=problem.n_times))
        value = problem.value(x)[0]
        best = (value, x) if best is None or value > best[0] else best
    if best is None:
        raise BadInput("A random search needs one point or more.")
    return problem.result(best[1], best[0])


class _Problem:
    """Unknowns: activities over what each agent's own limits leave, then times over their ranges (0 to 1)."""

    def __init__(
        self, draws: Sequence[LesionResponse], limits: LesionResponse, space: CourseSpace,
        growth: Repopulation | None,
    ) -> None:
        self.draws, self.limits, self.space, self.growth = draws, limits, space, growth
        low, high = space.interval_h
        self.frees_interval = high > low and space.cycles > 1
        self.frees_offsets = space.longest_offset_h > 0.0 and len(space.agents) > 1
        self.n_times = int(self.frees_interval) + len(space.agents) * int(self.frees_offsets)
        self.evaluations = 0
        self.scale = np.array([self._alone(name) for name in space.agents])

    def _alone(self, name: str) -> float:
        one = regular_course({name: 1.0}, self.space.cycles, self.space.interval_h[1])
        factor = scale_to_limits(self.limits, one)
        if not (math.isfinite(factor) and factor > 0.0):
            raise NotComputed(f"{name}: earlier treatment has reached a limit, or no limit bounds its activity.")
        return factor

    def parts(self, x: Array) -> tuple[dict[str, float], float, dict[str, float]]:
        """Activities, interval and offsets."""
        names, n = self.space.agents, len(self.space.agents)
        low, high = self.space.interval_h
        activities = dict(zip(names, np.maximum(x[:n], 0.0) * self.scale, strict=True))
        interval = low + (high - low) * float(x[n]) if self.frees_interval else low
        times = x[n + int(self.frees_interval) :]
        offsets = dict(zip(names, times * self.space.longest_offset_h, strict=True)) if self.frees_offsets else {}
        return activities, interval, offsets

    def course(self, x: Array) -> tuple[Administration, ...]:
        activities, interval, offsets = self.parts(x)
        return by_cycle(regular_course(activities, self.space.cycles, interval, offsets), self.space.in_cycle)

    def start(self, split: Array, times: Array | None = None) -> Array:
        """A split, scaled to the limits."""
        x = np.concatenate([split, self._first_times() if times is None else times])
        x[: len(split)] *= min(scale_to_limits(self.limits, self.course(x)), 1e6)
        return x

    def _first_times(self) -> Array:
        """The middle of each range; with growth the shortest interval, because where intervals let grow more than
        cycles kill only the first cycle counts, and no derivative tells that they should be shorter."""
        times = np.full(self.n_times, 0.5)
        if self.frees_interval and self.growth is not None:
            times[0] = 0.0
        return times

    def value(self, x: Array) -> tuple[float, Array]:
        """Mean net log kill and its exact derivative by ``x``."""
        self.evaluations += 1
        course = self.course(x)
        total, slope = 0.0, np.zeros(len(x))
        for lesion in self.draws:
            effect = course_effect(lesion, course, self.growth)
            total += min(effect.log_kill, CAP)
            if effect.log_kill < CAP:
                slope += self._chain(effect.by_activity, effect.by_time)
        count = len(self.draws)
        return total / count, slope / count

    def _chain(self, by_activity: Array, by_time: Array) -> Array:
        """From administrations (cycle by cycle, agent by agent) to the unknowns."""
        n, cycles = len(self.space.agents), self.space.cycles
        low, high = self.space.interval_h
        parts = [by_activity.reshape(cycles, n).sum(axis=0) * self.scale]
        times = by_time.reshape(cycles, n)
        if self.frees_interval:
            parts.append(np.atleast_1d((np.arange(cycles) @ times).sum() * (high - low)))
        if self.frees_offsets:
            parts.append(times.sum(axis=0) * self.space.longest_offset_h)
        return np.concatenate(parts)

    def room(self, x: Array) -> tuple[Array, Array]:
        """1 - share of every organ limit, and its derivative."""
        n, cycles = len(self.space.agents), self.space.cycles
        burdens = course_burdens(self.limits, self.course(x))
        slope = np.zeros((len(burdens), len(x)))
        slope[:, :n] = [-b.by_activity.reshape(cycles, n).sum(axis=0) * self.scale for b in burdens]
        return np.array([1.0 - b.share for b in burdens]), slope

    def largest_share(self, x: Array) -> float:
        return 1.0 - float(self.room(x)[0].min())

    def result(self, x: Array, value: float) -> OptimisedCourse:
        activities, interval, offsets = self.parts(x)
        shares: dict[str, float] = {}
        for b in course_burdens(self.limits, self.course(x)):
            shares[b.organ] = max(shares.get(b.organ, 0.0), b.share)
        return OptimisedCourse(self.course(x), value, self.evaluations, interval, offsets, activities, shares)


def _climb(problem: _Problem, start: Array, gradient: Gradient) -> tuple[float, Array]:
    def negative(x: Array) -> tuple[float, Array]:
        value, slope = problem.value(x)
        if gradient == "difference":
            slope = _differences(lambda y: problem.value(y)[0], x, value)
        return -value, -slope

    done = minimize(  # type: ignore[call-overload]  # the stubs know no value and slope from one call
        negative, start, jac=True, method="SLSQP", bounds=[(0.0, 1.0)] * len(start),
        constraints=[{"type": "ineq", "fun": lambda x: problem.room(x)[0], "jac": lambda x: problem.room(x)[1]}],
        options={"maxiter": _ITERATIONS, "ftol": _TOLERANCE})
    x = np.clip(np.asarray(done.x, dtype=float), 0.0, 1.0)
    over = problem.largest_share(x)
    if 1.0 < over < 1.01:  # rounding of the last step: back onto the limit
        x[: len(problem.space.agents)] /= over
    n = len(problem.space.agents)
    x[:n] = np.where(x[:n] < _NOTHING, 0.0, x[:n])
    return problem.value(x)[0], x


def _differences(value: Callable[[Array], float], x: Array, at: float) -> Array:
    slope = np.zeros(len(x))
    for i in range(len(x)):
        step = -_DIFFERENCE if x[i] > 0.5 else _DIFFERENCE
        moved = x.copy()
        moved[i] += step
        slope[i] = (value(moved) - at) / step
    return slope
