"""Levels of genes in tumour cells and elsewhere, from sums by block, and the share of tumour cells that bear each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from nichedose.fields.grid import Array, BoolArray

__all__ = ["BlockSums", "GeneLevels", "block_sums", "coverage_of", "gene_levels"]

Z90 = 1.6448536269514722


@dataclass(frozen=True)
class BlockSums:
    """Sums by block: (n_blocks,) or (n_blocks, n_genes). f is a row's tumour share, d its depth, c its counts."""

    dff: Array
    dfo: Array
    doo: Array
    cf: Array
    co: Array
    depth: Array
    depth_rich: Array
    rich: Array
    c_rich: Array
    positive: Array
    depth_hypoxic: Array
    c_hypoxic: Array


def block_sums(
    picked: sp.csr_matrix, depth: Array, f: Array, rich: BoolArray, hypoxic: BoolArray | None, block: np.ndarray
) -> BlockSums:
    n_blocks = int(block.max()) + 1
    member = sp.csr_matrix((np.ones(len(block)), (block, np.arange(len(block)))), shape=(n_blocks, len(block)))
    in_hypoxia = np.zeros(len(f), dtype=bool) if hypoxic is None else hypoxic & rich
    presence = picked.copy()
    presence.data = (presence.data > 0).astype(float)

    def rows(weight: Array) -> Array:
        return np.asarray(member @ weight, dtype=float)

    def by_gene(matrix: sp.csr_matrix, weight: Array) -> Array:
        return np.asarray((member @ sp.diags(weight) @ matrix).todense(), dtype=float)

    r, h = rich.astype(float), in_hypoxia.astype(float)
    return BlockSums(
        rows(depth * f * f), rows(depth * f * (1 - f)), rows(depth * (1 - f) ** 2), by_gene(picked, f),
        by_gene(picked, 1.0 - f), rows(depth), rows(depth * r), rows(r), by_gene(picked, r), by_gene(presence, r),
        rows(depth * h), by_gene(picked, h),
    )


@dataclass(frozen=True)
class GeneLevels:
    """Per sample and gene (n_samples, n_genes): level in tumour, its ratios, and what coverage needs."""

    tumour: Array
    elsewhere: Array
    hypoxic: Array
    tumour_counts: Array
    mean_rich: Array
    positive_share: Array


def gene_levels(s: BlockSums, weights: Array) -> GeneLevels:
    """Levels in tumour and elsewhere by least squares (weights 1/depth) of counts = depth (f a + (1 - f) b)."""
    dff, dfo, doo = ((weights @ x)[:, None] for x in (s.dff, s.dfo, s.doo))
    cf, co = weights @ s.cf, weights @ s.co
    determinant = dff * doo - dfo**2
    solvable = determinant > 1e-9 * np.maximum(dff * doo, 1e-300)
    safe = np.where(solvable, determinant, 1.0)
    a = np.where(solvable, (doo * cf - dfo * co) / safe, cf / np.maximum(dff, 1e-300))
    b = np.where(solvable, (dff * co - dfo * cf) / safe, np.nan)
    only_a, only_b = cf / np.maximum(dff, 1e-300), co / np.where(doo > 0.0, doo, np.nan)
    a, b = np.where(b < 0.0, only_a, np.maximum(a, 0.0)), np.where(a < 0.0, only_b, np.maximum(b, 0.0))
    depth_rich, depth_hypoxic = (weights @ x for x in (s.depth_rich, s.depth_hypoxic))
    c_rich, c_hypoxic = weights @ s.c_rich, weights @ s.c_hypoxic
    rest = (depth_rich - depth_hypoxic)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        elsewhere = np.where(a > 0.0, b / a, np.nan)
        low, high = (c_rich - c_hypoxic) / rest, c_hypoxic / depth_hypoxic[:, None]
        hypoxic = np.where((low > 0.0) & (depth_hypoxic[:, None] > 0.0), high / low, np.nan)
        rich = (weights @ s.rich)[:, None]
        return GeneLevels(a, elsewhere, hypoxic, c_rich, c_rich / depth_rich[:, None], (weights @ s.positive) / rich)


def coverage_of(whole: GeneLevels, index: np.ndarray, depth: Array, n_rich: int) -> tuple[Array, Array, Array]:
    """Share of tumour rows that bear each gene, with the 90 % interval that the count of positive rows leaves.

    If a share f bears it at an even level, counts of mean m in all make f (1 - exp(-m/f)) of the rows positive; solved
    for f, averaged over the ``depth`` of rows. Rows that all bear it give f = 1.
    """
    level, positive = whole.mean_rich[0, index], whole.positive_share[0, index]
    error = Z90 * np.sqrt(np.maximum(positive * (1.0 - positive), 0.25 / n_rich) / n_rich)
    middle, low, high = (
        _solve_share(level, np.clip(p, 0.0, 1.0), depth) for p in (positive, positive - error, positive + error)
    )
    return middle, low, high


def _solve_share(level: Array, positive: Array, depth: Array) -> Array:
    low, high = np.full(level.shape, 1e-6), np.ones(level.shape)
    mean = level[:, None] * depth[None, :]
    for _ in range(40):
        f = 0.5 * (low + high)
        expected = (f[:, None] * -np.expm1(-mean / f[:, None])).mean(axis=1)
        above = expected > positive
        high, low = np.where(above, f, high), np.where(above, low, f)
    return 0.5 * (low + high)
