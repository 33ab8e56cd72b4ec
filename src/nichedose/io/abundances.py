"""Cell-type abundances that a deconvolution left in an AnnData object, under one naming."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.tissue.reported import ABUNDANCE
from nichedose.values import Flag

__all__ = ["abundances_of"]

# cell2location writes posterior means and quantiles; of these the mean is the unbiased one, the 5 % quantile the one
# that is most often kept
_OBSM = (
    ("means_cell_abundance_w_sf", "cell2location, posterior means"),
    ("q50_cell_abundance_w_sf", "cell2location, posterior medians"),
    ("q05_cell_abundance_w_sf", "cell2location, 5 % quantiles"),
)
_RCTD = re.compile(r"^rctd([_. ]?(norm(alized)?[_. ])?weights)?$", re.IGNORECASE)
_PREFIX = re.compile(r"^(means|stds|q\d\d)_?cell_abundance_w_sf_")
_KEPT = ("means", "q50", "q05")


def abundances_of(data: Any, rows: BoolArray, where: str) -> tuple[dict[str, Array], tuple[Flag, ...]]:
    """Abundances by column ``abundance:NAME`` at the chosen ``rows``, with a note on where they stood; empty if none.

    Looked for in this order: cell2location's ``obsm``, RCTD's weights in ``obsm`` (``rctd``, ``rctd_weights``),
    cell2location's columns in ``obs`` (with its prefix, or the names in ``uns["mod"]["factor_names"]``). Raises
    `BadInput` for a matrix whose columns have no names anywhere.
    """
    for key, words in (*_OBSM, *((k, "RCTD weights") for k in data.obsm if _RCTD.match(str(k)))):
        if key in data.obsm:
            return _columns(data.obsm[key], key, data.uns, rows, where), (_note(f"obsm['{key}']", words),)
    for kept in _KEPT:
        names = [c for c in data.obs.columns if (m := _PREFIX.match(str(c))) and m.group(1) == kept]
        if names:
            found = {ABUNDANCE + _PREFIX.sub("", str(c)): _numbers(data.obs[c], rows) for c in names}
            return found, (_note(f"obs ('{names[0]}' and so on)", "cell2location"),)
    names = [n for n in _factor_names(data.uns) if n in data.obs]
    if names and all(data.obs[n].dtype.kind == "f" for n in names):
        return ({ABUNDANCE + n: _numbers(data.obs[n], rows) for n in names},
                (_note("obs, by the names in uns['mod']['factor_names']", "cell2location"),))
    return {}, ()


def _columns(table: Any, key: str, uns: Mapping[str, Any], rows: BoolArray, where: str) -> dict[str, Array]:
    names = [_PREFIX.sub("", str(c)) for c in table.columns] if hasattr(table, "columns") else _factor_names(uns)
    values = np.asarray(table.todense() if hasattr(table, "todense") else table, dtype=float)[rows]
    if values.ndim != 2 or len(names) != values.shape[1]:
        raise BadInput(f"{where}: obsm['{key}'] has {values.shape[-1]} columns, but {len(names)} names of cell types "
                       "are known; store it as a table whose columns are cell types, or leave it out.")
    return {ABUNDANCE + n: values[:, i] for i, n in enumerate(names)}


def _factor_names(uns: Mapping[str, Any]) -> list[str]:
    model = uns.get("mod")
    return [str(n) for n in model.get("factor_names", ())] if isinstance(model, Mapping) else []


def _numbers(column: Any, rows: BoolArray) -> Array:
    return np.asarray(np.asarray(column, dtype=float)[rows])


def _note(place: str, words: str) -> Flag:
    return Flag("note", "composition", f"Abundances of cell types were found in {place} ({words}).")
