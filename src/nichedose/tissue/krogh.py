"""One vessel and the tissue around it (Krogh's cylinder): the closure that turns vessel surface into oxygen supply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_banded
from scipy.optimize import brentq

from nichedose.errors import BadInput, DidNotConverge
from nichedose.fields.grid import Array
from nichedose.fields.number import is_number

__all__ = [
    "OxygenParameters",
    "critical_radius_um",
    "exchange_per_s",
    "krogh_erlang_mean_drop_mmHg",
    "krogh_erlang_mmHg",
    "radial_mean_mmHg",
    "radial_profile_mmHg",
    "tissue_radius_um",
]

SHELLS = 128  # radial volumes; the mean is then within 1e-4 of the limit (measured in a test)
TABLE_POINTS = 40  # tissue radii at which the supply is solved; between them it is interpolated in logarithms
SPARSEST_RADII = 12.0  # the table ends at this many critical radii; beyond, a vessel supplies all that it can
DENSEST = 1.05  # smallest tissue over vessel radius: nine tenths of the volume would be vessel
MAX_NEWTON = 60


@dataclass(frozen=True)
class OxygenParameters:
    """Numbers of the oxygen model; ``vessel_mmHg`` is the pressure at the vessel wall, towards the tissue."""

    diffusivity_um2_per_s: float
    consumption_mmHg_per_s: float
    michaelis_mmHg: float
    vessel_mmHg: float
    vessel_radius_um: float

    def __post_init__(self) -> None:
        for name, number in vars(self).items():
            if not (is_number(number) and number > 0.0):
                raise BadInput(f"Oxygen parameter {name} must be above 0; got {number}.")


def tissue_radius_um(vessel_surface_per_cm: Array, vessel_radius_um: float) -> Array:
    """Radius of the tissue that each vessel feeds: N = S/(2 pi R_c) parallel vessels per area, R_t = 1/sqrt(pi N).

    Infinite where there is no vessel; never below `DENSEST` vessel radii.
    """
    per_um2 = np.asarray(vessel_surface_per_cm, dtype=float) * 1e-4 / (2.0 * np.pi * vessel_radius_um)
    with np.errstate(divide="ignore"):
        radius = 1.0 / np.sqrt(np.pi * per_um2)
    return np.maximum(radius, DENSEST * vessel_radius_um)


def krogh_erlang_mmHg(radius_um: Array, tissue_um: float, p: OxygenParameters) -> Array:
    """Krogh-Erlang profile: constant consumption, pressure given at the vessel wall, no flux at ``tissue_um``."""
    m = p.consumption_mmHg_per_s / p.diffusivity_um2_per_s
    r, wall = np.asarray(radius_um, dtype=float), p.vessel_radius_um
    return np.asarray(p.vessel_mmHg - 0.5 * m * tissue_um**2 * np.log(r / wall) + 0.25 * m * (r**2 - wall**2))


def krogh_erlang_mean_drop_mmHg(tissue_um: Array | float, p: OxygenParameters) -> Array:
    """Vessel pressure minus the tissue mean of `krogh_erlang_mmHg`, over the tissue between wall and ``tissue_um``."""
    outer, inner = np.asarray(tissue_um, dtype=float) ** 2, p.vessel_radius_um**2
    ring = outer - inner
    shape = 0.25 * outer**2 * np.log(outer / inner) / ring - 0.25 * outer - 0.125 * ring
    return np.asarray(p.consumption_mmHg_per_s / p.diffusivity_um2_per_s * shape)


def critical_radius_um(p: OxygenParameters) -> float:
    """The tissue radius at which the Krogh-Erlang pressure reaches zero at the outer edge."""
    wall = p.vessel_radius_um
    span = np.sqrt(4.0 * p.diffusivity_um2_per_s * p.vessel_mmHg / p.consumption_mmHg_per_s)
    return float(
        brentq(
            lambda r: float(krogh_erlang_mmHg(np.array(r), r, p)),
            wall * (1.0 + 1e-9),
            wall + 2.0 * span,
            xtol=1e-10,
            rtol=1e-14,
        )
    )


def exchange_per_s(vessel_surface_per_cm: Array, p: OxygenParameters) -> Array:
    """Supply coefficient k (1/s): with it, k (P_v - P) = sink(P) has the mean P of Krogh's cylinder as its root.

    Sink is M P/(P + K) at the mean. k follows from the radial solution with the same law, so it holds from well
    supplied (where it is M over the Krogh-Erlang mean drop) to anoxic tissue. Zero where there is no vessel.
    """
    radius = tissue_radius_um(vessel_surface_per_cm, p.vessel_radius_um)
    low = DENSEST * p.vessel_radius_um
    high = max(SPARSEST_RADII * critical_radius_um(p), 2.0 * low)
    finite = np.clip(radius, low, high)
    nodes = np.geomspace(float(finite.min()), float(finite.max()) * (1.0 + 1e-12), TABLE_POINTS)
    mean = radial_mean_mmHg(nodes, p)
    sink = p.consumption_mmHg_per_s * mean / (mean + p.michaelis_mmHg)
    table = np.log(sink / (p.vessel_mmHg - mean))
    k = np.exp(np.interp(np.log(finite), np.log(nodes), table))
    return np.asarray(k * (finite / radius) ** 2)


def radial_mean_mmHg(tissue_um: Array, p: OxygenParameters, shells: int = SHELLS) -> Array:
    """Tissue mean of P around one vessel with Michaelis-Menten consumption, for each of ``tissue_um`` (n,)."""
    pressure, volume = radial_profile_mmHg(tissue_um, p, shells)
    return np.asarray((volume * pressure).sum(axis=1) / volume.sum(axis=1))


def radial_profile_mmHg(tissue_um: Array, p: OxygenParameters, shells: int = SHELLS) -> tuple[Array, Array]:
    """P in each shell around one vessel, and the shells' volumes, both (n, shells), from the vessel outwards.

    Finite volumes in r on geometric shells; all cylinders are stacked into one tridiagonal system per Newton step.
    """
    outer = np.atleast_1d(np.asarray(tissue_um, dtype=float))
    wall = p.vessel_radius_um
    edges = wall * (outer[:, None] / wall) ** np.linspace(0.0, 1.0, shells + 1)
    centres = np.sqrt(0.5 * (edges[:, 1:] ** 2 + edges[:, :-1] ** 2))
    volume = 0.5 * (edges[:, 1:] ** 2 - edges[:, :-1] ** 2)
    inner = np.zeros_like(volume)
    inner[:, 0] = p.diffusivity_um2_per_s / np.log(centres[:, 0] / wall)
    inner[:, 1:] = p.diffusivity_um2_per_s / np.log(centres[:, 1:] / centres[:, :-1])
    return _radial_newton(inner.ravel(), volume.ravel(), shells, p).reshape(volume.shape), volume


def _radial_newton(inner: Array, volume: Array, shells: int, p: OxygenParameters) -> Array:
    """``inner`` is each shell's conductance towards the vessel; the first shell of each cylinder faces the wall."""
    first = np.zeros(inner.size, bool)
    first[::shells] = True
    link = np.where(first, 0.0, inner)
    outward = np.append(link[1:], 0.0)
    half, most = p.michaelis_mmHg, p.consumption_mmHg_per_s
    supply = np.where(first, inner * p.vessel_mmHg, 0.0)
    pressure = np.full(inner.size, p.vessel_mmHg)  # from here the first step lands below the solution
    for _ in range(MAX_NEWTON):
        shifted = pressure + half
        balance = supply - (inner + outward) * pressure - volume * most * pressure / shifted
        balance[1:] += link[1:] * pressure[:-1]
        balance[:-1] += link[1:] * pressure[1:]
        diagonal = inner + outward + volume * most * half / shifted**2
        bands = np.stack([np.append(0.0, -link[1:]), diagonal, np.append(-link[1:], 0.0)])
        step = solve_banded((1, 1), bands, balance, check_finite=False)
        pressure = np.maximum(pressure + step, 0.0)  # and the next ones rise: the sink is concave
        if float(np.abs(step).max()) < 1e-9 * p.vessel_mmHg:
            return np.asarray(pressure)
    raise DidNotConverge(
        f"Oxygen around one vessel did not settle in {MAX_NEWTON} Newton steps (last step "
        f"{float(np.abs(step).max()):.1e} mmHg); check the oxygen parameters {p}."
    )
