"""numba's ``njit`` for this package, whose cache sees changes in all that a compiled function uses.

numba keeps a compiled function until its own file changes. Ours call each other and take constants across files: after
an update, one could go on with what it had been compiled with, and be wrong in silence. Here the stamp of a cached
function covers its file and every module of the package that this one imports, directly or not.
"""

from __future__ import annotations

import ast
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import caching
from numba.core.compiler import Compiler

__all__ = ["Apart", "digest", "imported_files", "njit"]

_PACKAGE = Path(__file__).parent


class Apart(Compiler):
    """For njit's ``pipeline_class``: the caller promises that no array that is written overlaps another one given.

    Loops then need not ask whether they do before they use vector registers, which short rows would pay dearly for.
    """

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()  # type: ignore[no-untyped-call]


class _SeesImports:
    """In front of one of numba's places for a cache: functions of this package only, with the longer stamp."""

    _py_file: str

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        return super().from_function(py_func, py_file) if _PACKAGE in Path(py_file).parents else None  # type: ignore[misc]

    def get_source_stamp(self) -> Any:
        return super().get_source_stamp(), digest(Path(self._py_file))  # type: ignore[misc]


@cache
def digest(file: Path, package: Path = _PACKAGE) -> str:
    """SHA-256 of a module's file and of all files in `imported_files` of it."""
    found = hashlib.sha256()
    for each in (file, *sorted(imported_files(file, package))):
        found.update(each.read_bytes())
    return found.hexdigest()


def imported_files(file: Path, package: Path = _PACKAGE) -> set[Path]:
    """Modules of ``package`` that a module of it imports, directly or through others."""
    found: set[Path] = set()
    new = {file}
    while new:
        new = {imported for each in new for imported in _imports(each, package)} - found
        found |= new
    return found - {file}


@cache
def _imports(file: Path, package: Path) -> frozenset[Path]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):  # what is imported may be a module, or something of one
            names = [f"{node.module}.{name}" for name in names]
        for name in names:
            first, *parts = name.split(".")
            place = package.joinpath(*parts)
            candidates = (place.with_suffix(".py"), place.parent.with_suffix(".py"), place.parent / "__init__.py")
            found |= {next((c for c in candidates if c.is_file()), file)} if first == package.name and parts else set()
    return frozenset(found)


_places: list[Any] = caching.CacheImpl._locator_classes
_places[:0] = [type(place.__name__, (_SeesImports, place), {}) for place in _places
               if not re.search("IPython|Zip", place.__name__)]  # their functions have no file of their own
