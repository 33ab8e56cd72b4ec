"""The tumour's answer to therapy: the map that the next cycle meets."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.tissue.krogh import OxygenParameters
from nichedose.tissue.map import TargetField, TissueMap
from nichedose.tissue.oxygen_signature import oxygen_again
from nichedose.tissue.partner import scaled_target

__all__ = ["CycleAnswer", "answer_to_cycle"]

HALF_LOSS_mmHg = 5.0


@dataclass(frozen=True)
class CycleAnswer:
    """What changes between one cycle and the next; 1 or 0 leaves a part alone.

    ``target_factor``: of every target on tumour cells (decline, or rise after damage); ``dead_cleared_fraction``: of
    doomed tumour cells, gone with their consumption and targets; ``hypoxia_target_loss``: share lost without oxygen,
    half of it at 5 mmHg, newly where oxygen fell, regained where it rose; ``vessel_factor``: of the perfused surface.
    """

    target_factor: float = 1.0
    dead_cleared_fraction: float = 0.0
    hypoxia_target_loss: float = 0.0
    vessel_factor: float = 1.0

    def __post_init__(self) -> None:
        for name in ("dead_cleared_fraction", "hypoxia_target_loss"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise BadInput(f"CycleAnswer: {name} = {getattr(self, name):g}; it must lie between 0 and 1.")
        for name in ("target_factor", "vessel_factor"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0.0):
                raise BadInput(f"CycleAnswer: {name} = {getattr(self, name):g}; it must be finite and above 0.")


def answer_to_cycle(
    tissue: TissueMap, surviving: Array, answer: CycleAnswer, oxygen_parameters: OxygenParameters
) -> TissueMap:
    """The map after a cycle that left ``surviving`` (ny, nx), 0 to 1, of the tumour cells in each voxel.

    Tumour cells that are cleared take their targets and their oxygen consumption (on the mean over the section) with
    them; what is left of them still counts as clonogens by its survival, not here. Raises `BadInput` for a survival
    outside 0 to 1 or of another shape.
    """
    share = np.asarray(surviving, dtype=float)
    if share.shape != tissue.grid.shape or not bool(((share >= 0.0) & (share <= 1.0)).all()):
        raise BadInput(f"Surviving fractions must have shape {tissue.grid.shape} and lie between 0 and 1.")
    left = 1.0 - answer.dead_cleared_fraction * (1.0 - share)
    cells = dict(tissue.cell_density_per_mm3)
    before = sum(float(c[tissue.mask].sum()) for c in cells.values())
    if "tumour" in cells:
        cells["tumour"] = cells["tumour"] * np.where(tissue.mask, left, 1.0)
    after = sum(float(c[tissue.mask].sum()) for c in cells.values())
    consumption = oxygen_parameters.consumption_mmHg_per_s * (after / before if before > 0.0 else 1.0)
    vessels = tissue.vessel_surface_per_cm * answer.vessel_factor
    changed = dataclasses.replace(oxygen_parameters, consumption_mmHg_per_s=consumption)
    pressure = oxygen_again(tissue, vessels, changed)
    kept = _kept_target(pressure, answer) / _kept_target(tissue.oxygen_mmHg, answer)
    factor = np.where(tissue.mask, answer.target_factor * left * kept, 1.0)
    return dataclasses.replace(
        tissue, cell_density_per_mm3=cells, vessel_surface_per_cm=vessels, oxygen_mmHg=pressure,
        targets={name: _on_tumour(field, factor) for name, field in tissue.targets.items()})


def _kept_target(pressure_mmHg: Array, answer: CycleAnswer) -> Array:
    lost = answer.hypoxia_target_loss * HALF_LOSS_mmHg / (HALF_LOSS_mmHg + pressure_mmHg)
    return np.maximum(1.0 - lost, 1e-3)


def _on_tumour(field: TargetField, factor: Array) -> TargetField:
    if "tumour" not in field.by_host_nmol_per_L:
        return field
    changed = scaled_target(field, factor).by_host_nmol_per_L["tumour"]
    return dataclasses.replace(field, by_host_nmol_per_L={**field.by_host_nmol_per_L, "tumour": changed})
