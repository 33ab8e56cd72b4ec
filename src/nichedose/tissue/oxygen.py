"""Tissue oxygen: diffusion and consumption between vessels that are smaller than a voxel."""

from __future__ import annotations

from nichedose.errors import OutOfValidity
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.fields.steady import MichaelisMenten, steady_reaction_diffusion
from nichedose.tissue.krogh import OxygenParameters, exchange_per_s

__all__ = ["OxygenParameters", "oxygen"]

TOLERANCE = 1e-7  # relative imbalance; far below what any parameter is known to


def oxygen(grid: Grid, mask: BoolArray, vessel_surface_per_cm: Array, parameters: OxygenParameters) -> Array:
    """Mean tissue pO2 in each voxel, mmHg (ny, nx), zero outside ``mask``.

    Solves div(D grad P) + k(x) (P_v - P) - M P/(P + K) = 0 with no flux through the edge of ``mask``; k comes from
    Krogh's cylinder (`exchange_per_s`) and ``vessel_surface_per_cm`` (ny, nx; perfused surface per volume, 1/cm).
    Raises `OutOfValidity` where no voxel has a vessel.
    """
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
