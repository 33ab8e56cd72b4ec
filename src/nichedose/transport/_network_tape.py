"""What a march of the network engine leaves behind so that it can be run backwards, within a given memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from nichedose.errors import DidNotConverge
from nichedose.fields.grid import Array
from nichedose.transport._network_march import Course, NetworkRun, Problem

__all__ = ["Checkpoint", "NetworkTape", "TapedRun", "TapedStep", "TriedStep"]

FIRST_STRIDE = 4  # steps between checkpoints while everything is kept


class TapedRun(NetworkRun):
    """A run that remembers what plasma offered at the start of each step that it tried since the last accepted one, and
    where it took bound ligand back (None): a rejected step leaves its traces in state and first slopes, and a step
    solved again shall have the same bits.

    ``free_peak`` (mobiles,): the largest root mean square of free ligand at the end of a step.
    """

    def __init__(self, problem: Problem) -> None:
        self.tried: list[Array | None] = []
        super().__init__(problem)
        self.free_peak = np.zeros(self.mobiles)

    def _new_level(self, level: Array) -> None:
        self.tried.append(level.copy())
        super()._new_level(level)

    def settle(self) -> None:
        self.tried.append(None)
        super().settle()

    def again(self, tried: list[Array | None]) -> None:
        """As if these steps had been tried and rejected."""
        for level in tried:
            if level is None:
                super().settle()
            else:
                super()._new_level(level)


@dataclass(frozen=True)
class TriedStep:
    """An accepted step: start, size, plasma levels (6, batches) of its stages, and what was tried and
    ``rejected`` before it; what its stages were solved to."""

    start_h: float
    size_h: float
    levels: Array
    rejected: list[Array | None]
    newton_tolerance: float


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on from the start of a step to the same bits."""

    state: tuple[Array, Array]
    first_slopes: tuple[Array, Array]
    free: Array
    level: Array
    peak: Array


@dataclass(frozen=True)
class TapedStep:
    """Immobile species at a step's start (immobiles, n), free ligand of its six stages (6, mobiles, n + 1)."""

    fixed: Array
    free: Array


@dataclass
class NetworkTape:
    """The steps of a run. All are kept while they fit in ``most`` numbers.

    Then only a checkpoint every ``stride`` steps; the steps between two of them are solved again, to the same bits,
    when they are asked for. ``stride`` doubles as the run goes on, so that the memory stays bounded.
    """

    run: TapedRun
    most: int
    steps: list[TriedStep] = field(default_factory=list)
    kept: dict[int, TapedStep] | None = field(default_factory=dict)  # None: some had to be let go
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    stride: int = FIRST_STRIDE

    def record(self, start_h: float, size_h: float, levels: Array, newton_tolerance: float) -> None:
        """Take down an accepted step before the run moves on."""
        n, run = len(self.steps), self.run
        run.free_peak = np.maximum(run.free_peak, np.sqrt((run.free[-1] ** 2).mean(axis=1)))
        self.steps.append(TriedStep(start_h, size_h, levels.copy(), run.tried[:-1], newton_tolerance))
        run.tried = []
        if n % self.stride == 0:
            self.checkpoints[n] = _checkpoint(run)
        if self.kept is not None:
            self.kept[n] = _taped(run)
            if self._numbers(n + 1, n + 1) > self.most:
                self.kept = None
        while self.kept is None and self._numbers(n + 1) > max(self.most, self._numbers(n + 1, stride=2 * self.stride)):
            self.stride *= 2
            self.checkpoints = {k: c for k, c in self.checkpoints.items() if k % self.stride == 0}

    def _numbers(self, n: int, whole: int | None = None, stride: int | None = None) -> int:
        """Kept after ``n`` steps: ``whole`` ones (while going back, those of one stretch), and checkpoints."""
        run, every = self.run, stride or self.stride
        per_step = run.immobiles * run.cells + run.free.size
        per_checkpoint = 2 * (run.mobiles + run.immobiles) * run.cells + run.free[0].size
        return int(-(-n // every) * per_checkpoint + (every if whole is None else whole) * per_step)

    def backwards(self) -> Iterator[tuple[int, TapedStep]]:
        """The steps from last to first; the march's own run solves again what was not kept."""
        if self.kept is not None:
            for n in range(len(self.steps) - 1, -1, -1):
                yield n, self.kept.pop(n)
            return
        for first in range((len(self.steps) - 1) // self.stride * self.stride, -1, -self.stride):
            stretch = self._again(first, min(first + self.stride, len(self.steps)))
            while stretch:
                yield first + len(stretch) - 1, stretch.pop()

    def _again(self, first: int, end: int) -> list[TapedStep]:
        start, run = self.checkpoints.pop(first), self.run
        for kept, into in zip((*start.state, *start.first_slopes, start.free, start.peak),
                              (*run.state, run.slopes[0][0], run.slopes[1][0], run.free[0], run.peak), strict=True):
            into[...] = kept
        run.last_level = start.level
        found, tally = [], Course()
        for n in range(first, end):
            step, last = self.steps[n], n == len(self.steps) - 1
            if n > first:  # a checkpoint has its first slopes as they were when the step was accepted
                run.again(step.rejected)
            if not run.take(step.size_h, step.levels, step.newton_tolerance, last, tally):
                raise DidNotConverge(f"The step at {step.start_h:.4g} h converged once, but not when solved again.")
            found.append(_taped(run))
            run.accept()
        return found


def _checkpoint(run: NetworkRun) -> Checkpoint:
    return Checkpoint(
        (run.state[0].copy(), run.state[1].copy()), (run.slopes[0][0].copy(), run.slopes[1][0].copy()),
        run.free[0].copy(), run.last_level.copy(), run.peak.copy(),
    )  # fmt: skip


def _taped(run: NetworkRun) -> TapedStep:
    return TapedStep(run.state[1].copy(), run.free.copy())
