"""AnnData files (``.h5ad``) with positions in ``obsm["spatial"]``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array, BoolArray
from nichedose.io.abundances import abundances_of
from nichedose.io.assemble import CountTable, assemble, refuse_swapped_axes
from nichedose.io.cells import CellTable, assemble_cells
from nichedose.io.counts import holds_raw_counts
from nichedose.io.genes import look_like_ids
from nichedose.io.h5ad_scale import declares_um, h5ad_scale
from nichedose.io.protein_tables import proteins_of, um_per_px_or_ask
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.samples import choose_sample, sample_names
from nichedose.io.to_anndata import POSITIVE_LAYER
from nichedose.library.markers import marker_symbol, marker_symbols
from nichedose.tissue.assay import SpatialAssay
from nichedose.values import Flag

__all__ = ["H5AD", "read_data"]

_SYMBOL_COLUMNS = (
    "gene_symbols", "gene_symbol", "symbol", "hgnc_symbol", "gene_name", "gene_names", "feature_name",
    "gene_short_name", "name", "gene_ids", "gene_id",
)
_CENTROIDS = (("X_centroid", "Y_centroid"), ("X_position", "Y_position"))
_LARGEST_PROTEIN_PANEL = 200
_FEWEST_ANTIBODIES = 3
_YES = ("1", "1.0", "True", "true", "TRUE")


def _claims(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() == ".h5ad"


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if path.is_dir():
        raise BadInput(f"{path}: kind = \"h5ad\" reads a file, and this is a folder.")
    return read_data(_open(path), path, options, "h5ad", [path])


def _samples(path: Path, options: ReadOptions) -> list[str]:
    data = _open(path)
    return sample_names(data.obs, list(_libraries(data.uns)), options)


def read_data(data: Any, path: Path, options: ReadOptions, kind: str, files: Sequence[Path]) -> SpatialAssay:
    """An AnnData object -> `SpatialAssay`: spots, cells, or cells with proteins in X (see docs/how-to/tissue_files.md).

    ``path`` names the source in messages, ``files`` are those whose hashes go into the provenance.
    """
    where = str(path)
    if _holds_proteins(data):
        return _read_proteins(data, path, options, kind, files)
    matrix, var, hint = _choose_counts(data, options, where)
    features, is_gene, gene_flags = _symbols(var, where)
    table = CountTable(matrix, tuple(map(str, data.obs_names)), tuple(map(str, var.index)), is_gene, hint)
    refuse_swapped_axes(table, where)
    libraries = _libraries(data.uns)
    rows, name = choose_sample(data.obs, list(libraries), options, where)
    xy = _positions(data, where)
    if "in_tissue" in data.obs:
        rows = rows & np.asarray(data.obs["in_tissue"].astype(str).isin(_YES), dtype=bool)
    if not rows.any():
        raise BadInput(f"{where}: zero spots in tissue: no row of the chosen sample has in_tissue = 1.")
    xy = xy[rows]
    if not np.isfinite(xy).all():
        raise BadInput(f"{where}: {int((~np.isfinite(xy)).any(axis=1).sum())} positions in obsm['spatial'] are not "
                       "finite.")
    obs = data.obs[rows]
    factors = libraries.get(name or "", next(iter(libraries.values())) if len(libraries) == 1 else {})
    scale = h5ad_scale(xy, obs, data.uns, factors, options, where)
    table = CountTable(table.matrix, table.barcodes, features, is_gene, hint).take(rows)
    sample = name or options.sample or path.stem
    if scale.observation == "cell":
        cells = CellTable(
            table.barcodes, scale.xy_um, table.matrix, features, is_gene,
            area=obs["cell_area"].to_numpy(float) if "cell_area" in obs else None, annotations=_annotations(obs),
            hint=hint)
        return assemble_cells(
            cells, 1.0, scale.evidence, path=path, kind=kind, sample=sample, aliases=options.aliases, files=files,
            area_um2_per_unit=1.0, flags=[*scale.flags, *gene_flags])
    abundances, found = abundances_of(data, rows, where) if scale.observation == "spot" else ({}, ())
    return assemble(
        table, scale, path=path, kind=kind, sample=sample, aliases=options.aliases,
        files=files, annotations=_annotations(obs) | abundances, flags=[*gene_flags, *found])


def _holds_proteins(data: Any) -> bool:
    """True for a panel of antibodies: few columns, most of them known markers, some by names that no gene has (KI67,
    PDL1), and no raw counts anywhere."""
    if data.uns.get("nichedose", {}).get("x_holds") == "proteins":
        return True
    names = [str(n) for n in data.var_names]
    if not 0 < len(names) <= _LARGEST_PROTEIN_PANEL or data.X is None:
        return False
    known = marker_symbols()
    antibodies = [n for n in names if marker_symbol(n) in known]
    if len(antibodies) < 0.5 * len(names) or sum(marker_symbol(n) != n for n in antibodies) < _FEWEST_ANTIBODIES:
        return False
    others = [data.layers[name] for name in data.layers if name is not None]  # anndata 0.13 lists X as None
    return not any(holds_raw_counts(m) for m in (data.X, *others, *([] if data.raw is None else [data.raw.X])))


def _read_proteins(data: Any, path: Path, options: ReadOptions, kind: str, files: Sequence[Path]) -> SpatialAssay:
    """Cells with antibody intensities in X, as scimap keeps them: positions in obs, in pixels."""
    where = str(path)
    rows, name = choose_sample(data.obs, [], options, where)
    obs = data.obs[rows]
    if "spatial" in data.obsm:
        xy, what = _positions(data, where)[rows], "obsm['spatial']"
    else:
        pair = next((p for p in _CENTROIDS if set(p) <= set(obs.columns)), None)
        if pair is None:
            raise BadInput(f"{where}: no positions: neither obsm['spatial'] nor X_centroid and Y_centroid in obs.")
        xy, what = obs[list(pair)].to_numpy(float), f"obs['{pair[0]}'] and obs['{pair[1]}']"
    if declares_um(data.uns) and options.um_per_unit is None:
        um, evidence = 1.0, f"uns['spatial_units'] says \"{data.uns['spatial_units']}\""
    else:
        um, evidence = um_per_px_or_ask(options, path, what, "the microscope's metadata hold it")
    matrix = data.layers.get(options.layer, data.X)
    values = np.asarray(matrix.todense() if hasattr(matrix, "todense") else matrix, dtype=float)[np.flatnonzero(rows)]
    markers = [str(n) for n in data.var_names]
    calls = None
    if POSITIVE_LAYER in data.layers:
        called = np.asarray(data.layers[POSITIVE_LAYER], dtype=float)[np.flatnonzero(rows)]
        calls = {n: called[:, i] for i, n in enumerate(markers)}
    proteins = proteins_of({n: values[:, i] for i, n in enumerate(markers)}, calls)
    area, factor = None, um**2
    if "cell_area" in obs:
        area, factor = obs["cell_area"].to_numpy(float), 1.0
    elif "Area" in obs:
        area = obs["Area"].to_numpy(float)
    note = Flag("note", "tissue data", f"{len(data.var_names)} antibodies were taken for proteins, because their names "
                                       "are and their values are no counts.")
    return assemble_cells(
        CellTable([str(n) for n in obs.index], xy, area=area, proteins=proteins, annotations=_annotations(obs)),
        um, evidence, path=path, kind=kind, sample=name or options.sample or path.stem, aliases=options.aliases,
        files=files, area_um2_per_unit=factor, flags=[note])


def _open(path: Path) -> Any:
    import anndata

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old formats and names that are not unique are dealt with here
            return anndata.read_h5ad(path)
    except MemoryError:
        raise
    except Exception as error:  # whatever anndata or HDF5 raises, the file cannot be read
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{path}: cannot be read as .h5ad ({reason}); is it damaged, cut off, or another "
                       "format?") from error


def _choose_counts(data: Any, options: ReadOptions, where: str) -> tuple[Any, Any, str]:
    """The matrix that should hold raw counts, its var table, and a hint where else raw counts are."""
    layers = [str(name) for name in data.layers if name is not None]  # anndata 0.13 lists X as None
    others = [name for name in layers if name != options.layer and holds_raw_counts(data.layers[name])]
    if data.raw is not None and options.layer != "raw" and holds_raw_counts(data.raw.X):
        others.append("raw")
    hint = "" if not others else f" Whole numbers were found in {', '.join(others)}: set layer = \"{others[0]}\"."
    if options.layer is None:
        if data.X is None:
            raise BadInput(f"{where}: X is empty, so there are no counts.{hint}")
        return data.X, data.var, hint
    if options.layer in data.layers:
        return data.layers[options.layer], data.var, hint
    if options.layer == "raw" and data.raw is not None:
        return data.raw.X, data.raw.var, hint
    raise BadInput(f"{where}: no layer '{options.layer}'.{near_miss(options.layer, layers)}")


def _symbols(var: Any, where: str) -> tuple[tuple[str, ...], BoolArray | None, tuple[Flag, ...]]:
    """Gene symbols, which features are genes, and a note when the symbols came from a column of var."""
    import pandas as pd

    names = [str(n) for n in var.index]
    flags: tuple[Flag, ...] = ()
    if names and (look_like_ids(names) or all(n.isdigit() for n in names)):
        by_lower = {str(c).lower(): c for c in var.columns}
        for column in _SYMBOL_COLUMNS:
            if column not in by_lower:
                continue
            values = ["" if pd.isna(v) else str(v) for v in var[by_lower[column]]]
            if not look_like_ids([v for v in values if v] or ["ENSG00000000000"]):
                # a gene without a symbol keeps its id
                names = [v or n for v, n in zip(values, names, strict=True)]
                flags = (Flag("note", "tissue data", f"Gene ids were mapped to symbols by var['{by_lower[column]}']."),)
                break
        else:
            if not look_like_ids(names):
                raise BadInput(f"{where}: genes are named by numbers; add their symbols as var['gene_symbols'].")
    is_gene = None
    for column in ("feature_types", "feature_type"):
        if column in var.columns and (var[column].astype(str) == "Gene Expression").any():
            is_gene = np.asarray(var[column].astype(str) == "Gene Expression", dtype=bool)
            break
    return tuple(names), is_gene, flags


def _libraries(uns: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Scale factors by library, as scanpy and squidpy keep them in ``uns["spatial"]``."""
    spatial = uns.get("spatial")
    if not isinstance(spatial, Mapping):
        return {}
    return {str(k): v.get("scalefactors", {}) for k, v in spatial.items() if isinstance(v, Mapping)}


