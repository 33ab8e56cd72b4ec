"""Oxygen of the synthetic section, by a deliberately plain scheme that shares no code with the package's solver."""

from __future__ import annotations

import numpy as np

from nichedose.errors import DidNotConverge
from nichedose.fields.grid import Array

__all__ = ["steady_oxygen"]

# Assumed for the synthetic section; the size of these numbers is that of published tissue oxygen models.
DIFFUSIVITY_UM2_PER_S = 2000.0
CONSUMPTION_MMHG_PER_S = 15.0
MICHAELIS_MMHG = 2.5
VESSEL_MMHG = 40.0
WALL_UM_PER_S = 120.0
OVER_RELAXATION = 1.85


def steady_oxygen(vessel_surface_per_cm: Array, relative_consumption: Array, spacing_um: float) -> Array:
    """Solve D lap p - M m p/(p + K) + w S (p_vessel - p) = 0, zero flux at the window's edge; mmHg.

    Red-black over-relaxation; the consumption is linearised as M m p_new/(p_old + K), which keeps p between 0 and the
    vessel's. ``relative_consumption`` m is 1 in packed epithelium.
    """
    diffusion = DIFFUSIVITY_UM2_PER_S / spacing_um**2
    supply = WALL_UM_PER_S * vessel_surface_per_cm * 1e-4
    ny, nx = vessel_surface_per_cm.shape
    p = np.full((ny, nx), 20.0)
    colour = np.add.outer(np.arange(ny), np.arange(nx)) % 2
    for _ in range(2000):
        before = p.copy()
        for parity in (0, 1):
            padded = np.pad(p, 1, mode="edge")
            neighbours = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
            sink = CONSUMPTION_MMHG_PER_S * relative_consumption / (p + MICHAELIS_MMHG)
            new = (diffusion * neighbours + supply * VESSEL_MMHG) / (4.0 * diffusion + supply + sink)
            relaxed = np.clip(p + OVER_RELAXATION * (new - p), 0.0, VESSEL_MMHG)
            p = np.where(colour == parity, relaxed, p)
        if float(np.abs(p - before).max()) < 1e-7:
            return p
    raise DidNotConverge("The oxygen field of the synthetic section did not settle in 2000 sweeps.")
