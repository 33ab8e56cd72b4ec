"""Cells of each type per tissue volume, as fields."""

from __future__ import annotations

import numpy as np

from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.library.schema import TissueParameters
from nichedose.tissue.counted import cells_per_mm3
from nichedose.tissue.lattice import interpolate_spots
from nichedose.tissue.spots import SpotModel
from nichedose.values import Draw

__all__ = ["cell_fields", "relative_fields"]


def cell_fields(
    model: SpotModel, grid: Grid, mask: BoolArray, parameters: TissueParameters, draw: Draw
) -> dict[str, Array]:
    """Cells per mm3 of each type (ny, nx): mean number of all cells, placed by content and composition."""
    mean = _mean_per_mm3(model, parameters, draw)
    amounts = model.content[:, None] * model.composition
    return {name: mean * f for name, f in zip(model.cell_types, relative_fields(amounts, model, grid, mask),
                                              strict=True)}


def _mean_per_mm3(model: SpotModel, parameters: TissueParameters, draw: Draw) -> float:
    """From the cells counted in the section, else the library's."""

    def number(name: str) -> float:
        return draw(f"tissue.{name}", getattr(parameters, name))

    if model.cells_per_mm2 is None:
        return number("cell_density_per_mm3")
    return cells_per_mm3(model.cells_per_mm2, number("section_thickness_um"), 2.0 * number("nucleus_radius_um"))


def relative_fields(amounts: Array, model: SpotModel, grid: Grid, mask: BoolArray) -> list[Array]:
    """Columns of ``amounts`` (n_spots, n) as fields whose sum has mean 1 over the tissue."""
    fields = [interpolate_spots(column, model, grid) for column in amounts.T]
    mean = float(np.sum([f[mask].mean() for f in fields]))
    return [f / mean for f in fields]
