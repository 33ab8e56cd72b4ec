"""Interstitial fluid: filtered from vessels, carried through the matrix, drained by lymph."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.fields.linear import solve_spd
from nichedose.fields.mesh import Mesh
from nichedose.fields.number import is_number, kind

__all__ = ["FlowEdge", "FluidParameters", "InterstitialFlow", "interstitial_flow", "normal_tissue_edge"]

CM_PER_UM = 1e-4
TOLERANCE = 1e-12  # of the linear system: the flow is a small difference of pressures


@dataclass(frozen=True)
class FluidParameters:
    """Starling's and Darcy's numbers; each may be a number or a field of the mesh's shape.

    ``conductivity`` of the interstitium (um2/mmHg/s), ``wall_conductivity`` of vessels (um/mmHg/s), pressures in mmHg,
    ``reflection`` of plasma protein at the wall (0-1), ``lymph_per_mmHg_s`` drained volume per tissue volume and
    pressure above ``lymph_mmHg`` (0: no working lymph vessels, as inside tumours).
    """

    conductivity_um2_per_mmHg_s: Array | float
    wall_conductivity_um_per_mmHg_s: Array | float
    vessel_mmHg: Array | float
    plasma_osmotic_mmHg: Array | float
    tissue_osmotic_mmHg: Array | float
    reflection: Array | float
    lymph_per_mmHg_s: Array | float = 0.0
    lymph_mmHg: Array | float = 0.0

    @property
    def driving_mmHg(self) -> Array | float:
        """Pressure at which filtration stops: p_v - sigma (pi_v - pi_i)."""
        return self.vessel_mmHg - self.reflection * (self.plasma_osmotic_mmHg - self.tissue_osmotic_mmHg)


@dataclass(frozen=True)
class FlowEdge:
    """What lies around the mesh: a pressure, behind an ``admittance`` (um/mmHg/s; infinite: held at the edge face)."""

    mmHg: float
    admittance_um_per_mmHg_s: float = math.inf


@dataclass(frozen=True)
class InterstitialFlow:
    """Steady flow on ``mesh``. Fields have the mask's shape, zero outside; ``mmHg`` may be negative.

    ``filtered_per_h`` from plasma into tissue (negative where it goes back) and ``drained_per_h`` by lymph: fluid per
    tissue volume. ``face_um_per_s`` (f,) Darcy velocity from cell a to b, ``edge_um_per_s`` (e,) outwards.
    """

    mesh: Mesh
    mmHg: Array
    filtered_per_h: Array
    drained_per_h: Array
    face_um_per_s: Array
    edge_um_per_s: Array

    @property
    def speed_um_per_s(self) -> Array:
        """Speed in each cell: its faces' velocities averaged along each axis."""
        mesh, axes = self.mesh, self.mesh.places.shape[0]
        along = np.zeros((axes, mesh.n))
        for axis in range(axes):
            inner, edge = mesh.axis == axis, mesh.edge_axis == axis
            for cells in (mesh.a, mesh.b):
                along[axis] += 0.5 * np.bincount(cells[inner], self.face_um_per_s[inner], minlength=mesh.n)
            out = (self.edge_um_per_s * mesh.edge_side)[edge]
            along[axis] += 0.5 * np.bincount(mesh.edge_cell[edge], out, minlength=mesh.n)
        return mesh.scatter(np.sqrt((along**2).sum(axis=0)))

    @property
    def imbalance(self) -> float:
        """What filtration brings and neither lymph nor the edge takes, relative to all that moves."""
        volume, m = self.mesh.volume / 3600.0, self.mesh.mask
        gained = float((volume * (self.filtered_per_h[m] - self.drained_per_h[m])).sum())
        lost = float((self.edge_um_per_s * self.mesh.edge_area).sum())
        moved = float((volume * (np.abs(self.filtered_per_h[m]) + np.abs(self.drained_per_h[m]))).sum())
        return abs(gained - lost) / max(moved, 1e-300)


def interstitial_flow(
    mesh: Mesh, vessel_surface_per_cm: Array | float, fluid: FluidParameters, *, edge: FlowEdge | None = None,
) -> InterstitialFlow:  # fmt: skip
    """Pressure and velocity of interstitial fluid: div(K grad p) + Lp S (p_e - p) - l (p - p_l) = 0, v = -K grad p.

    p_e = p_v - sigma (pi_v - pi_i). ``edge`` None: nothing crosses the edge. Faces are finite volumes, so that the
    velocities' divergence is the filtration minus the drainage of each cell. Raises `BadInput` for impossible numbers,
    and where a connected part neither exchanges fluid nor has an open edge.
    Source: Baxter & Jain, Microvasc Res 1989;37:77-104, doi:10.1016/0026-2862(89)90074-5.

    >>> from nichedose.fields import radial_mesh
    >>> fluid = FluidParameters(4.13, 2.8e-3, 15.6, 20.0, 15.0, 0.82)
    >>> flow = interstitial_flow(radial_mesh(np.linspace(0.0, 2000.0, 401)), 200.0, fluid, edge=FlowEdge(0.0))
    >>> round(float(flow.mmHg[0]), 2)
    11.39
    """
    for what, given, wanted in (("mesh", mesh, Mesh), ("fluid", fluid, FluidParameters), ("edge", edge, FlowEdge)):
        if not isinstance(given, wanted) and not (given is None and wanted is FlowEdge):
            raise BadInput(f"Interstitial flow: {what} is a {wanted.__name__}; got {kind(given)}.")
    get = {f.name: mesh.gather(f.name, getattr(fluid, f.name)) for f in fields(fluid)}
    surface = mesh.gather("vessel_surface_per_cm", vessel_surface_per_cm)
    _check(get | {"vessel_surface_per_cm": surface}, edge)
    conductivity = get["conductivity_um2_per_mmHg_s"]
    filtration = get["wall_conductivity_um_per_mmHg_s"] * surface * CM_PER_UM
    stops_at = mesh.gather("driving pressure", fluid.driving_mmHg)
    lymph, lymph_mmHg = get["lymph_per_mmHg_s"], get["lymph_mmHg"]
    between = mesh.conductance(conductivity)
    outward, beyond = np.zeros(mesh.edge_cell.size), 0.0
    if edge is not None:
        half = mesh.edge_conductance(conductivity)
        with np.errstate(divide="ignore"):
            outward = 1.0 / (1.0 / half + 1.0 / (edge.admittance_um_per_mmHg_s * mesh.edge_area))
        beyond = edge.mmHg
    own = mesh.volume * (filtration + lymph) + np.bincount(mesh.edge_cell, outward, minlength=mesh.n)
    right = mesh.volume * (filtration * stops_at + lymph * lymph_mmHg)
    right += np.bincount(mesh.edge_cell, outward * beyond, minlength=mesh.n)
    pressure = _solve(mesh, between, own, right)
    return InterstitialFlow(
        mesh=mesh,
        mmHg=mesh.scatter(pressure),
        filtered_per_h=mesh.scatter(3600.0 * filtration * (stops_at - pressure)),
        drained_per_h=mesh.scatter(3600.0 * lymph * (pressure - lymph_mmHg)),
        face_um_per_s=between * (pressure[mesh.a] - pressure[mesh.b]) / mesh.area,
        edge_um_per_s=outward * (pressure[mesh.edge_cell] - beyond) / mesh.edge_area,
    )


