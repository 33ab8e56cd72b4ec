"""Dose to each cell of a single-cell section: its own label once, and the cross-fire of all other cells."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage
from scipy.interpolate import PchipInterpolator

from nichedose.dose.cell_classes import cell_classes, own_s_Gy
from nichedose.dose.cells import CellPart, CellShape
from nichedose.dose.clusters import cross_s_Gy, shapes_of
from nichedose.dose.convolve import KernelKey, Plane, dose_with_surroundings, inside_dose
from nichedose.dose.kernels import Daughters, charged_qualities
from nichedose.dose.numbers import one_length, real_array
from nichedose.dose.result import Quality, SectionGeometry
from nichedose.dose.section import LONGEST_PROGENY_HALF_LIFE_H, check_geometry
from nichedose.dose.units import DECAYS_PER_MBQ_H, UM3_PER_L
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.nuclide import Source, canonical_name

__all__ = ["CellsDose", "cells_dose"]

_NEAR_FROM_UM, _NEAR_TO_UM = 32.0, 72.0  # nearer pairs one by one, farther ones on a grid, blended in between
_NEAR_STEP_UM = 0.125
_GRID_UM = 6.0
_AROUND_UM = 25.0  # spacing of the map that the surroundings' share is computed on
_MOST_POINTS = 60_000_000  # of the padded grid; about 2 GB
_Index = NDArray[np.int64]
_SOURCES: tuple[CellPart, ...] = ("surface", "cytoplasm")


@dataclass(frozen=True)
class CellsDose:
    """Mean dose to a part of each cell, Gy, arrays (n,) by quality.

    ``self_by_quality`` from the cell's own label, ``cross_by_quality`` from all other cells of the section (and the
    layers that repeat it), ``around_by_quality`` from what surrounds the section. Each decay counts once.
    """

    self_by_quality: Mapping[Quality, Array]
    cross_by_quality: Mapping[Quality, Array]
    around_by_quality: Mapping[Quality, Array]

    @property
    def by_quality(self) -> dict[Quality, Array]:
        """Sum of the three, arrays (n,)."""
        return {q: own + self.cross_by_quality[q] + self.around_by_quality[q]
                for q, own in self.self_by_quality.items()}

    @property
    def total_Gy(self) -> Array:
        """All qualities computed, unweighted, (n,)."""
        return np.asarray(sum(self.by_quality.values()))


def cells_dose(
    positions_um: ArrayLike,
    surface_decays: ArrayLike,
    internal_decays: ArrayLike,
    nuclide: str,
    *,
    cell_radius_um: ArrayLike,
    nucleus_radius_um: ArrayLike,
    geometry: SectionGeometry,
    nucleus_offset_um: ArrayLike = 0.0,
    layer_um: float | None = None,
    daughters: Daughters = "none",
    target: CellPart = "nucleus",
    decay_data: Source | None = None,
) -> CellsDose:
    """Dose to every cell of a section from the decays on and in every cell, charged particles.

    ``positions_um`` (n, 2): centres, taken to lie in one plane; ``surface_decays``, ``internal_decays`` (n,): decays of
    the parent on each cell's surface and in its cytoplasm (1 MBq.h is 3.6e9). Cells and nuclei are spheres; radii, and
    ``nucleus_offset_um`` between their centres (in random directions), are numbers or (n,). A cell's own label acts in
    its own geometry; for cross-fire up to four classes of size stand for all sizes. Progeny decay in place, those
    that live longer than a year left out, as in `section_dose`. ``target``: "nucleus" or "cell". ``decay_data``:
    "icrp107" or "ensdf".

    Along z: ``section`` holds these cells alone; ``slab`` repeats the layer every ``layer_um`` through the thickness.
    ``layer_um`` is the thickness of tissue whose cells one layer shows (default for ``section``: its thickness); it
    sets the density of cells, so state it. Surroundings as in `section_dose`, from a 25-um map of the label.
    Raises `BadInput` for wrong shapes, negative values, and sections too large for one grid.
    """
    where, label = _checked(positions_um, surface_decays, internal_decays, target)
    shapes, kind = shapes_of(len(where), cell_radius_um, nucleus_radius_um, nucleus_offset_um)
    layer = _layer_um(geometry, layer_um)
    name = canonical_name(nuclide, decay_data)
    longest = LONGEST_PROGENY_HALF_LIFE_H
    keys = tuple(KernelKey(name, q, daughters, longest, decay_data)
                 for q in charged_qualities(name, daughters, longest, decay_data))
    if not keys:
        raise BadInput(f"{name} emits no charged particles; the dose to its cells cannot be computed.")
    repeats = int(0.5 * geometry.thickness_um / layer) if geometry.along_z == "slab" else 0
    classes, member = cell_classes(shapes, kind)
    profiles = [[[[_layered(_profile(key, here, there, target, source), layer, repeats) for source in _SOURCES]
                  for key in keys] for there in classes] for here in classes]
    cross = _near(where, label, member, profiles) + _far(where, label, member, profiles)
    around = _around(where, label, keys, geometry, layer)
    own = {key.quality: np.sum([label[:, i] * own_s_Gy(key.kernel, shapes, kind, target, source)
                                for i, source in enumerate(_SOURCES)], axis=0) for key in keys}
    return CellsDose(
        own, {k.quality: np.maximum(c, 0.0) for k, c in zip(keys, cross, strict=True)},
        {k.quality: a for k, a in zip(keys, around, strict=True)})


@dataclass(frozen=True)
class _Profile:
    """Dose per decay over the in-plane distance: ``s(rho)`` Gy up to ``end_um``, 0 beyond; ``column_Gy`` is what
    the copies of a cell above and below it send to the cell."""

    spline: PchipInterpolator
    scale_um: float
    end_um: float
    column_Gy: float = 0.0

    def __call__(self, distance_um: Array) -> Array:
        inside = distance_um < self.end_um
        at = np.minimum(distance_um, self.end_um)
        # the spline holds s times (rho^2 + scale^2), which varies little
        return np.asarray(np.where(inside, self.spline(at) / (at * at + self.scale_um**2), 0.0))


@lru_cache(maxsize=64)
def _profile(key: KernelKey, here: CellShape, there: CellShape, target: CellPart, source: CellPart) -> _Profile:
    """Dose to a cell shaped as ``here`` from one shaped as ``there`` over the distance of their centres."""
    end = key.kernel.reach_um + here.cell_um + there.cell_um
    near = np.concatenate([np.arange(0.0, 32.0, 0.25), np.arange(32.0, 128.0, 0.75)])
    tail = np.geomspace(128.0, end, max(2, int(np.log(end / 128.0) / 0.03))) if end > 128.0 else np.array([end])
    at = np.concatenate([near[near < min(end, tail[0])], tail])
    s = cross_s_Gy(key.kernel, at, here, there, target, source)
    return _Profile(PchipInterpolator(at, s * (at * at + here.cell_um**2)), here.cell_um, end)


def _layered(one: _Profile, layer_um: float, repeats: int) -> _Profile:
    """The profile of a column of cells: the layer and ``repeats`` copies above and below."""
    heights = layer_um * np.arange(1, min(repeats, int(one.end_um / layer_um)) + 1)
    if not len(heights):
        return one
    at = np.asarray(one.spline.x)
    copies = 2.0 * one(np.hypot(at[:, None], heights)).sum(axis=1)
    spline = PchipInterpolator(at, (one(at) + copies) * (at * at + one.scale_um**2))
    return _Profile(spline, one.scale_um, one.end_um, float(copies[0]))


def _near_share(distance_um: Array) -> Array:
    """1 below the blend, 0 above, smooth to the second derivative."""
    x = np.clip((distance_um - _NEAR_FROM_UM) / (_NEAR_TO_UM - _NEAR_FROM_UM), 0.0, 1.0)
    return np.asarray(1.0 - x**3 * (10.0 - 15.0 * x + 6.0 * x * x))


# of the receiving cell's class, of the giving one's, of each key and of each source
_Profiles = list[list[list[list[_Profile]]]]


def _near(where: Array, label: Array, member: _Index, profiles: _Profiles) -> Array:
    """Cross-fire of near cells, pair by pair, and of a cell's own copies in other layers, (n_key, n)."""
    from nichedose.dose._pairs import near_sums  # compiles; only who needs it waits

    at = np.arange(0.0, _NEAR_TO_UM + _NEAR_STEP_UM, _NEAR_STEP_UM)
    share = _near_share(at)
    table = np.array([[[[p(at) * share for p in key] for key in pair] for pair in row] for row in profiles])
    column = np.array([[[p.column_Gy for p in key] for key in row[i]] for i, row in enumerate(profiles)])
    return np.asarray(near_sums(where, label, member, table, _NEAR_STEP_UM)
                      + np.einsum("nks,ns->kn", column[member], label))


