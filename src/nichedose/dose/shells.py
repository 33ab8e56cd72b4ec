"""S values between concentric spheres and shells."""

from __future__ import annotations

import math

import numpy as np

from nichedose.dose.apart import ball_step_fraction, shell_step_fraction
from nichedose.dose.geometry import deposited_MeV, sphere_volume_um3
from nichedose.dose.kernels import Daughters, QualityChoice, summed_kernel
from nichedose.dose.numbers import check_lengths, real_array
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.nuclide import Source

__all__ = ["shell_s_value"]

Radii = tuple[float, float]
_THINNEST = 1e-5


def shell_s_value(
    nuclide: str,
    target_radii_um: Radii,
    source_radii_um: Radii,
    daughters: Daughters = "none",
    quality: QualityChoice = None,
    decay_data: Source | None = None,
) -> float:
    """Mean dose in a spherical shell per decay spread evenly over a concentric one, Gy, in unbounded water.

    Each is (inner, outer) radius, um: inner 0 is a sphere, and for the source inner = outer is a surface, such as label
    on the rim of a necrotic core or a vessel bed around it. ``quality``: one, several, or None for all, photons
    included; ``decay_data``: "icrp107" or "ensdf". Exact but for the kernel. Raises `BadInput` for radii that do not
    rise, shells thinner than 1e-5 of their radius and unknown names, `OutOfValidity` below 1 nm.

    >>> whole = shell_s_value("177Lu", (0.0, 500.0), (0.0, 500.0))
    >>> core = shell_s_value("177Lu", (0.0, 300.0), (300.0, 500.0))
    >>> f"{whole:.2e} {core:.2e}"
    '3.02e-08 1.63e-08'
    """
    target, source = _checked("target_radii_um", target_radii_um), _checked("source_radii_um", source_radii_um)
    if target[0] == target[1]:
        raise BadInput(f"target_radii_um = {target_radii_um}: a surface has no mass; give a shell.")
    targets = _balls(target)
    volume = sum(sign * sphere_volume_um3(radius) for sign, radius in targets)

    def fraction(step: Array) -> Array:
        if source[0] == source[1]:
            return np.asarray(sum(t * shell_step_fraction(source[0], b, 0.0, step) for t, b in targets))
        held = sum(sign * sphere_volume_um3(radius) for sign, radius in _balls(source))
        return np.asarray(sum(
            s * t * sphere_volume_um3(a) / held * ball_step_fraction(a, b, 0.0, step)
            for s, a in _balls(source) for t, b in targets))

    kernel = summed_kernel(nuclide, daughters, quality, decay_data=decay_data)
    kinks = [x for a in source for b in target for x in (abs(a - b), a + b)]
    energy = deposited_MeV(kernel, fraction, kinks)
    return energy / volume * GY_PER_MEV_PER_UM3


def _balls(radii: Radii) -> list[tuple[float, float]]:
    """A shell as balls with signs: (sign, radius)."""
    inner, outer = radii
    return [(1.0, outer)] if inner == 0.0 else [(1.0, outer), (-1.0, inner)]


def _checked(name: str, radii: Radii) -> Radii:
    values = real_array(name, radii)
    if values.shape != (2,) or not bool(np.isfinite(values).all()) or not 0.0 <= values[0] <= values[1] > 0.0:
        raise BadInput(f"{name} = {radii}; give (inner, outer) in um, 0 <= inner <= outer, outer above 0.")
    inner, outer = float(values[0]), float(values[1])
    check_lengths(name, outer)
    if 0.0 < outer - inner < _THINNEST * outer * (1.0 - 1e-6):
        raise BadInput(f"{name} = {radii}: thinner than {_THINNEST:g} of the radius, where spheres no longer subtract; "
                       "a source may be a surface, inner = outer.")
    return (0.0, outer) if math.isclose(inner, 0.0) else (inner, outer)
