"""Linear energy transfer of alphas: along each track, and at a distance from a point source."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nichedose.dose.alphas import alpha_energy_MeV, alpha_range_um, alpha_stopping_keV_per_um, dose_mean_let_keV_per_um
from nichedose.dose.kernels import Daughters, members
from nichedose.dose.numbers import check_lengths, real_array, whole_number
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.nuclide import Source, canonical_name, emissions

__all__ = ["AlphaTrack", "alpha_let_keV_per_um", "alpha_tracks"]


@dataclass(frozen=True)
class AlphaTrack:
    """The alphas of one line. Arrays (n,) from start to end of the track, even in distance: ``travelled_um``, the
    ``energy_MeV`` and ``let_keV_per_um`` that they have there (0 and the value at 1 keV at the end).

    ``emitter``: the nuclide of the chain that emits them, ``emitted_MeV`` with ``per_decay`` of the parent.
    ``track_mean_let_keV_per_um`` is averaged over length, ``dose_mean_let_keV_per_um`` over energy left.
    """

    emitter: str
    emitted_MeV: float
    per_decay: float
    travelled_um: Array
    energy_MeV: Array
    let_keV_per_um: Array
    dose_mean_let_keV_per_um: float

    @property
    def range_um(self) -> float:
        return float(self.travelled_um[-1])

    @property
    def track_mean_let_keV_per_um(self) -> float:
        return 1e3 * self.emitted_MeV / self.range_um


def alpha_tracks(
    nuclide: str, daughters: Daughters = "none", points: int = 101, longest_half_life_h: float = math.inf,
    decay_data: Source | None = None,
) -> tuple[AlphaTrack, ...]:
    """Energy and unrestricted LET along the alphas of a nuclide (and its progeny in place), line by line.

    Straight tracks in water that lose energy continuously, from the stopping table of the kernels and of
    `hit_statistics`. Raises `BadInput` for unknown names, a nuclide without alphas, and fewer than two points.

    >>> [(t.emitter, round(t.range_um, 1), round(t.track_mean_let_keV_per_um)) for t in alpha_tracks("213Po")][-1]
    ('213Po', 85.0, 99)
    """
    if not whole_number(points, 2):
        raise BadInput(f"points = {points!r}; give a whole number, 2 or more.")
    return tuple(
        _track(emitter, energy, count, points)
        for emitter, energy, count in _lines(nuclide, daughters, longest_half_life_h, decay_data))


def alpha_let_keV_per_um(
    nuclide: str, radius_um: ArrayLike, daughters: Daughters = "none", decay_data: Source | None = None
) -> Array:
    """Dose-averaged LET of the alphas at a distance from a point source, keV/um; 0 where none arrive.

    ``radius_um`` at or above 0, any shape. Raises `BadInput` for other distances, unknown names, and a nuclide without
    alphas; `OutOfValidity` for distances above 0 and below 1 nm.

    >>> alpha_let_keV_per_um("211At", [1.0, 40.0, 60.0]).round().tolist()
    [80.0, 194.0, 0.0]
    """
    radius = real_array("radius_um", radius_um)
    if not bool(np.all(np.isfinite(radius) & (radius >= 0.0))):
        raise BadInput("radius_um must be 0 or above, and finite.")
    check_lengths("radius_um", radius[radius > 0.0])
    dose, weighted = np.zeros(radius.shape), np.zeros(radius.shape)
    for _, energy, count in _lines(nuclide, daughters, math.inf, decay_data):
        residual = _range_um(energy) - radius
        let = np.where(residual > 0.0, alpha_stopping_keV_per_um(alpha_energy_MeV(residual)), 0.0)
        dose += count * let  # at a radius dose goes as yield times LET
        weighted += count * let**2
    return np.asarray(np.divide(weighted, dose, out=np.zeros(radius.shape), where=dose > 0.0))


def _lines(
    nuclide: str, daughters: Daughters, longest_half_life_h: float, decay_data: Source | None
) -> list[tuple[str, float, float]]:
    """Emitter, energy and yield per decay of the parent of every alpha line."""
    found = []
    for member in members(nuclide, daughters, longest_half_life_h, decay_data):
        lines = emissions(member.name, decay_data).lines["alpha"]
        found += [(member.name, float(energy), float(count) * member.decays_per_parent_decay)
                  for energy, count in zip(lines.energy_MeV, lines.per_decay, strict=True)]
    if not found:
        itself = "" if daughters == "equilibrium" else " itself (daughters = none)"
        raise BadInput(f"{canonical_name(nuclide, decay_data)} emits no alphas{itself}.")
    return found


def _track(emitter: str, emitted_MeV: float, per_decay: float, points: int) -> AlphaTrack:
    travelled = np.linspace(0.0, _range_um(emitted_MeV), points)
    energy = alpha_energy_MeV(travelled[-1] - travelled)
    return AlphaTrack(emitter, emitted_MeV, per_decay, travelled, energy, alpha_stopping_keV_per_um(energy),
                      float(dose_mean_let_keV_per_um(np.array([emitted_MeV]))[0]))


def _range_um(energy_MeV: float) -> float:
    return float(alpha_range_um(np.array([energy_MeV]))[0])
