"""Vessels in a section of single cells: endothelial cells that touch are one vessel profile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from nichedose.fields.grid import Array
from nichedose.tissue.tme.infiltration import ratio
from nichedose.tissue.tme.tiles import Estimate, TileSums, estimate

__all__ = ["VESSELS", "VesselDensity", "vessel_density", "vessel_shares"]

VESSELS = "vessel profiles"


@dataclass(frozen=True)
class VesselDensity:
    """``per_mm2``: vessel profiles per area of the section. Vessels of length L per volume that run in all directions
    show L/2 profiles per area, vessels cut across show L: so ``length_mm_per_mm3`` lies between once and twice the
    number. All stained vessels count, perfused or not; a wide vessel whose cells do not touch counts as several."""

    per_mm2: Estimate
    length_mm_per_mm3: tuple[float, float]

    def as_dict(self) -> dict[str, object]:
        return {"per_mm2": self.per_mm2.as_dict(), "length_mm_per_mm3": list(self.length_mm_per_mm3)}

    @property
    def sentence(self) -> str:
        low, high = self.length_mm_per_mm3
        interval = "" if self.per_mm2.low is None or self.per_mm2.high is None else (
            f" (90 % interval {self.per_mm2.low:.0f} to {self.per_mm2.high:.0f})")
        return (f"{self.per_mm2.value:.0f} vessel profiles per mm2{interval}: {low:.0f} mm of vessel per mm3 if "
                f"all are cut across and {high:.0f} if they run in all directions.")


def vessel_shares(xy_um: Array, endothelial: Array, reach_um: float) -> Array:
    """Per row (n,) its share of a vessel profile: 1 over the endothelial cells that are joined to it within
    ``reach_um``, 0 for other rows. The sum is the number of profiles."""
    member = np.flatnonzero(endothelial > 0.0)
    shares = np.zeros(len(endothelial))
    if not member.size:
        return shares
    pairs = cKDTree(xy_um[member]).query_pairs(reach_um, output_type="ndarray")
    graph = sp.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(member.size, member.size))
    _, label = connected_components(graph, directed=False)
    shares[member] = 1.0 / np.bincount(label)[label]
    return shares


def vessel_density(whole: TileSums, samples: TileSums) -> VesselDensity | None:
    """From the sums of the section (1, ...) and of its bootstrap; None without endothelial cells."""
    if VESSELS not in whole.amount:
        return None

    def per_mm2(s: TileSums) -> Array:
        return ratio(s.amount[VESSELS]["nest"] + s.amount[VESSELS]["stroma"], s.area_mm2["nest"] + s.area_mm2["stroma"])

    found = estimate(per_mm2(whole), per_mm2(samples))
    if not found.value:
        return None
    return VesselDensity(found, (found.value, 2.0 * found.value))
