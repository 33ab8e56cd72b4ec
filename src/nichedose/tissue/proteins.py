"""What protein markers say of each cell: its type, whether it bears a target, whether it is a vessel's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.library.markers import lineage_of_marker, lineage_of_phenotype
from nichedose.library.schema import CellType, Target
from nichedose.tissue.assay import Proteins, SpatialAssay
from nichedose.tissue.genes import Coverage
from nichedose.tissue.spot_targets import MIN_POSITIVE_SPOTS
from nichedose.tissue.spots import GeneCoverage, SpotTarget
from nichedose.values import Flag

__all__ = ["OTHER", "PHENOTYPE", "ProteinReading", "read_proteins", "types_by_phenotype"]

PHENOTYPE = "phenotype"  # the annotation in which readers put what a file calls its cells
OTHER = "other"  # a cell of which the markers do not tell the type
BACKGROUND_QUANTILE = 0.05  # of the cells; what they show is taken for the stain's background


@dataclass(frozen=True, eq=False)
class ProteinReading:
    """Per cell: ``share`` (n_cells, n_types), 1 for its type; ``vessel`` 1 for a vessel's cell, or None.

    ``targets`` hold the relative amount per cell; ``unknown`` the targets that no marker shows, with the reason.
    """

    types: tuple[str, ...]
    clonogenic: tuple[str, ...]
    share: Array
    vessel: Array | None
    targets: Mapping[str, SpotTarget]
    unknown: Mapping[str, str]
    coverage: GeneCoverage
    flags: tuple[Flag, ...]


def read_proteins(
    assay: SpatialAssay, cell_types: Mapping[str, CellType], targets: Mapping[str, Target]
) -> ProteinReading:
    """Types from the phenotypes of the file, else from marker calls and the tissue compartment; targets from markers.

    Raises `BadInput` when the file holds neither phenotypes nor calls, or no tumour cell.
    """
    flags: list[Flag] = []
    named = _types(assay, cell_types, flags)
    tumour = {n for n, t in cell_types.items() if t.is_clonogenic}
    if not tumour & set(named):
        raise BadInput(f"{assay.sample}: no cell is a tumour cell by phenotype, marker or compartment; say which are "
                       "in the column phenotype or tissue_category.")
    types = tuple(t for t in (*cell_types, OTHER) if (named == t).any())
    share = np.stack([named == t for t in types], axis=1).astype(float)
    known, unknown = _targets(assay.proteins, targets)
    vessel = (named == "endothelial").astype(float)
    if not vessel.any():
        flags.append(Flag("caution", "vessel", "No marker of vessels was stained; vessels are taken as even."))
    flags.append(Flag("caution", "matrix", "Proteins of the matrix are not read; the matrix field is zero."))
    return ProteinReading(
        types, tuple(t for t in types if t in tumour), share, vessel if vessel.any() else None, known, unknown,
        _coverage(assay.proteins, cell_types, targets), tuple(flags))


def _types(assay: SpatialAssay, cell_types: Mapping[str, CellType], flags: list[Flag]) -> np.ndarray:
    """The type of each cell by name, `OTHER` where nothing tells it."""
    named, hosts = types_by_phenotype(assay, cell_types)
    told = any(t is not None for t in hosts.values())
    proteins = assay.proteins
    if not told and proteins is not None and proteins.positive is not None:
        told = _by_calls(proteins, proteins.positive, cell_types, named)
    compartment = assay.annotations.get("tissue_category")
    if told and compartment is not None and not any((named == t).any() for t, c in cell_types.items()
                                                    if c.is_clonogenic):
        tumour = next(t for t, c in cell_types.items() if c.is_clonogenic)
        inside = np.array([lineage_of_phenotype(str(v)) in cell_types
                           and cell_types[str(lineage_of_phenotype(str(v)))].is_clonogenic for v in compartment])
        rest = inside & (named == OTHER)
        named[rest] = tumour
        if rest.any():
            flags.append(Flag("caution", tumour, f"No marker of tumour cells was stained: the {int(rest.sum())} cells "
                                                 "of the tumour compartment without another marker are taken for "
                                                 "tumour cells."))
    if not told:
        raise BadInput(f"{assay.sample}: the file holds neither phenotypes nor calls of positive cells, so the types "
                       "of the cells are not known. Gate the markers first, and give the column phenotype (for "
                       "example tumour, CD8, macrophage).")
    lost = int((named == OTHER).sum())
    if lost:
        flags.append(Flag("note", "tissue data", f"{lost} of {assay.n_spots} cells have no type that the library "
                                                 f"knows; they count as '{OTHER}'."))
    return named


def types_by_phenotype(
    assay: SpatialAssay, cell_types: Mapping[str, CellType]
) -> tuple[np.ndarray, dict[str, str | None]]:
    """The type (n,) that the file's phenotypes say each cell is, else `OTHER`; and the type of each phenotype."""
    named = np.full(assay.n_spots, OTHER, dtype=object)
    hosts: dict[str, str | None] = {}
    if PHENOTYPE in assay.annotations:
        phenotype = np.asarray(assay.annotations[PHENOTYPE]).astype(str)
        for value in np.unique(phenotype):
            lineage = lineage_of_phenotype(value)
            hosts[str(value)] = lineage if lineage in cell_types else None
            if lineage in cell_types:
                named[phenotype == value] = lineage
    return named, hosts


