"""Combinations of agents as courses: who is in them, and each agent as it is given there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from nichedose.study.setup import ResolvedCandidate, ResolvedPartner, Setup, resolve_partner
from nichedose.tissue.partner import ActiveEffect, partner_effects
from nichedose.values import Draw

__all__ = ["ResolvedCombination", "as_given", "combinations_of", "cycle_effects", "cycle_responses", "phases"]


@dataclass(frozen=True)
class ResolvedCombination:
    """Several agents in one course. ``agents`` are names of resolved candidates; ``partners`` act on all of them."""

    name: str
    agents: tuple[str, ...]
    split: tuple[float, ...]
    offsets_h: tuple[float, ...]
    cycles: int
    interval_h: float
    partners: tuple[ResolvedPartner, ...]


def combinations_of(setup: Setup) -> tuple[ResolvedCombination, ...]:
    """The case's combinations; a partner of one of the candidates in them is a partner of the whole course."""
    known = {c.name: c for c in setup.candidates}
    found = []
    for c in setup.case.combinations:
        names = tuple(_name_of(setup, agent) for agent in c.agents)
        own = tuple(resolve_partner(p, setup.library) for p in c.partners)
        brought = tuple(p for n in names if n in known for p in known[n].partners)
        partners = tuple(p for i, p in enumerate((*own, *brought)) if p not in (*own, *brought)[:i])
        found.append(ResolvedCombination(
            c.name, names, c.split or (1.0 / len(names),) * len(names), c.offsets or (0.0,) * len(names), c.cycles,
            c.interval, partners))
    return tuple(found)


def as_given(combination: ResolvedCombination, candidate: ResolvedCandidate) -> ResolvedCandidate:
    """``candidate`` at the times of a combination, beside its partners."""
    offset = combination.offsets_h[combination.agents.index(candidate.name)]
    return dataclasses.replace(
        candidate, cycles=combination.cycles, interval_h=combination.interval_h,
        partners=tuple(dataclasses.replace(p, lead_h=p.lead_h + offset) for p in combination.partners))


def cycle_effects(setup: Setup, given: ResolvedCandidate) -> tuple[tuple[ActiveEffect, ...], ...]:
    """What the partners do in each cycle. Times decide which effects hold, not draws."""
    draw = Draw(seed=setup.case.sampling.seed)
    return tuple(
        tuple(e for p in given.partners for e in partner_effects(
            p.partner, p.lead_h + cycle * given.interval_h, setup.case.tumour, draw, p.stated))
        for cycle in range(given.cycles))


def phases(setup: Setup, candidate: ResolvedCandidate) -> Mapping[str, tuple[ResolvedCandidate, int]]:
    """Every tissue that an agent meets, alone or in a combination: a candidate as given, and one cycle that meets it.

    By the name of the response to it; the first cycle of the agent alone has the candidate's own name.
    """
    return dict(_named(setup, candidate).values())


def cycle_responses(
    setup: Setup, candidate: ResolvedCandidate, combination: ResolvedCombination | None = None
) -> tuple[str, ...]:
    """The name of the response that each cycle of the agent meets, alone or in ``combination``."""
    named = _named(setup, candidate)
    given = candidate if combination is None else as_given(combination, candidate)
    return tuple(named[effects][0] for effects in cycle_effects(setup, given))


def _named(
    setup: Setup, candidate: ResolvedCandidate
) -> dict[tuple[ActiveEffect, ...], tuple[str, tuple[ResolvedCandidate, int]]]:
    found: dict[tuple[ActiveEffect, ...], tuple[str, tuple[ResolvedCandidate, int]]] = {}
    courses = [("", candidate)] + [(f" of {c.name}", as_given(c, candidate)) for c in combinations_of(setup)
                                   if candidate.name in c.agents]
    for course, given in courses:
        for cycle, effects in enumerate(cycle_effects(setup, given)):
            if effects not in found:
                name = f"{candidate.name}, cycle {cycle + 1}{course}" if found else candidate.name
                found[effects] = name, (given, cycle)
    return found


def _name_of(setup: Setup, agent: str) -> str:
    """A combination names agents, or labels of candidates; an agent means its first candidate without a partner."""
    if any(c.name == agent for c in setup.candidates):
        return agent
    plain_first = sorted(setup.candidates, key=lambda c: bool(c.partners))
    return next((c.name for c in plain_first if c.agent.name == agent), agent)
