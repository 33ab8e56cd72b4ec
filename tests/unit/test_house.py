"""The house itself: one version, layers that name every room, no machine in the source, a light import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import nichedose
from nichedose import _numba_cache

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "nichedose"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# private helpers below every layer, a module that is only run by itself
OUTSIDE_THE_LAYERS = {"_compiled", "_numba_cache", "jax_selftest"}


def test_the_version_has_one_source() -> None:
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert PYPROJECT["tool"]["hatch"]["version"]["path"] == "src/nichedose/__init__.py"
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
    assert citation is not None and citation[1].strip("\"'") == nichedose.__version__
    assert f"[{nichedose.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_layers_name_every_room() -> None:
    [layers] = [c for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    named = {m for line in layers["layers"] for m in re.findall(r"nichedose\.(\w+)", line)}
    rooms = {p.name.removesuffix(".py") for p in SOURCE.iterdir()
             if (p.suffix == ".py" and p.name != "__init__.py") or (p / "__init__.py").is_file()}
    assert rooms - OUTSIDE_THE_LAYERS == named


@pytest.mark.parametrize("folder", ["src", "docs", "tests"])
def test_no_file_names_a_machine(folder: str) -> None:
    absolute = re.compile(r"(?<![\w.:/<])/(?:home|root|work|Users|mnt|opt)/\w")
    texts = [p for p in (ROOT / folder).rglob("*")
             if p.suffix in {".py", ".toml", ".md", ".txt", ".csv", ".html", ".js", ".css", ".j2", ".json"}]
    assert [str(p.relative_to(ROOT)) for p in texts if absolute.search(p.read_text("utf-8"))] == []


def run(code: str, **environment: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, **environment})
    return done.stdout.strip()


def test_importing_the_package_is_light() -> None:
    heavy = "{'anndata', 'numba', 'pandas', 'numpy', 'scipy', 'xarray', 'pydantic', 'h5py'}"
    assert run(f"import sys, nichedose; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_asking_for_the_version_does_not_load_the_engines() -> None:
    code = "import sys, nichedose.cli; print(sorted({'anndata', 'numba', 'pandas'} & set(sys.modules)))"
    assert run(code) == "[]"


def test_nothing_is_set_where_numba_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(_numba_cache, "_writable", lambda folder: True)
    assert _numba_cache.ensure_numba_cache() is None
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_a_read_only_installation_gets_a_private_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setattr(_numba_cache, "_writable", lambda folder: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = _numba_cache.ensure_numba_cache()
    assert folder is not None and Path(folder).parent == tmp_path
    assert os.environ["NUMBA_CACHE_DIR"] == folder
    assert Path(folder).stat().st_mode & 0o077 == 0  # nobody else may put code there


def test_a_folder_that_does_not_exist_yet_counts_as_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _numba_cache._writable(tmp_path / "a" / "b")
    monkeypatch.setattr("os.access", lambda folder, mode: folder != tmp_path)
    assert not _numba_cache._writable(tmp_path / "a" / "b")


# ---- the documentation


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def linked(page: Path) -> set[Path]:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text("utf-8"))
    return {(page.parent / t).resolve() for t in targets if "://" not in t}


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert [str(t) for t in linked(page) if not t.exists()] == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            todo += linked(page)
    assert [str(p.relative_to(ROOT)) for p in pages() if p.resolve() not in {s.resolve() for s in seen}] == []


def test_the_readme_names_every_command() -> None:
    from typer.main import get_command

    from nichedose.cli import app

    text = (ROOT / "README.md").read_text("utf-8") + (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert [name for name in commands if text.count(name) < 2] == []


def test_the_command_line_page_lists_every_option() -> None:
    from typer.main import get_command

    from nichedose.cli import app

    lines = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8").splitlines()
    commands = get_command(app).commands  # type: ignore[attr-defined]
    absent = [f"{name} {option}" for name, command in commands.items() for parameter in command.params
              for option in parameter.opts if option.startswith("--")
              and not any(line.startswith(f"| `{name}") and option in line for line in lines)]
    assert absent == []
