"""Shared fixtures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference data that is not shipped; tests that need it skip without it."""
    root = Path(os.environ.get("NICHEDOSE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not root.is_dir():
        pytest.skip(f"reference data not found at {root} (set NICHEDOSE_SHARED)")
    return root
