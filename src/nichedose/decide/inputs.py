"""Which uncertain inputs decide between two candidates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import beta, rankdata

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["deciding_inputs", "noise_floor"]

_FEWEST_DRAWS = 4


def deciding_inputs(draw_values: Mapping[str, Array], difference: Array) -> tuple[tuple[str, float], ...]:
    """Squared Spearman correlation of each input with ``difference`` (first minus second candidate), largest first.

    Both hold one value per draw; draws with a NaN difference are left out, as are inputs that do not vary. Inputs are
    drawn independently, so the squares are shares of the (rank) variance, up to noise: only what lies above
    `noise_floor` means anything. Empty with fewer than four usable draws or a difference that does not vary.
    """
    gap = np.asarray(difference, dtype=float)
    usable = ~np.isnan(gap)
    n = int(usable.sum())
    if n < _FEWEST_DRAWS or np.ptp(gap[usable]) == 0.0:
        return ()
    ranked_gap = _centred_ranks(gap[usable])
    indices = []
    for key, raw in draw_values.items():
        values = np.asarray(raw, dtype=float)
        if values.shape != gap.shape:
            raise BadInput(f"Input '{key}' has shape {values.shape}, the difference {gap.shape}; one value per draw.")
        kept = values[usable]
        if not np.isfinite(kept).all() or np.ptp(kept) == 0.0:
            continue
        ranks = _centred_ranks(kept)
        rho = float(ranks @ ranked_gap / np.sqrt((ranks @ ranks) * (ranked_gap @ ranked_gap)))
        indices.append((key, min(rho**2, 1.0)))
    return tuple(sorted(indices, key=lambda item: (-item[1], item[0])))


def noise_floor(n_draws: int, n_inputs: int, level: float = 0.95) -> float:
    """The squared correlation that the largest of ``n_inputs`` inputs without any effect stays below with ``level``.

    Under independence the squared correlation of ``n_draws`` ranks is close to Beta(1/2, (n - 2)/2).

    >>> round(noise_floor(32, 50), 2)
    0.31
    """
    if n_draws < _FEWEST_DRAWS or n_inputs < 1:
        raise BadInput(f"A noise floor needs {_FEWEST_DRAWS} draws and one input; got {n_draws} and {n_inputs}.")
    return float(beta.ppf(level ** (1.0 / n_inputs), 0.5, 0.5 * (n_draws - 2)))


def _centred_ranks(values: Array) -> Array:
    ranks = np.asarray(rankdata(values), dtype=float)
    return np.asarray(ranks - ranks.mean(), dtype=float)
