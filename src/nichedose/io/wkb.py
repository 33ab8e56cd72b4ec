"""Centres of geometries in well-known binary (OGC 06-103r4, section 8), as GeoParquet stores them."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["centres_of"]


def centres_of(geometries: Iterable[object], where: str) -> Array:
    """(n, 2): points as they are, polygons by the centroid of their outer ring, multipolygons by their first part."""
    return np.array([_centre(g, where) for g in geometries], dtype=float).reshape(-1, 2)


def _centre(geometry: object, where: str) -> tuple[float, float]:
    if not isinstance(geometry, bytes) or len(geometry) < 9:
        raise BadInput(f"{where}: a geometry is {type(geometry).__name__}, not well-known binary.")
    try:
        return _parse(geometry, 0)
    except (struct.error, ValueError, IndexError) as error:
        raise BadInput(f"{where}: a geometry is damaged or of a kind that has no centre ({error}).") from error


def _parse(data: bytes, at: int) -> tuple[float, float]:
    order = "<" if data[at] == 1 else ">"
    kind = struct.unpack_from(f"{order}I", data, at + 1)[0]
    dimensions = 3 if kind & 0x80000000 or kind // 1000 == 1 else 2
    kind = (kind & 0xFF) % 1000 if kind & 0xE0000000 else kind % 1000
    if kind == 1:
        x, y = struct.unpack_from(f"{order}2d", data, at + 5)
        return x, y
    if kind == 6:
        return _parse(data, at + 9)
    if kind != 3:
        raise ValueError(f"type {kind}")
    n = struct.unpack_from(f"{order}I", data, at + 9)[0]
    ring = np.frombuffer(data, f"{order}f8", n * dimensions, at + 13).reshape(n, dimensions)[:, :2]
    return _centroid(ring - ring[0], ring[0])


def _centroid(ring: Array, origin: Array) -> tuple[float, float]:
    x, y = ring.T
    cross = x[:-1] * y[1:] - x[1:] * y[:-1]
    area = cross.sum()
    if area == 0.0:
        return float(x.mean() + origin[0]), float(y.mean() + origin[1])
    cx = float(((x[:-1] + x[1:]) * cross).sum() / (3.0 * area))
    cy = float(((y[:-1] + y[1:]) * cross).sum() / (3.0 * area))
    return cx + float(origin[0]), cy + float(origin[1])
