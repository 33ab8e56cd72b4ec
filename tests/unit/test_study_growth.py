"""Growth of clonogens as a case states it and a command asks for it: which counts, and what is said."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nichedose.case import EffectOptions
from nichedose.study.growth import growth_of, growth_text

STATED = EffectOptions(clonogen_doubling_time="40 d", regrowth_starts="60 d")  # type: ignore[arg-type]


def test_a_doubling_time_that_is_asked_for_replaces_the_cases_and_both_are_told() -> None:
    growth = growth_of(STATED, 240.0)
    assert growth is not None and (growth.doubling_time_h, growth.starts_h) == (240.0, 1440.0)
    [text] = growth_text(growth, {}, STATED)
    assert "double every 10 d between administrations from 60 d on (the case says 40 d)" in text


@pytest.mark.parametrize(("options", "asked"), [(STATED, None), (STATED, 960.0), (EffectOptions(), 960.0)])
def test_nothing_is_told_of_the_case_where_it_says_the_same_or_nothing(
    options: EffectOptions, asked: float | None
) -> None:
    assert "double every 40 d" in growth_text(growth_of(options, asked), {}, options)[0]
    assert "the case says" not in growth_text(growth_of(options, asked), {}, options)[0]


def test_a_start_of_regrowth_without_regrowth_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs clonogen_doubling_time"):
        EffectOptions(regrowth_starts="60 d")  # type: ignore[arg-type]
