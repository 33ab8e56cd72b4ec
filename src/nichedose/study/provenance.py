"""What ran, on what: versions, inputs by hash, seed, time."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nichedose.case import Case, resolve_path

__all__ = ["hash_inputs", "provenance"]

_PACKAGES = (
    "nichedose", "numpy", "scipy", "numba", "anndata", "xarray", "zarr", "pydantic", "icrp107-database",
    "radioactivedecay",
)


def provenance(case: Case, case_path: Path, *, seconds: float) -> Mapping[str, Any]:
    """Versions, input hashes, seed and run time, ready for JSON."""
    return {
        "software": "nichedose",
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "seed": case.sampling.seed,
        "draws": case.sampling.draws,
        "inputs": hash_inputs(case, case_path),
        "not_a_medical_device": "Research software. Not a medical device; not for clinical decisions.",
    }


def hash_inputs(case: Case, case_path: Path) -> Mapping[str, str]:
    """SHA-256 of each input file, by its path as the case names it."""
    hashes: dict[str, str] = {}
    for section in case.sections:
        root = resolve_path(case_path, section.path)
        files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
        for file in files:
            name = section.path if file == root else f"{section.path}/{file.relative_to(root)}"
            hashes[name] = _sha256(file)
    return hashes


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
