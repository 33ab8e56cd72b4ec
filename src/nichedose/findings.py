"""What a question to a case found: an answer, with tables, charts and maps behind it, and every value it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nichedose.values import Source, ValueUse

__all__ = ["Cell", "FindingChart", "FindingMap", "FindingPicture", "FindingTable", "Findings", "Part"]

Cell = str | float | int | None


@dataclass(frozen=True)
class FindingTable:
    """``rows`` of cells under ``head``; numbers are shown with three digits, None as not computed."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class FindingChart:
    """Lines over a shared ``x``, NaN where one has no value; the unit stands in the labels. By the name of a line:
    ``bands`` (low, high) over it, and ``points`` (x, y) that were measured."""

    title: str
    summary: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    lines: Mapping[str, tuple[float, ...]]
    log_x: bool = False
    bands: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)
    points: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class FindingMap:
    """A grid of cells: ``names[row][column]`` says which category wins there, ``sure[row][column]`` (0 to 1) how
    surely, of how many ``cases`` where they are given; rows follow ``y`` upwards. With ``one_hue`` the names are
    numbers, painted in one colour as strongly as ``sure`` says."""

    title: str
    summary: str
    x_label: str
    y_label: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    sure: tuple[tuple[float, ...], ...]
    cases: tuple[tuple[int, ...], ...] = ()
    one_hue: bool = False


@dataclass(frozen=True)
class FindingPicture:
    """A picture as a PNG data address, with what each colour means; ``width_um`` is the width of what it shows."""

    title: str
    summary: str
    png: str
    legend: Mapping[str, str]
    width_um: float


@dataclass(frozen=True)
class Part:
    """One part under its own heading."""

    title: str
    text: tuple[str, ...] = ()
    tables: tuple[FindingTable, ...] = ()
    charts: tuple[FindingChart, ...] = ()
    maps: tuple[FindingMap, ...] = ()
    pictures: tuple[FindingPicture, ...] = ()


@dataclass(frozen=True)
class Findings:
    """``numbers`` holds what a program would want, by name."""

    title: str
    answer: str
    parts: tuple[Part, ...]
    values_used: tuple[ValueUse, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
