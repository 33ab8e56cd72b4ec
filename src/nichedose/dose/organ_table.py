"""Photon specific absorbed fractions between the organs of a phantom: made once, shipped, and read."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from nichedose.dose.organ_rays import PathTable, RayShares, pair_fractions, path_table, ray_shares
from nichedose.dose.phantom import VoxelPhantom
from nichedose.fields.grid import Array
from nichedose.library.phantoms import load_phantom

__all__ = ["ENERGIES_MEV", "OrganFractions", "load_fractions", "make_fractions"]

ENERGIES_MEV = (0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
_SHOWN = ENERGIES_MEV.index(0.2)  # the energy for which the table keeps the standard error
_POOR = 0.05  # relative standard error of the rays from which random pairs may take over
_DIGITS = 4


@dataclass(frozen=True)
class OrganFractions:
    """Specific absorbed fractions, 1/g, ``per_g[first, second]`` (n_energy,), the same both ways.

    ``error``: their relative standard errors at 200 keV. ``mass_g``: of the regions as cut, at which they hold.
    ``escaped[source]`` (n_energy,): the share of energy that leaves the body.
    """

    energies_MeV: Array
    mass_g: Mapping[str, float]
    per_g: Mapping[tuple[str, str], Array]
    error: Mapping[tuple[str, str], float]
    escaped: Mapping[str, Array]

    def at(self, first: str, second: str, energy_MeV: Array) -> Array:
        """1/g at any photon energies (n,); between the table's, even in the logarithms of both.

        Below 10 keV the fraction of 10 keV is kept: such photons stay in their organ. Above 3 MeV that of 3 MeV.
        """
        values = self.per_g[(first, second) if (first, second) in self.per_g else (second, first)]
        floor = 1e-30
        logs = np.log(np.maximum(values, floor))
        found = np.exp(np.interp(np.log(energy_MeV), np.log(self.energies_MeV), logs))
        return np.where(found > 10.0 * floor, found, 0.0)


@functools.cache
def load_fractions(phantom: str) -> OrganFractions:
    """The shipped table of a phantom; how it was made stands in ``dose/data/PROVENANCE.md``."""
    load_phantom(phantom)
    file = files("nichedose.dose") / "data" / f"organ_fractions_{phantom}.json"
    return _from_plain(json.loads(file.read_text(encoding="utf-8")))


def make_fractions(
    phantom: VoxelPhantom, rays: int, pairs: int, seed: int = 1, tell: Callable[[str], None] = lambda text: None
) -> OrganFractions:
    """Follow ``rays`` from each region; ``pairs`` of points join the regions that too few rays connect.

    Rays from either side of a pair are averaged by their standard errors: the kernel is the same both ways.
    """
    table = path_table(ENERGIES_MEV)
    mass = phantom.masses_g
    shares: dict[str, RayShares] = {}
    for name in phantom.names:
        tell(f"rays from {name}")
        shares[name] = ray_shares(phantom, name, table, rays, seed)
    per_g: dict[tuple[str, str], Array] = {}
    errors: dict[tuple[str, str], float] = {}
    for i, first in enumerate(phantom.names):
        tell(f"pairs with {first}")
        for second in phantom.names[i:]:
            value, error = _by_rays(phantom, shares, mass, first, second)
            if first != second:
                value, error = _with_pairs(phantom, (first, second), table, (value, error), (pairs, seed))
            per_g[first, second] = value
            errors[first, second] = float(error[_SHOWN] / value[_SHOWN]) if value[_SHOWN] > 0.0 else 1.0
    escaped = {name: share.escaped for name, share in shares.items()}
    return OrganFractions(np.array(ENERGIES_MEV), mass, per_g, errors, escaped)


def _by_rays(
    phantom: VoxelPhantom, shares: Mapping[str, RayShares], mass: Mapping[str, float], first: str, second: str
) -> tuple[Array, Array]:
    a, b = phantom.names.index(first), phantom.names.index(second)
    there, back = shares[first].share[:, b] / mass[second], shares[second].share[:, a] / mass[first]
    there_error, back_error = shares[first].error[:, b] / mass[second], shares[second].error[:, a] / mass[first]
    if first == second:
        return there, there_error
    # a region that few rays meet shows a small spread by chance: weights from the numbers, not from the spread alone
    weight = np.array([_hits(shares[first], b), _hits(shares[second], a)]) + 1e-300
    weight = weight / weight.sum(axis=0)
    return weight[0] * there + weight[1] * back, np.hypot(weight[0] * there_error, weight[1] * back_error)


def _hits(share: RayShares, target: int) -> Array:
    """Independent contributions that the spread over batches amounts to."""
    mean, error = share.share[:, target], share.error[:, target]
    return np.divide(mean, error, out=np.zeros_like(mean), where=error > 0.0) ** 2


def _with_pairs(
    phantom: VoxelPhantom, names: tuple[str, str], table: PathTable, rays: tuple[Array, Array],
    sampling: tuple[int, int],
) -> tuple[Array, Array]:
    value, error = rays
    if bool(np.all(error[_SHOWN:] <= _POOR * value[_SHOWN:])):
        return value, error
    joined, joined_error = pair_fractions(phantom, *names, table, *sampling)
    better = joined_error * np.maximum(value, 1e-300) < error * np.maximum(joined, 1e-300)
    better |= value <= 0.0
    return np.where(better, joined, value), np.where(better, joined_error, error)


def to_plain(fractions: OrganFractions) -> dict[str, Any]:
    """What the file holds."""
    return {
        "energies_MeV": fractions.energies_MeV.tolist(),
        "mass_g": {name: _short(value) for name, value in fractions.mass_g.items()},
        "escaped": {name: [_short(v) for v in values] for name, values in fractions.escaped.items()},
        "per_g": [[*pair, round(fractions.error[pair], 3), *(_short(v) for v in values)]
                  for pair, values in fractions.per_g.items()],
    }


def _from_plain(raw: Mapping[str, Any]) -> OrganFractions:
    per_g = {(row[0], row[1]): np.array(row[3:]) for row in raw["per_g"]}
    error = {(row[0], row[1]): float(row[2]) for row in raw["per_g"]}
    escaped = {name: np.array(values) for name, values in raw["escaped"].items()}
    return OrganFractions(np.array(raw["energies_MeV"]), raw["mass_g"], per_g, error, escaped)


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
