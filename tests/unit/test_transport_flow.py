"""Interstitial flow: the isolated sphere, balances on any mask, the edge to normal tissue, impossible numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nichedose.errors import BadInput
from nichedose.fields import Mesh, radial_mesh, voxel_mesh
from nichedose.transport import (
    FlowEdge,
    FluidParameters,
    exchange_rates,
    interstitial_flow,
    ligand_from_size,
    normal_tissue_edge,
)

TUMOUR = FluidParameters(4.13, 2.8e-3, 15.6, 20.0, 15.0, 0.82)  # p_e = 11.5 mmHg
NORMAL = FluidParameters(0.853, 3.6e-4, 15.6, 20.0, 10.0, 0.91, 1e-5, 0.0)
SURFACE = 200.0
LENGTH_UM = np.sqrt(4.13 / (2.8e-3 * SURFACE * 1e-4))  # 271.6 um


def sphere(radius_um: float, spacing_um: float) -> tuple[Mesh, np.ndarray]:
    size = int(2 * radius_um / spacing_um) + 3
    away = (np.indices((size, size, size)) - (size - 1) / 2) * spacing_um
    distance = np.sqrt((away**2).sum(axis=0))
    return voxel_mesh(distance < radius_um, spacing_um), distance


@pytest.mark.parametrize("radius_um", [100.0, 500.0, 1000.0, 5000.0, 10000.0])
def test_isolated_sphere_has_baxter_and_jains_pressure(radius_um: float) -> None:
    """Centre, profile and surface flux within 1 % (found: 0.11 % of the flux at 1 cm on 400 shells)."""
    flow = interstitial_flow(radial_mesh(np.linspace(0.0, radius_um, 401)), SURFACE, TUMOUR, edge=FlowEdge(0.0))
    a, r = radius_um / LENGTH_UM, (np.arange(400) + 0.5) / 400
    assert flow.mmHg[0] == pytest.approx(11.5 * (1.0 - a / np.sinh(a)), rel=1e-2)
    assert np.allclose(flow.mmHg, 11.5 * (1.0 - np.sinh(a * r) / (r * np.sinh(a))), atol=0.01 * flow.mmHg.max())
    flux = 4.13 * 11.5 / radius_um * (a / np.tanh(a) - 1.0)
    assert flow.edge_um_per_s == pytest.approx([flux], rel=1e-2)
    assert flow.imbalance < 1e-10


def test_the_published_surface_flux() -> None:
    """0.170 um/s at 1 cm, and 0.9999, 0.972, 0.833, 0.3011 of the plateau at 0.75, 0.9, 0.95, 0.99 of the radius."""
    flow = interstitial_flow(radial_mesh(np.linspace(0.0, 1e4, 2001)), SURFACE, TUMOUR, edge=FlowEdge(0.0))
    assert flow.edge_um_per_s[0] == pytest.approx(0.170, abs=5e-4)
    found = np.interp([0.75, 0.9, 0.95, 0.99], (np.arange(2000) + 0.5) / 2000, flow.mmHg / 11.5)
    assert np.allclose(found, [0.9999, 0.972, 0.833, 0.3011], rtol=3e-3)


def test_radial_order_is_two() -> None:
    a, exact = 1000.0 / LENGTH_UM, []
    flux = 4.13 * 11.5 / 1000.0 * (a / np.tanh(a) - 1.0)
    for shells in (50, 100):
        flow = interstitial_flow(radial_mesh(np.linspace(0, 1e3, shells + 1)), SURFACE, TUMOUR, edge=FlowEdge(0.0))
        exact.append(abs(flow.edge_um_per_s[0] / flux - 1.0))
    assert np.log2(exact[0] / exact[1]) == pytest.approx(2.0, abs=0.15)


def test_a_sphere_of_voxels_has_the_same_centre() -> None:
    """Steps at the surface act as half a voxel of radius: 12 um of 500 um."""
    mesh, distance = sphere(500.0, 25.0)
    flow = interstitial_flow(mesh, SURFACE, TUMOUR, edge=FlowEdge(0.0))
    a = 500.0 / LENGTH_UM
    inside = (distance < 300.0) & (distance > 0.0)
    exact = 11.5 * (1.0 - np.sinh(a * distance[inside] / 500.0) / (distance[inside] / 500.0 * np.sinh(a)))
    assert np.allclose(flow.mmHg[inside], exact, rtol=0.02)
    assert flow.imbalance < 1e-10


def test_closed_and_uniform_tissue_stands_still() -> None:
    flow = interstitial_flow(voxel_mesh(np.ones((5, 7), bool), 20.0), SURFACE, TUMOUR)
    assert np.allclose(flow.mmHg, 11.5)
    assert not np.abs(flow.filtered_per_h).max() > 1e-9
    assert np.abs(flow.face_um_per_s).max() < 1e-12


@pytest.mark.parametrize("shape", [(37, 41), (9, 11, 13)])
def test_fluid_is_kept_on_ragged_masks(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    mesh = voxel_mesh(rng.random(shape) < 0.7, 20.0)
    fluid = replace(
        TUMOUR, conductivity_um2_per_mmHg_s=rng.lognormal(1.0, 1.0, shape), lymph_per_mmHg_s=1e-5 * rng.random(shape)
    )
    flow = interstitial_flow(mesh, 200.0 * rng.random(shape), fluid, edge=FlowEdge(1.0, 0.05))
    net = (flow.filtered_per_h - flow.drained_per_h)[mesh.mask] / 3600.0 * mesh.volume
    leaving = mesh.divergence(flow.face_um_per_s * mesh.area, flow.edge_um_per_s * mesh.edge_area)
    assert np.allclose(leaving, net, atol=1e-9 * np.abs(net).max())
    assert flow.imbalance < 1e-9
    assert flow.speed_um_per_s.shape == shape
    assert not flow.speed_um_per_s[~mesh.mask].any()


def test_speed_of_a_one_way_stream() -> None:
    """All fluid of the left half leaves to the right: the speed between is filtration times distance."""
    fluid = replace(TUMOUR, lymph_per_mmHg_s=np.r_[np.zeros(10), np.full(10, 1e3)][None], lymph_mmHg=0.0)
    surface = np.r_[np.full(10, 1.0), np.zeros(10)][None]
    flow = interstitial_flow(voxel_mesh(np.ones((1, 20), bool), 1.0), surface, fluid)
    expected = flow.filtered_per_h[0, :10].sum() / 3600.0
    assert flow.face_um_per_s[9] == pytest.approx(expected, rel=1e-9)
    assert flow.speed_um_per_s[0, 8] == pytest.approx(expected * 8.5 / 10.0, rel=1e-3)


def test_normal_tissue_is_a_long_slab_solved_along() -> None:
    """Against the same half space resolved as 3 mm of voxels."""
    tumour = np.r_[np.ones(40), np.zeros(200)] > 0.5
    both = FluidParameters(
        np.where(tumour, 4.13, 0.853), np.where(tumour, 2.8e-3, 3.6e-4), 15.6, 20.0, np.where(tumour, 15.0, 10.0),
        np.where(tumour, 0.82, 0.91), np.where(tumour, 0.0, 1e-5), 0.0,
    )  # fmt: skip
    long = interstitial_flow(voxel_mesh(np.ones(240, bool), 15.0), np.where(tumour, 200.0, 70.0), both)
    edge = normal_tissue_edge(70.0, NORMAL)
    short = interstitial_flow(radial_mesh(15.0 * np.arange(41.0), 1), 200.0, TUMOUR, edge=edge)
    assert np.allclose(short.mmHg, long.mmHg[:40], rtol=5e-3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"conductivity_um2_per_mmHg_s": 0.0}, "conductivity_um2_per_mmHg_s must be above 0"),
        ({"wall_conductivity_um_per_mmHg_s": -1.0}, "wall_conductivity_um_per_mmHg_s must be at or above 0"),
        ({"reflection": 1.2}, "reflection must not exceed 1"),
        ({"vessel_mmHg": np.nan}, "vessel_mmHg must be finite"),
        ({"lymph_per_mmHg_s": np.zeros((2, 2))}, "shape"),
    ],
)
def test_impossible_fluid_is_refused(changes: dict[str, object], words: str) -> None:
    mesh = voxel_mesh(np.ones((3, 3), bool), 20.0)
    with pytest.raises(BadInput, match=words):
        interstitial_flow(mesh, SURFACE, replace(TUMOUR, **changes))  # type: ignore[arg-type]


def test_undetermined_pressure_is_refused() -> None:
    mesh = voxel_mesh(np.array([[True, True, False, True]]), 20.0)
    with pytest.raises(BadInput, match=r"1 connected part\(s\)"):
        interstitial_flow(mesh, np.array([[100.0, 100.0, 0.0, 0.0]]), TUMOUR)
    with pytest.raises(BadInput, match="edge needs"):
        interstitial_flow(mesh, SURFACE, TUMOUR, edge=FlowEdge(0.0, -1.0))
    with pytest.raises(BadInput, match="vessel_surface_per_cm"):
        interstitial_flow(mesh, -1.0, TUMOUR)


@pytest.mark.parametrize("mask", [np.zeros((2, 2), bool), np.ones((2, 2)), np.ones((1, 1, 1, 1), bool)])
def test_a_mesh_needs_a_mask_with_tissue(mask: np.ndarray) -> None:
    with pytest.raises(BadInput, match="mask"):
        voxel_mesh(mask, 20.0)
    with pytest.raises(BadInput, match="spacing"):
        voxel_mesh(np.ones((2, 2), bool), 0.0)


@pytest.mark.parametrize("edges", [[0.0], [1.0, 1.0], [-1.0, 2.0], [0.0, np.nan]])
def test_shells_must_rise(edges: list[float]) -> None:
    with pytest.raises(BadInput, match="radii"):
        radial_mesh(np.array(edges))
    with pytest.raises(BadInput, match="dimension"):
        radial_mesh(np.array([0.0, 1.0]), 4)


@pytest.mark.parametrize(("molar_mass_kDa", "times"), [(1.4, 1.1), (15.0, 2.1), (150.0, 8.3)])
def test_what_filtration_could_add_where_there_is_no_pressure(molar_mass_kDa: float, times: float) -> None:
    """The numbers that the page on decisions gives for the part of pressure that thresholds leave out."""
    filtered = 2.8e-3 * 200e-4 * (15.6 - 0.82 * 5.0) * 3600.0  # Lp S (p_v - sigma (pi_v - pi_i)), per h
    wall = ligand_from_size(molar_mass_kDa).permeability_um_per_s
    still, streaming = (exchange_rates(np.array(200.0), wall, filtered_per_h=np.array(j))[0] for j in (0.0, filtered))
    assert filtered == pytest.approx(2.3, rel=0.01)
    assert float(streaming / still) == pytest.approx(times, rel=0.02)
