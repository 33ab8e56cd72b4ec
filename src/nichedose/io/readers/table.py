"""The documented plain table: cells, spots or points, one row each, with columns that say what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.io.assemble import CountTable, assemble
from nichedose.io.cells import CellTable, assemble_cells
from nichedose.io.h5ad_scale import spots_in_um
from nichedose.io.headers import column_names, is_table, stem_of
from nichedose.io.protein_tables import numbers, pick_sample, proteins_of, text_of
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.tables import read_table, separator_of
from nichedose.tissue.assay import Proteins, SpatialAssay
from nichedose.values import Flag

__all__ = ["TABLE"]

_CELL_IDS, _SPOT_IDS = ("cell_id", "cell", "id"), ("spot_id", "barcode")
_POSITIONS = (("x_um", "y_um"), ("x", "y"))
_COUNT, _INTENSITY, _POSITIVE = "count:", "intensity:", "positive:"
_TEXT = ("phenotype", "tissue_category", "pathologist_label", "region")


def _by_lower(columns: Any) -> dict[str, str]:
    return {str(c).strip().lower(): str(c) for c in columns}


def _claims(path: Path) -> bool:
    lowered = set(_by_lower(column_names(path))) if is_table(path) else set()
    if {"x_um", "y_um"} <= lowered:
        return True
    # files of spots and of labels of legacy ST have these beside x and y; they go with their counts
    return {"x", "y"} <= lowered and not lowered & {"pixel_x", "label"}


def _frame(path: Path) -> Any:
    frame = read_table(path, separator=separator_of(path))
    lowered = _by_lower(frame.columns)
    return frame.rename(columns={old: new for new, old in lowered.items() if not new.startswith(
        (_COUNT, _INTENSITY, _POSITIVE))})


def _samples(path: Path, options: ReadOptions) -> list[str]:
    frame = _frame(path)
    column = options.sample_key or "sample"
    return sorted(set(text_of(frame, column))) if column in frame else []


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if path.is_dir():
        raise BadInput(f"{path}: kind = \"table\" reads one file (.csv or .tsv, may be .gz), and this is a folder.")
    options.refuse_unused(path, "table", "layer")
    frame = _frame(path)
    pair = next((p for p in _POSITIONS if set(p) <= set(frame.columns)), None)
    if pair is None:
        raise BadInput(f"{path}: a plain table needs the columns x_um and y_um (or x and y, with coordinate_unit or "
                       "um_per_unit).")
    where = str(path)
    rows, name = pick_sample(frame, "sample" if "sample" in frame else None, options, where)
    frame = frame[rows].reset_index(drop=True)
    counts, genes = _counts(frame, where)
    proteins = _proteins(frame, where)
    spot_id = next((c for c in _SPOT_IDS if c in frame), None)
    if spot_id is not None and counts is None:
        raise BadInput(f"{path}: annotations of spots without counts ({', '.join(list(frame.columns)[:5])}, ...): "
                       "what the tissue is made of and which targets it bears cannot be told from labels and "
                       f"positions. Give the count matrix of these spots, or columns {_COUNT}GENE.")
    um, evidence = _scale(pair, options, path)
    xy = np.column_stack([numbers(frame, c, where) for c in pair])
    notes = {c: text_of(frame, c) for c in _TEXT if c in frame}
    sample = name or options.sample or stem_of(path)
    patient = _patient(frame)
    if spot_id is not None:
        if not np.isfinite(xy).all():
            raise BadInput(f"{path}: {int((~np.isfinite(xy)).any(axis=1).sum())} of {len(xy)} spots have no position.")
        barcodes = tuple(map(str, frame[spot_id]))
        if len(set(barcodes)) != len(barcodes):
            raise BadInput(f"{path}: {len(barcodes) - len(set(barcodes))} spot names stand there twice.")
        scale = spots_in_um(xy * um, evidence, where)
        return assemble(CountTable(counts, barcodes, genes), scale, path=path, kind="table", sample=sample,
                        aliases=options.aliases, files=[path], annotations=notes)
    cell_id = next((c for c in _CELL_IDS if c in frame), None)
    flags = []
    if counts is None and proteins is None and "phenotype" not in notes:
        flags.append(Flag("caution", "tissue data", "The table holds positions only: neither counts, nor proteins, nor "
                                                    "phenotypes. Distances and densities can be told, nothing else."))
    outlines, files = _outlines(path, um)
    return assemble_cells(
        CellTable([str(v) for v in (frame[cell_id] if cell_id else range(len(frame)))], xy, counts, genes,
                  area=numbers(frame, "area_um2", where) if "area_um2" in frame else None, proteins=proteins,
                  annotations=notes),
        um, evidence, path=path, kind="table", sample=sample, aliases=options.aliases, files=[path, *files],
        patient=patient, outlines_um=outlines, area_um2_per_unit=1.0, flags=flags)


def _patient(frame: Any) -> str:
    values = sorted({v for v in text_of(frame, "patient") if v}) if "patient" in frame else []
    return values[0] if len(values) == 1 else ""


def _scale(pair: tuple[str, str], options: ReadOptions, path: Path) -> tuple[float, str]:
    if pair == ("x_um", "y_um"):
        if options.um_per_unit is not None or options.coordinate_unit not in ("auto", "um"):
            raise BadInput(f"{path}: x_um and y_um are um; leave coordinate_unit and um_per_unit out.")
        return 1.0, "the columns x_um and y_um are um"
    if options.coordinate_unit == "um":
        return 1.0, "x and y are um, as coordinate_unit says"
    if options.um_per_unit is not None:
        return options.um_per_unit, f"um_per_unit = {options.um_per_unit:g} um per unit of x and y, as given"
    raise BadInput(f"{path}: x and y have no unit (pixels, scanner units, um?). Say coordinate_unit = \"um\" if they "
                   "are um, else um_per_unit (um per unit of x and y).")


def _counts(frame: Any, where: str) -> tuple[sp.csr_matrix | None, tuple[str, ...]]:
    columns = [c for c in map(str, frame.columns) if c.startswith(_COUNT)]
    if not columns:
        return None, ()
    values = np.column_stack([numbers(frame, c, where) for c in columns])
    return sp.csr_matrix(values), tuple(c.removeprefix(_COUNT) for c in columns)


def _proteins(frame: Any, where: str) -> Proteins | None:
    parts: dict[str, dict[str, Array]] = {_INTENSITY: {}, _POSITIVE: {}}
    for column in map(str, frame.columns):
        for prefix, found in parts.items():
            if column.startswith(prefix):
                found[column.removeprefix(prefix)] = numbers(frame, column, where)
    return proteins_of(parts[_INTENSITY], parts[_POSITIVE] or None)


def _outlines(path: Path, um: float) -> tuple[tuple[Array, ...], list[Path]]:
    """``NAME_roi.json`` beside ``NAME.csv`` or ``NAME_....csv``: {"polygons": [[[x, ...], [y, ...]], ...]}."""
    stem = stem_of(path)
    for name in (stem, stem.rsplit("_", 1)[0]):
        file = path.parent / f"{name}_roi.json"
        if not file.is_file():
            continue
        try:
            rings = json.loads(file.read_text(encoding="utf-8"))["polygons"]
            outlines = tuple(np.asarray(ring, dtype=float).T * um for ring in rings)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{file}: not an outline ({error}); {{\"polygons\": [[[x, ...], [y, ...]], ...]}} is "
                           "needed.") from error
        if any(o.ndim != 2 or o.shape[1] != 2 or len(o) < 3 or not np.isfinite(o).all() for o in outlines):
            raise BadInput(f"{file}: an outline needs at least three finite points, as [[x, ...], [y, ...]].")
        return outlines, [file]
    return (), []


TABLE = Reader("table", "a plain table with x_um and y_um (or x and y) and columns count:GENE, intensity:MARKER, "
                        "positive:MARKER, phenotype", _claims, _read, _samples)
