"""What ran, on what: versions, inputs by hash, seed, time."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from nichedose.case import Case
from nichedose.io import hash_inputs
from nichedose.nuclide import chosen_source
from nichedose.tissue.assay import SpatialAssay

__all__ = ["provenance"]

_PACKAGES = (
    "nichedose", "numpy", "scipy", "numba", "anndata", "xarray", "zarr", "pydantic", "icrp107-database",
    "radioactivedecay",
)


def provenance(case: Case, assays: Sequence[SpatialAssay], *, seconds: float) -> Mapping[str, Any]:
    """Versions, input hashes, seed and run time, ready for JSON."""
    return {
        "software": "nichedose",
        "versions": {name: _version(name) for name in _PACKAGES},
        "decay_data": chosen_source(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "seed": case.sampling.seed,
        "draws": case.sampling.draws,
        "inputs": hash_inputs(assays),
        "not_a_medical_device": "Research software. Not a medical device; not for clinical decisions.",
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # the ICRP packages can be left out
        return "not installed"
