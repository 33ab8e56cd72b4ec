"""Findings as one self-contained HTML page, and as plain text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from nichedose.findings import Cell, FindingChart, FindingMap, Findings, FindingTable
from nichedose.report.colour import line_style
from nichedose.report.format import NOT_COMPUTED, as_sentence, number
from nichedose.report.page import asset, environment, evidence_counts, script_hash
from nichedose.report.svg import Axis, Chart, Series, linear_axis, log_axis, polyline
from nichedose.report.tables import sources_used, value_rows

__all__ = ["findings_text", "render_findings"]


def render_findings(findings: Findings) -> str:
    """One HTML page without any outside file."""
    rows = value_rows(findings)
    charts = {id(c): _chart(c, f"chart-{i}") for i, c in enumerate(c for p in findings.parts for c in p.charts)}
    names = sorted({n for p in findings.parts for m in p.maps if not m.one_hue for row in m.names for n in row})
    hues = {name: line_style(i)[0] for i, name in enumerate(names)}  # the same in all maps of the page
    context: dict[str, Any] = {
        "result": findings,
        "parts": [(f"part-{i}", p, [charts[id(c)] for c in p.charts], [_map(m, hues) for m in p.maps])
                  for i, p in enumerate(findings.parts)],
        "cell": cell_text,
        "values": rows,
        "evidence_counts": evidence_counts(rows),
        "sources": sources_used(findings),
        "style": Markup(asset("report.css") + asset("findings.css")),
        "script": Markup(asset("report.js")),
        "script_hash": script_hash(),
    }
    return environment().get_template("findings.html.j2").render(context)


def findings_text(findings: Findings) -> str:
    """The answer, and each part's text and tables, for a terminal."""
    lines = [findings.answer]
    for part in findings.parts:
        if not (part.text or part.tables):
            continue  # figures alone, which a terminal cannot show
        lines += ["", part.title, "-" * len(part.title), *part.text]
        for table in part.tables:
            lines += ["", *([table.title] if table.title else []), *_columns(table)]
            lines += [table.note] if table.note else []
    return "\n".join(lines)


def cell_text(cell: Cell) -> str:
    """Three digits for a number; whole numbers as they are."""
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return NOT_COMPUTED
    if isinstance(cell, str):
        return cell
    return str(cell) if isinstance(cell, int) else number(cell)


def _columns(table: FindingTable) -> list[str]:
    cells = [table.head, *(tuple(cell_text(c) for c in row) for row in table.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.head))]
    return ["  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def _chart(chart: FindingChart, name: str) -> Chart:
    x = np.array(chart.x)
    values = np.array([v for line in chart.lines.values() for v in line]
                      + [v for band in chart.bands.values() for edge in band for v in edge]
                      + [y for points in chart.points.values() for _, y in points])
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    x_axis = (log_axis if chart.log_x else linear_axis)(float(x.min()), float(x.max()), label=chart.x_label)
    y_axis = linear_axis(min(0.0, low), high, label=chart.y_label)
    series = []
    for i, (label, line) in enumerate(chart.lines.items()):
        hue, dash = line_style(i)
        y = np.array(line)
        keep = np.isfinite(y)
        series.append(Series(
            label, polyline(x[keep], y[keep], x_axis, y_axis), hue, dash,
            tuple(_digits(v) if known else None for v, known in zip(line, keep, strict=True)),
            _band(chart, label, x_axis, y_axis),
            tuple((x_axis.place(a), round(100.0 - y_axis.place(b), 3)) for a, b in chart.points.get(label, ()))))
    summary = f"{as_sentence(chart.summary)} Upwards: {chart.y_label}."
    return Chart(name, chart.title, summary, x_axis, y_axis, tuple(series), tuple(map(_digits, chart.x)), "", y_unit="")


def _digits(value: float) -> float:
    """As much of a number as is read under the cursor."""
    return float(f"{value:.4g}")


def _band(chart: FindingChart, label: str, x_axis: Axis, y_axis: Axis) -> str:
    """A polygon between a line's low and high; empty without a band."""
    if label not in chart.bands:
        return ""
    low, high = (np.array(edge) for edge in chart.bands[label])
    x = np.array(chart.x)
    return f"{polyline(x, low, x_axis, y_axis)} {polyline(x[::-1], high[::-1], x_axis, y_axis)}"


def _map(found: FindingMap, hues: Mapping[str, str]) -> dict[str, Any]:
    """Rows from the top down, each cell with its category's hue and how strongly to paint it."""
    single = line_style(0)[0]
    none = tuple((None,) * len(found.x) for _ in found.y)
    rows = [
        (label, [{"name": name, "hue": hues.get(name, single), "strength": round(15.0 + 60.0 * sure),
                  "told": f"{100.0 * sure:.0f} %" if of is None else f"{round(sure * of)} of {of}"}
                 for name, sure, of in zip(names, sures, cases, strict=True)])
        for label, names, sures, cases in zip(found.y, found.names, found.sure, found.cases or none, strict=True)
    ]
    return {"map": found, "rows": rows[::-1]}
