"""What an objective of label integrals must be and return, for the runs that differentiate it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.fields.number import kind, real_array

__all__ = ["answer_of", "check_objective", "slope"]


def check_objective(objective: Any) -> None:
    if not callable(objective):
        raise BadInput("An objective is a function that takes label integrals and returns (value, derivatives); got "
                       f"{kind(objective)}.")  # fmt: skip


def answer_of(answer: Any, layout: str) -> tuple[float, Mapping[Any, Mapping[Any, Any]]]:
    """What an objective returned, where it is a finite value and derivatives in the ``layout`` that is shown."""
    pair = answer if isinstance(answer, tuple | list) and len(answer) == 2 else (None, None)
    try:
        value = real_array("value", pair[0])
    except BadInput:
        value = np.array(np.nan)
    if value.ndim or not np.isfinite(value):
        raise BadInput(f"An objective returns (value, derivatives) with a finite value; got {answer!r:.80}.")
    if not isinstance(pair[1], Mapping) or not all(isinstance(maps, Mapping) for maps in pair[1].values()):
        raise BadInput(f"An objective returns its derivatives by {layout}; got {pair[1]!r:.80}.")
    return float(value), pair[1]


def slope(of: str, field: Any, mask: BoolArray) -> Array:
    """An objective's derivative by one map, where tissue is (n,)."""
    what = f"The objective's derivative for {of}"
    given = real_array(what, field)
    if given.shape != mask.shape or not np.isfinite(given[mask]).all():
        raise BadInput(f"{what} must be finite in tissue, of shape {mask.shape}; got shape {given.shape}"
                       f"{', not finite' if given.shape == mask.shape else ''}.")  # fmt: skip
    return given[mask]
