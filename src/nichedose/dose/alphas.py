"""Straight alpha tracks in water: stopping power, range, and energy left along the track."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator

from nichedose.dose.units import DENSITY_G_PER_CM3
from nichedose.fields.grid import Array

__all__ = [
    "alpha_energy_MeV", "alpha_range_um", "alpha_stopping_keV_per_um", "dose_mean_let_keV_per_um", "fold_alphas",
]

_LOWEST_MEV = 1e-3  # below it what is left is deposited on the spot (0.01 um)


@lru_cache(maxsize=1)
def _stopping() -> PchipInterpolator:
    """ln(stopping power, MeV/um) over ln(energy, MeV)."""
    lines = (files("nichedose.dose") / "data" / "alpha_stopping_water.csv").read_text(encoding="utf-8").splitlines()[2:]
    table = np.array([line.split(",") for line in lines], dtype=float)
    return PchipInterpolator(np.log(table[:, 0]), np.log(table[:, 1] * DENSITY_G_PER_CM3 * 1e-4))


@lru_cache(maxsize=1)
def _tracks() -> tuple[Array, Array]:
    """Energies (MeV) and CSDA ranges (um) on a fine grid from 0 to 12.5 MeV."""
    log_energy = np.linspace(np.log(_LOWEST_MEV), np.log(12.5), 4001)
    energy = np.exp(log_energy)
    length = CubicSpline(log_energy, energy / np.exp(_stopping()(log_energy))).antiderivative()(log_energy)
    first = 2.0 * _LOWEST_MEV / np.exp(_stopping()(log_energy[0]))  # stopping goes as the root of energy down there
    return np.concatenate([[0.0], energy]), np.concatenate([[0.0], length - length[0] + first])


def alpha_stopping_keV_per_um(energy_MeV: Array) -> Array:
    """Electronic stopping power (unrestricted LET) of water; NIST ASTAR, 1 keV to 12.5 MeV."""
    return np.asarray(1e3 * np.exp(_stopping()(np.log(np.clip(energy_MeV, _LOWEST_MEV, 12.5)))))


def alpha_range_um(energy_MeV: Array) -> Array:
    """CSDA range in water."""
    energy, length = _tracks()
    return np.asarray(np.interp(energy_MeV, energy, length))


def alpha_energy_MeV(range_um: Array) -> Array:
    """Energy that is left when ``range_um`` of CSDA range is left; 0 for 0 and below. Inverse of `alpha_range_um`."""
    energy, length = _tracks()
    return np.asarray(np.interp(range_um, length, energy))


def dose_mean_let_keV_per_um(energy_MeV: Array) -> Array:
    """LET averaged over the energy that is left along the whole track: its integral over energy, over the energy."""
    energy, _ = _tracks()
    let = alpha_stopping_keV_per_um(energy)
    integral = np.append(0.0, np.cumsum(0.5 * (let[1:] + let[:-1]) * np.diff(energy)))
    return np.asarray(np.interp(energy_MeV, energy, integral) / energy_MeV)


def fold_alphas(energy_MeV: Array, per_decay: Array, radius_um: Array) -> Array:
    """Energy within each radius of a point source, MeV per decay, (n_radius,): straight tracks without straggling."""
    energy, length = _tracks()
    total = np.zeros(len(radius_um))
    for line, count in zip(energy_MeV, per_decay, strict=True):
        left = np.interp(float(alpha_range_um(line)) - radius_um, length, energy, left=0.0)
        total += count * (line - left)
    return total
