"""Hydraulic conductivity of the interstitium: the library's for the section, placed by the matrix."""

from __future__ import annotations

import numpy as np

from nichedose.fields.grid import Array, BoolArray

__all__ = ["hydraulic_conductivity"]


def hydraulic_conductivity(matrix: Array, mask: BoolArray, mean: float, ratio: float) -> Array:
    """K (ny, nx) in the unit of ``mean``: mean ratio^(m - <m>), so that its geometric mean over ``mask`` is ``mean``.

    ``matrix`` m is 0 to 1 and ``ratio`` is K at 1 over K at 0. Outside the tissue it is 1, which nothing uses.
    Human tumours conduct less the denser their collagen (Salavati et al., Bioeng Transl Med 2024,
    doi:10.1002/btm2.10617); the exponential form is assumed.

    >>> m = np.array([[0.0, 1.0]])
    >>> hydraulic_conductivity(m, np.ones((1, 2), bool), 1.0, 0.25).tolist()
    [[2.0, 0.5]]
    """
    field = np.ones(matrix.shape)
    field[mask] = mean * ratio ** (matrix[mask] - float(matrix[mask].mean()))
    return field
