"""Convolution with an even kernel in empty surroundings, by transforms of our own.

Vector registers hold numbers of transforms that run side by side. Frequencies stay in the order in which a transform
leaves them, and the kernel's spectrum is computed in that order. Zeros of the padding are not transformed: y and x come
plane by plane, z column by column with the product and the way back, and the fully padded grid is never stored.

Real numbers are packed along y, whose period is P = 2 n: the transform of f at the n frequencies of (k + 1/4) / n
turns per voxel is that of the n complex numbers (f[j] - i f[j + n]) exp(-i pi j / 2n) at k / n turns. A product of
spectra there is a convolution in which what wraps around P changes sign; an even kernel's spectrum is real there too.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from nichedose.dose import _passes
from nichedose.dose._butterflies import ROW_BYTES
from nichedose.dose.spectral import sums_of_cosines
from nichedose.fields.grid import Array

__all__ = ["convolve_padded", "padded_periods", "padded_spectrum"]

Real = NDArray[np.floating[Any]]
Index = NDArray[np.intp]
Shape = tuple[int, int, int]
_RADICES = (4, 2, 3, 5)
_PARTS = 4  # for each thread, so that one that is held up holds up little


def padded_periods(shape: Shape, half: Shape) -> Shape:
    """The next lengths that are products of 2, 3 and 5, along y an even one, that keep what wraps out of ``shape``.

    ``half``: the largest offset of the kernel along each axis.
    """
    z, y, x = (n + h for n, h in zip(shape, half, strict=True))
    return _smooth(z), 2 * _smooth(-(-y // 2)), _smooth(x)


def padded_spectrum(octant: Array, periods: Shape, dtype: Any = np.float64) -> Real:
    """What `convolve_padded` multiplies by: (x frequencies, blocks of y, z frequencies, y within a block)."""
    z, y, x = periods
    n, lanes = y // 2, _lanes(dtype)
    blocks = -(-n // lanes)
    quarters = 4 * _order(n) + 1
    sums = sums_of_cosines(octant, [(np.arange(z // 2 + 1), z), (quarters, 2 * y), (np.arange(x // 2 + 1), x)])
    spectrum = np.zeros((x // 2 + 1, blocks, z // 2 + 1, lanes), dtype)
    for block in range(blocks):
        own = sums[:, block * lanes : (block + 1) * lanes] / (z * n * x)
        spectrum[:, block, :, : own.shape[1]] = own.transpose(2, 0, 1)
    return spectrum


def convolve_padded(field: Real, spectrum: Real, periods: Shape, workers: int = 1) -> Real:
    """``field`` (nz, ny, nx), float32 or float64, convolved in empty surroundings, in its own precision.

    ``periods`` of `padded_periods`, ``spectrum`` of `padded_spectrum` for them in the field's precision.
    """
    (nz, ny, nx), (pz, py, px), dtype = field.shape, periods, field.dtype
    n, lanes = py // 2, _lanes(dtype)
    blocks = -(-n // lanes)
    expected = (px // 2 + 1, blocks, pz // 2 + 1, lanes)
    if spectrum.shape != expected or spectrum.dtype != dtype or py % 2 or nz > pz or ny > py or nx > px:
        raise ValueError(f"field {dtype} {field.shape}, spectrum {spectrum.dtype} {spectrum.shape}, periods {periods}")
    narrow = ((0, 0), (0, 0), (0, max(0, lanes - nx)))
    wide = np.ascontiguousarray(np.pad(field, narrow) if nx < lanes else field)
    width = wide.shape[2]
    (z, z_fold), (y, _), (x, x_fold) = (_axis(length, dtype.str) for length in (pz, n, px))
    twist = _twist(n, dtype.str)
    half, out = _rows(px * blocks * nz, dtype), np.empty_like(wide)
    weights, source, result = spectrum.reshape(-1), wide.reshape(-1), out.reshape(-1)

    def space() -> tuple[Real, Real, Real]:
        ys = _rows(blocks * lanes, dtype)
        ys[:] = 0.0  # what fills the last block
        return ys, _rows(px, dtype), _rows(blocks * width, dtype)

    def forward(planes: Index) -> None:
        _passes.forward(planes, (nz, ny, width), y, x, twist, source, half, *space())

    def across(columns: Index) -> None:
        _passes.across(columns, nz, blocks, z, weights, x_fold, z_fold, half, _rows(pz, dtype))

    def backward(planes: Index) -> None:
        _passes.backward(planes, (nz, ny, width), y, x, twist, half, result, *space())

    columns = np.argsort(x_fold, kind="stable")  # a frequency and its negative share what they read of the spectrum
    passes = ((forward, np.arange(nz)), (across, columns), (backward, np.arange(nz)))
    if workers == 1:
        for work, items in passes:
            work(items)
    else:
        with ThreadPoolExecutor(workers) as pool:
            for work, items in passes:
                list(pool.map(work, np.array_split(items, min(_PARTS * workers, items.size))))
    return out[:, :, :nx]


def _smooth(length: int) -> int:
    return int(fft.next_fast_len(length, real=True))


def _lanes(dtype: Any) -> int:
    return ROW_BYTES // 2 // int(np.dtype(dtype).itemsize)


def _radices(length: int) -> list[int]:
    """Steps of a transform, two at least."""
    found = []
    for radix in _RADICES:
        while length % radix == 0:
            length //= radix
            found.append(radix)
    if length > 1:
        raise ValueError(f"a length with the factor {length}; it must be a product of 2, 3 and 5")
    return found + [1] * (2 - len(found))


def _order(length: int) -> Index:
    """The frequency that each row holds after a transform."""
    order, step = np.zeros(1, np.intp), 1
    for radix in _radices(length):
        order = (order[:, None] + step * np.arange(radix)).ravel()
        step *= radix
    return order


def _turns(k: Index, period: int) -> Array:
    """Cosines and sines of -k / period turns, one after the other."""
    angle = -2.0 * np.pi / period * (k % period)
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1).ravel()


@lru_cache(maxsize=64)
def _axis(length: int, dtype: str) -> tuple[_passes.Axis, Index]:
    """A transform, and the frequency that each row holds after it, negative ones as positive ones."""
    twiddles, rest, radices = [], length, _radices(length)
    for radix in radices[:-1]:
        twiddles.append(_turns(np.outer(np.arange(rest // radix), np.arange(1, radix)).ravel(), rest))
        rest //= radix
    axis = _passes.Axis(length, np.array(radices, np.intp), np.concatenate(twiddles).astype(np.dtype(dtype)))
    order = _order(length)
    return axis, np.minimum(order, length - order)


@lru_cache(maxsize=64)
def _twist(n: int, dtype: str) -> Real:
    return np.asarray(_turns(np.arange(n), 4 * n), dtype=np.dtype(dtype))


def _rows(count: int, dtype: np.dtype[Any]) -> Real:
    """So many rows, flat and uninitialised, aligned."""
    raw = np.empty((count + 1) * ROW_BYTES, np.uint8)
    begin = int(-raw.ctypes.data % ROW_BYTES)
    return raw[begin : begin + count * ROW_BYTES].view(dtype)
