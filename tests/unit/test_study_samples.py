"""Draws moved from the coarse grid to the fine one: with repeated draws the error of the grid is part of the spread."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nichedose.study.evaluate import Metrics
from nichedose.study.grid_error import grid_error_in_words
from nichedose.study.samples import correct_draws, default_full_draws

RNG = np.random.default_rng(3)


def metrics(kill: float) -> Metrics:
    return Metrics(100.0, 10.0 * kill, kill, kill, kill, 10.0**-kill, 2.0 * kill, float("nan"))


def outcome(**kills: float) -> Any:
    return {name: {"as_prescribed": metrics(k)} for name, k in kills.items()}


def entry(name: str, kill: float) -> Any:
    return SimpleNamespace(candidate=SimpleNamespace(name=name), metrics={"as_prescribed": metrics(kill)})


def test_a_factor_that_is_always_the_same_is_taken_out_exactly() -> None:
    truth = RNG.lognormal(0.0, 0.5, 40)
    coarse = [outcome(a=0.9 * k) for k in truth]
    found = correct_draws([entry("a", 1.0)], outcome(a=0.9), coarse, "as_prescribed", [outcome(a=k) for k in truth[:8]])
    assert found.values["a", "as_prescribed", "log_kill"] == pytest.approx(truth)
    assert found.values["a", "as_prescribed", "worst_decile_survival"] == pytest.approx(10.0**-truth)
    assert found.grid_error["a"]["log_kill_spread"] == pytest.approx(0.0, abs=1e-12)
    assert found.full_draws == 8 and found.same_winner == 1.0


def test_the_spread_of_the_error_is_put_back_with_its_size() -> None:
    """Coarse = truth x lognormal(0.1): corrected draws must scatter by 0.1 around the coarse ones, in the logarithm."""
    truth = RNG.lognormal(0.0, 0.5, 4000)
    coarse = [outcome(a=k * f) for k, f in zip(truth, RNG.lognormal(0.0, 0.1, truth.size), strict=True)]
    full = [outcome(a=k) for k in truth[:64]]
    found = correct_draws([entry("a", 1.0)], outcome(a=1.0), coarse, "as_prescribed", full)
    values = found.values["a", "as_prescribed", "log_kill"]
    assert values[:64] == pytest.approx(truth[:64])
    scatter = np.std(np.log(values[64:] / [c["a"]["as_prescribed"].log_kill for c in coarse[64:]]))
    # 64 draws tell a standard deviation to 9 %; three of those are allowed
    assert scatter == pytest.approx(0.1, rel=0.27)
    assert found.grid_error["a"]["log_kill_spread"] == pytest.approx(0.1, rel=0.27)


def test_candidates_share_the_error_of_a_draw() -> None:
    """What the grid does to both alike must cancel in their comparison."""
    truth = RNG.lognormal(0.0, 0.5, 200)
    noise = RNG.lognormal(0.0, 0.3, 200)
    coarse = [outcome(a=k * f, b=1.01 * k * f) for k, f in zip(truth, noise, strict=True)]
    full = [outcome(a=k, b=1.01 * k) for k in truth[:16]]
    central = [entry("a", 1.0), entry("b", 1.01)]
    found = correct_draws(central, outcome(a=1.0, b=1.01), coarse, "as_prescribed", full)
    a, b = (found.values[n, "as_prescribed", "log_kill"] for n in "ab")
    assert b / a == pytest.approx(1.01)


def test_without_repeated_draws_the_central_ratio_serves() -> None:
    found = correct_draws([entry("a", 2.0)], outcome(a=1.6), [outcome(a=0.8), {}], "as_prescribed")
    values = found.values["a", "as_prescribed", "log_kill"]
    assert values[0] == pytest.approx(1.0) and np.isnan(values[1])
    assert found.grid_error["a"]["log_kill"] == pytest.approx(-0.2)
    assert found.same_winner is None and grid_error_in_words(found, "as_prescribed", 20.0) == ()


def test_the_words_say_how_many_and_how_far_off() -> None:
    truth = RNG.lognormal(0.0, 0.5, 20)
    found = correct_draws([entry("a", 1.0)], outcome(a=1.0), [outcome(a=k) for k in truth], "as_prescribed",
                          [outcome(a=k) for k in truth[:4]])
    [text] = grid_error_in_words(found, "as_prescribed", 20.0)
    assert text.startswith("4 draws were repeated on the 20-um grid") and "in 100 % of them" in text


def test_draws_are_repeated_only_where_there_are_many() -> None:
    assert [default_full_draws(n) for n in (0, 32, 128, 4096)] == [0, 0, 16, 16]
