"""Rodas4 on a network, several patients side by side in the lanes of the processor's vector registers.

Rosenbrock method of order 4(3), six stages, stiffly accurate: Hairer & Wanner, Solving Ordinary Differential Equations
II, 2nd ed. (1996), section IV.7 and the code RODAS. Linear invariants (the sum over all states) are kept to rounding.

In their variables stage i solves (1/(h gamma) - J) k_i = f(u_i) + sum_j C_ij k_j / h with u_i = y + sum_j A_ij k_j. A
network's f is quadratic: f(u_i) = f(y) + J (u_i - y) + q_i, where q_i = -on x (change of taken sites) x (change of
free ligand) on the two states of each binding. J k_j is known once k_j is solved for, so no stage but the first needs
f: with r_i for the right-hand sides, (1 + A) r = f(y) + q + (A / gamma + C) k / h, and P = (1 + A)^-1 gives them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nichedose._compiled import njit
from nichedose.body._lanes import LANES, add, load, minus_product, plus_product, ratio, splat, store, times

__all__ = ["LANES", "march"]

GAMMA = 0.25
A = np.zeros((6, 6))
A[1, 0] = 1.544
A[2, :2] = 0.9466785280815826, 0.2557011698983284
A[3, :3] = 3.314825187068521, 2.896124015972201, 0.9986419139977817
A[4, :4] = 1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950
A[5, :5] = 1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0
C = np.zeros((6, 6))
C[1, 0] = -5.6688
C[2, :2] = -2.430093356833875, -0.2063599157091915
C[3, :3] = -0.1073529058151375, -9.594562251023355, -20.47028614809616
C[4, :4] = 7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160
C[5, :5] = 8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054
M = np.array([1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0, 1.0])
ALPHA = np.array([0.0, 0.386, 0.21, 0.63, 1.0, 1.0])
# weights of a pure quadrature row, once its own stages are eliminated
E = np.linalg.solve((np.eye(6) - GAMMA * C).T, M)
P = np.linalg.inv(np.eye(6) + A)
START = P.sum(axis=1)  # of f(y) in each right-hand side
BACK = P @ (A / GAMMA + C)  # of the stages before, over h

_FAST = {"contract", "nsz", "arcp"}


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _factorise(p: Any, w: Any, inverse: Any) -> None:
    d = u = 0
    one = splat(1.0)
    for k in range(p.n_states):
        pivot = p.pivots[k]
        inverted = ratio(one, load(w, p.diagonal[pivot]))
        store(inverse, pivot, inverted)
        while d < p.divide_end[k]:
            store(w, p.divide[d, 0], times(load(w, p.divide[d, 0]), inverted))
            d += 1
        while u < p.update_end[k]:
            target, left, right = p.update[u, 0], p.update[u, 1], p.update[u, 2]
            store(w, target, minus_product(load(w, target), load(w, left), load(w, right)))
            u += 1


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _solve(p: Any, w: Any, inverse: Any, x: Any, base: int) -> None:
    """Solve in place for the rows of ``x`` from ``base`` on."""
    for q in range(p.lower.shape[0]):
        row, column = base + p.lower[q, 1], base + p.lower[q, 2]
        store(x, row, minus_product(load(x, row), load(w, p.lower[q, 0]), load(x, column)))
    q = 0
    for k in range(p.n_states):
        pivot = p.pivots[p.n_states - 1 - k]
        value = load(x, base + pivot)
        while q < p.upper_end[k]:
            value = minus_product(value, load(w, p.upper[q, 0]), load(x, base + p.upper[q, 2]))
            q += 1
        store(x, base + pivot, times(value, load(inverse, pivot)))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _open_sites(p: Any, sites: Any, y: Any, left: Any) -> None:
    minus_one = splat(-1.0)
    for b in range(sites.shape[0]):
        store(left, b, load(sites, b))
    for q in range(p.pair_binding.size):
        b = p.pair_binding[q]
        store(left, b, plus_product(load(left, b), minus_one, load(y, p.pair_state[q])))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _right(p: Any, a: Any, on: Any, left: Any, infusion: Any, u: Any, out: Any) -> None:
    """Rate of change at ``u``, ``left`` sites being open."""
    for row in range(p.n_states):
        store(out, row, load(infusion, row))
    for e in range(a.shape[0]):
        row = p.rows[e]
        store(out, row, plus_product(load(out, row), load(a, e), load(u, p.columns[e])))
    for b in range(on.shape[0]):
        free, bound = p.free[b], p.bound[b]
        rate = times(load(on, b), load(left, b))
        store(out, free, minus_product(load(out, free), rate, load(u, free)))
        store(out, bound, plus_product(load(out, bound), rate, load(u, free)))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _matrix(p: Any, a: Any, on: Any, left: Any, per_h_gamma: float, w: Any) -> None:
    """1/(h gamma) - Jacobian, ``left`` sites being open; all of it for a tag, which takes no sites away."""
    zero, minus_one, shift, one = splat(0.0), splat(-1.0), splat(per_h_gamma), splat(1.0)
    for e in range(a.shape[0]):
        store(w, e, times(load(a, e), minus_one))
    for e in range(a.shape[0], w.shape[0]):
        store(w, e, zero)
    for i in range(p.n_states):
        store(w, p.diagonal[i], add(load(w, p.diagonal[i]), shift))
    for b in range(on.shape[0]):
        ff, bf = p.free_free[b], p.bound_free[b]
        rate = times(load(on, b), load(left, b))
        store(w, ff, plus_product(load(w, ff), rate, one))
        store(w, bf, minus_product(load(w, bf), rate, one))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _saturation(p: Any, on: Any, y: Any, w: Any) -> None:
    """The part of the matrix that comes from the total's taking sites."""
    for q in range(p.pair_binding.size):
        b, fe, be = p.pair_binding[q], p.pair_free_entry[q], p.pair_bound_entry[q]
        slope, y_free = load(on, b), load(y, p.free[b])
        store(w, fe, minus_product(load(w, fe), slope, y_free))
        store(w, be, plus_product(load(w, be), slope, y_free))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _combine(base: Any, factor: float, weights: Any, stages: int, n: int, k: Any) -> None:
    """Stage ``stages`` of ``k`` = factor x base + sum over the stages before of weights x k, in one pass.

    ``k`` holds the stages one after the other, ``n`` rows each.
    """
    f, to = splat(factor), stages * n
    w0, w1, w2 = splat(weights[0]), splat(weights[1]), splat(weights[2])
    w3, w4 = splat(weights[3]), splat(weights[4])
    if stages == 0:
        for i in range(n):
            store(k, to + i, times(f, load(base, i)))
    elif stages == 1:
        for i in range(n):
            store(k, to + i, plus_product(times(f, load(base, i)), w0, load(k, i)))
    elif stages == 2:
        for i in range(n):
            value = plus_product(times(f, load(base, i)), w0, load(k, i))
            store(k, to + i, plus_product(value, w1, load(k, n + i)))
    elif stages == 3:
        for i in range(n):
            value = plus_product(times(f, load(base, i)), w0, load(k, i))
            value = plus_product(value, w1, load(k, n + i))
            store(k, to + i, plus_product(value, w2, load(k, 2 * n + i)))
    elif stages == 4:
        for i in range(n):
            value = plus_product(times(f, load(base, i)), w0, load(k, i))
            value = plus_product(value, w1, load(k, n + i))
            value = plus_product(value, w2, load(k, 2 * n + i))
            store(k, to + i, plus_product(value, w3, load(k, 3 * n + i)))
    else:
        for i in range(n):
            value = plus_product(times(f, load(base, i)), w0, load(k, i))
            value = plus_product(value, w1, load(k, n + i))
            value = plus_product(value, w2, load(k, 2 * n + i))
            value = plus_product(value, w3, load(k, 3 * n + i))
            store(k, to + i, plus_product(value, w4, load(k, 4 * n + i)))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _accumulate(factor: float, base: Any, weights: Any, k: Any, total: Any) -> None:
    """Add factor x base + sum over all stages of weights x k to ``total``, which may be ``base``."""
    f, n = splat(factor), base.shape[0]
    w0, w1, w2 = splat(weights[0]), splat(weights[1]), splat(weights[2])
    w3, w4, w5 = splat(weights[3]), splat(weights[4]), splat(weights[5])
    for i in range(n):
        value = plus_product(load(total, i), f, load(base, i))
        value = plus_product(value, w0, load(k, i))
        value = plus_product(value, w1, load(k, n + i))
        value = plus_product(value, w2, load(k, 2 * n + i))
        value = plus_product(value, w3, load(k, 3 * n + i))
        value = plus_product(value, w4, load(k, 4 * n + i))
        store(total, i, plus_product(value, w5, load(k, 5 * n + i)))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _taken(p: Any, k: Any, i: int, out: Any) -> None:
    """Change of taken sites from y to stage ``i``, per binding."""
    for b in range(p.free.size):
        store(out, b, splat(0.0))
    for j in range(i):
        weight = splat(A[i, j])
        for q in range(p.pair_binding.size):
            b = p.pair_binding[q]
            store(out, b, plus_product(load(out, b), weight, load(k, j * p.n_states + p.pair_state[q])))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _bend(p: Any, on: Any, taken: Any, k: Any, i: int, defects: Any) -> None:
    """What binding's being quadratic adds to the right-hand side of stage ``i``, to be solved for in ``k``.

    ``defects`` (6 x bindings) keeps the q of the stages before, as what free ligand gains.
    """
    n, count = p.n_states, p.free.size
    for b in range(count):
        free, bound = p.free[b], p.bound[b]
        change = splat(0.0)
        for j in range(i):
            change = plus_product(change, splat(A[i, j]), load(k, j * n + free))
        defect = times(times(load(on, b), load(taken, b)), change)
        store(defects, i * count + b, defect)
        for j in range(1, i):
            defect = plus_product(defect, splat(P[i, j]), load(defects, j * count + b))
        store(k, i * n + free, add(load(k, i * n + free), defect))
        store(k, i * n + bound, minus_product(load(k, i * n + bound), splat(1.0), defect))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _crowding(p: Any, on: Any, z: Any, k: Any, base: int, out: Any) -> None:
    """A tag's binding slows as the total takes sites: that part of the Jacobian, times the total's stage in ``k``."""
    for q in range(p.pair_binding.size):
        b = p.pair_binding[q]
        free, bound = p.free[b], p.bound[b]
        change = times(load(on, b), load(z, free))
        taken = load(k, base + p.pair_state[q])
        store(out, base + free, plus_product(load(out, base + free), change, taken))
        store(out, base + bound, minus_product(load(out, base + bound), change, taken))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _integrate(y: Any, k: Any, t: float, h: float, decay: float, coefficients: Any, total: Any) -> None:
    """Add the integral of exp(-decay t) y over a step: the row of the scheme, its constant part exact."""
    w0 = np.exp(-decay * t)
    constant = w0 * h if decay * h < 1e-12 else w0 * -np.expm1(-decay * h) / decay
    for j in range(6):
        c = E[j] * w0
        for i in range(j + 1, 6):
            c += E[i] * np.exp(-decay * (t + ALPHA[i] * h)) * A[i, j]
        coefficients[j] = GAMMA * h * c
    _accumulate(constant, y, coefficients, k, total)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _copy(rows: Any, out: Any) -> None:
    """``out[:] = rows``, which numba compiles five times as long."""
    for i in range(rows.shape[0]):
        store(out, i, load(rows, i))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def march(
    p: Any, a: Any, on: Any, sites: Any, y: Any, z: Any, infusion: Any, infusion_z: Any, instants: Any, decays: Any,
    clocks: Any, integrals: Any, kept: Any, kept_z: Any,
) -> None:
    """Carry all groups of lanes over the grid ``instants``, in place.

    (groups, ..., LANES) arrays: ``a`` stored rates, ``on`` and ``sites`` of bindings, ``y`` totals, ``z`` (tags)
    fractions, ``infusion`` nmol/h. ``integrals`` (groups, tags or 1, decays, states, LANES) are added to; ``kept``
    (groups, steps or 0, states, LANES) takes the states after each step.
    """
    n, tags, count = p.n_states, z.shape[1], on.shape[1]
    w, wt = np.empty((p.n_entries, LANES)), np.empty((p.n_entries, LANES))
    inverse, inverse_t = np.empty((n, LANES)), np.empty((n, LANES))
    left, taken, defects = np.empty((count, LANES)), np.empty((count, LANES)), np.empty((6 * count, LANES))
    start, k = np.empty((n, LANES)), np.empty((6 * n, LANES))
    starts, kz = np.empty((tags, n, LANES)), np.empty((tags, 6 * n, LANES))
    defects_z = np.empty((tags, 6 * count, LANES))
    back, coefficients, weights = np.empty((6, 6)), np.empty(6), M.copy()
    for g in range(y.shape[0]):
        for step in range(instants.size - 1):
            t, h = instants[step], instants[step + 1] - instants[step]
            for i in range(36):
                back.flat[i] = BACK.flat[i] / h
            _open_sites(p, sites[g], y[g], left)
            _matrix(p, a[g], on[g], left, 1.0 / (h * GAMMA), w)
            _saturation(p, on[g], y[g], w)
            _factorise(p, w, inverse)
            _right(p, a[g], on[g], left, infusion[g], y[g], start)
            if tags > 0:
                _matrix(p, a[g], on[g], left, 1.0 / (h * GAMMA), wt)
                _factorise(p, wt, inverse_t)
            for m in range(tags):
                _right(p, a[g], on[g], left, infusion_z[g, m], z[g, m], starts[m])
            for i in range(6):
                _combine(start, START[i], back[i], i, n, k)
                _taken(p, k, i, taken)
                _bend(p, on[g], taken, k, i, defects)
                _solve(p, w, inverse, k, i * n)
                for m in range(tags):
                    _combine(starts[m], START[i], back[i], i, n, kz[m])
                    _bend(p, on[g], taken, kz[m], i, defects_z[m])
                    _crowding(p, on[g], z[g, m], k, i * n, kz[m])
                    _solve(p, wt, inverse_t, kz[m], i * n)
            for d in range(decays.size):
                if tags == 0:
                    _integrate(y[g], k, t - clocks[0], h, decays[d], coefficients, integrals[g, 0, d])
                for m in range(tags):
                    if t >= clocks[m] - 1e-12:
                        own = integrals[g, m, d]
                        _integrate(z[g, m], kz[m], t - clocks[m], h, decays[d], coefficients, own)
            _accumulate(0.0, y[g], weights, k, y[g])
            for m in range(tags):
                _accumulate(0.0, z[g, m], weights, kz[m], z[g, m])
            if kept.shape[1] > 0:
                _copy(y[g], kept[g, step])
                for m in range(tags):
                    _copy(z[g, m], kept_z[g, m, step])
