"""Regions: sum first, logarithm afterwards, without underflow; worst decile; histograms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import trapezoid

from nichedose.effect import (
    dose_volume_histogram,
    equivalent_uniform_bed,
    region_effect,
    survival_histogram,
    tcp,
)
from nichedose.errors import BadInput, NotComputed
from nichedose.fields.grid import Array

LN10 = float(np.log(10.0))
POSITIVE, NEGATIVE = "target-positive", "target-negative"


def sample(seed: int = 1, shape: tuple[int, int] = (12, 9)) -> tuple[dict[str, Array], dict[str, Array]]:
    rng = np.random.default_rng(seed)
    logs = {POSITIVE: -rng.uniform(1, 20, shape), NEGATIVE: -rng.uniform(0, 5, shape)}
    return logs, {POSITIVE: rng.uniform(0, 3, shape), NEGATIVE: rng.uniform(0, 1, shape)}


def test_sum_first_then_logarithm() -> None:
    logs, numbers = sample()
    effect = region_effect(logs, numbers)
    alive = sum(float(np.sum(numbers[k] * np.exp(logs[k]))) for k in logs)
    total = sum(float(n.sum()) for n in numbers.values())
    assert effect.log_kill == pytest.approx(-np.log10(alive / total), rel=1e-12)
    assert effect.mean_survival == pytest.approx(alive / total, rel=1e-12)
    for name, kill in effect.log_kill_by_class.items():
        expected = np.sum(numbers[name] * np.exp(logs[name])) / numbers[name].sum()
        assert kill == pytest.approx(-np.log10(expected), rel=1e-12)


def test_survivors_of_a_region_are_those_of_its_parts() -> None:
    logs, numbers = sample()
    left = np.zeros((12, 9), bool)
    left[:, :4] = True
    whole = region_effect(logs, numbers)
    parts = [region_effect(logs, numbers, region=r) for r in (left, ~left)]
    weights = [sum(float(n[r].sum()) for n in numbers.values()) for r in (left, ~left)]
    pooled = np.average([p.mean_survival for p in parts], weights=weights)
    assert whole.mean_survival == pytest.approx(float(pooled), rel=1e-12)


def test_uniform_field() -> None:
    effect = region_effect({"all": np.full((4, 4), -3.0 * LN10)}, {"all": np.ones((4, 4))})
    assert effect.log_kill == pytest.approx(3.0) and effect.worst_decile_survival == pytest.approx(1e-3)


def test_no_underflow() -> None:
    """Survivals of 1e-300 and far below are as good as any others."""
    logs = {"all": np.array([-900.0, -901.0, -5000.0]) * LN10}
    effect = region_effect(logs, {"all": np.ones(3)})
    assert effect.log_kill == pytest.approx(900.0 - np.log10(1.1 / 3.0), rel=1e-12)
    assert effect.mean_survival == 0.0 and effect.log_worst_decile_survival == pytest.approx(-900.0 * LN10)
    assert tcp(effect.log_kill, 1e5, 1e5) == 1.0
    shifted = region_effect({"all": logs["all"] - 7.0 * LN10}, {"all": np.ones(3)})
    assert shifted.log_kill == pytest.approx(effect.log_kill + 7.0, rel=1e-12)


def test_worst_decile() -> None:
    """Ten voxels: the best survivor alone; with unequal clonogens the last voxel counts in part."""
    logs = np.log(np.arange(1, 11) / 100.0)
    assert region_effect({"a": logs}, {"a": np.ones(10)}).worst_decile_survival == pytest.approx(0.10)
    numbers = np.ones(10)
    numbers[-1] = 0.5  # 0.95 clonogens: 0.5 at 0.10 and 0.45 at 0.09
    got = region_effect({"a": logs}, {"a": numbers}).worst_decile_survival
    assert got == pytest.approx((0.5 * 0.10 + 0.45 * 0.09) / 0.95)


@pytest.mark.parametrize("seed", range(5))
def test_worst_decile_is_not_below_the_mean(seed: int) -> None:
    logs, numbers = sample(seed)
    effect = region_effect(logs, numbers)
    assert effect.worst_decile_survival >= effect.mean_survival
    assert effect.worst_decile_survival <= float(np.exp(max(v.max() for v in logs.values())))


def test_invariances() -> None:
    """Splitting voxels, the unit of clonogens, the order of voxels and how classes are cut change nothing."""
    logs, numbers = sample()
    effect = region_effect(logs, numbers)
    split = region_effect(
        {k: np.repeat(v.ravel(), 4) for k, v in logs.items()},
        {k: np.repeat(v.ravel(), 4) / 4 for k, v in numbers.items()},
    )
    scaled = region_effect(logs, {k: 1e9 * v for k, v in numbers.items()})
    order = np.random.default_rng(0).permutation(108)
    shuffled = region_effect(
        {k: v.ravel()[order] for k, v in logs.items()}, {k: v.ravel()[order] for k, v in numbers.items()}
    )
    pooled = region_effect({"all": np.stack(list(logs.values()))}, {"all": np.stack(list(numbers.values()))})
    for other in (split, scaled, shuffled, pooled):
        assert other.log_kill == pytest.approx(effect.log_kill, rel=1e-12)
        assert other.log_worst_decile_survival == pytest.approx(effect.log_worst_decile_survival, rel=1e-10)


def test_voxels_without_clonogens_do_not_count() -> None:
    logs, numbers = {"a": np.array([-1.0, 0.0])}, {"a": np.array([1.0, 0.0])}
    assert region_effect(logs, numbers).log_kill == pytest.approx(1.0 / LN10)
    logs["empty"], numbers["empty"] = np.array([-1.0, -2.0]), np.zeros(2)
    effect = region_effect(logs, numbers)
    assert set(effect.log_kill_by_class) == {"a"}


def test_tcp_is_the_product_over_voxels() -> None:
    logs = {"a": np.log(np.array([1e-6, 3e-6, 2e-5]))}
    numbers = {"a": np.array([2e5, 1e5, 3e4])}
    product = float(np.prod(np.exp(-numbers["a"] * np.exp(logs["a"]))))
    density = float(numbers["a"].sum()) / 10.0
    assert tcp(region_effect(logs, numbers).log_kill, 10.0, density) == pytest.approx(product, rel=1e-12)


def test_equivalent_uniform_bed() -> None:
    beds = np.array([10.0, 30.0])
    eubed = equivalent_uniform_bed(-0.2 * beds, np.ones(2), 0.2)
    assert eubed == pytest.approx(-np.log(np.mean(np.exp(-0.2 * beds))) / 0.2) and beds.min() < eubed < beds.mean()
    assert equivalent_uniform_bed(np.full(4, -0.2 * 7.0), np.ones(4), 0.2) == pytest.approx(7.0)


def test_errors() -> None:
    logs, numbers = sample()
    with pytest.raises(NotComputed, match="No clonogens"):
        region_effect(logs, {k: np.zeros_like(v) for k, v in numbers.items()})
    with pytest.raises(NotComputed, match="No clonogens"):
        region_effect(logs, numbers, region=np.zeros((12, 9), bool))
    with pytest.raises(BadInput, match="name the same"):
        region_effect(logs, {POSITIVE: numbers[POSITIVE]})
    with pytest.raises(BadInput, match="shape"):
        region_effect({"a": np.zeros(3)}, {"a": np.ones(4)})
    with pytest.raises(BadInput, match="above 1"):
        region_effect({"a": np.array([0.5])}, {"a": np.ones(1)})
    with pytest.raises(BadInput, match="not negative"):
        region_effect({"a": np.array([-0.5])}, {"a": -np.ones(1)})


def test_dose_volume_histogram() -> None:
    dose = np.array([[0.0, 1.0], [2.0, 3.0]])
    edges = np.array([0.0, 0.5, 1.0, 2.5, 3.0, 3.1])
    np.testing.assert_allclose(dose_volume_histogram(dose, edges), [1, 0.75, 0.75, 0.25, 0.25, 0])
    weighted = dose_volume_histogram(dose, np.array([0.0, 1.5]), weights=np.array([[1.0, 1.0], [1.0, 5.0]]))
    np.testing.assert_allclose(weighted, [1.0, 0.75])
    edges = np.linspace(0.0, 5.0, 2001)
    values = np.random.default_rng(1).uniform(0, 5, 500)
    area = trapezoid(dose_volume_histogram(values, edges), edges)
    assert area == pytest.approx(values.mean(), rel=1e-3)  # the area under it is the mean dose
    with pytest.raises(BadInput):
        dose_volume_histogram(dose, edges, weights=np.zeros((2, 2)))


def test_survival_histogram() -> None:
    logs, numbers = sample()
    edges = np.linspace(-8.0, 0.0, 17)
    shares = survival_histogram(logs, numbers, edges)
    assert shares.shape == (16,) and shares.sum() == pytest.approx(1.0)
    far = np.array([-1.0, -200.0]) * LN10
    one = survival_histogram({"a": far}, {"a": np.array([3.0, 1.0])}, np.array([-8.0, -4.0, 0.0]))
    np.testing.assert_allclose(one, [0.25, 0.75])  # what lies below the first edge counts in the first bin
    with pytest.raises(NotComputed):
        survival_histogram(logs, {k: np.zeros_like(v) for k, v in numbers.items()}, edges)
