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


def nist_water(energy_MeV: Array) -> tuple[Array, Array]:
    """Attenuation (1/cm) of water of free electrons, and the photoelectric share of it.

    Klein-Nishina on 3.343e23 electrons per g; the photoelectric effect is what mu_en/rho of NIST Standard Reference
    Database 126 (Hubbell and Seltzer) leaves beyond their share, and a power law above 60 keV.
    """
    return np.interp(energy_MeV, _GRID_MEV, _TOTAL), np.interp(energy_MeV, _GRID_MEV, _SHARE)


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


_ELECTRONS_PER_G = 3.343e23
_PI_R2_CM2 = np.pi * 2.8179403e-13**2
_GRID_MEV = np.geomspace(1.9e-3, 0.5, 400)
_ABSORPTION = np.array([(2, 615.2), (3, 191.7), (4, 81.91), (6, 24.05), (8, 9.915), (10, 4.944), (15, 1.374),
                        (20, 0.5503), (30, 0.1557), (40, 0.06947), (50, 0.04223), (60, 0.03190)]).T  # keV, cm2/g


def _water() -> tuple[Array, Array]:
    """Attenuation and the photoelectric share on the grid."""
    sigma, share = klein_nishina(_ABSORPTION[0] * 1e-3)
    log_photo = np.log(_ABSORPTION[1] - sigma * share * _PI_R2_CM2 * _ELECTRONS_PER_G)
    x, at = np.log(_ABSORPTION[0] * 1e-3), np.log(_GRID_MEV)
    steep = (log_photo[-1] - log_photo[-4]) / (x[-1] - x[-4])
    photo = np.exp(np.interp(at, x, log_photo) + steep * np.maximum(at - x[-1], 0.0))
    total = klein_nishina(_GRID_MEV)[0] * _PI_R2_CM2 * _ELECTRONS_PER_G + photo
    return total, photo / total


_TOTAL, _SHARE = _water()
