"""`nichedose rank`: the decision alone, with its doubts, from a case or from the results of a plan."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nichedose.case import Case, Mode, parse_case
from nichedose.decide import (
    Administration,
    CandidateCourse,
    Condition,
    Decision,
    DecisionTable,
    LesionResponse,
    Objective,
    OwnLimit,
    check_conditions,
    course_effect,
    course_in_mode,
    make_decision,
)
from nichedose.decide.decision import check_objective
from nichedose.decide.outcome import BURDENS
from nichedose.effect import Repopulation
from nichedose.errors import BadInput, NotComputed
from nichedose.findings import Findings, FindingTable, Part
from nichedose.io.results_folder import Results
from nichedose.library import load_library
from nichedose.study.assumed import variants_of
from nichedose.study.decision import table_from_draws, table_from_responses
from nichedose.study.doubts import doubts_of, doubts_of_first, doubts_part
from nichedose.study.growth import growth_of, growth_text
from nichedose.study.own_limits import limits_with
from nichedose.study.partners import partner_part, rests_on_partner, with_partners
from nichedose.study.rank_parts import disagreement_part, information_part, ranking_part, unit, word
from nichedose.study.responses import Responses, cycles_that_meet, left_out, prepare, respond
from nichedose.study.sources import sources_of
from nichedose.values import ValueUse

__all__ = ["RankQuestion", "rank_case", "rank_results"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class RankQuestion:
    """What is asked: ``mode`` None takes the case's; ``limits`` replace the library's for the same organ;
    ``partners`` puts every candidate beside each of these drugs (`with_partners`)."""

    objective: Objective = "log_kill"
    mode: Mode | None = None
    conditions: tuple[Condition, ...] = ()
    limits: tuple[OwnLimit, ...] = ()
    confidence: float = 0.5
    doubling_time_h: float | None = None
    partners: tuple[str, ...] = ()


def rank_case(
    case: Case, case_path: Path, question: RankQuestion, *, draws: int | None = None,
    progress: Progress = lambda *_: None
) -> Findings:
    """Run the draws of a case (no maps, no report of the plan) and decide; combinations are ranked beside candidates.

    Raises `BadInput` for a limit of an unknown organ, two limits of one organ that contradict each other, or an
    objective that the mode holds equal.
    """
    check_conditions(question.conditions)
    mode = question.mode or case.comparison.decide_by
    check_objective(question.objective, mode)
    if (case.sampling.draws if draws is None else draws) == 0:
        raise BadInput("A ranking is decided over draws, and none are asked for: give --draws 32 or more (or draws "
                       "under [sampling]).")
    limits = limits_with(load_library(), question.limits) if question.limits else None
    case = with_partners(case, question.partners)
    responses = respond(prepare(case, case_path, limits=limits, progress=progress), draws=draws, progress=progress)
    growth = growth_of(case.effect, question.doubling_time_h)
    tables = {m: table_from_responses(responses, m, growth=growth)
              for m in dict.fromkeys((mode, *case.comparison.modes))}
    decision = make_decision(tables[mode], question.objective, question.conditions, confidence=question.confidence)
    found = _findings(case.title, tables[mode], decision, tables)
    beside = partner_part(responses.setup, tables[mode])
    order = decision.ranking.order
    agents = {c.name: tuple(c.split) for c in responses.courses if c.name in order}
    given = zip(agents[order[0]], tables[mode].activities[order[0]], strict=True)
    answer = found.answer + doubts_of_first(
        responses.setup, responses.maps, {agent: float(np.nanmedian(of)) for agent, of in given})
    doubts = doubts_of(responses.setup, responses.maps, {a for of in agents.values() for a in of})
    cautions = (*growth_text(growth, _counted(responses, mode, growth), case.effect), *left_out(responses.setup),
                *cycles_that_meet(responses.central, {
                    c.name: (tuple(c.split), c.interval_h) for c in responses.courses if c.cycles > 1}))
    first = dataclasses.replace(found.parts[0], text=(*found.parts[0].text, *cautions))
    parts = (first, *doubts_part(doubts), *((beside,) if beside else ()), *found.parts[1:],
             _assumption_part(responses, decision, growth))
    used = tuple(ValueUse(k, responses.used[k]) for k in sorted(responses.used))
    return dataclasses.replace(
        found, answer=answer + rests_on_partner(responses.setup, order), parts=parts,
        values_used=used, sources=sources_of(responses.setup),
        assumptions=(
            f"Every number comes from {len(responses.draws)} joint draws on a {responses.spacing_um:g}-um grid; a plan "
            "moves its draws to the fine grid, so its numbers may differ a little.",
            "In a combination, whether a tumour cell bears one target is independent of whether it bears another; the "
            "agents do not compete for a target or change each other's kinetics.",
            "Damage that one administration leaves unrepaired adds to the next; how much follows from the section's "
            "mean courses of dose rate.",
            "Shares of organ limits are added over agents, each in the quantity of its own limit. An activity that "
            "organ limits leave is a bound from conventions; it has not been tried.",
        ),
        numbers={**found.numbers, "cautions": [*doubts, *cautions]})


def _counted(responses: Responses, mode: Mode, growth: Repopulation | None) -> dict[str, tuple[int, int]]:
    """After which cycle fewest clonogens are left, of how many, at the medians."""
    counted: dict[str, tuple[int, int]] = {}
    for course in responses.courses if growth else ():
        plan = _central_plan(responses, course, mode)
        if plan:
            counted[course.name] = (course_effect(responses.central, plan, growth).last // len(course.split) + 1,
                                    course.cycles)
    return counted


def _central_plan(responses: Responses, course: CandidateCourse, mode: Mode, lesion: LesionResponse | None = None
                  ) -> tuple[Administration, ...]:
    """The course in a mode at the medians; empty where it cannot be evaluated in it."""
    comparison = responses.setup.case.comparison
    try:
        return course_in_mode(lesion or responses.central, course, mode, equal_activity_MBq=comparison.equal_activity,
                              equal_mean_dose_Gy=comparison.equal_mean_dose)
    except NotComputed:
        return ()


def rank_results(results: Results, case_text: str, question: RankQuestion) -> Findings:
    """Decide again from the draws of a finished plan, without computing anything anew."""
    if question.partners:
        raise BadInput("A partner drug changes the tissue, and a finished plan holds only what it computed. Run "
                       "`nichedose rank` on the case file.")
    if question.limits:
        raise BadInput("Limits of your own change what is tolerated, and a finished plan holds only what it computed. "
                       "Run `nichedose rank` on the case file.")
    if question.doubling_time_h is not None:
        raise BadInput("A doubling time needs the courses, which a finished plan does not hold. Run `nichedose rank` "
                       "on the case file.")
    if "organ_burden" in (question.objective, *(c.objective for c in question.conditions)):
        raise NotComputed("organ_burden: a finished plan does not hold the shares of organ limits by draw. Run "
                          "`nichedose rank` on the case file.")
    stored = [str(m) for m in results.draws["mode"].values]
    mode = question.mode or str(results.attributes.get("decide_by", stored[0]))
    clonogens = _clonogens(case_text)
    tables = {m: table_from_draws(results.draws, m, clonogens) for m in dict.fromkeys((mode, *stored))}
    decision = make_decision(tables[mode], question.objective, question.conditions, confidence=question.confidence)
    found = _findings(str(results.attributes.get("title", "plan")), tables[mode], decision, tables)
    flagged = _flagged(results, decision.ranking.order[0])
    first = dataclasses.replace(found.parts[0], text=(*found.parts[0].text, *flagged))
    return dataclasses.replace(found, parts=(first, *found.parts[1:]), assumptions=(
        "This decides again on the draws of a finished plan: its values, their sources and its assumptions stand in "
        "the report of that plan.",))


def _flagged(results: Results, first: str) -> tuple[str, ...]:
    """What the plan says of the first candidate, where it flagged it."""
    rows = results.ranking[results.ranking["candidate"] == first]
    if rows.empty or str(rows["status"].iloc[0]) != "flagged":
        return ()
    return (f"The plan flags {first}: {str(rows['reasons'].iloc[0]).rstrip('.')}.",)


def _clonogens(case_text: str) -> float | None:
    try:
        lesion = parse_case(case_text).lesion
    except (BadInput, tomllib.TOMLDecodeError):
        return None
    return None if lesion.clonogen_density is None else lesion.clonogen_density * np.pi / 6.0 * lesion.diameter**3


def _findings(
    title: str, table: DecisionTable, decision: Decision, tables: Mapping[Mode, DecisionTable] | Mapping[str, Any]
) -> Findings:
    parts = [ranking_part(table, decision), information_part(decision), disagreement_part(decision, tables)]
    return Findings(
        title=f"Ranking: {title}",
        answer=_answer(decision),
        parts=tuple(parts),
        numbers={
            "mode": decision.mode, "objective": decision.objective,
            "candidates": [vars(c) for c in decision.ranking.candidates],
            "frontier": list(decision.frontier), "excluded": dict(decision.excluded),
            "not_evaluable": dict(decision.not_evaluable), "perfect_information": decision.information,
            "inputs": [vars(i) | {"matters": i.matters} for i in decision.inputs],
        })


def _answer(d: Decision) -> str:
    first, rest = d.ranking.candidates[0], d.ranking.candidates[1:]
    mode = d.mode.replace("_", " ")
    if not rest:
        return f"By {word(d.objective)}, {mode}: {first.name} is the only candidate left."
    p, interval = first.probability_best, first.interval
    text = f"By {word(d.objective)}, {mode}: {first.name} ranks first of {len(rest) + 1}"
    if p is not None and interval is not None:
        text += (f", best in {100 * p:.0f} % of {d.ranking.n_draws} draws (95 %: {100 * interval[0]:.0f} to "
                 f"{100 * interval[1]:.0f} %)")
    text += f"; next comes {rest[0].name}."
    if d.information is not None and first.expected_regret is not None:
        text += f" Choosing it costs {d.information:.2g} {unit(d.objective)} on average against knowing everything."
    if d.objective not in BURDENS and d.dose_order and d.dose_order[0] != first.name:
        text += f" By mean dose {d.dose_order[0]} would be first: see where dose and survival disagree."
    return text


def _assumption_part(responses: Responses, d: Decision, growth: Repopulation | None) -> Part:
    """The central run with one part of the effect model taken away at a time: which of them makes the order."""
    orders: dict[str, list[str]] = {}
    kills: dict[str, dict[str, float]] = {}
    for label, lesion in {"as modelled": responses.central, **variants_of(responses)}.items():
        kills[label] = {}
        for course in (c for c in responses.courses if c.name in d.ranking.order):
            if plan := _central_plan(responses, course, d.mode, lesion):
                kills[label][course.name] = course_effect(lesion, plan, growth).log_kill
        orders[label] = sorted(kills[label], key=lambda n: -kills[label][n])
    own = orders["as modelled"]
    rows = tuple((label if label == "as modelled" else f"without {label}", order[0], kills[label][order[0]],
                  _moves(own, order)) for label, order in orders.items() if order)
    decide = [label for label, order in orders.items() if order and own and order[0] != own[0]]
    text = (f"Taking away {' or '.join(decide)} puts another candidate first: that part of the model decides."
            if decide else "Whichever of these parts is taken away, the same candidate stays first at the medians.")
    return Part("Which assumption decides", (text,), (FindingTable(
        ("effect model at the medians", "first", "its log kill", "pairs that change places"), rows),))


def _moves(a: Sequence[str], b: Sequence[str]) -> int:
    place = {name: i for i, name in enumerate(b)}
    kept = [n for n in a if n in place]
    return sum(place[x] > place[y] for i, x in enumerate(kept) for y in kept[i + 1 :])
