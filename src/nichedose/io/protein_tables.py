"""What the readers of multiplex-imaging tables share: one sample out of several, markers to symbols, pixel sizes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array, BoolArray
from nichedose.io.reader import ReadOptions
from nichedose.library.markers import marker_symbol
from nichedose.tissue.assay import Proteins

__all__ = ["names_in", "numbers", "pick_sample", "proteins_of", "text_of", "um_per_px_or_ask"]


def names_in(frame: Any, column: str | None) -> list[str]:
    """The samples of a table: the different values of its sample column, sorted."""
    if column is None:
        return []
    return sorted(str(v) for v in frame[column].dropna().unique())


def pick_sample(
    frame: Any, column: str | None, options: ReadOptions, where: str
) -> tuple[BoolArray, str | None]:
    """Rows of the one sample that was asked for, and its name; refused with the names when there are several.

    ``column`` is the format's own sample column (or None); ``sample_key`` replaces it.
    """
    if options.sample_key is not None:
        if options.sample_key not in frame.columns:
            raise BadInput(f"{where}: sample_key = '{options.sample_key}' is no column of the "
                           f"table.{near_miss(options.sample_key, [str(c) for c in frame.columns])}")
        column = options.sample_key
    everything = np.ones(len(frame), dtype=bool)
    names = names_in(frame, column)
    if not names:
        return everything, options.sample
    if options.sample is None and len(names) > 1:
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        raise BadInput(f"{where}: holds {len(names)} samples in '{column}' ({shown}); choose one with sample = "
                       f"\"{names[0]}\", and read each as its own section.")
    if len(names) == 1 and options.sample not in names:
        return everything, options.sample or names[0]
    name = names[0] if options.sample is None else options.sample
    if name not in names:
        raise BadInput(f"{where}: no sample '{name}' in '{column}'.{near_miss(name, names)}")
    return np.asarray(frame[column].astype(str) == name, dtype=bool), name


def numbers(frame: Any, column: str, where: str) -> Array:
    """A column as numbers, NaN where empty; raises `BadInput` when something else stands there."""
    import pandas as pd

    values = pd.to_numeric(frame[column], errors="coerce")
    wrong = values.isna() & frame[column].notna() & (frame[column].astype(str).str.strip() != "")
    if wrong.any():
        raise BadInput(f"{where}: {column} holds {frame[column][wrong].iloc[0]!r}, not a number.")
    return np.asarray(values.to_numpy(float))


def text_of(frame: Any, column: str) -> Any:
    """A column as text, "" where empty."""
    return frame[column].fillna("").astype(str).str.strip().to_numpy(dtype=object)


def proteins_of(intensity: Mapping[str, Array], positive: Mapping[str, Array] | None = None) -> Proteins | None:
    """Markers by the names of the file -> `Proteins` by symbol; None without any.

    Two names of one marker: the first is kept. A marker that was called but not measured has NaN intensity, one that
    was measured but not called counts as negative only where calls exist at all.
    """
    called = positive or {}
    columns: dict[str, tuple[Array | None, Array | None]] = {}
    for name in dict.fromkeys([*intensity, *called]):
        symbol = marker_symbol(name)
        old = columns.get(symbol, (None, None))
        columns[symbol] = (old[0] if old[0] is not None else intensity.get(name),
                           old[1] if old[1] is not None else called.get(name))
    if not columns:
        return None
    n = len(next(v for pair in columns.values() for v in pair if v is not None))
    values = np.column_stack([np.full(n, np.nan) if v is None else np.asarray(v, float) for v, _ in columns.values()])
    if not called:
        return Proteins(tuple(columns), values.astype(np.float32))
    calls = np.column_stack([np.zeros(n, bool) if p is None else np.asarray(p) > 0 for _, p in columns.values()])
    return Proteins(tuple(columns), values.astype(np.float32), calls)


def um_per_px_or_ask(options: ReadOptions, path: Path, columns: str, example: str) -> tuple[float, str]:
    """um per pixel as the user says, or the question."""
    if options.coordinate_unit == "um":
        return 1.0, f"{columns} are um, as coordinate_unit says"
    if options.um_per_unit is None:
        raise BadInput(f"{path}: {columns} are in pixels, and the file does not tell how large a pixel is. Say "
                       f"um_per_unit (um per pixel; {example}).")
    return options.um_per_unit, f"um_per_unit = {options.um_per_unit:g} um per pixel of {columns}, as given"
