"""The column names of a table, looked at to tell whose table it is."""

from __future__ import annotations

import csv
from pathlib import Path

from nichedose.errors import BadInput
from nichedose.io.tables import first_line, separator_of

__all__ = ["TABLE_SUFFIXES", "column_names", "is_table", "stem_of"]

TABLE_SUFFIXES = (".tsv", ".csv", ".txt", ".tsv.gz", ".csv.gz", ".txt.gz")


def is_table(path: Path) -> bool:
    """True for a file whose name says that it is a table of text."""
    return path.is_file() and path.name.lower().endswith(TABLE_SUFFIXES)


def column_names(path: Path) -> tuple[str, ...]:
    """Names in the first line, stripped; empty when the file is no readable table (the reader then says why)."""
    try:
        separator = separator_of(path)
        line = first_line(path)
    except BadInput:
        return ()
    return tuple(name.strip() for name in next(csv.reader([line], delimiter=separator)))


def stem_of(path: Path) -> str:
    """The file's name without its endings: ``A1.tsv.gz`` is A1."""
    name = path.name.removesuffix(".gz")
    return name.rsplit(".", 1)[0] if name.lower().endswith((".tsv", ".csv", ".txt")) else name
