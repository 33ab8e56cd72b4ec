"""The rates of a model as functions of its parameters' scores: recorded once, then replayed for thousands of draws.

Building one model costs more than solving it. So its arithmetic is recorded on one run and replayed on arrays: NumPy's
for populations, JAX's for derivatives. Comparisons are recorded as guards; a draw that breaks one is built afresh.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from nichedose.body.model import BodyModel
from nichedose.body.score_draw import ScoreDraw
from nichedose.fields.grid import Array, BoolArray
from nichedose.values import Draw, Value

__all__ = ["RateMap", "quantile_of_score", "rate_map"]

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


def quantile_of_score(value: Value, score: Any, phi: Callable[[Any], Any], inverse: Callable[[Any], Any]) -> Any:
    """`Value.quantile` at the normal probability of ``score``, an array of any namespace with its ``phi``."""
    if value.value is not None:
        return value.value + 0.0 * score
    if value.median is not None and value.geometric_sd is not None:
        return value.median * value.geometric_sd**score
    if value.mean is not None and value.sd is not None:
        if value.sd == 0.0:
            return value.mean + 0.0 * score
        cut = float(ndtr(-value.mean / value.sd))
        return value.mean + value.sd * inverse(cut + phi(score) * (1.0 - 2.0 * cut))
    assert value.low is not None and value.high is not None
    if value.log:
        return value.low * (value.high / value.low) ** phi(score)
    return value.low + phi(score) * (value.high - value.low)


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

    def output(self, tape: Sequence[Any]) -> dict[tuple[str, str], Any]:
        """Numbers of the model by (field, key) from a replayed tape; key '' for single numbers."""
        return {name: _at(tape, o) for name, o in zip(_outputs(self.template), self.outputs, strict=True)}

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
