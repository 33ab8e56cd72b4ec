"""Ligand design on the synthetic section: limits that must hold, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from plan_cases import demo_case

from decide_cases import lesion
from nichedose.case import Candidate, Case
from nichedose.decide import Administration, course_effect
from nichedose.errors import BadInput, OutOfValidity
from nichedose.findings import Findings
from nichedose.nuclide import half_life_h
from nichedose.report import findings_text, render_findings
from nichedose.study.design import DesignSpace, _one, _Task, design_case, plasma_reference
from nichedose.study.design_chain import design_chain, design_gradient, design_value
from nichedose.study.design_growth import net_kill
from nichedose.study.design_ligand import PROPERTIES, LigandDesign, designed
from nichedose.study.design_optimum import Optimum, optimum_sentence
from nichedose.study.responses import prepare
from nichedose.study.section_maps import tissue_maps
from nichedose.study.setup import ResolvedCandidate
from nichedose.study.world import World
from nichedose.transport import ligand_from_size, mouse_plasma_clearance_per_h
from nichedose.values import Draw

SPACE = DesignSpace((0.3, 1e4), (1.0, 150.0), (0.06,), ("64Cu", "177Lu"))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Path]:
    return demo_case(tmp_path_factory.mktemp("design"), draws=0, workers=1, grid_spacing=160.0)


@pytest.fixture(scope="module")
def found(case: tuple[Case, Path]) -> Findings:
    return design_case(*case, "177Lu-PSMA-617", space=SPACE, draws=0)


def kill(found: Findings, **wanted: object) -> float:
    [one] = [d for d in found.numbers["designs"] if all(d[k] == v for k, v in wanted.items())]
    return float(one["log_kill"])


def test_a_ligand_that_hardly_binds_kills_less(found: Findings) -> None:
    for mass in (1.0, 150.0):
        for clock in ("64Cu", "177Lu"):
            weak, strong = (kill(found, affinity_nmol_per_L=a, molar_mass_kDa=mass, clock=clock) for a in (1e4, 0.3))
            assert weak < strong


def test_every_design_is_told(found: Findings) -> None:
    assert len(found.numbers["designs"]) == 8
    assert "at the end of" in findings_text(found)
    page = render_findings(found)
    assert page.count('<figure class="winners">') == 2
    assert all(u.value.source is None or u.value.source in found.sources for u in found.values_used)


def test_the_doubts_of_a_plan_about_the_target_are_told(case: tuple[Case, Path], found: Findings) -> None:
    """Of PD-L1 the demo has 9 counts, and nobody has given its agent; PSMA has an anchor. No body model enters."""
    assert found.numbers["cautions"] == [] and found.parts[-1].title == "Maps"
    small = DesignSpace((0.3,), (150.0,), (0.06,), ("177Lu",))
    few = case[0].model_copy(update={"candidates": (Candidate(agent="177Lu-atezolizumab"),
                                                    Candidate(agent="177Lu-FAP-2286"))})
    rare, fap = (design_case(few, case[1], c.agent, space=small, draws=0) for c in few.candidates)
    assert "But the section hardly shows PD-L1" in rare.answer and "before this design means anything" in rare.answer
    assert any("only 9 counts" in text for text in rare.numbers["cautions"])
    assert any("nobody has given it" in text for text in rare.numbers["cautions"])
    assert rare.parts[-1].title == "What is in doubt" and rare.parts[-1].text == tuple(rare.numbers["cautions"])
    assert fap.numbers["cautions"] == [
        "177Lu-FAP-2286: mean density of FAP comes from the library, not from this lesion."]


def test_growth_favours_what_decays_in_time(case: tuple[Case, Path], found: Findings) -> None:
    fast = design_case(*case, "177Lu-PSMA-617", space=SPACE, draws=0, doubling_time_h=48.0)
    ratio = [kill(f, affinity_nmol_per_L=0.3, molar_mass_kDa=1.0, clock="64Cu")
             - kill(f, affinity_nmol_per_L=0.3, molar_mass_kDa=1.0, clock="177Lu") for f in (found, fast)]
    assert ratio[1] > ratio[0]
    assert "doubling time of 2 d is taken off" in findings_text(fast) and fast.numbers["doubling_time_h"] == 48.0
    assert "Without a doubling time" in findings_text(found) and found.numbers["doubling_time_h"] is None


def test_net_kill_is_below_the_gross_and_approaches_it() -> None:
    one = lesion()
    gross = course_effect(one, [Administration("A", 4000.0)]).log_kill
    slow, fast = (net_kill(one, "A", 4000.0, 1, 1008.0, t) for t in (1e9, 500.0))
    assert fast < slow < gross
    assert slow == pytest.approx(gross, rel=0.02)
    three = net_kill(one, "A", 4000.0, 3, 1008.0, None)
    assert three < 3.0 * gross  # the cells that get least are the same ones each time
    assert three == pytest.approx(3.0 * gross, rel=0.2)
    assert net_kill(one, "A", 4000.0, 3, 1008.0, 1e9) < three
    assert net_kill(one, "A", 4000.0, 3, 1008.0, 1e9) == pytest.approx(three, rel=1e-3)
    assert np.isfinite(fast)


def test_what_cannot_be_designed(case: tuple[Case, Path]) -> None:
    with pytest.raises(BadInput, match="Did you mean '177Lu-PSMA-617'"):
        design_case(*case, "177Lu-PSMA-671")
    with pytest.raises(BadInput, match="SSTR2"):
        design_case(*case, "177Lu-DOTATATE")
    for space in ({"affinities_nmol_per_L": (1e6,)}, {"molar_masses_kDa": (900.0,)}, {"molar_masses_kDa": ()},
                  {"internalisations_per_h": (-1.0,)}):
        with pytest.raises(OutOfValidity):
            DesignSpace(**space)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="half-life"):
        DesignSpace(clocks=())


PLACE = LigandDesign(3.0, 15.0, 0.06, 159.5)


@pytest.fixture(scope="module")
def world(case: tuple[Case, Path]) -> tuple[World, ResolvedCandidate, float]:
    wanted = case[0].model_copy(update={"candidates": case[0].candidates[:1]})
    setup = prepare(wanted, case[1])
    draw = Draw(seed=1, index=2)
    world = World(setup, draw, tissue_maps(setup, draw, 160.0), pairs=2)
    return world, setup.candidates[0], plasma_reference(setup, setup.candidates[0], draw)


@pytest.mark.parametrize(("doubling_time_h", "plasma_held", "interval_h", "stop"), [
    (None, True, 1008.0, 6), (None, False, 1008.0, 6), (36000.0, True, 1008.0, 6), (18000.0, False, 100.0, 6),
    (3600.0, False, 1008.0, 1)])
def test_gradient_of_the_log_kill_against_differences(
    world: tuple[World, ResolvedCandidate, float], doubling_time_h: float | None, plasma_held: bool,
    interval_h: float, stop: int
) -> None:
    """The whole chain, from affinity to log kill: fourth-order differences of forward runs, 1e-3 of the largest.

    At 15 kDa plasma clears by size; growth must leave a net kill, or every derivative is nothing. Fewest cells are left
    in cycle ``stop``; at 100 h a third of a dose is still to come when the next is given.
    """
    candidate = dataclasses.replace(world[1], interval_h=interval_h)
    chain = design_chain(world[0], candidate, world[2] if plasma_held else None, doubling_time_h)
    value, gradient = design_gradient(chain, PLACE)
    first = design_chain(world[0], dataclasses.replace(candidate, cycles=1), chain.reference, doubling_time_h)
    assert value > 0.01
    assert value == pytest.approx(design_value(chain, PLACE), rel=1e-6)
    assert (value > design_value(first, PLACE) * (1.0 + 1e-9)) == (stop > 1)
    for i in range(len(PROPERTIES)):
        def at(k: int, i: int = i) -> float:
            return design_value(chain, LigandDesign.of_logs(PLACE.logs + 0.01 * k * np.eye(len(PROPERTIES))[i]))

        difference = (8.0 * (at(1) - at(-1)) - at(2) + at(-2)) / 0.12
        assert gradient[i] == pytest.approx(difference, abs=1e-3 * float(np.abs(gradient).max()))


def test_size_changes_plasma_and_the_agent_keeps_its_own(world: tuple[World, ResolvedCandidate, float]) -> None:
    """At its own mass the agent has its own curve; larger ones stay longer by the ratio of clearances."""
    form, draw = world[1].form, Draw()
    own, large = (designed(form, 3.0, mass, 0.06, draw) for mass in (form.molar_mass_kDa.central, 150.0))
    same = [v.central for v in form.plasma.half_life_h]
    assert [v.central for v in own.plasma.half_life_h] == pytest.approx(same)
    radius = [ligand_from_size(m).hydrodynamic_radius_nm for m in (form.molar_mass_kDa.central, 150.0)]
    slower = mouse_plasma_clearance_per_h(radius[0]) / mouse_plasma_clearance_per_h(radius[1])
    assert [v.central for v in large.plasma.half_life_h] == pytest.approx([slower * t for t in same], rel=1e-9)
    assert slower > 10.0


def test_at_equal_activity_large_ligands_gain_what_they_stay_in_plasma(
    world: tuple[World, ResolvedCandidate, float]
) -> None:
    """With plasma held, the longer stay is given back as less activity (median draw)."""
    setup, candidate = world[0].setup, world[1]
    middle = World(setup, Draw(), tissue_maps(setup, Draw(), 160.0), pairs=2)
    held, free = (design_chain(middle, candidate, reference) for reference in
                  (plasma_reference(setup, candidate, Draw()), None))
    masses = (candidate.form.molar_mass_kDa.central, 12.0, 25.0, 50.0, 150.0)
    at_plasma, at_activity = ([design_value(c, dataclasses.replace(PLACE, molar_mass_kDa=m)) for m in masses]
                              for c in (held, free))
    assert at_plasma[0] == pytest.approx(at_activity[0], rel=1e-4)  # 159.5 h is 177Lu's half-life to four digits
    assert at_activity[-1] > 3.0 * at_plasma[-1]
    assert at_plasma == sorted(at_plasma, reverse=True)
    assert np.argmin(at_activity) == 2  # least near 25 kDa, as Schmidt & Wittrup 2009 report of uptake per injection


def test_the_chain_agrees_with_the_full_history_of_dose_rate(world: tuple[World, ResolvedCandidate, float]) -> None:
    """The grid of designs keeps the dose rate's time course; the chain has eight time integrals of it."""
    space = DesignSpace((3.0,), (15.0,), (0.06,), ("177Lu", "64Cu"))
    full, _, _ = _one(world[0].setup, _Task(2, 160.0, world[1].name, space, None))
    for design, kill_ in full.items():
        here = dataclasses.replace(PLACE, half_life_h=half_life_h(design.clock))
        assert design_value(design_chain(*world), here) == pytest.approx(kill_, rel=2e-3)


