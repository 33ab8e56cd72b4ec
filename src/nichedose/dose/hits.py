"""Energy that single alpha tracks leave in a nucleus, by the place where they start: exact chords, no sampling."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nichedose.dose.alphas import alpha_energy_MeV, alpha_range_um
from nichedose.dose.geometry import sphere_volume_um3
from nichedose.dose.kernels import Daughters, members
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.nuclide import Lines, Source, canonical_name, emissions

__all__ = ["SiteHits", "SiteKind", "alphas_by_mass", "largest_hit_MeV", "site_hits"]

SiteKind = Literal["surface", "cytoplasm", "nucleus", "outside"]
_RADII = 48  # Gauss points of the starting radius
_DIRECTIONS = 320  # pairs of Gauss points of the chord or direction
_DIRECTIONS_SURFACE = 4096  # one radius alone must fill the spectrum


@dataclass(frozen=True)
class SiteHits:
    """Hits by starting radius. ``weight`` (ns,): share of the source's decays, or um3 of tissue for ``outside``;
    ``per_decay`` (ns, n_group, n_bin): tracks per decay of the parent that leave energy 0, ``step_MeV``, ..

    A group holds the alphas of one mass number. An atom emits at most one of them: they exclude each other, while those
    of different groups follow each other from the same site.
    """

    weight: Array
    per_decay: Array
    step_MeV: float


def alphas_by_mass(
    nuclide: str, daughters: Daughters, longest_half_life_h: float = math.inf, decay_data: Source | None = None
) -> tuple[Lines, ...]:
    """Alphas of the nuclide (and progeny in place), one `Lines` per mass number; yields per decay of the parent."""
    name = canonical_name(nuclide, decay_data)
    found: dict[int, list[Lines]] = {}
    for member in members(name, daughters, longest_half_life_h, decay_data):
        lines = emissions(member.name, decay_data).lines["alpha"]
        if len(lines.energy_MeV) and member.decays_per_parent_decay > 0.0:
            mass = int(re.match(r"\d+", member.name).group())  # type: ignore[union-attr]  # canonical: 212Bi, 99mTc
            found.setdefault(mass, []).append(
                Lines(lines.energy_MeV, lines.per_decay * member.decays_per_parent_decay))
    if not found:
        raise BadInput(f"{name} emits no alphas{'' if daughters == 'equilibrium' else ' itself (daughters = none)'}; "
                       "hit statistics are computed for alphas alone.")
    return tuple(
        Lines(np.concatenate([x.energy_MeV for x in group]), np.concatenate([x.per_decay for x in group]))
        for group in found.values())


def largest_hit_MeV(groups: tuple[Lines, ...], nucleus_um: float) -> float:
    """The most that one track can leave in the nucleus."""
    longest = float(alpha_range_um(np.array([max(g.energy_MeV.max() for g in groups)]))[0])
    left = np.linspace(0.0, longest, 4001)
    return float((alpha_energy_MeV(left) - alpha_energy_MeV(left - 2.0 * nucleus_um)).max())


def site_hits(
    kind: SiteKind, groups: tuple[Lines, ...], cell_um: float, nucleus_um: float, step_MeV: float, bins: int
) -> SiteHits:
    """Spectra of the energy left in the nucleus (radius ``nucleus_um``, in the middle of the cell) per decay."""
    inner, outer = _shell(kind, groups, cell_um, nucleus_um)
    if kind == "nucleus":
        radius, weight = _gauss(0.0, nucleus_um, _RADII)
        weight = 3.0 * weight * radius**2 / nucleus_um**3
    elif kind == "surface":
        radius, weight = np.array([cell_um]), np.ones(1)
    else:
        # q^2 = r^2 - nucleus^2 takes out the root at the nucleus' surface; r dr = q dq
        q, dq = _gauss(math.sqrt(inner**2 - nucleus_um**2), math.sqrt(outer**2 - nucleus_um**2), _RADII)
        radius = np.hypot(q, nucleus_um)
        weight = 4.0 * np.pi * radius * q * dq
        if kind == "cytoplasm":
            weight = weight / (sphere_volume_um3(cell_um) - sphere_volume_um3(nucleus_um))
    spectra = np.zeros((len(radius), len(groups), bins))
    for i, group in enumerate(groups):
        for energy, per_decay in zip(group.energy_MeV, group.per_decay, strict=True):
            left, share = _tracks(kind, float(energy), radius, nucleus_um)
            spectra[:, i] += per_decay * _histogram(left / step_MeV, share, bins)
    return SiteHits(weight, spectra, step_MeV)


def _shell(kind: SiteKind, groups: tuple[Lines, ...], cell_um: float, nucleus_um: float) -> tuple[float, float]:
    if kind != "outside":
        return nucleus_um, cell_um
    longest = float(alpha_range_um(np.array([max(g.energy_MeV.max() for g in groups)]))[0])
    return cell_um, max(cell_um, nucleus_um + longest)


def _tracks(kind: SiteKind, energy_MeV: float, radius: Array, nucleus_um: float) -> tuple[Array, Array]:
    """Energy left in the nucleus and share of all directions, both (n_radius, n_direction), of one line."""
    reach = float(alpha_range_um(np.array([energy_MeV]))[0])
    if kind == "nucleus":
        mu, share = _composite(np.full(len(radius), -1.0), 1.0, _DIRECTIONS)
        r = radius[:, None]
        way_out = np.sqrt(nucleus_um**2 - r * r * (1.0 - mu * mu)) - r * mu
        return energy_MeV - alpha_energy_MeV(reach - way_out), 0.5 * share
    q = np.sqrt(np.maximum(radius**2 - nucleus_um**2, 0.0))
    # a track enters if its way in, hypot(q, chord/2) - chord/2, is shorter than its range: chords above a shortest
    shortest = np.clip((q * q - reach * reach) / reach, 0.0, 2.0 * nucleus_um)
    chord, width = _composite(shortest, 2.0 * nucleus_um, _DIRECTIONS_SURFACE if kind == "surface" else _DIRECTIONS)
    middle = np.hypot(q[:, None], 0.5 * chord)
    share = width * chord / np.maximum(8.0 * radius[:, None] * middle, 1e-300)
    on_entry = reach - (middle - 0.5 * chord)
    return alpha_energy_MeV(on_entry) - alpha_energy_MeV(on_entry - chord), share


def _histogram(position: Array, share: Array, bins: int) -> Array:
    """Shares put onto bins 0, 1, .. by linear splitting, row by row: keeps sum and mean."""
    rows = np.arange(len(position))[:, None] * bins
    below = np.minimum(position.astype(np.int64), bins - 2)
    above = position - below
    index = (rows + below).ravel()
    counts = np.bincount(index, (share * (1.0 - above)).ravel(), len(position) * bins)
    counts += np.bincount(index + 1, (share * above).ravel(), len(position) * bins)
    return np.asarray(counts.reshape(len(position), bins))


def _gauss(low: float, high: float, n: int) -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(n)
    half = 0.5 * (high - low)
    return low + half * (nodes + 1.0), half * weights


def _composite(low: Array, high: float, n: int) -> tuple[Array, Array]:
    """n pairs of Gauss points from ``low`` (rows,) to ``high``: evenly spread, so that spectra come out smooth."""
    offset = 0.5 / math.sqrt(3.0)
    unit = (np.arange(n)[:, None] + 0.5 + np.array([-offset, offset])).ravel() / n
    span = (high - low)[:, None]
    return low[:, None] + span * unit, np.broadcast_to(span / (2.0 * n), (len(low), 2 * n))
