"""Distance distributions between spheres whose centres are apart: exact, without sampling."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nichedose.dose.geometry import cap_fraction, sphere_overlap_um3, sphere_volume_um3
from nichedose.fields.grid import Array

__all__ = ["ball_step_fraction", "shell_step_fraction"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(3)  # exact to degree 5
_SAME_CENTRE = 1e-6  # of the step; nearer centres are taken as one, where differences would lose digits


def ball_step_fraction(source_um: float, target_um: float, apart_um: float | Array, step_um: Array) -> Array:
    """Of steps of a length from random points of a ball in random directions, the share that ends in another ball.

    ``source_um``, ``target_um``: radii; ``apart_um``: distance of the centres, 0 or above. Arrays broadcast.

    A step in direction u shifts the source ball by it; what ends inside is the overlap of the shifted ball with the
    target, averaged over u. The distance s of the two centres then has density s/(2 c r) from abs(c - r) to c + r, and
    s times the overlap is a polynomial of degree 4 on either side of s = abs(a - b): three Gauss points are exact.
    """
    a, b = source_um, target_um
    whole = sphere_volume_um3(min(a, b))

    def weight(s: Array) -> Array:
        return np.asarray(s * sphere_overlap_um3(a, b, s))

    return _averaged(weight, whole, a, b, apart_um, step_um) / sphere_volume_um3(a)


def shell_step_fraction(source_um: float, target_um: float, apart_um: float | Array, step_um: Array) -> Array:
    """As `ball_step_fraction`, from random points of a sphere's *surface*; s times the share is quadratic there."""
    a, b = source_um, target_um

    def weight(s: Array) -> Array:
        return np.asarray(s * cap_fraction(a, b, s))

    return _averaged(weight, 1.0 if b > a else 0.0, a, b, apart_um, step_um)


def _averaged(
    weight: Callable[[Array], Array], inner: float, a: float, b: float, apart_um: float | Array, step_um: Array
) -> Array:
    """Mean over directions of f(s), with ``weight`` = s f(s) and f = ``inner`` where s < |a - b|, 0 where s > a + b."""
    apart, step = np.broadcast_arrays(np.asarray(apart_um, dtype=float), np.asarray(step_um, dtype=float))
    edge, far = abs(a - b), a + b
    low, high = np.abs(apart - step), apart + step
    inside = 0.5 * inner * (np.minimum(high, edge) - np.minimum(low, edge)) * (
        np.minimum(high, edge) + np.minimum(low, edge))
    start, end = np.clip(low, edge, far), np.clip(high, edge, far)
    half = 0.5 * (end - start)
    points = start[..., None] + half[..., None] * (_NODES + 1.0)
    outside = half * (weight(points) @ _WEIGHTS)
    smaller, larger = np.minimum(apart, step), np.maximum(apart, step)
    together = smaller <= _SAME_CENTRE * np.maximum(larger, 1e-12)
    one = np.maximum(larger, 1e-12)
    mean = (inside + outside) / np.where(together, 1.0, 2.0 * apart * step)
    return np.asarray(np.where(together, np.where(one < edge, inner, weight(one) / one), mean))
