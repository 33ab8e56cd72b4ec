"""`nichedose guideline`: over a family of generated tissues, where each radionuclide of a labelled form wins."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
from nichedose.study.setup import Setup, resolve
from nichedose.study.sources import sources_of
from nichedose.study.threshold import ScaledDraw
from nichedose.study.world import World
from nichedose.tissue import TargetField, TissueMap, oxygen
from nichedose.tissue.build import oxygen_parameters
from nichedose.tissue.random_field import gaussian_field
from nichedose.values import Value, ValueUse

__all__ = ["AXES", "Rule", "guideline", "rules_of"]

Progress = Callable[[str, int, int], None]
SPACING_UM, SIDE_UM, PATCH_UM = 50.0, 2000.0, 150.0
WEIGHTED_DOSE_GY, ALPHA_WEIGHT = 30.0, 5.0
# axis -> (lowest, highest, unit); all even in the logarithm
AXES: Mapping[str, tuple[float, float, str]] = {
    "perfusion": (0.05, 2.0, "times the library's vessel surface and flow"),
    "heterogeneity": (1.2, 6.0, "geometric standard deviation of the target"),
    "lesion size": (0.6, 30.0, "mm"),
    "hypoxia": (0.5, 8.0, "times the library's oxygen consumption"),
}
FEWEST = 24


@dataclass(frozen=True)
class Rule:
    """``conditions`` (axis, side, level) that all must hold; then ``winner`` is best in ``right`` of ``cases`` tissues
    that were not used to find the rule."""

    conditions: tuple[tuple[str, str, float], ...]
    winner: str
    right: int
    cases: int


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
    points = _points(tissues, seed)
    progress("tissues", 0, tissues)
    kills: list[dict[str, float]] = []
    used: dict[str, Value] = {}
    tasks = [(i, tuple(points[i])) for i in range(tissues)]
    for done, (found, drawn) in enumerate(run_tasks(_one, setup, tasks, workers=workers), start=1):
        kills.append(found)
        used.update(drawn)
        progress("tissues", done, tissues)
    return _findings(setup, form, points, kills, used)


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
    """Latin hypercube over the axes, (n, 4)."""
    rng = np.random.default_rng([seed, 31])
    cells = np.stack([rng.permutation(n) for _ in AXES], axis=1)
    share = (cells + rng.uniform(size=cells.shape)) / n
    low, high = (np.array([a[k] for a in AXES.values()]) for k in (0, 1))
    return np.asarray(low * (high / low) ** share)


def _one(setup: Setup, task: tuple[int, tuple[float, ...]]) -> tuple[dict[str, float], dict[str, Value]]:
    index, (perfusion, spread, size_mm, consumption) = task
    draw = ScaledDraw(seed=setup.case.sampling.seed, index=index, factors={
        "tissue.perfusion_mL_per_min_per_mL": perfusion, "tissue.vessel_surface_per_cm": perfusion,
        "tissue.oxygen_consumption_mmHg_per_s": consumption})
    case = setup.case.model_copy(update={"lesion": setup.case.lesion.model_copy(update={"diameter": size_mm})})
    setup = dataclasses.replace(setup, case=case)
    world = World(setup, draw, (_tissue(setup, draw, index, spread, size_mm),), pairs=2)
    lesion = lesion_response(world, setup.candidates)
    found = {}
    for c in setup.candidates:
        weighted = _weighted_dose(world, c.name)
        course = regular_course({c.name: WEIGHTED_DOSE_GY / weighted}, 1, 1000.0)
        found[c.radionuclide] = course_effect(lesion, course).log_kill
    return found, dict(draw.used)


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


def rules_of(points: Array, winners: Sequence[str], names: Sequence[str]) -> tuple[Rule, ...]:
    """Rules found on every second tissue and counted on the others: two splits at most, one rule for each end.

    The splits are those that leave the fewest tissues outside their end's most frequent winner.
    """
    found, held = np.arange(0, len(winners), 2), np.arange(1, len(winners), 2)
    labels = np.array(winners)
    rules: list[Rule] = []
    first = _split(points[found], labels[found])
    ends: list[tuple[tuple[str, str, float], ...]] = []
    axes = list(names)
    for side in ("below", "above"):
        if first is None:
            ends.append(())
            break
        outer = (axes[first[0]], side, first[1])
        inside = found[_meets(points[found], axes, (outer,))]
        second = _split(points[inside], labels[inside])
        if second is None:
            ends.append((outer,))
        else:
            ends += [(outer, (axes[second[0]], s, second[1])) for s in ("below", "above")]
    for conditions in ends:
        learned = labels[found[_meets(points[found], axes, conditions)]]
        tested = labels[held[_meets(points[held], axes, conditions)]]
        if learned.size and tested.size:
            winner = max(sorted(set(learned.tolist())), key=lambda w: int(np.sum(learned == w)))
            rules.append(Rule(conditions, winner, int(np.sum(tested == winner)), len(tested)))
    return tuple(rules)


def _split(points: Array, labels: np.ndarray) -> tuple[int, float] | None:
    """Axis and level that put the most tissues with their end's most frequent winner; None where none helps."""
    if len(labels) < 8 or len(set(labels.tolist())) < 2:
        return None
    best, chosen = _majority(labels), None
    for axis, share in itertools.product(range(points.shape[1]), np.arange(0.1, 0.95, 0.05)):
        level = float(np.quantile(points[:, axis], share))
        below = points[:, axis] < level
        right = _majority(labels[below]) + _majority(labels[~below])
        if right > best:
            best, chosen = right, (axis, level)
    return chosen


