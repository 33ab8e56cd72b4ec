"""How much of a spot's counts is how many cells it holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array

__all__ = ["Content", "content_of"]

EXPONENT = 0.5  # assumed: total counts follow cell content and capture in equal parts
LIMITS = (0.25, 4.0)  # of the section mean; beyond, total counts speak of capture, not of cells


@dataclass(frozen=True, eq=False)
class Content:
    """``relative`` (n_spots,) cell content, mean 1, and the standard deviation of its logarithm."""

    relative: Array
    log_sd: float


def content_of(depth: Array) -> Content:
    """Cell content from total counts ``depth`` (n_spots,): counts to the power f, f the share of log variance V that
    is content. Two independent lognormal causes of which the product alone is seen leave sqrt(f (1 - f) V).
    """
    ratio = np.clip(depth / depth.mean(), *LIMITS)
    relative = ratio**EXPONENT
    log_sd = float(np.sqrt(EXPONENT * (1.0 - EXPONENT)) * np.log(ratio).std())
    return Content(np.asarray(relative / relative.mean()), log_sd)
