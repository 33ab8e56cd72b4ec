"""A `SpatialAssay` as AnnData, so that a scanpy or squidpy user goes on from there."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.tissue.assay import SpatialAssay

__all__ = ["POSITIVE_LAYER", "assay_to_anndata", "unit_of_column"]

POSITIVE_LAYER = "positive"
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
    """The user's own object with ``columns`` (n_spots,) added to ``obs``; made anew where the input was no AnnData.

    An ``.h5ad`` keeps all that it held (layers, obsm, uns, every gene), for the spots that were used; positions in um
    stand in ``obsm["nichedose_um"]``. From other formats: raw counts (or intensities of proteins) in ``X``, positions
    in um in ``obsm["spatial"]``, areas in ``obs["cell_area"]`` (um2).
    Each column is prefixed with ``nichedose_``; its unit, read from the end of its name, stands in
    ``uns["nichedose"]["units"]``. `read_tissue` reads the file back with the same positions.
    """
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata's notes on its own future are not the user's concern
        data = _original(assay)
        if data is None:
            data = _made(assay)
        else:
            data.obsm["nichedose_um"] = np.asarray(assay.xy_um, dtype=float)
    units: dict[str, str] = {}
    added: dict[str, Array] = {}
    for name, values in (columns or {}).items():
        if np.shape(values) != (assay.n_spots,):
            raise BadInput(f"{assay.sample}: column '{name}' has shape {np.shape(values)}; there are {assay.n_spots} "
                           "spots.")
        column = _PREFIX + _safe(name).removeprefix(_PREFIX)
        added[column] = np.asarray(values, dtype=float)
        units[column] = unit_of_column(column)
    # at once: a frame that grows by a hundred single columns is fragmented, and pandas warns
    kept = data.obs.drop(columns=list(added), errors="ignore")
    data.obs = pd.concat([kept, pd.DataFrame(added, index=kept.index)], axis=1)
    data.uns["nichedose"] = {
        "version": version("nichedose"), "units": units, "sample": assay.sample, "kind": assay.kind,
        "scale_evidence": assay.scale_evidence, "pitch_um": float(assay.pitch_um),
        "spot_diameter_um": float(assay.spot_diameter_um), "lattice": assay.lattice,
        "observation": assay.observation,
        "x_holds": "proteins" if assay.proteins is not None and not assay.genes else "counts",
    }
    return data


def _original(assay: SpatialAssay) -> Any | None:
    """The AnnData that was read, cut to the spots that were used, or None where there is none (any more)."""
    import anndata

    if assay.kind != "h5ad" or len(assay.files) != 1 or not Path(assay.files[0]).is_file():
        return None
    whole = anndata.read_h5ad(assay.files[0])
    names = [str(name) for name in whole.obs_names]
    if len(set(names)) != len(names) or not set(assay.barcodes) <= set(names):
        return None
    return whole[list(assay.barcodes)].copy()


def _made(assay: SpatialAssay) -> Any:
    import anndata
    import pandas as pd

    obs = pd.DataFrame(index=pd.Index(assay.barcodes, dtype=object))
    for name, values in assay.annotations.items():
        obs[_safe(name)] = np.asarray(values)
    if assay.area_um2 is not None:
        obs["cell_area"] = assay.area_um2
    matrix, features, layers = _values(assay)
    positions: Any = {"spatial": np.asarray(assay.xy_um, dtype=float)}  # anndata 0.13 types it as plain sequences
    return anndata.AnnData(
        X=matrix, obs=obs, var=pd.DataFrame(index=pd.Index(features, dtype=object)), obsm=positions, layers=layers,
        uns={"spatial_units": "um"})


def _values(assay: SpatialAssay) -> tuple[Any, tuple[str, ...], Any]:
    """Raw counts by gene; for an assay without genes, intensities by marker, and the calls as a layer."""
    if assay.genes or assay.proteins is None:
        counts = assay.counts
        if counts.nnz == 0 or counts.data.max() < np.iinfo(np.int32).max:
            counts = counts.astype(np.int32)
        return counts, assay.genes, {}
    called = assay.proteins.positive
    return assay.proteins.intensity, assay.proteins.markers, {} if called is None else {POSITIVE_LAYER: called * 1.0}


def _safe(name: str) -> str:
    """HDF5 reads '/' as a folder."""
    return str(name).replace("/", "_")
