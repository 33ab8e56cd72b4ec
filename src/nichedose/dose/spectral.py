"""Convolution with an even kernel on a 3-D grid by pruned real FFTs.

The kernel is known for offsets at or above 0 along each axis, so its spectrum is real and known from its lowest
frequencies: an eighth of the padded grid. The map is transformed axis by axis and padded only when its axis comes, so
that blocks of zeros are never transformed; the last axis is padded, multiplied and transformed back slice by slice,
and the fully padded grid is never stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from nichedose.fields.grid import Array

__all__ = ["convolve_mirrored", "convolve_padded", "convolve_with", "even_spectrum", "padded_length"]

Real = NDArray[np.floating[Any]]
Shape = tuple[int, int, int]
_SLICE_BYTES = 1 << 21  # of the complex numbers handled at once by a thread: what a cache holds


def padded_length(size: int, half: int) -> int:
    """The next length with no prime factor above 5 that keeps wrapped contributions out of ``size`` voxels."""
    return int(fft.next_fast_len(size + half, real=True))


def even_spectrum(octant: Array, periods: Shape, dtype: Any = np.float64) -> Real:
    """Spectrum of an even kernel on a torus of ``periods``, shape ``periods // 2 + 1``; what overlaps adds."""
    out = octant
    for period in periods:
        size = out.shape[0]
        # exact reduction of k j modulo the period keeps the cosines' argument small
        turns = np.outer(np.arange(period // 2 + 1), np.arange(size)) % period
        cosines = np.cos(2.0 * np.pi / period * turns) * np.where(np.arange(size) > 0, 2.0, 1.0)
        out = np.tensordot(cosines, out, axes=(1, 0)).transpose(1, 2, 0)  # the next axis comes first
    return np.ascontiguousarray(out, dtype=dtype)


def convolve_padded(field: Real, spectrum: Real, periods: Shape, workers: int = 1) -> Real:
    """``field`` (nz, ny, nx) convolved in empty surroundings; in the precision of ``field``."""
    (nz, ny, nx), (pz, py, px) = field.shape, periods
    complex_type = np.result_type(field.dtype, np.complex64)
    half = np.empty((nz, py, px // 2 + 1), complex_type)
    rows, kept = _mirrored_index(py), pz // 2 + 1
    out = np.empty_like(field, order="C")

    def forward(part: slice) -> None:
        lines = fft.rfft(field[part], n=px, axis=2)
        half[part] = fft.fft(lines, n=py, axis=1, overwrite_x=True)

    def across(part: slice) -> None:
        line = fft.fft(half[:, part], n=pz, axis=0)
        real = spectrum[:, rows[part]]
        line[:kept] *= real
        line[kept:] *= real[pz - kept : 0 : -1]  # the spectrum is even: negative frequencies backwards
        half[:, part] = fft.ifft(line, axis=0, overwrite_x=True)[:nz]

    def backward(part: slice) -> None:
        lines = fft.ifft(half[part], axis=1)[:, :ny]
        out[part] = fft.irfft(lines, n=px, axis=2)[:, :, :nx]

    size = complex_type.itemsize * (px // 2 + 1)
    _each(forward, nz, size * py, workers)
    _each(across, py, size * pz, workers)
    _each(backward, nz, size * py, workers)
    return out


def convolve_mirrored(field: Real, spectrum: Real, workers: int = 1) -> Real:
    """``field`` convolved when it is reflected at its edges for ever; ``spectrum`` of periods twice its shape."""
    nz, ny, nx = field.shape
    cosines = fft.dctn(field, type=2, workers=workers)
    cosines *= spectrum[:nz, :ny, :nx]
    return np.asarray(fft.idctn(cosines, type=2, workers=workers, overwrite_x=True))


def convolve_with(xp: ModuleType, field: Any, spectrum: Any, periods: Shape) -> Any:
    """`convolve_padded` for any namespace with NumPy's functions (numpy, jax.numpy, cupy): no writes in place."""
    (nz, ny, nx), (pz, py, px) = field.shape, periods
    half = xp.fft.fft(xp.fft.fft(xp.fft.rfft(field, n=px, axis=2), n=py, axis=1), n=pz, axis=0)
    for axis, period in ((0, pz), (1, py)):
        spectrum = xp.take(spectrum, xp.asarray(_mirrored_index(period)), axis=axis)
    lines = xp.fft.ifft(half * spectrum, axis=0)[:nz]
    lines = xp.fft.ifft(lines, axis=1)[:, :ny]
    return xp.fft.irfft(lines, n=px, axis=2)[:, :, :nx]


def _mirrored_index(period: int) -> NDArray[np.intp]:
    """Where each frequency of a full transform stands in a spectrum that holds 0 to period // 2."""
    k = np.arange(period)
    return np.asarray(np.minimum(k, period - k))


def _each(work: Callable[[slice], None], count: int, bytes_each: int, workers: int) -> None:
    step = max(1, min(_SLICE_BYTES // bytes_each, -(-count // workers)))
    parts: Sequence[slice] = [slice(i, min(i + step, count)) for i in range(0, count, step)]
    if workers == 1:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, parts))
