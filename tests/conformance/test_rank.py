"""Decisions on the synthetic section: courses agree with the plan, partners and limits do what they should."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from plan_cases import demo_case, run

from nichedose.case import Candidate, CandidatePartner, Combination, EffectOptions
from nichedose.decide import (
    CandidateCourse,
    course_effect,
    course_in_mode,
    course_outcome,
    parse_condition,
    parse_limit,
    regular_course,
)
from nichedose.errors import BadInput, NotComputed
from nichedose.io import load_results, write_results
from nichedose.library import load_library
from nichedose.report import findings_text
from nichedose.study.combinations import as_given, combinations_of, cycle_responses
from nichedose.study.growth import growth_of
from nichedose.study.optimise import course_case
from nichedose.study.own_limits import limits_with
from nichedose.study.partners import with_partners
from nichedose.study.phases import Phase, course_metrics, course_survival, evaluate_at
from nichedose.study.rank import RankQuestion, rank_case, rank_results
from nichedose.study.responses import lesion_response, prepare, respond
from nichedose.study.section_maps import tissue_maps
from nichedose.study.threshold import threshold_case
from nichedose.study.world import World
from nichedose.values import Draw

PAIR = Combination(agents=("225Ac-PSMA-617", "225Ac-FAP-2286"), cycles=2, interval="8 wk")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    case, path = demo_case(tmp_path_factory.mktemp("rank"), draws=4, workers=1, grid_spacing=80.0)
    setup = prepare(case.model_copy(update={"combinations": (PAIR,)}), path)
    draw = Draw(seed=1, index=3)
    return World.of_draw(setup, draw, tissue_maps(setup, draw, 80.0))


def test_a_course_of_one_agent_is_what_the_plan_computes(world: World) -> None:
    """Cycles six weeks apart and more: only 225Ac (10 d) leaves something, so 1e-6 of the log kill is allowed."""
    lesion = lesion_response(world, world.setup.evaluable)
    comparison = world.setup.case.comparison
    assert "225Ac-FAP-2286" in lesion.agents  # named by the combination alone
    for candidate in world.setup.evaluable:
        course = CandidateCourse(candidate.name, {candidate.name: 1.0}, candidate.cycles, candidate.interval_h)
        for mode in ("as_prescribed", "equal_mean_dose", "equal_toxicity"):
            plan = course_in_mode(lesion, course, mode, equal_activity_MBq=comparison.equal_activity,
                                  equal_mean_dose_Gy=comparison.equal_mean_dose)
            found = course_outcome(lesion, plan)
            expected = evaluate_at(world.dose(candidate), world.effect, plan[0].activity_MBq, candidate.cycles, None)
            assert found.log_kill == pytest.approx(expected.log_kill, rel=1e-6), (candidate.name, mode)
            assert 10.0**-found.worst_decile == pytest.approx(expected.worst_decile_survival, rel=1e-5)
            assert found.mean_dose == pytest.approx(expected.mean_dose_Gy, rel=1e-9)
        tolerance = world.tolerance(candidate)
        assert tolerance.activity_MBq == pytest.approx(plan[0].activity_MBq, rel=1e-6)


@pytest.mark.parametrize(("doubling_time", "starts", "outrun"), [("40000 d", "0 h", False), ("4 d", "0 h", True),
                                                                 ("20 d", "100 d", None)])
def test_growth_is_the_same_in_a_plan_and_in_a_course(
    world: World, doubling_time: str, starts: str, outrun: bool | None
) -> None:
    """One rule: the cycle that leaves fewest clonogens of the whole section, and growth until then."""
    effect = EffectOptions(clonogen_doubling_time=doubling_time, regrowth_starts=starts)  # type: ignore[arg-type]
    case = world.setup.case.model_copy(update={"effect": effect})
    draw = Draw(seed=1, index=3)
    grown = World.of_draw(dataclasses.replace(world.setup, case=case), draw, world.maps)
    lesion, growth = lesion_response(grown, grown.setup.evaluable), growth_of(effect)
    early = []
    for candidate in grown.setup.evaluable:
        phases = (Phase(grown.dose(candidate), grown.effect, candidate.cycles),)
        expected = course_metrics(phases, candidate.activity_MBq, candidate.interval_h, 1e9)
        counted = course_survival(phases, candidate.activity_MBq, candidate.interval_h)
        course = regular_course({candidate.name: candidate.activity_MBq}, candidate.cycles, candidate.interval_h)
        found = course_outcome(lesion, course, growth)
        assert found.log_kill == pytest.approx(expected.log_kill, rel=1e-5, abs=1e-6), candidate.name
        assert 10.0**-found.worst_decile == pytest.approx(expected.worst_decile_survival, rel=1e-4)
        assert course_effect(lesion, course, growth).last == counted.cycles - 1
        assert expected.log_kill >= 0.0
        early.append(counted.cycles < candidate.cycles)
    assert outrun is None or any(early) is outrun


def test_the_same_seed_gives_the_same_decision(tmp_path: Path) -> None:
    case, path = demo_case(tmp_path, draws=3, workers=1, grid_spacing=160.0)
    first, second = (rank_case(case, path, RankQuestion()).numbers for _ in range(2))
    assert repr(first) == repr(second)


def test_limits_of_ones_own_change_what_is_tolerated(tmp_path: Path) -> None:
    case, path = demo_case(tmp_path, draws=2, workers=1, grid_spacing=160.0)
    tight = RankQuestion(limits=(parse_limit("marrow absorbed_dose 0.2 Gy: this test"),))
    kills = [{c["name"]: c["median"] for c in rank_case(case, path, q).numbers["candidates"]}
             for q in (RankQuestion(), tight)]
    assert any(kills[1][name] < 0.9 * kill for name, kill in kills[0].items())
    assert all(kills[1][name] <= kill * (1 + 1e-9) for name, kill in kills[0].items())


def test_limits_that_contradict_or_do_not_exist() -> None:
    library = load_library()
    both = [parse_limit("kidney absorbed_dose 18 Gy: ward a"), parse_limit("kidney absorbed_dose 23 Gy: ward b")]
    with pytest.raises(BadInput, match=r"contradict.*18 Gy \(ward a\) and 23 Gy \(ward b\)"):
        limits_with(library, both)
    with pytest.raises(BadInput, match="No limit is known for organ 'kidny'"):
        limits_with(library, [parse_limit("kidny absorbed_dose 18 Gy: x")])
    with pytest.raises(BadInput, match="above 0"):
        limits_with(library, [parse_limit("kidney absorbed_dose 0 Gy: x")])


def test_conditions_reach_the_findings(tmp_path: Path) -> None:
    case, path = demo_case(tmp_path, draws=2, workers=1, grid_spacing=160.0)
    question = RankQuestion(mode="as_prescribed", conditions=(parse_condition("mean_dose >= 1"),))
    found = rank_case(case, path, question)
    assert "mean_dose at least 1" in found.parts[0].text[0]
    assert all(np.isfinite(c["median"]) for c in found.numbers["candidates"])


def test_growth_of_the_case_is_taken_off_and_said(tmp_path: Path) -> None:
    case, path = demo_case(tmp_path, draws=1, workers=1, grid_spacing=160.0)
    grown = case.model_copy(update={"effect": case.effect.model_copy(update={"clonogen_doubling_time": 1440.0})})
    found, plain = (rank_case(c, path, RankQuestion(mode="as_prescribed")) for c in (grown, case))
    assert any("double every 60 d" in t for t in found.parts[0].text)
    assert "double every 60 d" in findings_text(found)  # a terminal shows it too
    before = {c["name"]: c["median"] for c in plain.numbers["candidates"]}
    assert all(c["median"] < before[c["name"]] for c in found.numbers["candidates"])
    (as_modelled, *_), (without, *_) = (f.parts[-1].tables[0].rows for f in (found, plain))
    assert as_modelled[2] < without[2]  # the table of assumptions too


def test_partners_that_act_in_some_cycles_are_followed_by_rank(tmp_path: Path) -> None:
    """Composed from one response per phase, a course with a partner is what the plan computes cycle by cycle."""
    case, path = demo_case(tmp_path, draws=2, workers=1, grid_spacing=160.0)
    only = case.model_copy(update={"candidates": case.candidates[:1]})
    asked = ("androgen blockade", "losartan 2 wk before", "PEGPH20")
    found = rank_case(only, path, RankQuestion(mode="as_prescribed", partners=asked))
    text = findings_text(found)
    assert "177Lu-PSMA-617 + losartan 2 wk before" in text and "assumed: a scenario" in text
    assert "does not state 'hyaluronan_high'" in text
    median = {c["name"]: c["median"] for c in found.numbers["candidates"]}
    assert "177Lu-PSMA-617 + PEGPH20" not in median  # a twin would take half of the draws from the agent alone
    assert "177Lu-PSMA-617 alone" in found.numbers["not_evaluable"]["177Lu-PSMA-617 + PEGPH20"]
    assert "First place rests on" in found.answer and "Without partner drugs 177Lu-PSMA-617 is first" in found.answer
    setup = prepare(with_partners(only, asked), path)
    candidate = setup.candidates[1]
    met = cycle_responses(setup, candidate)
    assert len(met) == candidate.cycles and len(set(met)) > 1
    kills = []
    for index in range(2):
        draw = Draw(seed=case.sampling.seed, index=index)
        world = World.of_draw(setup, draw, tissue_maps(setup, draw, 160.0))
        kills.append(world.evaluate(candidate)["as_prescribed"].log_kill)
    assert median[candidate.name] == pytest.approx(float(np.median(kills)), rel=1e-4)  # cycles share damage of 1e-5


def test_partners_beside_a_combination_act_at_its_own_times(tmp_path: Path) -> None:
    """Androgen blockade raises PSMA in weeks and lowers it after months: which cycle meets which is the course's."""
    case, path = demo_case(tmp_path, draws=2, workers=1, grid_spacing=160.0)
    far = PAIR.model_copy(update={"cycles": 2, "interval": 2688.0, "offsets": (0.0, 24.0)})
    few = case.model_copy(update={"candidates": case.candidates[:1], "combinations": (far,)})
    asked = ("androgen blockade 2 wk before",)
    setup = prepare(with_partners(few, asked), path)
    plain, blocked = combinations_of(setup)
    psma = next(c for c in setup.candidates if c.name == "225Ac-PSMA-617")
    fap = next(c for c in setup.candidates if c.name == "225Ac-FAP-2286")
    assert cycle_responses(setup, psma, plain) == (psma.name, psma.name)
    first, second = cycle_responses(setup, psma, blocked)
    assert len({psma.name, first, second}) == 3  # up in the first cycle, down in the second
    assert len(set(cycle_responses(setup, fap, blocked))) == 2  # the tissue is the same for both agents
    draw = Draw(seed=1, index=0)
    world = World.of_draw(setup, draw, tissue_maps(setup, draw, 160.0))
    lesion = lesion_response(world, setup.evaluable)
    dose = {n: lesion[n].mean_dose_Gy_per_MBq for n in (psma.name, first, second)}
    assert dose[second] < dose[psma.name] < dose[first]
    given = as_given(blocked, psma)
    assert dose[second] == pytest.approx(world.dose(given, cycle=1).mean_dose_Gy_per_MBq, rel=1e-12)

    found = rank_case(few, path, RankQuestion(mode="as_prescribed", partners=asked))
    names = {c["name"] for c in found.numbers["candidates"]}
    assert {far.name, f"{far.name} + androgen blockade 2 wk before"} <= names
    [table] = next(p for p in found.parts if p.title == "Partner drugs").tables
    assert any(row[0] == f"{far.name} + androgen blockade 2 wk before" and row[3] is not None for row in table.rows)


