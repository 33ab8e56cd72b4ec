"""How fast a ligand passes between plasma and tissue."""

from __future__ import annotations

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["exchange_rate"]

PER_H_FROM_UM_PER_S_PER_CM = 1e-4 * 3600.0


def exchange_rate(vessel_surface_per_cm: Array, permeability_um_per_s: float, perfusion_per_h: Array) -> Array:
    """Plasma-tissue clearance per tissue volume, 1/h: F (1 - exp(-PS / F)).

    ``vessel_surface_per_cm`` exchanging surface per tissue volume; ``perfusion_per_h`` plasma flow per tissue volume
    (may be infinite: no limit by flow). Small permeability gives P S, large permeability the flow. Raises ``BadInput``.
    Source: Renkin, Am J Physiol 1959;197:1205; Crone, Acta Physiol Scand 1963;58:292,
    doi:10.1111/j.1748-1716.1963.tb02652.x.

    >>> float(exchange_rate(np.array(100.0), 0.1, np.array(np.inf)).round(3))
    3.6
    """
    surface, flow = np.asarray(vessel_surface_per_cm, dtype=float), np.asarray(perfusion_per_h, dtype=float)
    if not (np.isfinite(permeability_um_per_s) and permeability_um_per_s >= 0.0):
        raise BadInput(f"A permeability must be at or above 0 um/s; got {permeability_um_per_s}.")
    if not (np.all(np.isfinite(surface)) and np.all(surface >= 0.0)):
        raise BadInput("Vessel surface per volume must be finite and at or above 0 per cm everywhere.")
    if not np.all(flow >= 0.0):
        raise BadInput("Perfusion must be at or above 0 per h everywhere (NaN is not allowed).")
    permeated = PER_H_FROM_UM_PER_S_PER_CM * permeability_um_per_s * surface
    permeated, flow = np.broadcast_arrays(permeated, flow)
    limited = np.isfinite(flow) & (flow > 0.0)
    safe = np.where(limited, flow, 1.0)
    return np.asarray(np.where(limited, -safe * np.expm1(-permeated / safe), np.where(flow > 0.0, permeated, 0.0)))
