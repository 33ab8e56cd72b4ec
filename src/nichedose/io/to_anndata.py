"""A `SpatialAssay` as AnnData, so that a scanpy or squidpy user goes on from there."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.tissue.assay import SpatialAssay

__all__ = ["assay_to_anndata", "unit_of_column"]

_PREFIX = "nichedose_"
_UNIT_SUFFIXES = {
    "_nmol_h_per_L": "nmol.h/L", "_MBq_h_per_L": "MBq.h/L", "_nmol_per_L": "nmol/L", "_per_mm3": "1/mm3",
    "_per_mm2": "1/mm2", "_per_cm": "1/cm", "_mmHg": "mmHg", "_Gy_per_h": "Gy/h", "_Gy_per_MBq": "Gy/MBq", "_Gy": "Gy",
    "_um": "um", "_MBq": "MBq",
}


def unit_of_column(name: str) -> str:
    """The unit that stands at the end of a column's name; ``"1"`` when it is a pure number.

    >>> unit_of_column("nichedose_target_PSMA_nmol_per_L")
    'nmol/L'
    """
    for suffix in sorted(_UNIT_SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return _UNIT_SUFFIXES[suffix]
    return "1"


def assay_to_anndata(assay: SpatialAssay, columns: Mapping[str, Array] | None = None) -> Any:
    """AnnData with raw counts in ``X``, positions in um in ``obsm["spatial"]``, and ``columns`` (n_spots,) in ``obs``.

    Each column is prefixed with ``nichedose_``; its unit, read from the end of its name, stands in
    ``uns["nichedose"]["units"]``. `read_tissue` reads the file back with the same positions.
    """
    import anndata
    import pandas as pd

    obs = pd.DataFrame(index=pd.Index(assay.barcodes, dtype=object))
    for name, values in assay.annotations.items():
        obs[_safe(name)] = np.asarray(values)
    units: dict[str, str] = {}
    for name, values in (columns or {}).items():
        if np.shape(values) != (assay.n_spots,):
            raise BadInput(f"{assay.sample}: column '{name}' has shape {np.shape(values)}; there are {assay.n_spots} "
                           "spots.")
        column = _PREFIX + _safe(name).removeprefix(_PREFIX)
        obs[column] = np.asarray(values, dtype=float)
        units[column] = unit_of_column(column)
    counts = assay.counts
    if counts.nnz == 0 or counts.data.max() < np.iinfo(np.int32).max:
        counts = counts.astype(np.int32)
    uns = {
        "spatial_units": "um",
        "nichedose": {
            "version": version("nichedose"), "units": units, "sample": assay.sample, "kind": assay.kind,
            "scale_evidence": assay.scale_evidence, "pitch_um": float(assay.pitch_um),
            "spot_diameter_um": float(assay.spot_diameter_um), "lattice": assay.lattice,
        },
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata's notes on its own future are not the user's concern
        return anndata.AnnData(X=counts, obs=obs, var=pd.DataFrame(index=pd.Index(assay.genes, dtype=object)),
                               obsm={"spatial": np.asarray(assay.xy_um, dtype=float)}, uns=uns)


def _safe(name: str) -> str:
    """HDF5 reads '/' as a folder."""
    return str(name).replace("/", "_")
