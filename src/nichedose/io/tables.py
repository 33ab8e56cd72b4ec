"""Delimited text in, with errors that name the file."""

from __future__ import annotations

import csv
import gzip
import warnings
import zlib
from collections import deque
from pathlib import Path
from typing import Any

from nichedose.errors import BadInput

__all__ = ["first_line", "read_table", "refuse_short_last_row", "separator_of"]


def separator_of(path: Path) -> str:
    """Tab, comma or semicolon, the commonest in the first line; space where there is none of them."""
    first = first_line(path)
    counts = {s: first.count(s) for s in ("\t", ",", ";")}
    best = max(counts, key=lambda s: counts[s])
    if counts[best] == 0 and " " in first.strip():
        return " "
    if counts[best] == 0:
        raise BadInput(f"{path}: the first line has one column only; a table of tab- or comma-separated columns is "
                       "needed.")
    return best


def read_table(
    path: Path, *, separator: str, header: int | None = 0, index: int | None = None, text_columns: bool = False,
    decimal: str = ".", missing: tuple[str, ...] = (), blank_rows: bool = False,
) -> Any:
    """A pandas DataFrame; raises `BadInput` for an empty, damaged or ragged file, or one whose last row is cut off.

    ``decimal`` is the mark inside numbers, ``missing`` are words that stand for no value beside the usual ones. With
    ``blank_rows`` blank lines are rows too, so that row n stands in line n + 2, and a row of more cells than the head
    has is refused; else its first cells would name the row.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # mixed types are looked at by the caller
            frame = pd.read_csv(
                path, sep=separator, header=header, index_col=index, dtype=str if text_columns else None,
                keep_default_na=not text_columns, low_memory=False, decimal=decimal, na_values=list(missing) or None,
                skip_blank_lines=not blank_rows)
    except pd.errors.EmptyDataError as error:
        raise BadInput(f"{path}: the file is empty.") from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, ValueError) as error:
        reason = str(error).strip()
        raise BadInput(f"{path}: cannot be read as a table ({reason}); is it damaged or cut off?") from error
    if blank_rows and not isinstance(frame.index, pd.RangeIndex):
        raise BadInput(f"{path}: rows have more cells than the first line has columns. Take the surplus separators "
                       "out, or name the columns.")
    if frame.shape[0] == 0:
        raise BadInput(f"{path}: the table has no rows.")
    end: Any = frame.iloc[-1, -1] if frame.shape[1] else "full"
    if pd.isna(end) or end == "":
        refuse_short_last_row(path, separator)
    return frame


def refuse_short_last_row(path: Path, separator: str) -> None:
    """Raises `BadInput` where the last line has fewer cells than the one before: readers fill such a row in silence."""
    with gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as f:
        lines = deque((line for line in f if line.strip()), maxlen=2)
    if len(lines) < 2 or any(line.count('"') % 2 for line in lines):  # a cell over several lines
        return
    before, last = (len(next(csv.reader([line], delimiter=separator))) for line in lines)
    if last < before:
        raise BadInput(f"{path}: the last row has {last} cells and the line before it {before}; is the file cut off? "
                       "If nothing is missing, end the row with its empty cells.")


def first_line(path: Path) -> str:
    """The first line of a text file, gzipped or not; raises `BadInput` for an empty or damaged one."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig") as file:
                line = file.readline()
        else:
            with path.open(encoding="utf-8-sig") as file:
                line = file.readline()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise BadInput(f"{path}: cannot be read as text ({error}); is it damaged or cut off?") from error
    if not line.strip():
        raise BadInput(f"{path}: the file is empty.")
    return line
