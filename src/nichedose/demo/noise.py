"""Random numbers of the generator: streams by name, normal numbers, and smooth random fields.

Only uniform numbers are taken from NumPy, and everything derived from them is plain arithmetic, so that the section
comes out the same on every platform and with every NumPy release.
"""

from __future__ import annotations

import hashlib

import numpy as np
from scipy.special import ndtri

from nichedose.fields.grid import Array

__all__ = ["normals", "smooth_field", "stream"]

_N_WAVES = 60


def stream(seed: int, name: str) -> np.random.Generator:
    """A generator that depends on the seed and on the name of what it is for."""
    digest = hashlib.blake2b(f"{seed}|{name}".encode(), digest_size=8).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def normals(rng: np.random.Generator, size: int | tuple[int, ...]) -> Array:
    """Standard normal numbers by inversion, one uniform each."""
    return np.asarray(ndtri(rng.random(size)))


def smooth_field(seed: int, name: str, x_um: Array, y_um: Array, length_um: float) -> Array:
    """A Gaussian-like random field with mean 0, variance 1 and correlation length ``length_um``.

    A sum of cosine waves whose wave vectors are normal: covariance exp(-r^2 / (2 length^2)).
    """
    rng = stream(seed, name)
    k = normals(rng, (_N_WAVES, 2)) / length_um
    phase = 2.0 * np.pi * rng.random(_N_WAVES)
    field = np.zeros(np.broadcast(x_um, y_um).shape)
    for (kx, ky), shift in zip(k, phase, strict=True):
        field += np.cos(kx * x_um + ky * y_um + shift)
    return np.asarray(field * np.sqrt(2.0 / _N_WAVES))
