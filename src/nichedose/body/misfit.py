"""How far a body is from what was measured and from what is known, in standard deviations."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from nichedose.body.observation import Observation, log_covariance, log_model
from nichedose.body.rate_map import RateMap
from nichedose.body.sensitivity import log_slopes
from nichedose.fields.grid import Array

__all__ = ["Misfit"]

DIFFERENCE = 1e-4  # of a score, for derivatives; the grid is fixed, so the model is smooth in every parameter


@dataclass(frozen=True)
class Misfit:
    """Misfit in standard deviations: of every point, then of every score from its prior."""

    observations: tuple[Observation, ...]
    maps: tuple[RateMap, ...]
    names: tuple[str, ...]
    model_sd: float

    @functools.cached_property
    def root(self) -> Array:
        """Cholesky root of the covariance of all points."""
        return np.asarray(np.linalg.cholesky(block_diag(*(log_covariance(o, self.model_sd)
                                                          for o in self.observations))))

    def many(self, scores: Array) -> Array:
        """(n, parameters) -> (n, points + parameters)."""
        away = np.concatenate(
            [log_model(o, m, self.columns(m, scores)) - o.log_data
             for o, m in zip(self.observations, self.maps, strict=True)], axis=1)
        return np.concatenate([np.linalg.solve(self.root, away.T).T, scores], axis=1)

    def one(self, scores: Array) -> Array:
        return np.asarray(self.many(scores[None])[0])

    def slope(self, scores: Array) -> Array:
        """(points + parameters, parameters)."""
        return self.with_slope(scores)[1]

    def with_slope(self, scores: Array) -> tuple[Array, Array]:
        """`one` and `slope` together: exact, or by differences where a model's recording does not hold."""
        found = [log_slopes(o, m, self.columns(m, scores[None])[0])
                 for o, m in zip(self.observations, self.maps, strict=True)]
        exact = [f for f in found if f is not None]
        if len(exact) < len(found):
            return self.with_differences(scores)
        away = np.concatenate([values - o.log_data for (values, _), o in zip(exact, self.observations, strict=True)])
        by_score = np.concatenate([slopes @ self._places(m) for (_, slopes), m in zip(exact, self.maps, strict=True)])
        root = self.root
        return (np.concatenate([np.linalg.solve(root, away), scores]),
                np.concatenate([np.linalg.solve(root, by_score), np.eye(scores.size)]))

    def with_differences(self, scores: Array) -> tuple[Array, Array]:
        """The same by forward differences of one batch of bodies."""
        shifted = scores + DIFFERENCE * np.eye(scores.size + 1, scores.size)  # the last row is not shifted
        found = self.many(shifted)
        return found[-1], np.asarray((found[:-1] - found[-1]).T / DIFFERENCE)

    def columns(self, rates: RateMap, scores: Array) -> Array:
        """``scores`` (n, names) in the order of ``rates``; what is not among the names stays at its median."""
        found = np.zeros((len(scores), len(rates.names)))
        for i, name in enumerate(rates.names):
            if name in self.names:
                found[:, i] = scores[:, self.names.index(name)]
        return found

    def _places(self, rates: RateMap) -> Array:
        """(parameters of ``rates``, names): 1 where they are the same."""
        return np.array([[float(a == b) for b in self.names] for a in rates.names])
