"""Lesion responses: every agent of a case in every draw, reduced to what `decide` needs for any course of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nichedose.case import Candidate, Case
from nichedose.decide import organ_doses
from nichedose.decide.candidate_course import CandidateCourse
from nichedose.decide.response import AgentResponse, LesionResponse, OrganTerm
from nichedose.effect import EffectParameters
from nichedose.errors import NotComputed
from nichedose.fields.grid import Array, BoolArray
from nichedose.library import load_library
from nichedose.library.schema import OrganLimit
from nichedose.results import OrganDose
from nichedose.study.combinations import combinations_of, cycle_responses, phases
from nichedose.study.evaluate import NEGATIVE, POSITIVE, CandidateDose, log_survival_by_class
from nichedose.study.measured_body import with_measured_body
from nichedose.study.plan import check_lesion_size, draw_spacing_um, model_of_assay, read_sections
from nichedose.study.pool import run_tasks
from nichedose.study.section_maps import tissue_maps
from nichedose.study.setup import ResolvedCandidate, Setup, resolve
from nichedose.study.world import World
from nichedose.tissue import TissueMap
from nichedose.values import Value

__all__ = ["Change", "Responses", "cycles_that_meet", "left_out", "lesion_response", "prepare", "respond"]

Progress = Callable[[str, int, int], None]
Change = Callable[[EffectParameters], EffectParameters]
QUADRATIC_WITHIN = 1e-3
MEETING = 0.1  # of a cycle's dose after the next begins


@dataclass(frozen=True)
class Responses:
    """``draws``: one response per joint draw; ``central``: at all medians; ``used``: the library values behind them;
    ``maps``: the sections at the medians, on the fine grid."""

    setup: Setup
    courses: tuple[CandidateCourse, ...]
    central: LesionResponse
    draws: tuple[LesionResponse, ...]
    inputs: dict[str, Array]
    used: dict[str, Value]
    spacing_um: float
    maps: tuple[TissueMap, ...]


@dataclass(frozen=True)
class _Task:
    index: int | None
    spacing_um: float


def prepare(
    case: Case, case_path: Path, *, limits: Sequence[OrganLimit] | None = None, progress: Progress = lambda *_: None
) -> Setup:
    """Read the sections and look everything up, the agents of combinations included.

    ``limits`` replaces the library's organ limits.
    """
    library = load_library()
    assays = tuple(read_sections(case, case_path, progress, library.aliases))
    also = {form.target for form in case.forms} | set(case.anchors)
    models = [model_of_assay(assay, library, also) for assay in assays]
    named = {c.label or c.agent for c in case.candidates} | {c.agent for c in case.candidates if c.label is None}
    more = dict.fromkeys(a for c in case.combinations for a in c.agents if a not in named)
    wider = case.model_copy(update={"candidates": (*case.candidates, *(Candidate(agent=a) for a in more))})
    setup = with_measured_body(resolve(wider, library, models), case_path)
    if limits is not None:
        setup = dataclasses.replace(setup, library=dataclasses.replace(library, limits=tuple(limits)))
    return dataclasses.replace(setup, case=case)


def respond(
    setup: Setup, *, draws: int | None = None, progress: Progress = lambda *_: None
) -> Responses:
    """Run the draws of the case (or ``draws``) on the draw grid and reduce each; with the central run on that grid."""
    case = setup.case
    count = case.sampling.draws if draws is None else draws
    maps = tissue_maps(setup, setup.draw(), case.sampling.grid_spacing)
    check_lesion_size(case, maps)
    spacing = draw_spacing_um(case, maps)
    tasks = [_Task(index, spacing) for index in (None, *range(count))]
    found: list[LesionResponse] = []
    used: dict[str, Value] = {}
    progress("draws", 0, len(tasks))
    outcomes = run_tasks(_one_response, setup, tasks, workers=case.sampling.workers)
    for done, (response, drawn) in enumerate(outcomes, start=1):
        found.append(response)
        used.update(drawn)
        progress("draws", done, len(tasks))
    worlds = [setup.draw(i) for i in range(count)]
    inputs = {key: np.array([w(key, value) for w in worlds]) for key, value in used.items() if not value.is_fixed}
    return Responses(setup, candidate_courses(setup), found[0], tuple(found[1:]), inputs, used, spacing,
                     tuple(maps))


def left_out(setup: Setup) -> tuple[str, ...]:
    """What a case asks for and courses composed from one cycle cannot follow, in words."""
    found = []
    if any(c.partners for c in setup.candidates) or any(c.partners for c in combinations_of(setup)):
        found.append("Partner drugs act in the cycles that fall in their time; organ limits do not know them.")
    if setup.case.effect.answer or setup.case.effect.reoxygenation:
        found.append("The tissue changes from cycle to cycle in this case; every cycle here is as the first. "
                     "`nichedose plan` follows the change.")
    return tuple(found)


def cycles_that_meet(lesion: LesionResponse, courses: Mapping[str, tuple[Sequence[str], float]]) -> tuple[str, ...]:
    """What courses leave out whose next cycle begins while much of the dose of the last is still to come.

    ``courses``: agents and interval (h) by name, of courses with more than one cycle.
    """
    late = {name: max(_dose_after(lesion[agent], interval_h) for agent in agents)
            for name, (agents, interval_h) in courses.items()}
    told = [f"{name} ({100.0 * share:.0f} %)" for name, share in late.items() if share > MEETING]
    return (f"A cycle begins while so much of the dose of the one before is still to come: {', '.join(told)}. Damage "
            "adds up; but every cycle was solved as if it found free targets.",) if told else ()


def _dose_after(agent: AgentResponse, interval_h: float) -> float:
    times, rate = agent.times_h, agent.rate_per_h
    total = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(times))])
    return 1.0 - float(np.interp(interval_h, times, total) / total[-1])


def candidate_courses(setup: Setup) -> tuple[CandidateCourse, ...]:
    """The case's candidates and combinations, of those agents that can be evaluated in these sections."""
    known = {c.name: c for c in setup.evaluable}
    asked = {c.label or c.agent for c in setup.case.candidates}
    singles = [CandidateCourse(c.name, {c.name: 1.0}, c.cycles, c.interval_h,
                               in_cycle={c.name: cycle_responses(setup, c)})
               for c in known.values() if c.name in asked or c.agent.name in asked]
    mixed = [CandidateCourse(c.name, dict(zip(c.agents, c.split, strict=True)), c.cycles, c.interval_h,
                             dict(zip(c.agents, c.offsets_h, strict=True)),
                             {n: cycle_responses(setup, known[n], c) for n in c.agents})
             for c in combinations_of(setup) if all(name in known for name in c.agents)]
    return (*singles, *mixed)