def _positions(data: Any, where: str) -> Array:
    if "spatial" not in data.obsm:
        there = ", ".join(data.obsm) or "nothing"
        raise BadInput(f"{where}: no spatial coordinates: obsm['spatial'] is missing (obsm holds {there}). Put the "
                       "spot positions there as (x, y).")
    xy = np.asarray(data.obsm["spatial"], dtype=float)
    if xy.ndim != 2 or xy.shape[1] not in (2, 3):
        raise BadInput(f"{where}: obsm['spatial'] has shape {xy.shape}; (spots, 2) as (x, y) is needed.")
    if xy.shape[1] == 3 and np.ptp(xy[:, 2]) > 0:
        raise BadInput(f"{where}: obsm['spatial'] has three columns and z is not the same everywhere; read one section "
                       "at a time (sample_key, sample).")
    return xy[:, :2]


def _annotations(obs: Any) -> dict[str, Any]:
    """Columns of obs as plain arrays; missing text is an empty string."""
    import pandas as pd

    out: dict[str, Any] = {}
    for column in obs.columns:
        if str(column).startswith("nichedose_"):
            continue
        values = obs[column]
        if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf":
            out[str(column)] = values.to_numpy()
        elif values.dtype.kind in "biuf":  # nullable numbers
            out[str(column)] = values.to_numpy(dtype=float, na_value=np.nan)
        else:
            plain = ["" if pd.isna(v) or v == "nan" else str(v) for v in values.astype(object)]
            out[str(column)] = np.array(plain, dtype=object)
    return out


H5AD = Reader("h5ad", "an .h5ad file with raw counts and obsm['spatial']", _claims, _read, _samples)
