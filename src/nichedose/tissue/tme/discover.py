"""Which surface genes of this tumour could be targets: abundant, on most tumour cells, rare elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.library import Library
from nichedose.library.schema import SurfaceGenes
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.tme.gene_levels import GeneLevels, block_sums, coverage_of, gene_levels
from nichedose.tissue.tme.ranked import Discovery, RankedTarget
from nichedose.tissue.tme.result import TMEProfile

__all__ = ["Discovery", "RankedTarget", "discover_in_section", "discover_targets"]

MIN_COUNTS = 20  # in tumour cells; fewer say that a gene was measured, not how evenly it is borne
TUMOUR_RICH = 0.5  # a spot with more tumour than this counts for coverage and hypoxia
GROUPS = 40  # blocks of rows that are resampled, when no tiles are given
SAMPLES = 200
PER_MILLION = 1e-6  # added to shares before their ratio: about one transcript per million
DEPTH_CLASSES = 32
LEAST_PER_10K, LEAST_SHARE, MOST_CONTRAST = 0.1, 0.02, 6.0  # beyond, a criterion gains or loses nothing more
HYPOXIC_LOG2 = 1.0  # hypoxia score of a hypoxic row: twice the mean of the section


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
    sums = block_sums(picked, depth, tumour, rich, hypoxic, block)
    whole = gene_levels(sums, np.ones((1, len(sums.depth))))
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
    drawn = gene_levels(sums, weights)
    depth_classes = np.quantile(depth[rich], (np.arange(DEPTH_CLASSES) + 0.5) / DEPTH_CLASSES)
    index = np.flatnonzero(enough)
    coverage = coverage_of(whole, index, depth_classes, int(rich.sum()))
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
    levels: GeneLevels, index: np.ndarray, coverage_low: Array, contrast: Array, criteria: Sequence[str]
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
