"""Ligand gradients around vessels that are smaller than a voxel: the conductance between wall and tissue mean."""

from __future__ import annotations

import numpy as np
from scipy.special import ive, kve

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.fields.number import is_number, real_array
from nichedose.tissue.krogh import tissue_radius_um

__all__ = ["around_resolved_vessels", "around_vessels", "trapping_per_h"]

SECONDS_PER_HOUR = 3600.0
GRID_RADIUS = float(np.exp(-np.euler_gamma - 1.5 * np.log(2.0)))  # 0.1985 voxels: a source's radius on a square grid
UNIFORM_BELOW = 1e-3  # loss x radius^2 / diffusivity under which a uniform loss gives the same conductance to 1e-4


def around_vessels(
    vessel_surface_per_cm: Array, vessel_radius_um: float, diffusivity_um2_per_s: Array | float,
    loss_per_h: Array | float,
) -> Array:  # fmt: skip
    """Conductance s (1/h per tissue volume) of tissue around a vessel: trapped per volume = s (C at wall - mean C).

    Krogh's cylinder with first-order loss: N = S/(2 pi R_c) vessels per area, each feeding a radius 1/sqrt(pi N), in
    Bessel functions. ``diffusivity_um2_per_s`` per tissue (void fraction included); ``loss_per_h`` per tissue
    volume and C, see `trapping_per_h`. Give it to `exchange_rates` as ``series_per_h``. Infinite where there is no
    vessel. It holds for the time integral where sites are not saturated. Raises `BadInput`.

    >>> round(float(around_vessels(np.array(50.0), 8.0, 40.0, 1.0)), 1)
    72.0
    """
    surface, spread = _vessels(vessel_surface_per_cm, vessel_radius_um, diffusivity_um2_per_s)
    loss = real_array("loss_per_h", loss_per_h)
    _refuse_negative("loss_per_h", loss)
    surface, spread, loss = np.broadcast_arrays(surface, spread, loss)
    out = np.full(surface.shape, np.inf)
    fed = surface > 0.0
    wall, outer = vessel_radius_um, tissue_radius_um(surface[fed], vessel_radius_um)
    ring = outer**2 - wall**2
    # uniform loss: the mean drop of the Krogh-Erlang profile per loss over diffusivity
    drop = 0.5 * outer**4 * np.log(outer / wall) / ring - 0.25 * outer**2 - 0.125 * ring
    slow = spread[fed] / drop
    modulus = np.sqrt(loss[fed] / spread[fed])
    strong = modulus * outer > np.sqrt(UNIFORM_BELOW)
    safe = np.where(strong, modulus, 1.0 / outer)
    share = _mean_over_wall(safe * wall, safe * outer) * 2.0 * wall / (safe * ring)
    out[fed] = np.where(strong, safe**2 * spread[fed] * share / (1.0 - share), slow)
    return out


def around_resolved_vessels(
    vessel_surface_per_cm: Array, vessel_radius_um: float, diffusivity_um2_per_s: Array | float, spacing_um: float
) -> Array:  # fmt: skip
    """As `around_vessels`, for a section so fine that each vessel has a voxel of its own, and the grid its gradients.

    A voxel of side h that holds the source of a 2-D grid is a vessel of radius 0.1985 h (Peaceman, SPE J 1978;18:183,
    not read: exp(-gamma)/sqrt(8) of the lattice's Green function): what is missing is eps D times 2 pi N over
    ln(0.1985 h/R_c). Negative where the vessel is wider than that, whose wall then lets more through. No vessel:
    infinite. Raises `BadInput`.

    >>> round(float(around_resolved_vessels(np.array(3000.0), 1.0, 40.0, 10.0)))
    63006
    """
    surface, spread = _vessels(vessel_surface_per_cm, vessel_radius_um, diffusivity_um2_per_s)
    if not (is_number(spacing_um) and spacing_um > 0.0):
        raise BadInput(f"A voxel's side must be above 0 um; got {spacing_um}.")
    surface, spread = np.broadcast_arrays(surface, spread)
    drop = np.log(GRID_RADIUS * spacing_um / vessel_radius_um)
    if drop == 0.0:
        return np.full(surface.shape, np.inf)
    per_um2 = surface * 1e-4 / (2.0 * np.pi * vessel_radius_um)
    return np.where(surface > 0.0, spread * 2.0 * np.pi * per_um2 / drop, np.inf)


def _vessels(surface_per_cm: Array, radius_um: float, diffusivity_um2_per_s: Array | float) -> tuple[Array, Array]:
    """Checked surface (1/cm) and diffusivity (um2/h)."""
    surface = real_array("vessel_surface_per_cm", surface_per_cm)
    spread = real_array("diffusivity_um2_per_s", diffusivity_um2_per_s)
    _refuse_negative("vessel_surface_per_cm", surface)
    if not (np.isfinite(spread).all() and bool((spread > 0.0).all())):
        raise BadInput("diffusivity_um2_per_s must be finite and above 0 everywhere.")
    if not (is_number(radius_um) and radius_um > 0.0):
        raise BadInput(f"A vessel's radius must be one number above 0 um; got {radius_um!r:.40}.")
    return surface, spread * SECONDS_PER_HOUR


def _refuse_negative(name: str, value: Array) -> None:
    if not bool((np.isfinite(value) & (value >= 0.0)).all()):
        raise BadInput(f"{name} must be finite and at or above 0 everywhere.")


def trapping_per_h(
    association_L_per_nmol_per_h: float, dissociation_per_h: float, internalisation_per_h: float,
    sites_nmol_per_L: Array | float, decay_per_h: float = 0.0,
) -> Array:  # fmt: skip
    """Net first-order loss of free ligand to unsaturated sites, per tissue volume: kon R (kint + L)/(koff + kint + L).

    With ``decay_per_h`` L it is exact for the time integral of that label. Raises `BadInput`.

    >>> float(trapping_per_h(0.6, 0.6, 0.2, 100.0))
    15.0
    """
    rates = {"association_L_per_nmol_per_h": association_L_per_nmol_per_h, "dissociation_per_h": dissociation_per_h,
             "internalisation_per_h": internalisation_per_h, "decay_per_h": decay_per_h}  # fmt: skip
    for name, rate in rates.items():
        if not (is_number(rate) and rate >= 0.0):
            raise BadInput(f"{name} must be one number at or above 0; got {rate!r:.40}.")
    sites = real_array("sites_nmol_per_L", sites_nmol_per_L)
    _refuse_negative("sites_nmol_per_L", sites)
    out = internalisation_per_h + decay_per_h
    return np.asarray(association_L_per_nmol_per_h * sites * out
                      / max(dissociation_per_h + out, 1e-300))  # fmt: skip


def _mean_over_wall(inner: Array, outer: Array) -> Array:
    """-F'(inner)/F(inner) of the profile without flux at ``outer``; arguments in units of the penetration length."""
    fade = np.exp(-2.0 * (outer - inner))
    slope = ive(1, outer) * kve(1, inner) - fade * ive(1, inner) * kve(1, outer)
    value = ive(1, outer) * kve(0, inner) + fade * ive(0, inner) * kve(1, outer)
    return np.asarray(slope / value)
