"""At which activity the maps, histograms and organ doses of a candidate hold: that of the central run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from nichedose.report.format import activity
from nichedose.results import CandidateSummary, Quantiles

__all__ = ["course_at", "course_in_short", "courses_of_maps"]


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
