"""Spectra of even kernels, and convolutions with them through the transforms of SciPy or of a device.

A kernel that is known for offsets at or above 0 along each axis has a real spectrum: sums of cosines, known from its
lowest frequencies.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from nichedose.fields.grid import Array

__all__ = ["convolve_mirrored", "convolve_with", "even_spectrum", "reflected", "sums_of_cosines"]

Real = NDArray[np.floating[Any]]
Shape = tuple[int, int, int]


def even_spectrum(octant: Array, periods: Shape, dtype: Any = np.float64) -> Real:
    """Spectrum of an even kernel on a torus of ``periods``, shape ``periods // 2 + 1``; what overlaps adds."""
    spectrum = sums_of_cosines(octant, [(np.arange(period // 2 + 1), period) for period in periods])
    return np.ascontiguousarray(spectrum, dtype=dtype)


def sums_of_cosines(octant: Array, frequencies: Sequence[tuple[NDArray[np.intp], int]]) -> Array:
    """Transform of an even kernel at frequencies (k, p), k / p turns per voxel, of each axis."""
    out = octant
    for k, period in frequencies:
        size = out.shape[0]
        # exact reduction of k j modulo the period keeps the cosines' argument small
        turns = np.outer(k, np.arange(size)) % period
        cosines = np.cos(2.0 * np.pi / period * turns) * np.where(np.arange(size) > 0, 2.0, 1.0)
        out = np.tensordot(cosines, out, axes=(1, 0)).transpose(1, 2, 0)  # the next axis comes first
    return out


def convolve_mirrored(field: Real, spectrum: Real, workers: int = 1) -> Real:
    """``field`` convolved when it is reflected at its edges for ever; ``spectrum`` of periods twice its shape."""
    nz, ny, nx = field.shape
    cosines = fft.dctn(field, type=2, workers=workers)
    cosines *= spectrum[:nz, :ny, :nx]
    return np.asarray(fft.idctn(cosines, type=2, workers=workers, overwrite_x=True))


def convolve_with(xp: ModuleType, field: Any, spectrum: Any, periods: Shape) -> Any:
    """``field`` convolved on a torus of ``periods``, for any namespace with NumPy's functions (numpy, jax.numpy, cupy).

    ``spectrum``: of `even_spectrum` for these periods. Where they keep what wraps out of the field its surroundings are
    empty; those of `reflected` mirror it. Nothing is written in place.
    """
    (nz, ny, nx), (pz, py, px) = field.shape, periods
    half = xp.fft.fft(xp.fft.fft(xp.fft.rfft(field, n=px, axis=2), n=py, axis=1), n=pz, axis=0)
    for axis, period in ((0, pz), (1, py)):
        spectrum = xp.take(spectrum, xp.asarray(_mirrored_index(period)), axis=axis)
    lines = xp.fft.ifft(half * spectrum, axis=0)[:nz]
    lines = xp.fft.ifft(lines, axis=1)[:, :ny]
    return xp.fft.irfft(lines, n=px, axis=2)[:, :, :nx]


def reflected(xp: ModuleType, field: Any) -> Any:
    """``field`` and its reflections at the far faces, twice as long along each axis: one period of mirrors for ever."""
    for axis, n in enumerate(field.shape):
        there_and_back = np.append(np.arange(n), np.arange(n)[::-1])
        field = xp.take(field, xp.asarray(there_and_back), axis=axis)
    return field


def _mirrored_index(period: int) -> NDArray[np.intp]:
    """Where each frequency of a full transform stands in a spectrum that holds 0 to period // 2."""
    k = np.arange(period)
    return np.asarray(np.minimum(k, period - k))
