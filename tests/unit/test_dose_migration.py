"""Daughters that move: balance, limits, branching, the fast path and its claim, and the dose of a section."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nichedose.dose.kernels import CHARGED
from nichedose.dose.migration import Migration, Mobility, migrate
from nichedose.dose.result import SectionGeometry
from nichedose.dose.section import LONGEST_PROGENY_HALF_LIFE_H, CellLabel, section_dose
from nichedose.dose.section_migration import section_dose_with_migration
from nichedose.dose.volume import convolve
from nichedose.dose.volume_migration import convolve_migrated
from nichedose.dose.yukawa import spread_yukawa
from nichedose.errors import BadInput
from nichedose.fields import Grid, steady_reaction_diffusion
from nichedose.fields.grid import Array
from nichedose.nuclide import chain

GRID = Grid((36, 30), 20.0)
FULL = np.ones(GRID.shape, bool)
RNG = np.random.default_rng(5)
STATES = {"bound": RNG.random(GRID.shape), "internalised": 3.0 * RNG.random(GRID.shape)}
PATCHY = np.where(RNG.random(GRID.shape) < 0.15, 1e-3, 1e-5)
RETENTION = {"bound": 0.1, "internalised": 0.8}


def _disc() -> Array:
    y, x = np.indices(GRID.shape)
    return np.asarray((y - 18) ** 2 + (x - 15) ** 2 < 150)


@pytest.mark.parametrize("nuclide", ["225Ac", "212Pb", "223Ra"])
@pytest.mark.parametrize("method", ["solve", "yukawa", "auto"])
def test_each_generation_balances(nuclide: str, method: str) -> None:
    """Born = decayed where retained + decayed after release + washed out + left, 1e-10 of what was born."""
    mask = _disc()
    moved = migrate(GRID, mask, nuclide, STATES, retention=RETENTION, mobility=Mobility(300.0, PATCHY),
                    method=method)  # type: ignore[arg-type]  # names of methods
    for name, generation in moved.progeny.items():
        assert abs(generation.balance) < 1e-10, name
        assert all((m >= 0.0).all() and not m[~mask].any() for m in (generation.migrated, generation.washed_out))
    first = next(iter(moved.progeny))
    parent = float(sum(s[mask].sum() for s in STATES.values()))
    share = chain(nuclide)[1].decays_per_parent_decay
    g = moved.progeny[first]
    total = float(g.tia_MBq_h_per_L.sum() + g.washed_out.sum()) / (1.0 - g.left_fraction)
    assert total == pytest.approx(share * parent, rel=1e-9)


def test_full_retention_keeps_all_in_place() -> None:
    moved = migrate(GRID, FULL, "225Ac", STATES, retention={"bound": 1.0, "internalised": 1.0},
                    mobility=Mobility(300.0, PATCHY))
    for member in chain("225Ac")[1:]:
        np.testing.assert_allclose(moved.progeny[member.name].tia_MBq_h_per_L,
                                   member.decays_per_parent_decay * sum(STATES.values()), rtol=1e-12)
        assert moved.washed_out_per_parent_decay[member.name] == 0.0


def test_no_diffusion_and_no_clearance_keep_all_in_place() -> None:
    moved = migrate(GRID, FULL, "212Pb", STATES, retention={"bound": 0.0, "internalised": 0.0},
                    mobility=Mobility(0.0, 0.0))
    for member in chain("212Pb")[1:]:  # branching: 212Po and 208Tl get what the chain says
        np.testing.assert_allclose(moved.progeny[member.name].tia_MBq_h_per_L,
                                   member.decays_per_parent_decay * sum(STATES.values()), rtol=1e-9)


def test_endless_clearance_washes_out_all_that_is_released() -> None:
    """k = 1e9 /s: nothing released decays, and nothing is born of it (1e-6, 225Ac's first daughter lives minutes)."""
    moved = migrate(GRID, FULL, "225Ac", STATES, retention=RETENTION, mobility=Mobility(300.0, 1e9))
    released = 0.9 * STATES["bound"].sum() + 0.2 * STATES["internalised"].sum()
    parent = sum(float(s.sum()) for s in STATES.values())
    assert moved.washed_out_per_parent_decay["221Fr"] == pytest.approx(released / parent, rel=1e-6)
    assert float(moved.progeny["221Fr"].migrated.sum()) < 1e-6 * released


def test_well_mixed_tissue_shares_decay_and_clearance() -> None:
    """Uniform source and clearance: lambda / (lambda + k) of what is released decays here, generation by generation."""
    even = {"bound": np.ones(GRID.shape)}
    moved = migrate(GRID, FULL, "225Ac", even, retention={"bound": 0.0}, mobility=Mobility(300.0, 1e-3))
    fr, bi = (math.log(2.0) / s for s in (4.9 * 60.0, 45.59 * 60.0))  # half-lives of 221Fr and 213Bi, minutes
    here = fr / (fr + 1e-3)
    assert float(moved.progeny["221Fr"].migrated.mean()) == pytest.approx(here, rel=1e-3)
    # 217At (32 ms) washes out by 5e-5, and 0.012 % of it does not feed 213Bi
    assert float(moved.progeny["213Bi"].migrated.mean()) == pytest.approx(here * bi / (bi + 1e-3), rel=2e-3)


def test_retention_per_recoil() -> None:
    """A share for each daughter: what 213Bi's birth releases does not hang on 221Fr's."""
    members = [m.name for m in chain("225Ac")][1:]
    per = dict.fromkeys(members, 1.0) | {"213Bi": 0.25}
    moved = migrate(GRID, FULL, "225Ac", {"bound": STATES["bound"]}, retention={"bound": per},
                    mobility=Mobility(300.0, 1e-4))
    assert not moved.progeny["221Fr"].migrated.any()
    born = float(moved.progeny["217At"].tia_MBq_h_per_L.sum())
    assert float(moved.progeny["213Bi"].retained["bound"].sum()) == pytest.approx(0.25 * born, rel=1e-3)


@pytest.mark.parametrize("length", [40.0, 100.0, 400.0])
def test_yukawa_path_against_the_screened_solve(length: float) -> None:
    """Uniform medium, a source that the grid resolves (16 voxels wide), mirrored = closed edge: 0.5 % of the peak."""
    y, x = np.indices((60, 50))
    source = np.exp(-((y - 25.0) ** 2 + (x - 22.0) ** 2) / (2.0 * 8.0**2))
    fast = spread_yukawa(source, 20.0, length, surroundings="mirror")
    solved = steady_reaction_diffusion(
        Grid((60, 50), 20.0), np.ones((60, 50), bool), diffusivity_um2_per_s=length**2, loss_per_s=1.0,
        source_per_s=source).values
    assert float(fast.sum()) == pytest.approx(float(source.sum()), rel=1e-9)
    np.testing.assert_allclose(fast, solved, atol=5e-3 * float(solved.max()))


def test_yukawa_kernel_in_space() -> None:
    """A point in 3-D gives exp(-r/L) / (4 pi L^2 r) per volume; a column of 3-D sources gives the 2-D kernel."""
    length, h = 100.0, 20.0
    source = np.zeros((3, 3, 41))
    source[1, 1, 5] = 1.0
    out = spread_yukawa(source, h, length)
    r = 20.0 * h
    assert out[1, 1, 25] / h**3 == pytest.approx(math.exp(-r / length) / (4.0 * math.pi * length**2 * r), rel=5e-3)
    column = np.zeros((81, 9, 9))
    column[:, 4, 4] = 1.0
    plane = np.zeros((9, 9))
    plane[4, 4] = 1.0
    np.testing.assert_allclose(spread_yukawa(column, h, length)[40], spread_yukawa(plane, h, length), rtol=5e-3)


@pytest.mark.parametrize("share", [0.02, 0.15, 0.5])
@pytest.mark.parametrize("mask", [FULL, _disc()], ids=["full", "disc"])
def test_the_claim_of_the_fast_path_holds(share: float, mask: Array) -> None:
    """Patchy clearance: the summed difference to the solve stays below the bound that the fast path returns, plus what
    the two differ by in a uniform medium (the solve's own error in space: 217At goes a fifth of a voxel)."""
    clearance = np.where(np.random.default_rng(3).random(GRID.shape) < share, 1e-3, 1e-5)
    in_space = _difference(FULL, np.full(GRID.shape, float(clearance.mean())))
    for name, (wrong, claim) in _difference(mask, clearance).items():
        assert wrong <= claim + in_space[name][0], name


def _difference(mask: Array, clearance: Array) -> dict[str, tuple[float, float]]:
    """Of each progeny: the two methods' summed difference over what was born, and the bound."""
    solved, fast = (
        migrate(GRID, mask, "225Ac", STATES, retention=RETENTION, mobility=Mobility(300.0, clearance), method=m).progeny
        for m in ("solve", "yukawa"))  # type: ignore[arg-type]  # names of methods
    out = {}
    for name, one in solved.items():
        born = float(one.tia_MBq_h_per_L.sum() + one.washed_out.sum())
        assert one.misplaced_fraction == 0.0
        out[name] = float(np.abs(fast[name].migrated - one.migrated).sum()) / born, fast[name].misplaced_fraction
    return out


def test_auto_takes_the_fast_path_where_its_bound_is_small() -> None:
    uniform = migrate(GRID, FULL, "225Ac", STATES, retention=RETENTION, mobility=Mobility(300.0, 1e-4), method="auto")
    assert max(g.misplaced_fraction for g in uniform.progeny.values()) < 1e-9
    patchy = migrate(GRID, FULL, "225Ac", STATES, retention=RETENTION, mobility=Mobility(300.0, PATCHY),
                     method="auto", misplaced_tolerance=0.01)
    assert all(g.misplaced_fraction <= 0.02 for g in patchy.progeny.values())


def _section(migration: Migration, tia: Array, surroundings: str):  # type: ignore[no-untyped-def]
    label = {"tumour": CellLabel(1e-9 * STATES["bound"], 1e-9 * STATES["internalised"])}
    times = np.array([0.0, 10.0, 100.0])
    common = {
        "cells": label, "times_h": times, "activity_MBq_per_L": tia[None] * np.array([1.0, 0.7, 0.1])[:, None, None],
        "geometry": SectionGeometry("slab", 1000.0, surroundings, 1e4),  # type: ignore[arg-type]
        "cell_radius_um": 7.0, "nucleus_radius_um": 5.0}
    place = section_dose(GRID, FULL, migration.nuclide, tia_MBq_h_per_L=tia, **common)  # type: ignore[arg-type]
    return place, section_dose_with_migration(migration, **common)  # type: ignore[arg-type]


@pytest.mark.parametrize("surroundings", ["isolated", "mirror", "uniform"])
def test_section_dose_with_full_retention_is_that_of_equilibrium(surroundings: str) -> None:
    moved = migrate(GRID, FULL, "225Ac", STATES, retention={"bound": 1.0, "internalised": 1.0},
                    mobility=Mobility(300.0, PATCHY), longest_half_life_h=LONGEST_PROGENY_HALF_LIFE_H)
    place, ours = _section(moved, sum(STATES.values()), surroundings)  # type: ignore[arg-type]
    for quality, dose in place.by_quality.items():
        np.testing.assert_allclose(ours.by_quality[quality], dose, rtol=1e-10)
        np.testing.assert_allclose(ours.nucleus_by_quality["tumour"][quality],
                                   place.nucleus_by_quality["tumour"][quality], rtol=1e-10)
    assert ours.escaped_fraction == pytest.approx(place.escaped_fraction, rel=1e-10)
    assert ours.flags == place.flags


def test_section_dose_loses_what_is_washed_out() -> None:
    """Mirrored: mean dose is the energy of the decays that happened here, 1e-3 (kernels of single progeny and of the
    chain are folded on different radii)."""
    moved = migrate(GRID, FULL, "225Ac", STATES, retention=RETENTION, mobility=Mobility(300.0, PATCHY),
                    longest_half_life_h=LONGEST_PROGENY_HALF_LIFE_H)
    place, ours = _section(moved, sum(STATES.values()), "mirror")  # type: ignore[arg-type]
    from nichedose.dose.convolve import GY_PER_MEV_MBQ_H_PER_L
    from nichedose.dose.kernels import CHARGED, energy_MeV_per_decay

    expected = sum(
        float(tia.mean()) * sum(energy_MeV_per_decay(name)[q] for q in CHARGED)
        for name, tia in moved.tia_MBq_h_per_L.items()) * GY_PER_MEV_MBQ_H_PER_L
    found = float(np.mean(sum(ours.by_quality.values())))
    slab = float(np.mean(sum(place.by_quality.values())))
    assert found < slab
    assert found == pytest.approx(expected, rel=0.03)  # a slab of 1 mm loses 1 % of the betas' energy along z
    assert any(flag.about == "dose rate" for flag in ours.flags)


def test_bad_input() -> None:
    good = {"retention": RETENTION, "mobility": Mobility(300.0, PATCHY)}
    with pytest.raises(BadInput, match="retention lacks the state 'bound'"):
        migrate(GRID, FULL, "225Ac", STATES, retention={"bond": 0.1}, mobility=Mobility(1.0, 1.0))
    with pytest.raises(BadInput, match="between 0 and 1"):
        migrate(GRID, FULL, "225Ac", STATES, retention=RETENTION | {"bound": 1.2}, mobility=Mobility(1.0, 1.0))
    with pytest.raises(BadInput, match="lacks 221Fr"):
        migrate(GRID, FULL, "225Ac", STATES, retention=RETENTION, mobility={"213Bi": Mobility(1.0, 1.0)})
    with pytest.raises(BadInput, match="Did you mean"):
        migrate(GRID, FULL, "225Ac", STATES, method="yukava", **good)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="one number"):
        migrate(GRID, FULL, "225Ac", STATES, retention=RETENTION, mobility=Mobility(PATCHY, 1.0), method="yukawa")
    with pytest.raises(BadInput, match="finite values"):
        migrate(GRID, FULL, "225Ac", {"bound": -STATES["bound"]}, **good)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="dimensions"):
        spread_yukawa(np.ones(3), 1.0, 1.0)


