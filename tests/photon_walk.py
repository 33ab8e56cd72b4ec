"""Photons followed one by one in water without bounds: photoelectric effect and scattering on free electrons.

Electrons deposit where they are set free, photons below 2 keV on the spot; coherent scattering is left out. No
splitting, no shells, no table of kernels: a few lines that share nothing with what they test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from nichedose.fields.grid import Array

ELECTRON_MEV = 0.51099895
_LOWEST_MEV = 2e-3


def walk(
    start_MeV: float, count: int, attenuation: Callable[[Array], tuple[Array, Array]], rng: np.random.Generator
) -> Iterator[tuple[Array, Array]]:
    """From a point, collision by collision: distance from the source (cm) and energy deposited there (MeV).

    ``attenuation(energy_MeV)`` gives 1/cm and the photoelectric share of it.
    """
    position, direction = np.zeros((count, 3)), np.tile([0.0, 0.0, 1.0], (count, 1))
    energy = np.full(count, start_MeV)
    while len(energy):
        total, photo = attenuation(energy)
        position += direction * (rng.exponential(size=len(energy)) / total)[:, None]
        cosine = _compton_cosine(energy, rng)
        kept = energy / (1.0 + energy / ELECTRON_MEV * (1.0 - cosine))
        kept[(rng.random(len(energy)) < photo) | (kept < _LOWEST_MEV)] = 0.0
        yield np.sqrt((position**2).sum(axis=1)), energy - kept
        turned = rng.normal(size=direction.shape)  # a random direction at right angles to the old one
        turned -= (turned * direction).sum(axis=1, keepdims=True) * direction
        turned /= np.sqrt((turned**2).sum(axis=1, keepdims=True))
        direction = direction * cosine[:, None] + turned * np.sqrt(1.0 - cosine**2)[:, None]
        alive = kept > 0.0
        position, direction, energy = position[alive], direction[alive], kept[alive]


def klein_nishina(energy_MeV: Array) -> tuple[Array, Array]:
    """Cross section of a free electron over pi r_e^2, and the mean share of the energy that the electron takes."""
    cosine, weight = np.polynomial.legendre.leggauss(40)
    ratio = 1.0 / (1.0 + energy_MeV[:, None] / ELECTRON_MEV * (1.0 - cosine))
    shape = ratio**2 * (ratio + 1.0 / ratio - 1.0 + cosine**2) * weight
    return shape.sum(axis=1), (shape * (1.0 - ratio)).sum(axis=1) / shape.sum(axis=1)


def _compton_cosine(energy: Array, rng: np.random.Generator) -> Array:
    cosine, left = np.empty(len(energy)), np.arange(len(energy))
    while len(left):
        tried = rng.uniform(-1.0, 1.0, len(left))
        ratio = 1.0 / (1.0 + energy[left] / ELECTRON_MEV * (1.0 - tried))
        taken = rng.random(len(left)) < 0.5 * ratio**2 * (ratio + 1.0 / ratio - 1.0 + tried**2)
        cosine[left[taken]] = tried[taken]
        left = left[~taken]
    return cosine
