"""The scheme's parts: tableau, label quadrature, packing, multigrid, orders of convergence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from nichedose.transport import _kernels as kernel
from nichedose.transport import _tableau as tableau
from nichedose.transport._checkerboard import pack, unpack
from nichedose.transport._equations import coefficients
from nichedose.transport._march import March, Stages, march, plasma_stages
from transport_cases import PEPTIDE, SMALL, run, section, slab, thiele_profile


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


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (6, 1), (5, 4), (8, 9), (13, 13)])
def test_packing_round_trip(shape: tuple[int, int]) -> None:
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


def dense_operator(stages: Stages, mass: np.ndarray, a: float) -> np.ndarray:
    voxels = np.flatnonzero(stages.capacity.ravel())
    columns = []
    for v in voxels:
        unit = np.zeros_like(stages.capacity)
        unit.ravel()[v] = 1.0
        out = np.zeros_like(unit)
        kernel.apply_operator(unit, out, mass, stages.fs0, stages.g0, a)
        columns.append(out.ravel()[voxels])
    return np.array(columns)


def test_operator_and_v_cycle_are_symmetric_positive_definite_on_a_ragged_odd_mask() -> None:
    tissue = section(11, mask=ragged(11))
    stages = Stages(coefficients(tissue, PEPTIDE, "void"))
    ladder, cells, a = stages.ladder, stages.ladder.start[1], 7.0
    level0 = stages.mass[:cells].reshape(stages.capacity.shape)
    level0[...] = stages.capacity * (1.0 + np.random.default_rng(2).random(stages.capacity.shape))
    matrix = dense_operator(stages, level0, a)
    assert np.allclose(matrix, matrix.T, atol=1e-12)
    kernel.prepare_levels(stages.mass, stages.inverse, ladder.face_sum, a, ladder.rows, ladder.places, ladder.start)
    voxels = np.flatnonzero(stages.capacity.ravel())
    cycle = []
    for v in voxels:
        stages.work[0, :cells] = 0.0
        stages.work[0, v] = 1.0
        kernel.v_cycle(stages.work[1], stages.work[0], stages.inverse, ladder.faces, a, stages.work[4], ladder.rows,
                       ladder.places, ladder.start)  # fmt: skip
        cycle.append(stages.work[1, voxels].copy())
    cycle = np.array(cycle)
    assert np.allclose(cycle, cycle.T, atol=1e-13)
    assert np.linalg.eigvalsh(cycle).min() > 0.0
    assert np.linalg.eigvals(cycle @ matrix).real.max() < 2.0  # also converges by itself


@pytest.mark.parametrize("n", [33, 64, 129])
def test_iterations_stay_flat_with_the_grid(n: int) -> None:
    out = march(coefficients(section(n), PEPTIDE, "void"), SMALL, 100.0, np.array([0.0]), 1e-3)
    tried = 5 * (len(out.times_h) - 1 + out.rejected)
    assert out.newton / tried < 3.0
    assert out.cg / out.newton < 3.5


def fixed_steps(count: int) -> np.ndarray:
    """State at 0.4 h after ``count`` equal steps, stages solved to 1e-10."""
    stages = Stages(coefficients(section(8), PEPTIDE, "void"))
    step = 0.4 / count
    for k in range(count):
        plasma, _ = plasma_stages(SMALL, k * step, step, 1.0)
        assert stages.take(step, plasma, 1e-10, False, March())
        stages.accept(plasma[-1])
    return stages.state.copy()


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
