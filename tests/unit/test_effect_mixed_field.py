"""Several radiations and several cycles at once: closed forms against quadrature, sums and limits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from nichedose.effect import Exposure, cycles_g, g_exponentials, log_survival_mixed, pair_g
from nichedose.errors import BadInput

LN2 = float(np.log(2.0))
BETA = Exposure((0.5, -0.5), (LN2 / 51.0, LN2 / 6.0), 0.147, 0.098)
ALPHA = Exposure((0.02, 0.01), (LN2 / 170.0, LN2 / 20.0), 0.7, 0.05)


def rate(e: Exposure) -> Callable[[float], float]:
    return lambda t: float(sum(a * np.exp(-k * t) for a, k in zip(e.amplitudes_Gy_per_h, e.rates_per_h, strict=True)))


def by_quadrature(one: Exposure, other: Exposure, mu: float, delay: float = 0.0) -> float:
    """G_ij from the two ordered integrals, each with its own running state: no closed form of ours is used."""
    def memory(e: Exposure, start: float, t: float) -> float:
        span = t - start
        if span <= 0.0:
            return 0.0
        low = max(0.0, span - 60.0 / mu)  # what came earlier is repaired
        return quad(lambda s: rate(e)(s) * np.exp(-mu * (span - s)), low, span, epsabs=0, epsrel=1e-9, limit=200)[0]

    def both(t: float) -> float:
        later = rate(other)(t - delay) if t > delay else 0.0
        return later * memory(one, 0.0, t) + rate(one)(t) * memory(other, delay, t)

    edges = np.concatenate([[0.0], np.geomspace(0.5, 3000.0, 30), [delay, delay + 1.0, delay + 10.0]])
    edges = np.unique(edges)
    total = sum(quad(both, a, b, epsabs=0, epsrel=1e-7, limit=100)[0] for a, b in pairwise(edges))
    return total / (one.dose_Gy * other.dose_Gy)


@pytest.mark.parametrize(("one", "other"), [(BETA, BETA), (ALPHA, BETA), (BETA, ALPHA)])
def test_pair_against_quadrature(one: Exposure, other: Exposure) -> None:
    assert pair_g(one, other, LN2 / 1.9) == pytest.approx(by_quadrature(one, other, LN2 / 1.9), rel=1e-6)


def test_delayed_pair_against_quadrature() -> None:
    mu = LN2 / 12.0
    ours = pair_g(BETA, ALPHA, mu, second_starts_h=30.0)
    assert ours == pytest.approx(by_quadrature(BETA, ALPHA, mu, 30.0), rel=1e-6)


def test_one_radiation_is_the_lea_catcheside_factor() -> None:
    for mu, w in ((0.3, (1.0,)), ((0.2, 2.0), (0.6, 0.4))):
        assert pair_g(BETA, BETA, mu, w) == pytest.approx(
            g_exponentials(BETA.amplitudes_Gy_per_h, BETA.rates_per_h, mu, w), rel=1e-12)


def test_two_repair_rates_are_the_mean_of_each() -> None:
    both = pair_g(ALPHA, BETA, (0.2, 2.0), (0.7, 0.3))
    assert both == pytest.approx(0.7 * pair_g(ALPHA, BETA, 0.2) + 0.3 * pair_g(ALPHA, BETA, 2.0), rel=1e-12)


def test_splitting_one_radiation_changes_nothing() -> None:
    halves = [Exposure((0.25, -0.25), BETA.rates_per_h, 0.147, 0.098)] * 2
    assert log_survival_mixed(halves, 0.3) == pytest.approx(log_survival_mixed([BETA], 0.3), rel=1e-12)
    assert log_survival_mixed(halves, 0.3, synergy=False) > log_survival_mixed(halves, 0.3)


def test_acute_synergy_as_printed() -> None:
    """Alpha/beta 3 Gy, 2 Gy high LET with RBE 5 and 10 Gy low LET, equal beta: 13.3 Gy of BED on 54.7."""
    acute = 1e7  # 1/h: no time for repair
    low = Exposure((10.0 * acute,), (acute,), 0.3, 0.1)
    high = Exposure((2.0 * acute,), (acute,), 1.5, 0.1)
    alone = -log_survival_mixed([low, high], 0.4, synergy=False) / 0.3
    together = -log_survival_mixed([low, high], 0.4) / 0.3
    assert alone == pytest.approx(54.7, abs=0.05)
    assert together - alone == pytest.approx(13.3, abs=0.05)


def test_cross_terms_vanish_with_fast_repair_and_stay_without() -> None:
    assert pair_g(ALPHA, BETA, 1e9) == pytest.approx(0.0, abs=1e-9)
    assert pair_g(ALPHA, BETA, 0.0) == pytest.approx(1.0, rel=1e-12)


def test_cycles_far_apart_add() -> None:
    """-ln S of n cycles is n times that of one: n D_n^2 G, that is G of the whole = G of one / n."""
    e = Exposure((1.0,), (LN2 / 51.0,))
    assert cycles_g(e, 6, 1e5, LN2 / 1.9) == pytest.approx(pair_g(e, e, LN2 / 1.9) / 6.0, rel=1e-12)
    six_weeks = cycles_g(e, 6, 1008.0, LN2 / 1.9)
    assert six_weeks * 6.0 / pair_g(e, e, LN2 / 1.9) - 1.0 == pytest.approx(0.0, abs=3e-5)


def test_cycles_at_once_are_one() -> None:
    e = Exposure((1.0, -0.3), (0.02, 0.4))
    assert cycles_g(e, 5, 1e-9, 0.3) == pytest.approx(pair_g(e, e, 0.3), rel=1e-7)


def test_cycles_of_a_slow_label_meet() -> None:
    """225Ac every two weeks: what the tail of one cycle adds to the next, against quadrature."""
    e = Exposure((0.01,), (LN2 / 240.0,))
    mu = LN2 / 1.9
    by_hand = (2 * by_quadrature(e, e, mu) + 2 * by_quadrature(e, e, mu, 336.0)) / 4.0
    assert cycles_g(e, 2, 336.0, mu) == pytest.approx(by_hand, rel=1e-6)
    assert cycles_g(e, 2, 336.0, mu) > 1.3 * pair_g(e, e, mu) / 2.0


def test_equal_rates_of_decay_and_repair() -> None:
    near = pair_g(Exposure((1.0,), (0.3,)), BETA, 0.3 + 1e-8, second_starts_h=20.0)
    assert pair_g(Exposure((1.0,), (0.3,)), BETA, 0.3, second_starts_h=20.0) == pytest.approx(near, rel=1e-5)


def test_no_dose_no_effect() -> None:
    nothing = Exposure((0.0,), (0.1,), 0.3, 0.1)
    assert pair_g(nothing, BETA, 0.3) == 0.0
    assert log_survival_mixed([nothing], 0.3) == 0.0


def test_bad_input() -> None:
    with pytest.raises(BadInput, match="as many finite amplitudes"):
        Exposure((1.0,), (0.1, 0.2))
    with pytest.raises(BadInput, match="must not be negative"):
        Exposure((-1.0,), (0.1,))
    with pytest.raises(BadInput, match="rates above 0"):
        Exposure((1.0,), (0.0,))
    with pytest.raises(BadInput, match="second_starts_h"):
        pair_g(BETA, BETA, 0.3, second_starts_h=-1.0)
    with pytest.raises(BadInput, match="at least one cycle"):
        cycles_g(BETA, 0, 100.0, 0.3)
    with pytest.raises(BadInput, match="interval"):
        cycles_g(BETA, 2, 0.0, 0.3)
    with pytest.raises(BadInput, match="at least one exposure"):
        log_survival_mixed([], 0.3)
