"""How fast an organ's dose rate falls, as far as repair during the dose asks: for BED."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nichedose.case import Administration
from nichedose.case import Patient as CasePatient
from nichedose.fields.grid import Array
from nichedose.library.schema import LabelledForm, OrganLimit
from nichedose.study.administration import USUAL
from nichedose.study.whole_body import organ_exposures
from nichedose.values import Value

__all__ = ["half_life_as_repaired_h", "half_lives_of_curves", "organ_half_lives"]


def half_life_as_repaired_h(times_h: Array, activity: Array, repair_half_time_h: float) -> float:
    """Half-life of the one exponential that leaves as much of the quadratic term as all of ``activity`` does.

    ``activity`` is straight between the times: it may jump, as where the next part of a split dose is given.

    >>> t = np.linspace(0.0, 800.0, 4001)
    >>> round(half_life_as_repaired_h(t, np.exp(-math.log(2.0) / 40.0 * t), 2.8), 2)
    40.0
    """
    mu, steps = math.log(2.0) / repair_half_time_h, np.diff(times_h)
    left, rise = np.exp(-mu * steps), np.diff(activity) / steps
    gained = (activity[:-1] - rise / mu) * -np.expm1(-mu * steps) / mu + rise * steps / mu
    unrepaired = np.zeros_like(activity)
    for i, (kept, new) in enumerate(zip(left, gained, strict=True)):
        unrepaired[i + 1] = kept * unrepaired[i] + new
    g = 2.0 * float(np.trapezoid(activity * unrepaired, times_h)) / float(np.trapezoid(activity, times_h)) ** 2
    return repair_half_time_h * (1.0 / g - 1.0)


def half_lives_of_curves(
    curves: Mapping[str, tuple[Array, Array]], limits: Sequence[OrganLimit]
) -> dict[str, Value]:
    """Of each organ with a BED limit, by its ``curves`` (times, activity); spread about it as the limit's own."""
    return {limit.organ: _spread_as(
                known, half_life_as_repaired_h(*curves[limit.organ], repair.central))
            for limit, repair, known in _of_bed(limits) if limit.organ in curves}


def organ_half_lives(
    form: LabelledForm, given: CasePatient, radionuclide: str, limits: Sequence[OrganLimit],
    how: Administration = USUAL,
) -> dict[str, Value]:
    """The same in the case's patient, given as ``how`` says, at the medians of the whole-body set."""
    found = organ_exposures(form, given, radionuclide, form.injected_nmol.central, how)
    return half_lives_of_curves({o: (e.times_h, e.activity) for o, e in found.items()}, limits)


def _of_bed(limits: Sequence[OrganLimit]) -> Iterator[tuple[OrganLimit, Value, Value]]:
    for limit in limits:
        repair, known = limit.repair_half_time_h, limit.effective_half_life_h
        if limit.quantity == "bed" and repair is not None and known is not None:
            yield limit, repair, known


def _spread_as(known: Value, half_life_h: float) -> Value:
    note = "The whole-body model's dose rate of this organ; spread as that of the limit."
    return known.times(half_life_h / known.central).model_copy(
        update={"evidence": "assumed", "read": "none", "source": None, "locator": None, "note": note})
