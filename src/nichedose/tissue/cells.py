"""From cells or fine bins to a `SpotModel`: types cell by cell, then everything gathered into square bins of tissue."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from nichedose.fields.grid import Array
from nichedose.library.schema import CellType, Target
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.composition import marker_score, regress_composition
from nichedose.tissue.genes import gene_table
from nichedose.tissue.model_spots import model_spots
from nichedose.tissue.proteins import OTHER, PHENOTYPE, ProteinReading, read_proteins, types_by_phenotype
from nichedose.tissue.reported import ABUNDANCE
from nichedose.tissue.shrink import neighbour_graph
from nichedose.tissue.signatures import GeneList
from nichedose.tissue.spots import CellSites, SpotModel
from nichedose.values import Flag

__all__ = ["bin_edge_um", "bins_of", "model_cells"]

BIN_PITCHES = 3.0  # edge of a bin over the cells' pitch: some ten cells, so that a bin of tissue is seldom empty
SMALLEST_BIN_UM = 30.0  # finer than a grid that any engine here resolves


def bin_edge_um(assay: SpatialAssay) -> float:
    """Edge of the square bins that cells are gathered into; a multiple of the assay's own bins where it has some."""
    if assay.observation == "bin":
        return assay.pitch_um * max(round(SMALLEST_BIN_UM / assay.pitch_um), 1)
    return max(SMALLEST_BIN_UM, BIN_PITCHES * assay.pitch_um)


