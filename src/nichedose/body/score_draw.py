"""A draw in which named parameters stand at chosen quantiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scipy.special import ndtr

from nichedose.values import Draw, Value

__all__ = ["ScoreDraw"]


@dataclass(frozen=True)
class ScoreDraw(Draw):
    """Gives parameter ``key`` the quantile at the normal probability of ``scores[key]``; all others as `Draw` does.

    So every distribution becomes a standard normal one, whatever its form.

    >>> value = Value(median=2.0, geometric_sd=3.0, evidence="assumed")
    >>> round(ScoreDraw(scores={"rate": 1.0})("rate", value), 9)
    6.0
    """

    scores: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, key: str, value: Value) -> float:
        if key not in self.scores:
            return super().__call__(key, value)
        self.used[key] = value
        return value.quantile(float(ndtr(self.scores[key])))
