"""Which of the genes that a model needs were measured, under which of their names, and with how many counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from nichedose.fields.grid import Array
from nichedose.tissue.assay import SpatialAssay

__all__ = ["Coverage", "GeneTable", "gene_table"]


@dataclass(frozen=True)
class Coverage:
    """Genes of one list that were measured or not; counts over the section and spots with at least one, per gene."""

    present: tuple[str, ...]
    missing: tuple[str, ...]
    counts: Mapping[str, int]
    positive_spots: Mapping[str, int]

    @property
    def total_counts(self) -> int:
        return sum(self.counts.values())

    def as_dict(self) -> dict[str, object]:
        """Plain objects, for JSON."""
        return {
            "present": list(self.present),
            "missing": list(self.missing),
            "counts": dict(self.counts),
            "positive_spots": dict(self.positive_spots),
        }


@dataclass(frozen=True, eq=False)
class GeneTable:
    """Counts of the measured genes among those that were asked for, by current symbol: arrays (n_spots,)."""

    columns: Mapping[str, Array]
    aliases: Mapping[str, str]

    def symbol(self, gene: str) -> str:
        return self.aliases.get(gene, gene)

    def measured(self, genes: Iterable[str]) -> tuple[str, ...]:
        """Those of ``genes`` that the assay measured (with or without counts), by current symbol, each once."""
        return tuple(dict.fromkeys(self.symbol(g) for g in genes if self.symbol(g) in self.columns))

    def counts(self, genes: Iterable[str]) -> Array:
        """(n_spots, n_genes) of measured genes."""
        return np.stack([self.columns[self.symbol(g)] for g in genes], axis=1)

    def coverage(self, genes: Iterable[str]) -> Coverage:
        wanted = tuple(dict.fromkeys(self.symbol(g) for g in genes))
        present = tuple(g for g in wanted if g in self.columns)
        return Coverage(
            present=present,
            missing=tuple(g for g in wanted if g not in self.columns),
            counts={g: round(float(self.columns[g].sum())) for g in present},
            positive_spots={g: int((self.columns[g] > 0).sum()) for g in present},
        )


def gene_table(assay: SpatialAssay, genes: Iterable[str], aliases: Mapping[str, str]) -> GeneTable:
    """Counts of ``genes``; ``aliases`` maps former symbols to current ones, in the lists and in the assay alike.

    Rows of the assay that share a current symbol (a duplicate, or an old and a new name) are added.
    """
    wanted = {aliases.get(g, g) for g in genes}
    places: dict[str, list[int]] = {}
    for position, gene in enumerate(assay.genes):
        symbol = aliases.get(gene, gene)
        if symbol in wanted:
            places.setdefault(symbol, []).append(position)
    flat = [p for columns in places.values() for p in columns]
    owner = np.repeat(np.arange(len(places)), [len(c) for c in places.values()])
    picked = sp.csr_matrix(assay.counts[:, flat]) if flat else sp.csr_matrix((assay.n_spots, 0))
    join = sp.csr_matrix((np.ones(len(flat)), (np.arange(len(flat)), owner)), shape=(len(flat), len(places)))
    dense = np.asarray((picked @ join).todense(), dtype=float)
    return GeneTable({symbol: dense[:, i] for i, symbol in enumerate(places)}, dict(aliases))
