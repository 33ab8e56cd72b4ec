"""Penetration in known limits, and gradients below the voxel."""

from __future__ import annotations

import numpy as np

from nichedose.body import PlasmaCurve
from nichedose.check.row import CheckRow
from nichedose.fields import Grid, radial_mesh, voxel_mesh
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
    exchange_rates,
    simulate,
    simulate_course,
    trapping_per_h,
)

__all__ = ["rows"]

LASTING = PlasmaCurve((1.0,), (1e-12,))
VOID, DIFFUSIVITY = 0.24, 15.0


def rows() -> list[CheckRow]:
    """Binding-site barrier, front against internalisation, one voxel against its cylinder, coarse grids."""
    return [*(_core(t) for t in (0.3, 0.6)), *(_front(s) for s in (0.3, 0.8)), *(_cylinder(r) for r in (40.0, 90.0)),
            *_coarse()]


def _core(time: float) -> CheckRow:
    radius, level, sites = 200.0, 0.5, 1000.0
    tau = radius**2 * sites / (6.0 * VOID * DIFFUSIVITY * 3600.0 * level)
    roots = np.roots([2.0, -3.0, 0.0, 1.0 - time]).real
    core = float(roots[(roots > 0.0) & (roots < 1.0)][0])
    mesh = radial_mesh(np.linspace(0.0, radius, 101))
    ligand = Ligand("mab", DIFFUSIVITY, VOID, bindings=(Binding("target", 40.0, 0.0),))
    batch = Batch("b", "mab", Given(LASTING.scaled(level)))
    course = simulate_course(mesh, [Site("target", sites)], [ligand], [batch], end_h=time * tau, outside=1.0)
    bound = course.at(time * tau)["b on target"] / sites
    return CheckRow(
        id=f"transport.barrier.sphere_{time:g}",
        source="shrinking core, t/tau = 1 - 3 x2 + 2 x3, tau = R2 sites/(6 eps D C) (form of Graff & Wittrup 2003)",
        kind="analytic",
        ours=float((bound * mesh.volume).sum() / mesh.volume.sum()),
        reference=1.0 - core**3,
        tolerance=0.05,
        note="share of sites filled",
    )


def _front(share: float) -> CheckRow:
    width, sites, inside = 300.0, 500.0, 0.05
    level = (share * width) ** 2 * inside * sites / (2.0 * VOID * DIFFUSIVITY * 3600.0)
    mesh = radial_mesh(np.linspace(0.0, width, 301), 1)
    ligand = Ligand("mab", DIFFUSIVITY, VOID, bindings=(Binding("target", 40.0, 0.0, inside),), release_per_h=0.1)
    batch = Batch("b", "mab", Given(LASTING.scaled(level)))
    course = simulate_course(mesh, [Site("target", sites)], [ligand], [batch], end_h=3000.0, outside=1.0)
    depth = width - (np.arange(300) + 0.5)
    return CheckRow(
        id=f"transport.front.slab_{share:g}",
        source="L = sqrt(2 eps D C/(ke sites)), saturated and internalising (form of Thurber & Wittrup 2008)",
        kind="analytic",
        ours=float(np.interp(0.5, course.at(3000.0)["b on target"] / sites, depth)),
        reference=share * width,
        tolerance=0.05,
        unit="um",
    )


def _cylinder(outer: float) -> CheckRow:
    """An unsaturated antibody from a permeable vessel: one 20-um voxel with the closure, and 200 shells."""
    wall, sites, permeability, decay = 5.0, 100.0, 0.1, float(np.log(2.0)) / 159.5
    mesh = radial_mesh(wall * (outer / wall) ** np.linspace(0.0, 1.0, 201), 2)
    first = np.zeros(200)
    first[0] = permeability * 3600.0 * 2.0 * np.pi * wall / mesh.volume[0]
    surface = np.array(2.0 * np.pi * wall / mesh.volume.sum() * 1e4)
    loss = VOID * decay + trapping_per_h(0.36, 0.36, 0.06, sites, decay)
    series = around_vessels(surface, wall, VOID * DIFFUSIVITY, loss)
    into, out = exchange_rates(surface, permeability, series_per_h=series)
    found, voxel = [], voxel_mesh(np.ones((1, 1), bool), 20.0)
    for where, enter, leave in ((mesh, first, first), (voxel, into, out)):
        ligand = Ligand("mab", DIFFUSIVITY, VOID, enter, leave, (Binding("target", 0.36, 0.36, 0.06),))
        batch = Batch("b", "mab", Given(PlasmaCurve((0.06,), (0.01,))), {"177Lu": decay})
        course = simulate_course(where, [Site("target", sites)], [ligand], [batch], end_h=480.0)
        amount = course.time_integral("b", "177Lu")[where.mask]
        found.append(float((amount * where.volume).sum() / where.volume.sum()))
    return CheckRow(
        id=f"transport.closure.cylinder_{outer:g}um",
        source="the Krogh cylinder resolved in 200 shells",
        kind="self-test",
        ours=found[1],
        reference=found[0],
        tolerance=0.05,
        unit="nmol h/L",
    )


def _coarse() -> list[CheckRow]:
    """A tight binder behind permeable walls, vessels 80 um apart: 10-um voxels with a vessel each, and coarser."""
    wall, pitch, n, sites, decay = 3.0, 80.0, 80, 100.0, float(np.log(2.0)) / 159.5
    ligand = LigandKinetics(60.0, 6.0, 0.06, 0.008, 200.0, 1.0, 0.4)
    spread = ligand.void_fraction * ligand.diffusivity_um2_per_s
    places = np.stack(np.meshgrid(*[np.arange(0.5, 10.0) * pitch] * 2))
    places = places + 0.6 * pitch * np.random.default_rng(0).uniform(-0.5, 0.5, places.shape)
    surface = np.zeros((n, n))
    np.add.at(surface, tuple((places / 10.0).astype(int)), 2.0 * np.pi * wall / 100.0 * 1e4)
    loss = trapping_per_h(60.0, 6.0, 0.06, sites, decay)
    means = []
    for by in (1, 5, 20):
        s = surface.reshape(n // by, by, n // by, by).mean(axis=(1, 3))
        series = around_vessels(s, wall, spread, loss) if by > 1 else around_resolved_vessels(s, wall, spread, 10.0)
        into, _ = exchange_rates(s, ligand.permeability_um_per_s, series_per_h=series)
        tissue = TissueTransport(Grid(s.shape, 10.0 * by), np.ones(s.shape, bool), np.full(s.shape, sites), into)
        run = simulate(tissue, ligand, PlasmaCurve((3.0, 0.4), (3.0, 0.15)), end_h=480.0, decay_per_h={"177Lu": decay})
        means.append(float(sum(m.mean() for m in run.time_integral("177Lu").values())))
    return [
        CheckRow(
            id=f"transport.closure.coarse_{spacing}um",
            source="the same vessels on 10-um voxels, each in one of its own",
            kind="self-test",
            ours=mean,
            reference=means[0],
            tolerance=0.05,
            unit="nmol h/L",
        )
        for spacing, mean in zip((50, 200), means[1:], strict=True)
    ]
