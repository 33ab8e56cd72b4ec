"""Measured activity over time, as a tidy table: one row a point."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from nichedose.body import MeasuredActivity
from nichedose.case import Case, MeasuredActivityTable, resolve_path
from nichedose.errors import BadInput, near_miss
from nichedose.io.tables import read_table, separator_of

__all__ = ["read_activity_table", "read_measured_activity"]

NEEDED = ("place", "time_h", "value", "unit", "decay_corrected")
OPTIONAL = ("relative_sd", "note")
YES, NO = ("true", "yes", "1"), ("false", "no", "0")
DEFAULT_SD = 0.1  # assumed
SAMPLES = {"whole blood": "blood", "serum": "plasma"}
UNCLEAR = ("venous blood", "arterial blood", "blood sample", "blood pool", "sample")


def read_measured_activity(case: Case, case_path: Path) -> tuple[tuple[MeasuredActivity, ...], ...]:
    """The series of every ``[[measured_activity]]`` of a case, in their order. Raises `BadInput`."""
    return tuple(read_activity_table(resolve_path(case_path, t.path), t) for t in case.measured_activity)


def read_activity_table(path: Path, how: MeasuredActivityTable) -> tuple[MeasuredActivity, ...]:
    """One series for each place, with its points in order of time; raises `BadInput` that names file and line."""
    if not path.is_file():
        raise BadInput(f"{path}: no such table of measured activity.")
    frame = read_table(path, separator=separator_of(path), text_columns=True, blank_rows=True).fillna("")
    frame.columns = [str(c).strip() for c in frame.columns]
    _check_columns(path, list(frame.columns))
    rows: dict[str, list[tuple[float, float, float, str, bool, int]]] = {}
    for i, row in enumerate(frame.to_dict("records")):
        if not any(str(value).strip() for value in row.values()):
            continue
        place, point = _point(row, f"{path}, line {i + 2}")
        rows.setdefault(place, []).append((*point, i + 2))
    if not rows:
        raise BadInput(f"{path}: the table has no rows.")
    return tuple(_series(path, place, sorted(points), how.calibration_sd) for place, points in rows.items())


def _check_columns(path: Path, columns: list[str]) -> None:
    missing = [c for c in NEEDED if c not in columns]
    if missing:
        raise BadInput(f"{path}: column '{missing[0]}' is missing. Needed: {', '.join(NEEDED)}; optional: "
                       f"{', '.join(OPTIONAL)}. Found: {', '.join(columns)}.")
    for column in columns:
        if column not in (*NEEDED, *OPTIONAL):
            raise BadInput(f"{path}: column '{column}' is not known.{near_miss(column, (*NEEDED, *OPTIONAL))} Rename "
                           "it, or leave it out, so that nothing is misread.")
    if len(set(columns)) < len(columns):
        raise BadInput(f"{path}: a column stands twice.")


def _point(row: dict[str, Any], where: str) -> tuple[str, tuple[float, float, float, str, bool]]:
    """Place, and time, value, relative sd, unit and flag of one row."""
    text = {key: str(value).strip() for key, value in row.items()}
    place = text["place"]
    if place.lower() in UNCLEAR:
        raise BadInput(f"{where}: '{place}' does not say which: write 'blood' for whole blood or 'plasma' for what is "
                       "left without cells. They differ by the haematocrit.")
    flag = text["decay_corrected"].lower()
    if flag not in YES + NO:
        raise BadInput(f"{where}: decay_corrected must be true (corrected to the start of the injection) or false (as "
                       f"measured); got '{text['decay_corrected']}'.")
    sd = text.get("relative_sd", "")
    return SAMPLES.get(place.lower(), place), (
        _number(text["time_h"], "time_h", where), _number(text["value"], "value", where),
        _number(sd, "relative_sd", where) if sd else DEFAULT_SD, text["unit"], flag in YES)


def _number(text: str, name: str, where: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        hint = " Write the decimal mark as a point." if "," in text else ""
        raise BadInput(f"{where}: {name} must be a finite number; got '{text}'.{hint} Leave out what was not measured.")
    return found


def _series(
    path: Path, place: str, points: list[tuple[float, float, float, str, bool, int]], calibration_sd: float
) -> MeasuredActivity:
    """Points of one place, sorted by time."""
    times, values, sds, units, flags, lines = zip(*points, strict=True)
    for what, found in (("unit", units), ("decay_corrected", flags)):
        if len(set(found)) > 1:
            raise BadInput(f"{path}: '{place}' has more than one {what}; bring its points to one.")
    for i, late in enumerate(times[1:]):
        if late == times[i]:
            raise BadInput(f"{path}: '{place}' has {late:g} h twice (lines {lines[i]} and {lines[i + 1]}). Give each "
                           "time once, as the mean of what was measured; two lesions or injections are not one series.")
    try:
        return MeasuredActivity(place, times, values, unit=units[0], decay_corrected=flags[0], relative_sd=sds,
                                calibration_sd=calibration_sd)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
