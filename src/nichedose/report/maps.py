"""Which maps a page carries, and how finely: layers of each section, within a budget of characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from nichedose.fields.grid import Array, BoolArray
from nichedose.report.courses import central_beside_draws, courses_of_maps
from nichedose.report.encode import CodedMap, code_map
from nichedose.report.format import LARGEST_LOG_KILL, cell_words, number, unit_sign
from nichedose.results import PlanResult, SectionResult

__all__ = ["MAP_BUDGET", "MapLayer", "SectionMaps", "section_maps"]

MAP_BUDGET = 4_000_000  # characters for all maps of a page, which leaves room below 5 MB for the rest
_BLOCKS = (1, 2, 3, 4, 6, 8, 12, 16)
_QUALITY_WORDS = {
    "alpha": "alpha particles",
    "recoil": "recoil nuclei",
    "beta": "beta electrons",
    "conversion": "conversion electrons",
    "auger": "Auger electrons",
    "photon": "photons",
}
_SHARE_SHOWN = 1e-3  # a radiation quality that gives less than this share of a candidate's dose gets no map
# What loses detail first when a page would grow too large; the last two are what a reader came for.
_GIVES_WAY = ("quality", "activity", "cells", "targets", "surroundings", "survival", "dose")


@dataclass(frozen=True)
class MapLayer:
    """One map of a section as a reader chooses it; ``candidate`` empty for tissue."""

    key: str
    candidate: str
    group: str
    label: str
    unit: str
    colours: str
    note: str
    kind: str
    values: Array
    mask: BoolArray
    coded: CodedMap
    least: float | None = None  # smaller values are not told apart

    def index(self, element: str) -> dict[str, object]:
        """What the page's script needs beside the payload."""
        c = self.coded
        return {
            "key": self.key,
            "candidate": self.candidate,
            "group": self.group,
            "label": self.label,
            "unit": self.unit,
            "colours": self.colours,
            "note": self.note,
            "element": element,
            "shape": c.shape,
            "block": c.block,
            "scale": c.scale,
            "min": c.minimum,
            "max": c.maximum,
            "floor": c.floor,
            "zero": c.has_zero,
            "step": c.step,
            "shown": c.shown,
            "least": self.least,
        }


@dataclass(frozen=True)
class SectionMaps:
    """All layers of one section on its grid; lengths in um."""

    sample: str
    shape: tuple[int, int]
    spacing_um: float
    origin_um: tuple[float, float]
    scale_evidence: str
    layers: tuple[MapLayer, ...]

    @property
    def tissue_groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer.group for layer in self.layers if not layer.candidate))

    @property
    def candidates(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer.candidate for layer in self.layers if layer.candidate))

    @property
    def coarsened(self) -> str:
        """Which kinds of map are shown in blocks, or an empty text."""
        blocks = {layer.kind: layer.coded.block for layer in self.layers if layer.coded.block > 1}
        return ", ".join(f"{kind} at {number(self.spacing_um * block)} µm" for kind, block in blocks.items())


def section_maps(result: PlanResult, order: Sequence[str], budget: int = MAP_BUDGET) -> tuple[SectionMaps, ...]:
    """The maps of all sections, candidates in ``order``.

    Kinds of map give way to coarser blocks, one after another, until all fit ``budget`` characters.
    """
    sections = [_layers(section, order, result) for section in result.sections]
    block = dict.fromkeys(_GIVES_WAY, 1)
    for coarser in _BLOCKS[1:]:
        for kind in _GIVES_WAY:
            if sum(layer.coded.size for s in sections for layer in s.layers) <= budget:
                return tuple(sections)
            block[kind] = coarser
            sections = [_coarser(section, kind, coarser) for section in sections]
    return tuple(sections)


def _coarser(section: SectionMaps, kind: str, block: int) -> SectionMaps:
    layers = tuple(
        replace(layer, coded=code_map(layer.values, layer.mask, block=block)) if layer.kind == kind else layer
        for layer in section.layers
    )
    return replace(section, layers=layers)


def _layers(section: SectionResult, order: Sequence[str], result: PlanResult) -> SectionMaps:
    tissue = section.tissue
    x, y = np.asarray(tissue["x"], dtype=float), np.asarray(tissue["y"], dtype=float)
    spacing = float(np.diff(x if x.size > 1 else y).mean()) if max(x.size, y.size) > 1 else 1.0
    mask = np.asarray(tissue["mask"], dtype=bool) if "mask" in tissue else np.ones((y.size, x.size), dtype=bool)
    courses = courses_of_maps(section.candidates, result.candidates)
    beside = {c.name: central_beside_draws(c, result.decide_by) for c in result.candidates}
    of_candidates = (
        replace(layer, note=f"{layer.note} At {courses[layer.candidate]}. "
                            f"{beside[layer.candidate].get(layer.kind, '')}".strip())
        if layer.candidate in courses
        else layer
        for layer in _candidate_layers(section.candidates, order, mask, _tumour(tissue, mask))
    )
    layers = (*_tissue_layers(tissue, mask), *of_candidates)
    return SectionMaps(
        section.sample, (y.size, x.size), spacing, (float(x[0]), float(y[0])), section.scale_evidence, layers
    )


