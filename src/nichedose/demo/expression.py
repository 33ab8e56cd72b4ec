"""From the ground truth to counts: which gene is counted how often in which spot of the synthetic section."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose.demo.noise import normals, stream
from nichedose.demo.truth import CELL_TYPES, GroundTruth
from nichedose.fields.grid import Array

__all__ = ["DATA", "ExpressionModel", "expected_counts", "expression_model", "sample_counts"]

DATA = resources.files("nichedose.demo") / "data"
SPOT_DIAMETER_UM = 55.0
SECTION_THICKNESS_UM = 10.0
_SPOT_VOLUME_MM3 = np.pi / 4.0 * SPOT_DIAMETER_UM**2 * SECTION_THICKNESS_UM * 1e-9


@dataclass(frozen=True)
class ExpressionModel:
    """Genes with their ids, and ``levels`` (n_drivers, n_genes): mean counts per unit of each driver."""

    genes: tuple[str, ...]
    gene_ids: tuple[str, ...]
    drivers: tuple[str, ...]
    levels: Array
    depth_geometric_sd: float
    bleed_fraction: float
    bleed_length_um: float
    overdispersion_size: float


def expression_model(seed: int) -> ExpressionModel:
    """The levels of ``data/expression.toml``, each with its scatter from gene to gene."""
    raw = tomllib.loads((DATA / "expression.toml").read_text("utf-8"))
    ids = dict(csv.reader((DATA / "gene_ids.csv").read_text("utf-8").splitlines()[1:]))
    rng_sd = float(np.log(raw["gene_geometric_sd"]))
    levels: dict[tuple[str, str], float] = {}
    for group in raw["group"]:
        for gene in _group_genes(group):
            follows_field = "per_spot" in group
            scatter = 1.0 if follows_field else float(np.exp(rng_sd * normals(stream(seed, f"level {gene}"), 1)[0]))
            for driver, level in (group.get("per_cell", {}) | group.get("per_spot", {})).items():
                levels[driver, gene] = levels.get((driver, gene), 0.0) + level * scatter
    genes = tuple(dict.fromkeys(gene for _, gene in levels))
    drivers = tuple(dict.fromkeys(driver for driver, _ in levels))
    table = np.array([[levels.get((d, g), 0.0) for g in genes] for d in drivers])
    return ExpressionModel(genes, tuple(ids.get(g, g) for g in genes), drivers, table, raw["depth_geometric_sd"],
                           raw["bleed_fraction"], raw["bleed_length_um"], raw["overdispersion_size"])


def expected_counts(truth: GroundTruth, model: ExpressionModel, xy_um: Array) -> Array:
    """Mean counts (n_spots, n_genes): what lies under each spot, its neighbours' bleed, and the spot's depth."""
    amounts = _drivers_per_spot(truth, xy_um)
    own = np.stack([amounts[d] for d in model.drivers], axis=1) @ model.levels
    distance = np.hypot(*(xy_um[:, None, :] - xy_um[None, :, :]).transpose(2, 0, 1))
    weight = np.where(distance > 1.0, np.exp(-0.5 * (distance / model.bleed_length_um) ** 2), 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    mixed = (1.0 - model.bleed_fraction) * own + model.bleed_fraction * (weight @ own)
    depth = np.exp(np.log(model.depth_geometric_sd) * normals(stream(truth.seed, "depth"), len(xy_um)))
    return _six_figures(mixed * depth[:, None])


def sample_counts(seed: int, mean: Array, size: float) -> NDArray[np.int32]:
    """Negative-binomial counts by inversion: one uniform number for each spot and gene.

    P(0) = (size/(size+mean))^size, and P(n+1) = P(n) (n+size)/(n+1) mean/(mean+size).
    """
    flat = mean.ravel()
    uniform = stream(seed, "counts").random(flat.size)
    ratio = flat / (flat + size)
    term = (size / (size + flat)) ** size
    below = term.copy()
    counts = np.zeros(flat.size, dtype=np.int32)
    active = np.flatnonzero(uniform > below)
    n = 0
    while active.size:
        term[active] *= (n + size) / (n + 1.0) * ratio[active]
        below[active] += term[active]
        n += 1
        counts[active] = n
        # the sum stops short of 1 by rounding: a vanishing term ends the search
        active = active[(uniform[active] > below[active]) & ((term[active] > 1e-18) | (n < flat[active]))]
    return counts.reshape(mean.shape)


def _group_genes(group: Mapping[str, Any]) -> list[str]:
    if "numbered" in group:
        return [f"{group['numbered']['prefix']}{i:04d}" for i in range(1, group["numbered"]["count"] + 1)]
    return str(group["genes"]).split()


def _drivers_per_spot(truth: GroundTruth, xy_um: Array) -> dict[str, Array]:
    """Cells under each spot by type, cells in a state, and the relative target densities."""
    x, y = xy_um[:, 0], xy_um[:, 1]

    def disc(name: str) -> Array:
        return truth.disc_mean(name, x, y, SPOT_DIAMETER_UM)

    amounts = {name: disc(f"cell_density/{name}") * _SPOT_VOLUME_MM3 for name in CELL_TYPES}
    states = ("hypoxic", "cycling", "activated_fibroblast")
    amounts |= {name: disc(f"cell_density/{name}") * _SPOT_VOLUME_MM3 for name in states}
    amounts |= {name: disc(name) for name in truth.fields if name.startswith("target/")}
    return amounts


def _six_figures(values: Array) -> Array:
    """Six significant figures: rounds away what differs between platforms in the last bit."""
    scale = 10.0 ** (5.0 - np.floor(np.log10(np.maximum(values, 1e-12))))
    return np.asarray(np.round(values * scale) / scale)
