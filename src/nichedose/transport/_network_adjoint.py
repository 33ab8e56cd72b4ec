"""A march of the network engine run backwards: what each coefficient and each step owes to an objective."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from nichedose.errors import DidNotConverge
from nichedose.fields.grid import Array
from nichedose.transport import _network_adjoint_kernels as adjoint
from nichedose.transport import _network_adjoint_steps as steps
from nichedose.transport import _network_kernels as forward
from nichedose.transport._ladder import MeshLadder
from nichedose.transport._network_march import Label, strengths
from nichedose.transport._network_tape import NetworkTape, TapedStep, TriedStep
from nichedose.transport._tableau import BEFORE, STAGES, A, B, label_weights, label_weights_slope

__all__ = ["Sweep"]

UNSEEN = 1e-3  # species that hardly appear: their residual counts as if they reached this share of the largest


class Sweep:
    """The backward run.

    Bars are derivatives: of capacity, leave, enter (mobiles, n), conductances (mobiles, f), changes and net effects of
    reactions per unit of rate, their fields, the sites at the start (immobiles, n); by step, last step first:
    ``levels_bar`` (6, batches), ``size_bar`` and ``time_bar``, the two without what goes through plasma;
    ``label_start_bar`` (labels,) of the start of each label's clock. ``impulses[n]`` (batches,): a unit of each
    supply's area given at once at the start of step n, for the steps in ``wanted``.
    """

    def __init__(
        self, tape: NetworkTape, labels: Sequence[Label], free_seeds: Array, fixed_seeds: Array, reduction: float,
        wanted: Collection[int] = (),
    ) -> None:  # fmt: skip
        run = tape.run
        self.tape, self.run, self.reduction, self.wanted = tape, run, reduction, wanted
        self.labels, self.decays = labels, np.array([label.decay_per_h for label in labels])
        p, m, k, n = run.p, run.mobiles, run.immobiles, run.cells
        self.free_seeds = np.ascontiguousarray(free_seeds * p.capacity).reshape(len(labels), -1)
        self.fixed_seeds = np.ascontiguousarray(fixed_seeds).reshape(len(labels), -1)
        self.given, self.lost = transposed(run.ladder, p.given, p.lost, p.symmetric)
        self.state = (np.zeros((m, n)), np.zeros((k, n)))
        self.slopes = (np.zeros((STAGES, m, n)), np.zeros((STAGES, k, n)))
        self.free = np.zeros((STAGES, m, n))
        self.rhs = (np.zeros((m, n)), np.zeros((k, n)))
        self.fixed_rhs = np.zeros((STAGES, k, n))
        self.scaled, self.right = np.zeros((m, n + 1)), np.zeros((m, n + 1))
        self.solved, self.sizes = np.zeros((STAGES, m, n + 1)), np.zeros(STAGES)
        self.capacity_bar, self.leave_bar, self.enter_bar = (np.zeros((m, n)) for _ in range(3))
        self.face_bar = np.zeros((m, p.mesh.a.size))
        table = run.table
        self.change_bar, self.net_bar = np.zeros(table.change.size), np.zeros(table.net.shape)
        self.field_bar = np.zeros(table.fields.shape)
        self.levels_bar: list[Array] = []
        self.size_bar: list[float] = []
        self.time_bar: list[float] = []
        self.label_start_bar = np.zeros(len(labels))
        self.impulses: dict[int, Array] = {}
        self.cycles = 0
        seen = np.maximum(run.free_peak, UNSEEN * run.free_peak.max(initial=0.0))
        self.weight = np.repeat(np.where(seen > 0.0, seen, 1.0)[::-1, None], n, axis=1)

    def back(self) -> Sweep:
        """From the last step to the first."""
        later: Array | None = None  # what plasma offers at the start of the following step
        for n, taped in self.tape.backwards():
            step = self.tape.steps[n]
            levels_bar = np.zeros(step.levels.shape)
            self._replay(step, taped)
            by_size = self._open(step, taped, later, levels_bar)
            for i in range(STAGES - 1, 0, -1):
                by_size += self._stage(i, step, taped.free[i], levels_bar[i])
            by_size += sum(float(np.vdot(s[0], bar[0])) for s, bar in zip(self.run.slopes, self.slopes, strict=True))
            self.size_bar[-1] += by_size / step.size_h
            self.levels_bar.append(levels_bar)
            later = step.levels[0]
            if n in self.wanted:
                self.impulses[n] = self._impulse(step, taped)
        assert later is not None
        self._jump(later, np.array(self.run.p.network.initial).reshape(self.state[1].shape), self.levels_bar[-1][0])
        return self

    def _replay(self, step: TriedStep, taped: TapedStep) -> None:
        """Right-hand sides of immobile species and slopes of all stages again, from what was kept: no solve."""
        run, p = self.run, self.run.p
        self._explicit(taped.free[0], taped.fixed, step.levels[0], run.slopes[0][0], run.slopes[1][0])
        fixed = run.slopes[1].reshape(STAGES, -1)
        for i in range(1, STAGES):
            rhs = self.fixed_rhs[i]
            forward.blend(step.size_h * BEFORE[i, :i], fixed[:i], -np.inf, rhs.reshape(-1))
            rhs += taped.fixed
            forward.finish(
                taped.free[i], rhs, step.levels[i], run.entering(step.levels[i]), A[i, i] * step.size_h, p.leave,
                *run.table.arrays, p.volume, p.given, p.lost, run.ladder.neighbour, run.slopes[0][i],
                run.slopes[1][i], run.wall[i],
            )  # fmt: skip

    def _explicit(self, free: Array, fixed: Array, level: Array, mobile: Array, immobile: Array) -> None:
        run, p = self.run, self.run.p
        steps.explicit_slopes(
            free, fixed, level, p.enter, p.leave, *run.table.arrays, run.batch, p.volume, p.given, p.lost,
            run.ladder.neighbour, mobile, immobile,
        )  # fmt: skip

    def _open(self, step: TriedStep, taped: TapedStep, later: Array | None, levels_bar: Array) -> float:
        """What all stages of a step owe at first: to the labels, the step's end and the first slopes of the next.

        Returns the last stage's share in the next step's slopes, which no change of this step's size scales, negative.
        """
        run, h = self.run, step.size_h
        mobile_first, immobile_first = self.slopes[0][0].copy(), self.slopes[1][0].copy()
        free_first = self.free[0].copy()
        if later is not None:
            change = later - step.levels[-1]
            now = np.zeros(change.size)
            end = taped.fixed + h * np.tensordot(B, run.slopes[1], 1)
            self._jump(change, end, now)
            levels_bar[-1] -= now
            self.levels_bar[-1][0] += now
        for bars, state in zip(self.slopes, self.state, strict=True):
            np.multiply.outer(h * B, state, out=bars)
        weights = np.array([label_weights(d * h) for d in self.decays]).reshape(-1, STAGES)
        strength = strengths(self.labels, step.start_h)
        whole = h * strength[:, None] * weights
        self.free[...] = (whole.T @ self.free_seeds).reshape(self.free.shape)
        self.slopes[1][...] += (h * (whole @ A).T @ self.fixed_seeds).reshape(self.slopes[1].shape)
        self.state[1][...] += (whole.sum(axis=1) @ self.fixed_seeds).reshape(self.state[1].shape)
        self._clock(step, taped, strength, weights)
        self.slopes[0][-1] += mobile_first
        self.slopes[1][-1] += immobile_first
        self.free[-1] += free_first
        return -float(np.vdot(run.slopes[0][-1], mobile_first) + np.vdot(run.slopes[1][-1], immobile_first))

    def _clock(self, step: TriedStep, taped: TapedStep, strength: Array, weights: Array) -> None:
        """What the labels' quadrature owes to the step's size and start, and to the start of each label's clock."""
        h, start = step.size_h, self.tape.run.slopes[1].reshape(STAGES, -1)
        held = self.free_seeds @ np.ascontiguousarray(taped.free[:, :, :-1]).reshape(STAGES, -1).T
        held += (self.fixed_seeds @ taped.fixed.reshape(-1))[:, None] + h * (self.fixed_seeds @ start.T) @ A.T
        slope = np.array([d * h * label_weights_slope(d * h) for d in self.decays]).reshape(-1, STAGES)
        by_time = -self.decays * h * strength * (weights * held).sum(axis=1)
        self.label_start_bar -= by_time
        self.time_bar.append(float(by_time.sum()))
        self.size_bar.append(float((strength[:, None] * (weights + slope) * held).sum()))

    def _stage(self, i: int, step: TriedStep, free: Array, level_bar: Array) -> float:
        """One implicit stage backwards: one transposed solve, then what it owes to earlier slopes and coefficients."""
        run, p, t, ladder = self.run, self.run.p, self.run.table.arrays, self.run.ladder
        a, level, rhs = A[i, i] * step.size_h, step.levels[i], self.fixed_rhs[i]
        bars = (self.slopes[0][i], self.slopes[1][i])
        adjoint.before_solve(
            free, rhs, level, a, p.capacity, p.leave, run.held, *t, p.volume, self.given, self.lost, ladder.neighbour,
            self.free[i], *bars, self.scaled, run.jacobian, self.right,
        )  # fmt: skip
        left, self.sizes[i], cycles = adjoint.solve_transposed(
            self.solved[i], self.right, self.weight, run.jacobian, run.mass, run.inverse, self.given, self.lost,
            ladder.neighbour, ladder.block, a, ladder.start, run.vectors, run.dx, run.x, run.b, p.symmetric,
            self.reduction, self.sizes[i],
        )  # fmt: skip
        self.cycles += cycles
        if not left <= max(self.reduction, 1e-8):
            raise DidNotConverge(
                f"The backward run stopped at {step.start_h:.4g} h: stage {i} of a step of {step.size_h:.3g} h left a "
                f"residual of {left:.2g}, allowed {self.reduction:.2g}. Tighten the tolerance: shorter steps help."
            )
        by_size = adjoint.after_solve(
            self.solved[i], free, rhs, level, a, p.enter, run.held, run.batch, *t, p.volume, run.slopes[0][i],
            run.slopes[1][i], *bars, self.scaled, *self.rhs, self.capacity_bar, self.leave_bar, self.enter_bar,
            self.change_bar, self.net_bar, self.field_bar, level_bar,
        )  # fmt: skip
        steps.through_faces(free, self.scaled, p.mesh.a, p.mesh.b, self.face_bar)
        for bar, state, slopes in zip(self.rhs, self.state, self.slopes, strict=True):
            steps.hand_on(
                bar.reshape(-1), step.size_h * A[i], i, state.reshape(-1), slopes.reshape(STAGES, -1))
        return float(by_size)

    def _jump(self, change: Array, fixed: Array, level_bar: Array) -> None:
        steps.jump(
            change, fixed, self.run.p.enter, self.run.batch, *self.run.table.arrays[:-2], self.slopes[0][0],
            self.slopes[1][0], self.state[1], self.enter_bar, self.change_bar, level_bar,
        )  # fmt: skip

    def _impulse(self, step: TriedStep, taped: TapedStep) -> Array:
        """What a unit of each supply's area, given at once at the start of a step, owes: through the state, and through
        free ligand and the first slopes, which follow from it. Slopes are quadratic: central differences are exact."""
        run, p = self.run, self.run.p
        out = np.zeros(run.batches)
        for batch in range(run.batches):
            mobile, fixed = p.enter * (run.batch == batch)[:, None], np.zeros_like(taped.fixed)
            for r in p.network.reactions:
                if r.kind == "from plasma" and r.reactants[0] == batch:
                    for k, by in r.changes.items():
                        fixed[k] += by * r.rate_per_h * taped.fixed[r.reactants[1]]
            free = np.zeros_like(taped.free[0])
            free[:, :-1] = (mobile - run.held.T @ fixed) / p.capacity
            ends = []
            for sign in (1.0, -1.0):
                slopes = (np.empty_like(mobile), np.empty_like(fixed))
                self._explicit(taped.free[0] + sign * free, taped.fixed + sign * fixed, step.levels[0], *slopes)
                ends.append(slopes)
            out[batch] = (
                np.vdot(self.state[0], mobile) + np.vdot(self.state[1], fixed) + np.vdot(self.free[0], free[:, :-1])
                + sum(0.5 * np.vdot(bar[0], up - down) for bar, up, down in zip(self.slopes, *ends, strict=True))
            )
        return out


def transposed(ladder: MeshLadder, given: Array, lost: Array, symmetric: bool) -> tuple[Array, Array]:
    """What neighbours give and a cell loses in the transposed balances, species reversed: each face's two coefficients
    change places."""
    if symmetric:
        return given, lost
    swapped = given.copy()
    for level, lo in zip(ladder.levels, ladder.start, strict=False):
        swapped[:, lo + level.b, level.slot_b] = given[:, lo + level.a, level.slot_a]
        swapped[:, lo + level.a, level.slot_a] = given[:, lo + level.b, level.slot_b]
    return np.ascontiguousarray(swapped[::-1]), np.ascontiguousarray(lost[::-1])
