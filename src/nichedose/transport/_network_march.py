"""March a network of species through time: the steps of ``_march`` for any mesh, several ligands and batches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from nichedose.fields.grid import Array
from nichedose.fields.mesh import Mesh
from nichedose.transport import _network_kernels as kernel
from nichedose.transport import _sums
from nichedose.transport._elimination import layout
from nichedose.transport._ladder import MeshLadder
from nichedose.transport._march import (
    BELOW_ZERO_PER_TOLERANCE,
    FIRST_SHARE,
    FIRST_STEP,
    FLOOR,
    LABEL_PER_TOLERANCE,
    LAST_TOLERANCE,
    SOURCE_PER_TOLERANCE,
    STATE_PER_TOLERANCE,
    finished_further,
    next_share,
)
from nichedose.transport._stuck import STAGE, place, stuck, worst
from nichedose.transport._tableau import B_EMBEDDED, BEFORE, PREDICTOR, STAGES, A, B, C, label_weights
from nichedose.transport._worst_place import worst_of_network
from nichedose.transport.network import Network
from nichedose.transport.supply import Supply

__all__ = [
    "SAME", "Course", "Label", "Marching", "NetworkRun", "Problem", "ends_at_kink", "kinks_within", "march_network",
    "strengths",
]  # fmt: skip

# Weighted residual of a stage: tighter than where one ligand is alone in closed tissue, since stiff sinks at an open
# edge leave a stage no room.
NEWTON_PER_TOLERANCE, CG_REDUCTION = 0.1, 0.05
KINDS = {"constant": 0, "mobile": 1, "immobile": 2, "binding": 3, "from plasma": 4}
# A cubic through the first four stages, at the last two (which lie at and beyond the step's end).
BEFORE_KINK = np.array(
    [[math.prod((C[i] - C[k]) / (C[j] - C[k]) for k in range(4) if k != j) for j in range(4)] for i in (4, 5)]
)
SAME = 1e-11  # h: kinks that lie no further apart coincide
SEEN = 1e-6  # of a species' largest mean content so far: residuals are judged against no less


@dataclass(frozen=True)
class Label:
    """A label of a batch: its decay constant, and when its clock starts."""

    batch: int
    decay_per_h: float
    start_h: float


@dataclass(frozen=True)
class Problem:
    """All coefficients, per h and per volume of tissue; mobile species in rows.

    ``enter`` multiplies the batch's supply; ``volume`` (n,) over its mean; ``given`` and ``lost`` (mobiles, ...) of the
    ladder (empty on a lattice, which has its own); ``symmetric`` where conjugate gradients may be used.
    """

    mesh: Mesh
    network: Network
    ladder: MeshLadder | None
    volume: Array
    capacity: Array
    enter: Array
    leave: Array
    given: Array
    lost: Array
    symmetric: bool


class Marching(Protocol):
    """A run that can be marched: it holds the species' fields and takes steps."""

    @property
    def newton_per_tolerance(self) -> float:
        """Weighted residual that its stages are solved to, for a tolerance of 1."""

    @property
    def residual(self) -> float:
        """Of the stage solved last."""

    def label_supplies(self, labels: Sequence[Label], end_h: float) -> Array:
        """Scale of each label's balance (labels,)."""

    def begin(self, labels: int) -> None:
        """Make room for the label integrals."""

    def take(self, step_h: float, levels: Array, newton_tolerance: float, last: bool, tally: Course) -> bool:
        """Try one step with plasma ``levels`` (6, batches); False where a stage did not converge."""

    def errors(self, step_h: float) -> tuple[float, float]:
        """Embedded error (rms, relative, the worst species); the deepest negative value, of the mean content."""

    def misses(self, step_h: float, labels: Sequence[Label], weights: Array) -> Array:
        """What each label's quadrature misses of its balance over the step, at its strength at the step's start."""

    def integrate(self, step_h: float, labels: Sequence[Label], weights: Array) -> None:
        """Add the step's share to the label integrals; ``weights`` (labels, 6) of the stages."""

    def accept(self) -> None:
        """The new state becomes the old one."""

    def settle(self) -> None:
        """No more bound than free ligand leaves of all, where most is bound: see `Stages.settle`."""

    def keep(self, last: bool) -> tuple[Array, Array]:
        """Free ligand per tissue (mobiles, n) and immobile species (immobiles, n) now; no step follows the ``last``."""

    def deliver(self, out: Course) -> None:
        """Hand over the label integrals; the run is over."""

    def where(self, cause: str, step_h: float) -> str:
        """Species and cell with the largest error of a tried step, or residual of the stage solved last."""


