"""Lea-Catcheside factor: closed forms, quadrature, limits, order, and independence of how a history is written down."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import special_ortho_group

from nichedose.dose.result import DoseRateHistory
from nichedose.effect import g_exponentials, lea_catcheside
from nichedose.effect.protraction import _moments
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

LN2 = float(np.log(2.0))
HALF_LIVES_H = (0.5, 3.0, 51.0, 140.0)
ONE = np.ones((1, 1))


def history(times_h: Array, curves: Array, maps_Gy: Array) -> DoseRateHistory:
    """A history from a base curve (first row) and further pairs, normalised as the type asks."""
    return DoseRateHistory(times_h, curves[0], curves[1:], maps_Gy, g_error=0.0)


def one_curve(times_h: Array, amplitudes: tuple[float, ...], rates_per_h: tuple[float, ...]) -> DoseRateHistory:
    a, k = np.array(amplitudes), np.array(rates_per_h)
    rate = (a[:, None] * np.exp(-np.outer(k, times_h))).sum(axis=0) / np.sum(a / k)
    return history(times_h, rate[None], np.empty((0, 1, 1)))


def log_times(n: int, last_h: float = 2400.0) -> Array:
    return np.concatenate([[0.0], np.geomspace(0.1, last_h, n)])


@pytest.mark.parametrize(
    ("effective_h", "repair_h", "expected"),
    [
        (51, 1.9, 0.03592),
        (51, 2.8, 0.05204),
        (40, 2.8, 0.06542),
        (60, 1.5, 0.02439),
        (159.5, 1.9, 0.01177),
        (240, 1.9, 0.00785),
    ],
)
def test_single_exponential_table(effective_h: float, repair_h: float, expected: float) -> None:
    g = g_exponentials([1.0], [LN2 / effective_h], LN2 / repair_h)
    assert g == pytest.approx(repair_h / (repair_h + effective_h), rel=1e-13)
    assert round(g, 5) == expected


@pytest.mark.parametrize(
    ("effective_h", "uptake_h", "repair_h", "expected"),
    [
        (51, 1, 1.9, 0.035679),
        (51, 6, 1.9, 0.033045),
        (51, 12, 1.9, 0.030011),
        (60, 4, 2.8, 0.042947),
    ],
)
def test_uptake_phase_table(effective_h: float, uptake_h: float, repair_h: float, expected: float) -> None:
    g = g_exponentials([1.0, -1.0], [LN2 / effective_h, LN2 / uptake_h], LN2 / repair_h)
    assert round(g, 6) == expected


def test_closed_form_against_quadrature() -> None:
    amplitudes, rates, mu = np.array([2.0, 1.0, -2.5]), np.array([0.2, 0.011, 0.9]), 0.3648

    def unrepaired(t: float) -> float:  # the inner integral, by hand for each exponential
        return float(np.sum(amplitudes * (np.exp(-rates * t) - np.exp(-mu * t)) / (mu - rates)))

    def integrand(t: float) -> float:
        return float(np.sum(amplitudes * np.exp(-rates * t))) * unrepaired(t)

    pieces = [quad(integrand, a, b, epsabs=1e-13, limit=200)[0] for a, b in [(0, 2), (2, 20), (20, 200), (200, 3000)]]
    reference = 2.0 * sum(pieces) / float(np.sum(amplitudes / rates)) ** 2
    assert g_exponentials(amplitudes, rates, mu) == pytest.approx(reference, rel=1e-6)


@pytest.mark.parametrize("mu", [1e-6, 0.05, 0.9, 1.1, 3.0, 40.0, 700.0])
def test_moments_against_quadrature(mu: float) -> None:
    """Both branches (Gauss-Legendre, recursion) against panels of Gauss-Legendre that resolve the exponential."""
    fading, growing, nested = (found[0] for found in _moments(np.array([mu])))
    panels = np.linspace(0.0, 1.0, 201)
    x, w = np.polynomial.legendre.leggauss(12)
    s = (panels[:-1, None] + 0.5 * (x + 1.0) * np.diff(panels)[:, None]).ravel()
    w = np.tile(0.5 * w, 200) / 200
    powers = s[:, None] ** np.arange(4)
    np.testing.assert_allclose(fading, (w * np.exp(-mu * s)) @ powers, rtol=1e-10)
    np.testing.assert_allclose(growing, (w * np.exp(-mu * (1.0 - s))) @ powers, rtol=1e-10)
    inner = np.exp(-mu * s[:, None] * (1.0 - s)) @ (w[:, None] * powers)  # u = s v maps the triangle to the square
    expected = np.einsum("s,sk,sl,sl->kl", w * s, powers, powers, inner)
    np.testing.assert_allclose(nested, expected, rtol=1e-9)


@pytest.mark.parametrize("total_time_h", [0.01, 1.0, 30.0, 3000.0])
def test_constant_rate_is_exact(total_time_h: float) -> None:
    """Lea and Catcheside 1942: G = 2 (x - 1 + exp(-x))/x^2 for a constant rate during T, x = mu T."""
    mu = 0.36
    x = mu * total_time_h
    expected = 2.0 * (x + np.expm1(-x)) / x**2
    times = np.sort(np.concatenate([[0.0, 1.0], np.random.default_rng(1).random(17)])) * total_time_h
    flat = history(times, np.full((1, 19), 1.0 / total_time_h), np.empty((0, 1, 1)))
    # x + expm1(-x) itself loses digits for small x, hence 1e-10
    assert lea_catcheside(flat, ONE, mu)[0, 0] == pytest.approx(expected, rel=1e-10 / min(x, 1.0))


@pytest.mark.parametrize("half_life_h", HALF_LIVES_H)
@pytest.mark.parametrize("repair_h", [0.3, 1.9, 20.0])
def test_history_against_closed_form(half_life_h: float, repair_h: float) -> None:
    """60 log-spaced times to 100 d, the first interval 0 to 0.1 h: within 1e-3 for an uptake of 0.25 h and slower."""
    amplitudes, rates = (1.0, -1.0), (LN2 / half_life_h, LN2 / (0.5 * half_life_h))
    got = lea_catcheside(one_curve(log_times(60), amplitudes, rates), ONE, LN2 / repair_h)[0, 0]
    assert got == pytest.approx(g_exponentials(amplitudes, rates, LN2 / repair_h), rel=1e-3)


def test_order_of_convergence_in_time() -> None:
    """Cubic between the times: fourth order. Also below 1e-6 where the times are dense."""
    amplitudes, rates, mu = (1.0, -1.0), (LN2 / 51.0, LN2 / 4.0), 0.36
    exact = g_exponentials(amplitudes, rates, mu)
    errors = [
        abs(float(lea_catcheside(one_curve(log_times(n), amplitudes, rates), ONE, mu)[0, 0]) / exact - 1)
        for n in (40, 80, 160, 320)
    ]
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert np.all(orders > 3.5), (errors, orders)
    assert errors[-1] < 1e-6


def random_history(rng: np.random.Generator) -> tuple[DoseRateHistory, Array]:
    """Voxels whose dose rates are mixtures of four exponentials, written as base + pairs with zero integral."""
    times = log_times(60)
    rates = LN2 / np.array([2.0, 10.0, 60.0, 150.0])
    unit = rates[:, None] * np.exp(-np.outer(rates, times))
    shares = rng.dirichlet(np.ones(4), size=(3, 5))
    dose = rng.uniform(0.5, 3.0, size=(3, 5))
    base_shares = np.array([0.1, 0.2, 0.4, 0.3])
    maps = np.moveaxis(dose[..., None] * (shares - base_shares), -1, 0)[:3]
    curves = np.vstack([(base_shares @ unit)[None], unit[:3] - unit[3]])
    expected = [[g_exponentials(s * rates, rates, 0.36) for s in row] for row in shares]
    return history(times, curves, maps), np.stack([dose, np.array(expected)])


def test_pairs_give_each_voxel_its_own_g() -> None:
    made, (dose, expected) = random_history(np.random.default_rng(3))
    got = lea_catcheside(made, dose, 0.36)
    np.testing.assert_allclose(got, expected, rtol=2e-4)
    assert got.shape == dose.shape and np.ptp(got) > 0.01


def test_scale_free_and_independent_of_the_basis() -> None:
    made, (dose, _) = random_history(np.random.default_rng(4))
    g = lea_catcheside(made, dose, 0.36)
    scaled = DoseRateHistory(made.times_h, made.base_per_h, made.curves_per_h, 1e-5 * made.maps_Gy, 0.0)
    np.testing.assert_allclose(lea_catcheside(scaled, 1e-5 * dose, 0.36), g, rtol=1e-12)
    turn = special_ortho_group.rvs(3, random_state=5)
    turned = DoseRateHistory(
        made.times_h, made.base_per_h, turn @ made.curves_per_h, np.tensordot(turn, made.maps_Gy, axes=1), 0.0
    )
    np.testing.assert_allclose(lea_catcheside(turned, dose, 0.36), g, rtol=1e-10)


def test_limits_and_monotonicity() -> None:
    made, (dose, _) = random_history(np.random.default_rng(6))
    np.testing.assert_allclose(lea_catcheside(made, dose, 0.0), 1.0, rtol=1e-12)  # no repair
    previous = np.ones(dose.shape)
    for mu in (1e-3, 1e-2, 0.1, 1.0, 10.0, 1e4):
        g = lea_catcheside(made, dose, mu)
        assert np.all((g >= 0.0) & (g < previous))
        previous = g
    assert np.all(previous < 1e-3)
    acute = history(np.linspace(0.0, 1e-4, 5), np.full((1, 5), 1e4), np.empty((0, 1, 1)))
    assert lea_catcheside(acute, ONE, 0.36)[0, 0] == pytest.approx(1.0, abs=2e-5)


def test_slow_delivery_spares() -> None:
    values = [g_exponentials([1.0], [LN2 / t], 0.36) for t in (1.0, 10.0, 60.0, 240.0)]
    assert values == sorted(values, reverse=True)


def test_zero_dose_voxel_has_the_base_g() -> None:
    made, (dose, _) = random_history(np.random.default_rng(7))
    dose, maps = dose.copy(), made.maps_Gy.copy()
    dose[0, 0], maps[:, 0, 0] = 0.0, 0.0
    dark = DoseRateHistory(made.times_h, made.base_per_h, made.curves_per_h, maps, 0.0)
    alone = history(made.times_h, made.base_per_h[None], np.empty((0, 1, 1)))
    expected = lea_catcheside(alone, ONE, 0.36)[0, 0]
    assert lea_catcheside(dark, dose, 0.36)[0, 0] == pytest.approx(expected, rel=1e-13)


def test_two_repair_rates_are_a_weighted_mean() -> None:
    made, (dose, _) = random_history(np.random.default_rng(8))
    both = lea_catcheside(made, dose, (0.1, 2.0), (0.3, 0.7))
    apart = 0.3 * lea_catcheside(made, dose, 0.1) + 0.7 * lea_catcheside(made, dose, 2.0)
    np.testing.assert_allclose(both, apart, rtol=1e-12)
    assert g_exponentials([1.0], [0.01], (0.1, 2.0), (0.3, 0.7)) == pytest.approx(0.3 * 0.01 / 0.11 + 0.7 * 0.01 / 2.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base_per_h": np.full(61, 1e-6)}, "it must be 1"),
        ({"times_h": np.linspace(1.0, 0.0, 61)}, "increasing"),
        ({"maps_Gy": np.zeros((2, 3, 5))}, "one map per curve"),
        ({"curves_per_h": np.full((3, 61), np.nan)}, "finite"),
    ],
)
def test_bad_history(change: dict[str, Array], message: str) -> None:
    made, (dose, _) = random_history(np.random.default_rng(9))
    parts = {name: getattr(made, name) for name in ("times_h", "base_per_h", "curves_per_h", "maps_Gy")} | change
    with pytest.raises(BadInput, match=message):
        lea_catcheside(DoseRateHistory(**parts, g_error=0.0), dose, 0.36)


def test_bad_repair_and_exponentials() -> None:
    made, (dose, _) = random_history(np.random.default_rng(9))
    for rates, weights in [
        ((-0.1,), (1.0,)),
        ((0.1, 0.2), (1.0,)),
        ((0.1, 0.2), (0.5, 0.6)),
        ((0.1, 0.2), (1.5, -0.5)),
    ]:
        with pytest.raises(BadInput, match="Repair"):
            lea_catcheside(made, dose, rates, weights)
    with pytest.raises(BadInput, match="above 0 per h"):
        g_exponentials([1.0], [0.0], 0.36)
    with pytest.raises(BadInput, match="above 0"):
        g_exponentials([-1.0], [0.1], 0.36)
