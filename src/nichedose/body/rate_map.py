"""The rates of a model as functions of its parameters' scores: recorded once, then replayed for thousands of draws.

Building one model costs more than solving it. So its arithmetic is recorded on one run and replayed on arrays, and
taken back for derivatives. Comparisons are recorded as guards; a draw that breaks one is built afresh.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from nichedose.body.model import BodyModel
from nichedose.body.score_draw import ScoreDraw
from nichedose.body.score_quantile import quantile_of_score, slope_of_score
from nichedose.body.tape import LEAF, OPERATIONS, TapeLists
from nichedose.fields.grid import Array, BoolArray
from nichedose.values import Draw, Value

__all__ = ["RateMap", "rate_map"]

TABLES = ("rates", "sites", "volume_L", "under_amino_acids")
NUMBERS = ("plasma_volume_L", "free_fraction", "haematocrit", "blood_cell_ratio")
PROBES = 2  # builds that a recording is compared with
SAME = 1e-12  # relative; replay does the same operations in the same order

Operand = int | float  # a place on the tape, or a constant
_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv, "pow": operator.pow}
_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq, "ne": operator.ne}


@dataclass(frozen=True)
class _Step:
    operation: str
    left: Operand
    right: Operand


@dataclass(frozen=True)
class _Guard:
    comparison: str
    left: Operand
    right: Operand
    outcome: bool


class _Tape:
    """What was asked for, and what was done with it, in order."""

    def __init__(self) -> None:
        self.leaves: dict[str, _Recorded] = {}
        self.steps: list[_Step | None] = []  # None: a leaf
        self.guards: list[_Guard] = []


class _Recorded(float):
    """A number that writes down what is done with it. Functions of `math` forget; `rate_map` finds that out."""

    tape: _Tape
    place: int

    @classmethod
    def on(cls, tape: _Tape, value: float, step: _Step | None) -> _Recorded:
        number = cls(value)
        number.tape, number.place = tape, len(tape.steps)
        tape.steps.append(step)
        return number

    def __neg__(self) -> _Recorded:
        return -1.0 * self  # type: ignore[return-value]

    __hash__ = float.__hash__


def _operand(x: Any) -> Operand:
    return x.place if isinstance(x, _Recorded) else float(x)


def _records(name: str, apply: Callable[[Any, Any], Any]) -> None:
    def forward(self: _Recorded, other: Any) -> Any:
        if not isinstance(other, (int, float)):
            return NotImplemented
        return _Recorded.on(self.tape, apply(_plain(self), _plain(other)), _Step(name, self.place, _operand(other)))

    def backward(self: _Recorded, other: Any) -> Any:
        if not isinstance(other, (int, float)):
            return NotImplemented
        return _Recorded.on(self.tape, apply(_plain(other), _plain(self)), _Step(name, _operand(other), self.place))

    setattr(_Recorded, f"__{name}__", forward)
    setattr(_Recorded, f"__r{name}__", backward)


def _compares(name: str, apply: Callable[[Any, Any], Any]) -> None:
    def compare(self: _Recorded, other: Any) -> Any:
        if not isinstance(other, (int, float)):
            return NotImplemented
        outcome = bool(apply(_plain(self), _plain(other)))
        self.tape.guards.append(_Guard(name, self.place, _operand(other), outcome))
        return outcome

    setattr(_Recorded, f"__{name}__", compare)


for _name, _apply in _OPERATIONS.items():
    _records(_name, _apply)
for _name, _apply in _COMPARISONS.items():
    _compares(_name, _apply)


def _plain(x: float) -> float:
    return float.__float__(x) if isinstance(x, float) else float(x)


@dataclass(frozen=True)
class _RecordingDraw(Draw):
    tape: _Tape | None = None

    def __call__(self, key: str, value: Value) -> float:
        self.used[key] = value
        if value.is_fixed:
            return value.central
        assert self.tape is not None
        if key not in self.tape.leaves:
            self.tape.leaves[key] = _Recorded.on(self.tape, value.central, None)
        return self.tape.leaves[key]


@dataclass(frozen=True)
class RateMap:
    """``priors`` are all uncertain parameters of ``build``, in the order in which it asked.

    ``asked`` names the fixed ones too. ``template`` is the model at their medians. Without a tape (where recording lost
    something) every model is built.
    """

    build: Callable[[Draw], BodyModel]
    priors: Mapping[str, Value]
    asked: frozenset[str]
    template: BodyModel
    steps: tuple[_Step | None, ...] = ()
    guards: tuple[_Guard, ...] = ()
    outputs: tuple[Operand, ...] = ()

    @property
    def is_recorded(self) -> bool:
        return bool(self.outputs)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.priors)

    def built(self, scores: Array) -> BodyModel:
        """The model of one row of scores, built afresh."""
        return self.build(ScoreDraw(scores=dict(zip(self.priors, scores.tolist(), strict=True))))

    def models(self, scores: Array) -> list[BodyModel]:
        """The model of every row of ``scores`` (n, parameters)."""
        if not self.is_recorded:
            return [self.built(row) for row in scores]
        tape = self.replay([quantile_of_score(v, scores[:, i], ndtr, ndtri)
                            for i, v in enumerate(self.priors.values())])
        holds = self._guarded(tape, len(scores))
        numbers = np.stack([np.broadcast_to(_at(tape, o), len(scores)) for o in self.outputs], axis=1)
        names = _outputs(self.template)
        return [self._filled(names, row.tolist()) if held else self.built(score)
                for row, held, score in zip(numbers, holds, scores, strict=True)]

    def replay(self, values: Sequence[Any]) -> list[Any]:
        """Every number of the tape, where the parameters have ``values``."""
        tape: list[Any] = []
        leaves = iter(values)
        for step in self.steps:
            if step is None:
                tape.append(next(leaves))
            else:
                tape.append(_OPERATIONS[step.operation](_at(tape, step.left), _at(tape, step.right)))
        return tape

    def at(self, scores: Array) -> tuple[BodyModel, Array] | None:
        """The model of one row of scores with its tape, or None where no recording holds."""
        if not self.is_recorded:
            return None
        tape = self.replay([float(quantile_of_score(v, x, ndtr, ndtri))
                            for v, x in zip(self.priors.values(), scores.tolist(), strict=True)])
        if not self._guarded(tape, 1)[0]:
            return None
        numbers = [float(_at(tape, o)) for o in self.outputs]
        return self._filled(_outputs(self.template), numbers), np.array(tape, dtype=float)

    def pulled(self, tape: Array, scores: Array, bars: Array) -> Array:
        """(parameters, m) derivatives by the scores, from ``bars`` (numbers, m) by the model's `numbers`."""
        from nichedose.body._pull_tape import pull_tape  # numba loads when it is needed

        on_tape = np.zeros((tape.size, bars.shape[1]))
        for o, bar in zip(self.outputs, bars, strict=True):
            if isinstance(o, int):
                on_tape[o] += bar
        pull_tape(self.lists, tape, on_tape)
        leaves = on_tape[self.lists.operation == LEAF]
        slopes = [slope_of_score(v, x) for v, x in zip(self.priors.values(), scores.tolist(), strict=True)]
        return np.asarray(leaves * np.array(slopes)[:, None])

    @functools.cached_property
    def numbers(self) -> Mapping[tuple[str, str], int]:
        """The place of each number of a model by (field, key); key '' for single numbers."""
        return {name: i for i, name in enumerate(_outputs(self.template))}

    @functools.cached_property
    def lists(self) -> TapeLists:
        """The tape as arrays."""
        steps = [s or _Step("", -1, -1) for s in self.steps]

        def place(o: Operand) -> int:
            return o if isinstance(o, int) else -1

        def constant(o: Operand) -> float:
            return 0.0 if isinstance(o, int) else o

        return TapeLists(
            np.array([OPERATIONS.index(s.operation) if s.operation else LEAF for s in steps], dtype=np.int64),
            np.array([place(s.left) for s in steps], dtype=np.int64),
            np.array([place(s.right) for s in steps], dtype=np.int64),
            np.array([constant(s.left) for s in steps]), np.array([constant(s.right) for s in steps]))

    def _guarded(self, tape: Sequence[Any], n: int) -> BoolArray:
        holds = np.ones(n, dtype=bool)
        for g in self.guards:
            holds &= _COMPARISONS[g.comparison](_at(tape, g.left), _at(tape, g.right)) == g.outcome
        return holds

    def _filled(self, names: Sequence[tuple[str, str]], numbers: Sequence[float]) -> BodyModel:
        """The template with other numbers."""
        found: dict[str, Any] = {name: {} for name in TABLES}
        for (field, key), number in zip(names, numbers, strict=True):
            if key:
                found[field][key] = number
            else:
                found[field] = number
        return replace(self.template, **found)


