"""Units at the border."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from nichedose.errors import BadInput
from nichedose.quantities import ActivityMBq, ConcentrationNmolPerL, LengthUm, convert, parse_quantity


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("7.4 GBq", "MBq", 7400.0),
        ("7.4GBq", "MBq", 7400.0),
        ("200 mCi", "MBq", 7400.0),
        ("6 wk", "h", 1008.0),
        ("6 weeks", "h", 1008.0),
        ("1e5 1/mm3", "1/mm3", 1e5),
        ("1e8 cells/mL", "1/mm3", 1e5),
        ("20 µm", "um", 20.0),
        ("20 μm", "um", 20.0),
        ("50 nM", "nmol/L", 50.0),
        (".5 d", "h", 12.0),
        ("  10   mm ", "mm", 10.0),
    ],
)
def test_text_with_a_unit_becomes_the_canonical_number(text: str, unit: str, expected: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "unit", "complaint"),
    [
        (7.4, "MBq", "no unit"),
        ("7.4", "MBq", "no unit"),
        ("seven GBq", "MBq", "not a number"),
        ("7.4 GBQq", "MBq", "Unknown unit 'GBQq'. Did you mean 'GBq'"),
        ("18 Gv", "Gy", "Unknown unit 'Gv'. Known: Gy, cGy, mGy."),  # not g, which measures no dose
        ("7.4 mm", "MBq", "measures length; activity is needed"),
        ("1e999 h", "h", "not a finite"),
        ("nan h", "h", "not a number"),
        ("-3 Gy", "Gy", "below the smallest"),
    ],
)
def test_what_is_refused_says_why(text: object, unit: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint.replace(".", r"\.")):
        parse_quantity(text, unit, minimum=0.0)


@given(st.floats(1e-6, 1e6), st.sampled_from([("d", "h"), ("GBq", "mCi"), ("um", "mm"), ("umol/L", "nM")]))
def test_conversion_goes_there_and_back(value: float, units: tuple[str, str]) -> None:
    there, back = units
    assert math.isclose(convert(convert(value, there, back), back, there), value, rel_tol=1e-12)


class _Model(BaseModel):
    activity: ActivityMBq = 1.0
    spacing: LengthUm = 1.0
    density: ConcentrationNmolPerL = 1.0


def test_fields_take_text_and_hold_floats() -> None:
    model = _Model.model_validate({"activity": "1 GBq", "spacing": "0.02 mm", "density": "0 nmol/L"})
    assert (model.activity, model.spacing, model.density) == (1000.0, pytest.approx(20.0, rel=1e-14), 0.0)


@pytest.mark.parametrize("field", [{"activity": "0 MBq"}, {"activity": "-1 MBq"}, {"activity": 5}, {"spacing": "5 Gy"}])
def test_fields_refuse_what_cannot_be(field: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        _Model.model_validate(field)
