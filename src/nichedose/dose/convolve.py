"""Activity maps to dose maps: FFT convolution with planar kernels, and what surrounds the section."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft, ndimage

from nichedose.dose.geometry import cap_fraction
from nichedose.dose.kernels import Daughters, RadialKernel, radial_kernel
from nichedose.dose.planar import planar_energy_MeV, voxel_kernel
from nichedose.dose.result import Quality, SectionGeometry
from nichedose.dose.units import DECAYS_PER_MBQ_H, GY_PER_MEV_PER_UM3, UM3_PER_L
from nichedose.fields.grid import Array, BoolArray
from nichedose.fields.threads import one_blas_thread
from nichedose.nuclide import Source

__all__ = [
    "GY_PER_MEV_MBQ_H_PER_L", "KernelKey", "Plane", "beyond_sphere", "dose_with_surroundings", "from_uniform",
    "inside_dose", "mirror_box", "mirror_spectra", "uniform_sphere_MeV",
]

GY_PER_MEV_MBQ_H_PER_L = DECAYS_PER_MBQ_H / UM3_PER_L * GY_PER_MEV_PER_UM3
_MIRROR_PERIODS = 2  # rings further out than this wrap so often that they are even


@dataclass(frozen=True)
class KernelKey:
    """Names a radial kernel; hashable, so that what is derived from it can be cached."""

    nuclide: str
    quality: Quality
    daughters: Daughters
    longest_half_life_h: float
    decay_data: Source | None = None

    @property
    def kernel(self) -> RadialKernel:
        return radial_kernel(self.nuclide, self.quality, self.daughters, self.longest_half_life_h, self.decay_data)


@dataclass(frozen=True)
class Plane:
    """A section in its surroundings; hashable. ``mask_bytes`` is the mask (ny, nx) as bytes."""

    shape: tuple[int, int]
    spacing_um: float
    mask_bytes: bytes
    geometry: SectionGeometry

    @property
    def mask(self) -> BoolArray:
        return np.frombuffer(self.mask_bytes, dtype=np.bool_).reshape(self.shape)


def inside_dose(plane: Plane, maps: Array, keys: tuple[KernelKey, ...], *, summed: bool = False) -> Array:
    """Dose from the activity of the section alone, (n_key, n_map, ny, nx), Gy for maps (n_map, ny, nx) in MBq.h/L.

    ``maps`` must be zero outside the mask; so is the result. ``summed`` adds the kernels first: (1, n_map, ny, nx).
    """
    reach = _half_width(plane, keys)
    half = min(reach, plane.shape[0] - 1), min(reach, plane.shape[1] - 1)
    ny, nx = (fft.next_fast_len(n + h, real=True) for n, h in zip(plane.shape, half, strict=True))
    spectra = _spectra(keys, plane, (ny, nx), half, False, summed)
    out = _multiply(maps, spectra, (ny, nx))[..., : plane.shape[0], : plane.shape[1]]
    return np.asarray(out * (plane.mask * GY_PER_MEV_MBQ_H_PER_L))


def dose_with_surroundings(
    plane: Plane, maps: Array, keys: tuple[KernelKey, ...], inside: Array, *, summed: bool = False
) -> Array:
    """``inside`` (from `inside_dose`, same arguments) plus what the surroundings send in; linear in ``maps``."""
    if plane.geometry.surroundings == "mirror":
        return _mirrored(plane, maps, keys, summed)
    if plane.geometry.surroundings == "isolated":
        return inside
    received = np.stack([from_uniform(plane, key) for key in keys])
    if summed:
        received = received.sum(axis=0, keepdims=True)
    means = maps.reshape(len(maps), -1) @ plane.mask.ravel() / np.count_nonzero(plane.mask)
    return np.asarray(inside + received[:, None] * means[None, :, None, None])


def beyond_sphere(plane: Plane) -> int:
    """How many voxels lie outside the lesion's sphere when the section's centroid is its centre."""
    return int(np.count_nonzero(_distance_um(plane)[plane.mask] > 0.5 * plane.geometry.lesion_diameter_um))


def _half_width(plane: Plane, keys: tuple[KernelKey, ...]) -> int:
    reach = max(key.kernel.reach_um for key in keys)
    return int(min(np.ceil(reach / plane.spacing_um) + 1, max(plane.shape) - 1))


def _spectra(
    keys: tuple[KernelKey, ...], plane: Plane, period: tuple[int, int], half: tuple[int, int], fill: bool, summed: bool
) -> Array:
    z = plane.geometry.along_z, plane.geometry.thickness_um
    stack = [_spectrum(key, plane.spacing_um, z, period, half, fill) for key in keys]
    return np.sum(stack, axis=0)[None] if summed else np.stack(stack)


def mirror_spectra(keys: tuple[KernelKey, ...], plane: Plane, period: tuple[int, int], summed: bool = False) -> Array:
    """Spectra for a section reflected at its edges for ever, on a torus of twice its size."""
    half = _MIRROR_PERIODS * max(period)
    return _spectra(keys, plane, period, (half, half), True, summed)


@lru_cache(maxsize=128)
@one_blas_thread
def _spectrum(
    key: KernelKey, spacing_um: float, along_z: tuple[str, float], period: tuple[int, int], half: tuple[int, int],
    fill: bool,
) -> Array:
    """Spectrum of the kernel out to ``half`` voxels along each axis on a torus of ``period``; real: the kernel is even.

    With ``fill`` the energy beyond is spread evenly, which is where it goes on a torus.
    """
    reach = int(np.ceil(key.kernel.reach_um / spacing_um)) + 1
    quarter = voxel_kernel(key.kernel, *along_z, spacing_um, min(max(half), reach))[: half[0] + 1, : half[1] + 1]
    folds = [_fold(n, size) for n, size in zip(period, quarter.shape, strict=True)]
    torus = folds[0] @ quarter @ folds[1].T
    if fill:
        torus += (planar_energy_MeV(key.kernel, *along_z) - torus.sum()) / torus.size
    return np.ascontiguousarray(fft.rfft2(torus).real)


def _fold(period: int, size: int) -> Array:
    """Matrix (period, size) that puts offsets 0, +-1, .. +-(size - 1) onto a circle of ``period`` places."""
    fold = np.zeros((period, size))
    offsets = np.arange(size)
    np.add.at(fold, (offsets % period, offsets), 1.0)
    np.add.at(fold, (-offsets[1:] % period, offsets[1:]), 1.0)
    return fold


def _multiply(maps: Array, spectra: Array, shape: tuple[int, int]) -> Array:
    """All maps by all spectra: (n_key, n_map, *shape); one forward transform per map."""
    forward = fft.rfft2(maps, s=shape, workers=1)
    return np.asarray(fft.irfft2(spectra[:, None] * forward[None], s=shape, workers=1, overwrite_x=True))


@lru_cache(maxsize=32)
def mirror_box(plane: Plane) -> tuple[slice, slice, Array, Array]:
    """Bounding box of the mask, and for each voxel in it the nearest voxel in the mask."""
    mask = plane.mask
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    nearest = ndimage.distance_transform_edt(~mask[box], return_distances=False, return_indices=True)
    return *box, nearest[0], nearest[1]


def _mirrored(plane: Plane, maps: Array, keys: tuple[KernelKey, ...], summed: bool) -> Array:
    """Holes take the nearest value, and the bounding box is reflected at its edges for ever."""
    rows, columns, i, j = mirror_box(plane)
    filled = maps[:, rows, columns][:, i, j]
    even = np.concatenate([filled, filled[:, ::-1]], axis=1)
    even = np.concatenate([even, even[:, :, ::-1]], axis=2)
    period = (even.shape[1], even.shape[2])
    spectra = mirror_spectra(keys, plane, period, summed)
    out = np.zeros((len(spectra), len(maps), *plane.shape))
    out[:, :, rows, columns] = _multiply(even, spectra, period)[..., : filled.shape[1], : filled.shape[2]]
    return np.asarray(out * (plane.mask * GY_PER_MEV_MBQ_H_PER_L))


@lru_cache(maxsize=128)
@one_blas_thread
def from_uniform(plane: Plane, key: KernelKey) -> Array:
    """Dose from the lesion outside the section when all of it holds 1 MBq.h/L, (ny, nx).

    A uniform sphere less the section's own part. Where the section pokes out of the sphere this would be below zero:
    there is nothing around it, so it is cut at zero. Voxels beyond the sphere are treated as on its surface.
    """
    radius = 0.5 * plane.geometry.lesion_diameter_um
    at = np.linspace(0.0, radius, 257)
    sphere = uniform_sphere_MeV(key.kernel, radius, at) * GY_PER_MEV_MBQ_H_PER_L
    own = inside_dose(plane, plane.mask[None].astype(float), (key,))[0, 0]
    here = np.interp(_distance_um(plane), at, sphere)
    return np.asarray(np.maximum(here - own, 0.0) * plane.mask)


def uniform_sphere_MeV(kernel: RadialKernel, radius_um: float, at_um: Array) -> Array:
    """Energy per decay and volume that a point ``at_um`` off the centre receives from a uniform sphere, (n,)."""
    nodes, weights = np.polynomial.legendre.leggauss(4)
    width = np.diff(kernel.radius_um)
    points = kernel.radius_um[:-1, None] + 0.5 * width[:, None] * (nodes + 1.0)
    shells = np.diff(kernel.cumulative_MeV)
    received = [float(shells @ (cap_fraction(float(a), radius_um, points) @ (0.5 * weights))) for a in at_um]
    return np.asarray(np.array(received) + kernel.cumulative_MeV[0], dtype=float)


@lru_cache(maxsize=32)
def _distance_um(plane: Plane) -> Array:
    """Distance of each voxel from the centroid of the mask, (ny, nx)."""
    y, x = np.nonzero(plane.mask)
    dy, dx = np.arange(plane.shape[0]) - y.mean(), np.arange(plane.shape[1]) - x.mean()
    return np.asarray(np.sqrt(dy[:, None] ** 2 + dx[None, :] ** 2) * plane.spacing_um)