@dataclass
class Course:
    """What a march leaves: ``times_h`` of all steps; states at the times asked for; label integrals of free ligand
    (labels, mobiles, n; per tissue) and of immobile species (labels, immobiles, n); what sites on vessel walls took
    (labels,); last states; counts of rejected steps, Newton steps and V-cycles."""

    times_h: list[float] = field(default_factory=lambda: [0.0])
    kept_h: list[float] = field(default_factory=list)
    kept: list[tuple[Array, Array]] = field(default_factory=list)
    free_integrals: Array = field(default_factory=lambda: np.zeros(0))
    immobile_integrals: Array = field(default_factory=lambda: np.zeros(0))
    from_plasma: Array = field(default_factory=lambda: np.zeros(0))
    rejected: int = 0
    newton: int = 0
    cycles: int = 0


class _Table:
    """The network's reactions among its first ``core`` immobile species, as flat arrays."""

    def __init__(self, network: Network, cells: int, core: int) -> None:
        reactions = [
            replace(r, changes={k: c for k, c in r.changes.items() if k < core})
            for r in network.reactions
            if r.reactants[1] < core
        ]
        self.kind = np.array([KINDS[r.kind] for r in reactions], dtype=np.int64)
        self.rate = np.array([r.rate_per_h for r in reactions], dtype=float)
        self.site = np.array([r.reactants for r in reactions], dtype=np.int64).reshape(-1, 2)
        where = [r.field for r in reactions if r.field is not None]
        self.fields = np.array(where).reshape(len(where), cells)
        number = iter(range(len(where)))
        self.field = np.array([-1 if r.field is None else next(number) for r in reactions], dtype=np.int64)
        self.first = np.concatenate([[0], np.cumsum([len(r.changes) for r in reactions])]).astype(np.int64)
        self.change_of = np.array([k for r in reactions for k in r.changes], dtype=np.int64)
        self.change = np.array([c for r in reactions for c in r.changes.values()], dtype=float)
        self.net = np.zeros((len(reactions), len(network.mobile)))
        for number_, r in enumerate(reactions):
            for m, c in r.net.items():
                self.net[number_, m] = c
        entries = ((k, r.reactants[1]) for r in reactions if r.reactants[1] >= 0 for k in r.changes)
        self.slot = layout(core, entries)
        self.arrays = (
            self.kind, self.rate, self.site, self.field, self.fields, self.first, self.change_of, self.change, self.net,
            self.slot,
        )  # fmt: skip


def _core(network: Network) -> int:
    """How many immobile species, from the first, the balances of free ligand need: not what lies inside for good."""
    inside = [k for k, state in enumerate(network.state) if state == "internalised"]
    if not inside or any(r.net and r.reactants[1] in inside for r in network.reactions):
        return len(network.immobile)
    return inside[0]  # they come last


