"""The coefficients of the transport equations on a grid, in either concentration basis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nichedose.fields.grid import Array
from nichedose.transport._box import bounding_box, crop
from nichedose.transport.solution import LigandKinetics, TissueTransport

__all__ = ["Basis", "Coefficients", "coefficients"]

Basis = Literal["void", "tissue"]
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Coefficients:
    """capacity du/dt = div(face grad u) + source C_p(t) - leave u - kon u (R - B) + koff B, and B, I as ever.

    ``u`` is free ligand per void (``capacity`` = void fraction, 0 outside the tissue) or per tissue (``capacity`` = 1).
    Arrays (ny, nx) or (nz, ny, nx), 1/h. ``faces`` one conductance for all open faces, or per axis those between
    neighbours along it (one shorter along that axis), zero across the edge of the mask. ``lines_um`` the centres of the
    voxels along each axis of the user's grid, on which the arrays start at ``first``.
    """

    capacity: Array
    target_nmol_per_L: Array
    source_per_h: Array
    leave_per_h: Array
    faces_per_h: float | tuple[Array, ...]
    kon_L_per_nmol_per_h: float
    koff_per_h: float
    kint_per_h: float
    krel_per_h: float
    lines_um: tuple[Array, ...]
    first: tuple[int, ...]


def coefficients(whole: TissueTransport, ligand: LigandKinetics, basis: Basis) -> Coefficients:
    """On the box that holds the tissue; the one place where a concentration changes its basis.

    With u per void the equations stand as in the theory page. Per tissue, u = void fraction x F: every rate that acts
    on F is divided by the void fraction (exchange back to plasma, binding, the void in front of the diffusivity).
    """
    box = bounding_box(whole.mask)
    tissue = crop(whole, box)
    per_unit = 1.0 if basis == "void" else ligand.void_fraction  # F = u / per_unit
    mask = tissue.mask
    conductance = ligand.void_fraction * ligand.diffusivity_um2_per_s * SECONDS_PER_HOUR / tissue.grid.spacing_um**2
    exchange = np.where(mask, tissue.exchange_per_h, 0.0)
    faces: float | tuple[Array, ...] = conductance / per_unit
    if tissue.diffusivity_factor is not None:
        factor = np.where(mask, tissue.diffusivity_factor, 1.0)
        faces = (
            np.where(mask[1:] & mask[:-1], _between(factor[1:], factor[:-1]) * faces, 0.0),
            np.where(mask[:, 1:] & mask[:, :-1], _between(factor[:, 1:], factor[:, :-1]) * faces, 0.0),
        )
    return Coefficients(
        capacity=np.where(mask, ligand.void_fraction / per_unit, 0.0),
        target_nmol_per_L=np.where(mask, tissue.target_nmol_per_L, 0.0),
        source_per_h=exchange,
        leave_per_h=exchange / per_unit,
        faces_per_h=faces,
        kon_L_per_nmol_per_h=ligand.association_L_per_nmol_per_h / per_unit,
        koff_per_h=ligand.dissociation_per_h,
        kint_per_h=ligand.internalisation_per_h,
        krel_per_h=ligand.release_per_h,
        lines_um=(whole.grid.y_um, whole.grid.x_um),
        first=tuple(side.start for side in box),
    )


def _between(a: Array, b: Array) -> Array:
    """Harmonic mean: two halves of a way in series."""
    return np.asarray(2.0 * a * b / (a + b))
