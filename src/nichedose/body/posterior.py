"""What a fit knows: parameters with intervals, and time-integrated activities that follow from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, ndtr, ndtri

from nichedose.body.engine import integrate_population
from nichedose.body.model import BodyModel
from nichedose.body.regimen import Regimen
from nichedose.body.score_draw import ScoreDraw
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.values import Draw, Value

__all__ = ["BodyFit", "PredictedActivity"]

LABEL = "label"
HALF_LIVES_FOLLOWED = 10.0
STEPS = 80


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
class BodyFit:
    """Posterior of the fitted ``parameters`` as a normal distribution of their scores (Laplace).

    A score is the standard normal quantile of a parameter in its prior, so 0 is the prior's median and 1 the prior's
    standard deviation. ``scores`` (p,), ``covariance`` (p, p); ``residuals`` (points,) log(model/measured), made
    independent and of standard deviation 1 by the errors' covariance, series after series.
    """

    parameters: tuple[str, ...]
    priors: tuple[Value, ...]
    scores: Array
    covariance: Array
    residuals: Array
    build: Callable[[Draw], BodyModel]
    regimen: Regimen
    decay_per_h: float
    misfit: Callable[[Array], Array]

    def value(self, name: str) -> float:
        """Most probable value of a parameter, in its library unit."""
        i = self._index(name)
        return self.priors[i].quantile(float(ndtr(self.scores[i])))

    def interval(self, name: str, level: float = 0.9) -> tuple[float, float]:
        """Central posterior interval of a parameter."""
        i, half = self._index(name), _half_width(level) * self.narrowing(name)
        low, high = (self.priors[i].quantile(float(ndtr(self.scores[i] + s * half))) for s in (-1.0, 1.0))
        return low, high

    def narrowing(self, name: str) -> float:
        """Posterior over prior standard deviation of the score: 1 where the data say nothing of a parameter."""
        i = self._index(name)
        return math.sqrt(self.covariance[i, i])

    def draw_scores(self, draws: int, seed: int = 0) -> Array:
        """(draws, p) from the posterior."""
        if draws < 2:
            raise BadInput(f"A posterior needs at least 2 draws; got {draws}.")
        root = np.linalg.cholesky(self.covariance)
        return np.asarray(self.scores + np.random.default_rng(seed).standard_normal((draws, self.scores.size)) @ root.T)

    def effective_share(self, draws: int = 256, seed: int = 0) -> float:
        """Share of draws that would count after weighting them by the true posterior; 1 where Laplace is exact."""
        scores = self.draw_scores(draws, seed)
        exact = -0.5 * (self.misfit(scores) ** 2).sum(axis=1)
        away = scores - self.scores
        laplace = -0.5 * np.einsum("ni,ni->n", away, np.linalg.solve(self.covariance, away.T).T)
        weights = exact - laplace
        return float(np.exp(2.0 * logsumexp(weights) - logsumexp(2.0 * weights))) / draws

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
        """Time-integrated activity of ``places`` with its interval, by default of what was fitted.

        A therapy after a diagnostic injection: give its ``regimen`` and ``decay_per_h``; and, where the ligand differs,
        a ``build`` of its own. That one shares what it asks for by the same keys (the patient, the lesions); its other
        parameters are drawn from their priors, because rates do not carry over from one ligand to another.
        ``end_h`` None: ten half-lives after the last injection. Raises `BadInput`.
        """
        regimen = regimen if regimen is not None else self.regimen
        decay = decay_per_h if decay_per_h is not None else self.decay_per_h
        if end_h is None:
            if not decay > 0.0:
                raise BadInput("Give end_h: without decay there is no half-life to follow.")
            last = max(i.start_h + i.duration_h for i in regimen.injections)
            end_h = last + HALF_LIVES_FOLLOWED * math.log(2.0) / decay
        half = _half_width(level)
        tail = float(ndtr(-half))
        make = build if build is not None else self.build
        rows = np.concatenate([self.scores[None], self.draw_scores(draws, seed)])
        # the first row is the most probable one, whose other parameters stay at their medians
        models = [make(ScoreDraw(seed=seed, index=k - 1 if build is not None and k > 0 else None,
                                 scores=dict(zip(self.parameters, row, strict=True)))) for k, row in enumerate(rows)]
        run = integrate_population(models, regimen, decay_per_h={LABEL: decay}, end_h=end_h, steps=STEPS)
        found = {}
        for place in places:
            if place not in run.network.organs:
                raise BadInput(f"No place '{place}' in this body.{near_miss(place, run.network.organs)}")
            values = run.time_integrated_activity_MBq_h(place, LABEL)
            low, middle, high = np.quantile(values[1:], [tail, 0.5, 1.0 - tail])
            found[place] = PredictedActivity(
                place, float(values[0]), float(middle), float(low), float(high), values[1:])
        return found

    def _index(self, name: str) -> int:
        if name not in self.parameters:
            raise BadInput(f"'{name}' was not fitted.{near_miss(name, self.parameters)}")
        return self.parameters.index(name)


def _half_width(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise BadInput(f"level must lie between 0 and 1 (0.9 is 90 %); got {level}.")
    return float(ndtri(0.5 + 0.5 * level))
