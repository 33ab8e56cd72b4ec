"""Dose and its rate over time in a 3-D map."""

from __future__ import annotations

from typing import Any

import numpy as np

from nichedose.dose.history import compress_history
from nichedose.dose.numbers import real_array, whole_number
from nichedose.dose.result import DoseRateHistory
from nichedose.dose.volume import ConvolvedDose, convolve
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["convolve_course"]


def convolve_course(
    tia_map: Array,
    activity: Array,
    times_h: Array,
    nuclide: str,
    spacing_um: float | tuple[float, float, float],
    *,
    pairs: int | None = None,
    **options: Any,
) -> tuple[ConvolvedDose, DoseRateHistory]:
    """Dose as of `convolve`, and the course of its rate as a few pairs of map and curve.

    ``tia_map`` (nz, ny, nx), MBq.h/L, is convolved exactly; ``activity`` (nt, nz, ny, nx) at ``times_h`` (nt,) gives
    the shape in time alone: between the times it is a spline, and what they do not resolve is in no error; a voxel
    without any follows the mean course. ``options``: those of `convolve`. ``pairs`` fixes their number; None takes as
    many as bring the bound on the Lea-Catcheside factor in the worst voxel (``g_error``) below 1e-3, at most six. Each
    pair is convolved twice, what is above and what is below the mean course, and the bound once for each number tried.
    Raises `BadInput` as `convolve` does, for times that do not rise, for activities of another shape, negative or not
    finite, and for ``pairs`` that is no whole number.

    >>> start = np.ones((3, 3, 3)); start[1] = 3.0
    >>> times = np.linspace(0.0, 600.0, 60)
    >>> course = start * np.exp(-0.02 * times)[:, None, None, None]
    >>> _, history = convolve_course(start / 0.02, course, times, "177Lu", 100.0, quality="beta")
    >>> len(history.maps_Gy)  # every voxel follows the same course
    0
    """
    times, course = real_array("times_h", times_h), real_array("activity", activity)
    if times.ndim != 1 or len(times) < 2 or not bool(np.isfinite(times).all() and (np.diff(times) > 0.0).all()):
        raise BadInput("times_h must be one row of two or more finite hours that rise.")
    if course.shape != (len(times), *np.shape(tia_map)) or not (course.min() >= 0.0 and course.max() < np.inf):
        raise BadInput(f"activity has shape {course.shape}; it must be ({len(times)}, *shape of tia_map), finite and 0 "
                       "or above.")
    if pairs is not None and not whole_number(pairs, 0):
        raise BadInput(f"pairs = {pairs!r}; give a whole number, 0 or above, or None to let the error decide.")

    def dose_Gy(part: Array) -> Array:
        return np.asarray(convolve(part, nuclide, spacing_um, **options).total_Gy, dtype=float)

    def spread(maps: Array) -> Array:
        return np.stack([
            dose_Gy(np.maximum(one, 0.0)) - (dose_Gy(np.maximum(-one, 0.0)) if one.min() < 0.0 else 0.0)
            for one in maps])

    dose = convolve(tia_map, nuclide, spacing_um, **options)
    everywhere = np.ones(np.shape(tia_map), dtype=bool)
    tia, total = real_array("tia_map", tia_map), np.asarray(dose.total_Gy, dtype=float)
    return dose, compress_history(times, course, tia, everywhere, total, spread, pairs)
