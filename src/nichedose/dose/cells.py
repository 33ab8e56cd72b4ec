"""S values between the parts of one cell: spheres of cell and nucleus, the nucleus in the middle or off it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np

from nichedose.dose.apart import ball_step_fraction, shell_step_fraction
from nichedose.dose.geometry import deposited_MeV, sphere_volume_um3
from nichedose.dose.kernels import Daughters, RadialKernel, charged_qualities, radial_kernel
from nichedose.dose.result import Quality
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.fields.threads import one_blas_thread

__all__ = [
    "PAIRS", "PARTS", "CellPart", "cell_s_values", "check_radii", "nucleus_s_values", "part_volume_um3",
    "step_fraction",
]

CellPart = Literal["nucleus", "cytoplasm", "surface", "cell"]
PARTS: tuple[CellPart, ...] = ("nucleus", "cytoplasm", "surface", "cell")
PAIRS: tuple[tuple[CellPart, CellPart], ...] = tuple(
    pair for pair in itertools.product(PARTS, PARTS) if pair != ("surface", "surface"))


def cell_s_values(
    nuclide: str,
    cell_radius_um: float,
    nucleus_radius_um: float,
    daughters: Daughters = "none",
    quality: Quality | None = None,
    nucleus_offset_um: float = 0.0,
    longest_half_life_h: float = math.inf,
) -> dict[tuple[CellPart, CellPart], float]:
    """Mean dose in a target part per decay spread evenly over a source part, Gy, keyed ``(target, source)``.

    Cell and nucleus are spheres in unbounded water, ``nucleus_offset_um`` between their centres; cytoplasm is the cell
    without nucleus; the surface is infinitely thin. ``("surface", "surface")`` is absent: dose on an infinitely thin
    source has no limit. ``quality`` None sums the charged qualities. Progeny that live longer than
    ``longest_half_life_h``, and what follows them, are left out. Raises `BadInput` unless the nucleus is smaller than
    the cell and lies within it.

    >>> f"{cell_s_values('177Lu', 7.0, 5.0)['nucleus', 'surface']:.2e}"
    '1.90e-04'
    """
    check_radii(cell_radius_um, nucleus_radius_um, nucleus_offset_um)
    qualities = charged_qualities(nuclide, daughters, longest_half_life_h) if quality is None else (quality,)
    geometry = float(cell_radius_um), float(nucleus_radius_um), float(nucleus_offset_um)
    kernels = [radial_kernel(nuclide, q, daughters, longest_half_life_h) for q in qualities]
    return {pair: sum(_s_value(kernel, *geometry, *pair) for kernel in kernels) for pair in PAIRS}


@lru_cache(maxsize=1024)
@one_blas_thread
def nucleus_s_values(
    nuclide: str,
    quality: Quality,
    daughters: Daughters,
    longest_half_life_h: float,
    cell_radius_um: float,
    nucleus_radius_um: float,
) -> dict[CellPart, float]:
    """Dose to the nucleus from the cell's surface, cytoplasm and whole volume, Gy per decay, of one quality."""
    check_radii(cell_radius_um, nucleus_radius_um)
    kernel = radial_kernel(nuclide, quality, daughters, longest_half_life_h)
    sources: tuple[CellPart, ...] = ("surface", "cytoplasm", "cell")
    return {source: _s_value(kernel, cell_radius_um, nucleus_radius_um, 0.0, "nucleus", source) for source in sources}


def check_radii(cell_radius_um: float, nucleus_radius_um: float, nucleus_offset_um: float = 0.0) -> None:
    """Raise `BadInput` unless 0 < nucleus < cell and the nucleus, ``nucleus_offset_um`` off the middle, lies inside."""
    if not (np.isfinite(cell_radius_um) and 0.0 < nucleus_radius_um < cell_radius_um):
        raise BadInput(f"Radii of cell ({cell_radius_um} um) and nucleus ({nucleus_radius_um} um): the nucleus must be "
                       "above 0 and smaller than the cell.")
    room = cell_radius_um - nucleus_radius_um
    if not 0.0 <= nucleus_offset_um <= room * (1.0 + 1e-12):
        raise BadInput(f"nucleus_offset_um = {nucleus_offset_um}; it must lie between 0 and {room:g} um, where the "
                       "nucleus touches the cell's surface.")


def part_volume_um3(part: CellPart, cell_um: float, nucleus_um: float) -> float:
    """Volume of a part that has one; radii in um."""
    return sum(sign * sphere_volume_um3(radius) for sign, radius, _ in _balls(part, cell_um, nucleus_um, 0.0))


def step_fraction(
    target: CellPart,
    source: CellPart,
    cell_um: float,
    nucleus_um: float,
    *,
    offset_um: float = 0.0,
    apart_um: float = 0.0,
) -> Callable[[Array], Array]:
    """Of steps of a length from random points of the source in random directions, the share that ends in the target.

    The target belongs to a cell whose centre is ``apart_um`` from the source's cell (0: the same cell); with
    ``offset_um`` the nuclei lie that far from their cells' centres, on the line of centres. The target has a volume.
    """
    targets = [(sign, radius, at + apart_um) for sign, radius, at in _balls(target, cell_um, nucleus_um, offset_um)]
    if source == "surface":
        return lambda x: np.asarray(sum(
            sign * shell_step_fraction(cell_um, radius, at, x) for sign, radius, at in targets))
    sources = _balls(source, cell_um, nucleus_um, offset_um)
    volume = part_volume_um3(source, cell_um, nucleus_um)
    return lambda x: np.asarray(sum(
        s * t * sphere_volume_um3(a) / volume * ball_step_fraction(a, b, abs(there - here), x)
        for (s, a, here), (t, b, there) in itertools.product(sources, targets)))


def _s_value(
    kernel: RadialKernel, cell_um: float, nucleus_um: float, offset_um: float, target: CellPart, source: CellPart
) -> float:
    # energy per target volume; with the surface as target reciprocity turns it round
    body, start = (source, target) if target == "surface" else (target, source)
    fraction = step_fraction(body, start, cell_um, nucleus_um, offset_um=offset_um)
    return deposited_MeV(kernel, fraction) / part_volume_um3(body, cell_um, nucleus_um) * GY_PER_MEV_PER_UM3


def _balls(part: CellPart, cell_um: float, nucleus_um: float, offset_um: float) -> list[tuple[float, float, float]]:
    """A part as balls with signs: (sign, radius, place of the centre on the axis)."""
    cell, nucleus = (1.0, cell_um, 0.0), (1.0, nucleus_um, offset_um)
    return {"cell": [cell], "nucleus": [nucleus], "cytoplasm": [cell, (-1.0, nucleus_um, offset_um)]}[part]
