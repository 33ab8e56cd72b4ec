"""Daughters that leave tumour or blood: where in the body they decay."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.library.element_kinetics import BLOOD, OUT, ElementKinetics, load_element_kinetics, place_of
from nichedose.nuclide import Source, canonical_name, chain, decay_per_h, half_life_h, progeny
from nichedose.values import Draw, Flag

__all__ = ["Redistribution", "Release", "redistribute"]

_REST = "rest of body"
_IN_PLACE_H = 1.0  # a nuclide of an element without rates decays where it is born when it lives less long
_FOLLOWED_H = 24.0 * 365.0  # members that live longer are not followed: they hardly decay within a treatment


@dataclass(frozen=True)
class Release:
    """Nuclei of a nuclide that are set free, as a curve: ``rate_MBq`` (n,) at ``times_h`` (n,), linear between.

    Counted by the decays that they will make: a rate of 1 MBq is a million nuclei a second, which an hour long makes
    1 MBq.h of decays. Raises `BadInput` for curves that are not of one length, increasing, finite and not negative.
    """

    times_h: Array
    rate_MBq: Array

    def __init__(self, times_h: ArrayLike, rate_MBq: ArrayLike) -> None:
        times, rate = np.asarray(times_h, dtype=float), np.asarray(rate_MBq, dtype=float)
        if times.ndim != 1 or times.shape != rate.shape or len(times) < 2:
            raise BadInput(f"A release curve needs as many rates as times, at least two; got {rate.shape} and "
                           f"{times.shape}.")
        if not (np.isfinite(times).all() and np.isfinite(rate).all()):
            raise BadInput("The times and rates of a release curve must be finite.")
        if not bool((np.diff(times) > 0.0).all()) or bool((rate < 0.0).any()):
            raise BadInput("The times of a release curve must increase, and its rates must not be negative.")
        object.__setattr__(self, "times_h", times)
        object.__setattr__(self, "rate_MBq", rate)

    @property
    def total_MBq_h(self) -> float:
        return float(np.trapezoid(self.rate_MBq, self.times_h))


@dataclass(frozen=True)
class Redistribution:
    """Decays of each nuclide in each place, ``decays_MBq_h[nuclide][place]``; "out" is outside the body.

    ``not_followed_MBq_h``: nuclei of members that live too long to be followed, counted by their decays.
    ``blood_share``: of the blood's decays, what lies in organs.
    """

    decays_MBq_h: Mapping[str, Mapping[str, float]]
    not_followed_MBq_h: Mapping[str, float]
    blood_share: Mapping[str, float]
    flags: tuple[Flag, ...] = ()

    def in_organs(self) -> dict[str, dict[str, float]]:
        """Time-integrated activity of each nuclide in the organs of a phantom, MBq.h: blood shared out, "out" left out.

        Blood in no organ of its own counts to the rest of the body.
        """
        spread: dict[str, dict[str, float]] = {}
        for nuclide, places in self.decays_MBq_h.items():
            organs = {place: value for place, value in places.items() if place not in (BLOOD, OUT)}
            blood = places.get(BLOOD, 0.0)
            for organ, share in self.blood_share.items():
                organs[organ] = organs.get(organ, 0.0) + share * blood
            left = 1.0 - sum(self.blood_share.values())
            organs[_REST] = organs.get(_REST, 0.0) + left * blood
            spread[nuclide] = organs
        return spread


def redistribute(
    released: Mapping[str, float | Release], *, place: str = BLOOD, draw: Draw | None = None,
    kinetics: ElementKinetics | None = None, decay_data: Source | None = None,
) -> Redistribution:
    """Follow released nuclides and all that they decay to, each by the kinetics of its own element.

    ``released``: nuclei set free in ``place``, counted as the decays that they will make, in MBq.h: a number, or a
    `Release` curve. From a lesion: ``Migration.washed_out_per_parent_decay`` times its time-integrated activity. A
    nuclide that is born in an organ starts there. Rates do not depend on time or amount, so the totals are all that
    counts; decays are conserved exactly. ``draw`` samples the rates; without it they are the medians.

    Raises `BadInput` for unknown nuclides and places, for amounts that are negative or not finite, and for a nuclide
    that lives above an hour and whose element has no rates.

    >>> found = redistribute({"213Bi": 1.0})
    >>> round(found.decays_MBq_h["213Bi"]["kidneys"], 2)
    0.24
    """
    data = kinetics or load_element_kinetics()
    sample = draw or Draw()
    amounts = _amounts(released, decay_data)
    pools = _pools(data)
    if place not in pools:
        raise BadInput(f"No place '{place}'; there are {', '.join(pools)}.{near_miss(place, pools)}")
    born: dict[str, Array] = {name: np.zeros(len(pools)) for name in _in_order(amounts, decay_data)}
    for name, amount in amounts.items():
        born[name][pools.index(place)] += amount
    decays: dict[str, dict[str, float]] = {}
    lost: dict[str, float] = {}
    flags: list[Flag] = []
    for name, start in born.items():
        if half_life_h(name, decay_data) > _FOLLOWED_H:
            lost[name] = float(start.sum())
        if name in lost or not start.any():  # nothing is born below a member that is not followed
            continue
        rates = _matrix(name, data, pools, sample, decay_data, flags)
        constant = decay_per_h(name, decay_data)
        # atoms x constant: (constant - K) x = start, decays = constant x
        where = constant * np.linalg.solve(constant * np.eye(len(pools)) - rates, start)
        where = np.maximum(where, 0.0)  # rounding
        decays[name] = {}
        for pool, value in zip(pools, where, strict=True):
            organ = place_of(pool)
            decays[name][organ] = decays[name].get(organ, 0.0) + float(value)
        for child, share in progeny(name, decay_data):
            if child in born:
                born[child] += share * where
    shares = {organ: sample(f"kinetics.blood_share.{organ}", v) for organ, v in data.blood_share.items()}
    return Redistribution(decays, lost, shares, tuple(flags))


def _amounts(released: Mapping[str, float | Release], decay_data: Source | None) -> dict[str, float]:
    if not released:
        raise BadInput("Nothing is released: name at least one nuclide with its amount in MBq.h.")
    found: dict[str, float] = {}
    for name, amount in released.items():
        total = amount.total_MBq_h if isinstance(amount, Release) else float(amount)
        if not (np.isfinite(total) and total >= 0.0):
            raise BadInput(f"Released '{name}': {total:g} MBq.h; it must be finite and not negative.")
        canonical = canonical_name(name, decay_data)
        found[canonical] = found.get(canonical, 0.0) + total
    return found


def _in_order(names: Mapping[str, float], decay_data: Source | None) -> list[str]:
    """All nuclides that occur, each after those that feed it."""
    chains = [[member.name for member in chain(name, source=decay_data)] for name in names]
    order: list[str] = []
    todo = {member for members in chains for member in members}
    while todo:
        ready = sorted(n for n in todo if not any(n in {p for p, _ in progeny(m, decay_data)} for m in todo if m != n))
        order += ready
        todo -= set(ready)
    return order


def _pools(data: ElementKinetics) -> list[str]:
    names: dict[str, None] = {BLOOD: None}
    for rates in (*data.element.values(), data.excretion):
        for start, end, _ in rates.transfers():
            names[start], names[end] = None, None
    return list(names)


def _matrix(
    name: str, data: ElementKinetics, pools: Sequence[str], draw: Draw, decay_data: Source | None, flags: list[Flag]
) -> Array:
    """Rates K (n, n), 1/h: d atoms/dt = K atoms; columns sum to 0."""
    symbol = re.sub(r"[^A-Za-z]", "", re.sub(r"^\d+[mn]?", "", name))
    known = data.element.get(symbol)
    if known is None:
        if half_life_h(name, decay_data) > _IN_PLACE_H:
            raise BadInput(f"{name}: the library has no rates for {symbol}, and it lives too long to decay where it is "
                           f"set free. There are rates for {', '.join(data.element)}.")
        if half_life_h(name, decay_data) > _IN_PLACE_H / 60.0:
            flags.append(Flag("note", name, f"No rates for {symbol}: taken to decay where it is born."))
    transfers = [(f"kinetics.{symbol}.{a} > {b}", a, b, rate) for a, b, rate in (known.transfers() if known else ())]
    transfers += [(f"kinetics.excretion.{a} > {b}", a, b, rate) for a, b, rate in data.excretion.transfers()]
    k = np.zeros((len(pools), len(pools)))
    for key, start, end, rate in transfers:
        per_h = draw(key, rate) / 24.0
        i, j = pools.index(start), pools.index(end)
        k[j, i] += per_h
        k[i, i] -= per_h
    return k
