"""The scheme's parts: tableau, label quadrature, packing, multigrid, orders of convergence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from nichedose.fields.grid import Grid
from nichedose.transport import TissueTransport
from nichedose.transport import _multigrid as multigrid
from nichedose.transport import _tableau as tableau
from nichedose.transport import _weights as weights
from nichedose.transport._checkerboard import build_ladder, pack, unpack
from nichedose.transport._equations import coefficients
from nichedose.transport._march import March, Stages, march, plasma_stages
from transport_cases import ANTIBODY, CASES, PEPTIDE, SLOW, SMALL, run, section, slab, thiele_profile
from transport_linear import Linear, conductances


def order_conditions(b: np.ndarray) -> list[float]:
    a, c = tableau.A, tableau.C
    order3 = [b.sum() - 1, b @ c - 1 / 2, b @ c**2 - 1 / 3, b @ a @ c - 1 / 6]
    order4 = [b @ c**3 - 1 / 4, b @ (c * (a @ c)) - 1 / 8, b @ a @ c**2 - 1 / 12, b @ a @ a @ c - 1 / 24]
    return [*order3, *order4]


def test_tableau_has_the_claimed_orders() -> None:
    assert np.allclose(tableau.A.sum(axis=1), tableau.C, atol=1e-14)
    assert np.allclose(tableau.A[1:] @ tableau.C, tableau.C[1:] ** 2 / 2, atol=1e-14)  # stage order 2
    assert np.allclose(order_conditions(tableau.B), 0.0, atol=1e-14)
    embedded = order_conditions(tableau.B_EMBEDDED)
    assert np.allclose(embedded[:4], 0.0, atol=1e-14)
    assert max(abs(e) for e in embedded[4:]) > 1e-4  # one order less, so the difference measures an error


def test_scheme_and_its_embedded_partner_forget_the_stiff() -> None:
    """L-stability: the amplification of y' = q y tends to 0; and |R| <= 1 along the imaginary axis."""

    def amplification(q: complex, b: np.ndarray) -> complex:
        stages = np.linalg.solve(np.eye(6) - q * tableau.A, np.ones(6))
        return complex(1 + q * (b @ stages))

    for b in (tableau.B, tableau.B_EMBEDDED):
        assert abs(amplification(-1e9, b)) < 1e-6
    assert max(abs(amplification(1j * w, tableau.B)) for w in np.geomspace(1e-3, 1e6, 200)) <= 1 + 1e-12


@pytest.mark.parametrize("z", [0.0, 1e-6, 0.3, 0.999, 1.001, 7.0, 200.0])
def test_label_weights_are_exact_for_a_decaying_cubic(z: float) -> None:
    weights = tableau.label_weights(z)
    for m in range(4):
        exact, _ = quad(lambda s, m=m: np.exp(-z * s) * s**m, 0.0, 1.0, epsabs=1e-14, points=[min(1.0, 5 / (z + 1e-9))])
        assert weights @ tableau.C**m == pytest.approx(exact, rel=1e-9, abs=1e-13)
    assert abs(weights @ tableau._STAGE_DEFECT) < 1e-14


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 1), (5, 4), (8, 9), (13, 13), (1, 1, 1), (3, 5, 4), (4, 7, 9)])
def test_packing_round_trip(shape: tuple[int, ...]) -> None:
    field = np.random.default_rng(1).random((3, *shape))
    packed = np.stack([pack(f) for f in field])
    assert np.array_equal(unpack(packed, shape), field)
    assert packed.sum() == pytest.approx(field.sum(), rel=1e-14)


