"""Who is near whom in a section of cells: contact with tumour cells, and statistics of pairs of populations."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from nichedose.fields.grid import Array
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.tme.neighbours import NeighbourStatistics, neighbour_statistics
from nichedose.tissue.tme.options import ProfileOptions
from nichedose.tissue.tme.raster import Raster
from nichedose.tissue.tme.rows import RowPopulations
from nichedose.tissue.tme.tiles import TileSums

__all__ = ["in_contact", "section_neighbours"]

PAIRS = (
    ("cd8_t", "tumour"), ("t_cell", "tumour"), ("macrophage", "tumour"), ("tumour", "cd8_t"),
    ("tumour", "endothelial"), ("t_cell", "macrophage"), ("t_cell", "b_cell"),
)


def in_contact(assay: SpatialAssay, rows: RowPopulations, contact_um: float) -> dict[str, Array]:
    """Cells of each population that have a tumour cell within ``contact_um``."""
    tumour = cKDTree(assay.xy_um[rows.amounts["tumour"] > 0.0])
    near: dict[str, Array] = {}
    for name, amount in rows.amounts.items():
        if name == "tumour":
            continue
        member = np.flatnonzero(amount > 0.0)
        touching = np.zeros(len(amount))
        if member.size:
            distance = tumour.query(assay.xy_um[member], distance_upper_bound=contact_um, workers=-1)[0]
            touching[member[np.isfinite(distance)]] = 1.0
        near[name] = touching
    return near


def section_neighbours(
    assay: SpatialAssay, rows: RowPopulations, raster: Raster, tiles: TileSums, options: ProfileOptions
) -> dict[str, NeighbourStatistics]:
    edge_field = distance_transform_edt(np.pad(raster.tissue, 1), sampling=raster.grid.spacing_um)[1:-1, 1:-1]
    edge = np.asarray(raster.at_rows(edge_field), dtype=float)
    found: dict[str, NeighbourStatistics] = {}
    for source, target in PAIRS:
        if source not in rows.amounts or target not in rows.amounts:
            continue
        a, b = rows.amounts[source] > 0.0, rows.amounts[target] > 0.0
        b = b & ~a  # a cell is not its own neighbour
        counts = tuple(tiles.amount[p]["nest"] + tiles.amount[p]["stroma"] for p in (source, target))
        statistics = neighbour_statistics(
            (source, target), (assay.xy_um[a], assay.xy_um[b]), edge[a], (counts[0], counts[1]), raster.area_mm2,
            options.contact_um)
        if statistics is not None:
            found[f"{source} > {target}"] = statistics
    return found
