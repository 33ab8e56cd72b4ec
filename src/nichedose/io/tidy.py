"""Tidy tables as CSV: one row an observation, units in the heads."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from nichedose.errors import BadInput

__all__ = ["write_csv"]


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write one table; raises `BadInput` where the folder does not exist."""
    if not path.parent.is_dir():
        raise BadInput(f"The folder {path.parent} does not exist.")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows([["" if v is None else v for v in row] for row in rows])
