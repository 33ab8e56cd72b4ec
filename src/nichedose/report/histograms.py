"""Dose-volume and survival histograms of each section as charts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from nichedose.fields.grid import Array
from nichedose.report.colour import line_style
from nichedose.report.svg import Axis, Chart, Series, Tick, linear_axis, log_axis, polyline
from nichedose.results import SectionResult

__all__ = ["dose_volume_chart", "survival_chart"]

_LOG_ABOVE = 30.0  # doses of candidates that differ by more than this share a logarithmic axis
_PERCENT = Axis(0.0, 100.0, False, tuple(Tick(float(p), f"{p} %") for p in (0, 25, 50, 75, 100)), "")


def dose_volume_chart(section: SectionResult, order: Sequence[str], number: int) -> Chart | None:
    """Share of the tissue that gets at least a dose, one line per candidate; None where nothing was computed."""
    found = _curves(section.candidates, "dose_volume", "dose_bin", order, upwards=False)
    if found is None:
        return None
    x, curves = found
    axis = _dose_axis(x, curves)
    return _chart(
        f"dvh-{number}",
        "Dose-volume histogram",
        "Share of the tissue that receives at least the dose on the axis.",
        axis,
        x,
        curves,
        "Gy",
        order,
    )


def survival_chart(section: SectionResult, order: Sequence[str], number: int) -> Chart | None:
    """Share of tumour cells whose survival is at most a value, one line per candidate."""
    found = _curves(section.candidates, "survival_histogram", "log10_survival_bin", order, upwards=True)
    if found is None:
        return None
    x, curves = found
    used = [v[(v > 1e-3) & (v < 0.999)] for v in curves.values()]
    inside = np.concatenate([x[(v > 1e-3) & (v < 0.999)] for v in curves.values()]) if any(u.size for u in used) else x
    axis = linear_axis(float(min(inside.min(), x.max() - 1e-3)), float(x.max()), label="log10 of surviving fraction")
    return _chart(
        f"survival-{number}",
        "Survival histogram",
        "Share of tumour cells whose surviving fraction is at most the value on the axis; further left is more kill.",
        axis,
        x,
        curves,
        "log10",
        order,
    )


def _curves(
    maps: xr.Dataset, name: str, dim: str, order: Sequence[str], *, upwards: bool
) -> tuple[Array, dict[str, Array]] | None:
    """Bin places and cumulative shares (0 to 1) by candidate, whether they were stored cumulative or not."""
    if name not in maps or "candidate" not in maps.coords:
        return None
    field = maps[name]
    x = np.asarray(field[dim], dtype=float)
    names = [str(n) for n in field["candidate"].values]
    curves = {
        n: _cumulative(np.asarray(field.isel(candidate=names.index(n)), dtype=float), upwards)
        for n in order
        if n in names
    }
    curves = {n: c for n, c in curves.items() if np.isfinite(c).all()}
    return (x, curves) if curves and x.size > 1 else None


def _cumulative(values: Array, upwards: bool) -> Array:
    step = np.diff(values)
    already = bool((step >= -1e-9).all() if upwards else (step <= 1e-9).all()) and abs(float(values.max()) - 1.0) < 0.02
    if already:
        return values
    total = values.sum()
    if not total > 0.0:
        return np.full_like(values, np.nan)
    summed = np.cumsum(values) if upwards else np.cumsum(values[::-1])[::-1]
    return np.asarray(summed / total)


def _dose_axis(x: Array, curves: dict[str, Array]) -> Axis:
    ends = [float(x[np.flatnonzero(c >= 0.5)[-1]]) if (c >= 0.5).any() else float(x[0]) for c in curves.values()]
    reached = [float(x[np.flatnonzero(c > 2e-3)[-1]]) for c in curves.values() if (c > 2e-3).any()]
    top = max([*reached, float(x[1])])
    positive = [e for e in ends if e > 0.0]
    if len(positive) > 1 and max(positive) > _LOG_ABOVE * min(positive):
        return log_axis(max(min(positive) / 10.0, top * 1e-5), top, label="absorbed dose (Gy), logarithmic")
    return linear_axis(0.0, top, label="absorbed dose (Gy)")


def _chart(
    id: str, title: str, summary: str, axis: Axis, x: Array, curves: dict[str, Array], unit: str, order: Sequence[str]
) -> Chart:
    series = []
    for name, curve in curves.items():
        hue, dash = line_style(list(order).index(name))
        percent = np.round(100.0 * curve, 1)
        series.append(Series(name, polyline(x, 100.0 * curve, axis, _PERCENT), hue, dash, tuple(percent.tolist())))
    absent = tuple(n for n in order if n not in curves)
    return Chart(id, title, summary, axis, _PERCENT, tuple(series), tuple(float(f"{v:.4g}") for v in x), unit, absent)
