"""Maps and histograms of each section, as labelled arrays with units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from nichedose.dose import QUALITIES
from nichedose.effect import dose_volume_histogram, survival_histogram
from nichedose.fields.grid import Array
from nichedose.results import SectionResult, maps_in_tissue
from nichedose.study.central import CentralCandidate
from nichedose.study.setup import Setup
from nichedose.tissue import TissueMap
from nichedose.tissue.assay import SpatialAssay

__all__ = ["section_results"]

BINS = 120


def section_results(
    setup: Setup,
    assays: Sequence[SpatialAssay],
    maps: Sequence[TissueMap],
    central: Sequence[CentralCandidate],
    quantiles: Sequence[xr.Dataset],
) -> tuple[SectionResult, ...]:
    """One `SectionResult` per section."""
    return tuple(
        SectionResult(
            sample=assay.sample,
            tissue=tissue.to_dataset(),
            candidates=_candidates(tissue, central, position),
            gene_coverage=model.gene_coverage,
            scale_evidence=assay.scale_evidence,
            tissue_quantiles=over_draws,
        )
        for position, (assay, tissue, model, over_draws) in enumerate(
            zip(assays, maps, setup.sections, quantiles, strict=True))
    )


def _candidates(tissue: TissueMap, central: Sequence[CentralCandidate], section: int) -> xr.Dataset:
    names = [c.candidate.name for c in central]
    shape = tissue.grid.shape
    by_quality = np.array(
        [[c.dose_by_quality[section].get(q, np.zeros(shape)) for q in QUALITIES] for c in central]
    ).reshape(len(names), len(QUALITIES), *shape)
    dose = by_quality.sum(axis=1)
    survival = np.array([c.log10_survival[section] for c in central]).reshape(len(names), *shape)
    tia = np.array([c.tia_MBq_h_per_L[section] for c in central]).reshape(len(names), *shape)
    dims = ("candidate", "y", "x")
    data: dict[str, Any] = {
        "dose": (dims, dose, {"units": "Gy", "long_name": "absorbed dose, whole course"}),
        "dose_by_quality": (("candidate", "quality", "y", "x"), by_quality,
                            {"units": "Gy", "long_name": "absorbed dose by radiation quality, whole course"}),
        "survival_log10": (dims, survival, {"units": "1", "long_name": "log10 surviving fraction of tumour cells"}),
        "time_integrated_activity": (dims, tia, {"units": "MBq.h/L", "long_name": "time-integrated activity"}),
    }
    coords: dict[str, Any] = {
        "candidate": names,
        "quality": list(QUALITIES),
        "y": ("y", tissue.grid.y_um, {"units": "um"}),
        "x": ("x", tissue.grid.x_um, {"units": "um"}),
        "activity": ("candidate", [c.activity_MBq for c in central],
                     {"units": "MBq", "long_name": "activity per administration"}),
    }
    if names:
        histograms, bins = _histograms(tissue, central, section, dose, survival)
        data |= histograms
        coords |= bins
    return maps_in_tissue(xr.Dataset(data, coords=coords), tissue.mask)


def _histograms(
    tissue: TissueMap, central: Sequence[CentralCandidate], section: int, dose: Array, survival: Array
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Cumulative dose-volume over tissue, and the share of tumour cells by log10 survival."""
    mask = tissue.mask
    top = float(dose[:, mask].max())
    # alpha and beta doses differ a thousandfold on one axis: geometric bins, and zero
    dose_bins = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, BINS - 1) * (top if top > 0.0 else 1.0)])
    low = float(survival[:, mask].min())
    edges = np.linspace(min(low, -1.0), 0.0, BINS + 1)
    volume = np.array([dose_volume_histogram(d[mask], dose_bins) for d in dose])
    ends = np.minimum(survival, 0.0) * np.log(10.0)  # where growth won, in the last bin
    shares = np.array([
        survival_histogram({"tumour": s[mask]}, {"tumour": _total(c.clonogens[section])[mask]}, edges)
        for s, c in zip(ends, central, strict=True)
    ])
    data = {
        "dose_volume": (("candidate", "dose_bin"), volume,
                        {"units": "1", "long_name": "tissue fraction at or above dose"}),
        "survival_histogram": (("candidate", "log10_survival_bin"), shares,
                               {"units": "1", "long_name": "share of tumour cells"}),
    }
    centres = 0.5 * (edges[1:] + edges[:-1])
    return data, {"dose_bin": ("dose_bin", dose_bins, {"units": "Gy"}),
                  "log10_survival_bin": ("log10_survival_bin", centres, {"units": "1"})}


def _total(clonogens: Mapping[str, Array]) -> Array:
    return np.asarray(sum(clonogens.values()))
