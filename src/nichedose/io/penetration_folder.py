"""The folder of `nichedose transport`: page, numbers, tidy tables and maps."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nichedose.io.output import MARKER, MARKER_KEY, replaced_folder
from nichedose.io.result_store import jsonable

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["PENETRATION_SCHEMA", "write_penetration"]

PENETRATION_SCHEMA = "transport-1"


def write_penetration(
    folder: Path, html: str, numbers: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], maps: xr.Dataset, *,
    overwrite: bool,
) -> Path:  # fmt: skip
    """Write ``transport.html``, ``transport.json``, ``<table>.csv``, ``maps.zarr`` and ``provenance.json``.

    All of it is put in place at the end: an error leaves what was there. Raises `BadInput` for a folder that may not be
    replaced.
    """
    with replaced_folder(folder, overwrite) as part:
        (part / "transport.html").write_text(html, encoding="utf-8", newline="\n")
        _write_json(part / "transport.json", {"schema_version": PENETRATION_SCHEMA, **numbers})
        for name, table in tables.items():
            table.to_csv(part / f"{name}.csv", index=False, lineterminator="\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zarr's notes on its own future
            # object strings become variable-length ones; fixed-length strings have no zarr 3 specification
            plain = maps.assign_coords({k: v.astype(object) for k, v in maps.coords.items() if v.dtype.kind == "U"})
            plain.to_zarr(part / "maps.zarr", zarr_format=3, consolidated=False)
        files = sorted(p.name for p in part.iterdir())
        record = {MARKER_KEY: {"schema_version": PENETRATION_SCHEMA, "files": files}, "software": "nichedose"}
        _write_json(part / MARKER, record)
    return Path(folder)


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    text = json.dumps(jsonable(record), indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
