"""A recorded list of operations as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAF", "OPERATIONS", "TapeLists"]

OPERATIONS = ("add", "sub", "mul", "truediv", "pow")
LEAF = -1


class TapeLists(NamedTuple):
    """Of each step: the index of its operation (or LEAF), the places of its operands (-1: a constant) and these
    constants."""

    operation: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    left_constant: NDArray[np.float64]
    right_constant: NDArray[np.float64]
