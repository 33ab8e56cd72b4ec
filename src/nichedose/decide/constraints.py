"""Conditions on candidates, and limits of the user's own: parsed once, contradictions named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from nichedose.decide.outcome import Objective, objective_named
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array, BoolArray
from nichedose.quantities import parse_quantity

__all__ = ["Condition", "OwnLimit", "admissible", "check_conditions", "parse_condition", "parse_limit"]

LimitQuantity = Literal["absorbed_dose", "bed", "weighted_rbe5"]
_QUANTITIES: tuple[LimitQuantity, ...] = get_args(LimitQuantity)


@dataclass(frozen=True)
class Condition:
    """``objective`` at least or at most ``value``."""

    objective: Objective
    side: Literal["at least", "at most"]
    value: float

    def __str__(self) -> str:
        return f"{self.objective} {self.side} {self.value:g}"


@dataclass(frozen=True)
class OwnLimit:
    """A limit that the user sets: ``Gy`` in ``quantity``, over the whole course, and where it comes from."""

    organ: str
    quantity: LimitQuantity
    Gy: float
    source: str


def parse_condition(text: str) -> Condition:
    """``"log_kill >= 2"`` or ``"organ_burden <= 0.8"``; raises `BadInput` with what is allowed.

    >>> str(parse_condition("log_kill >= 2"))
    'log_kill at least 2'
    """
    side: Literal["at least", "at most"] = "at least" if ">=" in text else "at most"
    name, sign, number = text.partition(">=" if ">=" in text else "<=")
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not sign or not np.isfinite(value):
        raise BadInput(f"The condition '{text}' cannot be read; write for example 'log_kill >= 2' or "
                       "'organ_burden <= 0.8'.")
    return Condition(objective_named(name.strip()), side, value)


def check_conditions(conditions: Sequence[Condition]) -> None:
    """Raise `BadInput` for two conditions that nothing can meet, naming both."""
    for low in (c for c in conditions if c.side == "at least"):
        for high in (c for c in conditions if c.side == "at most" and c.objective == low.objective):
            if high.value < low.value:
                raise BadInput(f"The conditions '{low}' and '{high}' contradict each other: nothing meets both. Drop "
                               "one of them.")


def parse_limit(text: str) -> OwnLimit:
    """``"kidney absorbed_dose 18 Gy: protocol of our ward"``.

    Raises `BadInput` for a limit without a unit, a source, or with an unknown quantity.
    """
    body, _, source = text.partition(":")
    words = body.split(maxsplit=2)
    if not source.strip():
        raise BadInput(f"The limit '{text}' has no source; say after a colon where it comes from, for example "
                       "'kidney absorbed_dose 18 Gy: protocol of our ward'.")
    if len(words) != 3:
        raise BadInput(f"The limit '{text}' cannot be read; write ORGAN QUANTITY DOSE: SOURCE, for example "
                       "'kidney absorbed_dose 18 Gy: protocol of our ward'.")
    organ, quantity, amount = words
    for known in _QUANTITIES:
        if quantity == known:
            try:
                dose = parse_quantity(amount, "Gy", minimum=0.0)
            except BadInput as error:
                raise BadInput(f"The limit '{text}': {error}") from error
            return OwnLimit(organ, known, dose, source.strip())
    raise BadInput(f"The limit '{text}': unknown quantity '{quantity}'.{near_miss(quantity, _QUANTITIES)}")


def admissible(values: Mapping[Objective, Array], conditions: Sequence[Condition]) -> BoolArray:
    """Whether each draw meets every condition, (n_draws,); a draw in which the objective is not known does not."""
    met = np.ones(next(iter(values.values())).shape, dtype=bool)
    for c in conditions:
        known = values[c.objective]
        met &= known >= c.value if c.side == "at least" else known <= c.value
    return met
