"""Organ BED over a course: the closed form's limits, quadrature, alphas, earlier treatment, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nichedose.effect import Exposure, OrganCycle, organ_bed, organ_bed_course
from nichedose.errors import BadInput

KIDNEY = Exposure((1.0,), (float(np.log(2.0) / 40.0),))


def cycle(dose: float = 3.182, start_h: float = 0.0, **more: float) -> OrganCycle:
    return OrganCycle({"beta": dose, **more}, KIDNEY, start_h)  # type: ignore[dict-item]


def test_one_exponential_far_apart_is_the_simple_form() -> None:
    found = organ_bed_course([cycle(start_h=1344.0 * i) for i in range(6)], 2.5, 2.8, rbe_high_let=5.0)
    assert found.bed_Gy == pytest.approx(organ_bed(3.182, 2.5, 2.8, 40.0, cycles=6), rel=1e-6)
    assert round(found.bed_Gy, 1) == 20.7


def test_cycles_at_once_are_one_with_twice_the_dose() -> None:
    both = organ_bed_course([cycle(), cycle()], 2.5, 2.8, rbe_high_let=5.0).bed_Gy
    assert both == pytest.approx(organ_bed_course([cycle(6.364)], 2.5, 2.8, rbe_high_let=5.0).bed_Gy, rel=1e-12)


def test_cycles_that_meet_against_quadrature() -> None:
    """Two uptake-and-loss curves 20 h apart, with slow repair: the double integral by a fine sum."""
    curve = Exposure((1.0, -1.0), (0.03, 0.3))
    cycles = [OrganCycle({"beta": 2.0, "conversion": 0.5}, curve, s) for s in (0.0, 20.0)]
    half = 8.0
    found = organ_bed_course(cycles, 3.0, half, rbe_high_let=5.0)
    step = 0.01
    t = np.arange(0.0, 600.0, step) + step / 2
    rate = sum(2.5 / curve.dose_Gy * np.where(t >= s, np.exp(-0.03 * (t - s)) - np.exp(-0.3 * (t - s)), 0.0)
               for s in (0.0, 20.0))
    decay, unrepaired, total = np.exp(-np.log(2.0) / half * step), 0.0, 0.0
    for r in rate:
        total += 2.0 * r * step * (unrepaired * np.sqrt(decay) + 0.5 * r * step)
        unrepaired = unrepaired * decay + r * step * np.sqrt(decay)
    assert found.quadratic_Gy == pytest.approx(total / 3.0, rel=1e-3)


def test_alphas_count_by_their_rbe_without_a_quadratic_term() -> None:
    found = organ_bed_course([cycle(1.0, alpha=0.5, recoil=0.01)], 2.5, 2.8, rbe_high_let=5.0)
    alone = organ_bed_course([cycle(1.0)], 2.5, 2.8, rbe_high_let=5.0)
    assert found.bed_Gy - alone.bed_Gy == pytest.approx(5.0 * 0.51) == found.high_let_Gy


def test_earlier_treatment_adds() -> None:
    assert organ_bed_course([cycle()], 2.5, 2.8, rbe_high_let=5.0, prior_bed_Gy=12.0).bed_Gy == pytest.approx(
        12.0 + organ_bed_course([cycle()], 2.5, 2.8, rbe_high_let=5.0).bed_Gy)


def test_order_does_not_matter() -> None:
    one, other = cycle(2.0, 0.0), cycle(1.0, 30.0)
    a, b = (organ_bed_course(c, 2.5, 2.8, rbe_high_let=5.0).bed_Gy for c in ([one, other], [other, one]))
    assert a == b


def test_two_phases_of_repair_lie_between_theirs() -> None:
    fast, slow, both = (organ_bed_course([cycle()], 2.5, h, rbe_high_let=5.0, repair_weights=w).bed_Gy
                        for h, w in ((0.3, (1.0,)), (5.0, (1.0,)), ([0.3, 5.0], (0.5, 0.5))))
    assert fast < both < slow
    assert both == pytest.approx(0.5 * (fast + slow), rel=1e-12)


@pytest.mark.parametrize(("changes", "said"), [
    ({"alpha_beta_Gy": 0.0}, "alpha_beta_Gy"), ({"repair_half_time_h": -1.0}, "repair_half_time_h"),
    ({"rbe_high_let": float("nan")}, "rbe_high_let"), ({"prior_bed_Gy": -1.0}, "prior_bed_Gy"),
    ({"cycles": []}, "at least one"),
])
def test_courses_that_cannot_be(changes: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"cycles": [cycle()], "alpha_beta_Gy": 2.5, "repair_half_time_h": 2.8, "rbe_high_let": 5.0,
                             **changes}
    with pytest.raises(BadInput, match=said):
        organ_bed_course(**given)


@pytest.mark.parametrize(("dose", "start", "said"), [
    ({"betta": 1.0}, 0.0, "Did you mean 'beta'"), ({"beta": -1.0}, 0.0, "not negative"),
    ({"beta": 1.0}, float("nan"), "start_h")])
def test_cycles_that_cannot_be(dose: Any, start: float, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        OrganCycle(dose, KIDNEY, start)


def test_a_curve_without_dose() -> None:
    with pytest.raises(BadInput, match="above 0"):
        OrganCycle({"beta": 1.0}, Exposure((0.0,), (1.0,)))