def test_an_agent_of_a_combination_is_its_candidate_without_a_partner(tmp_path: Path) -> None:
    case, path = demo_case(tmp_path, draws=0, workers=1, grid_spacing=160.0)
    lead = {"name": "losartan", "lead": "2 wk"}
    beside = Candidate.model_validate({"agent": "225Ac-PSMA-617", "label": "beside", "partners": [lead]})
    setup = prepare(case.model_copy(update={"candidates": (beside, *case.candidates), "combinations": (
        PAIR, PAIR.model_copy(update={"agents": ("beside", "225Ac-FAP-2286"), "label": "labelled"}))}), path)
    plain, labelled = combinations_of(setup)
    assert plain.agents[0] == "225Ac-PSMA-617" and plain.partners == ()
    assert labelled.agents[0] == "beside" and [p.partner.name for p in labelled.partners] == ["losartan"]
    with pytest.raises(BadInput, match="Did you mean 'losartan'"):
        prepare(case.model_copy(update={"combinations": (PAIR.model_copy(update={
            "partners": (CandidatePartner(name="losartam"),)}),)}), path)


def test_partners_that_cannot_be_read_or_optimised(tmp_path: Path) -> None:
    case, path = demo_case(tmp_path, draws=0, workers=1, grid_spacing=160.0)
    with pytest.raises(BadInput, match="Did you mean 'losartan'"):
        prepare(with_partners(case, ["losartam 2 wk before"]), path)
    with pytest.raises(BadInput, match="unit"):
        with_partners(case, ["losartan 2 fortnights before"])
    for text, words in (("losartan 2 wk befor", "'2 wk befor' is neither"), ("losartan before", "'before' is neither"),
                        ("losartan 2 wk", "'losartan 2 wk before'"), ("PEGPH20 given", "'given' is neither")):
        with pytest.raises(BadInput, match=words):
            with_partners(case, [text])


