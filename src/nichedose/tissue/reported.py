"""Composition that the file brings along: abundances of a deconvolution, mapped to the library's cell types."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.library.markers import lineage_of_phenotype
from nichedose.library.schema import CellType
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.composition import Composition
from nichedose.tissue.proteins import PHENOTYPE
from nichedose.values import Flag

__all__ = ["ABUNDANCE", "CompositionFrom", "choose_composition", "reported_composition", "with_phenotypes"]

ABUNDANCE = "abundance:"  # annotations of this prefix hold the abundance of the cell type named after it
CompositionFrom = Literal["auto", "reported", "markers"]
LARGEST_UNMAPPED = 0.2  # of the abundance; above, the shares of what is left deserve a caution
FEWEST_ROWS = 0.5  # of the spots that must have abundances, or they are not used


def with_phenotypes(assay: SpatialAssay, key: str | None) -> SpatialAssay:
    """The assay with the column ``key`` of its annotations as the types of its cells; as it is without a key.

    Raises `BadInput` for a column that the file does not hold, and for rows that are not cells.
    """
    if key is None:
        return assay
    if assay.observation != "cell":
        raise BadInput(f"{assay.sample}: phenotype_key is for cells; here each row is a {assay.observation}.")
    if key not in assay.annotations:
        raise BadInput(f"{assay.sample}: phenotype_key = '{key}' is no column of this file."
                       f"{near_miss(key, assay.annotations)}")
    return dataclasses.replace(assay, annotations={**assay.annotations, PHENOTYPE: assay.annotations[key]})


def choose_composition(assay: SpatialAssay, wanted: CompositionFrom) -> SpatialAssay:
    """The assay as ``wanted``: for ``markers`` without its abundances and, where genes were counted in cells, without
    what these are called; `BadInput` where ``reported`` has none."""
    has = any(name.startswith(ABUNDANCE) for name in assay.annotations)
    if wanted == "reported" and not has:
        raise BadInput(f"{assay.sample}: composition = \"reported\", but the file holds no abundances of cell types in "
                       "a place that is known: obsm of cell2location or RCTD, or columns 'abundance:NAME' (see "
                       "docs/how-to/tissue_files.md). Say \"markers\" to estimate them from marker genes.")
    if wanted == "reported" and assay.observation != "spot":
        raise BadInput(f"{assay.sample}: composition = \"reported\" is for spots; cells and bins are typed one by one.")
    if wanted != "markers":
        return assay
    passed_over = (ABUNDANCE, PHENOTYPE) if assay.genes and assay.observation == "cell" else (ABUNDANCE,)
    kept = {n: v for n, v in assay.annotations.items() if not n.startswith(passed_over)}
    if len(kept) == len(assay.annotations):
        return assay
    return dataclasses.replace(
        assay, annotations=kept, flags=tuple(f for f in assay.flags if f.about != "composition"))


def reported_composition(
    assay: SpatialAssay, cell_types: Mapping[str, CellType]
) -> tuple[Composition | None, tuple[Flag, ...]]:
    """Shares of the library's ``cell_types`` from the abundances in ``assay``, with what was mapped and what was not.

    Each name goes to the library's type of that name, else to the type that it speaks of (``T_CD8`` to ``t_cell``);
    names of one type are added up, others are left out and the rest is scaled to 1. A spot without abundances gets the
    section's mean. None where the file has no abundances, or where they do not serve (no name of a tumour cell, most
    spots without a value): then with a caution that says so. Raises `BadInput` for negative or infinite abundances.
    """
    columns = {n.removeprefix(ABUNDANCE): np.asarray(v) for n, v in assay.annotations.items()
               if n.startswith(ABUNDANCE)}
    if not columns:
        return None, ()
    amounts = {n: _amount(v, n, assay.sample) for n, v in columns.items()}
    hosts = {n: _type_of(n, cell_types) for n in amounts}
    types = tuple(t for t in cell_types if t in hosts.values())
    if not any(cell_types[t].is_clonogenic for t in types):
        tumour = ", ".join(t for t, c in cell_types.items() if c.is_clonogenic)
        return None, (_unused(f"none of its names ({_list(amounts)}) speaks of tumour cells; name one '{tumour}'"),)
    sums = np.stack([np.sum([amounts[n] for n, t in hosts.items() if t == c], axis=0) for c in types], axis=1)
    total = sums.sum(axis=1)
    told = total > 0.0
    if told.mean() < FEWEST_ROWS:
        return None, (_unused(f"only {int(told.sum())} of {len(told)} spots have a value above 0"),)
    mean = sums[told].sum(axis=0) / total[told].sum()
    fractions = np.where(told[:, None], sums / np.where(told, total, 1.0)[:, None], mean)
    composition = Composition(types, fractions, dict(zip(types, mean.tolist(), strict=True)))
    return composition, _flags(amounts, hosts, types, int((~told).sum()))


def _amount(values: np.ndarray, name: str, sample: str) -> np.ndarray:
    try:
        numbers = values.astype(float)
    except (TypeError, ValueError):
        raise BadInput(f"{sample}: the abundances of '{name}' are not numbers.") from None
    if bool((numbers < 0.0).any()) or bool(np.isinf(numbers).any()):
        raise BadInput(f"{sample}: the abundances of '{name}' hold negative or infinite values; they are numbers of "
                       "cells or shares. Mend them, or say composition = \"markers\" to pass over them.")
    return np.asarray(np.nan_to_num(numbers))


def _type_of(name: str, cell_types: Mapping[str, CellType]) -> str | None:
    if name.lower() in cell_types:
        return name.lower()
    found = lineage_of_phenotype(name)
    return found if found in cell_types else None


def _flags(
    amounts: Mapping[str, np.ndarray], hosts: Mapping[str, str | None], types: tuple[str, ...], empty: int
) -> tuple[Flag, ...]:
    all_of_it = sum(float(a.sum()) for a in amounts.values())
    lost = [n for n, t in hosts.items() if t is None]
    share = sum(float(amounts[n].sum()) for n in lost) / all_of_it
    parts = [f"{t} from {_list(n for n, h in hosts.items() if h == t)}" for t in types]
    text = f"Cell types were taken from the file's abundances, not from marker genes: {'; '.join(parts)}."
    if lost:
        text += f" Left out, {100.0 * share:.0f} % of the abundance: {_list(lost)}."
    flags = [Flag("caution" if share > LARGEST_UNMAPPED else "note", "composition", text)]
    if empty:
        flags.append(Flag("note", "composition", f"{empty} spots without abundances got the section's mean."))
    return tuple(flags)


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{n}'" for n in names)


def _unused(reason: str) -> Flag:
    return Flag("caution", "composition", f"The file's abundances of cell types were not used: {reason}. Shares are "
                                          "those of the marker regression.")
