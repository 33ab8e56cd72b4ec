"""From survivors to control, and back: populations of tumours, and the dose that a wanted control takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from nichedose.errors import BadInput, NotComputed
from nichedose.fields.grid import Array

__all__ = ["log_kill_for_control", "scale_for_log_kill", "tcp_birth_death", "tcp_population"]

MOST_DOUBLINGS = 60


def log_kill_for_control(probability: float, clonogens: float) -> float:
    """log10 kill that leaves ``clonogens`` extinct with ``probability`` (Poisson): log10(N/-ln p).

    >>> round(log_kill_for_control(0.5, 1.79e8), 3)
    8.412
    """
    if not 0.0 < probability < 1.0:
        raise BadInput(f"probability = {probability:g}; it must lie between 0 and 1, without them.")
    if not (math.isfinite(clonogens) and clonogens > 0.0):
        raise BadInput(f"clonogens = {clonogens:g}; it must be finite and above 0.")
    return math.log10(clonogens / -math.log(probability))


def scale_for_log_kill(log_kill_at: Callable[[float], float], wanted: float, start: float = 1.0) -> float:
    """The factor on dose or activity at which ``log_kill_at`` reaches ``wanted``; the function must rise.

    Raises `BadInput` for a wanted kill not above 0, `NotComputed` when no factor below start x 2^60 reaches it
    (clonogens without dose).

    >>> round(scale_for_log_kill(lambda x: 0.2 * x + 0.01 * x * x, 5.0), 6)
    14.494897
    """
    if not (math.isfinite(wanted) and wanted > 0.0 and start > 0.0):
        raise BadInput(f"wanted = {wanted:g} and start = {start:g}; both must be finite and above 0.")
    high = start
    for _ in range(MOST_DOUBLINGS):
        if log_kill_at(high) >= wanted:
            break
        high *= 2.0
    else:
        raise NotComputed(f"No dose reaches a log kill of {wanted:g}: at {high:g} times it is {log_kill_at(high):.3g}. "
                          "Some clonogens receive none.")
    return float(brentq(lambda x: log_kill_at(x) - wanted, 0.0, high, rtol=1e-12))


def tcp_population(log_kills: ArrayLike, clonogens: float, weights: Sequence[float] | None = None) -> float:
    """Control in a population whose tumours differ in sensitivity: the mean of the Poisson TCP, not TCP of the mean."""
    kills = np.atleast_1d(np.asarray(log_kills, dtype=float))
    share = np.full(kills.shape, 1.0 / kills.size) if weights is None else np.asarray(weights, dtype=float)
    if share.shape != kills.shape or bool((share < 0.0).any()) or not share.sum() > 0.0:
        raise BadInput("Give one weight, not negative, for each log kill.")
    if np.isnan(kills).any() or not clonogens > 0.0:
        raise BadInput("Log kills must be numbers and clonogens above 0.")
    return float(np.exp(-clonogens * 10.0**-kills) @ share / share.sum())


def tcp_birth_death(
    survivors: Array | float, birth_per_h: float, loss_per_h: float, time_h: float
) -> float:
    """Control at ``time_h`` when each survivor divides and is lost at random (birth-death process).

    One survivor's line is extinct by t with probability d (e - 1)/(b e - d), e = exp((b - d) t); Poisson numbers of
    survivors make it exp(-survivors (1 - that)). At t = 0 it is the Poisson TCP.
    """
    b, d = birth_per_h, loss_per_h
    if min(b, d, time_h) < 0.0 or not np.isfinite([b, d, time_h]).all():
        raise BadInput("Birth, loss and time must be finite and not negative.")
    if math.isclose(b, d, rel_tol=1e-12, abs_tol=0.0):
        extinct = d * time_h / (1.0 + d * time_h)
    elif b > d:
        shrink = math.exp((d - b) * time_h)
        extinct = d * (1.0 - shrink) / (b - d * shrink)
    else:
        grow = math.exp((b - d) * time_h)
        extinct = d * (1.0 - grow) / (d - b * grow)
    return float(np.exp(-np.sum(np.asarray(survivors, dtype=float)) * (1.0 - extinct)))