def test_a_partner_that_acts_in_some_cycles_is_optimised_at_fixed_times(tmp_path: Path) -> None:
    """One agent at its limit: the same number as `rank` at equal toxicity, composed cycle by cycle (medians)."""
    case, path = demo_case(tmp_path, draws=0, workers=1, grid_spacing=160.0)
    varied = with_partners(case, ["androgen blockade"]).candidates[len(case.candidates)]
    only = case.model_copy(update={"candidates": (varied.model_copy(update={"cycles": 4, "interval": 1008.0}),)})
    found = course_case(only, path, [varied.label or ""], cycles=(4, 4), interval_h=(1008.0, 1008.0))
    answer = respond(prepare(only, path))
    [course] = answer.courses
    assert len(set(course.in_cycle[course.name])) == 2
    plan = course_in_mode(answer.central, course, "equal_toxicity", equal_activity_MBq=1.0, equal_mean_dose_Gy=1.0)
    assert found.numbers["value"] == pytest.approx(course_outcome(answer.central, plan).log_kill, rel=1e-6)
    with pytest.raises(BadInput, match="Give one interval"):
        course_case(only, path, [varied.label or ""], cycles=(4, 4), interval_h=(672.0, 1008.0))


def test_a_finished_plan_is_decided_again(tmp_path: Path) -> None:
    case, path = demo_case(tmp_path, draws=3, workers=1, grid_spacing=160.0)
    plan = run(case, path)
    folder = tmp_path / "results"
    write_results(folder, plan.result, "<html></html>", overwrite=False, assays=plan.assays,
                  obs_columns=plan.spot_columns)
    results = load_results(folder)
    text = str(results.provenance["case_toml"])
    found = rank_results(results, text, RankQuestion(mode="as_prescribed"))
    stored = {c.name: c.modes["as_prescribed"] for c in plan.result.candidates}
    for one in found.numbers["candidates"]:
        assert one["median"] == pytest.approx(stored[one["name"]].log_kill.typical)
        assert one["rank"] == stored[one["name"]].rank
    assert "report of that plan" in found.assumptions[0]
    first = found.numbers["candidates"][0]["name"]
    status = next(c.status for c in plan.result.candidates if c.name == first)
    assert any(f"The plan flags {first}" in text for text in found.parts[0].text) is (status == "flagged")
    for question, words in ((RankQuestion(mode="equal"), "no mode"), (RankQuestion(doubling_time_h=1.0), "doubling"),
                            (RankQuestion(limits=(parse_limit("kidney bed 20 Gy: x"),)), "Limits of your own")):
        with pytest.raises(BadInput, match=words):
            rank_results(results, text, question)
    for question in (RankQuestion(objective="organ_burden", mode="as_prescribed"),
                     RankQuestion(conditions=(parse_condition("organ_burden <= 1"),))):
        with pytest.raises(NotComputed, match=r"organ_burden.*on the case file"):
            rank_results(results, text, question)


