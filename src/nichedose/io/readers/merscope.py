"""Vizgen MERSCOPE folders: ``cell_by_gene.csv`` and ``cell_metadata.csv``, positions in um."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.io.cells import CellTable, assemble_cells
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.tables import read_table
from nichedose.io.wide import read_wide_counts
from nichedose.tissue.assay import SpatialAssay

__all__ = ["MERSCOPE"]

_COUNTS, _META = "cell_by_gene.csv", "cell_metadata.csv"


def _one(folder: Path, ending: str) -> Path | None:
    """The file of that name, or the one file that ends so (downloads carry a prefix), gzipped or not."""
    for name in (ending, f"{ending}.gz"):
        if (folder / name).is_file():
            return folder / name
    found = sorted([*folder.glob(f"*{ending}"), *folder.glob(f"*{ending}.gz")])
    if len(found) > 1:
        raise BadInput(f"{folder}: several files end in {ending} ({', '.join(p.name for p in found[:4])}); keep one "
                       "section per folder.")
    return found[0] if found else None


def _claims(path: Path) -> bool:
    return path.is_dir() and any(path.glob(f"*{_COUNTS}*"))


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if not path.is_dir():
        raise BadInput(f"{path}: a MERSCOPE section is a folder (with {_COUNTS} and {_META} in it); give the folder.")
    options.refuse_unused(path, "merscope", "layer", "sample_key", "um_per_unit")
    if options.coordinate_unit not in ("auto", "um"):
        raise BadInput(f"{path}: MERSCOPE positions are um; coordinate_unit = \"{options.coordinate_unit}\" does not "
                       "fit. Leave it out.")
    counts_file, meta_file = _one(path, _COUNTS), _one(path, _META)
    if counts_file is None or meta_file is None:
        raise BadInput(f"{path}: {_META if counts_file is not None else _COUNTS} is missing; both are needed.")
    names, counts, genes = read_wide_counts(counts_file, [0])
    cells = list(names.iloc[:, 0])
    meta = _metadata(meta_file)
    rows = _match(cells, meta, meta_file)
    kept = meta.iloc[rows]
    notes = {c: kept[c].to_numpy() for c in ("fov", "volume") if c in kept}
    evidence = "center_x and center_y are um in MERSCOPE output; each lies inside its cell's min and max"
    return assemble_cells(
        CellTable(cells, kept[["center_x", "center_y"]].to_numpy(float), counts, genes, annotations=notes),
        1.0, evidence, path=path, kind="merscope", sample=options.sample or path.resolve().name,
        aliases=options.aliases, files=[counts_file, meta_file])


def _metadata(path: Path) -> Any:
    frame = read_table(path, separator=",", text_columns=True)
    missing = [c for c in ("center_x", "center_y") if c not in frame]
    if missing:
        raise BadInput(f"{path}: not a MERSCOPE cell table: {', '.join(missing)} missing.")
    # the first column names the cells; later software repeats them as EntityID
    frame = frame.rename(columns={frame.columns[0]: "cell"})
    import pandas as pd

    for column in frame.columns:
        if column not in ("cell", "EntityID", "fov", "transcript_count"):
            frame[column] = pd.to_numeric(frame[column], errors="coerce")
    for axis in ("x", "y"):
        low, high, middle = f"min_{axis}", f"max_{axis}", frame[f"center_{axis}"]
        if low in frame and high in frame:
            outside = int(((middle < frame[low]) | (middle > frame[high])).sum())
            if outside > 0.01 * len(frame):
                raise BadInput(f"{path}: center_{axis} lies outside {low} to {high} in {outside} of {len(frame)} "
                               "cells; the columns are swapped or their units differ.")
    return frame


def _match(cells: list[str], meta: Any, meta_file: Path) -> np.ndarray:
    index = {name: i for i, name in enumerate(meta["cell"])}
    missing = [c for c in cells if c not in index]
    if missing:
        raise BadInput(f"{meta_file}: {len(missing)} of {len(cells)} cells of {_COUNTS} are not in it (for example "
                       f"{missing[0]}); the files come from different segmentations.")
    return np.array([index[c] for c in cells], dtype=int)


MERSCOPE = Reader("merscope", f"a Vizgen MERSCOPE folder with {_COUNTS} and {_META}", _claims, _read)
