"""`[tissue] vessel_gradients`: what is trapped around a voxel's own vessels, as an option of the case."""

from __future__ import annotations

import numpy as np
import pytest
from tissue_cases import fixed, tissue_parameters

from nichedose.case import Patient, TissueOptions
from nichedose.fields.grid import Grid
from nichedose.library import load_library
from nichedose.study.kinetics import solve_form, tissue_and_ligand
from nichedose.tissue import TargetField, TissueMap
from nichedose.transport import around_vessels, exchange_rate, trapping_per_h
from nichedose.values import Draw

GRID = Grid((4, 5), 50.0)
MASK = np.ones(GRID.shape, bool)
MASK[0, 0] = False
PARAMETERS = tissue_parameters(vessel_radius_um=fixed(4.0), perfusion_mL_per_min_per_mL=fixed(1e6),
                               permeability_factor=fixed(50.0))  # fmt: skip
FORM = next(f for f in load_library().forms.values() if f.target == "PSMA")


def tissue(sites: float = 100.0) -> TissueMap:
    vessels = np.linspace(0.0, 60.0, MASK.size).reshape(GRID.shape) * MASK
    target = TargetField("PSMA", {"tumour": sites * MASK}, True, "absolute", 1000)
    return TissueMap(GRID, MASK, {"tumour": 3e5 * MASK}, {"PSMA": target}, {}, vessels, 0.5 * MASK, 30.0 * MASK, "s")


def test_the_series_is_that_of_the_closure_with_the_matrix_where_it_hinders() -> None:
    decay, place = 0.004, tissue()
    for reference in (None, place.matrix):
        found, ligand = tissue_and_ligand(
            place, FORM, PARAMETERS, Draw(), reference_matrix=reference, gradients_decay_per_h=decay)
        wall = exchange_rate(place.vessel_surface_per_cm, ligand.permeability_um_per_s, np.asarray(np.inf))
        loss = ligand.void_fraction * decay + trapping_per_h(
            ligand.association_L_per_nmol_per_h, ligand.dissociation_per_h, ligand.internalisation_per_h,
            place.targets["PSMA"].total_nmol_per_L, decay)  # fmt: skip
        factor = 1.0 if found.diffusivity_factor is None else found.diffusivity_factor
        series = around_vessels(
            place.vessel_surface_per_cm, 4.0, ligand.void_fraction * ligand.diffusivity_um2_per_s * factor, loss)
        np.testing.assert_allclose(found.exchange_per_h, wall / (1.0 + wall / series), rtol=1e-4)  # flow is 1e6


def test_off_it_changes_no_number() -> None:
    found, ligand = tissue_and_ligand(tissue(), FORM, PARAMETERS, Draw())
    vessels = tissue().vessel_surface_per_cm
    flow = 6e7 * vessels / vessels[MASK].mean()
    plain = exchange_rate(vessels, ligand.permeability_um_per_s, flow)
    np.testing.assert_allclose(found.exchange_per_h, plain, rtol=1e-12)
    assert not TissueOptions().vessel_gradients


@pytest.mark.parametrize("sites", [1.0, 100.0])
def test_less_comes_in_where_more_is_trapped_on_the_way(sites: float) -> None:
    """From one voxel's vessels to the map: never more uptake than mixed, and the more sites the larger the loss."""
    shares = {}
    for on in (False, True):
        run = solve_form(
            tissue(sites), FORM, ("177Lu",), PARAMETERS, patient=Patient(), mass_factor=1e-3,
            draw=Draw(), vessel_gradients=on)  # fmt: skip
        shares[on] = sum(f[MASK].sum() for f in run.time_integrated_activity("177Lu").values())
    lost = 1.0 - shares[True] / shares[False]
    assert (0.0 <= lost < 0.02) if sites == 1.0 else (lost > 0.02), lost
