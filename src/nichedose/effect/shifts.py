"""Scores of a section that may shift sensitivity from place to place: DNA repair and proliferation. Off by default."""

from __future__ import annotations

import math

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["sensitivity_factor"]

MOST_SCORE = 3.0  # standard deviations; a score beyond is an outlier of the assay, not of the cells


def sensitivity_factor(score: Array, log_change_per_sd: float) -> Array:
    """Factor on alpha (or on sqrt(beta)): exp(-``log_change_per_sd`` x score), score in standard deviations.

    The sign is that of resistance: a high DNA-repair score with a positive change protects. Scores are cut at three
    standard deviations. Raises `BadInput` for a missing score, or a change beyond +-1.

    >>> [round(float(f), 3) for f in sensitivity_factor(np.array([-1.0, 0.0, 1.0]), 0.2)]
    [1.221, 1.0, 0.819]
    """
    values = np.asarray(score, dtype=float)
    if not np.isfinite(values).all():
        raise BadInput("A score holds NaN or infinite values; leave the shift off where the score was not measured.")
    if not (math.isfinite(log_change_per_sd) and abs(log_change_per_sd) <= 1.0):
        raise BadInput(f"log_change_per_sd = {log_change_per_sd:g}; it must lie between -1 and 1.")
    return np.asarray(np.exp(-log_change_per_sd * np.clip(values, -MOST_SCORE, MOST_SCORE)))
