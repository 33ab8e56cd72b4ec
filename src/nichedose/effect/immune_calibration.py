"""The immune course held against mouse series: two numbers fitted to single arms, the combination predicted.

Control fixes the clock (its growth is seen, not fitted). The kill rate K is set by the checkpoint arm and the tumour's
alpha by the radiation arm, anew for each draw of everything else; the combination arm is held out. What four numbers
cannot tell apart stays as wide as its prior, and so does the prediction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from nichedose.effect.immune import Blockade, DoseRate, ImmuneParameters, immune_course, time_to_size
from nichedose.errors import BadInput, NotComputed
from nichedose.fields.grid import Array, BoolArray
from nichedose.library.effects import ImmuneExperiment, ImmunePriors
from nichedose.values import Draw

__all__ = ["ImmuneCalibration", "calibrate_immune", "combination_times"]

STEP_D = 0.25
LONGEST = 3.0  # integrate to so many times the longest arm
CANDIDATES = 25  # values tried at once in each of the two rounds of the search
KILL_RANGE = (1e-3, 30.0)
ALPHA_RANGE = (1e-3, 10.0)
FEWEST = 20


@dataclass(frozen=True)
class ImmuneCalibration:
    """Draws that meet all single arms. ``combination_d`` is predicted for the held-out arm (inf: not within the run).

    ``accepted``: share of prior draws that could meet the single arms at all. ``narrowed``: spread of each input among
    the accepted draws over its prior spread (1: the data say nothing of it). ``governs``: rank correlation of each with
    the predicted combination.
    """

    parameters: ImmuneParameters
    end_size: Array
    dose_Gy: Array
    half_life_d: Array
    lymphocyte_share: Array
    blockade_days: Array
    combination_d: Array
    accepted: float
    narrowed: dict[str, float]
    governs: dict[str, float]
    horizon_d: float

    def interval_d(self, level: float = 0.9) -> tuple[float, float, float]:
        """Low end, median and high end of the predicted combination; capped at the length of the run."""
        if not 0.0 < level < 1.0:
            raise BadInput(f"level = {level:g}; it must lie between 0 and 1.")
        capped = np.minimum(self.combination_d, self.horizon_d)
        low, mid, high = np.quantile(capped, [0.5 - level / 2.0, 0.5, 0.5 + level / 2.0])
        return float(low), float(mid), float(high)


def calibrate_immune(
    experiment: ImmuneExperiment, priors: ImmunePriors, *, draws: int = 200, seed: int = 1
) -> ImmuneCalibration:
    """Fit K and alpha to the single arms of ``experiment`` in each of ``draws`` draws, and predict the combination.

    Raises `NotComputed` when fewer than 20 draws can meet the arms.
    """
    if draws < FEWEST:
        raise BadInput(f"draws = {draws}; give at least {FEWEST}.")
    inputs = _inputs(experiment, priors, draws, seed)
    arms = {arm: getattr(experiment, f"{arm}_d") * np.exp(inputs[f"{arm}_error"])
            for arm in ("control", "radiation", "checkpoint", "combination")}
    end_size = inputs["growth_fold"]
    base = ImmuneParameters(
        net_growth_per_d=np.log(end_size) / arms["control"], alpha_per_Gy=np.zeros(draws), kill_per_d=np.zeros(draws),
        **{n: inputs[n] for n in ("baseline_signal", "suppression", "regulation", "half_antigen", "clearance_per_d",
                                  "turnover_per_d", "lymphocyte_alpha_per_Gy")})
    horizon = LONGEST * max(experiment.combination_d, experiment.radiation_d, experiment.checkpoint_d)

    def blocked(p: ImmuneParameters, copies: int) -> Array:
        course = immune_course(p, horizon, blockade=Blockade(0.0, np.tile(inputs["blockade_days"], copies)),
                               step_d=STEP_D)
        return time_to_size(course, np.tile(end_size, copies))

    def irradiated(p: ImmuneParameters, copies: int) -> Array:
        course = immune_course(p, horizon, doses=(_dose(inputs, copies),), step_d=STEP_D)
        return time_to_size(course, np.tile(end_size, copies))

    kill, met_kill = _search(base, "kill_per_d", KILL_RANGE, blocked, arms["checkpoint"])
    base = dataclasses.replace(base, kill_per_d=kill)
    alpha, met_alpha = _search(base, "alpha_per_Gy", ALPHA_RANGE, irradiated, arms["radiation"])
    base = dataclasses.replace(base, alpha_per_Gy=alpha)
    kept = met_kill & met_alpha
    if int(kept.sum()) < FEWEST:
        raise NotComputed(f"Only {int(kept.sum())} of {draws} draws can meet the single arms of this experiment; give "
                          "more draws, or other priors.")
    both = time_to_size(immune_course(base, horizon, doses=(_dose(inputs, 1),),
                                      blockade=Blockade(0.0, inputs["blockade_days"]), step_d=STEP_D), end_size)
    predicted = (both * np.exp(inputs["combination_error"]))[kept]
    shown = {n: v for n, v in inputs.items() if not n.endswith("_error") and float(np.ptp(v)) > 0.0}
    return ImmuneCalibration(
        parameters=_subset(base, kept), end_size=end_size[kept], dose_Gy=inputs["dose_Gy"][kept],
        half_life_d=inputs["half_life_d"][kept], lymphocyte_share=inputs["lymphocyte_share"][kept],
        blockade_days=inputs["blockade_days"][kept], combination_d=predicted, accepted=float(kept.mean()),
        narrowed={n: _spread(v[kept]) / _spread(v) for n, v in shown.items()},
        governs={n: _rank_correlation(v[kept], np.minimum(predicted, horizon)) for n, v in shown.items()},
        horizon_d=horizon,
    )


def combination_times(
    found: ImmuneCalibration, blockade_start_d: float, *, dose_start_d: float = 0.0, infiltration: float = 1.0
) -> Array:
    """Days to the endpoint in each accepted draw with the given order; capped at the run's length.

    The same draws serve every order, so that differences between orders are paired.
    """
    p = found.parameters
    course = immune_course(
        p, found.horizon_d, infiltration=infiltration, step_d=STEP_D,
        doses=(DoseRate(found.dose_Gy[:, None], found.half_life_d[:, None], dose_start_d, found.lymphocyte_share),),
        blockade=Blockade(blockade_start_d, found.blockade_days))
    return np.minimum(time_to_size(course, found.end_size), found.horizon_d)


def _inputs(experiment: ImmuneExperiment, priors: ImmunePriors, draws: int, seed: int) -> dict[str, Array]:
    values = {n: getattr(priors, n) for n in type(priors).model_fields if n != "median_error"}
    values |= {"dose_Gy": experiment.dose_Gy, "half_life_d": experiment.half_life_d}
    values |= {f"{arm}_error": priors.median_error for arm in ("control", "radiation", "checkpoint", "combination")}
    worlds = [Draw(seed=seed, index=i) for i in range(draws)]
    return {n: np.array([w(f"immune.{n}", v) for w in worlds]) for n, v in values.items()}


def _dose(inputs: dict[str, Array], copies: int) -> DoseRate:
    dose, half, share = (np.tile(inputs[n], copies) for n in ("dose_Gy", "half_life_d", "lymphocyte_share"))
    return DoseRate(dose[:, None], half[:, None], 0.0, share)


def _search(
    base: ImmuneParameters, name: str, bounds: tuple[float, float],
    arm: Callable[[ImmuneParameters, int], Array], wanted_d: Array,
) -> tuple[Array, BoolArray]:
    """The smallest value of one parameter at which an arm takes ``wanted_d``, in each draw, and whether there is one.

    Two rounds of `CANDIDATES` values at once: over the whole range, then inside the interval that holds the crossing.
    """
    n = len(wanted_d)
    low, high = np.full(n, np.log(bounds[0])), np.full(n, np.log(bounds[1]))
    crossed = np.zeros(n, bool)
    at = low
    for _ in range(2):
        grid = low + (high - low) * np.linspace(0.0, 1.0, CANDIDATES)[:, None]
        days = arm(_repeat(base, name, np.exp(grid).ravel()), CANDIDATES).reshape(CANDIDATES, n)
        over = days >= wanted_d
        first = np.argmax(over, axis=0)
        crossed = over.any(axis=0) & (first > 0)
        left, right = np.maximum(first - 1, 0), first
        rows = np.arange(n)
        low, high = grid[left, rows], grid[right, rows]
        y0, y1 = days[left, rows], np.minimum(days[right, rows], 1e6)
        part = np.where(y1 > y0, (wanted_d - y0) / np.where(y1 > y0, y1 - y0, 1.0), 0.5)
        at = low + (high - low) * np.clip(part, 0.0, 1.0)
    return np.exp(at), crossed


def _repeat(base: ImmuneParameters, name: str, values: Array) -> ImmuneParameters:
    copies = CANDIDATES
    repeated = {k: np.tile(np.asarray(v), copies) if np.ndim(v) else v for k, v in vars(base).items()}
    return ImmuneParameters(**{**repeated, name: values})


def _subset(p: ImmuneParameters, kept: BoolArray) -> ImmuneParameters:
    return ImmuneParameters(**{k: np.asarray(v)[kept] if np.ndim(v) else v for k, v in vars(p).items()})


def _spread(values: Array) -> float:
    low, high = np.quantile(values, [0.25, 0.75])
    return float(high - low)


def _rank_correlation(x: Array, y: Array) -> float:
    if float(np.ptp(y)) == 0.0:
        return 0.0
    return float(spearmanr(x, y).statistic)
