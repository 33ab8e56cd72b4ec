"""Where photons from a point in water leave their energy, scattering included."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from scipy.interpolate import PchipInterpolator

from nichedose.dose.units import DENSITY_G_PER_CM3
from nichedose.fields.grid import Array

__all__ = ["PhotonTable", "attenuation_per_um", "fold_photons", "photon_density", "photon_radii", "photon_table"]

_PER_UM = 1e-4 * DENSITY_G_PER_CM3  # cm2/g -> 1/um
_END = 60.0  # mean free paths; 1e-22 of the energy lies beyond
_FINE = np.concatenate([
    [0.0], np.geomspace(2e-4, 2e-2, 9)[:-1], np.linspace(0.0, 2.0, 101)[1:], np.linspace(2.0, 12.0, 201)[1:],
    np.linspace(12.0, _END, 193)[1:]])
_SMALLEST_UM, _PER_DECADE = 1e-2, 60


@dataclass(frozen=True)
class PhotonTable:
    """``log_build_up`` (n_energy, n_path): ln of exp(x) dF/dx at ``path`` (n_path,) mean free paths x, F the share of
    the energy deposited within; ``attenuation_cm2_per_g`` (n_energy,) leaves coherent scattering out, as x does;
    ``coherent_cm2_per_g`` is that scattering, ``deposited_cm2_per_g`` the mean share deposited per path, and
    ``energy_sum`` what the simulation held before the scaling to 1."""

    energy_MeV: Array
    attenuation_cm2_per_g: Array
    coherent_cm2_per_g: Array
    deposited_cm2_per_g: Array
    energy_sum: Array
    path: Array
    log_build_up: Array

    def without(self, energy_MeV: float) -> PhotonTable:
        """The table with one energy left out, to test the interpolation."""
        kept = ~np.isclose(self.energy_MeV, energy_MeV)
        return PhotonTable(
            self.energy_MeV[kept], self.attenuation_cm2_per_g[kept], self.coherent_cm2_per_g[kept],
            self.deposited_cm2_per_g[kept], self.energy_sum[kept], self.path, self.log_build_up[kept])


@lru_cache(maxsize=1)
def photon_table() -> PhotonTable:
    """The shipped table, 1 keV to 10 MeV; provenance in ``dose/data/PROVENANCE.md``."""
    text = (files("nichedose.dose") / "data" / "photon_kernels_water.csv").read_text(encoding="utf-8").splitlines()[1:]
    head = [np.array(line.split(",")[1:], dtype=float) for line in text[:5]]
    rows = np.array([line.split(",") for line in text[5:]], dtype=float)
    energy_keV, attenuation, coherent, deposited, energy_sum = head
    return PhotonTable(energy_keV * 1e-3, attenuation, coherent, deposited, energy_sum, rows[:, 0],
                       np.log(rows[:, 1:].T))


def attenuation_per_um(energy_MeV: Array, table: PhotonTable | None = None) -> Array:
    """Attenuation of water without coherent scattering, 1/um; log-log between 1 keV and 10 MeV, power laws outside."""
    table = table or photon_table()
    x, y = np.log(table.energy_MeV), np.log(table.attenuation_cm2_per_g)
    log_energy = np.log(energy_MeV)
    inside = PchipInterpolator(x, y)(np.clip(log_energy, x[0], x[-1]))
    low = (y[1] - y[0]) / (x[1] - x[0]) * np.minimum(log_energy - x[0], 0.0)
    high = (y[-1] - y[-2]) / (x[-1] - x[-2]) * np.maximum(log_energy - x[-1], 0.0)
    return np.asarray(np.exp(inside + low + high) * _PER_UM)


def photon_radii(energy_MeV: Array) -> Array:
    """Radii (um) from 0 to where the most penetrating of the photons is gone."""
    end = _END / float(attenuation_per_um(energy_MeV).min())
    count = int(np.ceil(_PER_DECADE * np.log10(end / _SMALLEST_UM))) + 1
    return np.concatenate([[0.0], np.geomspace(_SMALLEST_UM, end, count)])


def fold_photons(energy_MeV: Array, per_decay: Array, radius_um: Array, table: PhotonTable | None = None) -> Array:
    """Energy within each radius (n_radius,) of a point source, MeV per decay, summed over photons (n,)."""
    attenuation = attenuation_per_um(energy_MeV, table)
    _, cumulative = _shapes(energy_MeV, table)
    total = np.zeros(len(radius_um))
    for line, (weight, per_um) in enumerate(zip(energy_MeV * per_decay, attenuation, strict=True)):
        x = np.minimum(radius_um * per_um, _END)
        k = np.minimum(np.searchsorted(_FINE, x, side="right") - 1, len(_FINE) - 2)
        start = _FINE[k]
        share = np.expm1(start - x) / np.expm1(start - _FINE[k + 1])  # exponential within a step
        total += weight * (cumulative[line, k] + share * (cumulative[line, k + 1] - cumulative[line, k]))
    return total


def photon_density(energy_MeV: Array, per_decay: Array, radius_um: Array) -> Array:
    """Energy per radial distance, MeV per decay and um, at radii of any shape; relative accuracy at any depth."""
    attenuation = attenuation_per_um(energy_MeV)
    build_up, _ = _shapes(energy_MeV, None)
    total = np.zeros(np.shape(radius_um))
    for line, (weight, per_um) in enumerate(zip(energy_MeV * per_decay, attenuation, strict=True)):
        x = radius_um * per_um
        total += weight * per_um * np.exp(np.interp(x, _FINE, build_up[line]) - x)
    return total


def _shapes(energy_MeV: Array, table: PhotonTable | None) -> tuple[Array, Array]:
    """ln exp(x) dF/dx and F on the fine paths, (n, n_fine), F ending at 1; outside the table the last shape is kept."""
    if table is None:
        return _kept_shapes(np.asarray(energy_MeV, dtype=float).tobytes())
    return _new_shapes(energy_MeV, table)


@lru_cache(maxsize=8)
def _kept_shapes(energies: bytes) -> tuple[Array, Array]:
    """Kernels and densities of one nuclide ask for the same lines again and again."""
    return _new_shapes(np.frombuffer(energies), photon_table())


def _new_shapes(energy_MeV: Array, table: PhotonTable) -> tuple[Array, Array]:
    x = np.log(table.energy_MeV)
    coarse = PchipInterpolator(x, table.log_build_up, axis=0)(np.clip(np.log(energy_MeV), x[0], x[-1]))
    log_g = np.asarray(PchipInterpolator(table.path, coarse, axis=1)(np.minimum(_FINE, table.path[-1])))
    slope = (coarse[:, -1] - coarse[:, -6]) / (table.path[-1] - table.path[-6])
    log_g += slope[:, None] * np.maximum(_FINE - table.path[-1], 0.0)
    middle = np.exp(0.5 * (log_g[:, 1:] + log_g[:, :-1]))
    steps = middle * -np.diff(np.exp(-_FINE))
    cumulative = np.concatenate([np.zeros((len(log_g), 1)), np.cumsum(steps, axis=1)], axis=1)
    end = cumulative[:, -1:]
    return log_g - np.log(end), cumulative / end
