"""What a search for targets found: genes in the order of their rank, and those that could not be judged."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Discovery", "RankedTarget"]


@dataclass(frozen=True)
class RankedTarget:
    """One gene. ``rank`` 1 is best, with its 90 % bootstrap interval; ``score`` is the sum of the criteria in log2.

    ``per_10k``: transcripts per 10,000 in tumour cells. ``coverage``: share of tumour cells (spots) that bear it, with
    its 90 % interval, dropout by shallow counting taken out; a wide one says that the data cannot tell.
    ``elsewhere_ratio``: its level in all other cells over that in tumour cells. ``hypoxic_ratio``: its level in hypoxic
    over that in other tumour cells. ``contrast_log2``: its share of transcripts in tumour cells over that in
    ``worst_organ``, the organ where this is least; None without a table, or without the gene in it.
    """

    gene: str
    family: str
    rank: int
    rank_low: int
    rank_high: int
    score: float
    counts: int
    per_10k: float
    coverage: float
    coverage_low: float
    coverage_high: float
    elsewhere_ratio: float | None
    hypoxic_ratio: float | None
    contrast_log2: float | None
    worst_organ: str | None

    def as_dict(self) -> dict[str, object]:
        return dict(vars(self))


@dataclass(frozen=True)
class Discovery:
    """Genes in the order of their rank; those measured but too rare to judge; those that were not measured."""

    ranked: tuple[RankedTarget, ...]
    too_rare: tuple[str, ...]
    not_measured: tuple[str, ...]
    criteria: tuple[str, ...]
    tumour_cells: float

    def as_dict(self) -> dict[str, object]:
        return {
            "criteria": list(self.criteria), "tumour_cells": self.tumour_cells,
            "ranked": [t.as_dict() for t in self.ranked], "too_rare": list(self.too_rare),
            "not_measured": list(self.not_measured),
        }