def _by_calls(
    proteins: Proteins, positive: BoolArray, cell_types: Mapping[str, CellType], named: np.ndarray
) -> bool:
    """Types by positive markers; of two, the library's earlier type wins only where the cell has no immune marker."""
    markers = {n: t.markers for n, t in cell_types.items()}
    lineages = [lineage_of_marker(m, markers) for m in proteins.markers]
    # keratin and actin spill over from neighbours, lymphocyte markers hardly do: these are written last
    order = ("fibroblast", "tumour", "endothelial", "macrophage", "b_cell", "t_cell")
    told = False
    for wanted in (*(t for t in cell_types if t not in order), *order):
        for column, lineage in enumerate(lineages):
            if lineage == wanted and wanted in cell_types:
                named[positive[:, column]] = wanted
                told = True
    return told


def _targets(
    proteins: Proteins | None, targets: Mapping[str, Target]
) -> tuple[dict[str, SpotTarget], dict[str, str]]:
    known: dict[str, SpotTarget] = {}
    unknown: dict[str, str] = {}
    for name, target in targets.items():
        missing = [g for g in target.genes if proteins is None or g not in proteins.markers]
        if missing or proteins is None:
            unknown[name] = f"{', '.join(missing)} not among the proteins that were stained"
            continue
        amounts = [_amount(proteins, gene) for gene in target.genes]
        positive = min(n for _, n in amounts)
        amount = np.min([a for a, _ in amounts], axis=0)
        enough = positive >= MIN_POSITIVE_SPOTS and float(amount.sum()) > 0.0
        known[name] = SpotTarget(name, amount if enough else None, positive, positive)
    return known, unknown


def _amount(proteins: Proteins, marker: str) -> tuple[Array, int]:
    """Amount per cell, relative (mean 1), above the background of the stain; and the number of positive cells."""
    values = proteins.column(marker)
    calls = None if proteins.positive is None else proteins.positive[:, proteins.markers.index(marker)]
    if np.isfinite(values).any():
        above = np.clip(np.nan_to_num(values - np.nanquantile(values, BACKGROUND_QUANTILE)), 0.0, None)
    else:
        above = np.ones(len(values))
    if calls is not None and calls.any():
        above = np.where(calls, np.maximum(above, 1e-12), 0.0)
    mean = float(above.mean())
    count = int(calls.sum()) if calls is not None else int((above > 0.0).sum())
    return (above / mean if mean > 0.0 else above), count


def _coverage(
    proteins: Proteins | None, cell_types: Mapping[str, CellType], targets: Mapping[str, Target]
) -> GeneCoverage:
    have = () if proteins is None else proteins.markers

    def one(genes: tuple[str, ...]) -> Coverage:
        present = tuple(g for g in genes if g in have)
        counts = {g: _amount(proteins, g)[1] for g in present} if proteins is not None else {}
        return Coverage(present, tuple(g for g in genes if g not in have), counts, counts)

    return GeneCoverage({n: one(t.markers) for n, t in cell_types.items()},
                        {n: one(t.genes) for n, t in targets.items()}, {})
