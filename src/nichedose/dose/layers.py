"""Dose in a stack of wide, flat layers: medium over gel over cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from nichedose.dose.convolve import GY_PER_MEV_MBQ_H_PER_L
from nichedose.dose.kernels import Daughters, QualityChoice, emitted_qualities, radial_kernel
from nichedose.dose.numbers import real_array
from nichedose.dose.result import Quality
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.nuclide import Source

__all__ = ["layer_dose"]


def layer_dose(
    nuclide: str, edges_um: ArrayLike, activity_MBq_h_per_L: ArrayLike, *, quality: QualityChoice = None,
    daughters: Daughters = "none", decay_data: Source | None = None,
) -> dict[Quality, Array]:
    """Mean dose in each layer, Gy by quality, from time-integrated activity that is even in each (n,), MBq.h/L.

    Layers lie between ``edges_um`` (n + 1, rising) and are wide against the reach of the radiation; beyond them is
    inactive water (the floor of a plate scatters back a little more, which is left out). A shell of radius r around a
    point is even in depth from -r to r, so both averages have closed forms. Raises `BadInput`.

    >>> dose = layer_dose("211At", [0.0, 1e4], [1.0], quality="alpha")["alpha"]  # thick: all energy stays
    >>> round(1e3 * float(dose[0]), 1)  # mGy
    1.4
    """
    edges, activity = real_array("edges_um", edges_um), real_array("activity_MBq_h_per_L", activity_MBq_h_per_L)
    if edges.ndim != 1 or edges.size < 2 or not (np.isfinite(edges).all() and bool((np.diff(edges) > 0.0).all())):
        raise BadInput("edges_um must be at least two finite, rising depths.")
    if activity.shape != (edges.size - 1,) or not (np.isfinite(activity).all() and bool((activity >= 0.0).all())):
        raise BadInput(f"activity_MBq_h_per_L must hold {edges.size - 1} finite numbers at or above 0, one a layer.")
    apart = edges[:, None] - edges[None, :]
    found: dict[Quality, Array] = {}
    for q in emitted_qualities(nuclide, daughters, quality, decay_data=decay_data):
        kernel = radial_kernel(nuclide, q, daughters, decay_data=decay_data)
        radius = 0.5 * (kernel.radius_um[1:] + kernel.radius_um[:-1])
        energy = np.diff(kernel.cumulative_MeV)
        twice = np.zeros_like(apart)  # the depth profile of a plane source, integrated twice
        for r, e in zip(radius[energy > 0.0], energy[energy > 0.0], strict=True):
            z = np.abs(apart)
            twice += e * np.where(z < r, (z * z + r * r) / (4.0 * r), 0.5 * z)
        twice += 0.5 * float(kernel.cumulative_MeV[0]) * np.abs(apart)
        # [target, source]: from the four pairs of edges
        shared = twice[1:, :-1] - twice[:-1, :-1] - twice[1:, 1:] + twice[:-1, 1:]
        found[q] = np.maximum(shared @ activity, 0.0) / np.diff(edges) * GY_PER_MEV_MBQ_H_PER_L
    return found
