"""10x Genomics count matrices: ``*_feature_bc_matrix.h5``, and the folder of mtx, features and barcodes."""

from __future__ import annotations

import gzip
import warnings
import zlib
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.io.assemble import CountTable

__all__ = ["read_tenx_folder", "read_tenx_h5"]

_DAMAGED = "the file is damaged or not complete; copy or download it again"


def read_tenx_h5(path: Path) -> tuple[CountTable, str | None, str]:
    """Counts, the library id that Space Ranger wrote (None when absent or several), and the chemistry."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "matrix" not in file or "features" not in file["matrix"]:
                raise BadInput(f"{path}: not a 10x feature-barcode matrix (no 'matrix/features' in it).")
            group = file["matrix"]
            arrays = [group[name][:] for name in ("data", "indices", "indptr", "shape")]
            barcodes = _text(group["barcodes"][:])
            features = _text(group["features/name"][:])
            types = _text(group["features/feature_type"][:]) if "feature_type" in group["features"] else None
            libraries = _text(np.atleast_1d(file.attrs.get("library_ids", np.array([], dtype="S1"))))
            chemistry = str(file.attrs.get("chemistry_description", ""))
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise BadInput(f"{path}: {_DAMAGED} ({_first_line(error)}).") from error
    data, indices, indptr, shape = arrays
    try:
        # 10x stores genes x barcodes by column, which is barcodes x genes by row
        matrix = sp.csr_matrix((data, indices, indptr), shape=(int(shape[1]), int(shape[0])))
        matrix.check_format()
    except (ValueError, IndexError) as error:
        raise BadInput(f"{path}: {_DAMAGED} ({_first_line(error)}).") from error
    table = _table(matrix, barcodes, features, types, path)
    return table, libraries[0] if len(libraries) == 1 else None, chemistry


def read_tenx_folder(folder: Path) -> tuple[CountTable, list[Path]]:
    """Counts from ``matrix.mtx``, ``features.tsv`` (or ``genes.tsv``) and ``barcodes.tsv``, gzipped or not."""
    from scipy.io import mmread

    matrix_file = _one_of(folder, "matrix.mtx")
    feature_file = _one_of(folder, "features.tsv", "genes.tsv")
    barcode_file = _one_of(folder, "barcodes.tsv")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # SciPy 1.18 on which sparse class it will return
            matrix = sp.csr_matrix(mmread(matrix_file)).T.tocsr()
    except (OSError, EOFError, ValueError, StopIteration, OverflowError, zlib.error) as error:
        raise BadInput(f"{matrix_file}: {_DAMAGED} ({_first_line(error)}).") from error
    rows = [line.split("\t") for line in _lines(feature_file)]
    names = [row[1] if len(row) > 1 else row[0] for row in rows]
    types = [row[2] for row in rows] if rows and all(len(row) > 2 for row in rows) else None
    table = _table(matrix, _lines(barcode_file), names, types, matrix_file)
    return table, [matrix_file, feature_file, barcode_file]


def _table(
    matrix: sp.csr_matrix, barcodes: list[str], names: list[str], types: list[str] | None, path: Path
) -> CountTable:
    n_spots, n_features = matrix.shape
    if (n_spots, n_features) == (len(names), len(barcodes)) and n_spots != n_features:
        raise BadInput(f"{path}: the matrix is barcodes x genes; the 10x format is genes x barcodes. Transpose it.")
    if (n_spots, n_features) != (len(barcodes), len(names)):
        raise BadInput(f"{path}: the matrix has {n_features} genes x {n_spots} barcodes, but {len(names)} genes and "
                       f"{len(barcodes)} barcodes are named; the files do not belong together, or one is cut off.")
    is_gene = None if types is None else np.array([t == "Gene Expression" for t in types], dtype=bool)
    return CountTable(matrix, tuple(barcodes), tuple(names), is_gene)


def _one_of(folder: Path, *names: str) -> Path:
    for name in names:
        for candidate in (folder / f"{name}.gz", folder / name):
            if candidate.is_file():
                return candidate
    raise BadInput(f"{folder}: holds no {' or '.join(names)} (or .gz).")


def _lines(path: Path) -> list[str]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8") as file:
                return file.read().splitlines()
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise BadInput(f"{path}: {_DAMAGED} ({_first_line(error)}).") from error


def _text(values: np.ndarray) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values.tolist()]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
