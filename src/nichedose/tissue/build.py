"""From spots to a `TissueMap`: the library's means, the section's shapes, and one draw of what is not known."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.library.library import TISSUE_HOSTS
from nichedose.library.schema import Target, TissueParameters
from nichedose.tissue.conductivity import hydraulic_conductivity
from nichedose.tissue.counted import cells_per_mm3, packing_flags
from nichedose.tissue.coupling import couple_targets, coupling_flags
from nichedose.tissue.drawn import counting_factor, draw_spots
from nichedose.tissue.lattice import interpolate_spots, section_grid, tissue_mask
from nichedose.tissue.map import TargetError, TargetField, TissueMap
from nichedose.tissue.map_options import MapOptions
from nichedose.tissue.oxygen import OxygenParameters, oxygen
from nichedose.tissue.oxygen_signature import combine_oxygen, oxygen_agreement, signature_share
from nichedose.tissue.random_field import gaussian_field
from nichedose.tissue.spots import SpotModel, SpotTarget
from nichedose.values import Draw, Flag

__all__ = ["build_tissue_map", "oxygen_parameters"]

CDF_1SD = 0.8413447460685429  # probability below one standard deviation of a normal law
SPACING_UM = 20.0
SPARE_FRACTION = 1e-6  # of each host, so that transcripts in a spot without any host still have an owner

CENTRAL = Draw()
PLAIN = MapOptions()
NO_ANCHORS: Mapping[str, float] = {}


def build_tissue_map(
    model: SpotModel,
    parameters: TissueParameters,
    targets: Mapping[str, Target],
    *,
    spacing_um: float = SPACING_UM,
    anchors_nmol_per_L: Mapping[str, float] = NO_ANCHORS,
    options: MapOptions = PLAIN,
    draw: Draw = CENTRAL,
) -> TissueMap:
    """Fields of a section in physical units on a grid of ``spacing_um``, for one draw (the medians without one).

    The section gives shapes, ``parameters`` and ``targets`` give the means; ``anchors_nmol_per_L`` are measured mean
    target densities of this lesion and replace the library's, without further error. ``options`` turn on what goes
    beyond the plain map. A draw also moves what the counts leave open at the spots (`draw_spots`). Raises `BadInput`
    for an anchor of an unknown target, or a spacing that does not fit.
    """
    strangers = [name for name in anchors_nmol_per_L if name not in targets]
    if strangers:
        raise BadInput(f"Anchor for an unknown target '{strangers[0]}'.{near_miss(strangers[0], targets)}")
    grid = section_grid(model, spacing_um)
    mask = tissue_mask(model, grid)
    model = draw_spots(model, parameters, draw)
    density = _cell_density(model, parameters, draw)
    amounts = model.content[:, None] * model.composition
    cells = {
        name: density * f
        for name, f in zip(model.cell_types, _relative_fields(amounts, model, grid, mask), strict=True)
    }
    vessels = _vessels(model, grid, mask, parameters, draw)
    fields, unknown, flags = target_fields(model, targets, grid, mask, anchors_nmol_per_L, parameters, draw)
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
        unknown_targets={**model.unknown_targets, **unknown},
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


def _cell_density(model: SpotModel, parameters: TissueParameters, draw: Draw) -> float:
    """Mean number of all cells per mm3: from those counted in the section, else the library's."""
    if model.cells_per_mm2 is None:
        return _number("cell_density_per_mm3", parameters, draw)
    return cells_per_mm3(model.cells_per_mm2, _number("section_thickness_um", parameters, draw),
                         2.0 * _number("nucleus_radius_um", parameters, draw))


def oxygen_parameters(parameters: TissueParameters, draw: Draw) -> OxygenParameters:
    """Numbers of the oxygen model in one draw."""
    return OxygenParameters(
        diffusivity_um2_per_s=_number("oxygen_diffusivity_um2_per_s", parameters, draw),
        consumption_mmHg_per_s=_number("oxygen_consumption_mmHg_per_s", parameters, draw),
        michaelis_mmHg=_number("oxygen_michaelis_mmHg", parameters, draw),
        vessel_mmHg=_number("oxygen_vessel_mmHg", parameters, draw),
        vessel_radius_um=_number("vessel_radius_um", parameters, draw),
    )


def _relative_fields(amounts: Array, model: SpotModel, grid: Grid, mask: BoolArray) -> list[Array]:
    """Columns of ``amounts`` (n_spots, n) as fields whose sum has mean 1 over the tissue."""
    fields = [interpolate_spots(column, model, grid) for column in amounts.T]
    mean = sum(float(f[mask].mean()) for f in fields)
    return [f / mean for f in fields]


def _vessels(model: SpotModel, grid: Grid, mask: BoolArray, parameters: TissueParameters, draw: Draw) -> Array:
    """Perfused vessel surface (1/cm): the section mean, shaped by the endothelial score to a power."""
    surface = _number("vessel_surface_per_cm", parameters, draw)
    contrast = _number("vessel_contrast", parameters, draw)
    relative = np.ones(model.n_spots) if model.vessel is None else model.vessel**contrast
    return surface * _relative_fields(relative[:, None], model, grid, mask)[0]


