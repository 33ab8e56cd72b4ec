"""SpatialData ``.zarr`` stores: the table and its positions, where these are plain without the spatialdata package."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.io.parquet import read_parquet
from nichedose.io.reader import Reader, ReadOptions
from nichedose.io.readers.h5ad import read_data
from nichedose.io.spatialdata_package import centres_by_package
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

    data, _, options = _open(path, options)
    return sample_names(data.obs, [], options)


def _read(path: Path, options: ReadOptions) -> SpatialAssay:
    if not _claims(path):
        raise BadInput(f"{path}: not a SpatialData store: tables/ is missing in it.")
    data, files, options = _open(path, options)
    return read_data(data, path, options, "spatialdata", files)


def _open(path: Path, options: ReadOptions) -> tuple[Any, list[Path], ReadOptions]:
    """The table as AnnData, with positions in obsm["spatial"] from what it annotates where it has none; its file; and
    the options, in which its regions are the samples where it has several."""
    import anndata

    place, options = _table(path, options)
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
    files = [place / m for m in _META if (place / m).is_file()][:1]
    link = data.uns.get("spatialdata_attrs", {})
    regions = [str(r) for r in np.atleast_1d(link["region"])] if link.get("region") is not None else []
    region_key, instance_key = str(link.get("region_key", "")), str(link.get("instance_key", ""))
    if len(regions) > 1 and options.sample_key is None and region_key in data.obs:
        options = dataclasses.replace(options, sample_key=region_key)  # each has coordinates of its own
    if "spatial" in data.obsm:
        return data, files, options
    if not regions or instance_key not in data.obs:
        raise BadInput(f"{path}: the table has no obsm['spatial'], and does not annotate shapes or labels "
                       f"(region {', '.join(regions) or 'not stated'}); write positions into obsm['spatial'].")
    shapes = path / "shapes" / regions[0] / "shapes.parquet"
    if len(regions) == 1 and shapes.is_file():
        data.obsm["spatial"] = _from_shapes(shapes, data, instance_key)
        return data, [*files, shapes], options
    missing = [r for r in regions if not any((path / kind / r).is_dir() for kind in ("shapes", "labels"))]
    if missing:
        raise BadInput(f"{path}: the table annotates '{missing[0]}', which the store does not hold, so its rows have "
                       "no positions; write them into obsm['spatial'].")
    data.obsm["spatial"] = centres_by_package(path, data, regions, region_key, instance_key)
    return data, files, options


def _table(path: Path, options: ReadOptions) -> tuple[Path, ReadOptions]:
    """The table of the store: the only one, the one called 'table', or that of the name in ``sample``."""
    tables = _tables(path)
    if not tables:
        raise BadInput(f"{path}: holds no table of counts (tables/ is empty); images and points alone are not enough.")
    if len(tables) > 1 and options.sample in tables:
        return tables[str(options.sample)], dataclasses.replace(options, sample=None)
    if len(tables) > 1 and "table" not in tables:
        raise BadInput(f"{path}: holds several tables ({', '.join(tables)}); name one in "
                       f"sample.{near_miss(options.sample or '', tables)}")
    return tables.get("table", next(iter(tables.values()))), options


def _from_shapes(file: Path, data: Any, instance_key: str) -> Array:
    """Centres of the shapes that the table annotates, in the shapes' own coordinates."""
    shapes = read_parquet(file)
    if "geometry" not in shapes:
        raise BadInput(f"{file}: holds no geometry.")
    centres = centres_of(shapes["geometry"], str(file))
    names = {str(n): i for i, n in enumerate(shapes.index)}
    rows = [names.get(str(v), -1) for v in data.obs[instance_key]]
    lost = sum(r < 0 for r in rows)
    if lost:
        raise BadInput(f"{file}: {lost} of {len(rows)} rows of the table have no shape; the elements do not belong "
                       "together.")
    return centres[rows]


SPATIALDATA = Reader("spatialdata", "a SpatialData store (.zarr) with one table", _claims, _read, _samples)
