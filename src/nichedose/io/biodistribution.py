"""A biodistribution table (CSV): organs x times, mean, sd and number of animals."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from nichedose.body import Biodistribution, Uptake
from nichedose.errors import BadInput, near_miss
from nichedose.io.tables import read_table, separator_of

__all__ = ["read_biodistribution"]

NEEDED = ("organ", "time_h", "mean", "unit", "decay_corrected")
OPTIONAL = ("sd", "animals")
UNITS = ("%ID/g", "%IA/g")
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
ALSO_CALLED = {"kidneys": "kidney", "tumor": "tumour", "lung": "lungs", "salivary gland": "salivary glands",
               "fat": "adipose", "intestine": "gut", "intestines": "gut"}


def read_biodistribution(path: Path) -> Biodistribution:
    """Columns organ, time_h, mean, sd, animals, unit (%ID/g) and decay_corrected (true or false, the same throughout).

    ``sd`` and ``animals`` may be empty or absent. Raises `BadInput` that names the row.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such table of a biodistribution.")
    frame = read_table(path, separator=separator_of(path), text_columns=True, blank_rows=True).fillna("")
    columns = [str(c).strip() for c in frame.columns]
    frame.columns = columns
    for name in NEEDED:
        if name not in columns:
            raise BadInput(f"{path}: the column '{name}' is missing.{near_miss(name, columns)} Columns needed: "
                           f"{', '.join(NEEDED)}; sd and animals where known.")
    extra = [c for c in columns if c not in (*NEEDED, *OPTIONAL)]
    if extra:
        raise BadInput(f"{path}: there is no column '{extra[0]}'.{near_miss(extra[0], [*NEEDED, *OPTIONAL])}")
    lines = (dict(zip(columns, map(str, values), strict=True)) for values in frame.itertuples(index=False, name=None))
    rows = {n: row for n, row in enumerate(lines, start=2) if any(v.strip() for v in row.values())}
    if not rows:
        raise BadInput(f"{path}: the table has no rows.")
    corrected = {_truth(path, n, row["decay_corrected"]) for n, row in rows.items()}
    if len(corrected) > 1:
        raise BadInput(f"{path}: decay_corrected is true in some rows and false in others; correct all to the time of "
                       "injection, or none.")
    points = tuple(_uptake(path, n, row) for n, row in rows.items())
    try:
        return Biodistribution(points, corrected.pop())
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _uptake(path: Path, line: int, row: dict[str, str]) -> Uptake:
    where = f"{path}, line {line}"
    unit = row["unit"].strip()
    if unit in ("%ID", "%IA", "%ID/organ"):
        raise BadInput(f"{where}: the unit is {unit}, per organ. Divide by the organ's mass and give %ID/g.")
    if unit not in UNITS:
        raise BadInput(f"{where}: the unit must be one of {', '.join(UNITS)}; got '{unit}'.")
    organ = row["organ"].strip().lower()
    if not organ:
        raise BadInput(f"{where}: the organ is missing.")
    animals = _number(where, "animals", row.get("animals", ""))
    if animals is not None and animals != round(animals):
        raise BadInput(f"{where}: animals must be a whole number; got {animals:g}.")
    try:
        return Uptake(ALSO_CALLED.get(organ, organ), _given(where, "time_h", row["time_h"]),
                      _given(where, "mean", row["mean"]), _number(where, "sd", row.get("sd", "")),
                      None if animals is None else int(animals))
    except BadInput as error:
        raise error if str(error).startswith(where) else BadInput(f"{where}: {error}") from error


def _given(where: str, column: str, text: str) -> float:
    value = _number(where, column, text)
    if value is None:
        raise BadInput(f"{where}: {column} is missing.")
    return value


def _number(where: str, column: str, text: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"{where}: {column} must be a number; got '{text}'.")
    return value


def _truth(path: Path, line: int, text: Any) -> bool:
    found = TRUTH.get(str(text).strip().lower())
    if found is None:
        raise BadInput(f"{path}, line {line}: decay_corrected must be true (corrected to the time of injection) or "
                       f"false (as counted); got '{text}'.")
    return found
