"""`nichedose design`: which ligand would suit a tissue: affinity, size, internalisation, half-life of its label."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from nichedose.case import Case
from nichedose.errors import BadInput, OutOfValidity, near_miss
from nichedose.fields.grid import Array
from nichedose.findings import FindingMap, Findings, FindingTable, Part
from nichedose.library.schema import LabelledForm
from nichedose.nuclide import half_life_h
from nichedose.study.administration import USUAL
from nichedose.study.design_chain import design_chain
from nichedose.study.design_growth import net_kill
from nichedose.study.design_ligand import NAME, PROPERTIES, LigandDesign, designed
from nichedose.study.design_optimum import (
    MASS_FACTORS,
    SLOWEST,
    WITHIN,
    Optimum,
    climb,
    in_words,
    optimum_part,
    optimum_sentence,
)
from nichedose.study.doubts import doubts_of, doubts_of_first, doubts_part
from nichedose.study.growth import growth_of, other_than_case
from nichedose.study.kinetics import FormRun, plasma_curve
from nichedose.study.plan import draw_spacing_um
from nichedose.study.pool import run_tasks
from nichedose.study.responses import lesion_response, prepare
from nichedose.study.section_maps import tissue_maps
from nichedose.study.setup import ResolvedCandidate, Setup
from nichedose.study.sources import sources_of
from nichedose.study.world import World
from nichedose.tissue import TissueMap
from nichedose.values import Draw, Value, ValueUse

__all__ = ["CLOCKS", "Design", "DesignSpace", "design_case", "plasma_reference", "search_ranges"]

Progress = Callable[[str, int, int], None]
# half-lives of real radionuclides, whose emissions are not used: only how fast the label decays
Held = Literal["plasma", "activity"]
CLOCKS = ("68Ga", "44Sc", "64Cu", "90Y", "177Lu", "225Ac", "89Sr")
AFFINITIES = (1e-3, 1e4)
SIZES_KDA = (0.3, 250.0)
HELD: Mapping[Held, tuple[str, ...]] = {
    "plasma": ("Activity is chosen so that plasma holds the same time-integrated activity as with the agent as "
               "prescribed, a stand-in for equal dose to marrow.",
               "Kidneys are not compared: how much of what is filtered stays in them is not known by size. A small "
               "size that wins here may lose there."),
    "activity": ("Every design is given the agent's prescribed activity, whatever plasma, marrow and kidneys get.",
                 "Half-lives at equal activity compare unequal numbers of decays."),
}


@dataclass(frozen=True)
class Design:
    """``clock`` is the radionuclide whose half-life the label has."""

    affinity_nmol_per_L: float
    molar_mass_kDa: float
    internalisation_per_h: float
    clock: str


@dataclass(frozen=True)
class DesignSpace:
    """Every combination of these is tried.

    The slowest internalisation is not 0: a target on a living cell is turned over, and takes its ligand along (the
    rate is assumed).
    """

    affinities_nmol_per_L: tuple[float, ...] = (0.03, 0.3, 3.0, 30.0, 300.0)
    molar_masses_kDa: tuple[float, ...] = (1.0, 15.0, 50.0, 150.0)
    internalisations_per_h: tuple[float, ...] = (0.01, 0.06)
    clocks: tuple[str, ...] = CLOCKS

    def __post_init__(self) -> None:
        for name, values, (low, high) in (("affinity (nmol/L)", self.affinities_nmol_per_L, AFFINITIES),
                                          ("molar mass (kDa)", self.molar_masses_kDa, SIZES_KDA)):
            outside = [v for v in values if not low <= v <= high]
            if not values or outside:
                raise OutOfValidity(f"{name} {', '.join(f'{v:g}' for v in outside) or 'is missing'}: the design space "
                                    f"holds from {low:g} to {high:g}.")
        if not self.internalisations_per_h or any(not 0.0 <= v <= 10.0 for v in self.internalisations_per_h):
            raise OutOfValidity("Internalisation must lie in 0 to 10 per h, and one rate at least must be given.")
        if not self.clocks:
            raise BadInput("A design needs one half-life or more.")


@dataclass(frozen=True)
class _Task:
    index: int | None
    spacing_um: float
    candidate: str
    space: DesignSpace
    doubling_time_h: float | None
    held: Held = "plasma"


class _Given(World):
    """A world whose transport is given."""

    def __init__(self, setup: Setup, draw: Draw, maps: tuple[TissueMap, ...], given: tuple[FormRun, ...]) -> None:
        super().__init__(setup, draw, maps, pairs=2)
        self.given = given

    def runs(self, *_: object, **__: object) -> tuple[FormRun, ...]:
        return self.given


def design_case(
    case: Case, case_path: Path, agent: str, *, space: DesignSpace | None = None, draws: int = 4,
    doubling_time_h: float | None = None, held: Held = "plasma", progress: Progress = lambda *_: None
) -> Findings:
    """Vary the ligand of ``agent`` in the sections of a case; emissions and target stay the agent's, and plasma clears
    by size as the agent's does at its own.

    With "plasma" ``held``, each design is given until plasma has held as much activity, integrated over time, as at the
    agent's prescribed activity: what marrow gets stays the same, roughly. With "activity" it is given that activity.
    With a doubling time (the case's where none is given), growth from the first administration until fewest cells are
    left is taken off; without any nothing is lost by slow decay, and long half-lives win.
    Raises `BadInput` for an agent that is no candidate or cannot be evaluated, `OutOfValidity` for a design space
    outside the size law.
    """
    chosen = space or DesignSpace()
    growth = growth_of(case.effect, doubling_time_h)
    doubling_time_h = None if growth is None else growth.doubling_time_h
    found = [c for c in case.candidates if agent in (c.label, c.agent)]
    if not found:
        raise BadInput(f"'{agent}' is not a candidate of the case."
                       f"{near_miss(agent, [c.label or c.agent for c in case.candidates])}")
    at_once = USUAL.model_copy(update={"ligand": found[0].administration.ligand})
    after = found[0].model_copy(update={"administration": at_once})
    setup = prepare(case.model_copy(update={"candidates": (after,), "combinations": ()}), case_path, progress=progress)
    [candidate] = setup.candidates
    reason = setup.reason_not_evaluable(candidate)
    if reason is not None:
        raise BadInput(f"{candidate.name} cannot be evaluated: {reason}.")
    fine = tissue_maps(setup, Draw(seed=case.sampling.seed), case.sampling.grid_spacing)
    spacing = draw_spacing_um(case, fine)
    tasks = [_Task(i, spacing, candidate.name, chosen, doubling_time_h, held) for i in (None, *range(draws))]
    kills: list[dict[Design, float]] = []
    tops: list[Optimum | str] = []
    used: dict[str, Value] = {}
    progress("designs", 0, len(tasks))
    outcomes = run_tasks(_one, setup, tasks, workers=case.sampling.workers)
    for done, (result, top, drawn) in enumerate(outcomes, start=1):
        kills.append(result)
        tops.append(top)
        used.update(drawn)
        progress("designs", done, len(tasks))
    told = _findings(setup, candidate, chosen, (kills, tops), used, doubling_time_h, held)
    doubts = doubts_of(setup, fine, (candidate.name,), by_body=False)
    return dataclasses.replace(
        told, answer=told.answer + doubts_of_first(setup, fine, {candidate.name: candidate.activity_MBq}, "design"),
        parts=(*told.parts, *doubts_part(doubts)), numbers={**told.numbers, "cautions": list(doubts)})


def _one(setup: Setup, task: _Task) -> tuple[dict[Design, float], Optimum | str, dict[str, Value]]:
    draw = Draw(seed=setup.case.sampling.seed, index=task.index)
    maps = tissue_maps(setup, draw, task.spacing_um)
    candidate = next(c for c in setup.candidates if c.name == task.candidate)
    reference = plasma_reference(setup, candidate, draw) if task.held == "plasma" else None
    out: dict[Design, float] = {}
    space = task.space
    for affinity, mass, inside in itertools.product(
            space.affinities_nmol_per_L, space.molar_masses_kDa, space.internalisations_per_h):
        form = _designed(candidate.form, space, affinity, mass, inside, draw)
        labels = tuple(dataclasses.replace(candidate, name=n, form=form, radionuclide=n) for n in space.clocks)
        runs = World(dataclasses.replace(setup, candidates=labels), draw, maps, pairs=2).runs(labels[0])
        bearer = dataclasses.replace(candidate, form=form)
        whole = dataclasses.replace(setup, candidates=(bearer,))
        for clock in space.clocks:
            given = tuple(_relabelled(run, clock, candidate.radionuclide) for run in runs)
            activity = candidate.activity_MBq if reference is None else (
                reference / _plasma_integral(form, clock, setup, draw))
            lesion = lesion_response(_Given(whole, draw, maps, given), (bearer,))
            out[Design(affinity, mass, inside, clock)] = net_kill(
                lesion, bearer.name, activity, candidate.cycles, candidate.interval_h, task.doubling_time_h)
    best = max(out, key=lambda d: out[d])
    top = climb(
        lambda: design_chain(World(setup, draw, maps, pairs=2), candidate, reference, task.doubling_time_h),
        LigandDesign(best.affinity_nmol_per_L, best.molar_mass_kDa, max(best.internalisation_per_h, SLOWEST),
                     half_life_h(best.clock)), search_ranges(space), flat=task.index is None)
    own = {f"form.{NAME}.plasma.half_life_h[{i}]": v for i, v in enumerate(candidate.form.plasma.half_life_h)}
    return out, top, draw.used | own  # the library's half-lives, not those of the last design


def search_ranges(space: DesignSpace) -> dict[str, tuple[float, float]]:
    """What is searched between the designs that are tried, by property."""
    inside = tuple(max(v, SLOWEST) for v in space.internalisations_per_h)
    lives = tuple(half_life_h(c) for c in space.clocks)
    ends = (space.affinities_nmol_per_L, space.molar_masses_kDa, inside, lives, MASS_FACTORS)
    return {name: (min(v), max(v)) for name, v in zip(PROPERTIES, ends, strict=True)}


def _designed(
    form: LabelledForm, space: DesignSpace, affinity: float, mass: float, internalisation: float, draw: Draw
) -> LabelledForm:
    nuclides = tuple(dict.fromkeys((*form.radionuclides, *space.clocks)))
    return designed(form, affinity, mass, internalisation, draw).model_copy(update={"radionuclides": nuclides})


def plasma_reference(setup: Setup, candidate: ResolvedCandidate, draw: Draw) -> float:
    """Time integral of the label in plasma at the agent's prescribed activity, which every design may use."""
    own = draw(f"form.{candidate.form.name}.molar_mass_kDa", candidate.form.molar_mass_kDa)
    form = designed(candidate.form, 1.0, own, 0.0, draw)
    return _plasma_integral(form, candidate.radionuclide, setup, draw) * candidate.activity_MBq


def _plasma_integral(form: LabelledForm, clock: str, setup: Setup, draw: Draw) -> float:
    """Time integral of the label in plasma per MBq injected, on an arbitrary scale."""
    curve = plasma_curve(form, 1.0, setup.case.patient.weight_kg, draw)
    decay = math.log(2.0) / half_life_h(clock)
    return sum(a / (k + decay) for a, k in zip(curve.amplitudes_nmol_per_L, curve.rates_per_h, strict=True))


def _relabelled(run: FormRun, clock: str, emitter: str) -> FormRun:
    """The run of a label that decays like ``clock``, told as the radionuclide whose emissions are used."""
    s = run.solution
    solution = dataclasses.replace(
        s, decay_per_h={emitter: s.decay_per_h[clock]},
        time_integrals_nmol_h_per_L={emitter: s.time_integrals_nmol_h_per_L[clock]},
        ledgers={emitter: s.ledgers[clock]})
    return dataclasses.replace(run, solution=solution)


def _findings(
    setup: Setup, candidate: ResolvedCandidate, space: DesignSpace,
    found: tuple[Sequence[Mapping[Design, float]], Sequence[Optimum | str]], used: Mapping[str, Value],
    doubling_time_h: float | None, held: Held
) -> Findings:
    kills, tops = found
    designs = list(kills[0])
    table = np.array([[k[d] for d in designs] for k in kills])
    median = np.median(table[1:], axis=0) if len(kills) > 1 else table[0]
    order = np.argsort(-median)
    best = designs[int(order[0])]
    top_kill = float(median[order[0]])
    close = [designs[int(i)] for i in order if median[int(i)] >= top_kill - WITHIN * abs(top_kill)]
    wins = [designs[int(np.argmax(row))] for row in (table[1:] if len(kills) > 1 else table)]
    over = "medians over the draws" if len(kills) > 1 else "at the medians of the inputs"
    grid = (f"Of the {len(designs)} designs tried, those within 5 % of the best have KD "
            f"{_span([d.affinity_nmol_per_L for d in close])} nmol/L, "
            f"{_span([d.molar_mass_kDa for d in close])} kDa, internalisation "
            f"{_span([d.internalisation_per_h for d in close])} per h, half-life "
            f"{_span([half_life_h(d.clock) / 24.0 for d in close])} d ({over}, ligand injected as with "
            f"{candidate.name}).{_edges(best, space)}")
    between = optimum_sentence(tops[0], sorted(setup.library.radionuclides, key=half_life_h))
    top = FindingTable(
        ("KD, nmol/L", "size, kDa", "internalisation, 1/h", "half-life, d", "log kill, median", "best in draws, %"),
        tuple((f"{d.affinity_nmol_per_L:g}", d.molar_mass_kDa, d.internalisation_per_h, half_life_h(d.clock) / 24.0,
               float(median[designs.index(d)]), 100.0 * wins.count(d) / len(wins))
              for d in (designs[int(i)] for i in order[:8])))
    maps = tuple(_map(space, designs, median, mass, best.internalisation_per_h) for mass in space.molar_masses_kDa)
    return Findings(
        title=f"Design of a ligand after {candidate.name}: {setup.case.title}",
        answer=grid if isinstance(tops[0], str) else between,
        parts=(optimum_part(tops[0], tops[1:], float(table[0].max()), top_kill,
                            equal_activity=held == "activity", grows=doubling_time_h is not None),
               Part("Designs tried", (grid, _growth_text(setup, candidate, doubling_time_h)), (top,)),
               Part("Maps", ("Cells hold the log kill; strength of colour is its share of the best of all designs.",),
                    maps=maps)),
        values_used=tuple(ValueUse(k, used[k]) for k in sorted(used)), sources=sources_of(setup),
        assumptions=(
            f"Emissions, target and injected amount are those of {candidate.name}; binding, size in tissue "
            "(permeability, diffusion, accessible volume by the size law), internalisation and half-life change. "
            "It is given at once, with nothing beside it.",
            f"Plasma: the library's curve of {candidate.name}, run faster or slower by the ratio of a mouse's "
            "clearances at the two sizes (Schmidt and Wittrup 2009). The whole-body kinetics of a plan, and with them "
            "this patient's kidneys and measured activity, do not enter. An antibody that FcRn returns to plasma stays "
            "longer still.",
            *HELD[held],
            "The association rate is the agent's; affinity acts through the dissociation rate.",
            "Internalised ligand leaves at the agent's rate of release. Internalisation below 0.01 per h is not tried "
            "(assumed): cells turn their targets over.",
        ),
        numbers={"doubling_time_h": doubling_time_h,
                 "optimum": [t if isinstance(t, str) else dataclasses.asdict(t) | {"flat": t.flat} for t in tops],
                 "best": dataclasses.asdict(best), "within_5_percent": [dataclasses.asdict(d) for d in close],
                 "designs": [dataclasses.asdict(d) | {"log_kill": float(m)} for d, m in
                             zip(designs, median, strict=True)]})


def _growth_text(setup: Setup, candidate: ResolvedCandidate, doubling_time_h: float | None) -> str:
    """What growth takes off every log kill, by whose doubling time."""
    if doubling_time_h is None:
        return "Without a doubling time nothing is lost by slow decay."
    options = setup.case.effect
    other = other_than_case(doubling_time_h, options)
    return (f"Growth with a doubling time of {doubling_time_h / 24.0:g} d{other} is taken off, from the first "
            "administration to the time when fewest cells are left"
            + (f", over cycles {candidate.interval_h / 168.0:.3g} weeks apart. Where cells grow more in that time than "
               "a cycle kills, that is in the first, and later ones gain nothing." if candidate.cycles > 1 else ".")
            + (" The case's regrowth_starts is passed over." if options.regrowth_starts else ""))


def _map(
    space: DesignSpace, designs: Sequence[Design], median: Array, mass: float, inside: float
) -> FindingMap:
    value = {d: float(m) for d, m in zip(designs, median, strict=True)}
    top = max(float(median.max()), 1e-12)
    rows = [[value[Design(a, mass, inside, c)] for c in space.clocks] for a in space.affinities_nmol_per_L]
    return FindingMap(
        f"{mass:g} kDa, internalisation {inside:g} per h", "Log kill, median over the draws.",
        "half-life, d", "KD, nmol/L", tuple(f"{half_life_h(c) / 24.0:.2g}" for c in space.clocks),
        tuple(f"{a:g}" for a in space.affinities_nmol_per_L), tuple(tuple(f"{v:.2g}" for v in row) for row in rows),
        tuple(tuple(min(max(v / top, 0.0), 1.0) for v in row) for row in rows), one_hue=True)


def _edges(best: Design, space: DesignSpace) -> str:
    """Where the best lies at the end of what was tried, the optimum may lie beyond."""
    half_lives = [half_life_h(c) for c in space.clocks]
    ends = {"KD": (best.affinity_nmol_per_L, space.affinities_nmol_per_L), "size": (
        best.molar_mass_kDa, space.molar_masses_kDa), "half-life": (half_life_h(best.clock), half_lives)}
    at = [name for name, (value, tried) in ends.items() if len(tried) > 1 and value in (min(tried), max(tried))]
    return f" The best lies at the end of the {' and '.join(at)} tried." if at else ""


def _span(values: Sequence[float]) -> str:
    return in_words((min(values), max(values)))
