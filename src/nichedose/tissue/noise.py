"""Scatter of counts beyond Poisson that every gene has in common: what the assay adds, told from the section itself."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from nichedose.fields.grid import Array

__all__ = ["common_noise"]

GENES = 300  # the most abundant ones, with at least one count per spot: rarer ones cannot tell
GENES_AT_ONCE = 20  # 16 MB per 100,000 rows
FEWEST_GENES = 20
TYPICAL = 0.5  # of the genes: spots that bleed into one another hide a part of it, patches of a gene add to it


def common_noise(counts: sp.csr_matrix, depth: Array, graph: sp.csr_matrix) -> float:
    """Squared coefficient of variation, beyond Poisson, about the mean of the neighbours, of the median gene.

    For counts c of a gene with mean mu told by the n neighbours of a spot, E(c - mu)^2 = mu + phi mu^2 (1 + 1/n)
    + mu^2/(counts of the neighbours). phi holds the assay's own scatter, which all genes share, and what is finer than
    the spots in a gene, so the median gene's is an upper estimate in a section without bleed. 0 without enough genes.
    ``counts`` (n_spots, n_genes), ``depth`` (n_spots,).
    """
    total = np.asarray(counts.sum(axis=0)).ravel()
    chosen = np.argsort(-total)[:GENES]
    chosen = chosen[total[chosen] >= counts.shape[0]]
    neighbours = np.asarray(graph.sum(axis=1), dtype=float).ravel()
    inside = np.asarray(neighbours >= 3)
    if len(chosen) < FEWEST_GENES or not inside.any():
        return 0.0
    exposure = depth / depth.mean()
    share = exposure[inside] / np.asarray(graph @ exposure)[inside]
    found: list[float] = []
    for first in range(0, len(chosen), GENES_AT_ONCE):
        c = np.asarray(counts[:, chosen[first:first + GENES_AT_ONCE]].toarray(), dtype=float)
        found += _excess(c[inside], np.asarray(graph @ c)[inside], share, neighbours[inside])
    return max(0.0, float(np.quantile(found, TYPICAL)))


def _excess(counts: Array, seen: Array, share: Array, neighbours: Array) -> list[float]:
    """For each gene (columns): what is left of the squared departures, over mu^2; ``share`` turns ``seen`` into mu."""
    mu = seen * share[:, None]
    left = (counts - mu) ** 2 - mu - np.divide(mu**2, seen, out=np.zeros_like(mu), where=seen > 0.0)
    left[seen == 0.0] = 0.0
    scale = (mu**2 * (1.0 + 1.0 / neighbours)[:, None]).sum(axis=0)
    return list(np.divide(left.sum(axis=0), scale, out=np.zeros_like(scale), where=scale > 0.0))