def _majority(labels: np.ndarray) -> int:
    return int(np.unique(labels, return_counts=True)[1].max()) if labels.size else 0


def _meets(points: Array, axes: Sequence[str], conditions: Sequence[tuple[str, str, float]]) -> np.ndarray:
    ok = np.ones(len(points), dtype=bool)
    for axis, side, level in conditions:
        values = points[:, axes.index(axis)]
        ok &= values < level if side == "below" else values >= level
    return ok


def _findings(
    setup: Setup, form: str, points: Array, kills: Sequence[Mapping[str, float]], used: Mapping[str, Value]
) -> Findings:
    winners = [max(k, key=lambda n: k[n]) for k in kills]
    rules = rules_of(points, winners, list(AXES))
    nuclides = list(kills[0])
    overall = {n: winners.count(n) / len(winners) for n in nuclides}
    first = max(overall, key=lambda n: overall[n])
    answer = (f"Over {len(winners)} generated tissues at equal weighted mean dose, {first} on {form} kills most in "
              f"{100 * overall[first]:.0f} %; " + "; ".join(_rule_text(r) for r in rules) + " of the tissues held out.")
    table = FindingTable(("rule", "best", "right in tissues not used for it (95 %)"), tuple(
        (_conditions(r), r.winner, _confidence(r)) for r in rules))
    shares = FindingTable(("radionuclide", "best in, %", "median log kill"), tuple(
        (n, 100.0 * overall[n], float(np.median([k[n] for k in kills]))) for n in nuclides), "All tissues together")
    maps = tuple(_map(points, winners, a, b) for a, b in (("perfusion", "heterogeneity"), ("lesion size", "hypoxia")))
    return Findings(
        title=f"Radionuclides on {form} by microenvironment", answer=answer,
        parts=(Part("Rules", (), (table, shares)), Part("Where each wins", (), (), (), maps)),
        values_used=tuple(ValueUse(k, used[k]) for k in sorted(used)), sources=sources_of(setup),
        assumptions=(
            "Tissues are generated: discs of tumour in which the target and the vessels vary independently over "
            f"patches of {PATCH_UM:g} um. The axes are independent of each other, which they are not in patients.",
            f"Every radionuclide has the same mean dose, {WEIGHTED_DOSE_GY:g} Gy with alpha particles weighted by "
            f"{ALPHA_WEIGHT:g}; organs are not compared: which radionuclide they tolerate best is another question.",
            "Every tissue has its own joint draw of all library values, so the maps hold their doubt too.",
        ),
        numbers={"axes": {k: list(v) for k, v in AXES.items()}, "points": points.tolist(), "winners": winners,
                 "rules": [dataclasses.asdict(r) for r in rules], "share": overall})


def _map(points: Array, winners: Sequence[str], across: str, up: str) -> FindingMap:
    """Most frequent winner in a grid of three by three cells, even in the logarithm."""
    axes = list(AXES)
    cells = []
    for name in (across, up):
        low, high, _ = AXES[name]
        share = np.log(points[:, axes.index(name)] / low) / np.log(high / low)
        cells.append(np.clip((3 * share).astype(int), 0, 2))
    names, sure = [], []
    for row in range(3):
        here = [[w for w, i, j in zip(winners, *cells, strict=True) if i == column and j == row] for column in range(3)]
        best = [max(sorted(set(w)), key=w.count) if w else "none" for w in here]
        names.append(tuple(best))
        sure.append(tuple(w.count(b) / len(w) if w else 0.0 for w, b in zip(here, best, strict=True)))
    return FindingMap(f"By {across} and {up}", "The most frequent winner, and in which share of the tissues there it "
                      "wins; the other two axes vary freely.", f"{across} ({AXES[across][2]})", f"{up} ({AXES[up][2]})",
                      _ranges(across), _ranges(up), tuple(names), tuple(sure))


def _ranges(axis: str) -> tuple[str, ...]:
    low, high, _ = AXES[axis]
    edges = low * (high / low) ** (np.arange(4) / 3.0)
    return tuple(f"{a:.2g} to {b:.2g}" for a, b in itertools.pairwise(edges))


def _conditions(rule: Rule) -> str:
    return " and ".join(f"{axis} {side} {level:.2g}{' mm' if AXES[axis][2] == 'mm' else ''}"
                        for axis, side, level in rule.conditions) or "everywhere"


def _confidence(rule: Rule) -> str:
    low, high = probability_interval(rule.right / rule.cases, rule.cases)
    return f"{rule.right} of {rule.cases} ({100 * low:.0f} to {100 * high:.0f} %)"


def _rule_text(rule: Rule) -> str:
    return f"{rule.winner} where {_conditions(rule)}, right in {_confidence(rule)}"