def test_a_first_choice_that_the_section_hardly_shows_says_so(tmp_path: Path) -> None:
    """As the plan's answer does: the demo counts PD-L1 9 times, and nobody has given its agent."""
    case, path = demo_case(tmp_path, draws=2, workers=1, grid_spacing=160.0)
    only = case.model_copy(update={"candidates": (Candidate(agent="177Lu-atezolizumab"),)})
    found = rank_case(only, path, RankQuestion(mode="as_prescribed"))
    assert "But the section hardly shows PD-L1" in found.answer and "tried" not in found.answer
    assert any("only 9 counts" in text for text in next(p for p in found.parts if p.title == "What is in doubt").text)
    assert any("nobody has given it" in text for text in found.numbers["cautions"])
    course = course_case(only, path, ["177Lu-atezolizumab"], cycles=(1, 1), interval_h=(1008.0, 1008.0), draws=0)
    assert "But the section hardly shows PD-L1" in course.answer and "before this course means" in course.answer
    assert "best in draws (95 %)" not in found.parts[0].tables[0].head  # of one candidate
    assert run(only, path).result.candidates[0].modes["as_prescribed"].probability_best is None
    barrier = threshold_case(only, path, "perfusion", down_to=0.5, mode="as_prescribed", draws=0)
    assert any("only 9 counts" in text for text in barrier.numbers["cautions"])
    strong = case.model_copy(update={"candidates": (Candidate(agent="177Lu-FAPI-46"),)})
    assert "times the prescribed activity, which has not been tried" in rank_case(strong, path, RankQuestion()).answer


