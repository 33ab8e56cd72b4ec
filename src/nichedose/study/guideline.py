"""`nichedose guideline`: over a family of generated tissues, where each radionuclide of a labelled form wins."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nichedose.case import parse_case
from nichedose.decide import course_effect, probability_interval, regular_course
from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array, Grid
from nichedose.findings import FindingMap, Findings, FindingTable, Part
from nichedose.library import load_library
from nichedose.library.schema import Agent
from nichedose.study.pool import run_tasks
from nichedose.study.responses import lesion_response
from nichedose.study.rules import Rule, rules_of
from nichedose.study.setup import Setup, resolve
from nichedose.study.sources import sources_of
from nichedose.study.threshold import ScaledDraw
from nichedose.study.world import World
from nichedose.tissue import TargetField, TissueMap, oxygen
from nichedose.tissue.build import oxygen_parameters
from nichedose.tissue.random_field import gaussian_field
from nichedose.values import Value, ValueUse

__all__ = ["AXES", "guideline"]

Progress = Callable[[str, int, int], None]
SPACING_UM, SIDE_UM, PATCH_UM = 50.0, 2000.0, 150.0
WEIGHTED_DOSE_GY, ALPHA_WEIGHT = 30.0, 5.0
# what is varied -> (lowest, highest); even in the logarithm. Vessels go with their flow, and vessels, draw and
# consumption make the oxygen, so that tissues are told apart by what came out (`AXES`).
VARIED: Mapping[str, tuple[float, float]] = {
    "the library's vessel surface and flow": (0.05, 2.0),
    "heterogeneity": (1.2, 6.0),
    "lesion size": (0.6, 30.0),
    "the library's oxygen consumption": (0.05, 2.0),
}
AXES: Mapping[str, str] = {  # and their units
    "perfusion": "mL plasma/min/mL",
    "heterogeneity": "-fold geometric standard deviation of the target",
    "lesion size": "mm",
    "median oxygen": "mmHg",
}
FEWEST = 24


def guideline(
    form: str, *, tissues: int = 128, seed: int = 1, workers: int | None = None, progress: Progress = lambda *_: None
) -> Findings:
    """Generate ``tissues``, each with its own place on the four axes and its own joint draw, and compare radionuclides.

    All have the same mean dose, alpha particles weighted by 5, so that range, dose rate, LET and oxygen decide, not
    the amount. Raises `BadInput` for an unknown form, one that carries a single radionuclide, or too few tissues.
    """
    if tissues < FEWEST:
        raise BadInput(f"{tissues} tissues say too little; ask for {FEWEST} or more.")
    setup = _setup(form, seed)
    progress("tissues", 0, tissues)
    kills: list[dict[str, float]] = []
    points: list[tuple[float, ...]] = []
    used: dict[str, Value] = {}
    tasks = [(i, tuple(varied)) for i, varied in enumerate(_points(tissues, seed))]
    for done, (found, place, drawn) in enumerate(run_tasks(_one, setup, tasks, workers=workers), start=1):
        kills.append(found)
        points.append(place)
        used.update(drawn)
        progress("tissues", done, tissues)
    return _findings(setup, form, np.array(points), kills, used)


def _setup(form: str, seed: int) -> Setup:
    library = load_library()
    if form not in library.forms:
        raise BadInput(f"Unknown labelled form '{form}'.{near_miss(form, library.forms)}")
    chosen = library.forms[form]
    if len(chosen.radionuclides) < 2:
        raise BadInput(f"{form} carries {', '.join(chosen.radionuclides)} alone: there is nothing to compare.")
    one = Value(value=1.0, evidence="definition", note="scaled to the mean dose; no result depends on it")
    agents = tuple(Agent(name=f"{n} on {form}", form=form, radionuclide=n, activity_MBq=one, cycles=1,
                         interval_h=1000.0, status="hypothetical") for n in chosen.radionuclides)
    base = parse_case("\n".join([
        f'title = "Radionuclides on {form}"', 'tumour = "generic"', "[[sections]]", 'path = "generated"', "[lesion]",
        'diameter = "10 mm"', "[sampling]", f"seed = {seed}", "[output]", 'folder = "unused"',
        *(line for a in agents for line in ("[[candidates]]", f'agent = "{a.name}"'))]))
    return resolve(base.model_copy(update={"agents": agents}), library, ())


def _points(n: int, seed: int) -> Array:
    """Latin hypercube over what is varied, (n, 4)."""
    rng = np.random.default_rng([seed, 31])
    cells = np.stack([rng.permutation(n) for _ in VARIED], axis=1)
    share = (cells + rng.uniform(size=cells.shape)) / n
    low, high = np.array(list(VARIED.values())).T
    return np.asarray(low * (high / low) ** share)


def _one(
    setup: Setup, task: tuple[int, tuple[float, ...]]
) -> tuple[dict[str, float], tuple[float, ...], dict[str, Value]]:
    """Log kill by radionuclide, the tissue's place on `AXES`, and the values drawn."""
    index, (perfusion, spread, size_mm, consumption) = task
    draw = ScaledDraw(seed=setup.case.sampling.seed, index=index, factors={
        "tissue.perfusion_mL_per_min_per_mL": perfusion, "tissue.vessel_surface_per_cm": perfusion,
        "tissue.oxygen_consumption_mmHg_per_s": consumption})
    case = setup.case.model_copy(update={"lesion": setup.case.lesion.model_copy(update={"diameter": size_mm})})
    setup = dataclasses.replace(setup, case=case)
    tissue = _tissue(setup, draw, index, spread, size_mm)
    world = World(setup, draw, (tissue,), pairs=2)
    lesion = lesion_response(world, setup.candidates)
    found = {}
    for c in setup.candidates:
        weighted = _weighted_dose(world, c.name)
        course = regular_course({c.name: WEIGHTED_DOSE_GY / weighted}, 1, 1000.0)
        found[c.radionuclide] = course_effect(lesion, course).log_kill
    flow = draw("tissue.perfusion_mL_per_min_per_mL", setup.library.tissue.perfusion_mL_per_min_per_mL)
    place = flow, spread, size_mm, float(np.median(tissue.oxygen_mmHg[tissue.mask]))
    return found, place, dict(draw.used)


