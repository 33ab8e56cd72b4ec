"""S values from cell to cell, and of clusters of equal cells."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

from nichedose.dose.cells import (
    PARTS,
    CellPart,
    cell_s_values,
    check_radii,
    part_volume_um3,
    step_fraction,
)
from nichedose.dose.kernels import Daughters, RadialKernel, charged_qualities, radial_kernel
from nichedose.dose.result import Quality
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array

__all__ = ["cell_cross_s_value", "cluster_s_values", "cross_s_Gy", "cubic_cluster_um"]

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
    quality: Quality | None = None,
) -> Array:
    """Mean dose in a part of one cell per decay in a part of another, ``distance_um`` between the centres, Gy.

    Both cells are equal spheres with concentric nuclei in unbounded water. ``distance_um`` above 0, any shape; below
    two cell radii the spheres overlap, which is computed as it stands (segmented cells of a section do that). The
    energy deposited at distances from d - 2a to d + 2a is integrated over the exact distance distribution. Photons are
    not included. Raises `BadInput` for bad radii, distances and names, and for surface to surface.

    >>> f"{float(cell_cross_s_value('177Lu', 14.0, 7.0, 5.0)):.2e}"
    '4.66e-05'
    """
    check_radii(cell_radius_um, nucleus_radius_um)
    distance = np.asarray(distance_um, dtype=float)
    if not bool(np.all(np.isfinite(distance) & (distance > 0.0))):
        raise BadInput("distance_um must be above 0 and finite; for the cell itself use cell_s_values.")
    for name, part in (("target", target), ("source", source)):
        if part not in PARTS:
            raise BadInput(f"{name} = '{part}'.{near_miss(part, PARTS)}")
    if target == source == "surface":
        raise BadInput("Dose from surface to surface is not given: an infinitely thin target has no mass.")
    qualities = charged_qualities(nuclide, daughters) if quality is None else (quality,)
    each, back = np.unique(distance, return_inverse=True)
    total = np.zeros(each.shape)
    for q in qualities:
        kernel = radial_kernel(nuclide, q, daughters)
        total += cross_s_Gy(kernel, each, float(cell_radius_um), float(nucleus_radius_um), target, source)
    return np.asarray(total[back].reshape(distance.shape))


def cluster_s_values(
    nuclide: str,
    centres_um: ArrayLike,
    cell_radius_um: float,
    nucleus_radius_um: float,
    target: CellPart = "nucleus",
    source: CellPart = "surface",
    daughters: Daughters = "none",
) -> Array:
    """Dose to ``target`` of cell i per decay in ``source`` of cell j, Gy, (n, n); dose = matrix @ decays per cell.

    ``centres_um`` (n, 3) in any packing; the diagonal is the self-dose. Equal spheres with concentric nuclei. Raises
    `BadInput` for a wrong shape and for cells that overlap.
    """
    check_radii(cell_radius_um, nucleus_radius_um)
    centres = np.asarray(centres_um, dtype=float)
    if centres.ndim != 2 or centres.shape[1] != 3 or not len(centres) or not bool(np.isfinite(centres).all()):
        raise BadInput(f"centres_um has shape {centres.shape}; it must be (cells, 3), finite.")
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    apart = ~np.eye(len(centres), dtype=bool)
    if len(centres) > 1 and distance[apart].min() < 2.0 * cell_radius_um * (1.0 - 1e-6):
        raise BadInput(f"Two cells are {distance[apart].min():g} um apart; spheres of radius {cell_radius_um:g} um "
                       "would overlap.")
    out = np.full(distance.shape, cell_s_values(nuclide, cell_radius_um, nucleus_radius_um, daughters)[target, source])
    if len(centres) > 1:
        # lattices repeat few distances; a thousandth of a nanometre makes them equal
        out[apart] = cell_cross_s_value(
            nuclide, np.round(distance[apart], 6), cell_radius_um, nucleus_radius_um, target, source, daughters)
    return out


def cubic_cluster_um(cell_radius_um: float) -> Array:
    """Centres (19, 3) of the cluster of Alcocer-Avila et al. 2020: one cell, 6 first and 12 second neighbours.

    Six neighbours that touch the central cell and twelve behind them are the first two shells of a simple cubic
    lattice, 2 and 2 sqrt(2) radii away. That lattice is our reading of the paper's numbers of neighbours; its doses to
    the centre and to both shells come out (see the theory page).
    """
    if not (np.isfinite(cell_radius_um) and cell_radius_um > 0.0):
        raise BadInput(f"cell_radius_um = {cell_radius_um}; it must be above 0.")
    steps = np.array(list(itertools.product((-1, 0, 1), repeat=3)), dtype=float)
    near = steps[np.abs(steps).sum(axis=1) <= 2.0]
    order = np.argsort(np.abs(near).sum(axis=1), kind="stable")
    return np.asarray(2.0 * float(cell_radius_um) * near[order])


def cross_s_Gy(
    kernel: RadialKernel, distance_um: Array, cell_um: float, nucleus_um: float, target: CellPart, source: CellPart
) -> Array:
    """As `cell_cross_s_value` for one kernel and distances (n,)."""
    body, start = (source, target) if target == "surface" else (target, source)
    energy_within = PchipInterpolator(kernel.radius_um, kernel.cumulative_MeV)
    reach = _reach(body, cell_um, nucleus_um) + _reach(start, cell_um, nucleus_um)
    energy = [
        _deposited(kernel, energy_within, step_fraction(body, start, cell_um, nucleus_um, apart_um=float(d)),
                   max(0.0, float(d) - reach), float(d) + reach)
        for d in distance_um]
    return np.asarray(energy) / part_volume_um3(body, cell_um, nucleus_um) * GY_PER_MEV_PER_UM3


def _reach(part: CellPart, cell_um: float, nucleus_um: float) -> float:
    return nucleus_um if part == "nucleus" else cell_um


def _deposited(
    kernel: RadialKernel, energy_within: PchipInterpolator, fraction: Callable[[Array], Array], low: float, high: float
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
    return float(np.diff(energy_within(edges)) @ mean) + on_the_spot
