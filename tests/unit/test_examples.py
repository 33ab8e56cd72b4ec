"""Every example in a docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"


def modules_with_examples() -> list[str]:
    files = [p for p in sorted((SOURCE / "nichedose").rglob("*.py")) if ">>> " in p.read_text("utf-8")]
    return [".".join(p.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__") for p in files]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_of(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert done.attempted > 0 and done.failed == 0
