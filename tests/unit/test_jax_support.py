"""JAX is asked for by name, refused where it is wrong, and used in double precision without a trace left behind."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest

from nichedose import jax_support
from nichedose.errors import BadInput


def pretend(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(__version__=version))


def test_without_jax_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(BadInput, match=r"Sweeping the moon needs the package jax.*pip install 'nichedose\[jax\]'"):
        jax_support.require_jax("Sweeping the moon")


@pytest.mark.parametrize(("version", "words"), [("0.10.2", "wrong numbers"), ("0.9.2", "0.10.1 or newer")])
def test_versions_that_will_not_do(monkeypatch: pytest.MonkeyPatch, version: str, words: str) -> None:
    pretend(monkeypatch, version)
    with pytest.raises(BadInput, match=words):
        jax_support.require_jax("A run")


@pytest.mark.parametrize("version", ["0.10.1", "0.11.0", "0.11.0.dev20260101", "1.0"])
def test_versions_that_will_do(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    pretend(monkeypatch, version)
    assert jax_support.require_jax("A run").__version__ == version


def test_double_precision_lasts_as_long_as_it_is_used() -> None:
    jax = pytest.importorskip("jax", reason="extra 'jax' is not installed")
    before = jax.config.jax_enable_x64
    with jax_support.in_double_precision() as same:
        assert same is jax
        assert jax.numpy.ones(1).dtype == "float64"
        jax_support.refuse_single_precision("A run")
    assert jax.config.jax_enable_x64 == before
    with jax.enable_x64(False), pytest.raises(BadInput, match="in_double_precision"):
        jax_support.refuse_single_precision("A run")
