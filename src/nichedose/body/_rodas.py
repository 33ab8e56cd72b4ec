"""Rodas4 on a network, several patients side by side in the lanes of the processor's vector registers.

Rosenbrock method of order 4(3), six stages, stiffly accurate: Hairer & Wanner, Solving Ordinary Differential Equations
II, 2nd ed. (1996), section IV.7 and the code RODAS. Written in their transformed variables, so that a step costs one
factorisation and six solves. Linear invariants (the sum over all states) are kept to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["LANES", "march"]

LANES = 16  # patients that share the work of reading the index lists

GAMMA = 0.25
ALPHA = np.array([0.0, 0.386, 0.21, 0.63, 1.0, 1.0])
DELTA = np.array([0.25, -0.1043, 0.1035, -0.03620000000000023, 0.0, 0.0])
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
# weights of a pure quadrature row, once its own stages are eliminated
E = np.linalg.solve((np.eye(6) - GAMMA * C).T, M)

_FAST = {"contract", "nsz", "arcp"}


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _factorise(p: Any, w: Any, inverse: Any) -> None:
    d = u = 0
    for k in range(p.n_states):
        pivot = p.pivots[k]
        e = p.diagonal[pivot]
        for s in range(LANES):
            inverse[pivot, s] = 1.0 / w[e, s]
        while d < p.divide_end[k]:
            entry = p.divide[d, 0]
            for s in range(LANES):
                w[entry, s] *= inverse[pivot, s]
            d += 1
        while u < p.update_end[k]:
            target, left, right = p.update[u, 0], p.update[u, 1], p.update[u, 2]
            for s in range(LANES):
                w[target, s] -= w[left, s] * w[right, s]
            u += 1


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _solve(p: Any, w: Any, inverse: Any, x: Any) -> None:
    for q in range(p.lower.shape[0]):
        entry, row, column = p.lower[q, 0], p.lower[q, 1], p.lower[q, 2]
        for s in range(LANES):
            x[row, s] -= w[entry, s] * x[column, s]
    q = 0
    for k in range(p.n_states):
        pivot = p.pivots[p.n_states - 1 - k]
        while q < p.upper_end[k]:
            entry, column = p.upper[q, 0], p.upper[q, 2]
            for s in range(LANES):
                x[pivot, s] -= w[entry, s] * x[column, s]
            q += 1
        for s in range(LANES):
            x[pivot, s] *= inverse[pivot, s]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _linear(p: Any, a: Any, u: Any, out: Any) -> None:
    """Add the first-order transfers at ``u`` to ``out``."""
    for e in range(a.shape[0]):
        row, column = p.rows[e], p.columns[e]
        for s in range(LANES):
            out[row, s] += a[e, s] * u[column, s]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _open_sites(p: Any, sites: Any, y: Any, left: Any) -> None:
    for b in range(sites.shape[0]):
        for s in range(LANES):
            left[b, s] = sites[b, s]
    for q in range(p.pair_binding.size):
        b, j = p.pair_binding[q], p.pair_state[q]
        for s in range(LANES):
            left[b, s] -= y[j, s]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _bind(p: Any, on: Any, left: Any, u: Any, out: Any) -> None:
    """Add the binding fluxes, ``left`` sites being open, to ``out``."""
    for b in range(on.shape[0]):
        free, bound = p.free[b], p.bound[b]
        for s in range(LANES):
            flux = on[b, s] * left[b, s] * u[free, s]
            out[free, s] -= flux
            out[bound, s] += flux


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _matrix(p: Any, a: Any, on: Any, left: Any, y: Any, per_h_gamma: float, full: bool, w: Any) -> None:
    """1/(h gamma) - Jacobian; without ``full`` that of a tag, for which the open sites are given."""
    for e in range(w.shape[0]):
        if e < a.shape[0]:
            for s in range(LANES):
                w[e, s] = -a[e, s]
        else:
            for s in range(LANES):
                w[e, s] = 0.0
    for i in range(p.n_states):
        e = p.diagonal[i]
        for s in range(LANES):
            w[e, s] += per_h_gamma
    for b in range(on.shape[0]):
        ff, bf = p.free_free[b], p.bound_free[b]
        for s in range(LANES):
            rate = on[b, s] * left[b, s]
            w[ff, s] += rate
            w[bf, s] -= rate
    if full:
        for q in range(p.pair_binding.size):
            b, fe, be = p.pair_binding[q], p.pair_free_entry[q], p.pair_bound_entry[q]
            free = p.free[b]
            for s in range(LANES):
                slope = on[b, s] * y[free, s]
                w[fe, s] -= slope
                w[be, s] += slope


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _combine(base: Any, weights: Any, k: Any, stages: int, out: Any) -> None:
    """out = base + sum over the first ``stages`` of weights x k, all flat; written out so that one pass does it."""
    size = base.size
    if stages == 0:
        for i in range(size):
            out[i] = base[i]
    elif stages == 1:
        w0 = weights[0]
        for i in range(size):
            out[i] = base[i] + w0 * k[0, i]
    elif stages == 2:
        w0, w1 = weights[0], weights[1]
        for i in range(size):
            out[i] = base[i] + w0 * k[0, i] + w1 * k[1, i]
    elif stages == 3:
        w0, w1, w2 = weights[0], weights[1], weights[2]
        for i in range(size):
            out[i] = base[i] + w0 * k[0, i] + w1 * k[1, i] + w2 * k[2, i]
    elif stages == 4:
        w0, w1, w2, w3 = weights[0], weights[1], weights[2], weights[3]
        for i in range(size):
            out[i] = base[i] + w0 * k[0, i] + w1 * k[1, i] + w2 * k[2, i] + w3 * k[3, i]
    elif stages == 5:
        w0, w1, w2, w3, w4 = weights[0], weights[1], weights[2], weights[3], weights[4]
        for i in range(size):
            out[i] = base[i] + w0 * k[0, i] + w1 * k[1, i] + w2 * k[2, i] + w3 * k[3, i] + w4 * k[4, i]
    else:
        _all_stages(base, 1.0, weights, k, out)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _all_stages(base: Any, factor: float, weights: Any, k: Any, out: Any) -> None:
    """out = factor x base + all six of weights x k; ``out`` may be ``base``."""
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    for i in range(base.size):
        out[i] = (
            factor * base[i] + w0 * k[0, i] + w1 * k[1, i] + w2 * k[2, i] + w3 * k[3, i] + w4 * k[4, i] + w5 * k[5, i]
        )


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _integrate(y: Any, k: Any, t: float, h: float, decay: float, work: Any, coefficients: Any, total: Any) -> None:
    """Add the integral of exp(-decay t) y over a step: the row of the scheme, its constant part exact."""
    w0 = np.exp(-decay * t)
    constant = w0 * h if decay * h < 1e-12 else w0 * -np.expm1(-decay * h) / decay
    for j in range(6):
        c = E[j] * w0
        for i in range(j + 1, 6):
            c += E[i] * np.exp(-decay * (t + ALPHA[i] * h)) * A[i, j]
        coefficients[j] = GAMMA * h * c
    _all_stages(y, constant, coefficients, k, work)
    for i in range(y.size):
        total[i] += work[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _crowding(p: Any, on: Any, z: Any, k: Any, out: Any) -> None:
    """A tag's binding slows as the total takes sites: that part of the Jacobian, times the total's stage ``k``."""
    for q in range(p.pair_binding.size):
        b, j = p.pair_binding[q], p.pair_state[q]
        free, bound = p.free[b], p.bound[b]
        for s in range(LANES):
            change = on[b, s] * z[free, s] * k[j, s]
            out[free, s] += change
            out[bound, s] -= change


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def march(
    p: Any, a: Any, on: Any, sites: Any, y: Any, z: Any, infusion: Any, infusion_z: Any, times: Any, decays: Any,
    clocks: Any, integrals: Any, kept: Any, kept_z: Any, largest_error: Any,
) -> None:
    """Carry all groups of lanes over the grid ``times``, in place.

    (groups, ..., LANES) arrays: ``a`` stored rates, ``on`` and ``sites`` of bindings, ``y`` totals, ``z`` (tags)
    fractions, ``infusion`` nmol/h. ``integrals`` (groups, tags or 1, decays, states, LANES) and ``largest_error``
    (groups, LANES) are added to; ``kept`` (groups, steps or 0, states, LANES) takes the states after each step.
    """
    n, tags = p.n_states, z.shape[1]
    w, wt = np.empty((p.n_entries, LANES)), np.empty((p.n_entries, LANES))
    inverse, inverse_t = np.empty((n, LANES)), np.empty((n, LANES))
    left, left_stage = np.empty((on.shape[1], LANES)), np.empty((on.shape[1], LANES))
    u, k, kz = np.empty((n, LANES)), np.empty((6, n, LANES)), np.empty((tags, 6, n, LANES))
    u_flat, k_flat, kz_flat = u.reshape(-1), k.reshape(6, -1), kz.reshape(tags, 6, -1)
    scaled, coefficients = np.empty(6), np.empty(6)
    for g in range(y.shape[0]):
        y_flat, infusion_flat = y[g].reshape(-1), infusion[g].reshape(-1)
        for step in range(times.size - 1):
            t, h = times[step], times[step + 1] - times[step]
            _open_sites(p, sites[g], y[g], left)
            _matrix(p, a[g], on[g], left, y[g], 1.0 / (h * GAMMA), True, w)
            _factorise(p, w, inverse)
            if tags > 0:
                _matrix(p, a[g], on[g], left, y[g], 1.0 / (h * GAMMA), False, wt)
                _factorise(p, wt, inverse_t)
            for i in range(6):
                for j in range(i):
                    scaled[j] = C[i, j] / h
                _combine(y_flat, A[i], k_flat, i, u_flat)
                _combine(infusion_flat, scaled, k_flat, i, k_flat[i])
                _open_sites(p, sites[g], u, left_stage)
                _linear(p, a[g], u, k[i])
                _bind(p, on[g], left_stage, u, k[i])
                _solve(p, w, inverse, k[i])
                for m in range(tags):
                    _combine(z[g, m].reshape(-1), A[i], kz_flat[m], i, u_flat)
                    _combine(infusion_z[g, m].reshape(-1), scaled, kz_flat[m], i, kz_flat[m, i])
                    _linear(p, a[g], u, kz[m, i])
                    _bind(p, on[g], left_stage, u, kz[m, i])
                    _crowding(p, on[g], z[g, m], k[i], kz[m, i])
                    _solve(p, wt, inverse_t, kz[m, i])
            for d in range(decays.size):
                if tags == 0:
                    total = integrals[g, 0, d].reshape(-1)
                    _integrate(y_flat, k_flat, t - clocks[0], h, decays[d], u_flat, coefficients, total)
                for m in range(tags):
                    if t >= clocks[m] - 1e-12:
                        total = integrals[g, m, d].reshape(-1)
                        own = z[g, m].reshape(-1)
                        _integrate(own, kz_flat[m], t - clocks[m], h, decays[d], u_flat, coefficients, total)
            for i in range(n):
                for s in range(LANES):
                    largest_error[g, s] = max(largest_error[g, s], abs(k[5, i, s]))
            _all_stages(y_flat, 1.0, M, k_flat, y_flat)
            for m in range(tags):
                own = z[g, m].reshape(-1)
                _all_stages(own, 1.0, M, kz_flat[m], own)
            if kept.shape[1] > 0:
                kept[g, step] = y[g]
                for m in range(tags):
                    kept_z[g, m, step] = z[g, m]
