"""What must hold whatever the parameters: conservation, limits, symmetry, scaling, positivity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from nichedose.body import PlasmaCurve
from nichedose.errors import BadInput, NotComputed
from nichedose.fields.grid import Grid
from nichedose.transport import LigandKinetics, TissueTransport
from transport_cases import (
    ANTIBODY,
    LABELS,
    PEPTIDE,
    SLOW,
    SMALL,
    TIGHT,
    run,
    section,
    slab,
    thiele_profile,
    total,
    uniform,
)

CASES = {"peptide": (PEPTIDE, SMALL, 2.0), "tight": (TIGHT, SMALL, 2.0), "antibody": (ANTIBODY, SLOW, 0.07)}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("end_h", [30.0, 2400.0])
def test_ledgers_close(name: str, end_h: float) -> None:
    """Labels to 1e-4 at the default tolerance (their decay is integrated by quadrature), molecules to 1e-8 (fluxes
    telescope; what is left is the last stage's residual)."""
    ligand, plasma, exchange = CASES[name]
    solution = run(section(32, exchange=exchange), ligand, plasma, end_h=end_h)
    assert max(ledger.closure for ledger in solution.ledgers.values()) < 1e-4
    assert solution.molecules is not None
    assert solution.molecules.closure < 1e-8
    assert solution.ledgers["211At"].left < solution.ledgers["177Lu"].left


def test_plasma_that_rises_first_closes_as_well() -> None:
    solution = run(section(16), plasma=PlasmaCurve((-50.0, 50.0), (0.5, 0.02)))
    assert max(ledger.closure for ledger in solution.ledgers.values()) < 1e-4
    assert solution.molecules is not None
    assert solution.molecules.closure < 1e-8


def test_ledger_terms_come_from_the_delivered_fields() -> None:
    tissue = section(16)
    solution = run(tissue, end_h=50.0)
    ledger, decay = solution.ledgers["177Lu"], LABELS["177Lu"]
    free, _, inside = (solution.time_integral("177Lu")[s] for s in ("free", "bound", "internalised"))
    amount = solution.free[-1] + solution.bound[-1] + solution.internalised[-1]
    assert ledger.left == pytest.approx(amount.sum() * np.exp(-decay * 50.0), rel=1e-12)
    assert ledger.decayed == pytest.approx(decay * total(solution, "177Lu").sum(), rel=1e-12)
    washed = (tissue.exchange_per_h * free).sum() / PEPTIDE.void_fraction + PEPTIDE.release_per_h * inside.sum()
    assert ledger.washed_out == pytest.approx(washed, rel=1e-12)
    assert ledger.entered < SMALL.integral_nmol_h_per_L(decay) * tissue.exchange_per_h.sum()


@pytest.mark.parametrize(("ligand", "plasma"), [(PEPTIDE, SMALL), (TIGHT, SMALL), (ANTIBODY, SLOW)])
def test_uniform_section_is_the_compartment_model(ligand: LigandKinetics, plasma: PlasmaCurve) -> None:
    """Against SciPy's Radau at rtol 1e-10; ours at tolerance 1e-6 agrees to 1e-5 relative."""
    target, exchange, decay = 120.0, 2.0, LABELS["177Lu"]
    void, on, off = ligand.void_fraction, ligand.association_L_per_nmol_per_h, ligand.dissociation_per_h

    def rhs(t: float, y: np.ndarray) -> list[float]:
        f, b, i = y[:3]
        binding = on * f * (target - b) - off * b
        fade = np.exp(-decay * t)
        return [
            (exchange * (float(plasma.concentration_nmol_per_L(t)) - f) - binding) / void,
            binding - ligand.internalisation_per_h * b,
            ligand.internalisation_per_h * b - ligand.release_per_h * i,
            void * f * fade,
            b * fade,
            i * fade,
        ]

    def jacobian(t: float, y: np.ndarray) -> np.ndarray:
        to_f, to_b, fade = on * (target - y[1]), -on * y[0] - off, np.exp(-decay * t)
        inside = ligand.internalisation_per_h
        out = np.zeros((6, 6))
        out[0, :2] = -(exchange + to_f) / void, -to_b / void
        out[1, :2] = to_f, to_b - inside
        out[2, 1:3] = inside, -ligand.release_per_h
        out[3, 0], out[4, 1], out[5, 2] = void * fade, fade, fade
        return out

    reference = solve_ivp(rhs, (0.0, 480.0), np.zeros(6), method="Radau", rtol=1e-10, atol=1e-12, jac=jacobian)
    solution = run(uniform((5, 6), target, exchange), ligand, plasma, tolerance=1e-6)
    for state, value in zip(("free", "bound", "internalised"), reference.y[3:, -1], strict=True):
        assert np.allclose(solution.time_integral("177Lu")[state], value, rtol=1e-5)
    end = [getattr(solution, s)[-1] for s in ("free", "bound", "internalised")]
    for field, value in zip(end, reference.y[:3, -1] * [void, 1.0, 1.0], strict=True):
        assert np.allclose(field, value, rtol=1e-4, atol=1e-9)


def test_without_binding_free_ligand_follows_plasma_in_closed_form() -> None:
    ligand = replace(PEPTIDE, association_L_per_nmol_per_h=0.0)
    solution = run(uniform((3, 3), 100.0, 2.0), ligand, PlasmaCurve((10.0,), (0.3,)), tolerance=1e-6)
    rate, decay = 2.0 / ligand.void_fraction, LABELS["177Lu"]
    amplitude = 10.0 * rate / (rate - 0.3)
    exact = ligand.void_fraction * amplitude * (1 / (0.3 + decay) - 1 / (rate + decay))
    assert np.allclose(solution.time_integral("177Lu")["free"], exact, rtol=1e-6)
    assert not solution.bound.any()
    assert not solution.internalised.any()


def test_saturation_leaves_the_occupancy_of_the_rates() -> None:
    """Under a lasting plasma level each site is bound for kon C / (kon C + koff + kint) of the time."""
    level = 50.0
    solution = run(uniform((2, 2), 5.0, 1e3), PEPTIDE, PlasmaCurve((level,), (1e-9,)), end_h=100.0)
    on = PEPTIDE.association_L_per_nmol_per_h * level
    expected = on / (on + PEPTIDE.dissociation_per_h + PEPTIDE.internalisation_per_h)
    assert solution.max_occupancy_at_end == pytest.approx(expected, rel=1e-4)


def test_no_internalisation_and_no_target() -> None:
    assert not run(section(8), replace(PEPTIDE, internalisation_per_h=0.0)).internalised.any()
    bare = run(section(8, target=0.0))
    assert not bare.bound.any()
    assert bare.max_occupancy_at_end == 0.0


def test_no_plasma_no_ligand() -> None:
    solution = run(section(8), plasma=PlasmaCurve((0.0,), (1.0,)))
    assert not any(f.any() for f in (solution.free, solution.bound, solution.internalised, total(solution, "177Lu")))


def test_dose_scales_in_the_linear_regime_and_not_under_saturation() -> None:
    tissue, low = section(16), SMALL.scaled(1e-7)
    one, two = (total(run(tissue, plasma=low.scaled(f), tolerance=1e-5), "177Lu") for f in (1.0, 2.0))
    assert np.allclose(two, 2.0 * one, rtol=1e-6)  # occupancy is below 1e-6
    high = SMALL.scaled(20.0)
    one, two = (run(tissue, plasma=high.scaled(f)).time_integral("177Lu")["bound"].sum() for f in (1.0, 2.0))
    assert two < 1.5 * one


@pytest.mark.parametrize("turn", [np.fliplr, np.flipud, np.rot90, np.transpose])
def test_turning_the_section_turns_the_result(turn: object) -> None:
    """Odd size, so that colours and coarse blocks fall differently: equal within the stages' tolerance."""
    tissue = section(17)
    turned = TissueTransport(tissue.grid, tissue.mask, turn(tissue.target_nmol_per_L), turn(tissue.exchange_per_h))  # type: ignore[operator]
    straight, other = (total(run(t, tolerance=1e-6), "177Lu") for t in (tissue, turned))
    assert np.allclose(other, turn(straight), rtol=1e-6)  # type: ignore[operator]


def test_basis_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages solved to the end: in between, the solver's single precision rounds either basis in its own way."""
    monkeypatch.setattr("nichedose.transport._march.NEWTON_PER_TOLERANCE", 1e-8)
    mask = np.hypot(*(np.mgrid[:24, :24] - 11.5)) < 11.0
    void, tissue = (run(section(24, mask=mask), TIGHT, basis=b) for b in ("void", "tissue"))
    assert np.array_equal(void.times_h.shape, tissue.times_h.shape)
    for label in LABELS:
        for state, field in void.time_integral(label).items():
            assert np.allclose(tissue.time_integral(label)[state], field, rtol=1e-10, atol=1e-12 * field.max())
    assert np.allclose(void.free, tissue.free, rtol=1e-9, atol=1e-10 * void.free.max())


def test_same_input_same_bits_and_the_frame_around_the_mask_is_free() -> None:
    tissue = section(15)
    wide = TissueTransport(
        Grid((20, 23), 20.0),
        *(np.pad(f, ((3, 2), (1, 7))) for f in (tissue.mask, tissue.target_nmol_per_L, tissue.exchange_per_h)),
    )
    first, again, framed = run(tissue), run(tissue), run(wide)
    assert first.times_h.tobytes() == again.times_h.tobytes()
    assert total(first, "177Lu").tobytes() == total(again, "177Lu").tobytes()
    assert np.array_equal(total(framed, "177Lu")[3:18, 1:16], total(first, "177Lu"))
    assert total(framed, "177Lu").sum() == pytest.approx(total(first, "177Lu").sum(), rel=1e-14)


def test_islands_do_not_exchange() -> None:
    whole = section(21)
    mask = whole.mask.copy()
    mask[10] = False
    both = run(replace(whole, mask=mask), tolerance=1e-5)
    upper = run(replace(whole, mask=mask & (np.arange(21) < 10)[:, None]), tolerance=1e-5)
    assert np.allclose(total(both, "177Lu")[:10], total(upper, "177Lu")[:10], rtol=1e-4)
    assert not total(both, "177Lu")[10].any()
    closed = replace(whole, mask=mask, exchange_per_h=whole.exchange_per_h * (np.arange(21) < 10)[:, None])
    inside = total(run(closed), "177Lu")
    assert inside[11:].max() < 1e-8 * inside.max()  # coarse grids join the islands: the stages' tolerance, no ligand


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (31, 1), (2, 3), (7, 19)])
def test_any_size(shape: tuple[int, int]) -> None:
    solution = run(uniform(shape, 50.0, 1.0))
    reference = total(run(uniform((1, 1), 50.0, 1.0)), "177Lu")[0, 0]
    assert np.allclose(total(solution, "177Lu"), reference, rtol=1e-3)


