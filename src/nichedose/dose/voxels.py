"""S values between cubic or oblong voxels, integrated over the source and the target voxel.

A random point of the source voxel and a random point of a target voxel i voxels away differ, along each axis, by i
voxels plus a triangular ("tent") variable. Energy deposited at distance r in a random direction therefore falls into
target i with the weight that linear interpolation gives at that point of the lattice: near voxels are filled by
spreading the kernel's shells over the lattice, first along z and over rings around it, then the rings over the plane
(`_near_MeV`), which keeps the energy. Far away, where only photons and bremsstrahlung get and the kernel is smooth, the
tents are replaced by three points along each axis (`_sampled`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nichedose.dose.density import checked_density
from nichedose.dose.kernels import (
    CHARGED,
    Daughters,
    QualityChoice,
    RadialKernel,
    emitted_qualities,
    radial_density_MeV_per_um,
    radial_kernel,
    summed_kernel,
)
from nichedose.dose.numbers import check_lengths, check_oblong, real_array
from nichedose.dose.result import Quality
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.nuclide import Source

__all__ = ["voxel_s_values"]

_LARGEST_GIB = 2.0
_NEAR_VOXELS = 3
# Points and weights with the first five moments of a tent of half-width 1 (variance 1/6, fourth moment 1/15).
_TENT_POINTS = np.sqrt(0.4) * np.array([-1.0, 0.0, 1.0])
_TENT_WEIGHTS = np.array([5.0, 14.0, 5.0]) / 24.0
_STEPS = ((8.0, 1 / 64), (32.0, 1 / 16), (np.inf, 1 / 4))  # shells: up to this many voxels, step
_DIRECTIONS = np.array([1.0, 0.5, 2.0 / (3.0 * np.pi), 0.25 / np.pi])  # means of 1, x, x y, x y z over an octant
_RINGS = 1  # to a step of shells
_BLOCK = 1 << 20  # (rings x voxels of a plane) handled at once


def voxel_s_values(
    nuclide: str,
    voxel_mm: float | tuple[float, float, float],
    shape: int | tuple[int, int, int],
    daughters: Daughters = "none",
    quality: QualityChoice = None,
    density_g_per_mL: float = 1.0,
    decay_data: Source | None = None,
) -> Array:
    """Mean dose to each voxel per decay spread evenly over the central one, Gy, (nz, ny, nx).

    ``voxel_mm`` is one length or (z, y, x); ``shape`` one odd number or three; ``quality``: one, several, or None for
    all, photons included; ``decay_data``: "icrp107" or "ensdf". The whole space has the composition of
    water and ``density_g_per_mL``: right for soft tissue, good for lung, and for bone fair for charged particles alone
    (docs/theory/photons.md). Raises `BadInput` for lengths not above 0, even shapes, names that are not known, and
    arrays above 2 GiB; `OutOfValidity` below 1 nm, for densities that are not between 0.1 and 2 g/mL, and for photons
    above 1.2.

    >>> f"{voxel_s_values('90Y', 3.0, 3)[1, 1, 1] * 1e9:.2f} mGy/(MBq s)"
    '1.60 mGy/(MBq s)'
    """
    size_um = _size_um(voxel_mm)
    counts = _shape(shape)
    qualities = emitted_qualities(nuclide, daughters, quality, decay_data=decay_data)
    density = checked_density(density_g_per_mL, nuclide, daughters, quality, decay_data)
    scaled = size_um * density  # distances in g/cm2 decide
    octant = _octant_MeV(nuclide, qualities, daughters, scaled, tuple(n // 2 + 1 for n in counts), decay_data)
    mirrored = octant[np.ix_(*(np.abs(np.arange(n) - n // 2) for n in counts))]
    return np.asarray(mirrored * (GY_PER_MEV_PER_UM3 / (density * float(np.prod(size_um)))))


def _size_um(voxel_mm: float | tuple[float, float, float]) -> Array:
    size = real_array("voxel_mm", voxel_mm)
    if size.shape not in ((), (3,)):
        raise BadInput(f"voxel_mm = {voxel_mm}; give one length, or three as (z, y, x).")
    if not bool(np.all(np.isfinite(size) & (size > 0.0))):
        raise BadInput(f"voxel_mm = {voxel_mm}; every length must be above 0.")
    check_lengths("voxel_mm", 1e3 * size)
    check_oblong("voxel_mm", np.atleast_1d(size))
    return np.asarray(np.broadcast_to(size, 3) * 1e3)


def _shape(shape: int | tuple[int, int, int]) -> tuple[int, int, int]:
    counts = real_array("shape", shape, None)
    if counts.shape not in ((), (3,)) or counts.dtype.kind not in "iu":
        raise BadInput(f"shape = {shape}; give one whole number, or three as (nz, ny, nx).")
    nz, ny, nx = (int(n) for n in np.broadcast_to(counts, 3))
    if min(nz, ny, nx) < 1 or not all(n % 2 for n in (nz, ny, nx)):
        raise BadInput(f"shape = {shape}; every number must be odd and above 0, so that one voxel is in the centre.")
    size_gib = nz * ny * nx * 8 / 2**30
    if size_gib > _LARGEST_GIB:
        raise BadInput(f"shape = {shape} needs {size_gib:.1f} GiB; at most {_LARGEST_GIB:g} GiB are made. Take a "
                       "smaller shape: far voxels get photons alone, and point_kernel gives these.")
    return nz, ny, nx


def _octant_MeV(
    nuclide: str, qualities: tuple[Quality, ...], daughters: Daughters, size_um: Array, shape: tuple[int, ...],
    decay_data: Source | None,
) -> Array:
    """Energy to voxels (i, j, k) >= 0 away from the source voxel, MeV per decay."""
    # the same for every choice of qualities, so that they add up
    charged = emitted_qualities(nuclide, daughters, CHARGED, decay_data=decay_data)
    reach = (radial_kernel(nuclide, q, daughters, decay_data=decay_data).reach_um for q in charged)
    near = _near(max(reach, default=0.0), size_um, shape)
    box = tuple(int(np.flatnonzero(near.any(axis=tuple({0, 1, 2} - {axis}))).max()) + 1 for axis in range(3))
    out = np.zeros(shape)
    whole = summed_kernel(nuclide, daughters, qualities, decay_data=decay_data)
    out[: box[0], : box[1], : box[2]] = _near_MeV(whole, size_um, box)
    out[~near] = 0.0
    far = np.argwhere(~near).astype(float)
    if len(far):
        out[~near] = _sampled(nuclide, qualities, daughters, size_um, far, decay_data)
    return out


def _near(reach_um: float, size_um: Array, shape: tuple[int, ...]) -> BoolArray:
    """Voxels within reach of charged particles, or with a side less than four voxels from the source's centre."""
    index = np.indices(shape)
    gap = np.maximum(index - 1.0, 0.0) * size_um[:, None, None, None]
    close = np.sqrt((index**2 * size_um[:, None, None, None] ** 2).sum(axis=0)) <= _NEAR_VOXELS * float(size_um.max())
    return np.asarray((np.sqrt((gap**2).sum(axis=0)) < reach_um) | close)


