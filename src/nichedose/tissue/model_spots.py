"""From spots to a `SpotModel`: cell types, vessels, matrix and scores, with what was missing."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.library.schema import CellType, Target
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.common_error import common_share, smooth_correlation
from nichedose.tissue.composition import (
    Composition,
    marker_counts,
    marker_score,
    regress_composition,
    told_share,
    untold,
    untold_flags,
)
from nichedose.tissue.content import content_of
from nichedose.tissue.counted import counted_cells
from nichedose.tissue.genes import GeneTable, gene_table
from nichedose.tissue.noise import common_noise
from nichedose.tissue.reported import reported_composition
from nichedose.tissue.shrink import neighbour_graph, shrink_counts
from nichedose.tissue.signatures import GeneList, Roles, roles
from nichedose.tissue.spot_targets import targets_at_spots
from nichedose.tissue.spots import GeneCoverage, SpotErrors, SpotModel, TypeErrors
from nichedose.tissue.traits import sensitivity_traits
from nichedose.tissue.vessel_signal import vessel_flag
from nichedose.values import Flag

__all__ = ["model_spots"]

MIN_MARKER_SHARE = 0.5  # of a list's genes that must have been measured, or a flag says so
LOWEST = 0.05  # quantile of spots that is taken for a type's lowest level
MATRIX_FULL_QUANTILE = 0.95  # the matrix score of this quantile of spots is 1


def model_spots(
    assay: SpatialAssay,
    library_cell_types: Mapping[str, CellType],
    targets: Mapping[str, Target],
    signatures: Mapping[str, GeneList],
    aliases: Mapping[str, str],
    noise: float | None = None,
) -> SpotModel:
    """Read a section: cell types, vessels, matrix, hypoxia and targets at each spot, with what was missing.

    ``aliases`` maps former gene symbols to current ones. ``noise`` beyond Poisson (`shrink_counts`) is told from the
    section when None. A target whose gene is not in the assay goes to
    ``unknown_targets`` with the reason; one with too few counts keeps no shape (`targets_at_spots`).
    Raises `BadInput` when a spot has no counts, or when no marker of a tumour cell was measured.
    """
    depth = _depth(assay)
    named = roles(signatures)
    lists = [
        *(t.markers for t in library_cell_types.values()),
        *(t.genes for t in targets.values()),
        *(s.genes for s in signatures.values()),
    ]
    table = gene_table(assay, (g for genes in lists for g in genes), aliases)
    coverage = GeneCoverage(
        cell_types={n: table.coverage(t.markers) for n, t in library_cell_types.items()},
        targets={n: table.coverage(t.genes) for n, t in targets.items()},
        signatures={n: table.coverage(s.genes) for n, s in signatures.items()},
    )
    graph = neighbour_graph(assay.xy_um, assay.pitch_um)
    counted = counted_cells(assay)
    told = content_of(depth)
    content = told.relative if counted is None else counted.content
    noise = common_noise(assay.counts, depth, graph) if noise is None else noise
    correlation = smooth_correlation(assay.xy_um, assay.pitch_um, graph)
    reported, type_flags = reported_composition(assay, library_cell_types)
    if reported is None:
        composition, type_errors, marker_flags = _composition(
            assay, library_cell_types, table, depth, graph, noise, correlation)
        type_flags = (*type_flags, *_coverage_flags(coverage, library_cell_types), *marker_flags)
    else:
        composition, type_errors = reported, None
    fields, sds, score_flags = _scores(named, table, depth, graph, content, noise)
    matrix, matrix_scale_sd = _relative_to_full(fields["matrix"], len(depth))
    known, unknown, target_flags = targets_at_spots(
        targets, table, depth, graph, content, noise, correlation, float(depth.sum()) / len(assay.genes))
    return SpotModel(
        sample=assay.sample,
        barcodes=assay.barcodes,
        xy_um=assay.xy_um,
        pitch_um=assay.pitch_um,
        spot_diameter_um=assay.spot_diameter_um,
        lattice=assay.lattice,
        depth=depth,
        cell_types=composition.types,
        clonogenic=tuple(t for t in composition.types if library_cell_types[t].is_clonogenic),
        composition=composition.fractions,
        content=content,
        vessel=fields["vessel"],
        matrix=matrix,
        hypoxia=fields["hypoxia"],
        targets=known,
        unknown_targets=unknown,
        coverage=coverage,
        flags=(*assay.flags, *(() if counted is None else counted.flags), *type_flags, *score_flags, *target_flags),
        traits=sensitivity_traits(signatures, table, depth, graph),
        errors=SpotErrors(told.log_sd if counted is None else 0.0, type_errors, sds.get("vessel"),
                          sds.get("matrix"), matrix_scale_sd),
        cells_per_mm2=None if counted is None else counted.per_mm2,
    )


def _depth(assay: SpatialAssay) -> Array:
    depth = np.asarray(assay.counts.sum(axis=1), dtype=float).ravel()
    if not np.isfinite(depth).all() or (assay.counts.nnz and float(assay.counts.data.min()) < 0.0):
        raise BadInput(f"{assay.sample}: counts hold NaN, infinite or negative values; raw counts are needed.")
    empty = int((depth <= 0.0).sum())
    if empty:
        raise BadInput(f"{assay.sample}: {empty} of {assay.n_spots} spots have no counts at all; drop them before.")
    return depth


def _log_sd(relative_sd: Array) -> Array:
    """Of the lognormal law with that relative standard deviation."""
    return np.asarray(np.sqrt(np.log1p(relative_sd**2)))


def _composition(
    assay: SpatialAssay, cell_types: Mapping[str, CellType], table: GeneTable, depth: Array, graph: sp.csr_matrix,
    noise: float, correlation: float,
) -> tuple[Composition, TypeErrors, list[Flag]]:
    """Shares by marker regression, what counting leaves open of them, and what was missing."""
    scores, shared, flags = {}, [], []
    for name, cell_type in cell_types.items():
        joined = marker_counts(cell_type.markers, table)
        if joined is None:
            text = (
                f"No marker of the cell type '{name}' has counts in {assay.sample}; it is left out of the composition."
            )
            flags.append(Flag("caution", name, text))
            continue
        scores[name] = score = shrink_counts(joined.counts, depth, graph, noise * joined.alone)
        common = math.sqrt(common_share(joined.counts, depth, graph, score, correlation))
        shared.append(np.maximum(score.shared_sd, common * score.relative_sd))
    tumour = [n for n, t in cell_types.items() if t.is_clonogenic]
    if not scores or (tumour and not any(n in scores for n in tumour)):
        wanted = sorted({g for n in tumour or cell_types for g in cell_types[n].markers})
        raise BadInput(
            f"{assay.sample}: no marker gene of a tumour cell has counts ({', '.join(wanted)}); check that genes are "
            "HGNC symbols and that the panel holds some of these."
        )
    level = np.stack([s.rate for s in scores.values()], axis=1)
    sd = np.stack([s.relative_sd for s in scores.values()], axis=1)
    found = regress_composition({n: s.rate for n, s in scores.items()}, assay.counts, depth)
    errors = TypeErrors(level, sd, np.stack(shared, axis=1), np.quantile(level, LOWEST, axis=0),
                        np.array([untold(found, n, s) for n, s in scores.items()]))
    return found, errors, [*flags, *untold_flags(dict(zip(scores, errors.untold.tolist(), strict=True)))]


def _scores(
    named: Roles, table: GeneTable, depth: Array, graph: sp.csr_matrix, content: Array, noise: float
) -> tuple[dict[str, Array | None], dict[str, Array], list[Flag]]:
    """Relative content of vessels, matrix and hypoxia transcripts, mean 1, and the SD of its logarithm."""
    fields: dict[str, Array | None] = {}
    sds: dict[str, Array] = {}
    flags: list[Flag] = []
    told: float | None = None
    for role, genes in (("vessel", named.vessel), ("matrix", named.matrix), ("hypoxia", named.hypoxia)):
        score = marker_score(genes, table, depth, graph, noise)
        if score is None:
            fields[role] = None
            effect = {
                "vessel": "vessels are taken as even",
                "matrix": "the matrix field is zero",
                "hypoxia": "no hypoxia score is shown",
            }[role]
            flags.append(Flag("caution", role, f"No gene of the {role} signature has counts; {effect}."))
            continue
        measured = len(table.measured(genes))
        if measured < MIN_MARKER_SHARE * len(genes):
            flags.append(
                Flag("caution", role, f"Only {measured} of {len(genes)} genes of the {role} list were measured.")
            )
        amount = score.rate * content if role != "hypoxia" else score.rate
        fields[role] = amount / amount.mean()
        sds[role] = _log_sd(score.relative_sd)
        if role == "vessel":
            told = told_share(score)
    if told is not None:
        per_spot = sum(float(table.columns[g].mean()) for g in table.measured(named.vessel))
        flags.append(vessel_flag(per_spot, told, "spot or bin"))
    return fields, sds, flags


def _relative_to_full(amount: Array | None, n: int) -> tuple[Array, float]:
    """Matrix from 0 to 1, and the SD of its scale's logarithm: of the quantile's rank among ``n`` spots."""
    if amount is None:
        return np.zeros(n), 0.0
    rank_sd = math.sqrt(MATRIX_FULL_QUANTILE * (1.0 - MATRIX_FULL_QUANTILE) / n)
    ranks = np.clip([MATRIX_FULL_QUANTILE - rank_sd, MATRIX_FULL_QUANTILE, MATRIX_FULL_QUANTILE + rank_sd], 0.0, 1.0)
    low, full, high = np.quantile(amount, ranks).tolist()
    return np.asarray(np.clip(amount / full, 0.0, 1.0)), 0.5 * math.log(high / low)


def _coverage_flags(coverage: GeneCoverage, cell_types: Mapping[str, CellType]) -> list[Flag]:
    flags = []
    for name in cell_types:
        c = coverage.cell_types[name]
        total = len(c.present) + len(c.missing)
        if c.present and len(c.present) < MIN_MARKER_SHARE * total:
            text = (
                f"Only {len(c.present)} of {total} markers of '{name}' were measured; its fraction rests on few genes."
            )
            flags.append(Flag("caution", name, text))
    return flags