class NetworkRun:
    """Fields and work arrays of one run, and the six stages of a step."""

    @property
    def newton_per_tolerance(self) -> float:
        return NEWTON_PER_TOLERANCE

    def __init__(self, problem: Problem) -> None:
        self.p, net = problem, problem.network
        self.cells, self.mobiles, self.immobiles = problem.volume.size, len(net.mobile), len(net.immobile)
        m, k, n = self.mobiles, self.immobiles, self.cells
        assert problem.ladder is not None
        self.ladder = problem.ladder
        total = int(self.ladder.start[-1])
        self.table = _Table(net, n, k)
        self.core = _core(net)
        self.core_table = self.table if self.core == k else _Table(net, n, self.core)
        self.held, self.carried = net.carried("bound"), net.carried("bound", "wall", "internalised")
        self.apart = net.carried("wall", "internalised")  # in a batch's content, but not in its mobile state
        self.batch = np.array([b for b, _ in net.mobile])
        self.batches = len(net.batches)
        self.family = np.array([self.batch == b for b in range(self.batches)], dtype=float)  # (batches, mobiles)
        self.state = (np.zeros((m, n)), np.array(net.initial).reshape(k, n))
        self.new = (np.zeros((m, n)), np.zeros((k, n)))
        self.slopes = (np.zeros((STAGES, m, n)), np.zeros((STAGES, k, n)))
        self.free = np.zeros((STAGES, m, n + 1))
        self.guess = np.zeros((m, n + 1))
        self.rhs = (np.zeros((m, n)), np.zeros((k, n)))
        self.weight, self.jacobian = np.zeros((m, n)), np.zeros((m, m, n))
        self.mass, self.inverse = np.zeros((m, total)), np.zeros((m, total))
        self.vectors, self.dx = np.zeros((7 if not problem.symmetric else 4, m, n + 1)), np.zeros((m, n + 1))
        self.x, self.b = np.zeros(total), np.zeros(total)
        self.wall = np.zeros((STAGES, len(net.reactions)))
        self.fastest = np.zeros(m)  # association with ligand per void, 1/h per nmol/L
        for r in net.reactions:
            if r.kind == "binding":
                self.fastest[r.reactants[0]] = max(self.fastest[r.reactants[0]], r.rate_per_h)
        # which mobile species binds to which immobile one to make each bound one
        self.bound_from = {
            k: r.reactants for r in net.reactions if r.kind == "binding" for k, by in r.changes.items() if by > 0.0
        }
        self.peak = np.zeros(m)  # largest mean content of each mobile species so far
        self.residual = 0.0
        self.last_level, self.end_level = np.zeros(self.batches), np.zeros(self.batches)
        self.begin(0)

    def entering(self, level: Array) -> Array:
        return np.asarray(self.p.enter * level[self.batch][:, None])

    def take(self, step_h: float, levels: Array, newton_tolerance: float, last: bool, tally: Course) -> bool:
        """Try one step with plasma ``levels`` (6, batches); the new state lies in ``new``."""
        self._new_level(levels[0])
        self.end_level = levels[-1]
        for i in range(1, STAGES):
            self._gather(step_h * BEFORE[i], self.rhs)
            tolerance = LAST_TOLERANCE if last and i == STAGES - 1 else newton_tolerance
            if not self._stage(i, A[i, i] * step_h, levels[i], tolerance, tally):
                return False
        self._gather(step_h * B, self.new)
        return True

    def _gather(self, weights: Array, into: tuple[Array, Array]) -> None:
        """The state and ``weights`` (6,) times the slopes of the stages."""
        for state, slopes, out in zip(self.state, self.slopes, into, strict=True):
            out[...] = 0.0
            flat = out.reshape(-1)
            _sums.combine(state.reshape(-1), 1.0, slopes.reshape(STAGES, -1), weights, 0, flat.size, flat)

    def _new_level(self, level: Array) -> None:
        """The first stage is the last one of the step before, but for what plasma offers now."""
        self.slopes[0][0] += self.entering(level - self.last_level)
        for number, r in enumerate(self.p.network.reactions):
            if r.kind == "from plasma":
                batch, k = r.reactants
                taken = r.rate_per_h * self.state[1][k]
                for which, by in r.changes.items():
                    self.slopes[1][0, which] += by * (level[batch] - self.last_level[batch]) * taken
                self.wall[0, number] = level[batch] * float((self.p.volume * taken).sum())
        self.last_level = level.copy()

    def _stage(self, i: int, a: float, level: Array, tolerance: float, tally: Course) -> bool:
        p, t, core = self.p, self.table, self.core
        enter = self.entering(level)
        q = self.rhs[0] + a * enter
        kernel.stage_weight(self.rhs[0], enter, p.leave, p.capacity, a, p.volume, self.weight)
        # a species that another one turns into starts from nothing: its floor is that of its batch
        floor = FLOOR * self._of_batch(np.maximum(self.weight.mean(axis=1), SEEN * self.peak))
        self.weight += floor[:, None] + 1e-100
        self.weight *= np.sqrt(p.volume.size * self.mobiles) * p.volume
        np.reciprocal(self.weight, out=self.weight)
        kernel.blend(PREDICTOR[i][:i], self.free[:i].reshape(i, -1), 0.0, self.guess.reshape(-1))
        most = a * self.fastest * self.mobiles
        lowest = np.divide(-0.5, most, out=np.full(self.mobiles, -np.inf), where=most > 0.0)
        ladder = self.ladder
        self.residual, newton, cycles = kernel.solve_stage(
            self.guess, q, self.rhs[1][:core], level, a, p.capacity, p.leave, self.held[:core],
            *self.core_table.arrays, p.volume, self.weight,
            p.given, p.lost, ladder.neighbour, ladder.block, ladder.start, lowest, self.jacobian, self.mass,
            self.inverse, self.vectors, self.dx, self.x, self.b, p.symmetric, tolerance, CG_REDUCTION,
        )  # fmt: skip
        tally.newton += newton
        tally.cycles += cycles
        if not self.residual <= max(tolerance, 1e-8):
            return False
        kernel.finish(
            self.guess, self.rhs[1], level, enter, a, p.leave, *t.arrays, p.volume, p.given, p.lost,
            ladder.neighbour, self.slopes[0][i], self.slopes[1][i], self.wall[i],
        )  # fmt: skip
        self.free[i] = self.guess
        return True

    def _of_batch(self, means: Array) -> Array:
        """The largest of ``means`` (mobiles,) among the species of each one's batch."""
        largest = np.zeros(self.batches)
        np.maximum.at(largest, self.batch, means)
        return np.asarray(largest[self.batch])

    def contents(self, state: tuple[Array, Array]) -> Array:
        """Ligand of each mobile species in all its states, (mobiles, n)."""
        out = np.empty_like(state[0])
        kernel.contents(*state, self.apart, out)
        return out

    def errors(self, step_h: float) -> tuple[float, float]:
        """Embedded error (rms over cells, relative to what each holds; the worst species); the deepest negative value
        relative to the species' largest mean content."""
        now, before = self.contents(self.new), self.contents(self.state)
        peak = self._of_batch(np.maximum(self.peak, now.mean(axis=1))) + 1e-290
        holds = np.abs(now) + 0.1 * np.abs(before) + FLOOR * peak[:, None]
        weights = step_h * (B - B_EMBEDDED)
        worst = 0.0
        error = np.empty((self.mobiles, self.cells))
        kernel.blend(weights, self.slopes[0].reshape(STAGES, -1), -np.inf, error.reshape(-1))
        squares = ((error / holds) ** 2).mean(axis=1)
        for k in range(self.immobiles):
            error_k = np.empty(self.cells)
            kernel.blend(weights, self.slopes[1][:, k], -np.inf, error_k)
            carriers = np.flatnonzero(self.carried[k])
            if carriers.size:
                for m in carriers:
                    squares[m] += float(((error_k / holds[m]) ** 2).mean())
            else:
                scale = np.abs(self.new[1][k]) + np.abs(self.state[1][k])
                scale = scale + FLOOR * float(scale.mean()) + 1e-290
                worst = max(worst, float(np.sqrt(((error_k / scale) ** 2).mean())))
        least = np.minimum((self.p.capacity * self.free[-1][:, :-1]).min(axis=1), self.new[0].min(axis=1))
        low = float(np.max(-least / peak))
        for k in range(self.immobiles):
            carriers = np.flatnonzero(self.carried[k])
            if carriers.size:
                low = max(low, float(-self.new[1][k].min() / peak[carriers].max()))
        return max(worst, float(np.sqrt(squares.max()))), low

    def totals(self) -> tuple[Array, Array, Array]:
        """Content before and after (batches,), and its slopes at the stages (6, batches), summed over the mesh."""
        before, after = (self.family @ self._summed(self.contents(state)) for state in (self.state, self.new))
        mobile, immobile = (self._summed(slopes.reshape(-1, self.cells)).reshape(STAGES, -1) for slopes in self.slopes)
        return before, after, np.asarray((mobile + immobile @ self.apart) @ self.family.T)

    def label_supplies(self, labels: Sequence[Label], end_h: float) -> Array:
        """What will enter of each label; where only vessel walls take it, what they can hold."""
        brings = self.family @ (self.p.enter * self.p.volume).sum(axis=1)  # per level, summed over the mesh
        out = []
        for label in labels:
            offered = self.p.network.batches[label.batch].supply.area(0.0, end_h, label.decay_per_h)
            wall = sum(
                float((self.p.volume * self.state[1][r.reactants[1]]).sum())
                for r in self.p.network.reactions
                if r.kind == "from plasma" and r.reactants[0] == label.batch
            )
            out.append(max(brings[label.batch] * offered, wall, 1e-300))
        return np.array(out)

    def begin(self, labels: int) -> None:
        self.free_integrals = np.zeros((labels, self.mobiles, self.cells))
        self.immobile_integrals = np.zeros((labels, self.immobiles, self.cells))
        self.from_plasma = np.zeros(labels)

    def misses(self, step_h: float, labels: Sequence[Label], weights: Array) -> Array:
        before, after, slopes = self.totals()
        out = np.zeros(len(labels))
        for n, label in enumerate(labels):
            z, b = label.decay_per_h * step_h, label.batch
            stages = before[b] + step_h * (A @ slopes[:, b])
            change = step_h * float(weights[n] @ slopes[:, b]) - z * float(weights[n] @ stages)
            out[n] = abs(math.exp(-z) * after[b] - before[b] - change)
        return out

    def integrate(self, step_h: float, labels: Sequence[Label], weights: Array) -> None:
        """Of free ligand from the stages, of immobile species from slopes."""
        for n, (label, w) in enumerate(zip(labels, weights, strict=True)):
            if not w.any():
                continue
            kernel.blend(w, self.free.reshape(STAGES, -1), -np.inf, self.guess.reshape(-1))
            self.free_integrals[n] += self.guess[:, :-1]
            flat = self.immobile_integrals[n].reshape(-1)
            slopes = self.slopes[1].reshape(STAGES, -1)
            _sums.combine(self.state[1].reshape(-1), w.sum(), slopes, step_h * (w @ A), 0, flat.size, flat)
            for number, r in enumerate(self.p.network.reactions):
                if r.kind == "from plasma" and r.reactants[0] == label.batch:
                    self.from_plasma[n] += float(w @ self.wall[:, number])

    def keep(self, last: bool) -> tuple[Array, Array]:
        return self.p.capacity * self.free[0][:, :-1], self.state[1].copy()

    def deliver(self, out: Course) -> None:
        self.free_integrals *= self.p.capacity
        out.free_integrals, out.immobile_integrals = self.free_integrals, self.immobile_integrals
        out.from_plasma = self.from_plasma

    def where(self, cause: str, step_h: float) -> str:
        if cause != STAGE:
            return worst_of_network(self, cause, step_h, FLOOR)
        weighted = np.abs(self.vectors[0][:, :-1] * self.weight)
        m, cell = np.unravel_index(int(np.argmax(weighted)), weighted.shape)  # NaN counts as largest
        batch, form = self.p.network.mobile[m]
        mesh = self.p.mesh
        name = f"free ligand '{form}' of batch '{self.p.network.batches[batch].name}'"
        return place(name, [int(i) for i in mesh.places[:, cell]], mesh.lines_um)

    def settle(self) -> None:
        mobile, immobile = self.state
        for m in range(self.mobiles):
            rows = [k for k in np.flatnonzero(self.held[:, m]) if int(k) in self.bound_from]  # what nothing makes is 0
            free, bound = self.p.capacity[m] * np.maximum(self.free[0][m, :-1], 0.0), immobile[rows].sum(axis=0)
            left = np.maximum(mobile[m] - free, 0.0)
            more = (left < bound) & (free < bound)
            taken = immobile[rows] * (1.0 - np.divide(left, bound, out=np.ones_like(bound), where=more))
            immobile[rows] -= taken
            for k, back in zip(rows, taken, strict=True):
                upper, place_of = self.bound_from[int(k)]
                if upper != m and place_of in self.bound_from:  # the lower one of a pair lets go
                    place_of = self.bound_from[place_of][1]
                immobile[place_of] += back

    def _summed(self, rows: Array) -> Array:
        out = np.empty(rows.shape[0])
        kernel.sums(rows, self.p.volume, out)
        return out

    def accept(self) -> None:
        self.state, self.new = self.new, self.state
        self.peak = np.maximum(self.peak, self.contents(self.state).mean(axis=1))
        self.free[0], self.last_level = self.free[-1], self.end_level
        for slopes in self.slopes:
            slopes[0] = slopes[-1]


