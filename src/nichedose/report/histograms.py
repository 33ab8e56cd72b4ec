"""Dose-volume and survival histograms of each section as charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from nichedose.fields.grid import Array, BoolArray
from nichedose.report.colour import line_style
from nichedose.report.format import LARGEST_LOG_KILL
from nichedose.report.svg import Axis, Chart, Series, Tick, linear_axis, log_axis, polyline
from nichedose.results import SectionResult

__all__ = ["dose_volume_chart", "survival_chart"]

_LOG_ABOVE = 8.0  # median doses of candidates that differ by more than this share a logarithmic axis
_DOSE_PLACES = 161
_TAIL = 1e-3  # shares of tissue or cells below this do not stretch an axis
_SURVIVAL_TAIL = 0.02
_PERCENT = Axis(0.0, 100.0, False, tuple(Tick(float(p), f"{p} %") for p in (0, 25, 50, 75, 100)), "")


def dose_volume_chart(section: SectionResult, order: Sequence[str], number: int) -> Chart | None:
    """Share of the tissue that gets at least a dose, one line per candidate; None where nothing was computed.

    Taken from the dose maps, so that candidates whose doses differ by decades are drawn equally well.
    """
    doses = _doses(section, order)
    if not doses:
        return None
    axis = _dose_axis(doses)
    places = np.linspace(0.0, 1.0, _DOSE_PLACES)
    x = axis.low * (axis.high / axis.low) ** places if axis.is_log else axis.low + (axis.high - axis.low) * places
    curves = {name: 1.0 - np.searchsorted(dose, x, side="left") / dose.size for name, dose in doses.items()}
    summary = "Share of the tissue that receives at least the dose on the axis."
    return _chart(f"dvh-{number}", "Dose-volume histogram", summary, axis, x, curves, "Gy", order)


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
    reached = [float(x[max(np.flatnonzero(c > _SURVIVAL_TAIL)[0] - 1, 0)]) for c in curves.values()]
    axis = linear_axis(max(min(reached), -LARGEST_LOG_KILL), float(x[-1]), label="log10 of surviving fraction")
    summary = (
        "Share of tumour cells whose surviving fraction is at most the value on the axis. Further left is more kill."
    )
    if min(reached) < -LARGEST_LOG_KILL:
        summary += f" The axis ends at −{LARGEST_LOG_KILL:g}: further left is not told apart."
    return _chart(f"survival-{number}", "Survival histogram", summary, axis, x, curves, "log10", order)


def _doses(section: SectionResult, order: Sequence[str]) -> dict[str, Array]:
    """Sorted doses (Gy) of all tissue voxels, by candidate in ``order``; none where a dose is missing."""
    maps, mask = section.candidates, np.asarray(section.tissue["mask"], dtype=bool)
    return {name: np.sort(dose[mask]) for name, dose in _by_candidate(maps, "dose", order, mask).items()}


def _by_candidate(maps: xr.Dataset, name: str, order: Sequence[str], mask: BoolArray | None = None) -> dict[str, Array]:
    """Arrays of ``name`` in ``order``, without those that are not finite (inside ``mask``)."""
    if name not in maps or "candidate" not in maps.coords:
        return {}
    names = [str(n) for n in maps["candidate"].values]
    found = {n: np.asarray(maps[name].isel(candidate=names.index(n)), dtype=float) for n in order if n in names}
    inside = {n: values if mask is None else values[mask] for n, values in found.items()}
    return {n: values for n, values in found.items() if inside[n].size and np.isfinite(inside[n]).all()}


def _dose_axis(doses: Mapping[str, Array]) -> Axis:
    """Up to the dose that one voxel in a thousand exceeds; logarithmic when median doses differ widely."""
    top = max(float(np.quantile(dose, 1.0 - _TAIL)) for dose in doses.values())
    medians = [m for dose in doses.values() if (m := float(np.median(dose))) > 0.0]
    if len(medians) > 1 and max(medians) > _LOG_ABOVE * min(medians):
        return log_axis(max(min(medians) / 10.0, top * 1e-5), top, label="absorbed dose (Gy), logarithmic")
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
