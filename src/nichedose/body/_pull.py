"""The march of one patient taken back: derivatives of anything linear in its states by every rate and site number.

The discrete adjoint of `_rodas.march`, so exact to rounding for the numbers that the march gives. The body and its
factorised matrices are the same in all lanes and for all groups; each lane carries one derivative back.

With W k_i = f(u_i) + sum_j C_ij k_j / h, u_i = y + sum_j A_ij k_j, W = 1/(h gamma) - J(y) and y' = y + sum_i M_i k_i,
and v_i = W^-T of what pulls at k_i, stage i hands J(u_i)^T v_i to y and (times A_ij) to earlier stages, C_ij v_i / h
to these, and, since J itself depends on y and on the rates, v_i^T d(J(y) k_i). f is quadratic, so the last adds up
with the first: a rate pulls with v_i x (u_i + k_i).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nichedose._compiled import njit
from nichedose.body._lanes import LANES, add, load, minus_product, plus_product, splat, store, times
from nichedose.body._rodas import (
    BACK,
    GAMMA,
    START,
    A,
    C,
    M,
    _bend,
    _combine,
    _factorise,
    _matrix,
    _open_sites,
    _right,
    _saturation,
    _solve,
    _taken,
)

__all__ = ["pull"]

_FAST = {"contract", "nsz", "arcp"}


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _solve_transposed(p: Any, w: Any, inverse: Any, x: Any, base: int) -> None:
    """Solve with the transposed matrix in place, for the rows of ``x`` from ``base`` on."""
    for k in range(p.n_states - 1, -1, -1):  # the upper lists stand in the reverse order of the pivots
        pivot = p.pivots[p.n_states - 1 - k]
        value = times(load(x, base + pivot), load(inverse, pivot))
        store(x, base + pivot, value)
        first = p.upper_end[k - 1] if k > 0 else 0
        for q in range(first, p.upper_end[k]):
            row = base + p.upper[q, 2]
            store(x, row, minus_product(load(x, row), load(w, p.upper[q, 0]), value))
    for q in range(p.lower.shape[0] - 1, -1, -1):
        row, column = base + p.lower[q, 1], base + p.lower[q, 2]
        store(x, column, minus_product(load(x, column), load(w, p.lower[q, 0]), load(x, row)))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _stages(
    p: Any, a: Any, on: Any, sites: Any, infusion: Any, y: Any, h: float, w: Any, inverse: Any, k: Any, left: Any,
    taken: Any, defects: Any, start: Any,
) -> None:
    """Matrix, factors and stages of one step, as the march has them."""
    _open_sites(p, sites, y, left)
    _matrix(p, a, on, left, 1.0 / (h * GAMMA), w)
    _saturation(p, on, y, w)
    _factorise(p, w, inverse)
    _right(p, a, on, left, infusion, y, start)
    for i in range(6):
        _combine(start, START[i], BACK[i] / h, i, p.n_states, k)
        _taken(p, k, i, taken)
        _bend(p, on, taken, k, i, defects)
        _solve(p, w, inverse, k, i * p.n_states)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _states_of_stages(p: Any, sites: Any, y: Any, k: Any, u: Any, left: Any, taken: Any) -> None:
    """Of each stage: its state ``u``, the sites ``left`` open there, and the sites ``taken`` by its ``k``."""
    n, count = p.n_states, sites.shape[0]
    minus_one, one = splat(-1.0), splat(1.0)
    for i in range(6):
        for s in range(n):
            value = load(y, s)
            for j in range(i):
                value = plus_product(value, splat(A[i, j]), load(k, j * n + s))
            store(u, i * n + s, value)
        for b in range(count):
            store(left, i * count + b, load(sites, b))
            store(taken, i * count + b, splat(0.0))
        for q in range(p.pair_binding.size):
            b, s = i * count + p.pair_binding[q], i * n + p.pair_state[q]
            store(left, b, plus_product(load(left, b), minus_one, load(u, s)))
            store(taken, b, plus_product(load(taken, b), one, load(k, s)))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _pull_stage(
    p: Any, a: Any, on: Any, y: Any, k: Any, u: Any, open_y: Any, left: Any, taken: Any, i: int, back: Any, bar: Any,
    bent: Any, strain: Any, to_a: Any, to_on: Any, to_sites: Any,
) -> None:
    """What stage ``i``, whose v stands in ``back``, pulls with: at its state (``bar``), at y alone (``bent``), at
    rates and sites."""
    n, count, minus_one = p.n_states, on.shape[0], splat(-1.0)
    for s in range(n):
        store(bar, s, splat(0.0))
        store(bent, s, splat(0.0))
    for e in range(a.shape[0]):
        v, column = load(back, i * n + p.rows[e]), p.columns[e]
        store(bar, column, plus_product(load(bar, column), load(a, e), v))
        store(to_a, e, plus_product(load(to_a, e), v, add(load(u, i * n + column), load(k, i * n + column))))
    for b in range(count):
        free, bound = p.free[b], p.bound[b]
        apart = plus_product(load(back, i * n + bound), minus_one, load(back, i * n + free))
        pull_b = times(load(on, b), apart)
        store(strain, b, pull_b)
        u_free, k_free = load(u, i * n + free), load(k, i * n + free)
        stage_left, stage_taken = load(left, i * count + b), load(taken, i * count + b)
        store(bar, free, plus_product(load(bar, free), pull_b, stage_left))
        store(bent, free, minus_product(load(bent, free), pull_b, stage_taken))
        bound_rate = plus_product(times(stage_left, u_free), load(open_y, b), k_free)
        bound_rate = minus_product(bound_rate, load(y, free), stage_taken)
        store(to_on, b, plus_product(load(to_on, b), apart, bound_rate))
        store(to_sites, b, plus_product(load(to_sites, b), pull_b, add(u_free, k_free)))
    for q in range(p.pair_binding.size):
        b, s = p.pair_binding[q], p.pair_state[q]
        free = i * n + p.free[b]
        store(bar, s, minus_product(load(bar, s), load(strain, b), load(u, free)))
        store(bent, s, minus_product(load(bent, s), load(strain, b), load(k, free)))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def pull(
    p: Any, a: Any, on: Any, sites: Any, infusion: Any, instants: Any, states: Any, seeds: Any, seed_at: Any,
    pulled: Any, to_a: Any, to_on: Any, to_sites: Any,
) -> None:
    """Take derivatives back over one span, in place; the last dimension of all but lists is LANES.

    ``a``, ``on``, ``sites``, ``infusion`` as one group of `march` has them, ``states`` (instants, states) at the
    ``instants``. ``seeds`` (times, groups, states) are what is derived, by the states at instant t where
    ``seed_at[t]`` (instants,) says which, or -1. ``pulled`` (groups, states) comes in by the states at the end and
    goes out by those at the start; ``to_a``, ``to_on``, ``to_sites`` (groups, ...) are added to.
    """
    n, count = p.n_states, on.shape[0]
    w, inverse = np.empty((p.n_entries, LANES)), np.empty((n, LANES))
    k, u, back = np.empty((6 * n, LANES)), np.empty((6 * n, LANES)), np.empty((6 * n, LANES))
    open_y, strain = np.empty((count, LANES)), np.empty((count, LANES))
    left, taken, defects = (np.empty((6 * count, LANES)), np.empty((6 * count, LANES)), np.empty((6 * count, LANES)))
    start, bar, bent = np.empty((n, LANES)), np.empty((n, LANES)), np.empty((n, LANES))
    for step in range(instants.size - 2, -1, -1):
        h, y = instants[step + 1] - instants[step], states[step]
        _stages(p, a, on, sites, infusion, y, h, w, inverse, k, open_y, strain, defects, start)
        _states_of_stages(p, sites, y, k, u, left, taken)
        for g in range(pulled.shape[0]):
            if seed_at[step + 1] >= 0:
                for s in range(n):
                    store(pulled[g], s, add(load(pulled[g], s), load(seeds[seed_at[step + 1], g], s)))
            for i in range(6):
                for s in range(n):
                    store(back, i * n + s, times(splat(M[i]), load(pulled[g], s)))
            for i in range(5, -1, -1):
                _solve_transposed(p, w, inverse, back, i * n)
                _pull_stage(p, a, on, y, k, u, open_y, left, taken, i, back, bar, bent, strain, to_a[g], to_on[g],
                            to_sites[g])
                for s in range(n):
                    store(pulled[g], s, add(load(pulled[g], s), add(load(bar, s), load(bent, s))))
                for j in range(i):
                    through, straight = splat(A[i, j]), splat(C[i, j] / h)
                    for s in range(n):
                        value = plus_product(load(back, j * n + s), through, load(bar, s))
                        store(back, j * n + s, plus_product(value, straight, load(back, i * n + s)))
