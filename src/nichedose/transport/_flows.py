"""Compiled sums over neighbours, and how the transport kernels are compiled.

All fields are packed red and black apart (see ``_checkerboard``). ``faces`` (2, 5 or 7, rows, places) is empty where
all open faces have the conductance ``g``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from nichedose._compiled import Apart, njit

__all__ = ["Field", "apart", "flows", "flows_of_rows", "jit"]

Field = NDArray[Any]
# Reassociation lets sums use vector registers; NaN and infinity keep their meaning, they report failure.
jit: Callable[..., Any] = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
# The same for one loop over arrays of which none that is written overlaps another; it becomes part of its caller.
apart: Callable[..., Any] = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"}, forceinline=True,
    pipeline_class=Apart)


@jit
def flows(other: Field, faces: Field, g: float, row: int, stride: int, aside: int, zero: float, line: Field) -> None:
    """Into ``line``: what the neighbours of one row's voxels give, the sum of conductance x value.

    ``other`` (rows, places) the other colour; ``faces`` (0, 5 or 7, rows, places) of this one; ``stride`` rows between
    planes, 0 in a section; ``aside`` where the fourth neighbour lies, -1 or 1. ``zero`` sets the precision of the sum.
    """
    m = other.shape[1] - 1
    above, below, same = other[row - 1, 1:m], other[row + 1, 1:m], other[row, 1:m]
    out = line[1:m]
    if faces.shape[0] == 0:
        side = other[row, 1 + aside : m + aside]
        if stride == 0:
            even_flow(above, below, same, side, g, zero, out)
        else:
            even_flow_of_stack(
                above, below, same, side, other[row - stride, 1:m], other[row + stride, 1:m], g, zero, out)
        return
    uneven_flow(
        above, below, same, other[row, : m - 1], other[row, 2:], faces[0, row, 1:m], faces[1, row, 1:m],
        faces[2, row, 1:m], faces[3, row, 1:m], faces[4, row, 1:m], g, zero, out,
    )  # fmt: skip
    if stride != 0:
        add_uneven_flow(
            other[row - stride, 1:m], other[row + stride, 1:m], faces[5, row, 1:m], faces[6, row, 1:m], g, zero, out)


@apart
def even_flow(above: Field, below: Field, same: Field, side: Field, g: float, zero: float, line: Field) -> None:
    for j in range(line.size):
        line[j] = g * (((zero + above[j]) + below[j]) + ((zero + same[j]) + side[j]))


@apart
def even_flow_of_two(
    above: Field, same0: Field, same1: Field, below: Field, side0: Field, side1: Field, g: float, zero: float,
    line0: Field, line1: Field,
) -> None:  # fmt: skip
    for j in range(line0.size):
        u, v = zero + same0[j], zero + same1[j]
        line0[j] = g * (((zero + above[j]) + v) + (u + side0[j]))
        line1[j] = g * ((u + below[j]) + (v + side1[j]))


@apart
def even_flow_of_stack(
    above: Field, below: Field, same: Field, side: Field, before: Field, behind: Field, g: float, zero: float,
    line: Field,
) -> None:  # fmt: skip
    for j in range(line.size):
        total = ((zero + above[j]) + below[j]) + ((zero + same[j]) + side[j])
        line[j] = g * (total + ((zero + before[j]) + behind[j]))


@apart
def uneven_flow(
    above: Field, below: Field, same: Field, left: Field, right: Field, to_above: Field, to_below: Field,
    to_same: Field, to_left: Field, to_right: Field, g: float, zero: float, line: Field,
) -> None:  # fmt: skip
    for j in range(line.size):
        total = (zero + to_above[j]) * above[j] + (zero + to_below[j]) * below[j] + (zero + to_same[j]) * same[j]
        line[j] = g * (total + ((zero + to_left[j]) * left[j] + (zero + to_right[j]) * right[j]))


@apart
def add_uneven_flow(
    before: Field, behind: Field, to_before: Field, to_behind: Field, g: float, zero: float, line: Field
) -> None:
    for j in range(line.size):
        line[j] += g * ((zero + to_before[j]) * before[j] + (zero + to_behind[j]) * behind[j])


@jit
def flows_of_rows(
    other: Field, faces: Field, g: float, k: int, y: int, height: int, deep: int, colour: int, lines: Field
) -> tuple[int, int]:
    """`flows` of rows from ``y`` of plane ``k`` into ``lines`` (most rows, places), in double precision. Returns the
    range of cells that they take in a flat field of one colour, ring at both ends of each row included."""
    count, m = min(lines.shape[0], height - 1 - y), lines.shape[1] - 1
    n = 0
    while n < count:
        if faces.shape[0] == 0 and deep == 0 and n + 1 < count:  # two rows at a time
            row, aside = y + n, 1 - 2 * ((y + n + colour) & 1)
            even_flow_of_two(
                other[row - 1, 1:m], other[row, 1:m], other[row + 1, 1:m], other[row + 2, 1:m],
                other[row, 1 + aside : m + aside], other[row + 1, 1 - aside : m - aside], g, 0.0, lines[n, 1:m],
                lines[n + 1, 1:m],
            )  # fmt: skip
            n += 2
            continue
        aside = 1 - 2 * ((y + n + k - deep + colour) & 1)
        flows(other, faces, g, k * height + y + n, height * deep, aside, 0.0, lines[n])
        n += 1
    lo = (k * height + y) * lines.shape[1]
    return lo, lo + count * lines.shape[1]
