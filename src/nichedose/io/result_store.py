"""The arrays of a result in one zarr store: ``sections/<sample>/{tissue,tissue_quantiles,candidates}`` and ``draws``.

Metadata of all groups are gathered at the root, so that any group opens with one read.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nichedose.quantities import unit_of_key
from nichedose.results import SCHEMA_VERSION, PlanResult

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["StoredArrays", "file_names", "jsonable", "read_store", "write_store"]


def jsonable(value: Any) -> Any:
    """``value`` as strict JSON: numpy numbers as numbers, tuples as lists, NaN and infinity as null."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [jsonable(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def file_names(samples: Sequence[str]) -> list[str]:
    """A name for each sample that a file can bear, all different."""
    names: list[str] = []
    for sample in samples:
        plain = "".join(ch if ch.isalnum() or ch in "-_+." else "_" for ch in sample).lstrip(".") or "section"
        name, number = plain, 2
        while name.lower() in {n.lower() for n in names}:  # some file systems do not tell case apart
            name, number = f"{plain}-{number}", number + 1
        names.append(name)
    return names


def write_store(path: Path, result: PlanResult) -> None:
    """Write the zarr store (format 3). Raises `ValueError` for a variable without ``units``, a fault of the caller."""
    import zarr

    names = file_names([s.sample for s in result.sections])
    with _quiet():
        root = zarr.open_group(path, mode="w", zarr_format=3)
        root.attrs.update({"schema_version": SCHEMA_VERSION, "title": result.title, "synthetic": result.synthetic,
                           "decide_by": result.decide_by, "sections": names})
        for name, section in zip(names, result.sections, strict=True):
            extra = {"sample": section.sample, "scale_evidence": section.scale_evidence,
                     "gene_coverage": json.dumps(jsonable(section.gene_coverage), sort_keys=True)}
            _write(section.tissue, path, f"sections/{name}/tissue", extra)
            if section.tissue_quantiles:
                _write(section.tissue_quantiles, path, f"sections/{name}/tissue_quantiles", {"sample": section.sample})
            _write(section.candidates, path, f"sections/{name}/candidates", {"sample": section.sample})
        _write(_with_key_units(result.draws), path, "draws", {})
        zarr.consolidate_metadata(path, zarr_format=3)


def _with_key_units(draws: xr.Dataset) -> xr.Dataset:
    """``key_units`` beside ``key``: the unit of each input, which its key tells."""
    if "key" not in draws.coords:
        return draws
    units = np.array([unit_of_key(str(key)) or "1" for key in draws["key"].values], dtype=object)
    return draws.assign_coords(key_units=("key", units, {"units": "1", "long_name": "unit of each input"}))


@dataclass(frozen=True)
class StoredArrays:
    """What a store holds, in memory: root attributes, datasets by section, and the draws."""

    attributes: dict[str, Any]
    tissue: dict[str, xr.Dataset]
    tissue_quantiles: dict[str, xr.Dataset]
    candidates: dict[str, xr.Dataset]
    draws: xr.Dataset


def read_store(path: Path) -> StoredArrays:
    """Everything in a store; ``tissue_quantiles`` of the sections that have them."""
    import zarr

    with _quiet():
        root = zarr.open_group(path, mode="r")
        attributes: dict[str, Any] = root.attrs.asdict()
        names = attributes["sections"]
        return StoredArrays(
            attributes,
            {n: _read(path, f"sections/{n}/tissue") for n in names},
            {n: _read(path, g) for n in names if (g := f"sections/{n}/tissue_quantiles") in root},
            {n: _read(path, f"sections/{n}/candidates") for n in names},
            _read(path, "draws"))


def _write(dataset: xr.Dataset, path: Path, group: str, extra: Mapping[str, Any]) -> None:
    plain = dataset.assign_attrs(jsonable({**dataset.attrs, **extra, "schema_version": SCHEMA_VERSION}))
    for name, variable in dataset.variables.items():
        # object strings become zarr's variable-length strings; fixed-length ones have no zarr 3 specification
        values = variable.astype(object) if variable.dtype.kind == "U" else variable
        attributes = jsonable(variable.attrs)
        if "units" not in attributes:
            if name in dataset.data_vars:
                raise ValueError(f"{group}: variable '{name}' has no units; every variable of a result must say its "
                                 "unit.")
            attributes["units"] = "1"
        plain[name] = (variable.dims, values.data, attributes)
    plain.to_zarr(path, group=group, mode="w", zarr_format=3, consolidated=False)


def _read(path: Path, group: str) -> xr.Dataset:
    import xarray as xr

    with xr.open_zarr(path, group=group, consolidated=False) as dataset:
        # a zarr group has no order of its own, and file systems differ in theirs
        loaded: xr.Dataset = dataset.load()
        names = sorted(map(str, loaded.data_vars))
        return loaded.drop_vars(names).assign({name: loaded[name] for name in names})


@contextmanager
def _quiet() -> Iterator[None]:
    """zarr and xarray announce changes of their own; none of it concerns the reader of a result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
