"""The log kill of a course in a tumour that grows: kill less growth, at the time when fewest cells are left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar

from nichedose.decide import Administration, LesionResponse, course_effect
from nichedose.effect import Repopulation
from nichedose.fields.grid import Array

__all__ = ["Lowest", "lowest", "net_kill"]

FINER = 16  # parts of a run's step between which a share of the dose is taken to rise evenly


@dataclass(frozen=True)
class Lowest:
    """``log_kill``, net of growth, when fewest cells are left. ``ages_h`` and ``shares`` (k,) of the administrations
    given by then, first to last: time since each, and how much of its dose it has given."""

    log_kill: float
    ages_h: Array
    shares: Array


def lowest(
    kill: Callable[[Array], float], share_of: Callable[[Array], Array], *,
    gone_h: float, cycles: int, interval_h: float, doubling_time_h: float, tolerance: float,
) -> Lowest:
    """The largest of kill less growth since the first administration, over all times of the course.

    ``kill`` is the log kill of administrations that have given these shares of their dose, ``share_of`` the share by
    time since an administration, of which nothing is left after ``gone_h``. ``tolerance`` is of the root of a time over
    ``gone_h``: most of a dose comes early. Each cycle has its own best time. One whose whole kill, at the growth of its
    start, is below what another reaches is not searched.
    """
    per_h = Repopulation(doubling_time_h).log10_per_h

    def ages(given: int, root: float) -> Array:
        return gone_h * root**2 + interval_h * np.arange(given - 1, -1, -1.0)

    def net(given: int, root: float) -> float:
        at = ages(given, root)
        return kill(share_of(at)) - per_h * float(at[0])

    ends = {n: min(interval_h / gone_h, 1.0) ** 0.5 if n < cycles else 1.0 for n in range(1, cycles + 1)}
    above = {n: kill(share_of(ages(n, end))) - per_h * interval_h * (n - 1) for n, end in ends.items()}
    best, given, root = 0.0, 1, 0.0  # before therapy
    for n in sorted(above, key=lambda n: -above[n]):
        if above[n] <= best:
            break
        found = minimize_scalar(lambda u, n=n: -net(n, u), bounds=(0.0, ends[n]), method="bounded",
                                options={"xatol": tolerance})
        if -found.fun > best:
            best, given, root = -float(found.fun), n, float(found.x)
    at = ages(given, root)
    return Lowest(best, at, share_of(at))


def net_kill(
    lesion: LesionResponse, agent: str, activity_MBq: float, cycles: int, interval_h: float,
    doubling_time_h: float | None,
) -> float:
    """Log kill of ``cycles`` administrations, net of growth until fewest cells are left.

    They share no unrepaired damage. The dose that one has given by then counts as an administration of that share of
    the activity.
    """
    def kill(shares: Array) -> float:
        return course_effect(lesion, [Administration(agent, activity_MBq * float(share), 1e6 * i)
                                      for i, share in enumerate(shares)]).log_kill

    if doubling_time_h is None:
        return kill(np.ones(cycles))
    one = lesion[agent]
    # steps of the run are long where little changes: the spline that repair takes, between them too
    times_h = np.interp(np.arange((one.times_h.size - 1) * FINER + 1) / FINER, np.arange(one.times_h.size), one.times_h)
    given = CubicSpline(one.times_h, one.rate_per_h).antiderivative()(times_h)
    shares = np.maximum.accumulate(given / given[-1])
    return lowest(
        kill, lambda ages: np.interp(ages, times_h, shares), gone_h=float(times_h[-1]), cycles=cycles,
        interval_h=interval_h, doubling_time_h=doubling_time_h, tolerance=1e-5).log_kill
