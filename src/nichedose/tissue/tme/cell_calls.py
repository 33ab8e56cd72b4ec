"""What each single cell is: a mixture of Poisson laws over marker counts, with the probability of every type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array
from nichedose.tissue.genes import GeneTable

__all__ = ["OTHER", "CellCalls", "call_cells"]

OTHER = "other"
ROUNDS = 60
SETTLED = 1e-5  # change of the mean log-likelihood per cell
START_RATIO = 1.2  # above its section mean, a list gives a first guess; a common type hardly stands out more
LEAST_CONTRAST = 1.5  # own markers over those markers elsewhere; below, a type cannot be told apart
PSEUDO_COUNT = 0.5


@dataclass(frozen=True, eq=False)
class CellCalls:
    """``probability`` (n_cells, n_types), rows sum to 1, columns ``types`` of which the last is ``other``.

    ``untold``: types that were asked for and that the panel cannot tell apart, with the reason.
    """

    types: tuple[str, ...]
    probability: Array
    untold: Mapping[str, str]

    def of(self, cell_type: str) -> Array:
        return np.asarray(self.probability[:, self.types.index(cell_type)])


def call_cells(markers: Mapping[str, tuple[str, ...]], table: GeneTable, depth: Array) -> CellCalls:
    """Tell cells apart by lists of marker genes.

    The counts of each list in a cell are Poisson with mean ``depth`` times a level that depends on the cell's type; a
    further type ``other`` has no markers of its own. Levels, shares of the types and each cell's probabilities are
    found together by expectation maximisation, started from the list that stands out most in each cell. The likelihood
    takes transcripts as independent, so the probabilities are too sure of themselves; the calls are what is used.
    ``depth`` (n_cells,) total counts.
    """
    measured = {t: table.measured(genes) for t, genes in markers.items()}
    sums = {t: table.counts(g).sum(axis=1) for t, g in measured.items() if g}
    untold = {t: "none of its markers was measured" for t, g in measured.items() if not g}
    untold |= {t: "its markers have no counts" for t, s in sums.items() if not s.any()}
    types = [t for t, s in sums.items() if s.any()]
    exposure = depth / depth.mean()
    while types:
        counts = np.stack([sums[t] for t in types], axis=1)
        probability, levels = _mixture(counts, exposure)
        share = probability.mean(axis=0)
        elsewhere = np.array([np.delete(share, i) @ np.delete(levels[:, i], i) for i in range(len(types))])
        contrast = np.diag(levels[: len(types)]) * (1.0 - share[: len(types)]) / np.maximum(elsewhere, 1e-300)
        weak = [t for t, c in zip(types, contrast, strict=True) if c < LEAST_CONTRAST]
        if not weak:
            return CellCalls((*types, OTHER), probability, untold)
        untold |= dict.fromkeys(weak, "its markers do not stand out in any group of cells")
        types = [t for t in types if t not in weak]
    return CellCalls((OTHER,), np.ones((len(depth), 1)), untold)


def _mixture(counts: Array, exposure: Array) -> tuple[Array, Array]:
    """Probabilities (n, t + 1) and levels (t + 1, t) of the mixture, from ``counts`` (n, t)."""
    n, t = counts.shape
    mean = counts.sum(axis=0) / exposure.sum()
    ratio = (counts + PSEUDO_COUNT) / (exposure[:, None] * mean + PSEUDO_COUNT)
    first = np.where(ratio.max(axis=1) >= START_RATIO, ratio.argmax(axis=1), t)
    probability = np.full((n, t + 1), 0.1 / (t + 1))
    probability[np.arange(n), first] += 0.9
    before = -np.inf
    for _ in range(ROUNDS):
        weight = probability.T @ exposure
        levels = (probability.T @ counts + PSEUDO_COUNT * mean) / (weight[:, None] + PSEUDO_COUNT)
        share = probability.mean(axis=0)
        log_p = counts @ np.log(levels).T - exposure[:, None] * levels.sum(axis=1) + np.log(np.maximum(share, 1e-12))
        top = log_p.max(axis=1, keepdims=True)
        probability = np.exp(log_p - top)
        total = probability.sum(axis=1, keepdims=True)
        probability /= total
        now = float((top + np.log(total)).mean())
        if now - before < SETTLED:
            break
        before = now
    return probability, levels