def test_candidates_past_an_organ_limit_are_named(tmp_path: Path) -> None:
    case, path = demo_case(tmp_path, draws=1, workers=1, grid_spacing=160.0)
    question = RankQuestion(mode="as_prescribed", limits=(parse_limit("marrow absorbed_dose 0.2 Gy: this test"),))
    assert any("Past an organ limit" in text for text in rank_case(case, path, question).parts[0].text)


def test_a_candidate_without_organ_data_is_named(tmp_path: Path) -> None:
    """A combination with an agent whose organ doses are unknown cannot be compared at equal toxicity."""
    case, path = demo_case(tmp_path, draws=1, workers=1, grid_spacing=160.0)
    bare = load_library().forms["PSMA-617"].model_copy(update={"name": "bare", "dose_coefficients": ()})
    unknown = load_library().agents["177Lu-PSMA-617"].model_copy(update={"name": "177Lu-bare", "form": "bare"})
    pair = Combination(agents=("177Lu-bare", "225Ac-PSMA-617"), cycles=2, interval="8 wk")  # type: ignore[arg-type]
    found = rank_case(case.model_copy(update={"forms": (bare,), "agents": (unknown,), "combinations": (pair,)}), path,
                      RankQuestion(mode="equal_toxicity"))
    assert "no dose coefficient" in found.numbers["not_evaluable"][pair.name]


def test_activities_of_a_combination_are_told_by_agent(tmp_path: Path) -> None:
    """7.4 GBq of 177Lu and 8 MBq of 225Ac have no sum."""
    case, path = demo_case(tmp_path, draws=1, workers=1, grid_spacing=160.0)
    few = case.model_copy(update={"candidates": case.candidates[:1], "combinations": (PAIR,)})
    table = rank_case(few, path, RankQuestion(mode="as_prescribed")).parts[0].tables[0]
    told = {row[0].split(". ")[1]: row[table.head.index("MBq per cycle")] for row in table.rows}
    assert told[case.candidates[0].agent] == pytest.approx(7400.0)
    assert told[few.combinations[0].label or " + ".join(PAIR.agents)].count(" + ") == 1
