"""Values with a source, and the joint draw."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nichedose.values import Draw, Value, uniform_from_key

FORMS: dict[str, dict[str, Any]] = {
    "fixed": {"value": 3.0},
    "lognormal": {"median": 3.0, "geometric_sd": 2.0},
    "normal": {"mean": 3.0, "sd": 1.0},
    "wide normal": {"mean": 1.0, "sd": 5.0},
    "uniform": {"low": 1.0, "high": 5.0},
    "log-uniform": {"low": 1.0, "high": 9.0, "log": True},
}


def value(**form: Any) -> Value:
    return Value(evidence="assumed", **form)


@pytest.mark.parametrize("name", FORMS)
def test_quantiles_rise_and_the_median_is_the_central_value(name: str) -> None:
    v = value(**FORMS[name])
    u = np.linspace(0.001, 0.999, 99)
    q = np.array([v.quantile(float(p)) for p in u])
    assert (np.diff(q) >= 0.0).all()
    assert q.min() >= 0.0
    assert v.central == pytest.approx({"uniform": 3.0, "wide normal": 1.0}.get(name, 3.0))
    assert v.is_fixed == (name == "fixed")


def test_lognormal_quantile_is_exact() -> None:
    # 84.134 % is one standard deviation above the median
    assert value(median=3.0, geometric_sd=2.0).quantile(0.8413447460685429) == pytest.approx(6.0, rel=1e-9)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"value": 1.0, "median": 2.0, "geometric_sd": 1.5},
        {"median": 2.0},
        {"value": math.nan},
        {"value": math.inf},
        {"median": 2.0, "geometric_sd": 0.9},
        {"median": 0.0, "geometric_sd": 1.5},
        {"mean": 1.0, "sd": -1.0},
        {"mean": 0.0, "sd": 1.0},
        {"low": 2.0, "high": 1.0},
        {"low": 0.0, "high": 1.0, "log": True},
        {"value": 1.0, "log": True},
        {"value": 1.0, "colour": "red"},
    ],
)
def test_a_value_that_is_no_single_distribution_is_refused(form: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        value(**form)


def test_only_assumptions_and_definitions_go_without_a_source() -> None:
    with pytest.raises(ValidationError, match="needs a source"):
        Value(value=1.0, evidence="measured")
    Value(value=1.0, evidence="definition")


@given(st.integers(0, 2**31), st.integers(0, 10_000), st.text(max_size=30))
def test_uniform_depends_on_its_arguments_alone(seed: int, index: int, key: str) -> None:
    u = uniform_from_key(seed, index, key)
    assert 0.0 < u < 1.0
    assert u == uniform_from_key(seed, index, key)


def test_uniform_is_uniform() -> None:
    u = np.sort([uniform_from_key(1, i, "kd") for i in range(2000)])
    # Kolmogorov-Smirnov distance; 1.63/sqrt(n) is its 99 % point
    assert np.abs(u - (np.arange(2000) + 0.5) / 2000).max() < 1.63 / math.sqrt(2000)


def test_draws_share_by_key_in_any_order_and_differ_by_index() -> None:
    v = value(median=3.0, geometric_sd=2.0)
    first, second = Draw(seed=1, index=4), Draw(seed=1, index=4)
    a = (first("x", v), first("y", v))
    b = (second("y", v), second("x", v))
    assert a == b[::-1]
    assert a[0] != a[1]
    assert Draw(seed=1, index=5)("x", v) != a[0]
    assert set(first.used) == {"x", "y"}


def test_the_central_run_takes_medians_and_no_generator() -> None:
    assert Draw()("x", value(median=3.0, geometric_sd=2.0)) == 3.0
    assert Draw().generator("field") is None
    first, second = Draw(1, 0).generator("field"), Draw(1, 0).generator("field")
    assert first is not None and second is not None
    assert first.random() == second.random()