def _near_MeV(kernel: RadialKernel, size_um: Array, box: tuple[int, ...]) -> Array:
    """The kernel's shells spread over the voxels of ``box`` by linear interpolation."""
    unit = float(size_um.min())
    sides = size_um / unit
    octant = np.zeros([n + 1 for n in box])
    octant[:2, :2, :2] = 0.125 * _innermost_MeV(kernel, size_um, unit)
    octant += 0.125 * _shells_MeV(kernel, unit, sides, octant.shape)
    for axis in range(3):  # planes through the source receive from both sides
        np.moveaxis(octant, axis, 0)[0] *= 2.0
    return octant[:-1, :-1, :-1]


def _innermost_MeV(kernel: RadialKernel, size_um: Array, end_um: float) -> Array:
    """What is left within the shortest side, at the eight corners of the octant's first cell, (2, 2, 2).

    The weights there are polynomials in the direction, whose means over the octant are known.
    """
    radius = np.append(kernel.radius_um[kernel.radius_um < end_um], end_um)
    energy = np.diff(np.interp(radius, kernel.radius_um, kernel.cumulative_MeV))
    powers = radius[:, None] ** np.arange(1, 5)
    means = energy @ (np.diff(powers, axis=0) / np.diff(radius)[:, None] / np.arange(1, 5))  # of 1, r, r^2, r^3
    means[0] += kernel.cumulative_MeV[0]
    out = np.empty((2, 2, 2))
    for index in np.ndindex(2, 2, 2):
        out[index] = (means * _DIRECTIONS)[sum(index)] / np.prod(size_um ** np.array(index))
    for axis in range(3):  # from moments of u to those of 1 - u and u
        np.moveaxis(out, axis, 0)[0] -= np.moveaxis(out, axis, 0)[1]
    return out


