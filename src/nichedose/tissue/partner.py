"""Partner drugs as transforms of a `TissueMap`: what a drug does to vessels, oxygen, matrix and targets at one time."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array, BoolArray
from nichedose.library.partners import Partner, PartnerField
from nichedose.tissue.krogh import OxygenParameters
from nichedose.tissue.map import TargetField, TissueMap
from nichedose.tissue.oxygen_signature import oxygen_again
from nichedose.values import Draw, Flag

__all__ = ["ActiveEffect", "apply_effects", "partner_effects", "product"]


@dataclass(frozen=True)
class ActiveEffect:
    """One effect of a partner that holds at the time asked for, with its drawn ``factor``."""

    partner: str
    field: PartnerField
    factor: float
    target: str | None = None
    where_matrix_above: float | None = None


def partner_effects(
    partner: Partner, since_start_h: float, tumour: str, draw: Draw, stated: Collection[str] = ()
) -> tuple[ActiveEffect, ...]:
    """What ``partner`` does ``since_start_h`` after its start in a tumour of type ``tumour``.

    Nothing before its start; nothing when it needs something stated (``hyaluronan_high``) that is not in ``stated``.
    Factors are drawn under the partner's name, so that candidates share them.
    """
    if partner.needs_stated is not None and partner.needs_stated not in stated:
        return ()
    return tuple(
        ActiveEffect(partner.name, e.field, draw(f"partner.{partner.name}.effects[{i}].factor", e.factor), e.target,
                     e.where_matrix_above)
        for i, e in enumerate(partner.effects)
        if e.from_h <= since_start_h < (np.inf if e.until_h is None else e.until_h)
        and (e.tumours is None or tumour in e.tumours)
    )


def product(effects: Sequence[ActiveEffect], field: PartnerField) -> float:
    """The factors of all ``effects`` on a field without place (sensitivity, permeability, protection), multiplied."""
    return float(np.prod([e.factor for e in effects if e.field == field]))


def apply_effects(
    tissue: TissueMap, effects: Sequence[ActiveEffect], oxygen_parameters: OxygenParameters
) -> TissueMap:
    """A new map with ``effects``: vessels, matrix and targets multiplied, oxygen solved again where supply changed.

    A target that the map does not hold is left alone. The map itself stays as it was; without effects on its fields it
    is returned as it is. Matrix stays within 0 to 1.
    """
    on_map = [e for e in effects if e.field in ("vessel_surface", "vessel_oxygen", "matrix", "target")]
    if not on_map:
        return tissue
    vessels, matrix = tissue.vessel_surface_per_cm, tissue.matrix
    targets = dict(tissue.targets)
    for e in on_map:
        where = _where(tissue, e)
        if e.field == "vessel_surface":
            vessels = np.where(where, vessels * e.factor, vessels)
        elif e.field == "matrix":
            matrix = np.where(where, np.minimum(matrix * e.factor, 1.0), matrix)
        elif e.field == "target" and e.target in targets:
            targets[e.target] = scaled_target(targets[e.target], np.where(where, e.factor, 1.0))
    vessel_oxygen = product(on_map, "vessel_oxygen")
    pressure = tissue.oxygen_mmHg
    if vessel_oxygen != 1.0 or vessels is not tissue.vessel_surface_per_cm:
        changed = dataclasses.replace(oxygen_parameters, vessel_mmHg=oxygen_parameters.vessel_mmHg * vessel_oxygen)
        pressure = oxygen_again(tissue, vessels, changed)
    names = ", ".join(dict.fromkeys(e.partner for e in on_map))
    note = Flag("note", names, f"the tissue is shown before {names}; candidates with it see the changed tissue")
    conductivity = tissue.hydraulic_conductivity_um2_per_mmHg_s
    if conductivity is not None:  # less matrix conducts better, by the same law as between places
        conductivity = conductivity * tissue.matrix_conductivity_ratio ** (matrix - tissue.matrix)
    return dataclasses.replace(tissue, vessel_surface_per_cm=vessels, matrix=matrix, targets=targets,
                               hydraulic_conductivity_um2_per_mmHg_s=conductivity,
                               oxygen_mmHg=pressure, flags=(*tissue.flags, note))


def scaled_target(field: TargetField, factor: Array | float) -> TargetField:
    """The target with every host's density times ``factor``."""
    return dataclasses.replace(
        field, by_host_nmol_per_L={h: np.asarray(d * factor) for h, d in field.by_host_nmol_per_L.items()})


def _where(tissue: TissueMap, effect: ActiveEffect) -> BoolArray:
    if effect.where_matrix_above is None:
        return tissue.mask
    return tissue.mask & (tissue.matrix > effect.where_matrix_above)
