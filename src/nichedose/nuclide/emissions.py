"""What one decay emits, by quality, from ICRP Publication 107 or from ENSDF."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from nichedose.errors import BadInput
from nichedose.nuclide import ensdf
from nichedose.nuclide.names import canonical_name, database_folder, database_name
from nichedose.nuclide.sources import Source, chosen_source

__all__ = ["BetaSpectrum", "Emissions", "Lines", "beta_bins", "decay_per_h", "emissions", "half_life_h"]

Array = NDArray[np.float64]

_HOURS = {"us": 1e-6 / 3600, "ms": 1e-3 / 3600, "s": 1 / 3600, "m": 1 / 60, "h": 1.0, "d": 24.0, "y": 24.0 * 365.2422}
_LISTS = {
    "alpha": ("alpha",), "recoil": ("alpha recoil",), "beta": ("beta-", "beta+"), "conversion": ("IE",),
    "auger": ("auger",), "photon": ("gamma", "X", "annihilation"),
}


@dataclass(frozen=True)
class Lines:
    """Discrete emissions: ``energy_MeV`` and ``per_decay`` (yield), arrays (n,).

    Those of `emissions` are shared by all who ask, and cannot be written.
    """

    energy_MeV: Array
    per_decay: Array

    @property
    def energy_MeV_per_decay(self) -> float:
        return float(self.energy_MeV @ self.per_decay)


@dataclass(frozen=True)
class BetaSpectrum:
    """A tabulated beta spectrum, beta- and beta+ together: ``per_MeV`` per decay at ``energy_MeV``, arrays (n,)."""

    energy_MeV: Array
    per_MeV: Array


@dataclass(frozen=True)
class Emissions:
    """Emissions of one radionuclide, its progeny not included.

    ``lines`` by quality (alpha, recoil, beta, conversion, auger, photon); for beta these are branches with their mean
    energies, and ``beta_spectrum`` holds the shape (None without betas). ``energy_MeV_per_decay`` sums the lines.
    Spontaneous fission is left out, ``fission_MeV_per_decay`` for fragments, neutrons and delayed betas; the spectrum
    of the few nuclides with much of it holds the fragments' betas too.
    """

    nuclide: str
    half_life_h: float
    lines: Mapping[str, Lines]
    beta_spectrum: BetaSpectrum | None
    source: Source = "icrp107"
    fission_MeV_per_decay: float = 0.0

    @property
    def energy_MeV_per_decay(self) -> dict[str, float]:
        return {quality: lines.energy_MeV_per_decay for quality, lines in self.lines.items()}


def emissions(name: str, source: Source | None = None) -> Emissions:
    """Emissions of ``name`` by quality; raises `BadInput` for a nuclide that the source lacks.

    ``source``: "icrp107" (ICRP Publication 107, Ann. ICRP 38 (3), 2008, as packaged in icrp107-database; the default)
    or "ensdf" (evaluated nuclear structure data, shipped; a few dozen radionuclides).

    >>> round(emissions("177Lu").energy_MeV_per_decay["beta"], 4)
    0.1333
    >>> round(emissions("177Lu", "ensdf").energy_MeV_per_decay["beta"], 3)
    0.133
    """
    chosen = chosen_source(source)
    return _load(canonical_name(name, chosen), chosen)


def half_life_h(name: str, source: Source | None = None) -> float:
    """Half-life in hours."""
    return emissions(name, source).half_life_h


def decay_per_h(name: str, source: Source | None = None) -> float:
    """Decay constant, ln 2 over the half-life, 1/h."""
    return math.log(2.0) / half_life_h(name, source)


def beta_bins(name: str, bins: int = 400, source: Source | None = None) -> Lines:
    """The beta spectrum in ``bins`` bins: mean energy and number of betas per decay of each.

    The table is integrated as a monotone cubic: straight lines between its points give 0.1 to 0.4 % too much energy.
    Bins widen with energy, so that the short ranges that matter inside a cell are resolved; the yield is scaled
    (by less than 0.5 %) so that the energy is that of the branches. Raises `BadInput` for a nuclide that the source
    lacks, and for ``bins`` that is not a whole number above 0.
    """
    if not (isinstance(bins, int) and bins >= 1):
        raise BadInput(f"bins = {bins!r}; give a whole number above 0.")
    chosen = chosen_source(source)
    return _bins(canonical_name(name, chosen), bins, chosen)


@lru_cache(maxsize=512)
def _load(name: str, source: Source) -> Emissions:
    return _from_ensdf(name) if source == "ensdf" else _from_icrp(name)


def _from_ensdf(name: str) -> Emissions:
    raw = ensdf.record(name)
    lines = {quality: _lines(raw.get(quality, [])) for quality in _LISTS if quality != "beta"}
    lines["beta"] = _lines([branch[1:3] for branch in raw.get("beta", [])])
    table = _fixed(np.asarray(raw.get("spectrum", [[], []]), dtype=float))
    spectrum = BetaSpectrum(table[0], table[1]) if table.size else None
    ordered = {quality: lines[quality] for quality in _LISTS}
    return Emissions(name, float(raw["half_life_h"]), MappingProxyType(ordered), spectrum, "ensdf")


def _from_icrp(name: str) -> Emissions:
    path = database_folder() / f"{database_name(name, 'icrp107')}.json"
    raw: dict[str, Any] = json.loads(json.loads(path.read_text()))  # the file is a JSON string that holds JSON
    lists = raw["emissions"]
    lines = {quality: _lines([row for key in keys for row in lists[key]]) for quality, keys in _LISTS.items()}
    table = _fixed(np.asarray(lists["b-spectra"], dtype=float).reshape(-1, 2))
    spectrum = BetaSpectrum(table[:, 0], table[:, 1]) if len(table) else None
    half_life = float(raw["half_life"]) * _HOURS[raw["time_unit"]]
    fission = sum(_lines(lists[key]).energy_MeV_per_decay for key in ("fission", "neutron", "betaD"))
    return Emissions(name, half_life, MappingProxyType(lines), spectrum, "icrp107", fission)


def _lines(rows: list[list[float]]) -> Lines:
    table = np.asarray(rows, dtype=float).reshape(-1, 2)
    return Lines(_fixed(table[:, 0].copy()), _fixed(table[:, 1].copy()))


def _fixed(shared: Array) -> Array:
    """Kept in the cache and handed to everybody: not to be written."""
    shared.setflags(write=False)
    return shared


@lru_cache(maxsize=256)
def _bins(name: str, bins: int, source: Source) -> Lines:
    data = _load(name, source)
    if data.beta_spectrum is None or not len(data.lines["beta"].energy_MeV):  # fission's delayed betas have a table too
        return Lines(np.empty(0), np.empty(0))
    energy, density = data.beta_spectrum.energy_MeV, data.beta_spectrum.per_MeV
    shape = PchipInterpolator(energy, density)
    edges = energy[0] + (energy[-1] - energy[0]) * np.linspace(0.0, 1.0, bins + 1) ** 2
    nodes, weights = np.polynomial.legendre.leggauss(4)
    width = np.diff(edges)
    points = edges[:-1, None] + 0.5 * width[:, None] * (nodes + 1.0)
    counts = np.clip(shape(points), 0.0, None) * (0.5 * width[:, None] * weights)
    per_decay, energy_sum = counts.sum(axis=1), (counts * points).sum(axis=1)
    kept = per_decay > 0.0
    mean = energy_sum[kept] / per_decay[kept]
    scale = data.lines["beta"].energy_MeV_per_decay / float(energy_sum.sum())
    return Lines(_fixed(mean), _fixed(per_decay[kept] * scale))
