"""What was measured after one injection, beside the model of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from nichedose.body.engine import solve_population
from nichedose.body.measured import MeasuredActivity
from nichedose.body.model import BodyModel
from nichedose.body.rate_map import RateMap
from nichedose.body.regimen import Regimen
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.values import Draw

__all__ = ["LABEL", "Observation", "log_covariance", "log_model"]

LABEL = "label"
STEPS = 80  # 1e-4 of an organ's integral, far below any measurement
LEAST_MBQ = 1e-30
AFTER_LAST_H = 1e-3


@dataclass(frozen=True)
class Observation:
    """Series that were ``measured`` after ``regimen`` with a label of ``decay_per_h``, and the model ``build`` of it.

    One patient's observations share the parameters that their builds ask for by the same names: a PET of a tracer and
    a SPECT of the therapy, for example. Raises `BadInput`.
    """

    build: Callable[[Draw], BodyModel]
    measured: tuple[MeasuredActivity, ...]
    regimen: Regimen
    decay_per_h: float

    def __post_init__(self) -> None:
        if not self.measured:
            raise BadInput("A fit needs at least one measured point; one is enough, and leaves wide intervals.")
        if not (math.isfinite(self.decay_per_h) and self.decay_per_h >= 0.0):
            raise BadInput(f"decay_per_h must be finite and at or above 0; got {self.decay_per_h}.")

    @property
    def times_h(self) -> tuple[float, ...]:
        """All times at which something was measured, sorted."""
        return tuple(sorted({t for m in self.measured for t in m.times_h}))

    @property
    def end_h(self) -> float:
        """Just after the last measurement or injection."""
        last = max(i.start_h + i.duration_h for i in self.regimen.injections)
        return max(self.times_h[-1], last) + AFTER_LAST_H

    @property
    def log_data(self) -> Array:
        """(points,) logarithm of MBq or MBq/mL, series after series."""
        return np.asarray(
            np.log(np.concatenate([m.as_measured(self.regimen, self.decay_per_h) for m in self.measured])))


def log_covariance(observation: Observation, model_sd: float) -> Array:
    """(points, points) of the logarithms: each point's own error and the model's, and what a series shares."""
    def of(series: MeasuredActivity) -> Array:
        own = np.log1p(np.asarray(series.point_sd) ** 2 + model_sd**2)
        return np.asarray(np.diag(own) + math.log1p(series.calibration_sd**2))

    return np.asarray(block_diag(*(of(m) for m in observation.measured)))


def log_model(observation: Observation, rates: RateMap, scores: Array) -> Array:
    """(n, points) logarithm of what the models at ``scores`` (n, parameters of ``rates``) have at the points."""
    runs = solve_population(rates.models(scores), observation.regimen, decay_per_h={LABEL: observation.decay_per_h},
                            end_h=observation.end_h, times_h=observation.times_h, steps=STEPS)
    inside = np.array([np.concatenate([m.in_model(run, LABEL) for m in observation.measured]) for run in runs])
    return np.asarray(np.log(np.maximum(inside, LEAST_MBQ)))

