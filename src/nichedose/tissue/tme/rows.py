"""How many cells of each population every row of an assay stands for: counted in cells, estimated in spots."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.library.markers import beside_tumour
from nichedose.library.schema import CellType, Population
from nichedose.tissue.assay import SpatialAssay
from nichedose.tissue.composition import marker_score, regress_composition
from nichedose.tissue.genes import GeneTable
from nichedose.tissue.proteins import PHENOTYPE, read_proteins
from nichedose.tissue.reported import reported_composition
from nichedose.tissue.shrink import shrink_counts
from nichedose.tissue.tme.cell_calls import OTHER, call_cells
from nichedose.tissue.tme.options import ProfileOptions
from nichedose.values import Flag

__all__ = ["RowPopulations", "populate", "row_kind"]

LARGEST_CELL_UM = 25.0  # rows closer than this on a free layout are cells, not spots
CONTENT_LIMITS = (0.25, 4.0)


@dataclass(frozen=True, eq=False)
class RowPopulations:
    """``amounts``: cells of each population in every row (n,); of the populations that are known.

    In cell assays they are 0 or 1 and ``counted`` is True; in spots they are relative (the sum over the cell types has
    mean 1) and say nothing of cells per area. ``unknown`` gives the reason for each population that is missing.
    ``cell_type`` (n,): the call of each cell, empty for spots.
    """

    kind: Literal["cells", "spots"]
    amounts: Mapping[str, Array]
    all_cells: Array
    unknown: Mapping[str, str]
    how: str
    cell_type: np.ndarray
    flags: tuple[Flag, ...]

    @property
    def counted(self) -> bool:
        return self.kind == "cells"


def row_kind(assay: SpatialAssay, options: ProfileOptions) -> Literal["cells", "spots"]:
    """What a row is: as stated, as the reader says, or by the distance between rows on a free layout."""
    if options.rows != "auto":
        return options.rows
    if assay.observation == "region":
        raise BadInput(f"{assay.sample}: regions of interest are no map, so neither areas nor neighbours can be told.")
    if assay.observation == "cell":
        return "cells"
    if assay.observation == "spot" and assay.lattice == "none" and assay.pitch_um < LARGEST_CELL_UM:
        return "cells"
    return "spots"


def populate(
    assay: SpatialAssay,
    cell_types: Mapping[str, CellType],
    populations: Mapping[str, Population],
    table: GeneTable,
    depth: Array,
    graph: sp.csr_matrix,
    options: ProfileOptions,
) -> RowPopulations:
    """Cells of every population in each row of ``assay``; raises `BadInput` when no tumour cell can be told."""
    if row_kind(assay, options) == "spots":
        if options.phenotype_key is not None:
            raise BadInput(
                f"{assay.sample}: phenotype_key = '{options.phenotype_key}' names the type of each cell, but rows are "
                "spots, which hold several. Leave it out; regions go into region_key, abundances of cell types into "
                "columns 'abundance:NAME' (docs/how-to/tissue_files.md).")
        found = _from_spots(assay, cell_types, populations, table, depth, graph)
    else:
        key = options.phenotype_key or (PHENOTYPE if PHENOTYPE in assay.annotations else None)
        if key is not None:
            found = _from_names(assay, populations, key)
        elif assay.genes:
            found = _from_transcripts(assay, cell_types, populations, table, depth)
        else:
            found = _from_proteins(assay, cell_types, populations)
    if "tumour" not in found.amounts or not found.amounts["tumour"].any():
        reason = found.unknown.get("tumour", "none was found")
        ask = ("Name the annotation that holds each cell's type (phenotype_key)." if found.counted else
               "Give abundances of cell types from a deconvolution (docs/how-to/tissue_files.md), tumour among them.")
        raise BadInput(f"{assay.sample}: tumour cells cannot be told apart ({reason}), so nests and stroma are "
                       f"unknown. {ask}")
    return found


# ---- cells by what the file calls them


def _from_names(assay: SpatialAssay, populations: Mapping[str, Population], key: str) -> RowPopulations:
    if key not in assay.annotations:
        raise BadInput(f"{assay.sample}: no annotation '{key}'.{near_miss(key, assay.annotations)}")
    names = np.array([str(v) for v in assay.annotations[key]], dtype=object)
    distinct, index = np.unique(names.astype(str), return_inverse=True)
    amounts, unknown = {}, {}
    tumour_words = populations["tumour"].words if "tumour" in populations else ()
    for name, population in populations.items():
        member = np.array([_matches(text, population.words, tumour_words) for text in distinct])
        if member.any():
            amounts[name] = member[index].astype(float)
        else:
            unknown[name] = f"no cell is called so in '{key}' ({', '.join(distinct[:6])})"
    unmatched = [t for t in distinct if not any(_matches(t, p.words) for p in populations.values())]
    flags = []
    if unmatched:
        flags.append(Flag("note", "cell types", f"Counted as cells only, of no population: {', '.join(unmatched)}."))
    return RowPopulations(
        "cells", amounts, np.ones(assay.n_spots), unknown, f"cell types as named in '{key}'", names, tuple(flags)
    )


def _matches(text: str, words: tuple[str, ...], tumour_words: tuple[str, ...] = ()) -> bool:
    """Whether a phenotype's name holds one of ``words``.

    Markers that are called negative do not count, and those called positive only where the name does not speak of
    tumour cells otherwise: a tumour cell positive for CD8 is no T cell.

    >>> _matches("CD8+", ("cd8",)), _matches("CD3+CD8-", ("cd8",)), _matches("Tumor cell", ("tumor",))
    (True, False, True)
    >>> _matches("PD1+ T cells", ("t cell",)), _matches("Tumor CD4+ CD8+", ("cd8",), ("tumor",))
    (True, False)
    >>> _matches("cancer-associated fibroblast", ("cancer",)), _matches("cancer-associated fibroblast", ("fibroblast",))
    (False, True)
    >>> _matches("Tumor macrophages", ("tumor",)), _matches("T-cells", ("t cell",))
    (False, True)
    """
    low = re.sub(r"(?<![a-z])([tb])[-._]cell", r"\1 cell", text.lower().replace("+", "+ "))
    low = re.sub(r"(cd\d+[a-z]*)-(?=cd)", r"\1- ", low)
    if re.match(r"\s*non[- ]", low):
        return False
    tokens = re.split(r"[\s,;]+", beside_tumour(low))
    if tokens[0] in ("other", "not", "unknown", "no"):
        return False
    plain = " ".join(token for token in tokens if not token.endswith(("+", "-")))
    if _holds(plain, words):
        return True
    positive = " ".join(token[:-1] for token in tokens if token.endswith("+"))
    return _holds(positive, words) and not _holds(plain, tumour_words)


def _holds(text: str, words: tuple[str, ...]) -> bool:
    return any(re.search(rf"(?<![a-z0-9]){re.escape(w)}(s|es|ial)?(?![a-z0-9])", text) for w in words)


# ---- cells by stained proteins


def _from_proteins(
    assay: SpatialAssay, cell_types: Mapping[str, CellType], populations: Mapping[str, Population]
) -> RowPopulations:
    """Types as the map tells them; other populations are the cells called positive for one of their genes' proteins."""
    reading = read_proteins(assay, cell_types, {})
    called = np.array(reading.types, dtype=object)[reading.share.argmax(axis=1)]
    proteins, amounts, unknown = assay.proteins, {}, {}
    for name, population in populations.items():
        if population.cell_type is not None:
            if population.cell_type in reading.types:
                amounts[name] = (called == population.cell_type).astype(float)
            else:
                unknown[name] = "no marker of theirs was called positive"
            continue
        stained = [] if proteins is None else [g for g in population.genes if g in proteins.markers]
        if proteins is None or proteins.positive is None or not stained:
            unknown[name] = f"{', '.join(population.genes)} not among the proteins that were stained and called"
        else:
            columns = [proteins.markers.index(g) for g in stained]
            amounts[name] = np.asarray(proteins.positive[:, columns].any(axis=1), dtype=float)
    how = "types by the calls of stained proteins"
    return RowPopulations("cells", amounts, np.ones(assay.n_spots), unknown, how, called, reading.flags)


