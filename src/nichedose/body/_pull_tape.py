"""Derivatives taken back along a tape."""

from __future__ import annotations

from typing import Any

import numpy as np

from nichedose._compiled import njit
from nichedose.body.tape import LEAF

__all__ = ["pull_tape"]


@njit(cache=True, error_model="numpy")
def pull_tape(lists: Any, values: Any, bars: Any) -> None:
    """``bars`` (steps, m), derivatives of m results by each step's own value, become derivatives by the leaves."""
    for s in range(values.size - 1, -1, -1):
        operation, left, right = lists.operation[s], lists.left[s], lists.right[s]
        if operation == LEAF:
            continue
        x = values[left] if left >= 0 else lists.left_constant[s]
        y = values[right] if right >= 0 else lists.right_constant[s]
        to_left = to_right = 1.0
        if operation == 1:
            to_right = -1.0
        elif operation == 2:
            to_left, to_right = y, x
        elif operation == 3:
            to_left, to_right = 1.0 / y, -values[s] / y
        elif operation == 4:
            to_left = y * x ** (y - 1.0)
            to_right = values[s] * np.log(x) if right >= 0 else 0.0
        for m in range(bars.shape[1]):
            if left >= 0:
                bars[left, m] += to_left * bars[s, m]
            if right >= 0:
                bars[right, m] += to_right * bars[s, m]
