"""The body fitted to measured activity: the most probable parameters, with the library's distributions as priors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag
from scipy.optimize import least_squares

from nichedose.body.engine import solve_population
from nichedose.body.measured import MeasuredActivity
from nichedose.body.model import BodyModel
from nichedose.body.posterior import BodyFit
from nichedose.body.regimen import Regimen
from nichedose.body.score_draw import ScoreDraw
from nichedose.errors import BadInput, DidNotConverge, near_miss
from nichedose.fields.grid import Array
from nichedose.values import Draw, Value

__all__ = ["fit"]

LABEL = "label"
DIFFERENCE = 1e-4  # of a score, for derivatives; the grid is fixed, so the model is smooth in every parameter
FARTHEST = 5.0  # scores; beyond it a distribution says nothing
TOLERANCE = 1e-5  # of the misfit, its slope and the scores
STEPS = 80  # 1e-4 of an organ's integral, far below any measurement
LEAST_MBQ = 1e-30


def fit(
    build: Callable[[Draw], BodyModel],
    measured: Sequence[MeasuredActivity],
    *,
    regimen: Regimen,
    decay_per_h: float,
    parameters: Sequence[str] | None = None,
    model_sd: float = 0.1,
) -> BodyFit:
    """Maximum a posteriori of ``parameters`` (keys of the draw; None: all uncertain ones), with Laplace posterior.

    ``build`` makes the model of a patient in a draw; what it asks the draw for are the parameters, and their library
    distributions are the priors. Those not named stay at their medians. Errors are taken as log-normal: those of the
    series, and ``model_sd``, what the model itself misses at a point (assumed). Raises `BadInput`, `DidNotConverge`.

    >>> from nichedose.body import Injection, Patient, anatomy, body_ligand, body_model
    >>> from nichedose.library import load_library
    >>> from nichedose.library.bodies import load_bodies
    >>> bodies, form, who = load_bodies(), load_library().forms["PSMA-617"], Patient()
    >>> def build(draw):
    ...     ligand = body_ligand(form, bodies.of_form("PSMA-617"), bodies.physiology.antibody, draw)
    ...     return body_model(who, anatomy(who, bodies.physiology), ligand)
    >>> scan = MeasuredActivity("kidney", (24.0,), (4.0,), unit="%IA", decay_corrected=True)
    >>> found = fit(build, [scan], regimen=Regimen((Injection(57.0, 7400.0),)), decay_per_h=0.00434,
    ...             parameters=["form.PSMA-617.body.target_nmol_per_L.kidney"])
    >>> low, high = found.interval("form.PSMA-617.body.target_nmol_per_L.kidney")
    >>> low < found.value("form.PSMA-617.body.target_nmol_per_L.kidney") < high
    True
    """
    if not measured:
        raise BadInput("A fit needs at least one measured point; one is enough, and leaves wide intervals.")
    if not (math.isfinite(decay_per_h) and decay_per_h >= 0.0):
        raise BadInput(f"decay_per_h must be finite and at or above 0; got {decay_per_h}.")
    if not 0.0 <= model_sd <= 1.0:
        raise BadInput(f"model_sd must lie in 0 to 1 (0.1 is 10 %); got {model_sd}.")
    middle = Draw()
    model = build(middle)
    priors = _priors(middle.used, parameters)
    for series in measured:
        series.refuse_impossible(model, regimen, decay_per_h)
    problem = _Problem(build, tuple(measured), regimen, decay_per_h, tuple(priors), model_sd)
    start = np.zeros(len(priors))
    done = least_squares(problem.misfit, start, jac=problem.slope, bounds=(-FARTHEST, FARTHEST),
                         ftol=TOLERANCE, xtol=TOLERANCE, gtol=TOLERANCE)
    if not done.success or not np.isfinite(done.cost):
        raise DidNotConverge(f"The fit did not settle ({done.message}). Fit fewer parameters, or check the data: they "
                             "may lie far outside what the priors allow.")
    slope = problem.slope(done.x)
    return BodyFit(
        parameters=tuple(priors),
        priors=tuple(priors.values()),
        scores=done.x,
        covariance=np.asarray(np.linalg.inv(slope.T @ slope), dtype=float),
        residuals=done.fun[:-len(priors)],
        build=build,
        regimen=regimen,
        decay_per_h=decay_per_h,
        misfit=problem.misfits,
    )


def _priors(used: Mapping[str, Value], names: Sequence[str] | None) -> dict[str, Value]:
    """The distributions of the parameters, in the order of the names."""
    uncertain = {key: value for key, value in used.items() if not value.is_fixed}
    if names is None:
        return uncertain
    if not names:
        raise BadInput("parameters is empty; name at least one, or leave it out to fit all that are uncertain.")
    for name in names:
        if name not in used:
            raise BadInput(f"This body has no parameter '{name}'.{near_miss(name, used)}")
        if name not in uncertain:
            raise BadInput(f"'{name}' is a fixed value in the library, without a distribution that could be its prior.")
    if len(set(names)) < len(names):
        raise BadInput("parameters names one of them twice.")
    return {name: uncertain[name] for name in names}


@dataclass
class _Problem:
    """Misfit in standard deviations: of every point, then of every score from its prior."""

    build: Callable[[Draw], BodyModel]
    measured: tuple[MeasuredActivity, ...]
    regimen: Regimen
    decay_per_h: float
    names: tuple[str, ...]
    model_sd: float

    def __post_init__(self) -> None:
        self._data = np.log(np.concatenate([m.as_measured(self.regimen, self.decay_per_h) for m in self.measured]))
        self._root = np.linalg.cholesky(block_diag(*(self._covariance(m) for m in self.measured)))
        self._times = sorted({t for m in self.measured for t in m.times_h})

    def _covariance(self, series: MeasuredActivity) -> Array:
        """Of the logarithms of one series' points."""
        n = len(series.values)
        own, shared = math.log1p(series.relative_sd**2 + self.model_sd**2), math.log1p(series.calibration_sd**2)
        return np.asarray(own * np.eye(n) + shared)

    def misfits(self, scores: Array) -> Array:
        """(n, parameters) -> (n, points + parameters)."""
        models = [self.build(ScoreDraw(scores=dict(zip(self.names, row, strict=True)))) for row in scores]
        last = max(i.start_h + i.duration_h for i in self.regimen.injections)
        end = max(self._times[-1], last) + 1e-3
        runs = solve_population(models, self.regimen, decay_per_h={LABEL: self.decay_per_h}, end_h=end,
                                times_h=self._times, steps=STEPS)
        inside = np.array([np.concatenate([m.in_model(run, LABEL) for m in self.measured]) for run in runs])
        data = np.linalg.solve(self._root, (np.log(np.maximum(inside, LEAST_MBQ)) - self._data).T).T
        return np.concatenate([data, scores], axis=1)

    def misfit(self, scores: Array) -> Array:
        return np.asarray(self.misfits(scores[None])[0])

    def slope(self, scores: Array) -> Array:
        """(points + parameters, parameters), by differences of one batch of bodies."""
        shifted = scores + DIFFERENCE * np.eye(scores.size + 1, scores.size)  # the last row is not shifted
        found = self.misfits(shifted)
        return np.asarray((found[:-1] - found[-1]).T / DIFFERENCE)
