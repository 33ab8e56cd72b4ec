"""The scenario after Hong et al. 2024: five findings, each with the share of draws in which it holds and what it needs.

Shared kinetics for three ligands, equal mean dose, 177Lu and 225Ac on PSMA, FAP and GRPR, on sections known by
histology.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nichedose.case import Case, parse_case
from nichedose.decide import (
    CandidateCourse,
    LesionResponse,
    course_effect,
    course_in_mode,
    probability_interval,
)
from nichedose.effect import EffectParameters
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array, BoolArray
from nichedose.findings import Findings, FindingTable, Part
from nichedose.library import load_library
from nichedose.library.schema import Agent, LabelledForm
from nichedose.study.histology import TARGETS, Histology, generated_histology, histology_map, histology_table
from nichedose.study.pool import run_tasks
from nichedose.study.responses import Change, lesion_response
from nichedose.study.setup import Setup, resolve
from nichedose.study.sources import sources_of
from nichedose.study.world import World
from nichedose.tissue import TissueMap
from nichedose.values import Draw, Value, ValueUse

__all__ = [
    "FINDINGS", "hong_scenario", "judge", "pooled", "region_kill", "scenario_named", "scene_setup", "section_kills",
]

Progress = Callable[[str, int, int], None]
RADIONUCLIDES = ("177Lu", "225Ac")
SPACING_UM = 50.0
MEAN_DOSE_GY = 10.0
DISTINCT = 1.2  # largest over smallest log kill among samples, from which they are called distinct
FINDINGS: Mapping[str, str] = {
    "samples differ": "samples differ in efficacy (log kill by a factor of 1.2 or more, median agent)",
    "FAP in tumour-rich areas": "FAP kills less than PSMA and GRPR where tumour cells are dense (top third), with both",
    "GRPR in hypoxia": "GRPR kills least of the three where oxygen is low (lowest third of tumour cells), with both",
    "225Ac above 177Lu": "225Ac kills more than 177Lu on each target, and its lead is larger where oxygen is low",
    "FAP with PSMA": "225Ac-FAP with 225Ac-PSMA is the best of all single agents and equal pairs",
}


@dataclass(frozen=True)
class _Task:
    index: int | None
    variant: str


@dataclass(frozen=True)
class _Scene:
    setup: Setup
    sections: tuple[Histology, ...]


def _own_kinetics(variant: str) -> bool:
    return variant in ("own kinetics", "everything on")


# variant -> what it changes; the first is the scenario itself
VARIANTS: Mapping[str, str] = {
    "as in the scenario": "shared kinetics and mean density, every cell bears its target",
    "labels permuted": "the same labels on other spots of each section",
    "no RBE of alphas": "alpha particles as effective as electrons",
    "no oxygen effect": "oxygen protects nobody",
    "same density in all classes": "host cells of every class bear their target alike (all three targets)",
    "own kinetics": "each ligand with the library's kinetics and density of its target",
    "everything on": "own kinetics and densities, and tumour cells without the target",
}


def hong_scenario(
    *, draws: int = 32, seed: int = 1, workers: int | None = None, sections: Sequence[Histology] = (),
    progress: Progress = lambda *_: None
) -> Findings:
    """Check the five findings on three generated sections, or on the sections given.

    Raises `BadInput` for fewer than two sections: finding 1 compares samples.
    """
    used_sections = tuple(sections) or tuple(generated_histology(s) for s in (1, 2, 3))
    if len(used_sections) < 2:
        raise BadInput("The scenario compares samples: give the histology of two sections or more.")
    if draws < 1:
        raise BadInput("The scenario counts draws; ask for one or more.")
    scene = _Scene(scene_setup(seed), used_sections)
    tasks = [_Task(i, v) for v in VARIANTS for i in range(draws)]
    held: dict[str, list[dict[str, bool]]] = {v: [] for v in VARIANTS}
    used: dict[str, Value] = {}
    progress("draws", 0, len(tasks))
    for done, (task, (found, drawn)) in enumerate(
            zip(tasks, run_tasks(_one, scene, tasks, workers=workers), strict=True), start=1):
        held[task.variant].append(found)
        used.update(drawn)
        progress("draws", done, len(tasks))
    return _findings(scene, held, used, generated=not sections)


def scene_setup(seed: int) -> Setup:
    """Three forms with the kinetics of PSMA-617, and the library's own three; six agents on each set."""
    library = load_library()
    base = library.forms["PSMA-617"]
    own = {"PSMA": base, "FAP": library.forms["FAP-2286"], "GRPR": library.forms["RM2"]}
    shared = {t: base.model_copy(update={"name": f"shared-{t}", "target": t, "radionuclides": RADIONUCLIDES,
                                         "dose_coefficients": (), "dose_limiting_organs": ()}) for t in TARGETS}
    real = {t: f.model_copy(update={"name": f"own-{t}", "radionuclides": RADIONUCLIDES, "dose_coefficients": (),
                                    "dose_limiting_organs": ()}) for t, f in own.items()}
    forms = (*shared.values(), *real.values())
    agents = tuple(_agent(f, n) for f in forms for n in RADIONUCLIDES)
    text = "\n".join([
        'title = "After Hong et al. 2024"', 'tumour = "prostate"', '[[sections]]', 'path = "generated"', "[lesion]",
        'diameter = "15 mm"', "[sampling]", f"seed = {seed}", "[output]", 'folder = "unused"', "[[candidates]]",
        'agent = "177Lu-PSMA-617"'])
    case: Case = parse_case(text).model_copy(update={
        "candidates": (), "forms": forms, "agents": agents, "lesion": parse_case(text).lesion})
    case = case.model_copy(update={"candidates": tuple(
        parse_case(text).candidates[0].model_copy(update={"agent": a.name}) for a in agents)})
    return resolve(case, library, ())


