"""Axes and line charts as inline SVG. Only lines are SVG; labels are HTML, so that they keep their size on a phone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array
from nichedose.report.format import number

__all__ = ["Axis", "Chart", "Series", "Tick", "linear_axis", "log_axis", "polyline"]


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in per cent of its length."""

    place: float
    label: str


@dataclass(frozen=True)
class Axis:
    """``low`` to ``high`` on a linear or logarithmic scale."""

    low: float
    high: float
    is_log: bool
    ticks: tuple[Tick, ...]
    label: str = ""

    def place(self, value: float) -> float:
        """Per cent along the axis, held inside it."""
        if self.is_log:
            if value <= 0.0:
                return 0.0
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(100.0 * min(max(share, 0.0), 1.0), 3)


@dataclass(frozen=True)
class Series:
    """One line of a chart: places in per cent for drawing, numbers for reading under the cursor.

    ``y`` is None where the line has no value. ``band`` is a polygon around it, ``marks`` are single points, x and y in
    per cent with y downwards.
    """

    name: str
    points: str
    hue: str
    dash: str
    y: tuple[float | None, ...]
    band: str = ""
    marks: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Chart:
    """A line chart with shared ``x``; ``data`` is what the page's script needs to read values under the cursor, which
    it shows with ``y_unit`` behind them."""

    id: str
    title: str
    summary: str
    x_axis: Axis
    y_axis: Axis
    series: tuple[Series, ...]
    x: tuple[float, ...]
    x_unit: str
    absent: tuple[str, ...] = ()
    y_unit: str = "%"

    @property
    def data(self) -> dict[str, object]:
        return {
            "x": self.x,
            "unit": self.x_unit,
            "yUnit": self.y_unit,
            "low": self.x_axis.low,
            "high": self.x_axis.high,
            "log": self.x_axis.is_log,
            "series": [{"name": s.name, "y": s.y} for s in self.series],
        }


def linear_axis(low: float, high: float, *, label: str = "", about: int = 5) -> Axis:
    """An axis that ends on round numbers, with about ``about`` ticks.

    >>> [t.label for t in linear_axis(0.0, 3.7).ticks]
    ['0', '1', '2', '3', '4']
    """
    if not high > low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1.0, 2.0, 5.0, 10.0) if s * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    start, end = first * step, last * step
    ticks = tuple(
        Tick(round(100.0 * (i - first) / (last - first), 3), _tick_label(i * step, step))
        for i in range(first, last + 1)
    )
    return Axis(start, end, False, ticks, label)


def log_axis(low: float, high: float, *, label: str = "") -> Axis:
    """A logarithmic axis, ``low`` and ``high`` above zero, with ticks at decades (and 2 and 5 where there is room)."""
    if not high > low:
        high = low * 10.0
    span = math.log10(high / low)
    steps = (1.0, 2.0, 5.0) if span < 2.5 else (1.0,)
    every = max(1, math.ceil(span / 6.0))
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [
        s * 10.0**d
        for d in decades
        if d % every == 0
        for s in steps
        if low * (1 - 1e-9) <= s * 10.0**d <= high * (1 + 1e-9)
    ]
    axis = Axis(low, high, True, (), label)
    return Axis(low, high, True, tuple(Tick(axis.place(v), _plain(v)) for v in values), label)


def polyline(x: Array, y: Array, x_axis: Axis, y_axis: Axis) -> str:
    """Points of an SVG polyline in a box of 100 x 100 with y downwards; repeated points are dropped."""
    points: list[str] = []
    for a, b in zip(np.asarray(x, dtype=float).tolist(), np.asarray(y, dtype=float).tolist(), strict=True):
        point = f"{x_axis.place(a):.2f},{100.0 - y_axis.place(b):.2f}"
        if not points or points[-1] != point:
            points.append(point)
    return " ".join(points)


def _tick_label(value: float, step: float) -> str:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{0.0 if value == 0 else value:.{min(decimals, 6)}f}".replace("-", "−") if step < 1e5 else number(value)


def _plain(value: float) -> str:
    return f"{value:g}" if 1e-3 <= value < 1e5 else number(value).replace("1.00 × ", "")
