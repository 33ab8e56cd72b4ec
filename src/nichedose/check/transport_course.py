"""Treatment courses: competition, redosing and tags against rate equations; Thiele's sphere; balances with flow."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp

from nichedose.body import PlasmaCurve
from nichedose.check.row import CheckRow
from nichedose.fields import radial_mesh, voxel_mesh
from nichedose.transport import (
    Batch,
    Binding,
    CourseSolution,
    FlowEdge,
    FluidParameters,
    Given,
    Ligand,
    Site,
    exchange_rates,
    interstitial_flow,
    ligand_from_size,
    mouse_plasma_clearance_per_h,
    simulate_course,
)

__all__ = ["rows"]

PLASMA = PlasmaCurve((30.0, 8.0), (2.0, 0.1))
LABEL = {"177Lu": float(np.log(2.0)) / 159.5}
THIELE = "effectiveness 3/phi2 (phi coth phi - 1) of a sphere with first-order loss"
LIGAND = Ligand("peptide", 200.0, 0.4, 2.0, 2.0, (Binding("target", 0.6, 0.6, 0.06),), release_per_h=0.008)


def rows() -> list[CheckRow]:
    """All comparisons of treatment courses."""
    return [*_redosing(), *(_sphere(phi) for phi in (0.5, 1.0, 2.0, 5.0)), _order(), *_stream(), _least_uptake()]


def _redosing() -> list[CheckRow]:
    """Cold, then hot ligand, on sites with turnover: SciPy's Radau on the same rates."""
    site = Site("target", 50.0, degradation_per_h=0.05, recycled=0.5)
    batches = [Batch("cold", "peptide", Given(PLASMA.scaled(3.0))), Batch("hot", "peptide", Given(PLASMA, 24.0), LABEL)]
    one = voxel_mesh(np.ones((1, 1), bool), 20.0)
    course = simulate_course(one, [site], [LIGAND], batches, end_h=100.0, tolerance=1e-8)

    def rhs(t: float, y: np.ndarray, hot: bool) -> list[float]:
        f, b, i, r = y[0:2], y[2:4], y[4:6], y[6]
        later = float(PLASMA.concentration_nmol_per_L(t - 24.0)) if hot else 0.0
        c = np.array([3.0 * float(PLASMA.concentration_nmol_per_L(t)), later])
        bind, fade = 0.6 * f * r - 0.6 * b, float(np.exp(-LABEL["177Lu"] * (t - 24.0)))
        made = 0.05 * (50.0 - r) - bind.sum() + 0.03 * b.sum()
        label = fade * (0.4 * f[1] + b[1] + i[1])
        return [*((2.0 * (c - f) - bind) / 0.4), *(bind - 0.06 * b), *(0.06 * b - 0.008 * i), float(made), label]

    y = np.array([0.0] * 6 + [50.0, 0.0])
    for low, high, hot in ((0.0, 24.0, False), (24.0, 100.0, True)):
        y = solve_ivp(rhs, (low, high), y, method="Radau", rtol=1e-11, atol=1e-14, args=(hot,)).y[:, -1]
    found = float(course.time_integral("hot", "177Lu")[0, 0])
    source = "the same rates without space, SciPy Radau at rtol 1e-11"
    label = float(y[7])
    sites = float(course.at(100.0)["target"][0, 0])
    return [
        CheckRow("transport.course.hot_after_cold", source, "independent code", found, label, 1e-6, unit="nmol h/L"),
        CheckRow("transport.course.sites_left", source, "independent code", sites, float(y[6]), 1e-6, unit="nmol/L"),
        _closure("transport.course.redosing.molecules", course, "hot", "", 1e-8),
    ]


def _sphere(phi: float) -> CheckRow:
    """Effectiveness of a sphere in medium with first-order trapping."""
    return CheckRow(
        id=f"transport.course.thiele_sphere_{phi:g}",
        source=THIELE,
        kind="analytic",
        ours=_effectiveness(phi, 100),
        reference=_thiele(phi),
        tolerance=5e-3,
        note="100 shells",
    )


def _order() -> CheckRow:
    """From 40 to 80 shells at a modulus of 2: 20 and 40 per penetration length."""
    errors = [abs(_effectiveness(2.0, shells, 1e-6) - _thiele(2.0)) for shells in (40, 80)]
    return CheckRow(
        id="transport.course.thiele_sphere_order",
        source=f"{THIELE}; finite volumes are of second order",
        kind="analytic",
        ours=float(np.log2(errors[0] / errors[1])),
        reference=2.0,
        tolerance=0.1,
        absolute=True,
    )


