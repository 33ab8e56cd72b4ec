"""Cells in a plate or a flow-through chip as a network: medium, channel, gel and a layer of cells, each well mixed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nichedose.body.model import PLASMA, BodyModel
from nichedose.body.network import Binding, Network, State, Transfer
from nichedose.errors import BadInput
from nichedose.quantities import MOLECULES_PER_NMOL

__all__ = ["CELLS", "MEDIUM", "CellBinding", "Culture", "culture_model"]

MEDIUM = PLASMA  # what is given enters there, as in a body
CHANNEL, GEL, CELLS, WASTE = "channel", "gel", "cells", "waste"
RELEASED = "released label"
UM3_PER_ML, S_PER_H = 1e12, 3600.0


@dataclass(frozen=True)
class CellBinding:
    """What one kind of cell does with the ligand: sites per cell and rates (nmol/L, h). ``release_per_h`` of label that
    is inside goes back to the medium, no longer binding."""

    sites_per_cell: float
    association_L_per_nmol_per_h: float
    dissociation_constant_nmol_per_L: float
    internalisation_per_h: float
    release_per_h: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0.0):
                raise BadInput(f"CellBinding: {name} must be finite and not negative; got {value}.")


@dataclass(frozen=True)
class Culture:
    """``cells`` under ``medium_mL``. A plate without more; a chip where ``flow_uL_per_min`` runs through a channel.

    The channel is ``length_um`` x ``width_um`` x ``height_um``, below it lie ``gel_um`` of gel and then ``layer_um``
    of cells, on the floor. Voids are accessible shares; diffusivities in um2/s. ``recirculates``: the channel drains
    into the reservoir of medium, else into the waste. Raises `BadInput`.

    >>> Culture(cells=1e5, medium_mL=1.0).is_chip
    False
    """

    cells: float
    medium_mL: float
    flow_uL_per_min: float = 0.0
    recirculates: bool = False
    length_um: float = 10_000.0
    width_um: float = 1_000.0
    height_um: float = 200.0
    gel_um: float = 100.0
    layer_um: float = 15.0
    gel_void: float = 0.9
    layer_void: float = 0.3
    medium_diffusivity_um2_per_s: float = 300.0
    gel_diffusivity_um2_per_s: float = 200.0
    layer_diffusivity_um2_per_s: float = 60.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name == "recirculates":
                continue
            low = 0.0 if name in ("flow_uL_per_min", "gel_um") else 1e-12
            if not (math.isfinite(value) and value >= low):
                raise BadInput(f"Culture: {name} must be finite and {'not negative' if low == 0.0 else 'above 0'}; got "
                               f"{value}.")
        for name in ("gel_void", "layer_void"):
            if getattr(self, name) > 1.0:
                raise BadInput(f"Culture: {name} is a share of volume, at most 1; got {getattr(self, name)}.")
        if self.is_chip and self.cells / self.floor_um2 > 1.0:
            raise BadInput(f"Culture: {self.cells:g} cells on {self.floor_um2:g} um2 of floor; more than one per um2.")

    @property
    def is_chip(self) -> bool:
        return self.flow_uL_per_min > 0.0

    @property
    def floor_um2(self) -> float:
        return self.length_um * self.width_um

    @property
    def mean_speed_um_per_s(self) -> float:
        """Of medium in the channel; 1 uL/min is 1e9/60 um3/s."""
        return self.flow_uL_per_min * 1e9 / 60.0 / (self.width_um * self.height_um)

    @property
    def passage_um_per_s(self) -> float:
        """From mixed channel to mixed layer: half the channel, the gel and half the layer in series. Half the channel's
        height is the film of a channel in which the profile has had time to form; faster flow has a thinner one."""
        films = (0.5 * self.height_um / self.medium_diffusivity_um2_per_s,
                 self.gel_um / (self.gel_void * self.gel_diffusivity_um2_per_s),
                 0.5 * self.layer_um / (self.layer_void * self.layer_diffusivity_um2_per_s))
        return 1.0 / sum(films)


def culture_model(culture: Culture, binding: CellBinding) -> BodyModel:
    """The network of ``culture``, in the form that `solve`, `fit` and `MeasuredActivity` take.

    Medium stands where plasma does in a body (`MEDIUM`): what a `Regimen` injects is put into it. ``cells`` hold what
    is bound and inside (`CELLS`), so %IA of cells over time is what a plate reader or a gamma counter gives.

    >>> from nichedose.body import Injection, Regimen, solve
    >>> plate = culture_model(Culture(1e5, 1.0), CellBinding(2e5, 0.1, 5.0, 0.5))
    >>> run = solve(plate, Regimen((Injection(0.001, 0.1),)), decay_per_h={"177Lu": 0.00434}, end_h=4.0)
    >>> run.mass_closure < 1e-12
    True
    """
    states = [State(MEDIUM, MEDIUM, "plasma"), State(RELEASED, RELEASED, "metabolite"),
              State(f"{CELLS} bound", CELLS, "bound"), State(f"{CELLS} inside", CELLS, "internalised")]
    moves: dict[tuple[str, str], float] = {
        (f"{CELLS} bound", MEDIUM): 0.0,
        (f"{CELLS} bound", f"{CELLS} inside"): binding.internalisation_per_h,
        (f"{CELLS} inside", RELEASED): binding.release_per_h,
    }
    free, free_mL = MEDIUM, culture.medium_mL
    if culture.is_chip:
        free, free_mL = GEL, _add_chip(culture, states, moves)
    moves.pop((f"{CELLS} bound", MEDIUM))
    moves[f"{CELLS} bound", free] = binding.association_L_per_nmol_per_h * binding.dissociation_constant_nmol_per_L
    sites, on = f"{CELLS} sites", f"{free} + sites"
    return BodyModel(
        network=Network(tuple(states), tuple(Transfer(a, b, f"{a} > {b}") for a, b in moves),
                        (Binding(free, f"{CELLS} bound", sites, on),)),
        rates={**{f"{a} > {b}": rate for (a, b), rate in moves.items()},
               on: binding.association_L_per_nmol_per_h / (free_mL * 1e-3)},
        sites={sites: binding.sites_per_cell * culture.cells / MOLECULES_PER_NMOL},
        volume_L={CELLS: culture.floor_um2 * culture.layer_um / UM3_PER_ML * 1e-3},
        plasma_volume_L=culture.medium_mL * 1e-3,
        free_fraction=1.0,
        haematocrit=0.0,
        blood_cell_ratio=0.0,
        under_amino_acids={},
        tumours=(),
    )


def _add_chip(culture: Culture, states: list[State], moves: dict[tuple[str, str], float]) -> float:
    """Channel, gel (with the layer's interstitium) and waste; returns the mL that gel and layer give the ligand."""
    states += [State(CHANNEL, CHANNEL, "vascular"), State(GEL, GEL, "interstitial"), State(WASTE, WASTE, "excreted")]
    channel_mL = culture.floor_um2 * culture.height_um / UM3_PER_ML
    thick = culture.gel_void * culture.gel_um + culture.layer_void * culture.layer_um
    gel_mL = culture.floor_um2 * thick / UM3_PER_ML
    flow_mL_per_h = culture.flow_uL_per_min * 0.06
    passage_mL_per_h = culture.passage_um_per_s * culture.floor_um2 * S_PER_H / UM3_PER_ML
    moves[MEDIUM, CHANNEL] = flow_mL_per_h / culture.medium_mL
    moves[CHANNEL, MEDIUM if culture.recirculates else WASTE] = flow_mL_per_h / channel_mL
    moves[CHANNEL, GEL] = passage_mL_per_h / channel_mL
    moves[GEL, CHANNEL] = passage_mL_per_h / gel_mL
    return gel_mL
