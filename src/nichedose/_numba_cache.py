"""A place for compiled engines where neither the installation nor the home folder can be written.

numba stores compiled functions beside their source, or else in the user's cache folder, and raises when it can do
neither (a read-only image, a service account). Then a private temporary folder takes their place, and each new run
compiles again.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["ensure_numba_cache"]


def ensure_numba_cache() -> str | None:
    """Set ``NUMBA_CACHE_DIR`` if numba would find no place of its own; returns the folder chosen, if any."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return None
    if any(_writable(place) for place in (Path(__file__).parent, _user_cache())):
        return None
    # a fresh private folder, not a shared name: cached code is executed when it is loaded
    folder = tempfile.mkdtemp(prefix="nichedose-numba-")
    os.environ["NUMBA_CACHE_DIR"] = folder
    return folder


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _writable(folder: Path) -> bool:
    """True where the folder, or the nearest one above it that exists, can be written."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK | os.X_OK)
