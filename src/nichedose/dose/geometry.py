"""How much of a radial kernel falls into a body: exact fractions for concentric spheres and their surfaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nichedose.dose.kernels import RadialKernel
from nichedose.fields.grid import Array

__all__ = ["cap_fraction", "deposited_MeV", "sphere_overlap_um3", "sphere_volume_um3"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)
_CONTACT = 1e-9  # um; stands for the limit of zero distance


def sphere_volume_um3(radius_um: float) -> float:
    return 4.0 / 3.0 * np.pi * radius_um**3


def sphere_overlap_um3(a_um: float, b_um: float, distance_um: Array) -> Array:
    """Volume shared by spheres of radii a and b whose centres are ``distance_um`` apart.

    Averaged over directions it is also the pair distance function of two *concentric* spheres: the volume of the
    starting points in one from which a step of that length in a random direction ends in the other.
    """
    x = np.clip(distance_um, abs(a_um - b_um) + 1e-300, a_um + b_um)
    lens = np.pi * (a_um + b_um - x) ** 2 * (x * x + 2.0 * x * (a_um + b_um) - 3.0 * (a_um - b_um) ** 2) / (12.0 * x)
    return np.asarray(np.where(distance_um <= abs(a_um - b_um), sphere_volume_um3(min(a_um, b_um)), lens))


def cap_fraction(start_um: float | Array, target_um: float, distance_um: Array) -> Array:
    """Fraction of directions in which a step of ``distance_um`` from ``start_um`` off the centre ends inside radius
    ``target_um``; arrays broadcast."""
    start = np.maximum(start_um, _CONTACT)
    distance = np.maximum(distance_um, _CONTACT)
    return np.asarray(np.clip((target_um**2 - (start - distance) ** 2) / (4.0 * start * distance), 0.0, 1.0))


def deposited_MeV(kernel: RadialKernel, fraction: Callable[[Array], Array], kinks_um: Sequence[float]) -> float:
    """Energy per decay that ends at distances weighted by ``fraction``(distance); uniform within each shell.

    ``fraction`` is smooth but at ``kinks_um``, and 0 beyond the last of them.
    """
    edges = np.union1d(kernel.radius_um[kernel.radius_um < max(kinks_um)], np.minimum(kinks_um, kernel.radius_um[-1]))
    cumulative = np.interp(edges, kernel.radius_um, kernel.cumulative_MeV)
    points = edges[:-1, None] + 0.5 * np.diff(edges)[:, None] * (_NODES + 1.0)
    mean = fraction(points) @ (0.5 * _WEIGHTS)
    on_the_spot = cumulative[0] * float(fraction(np.array([_CONTACT]))[0])
    return float(np.diff(cumulative) @ mean + on_the_spot)
