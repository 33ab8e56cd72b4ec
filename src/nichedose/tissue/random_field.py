"""A random smooth field that is a function of position: the same draw is the same field on any grid."""

from __future__ import annotations

import numpy as np

from nichedose.fields.grid import Array, Grid

__all__ = ["gaussian_field"]

FEATURES = 512  # waves; the field's variance then scatters by sqrt(2/512) = 6 % between draws


def gaussian_field(
    grid: Grid, length_um: float, generator: np.random.Generator, features: int = FEATURES, *, averaged: bool = True
) -> Array:
    """Voxel means (ny, nx) of a field with mean 0, variance 1 and correlation exp(-r^2/(2 ``length_um``^2)).

    Values at the centres where not ``averaged``: means over voxels as large as the length have 0.85 of the variance.

    Random Fourier features (Rahimi & Recht, NIPS 2007): a sum of plane waves whose wave vectors come from the spectrum
    of that correlation. A wave's mean over a voxel is its value at the centre times a sinc along each axis.
    """
    kx, ky = generator.standard_normal((2, features)) / length_um
    phase = generator.uniform(0.0, 2.0 * np.pi, features)
    half = grid.spacing_um / (2.0 * np.pi) if averaged else 0.0
    amplitude = np.sqrt(2.0 / features) * np.sinc(kx * half) * np.sinc(ky * half)
    along_y = np.exp(1j * (np.outer(grid.y_um, ky) + phase)) * amplitude
    along_x = np.exp(1j * np.outer(kx, grid.x_um))
    return np.asarray(along_y.real @ along_x.real - along_y.imag @ along_x.imag)
