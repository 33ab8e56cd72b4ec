"""Counts and areas tile by tile: every statistic can be resampled with neighbours kept together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array, BoolArray
from nichedose.tissue.tme.compartments import Compartments
from nichedose.tissue.tme.raster import IntArray, Raster

__all__ = ["Estimate", "TileSums", "Zones", "estimate", "tile_sums", "zones"]

TILES_WANTED = 40
TILE_LIMITS_UM = (100.0, 1000.0)
LEVELS = (0.05, 0.95)


@dataclass(frozen=True)
class Estimate:
    """A number with its 90 % bootstrap interval; all None when it cannot be formed (nothing to divide by)."""

    value: float | None
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Zones:
    """Ranges of the signed distance (um) that are counted apart, by name: ``low`` <= distance < ``high``."""

    ranges: Mapping[str, tuple[float, float]]
    profile_edges_um: tuple[float, ...]


def zones(margins_um: tuple[float, ...], deep_um: float, rim_um: float, bin_um: float) -> Zones:
    """Nests, stroma, both sides of the border to each of ``margins_um``, deep nests, their rim, and a profile."""
    ranges = {"nest": (-math.inf, 0.0), "stroma": (0.0, math.inf), "deep": (-math.inf, -deep_um), "rim": (0.0, rim_um)}
    for m in margins_um:
        ranges[f"margin_in_{m:g}um"] = (-m, 0.0)
        ranges[f"margin_out_{m:g}um"] = (0.0, m)
    edges = tuple(bin_um * i for i in range(-8, 13))
    return Zones(ranges, (-math.inf, *edges, math.inf))


@dataclass(frozen=True, eq=False)
class TileSums:
    """``area_mm2[zone]`` (n_tiles,) and ``amount[population][zone]`` (n_tiles,); ``profile_area_mm2`` (n_tiles, n_bins)
    and ``profile_amount[population]`` likewise; ``contact[population]`` (n_tiles,) cells within reach of a tumour cell.
    Arrays may carry leading axes of bootstrap samples instead of the tiles, when they come from `resampled`."""

    tile_um: float
    zones: Zones
    area_mm2: Mapping[str, Array]
    amount: Mapping[str, Mapping[str, Array]]
    profile_area_mm2: Array
    profile_amount: Mapping[str, Array]
    contact: Mapping[str, Array]

    @property
    def n_tiles(self) -> int:
        return len(self.profile_area_mm2)

    def resampled(self, weights: Array) -> TileSums:
        """Sums over tiles drawn with replacement: ``weights`` (n_samples, n_tiles) says how often each was drawn."""
        return TileSums(
            self.tile_um, self.zones,
            {z: weights @ a for z, a in self.area_mm2.items()},
            {p: {z: weights @ a for z, a in by.items()} for p, by in self.amount.items()},
            weights @ self.profile_area_mm2,
            {p: weights @ a for p, a in self.profile_amount.items()},
            {p: weights @ a for p, a in self.contact.items()},
        )

    def bootstrap_weights(self, samples: int, seed: int) -> Array:
        """(samples, n_tiles): how often each tile is drawn in each sample."""
        n = self.n_tiles
        return np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=samples).astype(float)


def tile_sums(
    raster: Raster,
    compartments: Compartments,
    amounts: Mapping[str, Array],
    in_contact: Mapping[str, Array],
    where: Zones,
    tile_um: float | None,
    *,
    spread: bool = False,
) -> TileSums:
    """Sum areas and ``amounts`` (n,) per row over square tiles of ``tile_um`` (about `TILES_WANTED` without it).

    A cell counts in the voxel in which it lies; with ``spread`` an amount lies evenly over all that its row owns, as in
    a spot.
    """
    if tile_um is None:
        tile_um = float(np.clip(math.sqrt(raster.area_mm2 / TILES_WANTED) * 1e3, *TILE_LIMITS_UM))
    per_tile = max(round(tile_um / raster.grid.spacing_um), 1)
    ny, nx = raster.grid.shape
    columns = -(-nx // per_tile)
    y, x = np.divmod(np.arange(ny * nx), nx)
    tile = (y // per_tile) * columns + x // per_tile
    n, tile = _used(tile, (compartments.nest | compartments.stroma).ravel())
    distance = compartments.distance_um.ravel()
    # infinite distances mark a section of nests or stroma alone; they lie in the outermost bins
    n_bins = len(where.profile_edges_um) - 1
    bins = np.searchsorted(np.array(where.profile_edges_um[1:-1]), distance, side="right")
    counted = ~np.isnan(distance)
    in_zone = {z: _zone(distance, *limits) & counted for z, limits in where.ranges.items()}
    area = np.full(distance.size, raster.grid.voxel_area_mm2)

    def by_zone(weight: Array) -> dict[str, Array]:
        return {z: _sum(tile[m], weight[m], n) for z, m in in_zone.items()}

    def by_bin(weight: Array) -> Array:
        return _sum((tile * n_bins + bins)[counted], weight[counted], n * n_bins).reshape(n, n_bins)

    place = raster.spread if spread else raster.total_per_voxel
    on_raster = {p: place(a).ravel() for p, a in amounts.items()}
    return TileSums(
        tile_um=per_tile * raster.grid.spacing_um,
        zones=where,
        area_mm2=by_zone(area),
        amount={p: by_zone(a) for p, a in on_raster.items()},
        profile_area_mm2=by_bin(area),
        profile_amount={p: by_bin(a) for p, a in on_raster.items()},
        contact={p: _sum(tile[counted], place(a).ravel()[counted], n) for p, a in in_contact.items()},
    )


def _sum(index: IntArray, weight: Array, n: int) -> Array:
    return np.asarray(np.bincount(index, weight, minlength=n), dtype=float)


def _zone(distance: Array, low: float, high: float) -> BoolArray:
    """Voxels whose distance lies in the zone; without any border the outer zones reach to infinity."""
    inside = (distance >= low) & (distance < high)
    if math.isinf(high):
        inside |= distance == math.inf
    return np.asarray(inside)


def _used(tile: IntArray, tissue: np.ndarray) -> tuple[int, IntArray]:
    """Number tiles that hold tissue from 0; the others share a number that is never counted."""
    present = np.unique(tile[tissue])
    number = np.zeros(int(tile.max()) + 1, dtype=np.intp)
    number[present] = np.arange(len(present))
    return len(present), number[tile]


def estimate(value: Array | float, samples: Array) -> Estimate:
    """The value with the 5th and 95th percentile of those bootstrap samples that are numbers."""
    number = float(np.asarray(value).ravel()[0])
    finite = np.asarray(samples, dtype=float)
    finite = finite[np.isfinite(finite)]
    if not math.isfinite(number):
        return Estimate(None, None, None)
    if finite.size < 10:
        return Estimate(number, None, None)
    low, high = np.quantile(finite, LEVELS)
    return Estimate(number, float(low), float(high))
