"""How plasma at the stages of a step changes with a supply's parameters and with the step's place and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nichedose.fields.grid import Array
from nichedose.transport._network_march import BEFORE_KINK, ends_at_kink
from nichedose.transport._tableau import B, C
from nichedose.transport.supply import Given, Sampled, Supply

__all__ = ["LevelSlopes", "level_slopes", "opens_with"]

Complex = NDArray[np.complexfloating[Any, Any]]
TINY = 1e-40  # of a complex step: its square vanishes, so the slope is exact to rounding


@dataclass(frozen=True)
class LevelSlopes:
    """Slopes of a step's corrected levels (6,): by the supply's start and infusion length, by the step's start and
    size, and, of `Given`, by amplitudes and rates (n, 6)."""

    start: Array
    over: Array
    time: Array
    step: Array
    amplitudes: Array
    rates: Array


def level_slopes(supply: Supply, time: float, step: float) -> LevelSlopes | None:
    """Slopes of what `march_network` takes for a step's levels; None where the supply has no closed form here."""
    kink = ends_at_kink(supply, time, step)
    if isinstance(supply, Given):
        n = len(supply.curve.rates_per_h)
        now = np.array([*supply.curve.amplitudes_nmol_per_L, *supply.curve.rates_per_h, supply.start_h, supply.over_h,
                        time, step])  # fmt: skip
        found = _slopes(_given(now + TINY * 1j * np.eye(now.size), n, _phase(supply, time + 0.5 * step)), kink)
        return LevelSlopes(*_four(found[2 * n :]), found[:n], found[n : 2 * n])
    if isinstance(supply, Sampled):
        moved = np.array([0.0, 0.0, time, step]) + TINY * 1j * np.eye(4)
        found, none = _slopes(_sampled(moved, supply, time + 0.5 * step), kink), np.zeros((0, 6))
        return LevelSlopes(*_four(found), none, none)
    return None


def opens_with(supply: Supply, kink: float) -> float | None:
    """By how much the level jumps at one of its kinks; None where the supply has no closed form here."""
    if isinstance(supply, Given):
        bolus = supply.over_h == 0.0 and kink == supply.start_h
        return float(sum(supply.curve.amplitudes_nmol_per_L)) if bolus else 0.0
    if isinstance(supply, Sampled):
        first = supply.nmol_per_L[0] if kink == supply.times_h[0] else 0.0
        return first - (supply.nmol_per_L[-1] if kink == supply.times_h[-1] else 0.0)
    return None


def _four(rows: Array) -> tuple[Array, Array, Array, Array]:
    return rows[0], rows[1], rows[2], rows[3]


def _slopes(levels_area_step: tuple[Complex, Complex, Complex], kink: bool) -> Array:
    values, area, step = levels_area_step
    if kink:
        values[:, 4:] = values[:, :4] @ BEFORE_KINK.T
    rough = step * (values @ B)
    close = rough[0].real > 0.0 and 0.5 < (area[0] / rough[0]).real < 2.0
    found = values * (area / rough)[:, None] if close else values + ((area - rough) / step)[:, None]
    return np.asarray(found.imag / TINY)


def _phase(supply: Given, at: float) -> str:
    """A step lies on one side of each kink: where its middle is."""
    if at < supply.start_h:
        return "before"
    return "during" if at < supply.start_h + supply.over_h else "after"


def _given(p: Complex, n: int, phase: str) -> tuple[Complex, Complex, Complex]:
    """Levels (rows, 6), area (rows,) and step (rows,) for rows of parameters: amplitudes, rates, start, over, time,
    step."""
    amplitude, rate = p[:, None, :n], p[:, None, n : 2 * n]
    start, over, time, step = (p[:, k, None] for k in range(2 * n, 2 * n + 4))
    since = (time + step * C - start)[..., None]
    begin, size = (time - start)[..., None], step[..., None]
    if phase == "before":
        return np.zeros((len(p), 6), complex), np.zeros(len(p), complex), step[:, 0]
    whole = -_expm1(-rate * size) / rate
    if phase == "during":
        scale = amplitude / (rate * over[..., None])
        levels = scale * -_expm1(-rate * since)
        area = scale * (size - np.exp(-rate * begin) * whole)
    else:
        if over[0].real > 0.0:
            amplitude = amplitude / (rate * over[..., None]) * -_expm1(-rate * over[..., None])
        levels = amplitude * np.exp(-rate * (since - over[..., None]))
        area = amplitude * np.exp(-rate * (begin - over[..., None])) * whole
    return levels.sum(axis=-1), area.sum(axis=(1, 2)), step[:, 0]


def _expm1(z: Complex) -> Complex:
    """With the imaginary part, however small, to first order."""
    return np.asarray(np.expm1(z.real) + 1j * np.exp(z.real) * z.imag)


def _sampled(p: Complex, supply: Sampled, middle: float) -> tuple[Complex, Complex, Complex]:
    shift, time, step = p[:, 0, None], p[:, 2, None], p[:, 3, None]
    times, values = np.array(supply.times_h), np.array(supply.nmol_per_L)
    k = int(np.searchsorted(times, middle)) - 1
    if not 0 <= k < times.size - 1:
        return np.zeros((4, 6), complex), np.zeros(4, complex), step[:, 0]
    slope = (values[k + 1] - values[k]) / (times[k + 1] - times[k])
    levels = values[k] + slope * (time + step * C - shift - times[k])
    area = step * (values[k] + slope * (time + 0.5 * step - shift - times[k]))
    return levels, area[:, 0], step[:, 0]
