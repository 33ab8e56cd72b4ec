"""A course: which agent, how much, when; and what it does to a lesion and to the organs, with exact derivatives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import logsumexp

from nichedose.decide.overlap import Overlap, overlap
from nichedose.decide.response import LesionResponse
from nichedose.effect import Repopulation, fewest_left
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = [
    "Administration", "CourseEffect", "by_cycle", "course_effect", "course_mean_dose_Gy", "regular_course",
]

_LN10 = float(np.log(10.0))


@dataclass(frozen=True)
class Administration:
    """``activity_MBq`` of ``agent`` at ``time_h``."""

    agent: str
    activity_MBq: float
    time_h: float = 0.0


@dataclass(frozen=True)
class CourseEffect:
    """Survival of a course: ``log_survival`` (m,) natural log, ``clonogens`` (m,), by voxel and class of tumour cell
    (see `LesionResponse.groups`), without growth; ``log_kill`` over all clonogens, less ``log10_growth``.

    With growth all are those after the administration that leaves fewest clonogens, ``last``; without, after the whole
    course. ``by_activity`` (k,) and ``by_time`` (k,) are derivatives of the log kill by each administration's activity
    (per MBq) and time (per h), exact.
    """

    log_survival: Array
    clonogens: Array
    log_kill: float
    log10_growth: float
    last: int
    by_activity: Array
    by_time: Array


def regular_course(
    activities_MBq: Mapping[str, float], cycles: int, interval_h: float, offsets_h: Mapping[str, float] | None = None
) -> tuple[Administration, ...]:
    """``cycles`` times the same administrations, ``interval_h`` apart; ``offsets_h`` delays an agent in each cycle.

    Raises `BadInput` for fewer than one cycle, cycles that overlap (an offset that reaches the next cycle, no time
    between cycles), negative activities or no agent.

    >>> [a.time_h for a in regular_course({"177Lu-PSMA-617": 7400.0}, 3, 1008.0)]
    [0.0, 1008.0, 2016.0]
    """
    offsets = dict(offsets_h or {})
    if not activities_MBq:
        raise BadInput("A course needs at least one agent.")
    if cycles < 1:
        raise BadInput(f"cycles = {cycles}; a course has at least one.")
    if cycles > 1 and not (math.isfinite(interval_h) and interval_h > 0.0):
        raise BadInput(f"interval = {interval_h:g} h between {cycles} cycles; it must be above 0.")
    for name, offset in offsets.items():
        if name not in activities_MBq:
            known = ", ".join(activities_MBq)
            raise BadInput(f"An offset is given for '{name}', which is not in the course ({known}).")
        if not (math.isfinite(offset) and offset >= 0.0):
            raise BadInput(f"The offset of {name} is {offset:g} h; it must be 0 or more.")
        if cycles > 1 and offset >= interval_h:
            raise BadInput(f"Cycles overlap impossibly: {name} comes {offset:g} h after the start of a cycle, the next "
                           f"cycle {interval_h:g} h after it. Make the interval longer or the offset shorter.")
    for name, activity in activities_MBq.items():
        if not (math.isfinite(activity) and activity >= 0.0):
            raise BadInput(f"The activity of {name} is {activity:g} MBq; it must be finite and not negative.")
    return tuple(
        Administration(name, activity, c * interval_h + offsets.get(name, 0.0))
        for c in range(cycles)
        for name, activity in activities_MBq.items()
    )


def by_cycle(
    course: Sequence[Administration], in_cycle: Mapping[str, Sequence[str]]
) -> tuple[Administration, ...]:
    """A regular course with each agent named as the response that its cycle meets, where ``in_cycle`` tells one."""
    agents = len({a.agent for a in course})
    return tuple(dataclasses.replace(a, agent=in_cycle[a.agent][i // agents]) if a.agent in in_cycle else a
                 for i, a in enumerate(course))


def course_effect(
    lesion: LesionResponse, course: Sequence[Administration], growth: Repopulation | None = None
) -> CourseEffect:
    """-ln S = sum_j (l_j A_j + q_j A_j^2) + sum_{j<k} 2 sqrt(q_j q_k) c_jk(t_k - t_j) A_j A_k.

    The first sum is each administration alone; the second is what unrepaired damage of one adds to the other
    (`overlap`, from the section's mean courses). Log kill: the mean over clonogens first, then the logarithm. With
    ``growth`` it is that after the administration that leaves fewest clonogens (`fewest_left`), less the growth
    until then.
    """
    if not course:
        raise BadInput("A course needs at least one administration.")
    agents = [lesion[a.agent] for a in course]
    groups = lesion.groups([a.agent for a in course])
    weight = np.concatenate([share * lesion.clonogens for share, _ in groups])
    linear = np.stack([np.concatenate([a.linear[rows[a.target]] for _, rows in groups]) for a in agents])
    root = np.sqrt(np.stack([np.concatenate([a.quadratic[rows[a.target]] for _, rows in groups]) for a in agents]))
    activity = np.array([a.activity_MBq for a in course])
    coupling, slope = _coupling(lesion, course)
    given = root * activity[:, None]
    weight = weight / weight.sum()
    order = np.argsort([a.time_h for a in course], kind="stable")
    last, grown = len(course) - 1, 0.0
    if growth is not None:
        in_order = given[order]
        earlier = np.tril(coupling[np.ix_(order, order)], -1) @ in_order
        left = -np.cumsum(activity[order, None] * linear[order] + in_order * (in_order + 2.0 * earlier), axis=0)
        times = np.array([course[i].time_h for i in order])
        last, grown = fewest_left(logsumexp(left, axis=1, b=weight), times - times[0], growth)
    counts = np.zeros(len(course), dtype=bool)
    counts[order[: last + 1]] = True
    given = np.where(counts[:, None], given, 0.0)
    mixed = coupling @ given
    log_survival = -((activity * counts) @ linear + np.sum(given * mixed, axis=0))
    log_mean = float(logsumexp(log_survival, b=weight))
    share = weight * np.exp(log_survival - log_mean)  # of the survivors
    by_activity = np.where(counts, (linear + 2.0 * root * mixed) @ share / _LN10, 0.0)
    by_time = 2.0 * np.einsum("jn,jk,kn,n->j", given, slope, given, share, optimize=True) / _LN10
    if growth is not None and grown > 0.0:
        by_time[order[last]] -= growth.log10_per_h
        by_time[order[0]] += growth.log10_per_h
    return CourseEffect(log_survival, weight, -(log_mean + grown) / _LN10, grown / _LN10, int(order[last]), by_activity,
                        by_time)


def course_mean_dose_Gy(lesion: LesionResponse, course: Sequence[Administration]) -> float:
    """Mean dose of the section over the whole course, Gy, qualities unweighted."""
    return float(sum(lesion[a.agent].mean_dose_Gy_per_MBq * a.activity_MBq for a in course))


def _coupling(lesion: LesionResponse, course: Sequence[Administration]) -> tuple[Array, Array]:
    """c_jk (1 on the diagonal), and its derivative by t_j."""
    k = len(course)
    value, slope = np.eye(k), np.zeros((k, k))
    for j in range(k):
        for m in range(j + 1, k):
            shared, lag = _overlap_of(lesion, course[j].agent, course[m].agent), course[m].time_h - course[j].time_h
            if shared is None:
                continue
            value[j, m] = value[m, j] = shared(lag)
            rate = shared.slope(lag)
            slope[j, m], slope[m, j] = -rate, rate
    return value, slope


def _overlap_of(lesion: LesionResponse, first: str, second: str) -> Overlap | None:
    """None where one of the two leaves no repairable damage."""
    a, b = lesion[first], lesion[second]
    if not (a.quadratic.any() and b.quadratic.any()):
        return None
    return _kept(a.times_h.tobytes(), a.rate_per_h.tobytes(), b.times_h.tobytes(), b.rate_per_h.tobytes(),
                 lesion.repair_rate_per_h)


@lru_cache(maxsize=1024)
def _kept(times_a: bytes, rate_a: bytes, times_b: bytes, rate_b: bytes, repair_rate_per_h: float) -> Overlap:
    first, second = (np.frombuffer(times_a), np.frombuffer(rate_a)), (np.frombuffer(times_b), np.frombuffer(rate_b))
    return overlap(first, second, repair_rate_per_h)
