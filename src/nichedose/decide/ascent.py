"""The largest value of something expensive that comes with its gradient, inside a box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scipy.optimize import minimize

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["Ascent", "ascend"]

Evaluate = Callable[[Array], tuple[float, Array]]


@dataclass(frozen=True)
class Ascent:
    """Where it ended, the value there, and how often value and gradient were asked for together."""

    x: Array
    value: float
    evaluations: int


def ascend(
    evaluate: Evaluate, low: Array, high: Array, start: Array, *, relative: float = 1e-4, most: int = 60
) -> Ascent:
    """Climb from ``start`` by a limited-memory quasi-Newton method (L-BFGS-B) until a step gains less than ``relative``
    of the value. Equal ``low`` and ``high`` hold a coordinate fixed. Raises `BadInput` for a start outside the box.

    >>> import numpy as np
    >>> top = ascend(lambda x: (-float((x - 1.0) @ (x - 1.0)), -2.0 * (x - 1.0)),
    ...              np.zeros(2), np.full(2, 5.0), np.full(2, 3.0))
    >>> top.x.round(3).tolist(), top.evaluations < 6
    ([1.0, 1.0], True)
    """
    if bool((start < low).any() or (start > high).any() or (low > high).any()):
        raise BadInput(f"The start {start.tolist()} does not lie between {low.tolist()} and {high.tolist()}.")
    best: list[tuple[float, Array]] = []

    def negative(x: Array) -> tuple[float, Array]:
        value, slope = evaluate(x)
        best.append((value, x.copy()))
        return -value, -slope

    first = abs(evaluate(start)[0])
    scale = 1.0 / first if first > 0.0 else 1.0

    def scaled(x: Array) -> tuple[float, Array]:
        value, slope = negative(x)
        return scale * value, scale * slope

    minimize(scaled, start, jac=True, method="L-BFGS-B", bounds=list(zip(low, high, strict=True)),
             options={"ftol": relative, "gtol": 1e-4, "maxfun": most})
    value, x = max(best, key=lambda pair: pair[0])
    return Ascent(x, value, len(best) + 1)
