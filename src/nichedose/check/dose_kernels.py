"""Dose: the kernels themselves: electrons of one energy, beta spectra, alphas along chords."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from nichedose.check.row import CheckRow
from nichedose.dose import cell_s_values
from nichedose.dose.electrons import electron_table, fold_electrons
from nichedose.dose.kernels import radial_kernel
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.nuclide import emissions

__all__ = ["rows"]

_EGSNRC = "EGSnrc (edknrc) in water, computed for this project"
_PENELOPE = "PENELOPE in water, computed for this project"
# keV: radii (um) that hold 50, 80, 90 and 95 % of the energy; PENELOPE from 10 to 70 keV, EGSnrc elsewhere
_RADII = {
    3: (0.157918, 0.211866, 0.230048, 0.240753), 5: (0.385539, 0.528446, 0.582721, 0.61764),
    7: (0.697638, 0.959488, 1.06334, 1.1319), 10: (1.31832, 1.85322, 2.10276, 2.29603),
    20: (4.52718, 6.27975, 7.07544, 7.68078), 30: (9.33414, 12.859, 14.4212, 15.6178),
    50: (23.0151, 31.5437, 35.2506, 38.0157), 70: (41.4319, 56.6088, 63.1454, 67.9663),
    100: (76.0026, 103.591, 115.137, 123.459), 150: (149.068, 203.389, 225.971, 242.254),
    200: (236.237, 323.075, 358.983, 384.795), 300: (438.811, 603.393, 670.998, 719.54),
    400: (665.694, 919.701, 1023.19, 1097.5), 500: (906.382, 1258.1, 1401.08, 1503.78),
    700: (1408.74, 1970.68, 2198.62, 2361.35), 1000: (2187.57, 3094.99, 3457.77, 3716.96),
    1500: (3507.02, 5020.12, 5622.68, 6053.58), 2000: (4828.53, 6970.33, 7817.82, 8425.65),
    2500: (6141.38, 8939.59, 10041.1, 10833.6),
}
_SPECTRA = {  # mm, of the beta spectrum simulated directly
    "177Lu": (0.199071, 0.451827, 0.613477, 0.755135), "90Y": (2.33932, 4.32514, 5.42775, 6.32994),
}
_SHARES = (0.50, 0.80, 0.90, 0.95)


def rows() -> list[CheckRow]:
    """All comparisons of kernels."""
    return [*_without_themselves(), *_spectra(), *_chords()]


def _without_themselves() -> list[CheckRow]:
    """Each energy predicted from its neighbours: share within the radii of the simulation, the worst of four."""
    out, table = [], electron_table()
    for energy_keV, radii in _RADII.items():
        energy = np.array([energy_keV * 1e-3])
        found = fold_electrons(energy, 1.0 / energy, np.array(radii), table.without(float(energy[0])))
        worst = int(np.argmax(np.abs(found - _SHARES)))
        out.append(CheckRow(
            id=f"dose.electron_kernel.{energy_keV}keV", source=_PENELOPE if 10 <= energy_keV <= 70 else _EGSNRC,
            kind="independent code", ours=float(found[worst]), reference=_SHARES[worst],
            tolerance=0.01 if energy_keV >= 70 else 0.04, absolute=True,
            note=f"share within {radii[worst]:g} um, predicted with this energy left out"))
    return out


def _spectra() -> list[CheckRow]:
    out = []
    for nuclide, radii in _SPECTRA.items():
        kernel = radial_kernel(nuclide, "beta")
        for share, radius in zip(_SHARES, radii, strict=True):
            out.append(CheckRow(
                id=f"dose.beta_kernel.{nuclide}.{share:.0%}", source=_EGSNRC, kind="independent code",
                ours=float(np.interp(radius * 1e3, kernel.radius_um, kernel.cumulative_MeV)) / kernel.total_MeV,
                reference=share, tolerance=0.003, absolute=True, note=f"within {radius:g} mm; spectrum simulated"))
    return out


def _chords() -> list[CheckRow]:
    """Alphas from a cell's surface: chords through the nucleus by direction, own integration of the stopping table."""
    lines = (files("nichedose.dose") / "data" / "alpha_stopping_water.csv").read_text(encoding="utf-8").splitlines()[2:]
    table = np.array([line.split(",") for line in lines], dtype=float)
    energy = np.geomspace(1e-3, 10.0, 20001)
    per_um = np.exp(np.interp(np.log(energy), np.log(table[:, 0]), np.log(table[:, 1]))) * 1e-4
    length = np.concatenate([[0.0], np.cumsum(0.5 * (1.0 / per_um[1:] + 1.0 / per_um[:-1]) * np.diff(energy))])
    out = []
    for nuclide, cell, nucleus in (("211At", 7.0, 5.0), ("225Ac", 7.0, 5.0), ("212Po", 5.0, 4.0)):
        cosine = np.linspace(np.sqrt(1.0 - (nucleus / cell) ** 2), 1.0, 20001)
        half = np.sqrt(np.maximum(nucleus**2 - cell**2 * (1.0 - cosine**2), 0.0))
        left = 0.0
        alphas = emissions(nuclide).lines["alpha"]
        for line, count in zip(alphas.energy_MeV, alphas.per_decay, strict=True):
            reach = float(np.interp(line, energy, length))
            ends = np.interp(reach - np.stack([cell * cosine - half, cell * cosine + half]), length, energy, left=0.0)
            left += count * 0.5 * float(np.trapezoid(ends[0] - ends[1], cosine))
        out.append(CheckRow(
            id=f"cells.alpha_chords.{nuclide}", source="chords by direction, own integration of ASTAR",
            kind="independent code", ours=cell_s_values(nuclide, cell, nucleus, quality="alpha")["nucleus", "surface"],
            reference=left / (4.0 / 3.0 * np.pi * nucleus**3) * GY_PER_MEV_PER_UM3, tolerance=0.01, unit="Gy/decay",
            note=f"nucleus of {nucleus:g} um from the surface of a cell of {cell:g} um"))
    return out
