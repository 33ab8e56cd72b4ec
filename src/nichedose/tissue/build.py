"""From spots to a `TissueMap`: the library's means, the section's shapes, and one draw of what is not known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nichedose.anchors import Anchor
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.library.schema import Target, TissueParameters
from nichedose.tissue.anchored import NO_ANCHORS, anchors_of
from nichedose.tissue.cell_errors import cell_errors
from nichedose.tissue.cell_fields import cell_fields, relative_fields
from nichedose.tissue.conductivity import hydraulic_conductivity
from nichedose.tissue.counted import packing_flags
from nichedose.tissue.coupling import couple_targets, coupling_flags
from nichedose.tissue.drawn import draw_spots
from nichedose.tissue.lattice import interpolate_spots, section_grid, tissue_mask
from nichedose.tissue.map import TargetField, TissueMap
from nichedose.tissue.map_options import MapOptions
from nichedose.tissue.oxygen import OxygenParameters, oxygen
from nichedose.tissue.oxygen_signature import combine_oxygen, oxygen_agreement, signature_share
from nichedose.tissue.spots import SpotModel
from nichedose.tissue.target_fields import target_fields
from nichedose.values import Draw, Flag

__all__ = ["build_tissue_map", "oxygen_parameters"]

SPACING_UM = 20.0

CENTRAL = Draw()
PLAIN = MapOptions()


def build_tissue_map(
    model: SpotModel,
    parameters: TissueParameters,
    targets: Mapping[str, Target],
    *,
    spacing_um: float = SPACING_UM,
    anchors: Mapping[str, Anchor | str] = NO_ANCHORS,
    options: MapOptions = PLAIN,
    draw: Draw = CENTRAL,
) -> TissueMap:
    """Fields of a section in physical units on a grid of ``spacing_um``, for one draw (the medians without one).

    The section gives shapes, ``parameters`` and ``targets`` give the means; ``anchors`` are what was measured of these
    means in this lesion (`nichedose.anchors`, or its text: ``{"PSMA": "300 fmol/mg protein"}``). ``options`` turn on
    what goes beyond the plain map. A draw also moves what the counts leave open at the spots (`draw_spots`). Raises
    `BadInput` for an anchor that is none or of an unknown target, or a spacing that does not fit.
    """
    measured = anchors_of(anchors, targets)
    grid = section_grid(model, spacing_um)
    mask = tissue_mask(model, grid)
    per_cell = any(a.kind == "sites_per_cell" for a in measured.values())
    errors = cell_errors(model, parameters) if per_cell else None
    model = draw_spots(model, parameters, draw)
    cells = cell_fields(model, grid, mask, parameters, draw)
    vessels = _vessels(model, grid, mask, parameters, draw)
    fields, unknown, flags = target_fields(model, targets, grid, mask, measured, parameters, draw, errors)
    without = {**model.unknown_targets, **unknown}
    flags += [Flag("caution", n, f"The anchor of {n} is not used, because there is no map that it could scale: "
                                 f"{without[n]}.") for n in measured if n in without]
    solved = oxygen(grid, mask, vessels, oxygen_parameters(parameters, draw))
    score, weight = _hypoxia_score(model, grid, options, parameters, draw)
    pressure = solved if score is None else combine_oxygen(solved, score, mask, weight)
    fields = _coupled(fields, pressure, mask, options, parameters, draw)
    flags += [*_oxygen_flags(model, grid, mask, cells, options, solved, pressure), *coupling_flags(fields, options)]
    if model.cells_per_mm2 is not None:
        total = np.sum(list(cells.values()), axis=0)
        flags += packing_flags(total, mask, parameters.cell_radius_um.central)
    matrix = interpolate_spots(model.matrix, model, grid)
    ratio = _number("matrix_conductivity_ratio", parameters, draw)
    return TissueMap(
        grid=grid,
        mask=mask,
        cell_density_per_mm3=cells,
        targets=fields,
        unknown_targets=without,
        vessel_surface_per_cm=vessels,
        matrix=matrix,
        oxygen_mmHg=pressure,
        sample=model.sample,
        flags=(*model.flags, *flags),
        traits={name: interpolate_spots(values, model, grid) for name, values in model.traits.items()},
        hypoxia_score=score,
        hypoxia_weight=weight,
        hydraulic_conductivity_um2_per_mmHg_s=hydraulic_conductivity(
            matrix, mask, _number("hydraulic_conductivity_um2_per_mmHg_s", parameters, draw), ratio),
        matrix_conductivity_ratio=ratio,
        vessel_radius_um=_number("vessel_radius_um", parameters, draw),
    )


def _coupled(
    fields: dict[str, TargetField], pressure: Array, mask: BoolArray, options: MapOptions,
    parameters: TissueParameters, draw: Draw,
) -> dict[str, TargetField]:
    wanted = [name for name in options.hypoxia_couplings if name in fields]
    if not wanted:
        return fields
    return couple_targets(
        fields, pressure, mask, wanted, half_mmHg=_number("hypoxia_half_mmHg", parameters, draw),
        psma_loss=_number("psma_hypoxia_loss", parameters, draw) if "PSMA" in wanted else 0.0,
        caix_normoxic_share=_number("caix_normoxic_share", parameters, draw) if "CAIX" in wanted else 1.0)


def _hypoxia_score(
    model: SpotModel, grid: Grid, options: MapOptions, parameters: TissueParameters, draw: Draw
) -> tuple[Array | None, float]:
    """The signature on the grid and its weight in the places of oxygen; none where it has no say."""
    share, _ = signature_share(model)
    if options.oxygen == "physics" or model.hypoxia is None or share == 0.0:
        return None, 0.0
    weight = share * _number("oxygen_signature_weight", parameters, draw)
    return interpolate_spots(model.hypoxia, model, grid), weight


def _oxygen_flags(
    model: SpotModel, grid: Grid, mask: BoolArray, cells: Mapping[str, Array], options: MapOptions,
    solved: Array, pressure: Array,
) -> list[Flag]:
    """What physics and the signature say of each other, or that the signature abstains where it was asked for."""
    share, reason = signature_share(model)
    if model.hypoxia is None or share == 0.0:
        text = f"The hypoxia signature abstains ({reason}): oxygen is that of physics alone."
        return [Flag("caution", "oxygen", text)] if options.oxygen == "combined" else []
    tumour = np.sum([cells[t] for t in model.clonogenic], axis=0) if model.clonogenic else np.zeros(grid.shape)
    score = interpolate_spots(model.hypoxia, model, grid)
    return [oxygen_agreement(solved, score, tumour, mask, pressure if options.oxygen == "combined" else None)]


def _number(name: str, parameters: TissueParameters, draw: Draw) -> float:
    return draw(f"tissue.{name}", getattr(parameters, name))


def oxygen_parameters(parameters: TissueParameters, draw: Draw) -> OxygenParameters:
    """Numbers of the oxygen model in one draw."""
    return OxygenParameters(
        diffusivity_um2_per_s=_number("oxygen_diffusivity_um2_per_s", parameters, draw),
        consumption_mmHg_per_s=_number("oxygen_consumption_mmHg_per_s", parameters, draw),
        michaelis_mmHg=_number("oxygen_michaelis_mmHg", parameters, draw),
        vessel_mmHg=_number("oxygen_vessel_mmHg", parameters, draw),
        vessel_radius_um=_number("vessel_radius_um", parameters, draw),
    )


def _vessels(model: SpotModel, grid: Grid, mask: BoolArray, parameters: TissueParameters, draw: Draw) -> Array:
    """Perfused vessel surface (1/cm): the section mean, shaped by the endothelial score to a power."""
    surface = _number("vessel_surface_per_cm", parameters, draw)
    contrast = _number("vessel_contrast", parameters, draw)
    relative = np.ones(model.n_spots) if model.vessel is None else model.vessel**contrast
    return surface * relative_fields(relative[:, None], model, grid, mask)[0]
