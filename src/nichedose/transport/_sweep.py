"""The backward run over a tape: what each quantity owes, from the last step to the first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nichedose.fields.grid import Array
from nichedose.transport import _adjoint_kernels as adjoint
from nichedose.transport._march import Stages
from nichedose.transport._tableau import GAMMA, STAGES, A
from nichedose.transport._tape import Tape

__all__ = ["Sweep"]

BLOCK = 512  # cells in a row of work


def _feeds() -> Array:
    """Weights (6, 6) by which stage 6 - s (row s) feeds the step's end (column 0) and the stages 6 - k after it."""
    out = np.zeros((STAGES, STAGES))
    for s in range(1, STAGES):
        out[s, 0] = A[-1, STAGES - s]
        out[s, 1:s] = A[: STAGES - s : -1, STAGES - s]
    return out


FEEDS = _feeds()


class Sweep:
    """Derivatives of the objective with respect to the coefficients of the equations.

    ``seeds`` (labels, 3, 2, rows, places) derivatives with respect to the label integrals, free ligand per tissue.
    Internalised ligand of every stage follows from bound ligand by numbers that are the same in all voxels. So its
    adjoint is its seeds times numbers, and its shares of kint and krel need sums of bound ligand times its seeds only.
    """

    def __init__(self, run: Stages, decays: Array, seeds: Array) -> None:
        self.run, self.decays, self.seeds = run, decays, seeds.reshape(len(decays), 3, -1)
        cells = run.q.size
        # adjoints of the right-hand sides of free + bound and of bound ligand; and of the first slopes of either
        bars = (STAGES, *run.q.shape)
        self.bars = (np.zeros(bars), np.zeros(bars), np.zeros(cells), np.zeros(cells))
        self.target_bar, self.exchange_bar, self.sums = np.zeros(cells), np.zeros(cells), np.zeros(adjoint.SUMS)
        self.even = np.ones(cells, np.float32)  # the adjoint's residual is weighed alike in every voxel
        places = run.q.shape[2]
        self.block = np.zeros((adjoint.BUFFERS, max(1, BLOCK // places), places))
        self.levels_bar: list[Array] = []  # of the plasma at each step's stages, last step first
        self.last_sizes = np.zeros(STAGES)
        self.cycles = 0

    def back(self, tape: Tape, reduction: float, progress: Callable[[float], None]) -> Sweep:
        run, eq, ladder = self.run, self.run.eq, self.run.ladder
        labels = len(self.decays)
        passed = np.zeros((3, labels))  # weights of the seeds that the following step's start left to this one's end
        inside_bar = np.zeros(labels)  # weight of internalised ligand's seeds at the end of the step
        steps: list[tuple[float, Array, Array]] = []  # size, weights of internalised ligand's slopes, bound x its seeds
        later = None  # plasma at the start of the following step
        for n, (free, bound) in tape.backwards(run):
            step = tape.steps[n]
            weights = np.exp(-self.decays * tape.starts_h[n])[:, None] * step.size_h * step.weights[1:]
            values = weights.copy()
            values[:, -1] += inside_bar
            values = values @ np.linalg.inv(np.eye(STAGES) + step.size_h * eq.krel_per_h * A)
            slopes, inside_bar = step.size_h * values @ A, values.sum(axis=1)
            seeds = np.stack([weights, weights, eq.kint_per_h * slopes])  # (3, labels, 6)
            seeds[..., -1] += passed
            passed = seeds[..., 0]
            by_level, inner = np.zeros(STAGES + 1), np.zeros((STAGES - 1, labels))
            self.cycles += adjoint.step_back(
                step.size_h, GAMMA, FEEDS, step.plasma, 0.0 if later is None else later - step.plasma[-1], reduction,
                (eq.kon_L_per_nmol_per_h, eq.koff_per_h, eq.kint_per_h), free, bound, self.seeds,
                np.ascontiguousarray(seeds[..., :0:-1].transpose(2, 0, 1)), self.bars,
                (self.target_bar, self.exchange_bar, self.sums),
                tuple(f.reshape(-1) for f in (run.capacity, run.target, run.leave, run.source)),
                (run.q, run.bound_rhs.reshape(-1), *(run.slopes[k].reshape(-1) for k in range(2))),
                (run.mass, run.inverse, run.dx, run.work, self.even),
                (run.sums, ladder.face_sum, ladder.faces, ladder.even), (run.line, run.line64, self.block),
                ladder.sizes, by_level, inner,
                self.last_sizes,
            )  # fmt: skip
            if later is not None:
                by_level[STAGES - 1] -= by_level[STAGES]
                self.levels_bar[-1][0] += by_level[STAGES]
            self.levels_bar.append(by_level[:STAGES])
            steps.append((step.size_h, slopes, inner))
            later = step.plasma[0]
            progress(1.0 - n / len(tape.steps))
        # the very first slope is the plasma's alone
        self.levels_bar[-1][0] += adjoint.between_steps(
            self.bars[2], run.source.reshape(-1), tape.steps[0].plasma[0], self.exchange_bar)
        self._inside(steps)
        return self

    def _inside(self, steps: list[tuple[float, Array, Array]]) -> None:
        """What internalised ligand owes to kint and krel: its sums with its seeds, run forwards once more."""
        eq = self.run.eq
        start, bound_before = np.zeros(len(self.decays)), np.zeros(len(self.decays))
        for step_h, slopes_bar, inner in reversed(steps):
            bound = np.concatenate([bound_before[None], inner])  # (6, labels)
            gained = start + step_h * eq.kint_per_h * A @ bound
            inside = np.linalg.solve(np.eye(STAGES) + step_h * eq.krel_per_h * A, gained)
            self.sums[adjoint.KINT] += float(np.sum(slopes_bar.T * bound))
            self.sums[adjoint.KREL] -= float(np.sum(slopes_bar.T * inside))
            start, bound_before = inside[-1], bound[-1]
