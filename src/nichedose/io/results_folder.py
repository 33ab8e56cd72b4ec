"""The results folder: written whole or not at all, and read back."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.io.output import MARKER, MARKER_KEY, replaced_folder
from nichedose.io.result_store import file_names, jsonable, read_store, write_store
from nichedose.io.result_tables import organ_table, ranking_table, values_table
from nichedose.io.to_anndata import assay_to_anndata
from nichedose.results import SCHEMA_VERSION, PlanResult
from nichedose.tissue.assay import SpatialAssay

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Results", "load_results", "write_results"]

_PACKAGES = ("nichedose", "numpy", "scipy", "pandas", "xarray", "zarr", "anndata", "numba")


@dataclass(frozen=True)
class Results:
    """A results folder in memory; ``tissue``, ``tissue_quantiles`` and ``candidates`` by section name."""

    folder: Path
    attributes: Mapping[str, Any]
    tissue: Mapping[str, xr.Dataset]
    tissue_quantiles: Mapping[str, xr.Dataset]
    candidates: Mapping[str, xr.Dataset]
    draws: xr.Dataset
    ranking: pd.DataFrame
    organs: pd.DataFrame
    values: pd.DataFrame
    provenance: Mapping[str, Any]


def write_results(
    folder: Path,
    result: PlanResult,
    html: str,
    *,
    overwrite: bool,
    assays: Sequence[SpatialAssay],
    obs_columns: Sequence[Mapping[str, Array]],
) -> Path:
    """Write ``report.html``, ``results.zarr``, ``<sample>.h5ad``, the tables and ``provenance.json``; gives the folder.

    All of it is written beside ``folder`` and put in place at the end: an error or an interrupt leaves what was there.
    ``obs_columns`` holds one mapping of (n_spots,) columns per assay, the unit at the end of each name. Content depends
    on the
    result alone; times stand in ``provenance.json`` only. Raises `BadInput` for a folder that may not be replaced.
    """
    if len(assays) != len(obs_columns):
        raise ValueError(f"{len(assays)} assays but {len(obs_columns)} sets of columns")
    with replaced_folder(folder, overwrite) as part:
        (part / "report.html").write_text(html, encoding="utf-8", newline="\n")
        write_store(part / "results.zarr", result)
        for name, assay, columns in zip(file_names([a.sample for a in assays]), assays, obs_columns, strict=True):
            data = assay_to_anndata(assay, columns)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # anndata's notes on its own future
                data.write_h5ad(part / f"{name}.h5ad", compression="gzip")
        tables = {"ranking": ranking_table(result), "organs": organ_table(result), "values": values_table(result)}
        for name, table in tables.items():
            table.to_csv(part / f"{name}.csv", index=False, lineterminator="\n")
        files = sorted(p.name for p in part.iterdir())
        record = jsonable(_provenance(result, assays, files))
        text = json.dumps(record, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
        (part / MARKER).write_text(text + "\n", encoding="utf-8", newline="\n")
    return Path(folder)


def load_results(folder: str | Path) -> Results:
    """Read a results folder back; raises `BadInput` when it is none, or of another schema version."""
    import pandas as pd

    place = Path(folder).expanduser()
    try:
        provenance = json.loads((place / MARKER).read_text(encoding="utf-8"))
        found = str(provenance[MARKER_KEY]["schema_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{place}: not a nichedose results folder (no readable {MARKER}).") from error
    if found != SCHEMA_VERSION:
        raise BadInput(f"{place}: results of schema version {found}; this version of nichedose reads {SCHEMA_VERSION}.")
    try:
        stored = read_store(place / "results.zarr")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The 'float_precision' argument is deprecated")  # pandas 3.1
            ranking, organs, values = (
                pd.read_csv(place / f"{name}.csv", float_precision="round_trip")
                for name in ("ranking", "organs", "values"))
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{place}: results are not complete ({error}).") from error
    return Results(place, stored.attributes, stored.tissue, stored.tissue_quantiles, stored.candidates, stored.draws,
                   ranking, organs, values, provenance)


def _provenance(result: PlanResult, assays: Sequence[SpatialAssay], files: list[str]) -> dict[str, Any]:
    """What the study recorded, and the list of files that marks the folder as ours."""
    return {
        **result.provenance,
        MARKER_KEY: {"schema_version": SCHEMA_VERSION, "files": files},
        "title": result.title, "synthetic": result.synthetic, "decide_by": result.decide_by, "answer": result.answer,
        "case_toml": result.case_toml, "assumptions": result.assumptions,
        "deciding_inputs": [{"key": key, "share": share} for key, share in result.deciding_inputs],
        "flags": [vars(flag) for flag in result.flags],
        "sections": [
            {"sample": a.sample, "kind": a.kind, "spots": a.n_spots, "genes": len(a.genes),
             "scale_evidence": a.scale_evidence, "flags": [vars(flag) for flag in a.flags]} for a in assays],
    }
