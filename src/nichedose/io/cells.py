"""What the readers of cells, bins and regions share: the table as a file holds it, its checks, the finished assay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.io.counts import raw_counts, total_flags
from nichedose.io.genes import clean_genes
from nichedose.tissue.assay import Observation, Proteins, SpatialAssay
from nichedose.values import Flag

__all__ = ["CellTable", "assemble_cells"]

FEWEST_CELLS = 4  # fewer have no neighbours to learn from
# nuclei do not stand closer than this (um), nor is a field of cells sparser: beyond, the unit is wrong
NEAREST_UM = (1.5, 150.0)
AREA_UM2 = (5.0, 5000.0)  # of the median cell; from a lymphocyte's nucleus to a giant cell, with room
SHARED_POSITIONS = 0.01  # of the cells; rounding makes some fall together, a second copy or sample makes many
DISTANCES = 20_000  # rows whose neighbours are measured: the median is then good to half a per cent
PITCH_OF_SIXTH = 0.78  # pitch of an even layout over the distance to the sixth neighbour of a random one


@dataclass(frozen=True, eq=False)
class CellTable:
    """Cells, bins or regions as a file holds them: ``xy`` (n, 2) and ``area`` (n,) in the file's own unit.

    ``counts`` (n, n_features) with ``features``, or None for an assay without RNA. ``what`` names a row in messages.
    """

    names: Sequence[str]
    xy: Array
    counts: Any = None
    features: tuple[str, ...] = ()
    is_gene: BoolArray | None = None
    area: Array | None = None
    proteins: Proteins | None = None
    annotations: Mapping[str, Any] = field(default_factory=dict)
    observation: Observation = "cell"
    hint: str = ""


def assemble_cells(
    table: CellTable,
    um_per_unit: float,
    evidence: str,
    *,
    path: Path,
    kind: str,
    sample: str,
    aliases: Mapping[str, str],
    files: Sequence[Path],
    patient: str = "",
    outlines_um: tuple[Array, ...] = (),
    area_um2_per_unit: float | None = None,
    bin_um: float | None = None,
    flags: Sequence[Flag] = (),
) -> SpatialAssay:
    """Check positions, names, counts and areas, clean the gene names, and put everything together in um.

    Areas are multiplied by ``area_um2_per_unit``, or by the square of ``um_per_unit`` without it. ``bin_um`` is the
    edge of a bin. Cells without a single count are dropped with a note, when RNA is all that the assay holds.
    Raises `BadInput` for too few rows, positions that are missing or shared, names that stand there twice, distances or
    areas that no tissue has, and counts that are not raw.
    """
    where, what = str(path), table.observation
    names = tuple(map(str, table.names))
    shared_note = _check_positions(table.xy, names, where, what)
    xy_um = np.asarray(table.xy, dtype=float) * um_per_unit
    counts, genes, gene_flags = _counts(table, len(names), aliases, where)
    found = [*flags, *shared_note, *gene_flags]
    distance = _neighbour_distances(xy_um)
    if what in ("cell", "bin"):
        _check_spacing(distance, where, what)
    area = _areas(table, area_um2_per_unit or um_per_unit**2, bin_um, where, found)
    if counts.shape[1] and table.proteins is None:
        found += total_flags(counts)
    keep = np.ones(len(names), dtype=bool)
    if counts.shape[1] and table.proteins is None:
        keep = np.diff(counts.indptr) > 0
        found += _empty_note(keep, what)
        if not keep.any():
            raise BadInput(f"{where}: all counts are zero.")
    rows = np.flatnonzero(keep)
    every = bool(keep.all())
    pitch = bin_um or _pitch(distance)
    return SpatialAssay(
        counts=counts if every else counts[rows], genes=genes, xy_um=xy_um[rows],
        barcodes=names if every else tuple(names[i] for i in rows),
        pitch_um=pitch, spot_diameter_um=_diameter(area, bin_um, pitch),
        lattice="square" if what == "bin" else "none", kind=kind, sample=sample, scale_evidence=evidence,
        source_path=where, annotations={k: np.asarray(v)[rows] for k, v in table.annotations.items()},
        flags=tuple(found), files=tuple(str(f) for f in files), observation=what,
        area_um2=None if area is None else area[rows],
        proteins=None if table.proteins is None else (table.proteins if every else table.proteins.take(rows)),
        outlines_um=outlines_um, patient=patient)


def _neighbour_distances(xy_um: Array) -> Array:
    """Distance (n, k) to the nearest six rows, nearest first; of a sample that no reordering of rows changes."""
    order = np.lexsort(xy_um.T)[:: max(len(xy_um) // DISTANCES, 1)]
    k = min(6, len(xy_um) - 1)
    return np.asarray(cKDTree(xy_um).query(xy_um[order], k=k + 1)[0])[:, 1:]


def _pitch(distance: Array) -> float:
    """Centre-to-centre distance (um) that the cells would have if spread evenly at their median local density."""
    k = distance.shape[1]
    return float(PITCH_OF_SIXTH * np.median(distance[:, -1]) * math.sqrt(6.0 / k))


def _check_positions(xy: Array, names: tuple[str, ...], where: str, what: str) -> list[Flag]:
    if len(names) == 0:
        raise BadInput(f"{where}: there are no {what}s in the table; check the sample or field of view chosen.")
    fewest = 2 if what == "region" else FEWEST_CELLS
    if len(names) < fewest:
        raise BadInput(f"{where}: {len(names)} {what}{'' if len(names) == 1 else 's'} only; a section needs at least "
                       f"{fewest}. Check the sample or field of view chosen.")
    bad = ~np.isfinite(np.asarray(xy, dtype=float)).all(axis=1)
    if bad.any():
        raise BadInput(f"{where}: {int(bad.sum())} of {len(names)} {what}s have no position (NaN or infinite), for "
                       f"example {names[int(np.flatnonzero(bad)[0])]}. Drop them from the file, or give their "
                       "positions.")
    if len(set(names)) != len(names):
        seen: set[str] = set()
        twice = next(n for n in names if n in seen or seen.add(n))  # type: ignore[func-returns-value]
        raise BadInput(f"{where}: {len(names) - len(set(names))} {what} names stand there twice (for example {twice}). "
                       "Was the table written twice, or does it hold several samples? Keep each once, or name the "
                       "sample column with sample_key.")
    shared = len(names) - len(np.unique(np.round(xy, 6), axis=0))
    if what != "region" and shared > max(SHARED_POSITIONS * len(names), 1):
        raise BadInput(f"{where}: {shared} of {len(names)} {what}s stand at the position of another. Does the file "
                       "hold several samples, or each field of view in its own coordinates? Name the column with "
                       "sample_key and the sample with sample.")
    if not shared:
        return []
    return [Flag("note", "tissue data", f"{shared} {what}s stand exactly where another one does (positions are "
                                        "rounded in the file); both are kept.")]


def _check_spacing(distance: Array, where: str, what: str) -> None:
    nearest = distance[:, 0]
    middle = float(np.median(nearest))
    low, high = NEAREST_UM
    if not low <= middle <= high:
        raise BadInput(f"{where}: the nearest neighbour of a {what} would be {middle:.3g} um away, where {low:g} to "
                       f"{high:g} um is possible; the unit of the positions is wrong. Say coordinate_unit and "
                       "um_per_unit.")


def _counts(
    table: CellTable, n: int, aliases: Mapping[str, str], where: str
) -> tuple[sp.csr_matrix, tuple[str, ...], tuple[Flag, ...]]:
    if table.counts is None:
        return sp.csr_matrix(np.zeros((n, 0), dtype=np.int64)), (), ()
    counts = raw_counts(table.counts, where, table.hint)
    return clean_genes(counts, table.features, table.is_gene, aliases, where)


def _areas(table: CellTable, factor: float, bin_um: float | None, where: str, flags: list[Flag]) -> Array | None:
    if bin_um is not None:
        return np.full(len(table.names), bin_um**2)
    if table.area is None:
        return None
    area = np.asarray(table.area, dtype=float) * factor
    if bool((area < 0.0).any()):
        raise BadInput(f"{where}: {int((area < 0.0).sum())} areas are negative. Mend them, or leave the column out.")
    area[~(area > 0.0)] = np.nan
    if not np.isfinite(area).any():
        return None
    middle, (low, high) = float(np.nanmedian(area)), AREA_UM2
    if table.observation == "cell" and not low <= middle <= high:
        raise BadInput(f"{where}: the median cell would have {middle:.3g} um2, where {low:g} to {high:g} um2 is "
                       "possible; the unit of positions and areas is wrong. Say coordinate_unit and um_per_unit.")
    lost = int((~np.isfinite(area)).sum())
    if lost:
        flags.append(Flag("note", "tissue data", f"{lost} of {area.size} rows have no area in the file."))
    return area


def _empty_note(keep: BoolArray, what: str) -> list[Flag]:
    empty = int((~keep).sum())
    if not empty:
        return []
    text = (f"{empty} of {keep.size} {what}s have no counts of any gene; dropped, so that densities are "
            f"{100 * empty / keep.size:.2g} % low.")
    return [Flag("caution" if empty > 0.1 * keep.size else "note", "tissue data", text)]


def _diameter(area: Array | None, bin_um: float | None, pitch: float) -> float:
    """Of the median cell as a circle; the pitch where no area is known."""
    if bin_um is not None:
        return bin_um
    if area is None or not np.isfinite(area).any():
        return pitch
    return float(2.0 * np.sqrt(np.nanmedian(area) / np.pi))
