"""The far part of a kernel on a coarser grid: a smooth window splits it from the core.

Beyond the window the kernel is smooth, so it is kept between every n-th voxel only and interpolated, on the source and
on the target side alike, by polynomials through six coarse nodes along each axis. Interpolation reproduces constants,
so the sum over targets, hence energy, is kept exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose.dose.cubes import cube_kernel, pair_averages, tent_average, windowed_density
from nichedose.dose.kernels import RadialKernel
from nichedose.dose.padded import convolve_padded, padded_periods, padded_spectrum
from nichedose.fields.grid import Array

__all__ = ["WINDOW", "coarse_tail", "core_octant", "interpolation_error", "tail_octant"]

IntArray = NDArray[np.intp]
Real = NDArray[np.floating[Any]]
Shape = tuple[int, int, int]
WINDOW = (2.0, 8.0)  # coarse steps between which the tail takes over
_NODES = 6
_SAMPLES = 1000  # pairs of voxels


def coarse_tail(kernel: RadialKernel, spacing_um: float, factor: int, field: Real, workers: int) -> Real:
    """The tail's share of the convolution: MeV per decay times ``field``."""
    grids = [_interpolation(n, factor).astype(field.dtype) for n in field.shape]
    coarse = field
    for grid in grids:  # each product moves the axis that it treated to the end
        coarse = np.tensordot(coarse, grid, axes=(0, 0))
    octant = tail_octant(kernel, spacing_um, factor, field.shape)
    nz, ny, nx = octant.shape
    periods = padded_periods(coarse.shape, (nz - 1, ny - 1, nx - 1))
    out = convolve_padded(coarse, padded_spectrum(octant, periods, field.dtype), periods, workers)
    for grid in grids:
        out = np.tensordot(out, grid, axes=(0, 1))
    return np.ascontiguousarray(out)


def core_octant(kernel: RadialKernel, spacing_um: float, factor: int, half: Shape) -> Array:
    """What the tail leaves near the source; ``half`` reaches the window's end or the grid's."""
    sides, window = (spacing_um,) * 3, _window_um(spacing_um, factor)
    return np.asarray(cube_kernel(kernel, sides, half) - tent_average(kernel, sides, half, window))


def tail_octant(kernel: RadialKernel, spacing_um: float, factor: int, shape: Shape) -> Array:
    """The tail between every ``factor``-th voxel of a map of ``shape``, as far as its reach or the map."""
    reach = int(np.ceil(kernel.reach_um / (factor * spacing_um))) + 1
    half = min(reach, max(_coarse_size(n, factor) for n in shape) - 1)
    octant = tent_average(kernel, (spacing_um,) * 3, (half,) * 3, _window_um(spacing_um, factor), factor)
    sizes = [min(half + 1, _coarse_size(n, factor)) for n in shape]
    return octant[: sizes[0], : sizes[1], : sizes[2]]


def interpolation_error(kernel: RadialKernel, spacing_um: float, factor: int) -> float:
    """Sum over all targets of the tail's absolute error, MeV per decay: a weighted sample of pairs of voxels."""
    rng, window = np.random.default_rng(20), _window_um(spacing_um, factor)
    density, step = windowed_density(kernel, window)
    if not density.any():
        return 0.0
    table = step * np.arange(len(density))
    radial = 4.0 * np.pi * table**2 * density
    end = min(2.0 * window[1], kernel.reach_um)
    by_energy = np.interp(rng.random(_SAMPLES) * radial.sum(), np.cumsum(radial), table)
    distance = np.where(rng.random(_SAMPLES) < 0.5, by_energy, rng.random(_SAMPLES) * end)
    direction = rng.normal(size=(3, _SAMPLES))
    offset = np.rint(direction / np.linalg.norm(direction, axis=0) * distance / spacing_um).astype(int)
    at = np.maximum(spacing_um * np.linalg.norm(offset, axis=0), 0.5 * spacing_um)
    chance = 0.5 * (np.interp(at, table, radial) / (radial.sum() * step) + (at < end) / end)
    volume = 4.0 * np.pi * at**2 / spacing_um**3  # voxels per distance of one voxel
    half = int(np.abs(offset).max()) // factor + 2 * _NODES
    coarse = tent_average(kernel, (spacing_um,) * 3, (half,) * 3, window, factor)
    exact = pair_averages(density, step, offset, spacing_um)
    start = rng.integers(0, factor, size=(3, _SAMPLES))
    found = np.array([_interpolated(coarse, factor, s, s + o) for s, o in zip(start.T, offset.T, strict=True)])
    return float(np.mean(np.abs(found - exact) * volume / chance))


def _interpolated(octant: Array, factor: int, source: IntArray, target: IntArray) -> float:
    """The tail between two fine voxels as the coarse grid gives it."""
    out = octant
    for a, b in zip(source, target, strict=True):
        (nodes_a, weights_a), (nodes_b, weights_b) = _polynomial(int(a), factor), _polynomial(int(b), factor)
        pairs = np.abs(nodes_b[:, None] - nodes_a[None, :]).ravel()
        out = np.tensordot(np.outer(weights_b, weights_a).ravel(), out[pairs], axes=(0, 0))
    return float(out)


def _window_um(spacing_um: float, factor: int) -> tuple[float, float]:
    return WINDOW[0] * factor * spacing_um, WINDOW[1] * factor * spacing_um


def _coarse_size(size: int, factor: int) -> int:
    return (size - 1) // factor + _NODES


def _interpolation(size: int, factor: int) -> Array:
    """Matrix (size, coarse size) of the polynomials' weights."""
    matrix = np.zeros((size, _coarse_size(size, factor)))
    for fine in range(size):
        nodes, weights = _polynomial(fine, factor)
        matrix[fine, nodes + _NODES // 2 - 1] = weights
    return matrix


def _polynomial(fine: int, factor: int) -> tuple[IntArray, Array]:
    """Coarse nodes around a fine voxel and their weights in the polynomial through all of them."""
    base = fine // factor
    nodes = base + np.arange(1 - _NODES // 2, _NODES // 2 + 1)
    at = fine / factor
    weights = np.array([np.prod([(at - m) / (n - m) for m in nodes if m != n]) for n in nodes])
    return nodes, weights
