"""Dense matrix that slows a ligand by its size: the field that multiplies the ligand's diffusivity."""

from __future__ import annotations

import numpy as np

from nichedose.fields.grid import Array, BoolArray
from nichedose.library.schema import LabelledForm, TissueParameters
from nichedose.transport import ligand_from_size, matrix_hindrance
from nichedose.values import Draw

__all__ = ["diffusivity_factor"]


def diffusivity_factor(
    matrix: Array, reference: Array, mask: BoolArray, form: LabelledForm, parameters: TissueParameters, draw: Draw
) -> Array:
    """Diffusivity (ny, nx) over the library's tissue value, for a molecule of the size of ``form``.

    ``matrix`` 0 to 1 becomes a share of fibres, and that a hindrance (`matrix_hindrance`). The library's value holds
    for tissue as it is, so the factor is relative to the mean over ``reference``, the matrix before any partner drug:
    dense places are slower than that, others faster, and less matrix than there was is faster.
    """
    radius = ligand_from_size(draw(f"form.{form.name}.molar_mass_kDa", form.molar_mass_kDa)).hydrodynamic_radius_nm
    share = draw("tissue.matrix_fibre_fraction", parameters.matrix_fibre_fraction)
    fibre = draw("tissue.matrix_fibre_radius_nm", parameters.matrix_fibre_radius_nm)
    before = matrix_hindrance(radius, share * np.clip(reference, 0.0, 1.0), fibre)
    now = matrix_hindrance(radius, share * np.clip(matrix, 0.0, 1.0), fibre)
    return np.asarray(now / float(before[mask].mean()))
