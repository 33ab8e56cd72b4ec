"""The collector and the table of `nichedose check`."""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
from types import SimpleNamespace

import numpy as np
import pytest

import nichedose.check
from nichedose.check import ROOMS, CheckRow, all_ok, collect, format_table, to_json


def row(**changes: object) -> CheckRow:
    values: dict[str, object] = {
        "id": "decay.lu177", "source": "ICRP 107", "kind": "published",
        "ours": 1.001, "reference": 1.0, "tolerance": 0.01,
    }
    return CheckRow(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "ok"),
    [
        ({}, True),
        ({"ours": 1.02}, False),
        ({"ours": 0.98}, False),
        ({"ours": -1.001, "reference": -1.0}, True),
        ({"ours": 100.5, "reference": 100.0, "tolerance": 1.0, "absolute": True}, True),
        ({"ours": 102.0, "reference": 100.0, "tolerance": 1.0, "absolute": True}, False),
        ({"ours": math.nan}, False),
        ({"ours": math.inf, "reference": math.inf}, False),
        ({"ours": 1e-12, "reference": 0.0}, False),
        ({"ours": 1e-12, "reference": 0.0, "absolute": True}, True),
    ],
)
def test_a_row_passes_within_its_tolerance_only(changes: dict[str, object], ok: bool) -> None:
    assert row(**changes).ok is ok


def test_no_module_with_rows_is_forgotten() -> None:
    modules = [m.name for m in pkgutil.iter_modules(nichedose.check.__path__)]
    with_rows = [m for m in modules if hasattr(importlib.import_module(f"nichedose.check.{m}"), "rows")]
    assert sorted(ROOMS) == sorted(with_rows)


def test_all_rows_pass_and_say_where_they_come_from() -> None:
    rows = collect()
    assert [r.id for r in rows if not r.ok] == []
    for r in rows:
        assert r.source.strip() and r.id == r.id.strip() and " " not in r.id
        assert r.tolerance >= 0.0
    assert sum(r.kind != "self-test" for r in rows) >= 60


def test_an_id_may_stand_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nichedose.check.collector.importlib.import_module",
                        lambda name: SimpleNamespace(rows=lambda: [row()]))
    with pytest.raises(AssertionError, match=r"decay\.lu177"):
        collect(("a", "b"))


def test_the_table_shows_every_row_and_the_tally() -> None:
    text = format_table([row(), row(id="broken", ours=1.5, note="why it may be off"), row(id="zero", reference=0.0)])
    lines = text.splitlines()
    assert lines[1].startswith("ok    decay.lu177") and "+0.10%" in lines[1]
    assert lines[2].startswith("FAIL  broken") and "+50.00%" in lines[2]
    assert "why it may be off" in text
    assert lines[-1] == "1 of 3 checks passed."
    assert format_table([]) == "No checks were run."


def test_a_known_difference_is_shown_and_must_be_one() -> None:
    known = row(id="known", ours=1.5, known_difference="the reference left photons out")
    assert known.ok and not row(ours=1.001, known_difference="was once").ok
    assert not row(ours=math.nan, known_difference="no number is none").ok
    lines = format_table([row(), known]).splitlines()
    assert lines[2].startswith("differs  known") and "known: the reference left photons out" in lines[3]
    assert lines[-1] == "1 of 2 checks passed. 1 known difference."
    assert "agrees now" in format_table([row(known_difference="was once")])
    assert to_json([known])[0]["known_difference"] == "the reference left photons out"


def test_nothing_checked_is_not_a_pass() -> None:
    assert not all_ok([])
    assert all_ok([row()])
    assert not all_ok([row(), row(ours=2.0)])


def test_rows_of_numpy_numbers_are_json() -> None:
    [found] = json.loads(json.dumps(to_json([row(ours=np.float64(1.0), tolerance=np.float64(0.5))])))
    assert found["ok"] is True



def test_json_has_the_agreed_keys_and_no_nan() -> None:
    [good, bad] = to_json([row(), row(ours=math.nan)])
    assert {"id", "source", "ours", "reference", "tolerance", "ok", "kind"} <= set(good)
    assert good["ok"] is True and bad["ok"] is False and bad["ours"] is None
    json.dumps([good, bad], allow_nan=False)
