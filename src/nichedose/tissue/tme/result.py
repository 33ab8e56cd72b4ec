"""The profile of one section as data: what `profile` found, as plain objects and as columns by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nichedose.fields.grid import Array
from nichedose.tissue.genes import Coverage
from nichedose.tissue.scores import SignatureScore
from nichedose.tissue.tme.barriers import Barrier
from nichedose.tissue.tme.compartments import Compartments
from nichedose.tissue.tme.composite import Composite
from nichedose.tissue.tme.infiltration import Infiltration
from nichedose.tissue.tme.neighbours import NeighbourStatistics
from nichedose.tissue.tme.options import ProfileOptions
from nichedose.tissue.tme.phenotype import ImmunePhenotype
from nichedose.tissue.tme.raster import Raster
from nichedose.tissue.tme.rows import RowPopulations
from nichedose.tissue.tme.tiles import TileSums
from nichedose.tissue.tme.tls import LymphoidCluster
from nichedose.tissue.tme.vessels import VesselDensity
from nichedose.values import Flag

__all__ = ["TMEProfile"]


@dataclass(frozen=True, eq=False)
class TMEProfile:
    """What `profile` found. ``as_dict`` holds all of it but the arrays by row.

    ``areas_mm2`` of nests and stroma; ``cells`` by population, ``unknown`` with the reason for each that is missing;
    ``vessels`` in a section of cells; ``neighbours`` by 'source > target'; ``depth_q90_um`` the depth that a tenth of
    the nests' area exceeds.
    By row of the assay: ``distance_um`` to the border (negative in nests), ``compartment`` ('nest', 'stroma' or ''),
    ``rows`` with the cells, ``scores`` with their arrays. ``raster`` and ``compartments`` are maps, ``tiles`` serve
    `compare_profiles`.
    """

    sample: str
    kind: str
    n_rows: int
    options: ProfileOptions
    how: Mapping[str, str]
    areas_mm2: Mapping[str, float]
    edge_share: float
    depth_q90_um: float | None
    profile_edges_um: tuple[float, ...]
    cells: Mapping[str, Infiltration]
    unknown: Mapping[str, str]
    neighbours: Mapping[str, NeighbourStatistics]
    clusters: tuple[LymphoidCluster, ...] | None
    clusters_say: str
    phenotype: ImmunePhenotype
    composite: Composite
    vessels: VesselDensity | None
    barriers: tuple[Barrier, ...]
    scores: Mapping[str, SignatureScore]
    targets: Mapping[str, Coverage]
    flags: tuple[Flag, ...]
    tiles: TileSums
    rows: RowPopulations
    compartment: np.ndarray
    distance_um: Array
    raster: Raster
    compartments: Compartments

    def as_dict(self) -> dict[str, Any]:
        """Plain objects, for JSON."""
        return {
            "sample": self.sample,
            "kind": self.kind,
            "rows": self.n_rows,
            "options": self.options.as_dict(),
            "how": dict(self.how),
            "areas_mm2": dict(self.areas_mm2),
            "distance_is_bounded_by_the_edge_share": self.edge_share,
            "nest_depth_q90_um": self.depth_q90_um,
            "profile_edges_um": [float(e) if np.isfinite(e) else None for e in self.profile_edges_um],
            "populations": {n: c.as_dict() for n, c in self.cells.items()},
            "unknown": dict(self.unknown),
            "neighbours": {n: s.as_dict() for n, s in self.neighbours.items()},
            "lymphoid_clusters": None if self.clusters is None else [c.as_dict() for c in self.clusters],
            "lymphoid_clusters_say": self.clusters_say,
            "immune_phenotype": self.phenotype.as_dict(),
            "composite": self.composite.as_dict(),
            "vessels": None if self.vessels is None else self.vessels.as_dict(),
            "barriers": {b.name: b.as_dict() for b in self.barriers},
            "signatures": {n: _score_dict(s) for n, s in self.scores.items()},
            "targets": {n: c.as_dict() for n, c in self.targets.items()},
            "tiles": {"number": self.tiles.n_tiles, "side_um": self.tiles.tile_um},
            "flags": [{"level": f.level, "about": f.about, "text": f.text} for f in self.flags],
        }

    def row_columns(self) -> dict[str, Array]:
        """Numbers for each row of the assay (n,), for an AnnData object."""
        columns = {"border_distance_um": self.distance_um}
        columns |= {"in_nest": (self.compartment == "nest").astype(float)}
        columns |= {f"population_{n}": a for n, a in self.rows.amounts.items()}
        for name, score in self.scores.items():
            if score.value is not None and score.sd is not None and score.adjusted is not None:
                columns[f"score_{name}"] = score.value
                columns[f"score_{name}_sd"] = score.sd
                columns[f"score_{name}_adjusted"] = score.adjusted
            if score.amount is not None and score.amount_sd is not None:
                columns[f"score_{name}_amount"] = score.amount
                columns[f"score_{name}_amount_sd"] = score.amount_sd
        return columns


def _score_dict(score: SignatureScore) -> dict[str, object]:
    return {
        "axis": score.axis, "measured": score.measured, "genes": score.total, "counts": score.counts,
        "abstained": score.abstained,
        "median_sd_log2": None if score.sd is None else float(np.median(score.sd)),
        "spread_log2": None if score.value is None else float(score.value.std()),
        "slope_on_log2_depth": None if score.depth_slope is None else list(score.depth_slope),
        "slope_on_proliferation": None if score.proliferation_slope is None else list(score.proliferation_slope),
    }
