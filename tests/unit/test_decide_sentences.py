"""One sentence per candidate: what it says, and what it must not say."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from nichedose.decide import CandidateFacts, sentence
from nichedose.errors import BadInput


def facts(**given: Any) -> CandidateFacts:
    return CandidateFacts(name="177Lu-X", **given)


def test_the_winner() -> None:
    got = sentence(
        facts(
            n_ranked=4,
            log_kill=3.13,
            log_kill_rank=1,
            mean_dose_rank=1,
            target_on_tumour_fraction=0.9,
            escaped_fraction=0.18,
            activity_MBq=30e3,
            limiting_organ="kidneys",
            probability_best=0.72,
        )
    )
    assert got == (
        "Highest log kill (3.1): the target sits on tumour cells, 82 % of the energy stays in the section and it is "
        "best in 72 % of the draws; organ limits (kidneys) allow 30 GBq per administration."
    )


def test_highest_dose_but_third_in_survival() -> None:
    got = sentence(
        facts(
            n_ranked=4,
            log_kill=1.2,
            log_kill_rank=3,
            mean_dose_rank=1,
            mean_dose_Gy=24.0,
            target_negative_fraction=0.38,
            log_kill_positive=4.0,
            log_kill_negative=0.8,
        )
    )
    assert got == (
        "Third in log kill (1.2) although it gives the highest mean dose (24 Gy), because 38 % of tumour cells do not "
        "bear the target and are over 99 % of the survivors."
    )


def test_hypoxia_explains_only_where_the_hypoxic_are_the_survivors() -> None:
    low = {"n_ranked": 4, "log_kill": 1.2, "log_kill_rank": 3, "mean_dose_rank": 1, "hypoxic_fraction": 0.38}
    assert "because 38 % of tumour cells are hypoxic and are 80 % of the survivors" in sentence(
        facts(**low, hypoxic_survivor_fraction=0.8)
    )
    for unclear in ({}, {"hypoxic_survivor_fraction": 0.3}):
        got = sentence(facts(**low, **unclear))
        assert "38 % of tumour cells are hypoxic" in got and "because" not in got


def test_better_in_survival_than_in_dose() -> None:
    got = sentence(facts(n_ranked=3, log_kill=2.0, log_kill_rank=1, mean_dose_rank=3, alpha_dose_fraction=0.97))
    assert got == ("Highest log kill (2) with only the third highest mean dose: alpha particles give 97 % of the dose.")


def test_the_last() -> None:
    got = sentence(
        facts(
            n_ranked=3,
            log_kill=0.21,
            log_kill_rank=3,
            mean_dose_rank=3,
            escaped_fraction=0.61,
            target_on_tumour_fraction=0.05,
            shape_unknown=True,
        )
    )
    assert got == (
        "Lowest log kill (0.21): tumour cells bear only 5 % of the target and 61 % of the energy leaves the section; "
        "too few counts to map its target, which is taken as even over its cells."
    )


def test_ties_one_and_none() -> None:
    assert (
        sentence(facts(n_ranked=2, log_kill=2.0, log_kill_rank=1, log_kill_tied=True)) == "Shared highest log kill (2)."
    )
    assert (
        sentence(facts(n_ranked=1, log_kill=2.0, log_kill_rank=1))
        == "Log kill 2, the only candidate that could be ranked."
    )
    assert sentence(facts(not_evaluable="FAP was not measured.")) == "Not evaluable: FAP was not measured."
    assert sentence(facts()) == "Not ranked: no log kill was computed."
    assert sentence(facts(n_ranked=14, log_kill=2.0, log_kill_rank=12)) == "12th in log kill (2)."


def test_small_activities_and_shares() -> None:
    got = sentence(
        facts(
            n_ranked=2,
            log_kill=2.0,
            log_kill_rank=1,
            activity_MBq=8.0,
            limiting_organ="salivary glands",
            alpha_dose_fraction=0.999,
            probability_best=0.004,
        )
    )
    assert "8 MBq" in got and "over 99 %" in got and "less than 1 %" in got


def test_negative_cells_that_die_as_well_are_no_reason() -> None:
    """The share is told, but no cause is claimed, where target-negative cells are not most of the survivors."""
    got = sentence(
        facts(
            n_ranked=3,
            log_kill=1.0,
            log_kill_rank=2,
            target_negative_fraction=0.2,
            log_kill_positive=1.0,
            log_kill_negative=1.0,
        )
    )
    assert "20 % of tumour cells do not bear the target" in got and "because" not in got


def test_large_log_kills_do_not_overflow() -> None:
    got = sentence(
        facts(
            n_ranked=3,
            log_kill=300.0,
            log_kill_rank=2,
            target_negative_fraction=0.2,
            log_kill_positive=5000.0,
            log_kill_negative=2.0,
        )
    )
    assert "over 99 % of the survivors" in got or "100 % of the survivors" in got
    sentence(
        facts(
            n_ranked=3,
            log_kill=300.0,
            log_kill_rank=2,
            target_negative_fraction=0.2,
            log_kill_positive=2.0,
            log_kill_negative=5000.0,
        )
    )


OPTIONAL = {
    "mean_dose_rank": 2,
    "mean_dose_Gy": 20.5,
    "probability_best": 0.5,
    "activity_MBq": 7e3,
    "limiting_organ": "liver",
    "target_on_tumour_fraction": 0.21,
    "target_negative_fraction": 0.31,
    "log_kill_positive": 3.3,
    "log_kill_negative": 0.4,
    "hypoxic_fraction": 0.41,
    "escaped_fraction": 0.51,
    "alpha_dose_fraction": 0.61,
}
SIGNS = {
    "mean_dose_Gy": "20.5",
    "probability_best": "draws",
    "limiting_organ": "liver",
    "activity_MBq": "GBq",
    "target_on_tumour_fraction": "21 %",
    "target_negative_fraction": "31 %",
    "hypoxic_fraction": "hypoxic",
    "escaped_fraction": "energy",
    "alpha_dose_fraction": "alpha",
}


@pytest.mark.parametrize("place", [1, 2, 3])
def test_never_cites_what_is_absent(place: int) -> None:
    """Every subset of up to three facts left out: a sentence, one full stop, and no trace of what is missing."""
    for left_out in itertools.chain.from_iterable(itertools.combinations(OPTIONAL, n) for n in range(4)):
        kept = {k: v for k, v in OPTIONAL.items() if k not in left_out}
        got = sentence(facts(n_ranked=3, log_kill=1.0, log_kill_rank=place, **kept))
        assert got.endswith(".") and "None" not in got and "  " not in got and got[0].isupper() and "\n" not in got
        for name in left_out:
            assert SIGNS.get(name, "\0") not in got, (name, got)


def test_bad_facts() -> None:
    with pytest.raises(BadInput, match="between 0 and 1"):
        facts(escaped_fraction=38.0)
