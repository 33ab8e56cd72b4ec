"""10x Genomics Xenium folders: cells with counts, positions in um and areas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.io.assemble import CountTable
from nichedose.io.cells import CellTable, assemble_cells
from nichedose.io.parquet import read_parquet
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.tables import read_table
from nichedose.io.tenx import read_tenx_folder, read_tenx_h5
from nichedose.tissue.assay import SpatialAssay
from nichedose.values import Flag

__all__ = ["XENIUM"]

_MATRIX = "cell_feature_matrix"
_CELLS = ("cells.csv.gz", "cells.csv", "cells.parquet")
_KEPT = ("transcript_counts", "control_probe_counts", "nucleus_area", "segmentation_method")


def _root(path: Path) -> Path:
    return path / "outs" if not _cells_of(path) and (path / "outs").is_dir() else path


def _cells_of(folder: Path) -> Path | None:
    return next((folder / name for name in _CELLS if (folder / name).is_file()), None)


def _claims(path: Path) -> bool:
    if not path.is_dir():
        return False
    root = _root(path)
    return (root / f"{_MATRIX}.h5").is_file() or (root / _MATRIX).is_dir() or (root / "experiment.xenium").is_file()


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if not path.is_dir():
        raise BadInput(f"{path}: a Xenium section is a folder (with {_MATRIX}.h5 and cells.csv.gz in it); give the "
                       "folder.")
    options.refuse_unused(path, "xenium", "layer", "sample_key", "um_per_unit")
    if options.coordinate_unit not in ("auto", "um"):
        raise BadInput(f"{path}: Xenium positions are um; coordinate_unit = \"{options.coordinate_unit}\" does not "
                       "fit. Leave it out.")
    root = _root(path)
    table, matrix_files = _matrix(path, root)
    cells_file = _cells_of(root)
    if cells_file is None:
        raise BadInput(f"{path}: {' or '.join(_CELLS)} is missing, so the cells have no positions.")
    cells = _cells(cells_file)
    experiment, experiment_files = _experiment(root)
    rows = _match(table.barcodes, cells, cells_file)
    kept = cells.iloc[rows]
    version = str(experiment.get("analysis_sw_version", "")) or "of unknown version"
    evidence = f"x_centroid and y_centroid are um in Xenium output ({version}); checked against cell_area in um2"
    flags = _count_flags(experiment, len(rows))
    full = path.resolve()
    name = options.sample or experiment.get("region_name") or (full.parent.name if full.name == "outs" else full.name)
    area = kept["cell_area"].to_numpy(float) if "cell_area" in kept else None
    return assemble_cells(
        CellTable(table.barcodes, kept[["x_centroid", "y_centroid"]].to_numpy(float), table.matrix, table.features,
                  table.is_gene, area, annotations={c: kept[c].to_numpy() for c in _KEPT if c in kept}),
        1.0, evidence, path=path, kind="xenium", sample=str(name), aliases=options.aliases,
        files=[*matrix_files, cells_file, *experiment_files], flags=flags)


def _matrix(path: Path, root: Path) -> tuple[CountTable, list[Path]]:
    h5 = root / f"{_MATRIX}.h5"
    if h5.is_file():
        if h5.stat().st_size == 0:
            raise BadInput(f"{h5}: the file is empty; copy or download it again.")
        return read_tenx_h5(h5)[0], [h5]
    if (root / _MATRIX).is_dir():
        return read_tenx_folder(root / _MATRIX)
    raise BadInput(f"{path}: neither {_MATRIX}.h5 nor the folder {_MATRIX}/ is there, so there are no counts.")


def _cells(path: Path) -> Any:
    frame = read_parquet(path) if path.suffix == ".parquet" else read_table(path, separator=",")
    missing = [c for c in ("cell_id", "x_centroid", "y_centroid") if c not in frame]
    if missing:
        raise BadInput(f"{path}: not a Xenium cell table: {', '.join(missing)} missing.")
    # early parquet files hold the names as bytes
    frame["cell_id"] = [v.decode() if isinstance(v, bytes) else str(v) for v in frame["cell_id"]]
    return frame


def _match(barcodes: tuple[str, ...], cells: Any, cells_file: Path) -> np.ndarray:
    """Row of the cell table for each cell of the matrix; every one must be there, once."""
    index: dict[str, int] = {}
    for i, name in enumerate(cells["cell_id"]):
        if name in index:
            raise BadInput(f"{cells_file}: cell {name} stands there twice; was the table written twice?")
        index[name] = i
    missing = [b for b in barcodes if b not in index]
    if missing:
        raise BadInput(f"{cells_file}: {len(missing)} of {len(barcodes)} cells of the matrix are not in it (for "
                       f"example {missing[0]}); matrix and cells come from different runs or versions.")
    return np.array([index[b] for b in barcodes], dtype=int)


def _experiment(root: Path) -> tuple[dict[str, Any], list[Path]]:
    path = root / "experiment.xenium"
    if not path.is_file():
        return {}, []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: not valid JSON ({error}).") from error
    return (found, [path]) if isinstance(found, dict) else ({}, [])


def _count_flags(experiment: dict[str, Any], n: int) -> tuple[Flag, ...]:
    stated = experiment.get("num_cells")
    if not isinstance(stated, int) or stated == n:
        return ()
    return (Flag("caution", "tissue data", f"experiment.xenium speaks of {stated} cells, the matrix holds {n}: a part "
                                           "of the section, or files of two runs."),)


XENIUM = Reader("xenium", "a 10x Xenium folder with cell_feature_matrix and cells.csv.gz (or .parquet)", _claims, _read)
