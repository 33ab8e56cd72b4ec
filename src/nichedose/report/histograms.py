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

_LOG_ABOVE = 8.0  # median doses of candidates that differ by more than this share a logarithmic axis
_TAIL = 1e-3  # shares of tissue or cells below this do not stretch an axis
_LEAST_LOG10 = -30.0  # survival below this is not told apart on the axis
_PERCENT = Axis(0.0, 100.0, False, tuple(Tick(float(p), f"{p} %") for p in (0, 25, 50, 75, 100)), "")


def dose_volume_chart(section: SectionResult, order: Sequence[str], number: int) -> Chart | None:
    """Share of the tissue that gets at least a dose, one line per candidate; None where nothing was computed.

    ``dose_volume`` holds that share (0 to 1) at each ``dose_bin`` (Gy).
    """
    curves = _by_candidate(section.candidates, "dose_volume", order)
    if not curves:
        return None
    x = np.asarray(section.candidates["dose_bin"], dtype=float)
    summary = "Share of the tissue that receives at least the dose on the axis."
    return _chart(f"dvh-{number}", "Dose-volume histogram", summary, _dose_axis(x, curves), x, curves, "Gy", order)


def survival_chart(section: SectionResult, order: Sequence[str], number: int) -> Chart | None:
    """Share of tumour cells whose survival is at most a value, one line per candidate.

    ``survival_histogram`` holds shares by bin (summing to 1), ``log10_survival_bin`` the centres of even bins.
    """
    shares = _by_candidate(section.candidates, "survival_histogram", order)
    if not shares:
        return None
    centres = np.asarray(section.candidates["log10_survival_bin"], dtype=float)
    half = 0.5 * float(np.diff(centres).mean()) if centres.size > 1 else 0.5
    x = np.concatenate([centres[:1] - half, centres + half])  # cumulative shares belong to the edges
    curves = {name: np.concatenate([[0.0], np.cumsum(v) / v.sum()]) for name, v in shares.items() if v.sum() > 0.0}
    if not curves:
        return None
    reached = [float(x[max(np.flatnonzero(c > _TAIL)[0] - 1, 0)]) for c in curves.values()]
    axis = linear_axis(max(min(reached), _LEAST_LOG10), float(x[-1]), label="log10 of surviving fraction")
    summary = (
        "Share of tumour cells whose surviving fraction is at most the value on the axis. Further left is more kill."
    )
    return _chart(f"survival-{number}", "Survival histogram", summary, axis, x, curves, "log10", order)


def _by_candidate(maps: xr.Dataset, name: str, order: Sequence[str]) -> dict[str, Array]:
    """Finite histograms (n_bins,) in ``order``; empty where there are none."""
    if name not in maps or "candidate" not in maps.coords:
        return {}
    names = [str(n) for n in maps["candidate"].values]
    found = {n: np.asarray(maps[name].isel(candidate=names.index(n)), dtype=float) for n in order if n in names}
    return {n: values for n, values in found.items() if values.size and np.isfinite(values).all()}


def _dose_axis(x: Array, curves: dict[str, Array]) -> Axis:
    medians = [float(np.interp(0.5, c[::-1], x[::-1])) for c in curves.values()]
    reached = [float(x[np.flatnonzero(c > _TAIL)[-1]]) for c in curves.values() if (c > _TAIL).any()]
    top = max([*reached, float(x[1])])
    positive = [m for m in medians if m > 0.0]
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
