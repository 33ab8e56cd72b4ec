"""A candidate for comparison: one agent or several with a split, at the activity of a comparison mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nichedose.decide.burden import scale_to_limits
from nichedose.decide.course import Administration, by_cycle, regular_course
from nichedose.decide.modes import Mode
from nichedose.decide.response import LesionResponse
from nichedose.errors import BadInput, NotComputed

__all__ = ["CandidateCourse", "course_in_mode"]


@dataclass(frozen=True)
class CandidateCourse:
    """``split`` by agent, positive, sum 1: shares of what each agent alone would be given in the mode.

    As prescribed and at equal activity these are shares of activity; at equal mean dose, of the dose; at equal
    toxicity, of the activity that the limits leave to each, then scaled together until a limit is reached.
    ``in_cycle`` by agent: the response of the lesion to it in each cycle, where cycles meet different tissue.
    """

    name: str
    split: Mapping[str, float]
    cycles: int
    interval_h: float
    offsets_h: Mapping[str, float] = field(default_factory=dict)
    in_cycle: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shares = np.array(list(self.split.values()), dtype=float)
        if not shares.size or not np.isfinite(shares).all() or (shares <= 0.0).any() or abs(shares.sum() - 1.0) > 1e-6:
            raise BadInput(f"{self.name}: the split {dict(self.split)} must hold shares above 0 that sum to 1.")
        regular_course(dict.fromkeys(self.split, 0.0), self.cycles, self.interval_h, self.offsets_h)
        if any(name not in self.split or len(of) != self.cycles for name, of in self.in_cycle.items()):
            raise BadInput(f"{self.name}: in_cycle names a response for each of {self.cycles} cycles of its agents.")

    def responses(self, agent: str) -> tuple[str, ...]:
        """The lesion's response to ``agent`` in each cycle, by name."""
        return self.in_cycle.get(agent, (agent,) * self.cycles)


def course_in_mode(
    lesion: LesionResponse, candidate: CandidateCourse, mode: Mode, *, equal_activity_MBq: float,
    equal_mean_dose_Gy: float
) -> tuple[Administration, ...]:
    """The course of ``candidate`` in ``mode``; ``equal_...`` are meant for the whole course.

    Raises `NotComputed` where the mode cannot be evaluated: no dose to the section, or organ data that lack.
    """
    alone = {name: _alone(lesion, candidate, name, mode, equal_activity_MBq, equal_mean_dose_Gy)
             for name in candidate.split}
    activities = {name: share * alone[name] for name, share in candidate.split.items()}
    course = _given(candidate, activities)
    if mode != "equal_toxicity":
        return course
    scale = scale_to_limits(lesion, course)
    return tuple(Administration(a.agent, a.activity_MBq * scale, a.time_h) for a in course)


def _given(candidate: CandidateCourse, activities_MBq: Mapping[str, float]) -> tuple[Administration, ...]:
    """Cycles one after the other, each with the response that it meets."""
    course = regular_course(activities_MBq, candidate.cycles, candidate.interval_h, candidate.offsets_h)
    return by_cycle(course, candidate.in_cycle)


def _alone(
    lesion: LesionResponse, candidate: CandidateCourse, name: str, mode: Mode, equal_activity_MBq: float,
    equal_mean_dose_Gy: float
) -> float:
    agent = lesion[name]
    if mode == "as_prescribed":
        return agent.prescribed_MBq
    if mode == "equal_activity":
        return equal_activity_MBq / candidate.cycles
    if mode == "equal_mean_dose":
        per_MBq = sum(lesion[response].mean_dose_Gy_per_MBq for response in candidate.responses(name))
        if not per_MBq > 0.0:
            raise NotComputed(f"{name} gives no dose to the section: no activity reaches the wanted mean dose.")
        return equal_mean_dose_Gy / per_MBq
    if mode != "equal_toxicity":
        raise BadInput(f"Unknown comparison mode '{mode}'.")
    one = regular_course({name: agent.prescribed_MBq}, candidate.cycles, candidate.interval_h)
    factor = scale_to_limits(lesion, one)
    if not (np.isfinite(factor) and factor > 0.0):
        raise NotComputed(f"{name}: earlier treatment has reached a limit, or no limit bounds its activity.")
    return agent.prescribed_MBq * factor
