"""Kernels between the voxels of a 3-D grid, integrated over the source and the target voxel.

Integrating over a source voxel and averaging over a target voxel weights the offset with a product of three tents. Near
the source the energy of thin shells is spread over the grid with those weights, which are the weights of linear
interpolation: it holds for ranges far below a voxel and conserves energy by construction. Far out the density is smooth
and is integrated over the tents by a rule of three points per axis. A smooth window of distance joins the two.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from nichedose.dose.kernels import RadialKernel
from nichedose.fields.grid import Array

__all__ = ["cube_kernel", "half_widths", "pair_averages", "tent_average", "whole_sum", "windowed_density"]

Spacing = tuple[float, float, float]
Halves = tuple[int, int, int]

_NEAR = (3.0, 6.0)  # longest voxel sides between which the density takes over from the shells
_ALL_NEAR = 12.0  # longest voxel sides; kernels that end within them may end abruptly (alphas) and are all shells
_BLOCK = 1 << 20
# (up to this many voxels from the source, step of shells and of points on them in voxels)
_STEPS = ((3.0, 1 / 16), (8.0, 1 / 8), (32.0, 1 / 4), (np.inf, 1 / 2))
# weight 1 - |u| on [-1, 1], exact to the fifth degree: moments 1, 1/6, 1/15
_TENT_NODES = np.array([-np.sqrt(0.4), 0.0, np.sqrt(0.4)])
_TENT_WEIGHTS = np.array([5.0, 14.0, 5.0]) / 24.0
_TABLE = 1 << 16  # points of the density's table, even in distance


def cube_kernel(kernel: RadialKernel, spacing_um: Spacing, half: Halves) -> Array:
    """Energy from a voxel to the voxels (i, j, k) away, i, j, k >= 0, MeV per decay, shape ``half + 1``.

    Mirror it for negative offsets (`whole_sum` counts them). Where ``half`` holds the kernel's reach it sums to the
    energy within the reach.
    """
    start, end = (side * max(spacing_um) for side in _NEAR)
    if kernel.reach_um <= _ALL_NEAR * max(spacing_um):
        return _shells(kernel, spacing_um, half, kernel.reach_um, 2.0 * kernel.reach_um)
    near = _shells(kernel, spacing_um, half, start, end)
    far = tent_average(kernel, spacing_um, half, (start, end))
    if all((n - 1.0) * h >= kernel.reach_um for n, h in zip(half, spacing_um, strict=True)):
        within = float(np.interp(kernel.reach_um, kernel.radius_um, kernel.cumulative_MeV))
        far *= (within - whole_sum(near)) / whole_sum(far)  # by about 1e-5: the rule's error
    return np.asarray(near + far)


def half_widths(kernel: RadialKernel, spacing_um: Spacing) -> Halves:
    """Voxels along each axis that the kernel's reach needs."""
    z, y, x = (int(np.ceil(kernel.reach_um / h)) + 1 for h in spacing_um)
    return z, y, x


def whole_sum(octant: Array) -> float:
    """Sum over all offsets of a kernel known for offsets at or above 0."""
    for _ in range(3):
        octant = 2.0 * octant.sum(axis=0) - octant[0]
    return float(octant)


def _smooth_step(distance: Array, start: float, end: float) -> Array:
    """0 up to ``start``, 1 from ``end``, twice differentiable between."""
    u = np.clip((distance - start) / (end - start), 0.0, 1.0)
    return np.asarray(u * u * u * (10.0 + u * (6.0 * u - 15.0)))


