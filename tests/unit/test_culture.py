"""Plates and chips: network against mesh, closed forms, dose of flat layers, and a plate that is fitted."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from nichedose.body import CellBinding, Culture, Injection, MeasuredActivity, Regimen, culture_model, fit, solve
from nichedose.body.culture import CELLS
from nichedose.body.model import BodyModel
from nichedose.dose import CellShape, convolve, layer_dose
from nichedose.effect import EffectParameters
from nichedose.errors import BadInput
from nichedose.fields import box_mesh, voxel_mesh
from nichedose.quantities import MOLECULES_PER_NMOL
from nichedose.study.culture import culture_dose, culture_survival
from nichedose.transport import Batch, Sampled, chip_tissue, simulate_course
from nichedose.values import Draw, Value

LU177 = math.log(2.0) / 159.5
BINDING = CellBinding(2e5, 0.1, 5.0, 0.5)
STEADY = Sampled((0.0, 1e4), (1.0, 1.0))


def test_a_plate_without_internalisation_comes_to_equilibrium() -> None:
    """The quadratic of one site: what is bound to 1e6 cells of 2e5 sites in 1 mL, at the end."""
    plate = culture_model(Culture(1e6, 1.0), dataclasses.replace(BINDING, internalisation_per_h=0.0))
    run = solve(plate, Regimen((Injection(0.01, 1.0),)), decay_per_h={"": 0.0}, end_h=500.0, tolerance=1e-7)
    sites = 2e5 * 1e6 / MOLECULES_PER_NMOL
    total, kd = 0.01 + sites + 5.0 * 1e-3, 5.0 * 1e-3
    exact = 0.5 * (total - math.sqrt(total**2 - 4.0 * 0.01 * sites))
    assert kd > 0.0 and float(run.amount_nmol(CELLS)[-1]) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("recirculates", [False, True])
def test_a_chip_balances(recirculates: bool) -> None:
    chip = culture_model(Culture(5e4, 1.0, flow_uL_per_min=1.0, recirculates=recirculates), BINDING)
    run = solve(chip, Regimen((Injection(0.01, 1.0),)), decay_per_h={"177Lu": LU177}, end_h=72.0)
    assert run.mass_closure < 1e-12 and run.activity_closure("177Lu") < 1e-8
    assert (run.amount_nmol("waste")[-1] > 0.0) is not recirculates


def test_a_mixed_chip_is_its_network() -> None:
    """Fast diffusion and flow: activity on the cells by both descriptions within 2 % (found 0.9 %: no depletion)."""
    mixed = Culture(5e4, 1e3, 20.0, length_um=2000.0, medium_diffusivity_um2_per_s=1e6, gel_diffusivity_um2_per_s=1e6,
                    layer_diffusivity_um2_per_s=1e6)
    run = solve(culture_model(mixed, BINDING), Regimen((Injection(1.0, 1.0),)), decay_per_h={"x": 0.004}, end_h=24.0)
    network = run.time_integrated_activity_MBq_h(CELLS, "x")
    chip = chip_tissue(mixed, BINDING, along=8, layer_cells=2, gel_cells=4, channel_cells=8)
    batch = Batch("b", "ligand", STEADY, {"x": 0.004})
    course = simulate_course(chip.mesh, [chip.site], [chip.ligand], [batch], end_h=24.0, flow=chip.flow, outside=1.0)
    assert chip.flow.imbalance == 0.0
    assert course.ledgers["b", ""].closure < 1e-8
    held = sum(v for name, v in course.time_integrals["b", "x"].items() if name != "b")
    mesh = float((held.ravel() * chip.mesh.volume).sum() * mixed.width_um * 1e-15)
    assert mesh == pytest.approx(network, rel=0.02)


def test_uptake_at_the_inlet_follows_leveque() -> None:
    """A floor that takes all it meets: total flux D C (g/9D)^(1/3)/Gamma(4/3) (3/2) L^(2/3), g = 6 u/h. Within 3 %
    (found 2 %, of which rows make the smaller part: the flux is infinite at the inlet, in the first column)."""
    culture = Culture(1.0, 1.0, 6.0, length_um=1000.0, gel_um=0.0, layer_um=0.5, layer_void=1.0,
                      layer_diffusivity_um2_per_s=1e5)
    found = []
    for rows in (24, 48):
        chip = chip_tissue(culture, BINDING, along=100, layer_cells=2, gel_cells=0, channel_cells=rows)
        sink = dataclasses.replace(chip.ligand, bindings=(), leave_per_h=np.where(chip.layer, 1e9, 0.0))
        course = simulate_course(chip.mesh, [], [sink], [Batch("b", "ligand", STEADY)], end_h=50.0, flow=chip.flow,
                                 outside=1.0)
        free = course.at(50.0)["b"]
        found.append(float((1e9 / 3600.0 * free * chip.layer).ravel() @ chip.mesh.volume))  # um2/s x nmol/L
    shear = 6.0 * culture.mean_speed_um_per_s / culture.height_um
    d = culture.medium_diffusivity_um2_per_s
    exact = d * (shear / (9.0 * d)) ** (1 / 3) / math.gamma(4 / 3) * 1.5 * culture.length_um ** (2 / 3)
    errors = [abs(f / exact - 1.0) for f in found]
    assert errors[1] < 0.03 and errors[1] < errors[0]


def test_a_floor_under_gel_takes_what_films_in_series_let_through() -> None:
    """Very fast flow, sites that keep what they catch and do not fill: channel, gel and layer in series, 1.5 %."""
    culture = Culture(1e6, 1.0, flow_uL_per_min=1e6)
    chip = chip_tissue(culture, CellBinding(1e7, 0.005, 1e-6, 0.0), along=4, layer_cells=12, gel_cells=20,
                       channel_cells=48)  # fmt: skip
    batch = Batch("b", "ligand", Sampled((0.0, 1e4), (1e-3, 1e-3)))
    course = simulate_course(chip.mesh, [chip.site], [chip.ligand], [batch], end_h=4.0, times_h=[2.0], flow=chip.flow,
                             outside=1.0)  # fmt: skip
    volume = chip.mesh.volume.reshape(chip.layer.shape)
    bound = [float((course.at(t)[f"b on {chip.site.name}"] * volume).sum()) / culture.length_um for t in (2.0, 4.0)]
    loss = 0.005 * float(np.max(chip.site.density_nmol_per_L))
    spread = culture.layer_void * culture.layer_diffusivity_um2_per_s * 3600.0
    reach = math.sqrt(spread / loss)  # 11 um
    layer = reach / (spread * math.tanh(culture.layer_um / reach))
    gel = culture.gel_um / (culture.gel_void * culture.gel_diffusivity_um2_per_s * 3600.0)
    assert (bound[1] - bound[0]) / 2.0 == pytest.approx(1e-3 / (gel + layer), rel=0.015)


def test_boxes() -> None:
    box, voxels = box_mesh([np.arange(4) * 5.0, np.arange(3) * 5.0]), voxel_mesh(np.ones((3, 2), bool), 5.0)
    for name in ("volume", "area", "distance_a", "distance_b", "a", "b", "axis"):
        assert np.array_equal(getattr(box, name), getattr(voxels, name))
    assert box.edge_cell.size == 0
    graded = box_mesh([np.array([0.0, 1.0, 4.0]), np.array([0.0, 2.0])], [(0, 1)])
    assert graded.volume.tolist() == [2.0, 6.0] and graded.edge_area.tolist() == [2.0]
    assert (graded.distance_a[0], graded.distance_b[0], graded.edge_distance[0]) == (0.5, 1.5, 1.5)
    for edges, sides in (([np.array([0.0, 0.0])], []), ([np.arange(3.0)], [(1, 1)]), ([], [])):
        with pytest.raises(BadInput):
            box_mesh(edges, sides)


def test_dose_of_layers_is_that_of_a_wide_map() -> None:
    activity = np.zeros((9, 41, 41))
    activity[3:5] = 1.0
    wide = convolve(activity, "211At", 10.0, quality="alpha").by_quality["alpha"][:, 20, 20]
    flat = layer_dose("211At", np.arange(10) * 10.0, activity[:, 20, 20], quality="alpha")["alpha"]
    assert flat == pytest.approx(wide, rel=2e-3)
    with pytest.raises(BadInput, match="rising"):
        layer_dose("211At", [0.0, 0.0], [1.0])
    with pytest.raises(BadInput, match="one a layer"):
        layer_dose("211At", [0.0, 1.0], [1.0, 2.0])


def test_from_medium_to_survival() -> None:
    """More activity kills more; a target on the cells adds to what the medium alone does."""
    plate, cell = Culture(1e5, 1.0, length_um=1e4, width_um=1e4), CellShape(7.0, 5.0)
    p = EffectParameters(0.3, 3.0, 0.5, dict.fromkeys(QUALITIES, 1.0), dict.fromkeys(QUALITIES, 1.0), 3.0)
    survival = []
    for MBq, sites in ((1.0, 0.0), (1.0, 2e5), (4.0, 2e5)):
        model = culture_model(plate, dataclasses.replace(BINDING, sites_per_cell=sites))
        run = solve(model, Regimen((Injection(0.01, MBq),)), decay_per_h={"177Lu": LU177}, end_h=1600.0, tolerance=1e-4)
        dose = culture_dose(run, plate, "177Lu", cell)
        survival.append(culture_survival(dose, p))
        assert (sum(dose.from_cells.values()) > 0.0) is (sites > 0.0)
    assert 1.0 > survival[0] > survival[1] > survival[2] > 0.0


QUALITIES = ("alpha", "recoil", "beta", "conversion", "auger", "photon")


def test_a_plate_gives_affinity_and_internalisation_back() -> None:
    """Uptake at two concentrations from known cells: both parameters within 5 %, and far narrower than the priors."""
    priors = {"kd": Value(low=0.5, high=50.0, log=True, evidence="assumed"),
              "kint": Value(low=0.02, high=2.0, log=True, evidence="assumed")}

    def build(draw: Draw) -> BodyModel:
        return culture_model(Culture(1e6, 1.0), dataclasses.replace(
            BINDING, dissociation_constant_nmol_per_L=draw("kd", priors["kd"]),
            internalisation_per_h=draw("kint", priors["kint"])))

    truth = culture_model(Culture(1e6, 1.0), dataclasses.replace(
        BINDING, dissociation_constant_nmol_per_L=3.0, internalisation_per_h=0.2))
    regimen, times = Regimen((Injection(0.005, 1.0),)), (0.25, 0.5, 1.0, 2.0, 4.0, 24.0)
    run = solve(truth, regimen, decay_per_h={"": 0.0}, end_h=25.0, times_h=times)
    values = run.activity_MBq(CELLS, "")[np.searchsorted(run.times_h, times)] * 100.0
    series = MeasuredActivity(CELLS, times, tuple(float(v) for v in values), "%IA", True, relative_sd=0.02)
    found = fit(build, [series], regimen=regimen, decay_per_h=0.0, model_sd=0.0)
    assert found.value("kd") == pytest.approx(3.0, rel=0.05)
    assert found.value("kint") == pytest.approx(0.2, rel=0.05)
    assert found.narrowing("kd") < 0.2 and found.narrowing("kint") < 0.2


def test_cultures_that_cannot_be() -> None:
    for wrong in ({"cells": 0.0}, {"medium_mL": -1.0}, {"layer_void": 1.5}, {"cells": 1e9, "flow_uL_per_min": 1.0}):
        with pytest.raises(BadInput, match="Culture"):
            Culture(**{"cells": 1e5, "medium_mL": 1.0, **wrong})
    with pytest.raises(BadInput, match="CellBinding"):
        dataclasses.replace(BINDING, internalisation_per_h=-1.0)
    with pytest.raises(BadInput, match="flow"):
        chip_tissue(Culture(1e5, 1.0), BINDING)
    with pytest.raises(BadInput, match="recirculates"):
        chip_tissue(Culture(1e4, 1.0, 1.0, True), BINDING)
