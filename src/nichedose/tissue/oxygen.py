"""Tissue oxygen: diffusion and consumption between vessels that are smaller than a voxel."""

from __future__ import annotations

import numpy as np

from nichedose.errors import BadInput, OutOfValidity
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.fields.steady import MichaelisMenten, steady_reaction_diffusion
from nichedose.tissue.krogh import OxygenParameters, exchange_per_s

__all__ = ["OxygenParameters", "oxygen"]

TOLERANCE = 1e-7  # relative imbalance; far below what any parameter is known to


def oxygen(grid: Grid, mask: BoolArray, vessel_surface_per_cm: Array, parameters: OxygenParameters) -> Array:
    """Mean tissue pO2 in each voxel, mmHg (ny, nx), zero outside ``mask``.

    Solves div(D grad P) + k(x) (P_v - P) - M P/(P + K) = 0 with no flux through the edge of ``mask``; k comes from
    Krogh's cylinder (`exchange_per_s`) and ``vessel_surface_per_cm`` (ny, nx; perfused surface per volume, 1/cm).
    Raises `BadInput` for arrays that do not fit the grid or hold what is no number, `OutOfValidity` where no voxel has
    a vessel.

    >>> from nichedose.fields.grid import Grid
    >>> krogh = OxygenParameters(1750.0, 15.0, 1.0, 40.0, 5.0)
    >>> mmHg = oxygen(Grid((1, 2), 20.0), np.ones((1, 2), bool), np.array([[100.0, 20.0]]), krogh)
    >>> bool(40.0 > mmHg[0, 0] > mmHg[0, 1] > 0.0)
    True
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != grid.shape:
        raise BadInput(f"Oxygen: the mask must be boolean, of the grid's shape {grid.shape}.")
    vessels = vessel_surface_per_cm
    if not isinstance(vessels, np.ndarray) or vessels.dtype.kind not in "fiu" or vessels.shape != grid.shape:
        raise BadInput(f"Oxygen: vessel_surface_per_cm must be an array of numbers, of the grid's shape {grid.shape}.")
    if not bool((np.isfinite(vessels) & (vessels >= 0.0))[mask].all()):
        raise BadInput("Oxygen: vessel_surface_per_cm must be finite and at or above 0 in tissue.")
    if not bool((vessel_surface_per_cm[mask] > 0.0).any()):
        raise OutOfValidity("No voxel of the tissue has a vessel, so nothing supplies oxygen.")
    supply = exchange_per_s(vessel_surface_per_cm, parameters)
    return steady_reaction_diffusion(
        grid,
        mask,
        diffusivity_um2_per_s=parameters.diffusivity_um2_per_s,
        loss_per_s=supply,
        source_per_s=supply * parameters.vessel_mmHg,
        saturable=MichaelisMenten(parameters.consumption_mmHg_per_s, parameters.michaelis_mmHg),
        tolerance=TOLERANCE,
    ).values