def tent_average(
    kernel: RadialKernel, spacing_um: Spacing, half: Halves, window_um: tuple[float, float], stride: int = 1
) -> Array:
    """The part of the kernel beyond a smooth window of distance, between voxels ``stride`` times (i, j, k) apart.

    The window rises from 0 to 1 between ``window_um``, several voxels from the source; the shape is ``half + 1``.
    """
    corner_um = stride * math.hypot(*((n + 1.0) * h for n, h in zip(half, spacing_um, strict=True)))
    density, step = windowed_density(kernel, window_um, corner_um)
    if len(set(spacing_um)) == 1 and len(set(half)) == 1:
        return _symmetric(density, step, spacing_um[0], half[0], stride)
    out = np.empty((half[0] + 1, half[1] + 1, half[2] + 1))
    squares = [_squares(n, h, stride) for n, h in zip(half, spacing_um, strict=True)]
    for i in range(half[0] + 1):
        out[i] = _plane(density, step, squares[0][:, i], squares[1], squares[2])
    return out * float(np.prod(spacing_um))


def pair_averages(density: Array, step: float, offset: NDArray[np.intp], spacing_um: float) -> Array:
    """`tent_average` for cubes at single offsets (3, n) in voxels, with the density of `windowed_density`."""
    out = np.zeros(offset.shape[1])
    for nodes in product(range(3), repeat=3):
        at = (np.abs(offset) + _TENT_NODES[list(nodes)][:, None]) * spacing_um
        place = np.linalg.norm(at, axis=0) / step
        value = np.interp(place, np.arange(len(density)), density, right=0.0)
        out += float(np.prod(_TENT_WEIGHTS[list(nodes)])) * value
    return out * spacing_um**3


def _symmetric(density: Array, step: float, spacing_um: float, half: int, stride: int) -> Array:
    """Cubes of equal sides: a third of the planes' voxels are enough."""
    square = _squares(half, spacing_um, stride)
    out = np.empty((half + 1,) * 3)
    for i in range(half + 1):
        block = _plane(density, step, square[:, i], square[:, i:], square[:, i:])
        out[i, i:, i:] = block
        out[i:, i, i:] = block
        out[i:, i:, i] = block
    return out * spacing_um**3


def _squares(half: int, spacing_um: float, stride: int) -> Array:
    """Squared offsets at the rule's nodes, um2, (3, half + 1)."""
    at = (stride * np.arange(half + 1)[None, :] + _TENT_NODES[:, None]) * spacing_um
    return np.asarray(at * at)


def _plane(density: Array, step: float, z2: Array, y2: Array, x2: Array) -> Array:
    """The rule's sum of the density over one plane of voxels; ``z2`` (3,), ``y2`` (3, ny), ``x2`` (3, nx)."""
    out = np.zeros((y2.shape[1], x2.shape[1]))
    nearest = np.sqrt(z2.min() + y2.min(axis=0)[:, None] + x2.min(axis=0)[None, :])
    if float(nearest.min()) > (len(density) - 2) * step:
        return out
    for a, wz in zip(z2, _TENT_WEIGHTS, strict=True):
        for b, wy in zip(y2, _TENT_WEIGHTS, strict=True):
            for c, wx in zip(x2, _TENT_WEIGHTS, strict=True):
                place = np.sqrt((a + b)[:, None] + c[None, :]) / step
                np.minimum(place, len(density) - 2.0, out=place)
                low = place.astype(np.int32)
                place -= low
                value = density[low]
                value += place * (density[low + 1] - value)
                out += (wz * wy * wx) * value
    return out


def windowed_density(
    kernel: RadialKernel, window_um: tuple[float, float], end_um: float = math.inf
) -> tuple[Array, float]:
    """Energy per volume (MeV/um3) beyond the window at even distances, and their step in um.

    They go up to the reach, or to ``end_um``: photons reach through metres, of which a map needs millimetres.
    """
    distance = np.linspace(0.0, min(kernel.reach_um, end_um), _TABLE)
    per_length = kernel.slope_MeV_per_um(distance)
    rises = _smooth_step(distance, *window_um)
    density = np.divide(per_length * rises, 4.0 * np.pi * distance**2, out=np.zeros(_TABLE), where=rises > 0.0)
    return np.concatenate([density, [0.0, 0.0]]), float(distance[1])


