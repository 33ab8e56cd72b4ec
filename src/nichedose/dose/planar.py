"""Kernels on the grid of a section: integrated along z, and over the source and the target voxel.

Both steps are averages over directions of the radial kernel, so energy is conserved by construction. Along z the
average has a closed form (`energy_within`). In the plane, integrating over a square source voxel and averaging over a
square target voxel is a product of two tent functions, which are the weights of linear interpolation: each ring of
energy around the source is spread over the voxels by interpolation (`voxel_kernel`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nichedose.dose.kernels import RadialKernel
from nichedose.fields.grid import Array

__all__ = ["energy_within", "planar_energy_MeV", "voxel_kernel"]

_BLOCK = 1 << 21
# (up to this many voxels from the source, step of rings and of points along them in voxels)
_STEPS = ((4.0, 1 / 32), (16.0, 1 / 8), (64.0, 1 / 4), (np.inf, 1 / 2))


def energy_within(kernel: RadialKernel, along_z: str, thickness_um: float, distance_um: Array) -> Array:
    """Energy that a voxel column receives from sources within in-plane distance ``distance_um`` (n,), MeV per decay.

    ``slab``: sources spread over ``thickness_um`` along z, target in the middle plane. ``section``: sources and target
    both spread over ``thickness_um``. Exact for energy that is uniform within each shell of the kernel.
    """
    weigh = _slab if along_z == "slab" else _section
    out = np.empty(len(distance_um))
    step = max(1, _BLOCK // len(kernel.radius_um))
    for start in range(0, len(distance_um), step):
        part = slice(start, start + step)
        s = np.maximum(distance_um[part], 1e-12)[:, None]
        out[part] = np.diff(weigh(kernel.radius_um, s, thickness_um), axis=1) @ kernel.density_MeV_per_um
    return np.asarray(out + kernel.cumulative_MeV[0])


def planar_energy_MeV(kernel: RadialKernel, along_z: str, thickness_um: float) -> float:
    """What a voxel receives when the whole plane is uniform, MeV per decay: the total less what left along z."""
    far = np.array([2.0 * kernel.radius_um[-1]])
    return float(energy_within(kernel, along_z, thickness_um, far)[0])


def voxel_kernel(kernel: RadialKernel, along_z: str, thickness_um: float, spacing_um: float, half_width: int) -> Array:
    """Energy from a source voxel to the voxels (i, j) away, i, j >= 0, MeV per decay, (half_width + 1, half_width + 1).

    Mirror it for negative offsets. Over the whole plane it sums to `planar_energy_MeV`.
    """
    edges = _ring_edges(np.sqrt(2.0) * (half_width + 1.0))
    energy = np.diff(energy_within(kernel, along_z, thickness_um, edges * spacing_um))
    radius = 0.5 * (edges[1:] + edges[:-1])
    counts = np.maximum(16, np.ceil(0.5 * np.pi * radius / np.diff(edges))).astype(np.intp)
    counts[energy <= 0.0] = 0
    quarter = np.zeros((half_width + 2, half_width + 2))
    for part in _blocks(counts):
        _spread(quarter, radius[part], energy[part], counts[part])
    quarter[0, 0] += 0.25 * float(energy_within(kernel, along_z, thickness_um, np.zeros(1))[0])
    quarter[0, :] *= 2.0  # the axes receive from both sides, the origin from all four
    quarter[:, 0] *= 2.0
    return quarter[:-1, :-1]


def _slab(radius: Array, s: Array, t: float) -> Array:
    """Integral over r of the share of a sphere's surface with |z| < t/2 and in-plane distance below s."""
    half = 0.5 * t
    r = np.minimum(radius[None, :], np.sqrt(s * s + half * half))
    all_directions = np.where(r < half, r, half + half * np.log(np.maximum(r, half) / half))
    return np.asarray(all_directions - _beyond(r, s))


def _section(radius: Array, s: Array, t: float) -> Array:
    """The same with weight 1 - |z|/t, the overlap of two layers of thickness t that are z apart."""
    r = np.minimum(radius[None, :], np.sqrt(s * s + t * t))
    all_directions = np.where(r < t, r - r * r / (4.0 * t), 0.75 * t + 0.5 * t * np.log(np.maximum(r, t) / t))
    outer = np.maximum(r, s)
    linear = (0.5 * (outer * outer - s * s) - s * s * np.log(outer / s)) / (2.0 * t)
    return np.asarray(all_directions - (_beyond(r, s) - linear))


def _beyond(r: Array, s: Array) -> Array:
    """Integral from s to r of sqrt(1 - s^2/r^2): the share of directions that leaves the in-plane distance s behind."""
    outer = np.maximum(r, s)
    return np.asarray(np.sqrt(outer * outer - s * s) - s * np.arccos(s / outer))


def _ring_edges(end: float) -> Array:
    """Edges of rings in voxels, from 0 to ``end``, finer near the source."""
    near = np.geomspace(1e-5, 1.0, 241)[:-1]  # Auger electrons stay within a thousandth of a voxel
    parts, start = [np.zeros(1), near], 1.0
    for limit, step in _STEPS:
        stop = min(limit, end)
        if stop > start:
            parts.append(np.arange(start, stop - 1e-9, step))
        start = max(start, stop)
    return np.concatenate([*parts, [end]])


def _blocks(counts: NDArray[np.intp]) -> list[slice]:
    """Rings in groups with a bounded number of points."""
    group = np.cumsum(counts) // _BLOCK
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(counts)], strict=True)]


def _spread(quarter: Array, radius: Array, energy: Array, counts: NDArray[np.intp]) -> None:
    """Add a quarter of each ring's energy, evenly along its arc, to the voxels by linear interpolation."""
    n = quarter.shape[0]
    ring = np.repeat(np.arange(len(radius)), counts)
    index = np.arange(len(ring)) - np.repeat(np.cumsum(counts) - counts, counts)
    angle = (index + 0.5) * (0.5 * np.pi / counts[ring])
    share = 0.25 * energy[ring] / counts[ring]
    y, x = radius[ring] * np.sin(angle), radius[ring] * np.cos(angle)
    inside = (y < n - 1) & (x < n - 1)
    y, x, share = y[inside], x[inside], share[inside]
    i, j = y.astype(np.intp), x.astype(np.intp)
    v, u = y - i, x - j
    flat = quarter.reshape(-1)
    corners = ((0, (1.0 - v) * (1.0 - u)), (1, (1.0 - v) * u), (n, v * (1.0 - u)), (n + 1, v * u))
    for offset, weight in corners:
        flat += np.bincount(i * n + j + offset, weights=weight * share, minlength=flat.size)
