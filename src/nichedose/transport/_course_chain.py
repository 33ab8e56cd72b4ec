"""From what coefficients and steps of a course owe to what its inputs owe: ligands, sites, batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.errors import NotComputed
from nichedose.fields.grid import Array
from nichedose.fields.mesh import Mesh
from nichedose.transport._ladder import fitted_slope
from nichedose.transport._network_adjoint import Sweep
from nichedose.transport._network_march import SAME, Problem, kinks_within
from nichedose.transport._network_tape import NetworkTape
from nichedose.transport._supply_slopes import LevelSlopes, level_slopes, opens_with
from nichedose.transport.flow import InterstitialFlow
from nichedose.transport.network import Batch, Ligand, Network
from nichedose.transport.supply import Given

__all__ = ["BatchGradient", "LigandGradient", "SiteGradient", "batch_gradients", "ligand_gradients", "shared_steps",
           "site_gradients"]  # fmt: skip

SECONDS_PER_HOUR = 3600.0
RATES = {"association": "association_L_per_nmol_per_h", "dissociation": "dissociation_per_h",
         "internalisation": "internalisation_per_h"}  # fmt: skip


@dataclass(frozen=True)
class LigandGradient:
    """Derivatives by the fields of a `Ligand`, each per unit of the input; maps of the mesh's shape, zero outside.

    Where an input was a number, its derivative is the sum of the map. ``bindings[to]`` by field name of `Binding`,
    without the internalisation rate where nothing of the ligand goes inside; ``changes`` in the ligand's order.
    """

    diffusivity_um2_per_s: Array
    void_fraction: Array
    enter_per_h: Array
    leave_per_h: Array
    bindings: Mapping[str, Mapping[str, float]]
    release_per_h: float
    changes: tuple[Array, ...]


@dataclass(frozen=True)
class SiteGradient:
    """Derivatives by the fields of a `Site`; the density's is a map of the mesh's shape."""

    density_nmol_per_L: Array
    degradation_per_h: float
    recycled: float


@dataclass(frozen=True)
class BatchGradient:
    """What the regimen owes: ``log_amount``, by the logarithm of the whole supply, is what a relative change of the
    amount given does.

    By start time and infusion length, per h, and for `Given` by the amplitudes and rates of its curve (n,). What a
    supply has no closed form for raises `NotComputed` when asked for.
    """

    name: str
    log_amount: float
    _start: float | None
    _over: float | None
    _amplitudes: Array | None
    _rates: Array | None

    @property
    def start_h(self) -> float:
        return float(self._known(self._start, "start_h", "every supply of the course must be `Given` or `Sampled`"))

    @property
    def over_h(self) -> float:
        return float(self._known(self._over, "over_h", "its supply must be `Given` with over_h above 0, and the others "
                                 "`Given` or `Sampled`"))  # fmt: skip

    @property
    def plasma_amplitudes(self) -> Array:
        return np.asarray(self._known(self._amplitudes, "plasma_amplitudes", "its supply must be `Given`"))

    @property
    def plasma_rates(self) -> Array:
        return np.asarray(self._known(self._rates, "plasma_rates", "its supply must be `Given`"))

    def _known(self, value: Array | float | None, what: str, rule: str) -> Array | float:
        if value is None:
            raise NotComputed(f"Batch '{self.name}' has no derivative by {what}: {rule}. log_amount is there.")
        return value


def ligand_gradients(
    problem: Problem, sweep: Sweep, ligands: Sequence[Ligand], flow: InterstitialFlow | None, outside: float | None
) -> dict[str, LigandGradient]:
    return {ligand.name: _ligand(problem, sweep, ligand, flow, outside) for ligand in ligands}


def _ligand(
    problem: Problem, sweep: Sweep, ligand: Ligand, flow: InterstitialFlow | None, outside: float | None
) -> LigandGradient:
    mesh, network = problem.mesh, problem.network
    void, diffusivity = mesh.gather("void", ligand.void_fraction), mesh.gather("D", ligand.diffusivity_um2_per_s)
    by_void, by_enter, by_leave, by_effective = (np.zeros(mesh.n) for _ in range(4))
    for m, (number, name) in enumerate(network.mobile):
        if name != ligand.name:
            continue
        injected = name == network.batches[number].ligand
        by_void += sweep.capacity_bar[m]
        by_leave += sweep.leave_bar[m]
        by_enter += sweep.enter_bar[m] if injected else 0.0
        by_effective += _through_faces(mesh, ligand, void * diffusivity, flow, sweep.face_bar[m])
        if outside is not None:
            back = sweep.leave_bar[m] + (outside * sweep.enter_bar[m] if injected else 0.0)
            by_effective += _through_edge(mesh, ligand, void * diffusivity, flow, back)
    rates = _rates(network, sweep)
    return LigandGradient(
        diffusivity_um2_per_s=mesh.scatter(void * by_effective),
        void_fraction=mesh.scatter(by_void + diffusivity * by_effective),
        enter_per_h=mesh.scatter(by_enter),
        leave_per_h=mesh.scatter(by_leave),
        bindings={
            b.to: {full: rates[of] for what, full in RATES.items() if (of := (what, ligand.name, b.to)) in rates}
            for b in ligand.bindings
        },
        release_per_h=rates.get(("release", ligand.name), 0.0),
        changes=tuple(mesh.scatter(_field(network, sweep, ("change", ligand.name, str(k))))
                      for k in range(len(ligand.changes))),
    )  # fmt: skip


def _through_faces(
    mesh: Mesh, ligand: Ligand, effective: Array, flow: InterstitialFlow | None, face_bar: Array
) -> Array:
    """What the diffusivity per tissue (n,) owes to the coefficients of inner faces."""
    per_h = SECONDS_PER_HOUR / float(mesh.volume.mean())
    stream = np.zeros(mesh.a.size) if flow is None else flow.face_um_per_s * mesh.area * ligand.convected
    bar = per_h * face_bar * fitted_slope(mesh.conductance(effective, ligand.along), stream)
    bar = bar if ligand.along is None else bar * np.asarray(ligand.along)[mesh.axis]
    here, there = effective[mesh.a], effective[mesh.b]
    below = mesh.distance_a * there + mesh.distance_b * here
    share = np.divide(mesh.area, below * below, out=np.zeros_like(below), where=below > 0.0) * bar
    out = np.bincount(mesh.a, share * there * there * mesh.distance_a, minlength=mesh.n)
    return np.asarray(out + np.bincount(mesh.b, share * here * here * mesh.distance_b, minlength=mesh.n))


def _through_edge(
    mesh: Mesh, ligand: Ligand, effective: Array, flow: InterstitialFlow | None, back_bar: Array
) -> Array:
    """The same of edge faces, from what the inward coefficient of each cell owes (the outward one differs by the
    stream alone)."""
    stream = np.zeros(mesh.edge_cell.size)
    if flow is not None:
        stream = flow.edge_um_per_s * mesh.edge_area * ligand.convected
    bar = (SECONDS_PER_HOUR / mesh.volume * back_bar)[mesh.edge_cell]
    bar = bar * fitted_slope(mesh.edge_conductance(effective, ligand.along), stream) * mesh.edge_area
    bar = bar / mesh.edge_distance
    bar = bar if ligand.along is None else bar * np.asarray(ligand.along)[mesh.edge_axis]
    return np.asarray(np.bincount(mesh.edge_cell, bar, minlength=mesh.n))


def _rates(network: Network, sweep: Sweep) -> dict[tuple[str, ...], float]:
    """Derivatives by the numbers that rates of reactions are, by name."""
    table, found = sweep.run.table, dict[tuple[str, ...], float]()
    for n, reaction in enumerate(network.reactions):
        own = slice(table.first[n], table.first[n + 1])
        slope = float(table.change[own] @ sweep.change_bar[own] + table.net[n] @ sweep.net_bar[n])
        found[reaction.of] = found.get(reaction.of, 0.0) + slope
    return found


def _field(network: Network, sweep: Sweep, of: tuple[str, ...], kind: str | None = None) -> Array:
    """Derivative by the field of the reactions with one name (n,)."""
    out, rows = np.zeros(network.initial[0].size if network.initial else sweep.run.cells), sweep.run.table.field
    for n, reaction in enumerate(network.reactions):
        if reaction.of == of and rows[n] >= 0 and kind in (None, reaction.kind):
            out = out + sweep.field_bar[rows[n]]
    return out


def site_gradients(problem: Problem, sweep: Sweep, names: Sequence[str]) -> dict[str, SiteGradient]:
    network, table, rates, out = problem.network, sweep.run.table, _rates(problem.network, sweep), {}
    for name in names:
        k = next(n for n, s in enumerate(network.immobile) if s == name and network.state[n] is None)
        recycled = 0.0
        for n, reaction in enumerate(network.reactions):
            if reaction.of[0] == "internalisation" and k in reaction.changes:
                place = table.first[n] + list(reaction.changes).index(k)
                recycled += reaction.rate_per_h * float(sweep.change_bar[place])
        made = _field(network, sweep, ("degradation", name), "constant")
        out[name] = SiteGradient(
            problem.mesh.scatter(sweep.state[1][k] + made), rates.get(("degradation", name), 0.0), recycled)
    return out


def shared_steps(tape: NetworkTape, network: Network) -> list[int]:
    """Steps that start where several supplies have a kink and one of them jumps: moving one of them parts them."""
    out = []
    for n, step in enumerate(tape.steps):
        here = [(b.supply, k) for b in network.batches for k in b.supply.kinks_h if abs(k - step.start_h) < SAME]
        if len(here) > 1 and any(opens_with(*pair) for pair in here):
            out.append(n)
    return out


def batch_gradients(problem: Problem, sweep: Sweep, end_h: float) -> list[BatchGradient]:
    """By amount, start, infusion length and curve of each batch."""
    tape, batches = sweep.tape, problem.network.batches
    by_level = sweep.levels_bar[::-1]
    slopes = [[level_slopes(b.supply, s.start_h, s.size_h) for b in batches] for s in tape.steps]
    closed = all(s is not None for s in slopes[0])
    knots = _knots(sweep, by_level, slopes, end_h) if closed else {}
    out = []
    for j, batch in enumerate(batches):
        amount = sum(float(bar[:, j] @ s.levels[:, j]) for bar, s in zip(by_level, tape.steps, strict=True))
        own = [s[j] for s in slopes]
        given = batch.supply if isinstance(batch.supply, Given) else None
        start = over = amplitudes = rates = None
        if given is not None:
            amplitudes = _total(by_level, j, [s.amplitudes for s in own if s is not None])
            rates = _total(by_level, j, [s.rates for s in own if s is not None])
        if closed:
            moved = [_moved(sweep, batches, j, kink, knots) for kink in batch.supply.kinks_h if kink < end_h - SAME]
            clock = sum(bar for bar, label in zip(sweep.label_start_bar, sweep.labels, strict=True) if label.batch == j)
            start = float(_total(by_level, j, [s.start for s in own if s is not None])) + sum(moved) + float(clock)
            if given is not None and given.over_h > 0.0:
                over = float(_total(by_level, j, [s.over for s in own if s is not None]))
                over += moved[1] if len(moved) > 1 else 0.0
        out.append(BatchGradient(batch.name, amount, start, over, amplitudes, rates))
    return out


def _total(by_level: Sequence[Array], batch: int, slopes: Sequence[Array]) -> Array:
    return np.asarray(sum(slope @ bar[:, batch] for bar, slope in zip(by_level, slopes, strict=True)))


def _knots(
    sweep: Sweep, by_level: Sequence[Array], slopes: Sequence[Sequence[LevelSlopes | None]], end_h: float
) -> dict[float, float]:
    """Derivative by the place of each kink at which steps are made to end, the steps between two kinks stretching in
    proportion: supplies and clocks stay."""
    steps, batches = sweep.tape.steps, sweep.run.p.network.batches
    size, time = np.array(sweep.size_bar[::-1]), np.array(sweep.time_bar[::-1])
    for n, (bar, of_step) in enumerate(zip(by_level, slopes, strict=True)):
        for j, found in enumerate(of_step):
            assert found is not None
            size[n] += float(found.step @ bar[:, j])
            time[n] += float(found.time @ bar[:, j])
    by_end = np.concatenate([time - size, [0.0]]) + np.concatenate([[0.0], size])
    at = np.array([*(s.start_h for s in steps), end_h])
    places = [0.0, *kinks_within([b.supply for b in batches], end_h), end_h]
    hats = [np.interp(at, places, row) for row in np.eye(len(places))]
    return {place: float(hat @ by_end) for place, hat in zip(places, hats, strict=True)}


def _moved(sweep: Sweep, batches: Sequence[Batch], own: int, kink: float, knots: Mapping[float, float]) -> float:
    """What moving a kink of one batch owes. Another supply that jumps there stays behind: with the steps, it would have
    been moved along, and what it gives in between is put back."""
    total = next(bar for place, bar in knots.items() if abs(place - kink) < SAME)
    for j, batch in enumerate(batches):
        for other in batch.supply.kinks_h if j != own else ():
            jump = opens_with(batch.supply, other) if abs(other - kink) < SAME else None
            if jump:
                n = next(n for n, s in enumerate(sweep.tape.steps) if abs(s.start_h - kink) < SAME)
                total += jump * float(sweep.impulses[n][j])
    return total
