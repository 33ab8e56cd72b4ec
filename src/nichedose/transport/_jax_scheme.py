"""The scheme of the theory page on transport in JAX: a pure function of arrays, on any box of voxels (2-D or 3-D).

The same stages, elimination, predictor, stopping rules, flux slopes and label quadrature as `_march`, on steps that are
given. Implicit solves carry their own derivative (one linear solve with the symmetric matrix of the stage), so that
derivatives in both modes, batching and compilation pass through. This module imports JAX: reach it through
`jax_engine`.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name

from nichedose.transport._tableau import BEFORE, PREDICTOR, STAGES, A, B, C

__all__ = ["Schedule", "run"]

SECONDS_PER_HOUR = 3600.0
FLOOR = 1e-3  # voxels holding less than this share of the mean are judged against that share
CG_REDUCTION = 0.05
MOST_CG, MOST_NEWTON = 1000, 25
SOLVED = "solved"  # what a backward run need not solve again
STOPPED = 1e-8  # a residual above this and above the tolerance is a failure
ROUNDED = 4.0  # roundings of the largest terms of a residual, which no iteration can undercut


class Equations(NamedTuple):
    """Fields and rates as in `_equations.Coefficients`; ``faces`` one array per axis, shorter by one along it."""

    capacity: Any
    target: Any
    source: Any
    leave: Any
    faces: tuple[Any, ...]
    kon: Any
    koff: Any
    kint: Any
    krel: Any


class Schedule(NamedTuple):
    """Steps that are given: starts and sizes (n,), label weights times size and fading (n, labels, 6)."""

    start_h: Any
    size_h: Any
    weights: Any


class Stage(NamedTuple):
    """One implicit stage: diagonal coefficient times the step, right-hand sides of free + bound and of bound."""

    a: Any
    q: Any
    bound_rhs: Any
    eq: Equations


def equations(inputs: Any, mask: Any, spacing_um: float) -> Equations:
    """The coefficients from the inputs (see `jax_engine.TransportInputs`), zero outside ``mask``; free ligand per void.
    """
    exchange = jnp.where(mask, inputs.exchange_per_h, 0.0)
    factor = jnp.where(mask, inputs.diffusivity_factor, 1.0)
    conductance = inputs.void_fraction * inputs.diffusivity_um2_per_s * SECONDS_PER_HOUR / spacing_um**2
    faces = []
    for axis in range(mask.ndim):
        n = mask.shape[axis]
        low, high = (partial(lax.slice_in_dim, start_index=i, limit_index=n - 1 + i, axis=axis) for i in (0, 1))
        between = 2.0 * low(factor) * high(factor) / (low(factor) + high(factor))
        faces.append(jnp.where(low(mask) & high(mask), between * conductance, 0.0))
    return Equations(
        capacity=jnp.where(mask, inputs.void_fraction, 0.0),
        target=jnp.where(mask, inputs.target_nmol_per_L, 0.0),
        source=exchange,
        leave=exchange,
        faces=tuple(faces),
        kon=inputs.association_L_per_nmol_per_h,
        koff=inputs.dissociation_per_h,
        kint=inputs.internalisation_per_h,
        krel=inputs.release_per_h,
    )


def _padded(field: Any, axis: int, before: int, after: int) -> Any:
    widths = [(0, 0)] * field.ndim
    widths[axis] = (before, after)
    return jnp.pad(field, widths)


def _spread(u: Any, faces: tuple[Any, ...]) -> Any:
    """What diffusion brings into each voxel: div(faces grad u)."""
    total = jnp.zeros_like(u)
    for axis, g in enumerate(faces):
        if g.shape[axis]:
            flow = g * jnp.diff(u, axis=axis)
            total = total + _padded(flow, axis, 0, 1) - _padded(flow, axis, 1, 0)
    return total


def _face_sum(faces: tuple[Any, ...]) -> Any:
    return sum(_padded(g, axis, 0, 1) + _padded(g, axis, 1, 0) for axis, g in enumerate(faces))


def _bound(s: Stage, free: Any) -> Any:
    on = s.a * s.eq.kon
    return (s.bound_rhs + on * s.eq.target * free) / (1.0 + s.a * (s.eq.koff + s.eq.kint) + on * free)


def _residual(s: Stage, free: Any) -> Any:
    """What the stage equation of free ligand lacks at ``free``, bound ligand eliminated."""
    linear = s.eq.capacity + s.a * s.eq.leave
    taken = (1.0 + s.a * s.eq.kint) * _bound(s, free)
    return s.q - linear * free - taken + s.a * _spread(free, s.eq.faces)


def _rounding(s: Stage, free: Any, weight: Any) -> Any:
    """Weighted norm that rounding alone leaves of a residual: in single precision above the usual tolerances."""
    terms = (s.eq.capacity + s.a * (s.eq.leave + _face_sum(s.eq.faces))) * free + jnp.abs(s.q)
    return ROUNDED * jnp.finfo(free.dtype).eps * jnp.sqrt(jnp.sum((weight * terms) ** 2))


def _mass(s: Stage, free: Any) -> Any:
    """Diagonal of the stage matrix without its faces."""
    on = s.a * s.eq.kon
    share = 1.0 / (1.0 + s.a * (s.eq.koff + s.eq.kint) + on * free)
    slope = on * share * (s.eq.target - _bound(s, free))
    return s.eq.capacity + s.a * s.eq.leave + (1.0 + s.a * s.eq.kint) * slope


def _conjugate_gradient(mass: Any, s: Stage, right: Any, weight: Any, goal: Any) -> Any:
    """Solve (mass - a spread) x = right until the weighted norm of the residual has fallen to ``goal``; Jacobi."""
    diagonal = mass + s.a * _face_sum(s.eq.faces)
    inverse = jnp.where(diagonal > 0.0, 1.0 / jnp.where(diagonal > 0.0, diagonal, 1.0), 0.0)
    limit = goal * goal

    def going(carry: Any) -> Any:
        return (carry[0] < MOST_CG) & (carry[5] > limit)

    def once(carry: Any) -> Any:
        n, x, r, p, rz, _ = carry
        ap = mass * p - s.a * _spread(p, s.eq.faces)
        pap = jnp.vdot(p, ap)
        alpha = jnp.where(pap > 0.0, rz / jnp.where(pap > 0.0, pap, 1.0), 0.0)
        x, r = x + alpha * p, r - alpha * ap
        z = inverse * r
        new = jnp.vdot(r, z)
        return n + 1, x, r, z + (new / jnp.where(rz > 0.0, rz, 1.0)) * p, new, jnp.sum((weight * r) ** 2)

    z = inverse * right
    start = (0, jnp.zeros_like(right), right, z, jnp.vdot(right, z), jnp.sum((weight * right) ** 2))
    return lax.while_loop(going, once, start)[1]


def _newton(s: Stage, guess: Any, weight: Any, tolerance: Any) -> Any:
    """Free ligand of a stage, NaN where its weighted residual stays above the tolerance (and above rounding)."""
    on = s.a * s.eq.kon
    gain = 1.0 + s.a * (s.eq.koff + s.eq.kint)
    # below this the eliminated denominator would vanish; no solution lies there
    lowest = jnp.where(on > 0.0, -0.5 * gain / jnp.where(on > 0.0, on, 1.0), -jnp.inf)

    def missing(free: Any) -> Any:
        r = _residual(s, free)
        return r, jnp.sqrt(jnp.sum((weight * r) ** 2)), jnp.maximum(tolerance, _rounding(s, free, weight))

    def going(carry: Any) -> Any:
        return (carry[0] < MOST_NEWTON) & (carry[3] > carry[4])

    def once(carry: Any) -> Any:
        n, free, r, norm, enough = carry
        linear = s.eq.capacity + s.a * s.eq.leave
        mass = jnp.maximum(_mass(s, free), linear)
        step = _conjugate_gradient(mass, s, r, weight, jnp.maximum(CG_REDUCTION * norm, 0.3 * enough))
        free = jnp.maximum(free + step, lowest)
        return n + 1, free, *missing(free)

    _, free, _, norm, enough = lax.while_loop(going, once, (0, guess, *missing(guess)))
    return jnp.where(norm <= jnp.maximum(enough, STOPPED), free, jnp.nan)


def _solved(s: Stage, guess: Any, weight: Any, tolerance: Any) -> Any:
    return _newton(*lax.stop_gradient((s, guess, weight, tolerance)))


_solve = jax.custom_jvp(_solved)


def _solve_tangent(primals: Any, tangents: Any) -> Any:
    """Where residual(stage, free) = 0 holds, d free = matrix^-1 d residual; where the guess came from is irrelevant."""
    s, _, _, tolerance = primals
    free = checkpoint_name(_solve(*primals), SOLVED)
    _, pushed = jax.jvp(lambda stage: _residual(stage, free), (s,), (tangents[0],))
    mass = _mass(s, free)

    def matrix(x: Any) -> Any:
        return mass * x - s.a * _spread(x, s.eq.faces)

    def solve(_: Any, right: Any) -> Any:
        goal = tolerance * jnp.sqrt(jnp.sum(right**2))
        return _conjugate_gradient(mass, s, right, jnp.ones_like(right), goal)

    return free, lax.custom_linear_solve(matrix, pushed, solve, symmetric=True)


_solve.defjvp(_solve_tangent)


def _weight(s: Stage, content: Any, plasma: Any) -> Any:
    """Weights of an rms norm of residuals relative to what each voxel holds and what plasma alone would bring."""
    capacity = s.eq.capacity
    tissue = capacity > 0.0
    passing = 1.0 + s.a * s.eq.leave / jnp.where(tissue, capacity, 1.0)
    holds = jnp.where(tissue, jnp.abs(content) + s.a * s.eq.source * jnp.abs(plasma) / passing, 0.0)
    count = jnp.sum(tissue)
    least = FLOOR * jnp.sum(holds) / count + math.sqrt(jnp.finfo(holds.dtype).tiny)  # its square is no overflow
    return jnp.where(tissue, 1.0 / ((holds + least) * jnp.sqrt(count)), 0.0)


def _step(eq: Equations, tolerance: Any, state: Any, first_slope: Any, free: Any, size: Any, plasma: Any) -> Any:
    """One step: stage values (6, 3, ...) of free, bound, internalised and slopes of free + bound, bound, internalised.

    Slopes of free + bound are those of the fluxes: an unfinished Newton iteration moves ligand but makes none.
    """

    def stage(carry: Any, row: Any) -> Any:
        slopes, frees = carry
        i, diagonal, before, predictor, level = row
        a = diagonal * size
        rhs = state + size * jnp.tensordot(before, slopes, 1)
        s = Stage(a, rhs[0] + a * level * eq.source, rhs[1], eq)
        guess = jnp.maximum(jnp.tensordot(predictor, frees, 1), 0.0)
        free = _solve(s, guess, _weight(s, rhs[0], level), tolerance)
        bound = _bound(s, free)
        taken = eq.kint * bound
        inside = (rhs[2] + a * taken) / (1.0 + a * eq.krel)
        flux = _spread(free, eq.faces) - eq.leave * free + level * eq.source - taken
        slope = jnp.stack([flux, (bound - rhs[1]) / a, taken - eq.krel * inside])
        return (slopes.at[i].set(slope), frees.at[i].set(free)), jnp.stack([free, bound, inside])

    slopes = jnp.zeros((STAGES, *state.shape), state.dtype).at[0].set(first_slope.at[0].add(plasma[0] * eq.source))
    frees = jnp.zeros((STAGES, *free.shape), free.dtype).at[0].set(free)
    tableau = (jnp.asarray(t[1:], state.dtype) for t in (np.diagonal(A), BEFORE, PREDICTOR))
    rows = (np.arange(1, STAGES), *tableau, plasma[1:])
    (slopes, _), later = lax.scan(stage, (slopes, frees), rows)
    return jnp.concatenate([jnp.stack([free, state[1], state[2]])[None], later]), slopes


def plasma_levels(amplitudes: Any, rates: Any, start_h: Any, size_h: Any) -> Any:
    """Plasma at the stages of all steps (n, 6), corrected to the exact area of each step (see `_march`)."""
    nodes, weights = (jnp.asarray(t, size_h.dtype) for t in (C, B))
    times = start_h[:, None] + nodes * size_h[:, None]
    values = jnp.sum(amplitudes * jnp.exp(-rates * times[..., None]), axis=-1)
    start, size = start_h[:, None], size_h[:, None]
    area = jnp.sum(amplitudes * jnp.exp(-rates * start) * -jnp.expm1(-rates * size) / rates, axis=-1)
    rough = size_h * (values @ weights)
    ratio = area / jnp.where(rough > 0.0, rough, 1.0)
    close = (rough > 0.0) & (ratio > 0.5) & (ratio < 2.0)
    return jnp.where(close[:, None], values * ratio[:, None], values + ((area - rough) / size_h)[:, None])


def integrate(
    eq: Equations, schedule: Schedule, plasma: Any, tolerance: Any, *, stretch: int, snapshots: bool = False
) -> Any:
    """Label integrals (labels, 3, ...) of free (per tissue), bound and internalised ligand from an empty tissue.

    ``plasma`` (n, 6) from `plasma_levels`. A backward run keeps the start of each step and its solved free ligand; with
    ``stretch`` above 1 only the start of every ``stretch`` steps, and solves them again when it gets there. With
    ``snapshots`` also the values at the ends of all steps, (n, 3, ...).
    """
    field = jnp.zeros_like(eq.capacity)
    n, labels = schedule.weights.shape[:2]

    def advance(carry: Any, row: Any) -> Any:
        (state, first_slope, free, integrals), (size, weights, levels) = carry, row
        values, slopes = _step(eq, tolerance, state, first_slope, free, size, levels)
        integrals = integrals + jnp.tensordot(weights, values, 1)
        state = state + size * jnp.tensordot(jnp.asarray(B, state.dtype), slopes, 1)
        end = (state, slopes[-1].at[0].add(-levels[-1] * eq.source), values[-1, 0], integrals)
        return end, values[-1] if snapshots else None

    step = jax.checkpoint(advance, policy=jax.checkpoint_policies.save_only_these_names(SOLVED))

    def over(carry: Any, rows: Any) -> Any:
        return lax.scan(step, carry, rows)

    carry = (jnp.zeros((3, *field.shape)), jnp.zeros((3, *field.shape)), field, jnp.zeros((labels, 3, *field.shape)))
    rows = (schedule.size_h, schedule.weights, plasma)
    first = n % stretch if stretch > 1 else n  # steps that fill no stretch come first
    ends = []
    if first:
        carry, seen = (over if stretch == 1 else jax.checkpoint(over))(carry, jax.tree.map(lambda r: r[:first], rows))
        ends.append(seen)
    if first < n:
        stretches = jax.tree.map(lambda r: r[first:].reshape(-1, stretch, *r.shape[1:]), rows)
        carry, seen = lax.scan(jax.checkpoint(over), carry, stretches)
        ends.append(jax.tree.map(lambda r: r.reshape(-1, *r.shape[2:]), seen))
    integrals = carry[3].at[:, 0].multiply(eq.capacity)
    return (integrals, jnp.concatenate(ends).at[:, 0].multiply(eq.capacity)) if snapshots else integrals


def _run(
    inputs: Any, mask: Any, spacing_um: Any, schedule: Schedule, tolerance: Any, *, stretch: int, snapshots: bool
) -> Any:
    """From the inputs to the label integrals, compiled once for each shape."""
    plasma = plasma_levels(
        inputs.plasma_amplitudes_nmol_per_L, inputs.plasma_rates_per_h, schedule.start_h, schedule.size_h)
    return integrate(
        equations(inputs, mask, spacing_um), schedule, plasma, tolerance, stretch=stretch, snapshots=snapshots)


run = jax.jit(_run, static_argnames=("stretch", "snapshots"))
