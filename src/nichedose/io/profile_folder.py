"""The folder of a tissue profile: page, numbers, and the user's own object with what was found at each row."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nichedose.fields.grid import Array
from nichedose.io.hashes import hash_inputs
from nichedose.io.output import MARKER, MARKER_KEY, replaced_folder
from nichedose.io.result_store import file_names, jsonable
from nichedose.io.to_anndata import assay_to_anndata
from nichedose.tissue.assay import SpatialAssay

__all__ = ["PROFILE_SCHEMA", "ProfiledSection", "write_profile"]

PROFILE_SCHEMA = "profile-1"


@dataclass(frozen=True, eq=False)
class ProfiledSection:
    """One section, what was found at each of its rows (columns (n_rows,) for ``obs``), and its own page, if any."""

    assay: SpatialAssay
    columns: Mapping[str, Array]
    html: str | None = None


def write_profile(
    folder: Path,
    html: str,
    numbers: Mapping[str, Any],
    *,
    overwrite: bool,
    sections: Sequence[ProfiledSection] = (),
) -> Path:
    """Write ``profile.html``, ``profile.json`` and ``provenance.json``; for each section ``<sample>.h5ad``, and
    ``<sample>.html`` where it has a page of its own.

    All of it is put in place at the end: an error leaves what was there. Raises `BadInput` for a folder that may not be
    replaced.
    """
    assays = [s.assay for s in sections]
    names = file_names([a.sample for a in assays])
    with replaced_folder(folder, overwrite) as part:
        (part / "profile.html").write_text(html, encoding="utf-8", newline="\n")
        _write_json(part / "profile.json", {"schema_version": PROFILE_SCHEMA, **numbers})
        for name, section in zip(names, sections, strict=True):
            data = assay_to_anndata(section.assay, section.columns)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # anndata's notes on its own future
                data.write_h5ad(part / f"{name}.h5ad", compression="gzip")
            if section.html is not None:
                (part / f"{name}.html").write_text(section.html, encoding="utf-8", newline="\n")
        files = sorted(p.name for p in part.iterdir())
        record: dict[str, Any] = {
            MARKER_KEY: {"schema_version": PROFILE_SCHEMA, "files": files}, "software": "nichedose"}
        if assays:
            evidence = {a.sample: a.scale_evidence for a in assays}
            record |= {"inputs": hash_inputs(assays), "scale_evidence": evidence}
        _write_json(part / MARKER, record)
    return Path(folder)


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    text = json.dumps(jsonable(record), indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
