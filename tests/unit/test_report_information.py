"""What more knowledge would be worth, as the report shows it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr

from nichedose.report.information import information_view


def result(n: int = 256, candidates: int = 2) -> Any:
    rng = np.random.default_rng(4)
    x, idle = rng.normal(size=(2, n))
    kills = np.stack([3.0 + x, np.full(n, 3.0)])[:candidates]
    shape = ("candidate", "mode", "draw")
    data = {name: (shape, values[:, None]) for name, values in {
        "log_kill": kills, "mean_dose_Gy": kills, "worst_decile_survival": 10.0**-kills}.items()}
    draws = xr.Dataset({**data, "input": (("key", "draw"), np.stack([x, idle]))}, coords={
        "candidate": ["a", "b"][:candidates], "mode": ["as_prescribed"], "draw": np.arange(n), "key": ["x", "idle"]})
    return SimpleNamespace(draws=draws, decide_by="as_prescribed")


def test_the_input_that_decides_is_worth_what_it_costs_not_to_know_it() -> None:
    """Gain of a over b is normal: knowing x is worth E max(x, 0) - max(E x, 0), close to 0.4."""
    found = information_view(result())
    assert found is not None
    assert [row.name for row in found.rows] == ["x"]
    assert 0.3 < float(found.cost) < 0.5 and 0.3 < float(found.rows[0].value) < 0.5
    assert found.rows[0].width == 100.0


def test_nothing_is_shown_where_nothing_can_be_said() -> None:
    assert information_view(result(n=16)) is None
    assert information_view(result(candidates=1)) is None
    other = result()
    other.decide_by = "equal_toxicity"
    assert information_view(other) is None
    other.draws = other.draws.drop_vars("input")
    assert information_view(other) is None
