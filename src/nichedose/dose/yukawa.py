"""Spreading by steady diffusion with uniform loss: convolution with the Yukawa kernel.

The share of atoms lost within r of a point is 1 - (1 + r/L) exp(-r/L) in 3-D, L the root of diffusivity over loss. Its
integral along a line is K0(r/L), the kernel of a pattern that repeats along z.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from nichedose.dose.cubes import cube_kernel, half_widths
from nichedose.dose.kernels import RadialKernel
from nichedose.dose.padded import convolve_padded, padded_periods, padded_spectrum
from nichedose.dose.planar import voxel_kernel
from nichedose.dose.spectral import convolve_mirrored, even_spectrum
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.fields.threads import one_blas_thread

__all__ = ["spread_yukawa", "yukawa_kernel"]

_REACH_LENGTHS = 22.0  # (1 + x) exp(-x) = 6e-9
_ENDLESS = 1e12  # um; a slab that never ends


@lru_cache(maxsize=64)
@one_blas_thread
def yukawa_kernel(length_um: float) -> RadialKernel:
    """Share of what a point releases that is lost within each radius, as a kernel of total 1."""
    x = np.unique(np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 301), np.linspace(0.0, _REACH_LENGTHS, 1401)]))
    within = -np.expm1(-x) - x * np.exp(-x)
    within[-1] = 1.0
    return RadialKernel(x * length_um, within, _REACH_LENGTHS * length_um)


def spread_yukawa(
    source: Array,
    spacing_um: float,
    length_um: float,
    *,
    surroundings: Literal["isolated", "mirror"] = "isolated",
) -> Array:
    """Where atoms released at ``source`` (2-D or 3-D) are lost when D and the loss are uniform, same unit and shape.

    ``length_um`` is sqrt(D / loss). A 2-D map stands for a pattern that repeats along z. Integrated over source and
    target voxel, so a length far below a voxel leaves everything in place. ``isolated``: medium without activity
    around; ``mirror``: no flow through the edge of the array. Raises `BadInput` for other dimensions and sizes.
    """
    if source.ndim not in (2, 3):
        raise BadInput(f"source has {source.ndim} dimensions; it must have 2 or 3.")
    if not (np.isfinite(spacing_um) and spacing_um > 0.0 and np.isfinite(length_um) and length_um >= 0.0):
        raise BadInput(f"spacing_um = {spacing_um} must be above 0, length_um = {length_um} not below 0.")
    if length_um < 1e-6 * spacing_um:
        return source.copy()
    field = source[None] if source.ndim == 2 else source
    octant = _octant(source.ndim, spacing_um, length_um, max(source.shape), surroundings == "mirror")
    depth = min(octant.shape[0], field.shape[0])
    octant = octant[:depth] if surroundings == "isolated" else octant
    nz, ny, nx = field.shape
    if surroundings == "mirror":
        spectrum = even_spectrum(octant, (2 * nz, 2 * ny, 2 * nx))
        spectrum[0, 0, 0] = 1.0  # what lies beyond the kernel wraps so often that it is even
        out = convolve_mirrored(field, spectrum)
    else:
        octant = octant[:, :ny, :nx]
        mz, my, mx = octant.shape
        periods = padded_periods(field.shape, (mz - 1, my - 1, mx - 1))
        out = convolve_padded(field, padded_spectrum(octant, periods), periods)
    return np.asarray(np.maximum(out[0] if source.ndim == 2 else out, 0.0))


@lru_cache(maxsize=16)
def _octant(dimensions: int, spacing_um: float, length_um: float, size: int, mirror: bool) -> Array:
    """Voxel kernel for offsets at or above 0; (1, n, n) for a section."""
    kernel = yukawa_kernel(length_um)
    reach = half_widths(kernel, (spacing_um,) * 3)[0]
    half = min(reach, 4 * size) if mirror else min(reach, size - 1)
    if dimensions == 2:
        return voxel_kernel(kernel, "slab", _ENDLESS, spacing_um, half)[None]
    return cube_kernel(kernel, (spacing_um,) * 3, (half,) * 3)