def normal_tissue_edge(vessel_surface_per_cm: float, normal: FluidParameters) -> FlowEdge:
    """The edge towards a half space of uniform normal tissue: pressure falls to its own level over its own length.

    Flow per area is (K/L) (p - p_n) with L = sqrt(K/(Lp S + l)); numbers only.

    >>> normal = FluidParameters(0.853, 3.6e-4, 15.6, 20.0, 10.0, 0.91, 1e-5, 0.0)
    >>> round(normal_tissue_edge(70.0, normal).mmHg, 2)
    1.31
    """
    if not isinstance(normal, FluidParameters):
        raise BadInput(f"Normal tissue around the map is a FluidParameters; got {kind(normal)}.")
    numbers = {f.name: getattr(normal, f.name) for f in fields(normal)} | {"vessels": vessel_surface_per_cm}
    for name, value in numbers.items():
        if not is_number(value) or (value < 0.0 and not name.endswith("mmHg")):
            raise BadInput(f"Normal tissue around the map is uniform: {name} is one number, and only a pressure may be "
                           f"negative; got {value!r:.40}.")  # fmt: skip
    filtration = numbers["wall_conductivity_um_per_mmHg_s"] * vessel_surface_per_cm * CM_PER_UM
    lymph = numbers["lymph_per_mmHg_s"]
    if not filtration + lymph > 0.0:
        raise BadInput("Normal tissue around the map must filter or drain fluid; its wall and lymph terms are both 0.")
    level = (filtration * float(normal.driving_mmHg) + lymph * numbers["lymph_mmHg"]) / (filtration + lymph)
    return FlowEdge(level, math.sqrt(numbers["conductivity_um2_per_mmHg_s"] * (filtration + lymph)))


def _solve(mesh: Mesh, between: Array, own: Array, right: Array) -> Array:
    n, a, b = mesh.n, mesh.a, mesh.b
    links = sp.coo_matrix((np.ones(a.size), (a, b)), shape=(n, n)) if a.size else sp.coo_matrix((n, n))
    count, part = connected_components(links, directed=False)
    fixed = np.zeros(count)
    np.maximum.at(fixed, part, own)
    if bool((fixed <= 0.0).any()):
        raise BadInput(
            f"{int((fixed <= 0.0).sum())} connected part(s) of the tissue neither filter nor drain fluid and have no "
            "open edge, so their pressure is undetermined. Give vessels, lymph, or an edge pressure."
        )
    diagonal = own + np.bincount(a, between, minlength=n) + np.bincount(b, between, minlength=n)
    everyone = np.arange(n)
    matrix = sp.csr_matrix(
        (np.concatenate([diagonal, -between, -between]),
         (np.concatenate([everyone, a, b]), np.concatenate([everyone, b, a]))), shape=(n, n),
    )  # fmt: skip
    if not right.any():
        return np.zeros(n)
    return solve_spd(matrix, right, *mesh.places, tolerance=TOLERANCE)


def _admits(admittance: Any) -> bool:
    return bool((is_number(admittance) or admittance == math.inf) and admittance > 0.0)


def _check(values: dict[str, Array], edge: FlowEdge | None) -> None:
    above = {"conductivity_um2_per_mmHg_s"}
    signed = {"vessel_mmHg", "tissue_osmotic_mmHg", "plasma_osmotic_mmHg", "lymph_mmHg"}
    for name, value in values.items():
        wrong = value <= 0.0 if name in above else value < 0.0
        if name not in signed and bool(wrong.any()):
            rule = "above 0" if name in above else "at or above 0"
            raise BadInput(f"Interstitial flow: {name} must be {rule} in tissue; the smallest is {float(value.min())}.")
    if bool((values["reflection"] > 1.0).any()):
        raise BadInput(f"Interstitial flow: reflection must not exceed 1; the largest is {values['reflection'].max()}.")
    if edge is not None and not (is_number(edge.mmHg) and _admits(edge.admittance_um_per_mmHg_s)):
        raise BadInput(f"Interstitial flow: an edge needs a finite pressure and an admittance above 0; got {edge}.")
