"""Akoya inForm cell segmentation tables (``..._cell_seg_data.txt``), as phenoptr reads them too."""

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
from nichedose.tissue.assay import Proteins, SpatialAssay
from nichedose.values import Flag

__all__ = ["INFORM"]

_X, _Y, _ID = "Cell X Position", "Cell Y Position", "Cell ID"
_MISSING = ("#N/A", "#N/D")
_MEAN = re.compile(r"(Entire Cell|Membrane|Cytoplasm|Nucleus) (.+?) Mean(?: \(.*\))?")
_WHOLE = ("Entire Cell", "Membrane", "Cytoplasm", "Nucleus")
_NO_MARKER = ("DAPI", "Autofluorescence")
_COMMA = re.compile(r"-?\d+,\d+")


def _claims(path: Path) -> bool:
    return is_table(path) and {_X, _Y, _ID} <= set(column_names(path))


def _frame(path: Path) -> Any:
    """The table; where numbers carry a decimal comma, as a German or French inForm writes them, it is read as such."""
    separator = separator_of(path)
    frame = read_table(path, separator=separator, missing=_MISSING)
    frame.columns = [str(c).strip() for c in frame.columns]
    commas = any(frame[c].dtype == object and frame[c].astype(str).str.fullmatch(_COMMA).any() for c in frame.columns)
    if commas and separator != ",":
        frame = read_table(path, separator=separator, missing=_MISSING, decimal=",")
        frame.columns = [str(c).strip() for c in frame.columns]
    missing = [c for c in (_X, _Y, _ID) if c not in frame]
    if missing:
        raise BadInput(f"{path}: not an inForm cell table: {', '.join(missing)} missing.")
    return frame


def _samples(path: Path, options: ReadOptions) -> list[str]:
    frame = _frame(path)
    return sorted(set(text_of(frame, "Sample Name"))) if "Sample Name" in frame else []


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if path.is_dir():
        raise BadInput(f"{path}: kind = \"inform\" reads the file ..._cell_seg_data.txt, and this is a folder.")
    options.refuse_unused(path, "inform", "layer")
    frame = _frame(path)
    where = str(path)
    if "Total Cells" in frame and not frame[_ID].astype(str).str.fullmatch(r"\d+(\.0)?").all():
        raise BadInput(f"{path}: this is inForm's summary per tissue category, not the table of cells; give "
                       "..._cell_seg_data.txt.")
    rows, name = pick_sample(frame, "Sample Name" if "Sample Name" in frame else None, options, where)
    frame = frame[rows].reset_index(drop=True)
    um, evidence = _scale(frame, options, path)
    notes: dict[str, Any] = {}
    if "Phenotype" in frame:
        notes["phenotype"] = text_of(frame, "Phenotype")
    if "Tissue Category" in frame:
        notes["tissue_category"] = text_of(frame, "Tissue Category")
    area = next((c for c in frame.columns if re.fullmatch(r"Entire Cell Area \((sq microns|pixels)\)", c)), None)
    nucleus = next((c for c in frame.columns if re.fullmatch(r"Nucleus Area \((sq microns|pixels)\)", c)), None)
    flags = [] if area is not None or nucleus is None else [
        Flag("note", "tissue data", "The table has areas of nuclei only; those of cells are not known.")]
    factor = 1.0 if area is not None and "sq microns" in area else um**2
    return assemble_cells(
        CellTable([str(v) for v in frame[_ID]], np.column_stack([numbers(frame, c, where) for c in (_X, _Y)]),
                  area=None if area is None else numbers(frame, area, where), proteins=_proteins(frame, where),
                  annotations=notes),
        um, evidence, path=path, kind="inform", sample=name or stem_of(path), aliases=options.aliases, files=[path],
        patient=_one_value(frame, "Slide ID"), area_um2_per_unit=factor, flags=flags)


def _one_value(frame: Any, column: str) -> str:
    values = sorted({v for v in text_of(frame, column) if v}) if column in frame else []
    return values[0] if len(values) == 1 else ""


def _scale(frame: Any, options: ReadOptions, path: Path) -> tuple[float, str]:
    microns = [c for c in frame.columns if "(sq microns)" in c or "(microns)" in c]
    pixels = [c for c in frame.columns if re.search(r"(Area|Edge) \(pixels\)", c)]
    if microns and not pixels:
        if options.um_per_unit is not None or options.coordinate_unit == "pixel":
            raise BadInput(f"{path}: the table is in um (column '{microns[0]}'); leave um_per_unit and "
                           "coordinate_unit out.")
        return 1.0, f"inForm exported in microns (column '{microns[0]}' and {len(microns) - 1} more)"
    return um_per_px_or_ask(options, path, f"{_X} and {_Y}", "inForm shows it with the image")


def _proteins(frame: Any, where: str) -> Proteins | None:
    """Mean intensity over the largest compartment that was measured, and calls where phenotypes are by marker."""
    found: dict[str, tuple[int, str]] = {}
    for column in frame.columns:
        match = _MEAN.fullmatch(column)
        if match is None or match[2].split(" (")[0] in _NO_MARKER:
            continue
        rank = _WHOLE.index(match[1])
        if match[2] not in found or rank < found[match[2]][0]:
            found[match[2]] = (rank, column)
    intensity: dict[str, Array] = {m: numbers(frame, c, where) for m, (_, c) in found.items()}
    calls: dict[str, Array] = {}
    for column in frame.columns:
        if column.startswith("Phenotype "):
            marker = column.removeprefix("Phenotype ").rstrip("+-")
            calls[marker] = np.array([v.endswith("+") for v in text_of(frame, column)])
    return proteins_of(intensity, calls or None)


INFORM = Reader("inform", "an inForm table ..._cell_seg_data.txt (phenoptr's format)", _claims, _read, _samples)
