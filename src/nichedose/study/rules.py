"""Rules of at most two conditions that say which option wins where, with a hit rate that did not make them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array

__all__ = ["Rule", "rules_of"]

LEAST_AT_AN_END = 8  # cases
SHUFFLES, BY_CHANCE = 99, 0.05  # of the winners; share of shuffles that may split as well


@dataclass(frozen=True)
class Rule:
    """``conditions`` (axis, side, level) that all must hold; then ``winner`` is best in ``right`` of ``cases`` tissues
    that were not used to find the rule, and the most frequent winner of all would be in ``without``."""

    conditions: tuple[tuple[str, str, float], ...]
    winner: str
    right: int
    cases: int
    without: int


def rules_of(points: Array, winners: Sequence[str], names: Sequence[str]) -> tuple[Rule, ...]:
    """Rules found on every second tissue and counted on the others: two splits at most, one rule for each end.

    The splits are those that leave the fewest tissues outside their end's most frequent winner, where chance would not
    do as well.
    """
    found, held = np.arange(0, len(winners), 2), np.arange(1, len(winners), 2)
    labels = np.array(winners)
    rules: list[Rule] = []
    first = _split(points[found], labels[found])
    ends: list[tuple[tuple[str, str, float], ...]] = []
    axes = list(names)
    for side in ("below", "above"):
        if first is None:
            ends.append(())
            break
        outer = (axes[first[0]], side, first[1])
        inside = found[_meets(points[found], axes, (outer,))]
        second = _split(points[inside], labels[inside])
        if second is None:
            ends.append((outer,))
        else:
            ends += [(outer, (axes[second[0]], s, second[1])) for s in ("below", "above")]
    usual = _most_frequent(labels[found])
    for conditions in ends:
        learned = labels[found[_meets(points[found], axes, conditions)]]
        tested = labels[held[_meets(points[held], axes, conditions)]]
        if learned.size and tested.size:
            winner = _most_frequent(learned)
            rules.append(Rule(conditions, winner, int(np.sum(tested == winner)), len(tested),
                              int(np.sum(tested == usual))))
    return tuple(rules)


def _split(points: Array, labels: np.ndarray) -> tuple[int, float] | None:
    """Axis and level that put the most tissues with their end's most frequent winner; None where that is what the same
    search finds among shuffled winners."""
    kinds = np.unique(labels)
    if len(labels) < 2 * LEAST_AT_AN_END or len(kinds) < 2:
        return None
    places = [(axis, float(np.quantile(points[:, axis], share)))
              for axis, share in itertools.product(range(points.shape[1]), np.arange(0.1, 0.95, 0.05))]
    below = np.array([points[:, axis] < level for axis, level in places])
    enough = np.minimum(below.sum(axis=1), (~below).sum(axis=1)) >= LEAST_AT_AN_END

    def right(of: np.ndarray) -> np.ndarray:
        """Tissues that follow their end's most frequent winner, for every place."""
        one = (of[:, None] == kinds).astype(int)
        count = below.astype(int) @ one
        return np.where(enough, count.max(axis=1) + (one.sum(axis=0) - count).max(axis=1), 0)

    ours = right(labels)
    best, rng = int(np.argmax(ours)), np.random.default_rng(len(labels))
    chance = [right(rng.permutation(labels)).max() for _ in range(SHUFFLES)]
    return places[best] if np.mean(chance >= ours[best]) < BY_CHANCE else None


def _most_frequent(labels: np.ndarray) -> str:
    kinds, count = np.unique(labels, return_counts=True)
    return str(kinds[np.argmax(count)])


def _meets(points: Array, axes: Sequence[str], conditions: Sequence[tuple[str, str, float]]) -> np.ndarray:
    ok = np.ones(len(points), dtype=bool)
    for axis, side, level in conditions:
        values = points[:, axes.index(axis)]
        ok &= values < level if side == "below" else values >= level
    return ok
