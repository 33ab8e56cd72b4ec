"""Tumour nests and stroma as areas, and how far every place is from the border between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array, BoolArray
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.tme.options import ProfileOptions
from nichedose.tissue.tme.raster import Raster, signed_distance_um
from nichedose.tissue.tme.rows import RowPopulations

__all__ = ["Compartments", "find_compartments"]

NEST_SIGMA_UM = 20.0  # about two cells: a lymphocyte between tumour cells does not make stroma
TRUNCATE = 3.0  # of the Gaussian, in sigma


@dataclass(frozen=True, eq=False)
class Compartments:
    """``nest`` and ``stroma`` (ny, nx), disjoint, inside the tissue; ``distance_um`` to their border, negative in nests
    (NaN in neither, infinite without a border). ``how`` says where they come from. ``edge_share`` is the share of
    the nests and stroma that lies nearer to the edge of the section than to the border: there the distance is an
    upper bound, because a nearer border may lie outside."""

    nest: BoolArray
    stroma: BoolArray
    distance_um: Array
    how: str
    edge_share: float

    @property
    def has_border(self) -> bool:
        return bool(self.nest.any() and self.stroma.any())


def find_compartments(
    assay: SpatialAssay, raster: Raster, rows: RowPopulations, options: ProfileOptions
) -> Compartments:
    """Nests and stroma from the labels that ``options`` names, else from the local share of tumour cells."""
    if options.region_key is not None:
        nest, stroma, how = _from_labels(assay, raster, options)
    else:
        nest, stroma, how = _from_tumour_cells(raster, rows, options)
    voxel = raster.grid.spacing_um
    distance = signed_distance_um(nest, stroma, voxel)
    return Compartments(nest, stroma, distance, how, _edge_share(raster.tissue, distance, voxel))


def _from_labels(
    assay: SpatialAssay, raster: Raster, options: ProfileOptions
) -> tuple[BoolArray, BoolArray, str]:
    key = str(options.region_key)
    if key not in assay.annotations:
        raise BadInput(f"{assay.sample}: no annotation '{key}' for region_key.{near_miss(key, assay.annotations)}")
    labels = np.array([str(v) for v in assay.annotations[key]])
    present = set(labels.tolist())
    for label in (*options.nest_labels, *options.outside_labels):
        if label not in present:
            raise BadInput(f"{assay.sample}: '{label}' is no label in '{key}'.{near_miss(label, present)}")
    unlabelled = np.isin(labels, ("", "nan", "None", *options.outside_labels))
    nest = raster.of_owner(np.isin(labels, options.nest_labels), 0.0) > 0.0
    outside = raster.of_owner(unlabelled, 1.0) > 0.0
    how = f"as labelled in '{key}' (nests: {', '.join(options.nest_labels)})"
    return nest & ~outside, ~nest & ~outside, how


def _from_tumour_cells(
    raster: Raster, rows: RowPopulations, options: ProfileOptions
) -> tuple[BoolArray, BoolArray, str]:
    tumour = rows.amounts["tumour"]
    if rows.counted:
        sigma_um = options.nest_sigma_um if options.nest_sigma_um is not None else NEST_SIGMA_UM
        sigma = sigma_um / raster.grid.spacing_um
        near_all = gaussian_filter(raster.total_per_voxel(rows.all_cells), sigma, mode="constant", truncate=TRUNCATE)
        near = gaussian_filter(raster.total_per_voxel(tumour), sigma, mode="constant", truncate=TRUNCATE)
        nest = raster.tissue & (near > options.nest_share * near_all) & (near_all > 1e-12)
        where = f"within {sigma_um:g} um"
    else:
        nest = raster.of_owner(tumour / rows.all_cells, 0.0) > options.nest_share
        where = "in the spot"
    how = f"where more than {100 * options.nest_share:g} % of the cells {where} are tumour cells"
    return nest, raster.tissue & ~nest, how


def _edge_share(tissue: BoolArray, distance_um: Array, voxel_um: float) -> float:
    finite = np.isfinite(distance_um)
    if not finite.any():
        return 0.0
    edge = distance_transform_edt(np.pad(tissue, 1), sampling=voxel_um)[1:-1, 1:-1]
    return float((edge[finite] < np.abs(distance_um[finite])).mean())
