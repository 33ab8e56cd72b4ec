"""A section's tumour microenvironment in one object: who is where, what keeps whom out, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.library import Library
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.content import content_of
from nichedose.tissue.genes import GeneTable, gene_table
from nichedose.tissue.reported import choose_composition
from nichedose.tissue.scores import SignatureScore, score_signatures
from nichedose.tissue.shrink import neighbour_graph
from nichedose.tissue.tme.barriers import barriers
from nichedose.tissue.tme.compartments import Compartments, find_compartments
from nichedose.tissue.tme.composite import ALL_CELLS, HYPOXIC_TUMOUR, composite
from nichedose.tissue.tme.infiltration import infiltration, normalised_depth
from nichedose.tissue.tme.options import ProfileOptions
from nichedose.tissue.tme.phenotype import immune_phenotype
from nichedose.tissue.tme.raster import Raster, tessellate
from nichedose.tissue.tme.result import TMEProfile
from nichedose.tissue.tme.rows import RowPopulations, populate, row_kind
from nichedose.tissue.tme.section_neighbours import in_contact, section_neighbours
from nichedose.tissue.tme.tiles import tile_sums, zones
from nichedose.tissue.tme.tls import lymphoid_clusters
from nichedose.tissue.tme.vessels import VESSELS, vessel_density, vessel_shares
from nichedose.tissue.vessel_signal import vessel_flag
from nichedose.values import Flag

__all__ = ["profile"]

CELL_VOXEL_UM, SPOT_VOXELS = 5.0, 8  # of a cell section; per pitch of a spot section
FINE_BIN_UM = 30.0  # bins of a continuous array are their own voxels
COARSEST_CELL_VOXEL_UM = 20.0
VOXELS_WANTED = 4_000_000
CELL_REACH_UM = 50.0  # gaps between cells narrower than twice this are tissue
SPOT_REACH = {"hexagonal": 0.60, "square": 0.73, "none": 0.73}  # in pitches, as in the map
FEW_TILES = 10
HIGH_SCORE = 1.0  # log2: twice the section's mean


def profile(assay: SpatialAssay, library: Library, options: ProfileOptions | None = None) -> TMEProfile:
    """Profile one section: cells, compartments, infiltration, immune phenotype, barriers, signatures.

    Cells are counted where rows are cells; spots give shares. Areas come from a nearest-neighbour tessellation of the
    tissue. Intervals and probabilities come from resampling square tiles; they hold for sampling within this section,
    not for other sections of the tumour. Raises `BadInput` where tumour cells cannot be told, or an option does not
    fit.

        from nichedose.io import read_tissue
        from nichedose.library import load_library
        from nichedose.tissue import profile
        found = profile(read_tissue("section.h5ad"), load_library())
        print(found.phenotype.summary)
    """
    options = options or ProfileOptions()
    _must_be_counts(assay)
    assay = choose_composition(assay, options.composition)
    table, depth = _table(assay, library)
    graph = neighbour_graph(assay.xy_um, assay.pitch_um)
    rows = populate(assay, library.cell_types, library.populations, table, depth, graph, options)
    scores = score_signatures(
        library.signatures, table, depth, graph, min_coverage=options.min_coverage,
        content=None if rows.counted else content_of(depth))
    raster = _raster(assay, rows, options)
    compartments = find_compartments(assay, raster, rows, options)
    found = _measure(assay, library, options, rows, scores, raster, compartments)
    targets = {n: table.coverage(t.genes) for n, t in library.targets.items()}
    flags = (*assay.flags, *rows.flags, *_own_flags(found, rows, assay), *_vessel_flags(found, assay))
    return replace(found, targets=targets, flags=flags)


def _must_be_counts(assay: SpatialAssay) -> None:
    if assay.genes and assay.counts.nnz:
        data = assay.counts.data
        if not np.isfinite(data).all() or float(data.min()) < 0.0:
            raise BadInput(f"{assay.sample}: counts hold NaN, infinite or negative values; raw counts are needed.")


def _table(assay: SpatialAssay, library: Library) -> tuple[GeneTable, Array]:
    wanted = [g for t in library.cell_types.values() for g in t.markers]
    wanted += [g for p in library.populations.values() for gate in p.gates for g in gate]
    wanted += [g for p in library.populations.values() for g in p.genes]
    wanted += [g for s in library.signatures.values() for g in s.genes]
    wanted += [g for t in library.targets.values() for g in t.genes]
    depth = np.asarray(assay.counts.sum(axis=1), dtype=float).ravel()
    if assay.genes and not depth.any():
        raise BadInput(f"{assay.sample}: all counts are zero.")
    least = 1.0 if not depth.any() else float(depth[depth > 0.0].min())
    return gene_table(assay, wanted, library.aliases), np.maximum(depth, least)


def _raster(assay: SpatialAssay, rows: RowPopulations, options: ProfileOptions) -> Raster:
    if rows.counted:
        extent = np.ptp(assay.xy_um, axis=0) + 2.0 * CELL_REACH_UM
        fitting = float(np.sqrt(extent.prod() / VOXELS_WANTED))
        voxel = options.voxel_um or float(np.clip(fitting, CELL_VOXEL_UM, COARSEST_CELL_VOXEL_UM))
        reach, margin = options.reach_um or CELL_REACH_UM, 0.5 * assay.pitch_um
    else:
        finest = assay.pitch_um if assay.pitch_um < FINE_BIN_UM else assay.pitch_um / SPOT_VOXELS
        voxel = options.voxel_um or finest
        reach = options.reach_um or SPOT_REACH[assay.lattice] * assay.pitch_um
        margin = reach
    return tessellate(
        assay.xy_um, voxel_um=voxel, reach_um=reach, margin_um=min(margin, reach), outlines_um=assay.outlines_um
    )


def _measure(
    assay: SpatialAssay,
    library: Library,
    options: ProfileOptions,
    rows: RowPopulations,
    scores: Mapping[str, SignatureScore],
    raster: Raster,
    compartments: Compartments,
) -> TMEProfile:
    amounts = {**rows.amounts, ALL_CELLS: rows.all_cells}
    unknown = dict(rows.unknown)
    hypoxia = scores.get("hypoxia")
    if hypoxia is not None and hypoxia.adjusted is not None:
        amounts[HYPOXIC_TUMOUR] = rows.amounts["tumour"] * (hypoxia.adjusted >= HIGH_SCORE)
    elif hypoxia is not None:
        unknown["hypoxia"] = str(hypoxia.abstained)
    if rows.counted and "endothelial" in rows.amounts:
        amounts[VESSELS] = vessel_shares(assay.xy_um, rows.amounts["endothelial"], options.contact_um)
    contact = in_contact(assay, rows, options.contact_um) if rows.counted else {}
    numbers = library.phenotype_rules["depth_profile"].numbers if "depth_profile" in library.phenotype_rules else {}
    deep, rim = (numbers[k].central if k in numbers else 50.0 for k in ("deep_um", "rim_um"))
    where = zones(options.margins_um, deep, rim, 25.0 if rows.counted else assay.pitch_um)
    tiles = tile_sums(raster, compartments, amounts, contact, where, options.tile_um, spread=not rows.counted)
    weights = tiles.bootstrap_weights(options.bootstraps, options.seed)
    samples, whole = tiles.resampled(weights), tiles.resampled(np.ones((1, tiles.n_tiles)))
    distance = np.asarray(raster.at_rows(compartments.distance_um), dtype=float)
    greatest = _greatest_depth(compartments)
    cells = {
        p: infiltration(whole, samples, p, _depth_of(a, distance, greatest)) for p, a in rows.amounts.items()
    }
    neighbours = section_neighbours(assay, rows, raster, tiles, options) if rows.counted else {}
    clusters, clusters_say = lymphoid_clusters(raster, rows)
    axes = composite(whole, samples, unknown)
    vessels = vessel_density(whole, samples)
    areas = {z: float(whole.area_mm2[z][0]) for z in ("nest", "stroma")}
    q90 = _depth_quantile(compartments)
    in_nest, in_stroma = raster.at_rows(compartments.nest), raster.at_rows(compartments.stroma)
    side = np.where(in_nest, "nest", np.where(in_stroma, "stroma", ""))
    return TMEProfile(
        sample=assay.sample, kind=row_kind(assay, options), n_rows=assay.n_spots, options=options,
        how={"cells": rows.how, "compartments": compartments.how, "scale": assay.scale_evidence},
        areas_mm2=areas, edge_share=compartments.edge_share, depth_q90_um=q90,
        profile_edges_um=where.profile_edges_um, cells=cells, unknown=unknown, neighbours=neighbours,
        clusters=clusters, clusters_say=clusters_say,
        phenotype=immune_phenotype(
            library.phenotype_rules, tiles, samples, weights, counted=rows.counted, unknown=_unknown_cd8(rows),
            pitch_um=assay.pitch_um),
        composite=axes, vessels=vessels,
        barriers=barriers(cells, unknown, neighbours, axes, areas, q90, vessels), scores=scores, targets={},
        flags=(), tiles=tiles, rows=rows, compartment=side, distance_um=distance, raster=raster,
        compartments=compartments,
    )


def _unknown_cd8(rows: RowPopulations) -> str | None:
    return None if "cd8_t" in rows.amounts else rows.unknown.get("cd8_t", "no such population in the library")


def _greatest_depth(compartments: Compartments) -> float:
    if not compartments.has_border:
        return 0.0
    return float(-np.nanmin(compartments.distance_um))


def _depth_of(amount: Array, distance_um: Array, greatest_um: float) -> float | None:
    """Mean depth over greatest depth, of the cells in nests; cells count by their amount."""
    inside = (distance_um <= 0.0) & (amount > 0.0) & np.isfinite(distance_um)
    if not inside.any() or not greatest_um > 0.0:
        return None
    mean = float(np.average(-distance_um[inside], weights=amount[inside]))
    return normalised_depth(np.array([mean]), greatest_um)


def _depth_quantile(compartments: Compartments) -> float | None:
    if not compartments.has_border:
        return None
    return float(np.quantile(-compartments.distance_um[compartments.nest], 0.9))


def _own_flags(found: TMEProfile, rows: RowPopulations, assay: SpatialAssay) -> list[Flag]:
    flags = []
    if found.tiles.n_tiles < FEW_TILES:
        text = f"The section holds {found.tiles.n_tiles} tiles: intervals and probabilities are rough."
        flags.append(Flag("caution", "intervals", text))
    if found.edge_share > 0.1:
        text = (
            f"{100 * found.edge_share:.0f} % of the area lies nearer to the edge of the section than to the border of "
            "the nests, and may be nearer to a border outside."
        )
        flags.append(Flag("caution", "distances", text))
    for name, reason in rows.unknown.items():
        flags.append(Flag("caution", name, f"{name}: unknown, {reason}."))
    narrow = [m for m in found.options.margins_um if m < assay.pitch_um]
    if not rows.counted and narrow:
        widths = ", ".join(f"{m:g}" for m in narrow)
        text = f"Bands of {widths} um are narrower than the distance between spots ({assay.pitch_um:.0f} um)."
        flags.append(Flag("caution", "margins", text))
    return flags


def _vessel_flags(found: TMEProfile, assay: SpatialAssay) -> list[Flag]:
    """How far the endothelial list tells places apart, in spots and bins; cells are counted instead."""
    score = found.scores.get("endothelium")
    if found.rows.counted or score is None or score.value is None or score.sd is None:
        return []
    contrast, noise = float(score.value.var()), float((score.sd**2).mean())
    told = contrast / (contrast + noise) if contrast > 0.0 else 0.0
    return [vessel_flag(score.counts / assay.n_spots, told, assay.observation)]
