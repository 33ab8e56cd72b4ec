"""S values between the parts of one cell: spheres of cell and nucleus, the nucleus in the middle or off it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np

from nichedose.dose.apart import ball_step_fraction, shell_step_fraction
from nichedose.dose.geometry import deposited_MeV, sphere_volume_um3
from nichedose.dose.kernels import Daughters, QualityChoice, RadialKernel, radial_kernel, summed_kernel
from nichedose.dose.numbers import check_lengths, one_number
from nichedose.dose.result import Quality
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.fields.threads import one_blas_thread
from nichedose.nuclide import Source

__all__ = [
    "PAIRS", "PARTS", "CellPart", "CellShape", "cell_s_values", "check_radii", "cross_fraction", "nucleus_s_values",
    "part_volume_um3", "self_s_Gy",
]

CellPart = Literal["nucleus", "cytoplasm", "surface", "cell"]
PARTS: tuple[CellPart, ...] = ("nucleus", "cytoplasm", "surface", "cell")
PAIRS: tuple[tuple[CellPart, CellPart], ...] = tuple(
    pair for pair in itertools.product(PARTS, PARTS) if pair != ("surface", "surface"))
_DIRECTIONS = np.polynomial.legendre.leggauss(8)  # of a nucleus seen from its cell's centre


@dataclass(frozen=True)
class CellShape:
    """Radii of a cell and of its nucleus, and how far apart their centres are, um."""

    cell_um: float
    nucleus_um: float
    offset_um: float = 0.0


def cell_s_values(
    nuclide: str,
    cell_radius_um: float,
    nucleus_radius_um: float,
    daughters: Daughters = "none",
    quality: QualityChoice = None,
    nucleus_offset_um: float = 0.0,
    longest_half_life_h: float = math.inf,
    decay_data: Source | None = None,
) -> dict[tuple[CellPart, CellPart], float]:
    """Mean dose in a target part per decay spread evenly over a source part, Gy, keyed ``(target, source)``.

    Cell and nucleus are spheres in unbounded water, ``nucleus_offset_um`` between their centres; cytoplasm is the cell
    without nucleus; the surface is infinitely thin. ``("surface", "surface")`` is absent: dose on an infinitely thin
    source has no limit. ``quality``: one, several, or None for all, photons included (as kerma: at most, since most
    of their electrons leave the cell); ``decay_data``: "icrp107" or "ensdf". Progeny that live longer than
    ``longest_half_life_h``, and what follows them, are left out. Raises `BadInput` unless the nucleus is smaller than
    the cell and lies within it, and for unknown names.

    >>> f"{cell_s_values('177Lu', 7.0, 5.0)['nucleus', 'surface']:.2e}"
    '1.91e-04'
    """
    check_radii(cell_radius_um, nucleus_radius_um, nucleus_offset_um)
    shape = CellShape(float(cell_radius_um), float(nucleus_radius_um), float(nucleus_offset_um))
    kernel = summed_kernel(nuclide, daughters, quality, longest_half_life_h, decay_data)
    return dict(zip(PAIRS, _self_s_Gy(kernel, shape, PAIRS), strict=True))


@lru_cache(maxsize=1024)
@one_blas_thread
def nucleus_s_values(
    nuclide: str,
    quality: Quality,
    daughters: Daughters,
    longest_half_life_h: float,
    cell_radius_um: float,
    nucleus_radius_um: float,
    decay_data: Source | None = None,
) -> dict[CellPart, float]:
    """Dose to the nucleus from the cell's surface, cytoplasm and whole volume, Gy per decay, of one quality."""
    check_radii(cell_radius_um, nucleus_radius_um)
    kernel = radial_kernel(nuclide, quality, daughters, longest_half_life_h, decay_data)
    sources: tuple[CellPart, ...] = ("surface", "cytoplasm", "cell")
    shape = CellShape(cell_radius_um, nucleus_radius_um)
    return dict(zip(sources, _self_s_Gy(kernel, shape, [("nucleus", source) for source in sources]), strict=True))


def check_radii(cell_radius_um: float, nucleus_radius_um: float, nucleus_offset_um: float = 0.0) -> None:
    """Raise `BadInput` unless 0 < nucleus < cell and the nucleus, ``nucleus_offset_um`` off the middle, lies inside."""
    for name, value in (("cell_radius_um", cell_radius_um), ("nucleus_radius_um", nucleus_radius_um),
                        ("nucleus_offset_um", nucleus_offset_um)):
        one_number(name, value, "um")
    if not (np.isfinite(cell_radius_um) and 0.0 < nucleus_radius_um < cell_radius_um):
        raise BadInput(f"Radii of cell ({cell_radius_um} um) and nucleus ({nucleus_radius_um} um): the nucleus must be "
                       "above 0 and smaller than the cell.")
    check_lengths("Radii of cell and nucleus", (cell_radius_um, nucleus_radius_um))
    room = cell_radius_um - nucleus_radius_um
    if not 0.0 <= nucleus_offset_um <= room * (1.0 + 1e-12):
        raise BadInput(f"nucleus_offset_um = {nucleus_offset_um}; it must lie between 0 and {room:g} um, where the "
                       "nucleus touches the cell's surface.")


