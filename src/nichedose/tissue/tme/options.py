"""How a section is profiled: lengths, labels and the number of bootstrap samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

from nichedose.errors import BadInput
from nichedose.tissue.reported import CompositionFrom

__all__ = ["ProfileOptions"]

_LENGTHS = ("voxel_um", "reach_um", "tile_um", "nest_sigma_um", "contact_um")


@dataclass(frozen=True)
class ProfileOptions:
    """Lengths in um; None is chosen from the assay.

    ``rows``: what a row of the assay is. ``region_key`` names the annotation that tells nests from stroma, with the
    labels in ``nest_labels`` (what is not named there is stroma, but for ``outside_labels``); without it nests are
    where more than ``nest_share`` of the cells within ``nest_sigma_um`` are tumour cells. ``phenotype_key`` names the
    annotation that holds each cell's type, where rows are cells; ``composition`` says where shares of spots come from:
    abundances in the file (``reported``), marker genes (``markers``), or the former where there are any. ``margins_um``
    are the widths of the bands on both sides of the border.
    """

    rows: Literal["auto", "cells", "spots"] = "auto"
    region_key: str | None = None
    nest_labels: tuple[str, ...] = ()
    outside_labels: tuple[str, ...] = ()
    phenotype_key: str | None = None
    composition: CompositionFrom = "auto"
    margins_um: tuple[float, ...] = (50.0, 100.0, 500.0)
    voxel_um: float | None = None
    reach_um: float | None = None
    tile_um: float | None = None
    nest_sigma_um: float | None = None
    nest_share: float = 0.5
    contact_um: float = 20.0
    bootstraps: int = 1000
    seed: int = 0
    min_coverage: float = 0.5

    def __post_init__(self) -> None:
        if self.rows not in ("auto", "cells", "spots"):
            raise BadInput(f"rows = '{self.rows}' is not known; it is auto, cells or spots.")
        if self.composition not in get_args(CompositionFrom):
            raise BadInput(f"composition = '{self.composition}' is not known; it is auto, reported or markers.")
        for name in _LENGTHS:
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0.0):
                raise BadInput(f"{name} must be a length above 0 um; got {value}.")
        if not self.margins_um or any(not (math.isfinite(m) and m > 0.0) for m in self.margins_um):
            raise BadInput(f"margins_um must be lengths above 0 um; got {self.margins_um}.")
        for name in ("nest_share", "min_coverage"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise BadInput(f"{name} must lie between 0 and 1; got {getattr(self, name)}.")
        if not 20 <= self.bootstraps <= 100_000:
            raise BadInput(f"bootstraps must be 20 to 100,000; got {self.bootstraps}.")
        if self.region_key is not None and not self.nest_labels:
            raise BadInput(f"The column '{self.region_key}' (--region-key) needs nest labels too (--nest-labels "
                           "'Invasive Tumor,DCIS'): which of its labels are tumour nests?")
        if self.region_key is None and (self.nest_labels or self.outside_labels):
            raise BadInput("Nest and outside labels (--nest-labels, --outside-labels) need the column that holds them "
                           "(--region-key).")

    def as_dict(self) -> dict[str, object]:
        """Plain objects, for JSON."""
        out = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in out.items()}
