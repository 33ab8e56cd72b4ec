"""What counts as a number, a whole number or an array of numbers where one is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from nichedose.errors import BadInput

__all__ = ["are_numbers", "is_number", "is_whole", "kind", "real_array"]


def is_number(value: Any) -> TypeGuard[float]:
    """Whether ``value`` is one finite real number: no text, no truth value, no array.

    >>> is_number(2), is_number("2"), is_number(True), is_number(float("nan"))
    (True, False, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_) and math.isfinite(value)


def is_whole(value: Any, least: int) -> TypeGuard[int]:
    """Whether ``value`` is one whole number at or above ``least``: no text, no truth value, no 3.0."""
    return isinstance(value, Integral) and not isinstance(value, bool | np.bool_) and int(value) >= least


def are_numbers(values: Any) -> TypeGuard[Sequence[float]]:
    """Whether ``values`` is a list, tuple or array of finite real numbers, which may be empty."""
    return isinstance(values, Sequence | np.ndarray) and np.ndim(values) <= 1 and all(is_number(v) for v in values)


def real_array(name: str, value: Any) -> NDArray[np.float64]:
    """A number or an array of real numbers as an array of float64; `BadInput` for text, truth values, rows of unequal
    length, and all else that NumPy would turn into a number in silence or stumble over.

    >>> real_array("radii", [0, 1]).tolist()
    [0.0, 1.0]
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        array = np.asarray(None)
    if array.dtype.kind not in "fiu":
        raise BadInput(f"{name} must be a number or an array of real numbers; got {kind(value)}.")
    return array.astype(float, copy=False)


def kind(value: Any) -> str:
    """What a value is, in a few words for a message."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return repr(value) if isinstance(value, str | bool) else type(value).__name__
