"""QuPath measurement tables of cells (``Centroid X µm``, ``Classification``, ``Parent``)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.io.cells import CellTable, assemble_cells
from nichedose.io.headers import column_names, is_table, stem_of
from nichedose.io.protein_tables import numbers, pick_sample, proteins_of, text_of, um_per_px_or_ask
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.tables import read_table, separator_of
from nichedose.library.markers import marker_symbol, marker_symbols
from nichedose.tissue.assay import Proteins, SpatialAssay

__all__ = ["QUPATH"]

# the sign for micro is lost in many ways: µ (two code points), Âµ, ?, a blank
_CENTROID = re.compile(r"Centroid ([XY]) (px|.{0,3}m)")
_AREA = re.compile(r"(?:Cell: )?Area(?: (px|.{0,3}m)\^2)?|Cell: Area")
# "Cell: CD8 mean" (one order of words) and "CD8: Cell: Mean" (the other)
_MEANS = (re.compile(r"(Cell|Membrane|Cytoplasm|Nucleus): (.+?) mean", re.IGNORECASE),
          re.compile(r"(.+?): (Cell|Membrane|Cytoplasm|Nucleus): Mean", re.IGNORECASE))
_WHOLE = ("cell", "membrane", "cytoplasm", "nucleus")
_NO_MARKER = re.compile(r"\b(DAPI|Hoechst|Hematoxylin|Eosin|DNA|Autofluorescence)\b", re.IGNORECASE)


def _centroids(columns: tuple[str, ...]) -> dict[tuple[str, str], str]:
    """Column by (axis, unit)."""
    matches = {c: _CENTROID.fullmatch(c) for c in columns}
    return {(m[1].lower(), "px" if m[2] == "px" else "um"): c for c, m in matches.items() if m is not None}


def _claims(path: Path) -> bool:
    return is_table(path) and {axis for axis, _ in _centroids(column_names(path))} == {"x", "y"}


def _frame(path: Path) -> Any:
    frame = read_table(path, separator=separator_of(path))
    frame.columns = [str(c).strip() for c in frame.columns]
    if "Object type" in frame:  # an export of everything holds annotations too
        cells = frame["Object type"].astype(str).str.lower().isin(("cell", "detection"))
        frame = frame[cells].reset_index(drop=True)
    return frame


def _samples(path: Path, options: ReadOptions) -> list[str]:
    frame = _frame(path)
    return sorted(set(text_of(frame, "Image"))) if "Image" in frame else []


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if path.is_dir():
        raise BadInput(f"{path}: kind = \"qupath\" reads an exported measurement table, and this is a folder.")
    options.refuse_unused(path, "qupath", "layer")
    frame = _frame(path)
    where = str(path)
    centroids = _centroids(tuple(map(str, frame.columns)))
    if {axis for axis, _ in centroids} != {"x", "y"}:
        raise BadInput(f"{path}: not a QuPath table of cells: Centroid X µm and Centroid Y µm (or px) are missing.")
    rows, name = pick_sample(frame, "Image" if "Image" in frame else None, options, where)
    frame = frame[rows].reset_index(drop=True)
    if ("x", "um") in centroids and ("y", "um") in centroids:
        unit, um = "um", 1.0
        if options.um_per_unit is not None or options.coordinate_unit == "pixel":
            raise BadInput(f"{path}: the centroids are in um ('{centroids['x', 'um']}'); leave um_per_unit and "
                           "coordinate_unit out.")
        evidence = f"QuPath wrote um ('{centroids['x', 'um']}'), from the pixel size that the image states"
    else:
        unit = "px"
        um, evidence = um_per_px_or_ask(
            options, path, "Centroid X px and Centroid Y px", "QuPath shows it in the tab Image")
    area, factor = _area(frame, um, unit, where)
    notes: dict[str, Any] = {}
    kind = next((c for c in ("Classification", "Class") if c in frame), None)
    if kind is not None:
        notes["phenotype"] = text_of(frame, kind)
    if "Parent" in frame:
        notes["tissue_category"] = np.array(
            [re.sub(r"^.*\((.*)\)$", r"\1", v) for v in text_of(frame, "Parent")], dtype=object)
    names = [str(v) for v in (frame["Object ID"] if "Object ID" in frame else range(len(frame)))]
    xy = np.column_stack([numbers(frame, centroids[axis, unit], where) for axis in ("x", "y")])
    return assemble_cells(
        CellTable(names, xy, area=area, proteins=_proteins(frame, notes.get("phenotype"), where), annotations=notes),
        um, evidence, path=path, kind="qupath", sample=name or stem_of(path), aliases=options.aliases, files=[path],
        area_um2_per_unit=factor)


def _area(frame: Any, um: float, unit: str, where: str) -> tuple[Array | None, float]:
    """Cell areas, and um2 per unit of theirs; an area without a unit is in that of the centroids."""
    for column in map(str, frame.columns):
        match = _AREA.fullmatch(column)
        if match is not None:
            stated = match[1] or unit
            return numbers(frame, column, where), um**2 if stated == "px" else 1.0
    return None, 1.0


def _proteins(frame: Any, phenotype: Any, where: str) -> Proteins | None:
    found: dict[str, tuple[int, str]] = {}
    for column in map(str, frame.columns):
        first, second = (p.fullmatch(column) for p in _MEANS)
        marker, place = (first[2], first[1]) if first else (second[1], second[2]) if second else ("", "")
        if not marker or _NO_MARKER.search(marker):
            continue
        rank = _WHOLE.index(place.lower())
        if marker not in found or rank < found[marker][0]:
            found[marker] = (rank, column)
    calls: dict[str, Array] = {}
    if phenotype is not None:  # "CD8: PDL1" and "Tumor: Positive" are lists of classes
        parts = [{p.strip() for p in str(v).split(":")} for v in phenotype]
        known = marker_symbols()
        for marker in sorted({p for some in parts for p in some if marker_symbol(p) in known}):
            calls[marker] = np.array([marker in some for some in parts])
    return proteins_of({m: numbers(frame, c, where) for m, (_, c) in found.items()}, calls or None)


QUPATH = Reader("qupath", "a QuPath measurement table of cells with Centroid X and Centroid Y",
                _claims, _read, _samples)
