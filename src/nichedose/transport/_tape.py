"""What a march leaves behind so that it can be run backwards, within a given memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nichedose.errors import DidNotConverge
from nichedose.fields.grid import Array
from nichedose.transport._adjoint_kernels import keep
from nichedose.transport._march import March, Stages, Step
from nichedose.transport._tableau import STAGES, A

__all__ = ["Tape"]

FIELDS_PER_CHECKPOINT = 5  # state, first slope of bound ligand, free ligand at the start
FIELDS_OF_STAGES = 10  # free and bound ligand of stages 1 to 5


ROOM = 48  # steps for which there is room at first; what is not touched takes no memory


@dataclass(frozen=True)
class _Checkpoint:
    """The start of a step, packed: state (3, ...), first slope of bound ligand, free ligand; sums of them, which
    decide what stages are solved to."""

    state: Array
    first_slope: Array
    free: Array
    sums: Array
    totals: Array


class Tape:
    """The steps of a run. All are kept while they fit in ``most_fields`` packed fields, 20 at least.

    Then only a checkpoint every ``stride`` steps; the steps between two of them are solved again, to the same bits,
    when they are asked for. ``stride`` doubles as the run goes on, so that the memory stays bounded.
    """

    def __init__(self, most_fields: int) -> None:
        self.most_fields = most_fields
        self.steps: list[Step] = []
        self.starts_h: list[float] = []
        self.settled: list[bool] = []
        self.in_parts: list[bool] = []
        self.blocks: list[Array] = []  # (ROOM, 2, 5, cells) free and bound ligand of stages 1 to 5 of steps in a row
        self.checkpoints: dict[int, _Checkpoint] = {}
        # with so many steps between checkpoints these and one stretch fit, when all steps no longer do
        self.stride = 2 ** int(math.log2(max(1.0, math.sqrt(most_fields / (4 * FIELDS_PER_CHECKPOINT)))))
        self.whole = True  # all stages are kept

    def record(self, start_h: float, step: Step, run: Stages) -> None:
        """Take down an accepted step before the run moves on."""
        n = len(self.steps)
        self.steps.append(step)
        self.starts_h.append(start_h)
        self.settled.append(run.settled)
        self.in_parts.append(run.in_parts)
        if n % self.stride == 0:
            self.checkpoints[n] = _Checkpoint(
                run.state.copy(), run.slopes[0].copy(), run.free[0].copy(), run.sums_before, run.totals[0].copy())
        if self.whole and (n + 1) * FIELDS_OF_STAGES + len(self.checkpoints) * FIELDS_PER_CHECKPOINT > self.most_fields:
            self.whole = False
            del self.blocks[:]
        if self.whole:
            room = min(ROOM, self.most_fields // FIELDS_OF_STAGES)
            if n == room * len(self.blocks):
                self.blocks.append(np.empty((room, 2, STAGES - 1, run.q.size)))
            _keep_stages(run, step, self.blocks[n // room][n % room])
        elif self._fields(n + 1, self.stride) > max(self.most_fields, self._fields(n + 1, 2 * self.stride)):
            self.stride *= 2
            self.checkpoints = {m: c for m, c in self.checkpoints.items() if m % self.stride == 0}

    @staticmethod
    def _fields(n: int, stride: int) -> int:
        return -(-n // stride) * FIELDS_PER_CHECKPOINT + stride * FIELDS_OF_STAGES

    def backwards(self, run: Stages) -> Iterator[tuple[int, Array]]:
        """The steps from last to first, each with free and bound ligand of its stages 1 to 5, (2, 5, cells).

        ``run`` is the march's own, used to solve again what was not kept.
        """
        steps = len(self.steps)
        if self.whole:
            for n in range(steps - 1, -1, -1):
                block, place = divmod(n, len(self.blocks[0]))
                yield n, self.blocks[block][place]
            return
        stretch = np.empty((min(self.stride, steps), 2, STAGES - 1, run.q.size))
        for first in range((steps - 1) // self.stride * self.stride, -1, -self.stride):
            end = min(first + self.stride, steps)
            self._again(first, end, run, stretch)
            for n in range(end - 1, first - 1, -1):
                yield n, stretch[n - first]

    def _again(self, first: int, end: int, run: Stages, out: Array) -> None:
        start = self.checkpoints.pop(first)
        run.state[...], run.slopes[0], run.free[0] = start.state, start.first_slope, start.free
        run.sums_before, run.totals[0] = start.sums, start.totals
        tally, nothing = March(), np.zeros((0, 3, *run.q.shape))
        for n in range(first, end):
            step = self.steps[n]
            if self.settled[n]:
                run.settle()
            run.slow, last = self.in_parts[n], n == len(self.steps) - 1
            if not run.take(step.size_h, step.plasma, step.newton_tolerance, last, tally):
                raise DidNotConverge(f"The step to {step.end_h:.4g} h converged once, but not when solved again.")
            _keep_stages(run, step, out[n - first])
            run.accept(np.zeros((0, STAGES)), nothing)


def _keep_stages(run: Stages, step: Step, out: Array) -> None:
    keep(run.free.reshape(STAGES, -1), run.slopes.reshape(STAGES, -1), run.state[1].reshape(-1), step.size_h * A,
         out[0], out[1])  # fmt: skip