def ragged(n: int) -> np.ndarray:
    y, x = np.mgrid[:n, :n]
    mask = (y - n / 2) ** 2 + (x - n / 2) ** 2 < (0.45 * n) ** 2
    mask[n // 3, :] = False  # cut in two islands
    mask[n // 2 : n // 2 + 3, n // 2] = False
    return np.asarray(mask)


def ragged_stack() -> np.ndarray:
    mask = np.random.default_rng(6).random((5, 7, 6)) < 0.75
    mask[2, :, 3] = True
    return np.asarray(mask)


@pytest.mark.parametrize("patchy", [False, True], ids=["one conductance", "each its own"])
@pytest.mark.parametrize("mask", [ragged(11), ragged_stack()], ids=["section", "stack"])
def test_operator_and_v_cycle_are_symmetric_positive_definite_on_a_ragged_odd_mask(
    mask: np.ndarray, patchy: bool
) -> None:
    linear = Linear(mask, conductances(mask, patchy), 7.0)
    top = len(linear.ladder.height) - 1
    path = top - np.abs(np.arange(-top, top + 1))
    matrix, cycle = [], []
    for v in linear.order:
        unit = np.zeros(linear.cells)
        unit[v] = 1.0
        matrix.append(linear.multiply(unit)[linear.order])
        linear.work[0, : linear.cells] = unit
        linear.cycle(path, 0, True)
        cycle.append(linear.work[1, linear.order])
    assert np.allclose(matrix, linear.matrix, atol=1e-12)
    assert np.allclose(cycle, np.transpose(cycle), atol=1e-13)
    assert np.linalg.eigvalsh(cycle).min() > 0.0
    assert np.linalg.eigvals(np.array(cycle) @ matrix).real.max() < 2.0  # also converges by itself


def disc(n: int) -> np.ndarray:
    y, x = np.mgrid[:n, :n] - 0.5 * (n - 1)
    return np.asarray(y**2 + x**2 < (0.48 * n) ** 2)


@pytest.mark.parametrize(
    ("mask", "most"),
    [(np.ones((37, 29), bool), 0.1), (disc(31), 0.1), (np.ones((9, 14, 11), bool), 0.15)],
    ids=["odd section", "disc", "stack"],
)
@pytest.mark.parametrize("patchy", [False, True], ids=["one conductance", "each its own"])
def test_cycles_by_themselves_leave_little(mask: np.ndarray, most: float, patchy: bool) -> None:
    """Nearly no mass: the hardest for Gauss-Seidel. What a cycle says that it leaves is what it leaves."""
    linear = Linear(mask, conductances(mask, patchy), 1e3, 1e-2)
    right = np.random.default_rng(3).standard_normal(linear.order.size)
    linear.work[0, linear.order] = right
    left = [np.linalg.norm(right)]
    for k in range(8):
        said = linear.cycle(linear.ladder.path, int(k > 0), False)
        left.append(np.linalg.norm(right - linear.matrix @ linear.work[1, linear.order]))
        assert np.sqrt(said) == pytest.approx(left[-1], rel=1e-5, abs=1e-9 * left[0])
    # conductances that change fifty-fold from face to face are averaged badly by blocks
    assert (left[8] / left[2]) ** (1 / 6) < (0.4 if patchy else most)


def comb(n: int) -> np.ndarray:
    """Corridors one voxel wide: coarser grids know little of them."""
    mask = np.ones((n, n), bool)
    mask[1::4, 1:] = False
    mask[3::4, :-1] = False
    return mask


@pytest.mark.parametrize(
    ("mask", "along"),
    [(comb(21), (1.0, 1.0)), (np.ones((24, 19), bool), (1.0, 30.0)), (np.ones((3, 4), bool), (1.0, 1.0)),
     (np.ones((1, 40), bool), (1.0, 1.0)), (np.ones((6, 5, 8), bool), (1.0, 1.0, 30.0))],
    ids=["corridors", "anisotropic", "no coarser grid", "line", "anisotropic stack"],
)  # fmt: skip
def test_the_solver_solves_what_cycles_alone_cannot(mask: np.ndarray, along: tuple[float, ...]) -> None:
    faces = tuple(f * factor for f, factor in zip(conductances(mask, True), along, strict=True))
    for these in (faces, 3.0) if len(set(along)) == 1 else (faces,):
        linear = Linear(mask, these, 50.0)
        right = np.random.default_rng(3).standard_normal(linear.order.size)
        found, used = linear.solve(right, 1e-6)
        assert used < multigrid.MOST_ITERATIONS
        assert np.linalg.norm(right - linear.matrix @ found) < 1.1e-6 * np.linalg.norm(right)


@pytest.mark.parametrize("n", [33, 64, 129])
def test_iterations_stay_flat_with_the_grid(n: int) -> None:
    out = march(coefficients(section(n), PEPTIDE, "void"), SMALL, 100.0, np.array([0.0]), 1e-3)
    tried = 5 * (len(out.times_h) - 1 + out.rejected)
    assert out.newton / tried < 3.0
    assert out.cycles / out.newton < 3.5


def test_cycles_are_made_of_newtons_own_matrix() -> None:
    """With that of an earlier Newton step, tight binding takes 2.1 of them a stage."""
    ligand, plasma, exchange = CASES["tight"]
    out = march(coefficients(section(48, exchange=exchange), ligand, "void"), plasma, 480.0, np.array([0.0]), 1e-3)
    assert out.newton / (5 * (len(out.times_h) - 1 + out.rejected)) < 1.9


def fixed_steps(count: int) -> np.ndarray:
    """State at 0.4 h after ``count`` equal steps, stages solved to 1e-10."""
    stages = Stages(coefficients(section(8), PEPTIDE, "void"))
    step = 0.4 / count
    for k in range(count):
        plasma, _ = plasma_stages(SMALL, k * step, step, 1.0)
        assert stages.take(step, plasma, 1e-10, False, March())
        stages.accept(np.zeros((0, 6)), np.zeros((0, *stages.state.shape)))
    return stages.state.copy()


@pytest.mark.parametrize("patchy", [False, True])
def test_what_lies_in_the_tissue_has_a_sum_of_open_faces_above_0(patchy: bool) -> None:
    mask = np.ones((5, 7), bool)
    mask[1, :], mask[:, 3] = False, False
    mask[0, :2], mask[0, 3:5] = False, False  # a voxel alone
    faces = (np.zeros((4, 7)), np.zeros((5, 6))) if patchy else 3.0
    found = unpack(build_ladder(mask, faces).exact_sum.astype(np.float64), mask.shape)
    np.testing.assert_array_equal(found > 0.0, mask)


def test_capacity_gives_the_same_as_a_block_and_as_a_field() -> None:
    """Tissue far larger than a block of rows, with holes and voxels alone."""
    mask = np.random.default_rng(1).random((150, 140)) < 0.7
    states = []
    for whole in (False, True):
        stages = Stages(coefficients(section(150, mask=np.pad(mask, ((0, 0), (0, 10)))), PEPTIDE, "void"))
        given = stages.arrays[0]
        assert given[0].size < stages.capacity.size
        if whole:
            stages.arrays = ((stages.capacity.reshape(2, -1), *given[1:]), *stages.arrays[1:])
        plasma, _ = plasma_stages(SMALL, 0.0, 0.1, 1.0)
        assert stages.take(0.1, plasma, 1e-6, False, March())
        states.append((stages.q.copy(), stages.free.copy(), *stages.state_errors()))
    for block, field in zip(*states, strict=True):
        np.testing.assert_allclose(block, field, rtol=1e-12)


def test_flows_cancel_in_what_stages_are_judged_against() -> None:
    """The sums of stages tell the content at the step's end before the fields are looked at, solved or not."""
    mask = np.ones((9, 7), bool)
    mask[2:4, :3] = False
    run, step = Stages(coefficients(section(9, mask=np.pad(mask, ((0, 0), (0, 2)))), ANTIBODY, "void")), 0.5
    for k in range(4):
        plasma, _ = plasma_stages(SLOW, k * step, step, 1.0)
        before = run.sums_before.copy()
        assert run.take(step, plasma, 1e-2, False, March())
        told = weights.content_after(
            step * tableau.B, plasma, run.brought, run.eq.kint_per_h, run.bound, run.totals, before)
        assert run.sums_after[0] == pytest.approx(told, rel=1e-12)
        free, slopes = (f.reshape(6, -1).sum(axis=1) for f in (run.capacity * run.free, run.slopes))
        np.testing.assert_allclose(run.totals[:, [0, 2]], np.stack([free, slopes], 1), rtol=1e-10, atol=1e-12)
        run.accept(np.zeros((0, 6)), np.zeros((0, *run.state.shape)))
        assert run.sums_before[0] == pytest.approx(float(run.state[0].sum()), rel=1e-13)


def test_fourth_order_in_time() -> None:
    fine = fixed_steps(320)
    errors = [np.abs(fixed_steps(n) - fine).max() for n in (10, 20, 40)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.25)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(4.0, abs=0.25)


def test_second_order_in_space() -> None:
    """Largest error of Thiele's profile; the time error at tolerance 1e-7 is below a tenth of the smallest."""
    errors = []
    for cells in (10, 20, 40):
        tissue, ligand, plasma, position = slab(cells, 2.0)
        solution = run(tissue, ligand, plasma, end_h=60.0, tolerance=1e-7)
        free = solution.time_integral("stable")["free"][0] / (ligand.void_fraction * plasma.integral_nmol_h_per_L())
        errors.append(np.abs(free - thiele_profile(position, 2.0)).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.1)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("shape", [(3, 3), (1, 7), (5, 4), (9, 6), (13, 17)])
def test_cells_that_are_no_tissue_stay_empty(shape: tuple[int, int]) -> None:
    """Those between the ends of odd rows too: sums over the tissue go through them."""
    rng = np.random.default_rng(3)
    target, exchange = 200.0 * rng.random(shape), 4.0 * rng.random(shape)
    for inside in (rng.random(shape) < 0.8, np.ones(shape, bool)):
        tissue = TissueTransport(Grid(shape, 20.0), inside, target, exchange)
        stages = Stages(coefficients(tissue, PEPTIDE, "void"))
        march(stages.eq, SMALL, 480.0, np.array([0.004]), 1e-3, stages=stages)
        outside = ~pack(stages.eq.capacity > 0.0, np.bool_)
        for fields in (stages.free, stages.slopes, stages.state):
            assert not fields[..., outside].any()