def _weighted_dose(world: World, name: str) -> float:
    """Mean dose per MBq, Gy, alpha particles and recoils times 5."""
    candidate = next(c for c in world.setup.candidates if c.name == name)
    [section] = world.dose(candidate).sections
    weight = {"alpha": ALPHA_WEIGHT, "recoil": ALPHA_WEIGHT}
    return float(sum(weight.get(q, 1.0) * d[section.tissue.mask].mean() for q, d in section.dose.by_quality.items()))


def _tissue(setup: Setup, draw: ScaledDraw, index: int, spread: float, size_mm: float) -> TissueMap:
    """A disc of tumour in which target and vessels vary from place to place, independently."""
    n = int(SIDE_UM / SPACING_UM)
    grid = Grid((n, n), SPACING_UM)
    y, x = np.meshgrid(grid.y_um - grid.y_um.mean(), grid.x_um - grid.x_um.mean(), indexing="ij")
    mask = np.hypot(y, x) <= 0.5 * min(size_mm * 1e3, SIDE_UM)
    rng = np.random.default_rng([setup.case.sampling.seed, index])
    form = setup.candidates[0].form
    parameters, target = setup.library.tissue, setup.library.targets[form.target]
    shape = np.where(mask, np.exp(np.log(spread) * gaussian_field(grid, PATCH_UM, rng)), 0.0)
    vessels = np.where(mask, np.exp(0.5 * gaussian_field(grid, PATCH_UM, rng)), 0.0)
    vessels *= draw("tissue.vessel_surface_per_cm", parameters.vessel_surface_per_cm) / vessels[mask].mean()
    density = draw(f"target.{target.name}.mean_density_nmol_per_L", target.mean_density_nmol_per_L)
    host = "tumour" if "tumour" in target.hosts else target.hosts[0]
    cells = draw("tissue.cell_density_per_mm3", parameters.cell_density_per_mm3)
    return TissueMap(
        grid=grid, mask=mask, cell_density_per_mm3={"tumour": np.where(mask, cells, 0.0)},
        targets={target.name: TargetField(target.name, {host: density * shape / shape[mask].mean()}, True,
                                          "relative", 0)},
        unknown_targets={}, vessel_surface_per_cm=vessels, matrix=np.zeros(grid.shape),
        oxygen_mmHg=oxygen(grid, mask, vessels, oxygen_parameters(parameters, draw)), sample=f"generated {index}")