def _shells(kernel: RadialKernel, spacing_um: Spacing, half: Halves, start_um: float, end_um: float) -> Array:
    """Thin shells of energy inside the window, spread over the grid by linear interpolation."""
    unit = min(spacing_um)
    edges = _shell_edges(min(end_um, kernel.reach_um) / unit)
    within = kernel.within_MeV
    energy = np.diff(within(edges * unit))
    radius = _mean_radii(within, edges * unit) / unit
    if kernel.reach_um > start_um:
        energy = energy * (1.0 - _smooth_step(radius * unit, start_um, end_um))
    out = np.zeros((half[0] + 2, half[1] + 2, half[2] + 2))
    scale = np.array([unit / h for h in spacing_um])
    for r, step, share in zip(radius, np.diff(edges), energy, strict=True):
        if share > 0.0:
            points, shares = _octant_points(r, step)
            _spread(out, points * scale[:, None], shares * (share / 8.0))
    out[0, 0, 0] += kernel.cumulative_MeV[0] / 8.0
    for axis in range(3):  # planes receive from both sides
        np.moveaxis(out, axis, 0)[0] *= 2.0
    return out[:-1, :-1, :-1]


def _mean_radii(within: PchipInterpolator, edges_um: Array) -> Array:
    """Mean radius of the energy in each shell: where dose falls steeply within a voxel, middles lie too far out."""
    below, width = within(edges_um), np.diff(edges_um)
    energy, area = np.diff(below), np.diff(within.antiderivative()(edges_um)) - width * below[:-1]
    share = np.divide(area, energy * width, out=np.full(len(width), 0.5), where=energy > 1e-9 * below[-1])
    return np.asarray(edges_um[1:] - width * np.clip(share, 0.0, 1.0))


def _shell_edges(end: float) -> Array:
    """Edges of shells in units of the shortest voxel side, from 0 to ``end``, finer near the source."""
    parts, start = [np.zeros(1), np.geomspace(1e-4, 1.0, 121) / 8.0], 1.0 / 8.0
    for limit, step in _STEPS:
        stop = min(limit, end)
        if stop > start:
            parts.append(np.linspace(start, stop, int(np.ceil((stop - start) / step)) + 1)[1:])
        start = max(start, stop)
    edges = np.concatenate(parts)
    return np.asarray(np.unique(np.concatenate([edges[edges < end], [end]])))


def _octant_points(radius: float, step: float) -> tuple[Array, Array]:
    """Points on the octant of a sphere, at most about ``step`` apart, (3, n), and their shares of its area, (n,)."""
    bands = max(24, int(np.ceil(0.5 * np.pi * radius / step)))
    edges = np.linspace(0.0, 0.5 * np.pi, bands + 1)
    middle = 0.5 * (edges[1:] + edges[:-1])
    cosine, sine = np.cos(middle), np.sin(middle)
    turn = cosine, sine  # the same angles serve around the pole
    points = np.stack(np.broadcast_arrays(cosine[:, None], sine[:, None] * turn[1], sine[:, None] * turn[0]))
    share = np.repeat(-np.diff(np.cos(edges)) / bands, bands)
    return np.asarray(radius * points.reshape(3, -1)), share


def _spread(out: Array, points: Array, energy: Array) -> None:
    """Add ``energy`` (n,) of ``points`` (3, n), in voxels, to the grid by linear interpolation."""
    for start in range(0, points.shape[1], _BLOCK):
        part, share = points[:, start : start + _BLOCK], energy[start : start + _BLOCK]
        inside = (part < np.array(out.shape)[:, None] - 1.0).all(axis=0)
        low = part[:, inside].astype(np.intp)
        high, share = part[:, inside] - low, share[inside]
        flat, (_, ny, nx) = out.reshape(-1), out.shape
        base = (low[0] * ny + low[1]) * nx + low[2]
        for dz, wz in ((0, 1.0 - high[0]), (1, high[0])):
            for dy, wy in ((0, 1.0 - high[1]), (1, high[1])):
                for dx, wx in ((0, 1.0 - high[2]), (1, high[2])):
                    count = np.bincount(base + ((dz * ny + dy) * nx + dx), weights=share * wz * wy * wx)
                    flat[: len(count)] += count  # only as far as the shell reaches
