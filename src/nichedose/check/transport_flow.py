"""Interstitial flow against the isolated sphere of Baxter & Jain."""

from __future__ import annotations

import numpy as np

from nichedose.check.row import CheckRow
from nichedose.fields import radial_mesh
from nichedose.transport import FlowEdge, FluidParameters, interstitial_flow

__all__ = ["rows"]

SOURCE = "Baxter & Jain 1989, doi:10.1016/0026-2862(89)90074-5: isolated sphere, closed form"
FLUID = FluidParameters(4.13, 2.8e-3, 15.6, 20.0, 15.0, 0.82)
SURFACE_PER_CM = 200.0


def rows() -> list[CheckRow]:
    """Centre pressure and surface velocity for several radii."""
    return [row for radius_mm in (0.2, 0.5, 1.0, 5.0, 10.0) for row in _sphere(radius_mm)]


def _sphere(radius_mm: float) -> list[CheckRow]:
    radius, shells = 1e3 * radius_mm, 400
    mesh = radial_mesh(np.linspace(0.0, radius, shells + 1))
    flow = interstitial_flow(mesh, SURFACE_PER_CM, FLUID, edge=FlowEdge(0.0))
    a, plateau = radius * np.sqrt(2.8e-3 * SURFACE_PER_CM * 1e-4 / 4.13), 11.5
    centre = plateau * (1.0 - a / np.sinh(a))
    flux = 4.13 * plateau / radius * (a / np.tanh(a) - 1.0)
    name = f"transport.flow.sphere_{radius_mm:g}mm"
    return [
        CheckRow(f"{name}.centre", SOURCE, "analytic", float(flow.mmHg[0]), centre, 0.01, unit="mmHg"),
        CheckRow(f"{name}.surface", SOURCE, "analytic", float(flow.edge_um_per_s[0]), flux, 0.01, unit="um/s"),
    ]
