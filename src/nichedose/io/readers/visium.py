"""10x Genomics Visium folders, as Space Ranger 1 and 2 write them, with or without images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.io.assemble import CountTable, assemble
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.scale import VISIUM_DIAMETER_UM, VISIUM_PITCH_UM, Scale, visium_scale
from nichedose.io.tables import read_table
from nichedose.io.tenx import read_tenx_folder, read_tenx_h5
from nichedose.tissue.assay import SpatialAssay

__all__ = ["SYNTHETIC", "VISIUM"]

_COLUMNS = ["barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"]
_POSITIONS = ("tissue_positions.csv", "tissue_positions.parquet", "tissue_positions_list.csv")
_MATRIX = "filtered_feature_bc_matrix"


def _root(path: Path) -> Path:
    """The folder itself, or its ``outs``."""
    return path / "outs" if not _positions_of(path) and (path / "outs").is_dir() else path


def _positions_of(root: Path) -> Path | None:
    for folder in (root / "spatial", root):
        for name in _POSITIONS:
            if (folder / name).is_file():
                return folder / name
    return None


def _claims(path: Path) -> bool:
    if not path.is_dir() or any(path.glob("square_*um")) or path.resolve().name.startswith("square_"):
        return False  # Visium HD
    return (_positions_of(_root(path)) is not None or (_root(path) / "spatial").is_dir()) and not (
        _root(path) / "binned_outputs").is_dir()


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if not path.is_dir():
        raise BadInput(f"{path}: a Visium section is a folder (with {_MATRIX}.h5 and spatial/ in it); give the folder.")
    options.refuse_unused(path, "visium", "layer", "sample_key")
    if options.coordinate_unit not in ("auto", "pixel"):
        raise BadInput(f"{path}: Visium positions are in pixels; coordinate_unit = \"{options.coordinate_unit}\" does "
                       "not fit. Leave it out (the scale comes from the spot pitch).")
    root = _root(path)
    positions_file = _find_positions(path, root)
    positions = _read_positions(positions_file)
    table, library, chemistry, matrix_files = _read_matrix(path, root)
    factors, factor_files = _scale_factors(positions_file.parent)
    rows = _match(table.barcodes, positions, path)
    position = positions.iloc[rows]
    in_tissue = position["in_tissue"].to_numpy() == 1
    everywhere = positions[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(dtype=float)
    um_per_px, evidence, flags = visium_scale(
        positions["array_row"].to_numpy(float), positions["array_col"].to_numpy(float), everywhere, factors,
        options.um_per_unit, str(positions_file))
    if not in_tissue.any():
        raise BadInput(f"{path}: zero spots in tissue: no barcode of the matrix has in_tissue = 1 in "
                       f"{positions_file.name}.")
    xy_um = everywhere[rows][in_tissue] * um_per_px
    scale = Scale(xy_um, VISIUM_PITCH_UM, VISIUM_DIAMETER_UM, "hexagonal", evidence, flags)
    kept = position[in_tissue]
    full = path.resolve()
    name = options.sample or library or (full.parent.name if full.name == "outs" else full.name)
    kind = "synthetic" if "synthetic" in chemistry.lower() else "visium"
    return assemble(
        table.take(in_tissue), scale, path=path, kind=kind, sample=name, aliases=options.aliases,
        files=[*matrix_files, positions_file, *factor_files],
        annotations={"array_row": kept["array_row"].to_numpy(int), "array_col": kept["array_col"].to_numpy(int)})


def _find_positions(path: Path, root: Path) -> Path:
    found = _positions_of(root)
    if found is not None:
        return found
    if (root / "binned_outputs").is_dir() or any(root.glob("square_*um")):
        raise BadInput(f"{path}: this is Visium HD (binned); say kind = \"visium_hd\", or \"auto\".")
    raise BadInput(f"{path}: not a Visium folder: spatial/{' or '.join(_POSITIONS)} is missing. Give the folder that "
                   "Space Ranger calls 'outs'.")


def _read_positions(path: Path) -> Any:
    """The spot table with its six standard columns; version 1 has no header."""
    import pandas as pd

    if path.suffix == ".parquet":
        try:
            frame = pd.read_parquet(path)
        except ImportError as error:
            raise BadInput(f"{path}: reading parquet needs the package pyarrow (pip install pyarrow).") from error
        except (OSError, ValueError) as error:
            raise BadInput(f"{path}: cannot be read as parquet ({error}).") from error
    else:
        frame = read_table(path, separator=",", header=None, text_columns=True)
        if len(frame) and str(frame.iloc[0, 0]).strip().lower() == "barcode":
            frame = frame.iloc[1:].set_axis([str(c).strip() for c in frame.iloc[0]], axis=1)
        elif frame.shape[1] == len(_COLUMNS):
            frame = frame.set_axis(_COLUMNS, axis=1)
    missing = [c for c in _COLUMNS if c not in frame.columns]
    if missing:
        raise BadInput(f"{path}: not a Visium positions file: {', '.join(missing)} missing. Columns must be "
                       f"{', '.join(_COLUMNS)}.")
    frame = frame.reset_index(drop=True)
    for column in _COLUMNS[1:]:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        if numbers.isna().any():
            line = int(np.flatnonzero(numbers.isna())[0]) + 1
            raise BadInput(f"{path}: {column} of spot {line} is {frame[column].iloc[line - 1]!r}, not a number.")
        frame[column] = numbers
    if frame["barcode"].duplicated().any():
        raise BadInput(f"{path}: barcode {frame['barcode'][frame['barcode'].duplicated()].iloc[0]} stands there twice.")
    return frame


def _read_matrix(path: Path, root: Path) -> tuple[CountTable, str | None, str, list[Path]]:
    # downloads often carry a prefix such as GSM6433617_396A_
    h5 = [root / f"{_MATRIX}.h5"] if (root / f"{_MATRIX}.h5").is_file() else sorted(root.glob(f"*{_MATRIX}.h5"))
    if len(h5) > 1:
        raise BadInput(f"{path}: several count matrices ({', '.join(p.name for p in h5)}); keep one section per "
                       "folder.")
    if h5:
        if h5[0].stat().st_size == 0:
            raise BadInput(f"{h5[0]}: the file is empty; copy or download it again.")
        return *read_tenx_h5(h5[0]), h5
    if (root / _MATRIX).is_dir():
        table, files = read_tenx_folder(root / _MATRIX)
        return table, None, "", files
    raise BadInput(f"{path}: neither {_MATRIX}.h5 nor the folder {_MATRIX}/ is there, so there are no counts.")


def _scale_factors(folder: Path) -> tuple[dict[str, Any], list[Path]]:
    """Only a check of the scale, so they may be absent."""
    path = folder / "scalefactors_json.json"
    if not path.is_file():
        return {}, []
    try:
        factors = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: not valid JSON ({error}).") from error
    if not isinstance(factors, dict):
        raise BadInput(f"{path}: holds no scale factors.")
    if "bin_size_um" in factors:
        raise BadInput(f"{path}: this is Visium HD ({factors['bin_size_um']} um bins); say kind = "
                       "\"visium_hd\" and give the folder square_...um.")
    return factors, [path]


def _match(barcodes: tuple[str, ...], positions: Any, path: Path) -> np.ndarray:
    """Row of ``positions`` for each barcode of the matrix; every one must be there."""
    groups = {b.rsplit("-", 1)[1] for b in barcodes if "-" in b}
    if len(groups) > 1:
        raise BadInput(f"{path}: barcodes end in {', '.join('-' + g for g in sorted(groups)[:4])}: several samples "
                       "were aggregated. Give the folder of one section.")
    index = {b: i for i, b in enumerate(positions["barcode"])}
    missing = [b for b in barcodes if b not in index]
    if missing:
        raise BadInput(f"{path}: {len(missing)} of {len(barcodes)} barcodes of the matrix have no position (for "
                       f"example {missing[0]}); matrix and positions belong to different sections.")
    return np.array([index[b] for b in barcodes], dtype=int)


def _read_synthetic(path: Path, options: ReadOptions) -> SpatialAssay:
    assay = _read(path, options)
    if assay.kind != "synthetic":
        raise BadInput(f"{path}: kind = \"synthetic\", but the file does not say that it is synthetic; use kind = "
                       "\"visium\".")
    return assay


VISIUM = Reader("visium", "a 10x Visium folder with filtered_feature_bc_matrix and spatial/", _claims, _read)
SYNTHETIC = Reader("synthetic", "a generated section in the form of a Visium folder, marked as synthetic in its "
                                "matrix", lambda _: False,
                   _read_synthetic)