# ---- cells by transcripts


def _from_transcripts(
    assay: SpatialAssay,
    cell_types: Mapping[str, CellType],
    populations: Mapping[str, Population],
    table: GeneTable,
    depth: Array,
) -> RowPopulations:
    calls = call_cells({n: t.markers for n, t in cell_types.items()}, table, depth)
    called = np.array(calls.types, dtype=object)[calls.probability.argmax(axis=1)]
    amounts, unknown, flags = {}, {}, []
    for name, population in populations.items():
        if population.cell_type is not None:
            if population.cell_type in calls.types:
                amounts[name] = (called == population.cell_type).astype(float)
            else:
                unknown[name] = calls.untold.get(population.cell_type, "it is no cell type of the library")
            continue
        member, missing = _gated(population, table, assay.n_spots)
        if member is None:
            unknown[name] = f"{', '.join(missing)} not among the genes that were measured"
        else:
            amounts[name] = member
    for name, reason in calls.untold.items():
        flags.append(Flag("caution", name, f"Cells of the type '{name}' cannot be told apart: {reason}."))
    rest = float((called == OTHER).mean())
    how = f"types by marker transcripts ({rest:.0%} of the cells are of none)".replace("%", " %")
    return RowPopulations("cells", amounts, np.ones(assay.n_spots), unknown, how, called, tuple(flags))


