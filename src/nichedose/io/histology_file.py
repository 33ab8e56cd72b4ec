"""Histology of spots from a table: a label and a place for each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["read_histology_table"]

_LABEL, _PLACE = "Final_Annotations", ("x_um", "y_um")


def read_histology_table(path: Path) -> tuple[list[str], Array]:
    """Labels and places (n, 2) in um from a CSV (also gzipped) with ``Final_Annotations``, ``x_um`` and ``y_um``.

    Raises `BadInput` for a missing file or column, and for places that are no numbers.
    """
    import pandas as pd

    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    try:
        table = pd.read_csv(path, dtype={_LABEL: "string"})
    except (ValueError, UnicodeDecodeError, pd.errors.ParserError, OSError) as error:
        raise BadInput(f"{path} cannot be read as a table: {error}") from error
    missing = [name for name in (_LABEL, *_PLACE) if name not in table.columns]
    if missing:
        raise BadInput(f"{path} has no column {', '.join(missing)}; a table of histology has {_LABEL}, x_um and y_um.")
    try:
        places = table[list(_PLACE)].to_numpy(dtype=float)
    except ValueError as error:
        raise BadInput(f"{path}: x_um and y_um must be numbers ({error}).") from error
    if not np.isfinite(places).all():
        raise BadInput(f"{path}: x_um and y_um must be finite in every row.")
    return [str(word) for word in table[_LABEL].fillna("")], places
