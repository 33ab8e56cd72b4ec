"""Where monoenergetic electrons from a point in water leave their energy, scattering included."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from scipy.interpolate import PchipInterpolator

from nichedose.fields.grid import Array

__all__ = ["ElectronTable", "csda_range_um", "electron_table", "fold_electrons"]

_BLOCK = 1 << 20  # (electron energies x radii) handled at once


@dataclass(frozen=True)
class ElectronTable:
    """Monoenergetic kernels: ``cumulative`` (n_energy, n_x) fraction of the energy within ``scaled_range`` (n_x,) CSDA
    ranges, ``slope`` its derivative there, for ``energy_MeV`` (n_energy,) with ``csda_um``."""

    energy_MeV: Array
    csda_um: Array
    scaled_range: Array
    cumulative: Array
    slope: Array

    def without(self, energy_MeV: float) -> ElectronTable:
        """The table with one energy left out, to test the interpolation."""
        kept = ~np.isclose(self.energy_MeV, energy_MeV)
        return ElectronTable(self.energy_MeV[kept], self.csda_um[kept], self.scaled_range, self.cumulative[kept],
                             self.slope[kept])


@lru_cache(maxsize=1)
def electron_table() -> ElectronTable:
    """The shipped table, 3 keV to 2.5 MeV; provenance in ``dose/data/PROVENANCE.md``."""
    text = (files("nichedose.dose") / "data" / "electron_kernels_water.csv").read_text(encoding="utf-8").splitlines()
    energies = np.array(text[1].split(",")[1:], dtype=float) * 1e-3
    csda = np.array(text[3].split(",")[1:], dtype=float)
    rows = np.array([line.split(",") for line in text[4:]], dtype=float)
    scaled_range, cumulative = rows[:, 0], rows[:, 1:].T
    slope = np.asarray(PchipInterpolator(scaled_range, cumulative, axis=1).derivative()(scaled_range))
    return ElectronTable(energies, csda, scaled_range, cumulative, slope)


def csda_range_um(energy_MeV: Array, table: ElectronTable | None = None) -> Array:
    """CSDA range in water; log-log between the table's energies, a power law outside them."""
    table = table or electron_table()
    x, y = np.log(table.energy_MeV), np.log(table.csda_um)
    log_energy = np.log(energy_MeV)
    inside = PchipInterpolator(x, y)(np.clip(log_energy, x[0], x[-1]))
    low = (y[1] - y[0]) / (x[1] - x[0]) * np.minimum(log_energy - x[0], 0.0)
    high = (y[-1] - y[-2]) / (x[-1] - x[-2]) * np.maximum(log_energy - x[-1], 0.0)
    return np.asarray(np.exp(inside + low + high))


def fold_electrons(energy_MeV: Array, per_decay: Array, radius_um: Array, table: ElectronTable | None = None) -> Array:
    """Energy within each radius of a point source, MeV per decay, (n_radius,), summed over electrons (n,).

    Between two energies of the table the cumulative fractions at equal scaled range are mixed linearly in log energy.
    Below the lowest its shape shrinks with the radius that holds 90 % of the energy, a power law through the two lowest
    energies; above the highest its shape is kept, with the CSDA range extrapolated.
    """
    table = table or electron_table()
    total = np.zeros(len(radius_um))
    step = max(1, _BLOCK // max(len(radius_um), 1))
    for start in range(0, len(energy_MeV), step):
        part = slice(start, start + step)
        weights = energy_MeV[part] * per_decay[part]
        total += weights @ _cumulative(energy_MeV[part], radius_um, table)
    return total


def _length_um(energy_MeV: Array, table: ElectronTable) -> Array:
    """What radii are scaled with: the CSDA range; below the table the lowest range times the power law of X90.

    Slower electrons turn more often, so X90 falls faster than the range (0.787, 0.773, 0.731 of it at 7, 5 and 3 keV).
    """
    x90 = np.array([np.interp(0.9, table.cumulative[i], table.scaled_range) * table.csda_um[i] for i in (0, 1)])
    power = np.log(x90[1] / x90[0]) / np.log(table.energy_MeV[1] / table.energy_MeV[0])
    below = table.csda_um[0] * (energy_MeV / table.energy_MeV[0]) ** power
    return np.where(energy_MeV < table.energy_MeV[0], below, csda_range_um(energy_MeV, table))


def _cumulative(energy_MeV: Array, radius_um: Array, table: ElectronTable) -> Array:
    """Fraction of each electron's energy within each radius, (n, n_radius): cubic Hermite along the scaled range."""
    grid = table.scaled_range
    position = np.interp(np.log(energy_MeV), np.log(table.energy_MeV), np.arange(len(table.energy_MeV), dtype=float))
    low = np.minimum(position.astype(int), len(table.energy_MeV) - 2)
    mix = (position - low)[:, None]
    value = (1.0 - mix) * table.cumulative[low] + mix * table.cumulative[low + 1]
    slope = (1.0 - mix) * table.slope[low] + mix * table.slope[low + 1]
    x = np.minimum(radius_um[None, :] / _length_um(energy_MeV, table)[:, None], grid[-1])
    k = np.minimum(np.searchsorted(grid, x, side="right") - 1, len(grid) - 2)
    width = grid[k + 1] - grid[k]
    u = (x - grid[k]) / width
    left, right = np.take_along_axis(value, k, axis=1), np.take_along_axis(value, k + 1, axis=1)
    tangents = (np.take_along_axis(slope, k, axis=1) * (1.0 - u) - np.take_along_axis(slope, k + 1, axis=1) * u) * width
    blend = u * u * (3.0 - 2.0 * u)
    return np.asarray(left + (right - left) * blend + u * (1.0 - u) * tangents)