def _agent(form: LabelledForm, nuclide: str) -> Agent:
    activity = Value(value=1000.0 if nuclide == "177Lu" else 1.0, evidence="definition",
                     note="scaled to the mean dose; no result depends on it")
    return Agent(name=f"{nuclide}-{form.name}", form=form.name, radionuclide=nuclide, activity_MBq=activity, cycles=1,
                 interval_h=1000.0, status="hypothetical")


def _one(scene: _Scene, task: _Task) -> tuple[dict[str, bool], dict[str, Value]]:
    """The five findings in one draw of one variant."""
    setup, variant = scene.setup, task.variant
    draw = Draw(seed=setup.case.sampling.seed, index=task.index)
    own = _own_kinetics(variant)
    prefix = "own" if own else "shared"
    candidates = [c for c in setup.candidates if c.form.name.startswith(prefix)]
    lesions, maps = [], []
    for number, histology in enumerate(scene.sections):
        section = histology.permuted(1000 * number + (task.index or 0)) if variant == "labels permuted" else histology
        tissue = _map(setup, section, draw, own=own, flat=variant == "same density in all classes")
        world = World(setup, draw, (tissue,), pairs=2)
        lesion = lesion_response(world, candidates, _change(variant))
        if variant != "everything on":
            lesion = dataclasses.replace(lesion, bearing={t: 1.0 if h == "tumour" else 0.0 for t, h in TARGETS.items()})
        lesions.append(lesion)
        maps.append(tissue)
    named = {(n, t): f"{n}-{prefix}-{t}" for n in RADIONUCLIDES for t in TARGETS}
    return judge(lesions, maps, named), dict(draw.used)


def _map(setup: Setup, histology: Histology, draw: Draw, *, own: bool, flat: bool) -> TissueMap:
    targets = setup.library.targets
    drawn = {t: draw(f"target.{t}.mean_density_nmol_per_L", targets[t].mean_density_nmol_per_L) for t in TARGETS}
    density = drawn if own else dict.fromkeys(TARGETS, drawn["PSMA"])
    return histology_map(histology, histology_table(), setup.library.tissue, density, draw, SPACING_UM,
                         frozenset(TARGETS) if flat else frozenset())


def section_kills(
    setup: Setup, histology: Histology, draw: Draw, spacing_um: float, agents: Sequence[str]
) -> dict[str, float]:
    """Log kill of each agent in one section at the scenario's mean dose, with own densities and positive fractions."""
    targets = setup.library.targets
    density = {t: draw(f"target.{t}.mean_density_nmol_per_L", targets[t].mean_density_nmol_per_L) for t in TARGETS}
    tissue = histology_map(histology, histology_table(), setup.library.tissue, density, draw, spacing_um)
    world = World(setup, draw, (tissue,), pairs=2)
    lesion = lesion_response(world, [c for c in setup.candidates if c.name in agents])
    return {name: region_kill(lesion, {name: 1.0}) for name in agents}