@pytest.mark.parametrize("doubling_time_h", [960.0, 9600.0])  # fewest cells in the first cycle, and in the last
def test_the_chain_agrees_with_the_full_history_under_growth(
    world: tuple[World, ResolvedCandidate, float], doubling_time_h: float
) -> None:
    """5e-3: the chain has eight time integrals of the dose rate, also for the share of a dose given by a time."""
    space = DesignSpace((3.0,), (1.0,), (0.06,), ("177Lu", "64Cu"))
    full, _, _ = _one(world[0].setup, _Task(2, 160.0, world[1].name, space, doubling_time_h))
    for design, kill_ in full.items():
        here = dataclasses.replace(PLACE, molar_mass_kDa=1.0, half_life_h=half_life_h(design.clock))
        assert design_value(design_chain(*world, doubling_time_h), here) == pytest.approx(kill_, rel=5e-3)


def test_growth_without_end_of_time_takes_nothing(world: tuple[World, ResolvedCandidate, float]) -> None:
    """Six cycles with a doubling time of 10^9 h are those without growth, and a shorter time only takes away."""
    none, slow, fast = (design_value(design_chain(*world, t), PLACE) for t in (None, 1e9, 3600.0))
    assert fast < slow < none
    assert slow == pytest.approx(none, rel=1e-3)


