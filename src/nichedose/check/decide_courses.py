"""Courses, shared damage, value of information and calibration against closed forms."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from nichedose.check.row import CheckRow
from nichedose.decide import (
    Administration,
    AgentResponse,
    LesionResponse,
    OrganTerm,
    course_burdens,
    course_effect,
    overlap,
    perfect_information,
    regular_course,
    reliability,
    scale_to_limits,
    value_of_inputs,
)
from nichedose.effect import g_exponentials
from nichedose.fields.grid import Array

__all__ = ["rows"]

_DRAWS = 4096
_MU, _K1, _K2 = np.log(2.0) / 1.5, np.log(2.0) / 50.0, np.log(2.0) / 30.0
_TIMES = np.linspace(0.0, 1500.0, 6001)


def rows() -> list[CheckRow]:
    """All comparisons of courses and decisions."""
    return [*_overlap(), *_course(), *_organs(), *_information(), *_calibration()]


def _overlap() -> list[CheckRow]:
    """Mixed damage of two exponentials: the integral by hand, over the geometric mean of their own factors."""
    curves = [(_TIMES, np.exp(-k * _TIMES)) for k in (_K1, _K2)]
    own = [g_exponentials([1.0], [k], _MU) for k in (_K1, _K2)]
    found = overlap(curves[0], curves[1], _MU)
    return [
        CheckRow(id=f"decide.overlap.lag-{lag:g}h", kind="analytic", source="double integral of exponentials by hand",
                 ours=found(lag), reference=_mixed(lag) / float(np.sqrt(own[0] * own[1])), tolerance=3e-3)
        for lag in (0.0, 12.0, 100.0)
    ]


def _mixed(lag: float) -> float:
    before = _K1 * _K2 / (_MU - _K1) * (np.exp(-_K1 * lag) / (_K1 + _K2) - np.exp(-_MU * lag) / (_MU + _K2))
    after = _K1 * _K2 / (_MU - _K2) * np.exp(-_K1 * lag) * (1.0 / (_K1 + _K2) - 1.0 / (_MU + _K1))
    return float(before + after)


def _lesion() -> LesionResponse:
    def agent(name: str, linear: float, quadratic: float, rate: float) -> AgentResponse:
        return AgentResponse(
            name, name, np.full((2, 1), linear), np.full((2, 1), quadratic), 2e-3, 1000.0, _TIMES,
            np.exp(-rate * _TIMES), (OrganTerm("kidney", "bed", 4e-4, 2e-9, 20.0, 5.0),))

    return LesionResponse({"a": agent("a", 2e-4, 1e-9, _K1), "b": agent("b", 1e-4, 4e-9, _K2)}, np.ones(1),
                          {"a": 1.0, "b": 1.0}, _MU)


def _course() -> list[CheckRow]:
    """Log kill of one uniform voxel is the exponent over ln 10; its derivative against a central difference."""
    lesion = _lesion()
    together = course_effect(lesion, [Administration("a", 3000.0), Administration("b", 2000.0)])
    own = [g_exponentials([1.0], [k], _MU) for k in (_K1, _K2)]
    shared = _mixed(0.0) / float(np.sqrt(own[0] * own[1]))
    exponent = (2e-4 * 3000 + 1e-9 * 3000**2 + 1e-4 * 2000 + 4e-9 * 2000**2
                + 2.0 * np.sqrt(1e-9 * 4e-9) * shared * 3000 * 2000)
    apart = course_effect(lesion, regular_course({"a": 3000.0}, 3, 1400.0)).log_kill

    def kill(activity: float, time: float) -> float:
        return course_effect(lesion, [Administration("a", activity), Administration("b", 2000.0, time)]).log_kill

    here = course_effect(lesion, [Administration("a", 3000.0), Administration("b", 2000.0, 7.3)])
    return [
        CheckRow(id="decide.course.two-agents-at-once", kind="analytic", source="-ln S of a mixed field by hand",
                 ours=together.log_kill, reference=float(exponent / np.log(10.0)), tolerance=1e-3),
        CheckRow(id="decide.course.three-cycles", kind="analytic", source="three times one cycle",
                 ours=apart, reference=float(3.0 * (0.6 + 0.009) / np.log(10.0)), tolerance=1e-6),
        CheckRow(id="decide.course.slope-by-activity", kind="analytic", source="central difference", unit="1/MBq",
                 ours=float(here.by_activity[0]), reference=(kill(3001.0, 7.3) - kill(2999.0, 7.3)) / 2.0,
                 tolerance=1e-3),
        CheckRow(id="decide.course.slope-by-time", kind="analytic", source="central difference", unit="1/h",
                 ours=float(here.by_time[1]), reference=(kill(3000.0, 7.301) - kill(3000.0, 7.299)) / 0.002,
                 tolerance=1e-3),
    ]


def _organs() -> list[CheckRow]:
    """Two agents, 5 of 20 Gy used before: 0.25 + sum (4e-4 A + 2e-9 A^2)/20 = 1, A in the ratio 1 to 2."""
    course = [Administration("a", 1000.0), Administration("b", 2000.0, 700.0)]
    b, c = 4e-4 * 3000.0 / 20.0, 2e-9 * (1000.0**2 + 2000.0**2) / 20.0
    factor = (-b + np.sqrt(b * b + 4.0 * c * 0.75)) / (2.0 * c)
    lesion = _lesion()
    return [
        CheckRow(id="decide.burden.two-agents", kind="analytic", source="sum of shares by hand",
                 ours=course_burdens(lesion, course)[0].share, reference=float(0.25 + b + c), tolerance=1e-12),
        CheckRow(id="decide.burden.scale-to-limit", kind="analytic", source="root of the quadratic",
                 ours=scale_to_limits(lesion, course), reference=float(factor), tolerance=1e-9),
    ]


def _information() -> list[CheckRow]:
    """Gain of one candidate over the other is x + y, both standard normal."""
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(2, _DRAWS))
    gains: dict[str, Array] = {"a": x + y, "b": np.zeros(_DRAWS)}
    of_x = {i.key: i for i in value_of_inputs(gains, {"x": x, "y": y})}["x"]
    return [
        CheckRow(id="decide.EVPI", kind="analytic", source="E max(x + y, 0) = 1/sqrt(pi)", absolute=True,
                 ours=perfect_information(gains), reference=float(1.0 / np.sqrt(np.pi)), tolerance=0.04,
                 note=f"{_DRAWS} draws"),
        CheckRow(id="decide.EVPPI", kind="analytic", source="E max(x, 0) = 1/sqrt(2 pi)", absolute=True,
                 ours=of_x.value, reference=float(1.0 / np.sqrt(2.0 * np.pi)), tolerance=0.03, note=f"{_DRAWS} draws"),
        CheckRow(id="decide.sobol-of-the-choice", kind="analytic", source="4 var(Phi(x)) = 1/3", absolute=True,
                 ours=of_x.decision_share, reference=1.0 / 3.0, tolerance=0.04, note=f"{_DRAWS} draws"),
    ]


def _calibration() -> list[CheckRow]:
    [one] = reliability(np.full(50, 0.5), np.repeat([0.0, 1.0], 25))
    low = next(k for k in range(51) if binom.cdf(k, 50, 0.5) >= 0.025) / 50.0
    return [CheckRow(id="decide.reliability.band", kind="analytic", source="first count with 2.5 % of Bin(50, 1/2)",
                     ours=one.low, reference=low, tolerance=1e-12)]
