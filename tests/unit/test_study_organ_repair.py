"""Dose-rate histories of organs as one half-life for BED: closed forms, whole-body kinetics, split doses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nichedose.case import Administration, Patient
from nichedose.effect import Exposure, organ_g, pair_g
from nichedose.library import load_library
from nichedose.study.organ_repair import half_life_as_repaired_h, organ_half_lives

LIBRARY = load_library()
REPAIR_H = 2.8


def test_two_exponentials_keep_their_quadratic_term() -> None:
    """Against the closed form; 1e-3: straight between times 3 % apart, as close as those of the body's grid."""
    t = np.concatenate([[0.0], np.geomspace(1e-3, 900.0, 460)])
    curve = Exposure((1.0, 0.4), (math.log(2.0) / 50.0, math.log(2.0) / 3.0))
    rate = sum(a * np.exp(-k * t) for a, k in zip(curve.amplitudes_Gy_per_h, curve.rates_per_h, strict=True))
    one = organ_g(REPAIR_H, half_life_as_repaired_h(t, np.asarray(rate), REPAIR_H))
    assert one == pytest.approx(pair_g(curve, curve, math.log(2.0) / REPAIR_H), rel=1e-3)


def test_two_parts_with_a_jump_between_them_after_an_empty_lead() -> None:
    """A cold dose weeks before moves all times and changes nothing; 1e-3 as above."""
    k = math.log(2.0) / 30.0
    since = np.concatenate([[0.0], np.geomspace(1e-3, 24.0 - 1e-6, 300), 24.0 + np.concatenate(
        [[0.0], np.geomspace(1e-3, 600.0, 400)])])
    rate = np.exp(-k * since) + np.where(since >= 24.0, np.exp(-k * (since - 24.0)), 0.0)
    t = np.concatenate([[0.0, 1200.0 - 1e-6], 1200.0 + since])
    one = organ_g(REPAIR_H, half_life_as_repaired_h(t, np.concatenate([[0.0, 0.0], rate]), REPAIR_H))
    part, mu = Exposure((1.0,), (k,)), math.log(2.0) / REPAIR_H
    both = 0.5 * (pair_g(part, part, mu) + pair_g(part, part, mu, second_starts_h=24.0))
    assert one == pytest.approx(both, rel=1e-3)


def test_kidneys_follow_the_ligand_the_label_and_the_split() -> None:
    def of(form: str, nuclide: str, how: Administration | None = None) -> float:
        found = organ_half_lives(LIBRARY.forms[form], Patient(), nuclide, LIBRARY.limits, how or Administration())
        assert list(found) == ["kidney"]
        return found["kidney"].central

    usual = of("PSMA-617", "177Lu")
    assert 20.0 < usual < 45.0  # measured median 35.5 h, early phase left out (library)
    assert of("PSMA-617", "90Y") < usual < of("J591-DOTA", "177Lu")
    assert of("PSMA-617", "177Lu", Administration(split=2)) > 1.2 * usual


def test_the_spread_is_that_of_the_limit() -> None:
    [limit] = [lim for lim in LIBRARY.limits if lim.quantity == "bed"]
    assert limit.effective_half_life_h is not None
    value = organ_half_lives(LIBRARY.forms["DOTATATE"], Patient(), "177Lu", LIBRARY.limits)["kidney"]
    assert value.geometric_sd == limit.effective_half_life_h.geometric_sd and value.evidence == "assumed"
