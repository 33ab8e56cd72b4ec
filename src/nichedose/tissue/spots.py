"""What a section says at its spots, before any physical unit: composition, scores and the shape of each target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.library.schema import CellType, Target
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.composition import Composition, marker_score, regress_composition
from nichedose.tissue.content import content_of
from nichedose.tissue.counted import counted_cells
from nichedose.tissue.genes import Coverage, GeneTable, gene_table
from nichedose.tissue.noise import common_noise
from nichedose.tissue.reported import reported_composition
from nichedose.tissue.shrink import neighbour_graph, shrink_counts
from nichedose.tissue.signatures import GeneList, Roles, roles
from nichedose.tissue.traits import sensitivity_traits
from nichedose.values import Flag

__all__ = ["CellSites", "GeneCoverage", "SpotErrors", "SpotModel", "SpotTarget", "model_spots"]

MIN_TARGET_COUNTS = 50  # below, sqrt(50) gives 14 % for the section mean alone, and nothing is left for a map
MIN_POSITIVE_SPOTS = 20  # below, a map would be a list of single spots
MIN_MARKER_SHARE = 0.5  # of a list's genes that must have been measured, or a flag says so
WEAK_VESSEL_COUNTS = 5.0  # endothelial transcripts per spot; below, counting noise (45 %) exceeds most contrast
MATRIX_FULL_QUANTILE = 0.95  # the matrix score of this quantile of spots is 1


@dataclass(frozen=True)
class SpotTarget:
    """A target at the spots: ``relative`` (n_spots,) transcripts per tissue volume, mean 1; None without a shape.

    ``relative_sd`` (n_spots,): what counting leaves open of each spot's level, as a share of it; ``shared_sd`` the part
    of it that neighbours have in common. None without counts.
    ``counts`` and ``positive_spots`` are those of the scarcest subunit.
    """

    name: str
    relative: Array | None
    counts: int
    positive_spots: int
    relative_sd: Array | None = None
    shared_sd: Array | None = None

    @property
    def shape_known(self) -> bool:
        return self.relative is not None


@dataclass(frozen=True)
class GeneCoverage:
    """Which genes of each list were measured, and with how many counts."""

    cell_types: Mapping[str, Coverage]
    targets: Mapping[str, Coverage]
    signatures: Mapping[str, Coverage]

    def as_dict(self) -> dict[str, dict[str, dict[str, object]]]:
        """Plain objects, for JSON."""
        return {
            kind: {name: c.as_dict() for name, c in getattr(self, kind).items()}
            for kind in ("cell_types", "targets", "signatures")
        }


@dataclass(frozen=True, eq=False)
class SpotErrors:
    """What a section leaves open at its spots, as standard deviations of logarithms; `draw_spots` makes draws of it.

    ``content``: one number. ``composition`` (n_spots, n_types), ``vessel`` and ``matrix`` (n_spots,): from counting;
    None where nothing was counted.
    """

    content: float
    composition: Array | None
    vessel: Array | None
    matrix: Array | None


@dataclass(frozen=True, eq=False)
class CellSites:
    """The cells (or fine bins) behind a model: names, ``xy_um`` (n, 2), diameter, ``share`` (n, n_types) by type."""

    names: tuple[str, ...]
    xy_um: Array
    diameter_um: float
    share: Array


@dataclass(frozen=True, eq=False)
class SpotModel:
    """One section at spot level; arrays (n_spots,) unless said. Computed once, the same in every draw.

    ``composition`` (n_spots, n_types): fractions of cells, rows sum to 1, columns ``cell_types``. ``content``: relative
    cell content, mean 1. ``vessel``: relative endothelial content, mean 1; None without endothelial genes. ``matrix``:
    relative, 0-1. ``hypoxia``: relative score, mean 1, shown beside the oxygen field and not used for it (or None).
    ``traits``: log scores of what may shift radiosensitivity, in standard deviations over the section, where measured.
    ``cells``: where the model was gathered from cells, the way back to them. ``cells_per_mm2``: mean number of cells
    that were counted per area of section, None where none were. ``errors``: what the counts leave open.
    """

    sample: str
    barcodes: tuple[str, ...]
    xy_um: Array
    pitch_um: float
    spot_diameter_um: float
    lattice: Literal["hexagonal", "square", "none"]
    depth: Array
    cell_types: tuple[str, ...]
    clonogenic: tuple[str, ...]
    composition: Array
    content: Array
    vessel: Array | None
    matrix: Array
    hypoxia: Array | None
    targets: Mapping[str, SpotTarget]
    unknown_targets: Mapping[str, str]
    coverage: GeneCoverage
    flags: tuple[Flag, ...]
    cells: CellSites | None = None
    traits: Mapping[str, Array] = field(default_factory=dict)
    errors: SpotErrors | None = None
    cells_per_mm2: float | None = None

    @property
    def n_spots(self) -> int:
        return len(self.barcodes)

    @property
    def gene_coverage(self) -> dict[str, dict[str, dict[str, object]]]:
        return self.coverage.as_dict()

    def fraction(self, cell_type: str) -> Array:
        return np.asarray(self.composition[:, self.cell_types.index(cell_type)])

    def host_share(self, host: str) -> Array:
        """How much of a target's host there is per unit of cell content: a cell type's fraction, ``matrix``, or vessel.

        Vessel walls without endothelial genes are even.
        """
        if host == "matrix":
            return np.asarray(self.matrix / self.content)
        if host == "vessel_wall":
            return np.ones(self.n_spots) if self.vessel is None else np.asarray(self.vessel / self.content)
        return self.fraction(host)


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
    ``unknown_targets`` with the reason; one below `MIN_TARGET_COUNTS` or `MIN_POSITIVE_SPOTS` keeps no shape.
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
    reported, type_flags = reported_composition(assay, library_cell_types)
    if reported is None:
        composition, type_sd, marker_flags = _composition(
            assay, library_cell_types, table, depth, graph, noise)
        type_flags = (*type_flags, *_coverage_flags(coverage, library_cell_types), *marker_flags)
    else:
        composition, type_sd = reported, None
    fields, sds, score_flags = _scores(named, table, depth, graph, content, noise)
    known, unknown, target_flags = _targets(targets, table, depth, graph, content, noise)
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
        matrix=_relative_to_full(fields["matrix"], len(depth)),
        hypoxia=fields["hypoxia"],
        targets=known,
        unknown_targets=unknown,
        coverage=coverage,
        flags=(*assay.flags, *(() if counted is None else counted.flags), *type_flags, *score_flags, *target_flags),
        traits=sensitivity_traits(signatures, table, depth, graph),
        errors=SpotErrors(told.log_sd if counted is None else 0.0, type_sd, sds.get("vessel"),
                          sds.get("matrix")),
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
    noise: float,
) -> tuple[Composition, Array, list[Flag]]:
    """Shares by marker regression, the SD of each share's logarithm that counting leaves, and what was missing."""
    scores, sds, flags = {}, [], []
    for name, cell_type in cell_types.items():
        score = marker_score(cell_type.markers, table, depth, graph, noise)
        if score is None:
            text = (
                f"No marker of the cell type '{name}' has counts in {assay.sample}; it is left out of the composition."
            )
            flags.append(Flag("caution", name, text))
        else:
            scores[name] = score.rate
            sds.append(_log_sd(score.relative_sd))
    tumour = [n for n, t in cell_types.items() if t.is_clonogenic]
    if not scores or (tumour and not any(n in scores for n in tumour)):
        wanted = sorted({g for n in tumour or cell_types for g in cell_types[n].markers})
        raise BadInput(
            f"{assay.sample}: no marker gene of a tumour cell has counts ({', '.join(wanted)}); check that genes are "
            "HGNC symbols and that the panel holds some of these."
        )
    return regress_composition(scores, assay.counts, depth), np.stack(sds, axis=1), flags


