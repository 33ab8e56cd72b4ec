"""What counts as one number where a number is asked for."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, TypeGuard

import numpy as np

__all__ = ["is_number"]


def is_number(value: Any) -> TypeGuard[float]:
    """Whether ``value`` is one finite real number: no text, no truth value, no array.

    >>> is_number(2), is_number("2"), is_number(True), is_number(float("nan"))
    (True, False, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_) and math.isfinite(value)
