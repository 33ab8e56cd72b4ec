"""A treatment course in tissue: several batches of several ligands, with flow, turnover and competition."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.errors import NotComputed, near_miss
from nichedose.fields.grid import Array
from nichedose.fields.mesh import Mesh
from nichedose.transport._course_inputs import check_course
from nichedose.transport._inputs import check_progress
from nichedose.transport._ladder import MeshLadder, build_ladder, fitted, species_coefficients
from nichedose.transport._lattice_march import LatticeRun, fits, lattice_coefficients
from nichedose.transport._march import NEWTON_PER_TOLERANCE as CLOSED_TISSUE
from nichedose.transport._network_march import (
    NEWTON_PER_TOLERANCE,
    Course,
    Label,
    Marching,
    NetworkRun,
    Problem,
    march_network,
)
from nichedose.transport.cost import refuse_course_if_too_large
from nichedose.transport.flow import InterstitialFlow
from nichedose.transport.network import Batch, Ligand, Network, Site, build_network
from nichedose.transport.solution import snapshot_number

__all__ = ["BatchLedger", "CourseSolution", "course_labels", "course_problem", "label_species",
           "simulate_course", "time_integrals"]  # fmt: skip

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class BatchLedger:
    """Where one label of a batch went: nmol/L x mean cell volume, decay included.

    ``entered`` (from plasma by exchange, across the edge, onto vessel walls) = ``decayed`` + ``washed_out`` (to plasma,
    lymph and across the edge) + ``released`` (from inside cells and from vessel walls, for good) + ``left``.
    """

    entered: float
    decayed: float
    washed_out: float
    released: float
    left: float

    @property
    def closure(self) -> float:
        """Relative error of the balance."""
        missing = self.entered - self.decayed - self.washed_out - self.released - self.left
        return abs(missing) / max(self.entered, 1e-300)


@dataclass(frozen=True)
class CourseSolution:
    """What was asked for; amounts per L of tissue, arrays of the mesh's shape.

    ``times_h`` and ``snapshots[species]`` (times, *shape) of all molecules at the times asked for and at the end: free
    ligand under the name of its batch (``batch as ligand`` where it changed), the other states as `species` lists them.
    ``time_integrals[batch, label][species]`` (*shape) of the label, decay since the batch's start included; the label
    ``""`` counts molecules.
    """

    mesh: Mesh
    times_h: Array
    snapshots: Mapping[str, Array]
    time_integrals: Mapping[tuple[str, str], Mapping[str, Array]]
    ledgers: Mapping[tuple[str, str], BatchLedger]
    steps: int
    v_cycles: int

    @property
    def species(self) -> tuple[str, ...]:
        return tuple(self.snapshots)

    def time_integral(self, batch: str, label: str) -> Array:
        """nmol h per L of tissue in all states; raises `NotComputed` for a label that was not followed."""
        if (batch, label) not in list(self.time_integrals):
            known = [f"{b} {n}".strip() for b, n in self.time_integrals]
            raise NotComputed(f"No time integral was kept of '{batch} {label}'.{near_miss(f'{batch} {label}', known)}")
        return np.asarray(sum(self.time_integrals[batch, label].values()))

    def at(self, time_h: float) -> Mapping[str, Array]:
        """Snapshot of every species at one of the times asked for; raises `NotComputed` for another."""
        n = snapshot_number(self.times_h, time_h, "Name it in times_h when the run starts.")
        return {name: values[n] for name, values in self.snapshots.items()}


def simulate_course(
    mesh: Mesh,
    sites: Sequence[Site],
    ligands: Sequence[Ligand],
    batches: Sequence[Batch],
    *,
    end_h: float,
    times_h: Sequence[float] = (),
    flow: InterstitialFlow | None = None,
    outside: float | None = None,
    tolerance: float = 1e-3,
    progress: Callable[[float], None] | None = None,
) -> CourseSolution:
    """Follow all ``batches`` through the tissue on ``mesh`` until ``end_h``.

    ``flow`` carries free ligand, and lymph drains it. ``outside`` None: the edge is closed to diffusion; a number:
    beyond the edge stands that share of each batch's supply (0 an empty bath, 1 a medium, as around a spheroid).
    ``tolerance`` is the relative error in time wanted of the label integrals. An exception raised by ``progress`` ends
    the run. Same input, same bits.

    Raises `BadInput` for impossible numbers, nothing that could enter, or a run that does not fit in memory,
    `DidNotConverge` with the place in time. Equations and scheme: the theory page on treatment courses.

    >>> from nichedose.body import PlasmaCurve
    >>> from nichedose.fields import voxel_mesh
    >>> from nichedose.transport import Binding, Given
    >>> ligand = Ligand("peptide", 100.0, 0.4, 2.0, 2.0, (Binding("target", 0.6, 0.6, 0.06),), release_per_h=0.008)
    >>> batches = [Batch(name, "peptide", Given(PlasmaCurve((10.0,), (1.0,)), t)) for name, t in (("1", 0), ("2", 48))]
    >>> run = simulate_course(voxel_mesh(np.ones((2, 2), bool), 20.0), [Site("target", 50.0)], [ligand], batches,
    ...                       end_h=96.0)
    >>> max(ledger.closure for ledger in run.ledgers.values()) < 1e-8
    True
    """
    check_course(mesh, sites, ligands, batches, end_h, times_h, flow, outside, tolerance)
    check_progress(progress)
    network = build_network(mesh, ligands, sites, batches)
    lattice = flow is None and fits(mesh, network, {site.name: site for site in sites})
    refuse_course_if_too_large(mesh, network, lattice)
    problem = course_problem(mesh, network, build_ladder(mesh) if not lattice else None, flow, outside)
    labels, names = course_labels(batches)
    run = _run(mesh, problem, closed=outside is None)
    course = march_network(problem, run, labels, end_h, [*times_h, end_h], tolerance, progress)
    return _gather(mesh, problem, course, labels, names, end_h)


def course_labels(batches: Sequence[Batch]) -> tuple[list[Label], list[tuple[str, str]]]:
    """Labels of all batches, molecules first, and their names: batch and label."""
    labels = [
        Label(number, decay, batch.supply.start_h)
        for number, batch in enumerate(batches)
        for decay in (0.0, *batch.decay_per_h.values())
    ]
    return labels, [(batch.name, name) for batch in batches for name in ("", *batch.decay_per_h)]


def _run(mesh: Mesh, problem: Problem, closed: bool) -> Marching:
    if problem.ladder is not None:
        return NetworkRun(problem)
    equations = lattice_coefficients(mesh, problem.network, problem.capacity[0], problem.enter[0], problem.leave[0])
    return LatticeRun(problem, equations, CLOSED_TISSUE if closed else NEWTON_PER_TOLERANCE)


def course_problem(
    mesh: Mesh, network: Network, ladder: MeshLadder | None, flow: InterstitialFlow | None, outside: float | None
) -> Problem:
    scale = float(mesh.volume.mean())
    rows: list[tuple[Array, Array, Array]] = []
    fluxes: list[tuple[Array, Array]] = []
    for number, name in network.mobile:
        ligand = network.ligands[name]
        injected = name == network.batches[number].ligand
        void = mesh.gather("void_fraction", ligand.void_fraction)
        if ladder is None and np.ndim(ligand.void_fraction) == 0:
            void = np.broadcast_to(void[0], mesh.n)
        enter = mesh.gather("enter_per_h", ligand.enter_per_h) if injected else np.zeros(mesh.n)
        same = injected and ligand.leave_per_h is ligand.enter_per_h and outside is None and flow is None
        leave = enter if same else mesh.gather("leave_per_h", ligand.leave_per_h)
        per_h = SECONDS_PER_HOUR / scale
        if flow is not None:
            leave += np.maximum(mesh.gather("drained_per_h", flow.drained_per_h), 0.0)
        if outside is not None or flow is not None or ladder is not None:
            effective = void * mesh.gather("diffusivity", ligand.diffusivity_um2_per_s)
        if outside is not None or flow is not None:
            out, back = _edge(mesh, effective, ligand, flow, outside)
            leave += out
            if injected and outside is not None:
                enter += outside * back
        rows.append((void, enter, leave))
        if ladder is not None:
            conductance = mesh.conductance(effective, ligand.along) * per_h
            stream = np.zeros(conductance.size)
            if flow is not None:
                stream = flow.face_um_per_s * mesh.area * ligand.convected * per_h
            fluxes.append(species_coefficients(ladder, conductance, stream))
    capacity, enter, leave = (c[0][None] if len(c) == 1 else np.stack(c) for c in zip(*rows, strict=True))
    given, lost = (np.stack(column) for column in zip(*fluxes, strict=True)) if fluxes else (np.zeros(0), np.zeros(0))
    # a lattice's cells are all alike: no field need be kept of them
    volume = mesh.volume / scale if ladder is not None else np.broadcast_to(1.0, mesh.n)
    symmetric = len(rows) == 1 and flow is None
    return Problem(
        mesh, network, ladder, volume, capacity, enter, leave, given, lost, symmetric,
    )  # fmt: skip


def _edge(
    mesh: Mesh, effective: Array, ligand: Ligand, flow: InterstitialFlow | None, outside: float | None
) -> tuple[Array, Array]:
    """What passes each cell's edge faces outwards and inwards, per h and volume of tissue (n,)."""
    conductance = np.zeros(mesh.edge_cell.size)
    if outside is not None:
        conductance = mesh.edge_conductance(effective, ligand.along)
    stream = np.zeros(conductance.size)
    if flow is not None:
        stream = flow.edge_um_per_s * mesh.edge_area * ligand.convected
    onward, back = fitted(conductance, stream)
    out, inward = (np.bincount(mesh.edge_cell, c, minlength=mesh.n) for c in (onward, back))
    per_volume = SECONDS_PER_HOUR / mesh.volume
    return per_volume * out, per_volume * inward


