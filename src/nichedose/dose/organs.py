"""Organ dose: the MIRD sum over source organs."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nichedose.dose.numbers import one_number
from nichedose.dose.result import QUALITIES, Quality
from nichedose.dose.units import DECAYS_PER_MBQ_H
from nichedose.errors import BadInput, near_miss

__all__ = ["organ_dose"]


def organ_dose(
    time_integrated_activity_MBq_h: Mapping[str, float],
    s_values: Mapping[tuple[str, str], float | Mapping[Quality, float]],
) -> dict[str, dict[Quality | str, float]]:
    """Dose to each target by radiation quality, Gy: the sum over sources of decays times S (MIRD Pamphlet 21).

    ``s_values`` holds Gy per decay under ``(target, source)``: one number, or one for each quality. Single numbers
    come back under the quality ``"all"``. Doses are physical; S values that already hold a radiation weight (some
    tables weight alphas by 5) must not be given. Raises `BadInput` for negative or infinite numbers, and where a
    target that has an S value from one source lacks it from another.

    >>> organ_dose({"liver": 10.0}, {("kidney", "liver"): 1e-13})
    {'kidney': {'all': 0.0036}}
    """
    for name, given in (("time_integrated_activity_MBq_h", time_integrated_activity_MBq_h), ("s_values", s_values)):
        if not isinstance(given, Mapping):
            raise BadInput(f"{name} = {given!r}; give a mapping: activity by source, S values by (target, source).")
    for source, activity in time_integrated_activity_MBq_h.items():
        _check(f"time-integrated activity of '{source}'", activity, "MBq.h")
    for key in s_values:
        if not (isinstance(key, tuple) and len(key) == 2):
            raise BadInput(f"s_values holds {key!r}; its keys are pairs (target, source).")
    known = sorted({source for _, source in s_values})
    for source in time_integrated_activity_MBq_h:
        if source not in known:
            raise BadInput(f"No S value from source '{source}'.{near_miss(source, known)}")
    dose: dict[str, dict[Quality | str, float]] = {}
    for target in dict.fromkeys(target for target, _ in s_values):
        total: dict[Quality | str, float] = {}
        for source, activity in time_integrated_activity_MBq_h.items():
            for quality, value in _by_quality(target, source, s_values).items():
                total[quality] = total.get(quality, 0.0) + activity * DECAYS_PER_MBQ_H * value
        dose[target] = total
    return dose


def _by_quality(
    target: str, source: str, s_values: Mapping[tuple[str, str], float | Mapping[Quality, float]]
) -> dict[Quality | str, float]:
    if (target, source) not in s_values:
        raise BadInput(f"No S value for target '{target}' from source '{source}', which holds activity; give it, as 0 "
                       "where it is known to be negligible.")
    given = s_values[target, source]
    found: dict[Quality | str, float] = {}
    if isinstance(given, Mapping):
        found.update(given.items())
    else:
        found["all"] = given
    for quality, value in found.items():
        if quality not in (*QUALITIES, "all"):
            raise BadInput(f"S value of '{target}' from '{source}': no quality '{quality}'."
                           f"{near_miss(quality, QUALITIES)}")
        found[quality] = _check(f"S value of '{target}' from '{source}'", value, "Gy per decay")
    return found


def _check(what: str, value: float, unit: str) -> float:
    number = one_number(f"The {what}", value, unit)
    if not (math.isfinite(number) and number >= 0.0):
        raise BadInput(f"The {what} is {value} {unit}; it must be finite and not negative.")
    return number
