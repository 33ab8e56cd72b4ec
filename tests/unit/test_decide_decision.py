"""A decision: value of knowing more against closed forms, conditions, contradictions, frontier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nichedose.decide import (
    DecisionTable,
    Mode,
    Objective,
    make_decision,
    objective_named,
    parse_condition,
    parse_limit,
    perfect_information,
    value_of_inputs,
)
from nichedose.errors import BadInput, NotComputed

N = 2048
RNG = np.random.default_rng(11)
X, Y, Z = RNG.normal(size=(3, N))


def test_value_of_information_of_normal_gains() -> None:
    """Gain of a over b is x + y: EVPI = E max(x + y, 0) = 1/sqrt(pi), EVPPI of x = 1/sqrt(2 pi), of z = 0; the index
    of "b is best" on x is 4 var(Phi(x)) = 1/3. Four standard errors of 2,048 draws, 0.04, are allowed."""
    gains = {"a": X + Y, "b": np.zeros(N)}
    assert perfect_information(gains) == pytest.approx(1.0 / np.sqrt(np.pi), abs=0.05)
    found = {i.key: i for i in value_of_inputs(gains, {"x": X, "y": Y, "z": Z})}
    for key in "xy":
        assert found[key].value == pytest.approx(1.0 / np.sqrt(2.0 * np.pi), abs=0.04)
        assert found[key].decision_share == pytest.approx(1.0 / 3.0, abs=0.05)
        assert found[key].matters
    assert not found["z"].matters and found["z"].value < 0.01


def test_an_effect_that_is_not_monotone_is_found() -> None:
    """A rank correlation misses x^2; the regression does not."""
    [first, *_] = value_of_inputs({"a": X**2 - 1.0, "b": np.zeros(N)}, {"z": Z, "x": X})
    assert first.key == "x" and first.matters


def test_inputs_without_effect_are_rarely_said_to_matter() -> None:
    """At most 5 % of cases may name any of 30 idle inputs; 20 cases, so more than 4 would be an error (p < 0.003)."""
    rng = np.random.default_rng(5)
    named = 0
    for _ in range(20):
        gains = {"a": rng.normal(size=64), "b": rng.normal(size=64)}
        inputs = {f"i{k}": rng.normal(size=64) for k in range(30)}
        named += any(i.matters for i in value_of_inputs(gains, inputs))
    assert named <= 4


def test_few_draws_say_nothing() -> None:
    with pytest.raises(NotComputed, match="32 draws"):
        value_of_inputs({"a": X[:10], "b": Y[:10]}, {"x": X[:10]})
    with pytest.raises(BadInput, match="one value"):
        value_of_inputs({"a": X, "b": Y}, {"x": X[:10]})


def table(**log_kill: np.ndarray) -> DecisionTable:
    n = len(next(iter(log_kill.values())))
    values = {name: {"log_kill": k, "worst_decile": 0.3 * k, "mean_dose": np.full(n, float(i)),
                     "tcp": np.full(n, np.nan), "organ_burden": np.full(n, 0.5 + 0.1 * i)}
              for i, (name, k) in enumerate(log_kill.items())}
    return DecisionTable("as_prescribed", values, {"x": X[:n]})  # type: ignore[arg-type]


def test_conditions_exclude_and_say_how_often() -> None:
    found = make_decision(table(a=1.0 + 0.0 * X, b=2.0 + X), "log_kill", [parse_condition("organ_burden <= 0.55")])
    assert found.ranking.order == ("a",)
    assert "organ_burden at most 0.55" in found.excluded["b"] and "0 %" in found.excluded["b"]
    assert found.best == "a"


def test_the_frontier_and_the_order_by_dose() -> None:
    found = make_decision(table(a=1.0 + 0.1 * X, b=0.5 + 0.1 * X, c=3.0 + 0.1 * X), "log_kill")
    assert found.frontier == ("a", "c") and found.dose_order == ("c", "b", "a")
    assert found.information is not None and found.information < 1e-3


def test_less_burden_is_better() -> None:
    assert make_decision(table(a=X, b=Y), "organ_burden").ranking.order == ("a", "b")


def test_log_kill_above_ten_is_one_number() -> None:
    found = make_decision(table(a=np.full(40, 30.0), b=np.full(40, 12.0)), "log_kill")
    assert found.ranking["a"].probability_best == 0.5 and found.ranking["a"].expected_regret == 0.0


@pytest.mark.parametrize(("text", "words"), [
    ("log_kill > 2", "cannot be read"), ("log_kil >= 2", "Did you mean 'log_kill'"), ("log_kill >= two", "cannot"),
    ("log_kill >= nan", "cannot be read"), ("", "cannot be read"),
])
def test_conditions_that_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        parse_condition(text)


def test_contradictory_conditions_are_both_named() -> None:
    both = [parse_condition("log_kill >= 3"), parse_condition("log_kill <= 2")]
    with pytest.raises(BadInput, match=r"log_kill at least 3.*log_kill at most 2.*contradict"):
        make_decision(table(a=X, b=Y), "log_kill", both)


def test_a_condition_that_nobody_meets_names_the_nearest() -> None:
    with pytest.raises(NotComputed, match=r"No candidate.*b comes nearest"):
        make_decision(table(a=X, b=0.5 + X), "log_kill", [parse_condition("log_kill >= 4")])


def test_a_condition_on_what_is_not_computed_says_so() -> None:
    with pytest.raises(NotComputed, match=r"objective tcp is known for no candidate.*clonogen_density"):
        make_decision(table(a=X, b=Y), "log_kill", [parse_condition("tcp >= 0.5")])


@pytest.mark.parametrize(("mode", "objective"), [("equal_mean_dose", "mean_dose"), ("equal_toxicity", "organ_burden")])
def test_what_a_mode_holds_equal_orders_nothing(mode: Mode, objective: Objective) -> None:
    with pytest.raises(BadInput, match=f"all candidates have the same {objective}"):
        make_decision(replace(table(a=X, b=Y), mode=mode), objective)


def test_no_order_by_dose_where_dose_is_equal() -> None:
    assert make_decision(replace(table(a=X, b=Y), mode="equal_mean_dose"), "log_kill").dose_order == ()


def test_objectives_that_are_not_computed() -> None:
    with pytest.raises(BadInput, match="is not computed"):
        objective_named("survival_gain")
    with pytest.raises(NotComputed, match="clonogen_density"):
        make_decision(table(a=X, b=Y), "tcp")
    with pytest.raises(BadInput, match="confidence"):
        make_decision(table(a=X, b=Y), "log_kill", confidence=0.0)


def test_a_limit_needs_a_unit_a_quantity_and_a_source() -> None:
    limit = parse_limit("kidney absorbed_dose 18 Gy: protocol of our ward")
    assert (limit.organ, limit.quantity, limit.Gy, limit.source) == (
        "kidney", "absorbed_dose", 18.0, "protocol of our ward")
    for text, words in (("kidney absorbed_dose 18: ours", "no unit"), ("kidney absorbed_dose 18 Gy", "no source"),
                        ("kidney dose 18 Gy: ours", "unknown quantity"), ("kidney 18: ours", "cannot be read"),
                        ("kidney absorbed_dose -1 Gy: ours", "below"),
                        ("kidney absorbed_dose 3 MBq: ours", "measures")):
        with pytest.raises(BadInput, match=words) as told:
            parse_limit(text)
        assert text in str(told.value)