def bins_of(xy_um: Array, edge_um: float) -> tuple[np.ndarray, Array]:
    """The bin of each row (n,), numbered from 0 over those that hold any, and the centres of these bins (n_bins, 2).

    The lattice starts at the lowest position, so that moving the section moves the bins with it.
    """
    low = xy_um.min(axis=0)
    place = np.floor((xy_um - low) / edge_um + 1e-9).astype(np.int64)
    width = int(place[:, 0].max()) + 1
    codes, owner = np.unique(place[:, 1] * width + place[:, 0], return_inverse=True)
    centres = np.stack([codes % width, codes // width], axis=1) * edge_um + low + 0.5 * edge_um
    return owner, centres


def model_cells(
    assay: SpatialAssay,
    library_cell_types: Mapping[str, CellType],
    targets: Mapping[str, Target],
    signatures: Mapping[str, GeneList],
    aliases: Mapping[str, str],
) -> SpotModel:
    """A section of cells (or of bins finer than the model's) at the level of bins; its ``cells`` lead back to the rows.

    Content is the number of cells in a bin; a fine bin counts as the RNA that it holds. Types are told cell by cell,
    by what the file calls them, else from genes by the regression that spots use, or from calls of proteins. Scores and
    targets come from the transcripts of the bin. Raises `BadInput` as `model_section` does.
    """
    edge = bin_edge_um(assay)
    owner, centres = bins_of(assay.xy_um, edge)
    gather = sp.csr_matrix((np.ones(len(owner)), (owner, np.arange(len(owner)))), shape=(len(centres), len(owner)))
    if not assay.genes:
        reading = read_proteins(assay, library_cell_types, targets)
        return _from_proteins(assay, reading, gather, centres, edge, targets)
    types, called, type_flags = _called(assay, library_cell_types)
    model = model_spots(
        _binned(assay, gather, centres, edge, types, called), library_cell_types, targets, signatures, aliases,
        noise=None if assay.observation == "bin" else 0.0)  # cells differ from cell to cell in every gene
    depth = np.asarray(assay.counts.sum(axis=1), dtype=float).ravel()
    if assay.observation == "bin":
        share = np.stack([model.composition[owner, i] for i in range(len(model.cell_types))], axis=1)
        note = _bin_flag(assay, edge, len(centres))
        return dataclasses.replace(model, cells=_sites(assay, share), flags=(*model.flags, note))
    if called is None:
        types, share = model.cell_types, _cell_composition(assay, model.cell_types, library_cell_types, depth, aliases)
    else:
        share = called
    number = np.asarray(gather.sum(axis=1), dtype=float).ravel()
    composition = np.asarray(gather @ share) / number[:, None]
    content = number / number.mean()
    # of the RNA per cell, half in the exponent is content and half capture, as for spots
    per_cell = np.asarray(gather @ depth).ravel() / number
    amount = content * np.clip(per_cell / depth.mean(), 0.25, 4.0) ** 0.5
    ratio = amount / model.content
    return dataclasses.replace(
        model,
        cell_types=types,
        clonogenic=tuple(t for t in types if t in library_cell_types and library_cell_types[t].is_clonogenic),
        composition=composition,
        content=content,
        vessel=None if model.vessel is None else _relative(model.vessel * ratio),
        targets={
            name: spots if spots.relative is None
            else dataclasses.replace(spots, relative=_relative(spots.relative * ratio))
            for name, spots in model.targets.items()
        },
        cells=_sites(assay, share),
        cells_per_mm2=_per_mm2(len(owner), len(centres), edge),
        errors=None if model.errors is None else dataclasses.replace(model.errors, content=0.0, composition=None),
        flags=(*(f for f in model.flags if called is None or f.about != "composition"), *type_flags,
               _bin_flag(assay, edge, len(centres))),
    )


def _called(
    assay: SpatialAssay, cell_types: Mapping[str, CellType]
) -> tuple[tuple[str, ...], Array | None, tuple[Flag, ...]]:
    """Types and shares (n_cells, n_types), 1 for its type, by what the file calls each cell; None where it does not."""
    if assay.observation != "cell" or PHENOTYPE not in assay.annotations:
        return (), None, ()
    named, hosts = types_by_phenotype(assay, cell_types)
    if not any(cell_types[t].is_clonogenic for t in hosts.values() if t is not None):
        text = (f"The column {PHENOTYPE} is not used, because none of its names ({', '.join(hosts)}) speaks of tumour "
                "cells; types are those of the marker genes.")
        return (), None, (Flag("caution", "composition", text),)
    types = tuple(t for t in (*cell_types, OTHER) if (named == t).any())
    said = "; ".join(f"{t} from {', '.join(n for n, h in hosts.items() if h == t)}" for t in types if t != OTHER)
    lost = [n for n, h in hosts.items() if h is None]
    text = f"Cell types are those of the column {PHENOTYPE}, not of marker genes: {said}."
    if lost:
        share = 100.0 * float((named == OTHER).mean())
        text += f" Of no type that the library knows, {share:.0f} % of the cells: {', '.join(lost)}."
    return types, np.stack([named == t for t in types], axis=1).astype(float), (Flag("note", "composition", text),)


def _relative(amount: Array) -> Array:
    return np.asarray(amount / amount.mean())


def _bin_flag(assay: SpatialAssay, edge: float, n_bins: int) -> Flag:
    if assay.observation == "bin":
        text = f"{assay.n_spots} bins of {assay.pitch_um:g} um were gathered into {n_bins} of {edge:.3g} um for the map"
    else:
        per_mm2 = _per_mm2(assay.n_spots, n_bins, edge)
        text = (f"{assay.n_spots} cells were gathered into {n_bins} bins of {edge:.3g} um for the map "
                f"({per_mm2:.3g} cells per mm2 of these bins)")
    return Flag("note", "tissue data", f"{text}; results are given back for each.")


def _per_mm2(n_cells: int, n_bins: int, edge_um: float) -> float:
    return n_cells / (n_bins * edge_um**2 * 1e-6)


def _sites(assay: SpatialAssay, share: Array) -> CellSites:
    return CellSites(assay.barcodes, assay.xy_um, assay.spot_diameter_um, share)


def _binned(
    assay: SpatialAssay, gather: sp.csr_matrix, centres: Array, edge: float, types: tuple[str, ...], share: Array | None
) -> SpatialAssay:
    """The transcripts of each bin, and the cells of each type where they are called, as square spots that touch."""
    called = {} if share is None else {
        f"{ABUNDANCE}{t}": np.asarray(column) for t, column in zip(types, (gather @ share).T, strict=True)}
    counts = sp.csr_matrix(gather.astype(assay.counts.dtype) @ assay.counts)
    return dataclasses.replace(
        assay, counts=counts, xy_um=centres, barcodes=tuple(f"bin_{i}" for i in range(len(centres))),
        pitch_um=edge, spot_diameter_um=edge, lattice="square", annotations=called, observation="spot", area_um2=None,
        proteins=None)


def _cell_composition(
    assay: SpatialAssay,
    types: tuple[str, ...],
    library_cell_types: Mapping[str, CellType],
    depth: Array,
    aliases: Mapping[str, str],
) -> Array:
    """Shares (n_cells, n_types) of the types that the bins could tell, cell by cell."""
    table = gene_table(assay, (g for t in types for g in library_cell_types[t].markers), aliases)
    graph = neighbour_graph(assay.xy_um, assay.pitch_um)
    scores = {t: marker_score(library_cell_types[t].markers, table, depth, graph) for t in types}
    rates = {t: s.rate for t, s in scores.items() if s is not None}
    return regress_composition(rates, assay.counts, depth).fractions


def _from_proteins(
    assay: SpatialAssay,
    reading: ProteinReading,
    gather: sp.csr_matrix,
    centres: Array,
    edge: float,
    targets: Mapping[str, Target],
) -> SpotModel:
    number = np.asarray(gather.sum(axis=1), dtype=float).ravel()
    composition = np.asarray(gather @ reading.share) / number[:, None]
    vessel = None
    if reading.vessel is not None:
        # an even floor: a bin without a stained vessel is fed by those beside it
        found = np.asarray(gather @ reading.vessel).ravel()
        vessel = _relative(found + max(float(found.mean()), 1e-9))
    known = {}
    for name, spots in reading.targets.items():
        relative = None if spots.relative is None else _relative(np.asarray(gather @ spots.relative).ravel())
        known[name] = dataclasses.replace(spots, relative=relative)
    return SpotModel(
        sample=assay.sample, barcodes=tuple(f"bin_{i}" for i in range(len(centres))), xy_um=centres, pitch_um=edge,
        spot_diameter_um=edge, lattice="square", depth=number, cell_types=reading.types,
        clonogenic=reading.clonogenic, composition=composition, content=number / number.mean(), vessel=vessel,
        matrix=np.zeros(len(centres)), hypoxia=None, targets=known,
        unknown_targets={n: r for n, r in reading.unknown.items() if n in targets}, coverage=reading.coverage,
        flags=(*assay.flags, *reading.flags, _bin_flag(assay, edge, len(centres))), cells=_sites(assay, reading.share),
        cells_per_mm2=_per_mm2(assay.n_spots, len(centres), edge))