def _far(where: Array, label: Array, member: _Index, profiles: _Profiles) -> Array:
    """Cross-fire of far cells by convolution on a grid, (n_key, n).

    Label is spread over the four corners around a cell and dose gathered from them; dividing the kernel's spectrum by
    the spectra of both tents leaves the kernel itself, as in particle-mesh methods.
    """
    classes, keys = range(len(profiles)), range(len(profiles[0][0]))
    out = np.zeros((len(keys), len(where)))
    ends = [max(p.end_um for row in profiles for pair in row for p in pair[k]) for k in keys]
    live = [k for k in keys if ends[k] > _NEAR_FROM_UM]
    extent = where.max(axis=0) - where.min(axis=0)
    if not live or float(np.hypot(*extent)) < _NEAR_FROM_UM:
        return out
    place = (where - where.min(axis=0)) / _GRID_UM
    size = tuple(int(n) + 2 for n in place.max(axis=0))
    end = max(ends[k] for k in live)
    half = [min(int(end / _GRID_UM) + 1, n - 1) for n in size]
    period = tuple(fft.next_fast_len(n + h, real=True) for n, h in zip(size, half, strict=True))
    _refuse_large(period)
    spectra = [[fft.rfft2(_spread(place, np.where(member == there, x, 0.0), size), s=period) for x in label.T]
               for there in classes]
    for k, here in itertools.product(live, classes):
        product = np.zeros_like(spectra[0][0])
        for there in classes:
            for profile, spectrum in zip(profiles[here][there][k], spectra[there], strict=True):
                product += _far_spectrum(profile, period, half) * spectrum
        mine = member == here
        out[k, mine] = _gather(place[mine], fft.irfft2(product, s=period))
    return out


