"""`nichedose doctor`: what it finds, and that it warns of what is wrong."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from nichedose import doctor, jax_selftest
from nichedose.check import CheckRow

NO_JAX: dict[str, Any] = {"installed": False}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Neither the self-tests of the engines nor JAX."""
    monkeypatch.setattr(doctor, "collect", list)
    monkeypatch.setattr(doctor, "jax_state", lambda version: NO_JAX)
    return monkeypatch


def failing_row(kind: str = "self-test") -> CheckRow:
    return CheckRow(id="transport.mass", source="self", kind=kind, ours=2.0, reference=1.0, tolerance=0.1)  # type: ignore[arg-type]


def test_a_sound_machine(quick: pytest.MonkeyPatch) -> None:
    found = doctor.diagnose()
    assert found["ok"] and found["problems"] == []
    assert found["processors"] >= 1
    assert found["memory_GiB"] is None or found["memory_GiB"] > 0.1
    assert all(found["packages"][name] for name in ("numpy", "scipy", "numba", "anndata", "xarray", "zarr", "pydantic"))
    json.dumps(found, allow_nan=False)
    text = doctor.format_doctor(found)
    assert "All is well." in text and found["packages"]["numpy"] in text


def test_a_failing_self_test_is_a_problem(quick: pytest.MonkeyPatch) -> None:
    quick.setattr(doctor, "collect", lambda: [failing_row(), failing_row("published")])
    found = doctor.diagnose()
    assert not found["ok"]
    assert len(found["self_tests"]) == 1  # a published value is `nichedose check`'s business
    assert "transport.mass failed" in doctor.format_doctor(found)


def test_a_missing_package_is_a_problem_unless_optional(quick: pytest.MonkeyPatch) -> None:
    quick.setattr(doctor, "_version", lambda name: None if name in ("zarr", "jax", "jaxlib") else "1.0")
    found = doctor.diagnose()
    assert found["problems"] == ["zarr is not installed; reinstall nichedose."]
    assert "not installed (optional)" in doctor.format_doctor(found)


def test_the_jax_that_is_wrong_in_silence_is_named(quick: pytest.MonkeyPatch) -> None:
    quick.setattr(doctor, "_version", lambda name: "0.10.2")
    wrong = {"installed": True, "ok": False, "devices": ["cpu: cpu"], "relative_error": {"float64": 42.6}}
    quick.setattr(doctor, "jax_state", lambda version: wrong)
    text = doctor.format_doctor(doctor.diagnose())
    assert "wrong numbers in silence" in text and "float64 43" in text and "JAX devices: cpu: cpu" in text


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (subprocess.TimeoutExpired("python", 180), "180 s"),
        (subprocess.CalledProcessError(1, "python", stderr="Traceback\nRuntimeError: no device"), "no device"),
        (subprocess.CalledProcessError(-9, "python", stderr=""), "exit status -9"),
        (subprocess.CompletedProcess("python", 0, stdout="garbage"), "no readable answer"),
        (subprocess.CompletedProcess("python", 0, stdout=""), "no readable answer"),
    ],
)
def test_a_jax_that_breaks_does_not_break_the_doctor(monkeypatch: pytest.MonkeyPatch, outcome: Any, says: str) -> None:
    def run(*args: object, **kwargs: object) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(doctor.subprocess, "run", run)
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: object())
    state = doctor.jax_state("0.11.2")
    assert not state["ok"] and says in state["error"]


def test_without_jax_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.subprocess, "run", lambda *a, **k: pytest.fail("started a process"))
    assert doctor.jax_state(None) == NO_JAX


def test_the_installed_jax_is_right() -> None:
    pytest.importorskip("jax", reason="extra 'jax' is not installed")
    state = doctor.jax_state("installed")
    assert state["ok"], state
    assert state["relative_error"]["float64"] <= jax_selftest.TOLERANCE["float64"]
