"""One line of `nichedose check`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["CheckRow"]


@dataclass(frozen=True)
class CheckRow:
    """``ours`` against ``reference``; ``tolerance`` is relative unless ``absolute``. ``source`` is citable.

    ``known_difference`` says why a row is expected outside its tolerance. It must be outside then: once it is not, the
    row fails until the reason is taken out.
    """

    id: str
    source: str
    kind: Literal["published", "independent code", "analytic", "self-test"]
    ours: float
    reference: float
    tolerance: float
    absolute: bool = False
    unit: str = ""
    note: str = ""
    known_difference: str = ""

    @property
    def within(self) -> bool:
        scale = 1.0 if self.absolute else abs(self.reference)
        return bool(abs(self.ours - self.reference) <= self.tolerance * scale)  # rooms hand over NumPy numbers too

    @property
    def ok(self) -> bool:
        return math.isfinite(self.ours) and self.within is not bool(self.known_difference)