def _far_spectrum(profile: _Profile, period: tuple[int, ...], half: list[int]) -> Array:
    offsets = [np.minimum(np.arange(n), n - np.arange(n)) for n in period]
    distance = _GRID_UM * np.hypot(offsets[0][:, None], offsets[1][None, :])
    kernel = profile(distance) * (1.0 - _near_share(distance))
    for axis, (offset, widest) in enumerate(zip(offsets, half, strict=True)):
        kernel *= np.expand_dims(offset <= widest, 1 - axis)
    tents = np.sinc(fft.fftfreq(period[0]))[:, None] * np.sinc(fft.rfftfreq(period[1]))[None, :]
    return np.asarray(fft.rfft2(kernel).real / tents**4)


def _corners(place: Array) -> list[tuple[_Index, _Index, Array]]:
    """Row, column and share of the four grid points around each place."""
    low = place.astype(np.int64)
    part = place - low
    return [(low[:, 0] + a, low[:, 1] + b,
             np.abs(1 - a - part[:, 0]) * np.abs(1 - b - part[:, 1])) for a in (0, 1) for b in (0, 1)]


def _spread(place: Array, label: Array, size: tuple[int, ...]) -> Array:
    grid = np.zeros(size)
    for row, column, share in _corners(place):
        np.add.at(grid, (row, column), share * label)
    return grid


def _gather(place: Array, grid: Array) -> Array:
    return np.asarray(sum(grid[row, column] * share for row, column, share in _corners(place)))


def _around(
    where: Array, label: Array, keys: tuple[KernelKey, ...], geometry: SectionGeometry, layer_um: float
) -> Array:
    """What the surroundings send to each cell, (n_key, n): as for a section map with this label."""
    if geometry.surroundings == "isolated":
        return np.zeros((len(keys), len(where)))
    place = ((where - where.min(axis=0)) / _AROUND_UM).astype(np.int64)
    y, x = place[:, 0], place[:, 1]
    shape = int(y.max()) + 1, int(x.max()) + 1
    counts = np.zeros(shape)
    np.add.at(counts, (y, x), label.sum(axis=1))
    held = np.zeros(shape, dtype=bool)
    held[y, x] = True
    mask = held | ndimage.binary_fill_holes(ndimage.binary_closing(held, np.ones((3, 3), dtype=np.bool_), 2))
    tia = counts / (_AROUND_UM**2 * layer_um) * UM3_PER_L / DECAYS_PER_MBQ_H
    plane = Plane(shape, _AROUND_UM, np.ascontiguousarray(mask, dtype=np.bool_).tobytes(), geometry)
    inside = inside_dose(plane, tia[None], keys)
    outside = dose_with_surroundings(plane, tia[None], keys, inside) - inside
    return np.asarray(np.maximum(outside[:, 0], 0.0)[:, y, x])


def _checked(positions: ArrayLike, surface: ArrayLike, internal: ArrayLike, target: str) -> tuple[Array, Array]:
    """Positions (n, 2) and label (n, 2: surface, internal)."""
    where = real_array("positions_um", positions)
    if where.ndim != 2 or where.shape[1] != 2 or not len(where) or not bool(np.isfinite(where).all()):
        raise BadInput(f"positions_um has shape {where.shape}; it must be (cells, 2), finite, with at least one cell.")
    label = []
    for name, values in (("surface_decays", surface), ("internal_decays", internal)):
        array = real_array(name, values)
        if array.shape != (len(where),):
            raise BadInput(f"{name} has shape {array.shape}; it must be ({len(where)},).")
        if not (array.min() >= 0.0 and array.max() < np.inf):  # False for NaN
            raise BadInput(f"{name} holds NaN, infinite or negative values.")
        label.append(array)
    if target not in ("nucleus", "cell"):
        raise BadInput(f"target = '{target}'; it must be 'nucleus' or 'cell'.")
    return where, np.stack(label, axis=1)


def _layer_um(geometry: SectionGeometry, layer_um: float | None) -> float:
    check_geometry(geometry)
    if layer_um is None:
        if geometry.along_z == "slab":
            raise BadInput("layer_um is missing: with along_z = 'slab' state the thickness of tissue whose cells one "
                           "layer shows; it sets how many cells there are per volume.")
        return float(geometry.thickness_um)
    return one_length("layer_um", layer_um)


def _refuse_large(period: tuple[int, ...]) -> None:
    points = period[0] * period[1]
    if points > _MOST_POINTS:
        side = " x ".join(f"{n * _GRID_UM * 1e-3:.1f}" for n in period)
        raise BadInput(f"The section with its margins is {side} mm: {points / 1e6:.0f} million grid points, "
                       f"{points * 32 / 1e9:.1f} GB. Compute it in tiles that overlap by the particles' range.")