def _stage_levels(supplies: Sequence[Supply], time: float, step: float, whole: Array) -> tuple[Array, float]:
    """Each batch's supply at the six stages, corrected to the exact area of the step, and the worst correction."""
    out, miss = np.zeros((STAGES, len(supplies))), 0.0
    at = time + step * C
    for j, supply in enumerate(supplies):
        values, area = supply.level(at), supply.area(time, time + step)
        if ends_at_kink(supply, time, step):
            values[4:] = BEFORE_KINK @ values[:4]  # what lies past a jump does not belong to this step
        rough = step * float(B @ values)
        close = rough > 0.0 and 0.5 < area / rough < 2.0
        out[:, j] = values * (area / rough) if close else values + (area - rough) / step
        miss = max(miss, abs(area - rough) / whole[j])
    return out, miss


def ends_at_kink(supply: Supply, time: float, step: float) -> bool:
    """Whether the stages at and beyond the step's end would see past a jump."""
    return any(0.999999 < (kink - time) / step < 1.05 for kink in supply.kinks_h)


def kinks_within(supplies: Sequence[Supply], end_h: float) -> list[float]:
    """Times of kinks at which steps end, rising: of those that differ by rounding alone the last one, when all have
    passed."""
    kinks = sorted({k for s in supplies for k in s.kinks_h if 0.0 < k < end_h - SAME})
    return [k for k, after in itertools.pairwise([*kinks, math.inf]) if after - k > SAME]