def _layer(
    key: str,
    group: str,
    label: str,
    unit: str,
    values: Any,
    mask: BoolArray,
    *,
    kind: str,
    colours: str = "viridis",
    note: str = "",
    candidate: str = "",
) -> MapLayer:
    array = np.asarray(values, dtype=float)
    return MapLayer(
        key, candidate, group, label, unit_sign(unit), colours, note, kind, array, mask, code_map(array, mask)
    )


def _tissue_layers(tissue: xr.Dataset, mask: BoolArray) -> Iterator[MapLayer]:
    for name, field in tissue.data_vars.items():
        if str(name).startswith("target_"):
            yield _layer(
                str(name),
                "Targets",
                _label(field, str(name)[7:]),
                _unit(field),
                field,
                mask,
                kind="targets",
                note=_target_note(field),
            )
    if "cell_density" in tissue:
        cells = tissue["cell_density"]
        for cell in cells["cell_type"].values:
            yield _layer(
                f"cells_{cell}",
                "Cells",
                cell_words(str(cell)),
                _unit(cells),
                cells.sel(cell_type=cell),
                mask,
                kind="cells",
            )
    for name, field in tissue.data_vars.items():
        plain = set(field.dims) == {"y", "x"} and name != "mask" and not str(name).startswith("target_")
        if plain:
            yield _layer(
                str(name),
                "Vessels, matrix, oxygen",
                _label(field, str(name)),
                _unit(field),
                field,
                mask,
                kind="surroundings",
                colours="cividis",
            )


def _candidate_layers(maps: xr.Dataset, order: Sequence[str], mask: BoolArray, tumour: BoolArray) -> Iterator[MapLayer]:
    names = [str(n) for n in maps["candidate"].values] if "candidate" in maps.coords else []
    for name in sorted(names, key=lambda n: order.index(n) if n in order else len(order)):
        one = maps.isel(candidate=names.index(name))
        if "dose" in one:
            yield _layer(
                "dose",
                "Candidate",
                "Dose",
                _unit(one["dose"], "Gy"),
                one["dose"],
                mask,
                kind="dose",
                colours="inferno",
                candidate=name,
                note="Absorbed dose of the whole course, all qualities, unweighted.",
            )
        if "survival_log10" in one:
            yield replace(
                _layer(
                    "survival",
                    "Candidate",
                    "Survival",
                    "log10",
                    np.maximum(np.asarray(one["survival_log10"], dtype=float), -LARGEST_LOG_KILL),
                    tumour,
                    kind="survival",
                    candidate=name,
                    note="log10 of the surviving fraction of tumour cells: −1 is one in ten. "
                    "Places without tumour cells have no value.",
                ),
                least=-LARGEST_LOG_KILL,
            )
        yield from _quality_layers(one, mask, name)
        if "time_integrated_activity" in one:
            yield _layer(
                "activity",
                "Candidate",
                "Time-integrated activity",
                _unit(one["time_integrated_activity"], "MBq.h/L"),
                one["time_integrated_activity"],
                mask,
                kind="activity",
                colours="inferno",
                candidate=name,
            )


def _quality_layers(one: xr.Dataset, mask: BoolArray, candidate: str) -> Iterator[MapLayer]:
    if "dose_by_quality" not in one:
        return
    field = one["dose_by_quality"]
    total = {str(q): float(np.nansum(np.asarray(field.sel(quality=q))[mask])) for q in field["quality"].values}
    shown = [q for q, dose in total.items() if dose > _SHARE_SHOWN * sum(total.values())]
    for quality in shown if len(shown) > 1 else []:
        yield _layer(
            f"dose_{quality}",
            "Candidate",
            f"Dose, {_QUALITY_WORDS.get(quality, quality)}",
            _unit(field, "Gy"),
            field.sel(quality=quality),
            mask,
            kind="quality",
            colours="inferno",
            candidate=candidate,
            note=f"Absorbed dose of the whole course from {_QUALITY_WORDS.get(quality, quality)} alone, unweighted.",
        )


def _tumour(tissue: xr.Dataset, mask: BoolArray) -> BoolArray:
    """Where there are tumour cells: survival means nothing elsewhere."""
    if "cell_density" not in tissue or "tumour" not in [str(c) for c in tissue["cell_type"].values]:
        return mask
    return np.asarray(mask & (np.asarray(tissue["cell_density"].sel(cell_type="tumour")) > 0.0))


def _label(field: xr.DataArray, fallback: str) -> str:
    text = cell_words(str(field.attrs.get("long_name", fallback)))
    return text[:1].upper() + text[1:]


def _unit(field: xr.DataArray, fallback: str = "") -> str:
    return str(field.attrs.get("units", fallback))


def _target_note(field: xr.DataArray) -> str:
    notes: Sequence[str] = (
        _mean_note(str(field.attrs.get("anchor", "library")), field.attrs.get("scale") == "absolute"),
        ""
        if int(field.attrs.get("shape_known", 1))
        else "Too few counts for a map: spread evenly over the cells that bear it.",
    )
    return " ".join(n for n in notes if n)


def _mean_note(anchor: str, absolute: bool) -> str:
    if absolute:
        return f"The mean was measured in this lesion: {anchor}."
    if anchor == "library":
        return "Expression gives the pattern; the mean comes from the library, not from this lesion."
    if anchor.startswith("library"):
        return f"Expression gives the pattern; the mean comes from the {anchor}."
    return f"Expression gives the pattern; the mean comes from the library, shifted by {anchor}."