def _thiele(phi: float) -> float:
    return float(3.0 / phi**2 * (phi / np.tanh(phi) - 1.0))


def _effectiveness(phi: float, shells: int, tolerance: float = 1e-3) -> float:
    """Mean over surface level, from the time integral of free ligand."""
    radius, void, diffusivity = 200.0, 0.3, 50.0
    rate = void * diffusivity * 3600.0 / radius**2 * phi**2
    mesh = radial_mesh(np.linspace(0.0, radius, shells + 1))
    ligand = Ligand("x", diffusivity, void, bindings=(Binding("target", rate / 1e7, 0.0),))
    batch = Batch("b", "x", Given(PlasmaCurve((1e-3,), (1.0,))))
    course = simulate_course(mesh, [Site("target", 1e7)], [ligand], [batch], end_h=2000.0, outside=1.0,
                             tolerance=tolerance)  # fmt: skip
    inside = course.time_integrals["b", ""]["b"] / (void * 1e-3)
    return float((inside * mesh.volume).sum() / mesh.volume.sum())


def _least_uptake() -> CheckRow:
    """Molar mass of the least tumour uptake in a mouse whose plasma clears by size; size law throughout."""
    one, surface = voxel_mesh(np.ones((1, 1), bool), 20.0), np.array(2.0 * 8.0 / 75.0**2 * 1e4)
    masses, found = np.geomspace(5.0, 120.0, 25), []
    for mass in masses:
        size = ligand_from_size(float(mass))
        clearance = mouse_plasma_clearance_per_h(size.hydrodynamic_radius_nm)
        rate = exchange_rates(surface, size.permeability_um_per_s)[0]
        ligand = Ligand("x", 1.0, size.void_fraction, rate, rate, (Binding("target", 0.36, 0.36, 0.06),), 0.01)
        batch = Batch("b", "x", Given(PlasmaCurve((1.0,), (clearance,))))
        course = simulate_course(one, [Site("target", 150.0)], [ligand], [batch], end_h=48.0)
        found.append(sum(float(v[0, 0]) for k, v in course.at(48.0).items() if k != "target"))
    return CheckRow(
        id="transport.size.least_uptake",
        source="Schmidt & Wittrup 2009, doi:10.1158/1535-7163.MCT-09-0195: least uptake near 25 kDa",
        kind="published",
        ours=float(masses[int(np.argmin(found))]),
        reference=25.0,
        tolerance=5.0,
        absolute=True,
        unit="kDa",
        note="their headline, not a table",
    )


def _stream() -> list[CheckRow]:
    """A ragged section that filters, streams and leaks at its edge: the ledgers."""
    mask = np.hypot(*(np.indices((24, 24)) - 11.5)) < 11.0
    mesh = voxel_mesh(mask, 20.0)
    fluid = FluidParameters(4.13, 2.8e-3, 15.6, 20.0, 15.0, 0.82)
    flow = interstitial_flow(mesh, 200.0, fluid, edge=FlowEdge(0.0))
    into, out = exchange_rates(np.full(mask.shape, 50.0), 3e-3, filtered_per_h=flow.filtered_per_h, reflection=0.5)
    ligand = Ligand("mab", 10.0, 0.25, into, out, (Binding("target", 0.36, 0.36, 0.06),), release_per_h=0.008)
    batch = Batch("b", "mab", Given(PlasmaCurve((60.0, 40.0), (0.08, 0.008))), LABEL)
    course = simulate_course(mesh, [Site("target", 100.0)], [ligand], [batch], end_h=480.0, flow=flow)
    return [
        _closure("transport.course.stream.molecules", course, "b", "", 1e-8),
        _closure("transport.course.stream.177Lu", course, "b", "177Lu", 1e-4),
    ]


def _closure(name: str, course: CourseSolution, batch: str, label: str, tolerance: float) -> CheckRow:
    return CheckRow(
        id=name,
        source="entered = decayed + washed out + released + left",
        kind="self-test",
        ours=course.ledgers[batch, label].closure,
        reference=0.0,
        tolerance=tolerance,
        absolute=True,
    )
