"""What a transport run must be given; each error says what is wrong, where, and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

import numpy as np

from nichedose.body.plasma import PlasmaCurve
from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.fields.number import is_number, kind
from nichedose.transport._box import bounding_box
from nichedose.transport._equations import Basis
from nichedose.transport.cost import refuse_if_too_large
from nichedose.transport.solution import LigandKinetics, Snapshots, TissueTransport

__all__ = ["check_decays", "check_end", "check_inputs", "check_memory", "check_name", "check_progress",
           "check_tolerance", "refuse_unit"]  # fmt: skip

TOLERANCES = (1e-9, 0.1)
# Beyond these a number was meant in another unit: 1 mol/L of sites, a diffusivity as in a gas; 1e9 per h is at once.
MOST, MOST_DIFFUSIVITY = 1e9, 1e7


def check_inputs(
    tissue: TissueTransport,
    ligand: LigandKinetics,
    plasma: PlasmaCurve,
    end_h: float,
    decay_per_h: Mapping[str, float],
    tolerance: float,
    basis: Basis,
    snapshots: Snapshots,
) -> None:
    """Raise ``BadInput`` for anything that the equations do not allow, and for a run that does not fit in memory: the
    latter before the fields are looked at."""
    _check_ligand(ligand)
    _check_mask(tissue)
    if not isinstance(plasma, PlasmaCurve):
        raise BadInput(f"The plasma of a run is a PlasmaCurve; got {kind(plasma)}.")
    check_end(end_h)
    check_decays(decay_per_h)
    check_tolerance(tolerance)
    if basis not in get_args(Basis):
        raise BadInput(f"The concentration basis must be one of {get_args(Basis)}; got '{basis}'.")
    if snapshots not in get_args(Snapshots):
        raise BadInput(f"Snapshots are kept of one of {get_args(Snapshots)}; got '{snapshots}'.")
    rows, columns = bounding_box(tissue.mask)
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    refuse_if_too_large(Grid(shape, tissue.grid.spacing_um), len(decay_per_h), snapshots == "end")
    _check_tissue(tissue)


def check_end(end_h: float) -> None:
    if not (is_number(end_h) and end_h > 0.0):
        raise BadInput(f"A transport run must end after 0 h; got end_h = {end_h}.")


def check_tolerance(tolerance: float) -> None:
    if not (is_number(tolerance) and TOLERANCES[0] <= tolerance <= TOLERANCES[1]):
        raise BadInput(f"The transport tolerance must lie in {TOLERANCES[0]:g}..{TOLERANCES[1]:g}; got {tolerance}.")


def check_name(name: str, what: str) -> None:
    if not isinstance(name, str) or not name.strip():
        raise BadInput(f"{what} needs a name, text that is not empty; got {name!r}.")


def check_decays(decay_per_h: Mapping[str, float], who: str = "") -> None:
    """Names and decay constants of labels; ``who`` they belong to, as the message begins."""
    if not isinstance(decay_per_h, Mapping):
        raise BadInput(f"{who}decay_per_h maps the name of each label to its 1/h; got {kind(decay_per_h)}.")
    for name, decay in decay_per_h.items():
        check_name(name, f"{who}A label in decay_per_h")
        if not (is_number(decay) and decay >= 0.0):
            raise BadInput(f"{who}The decay constant of '{name}' must be at or above 0 per h; got {decay}.")


def check_memory(memory_GiB: float) -> None:
    if not (is_number(memory_GiB) and memory_GiB > 0.0):
        raise BadInput(f"memory_GiB must be a number above 0; got {memory_GiB!r:.40}.")


def check_progress(progress: Any) -> None:
    if progress is not None and not callable(progress):
        raise BadInput(f"progress is None or a function, called with the share done (0 to 1); got {kind(progress)}.")


def _check_ligand(ligand: LigandKinetics) -> None:
    if not isinstance(ligand, LigandKinetics):
        raise BadInput(f"The ligand of a run is a LigandKinetics; got {kind(ligand)}.")
    for item in fields(ligand):
        value = getattr(ligand, item.name)
        if not (is_number(value) and value >= 0.0):
            raise BadInput(f"Ligand: {item.name} must be finite and at or above 0; got {value!r}.")
        refuse_unit(f"Ligand: {item.name}", item.name, value)
    if not 0.0 < ligand.void_fraction <= 1.0:
        raise BadInput(f"Ligand: void_fraction must lie above 0 and at or below 1; got {ligand.void_fraction}.")


def refuse_unit(what: str, name: str, largest: float) -> None:
    most = MOST_DIFFUSIVITY if name == "diffusivity_um2_per_s" else MOST
    if largest > most:
        raise BadInput(f"{what} reaches {largest:.3g}, above {most:g}, the most that this unit allows. Check its unit.")


def _check_mask(tissue: TissueTransport) -> None:
    if not isinstance(tissue, TissueTransport):
        raise BadInput(f"The tissue of a run is a TissueTransport; got {kind(tissue)}.")
    if not isinstance(tissue.grid, Grid):
        raise BadInput(f"Tissue: grid must be a Grid; got {kind(tissue.grid)}.")
    shape, mask = tissue.grid.shape, tissue.mask
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != shape:
        raise BadInput(f"Tissue: mask must be boolean of shape {shape}; got {kind(mask)}.")
    if not mask.any():
        raise BadInput("Tissue: the mask is empty; no voxel lies in tissue.")


def _check_tissue(tissue: TissueTransport) -> None:
    mask = tissue.mask
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
        raise BadInput(f"Tissue: {name} must be an array of real numbers; got {kind(field)}.")
    if field.shape != mask.shape:
        raise BadInput(f"Tissue: {name} has shape {field.shape}, the grid {mask.shape}.")
    wrong = mask & ~(np.isfinite(field) & (field >= 0.0))
    if wrong.any():
        y, x = (int(i) for i in np.argwhere(wrong)[0])
        raise BadInput(
            f"Tissue: {name} must be finite and at or above 0 in tissue; {int(wrong.sum())} voxels are not, the first "
            f"at [{y}, {x}] with {field[y, x]}."
        )
    refuse_unit(f"Tissue: {name}", name, float(field.max(where=mask, initial=0.0)))
