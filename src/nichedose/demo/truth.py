"""What the synthetic section is made of, known at every point: the truth that recovered maps are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from nichedose.demo.layout import (
    Gland,
    Vessel,
    place_glands,
    place_vessels,
    section_outline,
    smooth_step,
    truth_grid,
    tumour_edge,
)
from nichedose.demo.noise import normals, smooth_field, stream
from nichedose.demo.oxygen import steady_oxygen
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array, BoolArray, Grid

__all__ = ["CELL_TYPES", "DEFAULT_SEED", "GroundTruth", "ground_truth"]

IntArray = NDArray[np.int_]

DEFAULT_SEED = 7
CELL_TYPES = ("tumour", "fibroblast", "endothelial", "t_cell", "macrophage", "b_cell")
_PSMA_NEGATIVE_UM = (1530.0, 930.0, 330.0)  # centre x, y and radius of the clone without PSMA


@dataclass(frozen=True)
class GroundTruth:
    """Fields of the synthetic section on a fine ``grid``; arrays (ny, nx), zero outside ``mask``.

    Names and units: ``cell_density/<type>`` 1/mm3, also of the cells that are ``hypoxic``, ``cycling`` or
    ``activated_fibroblast``, which are counted under their type already; ``target/<name>`` relative, mean 1 over the
    tissue; ``vessel_surface`` 1/cm; ``oxygen`` mmHg; ``matrix`` and ``lumen`` 0 to 1; ``nest`` numbers the nests.
    """

    seed: int
    grid: Grid
    mask: BoolArray
    fields: Mapping[str, Array]
    glands: tuple[Gland, ...]
    vessels: tuple[Vessel, ...]

    def field(self, name: str) -> Array:
        if name not in self.fields:
            raise BadInput(f"The synthetic section has no field '{name}'.{near_miss(name, self.fields)}")
        return self.fields[name]

    def sample(self, name: str, x_um: Array, y_um: Array) -> Array:
        """The field at any points, by linear interpolation; 0 outside the window."""
        row = (np.asarray(y_um) - self.grid.origin_um[0]) / self.grid.spacing_um
        column = (np.asarray(x_um) - self.grid.origin_um[1]) / self.grid.spacing_um
        return np.asarray(map_coordinates(self.field(name), [row, column], order=1, mode="constant"))

    def disc_mean(self, name: str, x_um: Array, y_um: Array, diameter_um: float) -> Array:
        """Mean over a disc around each point: what a capture spot covers. 61 points per disc, equal areas."""
        total = np.zeros(np.shape(x_um))
        offsets = _disc(diameter_um)
        for dx, dy in offsets:
            total += self.sample(name, np.asarray(x_um) + dx, np.asarray(y_um) + dy)
        return total / len(offsets)

    def smoothed(self, name: str, sigma_um: float) -> Array:
        """The field seen through a Gaussian of ``sigma_um``, normalised over the tissue; zero outside it."""
        sigma = sigma_um / self.grid.spacing_um
        weight = gaussian_filter(self.mask.astype(float), sigma)
        blurred = gaussian_filter(np.where(self.mask, self.field(name), 0.0), sigma)
        return np.where(self.mask, blurred / np.maximum(weight, 1e-9), 0.0)


@lru_cache(maxsize=2)
def ground_truth(seed: int = DEFAULT_SEED) -> GroundTruth:
    """The fields of the synthetic section for ``seed``; the same seed gives the same section everywhere."""
    grid = truth_grid()
    y, x = np.meshgrid(grid.y_um, grid.x_um, indexing="ij")
    glands = place_glands(seed)
    vessels = place_vessels(seed, glands)
    mask = section_outline(seed, x, y) > 0.0
    depths = np.stack([g.depth_um(x, y) for g in glands])
    nest: IntArray = np.argmax(depths, axis=0)
    vessel_surface = _vessel_surface(grid, vessels)
    anatomy = _anatomy(glands, nest, np.max(depths, axis=0), x, y)
    cells = _cells(seed, anatomy, vessel_surface, x, y)
    consumption = np.sum(list(cells.values()), axis=0) / 5.5e5
    oxygen = steady_oxygen(vessel_surface, consumption, grid.spacing_um)
    cells["macrophage"] *= 1.0 + 1.5 * np.exp(-oxygen / 6.0)
    states = _states(seed, cells, oxygen, x, y)
    fields = {f"cell_density/{name}": density for name, density in (cells | states).items()}
    fields |= {f"target/{name}": f for name, f in _targets(seed, cells, nest, oxygen, glands, x, y, mask).items()}
    fields |= {"vessel_surface": vessel_surface, "oxygen": oxygen, "matrix": anatomy["matrix"] * anatomy["stroma"],
               "lumen": anatomy["lumen"], "nest": nest.astype(float)}
    return GroundTruth(seed, grid, mask, {k: np.where(mask, v, 0.0) for k, v in fields.items()}, glands, vessels)


def _disc(diameter_um: float, rings: int = 4) -> list[tuple[float, float]]:
    points = [(0.0, 0.0)]
    for ring in range(1, rings + 1):
        radius = 0.5 * diameter_um * ring / (rings + 0.5)
        angles = 2.0 * np.pi * (np.arange(6 * ring) + 0.5 * ring) / (6 * ring)
        points += [(float(radius * np.cos(a)), float(radius * np.sin(a))) for a in angles]
    return points


def _vessel_surface(grid: Grid, vessels: tuple[Vessel, ...]) -> Array:
    """Perimeter per area of vessels that cross the section, spread over 12 um: 1/cm."""
    surface = np.zeros(grid.shape)
    for v in vessels:
        row = int(v.y_um // grid.spacing_um)
        column = int(v.x_um // grid.spacing_um)
        surface[row, column] += 2.0 * np.pi * v.radius_um / grid.spacing_um**2 * 1e4
    return gaussian_filter(surface, 12.0 / grid.spacing_um, truncate=4.0)


def _anatomy(glands: tuple[Gland, ...], nest: IntArray, depth: Array, x: Array, y: Array) -> dict[str, Array]:
    lumen = np.zeros(x.shape)
    for i, gland in enumerate(glands):
        here = nest == i
        lumen[here] = gland.lumen(x[here], y[here])
    epithelium = smooth_step(depth, 3.0)
    return {"lumen": lumen * epithelium, "epithelium": epithelium * (1.0 - lumen), "stroma": 1.0 - epithelium,
            "matrix": np.clip(0.45 + 0.5 * np.exp(-np.clip(-depth, 0.0, None) / 60.0), 0.0, 1.0)}


def _cells(seed: int, anatomy: Mapping[str, Array], vessel_surface: Array, x: Array, y: Array) -> dict[str, Array]:
    """Cells per mm3 by type: packed epithelium, loose stroma, immune cells along the right-hand border."""
    edge = tumour_edge(seed, x, y)
    side = smooth_step(x - 1500.0, 180.0)
    band = np.exp(-(((edge + 60.0) / 90.0) ** 2)) * side
    clusters = sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2.0 * s**2))
                   for cx, cy, s in ((2420.0, 1180.0, 70.0), (2330.0, 1900.0, 60.0), (2120.0, 2380.0, 50.0)))
    patchy = np.exp(0.5 * smooth_field(seed, "t cells", x, y, 120.0))
    stroma, epithelium = anatomy["stroma"], anatomy["epithelium"]
    crowding = 1.0 - 0.6 * np.clip(band + clusters, 0.0, 1.0)
    endothelial = 4.0e4 * vessel_surface / 100.0
    return {
        "tumour": 5.5e5 * epithelium * np.exp(0.12 * smooth_field(seed, "packing", x, y, 150.0)),
        "fibroblast": 1.1e5 * stroma * crowding * np.exp(0.25 * smooth_field(seed, "fibroblasts", x, y, 200.0)),
        "endothelial": endothelial,
        "t_cell": (3.2e5 * band * patchy + 2.5e5 * clusters + 0.08e5) * (stroma + 0.08 * epithelium),
        "macrophage": (0.9e5 * band + 0.16e5 * np.exp(0.5 * smooth_field(seed, "macrophages", x, y, 150.0)))
        * (stroma + 0.15 * epithelium),
        "b_cell": (4.5e5 * clusters + 0.25e5 * band + 0.02e5) * stroma,
    }


def _states(seed: int, cells: Mapping[str, Array], oxygen: Array, x: Array, y: Array) -> dict[str, Array]:
    hypoxia = _hypoxia(oxygen)
    cycling = np.exp(0.4 * smooth_field(seed, "cycling", x, y, 150.0)) * (1.0 - 0.8 * hypoxia)
    return {
        "hypoxic": hypoxia * (cells["tumour"] + cells["fibroblast"] + cells["macrophage"]),
        "cycling": cycling * (cells["tumour"] + 0.5 * cells["b_cell"]),
        "activated_fibroblast": _caf(seed, x, y) * cells["fibroblast"],
    }


def _hypoxia(oxygen: Array) -> Array:
    """Response of hypoxia genes, 0 to 1, half at 8 mmHg."""
    return np.asarray(1.0 / (1.0 + (oxygen / 8.0) ** 2))


def _caf(seed: int, x: Array, y: Array) -> Array:
    """Share of fibroblasts that are activated: high within and near the tumour, low further away."""
    return 0.05 + 0.95 * smooth_step(tumour_edge(seed, x, y) + 120.0, 60.0)


def _targets(seed: int, cells: Mapping[str, Array], nest: IntArray, oxygen: Array, glands: tuple[Gland, ...],
             x: Array, y: Array, mask: BoolArray) -> dict[str, Array]:
    """Relative densities; each target follows its host cells, with variation from nest to nest."""
    rng = stream(seed, "clones")
    clone = np.array([np.hypot(g.x_um - _PSMA_NEGATIVE_UM[0], g.y_um - _PSMA_NEGATIVE_UM[1]) < _PSMA_NEGATIVE_UM[2]
                      for g in glands])
    psma = np.where(clone, 0.02, np.exp(0.45 * normals(rng, len(glands))))
    positive = clone | (rng.random(len(glands)) < 0.3)
    positive[0] = False  # the core
    grpr = np.where(positive, np.exp(0.4 * normals(rng, len(glands))), 0.05)
    hypoxia = _hypoxia(oxygen)
    wave = np.exp(0.3 * smooth_field(seed, "psma", x, y, 180.0))
    raw = {
        "PSMA": cells["tumour"] * psma[nest] * wave,
        "FAP": cells["fibroblast"] * _caf(seed, x, y) * np.exp(0.3 * smooth_field(seed, "fap", x, y, 160.0)),
        "GRPR": cells["tumour"] * grpr[nest],
        "CAIX": cells["tumour"] * (0.02 + 0.98 * hypoxia),
        "B7-H3": cells["tumour"] + 1.5 * cells["fibroblast"] + 2.0 * cells["endothelial"],
        "PD-L1": 0.1 * cells["tumour"] + cells["macrophage"],
    }
    return {name: field / field[mask].mean() for name, field in raw.items()}
