"""The last step that all readers share: checks, gene names, flags, and the finished `SpatialAssay`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import BoolArray
from nichedose.io.counts import raw_counts, total_flags
from nichedose.io.genes import clean_genes, look_like_barcodes
from nichedose.io.scale import Scale, refuse_lost_positions
from nichedose.tissue.assay import SpatialAssay
from nichedose.values import Flag

__all__ = ["CountTable", "assemble", "refuse_swapped_axes"]

# from subcellular bins to the coarsest arrays, with room to spare: outside, the unit is wrong
_SMALLEST_PITCH_UM, _LARGEST_PITCH_UM = 1.0, 1000.0


@dataclass(frozen=True)
class CountTable:
    """Counts as a file holds them: ``matrix`` (n_spots, n_features), the names of both, and which features are genes.

    ``hint`` tells where raw counts may be found when these turn out not to be raw.
    """

    matrix: Any
    barcodes: tuple[str, ...]
    features: tuple[str, ...]
    is_gene: BoolArray | None = None
    hint: str = ""

    def take(self, rows: Any) -> CountTable:
        index = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows, dtype=int)
        matrix: Any = self.matrix.tocsr() if hasattr(self.matrix, "tocsr") else np.asarray(self.matrix)
        return CountTable(matrix[index], tuple(self.barcodes[i] for i in index), self.features, self.is_gene, self.hint)


def refuse_swapped_axes(table: CountTable, where: str) -> None:
    """Raise `BadInput` when the columns are named like spots and the rows are not."""
    if look_like_barcodes(table.features) and not look_like_barcodes(table.barcodes):
        raise BadInput(f"{where}: rows and columns are swapped: columns are named like spots ({table.features[0]}), "
                       f"rows like genes ({table.barcodes[0]}). Rows must be spots and columns genes; transpose the "
                       "table.")


def assemble(
    table: CountTable,
    scale: Scale,
    *,
    path: Path,
    kind: str,
    sample: str,
    aliases: Mapping[str, str],
    files: Sequence[Path],
    annotations: Mapping[str, Any] | None = None,
    flags: Sequence[Flag] = (),
) -> SpatialAssay:
    """Check the counts, clean the gene names, drop spots without counts, and put everything together."""
    where = str(path)
    if not table.barcodes:
        raise BadInput(f"{where}: zero spots in tissue; check the in_tissue column of the positions and the sample "
                       "chosen.")
    refuse_lost_positions(scale.xy_um, where)
    if not _SMALLEST_PITCH_UM <= scale.pitch_um <= _LARGEST_PITCH_UM:
        raise BadInput(f"{where}: neighbouring spots would be {scale.pitch_um:.4g} um apart ({scale.evidence}), which "
                       "no spatial assay has; check coordinate_unit and um_per_unit.")
    counts = raw_counts(table.matrix, where, table.hint)
    counts, genes, gene_flags = clean_genes(counts, table.features, table.is_gene, aliases, where)
    if counts.nnz == 0:
        raise BadInput(f"{where}: all counts are zero.")
    assay = SpatialAssay(
        counts=counts, genes=genes, xy_um=scale.xy_um, barcodes=table.barcodes, pitch_um=scale.pitch_um,
        spot_diameter_um=scale.spot_diameter_um, lattice=scale.lattice, kind=kind, sample=sample,
        scale_evidence=scale.evidence, source_path=where, annotations=dict(annotations or {}),
        flags=(*scale.flags, *flags, *gene_flags, *total_flags(counts)), files=tuple(str(f) for f in files))
    return _without_empty_spots(assay)


def _without_empty_spots(assay: SpatialAssay) -> SpatialAssay:
    """Spots in tissue without a single count say nothing of cells or targets; Space Ranger writes them all the same."""
    filled = np.asarray(assay.counts.sum(axis=1)).ravel() > 0
    empty = int((~filled).sum())
    if not empty:
        return assay
    rows = np.flatnonzero(filled)
    refuse_lost_positions(assay.xy_um[rows], assay.source_path)
    text = (f"{empty} of {assay.n_spots} spots in tissue {'has' if empty == 1 else 'have'} no counts at all; dropped.")
    return replace(
        assay, counts=assay.counts[rows], xy_um=assay.xy_um[rows], barcodes=tuple(assay.barcodes[i] for i in rows),
        annotations={name: np.asarray(values)[rows] for name, values in assay.annotations.items()},
        flags=(*assay.flags, Flag("note", "tissue data", text)))
