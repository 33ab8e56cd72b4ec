"""A flow-through culture chip as a tissue: a channel with Poiseuille flow above gel and a layer of cells."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from nichedose.body.culture import UM3_PER_ML, CellBinding, Culture
from nichedose.errors import BadInput
from nichedose.fields.box import box_mesh
from nichedose.fields.grid import Array, BoolArray
from nichedose.fields.mesh import Mesh
from nichedose.fields.number import is_whole, kind
from nichedose.quantities import MOLECULES_PER_NMOL
from nichedose.transport._inputs import check_name
from nichedose.transport.flow import InterstitialFlow
from nichedose.transport.network import Binding, Ligand, Site

__all__ = ["ChipTissue", "chip_tissue"]

OUTLET_DISTANCE = 1e9  # of the channel's length: medium leaves by flow alone, nothing diffuses back in
LEAST_CELLS = 2


@dataclass(frozen=True)
class ChipTissue:
    """What `simulate_course` takes: pass ``outside=1.0``, so that fresh medium enters at the supply's concentration.

    Axes are along the flow and upwards from the floor (and across, where asked for); masks have the mesh's shape.
    """

    mesh: Mesh
    flow: InterstitialFlow
    ligand: Ligand
    site: Site
    layer: BoolArray
    gel: BoolArray
    channel: BoolArray
    edges_um: tuple[Array, ...]


def chip_tissue(
    culture: Culture, binding: CellBinding, *, name: str = "ligand", along: int = 40, layer_cells: int = 3,
    gel_cells: int = 10, channel_cells: int = 16,
) -> ChipTissue:
    """``culture`` as ``along`` columns of cells, 2-D: x along the flow, y from the floor up.

    Flow through the channel is that between wide parallel plates, 6 u s (1 - s). The supply of a batch is the medium at
    the inlet; medium that comes back (``recirculates``) needs the network, and is refused. Raises `BadInput`.

    >>> chip = chip_tissue(Culture(5e4, 1.0, flow_uL_per_min=1.0), CellBinding(2e5, 0.1, 5.0, 0.5))
    >>> chip.layer.shape
    (40, 29)
    """
    for what, given, wanted in (("culture", culture, Culture), ("binding", binding, CellBinding)):
        if not isinstance(given, wanted):
            raise BadInput(f"chip_tissue: {what} is a {wanted.__name__}; got {kind(given)}.")
    check_name(name, "chip_tissue: the ligand")
    if not culture.is_chip:
        raise BadInput("A chip needs flow: give flow_uL_per_min above 0. A plate is mixed; use culture_model.")
    if culture.recirculates:
        raise BadInput("Medium that recirculates changes with what the cells take, which a supply cannot follow; use "
                       "culture_model, or a single pass.")
    cells = {"along": along, "layer_cells": layer_cells, "gel_cells": gel_cells, "channel_cells": channel_cells}
    for what, number in cells.items():
        least = LEAST_CELLS if what != "gel_cells" else 1 if culture.gel_um > 0.0 else 0
        if not is_whole(number, least):
            raise BadInput(f"chip_tissue: {what} must be at least {least}, a whole number; got {number!r:.40}.")
    x = np.linspace(0.0, culture.length_um, along + 1)
    levels = [np.linspace(0.0, culture.layer_um, layer_cells + 1)]
    thick_gel = gel_cells if culture.gel_um > 0.0 else 0
    if thick_gel:
        levels.append(culture.layer_um + np.linspace(0.0, culture.gel_um, thick_gel + 1)[1:])
    bottom = culture.layer_um + culture.gel_um
    levels.append(bottom + np.linspace(0.0, culture.height_um, channel_cells + 1)[1:])
    y = np.concatenate(levels)
    shape, row = (along, y.size - 1), np.arange(y.size - 1)
    layer, channel = (np.broadcast_to(r, shape).copy() for r in (row < layer_cells, row >= layer_cells + thick_gel))
    mesh = box_mesh([x, y], [(0, -1), (0, 1)], channel)
    far = np.where(mesh.edge_side > 0, OUTLET_DISTANCE * culture.length_um, mesh.edge_distance)
    mesh = dataclasses.replace(mesh, edge_distance=far)
    gel = ~(layer | channel)
    void = np.where(layer, culture.layer_void, np.where(gel, culture.gel_void, 1.0))
    diffusivity = np.where(layer, culture.layer_diffusivity_um2_per_s, np.where(
        gel, culture.gel_diffusivity_um2_per_s, culture.medium_diffusivity_um2_per_s))
    sites = binding.sites_per_cell * culture.cells / MOLECULES_PER_NMOL  # nmol
    volume_L = culture.floor_um2 * culture.layer_um / UM3_PER_ML * 1e-3
    kd = binding.association_L_per_nmol_per_h * binding.dissociation_constant_nmol_per_L
    return ChipTissue(
        mesh=mesh,
        flow=_poiseuille(mesh, y, bottom, culture),
        ligand=Ligand(name, diffusivity, void, bindings=(
            Binding("target", binding.association_L_per_nmol_per_h, kd, binding.internalisation_per_h),),
            release_per_h=binding.release_per_h),
        site=Site("target", np.where(layer, sites / volume_L, 0.0)),
        layer=layer,
        gel=gel,
        channel=channel,
        edges_um=(x, y),
    )


def _poiseuille(mesh: Mesh, y: Array, bottom_um: float, culture: Culture) -> InterstitialFlow:
    """Exact means of the profile over each row, so that the rows carry the whole flow."""
    s = np.clip((y - bottom_um) / culture.height_um, 0.0, 1.0)
    carried = culture.mean_speed_um_per_s * culture.height_um * (3.0 * s**2 - 2.0 * s**3)
    speed = np.diff(carried) / np.diff(y)
    rows = mesh.places[1]
    face = np.where(mesh.axis == 0, speed[rows[mesh.a]], 0.0)
    nothing = np.zeros(mesh.mask.shape)
    return InterstitialFlow(
        mesh=mesh, mmHg=nothing, filtered_per_h=nothing, drained_per_h=nothing, face_um_per_s=face,
        edge_um_per_s=speed[rows[mesh.edge_cell]] * mesh.edge_side)
