"""S values of uniform spheres."""

from __future__ import annotations

import numpy as np

from nichedose.dose.density import checked_density
from nichedose.dose.geometry import deposited_MeV, sphere_overlap_um3, sphere_volume_um3
from nichedose.dose.kernels import Daughters, QualityChoice, RadialKernel, summed_kernel
from nichedose.dose.numbers import check_lengths, one_number
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput
from nichedose.nuclide import Source

__all__ = ["absorbed_MeV_in_sphere", "sphere_s_value"]


def absorbed_MeV_in_sphere(kernel: RadialKernel, radius_um: float) -> float:
    """Energy per decay of a uniform source that stays in its own sphere."""
    volume = sphere_volume_um3(radius_um)
    return deposited_MeV(kernel, lambda x: sphere_overlap_um3(radius_um, radius_um, x) / volume, [2.0 * radius_um])


def sphere_s_value(
    nuclide: str, diameter_um: float, daughters: Daughters = "none", quality: QualityChoice = None,
    density_g_per_mL: float = 1.0, decay_data: Source | None = None,
) -> float:
    """Mean dose in a water sphere with a uniform source in unbounded water, Gy per decay.

    ``quality``: one, several, or None for all, photons included; ``decay_data``: "icrp107" or "ensdf".
    ``density_g_per_mL`` of sphere and surroundings: as for `voxel_s_values`. Raises `BadInput` for a diameter not above
    0 and unknown names, `OutOfValidity` below 1 nm, for densities that are not between 0.1 and 2 g/mL, and for photons
    above 1.2.

    >>> f"{sphere_s_value('177Lu', 1000.0):.2e}"
    '3.02e-08'
    """
    diameter = one_number("diameter_um", diameter_um, "um")
    if not (np.isfinite(diameter) and diameter > 0.0):
        raise BadInput(f"diameter_um = {diameter_um}; it must be above 0.")
    check_lengths("diameter_um", diameter)
    density = checked_density(density_g_per_mL, nuclide, daughters, quality, decay_data)
    radius = 0.5 * diameter * density  # distances in g/cm2 decide
    energy = absorbed_MeV_in_sphere(summed_kernel(nuclide, daughters, quality, decay_data=decay_data), radius)
    return float(energy / sphere_volume_um3(radius) * GY_PER_MEV_PER_UM3 * density**2)
