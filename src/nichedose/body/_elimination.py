"""Which numbers a Newton-like step on a network touches, in an order that fills in almost nothing.

Organs couple only through blood, so the Jacobian is nearly an arrow. Pivots are taken by least degree; the lists that
come out are what the engine runs, lane by lane, without looking at the structure again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nichedose.body.network import Network

__all__ = ["Program", "program"]

Ints = NDArray[np.int64]


class Program(NamedTuple):
    """Index lists into the stored entries of the matrix (``n_entries``, fill included).

    ``rows``, ``columns`` of each entry; ``diagonal`` entry of each state; ``transfer_out``, ``transfer_in`` entries
    that a transfer's rate is taken from and added to. For binding b: states ``free``, ``bound``, entries
    ``free_free``, ``bound_free``; pairs (``pair_binding``, ``pair_state``, ``pair_free_entry``, ``pair_bound_entry``)
    for every state that takes sites from it. ``pivots``: states in order. ``divide`` (entry, pivot) and ``update``
    (target, left, right) in the order of elimination, with their bounds per pivot. ``lower`` and ``upper`` (entry,
    row, column) for the solve.
    """

    n_states: int
    n_entries: int
    rows: Ints
    columns: Ints
    diagonal: Ints
    transfer_out: Ints
    transfer_in: Ints
    free: Ints
    bound: Ints
    free_free: Ints
    bound_free: Ints
    pair_binding: Ints
    pair_state: Ints
    pair_free_entry: Ints
    pair_bound_entry: Ints
    pivots: Ints
    divide: Ints
    divide_end: Ints
    update: Ints
    update_end: Ints
    lower: Ints
    upper: Ints
    upper_end: Ints


def program(network: Network) -> Program:
    """The index lists of ``network``."""
    place = {name: i for i, name in enumerate(network.names)}
    n = len(place)
    pattern: set[tuple[int, int]] = {(i, i) for i in range(n)}
    for t in network.transfers:
        pattern.add((place[t.destination], place[t.source]))
    taken = {b.sites: [place[o.bound] for o in network.bindings if o.sites == b.sites] for b in network.bindings}
    for b in network.bindings:
        free, bound = place[b.free], place[b.bound]
        pattern.add((bound, free))
        pattern |= {(row, j) for j in taken[b.sites] for row in (free, bound)}
    assembled = set(pattern)
    pivots = _least_degree(n, pattern)
    order = {state: k for k, state in enumerate(pivots)}
    divide, update, divide_end, update_end = [], [], [], []
    for pivot in pivots:
        later_rows = sorted((i for i, j in pattern if j == pivot and order[i] > order[pivot]), key=order.__getitem__)
        later_columns = sorted((j for i, j in pattern if i == pivot and order[j] > order[pivot]), key=order.__getitem__)
        for i in later_rows:
            divide.append(((i, pivot), pivot))
            for j in later_columns:
                pattern.add((i, j))
                update.append(((i, j), (i, pivot), (pivot, j)))
        divide_end.append(len(divide))
        update_end.append(len(update))
    entries = {ij: e for e, ij in enumerate([*sorted(assembled), *sorted(pattern - assembled)])}
    lower = [(entries[i, j], i, j) for j in pivots for i in pivots if (i, j) in entries and order[i] > order[j]]
    upper, upper_end = [], []
    for i in reversed(pivots):
        upper += [(entries[i, j], i, j) for j in pivots if (i, j) in entries and order[j] > order[i]]
        upper_end.append(len(upper))
    pairs = [(k, j, entries[place[b.free], j], entries[place[b.bound], j])
             for k, b in enumerate(network.bindings) for j in taken[b.sites]]
    return Program(
        n_states=n,
        n_entries=len(entries),
        rows=_ints([i for i, _ in entries]),
        columns=_ints([j for _, j in entries]),
        diagonal=_ints([entries[i, i] for i in range(n)]),
        transfer_out=_ints([entries[place[t.source], place[t.source]] for t in network.transfers]),
        transfer_in=_ints([entries[place[t.destination], place[t.source]] for t in network.transfers]),
        free=_ints([place[b.free] for b in network.bindings]),
        bound=_ints([place[b.bound] for b in network.bindings]),
        free_free=_ints([entries[place[b.free], place[b.free]] for b in network.bindings]),
        bound_free=_ints([entries[place[b.bound], place[b.free]] for b in network.bindings]),
        pair_binding=_ints([p[0] for p in pairs]),
        pair_state=_ints([p[1] for p in pairs]),
        pair_free_entry=_ints([p[2] for p in pairs]),
        pair_bound_entry=_ints([p[3] for p in pairs]),
        pivots=_ints(pivots),
        divide=_ints([(entries[ij], k) for ij, k in divide], 2),
        divide_end=_ints(divide_end),
        update=_ints([tuple(entries[ij] for ij in triple) for triple in update], 3),
        update_end=_ints(update_end),
        lower=_ints(lower, 3),
        upper=_ints(upper, 3),
        upper_end=_ints(upper_end),
    )


def _least_degree(n: int, pattern: set[tuple[int, int]]) -> list[int]:
    """States in an order that keeps the fill small: always the one with fewest products of row and column."""
    columns = {i: {j for k, j in pattern if k == i and j != i} for i in range(n)}
    rows = {j: {k for k, i in pattern if i == j and k != j} for j in range(n)}
    left, order = set(range(n)), []
    while left:
        pivot = min(left, key=lambda i: (len(columns[i]) * len(rows[i]), i))
        order.append(pivot)
        left.remove(pivot)
        for i in rows[pivot]:
            columns[i].discard(pivot)
        for j in columns[pivot]:
            rows[j].discard(pivot)
        for i in rows[pivot]:
            for j in columns[pivot]:
                if i != j:
                    columns[i].add(j)
                    rows[j].add(i)
    return order


def _ints(values: object, width: int = 1) -> Ints:
    array = np.array(values, dtype=np.int64)
    return np.ascontiguousarray(array.reshape(-1, width) if width > 1 else array.reshape(-1))
