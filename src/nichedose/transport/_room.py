"""Room for the fields of a run, laid out for the caches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Room"]

LINE, PAGE = 64, 4096  # bytes
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


class Room:
    """Gives fields of zeros that start on a cache line, each at another place of a memory page.

    Large arrays come from the system at the same place of a page. Loops over a dozen of them would then use the same
    few lines of the innermost cache, and take loads for ones of what was just stored: up to four times as long.
    """

    def __init__(self) -> None:
        self.given = 0

    def zeros(self, shape: int | tuple[int, ...], dtype: type = np.float64) -> NDArray[Any]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        whole = np.zeros(size + PAGE, np.uint8)
        place = int(self.given * GOLDEN % 1.0 * PAGE) // LINE * LINE
        self.given += 1
        first = (place - whole.ctypes.data) % PAGE
        return whole[first : first + size].view(dtype).reshape(shape)