# ---- volumes


def test_a_stack_of_equal_layers_is_the_section() -> None:
    """k(x) in 3-D: with no flow through the ends each layer is the 2-D answer (1e-8, two iterative solves)."""
    moved = migrate(GRID, FULL, "225Ac", STATES, retention=RETENTION, mobility=Mobility(300.0, PATCHY))
    stack = {state: np.repeat(tia[None], 4, axis=0) for state, tia in STATES.items()}
    volume = migrate(20.0, np.ones((4, *GRID.shape), bool), "225Ac", stack, retention=RETENTION,
                     mobility=Mobility(300.0, np.repeat(PATCHY[None], 4, axis=0)))
    for name, one in moved.progeny.items():
        deep = volume.progeny[name]
        assert abs(deep.balance) < 1e-10
        np.testing.assert_allclose(deep.migrated[2], one.migrated, rtol=1e-7, atol=1e-9 * float(one.migrated.max()))
    assert volume.washed_out_per_parent_decay == pytest.approx(moved.washed_out_per_parent_decay, rel=1e-8)


def test_yukawa_against_the_solve_in_a_volume() -> None:
    """A vessel tree that varies along z: each generation balances, and the claim holds; uniform: 0.5 % of the peak."""
    z, y, x = np.indices((24, 22, 26))
    source = {"bound": np.exp(-((z - 11.0) ** 2 + (y - 10.0) ** 2 + (x - 12.0) ** 2) / (2.0 * 6.0**2))}
    mask = np.ones(z.shape, bool)
    patchy = np.where((z // 8 + y // 6 + x // 7) % 5 == 0, 1e-3, 1e-5)
    for clearance, tolerance in ((3e-4, 5e-3), (patchy, None)):
        solved, fast = (migrate(
            20.0, mask, "225Ac", source, retention={"bound": 0.0}, mobility=Mobility(300.0, clearance),
            method=m).progeny for m in ("solve", "yukawa"))  # type: ignore[arg-type]  # names of methods
        for name in ("221Fr", "213Bi", "209Pb"):  # 217At goes a fifth of a voxel: the grid's error, not the path's
            difference = np.abs(solved[name].migrated - fast[name].migrated)
            assert abs(solved[name].balance) < 1e-10
            if tolerance is not None:
                assert float(difference.max()) < tolerance * float(solved[name].migrated.max())
            else:
                born = float(solved[name].tia_MBq_h_per_L.sum() + solved[name].washed_out.sum())
                assert float(difference.sum()) <= fast[name].misplaced_fraction * born


def test_dose_of_a_volume_with_full_retention_is_that_of_equilibrium() -> None:
    rng = np.random.default_rng(4)
    tia = {"bound": rng.random((9, 8, 7))}
    moved = migrate(15.0, np.ones((9, 8, 7), bool), "211At", tia, retention={"bound": 1.0},
                    mobility=Mobility(300.0, 1e-4))
    ours = convolve_migrated(moved, quality=CHARGED)
    place = convolve(tia["bound"], "211At", 15.0, quality=CHARGED, daughters="equilibrium")
    for quality, dose in place.by_quality.items():
        # kernels of the chain and of its members are folded on different radii
        np.testing.assert_allclose(ours[quality], dose, rtol=2e-3, atol=1e-4 * float(dose.max()))
    away = convolve_migrated(migrate(
        15.0, np.ones((9, 8, 7), bool), "211At", tia, retention={"bound": 0.0}, mobility=Mobility(300.0, 1e9)))
    alone = convolve(tia["bound"], "211At", 15.0, quality="alpha").total_Gy
    np.testing.assert_allclose(away["alpha"], alone, rtol=1e-4)


@pytest.mark.parametrize(("changes", "message"), [
    ({"mobility": Mobility(-1.0, 1e-4)}, "diffusivity_um2_per_s must be finite and not negative"),
    ({"mobility": Mobility(300.0, math.nan)}, "clearance_per_s must be finite"),
    ({"mobility": Mobility(300.0, np.ones((3, 3)))}, "clearance_per_s has shape"),
    ({"tia_by_state": {}}, "tia_by_state is empty"),
    ({"grid": -1.0, "mask": np.ones((2, *GRID.shape), bool)}, "= -1.0; it must be above 0 um"),
    ({"grid": 20.0}, "mask has shape"),
    ({"nuclide": "226Ac-"}, "not a radionuclide"),
    ({"mask": np.zeros(GRID.shape, bool)}, "must hold tissue"),
])
def test_bad_mobility_and_maps(changes: dict[str, object], message: str) -> None:
    given = {"grid": GRID, "mask": FULL, "nuclide": "225Ac", "tia_by_state": STATES, "retention": RETENTION,
             "mobility": Mobility(300.0, 1e-4)} | changes
    with pytest.raises(BadInput, match=message):
        migrate(**given)  # type: ignore[arg-type]


def test_a_volume_is_no_section() -> None:
    moved = migrate(20.0, np.ones((2, 3, 4), bool), "211At", {"bound": np.ones((2, 3, 4))}, retention={"bound": 1.0},
                    mobility=Mobility(300.0, 1e-4), longest_half_life_h=LONGEST_PROGENY_HALF_LIFE_H)
    with pytest.raises(BadInput, match="convolve_migrated"):
        section_dose_with_migration(
            moved, cells={}, times_h=np.array([0.0, 1.0]), activity_MBq_per_L=np.ones((2, 3, 4)),
            geometry=SectionGeometry("slab", 1e3, "mirror", 1e4), cell_radius_um=7.0, nucleus_radius_um=5.0)
    flat = migrate(GRID, FULL, "211At", STATES, retention=RETENTION, mobility=Mobility(300.0, 1e-4))
    with pytest.raises(BadInput, match="that of a section"):
        convolve_migrated(flat)