def _shells_MeV(kernel: RadialKernel, unit_um: float, sides: Array, shape: tuple[int, ...]) -> Array:
    """What is left beyond the shortest side, ``unit_um``.

    A shell's octant is cut into bands of angle around z, which go to planes of voxels and to rings; each ring then goes
    to the voxels of a plane.
    """
    end = float(np.linalg.norm((np.array(shape) - 1) * sides))
    rings = _steps(0.0, end, _RINGS)
    edges = _steps(1.0, end, 1)
    energy = _thin_shells(kernel, unit_um, edges)
    radius, energy = edges[energy > 0.0], energy[energy > 0.0]
    shell, angle, width = _bands(radius)
    share = energy[shell] * 2.0 * np.sin(angle) * np.sin(0.5 * width)
    height = radius[shell] * np.cos(angle) / sides[0]
    ring = np.interp(radius[shell] * np.sin(angle), rings, np.arange(len(rings)))
    around = _spread(np.zeros_like(shell), height, ring, share, (1, shape[0], len(rings)))[0]
    out, some = np.zeros(shape), max(1, _BLOCK // (shape[1] * shape[2]))
    for start in range(0, len(rings), some):
        part = slice(start, start + some)
        out += np.tensordot(around[:, part], _ring_shares(rings[part], sides, shape), axes=1)
    return out


def _thin_shells(kernel: RadialKernel, unit_um: float, edges: Array) -> Array:
    """Energy at ``edges`` (in units): that between two of them is shared so that its mean radius is kept.

    Edges are the same for every kernel, so that qualities add up.
    """
    own = kernel.radius_um[(kernel.radius_um > edges[0] * unit_um) & (kernel.radius_um < edges[-1] * unit_um)]
    radius = np.union1d(edges, own / unit_um)
    energy = np.diff(np.interp(radius * unit_um, kernel.radius_um, kernel.cumulative_MeV))
    place = np.interp(0.5 * (radius[1:] + radius[:-1]), edges, np.arange(len(edges)))
    low = np.minimum(place.astype(np.intp), len(edges) - 2)
    above = energy * (place - low)
    below = energy - above
    return np.asarray(np.bincount(low, below, len(edges)) + np.bincount(low + 1, above, len(edges)), dtype=float)


def _ring_shares(radius: Array, sides: Array, shape: tuple[int, ...]) -> Array:
    """Shares of a quarter of each ring over the voxels of a plane, (n_ring, ny, nx)."""
    ring, angle, width = _bands(radius)
    y, x = radius[ring] * np.sin(angle) / sides[1], radius[ring] * np.cos(angle) / sides[2]
    return _spread(ring, y, x, width / (0.5 * np.pi), (len(radius), shape[1], shape[2]))


def _bands(radius: Array) -> tuple[NDArray[np.intp], Array, Array]:
    """A quarter turn in even bands of angle at each radius: whose they are, their middles and widths.

    Even bands of cosine would be coarse around the axis.
    """
    counts = (32.0 + np.minimum(12.0 * radius, 48.0 + 6.0 * radius)).astype(np.intp)
    whose = np.repeat(np.arange(len(radius)), counts)
    band = np.arange(len(whose)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = 0.5 * np.pi / counts[whose]
    return whose, (band + 0.5) * width, width


def _spread(layer: NDArray[np.intp], row: Array, column: Array, amount: Array, shape: tuple[int, int, int]) -> Array:
    """Amounts shared between rows and columns of layers by linear interpolation, ``shape``; lost beyond the last."""
    _, rows, columns = shape
    inside = (row < rows - 1) & (column < columns - 1)
    layer, row, column, amount = layer[inside], row[inside], column[inside], amount[inside]
    j, k = row.astype(np.intp), column.astype(np.intp)
    low, left = amount * (1.0 - (row - j)), 1.0 - (column - k)
    high, at = amount - low, (layer * rows + j) * columns + k
    shares = np.concatenate([low * left, low * (1.0 - left), high * left, high * (1.0 - left)])
    places = np.concatenate([at, at + 1, at + columns, at + columns + 1])
    return np.asarray(np.bincount(places, shares, math.prod(shape)).reshape(shape), dtype=float)


def _steps(start: float, end: float, finer: int) -> Array:
    """Even steps from ``start`` to ``end`` in the shortest voxel side, wider further out."""
    parts = []
    for limit, step in _STEPS:
        stop = min(limit, end)
        if stop > start:
            parts.append(np.arange(start, stop - 1e-9, step / finer))
        start = max(start, stop)
    return np.concatenate([*parts, [end]])


def _sampled(
    nuclide: str, qualities: tuple[Quality, ...], daughters: Daughters, size_um: Array, index: Array,
    decay_data: Source | None,
) -> Array:
    """Energy to far voxels (n, 3): the dose rate at 27 points of the tents around each."""
    farthest = float(np.sqrt((((index.max(axis=0) + 1.0) * size_um) ** 2).sum()))
    distances = np.geomspace(0.5 * float(size_um.min()), 1.1 * farthest, 2000)
    energy = sum(radial_density_MeV_per_um(nuclide, distances, q, daughters, decay_data) for q in qualities)
    if not np.any(energy > 0.0):
        return np.zeros(len(index))
    log_energy = np.log(np.maximum(energy, 1e-300))
    total = np.zeros(len(index))
    for a, wa in zip(_TENT_POINTS, _TENT_WEIGHTS, strict=True):
        for b, wb in zip(_TENT_POINTS, _TENT_WEIGHTS, strict=True):
            for c, wc in zip(_TENT_POINTS, _TENT_WEIGHTS, strict=True):
                r2 = (((index + np.array([a, b, c])) * size_um) ** 2).sum(axis=1)
                density = np.exp(np.interp(0.5 * np.log(r2), np.log(distances), log_energy))
                total += wa * wb * wc * density / (4.0 * np.pi * r2)
    return np.asarray(total * float(np.prod(size_um)))
