"""Fingerprints of the files that a run read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from nichedose.tissue.assay import SpatialAssay

__all__ = ["hash_inputs"]


def hash_inputs(assays: Sequence[SpatialAssay]) -> Mapping[str, str]:
    """SHA-256 of each file that was read, as ``section/file name``: no path of anybody's machine."""
    return {f"{assay.sample}/{Path(name).name}": _sha256(Path(name)) for assay in assays for name in assay.files}


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return f"not readable any more ({error.strerror or error})"
