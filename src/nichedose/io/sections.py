"""`read_sections`: every section that a file or a folder holds, each as its own `SpatialAssay`."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from nichedose.errors import BadInput
from nichedose.io.reader import CoordinateUnit
from nichedose.io.readers import READERS
from nichedose.io.section_paths import section_paths
from nichedose.io.tissue_files import read_options, read_tissue, reader_for
from nichedose.tissue.assay import SpatialAssay

__all__ = ["distinct_sections", "read_sections"]


def read_sections(
    path: str | Path,
    kind: str = "auto",
    *,
    sample_key: str | None = None,
    coordinate_unit: CoordinateUnit = "auto",
    um_per_unit: float | None = None,
    layer: str | None = None,
    patient: str = "",
    aliases: Mapping[str, str] | None = None,
) -> tuple[SpatialAssay, ...]:
    """Every section of a file that holds several, or of a folder of files; options as for `read_tissue`.

    The sections keep the name of their sample; ``patient`` says whose they are, so that they stay together. Two of one
    name get their file's name in front. Raises `BadInput` as `read_tissue` does, for the first that cannot be read.

    >>> from nichedose.io import read_sections
    >>> sections = read_sections("tma.csv", "halo")  # doctest: +SKIP
    """
    options = read_options(path, None, sample_key, coordinate_unit, um_per_unit, layer, aliases)
    assays: list[SpatialAssay] = []
    for place in section_paths(path):
        samples = reader_for(place, kind).samples(place, options) if place.exists() else ()
        for sample in samples if len(samples) > 1 else (None,):
            assay = read_tissue(
                place, kind, sample=sample, sample_key=sample_key, coordinate_unit=coordinate_unit,
                um_per_unit=um_per_unit, layer=layer, aliases=aliases)
            if any(a.sample == assay.sample for a in assays):
                assay = dataclasses.replace(assay, sample=f"{place.name.split('.')[0]}_{assay.sample}")
            assays.append(dataclasses.replace(assay, patient=patient or assay.patient))
    if not assays:
        raise BadInput(f"{path}: nothing in this folder is a tissue file that can be read "
                       f"({', '.join(r.kind for r in READERS)}).")
    return tuple(assays)


def distinct_sections(assays: Sequence[SpatialAssay]) -> tuple[SpatialAssay, ...]:
    """Sections of one name (two folders called `outs`, say) are told apart by a number, in the order given."""
    named: list[SpatialAssay] = []
    for assay in assays:
        taken = {a.sample for a in named}
        numbers = (f"{assay.sample}_{i}" for i in itertools.count(2))
        name = assay.sample if assay.sample not in taken else next(n for n in numbers if n not in taken)
        named.append(dataclasses.replace(assay, sample=name))
    return tuple(named)
