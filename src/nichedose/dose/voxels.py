"""S values between cubic or oblong voxels, integrated over the source and the target voxel.

A random point of the source voxel and a random point of a target voxel i voxels away differ, along each axis, by i
voxels plus a triangular ("tent") variable. Energy deposited at distance r in a random direction therefore falls into
target i with the weight that linear interpolation gives at that point of the lattice: near voxels are filled by
spreading the kernel's shells over the lattice (`_spread`), which keeps the energy. Far away, where only photons and
bremsstrahlung get and the kernel is smooth, the tents are replaced by three points along each axis (`_sampled`).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from nichedose.dose.kernels import (
    Daughters,
    QualityChoice,
    RadialKernel,
    emitted_qualities,
    energy_MeV_per_decay,
    radial_density_MeV_per_um,
    radial_kernel,
)
from nichedose.dose.numbers import check_lengths, check_oblong, one_number, real_array
from nichedose.dose.result import Quality
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput, OutOfValidity
from nichedose.fields.grid import Array, BoolArray
from nichedose.nuclide import Source

__all__ = ["voxel_s_values"]

_LARGEST_GIB = 2.0
_DENSITY_RANGE = (0.1, 2.0)
_BONE_G_PER_ML = 1.2
_FEW_PHOTONS = 0.01  # of the energy: too few to matter, whatever bone does to them
_NEAR_VOXELS = 3
# Points and weights with the first five moments of a tent of half-width 1 (variance 1/6, fourth moment 1/15).
_TENT_POINTS = np.sqrt(0.4) * np.array([-1.0, 0.0, 1.0])
_TENT_WEIGHTS = np.array([5.0, 14.0, 5.0]) / 24.0
_STEPS = ((8.0, 1 / 16), (32.0, 1 / 8), (np.inf, 1 / 4))  # shells: up to this many voxels, step


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
    density = one_number("density_g_per_mL", density_g_per_mL, "g/mL")
    qualities = emitted_qualities(nuclide, daughters, quality, decay_data=decay_data)
    _check_density(density, energy_MeV_per_decay(nuclide, daughters, decay_data=decay_data), qualities)
    scaled = size_um * density  # distances in g/cm2 decide
    octant = np.zeros(tuple(n // 2 + 1 for n in counts))
    for q in qualities:
        octant += _octant_MeV(nuclide, q, daughters, scaled, octant.shape, decay_data)
    mirrored = octant[np.ix_(*(np.abs(np.arange(n) - n // 2) for n in counts))]
    return np.asarray(mirrored * (GY_PER_MEV_PER_UM3 / (density * float(np.prod(size_um)))))


def _check_density(density: float, energy_MeV: dict[Quality, float], qualities: tuple[Quality, ...]) -> None:
    low, high = _DENSITY_RANGE
    if not low <= density <= high:
        raise OutOfValidity(f"density_g_per_mL = {density:g}; scaling water holds from {low} to {high} g/mL.")
    photons = energy_MeV["photon"] if "photon" in qualities else 0.0
    if density > _BONE_G_PER_ML and photons > _FEW_PHOTONS * sum(energy_MeV[q] for q in qualities):
        raise OutOfValidity(
            f"density_g_per_mL = {density:g}: above {_BONE_G_PER_ML} g/mL tissue is bone, which absorbs photons below "
            "0.15 MeV several times better than dense water. Ask for charged particles alone: quality=CHARGED.")


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
    nuclide: str, quality: Quality, daughters: Daughters, size_um: Array, shape: tuple[int, ...],
    decay_data: Source | None,
) -> Array:
    """Energy to voxels (i, j, k) >= 0 away from the source voxel, MeV per decay."""
    kernel = radial_kernel(nuclide, quality, daughters, decay_data=decay_data)
    near = _near(0.0 if quality == "photon" else kernel.reach_um, size_um, shape)
    box = tuple(int(np.flatnonzero(near.any(axis=tuple({0, 1, 2} - {axis}))).max()) + 1 for axis in range(3))
    out = np.zeros(shape)
    filled = _near_MeV(kernel, size_um, box)
    out[: box[0], : box[1], : box[2]] = filled
    out[~near] = 0.0
    far = np.argwhere(~near).astype(float)
    if len(far):
        out[~near] = _sampled(nuclide, quality, daughters, size_um, far, decay_data)
    return out


def _near(reach_um: float, size_um: Array, shape: tuple[int, ...]) -> BoolArray:
    """Voxels within reach of charged particles, or with a side less than four voxels from the source's centre."""
    index = np.indices(shape)
    gap = np.maximum(index - 1.0, 0.0) * size_um[:, None, None, None]
    close = np.sqrt((index**2 * size_um[:, None, None, None] ** 2).sum(axis=0)) <= _NEAR_VOXELS * float(size_um.max())
    return np.asarray((np.sqrt((gap**2).sum(axis=0)) < reach_um) | close)


