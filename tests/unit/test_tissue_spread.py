"""Sections of one lesion: what differs between them is told, quantity by quantity."""

from __future__ import annotations

import numpy as np
import pytest
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, TARGETS, made_section

from nichedose.errors import BadInput
from nichedose.tissue import SpotModel, model_section, spread_between
from nichedose.tissue.spread import spread_flag


def model() -> SpotModel:
    return model_section(made_section().assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)


def test_equal_sections_have_no_spread() -> None:
    one = model()
    found = spread_between([one, one, one])
    assert {s.unit for s in found} == {"1", "per 1e4"} and all(s.sd == pytest.approx(0.0, abs=1e-12) for s in found)
    shares = [s for s in found if s.unit == "1"]
    assert sum(s.mean for s in shares) == pytest.approx(1.0) and len(shares[0].values) == 3


def test_the_spread_is_that_of_the_sections() -> None:
    import dataclasses

    one = model()
    turned = one.composition[:, ::-1].copy()
    other = dataclasses.replace(one, composition=turned, sample="other")
    first = spread_between([one, other])[0]
    assert first.sections == (one.sample, "other")
    values = [np.average(m.composition[:, 0], weights=m.content) for m in (one, other)]
    assert first.values == pytest.approx(values) and first.sd == pytest.approx(np.std(values, ddof=1))
    assert "Between the 2 sections" in spread_flag([one, other]).text


def test_one_section_says_nothing_of_the_spread() -> None:
    with pytest.raises(BadInput, match="at least two"):
        spread_between([model()])
