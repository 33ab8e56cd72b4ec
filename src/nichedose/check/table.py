"""Rows as a plain-text table for people, and as JSON-ready objects for machines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nichedose.check.row import CheckRow

__all__ = ["all_ok", "format_table", "to_json"]

_HEADINGS = ("", "id", "ours", "reference", "unit", "off by", "allowed", "kind", "source")


def all_ok(rows: Sequence[CheckRow]) -> bool:
    """True when every row passes; an empty list has shown nothing and does not pass."""
    return bool(rows) and all(row.ok for row in rows)


def format_table(rows: Sequence[CheckRow]) -> str:
    """An aligned table, one line per row and a last line with the tally.

    Failing rows stand out by ``FAIL``, known differences by ``differs``; both are explained below the table.
    """
    if not rows:
        return "No checks were run."
    cells = [_HEADINGS, *(_line(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_HEADINGS) - 1)]
    lines = ["  ".join([*map(str.ljust, line, widths), line[-1]]).rstrip() for line in cells]
    notes = [f"  {row.id}: {why}" for row in rows if (why := _why(row))]
    known = sum(row.ok and bool(row.known_difference) for row in rows)
    passed = sum(row.ok for row in rows) - known
    also = f" {known} known difference{'s' * (known > 1)}." if known else ""
    return "\n".join([*lines, *notes, f"{passed} of {len(rows)} checks passed.{also}"])


def to_json(rows: Sequence[CheckRow]) -> list[dict[str, Any]]:
    """One object per row; numbers that are not finite become None, which is valid JSON."""
    return [
        {"id": r.id, "source": r.source, "kind": r.kind, "ours": _finite(r.ours), "reference": _finite(r.reference),
         "tolerance": r.tolerance, "tolerance_is": "absolute" if r.absolute else "relative", "ok": r.ok, "unit": r.unit,
         "note": r.note, "known_difference": r.known_difference}
        for r in rows
    ]


def _line(row: CheckRow) -> tuple[str, ...]:
    difference = row.ours - row.reference
    if row.absolute:
        off, allowed = f"{difference:+.2g}", f"{row.tolerance:.2g}"
    elif row.reference == 0.0:
        off, allowed = f"{difference:+.2g}", "0"
    else:
        off, allowed = _share(difference / abs(row.reference), "+"), _share(row.tolerance)
    verdict = "FAIL" if not row.ok else "differs" if row.known_difference else "ok"
    return (verdict, row.id, f"{row.ours:.6g}", f"{row.reference:.6g}", row.unit, off, allowed, row.kind, row.source)


def _why(row: CheckRow) -> str:
    if row.known_difference and row.within:
        return f"agrees now, so that its known difference is none: {row.known_difference}"
    return row.known_difference or ("" if row.ok else row.note)


def _share(value: float, sign: str = "") -> str:
    """Per cent where that reads well, powers of ten where it would read 0.00 %."""
    return format(value, f"{sign}.2e") if 0.0 < abs(value) < 1e-4 else format(value, f"{sign}.2%")


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