def _near_MeV(kernel: RadialKernel, size_um: Array, box: tuple[int, ...]) -> Array:
    """The kernel's shells spread over the voxels of ``box`` by linear interpolation."""
    smallest = float(size_um.min())
    end = float(np.sqrt(np.sum((np.array(box) * size_um) ** 2)))
    edges = np.minimum(_edges(end / smallest) * smallest, kernel.radius_um[-1])
    energy = np.diff(np.interp(edges, kernel.radius_um, kernel.cumulative_MeV))
    radius = 0.5 * (edges[1:] + edges[:-1])
    kept = energy > 0.0
    octant = np.zeros(tuple(n + 1 for n in box))
    octant[0, 0, 0] = 0.125 * kernel.cumulative_MeV[0]
    _spread(octant, radius[kept], 0.125 * energy[kept], size_um, smallest)
    for axis in range(3):  # planes through the source receive from both sides
        first = [slice(None)] * 3
        first[axis] = slice(0, 1)
        octant[tuple(first)] *= 2.0
    return octant[:-1, :-1, :-1]


def _edges(end: float) -> Array:
    """Edges of shells in voxels, from 0 to ``end``, finer near the source."""
    parts, start = [np.zeros(1), np.geomspace(1e-5, 1.0, 241)[:-1]], 1.0
    for limit, step in _STEPS:
        stop = min(limit, end)
        if stop > start:
            parts.append(np.arange(start, stop - 1e-9, step))
        start = max(start, stop)
    return np.concatenate([*parts, [max(end, 1.0)]])


@njit(cache=True)
def _spread(octant: Array, radius: Array, energy: Array, size_um: Array, smallest_um: float) -> None:
    """Add the energy of each shell's octant to the voxels by linear interpolation between their centres."""
    nz, ny, nx = octant.shape
    for shell in range(len(radius)):
        voxels = radius[shell] / smallest_um
        n = int(24.0 + min(8.0 * voxels, 64.0 + 4.0 * voxels))
        for a in range(n):  # even bands of angle: even bands of cosine are coarse around the z axis
            lower, upper = 0.5 * np.pi * a / n, 0.5 * np.pi * (a + 1) / n
            share = energy[shell] * (np.cos(lower) - np.cos(upper)) / n
            cosine, sine = np.cos(0.5 * (lower + upper)), np.sin(0.5 * (lower + upper))
            z = radius[shell] * cosine / size_um[0]
            i = int(z)
            if i >= nz - 1:
                continue
            w = z - i
            for b in range(n):
                angle = 0.5 * np.pi * (b + 0.5) / n
                y = radius[shell] * sine * np.sin(angle) / size_um[1]
                x = radius[shell] * sine * np.cos(angle) / size_um[2]
                j, k = int(y), int(x)
                if j >= ny - 1 or k >= nx - 1:
                    continue
                v, u = y - j, x - k
                octant[i, j, k] += share * (1.0 - w) * (1.0 - v) * (1.0 - u)
                octant[i, j, k + 1] += share * (1.0 - w) * (1.0 - v) * u
                octant[i, j + 1, k] += share * (1.0 - w) * v * (1.0 - u)
                octant[i, j + 1, k + 1] += share * (1.0 - w) * v * u
                octant[i + 1, j, k] += share * w * (1.0 - v) * (1.0 - u)
                octant[i + 1, j, k + 1] += share * w * (1.0 - v) * u
                octant[i + 1, j + 1, k] += share * w * v * (1.0 - u)
                octant[i + 1, j + 1, k + 1] += share * w * v * u


def _sampled(
    nuclide: str, quality: Quality, daughters: Daughters, size_um: Array, index: Array, decay_data: Source | None
) -> Array:
    """Energy to far voxels (n, 3): the dose rate at 27 points of the tents around each."""
    farthest = float(np.sqrt((((index.max(axis=0) + 1.0) * size_um) ** 2).sum()))
    distances = np.geomspace(0.5 * float(size_um.min()), 1.1 * farthest, 2000)
    energy = radial_density_MeV_per_um(nuclide, distances, quality, daughters, decay_data)
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
