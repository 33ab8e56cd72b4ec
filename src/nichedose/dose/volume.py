"""Dose in a 3-D map: convolution with voxel kernels on any grid, by quality, with what left it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nichedose.dose.convolve import GY_PER_MEV_MBQ_H_PER_L, KernelKey, uniform_sphere_MeV
from nichedose.dose.kernels import Daughters, QualityChoice, emitted_qualities, energy_MeV_per_decay
from nichedose.dose.numbers import check_lengths, check_oblong, one_number, real_array, whole_number
from nichedose.dose.padded import convolve_padded, padded_periods
from nichedose.dose.result import Quality
from nichedose.dose.spectral import convolve_mirrored, convolve_with, reflected
from nichedose.dose.tail import coarse_tail
from nichedose.dose.volume_memory import refuse_what_does_not_fit
from nichedose.dose.volume_plan import Plan, Shape, coarse_error_MeV, energy_held_MeV, make_plan, shape_of, spectrum_of
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.nuclide import Source, canonical_name

__all__ = ["ConvolvedDose", "convolve"]

Real = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ConvolvedDose:
    """Dose of a 3-D map, Gy, arrays (nz, ny, nx) by quality.

    ``escaped_fraction``: of the energy emitted in the map as these qualities, what was not deposited in it.
    ``kernel_truncated_fraction``: the part of the emitted energy that the kernels on this grid do not hold: beyond
    their reach (bremsstrahlung) or, when the grid is shorter than the reach, beyond the grid; with mirrored
    surroundings it is spread evenly, otherwise it counts as escaped. ``coarse_error``: of a tail that was convolved on
    a coarser grid, the sum of the kernel's absolute errors over its energy, from sampled pairs of voxels; times the
    dose in a uniform medium with the map's highest activity it bounds any voxel's error (0: nothing was coarsened).
    ``entered_fraction``: what came in from around the map, over what it emitted. ``beyond_lesion_fraction``: of the
    voxels, those with their middle outside the lesion's sphere (uniform surroundings), taken as on its surface.
    """

    by_quality: Mapping[Quality, Real]
    escaped_fraction: float
    kernel_truncated_fraction: float
    coarse_error: float
    entered_fraction: float = 0.0
    beyond_lesion_fraction: float = 0.0

    @property
    def total_Gy(self) -> Real:
        return np.asarray(sum(self.by_quality.values()))


def convolve(
    tia_map: Real,
    nuclide: str,
    spacing_um: float | tuple[float, float, float],
    *,
    quality: QualityChoice = None,
    daughters: Daughters = "none",
    decay_data: Source | None = None,
    surroundings: Literal["isolated", "mirror", "uniform"] = "isolated",
    lesion_diameter_um: float | None = None,
    dtype: DTypeLike = np.float64,
    tile: int | Shape | None = None,
    coarsen: int | Literal["auto"] = 1,
    workers: int = 1,
    xp: ModuleType | None = None,
) -> ConvolvedDose:
    """Dose from time-integrated activity ``tia_map`` (nz, ny, nx), MBq.h/L, in water, by quality.

    ``spacing_um``: one number or one per axis (z, y, x). ``quality``: one, several (such as `CHARGED`, which is faster:
    photons reach through the whole map), or None for all, photons included. ``decay_data``: "icrp107" or "ensdf".
    ``surroundings``: nothing around the map ("isolated"), its reflections for ever ("mirror"), or its mean activity out
    to the surface of a sphere of ``lesion_diameter_um`` around its middle ("uniform"). ``tile``: convolve in tiles of
    so many voxels, each with a margin as wide as the kernel: less memory, same numbers.
    ``coarsen`` n above 1: the kernel beyond 2 to 8 n voxels is convolved on an n times coarser grid, for voxels of
    equal sides (see ``coarse_error``; "auto": 4 where that saves a third or more of the work). ``dtype`` float32
    halves memory and time; its error is 1e-7 of the *peak* dose: cold voxels beside alpha hot spots lose digits.
    ``xp``: a namespace with NumPy's functions, such as jax.numpy or cupy, that does the transforms on its device and in
    its precision, in one piece; dose comes back as NumPy arrays. What fits on the device is not known here.
    Raises `BadInput` for unknown names, negative or non-finite values, wrong sizes, and grids too large for memory;
    `OutOfValidity` for voxels below 1 nm.

    >>> hot = np.zeros((7, 7, 7)); hot[3, 3, 3] = 1.0
    >>> round(convolve(hot, "211At", 20.0, quality="alpha").escaped_fraction, 6)
    0.0
    """
    spacing = _spacing(spacing_um)
    shape, precision = _map_shape(tia_map), _precision(dtype)
    _check_surroundings(surroundings, lesion_diameter_um)
    tiles = _tiles(tile, surroundings, coarsen)
    if xp is not None and not hasattr(xp, "fft"):
        raise BadInput(f"xp = {xp!r}; give a namespace with NumPy's functions and its fft, such as jax.numpy or cupy.")
    if xp is not None and (tiles is not None or coarsen != 1):
        raise BadInput("xp goes without tile and with coarsen=1 only.")
    if not whole_number(workers, 1):
        raise BadInput(f"workers = {workers!r}; give a whole number of threads, 1 or more.")
    name = canonical_name(nuclide, decay_data)
    wanted = emitted_qualities(name, daughters, quality, decay_data=decay_data)
    energies = energy_MeV_per_decay(name, daughters, decay_data=decay_data)
    if not any(energies[q] > 0.0 for q in wanted):
        raise BadInput(f"{name} emits none of the qualities asked for ({quality}).")
    keys = [KernelKey(name, q, daughters, math.inf, decay_data) for q in wanted]
    plans = [make_plan(key, shape, spacing, surroundings, coarsen) for key in keys]
    refuse_what_does_not_fit(shape, precision.itemsize, plans, tiles, surroundings == "mirror")
    field = _field(tia_map, precision)  # after the refusal: it may be a copy

    def of(activity: Real, plan: Plan) -> Real:
        dose = (_one(activity, plan, surroundings, tiles, workers) if xp is None else
                _elsewhere(xp, activity, plan, surroundings))
        # the transforms leave rounding of either sign, 1e-16 of the peak, where nothing arrives
        return np.maximum(dose, 0.0, out=dose)

    by_quality = {plan.key.quality: of(field, plan) for plan in plans}
    result = _result(field, plans, by_quality)
    if surroundings != "uniform":
        return result
    mean, entered, evenly = float(field.mean(dtype=np.float64)), 0.0, np.ones_like(field)
    radius = 0.5 * float(lesion_diameter_um or 0.0)
    for plan in plans:
        around = _from_around(plan, field.shape, radius, of(evenly, plan))
        around *= mean
        by_quality[plan.key.quality] += around
        entered += float(around.sum(dtype=np.float64))
    emitted = float(field.sum(dtype=np.float64)) * sum(plan.key.kernel.total_MeV for plan in plans)
    return replace(
        result, entered_fraction=entered / (emitted * GY_PER_MEV_MBQ_H_PER_L) if emitted > 0.0 else 0.0,
        beyond_lesion_fraction=float(np.mean(_distance_um(field.shape, spacing) > radius)))


def _distance_um(shape: tuple[int, ...], spacing: tuple[float, float, float]) -> Array:
    """Of each voxel from the map's middle."""
    axes = [(np.arange(n) - 0.5 * (n - 1)) * h for n, h in zip(shape, spacing, strict=True)]
    return np.asarray(np.sqrt(axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2))


