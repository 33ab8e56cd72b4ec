"""The result of a study, versioned; `io` writes it, `report` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from nichedose.values import Flag, Source, ValueUse

__all__ = ["SCHEMA_VERSION", "CandidateSummary", "ModeResult", "OrganDose", "PlanResult", "Quantiles", "SectionResult",
           "maps_in_tissue"]  # fmt: skip

SCHEMA_VERSION = "1"


def maps_in_tissue(dataset: xr.Dataset, mask: NDArray[np.bool_]) -> xr.Dataset:
    """``dataset`` with NaN outside ``mask`` (y, x) in all maps but the mask itself; its attribute ``outside_tissue``
    says so. There is no tissue there, and a 0 would count in a mean."""
    inside = xr.DataArray(mask, dims=("y", "x"))
    maps = {n: v.where(inside) for n, v in dataset.data_vars.items() if n != "mask" and {"y", "x"} <= set(v.dims)}
    return dataset.assign(maps).assign_attrs(outside_tissue="NaN")


@dataclass(frozen=True)
class Quantiles:
    """A number with its uncertainty: the central run, and quantiles over the draws (None without draws)."""

    central: float
    q05: float | None = None
    q50: float | None = None
    q95: float | None = None

    @property
    def typical(self) -> float:
        """The median of the draws, else the central run: the number by which candidates are ranked and shown."""
        return self.central if self.q50 is None else self.q50


@dataclass(frozen=True)
class OrganDose:
    """One organ in one mode, in the quantity of its limit: this course, what came before, and what is allowed."""

    organ: str
    quantity: str
    dose_Gy: float
    prior_Gy: float
    limit_Gy: float | None
    derived_from: str | None
    origin: str
    is_limiting: bool


@dataclass(frozen=True)
class ModeResult:
    """A candidate in one comparison mode. ``activity_MBq`` per administration; doses over the whole course.

    ``evaluable`` False leaves the numbers None and says why in ``reason``.
    """

    mode: str
    evaluable: bool
    reason: str
    activity_MBq: Quantiles | None = None
    mean_dose_Gy: Quantiles | None = None
    log_kill: Quantiles | None = None
    log_kill_positive: Quantiles | None = None
    log_kill_negative: Quantiles | None = None
    worst_decile_survival: Quantiles | None = None
    bed_Gy: Quantiles | None = None
    tcp: Quantiles | None = None
    rank: int | None = None
    probability_best: float | None = None
    probability_best_se: float | None = None
    organs: tuple[OrganDose, ...] = ()


@dataclass(frozen=True)
class CandidateSummary:
    """One candidate: what it is, whether it could be evaluated, and how it fared in each mode.

    ``target_shown``: the section has enough transcripts of its target for a map, or an anchor gives its density.
    """

    name: str
    agent: str
    form: str
    radionuclide: str
    target: str
    cycles: int
    interval_h: float
    status: Literal["evaluable", "flagged", "not evaluable"]
    reasons: tuple[str, ...]
    sentence: str
    modes: Mapping[str, ModeResult]
    target_shown: bool = True
    escaped_fraction: float | None = None
    entered_fraction: float | None = None
    ledger_closure: float | None = None
    draw_grid_error: Mapping[str, float] = field(default_factory=dict)
    rank_by_surroundings: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class SectionResult:
    """Maps of one section.

    ``tissue`` comes from `TissueMap.to_dataset`. ``candidates`` holds, at the activity of ``decide_by`` (or as
    prescribed where that mode is not evaluable): ``dose`` (candidate, y, x) Gy, ``dose_by_quality``
    (candidate, quality, y, x) Gy, ``survival_log10`` (candidate, y, x) of tumour cells, ``time_integrated_activity``
    (candidate, y, x) MBq.h/L; and histograms ``dose_volume`` (candidate, dose_bin) and ``survival_histogram``
    (candidate, log10_survival_bin). ``tissue_quantiles`` holds every tissue field over the draws, before any partner
    drug: (quantile, y, x) on the grid of the draws, and its mean over the tissue (quantile); empty with too few draws.
    Maps are NaN outside the tissue.
    """

    sample: str
    tissue: xr.Dataset
    candidates: xr.Dataset
    gene_coverage: Mapping[str, Any]
    scale_evidence: str
    tissue_quantiles: xr.Dataset = field(default_factory=xr.Dataset)


@dataclass(frozen=True)
class PlanResult:
    """Everything that `nichedose plan` found."""

    title: str
    case_toml: str
    synthetic: bool
    decide_by: str
    answer: str
    candidates: tuple[CandidateSummary, ...]
    sections: tuple[SectionResult, ...]
    draws: xr.Dataset
    flags: tuple[Flag, ...]
    values_used: tuple[ValueUse, ...]
    sources: Mapping[str, Source]
    deciding_inputs: tuple[tuple[str, float], ...]
    provenance: Mapping[str, Any]
    assumptions: tuple[str, ...]
