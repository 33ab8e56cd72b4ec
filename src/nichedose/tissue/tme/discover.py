"""Which surface genes of this tumour could be targets: abundant, on most tumour cells, rare elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.library import Library
from nichedose.library.schema import SurfaceGenes
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.tme.profile import TMEProfile

__all__ = ["Discovery", "RankedTarget", "discover_in_section", "discover_targets"]

MIN_COUNTS = 20  # in tumour cells; fewer say that a gene was measured, not how evenly it is borne
TUMOUR_RICH = 0.5  # a spot with more tumour than this counts for coverage and hypoxia
GROUPS = 40  # blocks of rows that are resampled, when no tiles are given
SAMPLES = 200
PER_MILLION = 1e-6  # added to shares before their ratio: about one transcript per million
Z90 = 1.6448536269514722
DEPTH_CLASSES = 32
LEAST_PER_10K, LEAST_SHARE, MOST_CONTRAST = 0.1, 0.02, 6.0  # beyond, a criterion gains or loses nothing more
HYPOXIC_LOG2 = 1.0  # hypoxia score of a hypoxic row: twice the mean of the section


@dataclass(frozen=True)
class RankedTarget:
    """One gene. ``rank`` 1 is best, with its 90 % bootstrap interval; ``score`` is the sum of the criteria in log2.

    ``per_10k``: transcripts per 10,000 in tumour cells. ``coverage``: share of tumour cells (spots) that bear it, with
    its 90 % interval, dropout by shallow counting taken out; a wide one says that the data cannot tell.
    ``elsewhere_ratio``: its level in all other cells over that in tumour cells. ``hypoxic_ratio``: its level in hypoxic
    over that in other tumour cells. ``contrast_log2``: its share of transcripts in tumour cells over that in
    ``worst_organ``, the organ where this is least; None without a table, or without the gene in it.
    """

    gene: str
    family: str
    rank: int
    rank_low: int
    rank_high: int
    score: float
    counts: int
    per_10k: float
    coverage: float
    coverage_low: float
    coverage_high: float
    elsewhere_ratio: float | None
    hypoxic_ratio: float | None
    contrast_log2: float | None
    worst_organ: str | None

    def as_dict(self) -> dict[str, object]:
        return dict(vars(self))


@dataclass(frozen=True)
class Discovery:
    """Genes in the order of their rank; those measured but too rare to judge; those that were not measured."""

    ranked: tuple[RankedTarget, ...]
    too_rare: tuple[str, ...]
    not_measured: tuple[str, ...]
    criteria: tuple[str, ...]
    tumour_cells: float

    def as_dict(self) -> dict[str, object]:
        return {
            "criteria": list(self.criteria), "tumour_cells": self.tumour_cells,
            "ranked": [t.as_dict() for t in self.ranked], "too_rare": list(self.too_rare),
            "not_measured": list(self.not_measured),
        }


def discover_targets(
    counts: sp.csr_matrix,
    genes: Sequence[str],
    tumour: Array,
    families: Mapping[str, SurfaceGenes],
    *,
    aliases: Mapping[str, str] | None = None,
    hypoxic: BoolArray | None = None,
    group: np.ndarray | None = None,
    normal_tissue: Mapping[str, Mapping[str, float]] | None = None,
    seed: int = 0,
) -> Discovery:
    """Rank the surface genes of ``families`` in raw ``counts`` (n, n_genes).

    ``tumour`` (n,): share of tumour in each row (0 or 1 for cells). ``hypoxic`` (n,) marks hypoxic rows, where known.
    ``group`` (n,) names the block (tile) of each row, which are resampled together. ``normal_tissue``: organ -> gene ->
    level in any unit that is proportional to transcripts (TPM, CPM); only shares over the genes in common are compared.
    No positions are needed, so a single-cell reference does. A factor of two counts alike in every criterion.
    Raises `BadInput` when there is no tumour, or when shapes do not fit.
    """
    n = counts.shape[0]
    if counts.shape[1] != len(genes) or np.shape(tumour) != (n,):
        raise BadInput(f"Counts are {counts.shape}, with {len(genes)} genes and {np.shape(tumour)} tumour shares.")
    if not np.isfinite(tumour).all() or tumour.min() < 0.0 or tumour.max() > 1.0:
        raise BadInput("Tumour shares must lie between 0 and 1.")
    if not (tumour > TUMOUR_RICH).any():
        raise BadInput("No row is mostly tumour, so nothing can be said of targets on tumour cells.")
    symbols, joined = _joined(counts, genes, aliases or {})
    family_of = {g: f.name for f in families.values() for g in f.genes}
    wanted = [g for g in family_of if g in symbols]
    column = {s: i for i, s in enumerate(symbols)}
    depth = np.asarray(joined.sum(axis=1), dtype=float).ravel()
    block = _blocks(n, group, seed)
    rich = tumour > TUMOUR_RICH
    picked = sp.csr_matrix(joined[:, [column[g] for g in wanted]])
    sums = _block_sums(picked, depth, tumour, rich, hypoxic, block)
    whole = _levels(sums, np.ones((1, len(sums.depth))))
    enough = whole.tumour_counts[0] >= MIN_COUNTS
    kept = [g for g, ok in zip(wanted, enough, strict=True) if ok]
    too_rare = tuple(g for g, ok in zip(wanted, enough, strict=True) if not ok)
    missing = tuple(g for g in family_of if g not in symbols)
    criteria = ["abundance", "coverage"]
    criteria += ["rare elsewhere"] if (tumour < TUMOUR_RICH).any() else []
    criteria += ["not lost in hypoxia"] if hypoxic is not None and (hypoxic & rich).any() else []
    if not kept:
        return Discovery((), too_rare, missing, tuple(criteria), float(tumour.sum()))
    contrast, organ = _contrast(joined, symbols, tumour, depth, kept, normal_tissue)
    if np.isfinite(contrast).any():
        criteria.append("contrast with organs")
    weights = np.random.default_rng(seed).multinomial(
        len(sums.depth), np.full(len(sums.depth), 1.0 / len(sums.depth)), size=SAMPLES).astype(float)
    drawn = _levels(sums, weights)
    depth_classes = np.quantile(depth[rich], (np.arange(DEPTH_CLASSES) + 0.5) / DEPTH_CLASSES)
    index = np.flatnonzero(enough)
    coverage = _coverage(whole, index, depth_classes, int(rich.sum()))
    score = _score(whole, index, coverage[1], contrast, criteria)[0]
    ranks = _ranks(_score(drawn, index, coverage[1], contrast, criteria))
    order = np.argsort(-score, kind="stable")
    ranked = []
    for place, i in enumerate(order.tolist(), start=1):
        k = index[i]
        low, high = np.quantile(ranks[:, i], (0.05, 0.95))
        ranked.append(RankedTarget(
            kept[i], family_of[kept[i]], place, min(place, round(float(low))), max(place, round(float(high))),
            float(score[i]), round(float(whole.tumour_counts[0, k])), float(1e4 * whole.tumour[0, k]),
            float(coverage[0][i]), float(coverage[1][i]), float(coverage[2][i]),
            _or_none(whole.elsewhere[0, k]), _or_none(whole.hypoxic[0, k]), _or_none(contrast[i]), organ[i],
        ))
    return Discovery(tuple(ranked), too_rare, missing, tuple(criteria), float(tumour.sum()))


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _joined(
    counts: sp.csr_matrix, genes: Sequence[str], aliases: Mapping[str, str]
) -> tuple[tuple[str, ...], sp.csr_matrix]:
    """Columns of one current symbol added up."""
    names = [aliases.get(g, g) for g in genes]
    symbols = tuple(dict.fromkeys(names))
    if len(symbols) == len(names):
        return symbols, sp.csr_matrix(counts)
    place = {s: i for i, s in enumerate(symbols)}
    join = sp.csr_matrix(
        (np.ones(len(names)), (np.arange(len(names)), [place[s] for s in names])), shape=(len(names), len(symbols)))
    return symbols, sp.csr_matrix(counts @ join)


def _blocks(n: int, group: np.ndarray | None, seed: int) -> np.ndarray:
    if group is not None:
        return np.asarray(np.unique(group, return_inverse=True)[1]).ravel()
    return np.random.default_rng(seed).permutation(np.arange(n) % min(GROUPS, n))


@dataclass(frozen=True)
class _Sums:
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


def _block_sums(
    picked: sp.csr_matrix, depth: Array, f: Array, rich: BoolArray, hypoxic: BoolArray | None, block: np.ndarray
) -> _Sums:
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
    return _Sums(
        rows(depth * f * f), rows(depth * f * (1 - f)), rows(depth * (1 - f) ** 2), by_gene(picked, f),
        by_gene(picked, 1.0 - f), rows(depth), rows(depth * r), rows(r), by_gene(picked, r), by_gene(presence, r),
        rows(depth * h), by_gene(picked, h),
    )


@dataclass(frozen=True)
class _Levels:
    """Per sample and gene (n_samples, n_genes): level in tumour, its ratios, and what coverage needs."""

    tumour: Array
    elsewhere: Array
    hypoxic: Array
    tumour_counts: Array
    mean_rich: Array
    positive_share: Array


def _levels(s: _Sums, weights: Array) -> _Levels:
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
        return _Levels(a, elsewhere, hypoxic, c_rich, c_rich / depth_rich[:, None], (weights @ s.positive) / rich)


def _coverage(whole: _Levels, index: np.ndarray, depth: Array, n_rich: int) -> tuple[Array, Array, Array]:
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


def _contrast(
    counts: sp.csr_matrix, symbols: tuple[str, ...], tumour: Array, depth: Array, kept: Sequence[str],
    table: Mapping[str, Mapping[str, float]] | None,
) -> tuple[Array, list[str | None]]:
    """Least log2 ratio of shares over the organs, and the organ."""
    least, organ_of = np.full(len(kept), np.nan), [None] * len(kept)
    if not table:
        return least, list(organ_of)
    level = np.asarray((counts.T @ tumour), dtype=float).ravel()
    place = {s: i for i, s in enumerate(symbols)}
    organs: list[str | None] = list(organ_of)
    for organ, values in table.items():
        common = [g for g in values if g in place]
        ours = sum(float(level[place[g]]) for g in common)
        theirs = sum(values[g] for g in common)
        if not ours > 0.0 or not theirs > 0.0:
            continue
        for i, gene in enumerate(kept):
            if gene not in values:
                continue
            share = level[place[gene]] / ours
            value = float(np.log2((share + PER_MILLION) / (values[gene] / theirs + PER_MILLION)))
            if not least[i] <= value:
                least[i], organs[i] = value, organ
    return least, organs


def _score(
    levels: _Levels, index: np.ndarray, coverage_low: Array, contrast: Array, criteria: Sequence[str]
) -> Array:
    """Sum of the criteria in log2 (n_samples, n_kept): a factor of two counts alike in each; unknown counts nothing."""
    coverage = np.broadcast_to(coverage_low, (levels.tumour.shape[0], len(index)))
    found = {
        "abundance": np.log2(1e4 * levels.tumour[:, index] + LEAST_PER_10K),
        "coverage": np.log2(np.maximum(coverage, LEAST_SHARE)),
        "rare elsewhere": -np.log2(np.clip(levels.elsewhere[:, index], LEAST_SHARE, 1.0 / LEAST_SHARE)),
        "not lost in hypoxia": np.log2(np.clip(levels.hypoxic[:, index], LEAST_SHARE, 1.0)),
        "contrast with organs": np.broadcast_to(np.clip(contrast, -MOST_CONTRAST, MOST_CONTRAST), coverage.shape),
    }
    return np.asarray(np.sum([np.nan_to_num(found[c], nan=0.0) for c in criteria], axis=0))


def _ranks(score: Array) -> Array:
    order = np.argsort(-score, axis=1, kind="stable")
    return np.asarray(np.argsort(order, axis=1, kind="stable") + 1.0)


def discover_in_section(
    assay: SpatialAssay,
    found: TMEProfile,
    library: Library,
    *,
    normal_tissue: Mapping[str, Mapping[str, float]] | None = None,
    seed: int = 0,
) -> Discovery:
    """`discover_targets` in a section that was profiled: tumour cells or shares, hypoxia and tiles come from there."""
    share = found.rows.amounts["tumour"] / found.rows.all_cells
    score = found.scores.get("hypoxia")
    hypoxic = None
    if score is not None and score.adjusted is not None:
        hypoxic = np.asarray(score.adjusted >= HYPOXIC_LOG2)
    tile = np.floor(assay.xy_um / found.tiles.tile_um).astype(np.intp)
    tile -= tile.min(axis=0)
    return discover_targets(
        assay.counts, assay.genes, np.clip(share, 0.0, 1.0), library.surface_genes, aliases=library.aliases,
        hypoxic=hypoxic, group=tile[:, 0] * (int(tile[:, 1].max()) + 1) + tile[:, 1], normal_tissue=normal_tissue,
        seed=seed,
    )
