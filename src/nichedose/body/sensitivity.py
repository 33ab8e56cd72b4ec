"""Exact slopes of what a model has at the measured points, by the scores of its parameters."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

import numpy as np

from nichedose.body.measured import BLOOD, MeasuredActivity
from nichedose.body.model import PLASMA, BodyModel
from nichedose.body.network import Binding, Network, State, Transfer
from nichedose.body.observation import LEAST_MBQ, STEPS, Observation
from nichedose.body.rate_map import RateMap
from nichedose.body.regimen import Injection, Regimen
from nichedose.body.spans import Span, grid_of, inject, program_of, segments, span_of
from nichedose.fields.grid import Array

__all__ = ["log_slopes"]


@dataclass(frozen=True)
class _Marched:
    """One span as it was marched: ``states`` (instants, states, lanes)."""

    span: Span
    instants: Array
    states: Array


def log_slopes(observation: Observation, rates: RateMap, scores: Array) -> tuple[Array, Array] | None:
    """`log_model` at one row of scores, (points,), and its derivatives (points, parameters of ``rates``).

    By the adjoint of the march and of the recorded arithmetic, so exact for the numbers of that grid. None where no
    recording of the model holds at these scores, or where several labelled injections meet a competitor.
    """
    found = rates.at(scores)
    if found is None:
        return None
    model, tape = found
    points = [(m, t) for m in observation.measured for t in m.times_h]
    given = _told_apart(model, observation.regimen)
    if not given:
        return None
    followed = []
    activity = np.zeros(len(points))
    for injection, body, regimen in given:
        marched = _march(body, observation, regimen)
        amounts, places = _seen(body, marched, points)
        since = np.array([t for _, t in points]) - injection.start_h
        per_nmol = injection.activity_MBq / injection.ligand_nmol * np.exp(-observation.decay_per_h * since)
        activity += amounts * per_nmol
        followed.append((body, marched, places, per_nmol))
    shares = [np.divide(w, activity, out=np.zeros_like(w), where=activity > 0.0) for _, _, _, w in followed]
    bars = sum(
        (_pull(body, rates, marched, [(n, at, w * mine) for (n, at, mine), w in zip(places, share, strict=True)],
               len(points)) for (body, marched, places, _), share in zip(followed, shares, strict=True)),
        start=np.zeros((len(rates.numbers), len(points))))
    for i, (series, _) in enumerate(points):
        if series.per_volume:
            _pull_volume(model, rates, series, bars[:, i])
    volumes = np.array([m.volume_mL(model) if m.per_volume else 1.0 for m, _ in points])
    values = np.log(np.maximum(activity / volumes, LEAST_MBQ))
    return values, rates.pulled(tape, scores, bars).T


def _told_apart(model: BodyModel, regimen: Regimen) -> list[tuple[Injection, BodyModel, Regimen]]:
    """Each injection with activity, and a body and regimen in which it alone is the ligand.

    Among several, the molecules of all others are a second species that moves by the same rates and takes the same
    sites. Empty where a competitor is that second species already.
    """
    if len(regimen.labelled) == 1:
        return [(regimen.labelled[0], model, regimen)]
    if any(s.species != "ligand" for s in model.network.states):
        return []
    body = dataclasses.replace(model, network=_with_twin(model.network))
    found = []
    for own in (i for i in regimen.labelled if i.activity_MBq > 0.0):
        others = tuple(dataclasses.replace(i, activity_MBq=0.0, species="competitor")
                       for i in regimen.injections if i is not own)
        found.append((own, body, dataclasses.replace(regimen, injections=(own, *others))))
    return found


@functools.lru_cache(maxsize=64)
def _with_twin(network: Network) -> Network:
    """``network`` with a second species by the names of the same rates and sites."""
    def twin(name: str) -> str:
        return f"competitor: {name}"

    return Network(
        (*network.states, *(State(twin(s.name), s.organ, s.kind, "competitor") for s in network.states)),
        (*network.transfers, *(Transfer(twin(t.source), twin(t.destination), t.rate) for t in network.transfers)),
        (*network.bindings, *(Binding(twin(b.free), twin(b.bound), b.sites, b.on) for b in network.bindings)))


def _march(model: BodyModel, observation: Observation, regimen: Regimen) -> list[_Marched]:
    """As `solve_population` marches, with all that is needed to go back."""
    from nichedose.body._rodas import LANES, march  # numba loads when it is needed

    network, end = model.network, observation.end_h
    lists = program_of(network)
    y, z = np.zeros((1, lists.n_states, LANES)), np.zeros((1, 0, lists.n_states, LANES))
    integrals, nothing = np.zeros((1, 1, 0, lists.n_states, LANES)), np.zeros(0)
    found = []
    for start, stop in segments(regimen, end):
        inject(y, z, regimen, (), network, start)
        span = span_of([model], regimen, (), start, 1, LANES)
        grid = grid_of(start, stop, STEPS, end, observation.times_h)
        states = np.empty((1, grid.size, lists.n_states, LANES))
        states[0, 0] = y[0]
        kept, kept_tags = np.empty((1, grid.size - 1, lists.n_states, LANES)), np.empty((1, 0, 0, 0, LANES))
        march(lists, span.a, span.on, span.sites, y, z, span.infusion, span.infusion_tags, grid, nothing, nothing,
              integrals, kept, kept_tags)
        states[0, 1:] = kept[0]
        found.append(_Marched(span, grid, states[0]))
    return found


def _seen(
    model: BodyModel, marched: list[_Marched], points: list[tuple[MeasuredActivity, float]]
) -> tuple[Array, list[tuple[int, int, Array]]]:
    """Amount of the ligand at every point, and (span, instant, which states it is the sum of)."""
    amounts, places = [], []
    for series, time in points:
        n = next(n for n, m in enumerate(marched) if time <= m.instants[-1])
        at = int(np.searchsorted(marched[n].instants, time))
        place = PLASMA if series.place == BLOOD else series.place
        mine = np.array([s.organ == place and s.species == "ligand" for s in model.network.states], dtype=float)
        amounts.append(float(mine @ marched[n].states[at, :, 0]))
        places.append((n, at, mine))
    return np.array(amounts), places


def _pull(
    model: BodyModel, rates: RateMap, marched: list[_Marched], seeds: list[tuple[int, int, Array]], points: int
) -> Array:
    """(numbers of the model, points) derivatives of the points' logarithms."""
    from nichedose.body._pull import pull
    from nichedose.body._rodas import LANES

    lists = program_of(model.network)
    groups = -(-points // LANES)
    bars = np.zeros((len(rates.numbers), points))
    pulled = np.zeros((groups, lists.n_states, LANES))
    for n, one in reversed(list(enumerate(marched))):
        span, instants = one.span, one.instants
        here = sorted({at for s, at, _ in seeds if s == n})
        seed_at = np.full(instants.size, -1)
        seed_at[here] = np.arange(len(here))
        seeded = np.zeros((len(here), groups, lists.n_states, LANES))
        for i, (s, at, seed) in enumerate(seeds):
            if s == n:
                seeded[seed_at[at], i // LANES, :, i % LANES] = seed
        to_a, to_on, to_sites = (
            np.zeros((groups, size, LANES)) for size in (span.a.shape[1], span.on.shape[1], span.on.shape[1]))
        pull(lists, span.a[0], span.on[0], span.sites[0], span.infusion[0], instants, one.states, seeded, seed_at,
             pulled, to_a, to_on, to_sites)
        entries, on, sites = (
            x.transpose(1, 0, 2).reshape(x.shape[1], -1)[:, :points] for x in (to_a, to_on, to_sites))
        _add(model, rates, span, entries[lists.transfer_in] - entries[lists.transfer_out], on,
             sites * span.site_factors[:, None], bars)
    return bars


def _add(model: BodyModel, rates: RateMap, span: Span, moves: Array, on: Array, sites: Array, bars: Array) -> None:
    """Derivatives by transfers, bindings and sites of a span, to the numbers of the model that they come from."""
    acids = model.under_amino_acids if span.amino_acids else {}
    place = rates.numbers
    for t, bar in zip(model.network.transfers, moves, strict=True):
        bars[place["under_amino_acids" if t.rate in acids else "rates", t.rate]] += bar
    for b, bar_on, bar_sites in zip(model.network.bindings, on, sites, strict=True):
        bars[place["rates", b.on]] += bar_on
        bars[place["sites", b.sites]] += bar_sites


def _pull_volume(model: BodyModel, rates: RateMap, series: MeasuredActivity, bar: Array) -> None:
    """Derivatives of -log `volume_mL` by the model's numbers."""
    place = rates.numbers
    if series.place not in (PLASMA, BLOOD):
        bar[place["volume_L", series.place]] -= 1.0 / model.volume_L[series.place]
        return
    bar[place["plasma_volume_L", ""]] -= 1.0 / model.plasma_volume_L
    if series.place == BLOOD:
        h, c = model.haematocrit, model.blood_cell_ratio
        share = 1.0 - h + h * c
        bar[place["haematocrit", ""]] += (c - 1.0) / share
        bar[place["blood_cell_ratio", ""]] += h / share
