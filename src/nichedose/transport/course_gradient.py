"""What a number that depends on a course's label integrals owes to every input of the course, by the adjoint run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array
from nichedose.fields.mesh import Mesh
from nichedose.transport import _network_march as marching
from nichedose.transport._course_chain import (
    BatchGradient,
    LigandGradient,
    SiteGradient,
    batch_gradients,
    ligand_gradients,
    shared_steps,
    site_gradients,
)
from nichedose.transport._course_inputs import check_course
from nichedose.transport._inputs import check_memory
from nichedose.transport._ladder import build_ladder
from nichedose.transport._network_adjoint import Sweep
from nichedose.transport._network_tape import NetworkTape, TapedRun
from nichedose.transport._objective import answer_of, check_objective, slope
from nichedose.transport._tableau import STAGES
from nichedose.transport.cost import refuse_course_if_too_large
from nichedose.transport.course import course_labels, course_problem, label_species, time_integrals
from nichedose.transport.flow import InterstitialFlow
from nichedose.transport.network import Batch, Ligand, Network, Site, build_network

__all__ = ["BatchGradient", "CourseGradient", "CourseIntegrals", "CourseObjective", "LigandGradient", "SiteGradient",
           "differentiate_course"]  # fmt: skip

CourseIntegrals = Mapping[tuple[str, str], Mapping[str, Array]]
CourseObjective = Callable[[CourseIntegrals], tuple[float, CourseIntegrals]]
SOLVE_PER_TOLERANCE = 0.5  # reduction of an adjoint stage's residual
LEAST_REDUCTION = 1e-10
BYTES = 8
MANY_STEPS = 100  # of a run, for what it may keep


@dataclass(frozen=True)
class CourseGradient:
    """``value`` of an objective, and its derivatives by ligand, site and batch name."""

    value: float
    ligands: Mapping[str, LigandGradient]
    sites: Mapping[str, SiteGradient]
    batches: Mapping[str, BatchGradient]


def differentiate_course(
    mesh: Mesh,
    sites: Sequence[Site],
    ligands: Sequence[Ligand],
    batches: Sequence[Batch],
    objective: CourseObjective,
    *,
    end_h: float,
    flow: InterstitialFlow | None = None,
    outside: float | None = None,
    tolerance: float = 1e-3,
    memory_GiB: float = 2.0,
) -> CourseGradient:
    """Value and gradient of ``objective`` of a course's label integrals, by every ligand, site and batch.

    The course is that of `simulate_course`. ``objective`` receives its ``time_integrals`` and returns its value and the
    derivative with respect to every map in them (what it leaves out counts as zero). This is the exact adjoint of the
    discrete scheme at the steps that it took; where a batch starts earlier or later, the steps between starts stretch.
    ``flow`` is held. ``memory_GiB`` bounds what is kept of the run; beyond it, stretches are solved again.

    Raises as `simulate_course` does, and `BadInput` for an objective with unknown batches, labels or species, wrong
    shapes or NaN. Method and tests: the theory page on derivatives of transport.

    Two injections fill the same sites. The second, smaller one brings more per amount, and should come later:

    >>> from nichedose.body import PlasmaCurve
    >>> from nichedose.fields import voxel_mesh
    >>> from nichedose.transport import Binding, Given
    >>> ligand = Ligand("peptide", 100.0, 0.4, 2.0, 2.0, (Binding("target", 0.6, 0.06, 0.06),), release_per_h=0.008)
    >>> batches = [Batch("1", "peptide", Given(PlasmaCurve((300.0,), (1.0,)))),
    ...            Batch("2", "peptide", Given(PlasmaCurve((100.0,), (1.0,)), start_h=24.0))]
    >>> def all_inside(integrals):
    ...     maps = {(name, ""): {f"{name} inside": integrals[name, ""][f"{name} inside"]} for name in ("1", "2")}
    ...     even = {key: {s: np.full(m.shape, 1.0 / m.size) for s, m in own.items()} for key, own in maps.items()}
    ...     return sum(float(m.mean()) for own in maps.values() for m in own.values()), even
    >>> found = differentiate_course(voxel_mesh(np.ones((2, 2), bool), 20.0), [Site("target", 50.0)], [ligand], batches,
    ...                              all_inside, end_h=240.0)
    >>> per_amount = {name: found.batches[name].log_amount / amount for name, amount in (("1", 300.0), ("2", 100.0))}
    >>> per_amount["2"] > per_amount["1"], found.batches["2"].start_h > 0.0
    (True, True)
    """
    check_course(mesh, sites, ligands, batches, end_h, (), flow, outside, tolerance)
    check_objective(objective)
    check_memory(memory_GiB)
    network = build_network(mesh, ligands, sites, batches, keep_zero=True)
    whole_run = BYTES * MANY_STEPS * (len(network.immobile) + STAGES * len(network.mobile)) * mesh.n
    memory = int(memory_GiB * 2**30)
    refuse_course_if_too_large(mesh, network, kept_bytes=min(memory, whole_run))
    problem = course_problem(mesh, network, build_ladder(mesh), flow, outside)
    labels, names = course_labels(batches)
    run = TapedRun(problem)
    tape = NetworkTape(run, memory // BYTES)
    course = marching.march_network(problem, run, labels, end_h, [end_h], tolerance, record=tape.record)
    value, wanted = answer_of(objective(time_integrals(mesh, network, course, labels, names)),
                              "batch and label, then species: {('1', '177Lu'): {'1 inside': array}}")
    free, fixed = _seeds(wanted, mesh, network, names)
    used = [n for n in range(len(labels)) if free[n].any() or fixed[n].any()] or [0]
    reduction = max(SOLVE_PER_TOLERANCE * tolerance, LEAST_REDUCTION)
    own = [labels[n] for n in used]
    sweep = Sweep(tape, own, free[used], fixed[used], reduction, shared_steps(tape, network)).back()
    sweep.capacity_bar += (free * course.free_integrals).sum(axis=0) / problem.capacity
    return CourseGradient(
        value=value,
        ligands=ligand_gradients(problem, sweep, ligands, flow, outside),
        sites=site_gradients(problem, sweep, [site.name for site in sites]),
        batches={found.name: found for found in batch_gradients(problem, sweep, end_h)},
    )


def _seeds(
    wanted: CourseIntegrals, mesh: Mesh, network: Network, names: Sequence[tuple[str, str]]
) -> tuple[Array, Array]:
    """The objective's derivatives by free (labels, mobiles, n) and immobile species (labels, immobiles, n)."""
    free = np.zeros((len(names), len(network.mobile), mesh.n))
    fixed = np.zeros((len(names), len(network.immobile), mesh.n))
    for key, states in wanted.items():
        if key not in names:
            known = [f"{b} {label}".strip() for b, label in names]
            said = " ".join(map(str, key)) if isinstance(key, tuple) else str(key)
            raise BadInput(f"The objective's derivative names the batch and label '{said}'.{near_miss(said, known)}")
        batch = next(n for n, b in enumerate(network.batches) if b.name == key[0])
        mobiles, immobiles = label_species(network, batch)
        for species, field in states.items():
            if species not in mobiles and species not in immobiles:
                raise BadInput(f"The objective's derivative names the species '{species}' of '{key[0]}'."
                               f"{near_miss(species, [*mobiles, *immobiles])}")  # fmt: skip
            rows, place = (free, mobiles[species]) if species in mobiles else (fixed, immobiles[species])
            rows[names.index(key), place] = slope(f"{key}, {species}", field, mesh.mask)
    return free, fixed
