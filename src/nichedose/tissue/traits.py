"""Scores that may shift radiosensitivity from place to place: DNA repair and proliferation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from nichedose.fields.grid import Array
from nichedose.tissue.composition import marker_score
from nichedose.tissue.genes import GeneTable
from nichedose.tissue.signatures import GeneList

__all__ = ["TRAITS", "sensitivity_traits"]

TRAITS: Mapping[str, tuple[str, ...]] = {
    "dna_repair": ("dna_repair_hr", "dna_repair_nhej"), "proliferation": ("proliferation",),
}
LEAST_RATE = 0.1  # of the mean: below it a logarithm shows counting noise


def sensitivity_traits(
    signatures: Mapping[str, GeneList], table: GeneTable, depth: Array, graph: sp.csr_matrix
) -> dict[str, Array]:
    """Log score of each of `TRAITS` at the spots, in standard deviations; left out without counts or variation."""
    found: dict[str, Array] = {}
    for trait, names in TRAITS.items():
        genes = tuple(g for name in names if name in signatures for g in signatures[name].genes)
        score = marker_score(genes, table, depth, graph) if genes else None
        if score is None:
            continue
        logs = np.log(np.maximum(score.rate / score.rate.mean(), LEAST_RATE))
        spread = float(logs.std())
        if spread > 0.0:
            found[trait] = (logs - logs.mean()) / spread
    return found