def _gated(population: Population, table: GeneTable, n: int) -> tuple[Array | None, list[str]]:
    """Cells that pass one of the gates whose genes were all measured; None when there is no such gate."""
    member, any_gate, missing = np.zeros(n, dtype=bool), False, []
    for gate in population.gates:
        lost = [g for g in gate if table.symbol(g) not in table.columns]
        if lost:
            missing += lost
            continue
        any_gate = True
        member |= np.all([table.columns[table.symbol(g)] >= least for g, least in gate.items()], axis=0)
    return (member.astype(float) if any_gate else None), sorted(set(missing))


# ---- spots


def _from_spots(
    assay: SpatialAssay,
    cell_types: Mapping[str, CellType],
    populations: Mapping[str, Population],
    table: GeneTable,
    depth: Array,
    graph: sp.csr_matrix,
) -> RowPopulations:
    content = np.clip(depth / depth.mean(), *CONTENT_LIMITS) ** 0.5
    content = content / content.mean()
    composition, type_flags = reported_composition(assay, cell_types)
    how, missing = "abundances of cell types in the file", "no abundance of the file speaks of them"
    if composition is None:
        scores = {n: marker_score(t.markers, table, depth, graph) for n, t in cell_types.items()}
        known = {n: s.rate for n, s in scores.items() if s is not None}
        composition = regress_composition(known, assay.counts, depth) if known else None
        how, missing = "shares of the spots' transcripts by marker genes", "no marker has counts"
    types = () if composition is None else composition.types
    unknown = {n: missing for n in cell_types if n not in types}
    amounts: dict[str, Array] = {}
    if composition is not None:
        amounts = {t: composition.fractions[:, i] * content for i, t in enumerate(types)}
    for name, population in populations.items():
        if population.cell_type is not None:
            continue
        genes = table.measured(population.genes)
        counts = table.counts(genes).sum(axis=1) if genes else np.zeros(len(depth))
        if counts.sum() < 50.0:  # the section mean alone would be known to 14 %, and nothing would be left for a map
            unknown[name] = f"{counts.sum():.0f} transcripts of {', '.join(population.genes)}; at least 50 are needed"
            continue
        relative = shrink_counts(counts, depth, graph).rate * content
        amounts[name] = relative / relative.mean()
    ordered = {n: amounts[n] for n in populations if n in amounts}
    flag = Flag(
        "note", "densities",
        "Spots hold several cells and are not counted: densities are relative to the section's mean of all cells (for "
        "populations without a cell type, to their own mean).",
    )
    return RowPopulations(
        "spots", ordered, content, unknown, how, np.array([], dtype=object), (*type_flags, flag))
