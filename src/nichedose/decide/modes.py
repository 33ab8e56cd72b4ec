"""The activity at which candidates are compared."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from nichedose.decide.tolerance import Tolerance
from nichedose.errors import BadInput, DidNotConverge, NotComputed

__all__ = ["Mode", "activity_for_mode", "solve_activity"]

Mode = Literal["as_prescribed", "equal_activity", "equal_mean_dose", "equal_toxicity"]


def activity_for_mode(
    mode: Mode,
    *,
    cycles: int,
    prescribed_MBq: float,
    equal_activity_MBq: float,
    equal_mean_dose_Gy: float,
    mean_dose_Gy_per_MBq: float,
    tolerance: Tolerance | None,
) -> float:
    """Activity per administration (MBq) of a candidate in ``mode``, at fixed ligand mass.

    ``mean_dose_Gy_per_MBq`` is the section's mean dose of one administration; ``equal_mean_dose_Gy`` is meant for the
    whole course of ``cycles``. Raises `NotComputed` where the mode cannot be evaluated for this candidate.
    """
    if cycles < 1:
        raise BadInput(f"cycles = {cycles}; a course has at least one.")
    if mode == "as_prescribed":
        return prescribed_MBq
    if mode == "equal_activity":
        return equal_activity_MBq
    if mode == "equal_mean_dose":
        if not mean_dose_Gy_per_MBq > 0.0:
            raise NotComputed("The candidate gives no dose to the section: no activity reaches the wanted mean dose.")
        return equal_mean_dose_Gy / (cycles * mean_dose_Gy_per_MBq)
    if mode != "equal_toxicity":
        raise BadInput(f"Unknown comparison mode '{mode}'.")
    if tolerance is None or tolerance.activity_MBq is None:
        reason = "organ limits were not evaluated" if tolerance is None else tolerance.reason
        raise NotComputed(f"No tolerated activity: {reason}.")
    return tolerance.activity_MBq


def solve_activity(
    target_mean_dose: float,
    mean_dose_of_activity: Callable[[float], float],
    start: float,
    *,
    relative_tolerance: float = 1e-4,
    max_evaluations: int = 40,
) -> float:
    """The activity whose mean dose is ``target_mean_dose`` when ligand mass, too, rises with activity: dose saturates.

    Each call of ``mean_dose_of_activity`` solves the kinetics again, so few are made: regula falsi (Illinois) inside a
    bracket that grows from ``start`` in proportion. The dose must be zero at zero activity and rise with it.
    Raises `BadInput` for a target or start not above 0, `DidNotConverge` where the dose levels off below the target.
    """
    if not (target_mean_dose > 0.0 and start > 0.0):
        raise BadInput(f"The wanted mean dose ({target_mean_dose:g} Gy) and the first activity ({start:g} MBq) must be "
                       "above 0.")
    low, low_miss = 0.0, -target_mean_dose
    high = start
    for used in range(1, max_evaluations + 1):
        miss = _miss(mean_dose_of_activity, high, target_mean_dose)
        if abs(miss) <= relative_tolerance * target_mean_dose:
            return high
        if miss > 0.0:
            return _illinois((low, low_miss), (high, miss), target_mean_dose, mean_dose_of_activity,
                             relative_tolerance, max_evaluations - used)
        reached = miss + target_mean_dose
        if used > 1 and miss - low_miss <= 1e-6 * target_mean_dose:
            break
        low, low_miss = high, miss
        high *= min(max(1.1 * target_mean_dose / max(reached, 1e-300), 2.0), 10.0)
    raise DidNotConverge(f"The mean dose levels off near {miss + target_mean_dose:.3g} Gy at {high:.3g} MBq, below the "
                         f"wanted {target_mean_dose:g} Gy: the targets are saturated. Ask for less dose, or hold the "
                         "ligand mass fixed.")


def _illinois(
    below: tuple[float, float], above: tuple[float, float], target: float, dose: Callable[[float], float],
    tolerance: float, evaluations: int,
) -> float:
    (a, miss_a), (b, miss_b) = below, above
    for _ in range(evaluations):
        x = (a * miss_b - b * miss_a) / (miss_b - miss_a)
        miss = _miss(dose, x, target)
        if abs(miss) <= tolerance * target:
            return x
        if miss * miss_b < 0.0:
            a, miss_a = b, miss_b
        else:
            miss_a *= 0.5  # the same end was kept twice: halve its weight, or it never moves
        b, miss_b = x, miss
    raise DidNotConverge(f"No activity between {min(a, b):g} and {max(a, b):g} MBq gave a mean dose of {target:g} Gy "
                         f"within a relative {tolerance:g}.")


def _miss(dose: Callable[[float], float], activity: float, target: float) -> float:
    value = dose(activity)
    if not (math.isfinite(value) and value >= 0.0):
        raise DidNotConverge(f"The mean dose at {activity:g} MBq is {value}; it must be finite and not negative.")
    return value - target
