"""How the kernels of a 3-D convolution are laid out: what of each is kept, on which grid, and its spectrum."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nichedose.dose.convolve import GY_PER_MEV_MBQ_H_PER_L, KernelKey
from nichedose.dose.cubes import cube_kernel, half_widths, whole_sum
from nichedose.dose.padded import padded_periods, padded_spectrum
from nichedose.dose.spectral import even_spectrum
from nichedose.dose.tail import WINDOW, core_octant, interpolation_error, tail_octant
from nichedose.fields.grid import Array

__all__ = ["Plan", "Shape", "coarse_error_MeV", "energy_held_MeV", "make_plan", "shape_of", "spectrum_of"]

Shape = tuple[int, int, int]
Real = NDArray[np.floating[Any]]
_Layout = Literal["padded", "even", "mirrored"]
_MIRROR_PERIODS = 2  # of the longest; shells further out wrap so often that they are even
_AUTO_GAIN = 1.5  # a coarse tail is used where the padded grid shrinks by this factor
_COARSE = 4


@dataclass(frozen=True)
class Plan:
    """How one kernel is laid out: ``half`` voxels of it are kept; ``coarsen`` 1 or the tail's factor."""

    key: KernelKey
    spacing: tuple[float, float, float]
    half: Shape
    periods: Shape
    coarsen: int


def make_plan(key: KernelKey, shape: Shape, spacing: tuple[float, float, float], surroundings: str,
          coarsen: int | Literal["auto"]) -> Plan:
    reach = half_widths(key.kernel, spacing)
    if surroundings == "mirror":
        periods = shape_of(2 * n for n in shape)
        even_um = _MIRROR_PERIODS * max(p * h for p, h in zip(periods, spacing, strict=True))
        return Plan(key, spacing, shape_of(min(r, math.ceil(even_um / h)) for r, h in zip(reach, spacing, strict=True)),
                    periods, 1)
    half = shape_of(min(r, n - 1) for r, n in zip(reach, shape, strict=True))
    periods = padded_periods(shape, half)
    factor = _COARSE if coarsen == "auto" else coarsen
    core = shape_of(min(int(WINDOW[1] * factor) + 2, h) for h in half)
    smaller = padded_periods(shape, core)
    gain = math.prod(periods) / math.prod(smaller)
    if factor == 1 or gain == 1.0 or len(set(spacing)) > 1 or (coarsen == "auto" and gain < _AUTO_GAIN):
        return Plan(key, spacing, half, periods, 1)
    return Plan(key, spacing, core, smaller, factor)


def spectrum_of(plan: Plan, dtype: str, layout: _Layout) -> Real:
    small = math.prod(p // 2 + 1 for p in plan.periods) < 1 << 23  # 64 MiB in double precision
    return _cached_spectrum(plan, dtype, layout) if small else _new_spectrum(plan, dtype, layout)


@lru_cache(maxsize=8)
def _cached_spectrum(plan: Plan, dtype: str, layout: _Layout) -> Real:
    return _new_spectrum(plan, dtype, layout)


def _new_spectrum(plan: Plan, dtype: str, layout: _Layout) -> Real:
    octant = GY_PER_MEV_MBQ_H_PER_L * _octant(plan)
    if layout == "padded":
        return padded_spectrum(octant, plan.periods, dtype)
    spectrum = even_spectrum(octant, plan.periods, dtype)
    if layout == "mirrored":  # what the kernel does not hold evenly: the zero frequency alone
        spectrum[0, 0, 0] = GY_PER_MEV_MBQ_H_PER_L * plan.key.kernel.total_MeV
    return spectrum


def _octant(plan: Plan) -> Array:
    if plan.coarsen > 1:
        return core_octant(plan.key.kernel, plan.spacing[0], plan.coarsen, plan.half)
    return cube_kernel(plan.key.kernel, plan.spacing, plan.half)


@lru_cache(maxsize=256)
def energy_held_MeV(plan: Plan, shape: Shape) -> float:
    """What the kernel holds on a map of ``shape``, per decay."""
    held = whole_sum(_octant(plan))
    if plan.coarsen > 1:
        tail = tail_octant(plan.key.kernel, plan.spacing[0], plan.coarsen, shape)
        held += whole_sum(tail) * plan.coarsen**3
    return held


@lru_cache(maxsize=64)
def coarse_error_MeV(key: KernelKey, spacing_um: float, factor: int) -> float:
    return interpolation_error(key.kernel, spacing_um, factor)


def shape_of(sizes: Iterable[int]) -> Shape:
    z, y, x = sizes
    return int(z), int(y), int(x)
