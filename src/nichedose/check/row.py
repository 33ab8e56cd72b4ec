"""One line of `nichedose check`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["CheckRow"]


@dataclass(frozen=True)
class CheckRow:
    """``ours`` against ``reference``; ``tolerance`` is relative unless ``absolute``. ``source`` is citable."""

    id: str
    source: str
    kind: Literal["published", "independent code", "analytic", "self-test"]
    ours: float
    reference: float
    tolerance: float
    absolute: bool = False
    unit: str = ""
    note: str = ""

    @property
    def ok(self) -> bool:
        if not math.isfinite(self.ours):
            return False
        scale = 1.0 if self.absolute else abs(self.reference)
        return bool(abs(self.ours - self.reference) <= self.tolerance * scale)  # rooms hand over NumPy numbers too
