"""Wide count tables (a row per cell, a column per gene), read in pieces: memory holds one piece and the counts."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.io.tables import separator_of

__all__ = ["read_wide_counts"]

ROWS_AT_ONCE = 20_000  # of 1,000 genes in float32: 80 MB


def read_wide_counts(path: Path, id_columns: Sequence[str | int]) -> tuple[Any, sp.csr_matrix, tuple[str, ...]]:
    """The id columns as text (DataFrame), the counts (n_cells, n_features) in float32, and the names of the features.

    An id column is given by name, or by position where it has none; names that the file lacks are left out. Raises
    `BadInput` for a damaged or empty file, and for a feature column that holds no numbers.
    """
    import pandas as pd

    separator = separator_of(path)
    try:
        header = [str(c) for c in pd.read_csv(path, sep=separator, nrows=0).columns]
        ids = [header[c] if isinstance(c, int) else c for c in id_columns if isinstance(c, int) or c in header]
        genes = [c for c in header if c not in ids]
        if not genes:
            raise BadInput(f"{path}: no column of counts beside {', '.join(ids)}.")
        types: dict[str, Any] = dict.fromkeys(ids, str) | dict.fromkeys(genes, np.float32)
        names, blocks = [], []
        with pd.read_csv(path, sep=separator, dtype=types, chunksize=ROWS_AT_ONCE, keep_default_na=True) as pieces:
            for piece in pieces:
                names.append(piece[ids].astype(str))
                block = piece[genes].to_numpy(np.float32)
                if np.isnan(block).any():
                    gene = genes[int(np.flatnonzero(np.isnan(block).any(axis=0))[0])]
                    raise BadInput(f"{path}: counts of {gene} are missing (NaN) in some rows; is the file cut off?")
                blocks.append(sp.csr_matrix(block))
    except BadInput:
        raise
    except pd.errors.EmptyDataError as error:
        raise BadInput(f"{path}: the file is empty.") from error
    except (OSError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, ValueError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{path}: cannot be read as a table of counts ({reason}); is it damaged or cut off, or is a "
                       "column not a number?") from error
    if not blocks:
        raise BadInput(f"{path}: the table has no rows.")
    return pd.concat(names, ignore_index=True), sp.csr_matrix(sp.vstack(blocks, format="csr")), tuple(genes)
