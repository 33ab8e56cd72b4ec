"""Ranking over joint draws, its certainty, and which inputs decide."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.decide import deciding_inputs, noise_floor, non_dominated, probability_interval, rank
from nichedose.errors import BadInput, NotComputed

NAN = float("nan")


def test_order_and_probabilities_by_hand() -> None:
    got = rank(
        {"a": np.array([1.0, 2.0, 3.0, 0.0]), "b": np.array([2.0, 1.0, 4.0, 5.0]), "c": np.array([0.0, 0.0, 0.0, 1.0])}
    )
    assert got.order == ("b", "a", "c") and got.n_draws == 4
    assert [c.rank for c in got.candidates] == [1, 2, 3]
    assert got["b"].median == 3.0 and got["a"].median == 1.5
    assert got["b"].probability_best == 0.75 and got["a"].probability_best == 0.25 and got["c"].probability_best == 0.0
    assert got["b"].standard_error == pytest.approx(np.sqrt(0.75 * 0.25 / 4))
    assert got["b"].expected_regret == pytest.approx(1 / 4) and got["a"].expected_regret == pytest.approx(
        (1 + 0 + 1 + 5) / 4
    )
    assert got.probability_beats("a", "b") == 0.25 and got.probability_beats("c", "a") == 0.25


def test_probabilities_sum_to_one_and_ties_are_shared() -> None:
    rng = np.random.default_rng(1)
    got = rank({name: np.round(rng.normal(size=200), 0) for name in "abcd"})
    assert sum(c.probability_best or 0.0 for c in got.candidates) == pytest.approx(1.0)
    np.testing.assert_allclose(got.beats + got.beats.T, 1.0)
    same = rank({"a": np.ones(8), "b": np.ones(8)})
    assert [c.probability_best for c in same.candidates] == [0.5, 0.5] and [c.rank for c in same.candidates] == [1, 1]
    assert same.probability_beats("a", "b") == 0.5 and same["a"].expected_regret == 0.0


def test_joint_draws_count_not_margins() -> None:
    """A small but constant gain wins in every draw, however wide the shared scatter."""
    shared = np.random.default_rng(2).normal(0, 10, 64)
    got = rank({"a": shared, "b": shared + 0.01})
    assert got["b"].probability_best == 1.0 and got["a"].expected_regret == pytest.approx(0.01)


def test_certainty_is_not_claimed() -> None:
    interval = rank({"a": np.arange(32.0), "b": np.arange(32.0) - 1.0})["a"].interval
    assert interval is not None and interval[0] == pytest.approx(0.925, abs=1e-3) and interval[1] == 1.0
    low, high = probability_interval(0.0, 32)
    assert low == 0.0 and high == pytest.approx(1.0 - interval[0])
    with pytest.raises(BadInput):
        probability_interval(0.5, 0)


def test_interval_covers() -> None:
    """The Jeffreys interval holds the truth in about 95 % of repetitions (mean over p; 93-97 % allowed)."""
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.02, 0.98, 3000)
    hits = rng.binomial(32, truth)
    table = {k: probability_interval(k / 32, 32) for k in range(33)}
    covered = [table[int(k)][0] <= p <= table[int(k)][1] for k, p in zip(hits, truth, strict=True)]
    assert 0.93 < np.mean(covered) < 0.97


def test_not_evaluable_in_some_draws() -> None:
    got = rank({"a": np.array([1.0, 1.0, NAN, NAN]), "b": np.array([0.0, 2.0, 3.0, NAN]), "c": np.full(4, NAN)})
    assert got.order == ("b", "a", "c")
    assert got["a"].probability_best == pytest.approx(1 / 3) and got["b"].probability_best == pytest.approx(2 / 3)
    assert got["a"].evaluable_fraction == 0.5 and got["a"].expected_regret == 0.5
    never = got["c"]
    assert (
        never.rank is None
        and never.median is None
        and never.probability_best is None
        and never.evaluable_fraction == 0.0
    )
    assert np.isnan(got.probability_beats("a", "c"))


def test_one_candidate_none_evaluable_no_draws() -> None:
    one = rank({"a": np.array([1.0, 2.0])})
    assert one["a"].rank == 1 and one["a"].probability_best == 1.0
    none = rank({"a": np.array([NAN]), "b": np.array([NAN])})
    assert all(c.rank is None for c in none.candidates)
    central = rank({"a": np.empty(0), "b": np.empty(0), "c": np.empty(0)}, central={"a": 1.0, "b": 2.0, "c": NAN})
    assert central.order == ("b", "a", "c") and central["b"].probability_best is None and central["c"].rank is None
    assert central["b"].median == 2.0 and central.n_draws == 0


def test_ranking_is_invariant_to_a_shared_shift_and_to_order() -> None:
    rng = np.random.default_rng(4)
    samples = {name: rng.normal(size=50) for name in "abc"}
    base = rank(samples)
    shifted = rank({k: v + 7.0 for k, v in samples.items()})
    turned = rank(dict(reversed(samples.items())))
    for name in "abc":
        assert base[name].probability_best == shifted[name].probability_best == turned[name].probability_best
        assert base[name].expected_regret == pytest.approx(shifted[name].expected_regret)
    assert base.order == shifted.order == turned.order


def test_bad_samples() -> None:
    with pytest.raises(BadInput, match="no candidate"):
        rank({})
    with pytest.raises(BadInput, match="one value per draw"):
        rank({"a": np.ones(3), "b": np.ones(4)})
    with pytest.raises(BadInput, match="infinite"):
        rank({"a": np.array([np.inf])})
    with pytest.raises(NotComputed, match="Did you mean 'alpha'"):
        rank({"alpha": np.ones(2)})["alhpa"]


def test_non_dominated() -> None:
    gain = {"a": 3.0, "b": 2.0, "c": 2.0, "d": 1.0, "e": NAN}
    burden = {"a": 9.0, "b": 5.0, "c": 6.0, "d": 5.0, "e": 0.0}
    assert non_dominated(gain, burden) == ("a", "b")
    assert non_dominated({"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 2.0}) == ("a", "b")  # equals do not beat each other
    assert non_dominated({}, {}) == ()
    with pytest.raises(BadInput, match="same candidates"):
        non_dominated({"a": 1.0}, {"b": 1.0})


def test_deciding_inputs_finds_what_decides() -> None:
    rng = np.random.default_rng(5)
    inputs = {f"idle.{i}": rng.lognormal(size=256) for i in range(20)}
    inputs["strong"], inputs["weak"], inputs["fixed"] = rng.normal(size=256), rng.normal(size=256), np.full(256, 2.0)
    found = deciding_inputs(inputs, np.exp(3.0 * inputs["strong"]) - 5.0 * inputs["weak"])
    names = [key for key, _ in found]
    assert names[:2] == ["strong", "weak"] and "fixed" not in names
    floor = noise_floor(256, len(inputs))
    assert found[1][1] > floor > found[2][1]
    monotone = dict(deciding_inputs({"x": inputs["strong"]}, inputs["strong"] ** 3))
    assert monotone["x"] == pytest.approx(1.0)


def test_noise_floor_holds_under_the_null() -> None:
    """Without any effect the largest of 30 inputs stays below the floor in about 95 % of 400 trials (3 sd)."""
    rng = np.random.default_rng(6)
    floor = noise_floor(32, 30)
    tops = [
        deciding_inputs({str(i): rng.normal(size=32) for i in range(30)}, rng.normal(size=32))[0][1] for _ in range(400)
    ]
    assert abs(np.mean(np.array(tops) < floor) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 400)


def test_deciding_inputs_without_enough_to_go_on() -> None:
    x = np.arange(10.0)
    assert deciding_inputs({"x": x}, np.zeros(10)) == ()
    assert deciding_inputs({"x": x}, np.where(x < 3, x, NAN)) == ()
    assert deciding_inputs({"x": x}, np.where(x < 5, x, NAN)) == (("x", 1.0),)
    with pytest.raises(BadInput, match="one value per draw"):
        deciding_inputs({"x": x[:5]}, x)
    with pytest.raises(BadInput, match="noise floor"):
        noise_floor(3, 1)
