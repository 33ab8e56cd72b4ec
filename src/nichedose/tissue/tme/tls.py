"""Candidates for tertiary lymphoid structures: places where B and T cells are both dense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, label

from nichedose.fields.grid import Array
from nichedose.tissue.tme.raster import Raster
from nichedose.tissue.tme.rows import RowPopulations

__all__ = ["LymphoidCluster", "lymphoid_clusters"]

SIGMA_UM = 30.0
B_SHARE, T_SHARE = 0.15, 0.15  # of the cells nearby, assumed: both populations must be there
LYMPHOID_SHARE = 0.6  # of the cells nearby, assumed: a follicle is mostly lymphocytes
MIN_CELLS = 50  # of B and T together; smaller aggregates are not called a structure


@dataclass(frozen=True)
class LymphoidCluster:
    """One cluster: centre (um), area (mm2), and its B and T cells."""

    x_um: float
    y_um: float
    area_mm2: float
    b_cells: int
    t_cells: int

    def as_dict(self) -> dict[str, float]:
        return dict(vars(self))


def lymphoid_clusters(raster: Raster, rows: RowPopulations) -> tuple[tuple[LymphoidCluster, ...] | None, str]:
    """Clusters in a section of single cells, and a sentence; None where they cannot be looked for."""
    if not rows.counted:
        return None, "Not looked for: spots do not resolve a follicle; see the signature 'tls'."
    missing = [p for p in ("b_cell", "t_cell") if p not in rows.amounts]
    if missing:
        return None, f"Not looked for: {', '.join(rows.unknown[m] for m in missing)}."

    def smooth(amount: Array) -> Array:
        total = raster.total_per_voxel(amount)
        return np.asarray(gaussian_filter(total, SIGMA_UM / raster.grid.spacing_um, mode="constant", truncate=3.0))

    b, t, every = (smooth(a) for a in (rows.amounts["b_cell"], rows.amounts["t_cell"], rows.all_cells))
    dense = raster.tissue & (every > 1e-9) & (b >= B_SHARE * every) & (t >= T_SHARE * every)
    dense &= b + t >= LYMPHOID_SHARE * every
    groups, n = label(dense, structure=np.ones((3, 3)))
    at = raster.at_rows(groups)
    b_cells = np.bincount(at, rows.amounts["b_cell"], minlength=n + 1)
    t_cells = np.bincount(at, rows.amounts["t_cell"], minlength=n + 1)
    found = []
    for i in range(1, n + 1):
        if b_cells[i] + t_cells[i] < MIN_CELLS:
            continue
        y, x = np.nonzero(groups == i)
        found.append(LymphoidCluster(
            float(raster.grid.x_um[x].mean()), float(raster.grid.y_um[y].mean()),
            len(x) * raster.grid.voxel_area_mm2, round(float(b_cells[i])), round(float(t_cells[i]))))
    found.sort(key=lambda c: -(c.b_cells + c.t_cells))
    word = "No cluster" if not found else f"{len(found)} cluster{'s' if len(found) > 1 else ''}"
    return tuple(found), f"{word} of B and T cells with at least {MIN_CELLS} of them."
