"""From uptake in mouse organs to time-integrated activity in a patient's, by rules of scaling, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.body.biodistribution import Biodistribution
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

__all__ = ["RULES", "Scaled", "ScalingRule", "scale_organs"]

EXPONENT = 0.25  # of body mass, for times
SMALLEST = 1e-12  # of a rate, 1/h


@dataclass(frozen=True)
class ScalingRule:
    """One way from mouse to human: whether it scales by ``mass`` and by ``time``, where it is from, where it holds."""

    name: str
    mass: bool
    time: bool
    what: str
    source: str
    holds: str


CICONE = "compared in Cicone et al., EJNMMI Res 2022, doi:10.1186/s13550-022-00893-z"
RULES = (
    ScalingRule(
        "none", False, False, "the organ's share of the injected activity is the same at the same time", CICONE,
        "No reason but simplicity; short-lived labels and organs of like relative size."),
    ScalingRule(
        "relative mass", True, False, "%ID/g x body mass is the same in both (kg/g)", CICONE,
        "Passive distribution. Not uptake by a target whose density differs between species."),
    ScalingRule(
        "time", False, True, "times are stretched by (body mass of the patient / of the mouse)^0.25",
        f"{CICONE}; closest to patients for 177Lu-OPS201 from mice (hindawi.com/journals/cmmi/2019/6438196)",
        "Clearance by flow, filtration and metabolism. Not retention by internalised label, nor saturation."),
    ScalingRule(
        "mass and time", True, True, "both", CICONE, "As its two parts."),
)


@dataclass(frozen=True)
class Scaled:
    """Time-integrated activity over injected activity of one organ by one rule, h: median and 90 % interval of draws.

    ``tail_share``: of the median, after the last measurement. None with a ``reason`` where it cannot be told.
    """

    organ: str
    rule: str
    median_h: float | None
    low_h: float | None = None
    high_h: float | None = None
    tail_share: float | None = None
    reason: str = ""


def scale_organs(
    table: Biodistribution,
    mouse_mass_g: Mapping[str, float],
    human_mass_g: Mapping[str, float],
    *,
    mouse_weight_g: float,
    human_weight_kg: float,
    decay_per_h: float,
    relative_error: float = 0.2,
    draws: int = 400,
    seed: int = 0,
) -> tuple[Scaled, ...]:
    """Every rule for every organ of ``table`` that both bodies have.

    Uptake runs straight in its logarithm between the points, stands at the first value before, and falls on after the
    last one by a share of the last interval's slope that is drawn between 0 and 1 (assumed). Draws of the points by
    their errors; masses are taken as known. Raises `BadInput`.

    >>> from nichedose.body import Uptake
    >>> flat = Biodistribution((Uptake("liver", 1.0, 2.0), Uptake("liver", 500.0, 2.0)), True)
    >>> found = scale_organs(flat, {"liver": 1.5}, {"liver": 1800.0}, mouse_weight_g=25.0, human_weight_kg=73.0,
    ...                      decay_per_h=0.01, relative_error=0.01)
    >>> round(found[0].median_h, 1)  # 3 % of the injected activity for 1/0.01 h
    3.0
    """
    if not decay_per_h > 0.0:
        raise BadInput(f"Scaling to a patient needs a label that decays; decay_per_h is {decay_per_h}.")
    stretch = (human_weight_kg * 1e3 / mouse_weight_g) ** EXPONENT
    found = []
    for organ in table.organs:
        points = table.of(organ)
        if organ not in human_mass_g or organ not in mouse_mass_g:
            continue
        if len(points) < 2:
            reason = f"{len(points)} time point(s) above 0; a curve needs two"
            found += [Scaled(organ, rule.name, None, reason=reason) for rule in RULES]
            continue
        t = np.array([p.time_h for p in points])
        c = np.array([table.corrected(p, decay_per_h) for p in points])
        spread = np.sqrt(np.log1p(np.array([p.relative_error(relative_error) for p in points]) ** 2))
        noise = np.random.default_rng([seed, *organ.encode()])
        drawn = c * np.exp(spread * noise.standard_normal((draws, t.size)))
        slope_share = noise.uniform(0.0, 1.0, draws)
        for rule in RULES:
            factor = 0.01 * mouse_mass_g[organ]
            if rule.mass:
                factor = 0.01 * human_mass_g[organ] * mouse_weight_g / (human_weight_kg * 1e3)
            inside, tail = _integral(t, drawn, decay_per_h, stretch if rule.time else 1.0, slope_share)
            whole = factor * (inside + tail)
            low, middle, high = np.quantile(whole, [0.05, 0.5, 0.95])
            found.append(Scaled(organ, rule.name, float(middle), float(low), float(high),
                                float(np.median(tail / (inside + tail)))))
    return tuple(found)


def _integral(t: Array, c: Array, decay_per_h: float, stretch: float, slope_share: Array) -> tuple[Array, Array]:
    """Integral of exp(-decay t') c over t' = stretch x t, up to the last point and beyond; c (draws, points)."""
    fade = decay_per_h * stretch  # per hour of the mouse
    before = c[:, 0] * -math.expm1(-fade * t[0]) / fade
    width = np.diff(t)
    slope = np.log(c[:, :-1] / c[:, 1:]) / width
    rate = slope + fade
    rate = np.where(np.abs(rate) * width < SMALLEST, SMALLEST, rate)
    between = (c[:, :-1] * np.exp(-fade * t[:-1]) * -np.expm1(-rate * width) / rate).sum(axis=1)
    falling = np.maximum(slope[:, -1], 0.0) * slope_share
    tail = c[:, -1] * math.exp(-fade * t[-1]) / (falling + fade)
    return stretch * (before + between), stretch * tail
