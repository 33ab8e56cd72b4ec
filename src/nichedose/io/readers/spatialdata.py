"""SpatialData ``.zarr`` stores: the table and its positions, read without the spatialdata package."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.io.parquet import read_parquet
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.readers.h5ad import read_data
from nichedose.io.wkb import centres_of
from nichedose.tissue.assay import SpatialAssay

__all__ = ["SPATIALDATA"]

_META = (".zattrs", ".zgroup", "zarr.json")


def _claims(path: Path) -> bool:
    return path.is_dir() and any((path / m).is_file() for m in _META) and (
        (path / "tables").is_dir() or (path / "table").is_dir())


def _tables(path: Path) -> dict[str, Path]:
    return {p.name: p for folder in ("tables", "table") for p in sorted((path / folder).glob("*"))
            if p.is_dir() and any((p / m).is_file() for m in _META)}


def _samples(path: Path, options: ReadOptions) -> list[str]:
    from nichedose.io.samples import sample_names

    data = _open(path, options)[0]
    return sample_names(data.obs, [], options)


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if not _claims(path):
        raise BadInput(f"{path}: not a SpatialData store: tables/ is missing in it.")
    data, files = _open(path, options)
    return read_data(data, path, options, "spatialdata", files)


def _open(path: Path, options: ReadOptions) -> tuple[Any, list[Path]]:
    """The one table as AnnData, with positions in obsm["spatial"] from the shapes where the table has none."""
    import anndata

    tables = _tables(path)
    if not tables:
        raise BadInput(f"{path}: holds no table of counts (tables/ is empty); images and points alone are not enough.")
    if len(tables) > 1 and "table" not in tables:
        raise BadInput(f"{path}: holds several tables ({', '.join(tables)}); write the one you want into a store of "
                       f"its own.{near_miss(options.sample or '', tables)}")
    place = tables.get("table", next(iter(tables.values())))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on formats to come
            data = anndata.io.read_zarr(place)
    except MemoryError:
        raise
    except Exception as error:  # whatever anndata or zarr raises, the store cannot be read
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{place}: cannot be read as an AnnData table in zarr ({reason}); is the store "
                       "whole?") from error
    marks = [place / m for m in _META if (place / m).is_file()][:1]
    if "spatial" in data.obsm:
        return data, marks
    xy, file = _from_shapes(path, data)
    data.obsm["spatial"] = xy
    return data, [*marks, file]


def _from_shapes(path: Path, data: Any) -> tuple[Array, Path]:
    """Centres of the shapes that the table annotates, in the shapes' own coordinates."""
    link = data.uns.get("spatialdata_attrs", {})
    region, key = link.get("region"), link.get("instance_key")
    regions = [str(r) for r in np.atleast_1d(region)] if region is not None else []
    if len(regions) != 1 or key not in data.obs:
        raise BadInput(f"{path}: the table has no obsm['spatial'], and does not annotate one set of shapes "
                       f"(region {', '.join(regions) or 'not stated'}); write positions into obsm['spatial'].")
    file = path / "shapes" / regions[0] / "shapes.parquet"
    if not file.is_file():
        raise BadInput(f"{file}: missing, so the rows of the table have no positions; write them into "
                       "obsm['spatial'].")
    shapes = read_parquet(file)
    if "geometry" not in shapes:
        raise BadInput(f"{file}: holds no geometry.")
    centres = centres_of(shapes["geometry"], str(file))
    names = {str(n): i for i, n in enumerate(shapes.index)}
    rows = [names.get(str(v), -1) for v in data.obs[key]]
    lost = sum(r < 0 for r in rows)
    if lost:
        raise BadInput(f"{file}: {lost} of {len(rows)} rows of the table have no shape; the elements do not belong "
                       "together.")
    return centres[rows], file


SPATIALDATA = Reader("spatialdata", "a SpatialData store (.zarr) with one table", _claims, _read, _samples)
