"""Released daughters: decays conserved, limits, curves, draws, and what is refused."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from nichedose.body.redistribute import Redistribution, Release, redistribute
from nichedose.dose import organ_dose_of_nuclides, organ_names
from nichedose.errors import BadInput
from nichedose.library.element_kinetics import place_of, read_element_kinetics
from nichedose.nuclide import chain, decay_per_h, progeny
from nichedose.values import Draw

ONE = {"value": 1.0, "evidence": "assumed"}


def balance(found: Redistribution, released: dict[str, float]) -> None:
    """Every nuclide decays as often as it is set free or born."""
    for name, places in found.decays_MBq_h.items():
        born = sum(share * sum(found.decays_MBq_h[parent].values())
                   for parent in found.decays_MBq_h for child, share in progeny(parent) if child == name)
        assert sum(places.values()) == pytest.approx(released.get(name, 0.0) + born, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("nuclide", ["225Ac", "221Fr", "213Bi", "209Pb", "212Pb", "212Bi", "223Ra", "211Pb", "224Ra"])
def test_decays_are_conserved_through_every_chain(nuclide: str) -> None:
    found = redistribute({nuclide: 2.0})
    assert set(found.decays_MBq_h) == {member.name for member in chain(nuclide)}
    balance(found, {nuclide: 2.0})


def test_a_release_in_an_organ_starts_there() -> None:
    from_blood, from_kidneys = (redistribute({"213Bi": 1.0}, place=place) for place in ("blood", "kidneys"))
    assert from_kidneys.decays_MBq_h["213Bi"]["kidneys"] > 0.99 > 0.3 > from_blood.decays_MBq_h["213Bi"]["kidneys"]


def test_what_lives_for_milliseconds_decays_where_it_is_born() -> None:
    found = redistribute({"221Fr": 1.0})
    for place, value in found.decays_MBq_h["221Fr"].items():
        assert found.decays_MBq_h["217At"][place] == pytest.approx(value * dict(progeny("221Fr"))["217At"], rel=1e-9)


def test_bismuth_from_blood_against_the_solution_by_hand() -> None:
    """Blood empties at 50 per day; of the kidneys' 17.5 per day 0.035 come back, too slowly to count."""
    decay, out, kidneys, back = decay_per_h("213Bi") * 24.0, 50.0, 17.5, 0.035
    found = redistribute({"213Bi": 1.0}).decays_MBq_h["213Bi"]
    assert found["blood"] == pytest.approx(decay / (decay + out), rel=2e-3)
    assert found["kidneys"] == pytest.approx(found["blood"] * kidneys / (decay + back), rel=1e-9)


def test_curves_count_by_their_area() -> None:
    times = np.linspace(0.0, 10.0, 11)
    found = redistribute({"212Bi": Release(times, np.full(11, 0.5))})
    assert found.decays_MBq_h == redistribute({"212Bi": 5.0}).decays_MBq_h


def test_amounts_add_and_scale() -> None:
    one, two = redistribute({"213Bi": 1.0}), redistribute({"Bi-213": 2.0})
    assert two.decays_MBq_h["213Bi"]["kidneys"] == pytest.approx(2.0 * one.decays_MBq_h["213Bi"]["kidneys"])
    both = redistribute({"221Fr": 1.0, "213Bi": 1.0}).decays_MBq_h["213Bi"]["kidneys"]
    apart = redistribute({"221Fr": 1.0}).decays_MBq_h["213Bi"]["kidneys"] + one.decays_MBq_h["213Bi"]["kidneys"]
    assert both == pytest.approx(apart, rel=1e-12)


def test_draws_move_the_answer_and_still_conserve() -> None:
    kidneys = []
    for index in range(20):
        found = redistribute({"221Fr": 1.0}, draw=Draw(seed=1, index=index))
        balance(found, {"221Fr": 1.0})
        kidneys.append(found.decays_MBq_h["213Bi"]["kidneys"])
    assert max(kidneys) > 1.3 * min(kidneys)


