"""Vessel exchange far from its usual numbers: reabsorption, walls that hardly let diffuse, streams that run dry."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_bvp, solve_ivp

from nichedose.body import PlasmaCurve
from nichedose.errors import BadInput
from nichedose.fields import radial_mesh, voxel_mesh
from nichedose.transport import (
    Batch,
    FlowEdge,
    FluidParameters,
    Given,
    Ligand,
    exchange_rates,
    interstitial_flow,
    simulate_course,
)


@pytest.mark.parametrize("filtered", [-5.0, -0.1, -1e-9, 0.0, 1e-9, 0.1, 5.0])
@pytest.mark.parametrize("permeability", [1e-8, 1e-5, 0.2])
def test_both_directions_are_patlaks_at_any_peclet_number(permeability: float, filtered: float) -> None:
    """Reabsorbed fluid takes ligand along and brings none, however tight the wall (Peclet numbers to -1e6)."""
    into, out = exchange_rates(np.array(100.0), permeability, filtered_per_h=np.array(filtered), reflection=0.5)
    wall, stream = 0.36 * permeability * 100.0, 0.5 * filtered
    x = abs(stream) / wall
    against = wall * (1.0 if x < 1e-7 else x / np.expm1(x)) if x < 700.0 else 0.0  # against the stream
    expected = against + max(stream, 0.0), against + max(-stream, 0.0)
    assert (float(into), float(out)) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert into >= 0.0 and out >= 0.0


def test_a_stream_far_faster_than_diffusion_stays_positive_in_both_directions() -> None:
    """Fluid from the right, then from the left, ligand that hardly diffuses: mirror images, and nothing below 0."""
    fluid = FluidParameters(400.0, np.r_[np.zeros(7), 2.8e-2][None], 15.6, 20.0, 15.0, 0.82)
    found = []
    for turn in (slice(None), slice(None, None, -1)):
        mesh = voxel_mesh(np.ones((1, 8), bool), 20.0)
        wall = np.asarray(fluid.wall_conductivity_um_per_mmHg_s)[:, turn]
        flow = interstitial_flow(mesh, 200.0, FluidParameters(400.0, wall, 15.6, 20.0, 15.0, 0.82), edge=FlowEdge(0.0))
        into, out = exchange_rates(np.where(wall > 0.0, 200.0, 0.0), 1e-6, filtered_per_h=flow.filtered_per_h)
        ligand = Ligand("carrier", 1e-4, 0.05, into, out)
        course = simulate_course(mesh, [], [ligand], [Batch("b", "carrier", Given(PlasmaCurve((5.0,), (0.05,))))],
                                 end_h=20.0, flow=flow)
        assert course.ledgers["b", ""].closure < 1e-8
        assert course.snapshots["b"].min() >= 0.0
        found.append(course.time_integral("b", "")[:, turn])
    assert np.allclose(found[0], found[1], rtol=1e-6)
    assert found[0].min() > 0.0


@pytest.mark.parametrize("filtered", [-2.0, -1e-9, 0.0, 1e-7, 1e-3, 2.0, 7.9])
@pytest.mark.parametrize(("permeability", "reflection"), [(1e-4, 0.9), (0.05, 0.0), (0.3, 0.3), (5.0, 1.0)])
def test_plasma_that_filters_is_followed_along_its_vessel(
    permeability: float, reflection: float, filtered: float
) -> None:
    """Plasma of 8 per h along a vessel that loses fluid, against its equation: uptake at two levels of tissue."""
    flow, outside, into, out = 8.0, 100.0, *exchange_rates(
        np.array(100.0), permeability, filtered_per_h=filtered, reflection=reflection)  # fmt: skip
    limited = exchange_rates(np.array(outside), permeability, flow, filtered_per_h=filtered, reflection=reflection)
    for tissue in (0.0, 1.0, 3.0):
        def slope(z: float, c: np.ndarray, tissue: float = tissue) -> np.ndarray:
            here = flow - filtered * z
            return np.asarray(((filtered - float(into)) * c + float(out) * tissue) / here)

        end = solve_ivp(slope, (0.0, 1.0), [1.0], method="Radau", rtol=1e-10, atol=1e-12).y[0, -1]
        taken = flow - (flow - filtered) * end
        assert float(limited[0] - limited[1] * tissue) == pytest.approx(taken, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("perfusion", [4.0, np.inf])
@pytest.mark.parametrize("series", [0.3, 5.0, np.inf])
@pytest.mark.parametrize("filtered", [-1.0, 0.0, 0.4, 3.9])
def test_what_nothing_holds_back_moves_with_the_fluid(filtered: float, series: float, perfusion: float) -> None:
    """Plasma and tissue at one level: what passes is the fluid's own, whatever stands behind the wall."""
    into, out = exchange_rates(np.array(100.0), 0.1, perfusion, filtered_per_h=filtered, series_per_h=series)
    assert float(into - out) == pytest.approx(filtered, rel=1e-9, abs=1e-12)
    assert min(into, out) >= 0.0


