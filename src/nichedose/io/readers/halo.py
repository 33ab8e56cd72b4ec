"""Indica Labs HALO object tables: boxes in pixels, areas in um2, calls and intensities per marker."""

from __future__ import annotations

import re
from collections.abc import Mapping
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

__all__ = ["HALO", "um_per_px_of_areas"]

_BOX = ("xmin", "xmax", "ymin", "ymax")
_SAMPLES = ("imagetag", "deidentifiedsample", "imagelocation", "imagefilename")
_CALL = re.compile(r"(.+?) Positive(?: Classification)?")
_INTENSITY = re.compile(r"(.+?) (Cell|Membrane|Cytoplasm|Nucleus) Intensity")
_WHOLE = ("Cell", "Membrane", "Cytoplasm", "Nucleus")
_NO_MARKER = re.compile(r"\b(nuclei|dapi|hoechst|autofluorescence)\b", re.IGNORECASE)
_FEWEST_AREAS = 50
_WHOLE_PIXELS = 0.02  # of a pixel by which an area may miss a whole number of pixels


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _claims(path: Path) -> bool:
    return is_table(path) and set(_BOX) <= {_plain(c) for c in column_names(path)}


def _columns(frame: Any) -> dict[str, str]:
    return {_plain(str(c)): str(c) for c in frame.columns}


def _frame(path: Path) -> Any:
    frame = read_table(path, separator=separator_of(path))
    missing = [b for b in _BOX if b not in _columns(frame)]
    if missing:
        raise BadInput(f"{path}: not a HALO object table: {', '.join(missing)} missing.")
    return frame


def _sample_column(columns: Mapping[str, str]) -> str | None:
    return next((columns[s] for s in _SAMPLES if s in columns), None)


def _samples(path: Path, options: ReadOptions) -> list[str]:
    frame = _frame(path)
    column = _sample_column(_columns(frame))
    return [] if column is None else sorted(set(text_of(frame, column)))


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if path.is_dir():
        raise BadInput(f"{path}: kind = \"halo\" reads the object table (.csv), and this is a folder.")
    options.refuse_unused(path, "halo", "layer")
    frame = _frame(path)
    where, columns = str(path), _columns(frame)
    rows, name = pick_sample(frame, _sample_column(columns), options, where)
    frame = frame[rows].reset_index(drop=True)
    low_x, high_x, low_y, high_y = (numbers(frame, columns[b], where) for b in _BOX)
    if (high_x < low_x).any() or (high_y < low_y).any():
        raise BadInput(f"{path}: XMax lies below XMin (or YMax below YMin) in some rows; the columns are swapped.")
    xy = 0.5 * np.column_stack([low_x + high_x, low_y + high_y])
    # the unit (µm²) is lost or mangled in most copies: Cell Area (µm²), Cell.Area..m.., Cell Area (um2)
    area_column = next((c for p, c in columns.items() if p.startswith("cellarea")), None)
    area = None if area_column is None else numbers(frame, area_column, where)
    um, evidence = _scale(area, (high_x - low_x) * (high_y - low_y), options, path)
    notes: dict[str, Any] = {}
    if "classifierlabel" in columns:
        notes["tissue_category"] = text_of(frame, columns["classifierlabel"])
    if "phenotype" in columns:
        notes["phenotype"] = text_of(frame, columns["phenotype"])
    if "analysisregion" in columns:
        notes["analysis_region"] = text_of(frame, columns["analysisregion"])
    ids = columns.get("objectid")
    names = [str(v) for v in (frame[ids] if ids is not None else range(len(frame)))]
    return assemble_cells(
        CellTable(names, xy, area=area, proteins=_proteins(frame, where), annotations=notes),
        um, evidence, path=path, kind="halo", sample=name or stem_of(path), aliases=options.aliases, files=[path],
        area_um2_per_unit=1.0)


def _scale(area: Array | None, box_px2: Array, options: ReadOptions, path: Path) -> tuple[float, str]:
    if options.um_per_unit is None and options.coordinate_unit in ("auto", "pixel") and area is not None:
        um = um_per_px_of_areas(area, box_px2)
        if um is not None:
            return um, (f"cell areas in um2 are whole numbers of pixels of {um:.5g} um ({np.isfinite(area).sum()} "
                        "cells), the unit of XMin to YMax")
    return um_per_px_or_ask(options, path, "XMin to YMax", "HALO shows it with the image")


def um_per_px_of_areas(area_um2: Array, box_px2: Array) -> float | None:
    """um per pixel such that every area is a whole number of pixels and fits into its box; None when none is.

    Areas of segmented cells are counted in pixels, so that their differences are multiples of a pixel's area.
    """
    ok = np.isfinite(area_um2) & (area_um2 > 0.0) & (box_px2 > 0.0)
    area, box = np.asarray(area_um2[ok]), np.asarray(box_px2[ok])
    if area.size < _FEWEST_AREAS:
        return None
    levels = np.unique(np.round(area, 6))
    steps = np.diff(levels)
    steps = steps[steps > 1e-4 * levels[0]]
    if not steps.size:
        return None
    # the smallest step is one pixel or few; refine it over more and more of the areas
    for few in (1, 2, 3, 4):
        pixel = float(np.median(np.sort(steps)[: max(steps.size // 4, 1)])) / few
        for cut in np.quantile(area, [0.1, 0.3, 0.6, 1.0]):
            small = area[area <= cut]
            count = np.rint(small / pixel)
            pixel = float(small @ count / (count @ count))
        off = np.abs(area / pixel - np.rint(area / pixel))
        filled = float(np.median(area / pixel / box))
        if np.quantile(off, 0.99) < _WHOLE_PIXELS and 0.3 < filled <= 1.05:
            return float(np.sqrt(pixel))
    return None


def _proteins(frame: Any, where: str) -> Proteins | None:
    """Calls and mean intensities; names that went through R carry points where HALO wrote spaces and brackets."""
    calls: dict[str, Array] = {}
    found: dict[str, tuple[int, str]] = {}
    for column in map(str, frame.columns):
        name = re.sub(r"\s+", " ", column.replace(".", " ")).strip() if " " not in column else column
        if _NO_MARKER.search(name):
            continue
        call, mean = _CALL.fullmatch(name), _INTENSITY.fullmatch(name)
        if call is not None:
            calls[call[1]] = numbers(frame, column, where)
        elif mean is not None:
            rank = _WHOLE.index(mean[2])
            if mean[1] not in found or rank < found[mean[1]][0]:
                found[mean[1]] = (rank, column)
    return proteins_of({m: numbers(frame, c, where) for m, (_, c) in found.items()}, calls or None)


HALO = Reader("halo", "a HALO object table (.csv) with XMin, XMax, YMin, YMax", _claims, _read, _samples)
