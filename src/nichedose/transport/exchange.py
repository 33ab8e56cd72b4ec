"""How fast a ligand passes between plasma and tissue."""

from __future__ import annotations

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.fields.number import is_number, real_array
from nichedose.transport._ladder import fitted

__all__ = ["exchange_rate", "exchange_rates"]

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
    surface, flow = _alike(vessel_surface_per_cm=vessel_surface_per_cm, perfusion_per_h=perfusion_per_h)
    if not (is_number(permeability_um_per_s) and permeability_um_per_s >= 0.0):
        raise BadInput(f"A permeability must be at or above 0 um/s; got {permeability_um_per_s}.")
    if not (np.all(np.isfinite(surface)) and np.all(surface >= 0.0)):
        raise BadInput("Vessel surface per volume must be finite and at or above 0 per cm everywhere.")
    if not np.all(flow >= 0.0):
        raise BadInput("Perfusion must be at or above 0 per h everywhere (NaN is not allowed).")
    permeated = PER_H_FROM_UM_PER_S_PER_CM * permeability_um_per_s * surface
    limited = np.isfinite(flow) & (flow > 0.0)
    safe = np.where(limited, flow, 1.0)
    return np.asarray(np.where(limited, -safe * np.expm1(-permeated / safe), np.where(flow > 0.0, permeated, 0.0)))


def exchange_rates(
    vessel_surface_per_cm: Array, permeability_um_per_s: float, perfusion_per_h: Array | float = np.inf,
    *, filtered_per_h: Array | float = 0.0, reflection: float = 0.0, series_per_h: Array | float = np.inf,
) -> tuple[Array, Array]:  # fmt: skip
    """What enters from plasma per C_p and leaves per C, 1/h per tissue volume: diffusion and filtration together.

    Patlak: J (1 - s) C_p + PS (C_p - C) Pe/(e^Pe - 1) with Pe = J (1 - s)/PS, ``filtered_per_h`` J and the ligand's
    ``reflection`` s; then both limited by plasma flow, which filtration uses up along the vessel: `exchange_rate`
    without it.
    ``series_per_h`` is a further conductance behind the wall, `around_vessels`, that the fluid passes too; where it is
    negative it takes resistance off the wall (`around_resolved_vessels`), never all of it. Raises ``BadInput``, also
    where more is filtered than flows.
    Source: Patlak, Goldstein & Hoffman, J Theor Biol 1963;5:426-442.

    >>> into, out = exchange_rates(np.array(100.0), 0.1, filtered_per_h=np.array(2.0))
    >>> round(float(into - out), 6)
    2.0
    """
    if not (is_number(reflection) and 0.0 <= reflection <= 1.0):
        raise BadInput(f"A reflection coefficient lies from 0 to 1; got {reflection}.")
    surface, flow, filtered, series = _alike(
        vessel_surface_per_cm=vessel_surface_per_cm, perfusion_per_h=perfusion_per_h, filtered_per_h=filtered_per_h,
        series_per_h=series_per_h)  # fmt: skip
    wall, stream = exchange_rate(surface, permeability_um_per_s, np.asarray(np.inf)), filtered * (1.0 - reflection)
    if not (np.isfinite(stream).all() and bool((flow >= 0.0).all()) and bool((np.abs(series) > 0.0).all())):
        raise BadInput("Filtration must be finite, perfusion at or above 0, a series conductance not 0.")
    into, out = fitted(wall, stream)
    # behind the wall the ligand spreads by diffusion, and with the fluid where that resists
    resists, passed = np.isfinite(series), np.isfinite(series) & (series > 0.0)
    onward, back = (np.where(passed, c, series) for c in fitted(np.where(passed, series, 1.0), filtered))
    behind = np.where(resists, onward + out, 1.0)
    if not bool((behind[resists] * series[resists] > 0.0).all()):
        raise BadInput(
            "A negative series conductance takes more resistance away than the vessel wall has: on this grid the "
            "vessels are too wide for a voxel of their own. Use a larger grid spacing."
        )
    into, out = (c * np.where(resists, s, 1.0) / behind for c, s in ((into, onward), (out, back)))
    return _within_flow(into, out, filtered, flow)


def _within_flow(into: Array, out: Array, filtered: Array, flow: Array) -> tuple[Array, Array]:
    """Both rates where plasma flows past at ``flow`` and loses ``filtered`` on its way, spread evenly along it.

    Flow (f - J z) dC/dz = -(into - J) C + out F from z = 0 to 1; what is taken up is f C(0) - (f - J) C(1).
    """
    limited = np.isfinite(flow) & (flow > 0.0)
    if bool((limited & (filtered >= flow)).any()):
        worst = float((filtered / np.where(limited, flow, np.inf)).max())
        raise BadInput(f"More fluid is filtered than plasma flows in (up to {worst:.3g} times). Check filtered_per_h "
                       "and perfusion_per_h: both are per tissue volume and hour.")
    f = np.where(limited, flow, 1.0)
    spent = np.where(limited, filtered, 0.0) / f
    small = np.abs(spent) < 1e-6
    per_flow = np.where(small, 1.0 + 0.5 * spent, -np.log1p(-np.where(small, 0.5, spent)) / np.where(small, 0.5, spent))
    x = np.where(limited, into - filtered, 0.0) / f * per_flow
    left = (1.0 - spent) * np.exp(-x)  # of the ligand that came in, where tissue holds none
    even = np.abs(x) < 1e-6
    reached = np.where(even, 1.0 - 0.5 * x, -np.expm1(-x) / np.where(even, 1.0, x)) * per_flow * (1.0 - spent)
    stands = np.where(flow > 0.0, 1.0, 0.0)
    return (np.asarray(np.where(limited, f * (1.0 - left), stands * into)),
            np.asarray(np.where(limited, out * reached, stands * out)))


def _alike(**given: Array | float) -> tuple[Array, ...]:
    """Numbers and fields as float arrays of one shape; `BadInput` for what is neither, or of shapes that differ."""
    arrays = {name: real_array(name, value) for name, value in given.items()}
    shapes = {name: array.shape for name, array in arrays.items() if array.ndim}
    if len(set(shapes.values())) > 1:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise BadInput(f"Fields of vessel exchange must have one shape; got {found}.")
    return np.broadcast_arrays(*arrays.values())
