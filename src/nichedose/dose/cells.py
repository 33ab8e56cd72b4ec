"""S values between the parts of one cell: concentric spheres of cell and nucleus."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np

from nichedose.dose.geometry import cap_fraction, deposited_MeV, sphere_overlap_um3, sphere_volume_um3
from nichedose.dose.kernels import Daughters, RadialKernel, charged_qualities, radial_kernel
from nichedose.dose.result import Quality
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["CellPart", "cell_s_values", "nucleus_s_values"]

CellPart = Literal["nucleus", "cytoplasm", "surface", "cell"]
PARTS: tuple[CellPart, ...] = ("nucleus", "cytoplasm", "surface", "cell")


def cell_s_values(
    nuclide: str,
    cell_radius_um: float,
    nucleus_radius_um: float,
    daughters: Daughters = "none",
    quality: Quality | None = None,
) -> dict[tuple[CellPart, CellPart], float]:
    """Mean dose in a target part per decay spread evenly over a source part, Gy, keyed ``(target, source)``.

    The nucleus is a sphere in the middle of a spherical cell in unbounded water; cytoplasm is the cell without nucleus;
    the surface is infinitely thin. ``("surface", "surface")`` is absent: dose on an infinitely thin source has no
    limit. ``quality`` None sums the charged qualities. Raises `BadInput` unless 0 < nucleus radius < cell radius.
    """
    _check(cell_radius_um, nucleus_radius_um)
    qualities = charged_qualities(nuclide, daughters) if quality is None else (quality,)
    pairs = [pair for pair in itertools.product(PARTS, PARTS) if pair != ("surface", "surface")]
    radii = float(cell_radius_um), float(nucleus_radius_um)
    kernels = [radial_kernel(nuclide, q, daughters) for q in qualities]
    return {pair: sum(_s_value(kernel, *radii, *pair) for kernel in kernels) for pair in pairs}


@lru_cache(maxsize=1024)
def nucleus_s_values(
    nuclide: str,
    quality: Quality,
    daughters: Daughters,
    longest_half_life_h: float,
    cell_radius_um: float,
    nucleus_radius_um: float,
) -> dict[CellPart, float]:
    """Dose to the nucleus from the cell's surface, cytoplasm and whole volume, Gy per decay, of one quality."""
    _check(cell_radius_um, nucleus_radius_um)
    kernel = radial_kernel(nuclide, quality, daughters, longest_half_life_h)
    sources: tuple[CellPart, ...] = ("surface", "cytoplasm", "cell")
    return {source: _s_value(kernel, cell_radius_um, nucleus_radius_um, "nucleus", source) for source in sources}


def _check(cell_radius_um: float, nucleus_radius_um: float) -> None:
    if not (np.isfinite(cell_radius_um) and 0.0 < nucleus_radius_um < cell_radius_um):
        raise BadInput(f"Radii of cell ({cell_radius_um} um) and nucleus ({nucleus_radius_um} um): the nucleus must be "
                       "above 0 and smaller than the cell.")


def _s_value(kernel: RadialKernel, cell_um: float, nucleus_um: float, target: CellPart, source: CellPart) -> float:
    # energy per target volume; with the surface as target reciprocity turns it round
    body, start = (source, target) if target == "surface" else (target, source)
    fraction = _fraction(body, start, cell_um, nucleus_um)
    return deposited_MeV(kernel, fraction) / _volume(body, cell_um, nucleus_um) * GY_PER_MEV_PER_UM3


def _spheres(part: CellPart, cell_um: float, nucleus_um: float) -> list[tuple[float, float]]:
    """A part as spheres with signs: (sign, radius)."""
    cell, nucleus = (1.0, cell_um), (1.0, nucleus_um)
    return {"cell": [cell], "nucleus": [nucleus], "cytoplasm": [cell, (-1.0, nucleus_um)]}[part]


def _volume(part: CellPart, cell_um: float, nucleus_um: float) -> float:
    return sum(sign * sphere_volume_um3(radius) for sign, radius in _spheres(part, cell_um, nucleus_um))


def _fraction(target: CellPart, source: CellPart, cell_um: float, nucleus_um: float) -> Callable[[Array], Array]:
    """Of steps of a length from random points of the source in random directions, the share that ends in the target."""
    targets = _spheres(target, cell_um, nucleus_um)
    if source == "surface":
        return lambda x: np.asarray(sum(sign * cap_fraction(cell_um, radius, x) for sign, radius in targets))
    sources = _spheres(source, cell_um, nucleus_um)
    volume = _volume(source, cell_um, nucleus_um)
    return lambda x: np.asarray(sum(
        s * t * sphere_overlap_um3(a, b, x) for (s, a), (t, b) in itertools.product(sources, targets)) / volume)
