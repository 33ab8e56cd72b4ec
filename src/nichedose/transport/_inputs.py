"""What a transport run must be given; each error says what is wrong, where, and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from numbers import Real
from typing import Any, get_args

import numpy as np

from nichedose.body.plasma import PlasmaCurve
from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.transport._equations import Basis
from nichedose.transport.solution import LigandKinetics, TissueTransport

__all__ = ["check_inputs"]

TOLERANCES = (1e-9, 0.1)


def check_inputs(
    tissue: TissueTransport,
    ligand: LigandKinetics,
    plasma: PlasmaCurve,
    end_h: float,
    decay_per_h: Mapping[str, float],
    tolerance: float,
    basis: Basis,
) -> None:
    """Raise ``BadInput`` for anything that the equations do not allow."""
    _check_ligand(ligand)
    _check_tissue(tissue)
    if not isinstance(plasma, PlasmaCurve):
        raise BadInput(f"The plasma of a run is a PlasmaCurve; got {type(plasma).__name__}.")
    if not (_finite(end_h) and end_h > 0.0):
        raise BadInput(f"A transport run must end after 0 h; got end_h = {end_h}.")
    if not isinstance(decay_per_h, Mapping):
        raise BadInput(f"decay_per_h maps the name of each label to its 1/h; got {type(decay_per_h).__name__}.")
    for name, decay in decay_per_h.items():
        if not (_finite(decay) and decay >= 0.0):
            raise BadInput(f"The decay constant of '{name}' must be at or above 0 per h; got {decay}.")
    if not (_finite(tolerance) and TOLERANCES[0] <= tolerance <= TOLERANCES[1]):
        raise BadInput(f"The transport tolerance must lie in {TOLERANCES[0]:g}..{TOLERANCES[1]:g}; got {tolerance}.")
    if basis not in get_args(Basis):
        raise BadInput(f"The concentration basis must be one of {get_args(Basis)}; got '{basis}'.")


def _finite(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _kind(value: Any) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _check_ligand(ligand: LigandKinetics) -> None:
    for item in fields(ligand):
        value = getattr(ligand, item.name)
        if not (_finite(value) and value >= 0.0):
            raise BadInput(f"Ligand: {item.name} must be finite and at or above 0; got {value}.")
    if not 0.0 < ligand.void_fraction <= 1.0:
        raise BadInput(f"Ligand: void_fraction must lie above 0 and at or below 1; got {ligand.void_fraction}.")


def _check_tissue(tissue: TissueTransport) -> None:
    shape, mask = tissue.grid.shape, tissue.mask
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != shape:
        raise BadInput(f"Tissue: mask must be boolean of shape {shape}; got {_kind(mask)}.")
    if not mask.any():
        raise BadInput("Tissue: the mask is empty; no voxel lies in tissue.")
    _check_field("target_nmol_per_L", tissue.target_nmol_per_L, mask)
    _check_field("exchange_per_h", tissue.exchange_per_h, mask)
    if tissue.diffusivity_factor is not None:
        _check_field("diffusivity_factor", tissue.diffusivity_factor, mask)
        if not bool((tissue.diffusivity_factor[mask] > 0.0).all()):
            raise BadInput("Tissue: diffusivity_factor must be above 0 in tissue.")
    if not (tissue.exchange_per_h[mask] > 0.0).any():
        raise BadInput(
            "Tissue: exchange_per_h is 0 everywhere, so no ligand can enter. Check the vessel map, the "
            "permeability and the perfusion."
        )


def _check_field(name: str, field: Array, mask: BoolArray) -> None:
    if not isinstance(field, np.ndarray) or field.dtype.kind not in "fiu":
        raise BadInput(f"Tissue: {name} must be an array of real numbers; got {_kind(field)}.")
    if field.shape != mask.shape:
        raise BadInput(f"Tissue: {name} has shape {field.shape}, the grid {mask.shape}.")
    wrong = mask & ~(np.isfinite(field) & (field >= 0.0))
    if wrong.any():
        y, x = (int(i) for i in np.argwhere(wrong)[0])
        raise BadInput(
            f"Tissue: {name} must be finite and at or above 0 in tissue; {int(wrong.sum())} voxels are not, the first "
            f"at [{y}, {x}] with {field[y, x]}."
        )