def test_the_optimum_is_above_every_design_tried(found: Findings) -> None:
    [best] = found.numbers["optimum"]
    assert best["log_kill"] >= 0.999 * max(d["log_kill"] for d in found.numbers["designs"])
    assert best["evaluations"] <= 60
    assert found.answer.startswith("For this tumour: ")
    text = findings_text(found)
    assert "At the lowest size: small ligands pass vessel walls faster" in text
    assert "The best of the designs tried below reaches" in text  # why two numbers stand on one page
    profiles = found.parts[0].charts
    assert {c.title for c in profiles} >= {"Log kill by KD", "Log kill by size", "Log kill by half-life"}
    assert all(max(c.lines["log kill"]) <= 1.002 * best["log_kill"] for c in profiles)  # the climb stops at 1e-3


def test_an_end_of_the_search_is_told_as_such_and_not_as_a_bound() -> None:
    low = LigandDesign(0.03, 1.0, 0.01, 1.0, 0.1)
    high = LigandDesign(300.0, 150.0, 0.06, 1200.0, 10.0)
    best = LigandDesign(2.0, 15.0, 0.06, 80.0, 1.0)
    profile = {"affinity_nmol_per_L": ((0.03, 2.0, 300.0), (1.0, 2.0, 0.5)),
               "molar_mass_kDa": ((1.0, 15.0, 150.0), (0.5, 2.0, 0.5)),
               "internalisation_per_h": ((0.01, 0.06), (1.5, 2.0)),
               "half_life_h": ((1.0, 80.0, 1200.0), (0.5, 2.0, 1.95)),
               "ligand_mass_factor": ((0.1, 1.0, 10.0), (1.99, 2.0, 1.98))}
    top = Optimum(best, 2.0, 9, 1.9, low, high, profile)
    text = optimum_sentence(top, ["177Lu", "64Cu"])
    assert text.startswith("For this tumour: nanobody-size (")
    assert "d or more (177Lu)" in text  # the longest half-life searched still serves
    assert "at the highest internalisation (0.06 1/h) searched: the true best may lie beyond" in text
    assert top.flat["ligand_mass_factor"] == pytest.approx((0.1, 10.0))


def test_an_optimum_that_derivatives_cannot_find_says_why(case: tuple[Case, Path]) -> None:
    options = case[0].tissue.model_copy(update={"matrix_hindrance": True})
    few = DesignSpace((3.0,), (1.0,), (0.06,), ("177Lu",))
    found = design_case(case[0].model_copy(update={"tissue": options}), case[1], "177Lu-PSMA-617", space=few, draws=0)
    assert "hindrance" in findings_text(found)
    assert found.answer.startswith("Of the 1 designs tried")
