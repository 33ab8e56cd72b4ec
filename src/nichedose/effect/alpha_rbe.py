"""Relative effect of alpha particles: by energy, by LET at emission, and by the size of single hits of a nucleus."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from nichedose.dose.microdosimetry import HitStatistics
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.nuclide import Lines

__all__ = ["chain_rbe", "hits_alpha_per_Gy", "nucleus_per_Gy", "rbe_by_energy", "rbe_by_let"]

ENERGIES_MEV = (3.0, 9.0)  # alphas of the radionuclides behind the relation, with a little room
LETS_KEV_PER_UM = (40.0, 140.0)


def rbe_by_energy(energy_MeV: ArrayLike) -> Array:
    """RBE 22 E^-0.73 of an alpha particle emitted with E MeV inside cells (Howell et al. 1994, Radiat Res).

    Spermatogonial cells of the mouse testis; emissions from 3 to 9 MeV. Raises `BadInput` outside.

    >>> [round(float(r), 1) for r in rbe_by_energy([5.3, 7.07, 8.785])]
    [6.5, 5.3, 4.5]
    """
    energy = _inside(energy_MeV, ENERGIES_MEV, "energy_MeV")
    return np.asarray(22.0 * energy**-0.73)


def rbe_by_let(let_at_emission_keV_per_um: ArrayLike) -> Array:
    """The same relation by LET: 4.8 - 0.061 L + 1.0e-3 L^2, with L the LET *at emission*, not along the track.

    >>> [round(float(r), 1) for r in rbe_by_let([85.0, 70.0, 58.6])]
    [6.8, 5.4, 4.7]
    """
    let = _inside(let_at_emission_keV_per_um, LETS_KEV_PER_UM, "let_at_emission_keV_per_um")
    return np.asarray(4.8 - 0.061 * let + 1.0e-3 * let**2)


def chain_rbe(lines: Lines) -> float:
    """Energy-weighted `rbe_by_energy` over the alphas of a chain that decays in place."""
    energy, weight = np.asarray(lines.energy_MeV, float), np.asarray(lines.per_decay, float)
    total = float(energy @ weight)
    if not total > 0.0:
        raise BadInput("An RBE needs at least one alpha line with a yield above 0.")
    return float(rbe_by_energy(energy) @ (energy * weight)) / total


def hits_alpha_per_Gy(hits: HitStatistics, nucleus_per_Gy: float) -> float:
    """Initial slope (1/Gy of mean dose) when each nucleus survives as exp(-``nucleus_per_Gy`` z) of what *it* receives.

    Tracks that are not spread evenly over nuclei waste dose: the slope lies below ``nucleus_per_Gy``, the more so the
    larger a single hit is. It is -ln(mean survival)/mean dose at the dose of ``hits``.
    """
    if not hits.mean_specific_energy_Gy > 0.0:
        raise BadInput("These hit statistics hold no alpha dose.")
    return -math.log(hits.survival(nucleus_per_Gy)) / hits.mean_specific_energy_Gy


def nucleus_per_Gy(hits: HitStatistics, alpha_per_Gy: float) -> float:
    """The sensitivity of a nucleus that shows as slope ``alpha_per_Gy`` in the geometry of ``hits``.

    With it a slope that was measured in one geometry (free label in a dish) carries over to another (label on the
    membrane): ``hits_alpha_per_Gy(there, nucleus_per_Gy(here, alpha))``. Raises `BadInput` when no sensitivity can show
    as such a slope, because too few nuclei are hit.
    """
    if not (math.isfinite(alpha_per_Gy) and alpha_per_Gy > 0.0):
        raise BadInput(f"alpha_per_Gy = {alpha_per_Gy:g}; it must be finite and above 0.")
    most = 1e3 * alpha_per_Gy
    if hits_alpha_per_Gy(hits, most) < alpha_per_Gy:
        raise BadInput(f"No sensitivity of a nucleus shows as {alpha_per_Gy:g} per Gy here: with "
                       f"{hits.zero_hit_probability:.0%} of nuclei not hit, the slope stays below "
                       f"{hits_alpha_per_Gy(hits, most):.3g} per Gy.")
    return float(brentq(lambda x: hits_alpha_per_Gy(hits, x) - alpha_per_Gy, alpha_per_Gy * 0.5, most, rtol=1e-12))


def _inside(values: ArrayLike, bounds: tuple[float, float], name: str) -> Array:
    given = np.asarray(values, dtype=float)
    low, high = bounds
    if not bool(((given >= low) & (given <= high)).all()):
        raise BadInput(f"{name} must lie between {low:g} and {high:g}, where the relation was found.")
    return given
