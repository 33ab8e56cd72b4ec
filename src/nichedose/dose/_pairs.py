"""Sums over pairs of near neighbours in a plane, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nichedose._compiled import njit
from nichedose.fields.grid import Array

__all__ = ["near_sums"]


def near_sums(positions_um: Array, labels: Array, kinds: NDArray[np.int64], table: Array, step_um: float) -> Array:
    """Sum over all other cells within the table of table(distance) x label, (n_table, n).

    ``positions_um`` (n, 2); ``labels`` (n, n_source); ``kinds`` (n,): which cell has which shape; ``table`` (n_kind,
    n_kind, n_table, n_source, m), of the receiving and the giving cell's kind, at distances 0, ``step_um``, .., linear
    in between and 0 beyond. Cost grows with the number of cells times their neighbours.
    """
    reach = (table.shape[-1] - 1) * step_um
    low = positions_um.min(axis=0)
    place = ((positions_um - low) / reach).astype(np.int64)
    shape = place.max(axis=0) + 1
    box = place[:, 0] * shape[1] + place[:, 1]
    order = np.argsort(box, kind="stable")
    first = np.searchsorted(box[order], np.arange(shape[0] * shape[1] + 1))
    out = np.zeros((len(positions_um), table.shape[2]))
    # the order of the boxes keeps neighbours near in memory; tables with distance first for the same reason
    _sum(positions_um[order], labels[order], kinds[order], np.ascontiguousarray(np.moveaxis(table, -1, 2)), step_um,
         place[order], shape, first, out)
    back = np.empty_like(out)
    back[order] = out
    return np.asarray(back.T)


@njit(cache=True)
def _sum(x, labels, kinds, tables, step, place, shape, first, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    last = tables.shape[2] - 1
    for i in range(len(x)):
        for a in range(max(place[i, 0] - 1, 0), min(place[i, 0] + 2, shape[0])):
            for b in range(max(place[i, 1] - 1, 0), min(place[i, 1] + 2, shape[1])):
                box = a * shape[1] + b
                for j in range(first[box], first[box + 1]):
                    if j == i:
                        continue
                    at = np.hypot(x[i, 0] - x[j, 0], x[i, 1] - x[j, 1]) / step
                    k = int(at)
                    if k >= last:
                        continue
                    part = at - k
                    table = tables[kinds[i], kinds[j]]
                    for t in range(table.shape[1]):
                        for s in range(table.shape[2]):
                            value = table[k, t, s] + part * (table[k + 1, t, s] - table[k, t, s])
                            out[i, t] += value * labels[j, s]