def _gather(
    mesh: Mesh, problem: Problem, run: Course, labels: Sequence[Label], names: Sequence[tuple[str, str]], end_h: float
) -> CourseSolution:
    network = problem.network
    kept = {
        _mobile_name(network, m): np.stack([free[m] for free, _ in run.kept]) for m in range(len(network.mobile))
    } | {name: np.stack([fixed[k] for _, fixed in run.kept]) for k, name in enumerate(network.immobile)}
    carried = network.carried("bound", "wall", "internalised")
    ledgers = {}
    for n, (label, name) in enumerate(zip(labels, names, strict=True)):
        own = [m for m, (b, _) in enumerate(network.mobile) if b == label.batch]
        ledgers[name] = _ledger(problem, run, n, label, own, carried, end_h)
    return CourseSolution(
        mesh=mesh,
        times_h=np.array(run.kept_h),
        snapshots={name: _shown(mesh, values) for name, values in kept.items()},
        time_integrals=time_integrals(mesh, network, run, labels, names),
        ledgers=ledgers,
        steps=len(run.times_h) - 1,
        v_cycles=run.cycles,
    )


def _mobile_name(network: Network, m: int) -> str:
    number, form = network.mobile[m]
    batch = network.batches[number]
    return batch.name if form == batch.ligand else f"{batch.name} as {form}"