def _one_response(setup: Setup, task: _Task) -> tuple[LesionResponse, dict[str, Value]]:
    draw = setup.draw(task.index)
    world = World.of_draw(setup, draw, tissue_maps(setup, draw, task.spacing_um))
    return lesion_response(world, setup.evaluable), dict(draw.used)


def lesion_response(
    world: World, candidates: Sequence[ResolvedCandidate], change: Change = lambda effect: effect
) -> LesionResponse:
    """Reduce ``world`` to a response; ``change`` may alter the numbers of the survival model.

    Raises `NotComputed` where survival is not quadratic in the activity, as an option of the case may make it.
    """
    tumour = np.concatenate([
        (t.cell_density_per_mm3["tumour"] * t.grid.voxel_area_mm2)[t.mask] for t in world.maps])
    keep = tumour > 0.0
    agents, bearing = {}, {}
    for c in candidates:
        if world.setup.case.effect.answer and c.cycles > 1:
            raise NotComputed(f"{c.name}: its cycles meet different tissue ('effect.answer') that depends on the dose, "
                              "and courses cannot be composed. `nichedose plan` follows that, and `nichedose rank` on "
                              "its results decides by it; or leave 'answer' out.")
        for name, (given, cycle) in phases(world.setup, c).items():
            dose = world.dose(given, cycle=cycle)
            found = _agent(world, c, dose, change(world.effect_of(given, cycle)), keep)
            agents[name] = dataclasses.replace(found, name=name)
            bearing[c.form.target] = _bearing(dose)
    return LesionResponse(agents, tumour[keep], bearing, world.effect.repair_rate_per_h,
                          world.setup.clonogens_in_lesion)


