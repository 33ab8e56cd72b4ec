"""The body fitted to measured activity: the most probable parameters, with the library's distributions as priors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import least_squares

from nichedose.body.measured import MeasuredActivity
from nichedose.body.misfit import Misfit
from nichedose.body.model import BodyModel
from nichedose.body.observation import Observation
from nichedose.body.posterior import BodyFit
from nichedose.body.rate_map import RateMap, rate_map
from nichedose.body.regimen import Regimen
from nichedose.errors import BadInput, DidNotConverge, near_miss
from nichedose.fields.threads import one_blas_thread
from nichedose.values import Draw, Value

__all__ = ["fit", "fit_observations"]

FARTHEST = 5.0  # scores; beyond it a distribution says nothing
TOLERANCE = 1e-5  # of the misfit, its slope and the scores


def fit(
    build: Callable[[Draw], BodyModel],
    measured: Sequence[MeasuredActivity],
    *,
    regimen: Regimen,
    decay_per_h: float,
    parameters: Sequence[str] | None = None,
    model_sd: float = 0.1,
) -> BodyFit:
    """Maximum a posteriori of ``parameters`` (keys of the draw; None: all uncertain ones), with its posterior.

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
    observation = Observation(build, tuple(measured), regimen, decay_per_h)
    return fit_observations([observation], parameters=parameters, model_sd=model_sd)


@one_blas_thread
def fit_observations(
    observations: Sequence[Observation], *, parameters: Sequence[str] | None = None, model_sd: float = 0.1
) -> BodyFit:
    """As `fit`, to several observations of one patient at once: early PET and late SPECT, tracer and therapy.

    Parameters that two builds ask for by one name are one.
    """
    if not observations:
        raise BadInput("A fit needs at least one measured point; one is enough, and leaves wide intervals.")
    if not 0.0 <= model_sd <= 1.0:
        raise BadInput(f"model_sd must lie in 0 to 1 (0.1 is 10 %); got {model_sd}.")
    maps = tuple(rate_map(o.build) for o in observations)
    for observation, rates in zip(observations, maps, strict=True):
        for series in observation.measured:
            series.refuse_impossible(rates.template, observation.regimen, observation.decay_per_h)
    priors = _priors(maps, parameters)
    problem = Misfit(tuple(observations), maps, tuple(priors), model_sd)
    done = least_squares(problem.one, np.zeros(len(priors)), jac=problem.slope, bounds=(-FARTHEST, FARTHEST),
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
        problem=problem,
    )


def _priors(maps: Sequence[RateMap], names: Sequence[str] | None) -> dict[str, Value]:
    """The distributions of the parameters, in the order of the names."""
    uncertain = {key: value for m in maps for key, value in m.priors.items()}
    if names is None:
        return uncertain
    if not names:
        raise BadInput("parameters is empty; name at least one, or leave it out to fit all that are uncertain.")
    known = {key for m in maps for key in m.asked}
    for name in names:
        if name not in known:
            raise BadInput(f"This body has no parameter '{name}'.{near_miss(name, known)}")
        if name not in uncertain:
            raise BadInput(f"'{name}' is a fixed value in the library, without a distribution that could be its prior.")
    if len(set(names)) < len(names):
        raise BadInput("parameters names one of them twice.")
    return {name: uncertain[name] for name in names}
