"""How much of the error of a shrunk rate neighbouring spots have in common, told from the section itself."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp

from nichedose.fields.grid import Array
from nichedose.tissue.shrink import ShrunkRate

__all__ = ["COUNT_PITCHES", "common_share", "smooth_correlation"]

COUNT_PITCHES = 1.0  # neighbours a pitch away share most of what they were shrunk towards, those two away little


def smooth_correlation(xy_um: Array, pitch_um: float, graph: sp.csr_matrix) -> float:
    """Mean correlation between neighbours (edges of ``graph``) of a smooth field of `COUNT_PITCHES` pitches."""
    pairs = sp.triu(graph).tocoo()
    if pairs.row.size == 0:
        return 1.0
    apart = np.hypot(*(xy_um[pairs.row] - xy_um[pairs.col]).T) / (COUNT_PITCHES * pitch_um)
    return float(np.exp(-0.5 * apart**2).mean())


def common_share(
    counts: Array, exposure: Array, graph: sp.csr_matrix, shrunk: ShrunkRate, correlation: float
) -> float:
    """Share (0-1) of the stated variance that one smooth field would have to hold, as far as the counts allow.

    Where tissue is smooth on the scale of its spots, neighbours depart alike from what they were shrunk to, and means
    over places err more than independent spots would. For two neighbours i and j, each told from its other neighbours
    by the strengths of ``shrunk``, (c_i - mu_i)(c_j - mu_j) has the mean mu_i mu_j cov(e_i, e_j): Poisson noise and the
    assay's own scatter are independent and drop out. The sum over all pairs, over that of the stated variances, is the
    correlation of errors; ``correlation`` is what the smooth field has between neighbours. One standard error of the
    sum is added: what few counts cannot exclude is taken as shared, so that nothing is averaged away without evidence.
    ``counts``, ``exposure`` (n_spots,).
    """
    exposure = exposure / exposure.mean()
    overall = float(counts.sum() / exposure.sum())
    pairs = sp.triu(graph).tocoo()
    i, j = pairs.row, pairs.col
    if i.size == 0:
        return 0.0
    seen, around = graph @ counts + shrunk.prior_spots * overall, graph @ exposure + shrunk.prior_spots
    mu_i = exposure[i] * (seen[i] - counts[j]) / (around[i] - exposure[j])
    mu_j = exposure[j] * (seen[j] - counts[i]) / (around[j] - exposure[i])
    product = (counts[i] - mu_i) * (counts[j] - mu_j)
    stated = float((mu_i * mu_j * shrunk.relative_sd[i] * shrunk.relative_sd[j]).sum())
    if stated <= 0.0:
        return 0.0
    upper = float(product.sum()) + math.sqrt(float((product**2).sum()))
    return min(max(upper / (stated * correlation), 0.0), 1.0)