def _findings(
    setup: Setup, form: str, points: Array, kills: Sequence[Mapping[str, float]], used: Mapping[str, Value]
) -> Findings:
    winners = [max(k, key=lambda n: k[n]) for k in kills]
    rules = rules_of(points, winners, list(AXES))
    nuclides = list(kills[0])
    overall = {n: winners.count(n) / len(winners) for n in nuclides}
    lost = {n: float(np.mean([max(k.values()) - k[n] for k in kills])) for n in nuclides}
    table = FindingTable(
        ("where", "best", "right in tissues not used for the rule (95 %)", f"always {_first(overall)}"),
        tuple((_conditions(r), r.winner, _confidence(r), f"{r.without} of {r.cases}") for r in rules))
    shares = FindingTable(("radionuclide", "best in, %", "median log kill", "loses to the best, mean log kill"), tuple(
        (n, 100.0 * overall[n], float(np.median([k[n] for k in kills])), lost[n]) for n in nuclides),
        "All tissues together")
    maps = tuple(_map(points, winners, a, b) for a, b in (
        ("perfusion", "heterogeneity"), ("lesion size", "median oxygen")))
    return Findings(
        title=f"Radionuclides on {form} by microenvironment", answer=_answer(form, len(winners), overall, rules),
        parts=(Part("Rules", (), (table, shares)), Part("Where each wins", (), (), (), maps)),
        values_used=tuple(ValueUse(k, used[k]) for k in sorted(used)), sources=sources_of(setup),
        assumptions=(
            "Tissues are generated: discs of tumour in which the target and the vessels vary independently over "
            f"patches of {PATCH_UM:g} um. Ranges: " + "; ".join(
                f"{name} {low:g} to {high:g}{_unit(name)}" for name, (low, high) in VARIED.items())
            + ". They vary independently of each other, which they do not in patients; oxygen falls with perfusion.",
            f"Every radionuclide has the same mean dose, {WEIGHTED_DOSE_GY:g} Gy with alpha particles weighted by "
            f"{ALPHA_WEIGHT:g}; organs are not compared: which radionuclide they tolerate best is another question.",
            "Every tissue has its own joint draw of all library values, so the maps hold their doubt too.",
        ),
        numbers={"axes": dict(AXES), "points": points.tolist(), "winners": winners,
                 "rules": [dataclasses.asdict(r) for r in rules], "share": overall})


def _answer(form: str, tissues: int, overall: Mapping[str, float], rules: Sequence[Rule]) -> str:
    first = _first(overall)
    text = (f"Over {tissues} generated tissues at equal weighted mean dose, {first} on {form} kills most in "
            f"{100.0 * overall[first]:.0f} %.")
    if len(rules) < 2:
        return text + " No rule by microenvironment does better than chance."
    right, without, cases = (sum(getattr(r, name) for r in rules) for name in ("right", "without", "cases"))
    said = "; ".join(f"{r.winner} where {_conditions(r)} ({_confidence(r)})" for r in rules)
    return (f"{text} Rules, and how often they are right in tissues that did not make them: {said}. Together they are "
            f"right in {right} of {cases}; always {first}, in {without}.")


def _first(overall: Mapping[str, float]) -> str:
    return max(overall, key=lambda n: overall[n])


def _map(points: Array, winners: Sequence[str], across: str, up: str) -> FindingMap:
    """Most frequent winner in a grid of three by three cells, a third of the tissues in each row and each column."""
    columns, rows = (points[:, list(AXES).index(name)] for name in (across, up))
    place = [np.searchsorted(np.quantile(v, (1 / 3, 2 / 3)), v, side="right") for v in (columns, rows)]
    names, sure, cases = [], [], []
    for row in range(3):
        here = [[w for w, i, j in zip(winners, *place, strict=True) if i == column and j == row] for column in range(3)]
        best = [max(sorted(set(w)), key=w.count) if w else "none" for w in here]
        names.append(tuple(best))
        sure.append(tuple(w.count(b) / len(w) if w else 0.0 for w, b in zip(here, best, strict=True)))
        cases.append(tuple(map(len, here)))
    return FindingMap(
        f"By {across} and {up}",
        "The most frequent winner, and in how many of the tissues there it wins; the other two axes vary freely.",
        _axis(across), _axis(up), _ranges(columns), _ranges(rows), tuple(names), tuple(sure),
        tuple(cases))


def _axis(name: str) -> str:
    return f"{name} ({AXES[name].removeprefix('-fold ')})"


def _ranges(values: Array) -> tuple[str, ...]:
    return tuple(f"{a:.2g} to {b:.2g}" for a, b in itertools.pairwise(np.quantile(values, (0, 1 / 3, 2 / 3, 1))))


def _unit(name: str) -> str:
    """What follows a number on an axis, or of a factor."""
    return "-fold" if name == "heterogeneity" else f" {AXES[name]}" if name in AXES else " times"


def _conditions(rule: Rule) -> str:
    told = [f"{axis} {side} {level:.2g}{_unit(axis)}" for axis, side, level in rule.conditions]
    return " and ".join(told) or "everywhere"


def _confidence(rule: Rule) -> str:
    low, high = probability_interval(rule.right / rule.cases, rule.cases)
    return f"{rule.right} of {rule.cases}, {100 * low:.0f} to {100 * high:.0f} %"
