"""S values between the organs of a stylised phantom, for any radionuclide, by quality."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.dose.kernels import Daughters, charged_qualities, energy_MeV_per_decay, radial_kernel
from nichedose.dose.marrow import marrow_fraction
from nichedose.dose.numbers import one_number
from nichedose.dose.organ_table import OrganFractions, load_fractions
from nichedose.dose.result import Quality
from nichedose.dose.spheres import absorbed_MeV_in_sphere
from nichedose.dose.units import J_PER_MEV
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.library.phantoms import Phantom, load_phantom
from nichedose.nuclide import Source, canonical_name, chain, emissions

__all__ = ["CORTEX", "MARROW", "SKELETON", "organ_masses_g", "organ_names", "organ_s_values"]

MARROW, SKELETON, CORTEX, REST = "marrow", "skeleton", "kidney cortex", "rest of body"
_GY_PER_MEV_PER_G = J_PER_MEV * 1e3
_FROM_CONTENTS = 0.5  # dose at the surface of contents that are thick against the range: half of that inside
_NOT_INTO_WALLS: tuple[Quality, ...] = ("alpha", "recoil")  # the cells at risk lie deeper than these reach
_LIGHTEST_SHARE = 0.02  # of the body that must be left when all organs are taken out


@dataclass(frozen=True)
class _Emitted:
    """Of a nuclide, per decay: charged energy by quality, and photons (n,)."""

    nuclide: str
    daughters: Daughters
    decay_data: Source | None
    charged_MeV: Mapping[Quality, float]
    photon_MeV: Array
    photons: Array


def organ_names(phantom: str = "adult_male") -> tuple[str, ...]:
    """Organs that can hold activity and receive dose: the regions but for single bones, the skeleton, active marrow."""
    data = load_phantom(phantom)
    return (*(r.name for r in data.region if r.medium != "bone"), SKELETON, MARROW)


def organ_masses_g(phantom: str = "adult_male", masses_g: Mapping[str, float] | None = None) -> dict[str, float]:
    """Reference masses of `organ_names`, with those given in ``masses_g`` instead; ``"body"`` may be given too.

    The rest of the body is what the body leaves. Raises `BadInput` for unknown organs, masses not above 0, and masses
    that do not add up.
    """
    data, given = load_phantom(phantom), dict(masses_g or {})
    known = [n for n in organ_names(phantom) if n != REST]
    for name, value in given.items():
        if name not in (*known, "body"):
            hint = near_miss(name, [*known, "body"])
            raise BadInput(f"{phantom} has no organ '{name}' whose mass can be given.{hint}")
        if not 0.0 < one_number(f"Mass of '{name}'", value, "g") < np.inf:
            raise BadInput(f"Mass of '{name}': {value} g; it must be finite and above 0.")
    special = {SKELETON: data.skeleton_mass_g.central, MARROW: data.marrow_mass_g.central}
    masses = {name: float(given.get(name, special[name] if name in special else data.mass_g(name) or 0.0))
              for name in known}
    body = float(given.get("body", data.total_mass_g.central))
    taken = sum(masses.values()) - masses[MARROW]  # marrow is part of the skeleton
    if masses[MARROW] > masses[SKELETON]:
        raise BadInput(f"Active marrow of {masses[MARROW]:g} g does not fit into a skeleton of {masses[SKELETON]:g} g.")
    if taken > (1.0 - _LIGHTEST_SHARE) * body:
        raise BadInput(f"The organs' masses sum to {taken / 1e3:.1f} kg, and the body weighs {body / 1e3:.1f} kg: they "
                       "do not add up. Masses are in g; give 'body' with them where the patient is larger.")
    order = organ_names(phantom)
    return {name: body - taken if name == REST else masses[name] for name in order}


def organ_s_values(
    nuclide: str, phantom: str = "adult_male", masses_g: Mapping[str, float] | None = None,
    daughters: Daughters = "none", *, kidney_cortex: bool = False, sources: Iterable[str] | None = None,
    targets: Iterable[str] | None = None, decay_data: Source | None = None,
) -> dict[tuple[str, str], dict[Quality, float]]:
    """Dose to each organ from each, Gy per decay by quality, under ``(target, source)``, as `organ_dose` takes them.

    Charged particles stay in their organ but for what leaves a sphere of its mass, and contents give their wall half of
    their own dose (alphas none); photons are carried by the shipped fractions (docs/theory/organ_dose.md). ``masses_g``
    are the patient's where they are known: self-dose scales with them, that of photons with the power -2/3; dose from
    elsewhere is left. ``kidney_cortex`` adds the cortex as target and source, at its share of the kidneys.
    ``daughters="equilibrium"``: all progeny decay in place. Raises `BadInput` for unknown names and impossible masses.

    >>> s = organ_s_values("177Lu", targets=["kidneys"], sources=["kidneys"])
    >>> f"{sum(s['kidneys', 'kidneys'].values()):.2e} Gy per decay"
    '7.75e-14 Gy per decay'
    """
    data, fractions = load_phantom(phantom), load_fractions(phantom)
    masses = organ_masses_g(phantom, masses_g)
    if kidney_cortex:
        masses[CORTEX] = data.tissue.kidney_cortex_share.central * masses["kidneys"]
    names = tuple(masses)
    emitted = _emitted(nuclide, daughters, decay_data)
    chosen_targets, chosen_sources = _chosen(targets, names, "target"), _chosen(sources, names, "source")
    spread = {name: _spread(name, data, fractions) for name in names}
    s: dict[tuple[str, str], dict[Quality, float]] = {}
    for source in chosen_sources:
        for target in chosen_targets:
            charged = _charged(target, source, data, masses, emitted)
            photon = _photon(target, source, (spread[target], spread[source]), fractions, masses, emitted)
            s[target, source] = {**charged, **({"photon": photon} if len(emitted.photons) else {})}
    return s


def _emitted(nuclide: str, daughters: Daughters, decay_data: Source | None) -> _Emitted:
    energies = energy_MeV_per_decay(nuclide, daughters, decay_data=decay_data)
    charged = {q: energies[q] for q in charged_qualities(nuclide, daughters, decay_data=decay_data)}
    parent = canonical_name(nuclide, decay_data)
    members = [(m.name, m.decays_per_parent_decay) for m in chain(parent, source=decay_data)] \
        if daughters == "equilibrium" else [(parent, 1.0)]
    lines = [(emissions(name, decay_data).lines["photon"], per_decay) for name, per_decay in members]
    energy = np.concatenate([line.energy_MeV for line, _ in lines])
    photons = np.concatenate([line.per_decay * per_decay for line, per_decay in lines])
    return _Emitted(nuclide, daughters, decay_data, charged, energy, photons)


def _chosen(asked: Iterable[str] | None, names: tuple[str, ...], what: str) -> tuple[str, ...]:
    if asked is None:
        return names
    chosen = (asked,) if isinstance(asked, str) else tuple(asked)
    for name in chosen:
        if name not in names:
            raise BadInput(f"No {what} organ '{name}'; there are {', '.join(names)}.{near_miss(name, names)}")
    return chosen


def _spread(name: str, data: Phantom, fractions: OrganFractions) -> dict[str, float]:
    """The regions of the table that an organ lies in, with its shares."""
    if name == MARROW:
        shares = {bone: share.central for bone, share in data.marrow_share.items()}
    elif name == SKELETON:
        shares = {bone: fractions.mass_g[bone] for bone in data.bones}
    else:
        shares = {"kidneys" if name == CORTEX else name: 1.0}
    total = sum(shares.values())
    return {region: share / total for region, share in shares.items()}


def _photon(
    target: str, source: str, spread: tuple[Mapping[str, float], Mapping[str, float]], fractions: OrganFractions,
    masses: Mapping[str, float], emitted: _Emitted,
) -> float:
    if not len(emitted.photons):
        return 0.0
    energy = emitted.photon_MeV * emitted.photons
    total = sum(a * b * float(energy @ fractions.at(first, second, emitted.photon_MeV))
                for first, a in spread[0].items() for second, b in spread[1].items())
    if target == source and target in fractions.mass_g:
        total *= (fractions.mass_g[target] / masses[target]) ** (2.0 / 3.0)
    return total * _GY_PER_MEV_PER_G


def _charged(
    target: str, source: str, data: Phantom, masses: Mapping[str, float], emitted: _Emitted
) -> dict[Quality, float]:
    if MARROW in (target, source):
        return _charged_of_marrow(target, source, data, masses, emitted)
    if target == source or {target, source} == {"kidneys", CORTEX}:
        parts = next((r.parts for r in data.region if r.name == target), 1)
        return {q: _kept_MeV(emitted, q, masses[target] / parts) / masses[target] * _GY_PER_MEV_PER_G
                * (1.0 if (target, source) != (CORTEX, "kidneys") else masses[CORTEX] / masses["kidneys"])
                for q in emitted.charged_MeV}
    wall = next((r.contents_of for r in data.region if r.name == source), None)
    if wall == target:
        return {q: _FROM_CONTENTS * energy / masses[source] * _GY_PER_MEV_PER_G
                for q, energy in emitted.charged_MeV.items() if q not in _NOT_INTO_WALLS}
    return {}


def _charged_of_marrow(
    target: str, source: str, data: Phantom, masses: Mapping[str, float], emitted: _Emitted
) -> dict[Quality, float]:
    trabecular = data.tissue.trabecular_share.central
    start = {(MARROW, MARROW): ("marrow", 1.0), (MARROW, SKELETON): ("trabeculae", trabecular)}
    if (target, source) == (SKELETON, MARROW):
        return {q: energy / masses[SKELETON] * _GY_PER_MEV_PER_G for q, energy in emitted.charged_MeV.items()}
    if (target, source) not in start:
        return {}
    where, share = start[target, source]
    found: dict[Quality, float] = {}
    for q, energy in emitted.charged_MeV.items():
        kernel = radial_kernel(emitted.nuclide, q, emitted.daughters, decay_data=emitted.decay_data)
        found[q] = share * energy * marrow_fraction(kernel, data.tissue, where) / masses[MARROW] * _GY_PER_MEV_PER_G
    return found


def _kept_MeV(emitted: _Emitted, quality: Quality, mass_g: float) -> float:
    """Energy that stays in a sphere of this mass with the source spread evenly in it."""
    radius_um = 1e4 * (3.0 * mass_g / (4.0 * np.pi)) ** (1.0 / 3.0)
    kernel = radial_kernel(emitted.nuclide, quality, emitted.daughters, decay_data=emitted.decay_data)
    return absorbed_MeV_in_sphere(kernel, radius_um)
