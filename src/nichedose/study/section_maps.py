"""The sections of a case as fields on a grid, in one draw."""

from __future__ import annotations

import dataclasses

from nichedose.study.setup import Setup
from nichedose.tissue import TissueMap, build_tissue_map
from nichedose.tissue.map_options import MapOptions
from nichedose.values import Draw

__all__ = ["tissue_maps"]


def tissue_maps(setup: Setup, draw: Draw, spacing_um: float) -> tuple[TissueMap, ...]:
    """The sections as fields on a grid, in this draw."""
    chosen = setup.case.tissue
    options = MapOptions(chosen.hypoxia_couplings, chosen.oxygen)
    return tuple(
        _with_uptake(setup, build_tissue_map(
            section,
            setup.library.tissue,
            setup.library.targets,
            spacing_um=spacing_um,
            anchors=setup.case.anchors,
            options=options,
            draw=draw,
        ))
        for section in setup.sections
    )


def _with_uptake(setup: Setup, tissue: TissueMap) -> TissueMap:
    """The map whose target fields also say for which forms the uptake was measured."""
    forms = [m.form for m in setup.case.measured_uptake] + list(setup.measured.uptake if setup.measured else ())
    fields = dict(tissue.targets)
    for name in dict.fromkeys(forms):
        field = fields.get(setup.library.forms[name].target) if name in setup.library.forms else None
        if field is not None:
            fields[field.name] = dataclasses.replace(field, anchor=f"{field.anchor}, uptake of {name} as measured")
    return dataclasses.replace(tissue, targets=fields)
