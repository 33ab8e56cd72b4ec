"""Rates from sparse counts: each spot is drawn towards its neighbours as far as the section itself supports it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree
from scipy.special import gammaln

from nichedose.fields.grid import Array

__all__ = ["ShrunkRate", "neighbour_graph", "shrink_counts"]

NEIGHBOUR_PITCHES = 1.5  # takes the first ring of a hexagonal lattice (6) and of a square one (8), no more
SHAPES = tuple(2.0**k for k in range(-2, 8))  # of the spot's own gamma law; small: spots differ from their neighbours
FITTED_SPOTS = 20_000  # of a larger section every n-th spot sets the strengths
LEAST_WEIGHT = 1e-3  # of the likeliest strengths; less likely ones do not count
PRIOR_SPOTS = (0.25, 1.0, 4.0, 16.0, 64.0, 1024.0)  # weight of the section mean in the local mean, in typical spots


@dataclass(frozen=True)
class ShrunkRate:
    """Posterior mean ``rate`` (n_spots,), with exposure-weighted mean 1, and its relative standard deviation.

    ``shape`` and ``prior_spots`` are the likeliest strengths (see `shrink_counts`). The standard deviation allows for
    the other strengths by their likelihood, and for the counts behind the neighbours' mean. ``shared_sd`` is the part
    of it that neighbours have in common: all but the spot's own counts and its own departure from them.
    """

    rate: Array
    relative_sd: Array
    shared_sd: Array
    shape: float
    prior_spots: float


def neighbour_graph(xy_um: Array, pitch_um: float) -> sp.csr_matrix:
    """Adjacency (n, n) of spots within `NEIGHBOUR_PITCHES` pitches, without self-loops."""
    pairs = cKDTree(xy_um).query_pairs(NEIGHBOUR_PITCHES * pitch_um, output_type="ndarray")
    n = len(xy_um)
    i, j = np.concatenate([pairs[:, 0], pairs[:, 1]]), np.concatenate([pairs[:, 1], pairs[:, 0]])
    return sp.csr_matrix((np.ones(len(i)), (i, j)), shape=(n, n))


def shrink_counts(counts: Array, exposure: Array, graph: sp.csr_matrix, noise: float = 0.0) -> ShrunkRate:
    """Poisson counts with a gamma prior around the mean of the neighbours (empirical Bayes).

    ``counts`` (n,) ~ Poisson(``exposure`` x rate); the prior of a spot's rate is a gamma law with the rate of its
    neighbours as mean (the spot itself left out; the section mean counts as ``prior_spots`` typical neighbours) and
    ``shape``. Both strengths maximise the negative binomial likelihood of every spot given its neighbours. So a patchy
    gene keeps its patches, and one without spatial structure becomes flat. Counts may be weighted sums (not whole).
    ``noise`` is the squared coefficient of variation that the assay adds to Poisson (`common_noise`): counts of mean mu
    then tell as much as 1/(1 + noise mu) of them would, and the section's own scatter is what is left.
    """
    exposure = exposure / exposure.mean()
    overall = float(counts.sum() / exposure.sum())
    around_counts, around_exposure = graph @ counts, graph @ exposure
    fitted: dict[tuple[float, float], float] = {}
    step = -(-len(counts) // FITTED_SPOTS)  # two numbers for a whole section: a part of its spots tells them
    c, d, near, near_exposure = (x[::step] for x in (counts, exposure, around_counts, around_exposure))
    for shape in SHAPES:
        total = 1.0 / (1.0 / shape + noise)
        binomial = float((gammaln(c + total) - gammaln(total)).sum())
        for prior in PRIOR_SPOTS:
            mean = d * (near + prior * overall) / (near_exposure + prior)
            terms = total * np.log(total / (total + mean)) + c * np.log(mean / (total + mean))
            fitted[shape, prior] = binomial + float(terms.sum())
    best = max(fitted, key=lambda k: fitted[k])
    whole = _Neighbourhood(counts, exposure, around_counts, around_exposure, overall, noise)
    rate, _, _ = whole.posterior(*best)
    variance, shared, weight = np.zeros(len(counts)), np.zeros(len(counts)), 0.0
    for strengths, likelihood in fitted.items():
        share = float(np.exp(likelihood - fitted[best]))
        if share >= LEAST_WEIGHT:
            other, own, around = whole.posterior(*strengths)
            shared += share * (around + (other - rate) ** 2)
            variance += share * own
            weight += share
    relative_sd, shared_sd = np.sqrt((variance + shared) / weight) / rate, np.sqrt(shared / weight) / rate
    rate = rate * float(exposure.sum() / (rate * exposure).sum())
    return ShrunkRate(rate, relative_sd, shared_sd, *best)


@dataclass(frozen=True, eq=False)
class _Neighbourhood:
    """Counts and exposure of each spot and of its neighbours, and the overall rate."""

    counts: Array
    exposure: Array
    around_counts: Array
    around_exposure: Array
    overall: float
    noise: float

    def posterior(self, shape: float, prior: float) -> tuple[Array, Array, Array]:
        """Mean of each rate, and its variance: of the gamma law about the local mean, and of that mean's own counts."""
        seen = self.around_counts + prior * self.overall
        local = seen / (self.around_exposure + prior)
        told = 1.0 / (1.0 + self.noise * local * self.exposure)
        counts, exposure = told * self.counts, told * self.exposure
        total = shape / local + exposure
        mean = (shape + counts) / total
        from_local = shape / local / total  # how far the local mean carries into the rate
        around = (mean * from_local) ** 2 / np.maximum(told * seen, 1e-12)
        return mean, mean**2 / (shape + counts), around
