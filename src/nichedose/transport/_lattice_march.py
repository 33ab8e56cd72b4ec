"""One ligand and one kind of site on a square or cubic lattice: the fast and lean path of a course, by `_march`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nichedose.fields.grid import Array, BoolArray
from nichedose.fields.mesh import Mesh
from nichedose.transport._checkerboard import ends, unpack
from nichedose.transport._equations import SECONDS_PER_HOUR, Coefficients
from nichedose.transport._march import March, Stages
from nichedose.transport._network_march import Course, Label, Problem
from nichedose.transport._tableau import STAGES
from nichedose.transport.network import Network, Site

__all__ = ["LatticeRun", "fits", "lattice_coefficients"]

LEAST_FILLED = 0.3  # of the box around the tissue: below it, listed cells take less memory than the box


def fits(mesh: Mesh, network: Network, sites: Mapping[str, Site]) -> bool:
    """Whether the course is one ligand that keeps its form, on one kind of site that neither turns over nor is lost."""
    if mesh.mask.ndim not in (2, 3) or len(network.mobile) != 1:
        return False
    even = all(float(np.ptp(f)) == 0.0 for f in (mesh.volume, mesh.area, mesh.distance_a, mesh.distance_b) if f.size)
    box = int(np.prod([s.stop - s.start for s in _box(mesh)]))
    ligand = network.ligands[network.mobile[0][1]]
    used = [sites[b.to] for b in ligand.bindings if b.to in sites]
    simple = all(s.place == "interstitium" and s.degradation_per_h == 0.0 and s.recycled == 1.0 for s in used)
    still = all(r.kind in ("binding", "immobile") for r in network.reactions)
    untouched = all(s.degradation_per_h == 0.0 for s in sites.values())
    return even and mesh.n >= LEAST_FILLED * box and len(used) <= 1 and simple and still and untouched


def _box(mesh: Mesh) -> tuple[slice, ...]:
    return tuple(slice(int(p.min()), int(p.max()) + 1) for p in mesh.places)


def lattice_coefficients(mesh: Mesh, network: Network, capacity: Array, enter: Array, leave: Array) -> Coefficients:
    """The equations on the box around the tissue; ``capacity``, ``enter``, ``leave`` (n,)."""
    ligand, box = network.ligands[network.mobile[0][1]], _box(mesh)
    mask = mesh.mask[box]
    states = dict(zip(network.immobile, network.state, strict=True))
    bound = next((name for name, state in states.items() if state == "bound"), None)
    binding = next((b for b in ligand.bindings if bound is not None and bound.endswith(f" on {b.to}")), None)
    density = np.zeros(1) if binding is None else network.initial[network.immobile.index(binding.to)]

    def on_box(values: Array) -> Array:
        if values.size == mask.size == mesh.n:
            return values.reshape(mask.shape)
        out = np.zeros(mask.shape)
        out[mask] = values
        return out

    entering = on_box(enter)
    return Coefficients(
        capacity=on_box(capacity),
        target_nmol_per_L=on_box(density),
        source_per_h=entering,
        leave_per_h=entering if leave is enter else on_box(leave),
        faces_per_h=_faces(mesh, mask, ligand.diffusivity_um2_per_s, ligand.void_fraction, ligand.along, on_box),
        kon_L_per_nmol_per_h=0.0 if binding is None else binding.association_L_per_nmol_per_h,
        koff_per_h=0.0 if binding is None else binding.dissociation_per_h,
        kint_per_h=0.0 if binding is None else binding.internalisation_per_h,
        krel_per_h=ligand.release_per_h,
        lines_um=mesh.lines_um,
        first=tuple(side.start for side in box),
    )


def _faces(
    mesh: Mesh, mask: BoolArray, diffusivity: Array | float, void: Array | float, along: tuple[float, ...] | None,
    on_box: Callable[[Array], Array],
) -> float | tuple[Array, ...]:  # fmt: skip
    """One conductance where diffusivity is the same everywhere, else per axis: harmonic means, zero across the edge."""
    factors = (1.0,) * mask.ndim if along is None else along
    per_h = SECONDS_PER_HOUR / (2.0 * float(mesh.distance_a[0])) ** 2 if mesh.distance_a.size else 0.0
    if np.ndim(diffusivity) == 0 and np.ndim(void) == 0 and len(set(factors)) == 1:
        return float(diffusivity) * float(void) * factors[0] * per_h
    effective = on_box(mesh.gather("void_fraction", void) * mesh.gather("diffusivity", diffusivity))
    out = []
    for axis, factor in enumerate(factors):
        low, high = ends(mask.ndim, axis)
        here, there = effective[low], effective[high]
        total = here + there
        harmonic = np.divide(2.0 * here * there, total, out=np.zeros_like(total), where=total > 0.0)
        out.append(harmonic * (factor * per_h))
    return tuple(out)


class LatticeRun:
    """What `march_network` asks of a run, given by the stages of a section or stack."""

    def __init__(self, problem: Problem, equations: Coefficients, newton_per_tolerance: float) -> None:
        self.newton_per_tolerance = newton_per_tolerance
        self.problem, self.network = problem, problem.network
        self.mask = equations.capacity > 0.0
        self.cells = int(np.count_nonzero(self.mask))
        self.supplies = [self.network.batches[0].supply]
        self.stages = Stages(equations)
        none = np.zeros((0,) * self.mask.ndim)  # packed now: let go of what the equations hold
        self.stages.eq = replace(equations, capacity=none, target_nmol_per_L=none, source_per_h=none, leave_per_h=none)
        self.tally = March()
        self.levels = np.zeros(STAGES)
        self.integrals: Array = np.zeros(0)
        self.quadrature: Array = np.zeros((0, STAGES))

    @property
    def residual(self) -> float:
        return self.stages.residual

    def label_supplies(self, labels: Sequence[Label], end_h: float) -> Array:
        brought = self.stages.brought
        return np.array([max(brought * self.supplies[0].area(0.0, end_h, lb.decay_per_h), 1e-300) for lb in labels])

    def begin(self, labels: int) -> None:
        self.integrals = self.stages.room.zeros((labels, 3, *self.stages.q.shape))

    def take(self, step_h: float, levels: Array, newton_tolerance: float, last: bool, tally: Course) -> bool:
        self.levels = np.ascontiguousarray(levels[:, 0])
        counts = March()
        converged = self.stages.take(step_h, self.levels, newton_tolerance, last, counts)
        tally.newton += counts.newton
        tally.cycles += counts.cycles
        return converged

    def errors(self, step_h: float) -> tuple[float, float]:
        return self.stages.state_errors()

    def misses(self, step_h: float, labels: Sequence[Label], weights: Array) -> Array:
        return self.stages.label_misses(step_h, self.levels, np.array([lb.decay_per_h for lb in labels]), weights)

    def integrate(self, step_h: float, labels: Sequence[Label], weights: Array) -> None:
        self.quadrature = weights  # one pass with `accept`

    def accept(self) -> None:
        self.stages.accept(self.quadrature, self.integrals)

    def settle(self) -> None:
        self.stages.settle()

    def keep(self, last: bool) -> tuple[Array, Array]:
        s = self.stages
        free = np.empty((1, self.cells))
        self._gather(s.free[0], free[0])
        if last:
            s.let_go()
        free *= self.problem.capacity[0]
        return free, self._immobile(s.state[1], s.state[2])

    def deliver(self, out: Course) -> None:
        """Hand over the label integrals, in the order of the cells."""
        packed = self.integrals
        del self.stages, self.integrals
        out.from_plasma = np.zeros(len(packed))
        out.free_integrals = np.empty((len(packed), 1, self.cells))
        for rows, label in zip(out.free_integrals, packed, strict=True):
            self._gather(label[0], rows[0])
        out.free_integrals *= self.problem.capacity
        out.immobile_integrals = np.stack([self._immobile(label[1], label[2], True) for label in packed])

    def where(self, cause: str, step_h: float) -> str:
        return self.stages.where(cause, step_h, self.levels)

    def _gather(self, packed: Array, out: Array) -> None:
        """Into ``out`` (n,) a packed field's values in the order of the cells."""
        if out.size == self.mask.size:
            unpack(packed[None], self.mask.shape, out.reshape(1, *self.mask.shape))
        else:
            out[:] = unpack(packed, self.mask.shape)[self.mask]

    def _immobile(self, bound: Array, inside: Array, integral: bool = False) -> Array:
        """Immobile species (immobiles, n) in the network's order, from packed fields: sites are what bound ligand
        leaves (0 in an integral)."""
        network, out = self.network, np.zeros((len(self.network.immobile), self.cells))
        species = list(zip(network.immobile, network.state, strict=True))
        taken = {name.split(" on ")[-1] for name, state in species if state == "bound"}
        for k, (name, state) in enumerate(species):
            if state in ("bound", "internalised"):
                self._gather(bound if state == "bound" else inside, out[k])
            elif not integral:
                if name in taken:
                    self._gather(bound, out[k])
                np.subtract(network.initial[k], out[k], out=out[k])
        return out
