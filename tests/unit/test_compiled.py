"""Compiled functions that are kept: their stamp covers what they use."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nichedose
from nichedose import _compiled

PACKAGE = Path(nichedose.__file__).parent


def test_the_stamp_of_a_function_covers_what_its_file_imports() -> None:
    from nichedose.transport import _kernels

    found = {f.relative_to(PACKAGE).as_posix() for f in _compiled.imported_files(PACKAGE / "transport" / "_kernels.py")}
    assert {"transport/_multigrid.py", "fields/grid.py", "_compiled.py"} <= found
    assert "transport/__init__.py" not in found  # only what is taken from it
    stamp = _kernels.take_step._cache._cache_file._source_stamp
    assert stamp[1] == _compiled.digest(PACKAGE / "transport" / "_kernels.py")


def test_a_change_two_files_away_compiles_again(tmp_path: Path) -> None:
    """Three modules of one package: the constant of the last one decides what the function of the first one gives."""
    package = tmp_path / "nichedose"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "_compiled.py").write_text((PACKAGE / "_compiled.py").read_text("utf-8"), "utf-8")
    (package / "number.py").write_text("NUMBER = 1\n", "utf-8")
    (package / "inner.py").write_text(
        "from nichedose._compiled import njit\nfrom nichedose.number import NUMBER\n\n\n"
        "@njit(cache=True)\ndef inner():\n    return NUMBER\n", "utf-8")
    (package / "outer.py").write_text(
        "from nichedose import inner\nfrom nichedose._compiled import njit\n\ncallee = inner.inner\n\n\n"
        "@njit(cache=True)\ndef outer():\n    return callee()\n", "utf-8")
    code = "from nichedose.outer import outer; print(outer(), sum(outer.stats.cache_hits.values()))"

    def run() -> list[str]:
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
                              env={"PYTHONPATH": str(tmp_path)})
        return done.stdout.split()

    assert run() == ["1", "0"]
    assert run() == ["1", "1"]
    (package / "number.py").write_text("NUMBER = 2\n", "utf-8")  # the same size
    assert run() == ["2", "0"]


def test_no_module_compiles_without_that_stamp() -> None:
    others = [p for p in PACKAGE.rglob("*.py") if p.name != "_compiled.py"]
    direct = re.compile(r"^\s*(?:import numba\b|from numba import .*\b(?:njit|jit|vectorize)\b)", re.MULTILINE)
    assert [p.name for p in others if direct.search(p.read_text("utf-8"))] == []
