"""Decay chains, with branching to any depth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from numbers import Real
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nichedose.errors import BadInput, NichedoseError
from nichedose.nuclide import ensdf
from nichedose.nuclide.emissions import decay_per_h, half_life_h
from nichedose.nuclide.names import canonical_name, database_name, known_nuclides
from nichedose.nuclide.sources import Source, chosen_source

__all__ = ["ChainMember", "chain", "chain_activities", "progeny"]

_ICRP_TABLE = Path("icrp107_ame2020_nubase2020") / "decay_data.npz"  # in radioactivedecay 0.6


@dataclass(frozen=True)
class ChainMember:
    """A member of a chain and how often it decays, to infinite time, per decay of the parent."""

    name: str
    decays_per_parent_decay: float


def chain(
    name: str, longest_half_life_h: float = math.inf, source: Source | None = None
) -> tuple[ChainMember, ...]:
    """The parent (1 decay) and all radioactive progeny, in order of decay.

    Progeny that live longer than ``longest_half_life_h`` are left out with all that they feed: 207Bi (32 y) after 211At
    does not decay within a treatment. Branching fractions are those of radioactivedecay (ICRP Publication 107), or with
    ``source="ensdf"`` of the shipped extract; branches that they do not list, such as the 0.012 % of 217At by beta
    decay, are lost.
    Raises `BadInput` for an unknown or stable nuclide, and for a ``longest_half_life_h`` that is no number above 0.

    >>> [(m.name, round(m.decays_per_parent_decay, 4)) for m in chain("212Pb")]
    [('212Pb', 1.0), ('212Bi', 1.0), ('212Po', 0.6406), ('208Tl', 0.3594)]
    """
    if not isinstance(longest_half_life_h, Real) or not longest_half_life_h > 0.0:  # also refuses NaN
        raise BadInput(f"longest_half_life_h = {longest_half_life_h!r}; give hours above 0 (math.inf keeps all).")
    chosen = chosen_source(source)
    return _chain(canonical_name(name, chosen), float(longest_half_life_h), chosen)


def chain_activities(
    name: str, times_h: ArrayLike, source: Source | None = None
) -> dict[str, NDArray[np.float64]]:
    """Activity of each member at ``times_h`` (n,) per initial activity of a pure parent (Bateman), arrays (n,).

    Rounding is below 1e-13 of the parent's activity. Raises `BadInput` for an unknown nuclide and for times that are
    not a row of finite numbers, 0 or above.
    """
    chosen = chosen_source(source)
    return _solved(canonical_name(name, chosen), _times(times_h), chosen)


def _times(times_h: ArrayLike) -> NDArray[np.float64]:
    try:
        times = np.atleast_1d(np.asarray(times_h, dtype=float))
    except (TypeError, ValueError):
        raise BadInput(f"times_h = {times_h!r}; give hours as numbers.") from None
    if times.ndim != 1 or not bool(np.all(np.isfinite(times) & (times >= 0.0))):
        raise BadInput("times_h must be one row of numbers, finite and not negative.")
    return times


def _solved(parent: str, times_h: NDArray[np.float64], source: Source) -> dict[str, NDArray[np.float64]]:
    """Bateman's solution: atoms of member i are the sum over j of c[i, j] exp(-rate[j] t).

    Written with exp(x) - 1, since the c of a member that starts at none sum to none: no digits are lost at early times.
    """
    names = [member.name for member in _chain(parent, math.inf, source)]
    rate = np.array([decay_per_h(name, source) for name in names])
    c = np.zeros((len(names), len(names)))
    c[0, 0] = 1.0
    for k, name in enumerate(names):
        feeds = np.zeros(len(names))
        for j, before in enumerate(names[:k]):
            feeds += dict(_progeny(before, source)).get(name, 0.0) * rate[j] * c[j]
        c[k, :k] = feeds[:k] / (rate[k] - rate[:k])
        if k:
            c[k, k] = -c[k, :k].sum()
    grown = c @ np.expm1(-np.outer(rate, times_h))
    grown[0] += 1.0
    activity = np.clip(grown, 0.0, None) * rate[:, None] / rate[0]
    return dict(zip(names, activity, strict=True))


def progeny(name: str, source: Source | None = None) -> tuple[tuple[str, float], ...]:
    """Radioactive nuclides that one decay of ``name`` gives directly, with their branching fractions.

    Raises `BadInput` for an unknown or stable nuclide.
    """
    chosen = chosen_source(source)
    return _progeny(canonical_name(name, chosen), chosen)


@lru_cache(maxsize=256)
def _chain(parent: str, longest_half_life_h: float, source: Source) -> tuple[ChainMember, ...]:
    order = _in_order(parent, longest_half_life_h, source)
    decays = {parent: 1.0}
    for name in order:
        for progeny, fraction in _progeny(name, source):
            if half_life_h(progeny, source) <= longest_half_life_h:
                decays[progeny] = decays.get(progeny, 0.0) + decays[name] * fraction
    return tuple(ChainMember(name, decays[name]) for name in order)


def _in_order(parent: str, longest_half_life_h: float, source: Source) -> list[str]:
    """Members such that each stands after all that feed it (the graph of decays has no cycles)."""
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        for progeny, _ in reversed(_progeny(name, source)):
            if progeny not in done and half_life_h(progeny, source) <= longest_half_life_h:
                visit(progeny)
        done[name] = None

    visit(parent)
    return list(reversed(done))


@lru_cache(maxsize=2048)
def _progeny(name: str, source: Source) -> tuple[tuple[str, float], ...]:
    """Radioactive progeny and branching fractions; stable nuclides and spontaneous fission are ends."""
    if source == "ensdf":
        return tuple((str(p), float(f)) for p, f in ensdf.record(name).get("progeny", {}).items())
    known = set(known_nuclides(source))
    pairs = ((_canonical_or_none(p, known), float(f)) for p, f in _icrp_table()[database_name(name, source)])
    return tuple((p, f) for p, f in pairs if p is not None and f > 0.0)


@lru_cache(maxsize=1)
def _icrp_table() -> dict[str, list[tuple[str, float]]]:
    """What each nuclide of ICRP Publication 107 decays to, from radioactivedecay's own table.

    The table is read where it lies: importing the package draws matplotlib and pandas in, which takes two seconds of
    every process that needs a chain.
    """
    spec = find_spec("radioactivedecay")
    if spec is None or spec.origin is None:
        raise NichedoseError("The package radioactivedecay is not installed: pip install radioactivedecay")
    with np.load(Path(spec.origin).parent / _ICRP_TABLE, allow_pickle=True) as table:
        rows = zip(table["nuclides"], table["progeny"], table["bfs"], strict=True)
        return {str(name): list(zip(progeny, fractions, strict=True)) for name, progeny, fractions in rows}


def _canonical_or_none(name: str, known: set[str]) -> str | None:
    symbol, _, mass = name.partition("-")
    digits, isomer = mass.rstrip("mn"), mass[len(mass.rstrip("mn")):]
    canonical = f"{digits}{isomer}{symbol}"
    return canonical if canonical in known else None
