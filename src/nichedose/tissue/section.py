"""`model_section`: any spatial assay to a `SpotModel`, by what its rows are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, Grid
from nichedose.library.schema import CellType, Target
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.cells import model_cells
from nichedose.tissue.lattice import grid_to_points, grid_to_spots, tissue_mask
from nichedose.tissue.model_spots import model_spots
from nichedose.tissue.signatures import GeneList
from nichedose.tissue.spots import SpotModel
from nichedose.tissue.target_fields import hosts_in

__all__ = ["grid_to_rows", "model_section"]


def model_section(
    assay: SpatialAssay,
    library_cell_types: Mapping[str, CellType],
    targets: Mapping[str, Target],
    signatures: Mapping[str, GeneList],
    aliases: Mapping[str, str],
) -> SpotModel:
    """Read a section: cell types, vessels, matrix, hypoxia and targets where it was measured, with what was missing.

    Spots are modelled as they are; cells and fine bins are gathered into bins of the map, and ``cells`` of the result
    leads back to them. Raises `BadInput` for regions of interest, which are no map, and as `model_spots` and
    `model_cells` do.
    """
    if assay.observation == "region":
        raise BadInput(f"{assay.sample}: {assay.n_spots} regions of interest are no map: what lies between them was "
                       "not measured, so neither distances nor dose can be told. Give an assay of the whole section.")
    if assay.observation == "spot":
        if not assay.genes:
            raise BadInput(f"{assay.sample}: spots without genes; counts are needed.")
        return _with_hosts(model_spots(assay, library_cell_types, targets, signatures, aliases), targets)
    return _with_hosts(model_cells(assay, library_cell_types, targets, signatures, aliases), targets)


def _with_hosts(model: SpotModel, targets: Mapping[str, Target]) -> SpotModel:
    """``model`` with those targets as unknown of whose hosts none could be told apart."""
    lost = {n: f"none of the cells that bear it ({', '.join(targets[n].hosts)}) could be told apart in this section"
            for n in model.targets if not hosts_in(targets[n], model.cell_types)}
    if not lost:
        return model
    return dataclasses.replace(
        model, targets={n: t for n, t in model.targets.items() if n not in lost},
        unknown_targets={**model.unknown_targets, **lost})


def grid_to_rows(field: Array, model: SpotModel, grid: Grid) -> Array:
    """``field`` (ny, nx) at each row of the assay: over each spot, or over each cell behind the model's bins."""
    if model.cells is None:
        return grid_to_spots(field, model, grid)
    return grid_to_points(field, model.cells.xy_um, model.cells.diameter_um, tissue_mask(model, grid), grid)
