"""`nichedose optimise`: activities, split and times of a course under the organ limits, over the draws of a case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from nichedose.case import Candidate, Case
from nichedose.decide import (
    CourseSpace,
    LesionResponse,
    OptimisedCourse,
    course_burdens,
    course_effect,
    optimise_course,
)
from nichedose.effect import Repopulation
from nichedose.errors import BadInput, NotComputed
from nichedose.findings import Cell, Findings, FindingTable, Part
from nichedose.study.doubts import doubts_of, doubts_of_first, doubts_part
from nichedose.study.growth import growth_of, growth_text
from nichedose.study.responses import Responses, cycles_that_meet, left_out, prepare, respond
from nichedose.study.sources import sources_of
from nichedose.study.words import activity_text
from nichedose.values import ValueUse

__all__ = ["course_case"]

Progress = Callable[[str, int, int], None]


def course_case(
    case: Case, case_path: Path, agents: Sequence[str], *, cycles: tuple[int, int], interval_h: tuple[float, float],
    longest_offset_h: float = 0.0, doubling_time_h: float | None = None, draws: int | None = None,
    progress: Progress = lambda *_: None,
) -> Findings:
    """The best course of ``agents`` for each number of cycles, and each agent alone beside it.

    Mean log kill over the draws is maximised; limits hold at the medians, and how often they are passed in the draws is
    told. Raises `BadInput` for an agent that cannot be evaluated in the sections.
    """
    if not 1 <= cycles[0] <= cycles[1] <= 20:
        raise BadInput(f"cycles {cycles[0]} to {cycles[1]}: give 1 to 20, the smaller number first.")
    if longest_offset_h > 0.0 and len(set(agents)) < 2:
        raise BadInput("A delay within a cycle (--longest-delay) is that of one agent behind another: name two agents "
                       "or more, or leave it out.")
    fixed = interval_h[0] == interval_h[1] and longest_offset_h == 0.0
    times = (cycles[1], interval_h[0]) if fixed else None
    wanted = case.model_copy(update={"combinations": (), "candidates": tuple(
        _at_times(_candidate(case, name), times) for name in dict.fromkeys(agents))})
    responses = respond(prepare(wanted, case_path, progress=progress), draws=draws, progress=progress)
    names = _names(responses, agents, fixed)
    met = {n: of for c in responses.courses for n, of in c.in_cycle.items() if len(set(of)) > 1}
    growth = growth_of(case.effect, doubling_time_h)
    lesions = responses.draws or (responses.central,)
    found: dict[int, OptimisedCourse] = {}
    for n in range(cycles[0], cycles[1] + 1):
        space = CourseSpace(names, n, interval_h, longest_offset_h, {a: of[:n] for a, of in met.items()})
        found[n] = optimise_course(lesions, space, limits=responses.central, growth=growth)
    best = max(found, key=lambda n: found[n].value)
    alone = {name: optimise_course(
        lesions, CourseSpace((name,), best, interval_h, in_cycle={a: of[:best] for a, of in met.items() if a == name}),
        limits=responses.central, growth=growth) for name in names} if len(names) > 1 else {}
    return _findings(responses, found, best, alone, lesions, growth)


def _candidate(case: Case, name: str) -> Candidate:
    """As the case has it, else from the library."""
    for c in case.candidates:
        if name in (c.label, c.agent):
            return c
    return Candidate(agent=name)


def _at_times(candidate: Candidate, times: tuple[int, float] | None) -> Candidate:
    """With a partner drug, at the cycles and interval of the search: they say in which cycles the drug acts."""
    if times is None or not candidate.partners:
        return candidate
    changes = candidate.administration.target_by_cycle
    changes = (*changes, *(changes[-1:] * times[0]))[:times[0]]  # the last one stays
    given = candidate.administration.model_copy(update={"target_by_cycle": changes})
    return candidate.model_copy(update={"cycles": times[0], "interval": times[1], "administration": given})


def _names(responses: Responses, agents: Sequence[str], fixed: bool) -> tuple[str, ...]:
    for c in responses.setup.candidates:
        reason = responses.setup.reason_not_evaluable(c)
        if reason is not None:
            raise BadInput(f"{c.name} cannot be optimised: {reason}.")
    if not agents:
        raise BadInput("Name one agent or more to optimise.")
    for course in responses.courses:
        if not fixed and any(len(set(of)) > 1 for of in course.in_cycle.values()):
            raise BadInput(f"{course.name}: its partner drug acts in some cycles only, so the search cannot move them. "
                           "Give one interval, '6 wk', and no delays, or leave the partner out.")
    return tuple(c.name for c in responses.setup.evaluable)


def _findings(
    responses: Responses, found: dict[int, OptimisedCourse], best: int, alone: dict[str, OptimisedCourse],
    lesions: Sequence[LesionResponse], growth: Repopulation | None,
) -> Findings:
    course = found[best]
    kills = np.array([course_effect(lesion, course.course, growth).log_kill for lesion in lesions])
    passed = _passed(lesions, course)
    given = ", ".join(f"{name} {activity_text(a)}" for name, a in course.activities_MBq.items() if a > 0.0)
    answer = (f"Best course: {best} {'cycle' if best == 1 else 'cycles'} of {given}"
              + (f", {_apart(course.interval_h)} apart" if best > 1 else "")
              + (f"; mean log kill {course.value:.3g} over {len(lesions)} draws (5 to 95 %: "
                 f"{np.quantile(kills, 0.05):.3g} to {np.quantile(kills, 0.95):.3g})." if len(lesions) > 1 else
                 f"; log kill {course.value:.3g}, of one {'draw' if responses.draws else 'run at the medians'}."))
    if alone:
        name, single = max(alone.items(), key=lambda item: item[1].value)
        gain = course.value - single.value
        answer += (f" That is {gain:.2g} more than {name} alone at its limit." if gain > 0.005 * abs(single.value) else
                   f" {name} alone at its limit does as well: a mixture gains nothing here.")
    answer += _fewest(found, best) + _caution(passed)
    answer += doubts_of_first(responses.setup, responses.maps,
                              {n: a for n, a in course.activities_MBq.items() if a > 0.0}, "course")
    if growth is None:
        answer += " Without a doubling time nothing is lost by waiting, so intervals matter only through shared damage."
    rows: list[tuple[Cell, ...]] = [
        (str(n), c.value, *c.activities_MBq.values(), c.interval_h / 168.0, _limiting(c), c.evaluations)
        for n, c in found.items()]
    head = ("cycles", "mean log kill", *(f"{a}, MBq per cycle" for a in course.activities_MBq), "interval, wk",
            "organs at their limit", "evaluations")
    tables = [FindingTable(head, tuple(rows), "By number of cycles")]
    if alone:
        tables.append(FindingTable(
            ("agent", "mean log kill", "MBq per cycle", "organs at its limit"),
            tuple((n, c.value, c.activities_MBq[n], _limiting(c)) for n, c in alone.items()),
            f"Each agent alone, {best} {'cycle' if best == 1 else 'cycles'}"))
    delays = tuple((n, h) for n, h in course.offsets_h.items() if course.activities_MBq[n] > 0.0)
    if len({h for _, h in delays}) > 1:  # a delay that all share moves the cycle, and means nothing
        tables.append(FindingTable(("agent", "delay within a cycle, h"), delays, "Delays"))
    organs = FindingTable(("organ", "share of its limit, %", "exceeded in draws, %"),
                          tuple((o, 100.0 * s, 100.0 * passed.get(o, float("nan"))) for o, s in course.shares.items()),
                          note="Limits hold at the medians; a draw exceeds one where the organ gets more per activity.")
    agents = [n for n, a in course.activities_MBq.items() if a > 0.0]
    last = course_effect(responses.central, course.course, growth).last // len(course.activities_MBq) + 1
    meeting = cycles_that_meet(responses.central, {"the best course": (agents, course.interval_h)}) if best > 1 else ()
    doubts = doubts_of(responses.setup, responses.maps, course.activities_MBq)
    cautions = (*growth_text(growth, {"the best course": (last, best)}, responses.setup.case.effect),
                *left_out(responses.setup), *meeting)
    return Findings(
        title=f"Optimised course: {responses.setup.case.title}", answer=answer,
        parts=(Part("Course", cautions, tuple(tables)), Part("Organs", (), (organs,)), *doubts_part(doubts)),
        values_used=tuple(ValueUse(k, responses.used[k]) for k in sorted(responses.used)),
        sources=sources_of(responses.setup),
        assumptions=(
            f"Log kill is the mean over {len(lesions)} joint draws on a {responses.spacing_um:g}-um grid, each capped "
            "at 10.",
            "All cycles have the same activities.",
            "Shares of organ limits are added over agents, each in its own limit's quantity.",
            "The mass of ligand in an administration stays as prescribed; `nichedose design` varies it.",
            "The activity that organ limits leave is a bound from conventions; it has not been tried.",
        ),
        numbers={"cycles": best, "value": course.value, "activities_MBq": dict(course.activities_MBq),
                 "interval_h": course.interval_h, "offsets_h": dict(course.offsets_h), "shares": dict(course.shares),
                 "log_kills": kills.tolist(), "evaluations": course.evaluations, "passed": passed,
                 "cautions": [*doubts, *cautions],
                 "alone": {n: c.value for n, c in alone.items()},
                 "by_cycles": {str(n): c.value for n, c in found.items()}})


def _apart(hours: float) -> str:
    """Weeks, and hours below two days."""
    return f"{hours / 168.0:.3g} weeks" if hours >= 48.0 else f"{hours:.3g} h"


def _fewest(found: Mapping[int, OptimisedCourse], best: int) -> str:
    """Why the smallest number of cycles wins: the limits count what a course adds up to."""
    if len(found) == 1 or best > min(found):
        return ""
    return (" The fewest cycles tried win: organ limits count the whole course, and nothing here charges for the size "
            "of one administration but the quadratic term of BED. What is tolerated at once needs a limit of its own.")


def _caution(passed: Mapping[str, float]) -> str:
    """Organ limits hold at the medians; the headline owes the reader in how many draws they do not."""
    worst = max((o for o, share in passed.items() if share > 0.0), key=passed.__getitem__, default=None)
    over = "" if worst is None else f"; in {100.0 * passed[worst]:.0f} % of the draws it takes {worst} past a limit"
    return f" Organ limits hold at the medians{over}."


def _limiting(course: OptimisedCourse) -> str:
    return ", ".join(o for o, s in course.shares.items() if s > 0.999) or "none"


def _passed(lesions: Sequence[LesionResponse], course: OptimisedCourse) -> dict[str, float]:
    """Share of draws in which the course takes each organ past one of its limits."""
    out: dict[str, list[bool]] = {o: [] for o in course.shares}
    for lesion in lesions:
        try:
            burdens = course_burdens(lesion, course.course)
        except NotComputed:
            continue
        for organ, flags in out.items():
            flags.append(any(b.organ == organ and b.share > 1.0 for b in burdens))
    return {o: float(np.mean(np.array(v))) if v else float("nan") for o, v in out.items()}
