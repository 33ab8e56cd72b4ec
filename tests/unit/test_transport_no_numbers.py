"""What is no number, no array of numbers and no function is refused by its name, with what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nichedose.body import PlasmaCurve
from nichedose.body.culture import CellBinding, Culture
from nichedose.errors import BadInput, NotComputed
from nichedose.fields import box_mesh, radial_mesh, steady_reaction_diffusion, voxel_mesh
from nichedose.fields.grid import Grid
from nichedose.tissue import OxygenParameters, oxygen
from nichedose.transport import (
    Batch,
    Binding,
    FlowEdge,
    FluidParameters,
    Given,
    Ligand,
    Sampled,
    Site,
    around_resolved_vessels,
    around_vessels,
    chip_tissue,
    differentiate,
    estimate_cost,
    exchange_rate,
    exchange_rates,
    interstitial_flow,
    ligand_from_size,
    log_times,
    matrix_hindrance,
    normal_tissue_edge,
    simulate_course,
    trapping_per_h,
)
from transport_cases import PEPTIDE, SMALL, run, section

MESH = voxel_mesh(np.ones((2, 3), bool), 20.0)
LIGAND = Ligand("p", 100.0, 0.4, 2.0, 2.0, (Binding("t", 0.6, 0.6, 0.06),))
BATCH = Batch("1", "p", Given(SMALL))
FLUID, KROGH = FluidParameters(4.13, 2.8e-3, 15.6, 20.0, 15.0, 0.82), OxygenParameters(1750.0, 15.0, 1.0, 40.0, 5.0)
CHIP, CELLS = Culture(5e4, 1.0, flow_uL_per_min=1.0, gel_um=100.0), CellBinding(2e5, 0.1, 5.0, 0.5)
STEADY = {"diffusivity_um2_per_s": 1.0, "loss_per_s": 1.0, "source_per_s": 1.0}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Grid(("4", 5), 20.0), "whole sizes"),  # type: ignore[arg-type]
        (lambda: Grid((4.5, 5), 20.0), "whole sizes"),  # type: ignore[arg-type]
        (lambda: Grid((4, 5), "20"), "grid spacing"),  # type: ignore[arg-type]
        (lambda: voxel_mesh([[True]], 20.0), "boolean array"),  # type: ignore[arg-type]
        (lambda: PlasmaCurve(("1",), (1.0,)), "amplitudes must be finite"),  # type: ignore[arg-type]
        (lambda: Given(None), "follows a PlasmaCurve"),  # type: ignore[arg-type]
        (lambda: Sampled((0.0, 1.0), ("a", 1.0)), "finite values"),  # type: ignore[arg-type]
        (lambda: ligand_from_size("150"), "molar mass"),  # type: ignore[arg-type]
        (lambda: exchange_rate(np.ones((2, 3)), 0.1, np.ones((3, 2))), "must have one shape"),
        (lambda: exchange_rates("100", 0.1), "vessel_surface_per_cm must be a number"),  # type: ignore[arg-type]
        (lambda: exchange_rates(np.ones(2), 0.1, reflection="0"), "reflection"),  # type: ignore[arg-type]
        (lambda: interstitial_flow(MESH, 100.0, None), "fluid is a FluidParameters"),  # type: ignore[arg-type]
        (lambda: interstitial_flow(MESH, 100.0, FLUID, edge=3.0), "edge is a FlowEdge"),  # type: ignore[arg-type]
        (lambda: interstitial_flow(MESH, 100.0, FLUID, edge=FlowEdge("0")), "finite pressure"),  # type: ignore[arg-type]
        (lambda: normal_tissue_edge(-1.0, FLUID), "vessels is one number"),
        (lambda: normal_tissue_edge(70.0, replace(FLUID, vessel_mmHg=np.ones(3))), "vessel_mmHg is one number"),
        (lambda: oxygen(Grid((2, 3), 20.0), MESH.mask, np.ones((3, 2)), KROGH), "of the grid's shape"),
        (lambda: oxygen(Grid((2, 3), 20.0), MESH.mask, -np.ones((2, 3)), KROGH), "at or above 0"),
        (lambda: oxygen(Grid((2, 3), 20.0), np.ones((2, 3)), np.ones((2, 3)), KROGH), "mask must be boolean"),  # type: ignore[arg-type]
        (lambda: OxygenParameters("1750", 15.0, 1.0, 40.0, 5.0), "diffusivity"),  # type: ignore[arg-type]
        (lambda: Grid(3, 20.0), "whole sizes"),  # type: ignore[arg-type]
        (lambda: Grid((True, 5), 20.0), "whole sizes"),
        (lambda: Grid((4, 5), 20.0, "00"), "origin"),  # type: ignore[arg-type]
        (lambda: PlasmaCurve(10.0, 1.0), "a tuple of numbers"),  # type: ignore[arg-type]
        (lambda: Sampled(0.0, 1.0), "finite values"),  # type: ignore[arg-type]
        (lambda: log_times("480", 3.0), "end_h above 0; got '480'"),  # type: ignore[arg-type]
        (lambda: log_times(480.0, None), "quickest_per_h above 0; got None"),  # type: ignore[arg-type]
        (lambda: log_times(480.0, 3.0, True), "a whole number; got True"),
        (lambda: log_times(480.0, 3.0, 4.5), "a whole number; got 4.5"),  # type: ignore[arg-type]
        (lambda: matrix_hindrance(5.0, "0.03", 20.0), "fibre_fraction must be .*got '0.03'"),  # type: ignore[arg-type]
        (lambda: matrix_hindrance(5.0, [[0.1], [0.1, 0.2]], 20.0), "fibre_fraction must be"),  # type: ignore[arg-type]
        (lambda: radial_mesh("abc"), "edges_um of shells .*got 'abc'"),  # type: ignore[arg-type]
        (lambda: radial_mesh(np.linspace(0.0, 1.0, 3), [3]), "dimension 1, 2 or 3"),  # type: ignore[arg-type]
        (lambda: radial_mesh(np.linspace(0.0, 1.0, 3), True), "dimension 1, 2 or 3"),
        (lambda: box_mesh(3.0), "1 to 3 axes"),  # type: ignore[arg-type]
        (lambda: box_mesh([np.arange(3.0), "ab"]), "edges_um of axis 1"),  # type: ignore[list-item]
        (lambda: box_mesh([np.arange(3.0)], [0]), "open_sides lists pairs"),  # type: ignore[list-item]
        (lambda: box_mesh([np.arange(3.0)], where="all"), "where must be boolean"),  # type: ignore[arg-type]
        (lambda: estimate_cost((128, 128)), "on a Grid; got tuple"),  # type: ignore[arg-type]
        (lambda: estimate_cost(Grid((4, 5), 20.0), "30"), "n_steps is a whole number, 1 or more; got '30'"),  # type: ignore[arg-type]
        (lambda: estimate_cost(Grid((4, 5), 20.0), n_labels=None), "n_labels"),  # type: ignore[arg-type]
        (lambda: estimate_cost(Grid((4, 5), 20.0), n_snapshots=True), "n_snapshots"),
        (lambda: around_vessels("50", 8.0, 40.0, 1.0), "vessel_surface_per_cm"),  # type: ignore[arg-type]
        (lambda: around_vessels(np.ones(2), "8", 40.0, 1.0), "radius must be one number"),  # type: ignore[arg-type]
        (lambda: around_resolved_vessels(np.ones(2), 1.0, 40.0, None), "voxel's side"),  # type: ignore[arg-type]
        (lambda: trapping_per_h(0.6, 0.6, "0.2", 100.0), "internalisation_per_h must be one number"),  # type: ignore[arg-type]
        (lambda: trapping_per_h(0.6, 0.6, 0.2, "100"), "sites_nmol_per_L"),  # type: ignore[arg-type]
        (lambda: chip_tissue("chip", CELLS), "culture is a Culture; got 'chip'"),  # type: ignore[arg-type]
        (lambda: chip_tissue(CHIP, None), "binding is a CellBinding"),  # type: ignore[arg-type]
        (lambda: chip_tissue(CHIP, CELLS, along="40"), "along must be at least 2, a whole number"),  # type: ignore[arg-type]
        (lambda: chip_tissue(CHIP, CELLS, gel_cells=-1), "gel_cells must be at least 1"),
        (lambda: chip_tissue(CHIP, CELLS, name=""), "the ligand needs a name"),
        (lambda: normal_tissue_edge(70.0, None), "a FluidParameters"),  # type: ignore[arg-type]
        (lambda: run(section(4)).time_integral(None), "No time integral was kept for 'None'"),  # type: ignore[arg-type]
        (lambda: run(section(4)).at("480"), "one number of hours; got '480'"),  # type: ignore[arg-type]
        (lambda: steady_reaction_diffusion((2, 3), MESH.mask, **STEADY), "on a Grid"),  # type: ignore[arg-type]
        (lambda: steady_reaction_diffusion(Grid((2, 3), 20.0), None, **STEADY), "mask must be boolean"),  # type: ignore[arg-type]
        (lambda: steady_reaction_diffusion(Grid((2, 3), 20.0), MESH.mask, **STEADY | {"loss_per_s": ""}), "loss_per_s"),  # type: ignore[arg-type]
        (lambda: steady_reaction_diffusion(Grid((2, 3), 20.0), MESH.mask, saturable=3.0, **STEADY), "MichaelisMenten"),  # type: ignore[arg-type]
        (lambda: steady_reaction_diffusion(Grid((2, 3), 20.0), MESH.mask, held="1", **STEADY), "held must be"),  # type: ignore[arg-type]
    ],
)
def test_text_is_no_number(make: Callable[[], object], words: str) -> None:
    with pytest.raises((BadInput, NotComputed), match=words):
        make()


@pytest.mark.parametrize("progress", ["tell", 3.0, True, [print]])
def test_progress_must_be_a_function(progress: Any) -> None:
    words = "progress is None or a function"
    with pytest.raises(BadInput, match=words):
        run(section(4), progress=progress)
    with pytest.raises(BadInput, match=words):
        simulate_course(MESH, [Site("t", 50.0)], [LIGAND], [BATCH], end_h=24.0, progress=progress)
    with pytest.raises(BadInput, match=words):
        differentiate(section(4), PEPTIDE, SMALL, lambda maps: (0.0, {}), end_h=24.0, decay_per_h={"177Lu": 0.004},
                      progress=progress)
