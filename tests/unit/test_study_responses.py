"""What is told of courses whose cycles meet."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.decide import AgentResponse, LesionResponse
from nichedose.study.responses import cycles_that_meet

TIMES_H = np.linspace(0.0, 600.0, 6001)
ONE = np.ones((2, 1))


def lesion(half_life_h: float) -> LesionResponse:
    rate = np.log(2.0) / half_life_h
    agent = AgentResponse("a", "PSMA", ONE, ONE, 1.0, 1.0, TIMES_H, rate * np.exp(-rate * TIMES_H))
    return LesionResponse({"a": agent}, np.ones(1), {"PSMA": 1.0}, 0.5)


@pytest.mark.parametrize(("interval_h", "share"), [(1.0, "99 %"), (50.0, "50 %"), (100.0, "25 %")])
def test_cycles_that_meet_are_told_with_the_dose_to_come(interval_h: float, share: str) -> None:
    [text] = cycles_that_meet(lesion(50.0), {"a": (("a",), interval_h)})
    assert f"a ({share})" in text and "free targets" in text


def test_cycles_apart_are_not() -> None:
    assert cycles_that_meet(lesion(50.0), {"a": (("a",), 1008.0 / 2.0)}) == ()
