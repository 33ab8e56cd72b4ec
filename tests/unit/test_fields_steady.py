"""The steady solver: order, conservation, limits, known solutions, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import k0

from nichedose.errors import BadInput, DidNotConverge
from nichedose.fields import Grid, MichaelisMenten, linear, steady, steady_reaction_diffusion


def unit_square(n: int) -> tuple[Grid, np.ndarray, np.ndarray]:
    grid = Grid((n, n), 1.0 / n, (0.5 / n, 0.5 / n))
    y, x = np.meshgrid(grid.y_um, grid.x_um, indexing="ij")
    return grid, y, x


@pytest.mark.parametrize("saturable", [None, MichaelisMenten(300.0, 70.0)])
def test_second_order_in_space(saturable: MichaelisMenten | None) -> None:
    """Manufactured n = 100 + cos(pi x) cos(pi y) (no flux at the edge) with D = 2 + cos(pi x): error falls as h^2."""
    errors = []
    for n in (16, 32, 64):
        grid, y, x = unit_square(n)
        wave = np.cos(np.pi * x) * np.cos(np.pi * y)
        exact, d, k = 100.0 + wave, 2.0 + np.cos(np.pi * x), 1.0 + 0.5 * np.sin(np.pi * y)
        source = 2.0 * np.pi**2 * d * wave - np.pi**2 * np.sin(np.pi * x) ** 2 * np.cos(np.pi * y) + k * exact
        if saturable is not None:
            source = source + 300.0 * exact / (exact + 70.0)
        solution = steady_reaction_diffusion(
            grid,
            np.ones(grid.shape, bool),
            diffusivity_um2_per_s=d,
            loss_per_s=k,
            source_per_s=source,
            saturable=saturable,
            tolerance=1e-12,
        )
        errors.append(float(np.sqrt(((solution.values - exact) ** 2).mean())))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.1)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2.0, abs=0.05)


def test_balance_on_a_ragged_mask() -> None:
    """What is produced is lost, whatever the mask and the coefficients (to the solver's tolerance)."""
    rng = np.random.default_rng(3)
    grid = Grid((60, 47), 20.0)
    mask = rng.random(grid.shape) < 0.8
    source, loss = rng.random(grid.shape), 0.01 + rng.random(grid.shape)
    sink = MichaelisMenten(0.3, 0.05)
    solution = steady_reaction_diffusion(
        grid,
        mask,
        diffusivity_um2_per_s=rng.lognormal(5.0, 1.0, grid.shape),
        loss_per_s=loss,
        source_per_s=source,
        saturable=sink,
        tolerance=1e-11,
    )
    n = solution.values[mask]
    lost = (loss[mask] * n + 0.3 * n / (n + 0.05)).sum()
    assert lost == pytest.approx(source[mask].sum(), rel=1e-9)
    assert (solution.values[~mask] == 0.0).all()
    assert (n >= 0.0).all()
    assert solution.residual <= 1e-11


def test_point_source_is_the_yukawa_kernel() -> None:
    """Uniform D and k in a wide domain: K0(r/L)/(2 pi D), L = sqrt(D/k); 1 % beyond 4 voxels (L is 5 voxels)."""
    n, h, d, k = 161, 10.0, 1000.0, 0.4
    grid = Grid((n, n), h)
    source = np.zeros(grid.shape)
    source[80, 80] = 1.0 / h**2
    values = steady_reaction_diffusion(
        grid, np.ones(grid.shape, bool), diffusivity_um2_per_s=d, loss_per_s=k, source_per_s=source
    ).values
    r = h * np.arange(4, 25)
    assert values[80, 84:105] == pytest.approx(k0(r / np.sqrt(d / k)) / (2.0 * np.pi * d), rel=0.01)


def test_harmonic_faces_carry_a_constant_flux_exactly() -> None:
    """Two slabs in series between held ends: the resistances add, which only the harmonic mean reproduces."""
    d = np.where(np.arange(21) < 10, 1.0, 50.0)[None, :]
    held = np.full((1, 21), np.nan)
    held[0, 0], held[0, -1] = 1.0, 0.0
    values = steady_reaction_diffusion(
        Grid((1, 21), 2.0), np.ones((1, 21), bool), diffusivity_um2_per_s=d, loss_per_s=0.0, source_per_s=0.0, held=held
    ).values[0]
    resistance = np.concatenate([[0.0], np.cumsum(2.0 * 0.5 * (1.0 / d[0, 1:] + 1.0 / d[0, :-1]))])
    assert values == pytest.approx(1.0 - resistance / resistance[-1], abs=1e-9)


def test_planar_anoxia_depth() -> None:
    """Zero-order sink (K -> 0) from a held wall: the field is a parabola that ends at sqrt(2 D P0/g) = 103.28 um.

    1e-3 covers K = 1e-3 mmHg (the depth grows by about 0.01 %) and the 1-um voxels.
    """
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
    assert -start / slope == pytest.approx(np.sqrt(2.0 * 2000.0 * 40.0 / 15.0), rel=1e-3)
    assert p[120:].max() < 1e-6
    assert p.min() >= 0.0


def test_linear_problem_scales_with_its_source() -> None:
    rng = np.random.default_rng(0)
    grid, mask = Grid((12, 9), 5.0), np.ones((12, 9), bool)
    source = rng.random(grid.shape)
    one, five = (
        steady_reaction_diffusion(
            grid, mask, diffusivity_um2_per_s=30.0, loss_per_s=0.1, source_per_s=f * source
        ).values
        for f in (1.0, 5.0)
    )
    assert five == pytest.approx(5.0 * one, rel=1e-7)


def test_nothing_in_nothing_out() -> None:
    grid, mask = Grid((4, 4), 5.0), np.ones((4, 4), bool)
    for saturable in (None, MichaelisMenten(1.0, 1.0)):
        solution = steady_reaction_diffusion(
            grid, mask, diffusivity_um2_per_s=1.0, loss_per_s=1.0, source_per_s=0.0, saturable=saturable
        )
        assert (solution.values == 0.0).all()


def test_multigrid_agrees_with_the_direct_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weak loss (long length) on a ring with a 1e4-fold diffusivity range: both linear solvers, one answer."""
    grid = Grid((70, 70), 20.0)
    y, x = np.indices(grid.shape) - 34.5
    mask = (np.hypot(x, y) < 34) & (np.hypot(x, y) > 10)
    rng = np.random.default_rng(1)
    kwargs = {
        "diffusivity_um2_per_s": rng.lognormal(3.0, 1.5, grid.shape),
        "loss_per_s": 1e-5,
        "source_per_s": rng.random(grid.shape),
    }
    by_multigrid = steady_reaction_diffusion(grid, mask, **kwargs, tolerance=1e-12).values
    monkeypatch.setattr(linear, "DIRECT_BELOW", 10**6)
    direct = steady_reaction_diffusion(grid, mask, **kwargs).values
    assert by_multigrid[mask] == pytest.approx(direct[mask], rel=1e-7)


def test_refuses_what_has_no_answer() -> None:
    grid, mask = Grid((3, 4), 1.0), np.ones((3, 4), bool)
    good = {"diffusivity_um2_per_s": 1.0, "loss_per_s": 1.0, "source_per_s": 1.0}
    for change, match in [
        ({"loss_per_s": 0.0}, "no steady state"),
        ({"loss_per_s": -1.0}, "loss_per_s must be finite and not negative"),
        ({"source_per_s": np.full((3, 4), np.nan)}, "source_per_s must be finite"),
        ({"diffusivity_um2_per_s": np.ones((4, 3))}, "shape"),
        ({"held": np.zeros((2, 2))}, "held"),
        ({"held": np.zeros((3, 4))}, "No free voxel"),
        ({"saturable": MichaelisMenten(1.0, 0.0)}, "half_value"),
    ]:
        with pytest.raises(BadInput, match=match):
            steady_reaction_diffusion(grid, mask, **{**good, **change})  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="mask"):
        steady_reaction_diffusion(grid, np.ones((4, 3), bool), **good)
    split = mask.copy()
    split[:, 1] = False
    with pytest.raises(BadInput, match="1 connected part"):
        steady_reaction_diffusion(grid, split, **{**good, "loss_per_s": np.where(np.arange(4) > 1, 1.0, 0.0) * mask})


def test_says_when_it_did_not_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "MAX_NEWTON", 1)
    with pytest.raises(DidNotConverge, match="residual"):
        steady_reaction_diffusion(
            Grid((3, 3), 1.0),
            np.ones((3, 3), bool),
            diffusivity_um2_per_s=1.0,
            loss_per_s=1.0,
            source_per_s=1.0,
            saturable=MichaelisMenten(1.0, 1.0),
        )
    monkeypatch.setattr(linear, "MAX_ITERATIONS", 1)
    rng = np.random.default_rng(0)
    with pytest.raises(DidNotConverge, match="Conjugate gradients"):
        steady_reaction_diffusion(
            Grid((30, 30), 1.0),
            np.ones((30, 30), bool),
            diffusivity_um2_per_s=1.0,
            loss_per_s=0.3,
            source_per_s=rng.random((30, 30)),
        )
