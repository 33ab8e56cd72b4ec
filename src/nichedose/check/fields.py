"""The steady reaction-diffusion solver against closed forms."""

from __future__ import annotations

import numpy as np
from scipy.special import k0

from nichedose.check.row import CheckRow
from nichedose.fields import Grid, MichaelisMenten, steady_reaction_diffusion

__all__ = ["rows"]


def rows() -> list[CheckRow]:
    """All comparisons of the fields room."""
    return [_order(), _planar_depth(), _yukawa(), _balance()]


def _order() -> CheckRow:
    """Manufactured 100 + cos(pi x) cos(pi y) with D = 2 + cos(pi x) and a saturable sink, on 32 and 64 voxels."""
    errors = []
    for n in (32, 64):
        grid = Grid((n, n), 1.0 / n, (0.5 / n, 0.5 / n))
        y, x = np.meshgrid(grid.y_um, grid.x_um, indexing="ij")
        wave = np.cos(np.pi * x) * np.cos(np.pi * y)
        exact, d = 100.0 + wave, 2.0 + np.cos(np.pi * x)
        source = 2.0 * np.pi**2 * d * wave - np.pi**2 * np.sin(np.pi * x) ** 2 * np.cos(np.pi * y)
        source += exact + 300.0 * exact / (exact + 70.0)
        values = steady_reaction_diffusion(
            grid,
            np.ones(grid.shape, bool),
            diffusivity_um2_per_s=d,
            loss_per_s=1.0,
            source_per_s=source,
            saturable=MichaelisMenten(300.0, 70.0),
            tolerance=1e-12,
        ).values
        errors.append(float(np.sqrt(((values - exact) ** 2).mean())))
    return CheckRow(
        id="fields.order",
        source="manufactured solution; cell-centred finite volumes are of second order",
        kind="analytic",
        ours=float(np.log2(errors[0] / errors[1])),
        reference=2.0,
        tolerance=0.05,
        absolute=True,
    )


def _planar_depth() -> CheckRow:
    """Depth at which a zero-order sink has used up what enters through a wall at 40 mmHg (K = 0.001 mmHg)."""
    grid = Grid((1, 200), 1.0)
    held = np.full(grid.shape, np.nan)
    held[0, 0] = 40.0
    p = steady_reaction_diffusion(
        grid,
        np.ones(grid.shape, bool),
        diffusivity_um2_per_s=2000.0,
        loss_per_s=0.0,
        source_per_s=0.0,
        saturable=MichaelisMenten(15.0, 1e-3),
        held=held,
    ).values[0]
    slope, start = np.polyfit(grid.x_um[p > 1.0], np.sqrt(p[p > 1.0]), 1)
    return CheckRow(
        id="fields.planar_anoxia_depth",
        source="sqrt(2 D P0/M) with D 2000 um2/s, P0 40 mmHg, M 15 mmHg/s",
        kind="analytic",
        ours=float(-start / slope),
        reference=103.28,
        tolerance=1e-3,
        unit="um",
    )


def _yukawa() -> CheckRow:
    """A point source in a wide domain, read two screening lengths away."""
    n, h, d, k = 121, 10.0, 1000.0, 0.4
    grid = Grid((n, n), h)
    source = np.zeros(grid.shape)
    source[60, 60] = 1.0 / h**2
    values = steady_reaction_diffusion(
        grid, np.ones(grid.shape, bool), diffusivity_um2_per_s=d, loss_per_s=k, source_per_s=source
    ).values
    return CheckRow(
        id="fields.point_source",
        source="K0(r/L)/(2 pi D), L = sqrt(D/k) = 50 um, r = 100 um",
        kind="analytic",
        ours=float(values[60, 70]),
        reference=float(k0(100.0 / np.sqrt(d / k)) / (2.0 * np.pi * d)),
        tolerance=0.01,
        unit="s/um2",
    )


def _balance() -> CheckRow:
    """Lost over produced on a ragged mask with a hundredfold range of diffusivities."""
    rng = np.random.default_rng(3)
    grid = Grid((60, 47), 20.0)
    mask = rng.random(grid.shape) < 0.8
    source, loss = rng.random(grid.shape), 0.01 + rng.random(grid.shape)
    n = steady_reaction_diffusion(
        grid,
        mask,
        diffusivity_um2_per_s=rng.lognormal(5.0, 1.0, grid.shape),
        loss_per_s=loss,
        source_per_s=source,
        saturable=MichaelisMenten(0.3, 0.05),
        tolerance=1e-11,
    ).values[mask]
    lost = float((loss[mask] * n + 0.3 * n / (n + 0.05)).sum())
    return CheckRow(
        id="fields.balance",
        source="what is produced is lost",
        kind="self-test",
        ours=lost / float(source[mask].sum()),
        reference=1.0,
        tolerance=1e-9,
    )
