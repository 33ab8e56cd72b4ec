"""The folder of a tissue profile: page, numbers, and the user's own object with what was found at each row."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nichedose.fields.grid import Array
from nichedose.io.hashes import hash_inputs
from nichedose.io.output import MARKER, MARKER_KEY, replaced_folder
from nichedose.io.result_store import file_names, jsonable
from nichedose.io.to_anndata import assay_to_anndata
from nichedose.tissue.assay import SpatialAssay

__all__ = ["PROFILE_SCHEMA", "write_profile"]

PROFILE_SCHEMA = "profile-1"


def write_profile(
    folder: Path,
    html: str,
    numbers: Mapping[str, Any],
    *,
    overwrite: bool,
    assay: SpatialAssay | None = None,
    columns: Mapping[str, Array] | None = None,
) -> Path:
    """Write ``profile.html``, ``profile.json``, ``<sample>.h5ad`` (with an assay) and ``provenance.json``.

    ``columns`` (n_rows,) go into the object's ``obs``. All of it is put in place at the end: an error leaves what was
    there. Raises `BadInput` for a folder that may not be replaced.
    """
    with replaced_folder(folder, overwrite) as part:
        (part / "profile.html").write_text(html, encoding="utf-8", newline="\n")
        _write_json(part / "profile.json", {"schema_version": PROFILE_SCHEMA, **numbers})
        if assay is not None:
            [name] = file_names([assay.sample])
            data = assay_to_anndata(assay, columns)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # anndata's notes on its own future
                data.write_h5ad(part / f"{name}.h5ad", compression="gzip")
        files = sorted(p.name for p in part.iterdir())
        record = {MARKER_KEY: {"schema_version": PROFILE_SCHEMA, "files": files}, "software": "nichedose"}
        if assay is not None:
            record |= {"inputs": hash_inputs([assay]), "scale_evidence": assay.scale_evidence}
        _write_json(part / MARKER, record)
    return Path(folder)


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    text = json.dumps(jsonable(record), indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