def _from_around(plan: Plan, shape: tuple[int, ...], radius_um: float, own: Real) -> Real:
    """Dose from around the map when all of the lesion holds 1 MBq.h/L: its sphere less ``own``, the map's part of it.

    Voxels beyond the sphere are treated as on its surface; where the map pokes out there is nothing around it.
    """
    at = np.linspace(0.0, radius_um, 257)
    sphere = uniform_sphere_MeV(plan.key.kernel, radius_um, at) * GY_PER_MEV_MBQ_H_PER_L
    return np.asarray(np.maximum(np.interp(_distance_um(shape, plan.spacing), at, sphere) - own, 0.0), dtype=own.dtype)


def _check_surroundings(surroundings: str, lesion_diameter_um: float | None) -> None:
    allowed = ("isolated", "mirror", "uniform")
    if surroundings not in allowed:
        raise BadInput(f"surroundings = '{surroundings}'.{near_miss(str(surroundings), allowed)}")
    if (surroundings == "uniform") != (lesion_diameter_um is not None):
        raise BadInput("surroundings='uniform' and lesion_diameter_um go together: give both, or neither.")
    if lesion_diameter_um is not None and not 0.0 < one_number("lesion_diameter_um", lesion_diameter_um, "um") < np.inf:
        raise BadInput(f"lesion_diameter_um = {lesion_diameter_um}; it must be above 0.")


def _one(field: Real, plan: Plan, surroundings: str, tiles: Shape | None, workers: int) -> Real:
    if surroundings == "mirror":
        return convolve_mirrored(field, spectrum_of(plan, field.dtype.str, "mirrored"), workers)
    if tiles is not None:
        return _tiled(field, plan, tiles, workers)
    if plan.coarsen > 1:
        dose = convolve_padded(field, spectrum_of(plan, field.dtype.str, "padded"), plan.periods, workers)
        tail = coarse_tail(plan.key.kernel, plan.spacing[0], plan.coarsen, field, workers)
        tail *= GY_PER_MEV_MBQ_H_PER_L
        dose += tail
        return dose
    return convolve_padded(field, spectrum_of(plan, field.dtype.str, "padded"), plan.periods, workers)


