"""A parameter as a function of its score, the standard normal quantile of where it stands in its distribution."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from scipy.special import ndtr, ndtri

from nichedose.values import Value

__all__ = ["quantile_of_score", "slope_of_score"]


def quantile_of_score(value: Value, score: Any, phi: Callable[[Any], Any], inverse: Callable[[Any], Any]) -> Any:
    """`Value.quantile` at the normal probability of ``score``, an array of any namespace with its ``phi``."""
    if value.value is not None:
        return value.value + 0.0 * score
    if value.median is not None and value.geometric_sd is not None:
        return value.median * value.geometric_sd**score
    if value.mean is not None and value.sd is not None:
        if value.sd == 0.0:
            return value.mean + 0.0 * score
        cut = float(ndtr(-value.mean / value.sd))
        return value.mean + value.sd * inverse(cut + phi(score) * (1.0 - 2.0 * cut))
    assert value.low is not None and value.high is not None
    if value.log:
        return value.low * (value.high / value.low) ** phi(score)
    return value.low + phi(score) * (value.high - value.low)


def slope_of_score(value: Value, score: float) -> float:
    """Derivative of `quantile_of_score` by the score."""
    density = math.exp(-0.5 * score**2) / math.sqrt(2.0 * math.pi)
    if value.median is not None and value.geometric_sd is not None:
        return math.log(value.geometric_sd) * value.median * math.pow(value.geometric_sd, score)
    if value.mean is not None and value.sd is not None:
        if value.sd == 0.0:
            return 0.0
        inside = 1.0 - 2.0 * float(ndtr(-value.mean / value.sd))
        own = float(ndtri(0.5 - 0.5 * inside + ndtr(score) * inside))
        return value.sd * inside * math.exp(0.5 * (own**2 - score**2))
    assert value.low is not None and value.high is not None
    if value.log:
        ratio = value.high / value.low
        return math.log(ratio) * value.low * math.pow(ratio, float(ndtr(score))) * density
    return (value.high - value.low) * density
