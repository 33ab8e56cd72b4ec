"""A stylised phantom cut into voxels."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.library.phantoms import Phantom, Solid, load_phantom

__all__ = ["DENSITY_G_PER_CM3", "VoxelPhantom", "inside", "voxelise"]

DENSITY_G_PER_CM3: Mapping[str, float] = {"soft": 1.04, "lung": 0.296, "bone": 1.40}
"""Of the media of the stylised phantoms (Cristy and Eckerman 1987); the skeleton is a mixture of bone and marrow."""

OUTSIDE = 255
_LIMIT_CM = 120.0  # no voxel phantom reaches further from its middle
_COARSEST_CM, _FINEST_CM = 2.0, 0.1


@dataclass(frozen=True)
class VoxelPhantom:
    """``labels`` (nz, ny, nx) count the regions of ``names``, `OUTSIDE` elsewhere; ``corner_cm`` (z, y, x) is the outer
    corner of the first voxel; ``density_g_per_cm3`` (n_regions,)."""

    labels: NDArray[np.uint8]
    spacing_cm: float
    corner_cm: Array
    names: tuple[str, ...]
    density_g_per_cm3: Array

    @property
    def masses_g(self) -> dict[str, float]:
        """Mass of each region as cut."""
        voxels = np.bincount(self.labels.reshape(-1), minlength=256)[: len(self.names)]
        masses = voxels * self.density_g_per_cm3 * self.spacing_cm**3
        return dict(zip(self.names, masses.tolist(), strict=True))


@functools.lru_cache(maxsize=4)
def voxelise(name: str, spacing_mm: float = 4.0) -> VoxelPhantom:
    """The phantom in cubes: a voxel belongs to the region that holds its middle.

    Raises `BadInput` for an unknown phantom and for a spacing outside 1 to 20 mm.

    >>> round(voxelise("adult_male", 4.0).masses_g["kidneys"], -1)
    310.0
    """
    spacing = 0.1 * float(spacing_mm)
    if not _FINEST_CM <= spacing <= _COARSEST_CM:
        raise BadInput(f"spacing_mm = {spacing_mm:g}; it must lie between {10 * _FINEST_CM:g} and "
                       f"{10 * _COARSEST_CM:g} (1 mm takes 140 MB).")
    return cut(load_phantom(name), spacing)


def cut(phantom: Phantom, spacing_cm: float) -> VoxelPhantom:
    """`voxelise` for a phantom at hand."""
    low, high = _bounds(phantom)
    count = np.ceil((high - low) / spacing_cm).astype(int)
    z, y, x = (low[i] + (np.arange(count[i]) + 0.5) * spacing_cm for i in range(3))
    labels = np.full(tuple(count), OUTSIDE, dtype=np.uint8)
    for number, region in enumerate(phantom.region):
        for solid in region.solid:
            (z0, z1), (y0, y1), (x0, x1) = _extent(solid)
            part = (slice(*np.searchsorted(z, [z0, z1])), slice(*np.searchsorted(y, [y0, y1])),
                    slice(*np.searchsorted(x, [x0, x1])))
            free = labels[part]
            here = inside(solid, x[part[2]][None, None, :], y[part[1]][None, :, None], z[part[0]][:, None, None])
            free[here & (free == OUTSIDE)] = number
    density = np.array([DENSITY_G_PER_CM3[region.medium] for region in phantom.region])
    return VoxelPhantom(labels, spacing_cm, low, phantom.names, density)


def inside(solid: Solid, x: Array, y: Array, z: Array) -> BoolArray:
    """Whether points (cm, broadcasting) lie in the solid."""
    if solid.mirror:
        x = np.abs(x)
    held = _body(solid, x, y, z)
    for a, b, c, d in solid.keep:
        held = held & (a * x + b * y + c * z <= d)
    for other in solid.remove:
        held = held & ~inside(other, x, y, z)
    return held


def _body(solid: Solid, x: Array, y: Array, z: Array) -> BoolArray:
    if solid.kind == "ellipsoid":
        return _ellipsoid(solid, x, y, z)
    if solid.kind == "tube":
        return _tube(solid, x, y, z)
    (cx, cy, cz), ring, radius = _triple(solid.centre), solid.ring or 0.0, solid.radius or 0.0
    along, first, second = {"x": (x - cx, y - cy, z - cz), "y": (y - cy, x - cx, z - cz),
                            "z": (z - cz, x - cx, y - cy)}[solid.axis]
    return np.asarray((np.hypot(first, second) - ring) ** 2 + along**2 <= radius**2)


def _ellipsoid(solid: Solid, x: Array, y: Array, z: Array) -> BoolArray:
    assert solid.semi_axes is not None
    centre, axes = _triple(solid.centre), _triple(solid.semi_axes)
    rows = solid.rows or ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    shifted = [coordinate - c for coordinate, c in zip((x, y, z), centre, strict=True)]
    total: Array = np.zeros(1)
    for row, axis in zip(rows, axes, strict=True):
        used = [r * s for r, s in zip(row, shifted, strict=True) if r != 0.0]
        total = total + (sum(used[1:], used[0]) / axis) ** 2
    return np.asarray(total <= 1.0)


def _tube(solid: Solid, x: Array, y: Array, z: Array) -> BoolArray:
    assert solid.at is not None and solid.semi_axes is not None
    along, first, second = {"x": (x, y, z), "y": (y, x, z), "z": (z, x, y)}[solid.axis]
    start, end = solid.at
    u = (along - start) / (end - start)
    total: Array = np.zeros(1)
    for i, coordinate in enumerate((first, second)):
        (c0, c1), (a0, a1) = [(pair[0][i], pair[1][i]) for pair in (_pairs(solid.centre), _pairs(solid.semi_axes))]
        total = total + ((coordinate - c0 - (c1 - c0) * u) / (a0 + (a1 - a0) * u)) ** 2
    return np.asarray((total <= 1.0) & (u >= 0.0) & (u <= 1.0))


def _extent(solid: Solid) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """A box (z, y, x) that holds the solid, from its kept half spaces left out."""
    if solid.kind == "tube":
        assert solid.at is not None and solid.semi_axes is not None
        centre, axes = _pairs(solid.centre), _pairs(solid.semi_axes)
        across = [(min(c[i] - a[i] for c, a in zip(centre, axes, strict=True)),
                   max(c[i] + a[i] for c, a in zip(centre, axes, strict=True))) for i in range(2)]
        order = {"x": (solid.at, *across), "y": (across[0], solid.at, across[1]), "z": (*across, solid.at)}[solid.axis]
    else:
        reach = _reach(solid)
        order = tuple((c - r, c + r) for c, r in zip(_triple(solid.centre), reach, strict=True))
    x, y, z = order
    if solid.mirror:
        x = (-x[1], x[1])
    return z, y, x


def _reach(solid: Solid) -> tuple[float, float, float]:
    if solid.kind == "torus":
        outer = (solid.ring or 0.0) + (solid.radius or 0.0)
        return outer, outer, outer
    assert solid.semi_axes is not None
    a, b, c = _triple(solid.semi_axes)
    longest = max(a, b, c)
    return (longest, longest, longest) if solid.rows else (a, b, c)


def _bounds(phantom: Phantom) -> tuple[Array, Array]:
    boxes = np.array([_extent(solid) for solid in phantom.region[-1].solid])
    others = np.array([_extent(solid) for region in phantom.region if region.name == "breasts"
                       for solid in region.solid]).reshape(-1, 3, 2)
    boxes = np.concatenate([boxes, others])
    low, high = boxes[:, :, 0].min(axis=0), boxes[:, :, 1].max(axis=0)
    if not bool(np.all(np.abs([low, high]) < _LIMIT_CM)):
        raise BadInput(f"{phantom.name}: the body reaches further than {_LIMIT_CM:g} cm from its middle.")
    return low, high


def _triple(value: Any) -> tuple[float, float, float]:
    """One point; the schema has seen to its length."""
    a, b, c = value
    return float(a), float(b), float(c)


def _pairs(value: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Points at either end; the schema has seen to it."""
    first, second = value
    return (float(first[0]), float(first[1])), (float(second[0]), float(second[1]))


