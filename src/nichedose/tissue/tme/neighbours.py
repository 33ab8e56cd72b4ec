"""Who lies next to whom: nearest neighbours with the edge accounted for, and how mixed two populations are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from nichedose.fields.grid import Array

__all__ = ["NeighbourStatistics", "cross_g", "mixing_score", "morisita_horn", "neighbour_statistics"]

RADII_UM = (10.0, 20.0, 30.0, 50.0, 75.0, 100.0)
MIN_CELLS = 20  # of each population; fewer make a distribution of distances a list of cases


@dataclass(frozen=True)
class NeighbourStatistics:
    """From cells of ``source`` to the nearest cell of ``target``. Distances in um.

    ``g`` at ``radii_um``: the probability that the nearest target lies within the radius, corrected for the edge;
    ``g_even``: the same if targets were spread evenly and independently at their density in the tissue. ``mixing``:
    pairs of source with target over pairs of source with source, in contact; ``overlap``:
    Morisita and Horn's index over tiles, 0 apart to 1 alike.
    """

    source: str
    target: str
    median_um: float
    radii_um: tuple[float, ...]
    g: tuple[float, ...]
    g_even: tuple[float, ...]
    mixing: float | None
    overlap: float | None

    def as_dict(self) -> dict[str, object]:
        return {
            "source": self.source, "target": self.target, "median_um": self.median_um,
            "radii_um": list(self.radii_um), "g": list(self.g), "g_even": list(self.g_even),
            "mixing": self.mixing, "overlap": self.overlap,
        }


def cross_g(distance_um: Array, edge_um: Array, radii_um: Array) -> Array:
    """Distribution of the nearest-neighbour distance at ``radii_um``, by the Kaplan-Meier estimate.

    ``distance_um`` (n,) to the nearest target, ``edge_um`` (n,) from the source cell to the edge of the tissue: beyond
    it a nearer target may go unseen, so such a distance is censored there (Baddeley & Gill, Ann Stat 1997;25:263).
    """
    observed = distance_um <= edge_um
    time = np.where(observed, distance_um, edge_um)
    order = np.argsort(time, kind="stable")
    time, observed = time[order], observed[order]
    at_risk = len(time) - np.searchsorted(time, time, side="left")
    survival = np.cumprod(1.0 - observed / at_risk) if _no_ties(time) else _with_ties(time, observed)
    index = np.searchsorted(time, radii_um, side="right") - 1
    return np.where(index >= 0, 1.0 - survival[np.maximum(index, 0)], 0.0)


def _no_ties(time: Array) -> bool:
    return bool(np.all(np.diff(time) > 0.0))


def _with_ties(time: Array, observed: np.ndarray) -> Array:
    unique, first = np.unique(time, return_index=True)
    events = np.add.reduceat(observed.astype(float), first)
    survival = np.cumprod(1.0 - events / (len(time) - first))
    return np.asarray(survival[np.searchsorted(unique, time)])


def morisita_horn(a: Array, b: Array) -> float | None:
    """Overlap of two populations over tiles (counts (n_tiles,)); None when one of them is empty.

    >>> import numpy as np
    >>> float(morisita_horn(np.array([1.0, 2.0]), np.array([2.0, 4.0])))
    1.0
    """
    if not a.sum() or not b.sum():
        return None
    x, y = a / a.sum(), b / b.sum()
    return float(2.0 * (x @ y) / (x @ x + y @ y))


def mixing_score(source: Array, target: Array, radius_um: float) -> float | None:
    """Pairs source-target over pairs source-source within ``radius_um`` (after Keren et al., Cell 2018;174:1373).

    Positions (n, 2). None when no two source cells lie so close.
    """
    tree = cKDTree(source)
    between = float(tree.count_neighbors(cKDTree(target), radius_um))
    within = 0.5 * (float(tree.count_neighbors(tree, radius_um)) - len(source))
    return between / within if within > 0.0 else None


def neighbour_statistics(
    names: tuple[str, str],
    xy: tuple[Array, Array],
    edge_um: Array,
    tiles: tuple[Array, Array],
    tissue_area_mm2: float,
    pair_um: float,
) -> NeighbourStatistics | None:
    """Statistics from cells of the first population to the second; ``edge_um`` (n,) belongs to the first.

    None when either has fewer than `MIN_CELLS` cells. ``tiles`` are the counts per tile, ``pair_um`` the radius within
    which two cells are a pair.
    """
    source, target = xy
    if min(len(source), len(target)) < MIN_CELLS:
        return None
    distance = np.asarray(cKDTree(target).query(source, workers=-1)[0])
    radii = np.array(RADII_UM)
    even = 1.0 - np.exp(-len(target) / tissue_area_mm2 * 1e-6 * np.pi * radii**2)
    return NeighbourStatistics(
        names[0], names[1], float(np.median(distance)), RADII_UM,
        tuple(cross_g(distance, edge_um, radii).tolist()), tuple(even.tolist()),
        mixing_score(source, target, pair_um), morisita_horn(*tiles),
    )
