"""Decay chains, with branching to any depth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nichedose.errors import BadInput
from nichedose.nuclide.emissions import half_life_h
from nichedose.nuclide.names import canonical_name, database_name, known_nuclides

__all__ = ["ChainMember", "chain", "chain_activities"]


@dataclass(frozen=True)
class ChainMember:
    """A member of a chain and how often it decays, to infinite time, per decay of the parent."""

    name: str
    decays_per_parent_decay: float


def chain(name: str, longest_half_life_h: float = math.inf) -> tuple[ChainMember, ...]:
    """The parent (1 decay) and all radioactive progeny, in order of decay.

    Progeny that live longer than ``longest_half_life_h`` are left out with all that they feed: 207Bi (32 y) after 211At
    does not decay within a treatment. Branching fractions are those of radioactivedecay (ICRP Publication 107);
    branches that it does not list, such as the 0.012 % of 217At by beta decay, are lost.
    Raises `BadInput` for an unknown or stable nuclide.

    >>> [(m.name, round(m.decays_per_parent_decay, 4)) for m in chain("212Pb")]
    [('212Pb', 1.0), ('212Bi', 1.0), ('212Po', 0.6406), ('208Tl', 0.3594)]
    """
    return _chain(canonical_name(name), longest_half_life_h)


def chain_activities(name: str, times_h: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Activity of each member at ``times_h`` (n,) per initial activity of a pure parent (Bateman), arrays (n,).

    Raises `BadInput` for an unknown nuclide and for negative or non-finite times.
    """
    from radioactivedecay import Inventory

    times = np.atleast_1d(np.asarray(times_h, dtype=float))
    if not bool(np.all(np.isfinite(times) & (times >= 0.0))):
        raise BadInput("times_h must be finite and not negative.")
    start = Inventory({database_name(name): 1.0}, "Bq")
    later = [start.decay(float(t), "h").activities("Bq") for t in times]
    members = [member.name for member in chain(name)]
    return {m: np.array([float(now.get(database_name(m), 0.0)) for now in later]) for m in members}


@lru_cache(maxsize=256)
def _chain(parent: str, longest_half_life_h: float) -> tuple[ChainMember, ...]:
    decays = {parent: 1.0}
    for name in _in_order(parent, longest_half_life_h):
        for progeny, fraction in _progeny(name):
            if half_life_h(progeny) <= longest_half_life_h:
                decays[progeny] = decays.get(progeny, 0.0) + decays[name] * fraction
    return tuple(ChainMember(name, count) for name, count in decays.items())


def _in_order(parent: str, longest_half_life_h: float) -> list[str]:
    """Members such that each stands after all that feed it (the graph of decays has no cycles)."""
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        for progeny, _ in reversed(_progeny(name)):
            if progeny not in done and half_life_h(progeny) <= longest_half_life_h:
                visit(progeny)
        done[name] = None

    visit(parent)
    return list(reversed(done))


@lru_cache(maxsize=2048)
def _progeny(name: str) -> tuple[tuple[str, float], ...]:
    """Radioactive progeny and branching fractions; stable nuclides and spontaneous fission are ends."""
    from radioactivedecay import Nuclide  # takes seconds to import, and many runs need no chain

    nuclide = Nuclide(database_name(name))
    known = set(known_nuclides())
    pairs = ((_canonical_or_none(p, known), float(f)) for p, f in zip(nuclide.progeny(), nuclide.branching_fractions(),
                                                                       strict=True))
    return tuple((p, f) for p, f in pairs if p is not None and f > 0.0)


def _canonical_or_none(name: str, known: set[str]) -> str | None:
    symbol, _, mass = name.partition("-")
    digits, isomer = mass.rstrip("mn"), mass[len(mass.rstrip("mn")):]
    canonical = f"{digits}{isomer}{symbol}"
    return canonical if canonical in known else None
