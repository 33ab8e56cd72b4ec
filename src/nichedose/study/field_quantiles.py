"""Quantiles of every tissue field over the draws of a plan, as labelled arrays with units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from nichedose.fields.grid import Array
from nichedose.results import maps_in_tissue
from nichedose.tissue import SpotModel, TissueMap, section_grid, tissue_mask
from nichedose.tissue.field_spread import FEWEST, LEVELS
from nichedose.tissue.map import field_unit

__all__ = ["MOST_DRAWS", "SectionFields", "drawn_fields", "field_quantiles"]

MOST_DRAWS = 199  # of a plan that go into the quantiles: more narrow them by little and would fill the memory

SectionFields = Mapping[str, Array]  # by name, voxels in tissue only


def drawn_fields(maps: Sequence[TissueMap]) -> tuple[SectionFields, ...]:
    """Every field of each section in one draw, in single precision."""
    return tuple(
        {name: values[tissue.mask].astype(np.float32) for name, values in tissue.named_fields().items()}
        for tissue in maps)


def field_quantiles(
    models: Sequence[SpotModel], drawn: Sequence[tuple[SectionFields, ...]], spacing_um: float
) -> tuple[xr.Dataset, ...]:
    """For each section every field (quantile, y, x) and its mean over the tissue (quantile), on the grid of the draws.

    Quantiles stand at k/(n + 1), so that a further draw falls between them as often as they say. Below
    `nichedose.tissue.field_spread.FEWEST` draws none lies outside a 90 % interval, and the datasets are empty.
    """
    if len(drawn) < FEWEST:
        return tuple(xr.Dataset() for _ in models)
    return tuple(_quantiles(model, [fields[i] for fields in drawn], spacing_um) for i, model in enumerate(models))


def _quantiles(model: SpotModel, drawn: Sequence[SectionFields], spacing_um: float) -> xr.Dataset:
    grid = section_grid(model, spacing_um)
    mask = tissue_mask(model, grid)
    data: dict[str, object] = {"mask": (("y", "x"), mask, {"units": "1", "long_name": "in tissue"})}
    for name in drawn[0]:
        values = np.stack([fields[name] for fields in drawn])
        field = np.zeros((len(LEVELS), *grid.shape), dtype=np.float32)
        field[:, mask] = np.quantile(values, LEVELS, axis=0, method="weibull")
        unit = {"units": field_unit(name)}
        data[name] = (("quantile", "y", "x"), field, {**unit, "long_name": f"{name}, over the draws"})
        data[f"{name}_mean"] = ("quantile", np.quantile(values.mean(axis=1, dtype=float), LEVELS, method="weibull"),
                                {**unit, "long_name": f"{name}, mean over the tissue, over the draws"})
    coords = {"quantile": ("quantile", list(LEVELS), {"units": "1"}), "y": ("y", grid.y_um, {"units": "um"}),
              "x": ("x", grid.x_um, {"units": "um"})}
    found = xr.Dataset(data, coords=coords, attrs={"sample": model.sample, "draws": len(drawn)})
    return maps_in_tissue(found, mask)
