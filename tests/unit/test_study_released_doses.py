"""Daughters that a lesion hands to the blood, as organ dose."""

from __future__ import annotations

import pytest

from nichedose.body import redistribute
from nichedose.dose import organ_dose_of_nuclides
from nichedose.study.released_doses import released_note, released_organ_doses_Gy_per_GBq


def test_nothing_leaves_nothing_doses() -> None:
    assert released_organ_doses_Gy_per_GBq({}, 1.0) == {}
    assert released_organ_doses_Gy_per_GBq({"213Bi": 0.0}, 1.0) == {}


def test_dose_follows_share_and_decays() -> None:
    """Half of the 213Bi of a lesion with 2 MBq.h per MBq: 1000 MBq.h of nuclei per GBq."""
    found = released_organ_doses_Gy_per_GBq({"213Bi": 0.5}, 2.0)
    expected = organ_dose_of_nuclides(redistribute({"213Bi": 1000.0}).in_organs())
    assert found["kidneys"]["alpha"] == pytest.approx(expected["kidneys"]["alpha"])
    assert found["kidneys"]["alpha"] > found["marrow"]["alpha"] > 0.0


def test_the_note_names_organs_or_says_what_is_not_known() -> None:
    assert released_note({}, 1.0, "adult_male") == ""
    assert "kidneys" in released_note({"213Bi": 0.5}, 2.0, "adult_female")
    assert "not known" in released_note({"149Gd": 0.5}, 2.0, "adult_male")  # a daughter of 149Tb
