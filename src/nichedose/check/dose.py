"""Dose: spheres, cells, voxels, and conservation of energy."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nichedose.check.row import CheckRow
from nichedose.dose import (
    CHARGED,
    Daughters,
    SectionGeometry,
    cell_s_values,
    energy_MeV_per_decay,
    section_dose,
    sphere_s_value,
)
from nichedose.dose.alphas import alpha_range_um, alpha_stopping_keV_per_um
from nichedose.dose.cells import CellPart
from nichedose.dose.kernels import charged_qualities, radial_kernel
from nichedose.dose.planar import voxel_kernel
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.fields.grid import Array, Grid

__all__ = ["rows"]

_HINDIE = "Hindie et al. 2016 (CELLDOSE), as tabulated in qurit/PyCNO"
_SPHERES = {10: 1.11e-3, 20: 2.33e-4, 50: 3.18e-5, 100: 6.93e-6, 200: 1.48e-6, 500: 1.69e-7, 1000: 2.94e-8,
            2000: 4.54e-9, 5000: 3.29e-10, 10000: 4.30e-11}
_CELLDOSE = "Alcocer-Avila et al. 2020 (CELLDOSE), doi:10.1186/s40658-020-00301-2"
_CELLS: dict[tuple[str, CellPart], float] = {
    ("177Lu", "surface"): 1.9, ("177Lu", "cytoplasm"): 3.0, ("177Lu", "nucleus"): 10.7,
    ("161Tb", "surface"): 5.0, ("161Tb", "cytoplasm"): 8.3, ("161Tb", "nucleus"): 38.6,
}
_OLGUIN = "Olguin et al. 2020 (Monte Carlo), as tabulated in qurit/PyCNO"


def rows() -> list[CheckRow]:
    """All comparisons of the dose room."""
    return [*_spheres(), *_actinium(), *_cells(), *_voxels(), *_ranges(), *_conservation(), *_unbounded()]


def _spheres() -> list[CheckRow]:
    return [CheckRow(
        id=f"dose.sphere.177Lu.{diameter}um", source=_HINDIE, kind="published",
        ours=sphere_s_value("177Lu", float(diameter)), reference=value, tolerance=0.03, unit="Gy/decay")
        for diameter, value in _SPHERES.items()]


def _actinium() -> list[CheckRow]:
    return [CheckRow(
        id=f"dose.sphere.225Ac.{mass:g}g", source=_OLGUIN, kind="published",
        ours=sphere_s_value("225Ac", (6.0 * mass / np.pi) ** (1.0 / 3.0) * 1e4), reference=value, tolerance=0.01,
        unit="Gy/decay", note="parent alone")
        for mass, value in ((4.3145e-3, 2.17e-7), (932.0, 1.02e-12))]


def _cells() -> list[CheckRow]:
    out = []
    for (nuclide, source), value in _CELLS.items():
        energy = energy_MeV_per_decay(nuclide)
        decays = 1436.0 / (energy["beta"] + energy["conversion"] + energy["auger"])
        ours = cell_s_values(nuclide, 7.0, 5.0, quality=CHARGED)["nucleus", source] * decays
        out.append(CheckRow(
            id=f"dose.cell.{nuclide}.{source}", source=_CELLDOSE, kind="published", ours=ours, reference=value,
            tolerance=0.05, unit="Gy", note="nucleus of a 14-um cell, 1,436 MeV of electrons released"))
    return out


def _voxels() -> list[CheckRow]:
    out = []
    for side_mm, value in ((3.0, 1.61), (6.0, 0.346)):
        side_um = side_mm * 1e3
        kernels = [radial_kernel("90Y", q) for q in charged_qualities("90Y")]
        energy = sum(float(voxel_kernel(k, "section", side_um, side_um, 1)[0, 0]) for k in kernels)
        out.append(CheckRow(
            id=f"dose.voxel.90Y.{side_mm:g}mm", source="Bolch et al., MIRD Pamphlet 17", kind="published",
            ours=energy / side_um**3 * GY_PER_MEV_PER_UM3 * 1e9, reference=value, tolerance=0.02, unit="mGy/(MBq s)",
            note="dose to a cube from itself; soft tissue there, water here"))
    return out


def _ranges() -> list[CheckRow]:
    let = CheckRow(
        id="dose.alpha_let.5.787MeV", source="NIST ASTAR, liquid water", kind="published",
        ours=float(alpha_stopping_keV_per_um(np.array([5.787]))[0]), reference=79.7, tolerance=0.03, unit="keV/um",
        note="electronic stopping power")
    return [let] + [CheckRow(
        id=f"dose.alpha_range.{energy:g}MeV", source="NIST ASTAR, liquid water", kind="published",
        ours=float(alpha_range_um(np.array([energy]))[0]), reference=value, tolerance=0.03, unit="um",
        note="CSDA; 3 % is what tables of stopping power differ by")
        for energy, value in ((5.787, 47.3), (8.376, 84.8))]


def _conservation() -> list[CheckRow]:
    """What kernels hold against what is emitted, and a spot of alphas that leaves nothing outside the map."""
    out = []
    for nuclide in ("177Lu", "90Y", "161Tb", "225Ac"):
        energy = energy_MeV_per_decay(nuclide, "equilibrium")
        kernels = [radial_kernel(nuclide, q, "equilibrium") for q in charged_qualities(nuclide, "equilibrium")]
        out.append(CheckRow(
            id=f"dose.kernel_energy.{nuclide}", source="energy emitted by charged particles", kind="self-test",
            ours=sum(k.total_MeV for k in kernels), reference=sum(energy.values()) - energy["photon"], tolerance=1e-4,
            unit="MeV", note="whole chain"))
    spot = np.zeros((31, 31))
    spot[15, 15] = 1.0
    energy = energy_MeV_per_decay("213Po")
    reference = (energy["alpha"] + energy["recoil"]) * 3.6e-6 * GY_PER_MEV_PER_UM3
    out.append(CheckRow(
        id="dose.section_energy.213Po", source="energy emitted by charged particles", kind="self-test",
        ours=_mean_dose(spot, "213Po", "isolated", "none") * spot.size, reference=reference, tolerance=1e-4, unit="Gy",
        note="a spot inside an endless slab, summed over the map"))
    return out


def _unbounded() -> list[CheckRow]:
    """A uniform section that repeats for ever absorbs everything."""
    out = []
    for nuclide, half_life, reference in (("177Lu", 159.528, 19.64), ("225Ac", 240.0, 5730.0)):
        tia = np.full((4, 5), 1e3 * half_life / np.log(2.0))  # 1 MBq/g until it has decayed
        out.append(CheckRow(
            id=f"dose.unbounded.{nuclide}", source="energy per decay x mean life, ICRP Publication 107",
            kind="analytic", ours=_mean_dose(tia, nuclide, "mirror", "equilibrium"), reference=reference,
            tolerance=1e-3, unit="Gy g/MBq"))
    return out


def _mean_dose(
    tia: Array, nuclide: str, surroundings: Literal["isolated", "mirror"], daughters: Daughters
) -> float:
    times = np.array([0.0, 1.0])
    dose = section_dose(
        Grid((tia.shape[0], tia.shape[1]), 20.0), np.ones(tia.shape, bool), nuclide, tia_MBq_h_per_L=tia, cells={},
        times_h=times, activity_MBq_per_L=np.stack([tia, tia]), cell_radius_um=7.0, nucleus_radius_um=5.0,
        geometry=SectionGeometry("slab", 1e9, surroundings, 1e9), daughters=daughters, history=False)
    return float(np.sum([d.mean() for d in dose.by_quality.values()]))