def _bearing(dose: CandidateDose) -> float:
    """Share of tumour cells that bear the target: one number per draw."""
    sums = {name: sum(float(s.clonogens[name][s.tissue.mask].sum()) for s in dose.sections)
            for name in (POSITIVE, NEGATIVE)}
    return sums[POSITIVE] / (sums[POSITIVE] + sums[NEGATIVE])


def _agent(
    world: World, candidate: ResolvedCandidate, dose: CandidateDose, effect: EffectParameters, keep: BoolArray
) -> AgentResponse:
    """Survival of one administration is quadratic in its activity, so two activities tell all."""
    a = candidate.activity_MBq
    one, two, half = (-_log_survival(dose, effect, factor * a)[:, keep] for factor in (1.0, 2.0, 0.5))
    expected = 0.75 * one - 0.125 * two
    if bool((np.abs(half - expected) > QUADRATIC_WITHIN * (one + 1e-9)).any()):
        raise NotComputed(f"{candidate.name}: with the case's options for survival, kill is not quadratic in the "
                          "activity, and courses cannot be composed. Leave those options out, or use `nichedose plan`.")
    history = dose.sections[0].dose.history
    tolerance = world.tolerance(candidate)
    return AgentResponse(
        name=candidate.name,
        target=candidate.form.target,
        linear=np.maximum(2.0 * one - 0.5 * two, 0.0) / a,
        quadratic=np.maximum(0.5 * two - one, 0.0) / a**2,
        mean_dose_Gy_per_MBq=dose.mean_dose_Gy_per_MBq,
        prescribed_MBq=a,
        times_h=history.times_h,
        rate_per_h=history.base_per_h,
        organs=_organ_terms(world, candidate),
        missing="" if tolerance.evaluable else tolerance.reason,
    )


def _log_survival(dose: CandidateDose, effect: EffectParameters, activity_MBq: float) -> Array:
    """(2, n) over the tissue voxels of all sections: cells that bear the target, and those that lack it."""
    rows: dict[str, list[Array]] = {POSITIVE: [], NEGATIVE: []}
    for section in dose.sections:
        for name, values in log_survival_by_class(section, effect, activity_MBq, 1).items():
            rows[name].append(values[section.tissue.mask])
    return np.stack([np.concatenate(rows[POSITIVE]), np.concatenate(rows[NEGATIVE])])


def _organ_terms(world: World, candidate: ResolvedCandidate) -> tuple[OrganTerm, ...]:
    """Dose of one administration in each limit's quantity is quadratic in activity too."""
    setup, a = world.setup, candidate.activity_MBq
    form = setup.form_in_patient(candidate)

    def rows(factor: float) -> tuple[OrganDose, ...]:
        return organ_doses(
            form, candidate.radionuclide, setup.library.limits, 1, setup.prior_doses, world.draw, factor * a,
            emits_alpha=candidate.emits_alpha)

    terms = []
    for one, two in zip(rows(1.0), rows(2.0), strict=True):
        if one.limit_Gy is not None:
            square = max(0.5 * two.dose_Gy - one.dose_Gy, 0.0)
            terms.append(OrganTerm(one.organ, one.quantity, (one.dose_Gy - square) / a, square / a**2, one.limit_Gy,
                                   one.prior_Gy))
    return tuple(terms)
