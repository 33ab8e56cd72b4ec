"""A regimen cut into spans in which nothing changes suddenly, with the numbers that the engine marches through each."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.body._elimination import Program, program
from nichedose.body.model import PLASMA, BodyModel
from nichedose.body.network import Network
from nichedose.body.regimen import Injection, Regimen
from nichedose.errors import OutOfValidity
from nichedose.fields.grid import Array

__all__ = [
    "Span", "grid_of", "inject", "patients_of", "program_of", "refuse_more_bound_than_sites", "segments", "span_of",
]

FIRST_STEP_SCALE_H = 0.02  # the logarithmic grid is even below it; above 0.05 coarse grids break on fast binding


@dataclass(frozen=True)
class Span:
    """What holds throughout one span; (groups, ..., lanes) arrays as `march` takes them.

    ``a`` stored entries of the linear part, ``on`` and ``sites`` of bindings, ``infusion`` nmol/h of the total and
    ``infusion_tags`` of each tag. ``amino_acids`` run; ``site_factors`` (bindings,) times what the models have.
    """

    a: Array
    on: Array
    sites: Array
    infusion: Array
    infusion_tags: Array
    amino_acids: bool
    site_factors: Array


@functools.lru_cache(maxsize=64)
def program_of(network: Network) -> Program:
    """The index lists of ``network``, made once."""
    return program(network)


def segments(regimen: Regimen, end_h: float) -> list[tuple[float, float]]:
    """Spans between everything that changes suddenly."""
    edges = {0.0, end_h}
    for i in regimen.injections:
        edges |= {i.start_h, i.start_h + i.duration_h}
    for start, end in regimen.amino_acids_h:
        edges |= {start, end}
    edges |= {c.start_h for c in regimen.target_changes}
    inside = sorted(e for e in edges if 0.0 <= e <= end_h)
    return list(itertools.pairwise(inside))


def grid_of(start: float, end: float, steps: int, end_h: float, times_h: Sequence[float]) -> Array:
    """A logarithmic grid with its share of ``steps``, and the times that were asked for.

    Even in log(1 + t / 0.02 h): what is fast happens soon after a change.
    """
    whole, part = (math.log1p(x / FIRST_STEP_SCALE_H) for x in (end_h, end - start))
    x = np.linspace(0.0, part, max(4, math.ceil(steps * part / whole)) + 1)
    grid = start + FIRST_STEP_SCALE_H * np.expm1(x)
    grid[-1] = end
    asked = [t for t in times_h if start < t < end]
    return np.unique(np.concatenate([grid, asked])) if asked else np.asarray(grid)


def inject(y: Array, z: Array, regimen: Regimen, tagged: Sequence[Injection], network: Network, at_h: float) -> None:
    """Add what is given at once at ``at_h`` to totals ``y`` and fractions ``z``, in place."""
    for injection in regimen.injections:
        if injection.duration_h == 0.0 and injection.start_h == at_h:
            y[:, network.index(_entry_state(injection))] += injection.ligand_nmol
    for m, injection in enumerate(tagged):
        if injection.duration_h == 0.0 and injection.start_h == at_h:
            z[:, m, network.index(PLASMA)] += injection.ligand_nmol


def span_of(
    models: Sequence[BodyModel], regimen: Regimen, tagged: Sequence[Injection], at_h: float, groups: int, lanes: int
) -> Span:
    """The span that starts at ``at_h``, of models with one network."""
    network = models[0].network
    lists = program_of(network)
    acids = any(start <= at_h < end for start, end in regimen.amino_acids_h)
    tables = [{**m.rates, **m.under_amino_acids} if acids else m.rates for m in models]
    keys = [*(t.rate for t in network.transfers), *(b.on for b in network.bindings)]
    rates = _in_lanes(_gathered(tables, keys), groups, lanes)
    factors = _site_factors(models[0], regimen, at_h)
    sites = _gathered([m.sites for m in models], [b.sites for b in network.bindings]) * factors
    infusion = np.zeros((groups, lists.n_states, lanes))
    infusion_tags = np.zeros((groups, len(tagged), lists.n_states, lanes))
    _infuse(infusion, infusion_tags, regimen, tagged, network, at_h)
    return Span(
        a=_entries(lists, rates),
        on=np.ascontiguousarray(rates[:, len(network.transfers):]),
        sites=_in_lanes(sites, groups, lanes),
        infusion=infusion,
        infusion_tags=infusion_tags,
        amino_acids=acids,
        site_factors=factors,
    )


def refuse_more_bound_than_sites(y: Array, span: Span, network: Network, at_h: float) -> None:
    """Raises `OutOfValidity` where a change of target leaves fewer sites than are occupied."""
    lists = program_of(network)
    for b, binding in enumerate(network.bindings):
        taken = y[:, lists.pair_state[lists.pair_binding == b]].sum(axis=1)
        if np.any(taken > span.sites[:, b] * (1.0 + 1e-9) + 1e-12):
            raise OutOfValidity(f"At {at_h:g} h more ligand is bound than '{binding.sites}' would have left. A target "
                                "cannot be taken away while it is occupied: change it later or by less.")


def patients_of(array: Array, n: int) -> Array:
    """(groups, ..., lanes) -> (patients, ...)."""
    moved = np.moveaxis(array, -1, 1)
    return np.ascontiguousarray(moved.reshape(moved.shape[0] * moved.shape[1], *array.shape[1:-1])[:n])


def _entry_state(injection: Injection) -> str:
    return PLASMA if injection.species == "ligand" else f"{injection.species}: {PLASMA}"


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


def _site_factors(model: BodyModel, regimen: Regimen, at_h: float) -> Array:
    """(bindings,) of what the regimen makes of tumours' sites."""
    factor = 1.0
    for change in sorted(regimen.target_changes, key=lambda c: c.start_h):
        if change.start_h <= at_h:
            factor = change.factor
    changing = {f"{t} sites" for t in model.tumours}
    return np.array([factor if b.sites in changing else 1.0 for b in model.network.bindings])


def _gathered(tables: Sequence[Mapping[str, float]], keys: Sequence[str]) -> Array:
    """The values of ``keys`` in each table, (tables, keys)."""
    values = itertools.chain.from_iterable(map(table.__getitem__, keys) for table in tables)
    return np.fromiter(values, float, len(tables) * len(keys)).reshape(len(tables), len(keys))


def _in_lanes(values: Array, groups: int, lanes: int) -> Array:
    """(patients, k) -> (groups, k, lanes); lanes without a patient repeat the last."""
    full = np.concatenate([values, np.repeat(values[-1:], groups * lanes - len(values), axis=0)])
    return np.ascontiguousarray(full.reshape(groups, lanes, values.shape[1]).transpose(0, 2, 1))


def _entries(lists: Program, rates: Array) -> Array:
    """Stored entries of the linear part, (groups, entries, lanes); entries that only fill in are left out."""
    used = 1 + int(max(lists.transfer_in.max(), lists.transfer_out.max()))
    a = np.zeros((rates.shape[0], used, rates.shape[2]))
    moved = rates[:, :lists.transfer_in.size]
    for group, mine in zip(a, moved, strict=True):
        np.subtract.at(group, lists.transfer_out, mine)
        np.add.at(group, lists.transfer_in, mine)
    return a
