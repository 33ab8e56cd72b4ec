"""Radial kernels of a radionuclide: energy deposited around a point source in water, by radiation quality."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

from nichedose.dose.alphas import alpha_range_um, fold_alphas
from nichedose.dose.electrons import csda_range_um, fold_electrons
from nichedose.dose.numbers import check_lengths, real_array
from nichedose.dose.photons import fold_photons, photon_density, photon_radii
from nichedose.dose.result import QUALITIES, Quality
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.nuclide import ChainMember, Lines, Source, beta_bins, canonical_name, chain, chosen_source, emissions

__all__ = [
    "CHARGED", "Daughters", "QualityChoice", "RadialKernel", "charged_qualities", "emitted_qualities",
    "energy_MeV_per_decay", "members", "point_kernel", "radial_density_MeV_per_um", "radial_kernel", "summed_kernel",
]

Daughters = Literal["none", "equilibrium"]
QualityChoice = Quality | Collection[Quality] | None  # None: all that are emitted, photons included
CHARGED: tuple[Quality, ...] = ("alpha", "recoil", "beta", "conversion", "auger")
_SMALLEST_UM = 1e-3
_TAIL_RANGES = 1000.0  # bremsstrahlung; the last entry of the electron table
_CORE_RANGES = 1.3
_CORE_LEFT_OUT = 1e-5  # of the energy within 1.3 ranges; rare hard lines would make every kernel centimetres wide


@dataclass(frozen=True)
class RadialKernel:
    """Energy within ``radius_um`` (n,) of a point source, ``cumulative_MeV`` (n,) per decay of the parent.

    The radii start at 0; ``cumulative_MeV[0]`` is what is deposited on the spot. ``reach_um`` holds all but 1e-5 of the
    energy and bremsstrahlung.
    """

    radius_um: Array
    cumulative_MeV: Array
    reach_um: float

    @property
    def total_MeV(self) -> float:
        return float(self.cumulative_MeV[-1])

    @cached_property
    def within_MeV(self) -> PchipInterpolator:
        """The energy within a radius as a smooth function of it."""
        return PchipInterpolator(self.radius_um, self.cumulative_MeV)

    @cached_property
    def slope_MeV_per_um(self) -> PchipInterpolator:
        """Energy per radial distance as a function of the radius."""
        return self.within_MeV.derivative()

    @property
    def density_MeV_per_um(self) -> Array:
        """Energy per radial distance in each shell, (n - 1,)."""
        return np.asarray(np.diff(self.cumulative_MeV) / np.diff(self.radius_um))


def charged_qualities(
    nuclide: str, daughters: Daughters = "none", longest_half_life_h: float = math.inf,
    decay_data: Source | None = None,
) -> tuple[Quality, ...]:
    """The charged qualities that the nuclide (with its progeny) emits."""
    energies = energy_MeV_per_decay(nuclide, daughters, longest_half_life_h, decay_data)
    return tuple(q for q in CHARGED if energies[q] > 0.0)


def emitted_qualities(
    nuclide: str, daughters: Daughters = "none", quality: QualityChoice = None, longest_half_life_h: float = math.inf,
    decay_data: Source | None = None,
) -> tuple[Quality, ...]:
    """The qualities that the nuclide (with its progeny) emits, photons included; those of several; or the one.

    Raises `BadInput` for unknown names.
    """
    if isinstance(quality, str):
        canonical_name(nuclide, decay_data)
        return (_known(quality),)
    wanted = QUALITIES if quality is None else _several(quality)
    energies = energy_MeV_per_decay(nuclide, daughters, longest_half_life_h, decay_data)
    return tuple(q for q in QUALITIES if q in wanted and energies[q] > 0.0)


def energy_MeV_per_decay(
    nuclide: str, daughters: Daughters = "none", longest_half_life_h: float = math.inf,
    decay_data: Source | None = None,
) -> dict[Quality, float]:
    """Energy emitted per decay of the parent, by quality; with ``daughters="equilibrium"`` all progeny included."""
    total: dict[Quality, float] = dict.fromkeys(QUALITIES, 0.0)
    for member in members(nuclide, daughters, longest_half_life_h, decay_data):
        energies = emissions(member.name, decay_data).energy_MeV_per_decay
        for quality in QUALITIES:
            total[quality] += member.decays_per_parent_decay * energies[quality]
    return total


def radial_kernel(
    nuclide: str, quality: Quality, daughters: Daughters = "none", longest_half_life_h: float = math.inf,
    decay_data: Source | None = None,
) -> RadialKernel:
    """The kernel of one quality; progeny decay in place. Raises `BadInput` for unknown names."""
    data = chosen_source(decay_data)
    return _radial_kernel(
        canonical_name(nuclide, data), _known(quality), _checked(daughters), longest_half_life_h, data)


def summed_kernel(
    nuclide: str, daughters: Daughters = "none", quality: QualityChoice = None, longest_half_life_h: float = math.inf,
    decay_data: Source | None = None,
) -> RadialKernel:
    """The kernels of one quality, several, or all that are emitted, in one; shells of each stay uniform.

    Raises `BadInput` for unknown names.
    """
    qualities = emitted_qualities(nuclide, daughters, quality, longest_half_life_h, decay_data)
    data = chosen_source(decay_data)
    return _summed_kernel(canonical_name(nuclide, data), qualities, daughters, longest_half_life_h, data)


@lru_cache(maxsize=64)
def _summed_kernel(
    nuclide: str, qualities: tuple[Quality, ...], daughters: Daughters, longest_half_life_h: float, decay_data: Source
) -> RadialKernel:
    kernels = [_radial_kernel(nuclide, q, daughters, longest_half_life_h, decay_data) for q in qualities]
    radius = np.unique(np.concatenate([kernel.radius_um for kernel in kernels]))
    cumulative = sum(np.interp(radius, kernel.radius_um, kernel.cumulative_MeV) for kernel in kernels)
    return RadialKernel(radius, np.asarray(cumulative), max(kernel.reach_um for kernel in kernels))


def point_kernel(
    nuclide: str, radius_um: ArrayLike, quality: QualityChoice = None, daughters: Daughters = "none",
    decay_data: Source | None = None,
) -> Array:
    """Dose at a distance from a point source in water, Gy per decay of the parent.

    ``radius_um`` above 0, any shape. ``quality``: one, several, or None for all, photons included; ``decay_data``:
    "icrp107" or "ensdf" (see `nichedose.nuclide.emissions`). Recoils stop within 0.1 um and are taken as deposited at
    the source: they add nothing here. Valid from about 1 um. Raises `BadInput` for distances not above 0 and unknown
    names, `OutOfValidity` below 1 nm.

    >>> f"{float(point_kernel('177Lu', 100.0)):.2e} Gy per decay at 0.1 mm"
    '5.28e-07 Gy per decay at 0.1 mm'
    """
    radius = real_array("radius_um", radius_um)
    if not bool(np.all(np.isfinite(radius) & (radius > 0.0))):
        raise BadInput("radius_um must be above 0 and finite.")
    check_lengths("radius_um", radius)
    dose = np.zeros(radius.shape)
    for q in emitted_qualities(nuclide, daughters, quality, decay_data=decay_data):
        dose += radial_density_MeV_per_um(nuclide, radius, q, daughters, decay_data)
    return np.asarray(dose / (4.0 * np.pi * radius**2) * GY_PER_MEV_PER_UM3)


def radial_density_MeV_per_um(
    nuclide: str, radius_um: Array, quality: Quality, daughters: Daughters = "none", decay_data: Source | None = None
) -> Array:
    """Energy per radial distance at radii above 0 of any shape, MeV per decay and um."""
    if quality == "photon":
        lines = _lines(nuclide, quality, daughters, math.inf, decay_data)
        return photon_density(lines.energy_MeV, lines.per_decay, radius_um)
    kernel = radial_kernel(nuclide, quality, daughters, decay_data=decay_data)
    last = kernel.radius_um[-1]
    return np.asarray(np.where(radius_um < last, kernel.slope_MeV_per_um(np.minimum(radius_um, last)), 0.0))


def _several(quality: Collection[Quality]) -> tuple[Quality, ...]:
    if not isinstance(quality, Collection) or not len(quality):
        raise BadInput(f"quality = {quality!r}; name one, several, or None for all of {', '.join(QUALITIES)}.")
    return tuple(_known(q) for q in quality)


def _known(quality: str) -> Quality:
    if quality not in QUALITIES:
        raise BadInput(f"No radiation quality '{quality}'.{near_miss(str(quality), QUALITIES)}")
    return quality


def _checked(daughters: str) -> Daughters:
    if daughters not in ("none", "equilibrium"):
        raise BadInput(f"daughters = '{daughters}'; it must be 'none' or 'equilibrium'.")
    return daughters  # type: ignore[return-value]  # narrowed above


def members(
    nuclide: str, daughters: Daughters, longest_half_life_h: float, decay_data: Source | None
) -> tuple[ChainMember, ...]:
    """The nuclide alone, or with all its progeny in place. Raises `BadInput` for unknown names."""
    if _checked(daughters) == "none":
        return (ChainMember(canonical_name(nuclide, decay_data), 1.0),)
    return chain(nuclide, longest_half_life_h, decay_data)


def _lines(
    nuclide: str, quality: Quality, daughters: Daughters, longest_half_life_h: float, decay_data: Source | None
) -> Lines:
    """All emissions of one quality, yields per decay of the parent."""
    energy, per_decay = [np.empty(0)], [np.empty(0)]
    for member in members(nuclide, daughters, longest_half_life_h, decay_data):
        lines = (beta_bins(member.name, source=decay_data) if quality == "beta"
                 else emissions(member.name, decay_data).lines[quality])
        energy.append(lines.energy_MeV)
        per_decay.append(lines.per_decay * member.decays_per_parent_decay)
    return Lines(np.concatenate(energy), np.concatenate(per_decay))


@lru_cache(maxsize=256)
def _radial_kernel(
    nuclide: str, quality: Quality, daughters: Daughters, longest_half_life_h: float, decay_data: Source
) -> RadialKernel:
    lines = _lines(nuclide, quality, daughters, longest_half_life_h, decay_data)
    if quality == "recoil" or not len(lines.energy_MeV):
        total = lines.energy_MeV_per_decay
        return RadialKernel(np.array([0.0, _SMALLEST_UM]), np.array([total, total]), _SMALLEST_UM)
    if quality == "photon":
        radius = photon_radii(lines.energy_MeV)
        cumulative = fold_photons(lines.energy_MeV, lines.per_decay, radius)
        enough = (1.0 - _CORE_LEFT_OUT) * float(cumulative[-1])
        return RadialKernel(radius, cumulative, float(radius[np.searchsorted(cumulative, enough)]))
    longest = np.array([float(lines.energy_MeV.max())])
    if quality == "alpha":
        reach = float(alpha_range_um(longest)[0])
        radius = _radii(reach, reach)
        return RadialKernel(radius, fold_alphas(lines.energy_MeV, lines.per_decay, radius), reach)
    csda = float(csda_range_um(longest)[0])
    core = _CORE_RANGES * csda
    radius = _radii(core, _TAIL_RANGES * csda)
    cumulative = fold_electrons(lines.energy_MeV, lines.per_decay, radius)
    enough = (1.0 - _CORE_LEFT_OUT) * float(np.interp(core, radius, cumulative))
    return RadialKernel(radius, cumulative, float(radius[np.searchsorted(cumulative, enough)]))


def _radii(reach: float, end: float) -> Array:
    """Radii fine enough for the core of short-ranged lines and for the distal edge of the longest."""
    tail = np.geomspace(reach, end, 41) if end > reach else np.empty(0)
    core = np.geomspace(min(_SMALLEST_UM, 1e-3 * reach), reach, 361)
    return np.unique(np.concatenate([[0.0], core, np.linspace(0.0, reach, 321), tail]))