def _scores(
    named: Roles, table: GeneTable, depth: Array, graph: sp.csr_matrix, content: Array, noise: float
) -> tuple[dict[str, Array | None], dict[str, Array], list[Flag]]:
    """Relative content of vessels, matrix and hypoxia transcripts, mean 1, and the SD of its logarithm."""
    fields: dict[str, Array | None] = {}
    sds: dict[str, Array] = {}
    flags: list[Flag] = []
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
    per_spot = sum(float(table.columns[g].mean()) for g in table.measured(named.vessel))
    if 0.0 < per_spot < WEAK_VESSEL_COUNTS:
        text = (
            f"The vessel map rests on {per_spot:.1f} endothelial transcripts per spot: its contrast is weak and mostly "
            "shared between neighbours."
        )
        flags.append(Flag("caution", "vessel", text))
    return fields, sds, flags


def _relative_to_full(amount: Array | None, n: int) -> Array:
    if amount is None:
        return np.zeros(n)
    full = float(np.quantile(amount, MATRIX_FULL_QUANTILE))
    return np.asarray(np.clip(amount / full, 0.0, 1.0))


def _targets(
    targets: Mapping[str, Target], table: GeneTable, depth: Array, graph: sp.csr_matrix, content: Array, noise: float
) -> tuple[dict[str, SpotTarget], dict[str, str], list[Flag]]:
    known: dict[str, SpotTarget] = {}
    unknown: dict[str, str] = {}
    flags: list[Flag] = []
    for name, target in targets.items():
        missing = [g for g in target.genes if table.symbol(g) not in table.columns]
        if missing:
            unknown[name] = f"{', '.join(missing)} not among the genes that were measured"
            continue
        known[name] = _target(name, table.counts(target.genes), depth, graph, content, noise)
        if known[name].relative is None:
            text = (
                f"{name}: {known[name].counts} transcripts in {known[name].positive_spots} spots are too few for a map "
                f"(at least {MIN_TARGET_COUNTS} in {MIN_POSITIVE_SPOTS} spots); its density is taken as even over the "
                "cells that bear it."
            )
            flags.append(Flag("caution", name, text))
    return known, unknown, flags


def _target(
    name: str, counts: Array, depth: Array, graph: sp.csr_matrix, content: Array, noise: float
) -> SpotTarget:
    """``counts`` (n_spots, n_subunits): per spot the scarcer subunit decides, by its shrunk transcripts per depth."""
    totals, positive = counts.sum(axis=0), (counts > 0).sum(axis=0)
    fewest, spots = round(float(totals.min())), int(positive.min())
    if fewest < MIN_TARGET_COUNTS or spots < MIN_POSITIVE_SPOTS:
        return SpotTarget(name, None, fewest, spots)
    shrunk = [shrink_counts(c, depth, graph, noise) for c in counts.T]
    rates = np.stack([s.rate * total for s, total in zip(shrunk, totals, strict=True)])
    scarcer = np.argmin(rates, axis=0)[None, :]
    amount = np.take_along_axis(rates, scarcer, axis=0)[0] * content
    sd, shared = (np.take_along_axis(np.stack(s), scarcer, axis=0)[0]
                  for s in ([s.relative_sd for s in shrunk], [s.shared_sd for s in shrunk]))
    return SpotTarget(name, amount / amount.mean(), fewest, spots, sd, shared)


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
