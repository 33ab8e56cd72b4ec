"""How far the mean number of cells of each type may be off: their number per volume, and their share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array
from nichedose.library.schema import TissueParameters
from nichedose.tissue.anchored import log_sd, quantiles
from nichedose.tissue.drawn import LEAST_LEFT, PRIOR_GEOMETRIC_SD
from nichedose.tissue.spots import SpotModel, TypeErrors

__all__ = ["CellErrors", "cell_errors"]


@dataclass(frozen=True, eq=False)
class CellErrors:
    """Of a section's mean cells per volume, to first order in the logarithm, as `draw_spots` draws it.

    ``number``: variance of all cells per volume. ``own`` (n_types,): variance of the factor on each type's share.
    ``slope`` (n_types, n_types): what a factor on the share of the second does to the mean cells of the first.
    """

    cell_types: tuple[str, ...]
    number: float
    own: Array
    slope: Array

    def log_sd(self, host: str, site_shares: Mapping[str, float]) -> float:
        """Of the sites in all when those on each cell of ``host`` are known; ``site_shares`` by host, sum 1.

        Sites are the host's cells over its share of the sites, which moves with the same factors.
        """
        h = self.cell_types.index(host)
        per_share = -np.array([site_shares.get(t, 0.0) for t in self.cell_types])
        per_share[h] += 1.0
        return math.sqrt(self.number + float((self.slope[h] - per_share) ** 2 @ self.own))


def cell_errors(model: SpotModel, parameters: TissueParameters) -> CellErrors:
    """Of ``model`` as it is before a draw. A type's share errs by its scale, RNA per cell and the leak of markers."""
    n = len(model.cell_types)
    number = _number_log_variance(model, parameters)
    errors = None if model.errors is None else model.errors.composition
    if errors is None:
        return CellErrors(model.cell_types, number, np.zeros(n), np.eye(n))
    shares = _shares_by_leak(model, errors, parameters)
    rna = np.mean(np.log(quantiles(parameters.rna_per_cell_geometric_sd)) ** 2)
    leaks = np.log((shares * model.content[:, None]).mean(axis=1)).var(axis=0)
    own = rna + errors.untold * math.log(PRIOR_GEOMETRIC_SD) ** 2 + leaks
    middle = shares[len(shares) // 2]
    middle = middle / middle.sum(axis=1, keepdims=True)
    cells = middle * model.content[:, None]
    return CellErrors(model.cell_types, number, own, np.eye(n) - (cells / cells.sum(axis=0)).T @ middle)


def _number_log_variance(model: SpotModel, p: TissueParameters) -> float:
    """Of all cells per volume: the library's, or of the thickness and nuclei that turn counted cells into it."""
    if model.cells_per_mm2 is None:
        return log_sd(p.cell_density_per_mm3) ** 2
    depth = [t + 2.0 * r for t in quantiles(p.section_thickness_um) for r in quantiles(p.nucleus_radius_um)]
    return float(np.var(np.log(depth)))


def _shares_by_leak(model: SpotModel, errors: TypeErrors, parameters: TissueParameters) -> Array:
    """Shares (not scaled to 1) when markers leak by each of nine quantiles, (9, n_spots, n_types)."""
    leak = np.array(quantiles(parameters.marker_leak))[:, None]
    floor = np.minimum(leak / model.composition.mean(axis=0), errors.least)
    return np.asarray(np.maximum(1.0 - floor[:, None, :] / errors.level, LEAST_LEFT) * model.composition)
