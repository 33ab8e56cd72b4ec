"""What would change the answer: the value of knowing more, and which inputs the choice depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from nichedose.errors import BadInput, NotComputed
from nichedose.fields.grid import Array

__all__ = ["FEWEST_DRAWS", "InputValue", "perfect_information", "value_of_inputs"]

FEWEST_DRAWS = 32
_DEGREE = 3
_LEVEL = 0.05
_PERMUTATIONS_PER_INPUT, _MOST_PERMUTATIONS = 25, 4000


@dataclass(frozen=True)
class InputValue:
    """One uncertain input. ``value``: by how much the best choice would improve on average if the input were known
    before choosing (EVPPI), in the unit of the objective. ``decision_share``: first-order Sobol index of "the present
    choice is the best", the share of its variance that the input alone explains. ``noise``: the value that the largest
    of as many inputs without any effect stays below in 95 % of cases; ``matters`` where ``value`` lies above it.
    """

    key: str
    value: float
    decision_share: float
    noise: float

    @property
    def matters(self) -> bool:
        return self.value > self.noise


def perfect_information(gains: Mapping[str, Array]) -> float:
    """Expected gain of choosing with all inputs known over choosing now (EVPI): the expected regret of the choice.

    ``gains`` (n_draws,) by candidate, more is better; draws in which a candidate is not evaluable count as its worst.

    >>> perfect_information({"a": np.array([1.0, 3.0]), "b": np.array([2.0, 1.0])})
    0.5
    """
    table = _table(gains)
    return float(table.max(axis=0).mean() - table.mean(axis=1).max())


def value_of_inputs(gains: Mapping[str, Array], inputs: Mapping[str, Array], seed: int = 0) -> tuple[InputValue, ...]:
    """Value of measuring each input alone, largest first.

    The conditional mean of every candidate's gain is a cubic in the normal score of the input (regression method of
    Strong, Oakley and Brennan), fitted to the draws; the upward bias of a maximum over fitted means is taken out by
    the same estimate on permuted inputs. Inputs that do not vary are left out.
    Raises `NotComputed` with fewer than 32 draws, `BadInput` for unequal lengths.
    """
    table = _table(gains)
    n = table.shape[1]
    if n < FEWEST_DRAWS:
        raise NotComputed(f"The value of measuring an input needs {FEWEST_DRAWS} draws or more; there are {n}.")
    chosen = int(np.argmax(table.mean(axis=1)))
    relative = table - table[chosen]
    wins = (relative <= 0.0).all(axis=0).astype(float)
    responses = np.vstack([relative, wins[None]])
    noise_values, noise_wins = _permuted(responses, n, max(len(inputs), 1), seed)
    floor, bias = float(np.quantile(noise_values, 1.0 - _LEVEL / max(len(inputs), 1))), float(np.mean(noise_values))
    wins_bias = float(np.mean(noise_wins))
    found = []
    for key, raw in inputs.items():
        values = np.asarray(raw, dtype=float)
        if values.shape != (n,):
            raise BadInput(f"Input '{key}' has shape {values.shape}; one value for each of {n} draws is needed.")
        if not np.isfinite(values).all() or np.ptp(values) == 0.0:
            continue
        value, share = _explained(responses, _basis(values))
        found.append(InputValue(key, max(value - bias, 0.0), max(share - wins_bias, 0.0), max(floor - bias, 0.0)))
    return tuple(sorted(found, key=lambda item: (-item.value, -item.decision_share, item.key)))


def _explained(responses: Array, basis: Array) -> tuple[float, float]:
    """Expected gain of choosing by the fitted means, and the share of the variance of winning that they explain."""
    fitted = (responses @ basis) @ basis.T
    gain = float(fitted[:-1].max(axis=0).mean() - fitted[:-1].mean(axis=1).max())
    variance = float(responses[-1].var())
    return gain, float(fitted[-1].var()) / variance if variance > 0.0 else 0.0


def _basis(values: Array) -> Array:
    """Orthonormal columns (n, degree + 1) that span polynomials of the input's normal score."""
    score = ndtri((np.asarray(rankdata(values)) - 0.5) / len(values))
    return np.asarray(np.linalg.qr(np.vander(score, _DEGREE + 1, increasing=True))[0])


def _permuted(responses: Array, n: int, n_inputs: int, seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    basis = _basis(np.arange(n, dtype=float))
    times = min(_PERMUTATIONS_PER_INPUT * n_inputs, _MOST_PERMUTATIONS)
    pairs = [_explained(responses, basis[rng.permutation(n)]) for _ in range(times)]
    return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])


def _table(gains: Mapping[str, Array]) -> Array:
    rows: Sequence[Array] = [np.asarray(v, dtype=float) for v in gains.values()]
    if not rows:
        raise BadInput("There is no candidate whose gain could be compared.")
    if any(row.shape != rows[0].shape or row.ndim != 1 or not row.size for row in rows):
        raise BadInput("Every candidate needs one gain for each of the same draws.")
    table = np.stack(rows)
    lowest = np.where(np.isnan(table), np.inf, table).min(axis=1, keepdims=True)
    return np.where(np.isnan(table), np.where(np.isfinite(lowest), lowest, 0.0), table)