@pytest.mark.parametrize("plasma", [SMALL.scaled(1e-3), SMALL, SMALL.scaled(100.0)])
@pytest.mark.parametrize("off", [0.0, 10.0])
def test_stiff_corner_stays_positive_and_closes(plasma: PlasmaCurve, off: float) -> None:
    """kon R = 1e5 per h, with voxels that have no target, no vessel, or neither, and a ragged mask.

    Behind a saturating front bound ligand overshoots its sites for a moment, by 0.7 % at the default tolerance.
    """
    tissue = section(25, target=200.0)
    ragged = np.random.default_rng(5).random((25, 25)) > 0.3
    sites = np.where(tissue.target_nmol_per_L < 60.0, 0.0, 100.0)
    tissue = replace(tissue, mask=ragged, target_nmol_per_L=sites)
    ligand = replace(PEPTIDE, association_L_per_nmol_per_h=1e3, dissociation_per_h=off)
    solution = run(tissue, ligand, plasma, end_h=2400.0)
    fields = (solution.free, solution.bound, solution.internalised)
    assert all(np.isfinite(f).all() and f.min() >= 0.0 for f in fields)
    assert np.all(solution.bound <= tissue.target_nmol_per_L * (1 + 1e-2))
    assert max(ledger.closure for ledger in solution.ledgers.values()) < 1e-4
    assert solution.steps < 150