def march_network(
    problem: Problem, run: Marching, labels: Sequence[Label], end_h: float, keep_h: Sequence[float], tolerance: float,
    progress: Callable[[float], None] | None = None,
    record: Callable[[float, float, Array, float], None] | None = None,
) -> Course:  # fmt: skip
    """Integrate from tissue that holds its sites and no ligand at time 0 to ``end_h``.

    ``record`` sees the start, size and plasma levels (6, batches) of each accepted step, and what its stages were
    solved to, before the run moves on.
    """
    supplies = [batch.supply for batch in problem.network.batches]
    out = Course()
    whole = np.array([max(s.area(0.0, end_h), 1e-300) for s in supplies])
    label_supply = run.label_supplies(labels, end_h)
    targets = sorted({*kinks_within(supplies, end_h), *(t for t in keep_h if 0.0 < t < end_h), end_h})
    run.begin(len(labels))
    time, proposed = 0.0, FIRST_SHARE * end_h
    newton, below_zero = run.newton_per_tolerance * tolerance, False
    if 0.0 in keep_h:
        _keep(out, run, 0.0)
    for target in targets:
        opening = [s.quickest_per_h for s in supplies if any(abs(k - time) < SAME for k in s.kinks_h)]
        if opening:
            proposed = min(proposed, FIRST_STEP / max(opening))
        while time < target:
            last = time + 1.01 * proposed >= target
            step = target - time if last else proposed
            levels, miss = _stage_levels(supplies, time, step, whole)
            weights = np.array([label_weights(label.decay_per_h * step) for label in labels]).reshape(-1, STAGES)
            strength = strengths(labels, time)
            error, cause = math.inf, STAGE
            if below_zero:
                run.settle()
                newton = finished_further(newton)
            if run.take(step, levels, newton, last and target == end_h, out):
                state_error, low = run.errors(step)
                missed = float(np.max(strength * run.misses(step, labels, weights) / label_supply))
                allowed = (STATE_PER_TOLERANCE, BELOW_ZERO_PER_TOLERANCE, SOURCE_PER_TOLERANCE, LABEL_PER_TOLERANCE)
                error, cause = worst((state_error, low, miss, missed), [a * tolerance for a in allowed])
                error = error if math.isfinite(error) else math.inf
            factor, below_zero = next_share(error, cause)
            if not error <= 1.0:
                out.rejected += 1
                proposed = step * factor
                if proposed < 1e-12 * max(time, 1e-3):
                    binding = (r.rate_per_h for r in problem.network.reactions if r.kind == "binding")
                    raise stuck(time, end_h, step, cause, error, run.residual, newton,
                                run.where(cause, step), f"{max(binding, default=0.0):.3g} L/nmol/h")
                continue
            proposed = max(step * factor, proposed if last else 0.0)
            strength[strength < 1e-30] = 0.0
            run.integrate(step, labels, step * strength[:, None] * weights)
            if record is not None:
                record(time, step, levels, newton)
            run.accept()
            time = target if last else time + step
            out.times_h.append(time)
            if progress is not None:
                progress(time / end_h)
        if target in keep_h:
            _keep(out, run, target, target == end_h)
    run.deliver(out)
    return out


def strengths(labels: Sequence[Label], time: float) -> Array:
    """What is left of each label at a time by its own clock; 0 before its batch starts."""
    since = np.array([time - label.start_h for label in labels])
    decay = np.array([label.decay_per_h for label in labels])
    return np.where(since < -1e-12, 0.0, np.exp(-decay * np.maximum(since, 0.0)))


def _keep(out: Course, run: Marching, time: float, last: bool = False) -> None:
    out.kept_h.append(time)
    out.kept.append(run.keep(last))
