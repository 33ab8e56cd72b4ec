"""Corners in which a run must neither stop nor leave what is possible: sites that keep all they catch, short runs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from nichedose.body import PlasmaCurve
from nichedose.fields import voxel_mesh
from nichedose.fields.grid import Grid
from nichedose.transport import (
    Batch,
    Binding,
    Given,
    Ligand,
    LigandKinetics,
    Site,
    TissueTransport,
    differentiate,
    simulate,
    simulate_course,
)
from nichedose.transport._checkerboard import _inner
from nichedose.transport._equations import coefficients
from nichedose.transport._ladder import build_ladder
from nichedose.transport._march import March, Stages, next_share
from nichedose.transport._network_march import Course, NetworkRun
from nichedose.transport._stuck import BELOW_ZERO, CAUSES
from nichedose.transport.course import course_problem
from nichedose.transport.network import build_network

STATE = CAUSES[0]
DEPOT = PlasmaCurve((6e-5, -6e-5), (0.02, 2.0))
LABEL = {"x": 0.693}
ONE = np.ones((1, 1))


def kept(sites: float, end_h: float) -> float:
    """Ligand in one voxel, of sites that never let go: SciPy's LSODA."""

    def rhs(t: float, y: np.ndarray) -> list[float]:
        bind = 0.01 * y[0] * (sites - y[1])
        return [(float(DEPOT.concentration_nmol_per_L(t)) - y[0] - bind) / 0.05, bind]

    found = solve_ivp(rhs, (0.0, end_h), [0.0, 0.0], method="LSODA", rtol=1e-9, atol=1e-16).y[:, -1]
    return float(0.05 * found[0] + found[1])


@pytest.mark.parametrize("sites", [20.0, 82.1341, 400.0])
@pytest.mark.parametrize("end_h", [48.0, 480.0, 2400.0])
def test_sites_that_keep_what_they_catch_do_not_stop_a_run(sites: float, end_h: float) -> None:
    """What is free becomes less than what a stage may leave undone; the run must get to its end all the same."""
    ligand = LigandKinetics(0.01, 0.0, 0.0, 0.008, 100.0, 0.1, 0.05)
    alone = simulate(TissueTransport(Grid((1, 1), 20.0), ONE > 0, sites * ONE, ONE), ligand, DEPOT, end_h=end_h,
                     decay_per_h=LABEL)  # fmt: skip
    course = simulate_course(
        voxel_mesh(ONE > 0, 20.0), [Site("target", sites)],
        [Ligand("x", 100.0, 0.05, 1.0, 1.0, (Binding("target", 0.01, 0.0),))],
        [Batch("b", "x", Given(DEPOT), LABEL)], end_h=end_h,
    )  # fmt: skip
    expected = kept(sites, end_h)
    assert alone.free[-1, 0, 0] + alone.bound[-1, 0, 0] == pytest.approx(expected, rel=2e-3)
    assert sum(course.at(end_h)[s][0, 0] for s in ("b", "b on target")) == pytest.approx(expected, rel=2e-3)
    assert alone.molecules is not None and alone.molecules.closure < 1e-8
    assert course.ledgers["b", ""].closure < 1e-8
    assert min(alone.free.min(), alone.bound.min()) >= 0.0


def test_lasting_plasma_fills_tissue_to_its_level() -> None:
    """Nothing but the tissue's own rate tells how short the first step must be; no label watches either."""
    ligand = LigandKinetics(0.0, 0.0, 0.0, 0.0, 100.0, 0.1, 0.4)
    lasting = PlasmaCurve((5.0,), (1e-9,))
    alone = simulate(TissueTransport(Grid((1, 1), 20.0), ONE > 0, 0.0 * ONE, ONE), ligand, lasting, end_h=500.0,
                     decay_per_h={})  # fmt: skip
    course = simulate_course(voxel_mesh(ONE > 0, 20.0), [], [Ligand("x", 100.0, 0.4, 1.0, 1.0)],
                             [Batch("b", "x", Given(lasting))], end_h=500.0)  # fmt: skip
    assert alone.free[-1, 0, 0] == pytest.approx(2.0, rel=1e-3)
    assert course.at(500.0)["b"][0, 0] == pytest.approx(2.0, rel=1e-3)


