"""Convolution in empty surroundings: our transforms and those of a namespace against direct sums and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import signal

from nichedose.dose.padded import convolve_padded, padded_periods, padded_spectrum
from nichedose.dose.spectral import convolve_with, even_spectrum
from nichedose.fields.grid import Array

Shape = tuple[int, int, int]


def _whole(octant: Array) -> Array:
    for axis in range(3):
        octant = np.concatenate([np.flip(np.delete(octant, 0, axis), axis), octant], axis=axis)
    return octant


def _kept(field: Array, octant: Array, method: str) -> Array:
    """What remains within the field of its convolution with the kernel of this octant."""
    full: Array = signal.convolve(field, _whole(octant), mode="full", method=method)
    return full[tuple(slice(m - 1, m - 1 + n) for m, n in zip(octant.shape, field.shape, strict=True))]


def _shape(rng: np.random.Generator, low: int, high: int) -> Shape:
    z, y, x = rng.integers(low, high, size=3)
    return int(z), int(y), int(x)


def test_direct_sums() -> None:
    rng = np.random.default_rng(36)
    octant, field = rng.random((4, 3, 5)), rng.random((7, 8, 9))
    expected, periods = _kept(field, octant, "direct"), padded_periods((7, 8, 9), (3, 2, 4))
    for workers in (1, 2):
        found = convolve_padded(field, padded_spectrum(octant, periods), periods, workers)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(convolve_with(np, field, even_spectrum(octant, periods), periods), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_any_shape(dtype: type) -> None:
    """Flat, narrow and odd maps, kernels narrower and wider. Rounding grows with log N and the norms of both."""
    rng = np.random.default_rng(37)
    shapes = [(1, 1, 1), (1, 1, 37), (1, 37, 1), (37, 1, 1), (1, 20, 24), (2, 8, 7), (3, 9, 8)]
    for shape in [*shapes, *(_shape(rng, 1, 34) for _ in range(60))]:
        half = _shape(rng, 0, 50)
        octant, field = rng.random(tuple(h + 1 for h in half)), rng.random(shape).astype(dtype)
        periods = padded_periods(shape, half)
        found = convolve_padded(field, padded_spectrum(octant, periods, dtype), periods, workers=1 + shape[0] % 2)
        expected = _kept(field.astype(np.float64), octant, "fft")
        norms = float(np.linalg.norm(field.ravel()) * np.linalg.norm(_whole(octant).ravel()))
        rounding = float(np.finfo(dtype).eps) * math.log2(math.prod(periods)) * norms
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=rounding, err_msg=str(half))


def test_all_steps() -> None:
    """Lengths of each number of steps and each factor, first and last: a delta keeps its kernel."""
    for length in (2, 3, 4, 5, 6, 8, 9, 15, 16, 25, 27, 30, 64, 120, 125, 243):
        octant, field = np.array([[[0.5]], [[0.25]]]), np.zeros((length - 1, 2, 3))
        field[0, 1, 1] = 1.0
        periods: Shape = (length, 4, 5)
        found = convolve_padded(field, padded_spectrum(octant, periods), periods)
        expected = np.zeros_like(field)
        expected[:2, 1, 1] = octant[: length - 1, 0, 0]
        np.testing.assert_allclose(found, expected, atol=1e-15)


def test_periods() -> None:
    assert padded_periods((256, 256, 256), (100, 100, 100)) == (360, 360, 360)
    assert padded_periods((1, 1, 7), (0, 0, 0)) == (1, 2, 8)


def test_what_does_not_fit_is_not_touched() -> None:
    """Compiled code checks no bounds."""
    spectrum = padded_spectrum(np.ones((2, 2, 2)), (8, 8, 8))
    for field, periods in ((np.ones((4, 9, 4)), (8, 8, 8)), (np.ones((4, 4, 4)), (8, 10, 8)),
                           (np.ones((4, 4, 4), np.float32), (8, 8, 8))):
        with pytest.raises(ValueError, match="periods"):
            convolve_padded(field, spectrum, periods)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="factor 7"):
        padded_spectrum(np.ones((2, 2, 2)), (8, 14, 8))
