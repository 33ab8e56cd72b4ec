"""What each spot is made of: cell types by non-negative regression of the transcriptome on marker scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from nichedose.fields.grid import Array
from nichedose.tissue.genes import GeneTable
from nichedose.tissue.shrink import ShrunkRate, shrink_counts
from nichedose.values import Flag

__all__ = ["Composition", "MarkerCounts", "marker_counts", "marker_score", "regress_composition",
           "told_share", "untold", "untold_flags"]

GENE_SCATTER = 1.0  # assumed: a marker's own relative variance about the score that it shares with the others
RIDGE = 0.02  # assumed: weight of the prior (every type makes up an equal share), relative to the data
UNTOLD = 0.5  # of the prior's variance: above, the prior says more than the section
SWEEPS = 200  # coordinate descent; the change is then below 1e-6 of the shares (measured in a test)


@dataclass(frozen=True)
class Composition:
    """``fractions`` (n_spots, n_types), rows sum to 1; ``share`` of the section's RNA per type, by name; ``from_prior``
    how much of each type's level (0 to 1, by name) the section does not tell, so that the prior does."""

    types: tuple[str, ...]
    fractions: Array
    share: Mapping[str, float]
    from_prior: Mapping[str, float] = field(default_factory=dict)


def marker_score(
    genes: tuple[str, ...], table: GeneTable, depth: Array, graph: sp.csr_matrix, noise: float = 0.0
) -> ShrunkRate | None:
    """Relative level of a gene list per spot (mean 1), depth taken out, noise shrunk; None without counts.

    Each gene is divided by its section mean, so that an abundant one does not decide alone, and weighted by the inverse
    of its variance (Poisson plus `GENE_SCATTER`). The weighted sum is rescaled to the Poisson count of the same
    information, and shrunk over neighbours. ``noise`` is that of each gene, as in `shrink_counts`.
    """
    joined = marker_counts(genes, table)
    return None if joined is None else shrink_counts(joined.counts, depth, graph, noise * joined.alone)


@dataclass(frozen=True, eq=False)
class MarkerCounts:
    """A gene list as one gene: ``counts`` (n_spots,) of the same information; ``alone``: share of the assay's scatter,
    which is each gene's own, that is left in them."""

    counts: Array
    alone: float


def marker_counts(genes: tuple[str, ...], table: GeneTable) -> MarkerCounts | None:
    """The genes of `marker_score`, joined; None without counts."""
    measured = table.measured(genes)
    if not measured:
        return None
    counts = table.counts(measured)
    mean = counts.mean(axis=0)
    counts, mean = counts[:, mean > 0.0], mean[mean > 0.0]
    if not mean.size:
        return None
    weight = 1.0 / (1.0 / mean + GENE_SCATTER)
    information = float(weight.sum() ** 2 / (weight**2 / mean).sum())
    relative = (counts / mean) @ weight / weight.sum()
    return MarkerCounts(relative * information, float((weight**2).sum() / weight.sum() ** 2))


def untold(composition: Composition, name: str, score: ShrunkRate) -> float:
    """How much of the variance of the prior of a type's scale is left, 0 to 1: by the regression, for a score that is
    known, and as far as the score's own contrast is lost in counting noise, wholly."""
    return 1.0 - (1.0 - composition.from_prior[name]) * told_share(score)


def told_share(score: ShrunkRate) -> float:
    """Share of a score's variance between spots that is contrast and not counting noise."""
    contrast, noise = float(score.rate.var()), float(((score.rate * score.relative_sd) ** 2).mean())
    return contrast / (contrast + noise) if contrast > 0.0 else 0.0


def untold_flags(left: Mapping[str, float]) -> list[Flag]:
    """A caution on the types of which too little was told; ``left`` is `untold` by type."""
    weak = [f"{name} ({100.0 * share:.0f} %)" for name, share in left.items() if share > UNTOLD]
    if not weak:
        return []
    text = (f"Too few counts or too little contrast to tell how much there is of {', '.join(weak)}: so much of the "
            "variance of the prior, an equal share of every type, is left. Take these shares as unknown; give a file "
            "with cell types, or more cells.")
    return [Flag("caution", "composition", text)]


def regress_composition(scores: Mapping[str, Array], counts: sp.csr_matrix, depth: Array) -> Composition:
    """Shares of the cell types from their marker ``scores`` (n_spots,), relative and free of depth.

    Every gene's counts are regressed on the scores with coefficients that cannot be negative. A spot's weight is the
    inverse of its depth (Poisson) and of its mean score squared, so that a few spots of extreme score do not decide.
    The sum of a type's coefficients over all genes is the RNA that one unit of its score stands for, which gives all
    types one common scale without a reference; it takes a cell of any type to hold the same amount of RNA. `RIDGE`
    draws types that the section cannot tell apart towards equal shares.
    """
    types = tuple(scores)
    s = np.stack([scores[t] for t in types], axis=1)
    d = depth / depth.mean()
    calm = 1.0 / s.mean(axis=1, keepdims=True) ** 2
    gram = s.T @ (s * d[:, None] * calm)
    right = np.asarray((counts.T @ (s * calm)).T)
    level = np.asarray(counts.sum(axis=0)).ravel() / counts.shape[0]
    strength = RIDGE * np.diag(gram)
    mean_score = (s * d[:, None]).mean(axis=0)
    prior = level[None, :] / (len(types) * mean_score[:, None])
    coefficients = _non_negative(gram + np.diag(strength), right + strength[:, None] * prior, prior.copy())
    content = s * coefficients.sum(axis=1)
    fractions = content / content.sum(axis=1, keepdims=True)
    total = (fractions * d[:, None]).sum(axis=0)
    # variance of the coefficients after the data over that before, of a normal prior of that strength
    left = np.diag(np.linalg.solve(gram + np.diag(strength), np.diag(strength)))
    return Composition(types, fractions, dict(zip(types, (total / total.sum()).tolist(), strict=True)),
                       dict(zip(types, left.tolist(), strict=True)))


def _non_negative(gram: Array, right: Array, start: Array) -> Array:
    """Minimise b'Gb/2 - r'b with b >= 0 for every column of ``right`` (types, genes), by cyclic coordinate descent."""
    b = start
    for _ in range(SWEEPS):
        largest = 0.0
        for c in range(len(gram)):
            step = (right[c] - gram[c] @ b) / gram[c, c]
            new = np.maximum(b[c] + step, 0.0)
            largest = max(largest, float(np.abs(new - b[c]).sum() / max(b[c].sum(), 1e-300)))
            b[c] = new
        if largest < 1e-7:
            break
    return b