def islands(seed: int) -> tuple[TissueTransport, LigandKinetics]:
    """Tissue in shreds with few vessels: dead ends hold next to nothing, less than a stage may leave undone."""
    rng = np.random.default_rng(seed)
    sites, exchange = 200.0 * rng.random((20, 20)) ** 3, 0.7 * (rng.random((20, 20)) < 0.12)
    mask = rng.random((20, 20)) < 0.45
    tissue = TissueTransport(Grid((20, 20), 20.0), mask, sites * mask, exchange * mask)
    return tissue, LigandKinetics(0.6, 0.2, 0.0, 0.007, 20.0, 0.1, 0.08)


TWO_PHASES = PlasmaCurve((10.0, 5.0), (2.3, 0.02))


@pytest.mark.parametrize("seed", [1, 2])
def test_next_to_nothing_in_dead_ends_does_not_make_steps_small(seed: int) -> None:
    tissue, ligand = islands(seed)
    found, fine = (
        simulate(tissue, ligand, TWO_PHASES, end_h=96.0, decay_per_h=LABEL, tolerance=tolerance)
        for tolerance in (1e-3, 1e-6)
    )
    assert found.steps < 40
    for state, expected in fine.time_integrals_nmol_h_per_L["x"].items():
        off = np.abs(found.time_integrals_nmol_h_per_L["x"][state] - expected).sum()
        assert off < 1e-3 * expected.sum() or not expected.any()
    assert found.molecules is not None and found.molecules.closure < 1e-8
    assert min(found.free.min(), found.bound.min(), found.internalised.min()) >= 0.0


def test_next_to_nothing_in_dead_ends_of_a_course_does_not_make_steps_small() -> None:
    tissue, ligand = islands(1)
    exchange = np.where(tissue.mask, tissue.exchange_per_h, 0.0)
    given = Ligand("x", ligand.diffusivity_um2_per_s, 0.08, exchange, exchange, (Binding("target", 0.6, 0.2),))
    course = simulate_course(  # sites that turn over: not a lattice's run
        voxel_mesh(tissue.mask, 20.0), [Site("target", tissue.target_nmol_per_L, 1e-6)], [given],
        [Batch("b", "x", Given(TWO_PHASES), LABEL)], end_h=96.0,
    )  # fmt: skip
    assert course.steps < 60
    assert course.ledgers["b", ""].closure < 1e-8


def test_stages_finished_further_are_solved_again_to_the_same_bits() -> None:
    tissue, ligand = islands(2)
    whole, little = (
        differentiate(tissue, ligand, TWO_PHASES, lambda maps: (0.0, {"x": {"bound": 1.0 * tissue.mask}}), end_h=96.0,
                      decay_per_h=LABEL, memory_GiB=memory)
        for memory in (1.0, 1e-9)
    )  # fmt: skip
    assert little.ligand == whole.ligand
    np.testing.assert_array_equal(little.target_nmol_per_L, whole.target_nmol_per_L)


def test_amounts_below_zero_make_no_step_after_a_good_one_smaller() -> None:
    assert next_share(0.81, BELOW_ZERO) == (1.0, True)
    assert next_share(0.81, STATE)[0] < 1.0
    assert next_share(0.1, BELOW_ZERO)[0] > 1.0
    assert next_share(2.0, BELOW_ZERO) == (pytest.approx(0.9 * 2.0**-0.25), True)
    assert next_share(2.0, STATE)[1] is False


def test_free_and_bound_ligand_below_zero_refuses_a_step_of_a_section() -> None:
    tissue, ligand = islands(1)
    plasma = np.full(6, 3.0)
    run = Stages(coefficients(tissue, ligand, "void"))
    assert run.take(0.01, plasma, 1e-6, False, March())
    assert run.state_errors()[1] == pytest.approx(0.0, abs=1e-6)
    # stages that are left at their first guess, free ligand 0, while the content is below it
    run = Stages(coefficients(tissue, ligand, "void"))
    voxel = np.flatnonzero(run.capacity.reshape(-1) > 0.0)[0]
    run.state[0].reshape(-1)[voxel], run.sums_before[0], run.peak = -1.0, -1.0, 2.0
    assert run.take(0.01, plasma, 1e9, False, March())
    assert run.state_errors()[1] == pytest.approx(0.5 * (1.0 - 0.03 * run.source.reshape(-1)[voxel]), rel=1e-6)
    assert "free and bound ligand" in run.where(BELOW_ZERO, 0.01, plasma)