def label_species(network: Network, batch: int) -> tuple[dict[str, int], dict[str, int]]:
    """Mobile and immobile species that hold a batch's labels, by name, with their numbers."""
    own = [m for m, (b, _) in enumerate(network.mobile) if b == batch]
    holds = network.carried("bound", "wall", "internalised")[:, own].any(axis=1)
    return ({_mobile_name(network, m): m for m in own},
            {network.immobile[k]: int(k) for k in np.flatnonzero(holds)})  # fmt: skip


def time_integrals(
    mesh: Mesh, network: Network, run: Course, labels: Sequence[Label], names: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Array]]:
    """Label integrals by batch and label, and species; arrays of the mesh's shape."""
    out = {}
    for n, (label, name) in enumerate(zip(labels, names, strict=True)):
        mobile, immobile = label_species(network, label.batch)
        rows = {s: run.free_integrals[n, m] for s, m in mobile.items()}
        rows |= {s: run.immobile_integrals[n, k] for s, k in immobile.items()}
        out[name] = {s: _shown(mesh, values) for s, values in rows.items()}
    return out


def _shown(mesh: Mesh, values: Array) -> Array:
    """(..., n) on the mesh's shape. What the step control lets pass below 0 (1e-6 of the mean) is shown as 0."""
    whole = mesh.scatter(values)
    return np.maximum(whole, 0.0, out=whole)


def _ledger(
    problem: Problem, run: Course, n: int, label: Label, own: Sequence[int], carried: Array, end_h: float
) -> BatchLedger:
    """Entered from the supply's closed form, decayed and lost from the integral maps, left from the last snapshot."""
    network, volume = problem.network, problem.volume
    free, fixed = ((rows[n] * volume).sum(axis=1) for rows in (run.free_integrals, run.immobile_integrals))
    supply = network.batches[label.batch].supply
    area = supply.area(0.0, end_h, label.decay_per_h)
    entered = area * float((problem.enter[own] * volume).sum()) + float(run.from_plasma[n])
    holds = carried[:, own].sum(axis=1)
    content = float(free[own].sum() + holds @ fixed)
    washed = sum(
        float((volume * problem.leave[m] * run.free_integrals[n, m] / problem.capacity[m]).sum()) for m in own
    )
    held = network.carried("bound")[:, own]
    released = 0.0
    for r in network.reactions:
        if r.kind != "immobile":
            continue
        # what a batch's mobile states lose and none of its states apart from them takes up
        change = sum(c for m, c in r.net.items() if m in own)
        change += sum(c * (holds[k] - held[k].sum()) for k, c in r.changes.items())
        released -= change * r.rate_per_h * fixed[r.reactants[1]]
    free_end, fixed_end = run.kept[-1]
    left = float((free_end[own] * volume).sum() + holds @ (fixed_end * volume).sum(axis=1))
    since = max(end_h - label.start_h, 0.0)
    return BatchLedger(
        entered=entered,
        decayed=label.decay_per_h * content,
        washed_out=washed,
        released=float(released),
        left=math.exp(-label.decay_per_h * since) * left,
    )
