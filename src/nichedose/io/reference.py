"""Inputs of target discovery: a single-cell reference without positions, and a table of normal tissues."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.io.counts import holds_raw_counts

__all__ = ["CellReference", "read_normal_tissue", "read_reference"]


@dataclass(frozen=True, eq=False)
class CellReference:
    """Raw ``counts`` (n_cells, n_genes), ``genes`` by symbol, and which cells are ``tumour`` (n_cells,), 0 or 1."""

    name: str
    counts: sp.csr_matrix
    genes: tuple[str, ...]
    tumour: Array


def read_reference(
    path: str | Path, tumour_key: str, tumour_labels: tuple[str, ...], *, layer: str | None = None
) -> CellReference:
    """Read an ``.h5ad`` of single cells; ``obs[tumour_key]`` in ``tumour_labels`` marks the tumour cells.

    Raises `BadInput` when the file cannot be read, holds no raw counts, or lacks the column or a label.
    """
    import anndata

    place = Path(path).expanduser()
    if not place.is_file() or place.suffix.lower() != ".h5ad":
        raise BadInput(f"{place}: a single-cell reference is read from an .h5ad file; there is none of that name.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old formats and names that are not unique are dealt with here
            data = anndata.read_h5ad(place)
    except Exception as error:  # whatever anndata or HDF5 raises, the file cannot be read
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{place}: cannot be read as .h5ad ({reason}).") from error
    if tumour_key not in data.obs:
        raise BadInput(f"{place}: no column '{tumour_key}' in obs.{near_miss(tumour_key, map(str, data.obs.columns))}")
    if not tumour_labels:
        raise BadInput("Which labels are tumour cells? Name them with --tumour-labels.")
    labels = data.obs[tumour_key].astype(str).to_numpy()
    present = set(labels.tolist())
    for label in tumour_labels:
        if label not in present:
            raise BadInput(f"{place}: '{label}' is no label in '{tumour_key}'.{near_miss(label, present)}")
    if layer is not None and layer not in data.layers:
        raise BadInput(f"{place}: no layer '{layer}'.{near_miss(layer, map(str, data.layers))}")
    matrix = data.X if layer is None else data.layers[layer]
    if matrix is None or not holds_raw_counts(matrix):
        raise BadInput(f"{place}: {'X' if layer is None else layer} does not hold raw counts (whole numbers, not "
                       "negative); name the layer that does (--layer).")
    tumour = np.isin(labels, tumour_labels).astype(float)
    return CellReference(place.stem, sp.csr_matrix(matrix, dtype=float), tuple(map(str, data.var_names)), tumour)


def read_normal_tissue(path: str | Path) -> Mapping[str, Mapping[str, float]]:
    """Read a table of normal tissues (``.csv``, ``.tsv``, may be ``.gz``): genes in the first column, one column per
    organ, in any unit that is proportional to transcripts. Gives organ -> gene -> level.

    Raises `BadInput` for a missing file, a cell that is no number, or a gene that stands twice.
    """
    import pandas as pd

    place = Path(path).expanduser()
    if not place.is_file():
        raise BadInput(f"{place}: no such file. A table of normal tissues is .csv or .tsv, genes in the first column.")
    separator = "\t" if place.name.removesuffix(".gz").endswith((".tsv", ".txt")) else ","
    try:
        table = pd.read_csv(place, sep=separator, index_col=0)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{place}: cannot be read as a table ({error}).") from error
    if table.shape[0] == 0 or table.shape[1] == 0:
        raise BadInput(f"{place}: genes are needed in the first column and organs in the others.")
    twice = table.index[table.index.duplicated()].astype(str)
    if len(twice):
        raise BadInput(f"{place}: the gene {twice[0]} stands twice; keep one row per gene.")
    out: dict[str, dict[str, float]] = {}
    for organ in table.columns:
        values = pd.to_numeric(table[organ], errors="coerce").to_numpy(dtype=float)
        bad = ~np.isfinite(values) | (values < 0.0)
        if bad.any():
            gene = str(table.index[int(np.flatnonzero(bad)[0])])
            raise BadInput(f"{place}: {organ}, {gene}: no level there; a number that is not negative is needed.")
        out[str(organ)] = dict(zip(table.index.astype(str), values.tolist(), strict=True))
    return out
