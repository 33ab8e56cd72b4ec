"""S values from cell to cell, and of clusters of cells."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from nichedose.dose.cells import (
    PARTS,
    CellPart,
    CellShape,
    cell_s_values,
    check_radii,
    cross_fraction,
    part_volume_um3,
)
from nichedose.dose.kernels import Daughters, QualityChoice, RadialKernel, emitted_qualities, radial_kernel
from nichedose.dose.numbers import one_length, real_array
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.nuclide import Source

__all__ = ["cell_cross_s_value", "cluster_s_values", "cross_s_Gy", "cubic_cluster_um", "shapes_of"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(2)
_STEPS = 96  # over the window of distances between two cells; 1e-5 of the S value


def cell_cross_s_value(
    nuclide: str,
    distance_um: ArrayLike,
    cell_radius_um: float,
    nucleus_radius_um: float,
    target: CellPart = "nucleus",
    source: CellPart = "surface",
    daughters: Daughters = "none",
    quality: QualityChoice = None,
    *,
    nucleus_offset_um: float = 0.0,
    source_cell: CellShape | None = None,
    decay_data: Source | None = None,
) -> Array:
    """Mean dose in a part of one cell per decay in a part of another, ``distance_um`` between the centres, Gy.

    Cells and nuclei are spheres in unbounded water. The radii and ``nucleus_offset_um`` are those of the target's cell,
    and of the source's unless ``source_cell`` says otherwise; nuclei off the middle point in random directions, over
    which the dose is averaged. ``distance_um`` above 0, any shape; where the spheres overlap it is computed as it
    stands (segmented cells of a section do that). ``quality``: one, several, or None for all, photons included (as
    kerma); ``decay_data``: "icrp107" or "ensdf". The energy deposited at each distance is integrated over the exact
    distance distribution. Raises `BadInput` for bad radii, distances and names, and for surface to surface.

    >>> f"{float(cell_cross_s_value('177Lu', 14.0, 7.0, 5.0)):.2e}"
    '4.66e-05'
    """
    check_radii(cell_radius_um, nucleus_radius_um, nucleus_offset_um)
    here = CellShape(float(cell_radius_um), float(nucleus_radius_um), float(nucleus_offset_um))
    there = here if source_cell is None else source_cell
    if not isinstance(there, CellShape):
        raise BadInput(f"source_cell = {source_cell!r}; give a CellShape(cell_um, nucleus_um, offset_um).")
    check_radii(there.cell_um, there.nucleus_um, there.offset_um)
    distance = real_array("distance_um", distance_um)
    if not bool(np.all(np.isfinite(distance) & (distance > 0.0))):
        raise BadInput("distance_um must be above 0 and finite; for the cell itself use cell_s_values.")
    _check_parts(target, source)
    each, back = np.unique(distance, return_inverse=True)
    total = np.zeros(each.shape)
    for q in emitted_qualities(nuclide, daughters, quality, decay_data=decay_data):
        kernel = radial_kernel(nuclide, q, daughters, decay_data=decay_data)
        total += cross_s_Gy(kernel, each, here, there, target, source)
    return np.asarray(total[back].reshape(distance.shape))


def cluster_s_values(
    nuclide: str,
    centres_um: ArrayLike,
    cell_radius_um: ArrayLike,
    nucleus_radius_um: ArrayLike,
    target: CellPart = "nucleus",
    source: CellPart = "surface",
    daughters: Daughters = "none",
    quality: QualityChoice = None,
    *,
    nucleus_offset_um: ArrayLike = 0.0,
    decay_data: Source | None = None,
) -> Array:
    """Dose to ``target`` of cell i per decay in ``source`` of cell j, Gy, (n, n); dose = matrix @ decays per cell.

    ``centres_um`` (n, 3) in any packing; the diagonal is the self-dose. Radii, and ``nucleus_offset_um`` between the
    centres of nucleus and cell, are numbers or (n,); nuclei off the middle point in random directions. ``quality`` and
    ``decay_data`` as in `cell_cross_s_value`. Raises `BadInput` for wrong shapes and for cells that overlap.
    """
    centres = real_array("centres_um", centres_um)
    if centres.ndim != 2 or centres.shape[1] != 3 or not len(centres) or not bool(np.isfinite(centres).all()):
        raise BadInput(f"centres_um has shape {centres.shape}; it must be (cells, 3), finite.")
    shapes, kind = shapes_of(len(centres), cell_radius_um, nucleus_radius_um, nucleus_offset_um)
    _check_parts(target, source)
    radius = np.array([shape.cell_um for shape in shapes])[kind]
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    apart = ~np.eye(len(centres), dtype=bool)
    deep = np.argwhere(apart & (distance < (radius[:, None] + radius[None]) * (1.0 - 1e-6)))
    if len(deep):
        i, j = deep[0]
        raise BadInput(f"Cells {i} and {j} are {distance[i, j]:g} um apart; spheres of radius {radius[i]:g} and "
                       f"{radius[j]:g} um would overlap.")
    out = np.empty(distance.shape)
    for (i, here), (j, there) in itertools.product(enumerate(shapes), repeat=2):
        pairs = apart & (kind == i)[:, None] & (kind == j)[None]
        if pairs.any():  # lattices repeat few distances; a thousandth of a nanometre makes them equal
            out[pairs] = cell_cross_s_value(
                nuclide, np.round(distance[pairs], 6), here.cell_um, here.nucleus_um, target, source, daughters,
                quality, nucleus_offset_um=here.offset_um, source_cell=there, decay_data=decay_data)
    own = np.array([cell_s_values(
        nuclide, s.cell_um, s.nucleus_um, daughters, quality, s.offset_um, decay_data=decay_data)[target, source]
        for s in shapes])
    out[~apart] = own[kind]
    return out


def shapes_of(
    count: int, cell_radius_um: ArrayLike, nucleus_radius_um: ArrayLike, nucleus_offset_um: ArrayLike = 0.0
) -> tuple[list[CellShape], np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """The different shapes among ``count`` cells, and which of them each cell has, (count,); raises `BadInput`."""
    columns = []
    for name, values in (("cell_radius_um", cell_radius_um), ("nucleus_radius_um", nucleus_radius_um),
                         ("nucleus_offset_um", nucleus_offset_um)):
        array = real_array(name, values)
        if array.shape not in ((), (count,)):
            raise BadInput(f"{name} has shape {array.shape}; give one number, or one for each of the {count} cells.")
        columns.append(np.broadcast_to(array, (count,)))
    rows, kind = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    for row in rows:
        check_radii(*(float(value) for value in row))
    return [CellShape(*(float(value) for value in row)) for row in rows], kind.reshape(count)


def cubic_cluster_um(cell_radius_um: float) -> Array:
    """Centres (19, 3) of the cluster of Alcocer-Avila et al. 2020: one cell, 6 first and 12 second neighbours.

    Six neighbours that touch the central cell and twelve behind them are the first two shells of a simple cubic
    lattice, 2 and 2 sqrt(2) radii away. That lattice is our reading of the paper's numbers of neighbours; its doses to
    the centre and to both shells come out (see the theory page).
    """
    radius = one_length("cell_radius_um", cell_radius_um)
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=3)), dtype=float)
    near = steps[np.abs(steps).sum(axis=1) <= 2.0]
    order = np.argsort(np.abs(near).sum(axis=1), kind="stable")
    return np.asarray(2.0 * radius * near[order])


def cross_s_Gy(
    kernel: RadialKernel, distance_um: Array, target_cell: CellShape, source_cell: CellShape, target: CellPart,
    source: CellPart,
) -> Array:
    """As `cell_cross_s_value` for one kernel and distances (n,)."""
    body, start, body_cell, start_cell = (
        (source, target, source_cell, target_cell) if target == "surface" else
        (target, source, target_cell, source_cell))
    reach = _reach(body, body_cell) + _reach(start, start_cell)
    energy = [
        _deposited(kernel, cross_fraction(body, start, body_cell, start_cell, float(d)),
                   max(0.0, float(d) - reach), float(d) + reach)
        for d in distance_um]
    return np.asarray(energy) / part_volume_um3(body, body_cell) * GY_PER_MEV_PER_UM3


def _check_parts(target: str, source: str) -> None:
    for name, part in (("target", target), ("source", source)):
        if part not in PARTS:
            raise BadInput(f"{name} = '{part}'.{near_miss(str(part), PARTS)}")
    if target == source == "surface":
        raise BadInput("Dose from surface to surface is not given: an infinitely thin target has no mass.")


def _reach(part: CellPart, shape: CellShape) -> float:
    return shape.nucleus_um + shape.offset_um if part == "nucleus" else shape.cell_um


def _deposited(
    kernel: RadialKernel, fraction: Callable[[Array], Array], low: float, high: float
) -> float:
    """Energy deposited between two distances, weighted by ``fraction``. Unlike the shells of the kernel, which grow
    wider than a cell far from the source, the steps here follow the cells."""
    high = min(high, float(kernel.radius_um[-1]))
    if high <= low:
        return 0.0
    first, last = np.searchsorted(kernel.radius_um, [low, high], side="right")
    edges = np.union1d(np.linspace(low, high, _STEPS + 1), kernel.radius_um[first:last])
    width = np.diff(edges)
    points = edges[:-1, None] + 0.5 * width[:, None] * (_NODES + 1.0)
    mean = fraction(points) @ (0.5 * _WEIGHTS)
    on_the_spot = float(kernel.cumulative_MeV[0] * fraction(np.zeros(1))[0]) if low == 0.0 else 0.0
    return float(np.diff(kernel.within_MeV(edges)) @ mean) + on_the_spot
