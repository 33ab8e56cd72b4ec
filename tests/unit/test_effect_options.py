"""Options of the survival model: repopulation, cells within a voxel, alpha RBE, control, harm, shifts, bystanders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from nichedose.dose import hit_statistics
from nichedose.dose.alphas import alpha_stopping_keV_per_um
from nichedose.effect import (
    Bystander,
    DoseSpread,
    LymanCurve,
    Repopulation,
    bed,
    bystander_log_survival,
    chain_rbe,
    dose_for_ntcp,
    dose_spread,
    effective_time_h,
    equivalent_uniform_dose,
    fewest_left,
    generalised_eud,
    hits_alpha_per_Gy,
    log_kill_for_control,
    log_mean_course,
    ntcp,
    nucleus_per_Gy,
    organ_harm,
    rbe_by_energy,
    rbe_by_let,
    repopulation_loss_Gy,
    scale_for_log_kill,
    sensitivity_factor,
    tcp_birth_death,
    tcp_population,
)
from nichedose.errors import BadInput, NotComputed
from nichedose.library import load_library
from nichedose.nuclide import Lines
from nichedose.values import Draw

LN2 = float(np.log(2.0))

# Repopulation ---------------------------------------------------------------------------------------------------------


def test_the_lowest_point_is_where_kill_meets_growth() -> None:
    """d ln N/dt = growth - alpha rate exp(-k t), integrated: lowest at T*; the loss is growth x T*/alpha."""
    alpha, rate, k, growth = 0.147, 0.6, LN2 / 51.0, Repopulation(480.0)
    run = solve_ivp(lambda t, n: growth.rate_per_h - alpha * rate * np.exp(-k * t), (0, 1500), [0.0],
                    rtol=1e-10, atol=1e-12, dense_output=True)
    t = np.linspace(0, 1500, 300001)
    n = run.sol(t)[0]
    at = float(effective_time_h(alpha * rate, k, growth))
    assert t[n.argmin()] == pytest.approx(at, abs=0.02)
    killed = alpha * rate / k * (1.0 - np.exp(-k * at))
    loss = float(repopulation_loss_Gy(rate, k, alpha, growth))
    assert n.min() == pytest.approx(-killed + alpha * loss, abs=1e-6)


def test_growth_that_always_wins_loses_no_dose_that_counts() -> None:
    assert float(effective_time_h(1e-6, 0.01, Repopulation(100.0))) == 0.0
    assert float(repopulation_loss_Gy(1e-6, 0.01, 0.1, Repopulation(100.0))) == 0.0
    assert float(repopulation_loss_Gy(1.0, 0.01, 0.1, Repopulation(100.0, starts_h=1e6))) == 0.0


def test_fewest_clonogens_of_a_course() -> None:
    times = 1000.0 * np.arange(3)
    strong, weak = -3.0 * np.arange(1, 4), -0.1 * np.arange(1, 4)
    assert fewest_left(strong, times, Repopulation(1e12)) == (2, pytest.approx(0.0, abs=1e-8))  # no growth: all cycles
    assert fewest_left(strong, times, Repopulation(1000.0)) == (2, pytest.approx(2.0 * LN2))
    assert fewest_left(weak, times, Repopulation(1000.0)) == (0, 0.0)  # what the first cycle did is all
    assert fewest_left(strong, times, Repopulation(1000.0, starts_h=1500.0)) == (2, pytest.approx(0.5 * LN2))
    assert fewest_left(weak, times, Repopulation(1000.0, starts_h=1500.0))[0] == 1  # before it grows


# Cells within a voxel -------------------------------------------------------------------------------------------------


def one_cycle(pressure: np.ndarray, factor: float) -> np.ndarray:
    return -factor * (1.0 + pressure)


def test_uniform_cells_are_the_plain_model() -> None:
    got = log_mean_course(one_cycle, np.array([[2.0]]), np.ones(1), DoseSpread(), 3, dealt_anew=False)
    assert got[0] == pytest.approx(-9.0)


@pytest.mark.parametrize("cv", [0.01, 0.05, 0.2, 0.5, 0.7, 1.0, 1.5])
def test_gamma_spread_has_its_closed_form(cv: float) -> None:
    """Mean of exp(-a x) over a gamma of mean 1 is (1 + a cv^2)^(-1/cv^2): also where nearly all cells are killed."""
    spread = dose_spread(cv)
    for a in (0.3, 1.0, 3.0, 10.0, 40.0, 200.0, 1000.0):
        got = log_mean_course(lambda p, f, a=a: np.array([-a * f]), np.ones((1, 1)), np.ones(1), spread, 1,
                              dealt_anew=False)[0]
        assert got == pytest.approx(-np.log1p(a * cv**2) / cv**2, abs=1e-3)


def test_spread_has_the_asked_mean_and_width() -> None:
    for cv in (0.05, 0.5, 1.2):
        spread = dose_spread(cv)
        f, w = np.array(spread.factors), np.array(spread.shares)
        assert f @ w == pytest.approx(1.0) and ((f - 1) ** 2 @ w) ** 0.5 == pytest.approx(cv, rel=2e-3)


def test_hypoxic_cells_that_stay_survive_better_than_when_dealt_anew() -> None:
    oxygen, shares = np.array([[0.5], [10.0]]), np.array([0.2, 0.8])
    stay = log_mean_course(one_cycle, oxygen, shares, DoseSpread(), 4, dealt_anew=False)[0]
    anew = log_mean_course(one_cycle, oxygen, shares, DoseSpread(), 4, dealt_anew=True)[0]
    assert stay == pytest.approx(np.log(0.2 * np.exp(-6.0) + 0.8 * np.exp(-44.0)))
    assert anew == pytest.approx(4 * np.log(0.2 * np.exp(-1.5) + 0.8 * np.exp(-11.0)))
    assert stay > anew
    once = [log_mean_course(one_cycle, oxygen, shares, DoseSpread(), 1, dealt_anew=d)[0] for d in (True, False)]
    assert once[0] == pytest.approx(once[1])


# Alpha RBE ------------------------------------------------------------------------------------------------------------


def test_howell_by_energy_and_by_let_agree_at_emission() -> None:
    """Printed: 5.3/7.07/8.785 MeV have 85/70/58.6 keV/um, RBE 6.8/5.4/4.7 by LET and 6.5/5.3/4.5 by energy."""
    energy = np.array([5.3, 7.07, 8.785])
    let = alpha_stopping_keV_per_um(energy)
    np.testing.assert_allclose(let, [85.0, 70.0, 58.6], rtol=0.02)  # ASTAR against MSTAR
    np.testing.assert_allclose(rbe_by_energy(energy), [6.5, 5.3, 4.5], atol=0.05)
    np.testing.assert_allclose(rbe_by_let([85.0, 70.0, 58.6]), [6.8, 5.4, 4.7], atol=0.06)
    assert 4.7 <= chain_rbe(Lines(np.array([5.83, 6.34, 7.07, 8.375]), np.ones(4))) <= 6.1


def test_hits_waste_dose_and_the_waste_can_be_undone() -> None:
    hits = hit_statistics("211At", {"surface": 30.0}, 7.0, 5.0, "equilibrium")
    for intrinsic in (0.5, 2.0):
        shown = hits_alpha_per_Gy(hits, intrinsic)
        assert shown < intrinsic
        assert nucleus_per_Gy(hits, shown) == pytest.approx(intrinsic, rel=1e-9)
    faint = hits_alpha_per_Gy(hits, 1e-4)
    assert faint == pytest.approx(1e-4, rel=1e-3)  # small hits: every Gy counts
    with pytest.raises(BadInput, match="No sensitivity of a nucleus"):
        nucleus_per_Gy(hit_statistics("211At", {"surface": 1.0}, 7.0, 5.0, "equilibrium"), 50.0)


@pytest.mark.parametrize("bad", [0.5, 20.0, float("nan")])
def test_rbe_only_where_it_was_found(bad: float) -> None:
    with pytest.raises(BadInput, match="3 and 9"):
        rbe_by_energy(bad)


# Control, uniform dose, harm ------------------------------------------------------------------------------------------


def test_log_kill_for_control_inverts_poisson() -> None:
    kill = log_kill_for_control(0.9, 1.79e8)
    assert tcp_population(kill, 1.79e8) == pytest.approx(0.9, rel=1e-12)


def test_spread_of_sensitivity_flattens_control() -> None:
    kills = 8.4 * np.exp(0.3 * np.linspace(-2, 2, 41))
    weights = np.exp(-0.5 * np.linspace(-2, 2, 41) ** 2)
    low, high = (tcp_population(k * kills, 1.79e8, list(weights)) for k in (0.8, 1.3))
    assert low > tcp_population(0.8 * 8.4, 1.79e8) and high < tcp_population(1.3 * 8.4, 1.79e8)


def test_scale_for_log_kill_and_what_cannot_be_reached() -> None:
    assert scale_for_log_kill(lambda x: 0.1 * x, 8.0, 10.0) == pytest.approx(80.0)
    with pytest.raises(NotComputed, match="Some clonogens receive none"):
        scale_for_log_kill(lambda x: 2.0 * (1.0 - np.exp(-x)), 8.0)


def test_birth_and_death_limits() -> None:
    """At once: Poisson. Without loss: Poisson for ever. Loss above birth: control comes with time."""
    assert tcp_birth_death(0.7, 0.01, 0.005, 0.0) == pytest.approx(np.exp(-0.7))
    assert tcp_birth_death(0.7, 0.01, 0.0, 1e4) == pytest.approx(np.exp(-0.7))
    assert tcp_birth_death(50.0, 0.01, 0.02, 1e5) == pytest.approx(1.0)
    assert tcp_birth_death(0.7, 0.02, 0.01, 1e6) == pytest.approx(np.exp(-0.7 * 0.5), rel=1e-6)  # d/b lines die out
    same = tcp_birth_death(0.7, 0.01, 0.01, 500.0)
    assert same == pytest.approx(tcp_birth_death(0.7, 0.01, 0.01 * (1 + 1e-7), 500.0), rel=1e-5)


def test_uniform_dose_of_a_uniform_dose_is_itself() -> None:
    g, alpha, ratio = 0.036, 0.147, 1.5
    logs = -alpha * np.asarray(bed(np.full(5, 30.0), g, ratio))
    assert equivalent_uniform_dose(logs, np.ones(5), alpha, ratio, g) == pytest.approx(30.0, rel=1e-12)
    uneven = -alpha * np.asarray(bed(np.array([0.0, 60.0]), g, ratio))
    assert equivalent_uniform_dose(uneven, np.ones(2), alpha, ratio, g) < 10.0  # a cold half rules


def test_generalised_eud_limits() -> None:
    dose, volume = np.array([5.0, 10.0, 40.0]), np.array([2.0, 1.0, 1.0])
    assert generalised_eud(dose, volume, 1.0) == pytest.approx(15.0)
    assert generalised_eud(dose, volume, 500.0) == pytest.approx(40.0, rel=0.01)
    assert generalised_eud(dose, volume, -500.0) == pytest.approx(5.0, rel=0.01)
    assert generalised_eud(np.array([0.0, 10.0]), np.ones(2), -2.0) == 0.0
    with pytest.raises(BadInput, match="exponent"):
        generalised_eud(dose, volume, 0.0)


def test_parotid_as_published() -> None:
    """Michigan and Utrecht 2010 (pubmed 20056347): D50 39.9 Gy, m 0.40; mean doses of 25-30 Gy go with 17-26 %.

    26.8 % at 30 Gy: the abstract cuts where it rounds.
    """
    parotid = LymanCurve(39.9, 0.40)
    assert ntcp(25.0, parotid) == pytest.approx(0.17, abs=0.01)
    assert ntcp(30.0, parotid) == pytest.approx(0.26, abs=0.01)
    assert ntcp(39.9, parotid) == pytest.approx(0.5)
    assert dose_for_ntcp(ntcp(26.0, parotid), parotid) == pytest.approx(26.0)
    assert dose_for_ntcp(1e-6, parotid) == 0.0


def test_harm_comes_with_what_is_known_of_it() -> None:
    curves = load_library().harm
    parotid = organ_harm("parotid", 26.0, curves)
    assert parotid.probability == pytest.approx(0.192, abs=1e-3) and "fractions" in parotid.quantity
    drawn = {organ_harm("kidney", 23.0, curves, Draw(seed=1, index=i)).probability for i in range(5)}
    assert len(drawn) == 5  # the slope is not known
    with pytest.raises(BadInput, match="Did you mean 'kidney'"):
        organ_harm("kidneys", 10.0, curves)
    with pytest.raises(BadInput, match="not negative"):
        organ_harm("kidney", -1.0, curves)


def test_shifts_and_bystanders() -> None:
    assert sensitivity_factor(np.array([10.0]), 0.2)[0] == pytest.approx(np.exp(-0.6))  # an outlier counts as 3 sd
    with pytest.raises(BadInput, match="NaN"):
        sensitivity_factor(np.array([np.nan]), 0.2)
    logs = bystander_log_survival(np.array([0.0, 1.0, 100.0]), Bystander(0.3, 1.0))
    np.testing.assert_allclose(np.exp(logs), [1.0, 1.0 - 0.3 * (1 - np.exp(-1)), 0.7], rtol=1e-12)


@pytest.mark.parametrize("call", [
    lambda: Repopulation(0.0), lambda: Repopulation(float("nan")), lambda: Repopulation(10.0, -1.0),
    lambda: effective_time_h(-1.0, 0.1, Repopulation(10.0)), lambda: effective_time_h(1.0, 0.0, Repopulation(10.0)),
    lambda: fewest_left([], [], Repopulation(10.0)), lambda: fewest_left([-1.0], [0.0, 1.0], Repopulation(10.0)),
    lambda: dose_spread(-0.1), lambda: dose_spread(2.0),
    lambda: DoseSpread((1.0, 2.0), (0.5, 0.5)), lambda: DoseSpread((1.0,), (0.5,)),
    lambda: log_mean_course(one_cycle, np.ones((2, 1)), np.ones(1), DoseSpread(), 1, dealt_anew=True),
    lambda: log_kill_for_control(1.0, 1e8), lambda: log_kill_for_control(0.5, 0.0),
    lambda: scale_for_log_kill(lambda x: x, -1.0), lambda: tcp_population([1.0], 0.0),
    lambda: tcp_population([1.0, 2.0], 1e8, [1.0]), lambda: tcp_birth_death(1.0, -1.0, 0.0, 1.0),
    lambda: generalised_eud([1.0], [1.0, 2.0], 1.0), lambda: generalised_eud([-1.0], [1.0], 1.0),
    lambda: LymanCurve(0.0, 0.1), lambda: ntcp(float("nan"), LymanCurve(20.0, 0.1)),
    lambda: dose_for_ntcp(0.0, LymanCurve(20.0, 0.1)), lambda: sensitivity_factor(np.zeros(1), 5.0),
    lambda: Bystander(1.0, 1.0), lambda: Bystander(0.1, 0.0),
    lambda: bystander_log_survival(np.array([-1.0]), Bystander(0.1, 1.0)), lambda: rbe_by_let(10.0),
    lambda: chain_rbe(Lines(np.empty(0), np.empty(0))),
])
def test_bad_input(call: object) -> None:
    with pytest.raises(BadInput):
        call()  # type: ignore[operator]
