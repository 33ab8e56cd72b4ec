"""MCMICRO quantification tables: ``CellID``, one column per marker, ``X_centroid`` and ``Y_centroid`` in pixels."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nichedose.errors import BadInput
from nichedose.io.cells import CellTable, assemble_cells
from nichedose.io.headers import column_names, is_table, stem_of
from nichedose.io.protein_tables import numbers, pick_sample, proteins_of, text_of, um_per_px_or_ask
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.tables import read_table, separator_of
from nichedose.tissue.assay import SpatialAssay

__all__ = ["MCMICRO"]

_SHAPE = ("X_centroid", "Y_centroid", "Area", "MajorAxisLength", "MinorAxisLength", "Eccentricity", "Solidity",
          "Extent", "Orientation", "column_centroid", "row_centroid")
_NO_MARKER = re.compile(r"(DNA|DAPI|Hoechst|AF|Autofluorescence|BG|Background)[\d_ ]*.*", re.IGNORECASE)
_COMPARTMENT = re.compile(r"_(cell|nuclei|cyto|cytoplasm|membrane)(Mask|RingMask)?$", re.IGNORECASE)


def _claims(path: Path) -> bool:
    return is_table(path) and {"CellID", "X_centroid", "Y_centroid"} <= set(column_names(path))


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if path.is_dir():
        raise BadInput(f"{path}: kind = \"mcmicro\" reads a quantification table, and this is a folder.")
    options.refuse_unused(path, "mcmicro", "layer")
    frame = read_table(path, separator=separator_of(path))
    missing = [c for c in ("CellID", "X_centroid", "Y_centroid") if c not in frame]
    if missing:
        raise BadInput(f"{path}: not a MCMICRO table: {', '.join(missing)} missing.")
    where = str(path)
    rows, name = pick_sample(frame, "imageid" if "imageid" in frame else None, options, where)
    frame = frame[rows].reset_index(drop=True)
    um, evidence = um_per_px_or_ask(options, path, "X_centroid and Y_centroid", "0.65 in MCMICRO's exemplar-001")
    markers = {
        _COMPARTMENT.sub("", str(c)): numbers(frame, c, where) for c in frame.columns
        if c not in ("CellID", "imageid", "phenotype", "ROI", *_SHAPE) and not _NO_MARKER.fullmatch(str(c))
        and frame[c].dtype.kind in "iuf"
    }
    notes = {k: text_of(frame, c) for k, c in (("phenotype", "phenotype"), ("tissue_category", "ROI")) if c in frame}
    return assemble_cells(
        CellTable([str(v) for v in frame["CellID"]],
                  np.column_stack([numbers(frame, c, where) for c in ("X_centroid", "Y_centroid")]),
                  area=numbers(frame, "Area", where) if "Area" in frame else None, proteins=proteins_of(markers),
                  annotations=notes),
        um, evidence, path=path, kind="mcmicro", sample=name or stem_of(path), aliases=options.aliases, files=[path])


MCMICRO = Reader("mcmicro", "a MCMICRO quantification table with CellID, X_centroid and Y_centroid", _claims, _read)
