"""Objectives of a course in one draw, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from nichedose.decide.burden import worst_burden
from nichedose.decide.course import Administration, course_effect, course_mean_dose_Gy
from nichedose.decide.response import LesionResponse
from nichedose.effect import Repopulation, region_effect
from nichedose.errors import BadInput, NotComputed, near_miss

__all__ = ["BURDENS", "OBJECTIVES", "CourseOutcome", "Objective", "course_outcome", "objective_named"]

Objective = Literal["log_kill", "tcp", "worst_decile", "mean_dose", "organ_burden"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
BURDENS: frozenset[str] = frozenset({"organ_burden"})
"""Objectives of which less is better."""


@dataclass(frozen=True)
class CourseOutcome:
    """``worst_decile``: log kill of the tenth of clonogens that survive best; ``organ_burden``: share of the first
    limit to be reached, None where organ data lack; ``tcp`` None without a clonogen density. With growth
    ``log_kill``, ``worst_decile`` and ``tcp`` are those when fewest clonogens are left (`course_effect`)."""

    log_kill: float
    worst_decile: float
    mean_dose: float
    tcp: float | None
    organ_burden: float | None
    limiting_organ: str | None

    def value(self, objective: Objective) -> float:
        """NaN where it was not computed: `rank` takes that as not evaluable."""
        found = getattr(self, objective)
        return float("nan") if found is None else float(found)


def objective_named(name: str) -> Objective:
    """Raises `BadInput` with a near miss for an objective that is not computed.

    >>> objective_named("log_kill")
    'log_kill'
    """
    for known in OBJECTIVES:
        if name == known:
            return known
    raise BadInput(f"The objective '{name}' is not computed.{near_miss(name, OBJECTIVES)}")


def course_outcome(
    lesion: LesionResponse, course: Sequence[Administration], growth: Repopulation | None = None
) -> CourseOutcome:
    """All objectives of ``course`` in one draw."""
    effect = course_effect(lesion, course, growth)
    region = region_effect({"all": np.minimum(effect.log_survival, 0.0)}, {"all": effect.clonogens})
    try:
        burden = worst_burden(lesion, course)
    except NotComputed:
        burden = None
    number = lesion.clonogens_in_lesion
    return CourseOutcome(
        log_kill=effect.log_kill,
        worst_decile=-region.log_worst_decile_survival / float(np.log(10.0)) - effect.log10_growth,
        mean_dose=course_mean_dose_Gy(lesion, course),
        tcp=None if number is None else float(np.exp(-number * 10.0**-effect.log_kill)),
        organ_burden=None if burden is None else burden.share,
        limiting_organ=None if burden is None else burden.organ,
    )
