"""Body models of one or many patients, carried through a regimen."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from nichedose.body._elimination import Program, program
from nichedose.body.anatomy import anatomy
from nichedose.body.ligand import BodyLigand
from nichedose.body.model import PLASMA, BodyModel, body_model
from nichedose.body.network import Network
from nichedose.body.patient import Patient
from nichedose.body.regimen import Injection, Regimen
from nichedose.body.solution import BodySolution, PopulationIntegrals
from nichedose.errors import BadInput, DidNotConverge, OutOfValidity
from nichedose.fields.grid import Array
from nichedose.library.body_schema import Physiology
from nichedose.values import Draw

__all__ = ["integrate_population", "log_grid", "simulate", "solve", "solve_population"]

FIRST_STEP_SCALE_H = 0.02  # the logarithmic grid is even below it; above 0.05 coarse grids break on fast binding
REFERENCE_STEPS, REFERENCE_ERROR, ORDER = 40, 1e-3, 4.0  # measured: see the theory page
MOST_STEPS = 20_000
SHARE_THAT_COUNTS = 1e-4  # organs with less of the label than this share are not asked for relative accuracy


def simulate(
    patient: Patient,
    ligand: BodyLigand,
    regimen: Regimen,
    *,
    physiology: Physiology,
    decay_per_h: Mapping[str, float],
    end_h: float,
    times_h: Sequence[float] = (),
    competitor: BodyLigand | None = None,
    tolerance: float = 1e-5,
    draw: Draw | None = None,
) -> BodySolution:
    """Follow ``regimen`` through ``patient`` until ``end_h``, for every label in ``decay_per_h`` (name -> 1/h).

    Total (non-decaying) ligand is solved once; each injection is a tagged fraction with its own clock, and every label
    rides on it. ``times_h`` are met exactly. ``tolerance`` bounds the relative error of every organ's time integral, by
    comparison with twice the steps. Raises `BadInput`, `OutOfValidity`, `DidNotConverge`. See the theory page.

    >>> from nichedose.body import Injection, Regimen, body_ligand
    >>> from nichedose.library import load_library
    >>> from nichedose.library.bodies import load_bodies
    >>> bodies, form = load_bodies(), load_library().forms["PSMA-617"]
    >>> psma = body_ligand(form, bodies.of_form("PSMA-617"), bodies.physiology.antibody)
    >>> run = simulate(Patient(), psma, Regimen((Injection(57.0, 7400.0),)), physiology=bodies.physiology,
    ...                decay_per_h={"177Lu": 0.00434}, end_h=720.0)
    >>> run.mass_closure < 1e-12
    True
    """
    model = body_model(patient, anatomy(patient, physiology, draw), ligand, competitor)
    return solve(model, regimen, decay_per_h=decay_per_h, end_h=end_h, times_h=times_h, tolerance=tolerance)


def solve(
    model: BodyModel,
    regimen: Regimen,
    *,
    decay_per_h: Mapping[str, float],
    end_h: float,
    times_h: Sequence[float] = (),
    tolerance: float = 1e-5,
) -> BodySolution:
    """As `simulate`, for a model that stands already."""
    _check(regimen, decay_per_h, end_h, times_h, tolerance)
    if any(i.species == "competitor" for i in regimen.injections) and not any(
            s.species == "competitor" for s in model.network.states):
        raise BadInput("The regimen gives a competitor, but none was described: pass competitor=.")
    steps = max(12, math.ceil(REFERENCE_STEPS * (REFERENCE_ERROR / tolerance) ** (1.0 / ORDER)))
    coarse = _run([model], regimen, decay_per_h, end_h, times_h, steps, keep=False)
    error = math.inf
    while True:
        steps *= 2
        if steps > MOST_STEPS:
            raise DidNotConverge(f"Whole-body kinetics needs more than {MOST_STEPS} steps for a tolerance of "
                                 f"{tolerance:g}; the last error was {error:.1e}. Raise the tolerance.")
        fine = _run([model], regimen, decay_per_h, end_h, times_h, steps, keep=True)
        error = _difference(model, coarse.integrals[0], fine.integrals[0])
        if error <= tolerance:
            return BodySolution(
                model=model,
                regimen=regimen,
                decay_per_h=dict(decay_per_h),
                times_h=fine.times_h,
                amounts_nmol=fine.kept[0],
                tagged_nmol=fine.kept_tags[0],
                integrals_nmol_h=fine.integrals[0],
                error_estimate=error,
            )
        coarse = fine


def integrate_population(
    models: Sequence[BodyModel],
    regimen: Regimen,
    *,
    decay_per_h: Mapping[str, float],
    end_h: float,
    steps: int = 60,
    threads: int = 1,
) -> PopulationIntegrals:
    """Time integrals of every label in many patients with one network, on a fixed grid of about ``steps`` steps.

    40 steps give 1e-3, 80 give 1e-4, 240 give 1e-6 of every organ's integral (theory page). The result of a patient
    does not depend on who else is in the list, nor on ``threads``.
    """
    _check(regimen, decay_per_h, end_h, (), 1e-3)
    _refuse_mixed(models)
    run = _run(models, regimen, decay_per_h, end_h, (), steps, keep=False, threads=threads)
    return PopulationIntegrals(models[0].network, regimen, dict(decay_per_h), run.integrals)


def solve_population(
    models: Sequence[BodyModel],
    regimen: Regimen,
    *,
    decay_per_h: Mapping[str, float],
    end_h: float,
    times_h: Sequence[float] = (),
    steps: int = 80,
) -> tuple[BodySolution, ...]:
    """As `integrate_population`, with the amounts over time; ``times_h`` are met exactly.

    ``error_estimate`` is what that number of steps gives on the body (theory page), not measured in this run.
    """
    _check(regimen, decay_per_h, end_h, times_h, 1e-3)
    _refuse_mixed(models)
    run = _run(models, regimen, decay_per_h, end_h, times_h, steps, keep=True)
    expected = REFERENCE_ERROR * (REFERENCE_STEPS / steps) ** ORDER
    return tuple(
        BodySolution(model, regimen, dict(decay_per_h), run.times_h, run.kept[i], run.kept_tags[i], run.integrals[i],
                     expected)
        for i, model in enumerate(models))


def _refuse_mixed(models: Sequence[BodyModel]) -> None:
    if not models:
        raise BadInput("A population needs at least one patient.")
    first = models[0].network
    if any(m.network is not first and m.network != first for m in models):
        raise BadInput("All models of a population must have one structure: the same targets, tumours and species.")


def log_grid(start_h: float, end_h: float, steps: int) -> Array:
    """Times from ``start_h`` to ``end_h``, even in log(1 + t / 0.02 h): what is fast happens soon after a change."""
    x = np.linspace(0.0, math.log1p((end_h - start_h) / FIRST_STEP_SCALE_H), steps + 1)
    grid = start_h + FIRST_STEP_SCALE_H * np.expm1(x)
    grid[-1] = end_h
    return np.asarray(grid)


@dataclass(frozen=True)
class _Run:
    """``kept`` (patients, times, states), ``kept_tags`` (patients, tags, times, states) or empty; ``integrals``
    (patients, tags or 1, labels, states)."""

    times_h: Array
    kept: Array
    kept_tags: Array
    integrals: Array


def _check(
    regimen: Regimen, decay_per_h: Mapping[str, float], end_h: float, times_h: Sequence[float], tolerance: float
) -> None:
    last = max(i.start_h + i.duration_h for i in regimen.injections)
    if not (math.isfinite(end_h) and end_h > last):
        raise BadInput(f"end_h must lie after the last injection ({last:g} h); got {end_h}.")
    for name, decay in decay_per_h.items():
        if not (math.isfinite(decay) and decay >= 0.0):
            raise BadInput(f"The decay constant of '{name}' must be at or above 0 per h; got {decay}.")
    wrong = [t for t in times_h if not (math.isfinite(t) and 0.0 <= t <= end_h)]
    if wrong:
        raise BadInput(f"times_h must lie in 0 to {end_h:g} h; got {wrong[0]}.")
    if not 1e-10 <= tolerance <= 0.1:
        raise BadInput(f"The tolerance must lie in 1e-10 to 0.1; got {tolerance}.")


@functools.lru_cache(maxsize=64)
def _program(network: Network) -> Program:
    return program(network)


def _run(
    models: Sequence[BodyModel], regimen: Regimen, decay_per_h: Mapping[str, float], end_h: float,
    times_h: Sequence[float], steps: int, *, keep: bool, threads: int = 1,
) -> _Run:
    from nichedose.body._rodas import LANES, march  # numba loads when it is needed

    network = models[0].network
    lists = _program(network)
    tagged = regimen.labelled if len(regimen.labelled) > 1 else ()
    groups = -(-len(models) // LANES)
    clocks = np.array([i.start_h for i in regimen.labelled])
    decays = np.array(list(decay_per_h.values()) or [0.0])
    y = np.zeros((groups, lists.n_states, LANES))
    z = np.zeros((groups, len(tagged), lists.n_states, LANES))
    integrals = np.zeros((groups, max(len(tagged), 1), decays.size, lists.n_states, LANES))
    times, kept, kept_tags = [np.zeros(1)], [], []
    for start, end in _segments(regimen, end_h):
        _inject(y, z, regimen, tagged, network, start)
        if start == 0.0 and keep:
            kept.append(y[:, None].copy())
            kept_tags.append(z[:, :, None].copy())
        infusion, infusion_tags = np.zeros_like(y), np.zeros_like(z)
        _infuse(infusion, infusion_tags, regimen, tagged, network, start)
        rates = _lanes(_rates(models, network, regimen, start), groups, LANES)
        a, on = _entries(lists, rates), np.ascontiguousarray(rates[:, len(network.transfers):])
        sites = _sites(models, network, regimen, start)
        _refuse_more_bound_than_sites(y, sites, network, lists, start)
        s = _lanes(sites, groups, LANES)
        grid = _grid(start, end, steps, end_h, times_h)
        shape = (groups, grid.size - 1 if keep else 0, lists.n_states, LANES)
        out = np.empty(shape)
        out_tags = np.empty((groups, len(tagged), *shape[1:]))
        parts = np.array_split(np.arange(groups), min(threads, groups))

        def carry(
            part: Any, a: Array = a, on: Array = on, s: Array = s, infusion: Array = infusion,
            infusion_tags: Array = infusion_tags, grid: Array = grid, out: Array = out, out_tags: Array = out_tags,
        ) -> None:
            cut = slice(int(part[0]), int(part[-1]) + 1)
            march(lists, a[cut], on[cut], s[cut], y[cut], z[cut], infusion[cut], infusion_tags[cut], grid, decays,
                  clocks, integrals[cut], out[cut], out_tags[cut])

        if len(parts) == 1:
            carry(parts[0])
        else:
            with ThreadPoolExecutor(len(parts)) as pool:
                list(pool.map(carry, parts))
        times.append(grid[1:])
        kept.append(out)
        kept_tags.append(out_tags)
    return _Run(
        times_h=np.concatenate(times),
        kept=_patients(np.concatenate(kept, axis=1), len(models)) if keep else np.empty(0),
        kept_tags=_patients(np.concatenate(kept_tags, axis=2), len(models)) if keep else np.empty(0),
        integrals=_patients(integrals, len(models)),
    )


def _segments(regimen: Regimen, end_h: float) -> list[tuple[float, float]]:
    """Spans between everything that changes suddenly."""
    edges = {0.0, end_h}
    for i in regimen.injections:
        edges |= {i.start_h, i.start_h + i.duration_h}
    for start, end in regimen.amino_acids_h:
        edges |= {start, end}
    edges |= {c.start_h for c in regimen.target_changes}
    inside = sorted(e for e in edges if 0.0 <= e <= end_h)
    return list(itertools.pairwise(inside))


def _grid(start: float, end: float, steps: int, end_h: float, times_h: Sequence[float]) -> Array:
    """A logarithmic grid with its share of ``steps``, and the times that were asked for."""
    whole, part = (math.log1p(x / FIRST_STEP_SCALE_H) for x in (end_h, end - start))
    grid = log_grid(start, end, max(4, math.ceil(steps * part / whole)))
    asked = [t for t in times_h if start < t < end]
    return np.unique(np.concatenate([grid, asked])) if asked else grid


def _entry_state(injection: Injection) -> str:
    return PLASMA if injection.species == "ligand" else f"{injection.species}: {PLASMA}"


def _inject(y: Array, z: Array, regimen: Regimen, tagged: Sequence[Injection], network: Network, at_h: float) -> None:
    for injection in regimen.injections:
        if injection.duration_h == 0.0 and injection.start_h == at_h:
            y[:, network.index(_entry_state(injection))] += injection.ligand_nmol
    for m, injection in enumerate(tagged):
        if injection.duration_h == 0.0 and injection.start_h == at_h:
            z[:, m, network.index(PLASMA)] += injection.ligand_nmol


def _infuse(
    rate: Array, rate_tags: Array, regimen: Regimen, tagged: Sequence[Injection], network: Network, at_h: float
) -> None:
    def runs(i: Injection) -> bool:
        return i.duration_h > 0.0 and i.start_h <= at_h < i.start_h + i.duration_h

    for injection in filter(runs, regimen.injections):
        rate[:, network.index(_entry_state(injection))] += injection.ligand_nmol / injection.duration_h
    for m, injection in enumerate(tagged):
        if runs(injection):
            rate_tags[:, m, network.index(PLASMA)] += injection.ligand_nmol / injection.duration_h


def _rates(models: Sequence[BodyModel], network: Network, regimen: Regimen, at_h: float) -> Array:
    """Of transfers, then of bindings, (patients, transfers + bindings)."""
    acids = any(start <= at_h < end for start, end in regimen.amino_acids_h)
    tables = [{**m.rates, **m.under_amino_acids} if acids else m.rates for m in models]
    return _gathered(tables, [*(t.rate for t in network.transfers), *(b.on for b in network.bindings)])


def _sites(models: Sequence[BodyModel], network: Network, regimen: Regimen, at_h: float) -> Array:
    factor = 1.0
    for change in sorted(regimen.target_changes, key=lambda c: c.start_h):
        if change.start_h <= at_h:
            factor = change.factor
    changing = {f"{t} sites" for t in models[0].tumours}
    sites = _gathered([m.sites for m in models], [b.sites for b in network.bindings])
    return np.asarray(sites * np.array([factor if b.sites in changing else 1.0 for b in network.bindings]))


def _gathered(tables: Sequence[Mapping[str, float]], keys: Sequence[str]) -> Array:
    """The values of ``keys`` in each table, (tables, keys)."""
    values = itertools.chain.from_iterable(map(table.__getitem__, keys) for table in tables)
    return np.fromiter(values, float, len(tables) * len(keys)).reshape(len(tables), len(keys))


def _refuse_more_bound_than_sites(
    y: Array, sites: Array, network: Network, lists: Program, at_h: float
) -> None:
    for b, binding in enumerate(network.bindings):
        mine = [int(j) for k, j in zip(lists.pair_binding, lists.pair_state, strict=True) if k == b]
        taken = _patients(y, len(sites))[:, mine].sum(axis=1)
        if np.any(taken > sites[:, b] * (1.0 + 1e-9) + 1e-12):
            raise OutOfValidity(f"At {at_h:g} h more ligand is bound than '{binding.sites}' would have left. A target "
                                "cannot be taken away while it is occupied: change it later or by less.")


def _lanes(values: Array, groups: int, lanes: int) -> Array:
    """(patients, k) -> (groups, k, lanes); lanes without a patient repeat the last."""
    full = np.concatenate([values, np.repeat(values[-1:], groups * lanes - len(values), axis=0)])
    return np.ascontiguousarray(full.reshape(groups, lanes, values.shape[1]).transpose(0, 2, 1))


def _patients(array: Array, n: int) -> Array:
    """(groups, ..., lanes) -> (patients, ...)."""
    moved = np.moveaxis(array, -1, 1)
    return np.ascontiguousarray(moved.reshape(moved.shape[0] * moved.shape[1], *array.shape[1:-1])[:n])


def _entries(lists: Program, rates: Array) -> Array:
    """Stored entries of the linear part, (groups, entries, lanes); entries that only fill in are left out."""
    used = 1 + int(max(lists.transfer_in.max(), lists.transfer_out.max()))
    a = np.zeros((rates.shape[0], used, rates.shape[2]))
    for k, (out, into) in enumerate(zip(lists.transfer_out, lists.transfer_in, strict=True)):
        a[:, out] -= rates[:, k]
        a[:, into] += rates[:, k]
    return a


def _difference(model: BodyModel, coarse: Array, fine: Array) -> float:
    """Largest relative difference of an organ's time integrals, of all that hold a visible share."""
    if not np.isfinite(fine).all() or not np.isfinite(coarse).all():  # steps too long for very fast binding
        return math.inf
    worst = 0.0
    places = np.array([s.organ for s in model.network.states if s.species == "ligand"])
    for organ in model.network.organs:
        mine = np.flatnonzero(places == organ)
        a, b = coarse[..., mine].sum(axis=-1), fine[..., mine].sum(axis=-1)
        whole = fine.sum(axis=-1)
        counts = b > SHARE_THAT_COUNTS * whole
        if counts.any():
            worst = max(worst, float(np.max(np.abs(a - b)[counts] / b[counts])))
    return worst