def _change(variant: str) -> Change:
    def change(effect: EffectParameters) -> EffectParameters:
        if variant == "no RBE of alphas":
            return dataclasses.replace(effect, rbe=dict.fromkeys(effect.rbe, 1.0))
        if variant == "no oxygen effect":
            return dataclasses.replace(effect, oer_max=dict.fromkeys(effect.oer_max, 1.0))
        return effect

    return change


def judge(
    lesions: Sequence[LesionResponse], maps: Sequence[TissueMap], named: Mapping[tuple[str, str], str]
) -> dict[str, bool]:
    """Whether each of `FINDINGS` holds; ``named[radionuclide, target]`` is the agent in ``lesions``."""
    whole = pooled(lesions)
    tumour = np.concatenate([m.cell_density_per_mm3["tumour"][m.mask] for m in maps])
    oxygen = np.concatenate([m.oxygen_mmHg[m.mask] for m in maps])[tumour > 0.0]
    dense = tumour[tumour > 0.0] >= _quantile(tumour[tumour > 0.0], whole.clonogens, 2.0 / 3.0)
    low = oxygen <= _quantile(oxygen, whole.clonogens, 1.0 / 3.0)
    kill = {key: _kill(whole, {name: 1.0}) for key, name in named.items()}
    in_dense = {key: _kill(whole, {name: 1.0}, dense) for key, name in named.items()}
    in_low = {key: _kill(whole, {name: 1.0}, low) for key, name in named.items()}
    in_high = {key: _kill(whole, {name: 1.0}, ~low) for key, name in named.items()}
    per_sample = np.array([[_kill(one, {name: 1.0}) for one in lesions] for name in named.values()])
    pairs = {(n, a, b): _kill(whole, {named[n, a]: 0.5, named[n, b]: 0.5})
             for n in RADIONUCLIDES for a, b in (("FAP", "PSMA"), ("FAP", "GRPR"), ("GRPR", "PSMA"))}
    best = pairs["225Ac", "FAP", "PSMA"]
    return {
        "samples differ": bool(np.median(per_sample.max(axis=1) / per_sample.min(axis=1)) >= DISTINCT),
        "FAP in tumour-rich areas": all(
            in_dense[n, "FAP"] < min(in_dense[n, "PSMA"], in_dense[n, "GRPR"]) for n in RADIONUCLIDES),
        "GRPR in hypoxia": all(
            in_low[n, "GRPR"] < min(in_low[n, "PSMA"], in_low[n, "FAP"]) for n in RADIONUCLIDES),
        "225Ac above 177Lu": all(
            kill["225Ac", t] > kill["177Lu", t]
            and in_low["225Ac", t] / in_low["177Lu", t] > in_high["225Ac", t] / in_high["177Lu", t] for t in TARGETS),
        "FAP with PSMA": best >= max(*kill.values(), *pairs.values()),
    }


def pooled(lesions: Sequence[LesionResponse]) -> LesionResponse:
    """Several sections as one lesion; mean doses are weighted by voxels with clonogens."""
    first = lesions[0]
    sizes = np.array([one.clonogens.size for one in lesions], dtype=float)
    agents = {}
    for name, agent in first.agents.items():
        parts = [one.agents[name] for one in lesions]
        agents[name] = dataclasses.replace(
            agent,
            linear=np.concatenate([p.linear for p in parts], axis=1),
            quadratic=np.concatenate([p.quadratic for p in parts], axis=1),
            mean_dose_Gy_per_MBq=float(np.average([p.mean_dose_Gy_per_MBq for p in parts], weights=sizes)))
    return dataclasses.replace(first, agents=agents, clonogens=np.concatenate([one.clonogens for one in lesions]))


def region_kill(lesion: LesionResponse, split: Mapping[str, float], region: BoolArray | None = None) -> float:
    """Log kill in a region (n,) of the lesion at 10 Gy mean dose of the whole, shared as ``split`` says."""
    candidate = CandidateCourse("+".join(split), split, 1, 1000.0)
    course = course_in_mode(lesion, candidate, "equal_mean_dose", equal_activity_MBq=1.0,
                            equal_mean_dose_Gy=MEAN_DOSE_GY)
    if region is None:
        return course_effect(lesion, course).log_kill
    agents = {n: dataclasses.replace(lesion[n], linear=lesion[n].linear[:, region],
                                     quadratic=lesion[n].quadratic[:, region]) for n in split}
    part = dataclasses.replace(lesion, agents=agents, clonogens=lesion.clonogens[region])
    return course_effect(part, course).log_kill