def test_more_filtered_than_flows_is_refused() -> None:
    with pytest.raises(BadInput, match=r"More fluid is filtered than plasma flows in \(up to 1.5 times\)"):
        exchange_rates(np.full(2, 100.0), 0.1, np.array([2.0, 5.0]), filtered_per_h=3.0)
    exchange_rates(np.zeros(1), 0.1, np.zeros(1), filtered_per_h=0.0)


def test_an_antibody_in_baxter_and_jains_sphere() -> None:
    """Steady free ligand under a lasting plasma level, against a boundary-value solution on the closed-form pressure.

    1 mm of radius in 200 shells: filtered with sieving, carried out behind the fluid; 1e-3 (found 4e-5).
    """
    radius, void, spread, behind, sieved, wall = 1000.0, 0.25, 0.25 * 12.0 * 3600.0, 0.7, 0.8, 3e-3
    mesh = radial_mesh(np.linspace(0.0, radius, 201))
    flow = interstitial_flow(mesh, 200.0, FluidParameters(4.13, 2.8e-3, 15.6, 20.0, 15.0, 0.82), edge=FlowEdge(0.0))
    into, out = exchange_rates(np.full(200, 200.0), wall, filtered_per_h=flow.filtered_per_h, reflection=sieved)
    ligand = Ligand("mab", 12.0, void, into, out, convected=behind)
    batch = Batch("b", "mab", Given(PlasmaCurve((1.0,), (1e-12,))))
    found = simulate_course(mesh, [], [ligand], [batch], end_h=3000.0, flow=flow, tolerance=1e-6).at(3000.0)["b"] / void
    filtration = 2.8e-3 * 200e-4
    length = np.sqrt(4.13 / filtration)
    top = 11.5 * radius / np.sinh(radius / length)

    def slopes(r: np.ndarray, y: np.ndarray) -> np.ndarray:
        x = r / length
        speed = 4.13 * 3600.0 * top * (np.cosh(x) * x - np.sinh(x)) / r**2
        filtered = filtration * 3600.0 * top * np.sinh(x) / r
        peclet = filtered * (1.0 - sieved) / (0.36 * wall * 200.0)
        leave = 0.36 * wall * 200.0 * peclet / np.expm1(peclet)
        enter = leave + filtered * (1.0 - sieved)
        carried = behind * (speed * y[1] + filtered * y[0])
        return np.stack([y[1], -2.0 * y[1] / r + (carried - enter + leave * y[0]) / spread])

    r = np.linspace(1e-2, radius, 1000)
    exact = solve_bvp(slopes, lambda a, b: np.array([a[1], b[1]]), r, np.stack([0.3 + 0.0 * r, 0.0 * r]), tol=1e-6,
                      max_nodes=50000)  # fmt: skip
    assert exact.success
    assert np.allclose(found, exact.sol((np.arange(200) + 0.5) * 5.0)[0], rtol=1e-3)
