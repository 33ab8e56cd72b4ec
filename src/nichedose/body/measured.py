"""Activity that was measured in one place over time, as it was reported."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nichedose.body.model import PLASMA, BodyModel
from nichedose.body.regimen import Injection, Regimen
from nichedose.body.solution import BodySolution
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array

__all__ = ["BLOOD", "MeasuredActivity"]

BLOOD = "blood"
MBQ = {"MBq": 1.0, "kBq": 1e-3, "Bq": 1e-6}
PER_ML = {"": 1.0, "mL": 1.0, "L": 1e-3}
UNITS = tuple(f"{base}{'/' if per else ''}{per}" for base in (*MBQ, "%IA") for per in PER_ML)
VOLUME_SLACK = 2.0  # a concentration counts as an amount in the model's volume, which was not measured


@dataclass(frozen=True)
class MeasuredActivity:
    """Activity in ``place`` at ``times_h`` on the regimen's clock, each with a relative standard deviation.

    ``place``: an organ or tumour of the model, 'plasma' or 'blood' (which becomes plasma by haematocrit and the share
    of cells). ``unit`` one of MBq, kBq, Bq, %IA (per cent of injected activity), alone or per mL or L; blood and
    plasma only per volume. ``decay_corrected``: whether ``values`` were corrected to the start of the injection.
    ``relative_sd`` of every point, or one for each; ``calibration_sd`` what all points of this series share besides
    (calibration, outline, partial volume).
    Raises `BadInput`.

    >>> MeasuredActivity("kidney", (24.0, 96.0), (3.1, 0.9), unit="%IA", decay_corrected=True).place
    'kidney'
    """

    place: str
    times_h: tuple[float, ...]
    values: tuple[float, ...]
    unit: str
    decay_corrected: bool
    relative_sd: float | tuple[float, ...] = 0.1
    calibration_sd: float = 0.0

    def __post_init__(self) -> None:
        where = f"Measured activity in '{self.place}'"
        if len(self.times_h) != len(self.values) or not self.values:
            raise BadInput(f"{where}: times_h and values must be equally long, with at least one point; got "
                           f"{len(self.times_h)} and {len(self.values)}.")
        if self.unit not in UNITS:
            raise BadInput(f"{where}: the unit must be one of {', '.join(UNITS)}; got '{self.unit}'.")
        if self.place in (PLASMA, BLOOD) and not self.per_volume:
            raise BadInput(f"{where}: give it per volume, as {self.unit}/mL: the volume that it was sampled from "
                           "is not known.")
        if not isinstance(self.decay_corrected, bool):
            raise BadInput(f"{where}: decay_corrected must be true (values are corrected to the start of the "
                           f"injection) or false (as measured); got {self.decay_corrected!r}.")
        for time in self.times_h:
            if not (math.isfinite(time) and time > 0.0):
                raise BadInput(f"{where}: times must be above 0 h; got {time}.")
        for value in self.values:
            if not (math.isfinite(value) and value > 0.0):
                raise BadInput(f"{where}: values must be finite and above 0; got {value}. Leave out points below the "
                               "limit of detection.")
        if len(set(self.times_h)) < len(self.times_h):
            raise BadInput(f"{where}: a time stands twice; give each time once, as the mean of what was measured.")
        if isinstance(self.relative_sd, tuple) and len(self.relative_sd) != len(self.values):
            raise BadInput(f"{where}: relative_sd must be one number, or one for each of {len(self.values)} values; "
                           f"got {len(self.relative_sd)}.")
        for sd in self.point_sd:
            if not 0.0 < sd <= 1.0:
                raise BadInput(f"{where}: relative_sd must lie above 0 and at most at 1 (0.1 is 10 %); got {sd}.")
        if not 0.0 <= self.calibration_sd <= 1.0:
            raise BadInput(f"{where}: calibration_sd must lie in 0 to 1 (0.1 is 10 %); got {self.calibration_sd}.")

    @property
    def point_sd(self) -> tuple[float, ...]:
        """Relative standard deviation of each point alone."""
        return self.relative_sd if isinstance(self.relative_sd, tuple) else (self.relative_sd,) * len(self.values)

    @property
    def per_volume(self) -> bool:
        return "/" in self.unit

    def as_measured(self, regimen: Regimen, decay_per_h: float) -> Array:
        """MBq, or MBq/mL where the unit is per volume, at each time, with decay. Raises `BadInput`.

        A per cent or a corrected value refers to one injection, so it is refused where several carry activity.
        """
        base, _, per = self.unit.partition("/")
        factor = MBQ.get(base, 0.0) * PER_ML[per]
        active = _active(regimen)
        if (base == "%IA" or self.decay_corrected) and len(active) > 1:
            raise BadInput(f"Measured activity in '{self.place}': {len(active)} injections carry activity, so per "
                           "cents and decay correction have no single reference. Give MBq as measured (not corrected).")
        if base == "%IA":
            factor = 0.01 * active[0].activity_MBq * PER_ML[per]
        since = np.asarray(self.times_h) - active[0].start_h
        if since.min() <= 0.0:
            raise BadInput(f"Measured activity in '{self.place}': a time of {min(self.times_h):g} h is not after the "
                           f"start of the injection ({active[0].start_h:g} h).")
        fade = np.exp(-decay_per_h * since) if self.decay_corrected else 1.0
        return np.asarray(np.asarray(self.values) * factor * fade)

    def refuse_impossible(self, model: BodyModel, regimen: Regimen, decay_per_h: float) -> None:
        """Raises `BadInput` for an unknown place, or for more activity than has been injected and not decayed."""
        known = (*model.volume_L, PLASMA, BLOOD)
        if self.place not in known:
            raise BadInput(f"No place '{self.place}' in this body.{near_miss(self.place, known)}")
        amount = self.as_measured(regimen, decay_per_h)
        if self.per_volume:
            amount = amount * self.volume_mL(model) / VOLUME_SLACK
        for time, MBq, sd in zip(self.times_h, amount, self.point_sd, strict=True):
            left = sum(i.activity_MBq * math.exp(-decay_per_h * (time - i.start_h)) for i in _active(regimen)
                       if i.start_h <= time)
            slack = 2.0 * math.hypot(sd, self.calibration_sd) if self.per_volume else 0.0  # no organ holds all of it
            if MBq > left * (1.0 + slack):
                raise BadInput(
                    f"Measured activity in '{self.place}' at {time:g} h: {MBq:.3g} MBq, but only {left:.3g} MBq of "
                    f"what was injected is left by then. Check the unit ('{self.unit}') and decay_corrected (now "
                    f"{str(self.decay_corrected).lower()}).")

    def volume_mL(self, model: BodyModel) -> float:
        """Volume that holds the place's amount at the measured concentration."""
        if self.place == PLASMA:
            return model.plasma_volume_L * 1e3
        if self.place == BLOOD:  # per volume of plasma, whole blood has 1 - H of plasma and H of cells
            share = 1.0 - model.haematocrit + model.haematocrit * model.blood_cell_ratio
            return model.plasma_volume_L * 1e3 / share
        return model.volume_L[self.place] * 1e3

    def in_model(self, run: BodySolution, label: str) -> Array:
        """What ``run`` has in this place at these times, in the quantity of `as_measured`."""
        at = np.searchsorted(run.times_h, self.times_h)
        place = PLASMA if self.place == BLOOD else self.place
        activity = run.activity_MBq(place, label)[at]
        return np.asarray(activity / self.volume_mL(run.model)) if self.per_volume else activity


def _active(regimen: Regimen) -> list[Injection]:
    found = [i for i in regimen.labelled if i.activity_MBq > 0.0]
    if not found:
        raise BadInput("The regimen injects no activity; give the injection its activity_MBq.")
    return found
