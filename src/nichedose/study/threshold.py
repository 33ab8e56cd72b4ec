"""`nichedose threshold`: raise one barrier until uptake no longer follows the target, or the order flips."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from nichedose.case import Case, Mode
from nichedose.decide import probability_interval
from nichedose.decide.decision import LARGEST_LOG_KILL
from nichedose.errors import BadInput, NotComputed, OutOfValidity, near_miss
from nichedose.fields.grid import Array
from nichedose.findings import FindingChart, Findings, FindingTable, Part
from nichedose.study.doubts import doubts_of, doubts_part
from nichedose.study.evaluate import CandidateDose
from nichedose.study.growth import growth_of, growth_text
from nichedose.study.plan import draw_spacing_um
from nichedose.study.pool import run_tasks
from nichedose.study.responses import prepare
from nichedose.study.section_maps import tissue_maps
from nichedose.study.setup import Setup
from nichedose.study.sources import sources_of
from nichedose.study.world import World
from nichedose.values import Draw, Value, ValueUse

__all__ = ["BARRIERS", "Barrier", "ScaledDraw", "crossing", "elasticity", "flip", "threshold_case"]

Progress = Callable[[str, int, int], None]
Barrier = Literal["fibrosis", "perfusion", "pressure", "hypoxia"]
BARRIERS: tuple[Barrier, ...] = get_args(Barrier)
SMALLEST_FACTOR = 0.01
PROPORTIONAL = 0.8  # elasticity of uptake by target density below which uptake is said not to follow the target
LEVELS = 7
SAME_LINE = 0.01

# what each barrier multiplies, and what that stands for
_KEYS: Mapping[Barrier, tuple[str, bool]] = {
    "fibrosis": ("tissue.diffusivity_factor", False),
    "perfusion": ("tissue.perfusion_mL_per_min_per_mL", False),
    "pressure": ("tissue.vessel_surface_per_cm", False),
    "hypoxia": ("tissue.oxygen_consumption_mmHg_per_s", True),
}
_MEANING: Mapping[Barrier, str] = {
    "fibrosis": "the diffusivity of ligand in the interstitium is multiplied by the factor (dense collagen slows it); "
                "oxygen is left as it is",
    "perfusion": "plasma flow is multiplied by the factor; the vessels stay where they are",
    "pressure": "the perfused vessel surface is multiplied by the factor, as vessels that solid or fluid pressure "
                "compresses; oxygen follows. Convection, which pressure also stops, is not in this transport",
    "hypoxia": "oxygen consumption is divided by the factor, so that oxygen falls; uptake is not touched, and no "
               "target is taken to answer to hypoxia",
}


@dataclass(frozen=True)
class ScaledDraw(Draw):
    """A draw in which the values under some keys are multiplied by a factor."""

    factors: Mapping[str, float] | None = None

    def __call__(self, key: str, value: Value) -> float:
        return super().__call__(key, value) * (self.factors or {}).get(key, 1.0)


@dataclass(frozen=True)
class _Task:
    index: int | None
    factors: tuple[float, ...]
    barrier: Barrier
    spacing_um: float
    mode: Mode


@dataclass(frozen=True)
class _Sweep:
    """One draw: elasticity and log kill by candidate, (levels,), and median oxygen of tumour cells, (levels,)."""

    elasticity: Mapping[str, Array]
    log_kill: Mapping[str, Array]
    oxygen_mmHg: Array
    used: Mapping[str, Value]


def threshold_case(
    case: Case, case_path: Path, barrier: str, *, down_to: float = 0.03, mode: Mode | None = None,
    doubling_time_h: float | None = None, draws: int | None = None, progress: Progress = lambda *_: None
) -> Findings:
    """Sweep ``barrier`` from the tissue as it is (factor 1) down to the factor ``down_to``, in every draw.

    Log kills are net of growth: with ``doubling_time_h``, else with the case's where it states one.

    Raises `BadInput` for an unknown barrier, `OutOfValidity` for a factor outside 0.01 to below 1.
    """
    chosen = _barrier(barrier)
    if not (math.isfinite(down_to) and SMALLEST_FACTOR <= down_to < 1.0):
        raise OutOfValidity(f"The sweep to {down_to:g} leaves the range in which the tissue model holds: factors from "
                            f"{SMALLEST_FACTOR:g} to below 1 of what the library gives.")
    by = mode or case.comparison.decide_by
    growth = growth_of(case.effect, doubling_time_h)
    told = growth_text(growth, {}, case.effect)
    case = case.model_copy(update={
        "comparison": case.comparison.model_copy(update={"modes": (by,), "decide_by": by}),
        "effect": case.effect.model_copy(update={"clonogen_doubling_time": growth and growth.doubling_time_h})})
    setup = prepare(case, case_path, progress=progress)
    maps = tissue_maps(setup, Draw(seed=case.sampling.seed), case.sampling.grid_spacing)
    spacing = draw_spacing_um(case, maps)
    factors = tuple(float(f) for f in np.geomspace(1.0, down_to, LEVELS))
    count = case.sampling.draws if draws is None else draws
    tasks = [_Task(i, factors, chosen, spacing, by) for i in (None, *range(count))]
    sweeps: list[_Sweep] = []
    progress("sweeps", 0, len(tasks))
    for done, sweep in enumerate(run_tasks(_sweep, setup, tasks, workers=case.sampling.workers), start=1):
        sweeps.append(sweep)
        progress("sweeps", done, len(tasks))
    if not any(np.isfinite(kills).any() for kills in sweeps[0].log_kill.values()):
        raise NotComputed(f"No candidate can be evaluated in the mode '{by}', so there is no ranking that could flip. "
                          "`nichedose plan` says why; take another --mode.")
    doubts = doubts_of(setup, maps, [c.name for c in setup.evaluable])
    found = _findings(setup, chosen, by, np.array(factors), sweeps[0], sweeps[1:], told)
    return replace(found, parts=(*found.parts, *doubts_part(doubts)), numbers={
        **found.numbers, "doubling_time_h": growth and growth.doubling_time_h,
        "cautions": [*doubts, *found.numbers["cautions"]]})


def _barrier(name: str) -> Barrier:
    for known in BARRIERS:
        if name == known:
            return known
    raise BadInput(f"Unknown barrier '{name}'.{near_miss(name, BARRIERS)}")


def _sweep(setup: Setup, task: _Task) -> _Sweep:
    key, inverse = _KEYS[task.barrier]
    elasticity: dict[str, list[float]] = {c.name: [] for c in setup.evaluable}
    kills: dict[str, list[float]] = {c.name: [] for c in setup.evaluable}
    oxygen, used = [], {}
    for factor in task.factors:
        scale = {key: 1.0 / factor if inverse else factor}
        draw = ScaledDraw(seed=setup.case.sampling.seed, index=task.index, factors=scale)
        world = World.of_draw(setup, draw, tissue_maps(setup, draw, task.spacing_um))
        oxygen.append(_median_oxygen(world))
        for c in setup.evaluable:
            elasticity[c.name].append(uptake_elasticity(world.dose(c), c.form.target))
            found = world.evaluate(c)
            kills[c.name].append(found[task.mode].log_kill if task.mode in found else float("nan"))
        used.update(draw.used)
    return _Sweep({n: np.array(v) for n, v in elasticity.items()}, {n: np.array(v) for n, v in kills.items()},
                  np.array(oxygen), used)


def uptake_elasticity(dose: CandidateDose, target: str) -> float:
    """Slope of log uptake by log target density over the voxels that hold tumour cells, weighted by their number.

    1: uptake follows the target in proportion; 0: it does not depend on it, delivery decides. NaN without spread.
    """
    densities, uptakes, weights = [], [], []
    for section in dose.sections:
        mask = section.tissue.mask
        cells = np.asarray(sum(section.clonogens.values()))[mask]
        density = section.tissue.targets[target].total_nmol_per_L[mask]
        uptake = section.tia_MBq_h_per_L[mask]
        keep = (cells > 0.0) & (density > 0.0) & (uptake > 0.0)
        densities.append(density[keep])
        uptakes.append(uptake[keep])
        weights.append(cells[keep])
    return elasticity(*(np.concatenate(v) for v in (densities, uptakes, weights)))


def elasticity(density: Array, uptake: Array, weight: Array) -> float:
    """The weighted slope of log ``uptake`` by log ``density``, all (n,) and above 0; NaN below three points or without
    spread."""
    x, y, w = np.log(density), np.log(uptake), weight
    if x.size < 3:
        return float("nan")
    w = w / w.sum()
    dx = x - w @ x
    spread = float(w @ dx**2)
    return float(w @ (dx * (y - w @ y))) / spread if spread > 1e-12 else float("nan")


def _median_oxygen(world: World) -> float:
    levels = np.concatenate([m.oxygen_mmHg[m.mask] for m in world.maps])
    cells = np.concatenate([m.cell_density_per_mm3["tumour"][m.mask] for m in world.maps])
    order = np.argsort(levels)
    total = np.cumsum(cells[order])
    return float(levels[order][np.searchsorted(total, 0.5 * total[-1])])


def crossing(factors: Array, values: Array, level: float) -> float:
    """The first factor, from 1 down, at which ``values`` fall below ``level``, by interpolation in its logarithm.

    1 where they begin below it, NaN where they never fall below.

    >>> round(crossing(np.array([1.0, 0.1, 0.01]), np.array([1.0, 0.9, 0.7]), 0.8), 4)
    0.0316
    """
    if not np.isfinite(values).all():
        return float("nan")
    below = np.flatnonzero(values < level)
    if not below.size:
        return float("nan")
    i = int(below[0])
    if i == 0:
        return float(factors[0])
    share = (values[i - 1] - level) / (values[i - 1] - values[i])
    logs = np.log(factors)
    return float(np.exp(logs[i - 1] + share * (logs[i] - logs[i - 1])))


def flip(factors: Array, kills: Mapping[str, Array]) -> tuple[float, str]:
    """The first factor at which another candidate than the one at factor 1 is best, and which; NaN for never."""
    names = list(kills)
    table = np.array([np.nan_to_num(kills[n], nan=-np.inf) for n in names])
    best = table.argmax(axis=0)
    changed = np.flatnonzero(best != best[0])
    if not changed.size:
        return float("nan"), ""
    i = int(changed[0])
    gap = table[best[0]] - table[best[i]]
    share = gap[i - 1] / (gap[i - 1] - gap[i]) if np.isfinite(gap[i - 1] - gap[i]) else 1.0
    logs = np.log(factors)
    return float(np.exp(logs[i - 1] + share * (logs[i] - logs[i - 1]))), names[int(best[i])]


def _findings(
    setup: Setup, barrier: Barrier, mode: Mode, factors: Array, central: _Sweep, draws: Sequence[_Sweep],
    told: tuple[str, ...]
) -> Findings:
    every = draws or [central]
    rows, numbers = [], {}
    for name in central.elasticity:
        at = np.array([crossing(factors, s.elasticity[name], PROPORTIONAL) for s in every])
        rows.append((name, float(central.elasticity[name][0]), float(central.elasticity[name][-1]), *_where(at)))
        numbers[name] = {"elasticity": central.elasticity[name].tolist(), "threshold": at.tolist()}
    flips = [flip(factors, s.log_kill) for s in every]
    places = np.array([f for f, _ in flips])
    taken = [name for _, name in flips if name]
    winners = {n: float(np.mean([_winner(s, -1) == n for s in every])) for n in central.log_kill}
    first = {n: float(np.mean([_winner(s, 0) == n for s in every])) for n in central.log_kill}
    low, high = probability_interval(len(taken) / len(every), len(every))
    flipped = (f"changes in {100 * len(taken) / len(every):.0f} % of {len(every)} draws (95 %: {100 * low:.0f} to "
               f"{100 * high:.0f} %)" if draws else
               f"{'changes' if taken else 'does not change'} in the central run")
    successor = max(set(taken), key=taken.count) if taken else ""
    answer = (
        f"{barrier.capitalize()} down to a factor of {factors[-1]:.2g}: the first place {flipped}"
        + (f", {'most often ' if draws else ''}to {successor}, at a factor of {_range(places)}." if taken else "."))
    parts = (
        Part("What was swept", (f"{barrier.capitalize()}: {_MEANING[barrier]}.",
                                _oxygen_in_words(central.oxygen_mmHg), *told)),
        Part("Where uptake stops following the target", (
            "Elasticity is the slope of log uptake by log target density over the voxels with tumour cells: 1 where "
            f"twice the target means twice the uptake, 0 where delivery decides. The threshold is where it falls below "
            f"{PROPORTIONAL:g}.",),
             (FindingTable(("candidate", "elasticity now", f"at {factors[-1]:.2g}", "threshold (5 to 95 %)",
                            "already below", "never below"), tuple(rows)),),
             (_chart("Elasticity of uptake by target density", "elasticity", factors, central.elasticity),)),
        Part("Where the ranking flips", (
            f"How often each candidate is best {f'in {len(every)} draws' if draws else 'in the central run'}: in the "
            f"tissue as it is, and at a factor of {factors[-1]:.2g}.",), (FindingTable(
            ("candidate", "best now", "best at the end"),
            tuple((n, f"{100 * first[n]:.0f} %", f"{100 * winners[n]:.0f} %") for n in winners)),),
             (_chart(f"Log kill, {mode.replace('_', ' ')}", "log kill, 10 and more as 10", factors,
                     {n: np.minimum(k, LARGEST_LOG_KILL) for n, k in central.log_kill.items()}),)),
    )
    used: dict[str, Value] = {}
    for s in (central, *draws):
        used.update(s.used)
    return Findings(
        title=f"Impairment threshold, {barrier}: {setup.case.title}", answer=answer, parts=parts,
        values_used=tuple(ValueUse(k, used[k]) for k in sorted(used)), sources=sources_of(setup),
        assumptions=("Only the named quantity changes; what a real tumour changes together is not followed.",
                     f"Lines show the central run; thresholds and flips are counted over {len(every)} joint draws."),
        numbers={"barrier": barrier, "mode": mode, "factors": factors.tolist(), "candidates": numbers,
                 "flips": places.tolist(), "flips_to": [name for _, name in flips],
                 "oxygen_mmHg": central.oxygen_mmHg.tolist(), "cautions": list(told)})


def _oxygen_in_words(levels: Array) -> str:
    first, last = (f"{x:.3g}" for x in (levels[0], levels[-1]))
    if first == last:
        return f"Median oxygen at the tumour cells stays at {first} mmHg."
    return f"Median oxygen at the tumour cells goes from {first} to {last} mmHg in the central run."


def _winner(sweep: _Sweep, level: int) -> str:
    known = {n: k[level] for n, k in sweep.log_kill.items() if np.isfinite(k[level])}
    return max(known, key=lambda n: known[n]) if known else ""


def _where(at: Array) -> tuple[str, str, str]:
    """Quantiles of the thresholds inside the sweep, and the shares of draws outside it at either end."""
    already, never = float(np.mean(at == 1.0)), float(np.mean(~np.isfinite(at)))
    inside = at[np.isfinite(at) & (at < 1.0)]
    return _range(inside), f"{100 * already:.0f} %", f"{100 * never:.0f} %"


def _range(values: Array) -> str:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "none"
    low, middle, high = np.quantile(finite, (0.05, 0.5, 0.95))
    return f"{middle:.2g} ({low:.2g} to {high:.2g})"


def _chart(title: str, y_label: str, factors: Array, lines: Mapping[str, Array]) -> FindingChart:
    back = slice(None, None, -1)  # axes rise to the right: the tissue as it is stands there
    return FindingChart(title, "By the factor on the barrier's quantity; the tissue as it is stands at 1.",
                        "factor", y_label, tuple(factors[back].tolist()),
                        {n: tuple(v[back].tolist()) for n, v in together(lines).items()}, log_x=True)


def together(lines: Mapping[str, Array]) -> dict[str, Array]:
    """Lines that a chart could not tell apart (within 1 % of its height all along) as one, named after all of them.

    >>> list(together({"a": np.array([0.0, 1.0]), "b": np.array([0.0, 1.001]), "c": np.array([1.0, 0.0])}))
    ['a, b', 'c']
    """
    height = max((float(np.nanmax(np.abs(v))) for v in lines.values() if np.isfinite(v).any()), default=0.0)
    found: list[tuple[list[str], Array]] = []
    for name, line in lines.items():
        same = next((names for names, of in found if np.allclose(of, line, rtol=0.0, atol=SAME_LINE * height,
                                                                 equal_nan=True)), None)
        if same is None:
            found.append(([name], line))
        else:
            same.append(name)
    return {", ".join(names): line for names, line in found}
