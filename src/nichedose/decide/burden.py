"""What a course takes of each organ's tolerance, alone or with other agents."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.decide.course import Administration
from nichedose.decide.response import LesionResponse, OrganTerm
from nichedose.errors import NotComputed
from nichedose.fields.grid import Array

__all__ = ["Burden", "course_burdens", "scale_to_limits", "worst_burden"]


@dataclass(frozen=True)
class Burden:
    """Share of an organ's limits that a course and earlier treatment use; ``quantities`` by agent.

    ``by_activity`` (k,): derivative by each administration's activity, 1/MBq.
    """

    organ: str
    quantities: tuple[str, ...]
    share: float
    by_activity: Array


def course_burdens(lesion: LesionResponse, course: Sequence[Administration]) -> tuple[Burden, ...]:
    """Every organ against its limits: shares of the agents are added, each in the quantity of its own limit.

    Adding shares is exact for agents under one limit of absorbed or weighted dose; for limits in different quantities,
    and for the BED of agents whose doses do not overlap in time, it is the usual convention. Earlier treatment counts
    once, at its largest share. Where an agent has two limits for an organ, every choice is a burden of its own.
    Raises `NotComputed` for an agent without the organ data that its limits need.
    """
    names = list(dict.fromkeys(a.agent for a in course))
    for name in names:
        if lesion[name].missing or not lesion[name].organs:
            raise NotComputed(f"{name} has no organ burden: {lesion[name].missing or 'no organ data'}.")
    organs = list(dict.fromkeys(t.organ for name in names for t in lesion[name].organs))
    return tuple(b for organ in organs for b in _of_organ(lesion, course, names, organ))


def worst_burden(lesion: LesionResponse, course: Sequence[Administration]) -> Burden:
    """The organ that is nearest to, or furthest above, its limit."""
    return max(course_burdens(lesion, course), key=lambda b: b.share)


def scale_to_limits(lesion: LesionResponse, course: Sequence[Administration]) -> float:
    """The factor on all activities at which the first limit is reached; 0 where earlier treatment has reached it."""
    if not any(a.activity_MBq > 0.0 for a in course):
        raise NotComputed("A course without activity reaches no limit at any scale.")
    factors = [_factor(*terms) for terms in _polynomials(lesion, course)]
    return min(factors)


def _of_organ(
    lesion: LesionResponse, course: Sequence[Administration], names: Sequence[str], organ: str
) -> list[Burden]:
    found = []
    for choice in _choices(lesion, names, organ):
        share, slopes = max((t.prior_Gy / t.limit_Gy for t in choice.values()), default=0.0), np.zeros(len(course))
        for j, a in enumerate(course):
            if a.agent in choice:
                t = choice[a.agent]
                share += (t.per_MBq + t.per_MBq2 * a.activity_MBq) * a.activity_MBq / t.limit_Gy
                slopes[j] = (t.per_MBq + 2.0 * t.per_MBq2 * a.activity_MBq) / t.limit_Gy
        found.append(Burden(organ, tuple(dict.fromkeys(t.quantity for t in choice.values())), share, slopes))
    return found


def _choices(lesion: LesionResponse, names: Sequence[str], organ: str) -> list[Mapping[str, OrganTerm]]:
    by_agent = {name: [t for t in lesion[name].organs if t.organ == organ] for name in names}
    bearing = {name: terms for name, terms in by_agent.items() if terms}
    return [dict(zip(bearing, choice, strict=True)) for choice in itertools.product(*bearing.values())]


def _polynomials(lesion: LesionResponse, course: Sequence[Administration]) -> list[tuple[float, float, float]]:
    """Share = a + b s + c s^2 for a common factor s, of every organ and choice of limits."""
    out = []
    doubled = [Administration(a.agent, 2.0 * a.activity_MBq, a.time_h) for a in course]
    nothing = [Administration(a.agent, 0.0, a.time_h) for a in course]
    for zero, one, two in zip(*(course_burdens(lesion, c) for c in (nothing, course, doubled)), strict=True):
        square = max(0.5 * (two.share - 2.0 * one.share + zero.share), 0.0)
        out.append((zero.share, one.share - zero.share - square, square))
    return out


def _factor(a: float, b: float, c: float) -> float:
    left = 1.0 - a
    if left <= 0.0:
        return 0.0
    if b <= 0.0 and c <= 0.0:
        return math.inf
    return 2.0 * left / (b + math.sqrt(b * b + 4.0 * c * left))
