"""At which activity the maps, histograms and organ doses of a candidate hold: that of the central run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from nichedose.report.format import Shown, activity, log_kill, quantiles
from nichedose.results import CandidateSummary, Quantiles

__all__ = ["central_beside_draws", "course_at", "course_in_short", "courses_of_maps"]


def course_at(activity_MBq: float, cycles: int) -> str:
    """Activity per administration and how many there are.

    >>> course_at(7400.0, 6), course_at(250.0, 1)
    ('7.40 GBq per administration, whole course of 6', '250 MBq, 1 administration')
    """
    shown = activity(Quantiles(activity_MBq)).text
    return f"{shown}, 1 administration" if cycles == 1 else f"{shown} per administration, whole course of {cycles}"


def course_in_short(activity_MBq: float, cycles: int) -> str:
    """The same for a list.

    >>> course_in_short(7400.0, 6)
    '7.40 GBq × 6'
    """
    return f"{activity(Quantiles(activity_MBq)).text} × {cycles}"


def courses_of_maps(
    maps: xr.Dataset, candidates: Sequence[CandidateSummary], write: Callable[[float, int], str] = course_at
) -> Mapping[str, str]:
    """The course behind each candidate's maps, by name; from the coordinate ``activity``, empty where it is missing."""
    if "activity" not in maps.coords or "candidate" not in maps.coords:
        return {}
    cycles = {c.name: c.cycles for c in candidates}
    pairs = zip(maps["candidate"].values, np.atleast_1d(maps["activity"].values), strict=True)
    return {str(n): write(float(a), cycles[str(n)]) for n, a in pairs if str(n) in cycles and np.isfinite(a)}


def central_beside_draws(candidate: CandidateSummary, mode: str) -> Mapping[str, str]:
    """What the maps of dose and of survival come to in the central run, beside the draws; empty without draws.

    ``mode`` is that which decides; where it was not computed for the candidate the maps are as prescribed.
    """
    outcome = candidate.modes.get(mode)
    if outcome is None or not outcome.evaluable:
        outcome = candidate.modes.get("as_prescribed")
    found = {}
    for kind, word, value, write in (
        ("survival", "log kill", None if outcome is None else outcome.log_kill, log_kill),
        ("dose", "mean dose", None if outcome is None else outcome.mean_dose_Gy, lambda q: quantiles(q, "Gy")),
    ):
        if value is None or value.q50 is None or not np.isfinite(value.central):
            continue
        one, many = write(Quantiles(value.central)), write(value)
        found[kind] = f"The central run has a {word} of {one.text}; over the draws it is {_with_interval(many)}."
    return found


def _with_interval(shown: Shown) -> str:
    return f"{shown.text} ({shown.interval})" if shown.interval else shown.text