def test_members_that_outlive_the_treatment_are_counted_apart() -> None:
    """227Ac lives 22 years."""
    found = redistribute({"227Ac": 3.0, "213Bi": 1.0})
    assert found.not_followed_MBq_h == {"227Ac": 3.0}
    balance(found, {"213Bi": 1.0})


def test_organs_share_the_blood() -> None:
    found = redistribute({"212Pb": 1.0})
    organs = found.in_organs()["212Pb"]
    inside = sum(v for place, v in found.decays_MBq_h["212Pb"].items() if place != "out")
    assert sum(organs.values()) == pytest.approx(inside, rel=1e-12)
    assert organs["marrow"] == pytest.approx(0.04 * found.decays_MBq_h["212Pb"]["blood"]
                                             + found.decays_MBq_h["212Pb"].get("marrow", 0.0), rel=1e-9)
    assert set(organs) <= set(organ_names())


def test_the_dose_follows_by_quality() -> None:
    dose = organ_dose_of_nuclides(redistribute({"221Fr": 1.0}).in_organs())
    assert dose["kidneys"]["alpha"] > dose["liver"]["alpha"] > 0.0
    bismuth = redistribute({"221Fr": 1.0}).in_organs()
    alone = organ_dose_of_nuclides({"213Po": bismuth["213Po"]})["kidneys"]["alpha"]
    assert alone == pytest.approx(bismuth["213Po"]["kidneys"] * 3.6e9 * 8.3765 * 1.602176634e-10 / 310.0, rel=2e-3)


def test_pools_lie_in_places() -> None:
    assert [place_of(p) for p in ("liver #2", "red cells", "kidneys")] == ["liver", "blood", "kidneys"]


# ---- what is refused


@pytest.mark.parametrize(("released", "said"), [
    ({}, "Nothing is released"),
    ({"213Bi": -1.0}, "not negative"),
    ({"213Bi": float("nan")}, "finite"),
    ({"177Lu": 1.0}, "no rates for Lu"),
    ({"213Xx": 1.0}, "213Xx"),
])
def test_amounts_that_cannot_be(released: dict[str, float], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        redistribute(released)


def test_a_place_that_does_not_exist() -> None:
    with pytest.raises(BadInput, match="Did you mean 'kidneys'"):
        redistribute({"213Bi": 1.0}, place="kidney")


@pytest.mark.parametrize(("times", "rates", "said"), [
    ([0.0, 1.0], [1.0], "as many rates as times"),
    ([0.0], [1.0], "at least two"),
    ([0.0, 0.0], [1.0, 1.0], "must increase"),
    ([0.0, 1.0], [1.0, -1.0], "not be negative"),
    ([0.0, 1.0], [1.0, float("inf")], "finite"),
])
def test_curves_that_cannot_be(times: list[float], rates: list[float], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Release(times, rates)


@pytest.mark.parametrize(("change", "said"), [
    (lambda t: t["element"]["Bi"]["per_day"].update({"blood": ONE}), "from > to"),
    (lambda t: t["element"]["Bi"]["per_day"].update({"out > blood": ONE}), "out"),
    (lambda t: t["element"]["Bi"]["per_day"].update({"blood > skin": {**ONE, "value": -1.0}}), "negative"),
    (lambda t: t["source"].pop("icrp_69"), "no \\[source\\] icrp_69"),
    (lambda t: t["blood_share"].update(skin={"value": 0.9, "evidence": "assumed"}), "more than 1"),
])
def test_files_that_do_not_hold_together(change: Any, said: str) -> None:
    file = files("nichedose.library") / "data" / "kinetics" / "elements.toml"
    table = tomllib.loads(file.read_text("utf-8"))
    change(table)
    with pytest.raises(BadInput, match=said):
        read_element_kinetics(table, "mine.toml")


def test_activity_of_nothing_has_no_dose() -> None:
    with pytest.raises(BadInput, match="No activity"):
        organ_dose_of_nuclides({})
