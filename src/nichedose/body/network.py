"""The body as a network: states, first-order transfers, saturable binding. It describes, and computes nothing.

Engines, sensitivities and exchange formats read this one description.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

__all__ = ["Binding", "Kind", "Network", "State", "Transfer"]

Kind = Literal[
    "plasma", "vascular", "interstitial", "bound", "internalised", "lumen", "catabolised", "metabolite", "excreted"]


@dataclass(frozen=True)
class State:
    """An amount of ligand, nmol, in one place (``organ``) and one form (``kind``); ``species`` 'competitor' is cold."""

    name: str
    organ: str
    kind: Kind
    species: str = "ligand"


@dataclass(frozen=True)
class Transfer:
    """``source`` loses rate x amount to ``destination``; ``rate`` names a value in 1/h."""

    source: str
    destination: str
    rate: str


@dataclass(frozen=True)
class Binding:
    """``free`` binds to what is left of ``sites``: rate ``on`` (1/(nmol h)) x amount x (sites - all bound to them).

    All bindings with the same ``sites`` (nmol) compete. Dissociation is a `Transfer` from ``bound`` to ``free``.
    """

    free: str
    bound: str
    sites: str
    on: str


@dataclass(frozen=True)
class Network:
    """Everything moves from a state to a state, so the sum over all states changes only by what is injected."""

    states: tuple[State, ...]
    transfers: tuple[Transfer, ...]
    bindings: tuple[Binding, ...]

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        """Once for all look-ups: a network has some hundred parts."""
        return hash((self.states, self.transfers, self.bindings))

    def index(self, name: str) -> int:
        return self.names.index(name)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(state.name for state in self.states)

    @property
    def organs(self) -> tuple[str, ...]:
        """Places in order of first appearance, of the labelled ligand."""
        return tuple(dict.fromkeys(s.organ for s in self.states if s.species == "ligand"))
