"""What a march leaves behind so that it can be run backwards, within a given memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from nichedose.errors import DidNotConverge
from nichedose.fields.grid import Array
from nichedose.transport._march import March, Stages, Step

__all__ = ["Tape", "TapedStep"]

FIELDS_PER_CHECKPOINT = 5  # state, first slope of bound ligand, free ligand at the start
FIELDS_OF_STAGES = 5  # free ligand of stages 1 to 5


@dataclass(frozen=True)
class TapedStep:
    """The start of an accepted step, packed: state (3, ...), first slope of bound ligand, free ligand; and, where kept,
    the free ligand of stages 1 to 5."""

    state: Array
    first_slope: Array
    free_at_start: Array
    free: Array | None


@dataclass
class Tape:
    """The steps of a run. All are kept while they fit in ``most_fields`` packed fields.

    Then only a checkpoint every ``stride`` steps; the steps between two of them are solved again, to the same bits,
    when they are asked for. ``stride`` doubles as the run goes on, so that the memory stays bounded.
    """

    most_fields: int
    newton_tolerance: float
    steps: list[Step] = field(default_factory=list)
    starts_h: list[float] = field(default_factory=list)
    kept: dict[int, TapedStep] = field(default_factory=dict)
    stride: int = 0  # 0: everything is kept

    def record(self, start_h: float, step: Step, run: Stages) -> None:
        """Take down an accepted step before the run moves on."""
        n = len(self.steps)
        self.steps.append(step)
        self.starts_h.append(start_h)
        if self.stride == 0 and (n + 1) * (FIELDS_PER_CHECKPOINT + FIELDS_OF_STAGES) > self.most_fields:
            self._thin(1)
        if self.stride == 0:
            self.kept[n] = _copy(run, with_stages=True)
        elif n % self.stride == 0:
            self.kept[n] = _copy(run, with_stages=False)
            if self._fields(n + 1) > self.most_fields and self._fields(n + 1, 2 * self.stride) < self._fields(n + 1):
                self._thin(2 * self.stride)

    def _fields(self, n: int, stride: int | None = None) -> int:
        every = stride or self.stride
        return -(-n // every) * FIELDS_PER_CHECKPOINT + every * (FIELDS_PER_CHECKPOINT + FIELDS_OF_STAGES)

    def _thin(self, stride: int) -> None:
        self.stride = stride
        self.kept = {
            n: TapedStep(s.state, s.first_slope, s.free_at_start, None) for n, s in self.kept.items() if n % stride == 0
        }

    def backwards(self, run: Stages) -> Iterator[tuple[int, TapedStep]]:
        """The steps from last to first. ``run`` is the march's own, used to solve again what was not kept."""
        if self.stride == 0:
            for n in range(len(self.steps) - 1, -1, -1):
                yield n, self.kept.pop(n)
            return
        for first in range((len(self.steps) - 1) // self.stride * self.stride, -1, -self.stride):
            stretch = self._again(first, min(first + self.stride, len(self.steps)), run)
            while stretch:
                yield first + len(stretch) - 1, stretch.pop()

    def _again(self, first: int, end: int, run: Stages) -> list[TapedStep]:
        start = self.kept.pop(first)
        run.state[...], run.slopes[0], run.free[0] = start.state, start.first_slope, start.free_at_start
        found, tally = [], March()
        for n in range(first, end):
            step = self.steps[n]
            last = n == len(self.steps) - 1
            if not run.take(step.size_h, step.plasma, self.newton_tolerance, last, tally):
                raise DidNotConverge(f"The step to {step.end_h:.4g} h converged once, but not when solved again.")
            found.append(_copy(run, with_stages=True))
            run.accept()
        return found


def _copy(run: Stages, with_stages: bool) -> TapedStep:
    free = run.free[1:].copy() if with_stages else None
    return TapedStep(run.state.copy(), run.slopes[0].copy(), run.free[0].copy(), free)
