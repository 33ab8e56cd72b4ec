"""Draws with weights: a normal posterior around the mode, corrected to the true one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import chi2, qmc

from nichedose.fields.grid import Array
from nichedose.fields.threads import one_blas_thread

__all__ = ["WeightedDraws", "weighted_draws"]

FREEDOM = 30.0  # of the t distribution that proposes: its tails are wider than the posterior's


@dataclass(frozen=True)
class WeightedDraws:
    """``scores`` (n, p) with ``weights`` (n,) that sum to 1."""

    scores: Array
    weights: Array

    @property
    def effective_share(self) -> float:
        """1/sum(w^2) over n: 1 where all weigh the same."""
        return float(1.0 / (self.weights**2).sum()) / len(self.weights)

    def sd(self, column: int) -> float:
        x = self.scores[:, column]
        return math.sqrt(float(self.weights @ (x - self.weights @ x) ** 2))

    def quantiles(self, column: int, probabilities: Sequence[float]) -> Array:
        """Of one score; a draw stands at the middle of its weight."""
        order = np.argsort(self.scores[:, column])
        below = np.cumsum(self.weights[order]) - 0.5 * self.weights[order]
        return np.asarray(np.interp(probabilities, below, self.scores[order, column]))

    def resampled(self, draws: int, seed: int) -> Array:
        """(draws, p) of equal weight, in random order: systematic resampling, which adds least noise."""
        rng = np.random.default_rng(seed)
        places = (np.arange(draws) + rng.uniform()) / draws
        chosen = np.searchsorted(np.cumsum(self.weights), places).clip(max=len(self.weights) - 1)
        return np.asarray(self.scores[rng.permutation(chosen)])


@one_blas_thread
def weighted_draws(
    misfits: Callable[[Array], Array], mode: Array, covariance: Array, power: int, seed: int = 0
) -> WeightedDraws:
    """2^``power`` draws around ``mode`` (p,), weighted by the posterior over the density that proposed them.

    ``misfits`` (n, p) -> (n, points + p), the posterior being exp(-misfits^2/2). Proposals are multivariate t with
    ``covariance``, evenly spread (scrambled Sobol points). Weights are cut at sqrt(n) times their mean (Ionides, J
    Comput Graph Stat 2008;17:295).
    """
    p = mode.size
    even = qmc.Sobol(p + 1, seed=np.random.default_rng(seed)).random_base2(power)
    away = ndtri(even[:, :p]) * np.sqrt(FREEDOM / chi2.ppf(even[:, p:], FREEDOM))
    scores = mode + away @ np.linalg.cholesky(covariance).T
    log_target = -0.5 * (misfits(scores) ** 2).sum(axis=1)
    log_proposal = -0.5 * (FREEDOM + p) * np.log1p((away**2).sum(axis=1) / FREEDOM)
    logs = np.where(np.isfinite(log_target), log_target - log_proposal, -np.inf)
    weights = np.exp(logs - logs.max())
    weights = np.minimum(weights, math.sqrt(weights.size) * weights.mean())
    return WeightedDraws(scores, weights / weights.sum())