def part_volume_um3(part: CellPart, shape: CellShape) -> float:
    """Volume of a part that has one."""
    return sum(sign * sphere_volume_um3(radius) for sign, radius, _ in _balls(part, shape))


def cross_fraction(
    target: CellPart, source: CellPart, target_cell: CellShape, source_cell: CellShape, apart_um: float
) -> Callable[[Array], Array]:
    """Of steps of a length from random points of the source in random directions, the share that ends in the target.

    They are parts of two cells whose centres are ``apart_um`` apart; nuclei off the middle point anywhere. The target
    has a volume.
    """
    pairs = [(weight, a, b, *_distances(apart_um, here, there))
             for weight, (a, here), (b, there) in _pairs(target, source, target_cell, source_cell)]
    between = _share(source)
    return lambda x: np.asarray(sum(
        weight * (between(a, b, at, np.asarray(x)[..., None]) @ share) for weight, a, b, at, share in pairs))


def self_s_Gy(kernel: RadialKernel, shape: CellShape, target: CellPart, source: CellPart) -> float:
    """Mean dose in one part per decay in another of the same cell, of one kernel."""
    return _self_s_Gy(kernel, shape, ((target, source),))[0]


def _self_s_Gy(kernel: RadialKernel, shape: CellShape, parts: Sequence[tuple[CellPart, CellPart]]) -> list[float]:
    """Of pairs of target and source: sums over the few pairs of balls, each computed once."""

    @cache
    def between_MeV(share: Callable[..., Array], a: float, b: float, apart: float) -> float:
        if share is ball_step_fraction and a > b:  # reciprocity
            return between_MeV(share, b, a, apart) * (b / a) ** 3
        kinks = [abs(x) for edge in (0.0, abs(a - b), a + b) for x in (edge - apart, edge + apart)]
        return deposited_MeV(kernel, lambda step: share(a, b, apart, step), kinks)

    def one_Gy(target: CellPart, source: CellPart) -> float:
        # energy per target volume; with the surface as target reciprocity turns it round
        body, start = (source, target) if target == "surface" else (target, source)
        energy = sum(weight * between_MeV(_share(start), a, b, abs(there - here))
                     for weight, (a, here), (b, there) in _pairs(body, start, shape, shape))
        return energy / part_volume_um3(body, shape) * GY_PER_MEV_PER_UM3

    return [one_Gy(*pair) for pair in parts]


def _share(source: CellPart) -> Callable[..., Array]:
    return shell_step_fraction if source == "surface" else ball_step_fraction


def _pairs(
    target: CellPart, source: CellPart, target_cell: CellShape, source_cell: CellShape
) -> list[tuple[float, tuple[float, float], tuple[float, float]]]:
    """Pairs of a source and a target ball, (radius, offset) each, with the weight of the pair's step fraction."""
    targets = _balls(target, target_cell)
    if source == "surface":
        return [(sign, (source_cell.cell_um, 0.0), (b, there)) for sign, b, there in targets]
    volume = part_volume_um3(source, source_cell)
    return [(s * t * sphere_volume_um3(a) / volume, (a, here), (b, there))
            for (s, a, here), (t, b, there) in itertools.product(_balls(source, source_cell), targets)]


def _distances(apart_um: float, here_um: float, there_um: float) -> tuple[Array, Array]:
    """Distances of two points that lie off two centres in random directions, and their shares."""
    at, share = np.array([apart_um]), np.ones(1)
    for offset in (here_um, there_um):
        if offset > 0.0:
            cosine, weight = _DIRECTIONS
            at = np.sqrt(at[:, None] ** 2 + offset**2 + 2.0 * at[:, None] * offset * cosine).ravel()
            share = (share[:, None] * (0.5 * weight)).ravel()
    return at, share


def _balls(part: CellPart, shape: CellShape) -> list[tuple[float, float, float]]:
    """A part as balls with signs: (sign, radius, distance of its centre from the cell's)."""
    cell, nucleus = (1.0, shape.cell_um, 0.0), (1.0, shape.nucleus_um, shape.offset_um)
    return {"cell": [cell], "nucleus": [nucleus], "cytoplasm": [cell, (-1.0, *nucleus[1:])]}[part]
