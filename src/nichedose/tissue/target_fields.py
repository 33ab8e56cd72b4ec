"""Targets as fields: shape by host from the section, mean from an anchor or the library, and the parts of the error."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nichedose.anchors import Anchor
from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.library.library import TISSUE_HOSTS
from nichedose.library.schema import Target, TissueParameters
from nichedose.tissue.anchored import HostCells, anchor_log_sd, anchored_mean, library_mean, log_sd
from nichedose.tissue.cell_errors import CellErrors
from nichedose.tissue.cell_fields import cell_fields
from nichedose.tissue.drawn import counting_factor
from nichedose.tissue.lattice import interpolate_spots
from nichedose.tissue.map import TargetError, TargetField
from nichedose.tissue.random_field import gaussian_field
from nichedose.tissue.spots import SpotModel, SpotTarget
from nichedose.values import Draw, Flag

__all__ = ["hosts_in", "target_fields"]

SPARE_FRACTION = 1e-6  # of each host, so that transcripts in a spot without any host still have an owner


def target_fields(
    model: SpotModel,
    targets: Mapping[str, Target],
    grid: Grid,
    mask: BoolArray,
    anchors: Mapping[str, Anchor],
    parameters: TissueParameters,
    draw: Draw,
    cell_errors: CellErrors | None = None,
) -> tuple[dict[str, TargetField], dict[str, str], list[Flag]]:
    """The targets of ``model`` that stand in ``targets``, on ``grid``; those unknown with the reason; and flags.

    ``cell_errors``: how far the cells may be off, for the stated error of an anchor per cell. This is the
    part of `build_tissue_map` that needs neither vessels nor oxygen.
    """
    fields: dict[str, TargetField] = {}
    unknown: dict[str, str] = {}
    flags: list[Flag] = []
    for name, spots in model.targets.items():
        if name not in targets:
            continue
        target = targets[name]
        hosts = hosts_in(target, model.cell_types)
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
        sites = {h: float(f[mask].mean()) for h, f in zip(hosts, shape, strict=True)}
        anchor = anchors.get(name)
        if anchor is None:
            mean = _library_mean(target, spots, parameters, draw)
        else:
            cells = _host_cells(anchor, target, sites, model, grid, mask, parameters, draw)
            mean = anchored_mean(anchor, target, parameters, draw, cells)
        fields[name] = TargetField(
            name=name,
            error=_error_parts(target, spots, anchor, parameters, sites, draw, cell_errors),
            by_host_nmol_per_L={h: mean * f for h, f in zip(hosts, shape, strict=True)},
            shape_known=spots.shape_known,
            scale="absolute" if anchor is not None and anchor.is_absolute else "relative",
            counts=spots.counts,
            detected=spots.detected,
            anchor="library" if anchor is None else anchor.words,
        )
    return fields, unknown, flags


def hosts_in(target: Target, cell_types: tuple[str, ...]) -> tuple[str, ...]:
    """Hosts of ``target`` that a section with ``cell_types`` has."""
    return tuple(h for h in target.hosts if h in cell_types or h in TISSUE_HOSTS)


def _host_cells(
    anchor: Anchor, target: Target, sites: Mapping[str, float], model: SpotModel, grid: Grid, mask: BoolArray,
    parameters: TissueParameters, draw: Draw,
) -> HostCells | None:
    """The target's first host in this section, for an anchor per cell; raises `BadInput` where that has no cells."""
    if anchor.kind != "sites_per_cell":
        return None
    host = next(iter(target.host_density_ratio))
    if host not in sites or host in TISSUE_HOSTS:
        reason = "is no cell type" if host in TISSUE_HOSTS else f"could not be told apart in {model.sample}"
        raise BadInput(f"Anchor of {target.name}: sites per cell need the cells that bear it, and {host} {reason}; "
                       "give a density or a Bmax.")
    cells = cell_fields(model, grid, mask, parameters, draw)[host]
    return HostCells(float(cells[mask].mean()), sites[host])


def _error_parts(
    target: Target, spots: SpotTarget, anchor: Anchor | None, parameters: TissueParameters,
    sites: Mapping[str, float], draw: Draw, cell_errors: CellErrors | None,
) -> TargetError:
    """The parts of the error, as geometric standard deviations: of the library's spread, or of this draw's values."""
    key = f"target.{target.name}"
    protein = draw(f"{key}.gene_to_protein_geometric_sd", target.gene_to_protein_geometric_sd)
    cells = None
    if anchor is not None and anchor.kind == "sites_per_cell" and cell_errors is not None:
        cells = _sites_log_sd(target, sites, protein, cell_errors)
    section = math.exp(anchor_log_sd(anchor, target, parameters, cells))
    local = draw(f"{key}.local_error_geometric_sd", target.local_error_geometric_sd)
    length = draw(f"{key}.local_error_length_um", target.local_error_length_um)
    if spots.relative is None:
        local = math.exp(math.hypot(math.log(local), math.log(protein)))
    counting = 0.0 if spots.relative_sd is None else float(np.median(spots.relative_sd))
    return TargetError(section, protein if len(sites) > 1 else 1.0, local, length, counting)


def _sites_log_sd(target: Target, sites: Mapping[str, float], protein: float, errors: CellErrors) -> float:
    """Of the section's sites where those on a cell of the first host are known: its cells, and what others bear."""
    host = next(iter(sites))
    of_hosts = sum((share - (h == host)) ** 2 * (math.log(protein) ** 2 + log_sd(target.host_density_ratio[h]) ** 2)
                   for h, share in sites.items())
    return math.hypot(errors.log_sd(host, sites), math.sqrt(of_hosts))


def _library_mean(target: Target, spots: SpotTarget, parameters: TissueParameters, draw: Draw) -> float:
    """Mean density (nmol/L) without a measurement in this lesion.

    The library's density was found in tumours that bear the target. Where the section has hardly a transcript, it does
    not show that this one does, and the density is drawn downwards (`SpotTarget.detected`).
    """
    mean = library_mean(target, draw)
    if spots.detected:
        return mean
    return mean * draw("tissue.undetected_target_factor", parameters.undetected_target_factor)


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
        level = spots.relative
        if spots.relative_sd is not None:
            shared = np.zeros(1) if spots.shared_sd is None else spots.shared_sd
            level = level * counting_factor(model, spots.relative_sd, shared, draw, f"{key}.counts.{model.sample}")
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