@pytest.mark.parametrize("shape", [(3, 3), (1, 9), (9, 6), (20, 17)])
@pytest.mark.parametrize("patchy", [False, True])
def test_no_bit_of_a_step_depends_on_what_an_earlier_one_left(shape: tuple[int, int], patchy: bool) -> None:
    """Stages that fail leave anything, NaN too, between the ends of odd rows and outside the tissue as well."""
    rng = np.random.default_rng(7)
    mask = rng.random(shape) < 0.8
    tissue = TissueTransport(Grid(shape, 20.0), mask, 60.0 * rng.random(shape), 2.0 * rng.random(shape),
                             10.0 ** rng.uniform(-2.0, 2.0, shape) if patchy else None)  # fmt: skip
    clean, spoilt = (Stages(coefficients(tissue, islands(1)[1], "void")) for _ in range(2))
    integrals = np.zeros((2, 1, 3, *clean.q.shape))
    for step in (0.5, 1.0, 2.0):
        spare = spoilt.work[3, : spoilt.q.size].reshape(spoilt.q.shape)
        for fields in (spoilt.free[1:], spoilt.slopes[1:], spoilt.q, spoilt.bound_rhs, spoilt.weight, spare):
            _inner(fields, shape)[...] = np.nan
        spoilt.work[1:3], spoilt.spare[:] = np.nan, np.nan
        for part in spoilt.ladder.bottom[3:]:
            part[...] = np.nan
        assert not spoilt.take(step, np.full(6, np.nan), 1e-4, False, March())
        for run, sums in zip((clean, spoilt), integrals, strict=True):
            assert run.take(step, np.full(6, 3.0), 1e-4, False, March())
            run.accept(np.full((1, 6), 0.1), sums)
    np.testing.assert_array_equal(spoilt.state, clean.state)
    np.testing.assert_array_equal(*integrals)


def network_run() -> NetworkRun:
    """A peptide and, on what is bound of it, a hapten."""
    mesh = voxel_mesh(np.ones((2, 3), bool), 20.0)
    ligands = [Ligand("p", 50.0, 0.4, 2.0, 2.0, (Binding("t", 0.6, 0.2, 0.1),)),
               Ligand("h", 100.0, 0.4, 2.0, 2.0, (Binding("p", 1.0, 0.1),))]  # fmt: skip
    batches = [Batch(name, name, Given(TWO_PHASES)) for name in ("p", "h")]
    network = build_network(mesh, ligands, [Site("t", 50.0)], batches)
    return NetworkRun(course_problem(mesh, network, build_ladder(mesh), None, None))


def test_free_and_bound_ligand_below_zero_refuses_a_step_of_a_course() -> None:
    run = network_run()
    assert run.take(0.01, np.full((6, 2), 3.0), 1e-4, False, Course())
    assert run.errors(0.01)[1] == pytest.approx(0.0, abs=1e-6)
    peak = float(run.contents(run.new)[0].mean())
    run.new[0][0, 4] = -0.5 * peak
    assert run.errors(0.01)[1] > 0.4


def test_bound_ligand_that_is_taken_back_gives_its_sites_back() -> None:
    """Of the lower and of the upper one of a pair; nothing falls below 0."""
    run = network_run()
    names = run.p.network.immobile
    site, bound, pair = (names.index(n) for n in ("t", "p on t", "h on p on t"))
    rng = np.random.default_rng(3)
    run.state[1][...] = 0.0
    run.state[1][[site, bound, pair]] = rng.uniform(1.0, 10.0, (3, run.cells))
    held = run.held.T @ run.state[1]
    run.state[0][...] = held * rng.choice([0.5, 0.9, 1.1], held.shape)  # less than is bound, in places
    before = run.state[1][[site, bound, pair]].sum(axis=0)
    run.settle()
    np.testing.assert_allclose(run.state[1][[site, bound, pair]].sum(axis=0), before, rtol=1e-14)
    assert run.state[1].min() >= 0.0
    assert (run.held.T @ run.state[1] <= run.state[0] * (1.0 + 1e-12)).all()
