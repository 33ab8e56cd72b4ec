"""Where monoenergetic electrons from a point in water leave their energy, scattering included."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files

import numpy as np
from scipy.interpolate import PchipInterpolator

from nichedose.fields.grid import Array

__all__ = ["ElectronTable", "csda_range_um", "electron_table", "fold_electrons"]

_BLOCK = 48  # radii handled at once


@dataclass(frozen=True)
class ElectronTable:
    """Monoenergetic kernels: ``cumulative`` (n_energy, n_x) fraction of the energy within ``scaled_range`` (n_x,) CSDA
    ranges, for ``energy_MeV`` (n_energy,) with ``csda_um``. The ranges start at 0 and rise in even steps at first."""

    energy_MeV: Array
    csda_um: Array
    scaled_range: Array
    cumulative: Array

    @cached_property
    def cubics(self) -> Array:
        """Coefficients of monotone cubics in the distance from each knot, (4, n_energy, n_x - 1), constant first."""
        spline = PchipInterpolator(self.scaled_range, self.cumulative, axis=1)
        return np.ascontiguousarray(spline.c[::-1].swapaxes(1, 2))

    @cached_property
    def log_range(self) -> PchipInterpolator:
        """ln(CSDA range, um) over ln(energy, MeV)."""
        return PchipInterpolator(np.log(self.energy_MeV), np.log(self.csda_um))

    @cached_property
    def even_knots(self) -> int:
        """How many of the scaled ranges stand in even steps from 0."""
        return int(np.argmin(np.isclose(np.diff(self.scaled_range), self.scaled_range[1]))) + 1

    def without(self, energy_MeV: float) -> ElectronTable:
        """The table with one energy left out, to test the interpolation."""
        kept = ~np.isclose(self.energy_MeV, energy_MeV)
        return ElectronTable(self.energy_MeV[kept], self.csda_um[kept], self.scaled_range, self.cumulative[kept])


@lru_cache(maxsize=1)
def electron_table() -> ElectronTable:
    """The shipped table, 3 keV to 2.5 MeV; provenance in ``dose/data/PROVENANCE.md``."""
    text = (files("nichedose.dose") / "data" / "electron_kernels_water.csv").read_text(encoding="utf-8").splitlines()
    energies = np.array(text[1].split(",")[1:], dtype=float) * 1e-3
    csda = np.array(text[3].split(",")[1:], dtype=float)
    rows = np.array([line.split(",") for line in text[4:]], dtype=float)
    return ElectronTable(energies, csda, rows[:, 0], np.ascontiguousarray(rows[:, 1:].T))


def csda_range_um(energy_MeV: Array, table: ElectronTable | None = None) -> Array:
    """CSDA range in water; log-log between the table's energies, a power law outside them."""
    table = table or electron_table()
    x, y = np.log(table.energy_MeV), np.log(table.csda_um)
    log_energy = np.log(energy_MeV)
    inside = table.log_range(np.clip(log_energy, x[0], x[-1]))
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
    length, grid = _length_um(energy_MeV, table), table.scaled_range
    order = np.argsort(length)
    length, weight = length[order], (energy_MeV * per_decay)[order]
    cubics = _between_energies(energy_MeV[order], table, table.cubics)
    stopped = weight * _between_energies(energy_MeV[order], table, table.cumulative[:, -1:])[:, 0]
    # sums over all lines that stop within a radius, and over all for which it lies before the first knot
    short = np.append(0.0, np.cumsum(stopped))
    long = [np.append(np.cumsum((weight * c / length**n)[::-1])[::-1], 0.0) for n, c in enumerate(cubics[..., 0])]
    total, rising = np.empty(len(radius_um)), np.argsort(radius_um)
    for part in np.array_split(rising, -(-len(rising) // _BLOCK)):
        r = radius_um[part]
        a, b = np.searchsorted(length, [r[0] / grid[-1], r[-1] / grid[1]])
        within = _within(r / length[a:b, None], cubics[:, a:b], table)
        total[part] = short[a] + np.einsum("i,ij->j", weight[a:b], within) + np.polyval([c[b] for c in long[::-1]], r)
    return total


def _length_um(energy_MeV: Array, table: ElectronTable) -> Array:
    """What radii are scaled with: the CSDA range; below the table the lowest range times the power law of X90.

    Slower electrons turn more often, so X90 falls faster than the range (0.787, 0.773, 0.731 of it at 7, 5 and 3 keV).
    """
    x90 = np.array([np.interp(0.9, table.cumulative[i], table.scaled_range) * table.csda_um[i] for i in (0, 1)])
    power = np.log(x90[1] / x90[0]) / np.log(table.energy_MeV[1] / table.energy_MeV[0])
    below = table.csda_um[0] * (energy_MeV / table.energy_MeV[0]) ** power
    return np.where(energy_MeV < table.energy_MeV[0], below, csda_range_um(energy_MeV, table))


def _between_energies(energy_MeV: Array, table: ElectronTable, known: Array) -> Array:
    """What is ``known`` at the table's energies, (.., n_energy, m), at others: linear in log energy, (.., n, m)."""
    position = np.interp(np.log(energy_MeV), np.log(table.energy_MeV), np.arange(len(table.energy_MeV), dtype=float))
    low = np.minimum(position.astype(int), len(table.energy_MeV) - 2)
    return np.asarray(known[..., low, :] + (position - low)[:, None] * (known[..., low + 1, :] - known[..., low, :]))


def _within(x: Array, cubics: Array, table: ElectronTable) -> Array:
    """Fraction of each electron's energy within x of its ranges, (n, n_radius), by its cubics (4, n, n_knot - 1)."""
    grid, even = table.scaled_range, table.even_knots
    x = np.minimum(x, grid[-1])
    knot = (x * (1.0 / grid[1])).astype(np.intp)
    if x.size and x.max() >= grid[even - 1]:
        beyond = x >= grid[even - 1]
        knot[beyond] = np.minimum(np.searchsorted(grid, x[beyond], side="right") - 1, len(grid) - 2)
    u = x - grid.take(knot)
    knot += np.arange(len(x))[:, None] * cubics.shape[2]
    out = cubics[3].take(knot)
    for c in cubics[2::-1]:
        out *= u
        out += c.take(knot)
    return np.asarray(out)
