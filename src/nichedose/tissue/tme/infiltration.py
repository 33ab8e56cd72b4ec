"""How many cells of each population lie where: densities, ratios, profiles across the border, depth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array
from nichedose.tissue.tme.tiles import Estimate, TileSums, estimate

__all__ = ["Infiltration", "density", "infiltration", "normalised_depth", "ratio"]


@dataclass(frozen=True)
class Infiltration:
    """One population: ``density[zone]`` per mm2 (relative in spots), ``nest_to_stroma`` ratio of densities,
    ``profile_per_mm2`` by bin of the signed distance, ``depth`` mean depth over greatest depth of its cells in nests,
    ``contact_share`` of its cells that lie near a tumour cell (cell assays)."""

    cells: float
    density: Mapping[str, Estimate]
    nest_to_stroma: Estimate
    profile_per_mm2: tuple[Estimate, ...]
    depth: float | None
    contact_share: Estimate | None

    def as_dict(self) -> dict[str, object]:
        return {
            "cells": self.cells,
            "density_per_mm2": {z: e.as_dict() for z, e in self.density.items()},
            "nest_to_stroma": self.nest_to_stroma.as_dict(),
            "profile_per_mm2": [e.as_dict() for e in self.profile_per_mm2],
            "normalised_depth": self.depth,
            "contact_share": None if self.contact_share is None else self.contact_share.as_dict(),
        }


def ratio(above: Array, below: Array) -> Array:
    """``above`` over ``below``, NaN where ``below`` is zero."""
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0.0))


def density(sums: TileSums, population: str, zone: str) -> Array:
    """Cells per mm2 of a zone, of summed tiles."""
    return ratio(sums.amount[population][zone], sums.area_mm2[zone])


def infiltration(whole: TileSums, samples: TileSums, population: str, depth: float | None) -> Infiltration:
    """All numbers of one population; ``whole`` holds the sums of the section (1, ...), ``samples`` of the bootstrap."""

    def both(statistic: str) -> Estimate:
        return estimate(density(whole, population, statistic), density(samples, population, statistic))

    def against(sums: TileSums) -> Array:
        return ratio(density(sums, population, "nest"), density(sums, population, "stroma"))

    def touching(sums: TileSums) -> Array:
        return ratio(sums.contact[population], _total(sums, population))

    profile = [ratio(s.profile_amount[population], s.profile_area_mm2) for s in (whole, samples)]
    return Infiltration(
        cells=float(_total(whole, population)[0]),
        density={z: both(z) for z in whole.zones.ranges},
        nest_to_stroma=estimate(against(whole), against(samples)),
        profile_per_mm2=tuple(estimate(profile[0][:, i], profile[1][:, i]) for i in range(profile[0].shape[1])),
        depth=depth,
        contact_share=estimate(touching(whole), touching(samples)) if population in whole.contact else None,
    )


def _total(sums: TileSums, population: str) -> Array:
    return np.asarray(sums.amount[population]["nest"] + sums.amount[population]["stroma"])


def normalised_depth(depth_um: Array, greatest_um: float) -> float | None:
    """Mean depth of cells over the greatest depth there is: 0 all at the border, 1 all in the middle.

    ``depth_um`` (n,) from the border inwards; None without cells or without depth. For cells spread evenly over a disc
    it is 1/3.
    """
    inside = np.asarray(depth_um, dtype=float)
    if not inside.size or not greatest_um > 0.0:
        return None
    return float(inside.mean() / greatest_um)
