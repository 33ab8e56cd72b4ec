"""Compiled sums over neighbours, and how the transport kernels are compiled.

All fields are packed red and black apart (see ``_checkerboard``). ``faces`` (2, 5 or 7, rows, places) is empty where
all open faces have the conductance ``g``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose._compiled import Apart, njit

__all__ = ["Field", "U", "apart", "flows", "flows_of_rows", "jit"]

Field = NDArray[Any]
U = np.uint64
# Reassociation lets sums use vector registers; NaN and infinity keep their meaning, they report failure.
jit: Callable[..., Any] = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"})
# The same for one loop over arrays of which none that is written overlaps another; it becomes part of its caller.
apart: Callable[..., Any] = njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp"}, forceinline=True,
    pipeline_class=Apart)


@apart
def even_flow(x: Field, o: int, side: int, p: int, n: int, g: float, zero: float, line: Field, to: int) -> None:
    for j in range(n):
        line[to + j] = g * (((zero + x[o - p + j]) + x[o + p + j]) + ((zero + x[o + j]) + x[side + j]))


@apart
def even_flow_of_two(
    x: Field, o: int, side0: int, side1: int, p: int, n: int, g: float, zero: float, line: Field, to: int
) -> None:
    for j in range(n):
        u, v = zero + x[o + j], zero + x[o + p + j]
        line[to + j] = g * (((zero + x[o - p + j]) + v) + (u + x[side0 + j]))
        line[to + p + j] = g * ((u + x[o + p + p + j]) + (v + x[side1 + j]))


@apart
def even_flow_of_stack(
    x: Field, o: int, side: int, p: int, plane: int, n: int, g: float, zero: float, line: Field, to: int
) -> None:
    for j in range(n):
        total = ((zero + x[o - p + j]) + x[o + p + j]) + ((zero + x[o + j]) + x[side + j])
        line[to + j] = g * (total + ((zero + x[o - plane + j]) + x[o + plane + j]))


@apart
def even_flow_of_two_in_stack(
    x: Field, o: int, side0: int, side1: int, p: int, plane: int, n: int, g: float, zero: float, line: Field, to: int
) -> None:  # fmt: skip
    for j in range(n):
        u, v = zero + x[o + j], zero + x[o + p + j]
        first = ((zero + x[o - p + j]) + v) + (u + x[side0 + j])
        second = (u + x[o + p + p + j]) + (v + x[side1 + j])
        line[to + j] = g * (first + ((zero + x[o - plane + j]) + x[o + plane + j]))
        line[to + p + j] = g * (second + ((zero + x[o + p - plane + j]) + x[o + p + plane + j]))


@apart
def uneven_flow(
    x: Field, f: Field, o: int, half: int, p: int, n: int, g: float, zero: float, line: Field, to: int
) -> None:
    left, right, second, third = o - U(1), o + U(1), o + half, o + half + half
    fourth, fifth = third + half, third + half + half
    for j in range(n):
        total = (zero + f[o + j]) * x[o - p + j] + (zero + f[second + j]) * x[o + p + j]
        total += (zero + f[third + j]) * x[o + j]
        total += (zero + f[fourth + j]) * x[left + j] + (zero + f[fifth + j]) * x[right + j]
        line[to + j] = g * total


@apart
def add_uneven_flow(
    x: Field, f: Field, o: int, sixth: int, seventh: int, plane: int, n: int, g: float, zero: float, line: Field,
    to: int,
) -> None:  # fmt: skip
    for j in range(n):
        line[to + j] += g * ((zero + f[sixth + j]) * x[o - plane + j] + (zero + f[seventh + j]) * x[o + plane + j])


@apart
def flows(
    x: Field, f: Field, g: float, row: int, rows: int, p: int, stride: int, aside: int, zero: float, line: Field,
    to: int,
) -> None:  # fmt: skip
    """Into flat ``line`` from ``to`` on: what the neighbours of one row's voxels give, the sum of conductance x value.

    ``x`` (rows of ``p`` places) the other colour, flat; ``f`` (0, 5 or 7, rows, places) faces of this one, flat;
    ``stride`` rows between planes, 0 in a section; ``aside`` where the fourth neighbour lies, -1 or 1. ``zero`` sets
    the precision of the sum.
    Cells are counted from the first one, unsigned: slices, and looks for counts from the end, cost more than a row.
    """
    o, half, plane, n = row * p + 1, rows * p, stride * p, U(p - 2)
    if f.size == 0:
        if stride == 0:
            even_flow(x, U(o), U(o + aside), U(p), n, g, zero, line, U(to))
        else:
            even_flow_of_stack(x, U(o), U(o + aside), U(p), U(plane), n, g, zero, line, U(to))
        return
    uneven_flow(x, f, U(o), U(half), U(p), n, g, zero, line, U(to))
    if stride != 0:
        add_uneven_flow(x, f, U(o), U(o + 5 * half), U(o + 6 * half), U(plane), n, g, zero, line, U(to))


@jit
def flows_of_rows(
    other: Field, faces: Field, g: float, k: int, y: int, height: int, deep: int, colour: int, lines: Field
) -> tuple[int, int]:
    """`flows` of rows from ``y`` of plane ``k`` into ``lines`` (most rows, places), in double precision. Returns the
    range of cells that they take in a flat field of one colour, ring at both ends of each row included."""
    count, p = min(lines.shape[0], height - 1 - y), lines.shape[1]
    x, f, line, n = other.reshape(-1), faces.reshape(-1), lines.reshape(-1), 0
    while n < count:
        row, aside = k * height + y + n, 1 - 2 * ((y + n + k - deep + colour) & 1)
        if f.size == 0 and n + 1 < count:  # two rows at a time
            o = row * p + 1
            if deep == 0:
                even_flow_of_two(
                    x, U(o), U(o + aside), U(o + p - aside), U(p), U(p - 2), g, 0.0, line, U(n * p + 1))
            else:
                even_flow_of_two_in_stack(
                    x, U(o), U(o + aside), U(o + p - aside), U(p), U(height * p), U(p - 2), g, 0.0, line, U(n * p + 1))
            n += 2
            continue
        flows(x, f, g, row, other.shape[0], p, height * deep, aside, 0.0, line, n * p + 1)
        n += 1
    lo = (k * height + y) * p
    return lo, lo + count * p