@pytest.mark.parametrize("thiele", [0.5, 1.0, 2.0, 5.0])
def test_thiele_slab(thiele: float) -> None:
    """40 cells per length: the profile to 0.5 % of the surface value, the effectiveness tanh(phi)/phi to 0.5 %."""
    tissue, ligand, plasma, position = slab(40, thiele)
    solution = run(tissue, ligand, plasma, end_h=60.0)
    free = solution.time_integral("stable")["free"][0] / (ligand.void_fraction * plasma.integral_nmol_h_per_L())
    assert np.allclose(free, thiele_profile(position, thiele), atol=5e-3)
    share = np.r_[0.5, np.ones(39)] / 39.5  # the first voxel's centre is the surface
    assert free @ share == pytest.approx(np.tanh(thiele) / thiele, rel=5e-3)


def test_halving_the_spacing_changes_the_mean_by_less_than_a_percent() -> None:
    fine = section(64, spacing_um=10.0, seed=4)

    def coarse(field: np.ndarray) -> np.ndarray:
        return np.asarray(field.reshape(32, 2, 32, 2).mean(axis=(1, 3)))

    halved = TissueTransport(
        Grid((32, 32), 20.0), np.ones((32, 32), bool), coarse(fine.target_nmol_per_L), coarse(fine.exchange_per_h)
    )
    for ligand, plasma in ((PEPTIDE, SMALL), (ANTIBODY, SLOW)):
        a, b = (total(run(t, ligand, plasma), "177Lu").mean() for t in (fine, halved))
        assert b == pytest.approx(a, rel=0.01)


def test_progress_rises_to_one_and_may_stop_the_run() -> None:
    seen: list[float] = []
    run(section(8), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(section(8), progress=stop)


def test_snapshots_of_the_end_alone_change_nothing_else() -> None:
    every, last = run(section(13)), run(section(13), snapshots="end")
    assert last.times_h.tolist() == [every.times_h[-1]] and last.steps == every.steps
    for state in ("free", "bound", "internalised"):
        assert np.array_equal(getattr(last, state)[0], getattr(every, state)[-1])
        assert np.array_equal(last.at(every.times_h[-1])[state], getattr(last, state)[0])
    for label, maps in every.time_integrals_nmol_h_per_L.items():
        assert all(np.array_equal(last.time_integral(label)[state], field) for state, field in maps.items())
    assert last.ledgers == every.ledgers
    with pytest.raises(NotComputed, match=r"No snapshot was kept at 1 h; the nearest of 1 is at 480 h"):
        last.at(1.0)
    with pytest.raises(BadInput, match=r"kept of one of \('steps', 'end'\); got 'last'"):
        run(section(13), snapshots="last")
