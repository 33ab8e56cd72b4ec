"""What a fit knows: parameters with intervals, and activities that follow from them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri

from nichedose.body.engine import integrate_population, solve_population
from nichedose.body.misfit import Misfit
from nichedose.body.model import BodyModel
from nichedose.body.observation import LABEL, STEPS
from nichedose.body.rate_map import RateMap, rate_map
from nichedose.body.regimen import Regimen
from nichedose.body.weighted import WeightedDraws, weighted_draws
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.values import Draw, Value, uniform_from_key

__all__ = ["BodyFit", "PredictedActivity", "PredictedCurve"]

HALF_LIVES_FOLLOWED = 10.0
PROPOSALS_POWER_OF_TWO = 10


@dataclass(frozen=True)
class PredictedActivity:
    """Time-integrated activity of a place, MBq.h: at the most probable parameters, and median and interval of draws."""

    place: str
    most_probable_MBq_h: float
    median_MBq_h: float
    low_MBq_h: float
    high_MBq_h: float
    draws_MBq_h: Array


@dataclass(frozen=True)
class PredictedCurve:
    """Activity of a place over ``times_h``, MBq, decay included: most probable, and median and interval of draws."""

    place: str
    times_h: Array
    most_probable_MBq: Array
    median_MBq: Array
    low_MBq: Array
    high_MBq: Array


@dataclass(frozen=True)
class BodyFit:
    """Posterior of the fitted ``parameters`` in terms of their scores.

    A score is the standard normal quantile of a parameter in its prior, so 0 is the prior's median and 1 the prior's
    standard deviation. ``scores`` (p,) at the mode, ``covariance`` (p, p) of the normal posterior around it (Laplace);
    ``residuals`` (points,) log(model/measured), made independent and of standard deviation 1 by the errors' covariance,
    series after series. Draws come from the normal posterior, weighted by the true one; or are ``samples``
    (n, p) of a sampler, with its ``diagnostics``.
    """

    parameters: tuple[str, ...]
    priors: tuple[Value, ...]
    scores: Array
    covariance: Array
    residuals: Array
    problem: Misfit
    samples: Array | None = None
    diagnostics: Mapping[str, float] = field(default_factory=dict)

    @functools.cached_property
    def weighted(self) -> WeightedDraws:
        """Draws that stand for the posterior, with their weights."""
        if self.samples is not None:
            return WeightedDraws(self.samples, np.full(len(self.samples), 1.0 / len(self.samples)))
        return weighted_draws(self.problem.many, self.scores, self.covariance, PROPOSALS_POWER_OF_TWO)

    def value(self, name: str) -> float:
        """Most probable value of a parameter, in its library unit."""
        i = self._index(name)
        return self.priors[i].quantile(float(ndtr(self.scores[i])))

    def interval(self, name: str, level: float = 0.9) -> tuple[float, float]:
        """Central posterior interval of a parameter."""
        i, tail = self._index(name), _tail(level)
        low, high = self.weighted.quantiles(i, (tail, 1.0 - tail))
        return self.priors[i].quantile(float(ndtr(low))), self.priors[i].quantile(float(ndtr(high)))

    def narrowing(self, name: str) -> float:
        """Posterior over prior standard deviation of the score: 1 where the data say nothing of a parameter."""
        return self.weighted.sd(self._index(name))

    def draw_scores(self, draws: int, seed: int = 0) -> Array:
        """(draws, p) from the posterior."""
        if draws < 2:
            raise BadInput(f"A posterior needs at least 2 draws; got {draws}.")
        return self.weighted.resampled(draws, seed)

    @property
    def effective_share(self) -> float:
        """Share of the weighted draws that count; 1 where the posterior is normal, or where a sampler gave it."""
        return self.weighted.effective_share

    def predict(
        self,
        places: Sequence[str],
        *,
        regimen: Regimen | None = None,
        decay_per_h: float | None = None,
        build: Callable[[Draw], BodyModel] | None = None,
        end_h: float | None = None,
        draws: int = 256,
        seed: int = 0,
        level: float = 0.9,
    ) -> dict[str, PredictedActivity]:
        """Time-integrated activity of ``places`` with its interval, by default of what was observed first.

        A therapy after a diagnostic injection: give its ``regimen`` and ``decay_per_h``; and, where the ligand differs,
        a ``build`` of its own. That one shares what it asks for by the same keys (the patient, the lesions); its other
        parameters are drawn from their priors, because rates do not carry over from one ligand to another.
        ``end_h`` None: ten half-lives after the last injection. Raises `BadInput`.
        """
        first = self.problem.observations[0]
        regimen = regimen if regimen is not None else first.regimen
        decay = decay_per_h if decay_per_h is not None else first.decay_per_h
        if end_h is None:
            if not decay > 0.0:
                raise BadInput("Give end_h: without decay there is no half-life to follow.")
            last = max(i.start_h + i.duration_h for i in regimen.injections)
            end_h = last + HALF_LIVES_FOLLOWED * math.log(2.0) / decay
        tail = _tail(level)
        models = self._models(build, draws, seed)
        _refuse_unknown(places, models[0])
        run = integrate_population(models, regimen, decay_per_h={LABEL: decay}, end_h=end_h, steps=STEPS)
        found = {}
        for place in places:
            values = run.time_integrated_activity_MBq_h(place, LABEL)
            low, middle, high = _quantiles(values[1:], tail)
            found[place] = PredictedActivity(
                place, float(values[0]), float(middle), float(low), float(high), values[1:])
        return found

    def curves(
        self,
        places: Sequence[str],
        times_h: Sequence[float],
        *,
        regimen: Regimen | None = None,
        decay_per_h: float | None = None,
        build: Callable[[Draw], BodyModel] | None = None,
        draws: int = 256,
        seed: int = 0,
        level: float = 0.9,
    ) -> dict[str, PredictedCurve]:
        """Activity of ``places`` over ``times_h`` (ascending) with its interval; arguments as in `predict`."""
        first = self.problem.observations[0]
        regimen = regimen if regimen is not None else first.regimen
        decay = decay_per_h if decay_per_h is not None else first.decay_per_h
        models = self._models(build, draws, seed)
        _refuse_unknown(places, models[0])
        end = max(max(times_h), *(i.start_h + i.duration_h for i in regimen.injections)) + 1e-3
        runs = solve_population(models, regimen, decay_per_h={LABEL: decay}, end_h=end, times_h=times_h, steps=STEPS)
        at = np.searchsorted(runs[0].times_h, times_h)
        found = {}
        for place in places:
            activity = np.array([run.activity_MBq(place, LABEL)[at] for run in runs])
            low, middle, high = _quantiles(activity[1:], _tail(level))
            found[place] = PredictedCurve(place, np.asarray(times_h), activity[0], middle, low, high)
        return found

    def _models(self, build: Callable[[Draw], BodyModel] | None, draws: int, seed: int) -> list[BodyModel]:
        """The most probable model, whose parameters that were not fitted stay at their medians, and ``draws`` more."""
        rows = np.concatenate([self.scores[None], self.draw_scores(draws, seed)])
        if build is None:
            rates = self.problem.maps[0]
            return rates.models(self.problem.columns(rates, rows))
        rates = rate_map(build)
        scores = self.problem.columns(rates, rows)
        scores[1:] += self._drawn_from_priors(rates, draws, seed)
        return rates.models(scores)

    def _drawn_from_priors(self, rates: RateMap, draws: int, seed: int) -> Array:
        """(draws, parameters of ``rates``) scores of what was not fitted, 0 elsewhere."""
        found = np.zeros((draws, len(rates.names)))
        for i, name in enumerate(rates.names):
            if name not in self.parameters:
                found[:, i] = ndtri([uniform_from_key(seed, k, name) for k in range(draws)])
        return found

    def _index(self, name: str) -> int:
        if name not in self.parameters:
            raise BadInput(f"'{name}' was not fitted.{near_miss(name, self.parameters)}")
        return self.parameters.index(name)


def _refuse_unknown(places: Sequence[str], model: BodyModel) -> None:
    for place in places:
        if place not in model.network.organs:
            raise BadInput(f"No place '{place}' in this body.{near_miss(place, model.network.organs)}")


def _quantiles(values: Array, tail: float) -> Array:
    """(3, ...) low, median and high over the first axis; so estimated that they hold their share on average."""
    return np.asarray(np.quantile(values, np.array([tail, 0.5, 1.0 - tail]), axis=0, method="weibull"))


def _tail(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise BadInput(f"level must lie between 0 and 1 (0.9 is 90 %); got {level}.")
    return 0.5 - 0.5 * level
