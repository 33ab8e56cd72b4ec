"""Oxygen within a voxel: cells next to a vessel and cells between vessels, in classes of equal tissue volume."""

from __future__ import annotations

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.tissue.krogh import OxygenParameters, radial_profile_mmHg, tissue_radius_um

__all__ = ["oxygen_classes"]

TABLE_POINTS = 30
SPARSEST_UM = 1000.0  # beyond, a voxel lives on its neighbours and Krogh's cylinder says nothing of its spread


def oxygen_classes(
    oxygen_mmHg: Array, mask: BoolArray, vessel_surface_per_cm: Array, parameters: OxygenParameters, classes: int = 6
) -> tuple[Array, Array]:
    """Pressures (classes, ny, nx) of equal shares of each voxel's tissue, highest first, and the shares (classes,).

    The spread is that of the Krogh cylinder at the voxel's vessel density, scaled so that the mean of the classes is
    the voxel's ``oxygen_mmHg`` exactly. Raises `BadInput` for fewer than one class.
    """
    if classes < 1:
        raise BadInput(f"classes = {classes}; give at least one.")
    shares = np.full(classes, 1.0 / classes)
    radius = tissue_radius_um(vessel_surface_per_cm, parameters.vessel_radius_um)
    inside = np.clip(radius[mask], None, SPARSEST_UM)
    nodes = np.geomspace(float(inside.min()), float(inside.max()) * (1.0 + 1e-12), TABLE_POINTS)
    relative = _relative_quantiles(nodes, parameters, classes)
    out = np.repeat(oxygen_mmHg[None].astype(float), classes, axis=0)
    scale = np.stack([np.interp(np.log(inside), np.log(nodes), column) for column in relative.T])
    out[:, mask] = oxygen_mmHg[mask] * scale / scale.mean(axis=0)
    return out, shares


def _relative_quantiles(tissue_um: Array, p: OxygenParameters, classes: int) -> Array:
    """Mean pressure of each class over the cylinder's mean, (n, classes); volume counted from the vessel outwards."""
    pressure, volume = radial_profile_mmHg(tissue_um, p)
    filled = np.concatenate([np.zeros((len(volume), 1)), np.cumsum(volume, axis=1)], axis=1)
    content = np.concatenate([np.zeros((len(volume), 1)), np.cumsum(volume * pressure, axis=1)], axis=1)
    edges = np.linspace(0.0, 1.0, classes + 1)
    means = np.stack([np.diff(np.interp(edges * f[-1], f, c)) for f, c in zip(filled, content, strict=True)])
    return np.asarray(means / means.mean(axis=1, keepdims=True))