_kill = region_kill


def _quantile(values: Array, weights: Array, share: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][min(int(np.searchsorted(total, share * total[-1])), len(values) - 1)])


def _findings(
    scene: _Scene, held: Mapping[str, Sequence[Mapping[str, bool]]], used: Mapping[str, Value], *, generated: bool
) -> Findings:
    share = {v: {f: float(np.mean([found[f] for found in many])) for f in FINDINGS} for v, many in held.items()}
    n = len(next(iter(held.values())))
    base = share["as in the scenario"]
    rows = []
    for number, (finding, text) in enumerate(FINDINGS.items(), start=1):
        low, high = probability_interval(base[finding], n)
        rows.append((f"{number}. {text}", f"{100 * base[finding]:.0f} % ({100 * low:.0f} to {100 * high:.0f})",
                     hinge(share, finding)))
    table = FindingTable(("finding", f"holds in draws, of {n} (95 %)", "hinges on"), tuple(rows))
    by_variant = FindingTable(
        ("variant", *(f"{i}" for i in range(1, 6))),
        tuple((f"{v}: {VARIANTS[v]}", *(f"{100 * share[v][f]:.0f} %" for f in FINDINGS)) for v in share),
        "Share of draws in which each finding holds, by variant")
    holding = [str(i) for i, f in enumerate(FINDINGS, start=1) if base[f] >= 0.5]
    later = [str(i) for i, f in enumerate(FINDINGS, start=1) if share["everything on"][f] >= 0.5]
    answer = (f"Of the five published findings {_listed(holding)} in most of {n} draws under the paper's "
              f"normalisation; with everything on, {_listed(later)}.")
    return Findings(
        title="After Hong et al. 2024: what the findings rest on", answer=answer,
        parts=(Part("Five findings", (
            "Hong et al., Theranostics 2024;14:7122. Three ligands with one set of kinetics, activities scaled to "
            "10 Gy mean dose, 177Lu and 225Ac.", f"Sections: {', '.join(h.sample for h in scene.sections)}."),
            (table,)), Part("What each rests on", (), (by_variant,))),
        values_used=tuple(ValueUse(k, used[k]) for k in sorted(used)),
        sources={**sources_of(scene.setup), **histology_table().sources},
        assumptions=(
            "Expression by histology class comes from sources outside that paper: directions from abstracts, sizes "
            "assumed and wide.",
            "The paper gives 10 Gy over 20 days; here the whole course has that mean dose, in the voxels with tumour "
            "cells and around them alike.",
            *(("The sections are generated: glands, cancer and grade are random patches. Nothing was measured.",)
              if generated else ("Geometry and labels come from the files given; everything else as above.",)),
            "A finding holds in a draw when the pooled sections show it; thirds are thirds of tumour cells.",
        ),
        numbers={"draws": n, "share": share, "hinges_on": {f: hinge(share, f) for f in FINDINGS}})


def _listed(numbers: Sequence[str]) -> str:
    return "none holds" if not numbers else f"number{'s' if len(numbers) > 1 else ''} {', '.join(numbers)} hold"


def hinge(share: Mapping[str, Mapping[str, float]], finding: str) -> str:
    """The variant that takes most from a finding that holds, or gives most to one that does not: a quarter of the
    draws or more."""
    base = share["as in the scenario"][finding]
    drops = {v: base - s[finding] for v, s in share.items() if v != "as in the scenario"}
    if base < 0.5:
        other = min(drops, key=lambda v: drops[v])
        return f"does not hold; most often with {other} ({100 * share[other][finding]:.0f} %)"
    worst = max(drops, key=lambda v: drops[v])
    if drops[worst] < 0.25:
        return "none of the variants takes a quarter of the draws from it"
    return f"{worst}: holds in {100 * share[worst][finding]:.0f} % then"


def scenario_named(name: str) -> str:
    """Raises `BadInput` for a scenario that does not exist."""
    known = ("hong-2024", "birindelli-2021")
    if name not in known:
        raise BadInput(f"Unknown scenario '{name}'.{near_miss(name, known)}")
    return name
