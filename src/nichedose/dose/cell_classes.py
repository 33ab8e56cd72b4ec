"""Cells of many sizes: classes that stand for them in cross-fire, and self-dose in each cell's own geometry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from nichedose.dose.cells import CellPart, CellShape, self_s_Gy
from nichedose.dose.kernels import RadialKernel
from nichedose.fields.grid import Array

__all__ = ["MOST_CLASSES", "cell_classes", "own_s_Gy"]

MOST_CLASSES = 4
_ONE_BY_ONE = 100  # shapes; more are interpolated
_POINTS = (12, 7, 5)  # over radius, ratio and offset
_Index = NDArray[np.int64]


def cell_classes(shapes: Sequence[CellShape], kind: NDArray[np.intp]) -> tuple[list[CellShape], _Index]:
    """At most `MOST_CLASSES` shapes for cross-fire, and the class of each cell (n,); ``kind`` (n,) indexes ``shapes``.

    More shapes than that are grouped by cell radius into classes of as many cells each, with the mean shape.
    """
    if len(shapes) <= MOST_CLASSES:
        return list(shapes), kind.astype(np.int64)
    each = _columns(shapes)[kind]
    rank = np.empty(len(each), dtype=np.int64)
    rank[np.argsort(each[:, 0], kind="stable")] = np.arange(len(each))
    member = rank * MOST_CLASSES // len(each)
    means = [each[member == i].mean(axis=0) for i in range(MOST_CLASSES)]
    return [CellShape(*(float(value) for value in mean)) for mean in means], member


def own_s_Gy(
    kernel: RadialKernel, shapes: Sequence[CellShape], kind: NDArray[np.intp], target: CellPart, source: CellPart
) -> Array:
    """Dose to a part of each cell per decay in another part of it, Gy, (n,).

    Up to 100 shapes one by one; more by cubic interpolation of the logarithm over the cell's radius, the nucleus' share
    of it and the offset's share of the room there is (0.1 % for shapes within a factor of three).
    """
    if len(shapes) <= _ONE_BY_ONE:
        return np.array([self_s_Gy(kernel, shape, target, source) for shape in shapes])[kind]
    cell, nucleus, offset = _columns(shapes).T
    place = np.stack([np.log(cell), nucleus / cell, offset / (cell - nucleus)], axis=1)
    axes = [np.linspace(low, high, n) if high > low else np.array([low])
            for low, high, n in zip(place.min(axis=0), place.max(axis=0), _POINTS, strict=True)]
    table = np.empty(tuple(len(axis) for axis in axes))
    for at in np.ndindex(table.shape):
        radius, ratio, share = (float(axis[i]) for axis, i in zip(axes, at, strict=True))
        a, b = float(np.exp(radius)), float(np.exp(radius)) * ratio
        table[at] = self_s_Gy(kernel, CellShape(a, b, share * (a - b)), target, source)
    wide = [i for i, axis in enumerate(axes) if len(axis) > 1]
    values = np.log(np.maximum(table, 1e-300)).reshape([len(axes[i]) for i in wide])
    # rounding may put an end point outside its axis: extrapolating by that is harmless
    spline = RegularGridInterpolator([axes[i] for i in wide], values, "cubic", bounds_error=False, fill_value=None)
    return np.asarray(np.exp(spline(place[:, wide])))[kind]


def _columns(shapes: Sequence[CellShape]) -> Array:
    return np.array([(shape.cell_um, shape.nucleus_um, shape.offset_um) for shape in shapes])