def rate_map(build: Callable[[Draw], BodyModel]) -> RateMap:
    """Record ``build``. The recording is compared with models that are built; where they differ it is not used."""
    tape = _Tape()
    draw = _RecordingDraw(tape=tape)
    model = build(draw)
    numbers = [getattr(model, field)[key] if key else getattr(model, field) for field, key in _outputs(model)]
    priors = {key: draw.used[key] for key in tape.leaves}
    plain = RateMap(build, priors, frozenset(draw.used), build(Draw()))
    recorded = replace(plain, steps=tuple(tape.steps), guards=tuple(tape.guards),
                       outputs=tuple(_operand(x) for x in numbers))
    probes = np.random.default_rng(0).standard_normal((PROBES, len(priors)))
    for ours, afresh in zip(recorded.models(probes), map(recorded.built, probes), strict=True):
        if ours.network != afresh.network or any(
                not np.isclose(_number(ours, name), _number(afresh, name), rtol=SAME, atol=0.0)
                for name in _outputs(afresh)):
            return plain
    return recorded


def _outputs(model: BodyModel) -> list[tuple[str, str]]:
    return [*((t, key) for t in TABLES for key in getattr(model, t)), *((name, "") for name in NUMBERS)]


def _number(model: BodyModel, name: tuple[str, str]) -> float:
    field, key = name
    found = getattr(model, field)
    return float(found[key] if key else found)


def _at(tape: Sequence[Any], operand: Operand) -> Any:
    return tape[operand] if isinstance(operand, int) else operand