def _elsewhere(xp: ModuleType, field: Real, plan: Plan, surroundings: str) -> Real:
    spectrum = spectrum_of(plan, field.dtype.str, "mirrored" if surroundings == "mirror" else "even")
    there = xp.asarray(field)
    if surroundings == "mirror":
        there = reflected(xp, there)
    nz, ny, nx = field.shape
    dose = convolve_with(xp, there, xp.asarray(spectrum), plan.periods)[:nz, :ny, :nx]
    return np.array(dose, dtype=field.dtype)  # a copy: what other namespaces hand over may be read-only


def _tiled(field: Real, plan: Plan, tiles: Shape, workers: int) -> Real:
    """Each tile of the result from the part of the map within reach; margins that hold nothing are not computed."""
    sizes = shape_of(min(t, n) for t, n in zip(tiles, field.shape, strict=True))
    periods = padded_periods(shape_of(t + h for t, h in zip(sizes, plan.half, strict=True)), plan.half)
    spectrum = spectrum_of(Plan(plan.key, plan.spacing, plan.half, periods, 1), field.dtype.str, "padded")
    out = np.zeros_like(field)
    for corner in product(*(range(0, n, t) for n, t in zip(field.shape, sizes, strict=True))):
        ends = [min(a + t, n) for a, t, n in zip(corner, sizes, field.shape, strict=True)]
        lows = [max(a - h, 0) for a, h in zip(corner, plan.half, strict=True)]
        around = tuple(slice(a, b + h) for a, b, h in zip(lows, ends, plan.half, strict=True))
        part = field[around]
        if part.any():
            inner = tuple(slice(a - low, b - low) for a, b, low in zip(corner, ends, lows, strict=True))
            target = tuple(slice(a, b) for a, b in zip(corner, ends, strict=True))
            out[target] = convolve_padded(part, spectrum, periods, workers)[inner]
    return out


def _result(field: Real, plans: list[Plan], by_quality: Mapping[Quality, Real]) -> ConvolvedDose:
    activity = float(field.sum(dtype=np.float64))
    emitted = sum(plan.key.kernel.total_MeV for plan in plans)
    held = sum(energy_held_MeV(plan, field.shape) for plan in plans)
    error = sum(coarse_error_MeV(plan.key, plan.spacing[0], plan.coarsen) for plan in plans if plan.coarsen > 1)
    deposited = sum(float(dose.sum(dtype=np.float64)) for dose in by_quality.values())
    escaped = 1.0 - deposited / (activity * emitted * GY_PER_MEV_MBQ_H_PER_L) if activity > 0.0 else 0.0
    return ConvolvedDose(by_quality, max(0.0, escaped), max(0.0, 1.0 - held / emitted), error / emitted)


def _spacing(spacing_um: float | tuple[float, float, float]) -> tuple[float, float, float]:
    given = real_array("spacing_um", spacing_um) if spacing_um is not None else np.zeros(0)
    values = np.broadcast_to(given, (3,)) if given.shape in ((), (1,), (3,)) else np.zeros(3)
    if not bool(np.all(np.isfinite(values) & (values > 0.0))):
        raise BadInput(f"spacing_um = {spacing_um}; give one number or three (z, y, x), above 0 um.")
    check_lengths("spacing_um", values)
    check_oblong("spacing_um", values)
    return float(values[0]), float(values[1]), float(values[2])


def _precision(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        precision = np.dtype(dtype)
    except TypeError:
        precision = np.dtype(object)
    if precision not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise BadInput(f"dtype = {dtype}; it must be float64 or float32.")
    return precision


def _map_shape(tia_map: Real) -> Shape:
    try:
        shape = np.shape(tia_map)
    except ValueError:  # rows of unequal length
        shape = ()
    if len(shape) != 3 or 0 in shape:
        raise BadInput(f"tia_map has shape {shape}; it must be (nz, ny, nx). For a section use section_dose, or add an "
                       "axis for a single layer.")
    return shape_of(shape)


def _field(tia_map: Real, precision: np.dtype[Any]) -> Real:
    field = real_array("tia_map", tia_map, precision)
    if not (field.min() >= 0.0 and field.max() < np.inf):  # False for NaN
        raise BadInput("tia_map holds NaN, infinite or negative values.")
    return field


def _tiles(tile: int | Shape | None, surroundings: str, coarsen: int | Literal["auto"]) -> Shape | None:
    if not (coarsen == "auto" or whole_number(coarsen, 1, 16)):
        raise BadInput(f"coarsen = {coarsen!r}; it must be 'auto' or a whole number from 1 to 16.")
    if tile is None:
        return None
    sizes = np.broadcast_to(np.asarray(tile), (3,)) if np.size(tile) in (1, 3) else np.zeros(3)
    if sizes.dtype.kind not in "iu" or bool((sizes < 1).any()):
        raise BadInput(f"tile = {tile}; give a whole number of voxels, or three (z, y, x), above 0.")
    if surroundings == "mirror" or coarsen != 1:
        raise BadInput("tile goes with isolated or uniform surroundings and coarsen=1 only: a mirrored map, and a "
                       "coarse tail, need the whole map at once.")
    return shape_of(int(n) for n in sizes)
