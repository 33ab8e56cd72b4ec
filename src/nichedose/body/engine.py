"""Body models of one or many patients, carried through a regimen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from nichedose.body.anatomy import anatomy
from nichedose.body.ligand import BodyLigand
from nichedose.body.model import BodyModel, body_model
from nichedose.body.patient import Patient
from nichedose.body.regimen import Regimen
from nichedose.body.solution import BodySolution, PopulationIntegrals
from nichedose.body.spans import (
    Span,
    grid_of,
    inject,
    patients_of,
    program_of,
    refuse_more_bound_than_sites,
    segments,
    span_of,
)
from nichedose.errors import BadInput, DidNotConverge
from nichedose.fields.grid import Array
from nichedose.library.body_schema import Physiology
from nichedose.values import Draw

__all__ = ["integrate_population", "simulate", "solve", "solve_population"]

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


def _run(
    models: Sequence[BodyModel], regimen: Regimen, decay_per_h: Mapping[str, float], end_h: float,
    times_h: Sequence[float], steps: int, *, keep: bool, threads: int = 1,
) -> _Run:
    from nichedose.body._rodas import LANES, march  # numba loads when it is needed

    lists = program_of(models[0].network)
    tagged = regimen.labelled if len(regimen.labelled) > 1 else ()
    groups = -(-len(models) // LANES)
    clocks = np.array([i.start_h for i in regimen.labelled])
    decays = np.array(list(decay_per_h.values()) or [0.0])
    y = np.zeros((groups, lists.n_states, LANES))
    z = np.zeros((groups, len(tagged), lists.n_states, LANES))
    integrals = np.zeros((groups, max(len(tagged), 1), decays.size, lists.n_states, LANES))
    times, kept, kept_tags = [np.zeros(1)], [], []
    for start, end in segments(regimen, end_h):
        inject(y, z, regimen, tagged, models[0].network, start)
        if start == 0.0 and keep:
            kept.append(y[:, None].copy())
            kept_tags.append(z[:, :, None].copy())
        span = span_of(models, regimen, tagged, start, groups, LANES)
        refuse_more_bound_than_sites(y, span, models[0].network, start)
        grid = grid_of(start, end, steps, end_h, times_h)
        shape = (groups, grid.size - 1 if keep else 0, lists.n_states, LANES)
        out = np.empty(shape)
        out_tags = np.empty((groups, len(tagged), *shape[1:]))
        parts = np.array_split(np.arange(groups), min(threads, groups))

        def carry(
            part: Any, span: Span = span, grid: Array = grid, out: Array = out, out_tags: Array = out_tags,
        ) -> None:
            cut = slice(int(part[0]), int(part[-1]) + 1)
            march(lists, span.a[cut], span.on[cut], span.sites[cut], y[cut], z[cut], span.infusion[cut],
                  span.infusion_tags[cut], grid, decays, clocks, integrals[cut], out[cut], out_tags[cut])

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
        kept=patients_of(np.concatenate(kept, axis=1), len(models)) if keep else np.empty(0),
        kept_tags=patients_of(np.concatenate(kept_tags, axis=2), len(models)) if keep else np.empty(0),
        integrals=patients_of(integrals, len(models)),
    )


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
