"""10x Genomics Visium HD: binned outputs, one folder per bin size."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.io.cells import CellTable, assemble_cells
from nichedose.io.parquet import read_parquet
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.scale import fit_square, scale_caution
from nichedose.io.tables import read_table
from nichedose.io.tenx import read_tenx_folder, read_tenx_h5
from nichedose.tissue.assay import SpatialAssay
from nichedose.values import Flag

__all__ = ["VISIUM_HD"]

_SQUARE = re.compile(r"square_(\d{3})um")
_PREFERRED = (16, 8)  # um: bins that hold counts enough to say something; 2 um bins hold a handful
_POSITIONS = ("tissue_positions.parquet", "tissue_positions.csv")
_MATRIX = "filtered_feature_bc_matrix"
_FIT_BINS = 20_000  # fix the lattice to a part in a million


def _squares(path: Path) -> dict[int, Path]:
    """Folders of bins by their edge in um, wherever in the output folder ``path`` points."""
    if _SQUARE.fullmatch(path.resolve().name):
        return {int(path.resolve().name[7:10]): path}
    for folder in (path, path / "binned_outputs", path / "outs" / "binned_outputs"):
        found = {int(p.name[7:10]): p for p in folder.glob("square_*um") if p.is_dir()} if folder.is_dir() else {}
        if found:
            return found
    return {}


def _claims(path: Path) -> bool:
    return path.is_dir() and bool(_squares(path))


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if not path.is_dir():
        raise BadInput(f"{path}: a Visium HD section is a folder (with binned_outputs/ in it); give the folder.")
    options.refuse_unused(path, "visium_hd", "layer", "sample_key", "um_per_unit")
    if options.coordinate_unit not in ("auto", "pixel"):
        raise BadInput(f"{path}: Visium HD positions are in pixels; coordinate_unit = \"{options.coordinate_unit}\" "
                       "does not fit. Leave it out (the scale comes from the bin size).")
    squares = _squares(path)
    if not squares:
        raise BadInput(f"{path}: not a Visium HD folder: no square_008um or the like in it or in binned_outputs/.")
    chosen = next((b for b in _PREFERRED if b in squares), min(squares))
    root = squares[chosen]
    flags: list[Flag] = []
    if len(squares) > 1:
        others = ", ".join(f"{b} um" for b in sorted(squares) if b != chosen)
        flags.append(Flag("note", "tissue data", f"Bins of {chosen} um were read; for those of {others} give the "
                                                 "folder square_...um itself."))
    table, matrix_files = _matrix(root)
    positions_file = next((root / "spatial" / n for n in _POSITIONS if (root / "spatial" / n).is_file()), None)
    if positions_file is None:
        raise BadInput(f"{root}: spatial/{' or '.join(_POSITIONS)} is missing, so the bins have no positions.")
    positions = _positions(positions_file)
    factors, factors_file = _factors(root)
    rows = _match(table.barcodes, positions, positions_file)
    kept = positions.iloc[rows]
    xy = kept[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(float)
    um_per_px, bin_um, evidence = _scale(kept, xy, factors, chosen, root, flags)
    inside = kept["in_tissue"].to_numpy(float) == 1.0
    if not inside.any():
        raise BadInput(f"{path}: zero bins in tissue: no barcode of the matrix has in_tissue = 1.")
    table = table.take(inside)
    return assemble_cells(
        CellTable(table.barcodes, xy[inside], table.matrix, table.features, table.is_gene, observation="bin",
                  annotations={c: kept[c].to_numpy(int)[inside] for c in ("array_row", "array_col")}),
        um_per_px, evidence, path=path, kind="visium_hd", sample=options.sample or _name(path),
        aliases=options.aliases, files=[*matrix_files, positions_file, factors_file], bin_um=bin_um, flags=flags)


def _name(path: Path) -> str:
    parts = [p for p in path.resolve().parts if not _SQUARE.fullmatch(p) and p not in ("outs", "binned_outputs")]
    return parts[-1]


def _matrix(root: Path) -> tuple[Any, list[Path]]:
    h5 = root / f"{_MATRIX}.h5"
    if h5.is_file():
        return read_tenx_h5(h5)[0], [h5]
    if (root / _MATRIX).is_dir():
        return read_tenx_folder(root / _MATRIX)
    raise BadInput(f"{root}: neither {_MATRIX}.h5 nor the folder {_MATRIX}/ is there, so there are no counts.")


def _positions(path: Path) -> Any:
    frame = read_parquet(path) if path.suffix == ".parquet" else read_table(path, separator=",")
    wanted = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
    missing = [c for c in wanted if c not in frame]
    if missing:
        raise BadInput(f"{path}: not a Visium HD positions file: {', '.join(missing)} missing.")
    return frame


def _factors(root: Path) -> tuple[dict[str, Any], Path]:
    path = root / "spatial" / "scalefactors_json.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: missing or not valid JSON ({error}); it holds the scale of Visium HD.") from error
    return found if isinstance(found, dict) else {}, path


def _scale(
    kept: Any, xy: Array, factors: dict[str, Any], folder_um: int, root: Path, flags: list[Flag]
) -> tuple[float, float, str]:
    """um per pixel from the bin size and the lattice of the bins; the stated scale factor checks it."""
    bin_um = float(factors.get("bin_size_um", folder_um))
    if bin_um != folder_um:
        raise BadInput(f"{root}: scalefactors_json.json speaks of {bin_um:g} um bins, the folder of {folder_um} um; "
                       "the files belong to different bin sizes.")
    step = max(len(xy) // _FIT_BINS, 1)
    row, col = (kept[c].to_numpy(float)[::step] for c in ("array_row", "array_col"))
    fit = fit_square(col, row, xy[::step], str(root))
    measured = bin_um / fit.pitch
    evidence = f"bins of {bin_um:g} um are {fit.pitch:.4g} px apart in the lattice of the bins: {measured:.4g} um/px"
    stated = factors.get("microns_per_pixel")
    if isinstance(stated, int | float) and stated > 0:
        evidence += f"; microns_per_pixel says {stated:.4g}"
        if abs(stated / measured - 1.0) > 0.03:
            flags.append(scale_caution(f"microns_per_pixel = {stated:.4g} differs from {measured:.4g} um/px by the "
                                       "bins' own lattice, which is used."))
    return measured, bin_um, evidence


def _match(barcodes: tuple[str, ...], positions: Any, path: Path) -> np.ndarray:
    import pandas as pd

    names = pd.Index(positions["barcode"].astype(str))
    if names.has_duplicates:
        raise BadInput(f"{path}: barcode {names[names.duplicated()][0]} stands there twice.")
    rows = names.get_indexer(pd.Index(barcodes))
    if (rows < 0).any():
        first = barcodes[int(np.flatnonzero(rows < 0)[0])]
        raise BadInput(f"{path}: {int((rows < 0).sum())} of {len(barcodes)} bins of the matrix have no position (for "
                       f"example {first}); matrix and positions belong to different bin sizes or sections.")
    return np.asarray(rows)


VISIUM_HD = Reader("visium_hd", "a 10x Visium HD folder with binned_outputs/square_...um (needs pyarrow)",
                   _claims, _read)
