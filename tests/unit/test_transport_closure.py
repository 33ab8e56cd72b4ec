"""Gradients below the voxel, and the limits in which penetration is known: barrier, internalisation, coarse grids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_bvp
from scipy.ndimage import gaussian_filter

from nichedose.body import PlasmaCurve
from nichedose.errors import BadInput
from nichedose.fields import radial_mesh, voxel_mesh
from nichedose.fields.grid import Grid
from nichedose.transport import (
    Batch,
    Binding,
    Given,
    Ligand,
    LigandKinetics,
    Site,
    TissueTransport,
    around_resolved_vessels,
    around_vessels,
    exchange_rate,
    exchange_rates,
    simulate_course,
    trapping_per_h,
)
from transport_cases import ANTIBODY, LABELS, PEPTIDE, SLOW, SMALL, TIGHT, run, total

LU = LABELS["177Lu"]
LASTING = PlasmaCurve((1.0,), (1e-12,))
STIFF = replace(TIGHT, association_L_per_nmol_per_h=1000.0, dissociation_per_h=100.0)  # kon x sites = 1e5/h


@pytest.mark.parametrize("modulus", [1e-3, 0.02, 0.1, 1.0, 10.0, 300.0])
def test_conductance_is_that_of_the_profile_around_a_vessel(modulus: float) -> None:
    """Against a boundary-value solution; ``modulus`` is tissue radius over penetration length."""
    wall, outer, spread = 5.0, 60.0, 20.0 * 3600.0
    loss = spread * (modulus / outer) ** 2
    surface = 2.0 * wall / outer**2 * 1e4

    def slopes(r: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.stack([y[1], y[0] * (modulus / outer) ** 2 - y[1] / r, y[0] * r])

    mesh = np.geomspace(wall, outer, 400) if modulus < 50 else wall + (outer - wall) * np.linspace(0, 1, 4000) ** 3
    guess = np.stack([np.exp(-modulus * (mesh - wall) / outer), 0 * mesh, 0 * mesh])
    found = solve_bvp(slopes, lambda a, b: np.array([a[0] - 1.0, b[1], a[2]]), mesh, guess, tol=1e-9, max_nodes=100000)
    mean = found.y[2, -1] * 2.0 / (outer**2 - wall**2)
    exact = loss * mean / (1.0 - mean)
    assert float(around_vessels(np.array(surface), wall, 20.0, loss)) == pytest.approx(exact, rel=2e-3)


def test_conductance_is_continuous_where_its_two_forms_meet() -> None:
    loss = np.geomspace(1e-6, 1e3, 4000)
    found = around_vessels(np.array(50.0), 5.0, 40.0, loss)
    assert bool((np.diff(found) > -1e-4 * found[:-1]).all())
    assert np.abs(np.diff(np.log(found))).max() < 1e-2


def test_no_vessel_no_limit_and_no_exchange() -> None:
    series = around_vessels(np.array([0.0, 50.0]), 5.0, 40.0, 1.0)
    assert np.isinf(series[0])
    into, out = exchange_rates(np.array([0.0, 50.0]), 0.2, series_per_h=series)
    assert into[0] == out[0] == 0.0
    assert float(into[1]) == pytest.approx(1.0 / (1.0 / exchange_rate(50.0, 0.2, np.inf) + 1.0 / series[1]))  # type: ignore[arg-type]


@pytest.mark.parametrize(("ligand", "plasma"), [(PEPTIDE, SMALL), (TIGHT, SMALL), (STIFF, SMALL), (ANTIBODY, SLOW)])
@pytest.mark.parametrize("permeability", [0.01, 1.0])
@pytest.mark.parametrize("outer", [40.0, 90.0])
def test_a_voxel_is_its_krogh_cylinder(
    ligand: LigandKinetics, plasma: PlasmaCurve, permeability: float, outer: float
) -> None:
    """One voxel with the closure against the cylinder resolved in 200 shells: the label's time integral, 1 %.

    Without the closure the worst of these is half as high again."""
    wall, sites = 5.0, 100.0
    edges = wall * (outer / wall) ** np.linspace(0.0, 1.0, 201)
    mesh = radial_mesh(edges, 2)
    surface = 2.0 * np.pi * wall / mesh.volume.sum() * 1e4
    first = np.zeros(200)
    first[0] = permeability * 3600.0 * 2.0 * np.pi * wall / mesh.volume[0]
    binding = Binding("target", *(getattr(ligand, name) for name in (
        "association_L_per_nmol_per_h", "dissociation_per_h", "internalisation_per_h")))
    one = Ligand("x", ligand.diffusivity_um2_per_s, ligand.void_fraction, first, first, (binding,),
                 release_per_h=ligand.release_per_h)
    batch = Batch("b", "x", Given(plasma.scaled(1e-5)), {"177Lu": LU})
    resolved = simulate_course(mesh, [Site("target", sites)], [one], [batch], end_h=480.0).time_integral("b", "177Lu")
    mean = float((resolved * mesh.volume).sum() / mesh.volume.sum())
    loss = ligand.void_fraction * LU + trapping_per_h(
        ligand.association_L_per_nmol_per_h, ligand.dissociation_per_h, ligand.internalisation_per_h, sites, LU
    )
    series = around_vessels(np.array(surface), wall, ligand.void_fraction * ligand.diffusivity_um2_per_s, loss)
    into, out = exchange_rates(np.array(surface), permeability, series_per_h=series)
    lumped = replace(one, enter_per_h=float(into), leave_per_h=float(out))
    voxel = voxel_mesh(np.ones((1, 1), bool), 20.0)
    found = simulate_course(voxel, [Site("target", sites)], [lumped], [batch], end_h=480.0).time_integral("b", "177Lu")
    assert float(found[0, 0]) == pytest.approx(mean, rel=0.01)


def blocks(field: np.ndarray, by: int) -> np.ndarray:
    n = field.shape[0] // by
    return np.asarray(field.reshape(n, by, n, by).mean(axis=(1, 3)))


@pytest.mark.parametrize("wall", [1.0, 2.0, 4.0])
@pytest.mark.parametrize(("ligand", "permeability"), [(PEPTIDE, 4.0), (ANTIBODY, 0.06)])
def test_a_vessel_in_a_voxel_of_its_own_keeps_its_radius(
    ligand: LigandKinetics, permeability: float, wall: float
) -> None:
    """One vessel on 9 x 9 voxels of 10 um against 200 shells to the same area: mean label integral, 0.5 %
    (found: 0.3 %).

    The grid alone gives every vessel a radius of 2 um: up to 4.3 % off here.
    """
    side, sites, area = 90.0, 50.0, 90.0**2
    edges = wall * (np.sqrt(area / np.pi + wall**2) / wall) ** np.linspace(0.0, 1.0, 201)
    shells = radial_mesh(edges, 2)
    enter = np.zeros(200)
    enter[0] = permeability * 3600.0 * 2.0 * np.pi * wall / shells.volume[0]
    surface = np.zeros((9, 9))
    surface[4, 4] = 2.0 * np.pi * wall / 100.0 * 1e4
    series = around_resolved_vessels(surface, wall, ligand.void_fraction * ligand.diffusivity_um2_per_s, 10.0)
    into, _ = exchange_rates(surface, permeability, series_per_h=series)
    means = []
    for mesh, rate in ((shells, enter), (voxel_mesh(np.ones((9, 9), bool), 10.0), into)):
        binding = Binding("target", ligand.association_L_per_nmol_per_h, ligand.dissociation_per_h,
                          ligand.internalisation_per_h)  # fmt: skip
        one = Ligand("x", ligand.diffusivity_um2_per_s, ligand.void_fraction, rate, rate, (binding,),
                     release_per_h=ligand.release_per_h)  # fmt: skip
        batch = Batch("b", "x", Given(SLOW.scaled(1e-3)), {"177Lu": LU})
        run = simulate_course(mesh, [Site("target", sites)], [one], [batch], end_h=480.0)
        means.append(float((run.time_integral("b", "177Lu").ravel() * mesh.volume).sum() / side**2))
    assert means[1] == pytest.approx(means[0], rel=0.005)


@pytest.mark.parametrize(
    ("ligand", "plasma", "permeability", "times"),
    [
        (PEPTIDE, SMALL, 0.2, 1.0), (TIGHT, SMALL, 0.2, 1.0), (ANTIBODY, SLOW, 0.003, 1.0), (PEPTIDE, SMALL, 0.2, 20.0),
        (TIGHT, SMALL, 0.2, 20.0), (ANTIBODY, SLOW, 0.003, 20.0),
    ],
)  # fmt: skip
def test_coarse_grids_keep_the_mean(
    ligand: LigandKinetics, plasma: PlasmaCurve, permeability: float, times: float
) -> None:
    """10 -> 50 -> 200 um, jittered vessels every 80 um and patchy sites: mean 177Lu integral within 5 %.

    ``times`` makes walls more permeable, so that diffusion around vessels, and with it the closure, decides. On the
    finest grid each vessel has a voxel of its own.
    """
    rng = np.random.default_rng(0)
    wall, pitch, side = 3.0, 80.0, 800.0
    places = np.stack(np.meshgrid(*[np.arange(0.0, side, pitch) + pitch / 2] * 2, indexing="ij"))
    places = (places + 0.6 * pitch * rng.uniform(-0.5, 0.5, places.shape)) % side
    surface = np.zeros((80, 80))
    np.add.at(surface, tuple((places / 10.0).astype(int)), 2.0 * np.pi * wall / 100.0 * 1e4)
    wave = gaussian_filter(rng.standard_normal((80, 80)), 6.0, mode="wrap")
    sites = 100.0 * np.clip(1.0 + 0.6 * wave / wave.std(), 0.05, None)
    means = []
    for by in (1, 5, 20):
        s, r = blocks(surface, by), blocks(sites, by)
        loss = trapping_per_h(ligand.association_L_per_nmol_per_h, ligand.dissociation_per_h,
                              ligand.internalisation_per_h, r, LU)  # fmt: skip
        spread = ligand.void_fraction * ligand.diffusivity_um2_per_s
        series = around_resolved_vessels(s, wall, spread, 10.0) if by == 1 else around_vessels(s, wall, spread, loss)
        into, _ = exchange_rates(s, times * permeability, series_per_h=series)
        tissue = TissueTransport(Grid(s.shape, 10.0 * by), np.ones(s.shape, bool), r, into)  # type: ignore[arg-type]
        means.append(float(total(run(tissue, ligand, plasma.scaled(0.05)), "177Lu").mean()))
    assert means[1:] == pytest.approx([means[0]] * 2, rel=0.05)


def places_of(pattern: str, per_mm2: float, side: float) -> np.ndarray:
    """Vessels at random, or in clumps of eight within 40 um."""
    rng, n = np.random.default_rng(3), int(per_mm2 * side**2 * 1e-6)
    if pattern == "random":
        return np.asarray(rng.uniform(0.0, side, (2, n)))
    clumps = rng.uniform(0.0, side, (2, n // 8))
    return np.asarray((clumps[:, rng.integers(n // 8, size=n)] + rng.normal(0.0, 40.0, (2, n))) % side)


@pytest.mark.parametrize("pattern", ["random", "clumps"])
@pytest.mark.parametrize("per_mm2", [50.0, 400.0])
def test_vessels_out_of_order(pattern: str, per_mm2: float) -> None:
    """A tight binder, usual walls: 50 um within 1 % of 10 um with a vessel in a voxel, 200 um within 5 % (found 3.6 %).

    With walls 20 times as permeable a grid that knows its vessels keeps the mean on 20 um too: 2 % (found 0.8 %).
    """
    wall, side, sites = 4.0, 800.0, 100.0
    surface = np.zeros((80, 80))
    where = tuple((places_of(pattern, per_mm2, side) / 10.0).astype(int))
    np.add.at(surface, where, 2.0 * np.pi * wall / 100.0 * 1e4)
    spread = TIGHT.void_fraction * TIGHT.diffusivity_um2_per_s
    loss = trapping_per_h(TIGHT.association_L_per_nmol_per_h, TIGHT.dissociation_per_h, TIGHT.internalisation_per_h,
                          sites, LU)  # fmt: skip

    def mean(by: int, permeability: float, resolved: bool) -> float:
        s = blocks(surface, by)
        series = around_resolved_vessels(s, wall, spread, 10.0 * by) if resolved else around_vessels(
            s, wall, spread, loss)
        into, _ = exchange_rates(s, permeability, series_per_h=series)
        tissue = TissueTransport(Grid(s.shape, 10.0 * by), np.ones(s.shape, bool), sites + 0.0 * s, into)  # type: ignore[arg-type]
        return float(total(run(tissue, TIGHT, SMALL.scaled(0.01)), "177Lu").mean())

    fine = mean(1, 0.2, True)
    assert mean(5, 0.2, False) == pytest.approx(fine, rel=0.01)
    assert mean(20, 0.2, False) == pytest.approx(fine, rel=0.05)
    assert mean(2, 4.0, True) == pytest.approx(mean(1, 4.0, True), rel=0.02)


@pytest.mark.parametrize("time", [0.1, 0.3, 0.6, 0.9])
def test_binding_site_barrier_is_a_shrinking_core(time: float) -> None:
    """Sphere in lasting medium, sites that hold what they catch: t/tau = 1 - 3 x^2 + 2 x^3, tau = R^2 R_T/(6 eps D C).

    5 % of the saturated share, with 2000 sites per ligand outside (the limit is many) and kon R_T = 4e4/h.
    """
    radius, void, diffusivity, level, sites = 200.0, 0.24, 15.0, 0.5, 1000.0
    tau = radius**2 * sites / (6.0 * void * diffusivity * 3600.0 * level)
    core = np.roots([2.0, -3.0, 0.0, 1.0 - time])
    core = float(core[(core.real > 0.0) & (core.real < 1.0)].real[0])
    mesh = radial_mesh(np.linspace(0.0, radius, 101))
    ligand = Ligand("mab", diffusivity, void, bindings=(Binding("target", 40.0, 0.0),))
    batch = Batch("b", "mab", Given(LASTING.scaled(level)))
    course = simulate_course(mesh, [Site("target", sites)], [ligand], [batch], end_h=time * tau, outside=1.0)
    bound = course.at(time * tau)["b on target"] / sites
    filled = float((bound * mesh.volume).sum() / mesh.volume.sum())
    assert filled == pytest.approx(1.0 - core**3, rel=0.05)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_internalisation_stops_the_front(share: float) -> None:
    """Thurber and Wittrup's limit: sites that go inside at ke and return hold the front at L = sqrt(2 eps D C/(ke R)).

    A planar slab of 300 um; where half of the sites are bound stands at L within 5 %.
    """
    width, void, diffusivity, sites, inside = 300.0, 0.24, 15.0, 500.0, 0.05
    level = (share * width) ** 2 * inside * sites / (2.0 * void * diffusivity * 3600.0)
    mesh = radial_mesh(np.linspace(0.0, width, 301), 1)
    ligand = Ligand("mab", diffusivity, void, bindings=(Binding("target", 40.0, 0.0, inside),), release_per_h=0.1)
    batch = Batch("b", "mab", Given(LASTING.scaled(level)))
    course = simulate_course(mesh, [Site("target", sites)], [ligand], [batch], end_h=3000.0, outside=1.0)
    depth = width - (np.arange(300) + 0.5)
    bound = course.at(3000.0)["b on target"] / sites
    assert float(np.interp(0.5, bound, depth)) == pytest.approx(share * width, rel=0.05)


@pytest.mark.parametrize(
    "wrong",
    [
        {"vessel_surface_per_cm": np.array(-1.0)}, {"vessel_radius_um": 0.0}, {"diffusivity_um2_per_s": 0.0},
        {"loss_per_h": np.nan}, {"vessel_radius_um": np.nan},
    ],
)  # fmt: skip
def test_impossible_vessels_are_refused(wrong: dict[str, Any]) -> None:
    given = {"vessel_surface_per_cm": np.array(50.0), "vessel_radius_um": 5.0, "diffusivity_um2_per_s": 40.0,
             "loss_per_h": 1.0}  # fmt: skip
    with pytest.raises(BadInput):
        around_vessels(**(given | wrong))


def test_a_vessel_too_wide_for_its_voxel_is_refused() -> None:
    surface = np.array([0.0, 2.0 * np.pi * 5.0 / 4.0 * 1e4])
    series = around_resolved_vessels(surface, 5.0, 40.0, 2.0)
    assert np.isinf(series[0]) and series[1] < 0.0
    with pytest.raises(BadInput, match="larger grid spacing"):
        exchange_rates(surface, 100.0, series_per_h=series)
    with pytest.raises(BadInput, match="voxel's side"):
        around_resolved_vessels(surface, 5.0, 40.0, 0.0)
