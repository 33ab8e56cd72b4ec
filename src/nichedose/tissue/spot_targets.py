"""Targets at the spots: the shape of each gene's map, its counting error, or why there is none."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from nichedose.fields.grid import Array
from nichedose.library.schema import Target
from nichedose.tissue.common_error import common_share
from nichedose.tissue.genes import GeneTable
from nichedose.tissue.shrink import shrink_counts
from nichedose.tissue.spots import SpotTarget
from nichedose.values import Flag

__all__ = ["MIN_POSITIVE_SPOTS", "targets_at_spots"]

MIN_TARGET_COUNTS = 50  # below, sqrt(50) gives 14 % for the section mean alone, and nothing is left for a map
MIN_POSITIVE_SPOTS = 20  # below, a map would be a list of single spots


def targets_at_spots(
    targets: Mapping[str, Target], table: GeneTable, depth: Array, graph: sp.csr_matrix, content: Array, noise: float,
    correlation: float, per_gene: float,
) -> tuple[dict[str, SpotTarget], dict[str, str], list[Flag]]:
    """Targets whose genes were measured, the others with the reason, and flags for those without a shape.

    Below `MIN_TARGET_COUNTS` in `MIN_POSITIVE_SPOTS` spots there is none. ``content`` (n_spots,) turns rates into
    amounts per tissue; ``noise`` as in `shrink_counts`, ``correlation`` as in `common_share`; ``per_gene``: counts of
    the average gene.
    """
    known: dict[str, SpotTarget] = {}
    unknown: dict[str, str] = {}
    flags: list[Flag] = []
    for name, target in targets.items():
        missing = [g for g in target.genes if table.symbol(g) not in table.columns]
        if missing:
            unknown[name] = f"{', '.join(missing)} not among the genes that were measured"
            continue
        found = _target(name, table.counts(target.genes), depth, graph, content, noise, correlation)
        known[name] = found = dataclasses.replace(found, level=found.counts / per_gene)
        if found.shape_known and not found.detected:
            text = (
                f"{name}: {found.counts} transcripts, {found.level:.2g} of the average gene's, are a map but no sign "
                "that this tumour bears it: without an anchor its density is drawn downwards."
            )
            flags.append(Flag("caution", name, text))
        if known[name].relative is None:
            text = (
                f"{name}: {known[name].counts} transcripts in {known[name].positive_spots} spots are too few for a map "
                f"(at least {MIN_TARGET_COUNTS} in {MIN_POSITIVE_SPOTS} spots); its density is taken as even over the "
                "cells that bear it."
            )
            flags.append(Flag("caution", name, text))
    return known, unknown, flags


def _target(
    name: str, counts: Array, depth: Array, graph: sp.csr_matrix, content: Array, noise: float, correlation: float
) -> SpotTarget:
    """``counts`` (n_spots, n_subunits): per spot the scarcer subunit decides, by its shrunk transcripts per depth."""
    totals, positive = counts.sum(axis=0), (counts > 0).sum(axis=0)
    fewest, spots = round(float(totals.min())), int(positive.min())
    if fewest < MIN_TARGET_COUNTS or spots < MIN_POSITIVE_SPOTS:
        return SpotTarget(name, None, fewest, spots)
    shrunk = [shrink_counts(c, depth, graph, noise) for c in counts.T]
    common = [math.sqrt(common_share(c, depth, graph, s, correlation)) for c, s in zip(counts.T, shrunk, strict=True)]
    rates = np.stack([s.rate * total for s, total in zip(shrunk, totals, strict=True)])
    scarcer = np.argmin(rates, axis=0)[None, :]
    amount = np.take_along_axis(rates, scarcer, axis=0)[0] * content
    sd, shared = (np.take_along_axis(np.stack(s), scarcer, axis=0)[0]
                  for s in ([s.relative_sd for s in shrunk],
                            [np.maximum(s.shared_sd, c * s.relative_sd) for s, c in zip(shrunk, common, strict=True)]))
    return SpotTarget(name, amount / amount.mean(), fewest, spots, sd, shared)