def target_fields(
    model: SpotModel,
    targets: Mapping[str, Target],
    grid: Grid,
    mask: BoolArray,
    anchors: Mapping[str, float],
    parameters: TissueParameters,
    draw: Draw,
) -> tuple[dict[str, TargetField], dict[str, str], list[Flag]]:
    """The targets of ``model`` that stand in ``targets``, on ``grid``; those unknown with the reason; and flags.

    This is the part of `build_tissue_map` that needs neither vessels nor oxygen.
    """
    fields: dict[str, TargetField] = {}
    unknown: dict[str, str] = {}
    flags: list[Flag] = []
    for name, spots in model.targets.items():
        if name not in targets:
            continue
        target = targets[name]
        hosts = tuple(h for h in target.hosts if h in model.cell_types or h in TISSUE_HOSTS)
        lost = sorted(set(target.hosts) - set(hosts))
        if not hosts:
            unknown[name] = f"none of the cells that bear it ({', '.join(lost)}) could be told apart in this section"
            continue
        if lost:
            text = (
                f"{name}: its share on {', '.join(lost)} is given to its other hosts, because no marker of these cells "
                "has counts."
            )
            flags.append(Flag("caution", name, text))
        shape = _host_fields(model, spots, target, hosts, grid, mask, draw)
        mean = anchors[name] if name in anchors else _library_mean(target, spots, parameters, draw)
        fields[name] = TargetField(
            name=name,
            error=_error_parts(target, spots, name in anchors, len(hosts), draw),
            by_host_nmol_per_L={h: mean * f for h, f in zip(hosts, shape, strict=True)},
            shape_known=spots.shape_known,
            scale="absolute" if name in anchors else "relative",
            counts=spots.counts,
        )
    return fields, unknown, flags


def _error_parts(target: Target, spots: SpotTarget, anchored: bool, n_hosts: int, draw: Draw) -> TargetError:
    """The parts of the error, as geometric standard deviations: of the library's spread, or of this draw's values."""
    key = f"target.{target.name}"
    mean = target.mean_density_nmol_per_L
    section = 1.0 if anchored else math.exp(0.5 * math.log(mean.quantile(CDF_1SD) / mean.quantile(1.0 - CDF_1SD)))
    protein = draw(f"{key}.gene_to_protein_geometric_sd", target.gene_to_protein_geometric_sd)
    local = draw(f"{key}.local_error_geometric_sd", target.local_error_geometric_sd)
    length = draw(f"{key}.local_error_length_um", target.local_error_length_um)
    if spots.relative is None:
        local = math.exp(math.hypot(math.log(local), math.log(protein)))
    counting = 0.0 if spots.relative_sd is None else float(np.median(spots.relative_sd))
    return TargetError(section, protein if n_hosts > 1 else 1.0, local, length, counting)


def _library_mean(target: Target, spots: SpotTarget, parameters: TissueParameters, draw: Draw) -> float:
    """Mean density (nmol/L) without a measurement in this lesion.

    The library's density was found in tumours that bear the target. Where the section has hardly a transcript, it does
    not show that this one does, and the density is drawn downwards.
    """
    mean = draw(f"target.{target.name}.mean_density_nmol_per_L", target.mean_density_nmol_per_L)
    return mean if spots.shape_known else mean * _number("undetected_target_factor", parameters, draw)


def _host_fields(
    model: SpotModel, spots: SpotTarget, target: Target, hosts: tuple[str, ...], grid: Grid, mask: BoolArray, draw: Draw
) -> list[Array]:
    """Density by host, relative: the sum has mean 1 over the tissue, in every draw.

    A spot's transcripts belong to its hosts by fraction times density ratio. Then come the errors: what counting leaves
    open in each spot, one factor per host (gene to protein), and one smooth lognormal field for all hosts (local).
    """
    key = f"target.{target.name}"
    ratio = np.array([draw(f"{key}.host_density_ratio.{h}", target.host_density_ratio[h]) for h in hosts])
    weight = (np.stack([model.host_share(h) for h in hosts], axis=1) + SPARE_FRACTION) * ratio
    if spots.relative is None:
        amounts = weight * model.content[:, None]
    else:
        level = spots.relative * counting_factor(model, spots, draw, f"{key}.counts.{model.sample}")
        amounts = level[:, None] * weight / weight.sum(axis=1, keepdims=True)
    spread = math.log(draw(f"{key}.gene_to_protein_geometric_sd", target.gene_to_protein_geometric_sd))
    amounts = amounts * np.array([_lognormal(draw, f"{key}.gene_to_protein.{h}", spread) for h in hosts])
    local = math.log(draw(f"{key}.local_error_geometric_sd", target.local_error_geometric_sd))
    if spots.relative is None:  # without a map, what the gene would have told is part of the local error
        local = math.hypot(local, spread)
    length = draw(f"{key}.local_error_length_um", target.local_error_length_um)
    fields = [interpolate_spots(column, model, grid) for column in amounts.T]
    generator = draw.generator(f"{key}.local_error.{model.sample}")
    if generator is not None and local > 0.0:
        error = np.exp(local * gaussian_field(grid, length, generator))
        fields = [f * error for f in fields]
    mean = sum(float(f[mask].mean()) for f in fields)
    return [f / mean for f in fields]


def _lognormal(draw: Draw, key: str, spread: float) -> float:
    generator = draw.generator(key)
    return 1.0 if generator is None else math.exp(spread * float(generator.standard_normal()))
