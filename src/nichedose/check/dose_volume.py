"""Dose in 3-D and daughters that move: against the section's kernels, conservation, and the screened solve."""

from __future__ import annotations

import numpy as np

from nichedose.check.row import CheckRow
from nichedose.dose.convolve import GY_PER_MEV_MBQ_H_PER_L
from nichedose.dose.cubes import half_widths
from nichedose.dose.kernels import CHARGED, radial_kernel
from nichedose.dose.migration import Method, Mobility, migrate
from nichedose.dose.planar import voxel_kernel
from nichedose.dose.result import Quality
from nichedose.dose.volume import convolve
from nichedose.dose.yukawa import spread_yukawa
from nichedose.fields import Grid, steady_reaction_diffusion
from nichedose.fields.grid import Array, BoolArray

__all__ = ["rows"]

_METHODS: tuple[Method, Method] = ("solve", "yukawa")


def rows() -> list[CheckRow]:
    """All comparisons of 3-D convolution and migration."""
    return [*_layers(), *_conservation(), *_migration()]


def _layers() -> list[CheckRow]:
    """The hottest voxel of a spot in one layer, and of one that repeats along z beyond twice the range."""
    out = []
    cases: tuple[tuple[str, Quality, float], ...] = (("211At", "alpha", 10.0), ("177Lu", "beta", 100.0))
    for nuclide, quality, spacing in cases:
        kernel = radial_kernel(nuclide, quality)
        half = half_widths(kernel, (spacing,) * 3)[0]
        layers = 2 * half + 1
        for along_z, thickness, depth in (("slab", layers * spacing, layers), ("section", spacing, 1)):
            spot = np.zeros((depth, 7, 7))
            spot[:, 2:5, 2:4] = 1.0
            ours = convolve(spot, nuclide, spacing, quality=quality).total_Gy[depth // 2, 3, 3]
            quarter = voxel_kernel(kernel, along_z, thickness, spacing, 3)
            reference = sum(float(quarter[abs(3 - i), abs(3 - j)]) for i in range(2, 5) for j in range(2, 4))
            out.append(CheckRow(
                id=f"dose.volume.{along_z}.{nuclide}", source="line-integrated kernel of the section", kind="self-test",
                ours=float(ours), reference=reference * GY_PER_MEV_MBQ_H_PER_L, tolerance=5e-3, unit="Gy",
                note="3-D grid against the section's kernel"))
    return out


def _conservation() -> list[CheckRow]:
    out = []
    spot = np.zeros((17, 15, 15))
    spot[8, 7, 7] = 1.0
    dose = convolve(spot, "225Ac", (12.0, 15.0, 15.0), quality="alpha")
    out.append(CheckRow(
        id="dose.volume.energy.225Ac", source="energy emitted as alphas", kind="self-test",
        ours=float(dose.total_Gy.sum()), reference=radial_kernel("225Ac", "alpha").total_MeV * GY_PER_MEV_MBQ_H_PER_L,
        tolerance=1e-4, unit="Gy", note="voxels of unequal sides; nothing leaves"))
    tia = np.full((4, 5, 6), 1e3 * 159.528 / np.log(2.0))
    mirrored = convolve(tia, "177Lu", 50.0, quality=CHARGED, surroundings="mirror").total_Gy
    out.append(CheckRow(
        id="dose.volume.unbounded.177Lu", source="energy per decay x mean life, ICRP Publication 107", kind="analytic",
        ours=float(mirrored.mean()), reference=19.64, tolerance=1e-3, unit="Gy g/MBq"))
    return out


def _claims(grid: Grid, mask: BoolArray, source: Array, clearance: Array) -> list[CheckRow]:
    """Patchy vessels: what the fast path puts in the wrong place, over what it says at most; between 0 and 1."""
    solved, fast = (migrate(
        grid, mask, "225Ac", {"bound": source}, retention={"bound": 0.0}, mobility=Mobility(300.0, clearance),
        method=method).progeny for method in _METHODS)
    out = []
    for name in ("221Fr", "213Bi", "209Pb"):
        born = float(solved[name].tia_MBq_h_per_L.sum() + solved[name].washed_out.sum())
        wrong = float(np.abs(fast[name].migrated - solved[name].migrated).sum()) / born
        claim = fast[name].misplaced_fraction
        out.append(CheckRow(
            id=f"dose.migration.claim.{name}", source="screened solve, patchy vessels", kind="independent code",
            ours=wrong / claim, reference=0.5, tolerance=0.5, absolute=True,
            note=f"misplaced over what the fast path claims at most, {claim:.2g} of what is born"))
    return out


def _migration() -> list[CheckRow]:
    shape = (48, 40)
    grid, mask = Grid(shape, 20.0), np.ones(shape, bool)
    y, x = np.indices(shape)
    source = np.exp(-((y - 25.0) ** 2 + (x - 18.0) ** 2) / 128.0)
    solved = steady_reaction_diffusion(
        grid, mask, diffusivity_um2_per_s=1e4, loss_per_s=1.0, source_per_s=source).values
    fast = spread_yukawa(source, 20.0, 100.0, surroundings="mirror")
    clearance = np.where(np.random.default_rng(1).random(shape) < 0.15, 1e-3, 1e-5)
    moved = migrate(
        grid, mask, "225Ac", {"bound": source}, retention={"bound": 0.0}, mobility=Mobility(300.0, clearance))
    worst = max(abs(g.balance) for g in moved.progeny.values())
    return [
        CheckRow(id="dose.migration.yukawa", source="screened solve, uniform medium", kind="independent code",
                 ours=float(np.abs(fast - solved).max() / solved.max()), reference=0.0, tolerance=5e-3, absolute=True,
                 note="largest difference over the peak; length 100 um on 20-um voxels"),
        *_claims(grid, mask, source, clearance),
        CheckRow(id="dose.migration.balance.225Ac", source="atoms born = decayed + washed out", kind="self-test",
                 ours=worst, reference=0.0, tolerance=1e-10, absolute=True, note="worst generation"),
    ]
