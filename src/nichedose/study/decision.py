"""The decision alone: candidates and combinations of a case, or of a finished plan, under any objective and mode."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from nichedose.case import Mode
from nichedose.decide import CandidateCourse, DecisionTable, Objective, course_in_mode, course_outcome
from nichedose.decide.outcome import OBJECTIVES
from nichedose.effect import Repopulation
from nichedose.errors import BadInput, NotComputed, near_miss
from nichedose.fields.grid import Array
from nichedose.study.evaluate import tcp_from_log_kill
from nichedose.study.partners import without_effect
from nichedose.study.responses import Responses

__all__ = ["table_from_draws", "table_from_responses"]


def table_from_responses(
    responses: Responses, mode: Mode, *, growth: Repopulation | None = None
) -> DecisionTable:
    """Every candidate and combination in every draw, in ``mode``."""
    setup = responses.setup
    values: dict[str, dict[Objective, Array]] = {}
    activities: dict[str, Array] = {}
    refused = {c.name: reason for c in setup.candidates if (reason := setup.reason_not_evaluable(c)) is not None}
    known = {c.name for c in responses.courses}
    refused |= {c.name: "one of its agents cannot be evaluated here" for c in setup.case.combinations
                if c.name not in known}
    for course in responses.courses:
        table, given, reason = _one(responses, course, mode, growth)
        if reason:
            refused[course.name] = reason
        else:
            values[course.name], activities[course.name] = table, given
    twins = without_effect(setup, {name: v["log_kill"] for name, v in values.items()})
    kept = {name: v for name, v in values.items() if name not in twins}
    return DecisionTable(mode, kept, responses.inputs, {n: activities[n] for n in kept}, refused | twins)


def _one(
    responses: Responses, course: CandidateCourse, mode: Mode, growth: Repopulation | None
) -> tuple[dict[Objective, Array], Array, str]:
    """Values by objective, activity per cycle by agent, and why not where no draw could be evaluated."""
    comparison = responses.setup.case.comparison
    n = len(responses.draws)
    found: dict[Objective, Array] = {o: np.full(n, np.nan) for o in OBJECTIVES}
    given, reason = np.full((len(course.split), n), np.nan), ""
    for i, lesion in enumerate(responses.draws):
        try:
            plan = course_in_mode(lesion, course, mode, equal_activity_MBq=comparison.equal_activity,
                                  equal_mean_dose_Gy=comparison.equal_mean_dose)
        except NotComputed as error:
            reason = str(error)
            continue
        outcome = course_outcome(lesion, plan, growth)
        given[:, i] = [a.activity_MBq for a in plan[:len(course.split)]]  # every cycle is alike
        for objective in OBJECTIVES:
            found[objective][i] = outcome.value(objective)
    return found, given, "" if np.isfinite(given).any() else reason or "there are no draws"


def table_from_draws(draws: xr.Dataset, mode: str, clonogens: float | None = None) -> DecisionTable:
    """The draws of a finished plan (group ``draws`` of its results). Organ burden is not stored there.

    Raises `BadInput` for a mode that the plan did not compute, or a plan without draws.
    """
    modes = [str(m) for m in draws["mode"].values]
    if mode not in modes:
        raise BadInput(f"The plan has no mode '{mode}'.{near_miss(mode, modes)} Run `nichedose rank` on the case file "
                       "to compute another.")
    if not draws.sizes.get("draw", 0):
        raise BadInput("The plan has no draws, so there is nothing to decide; run it with sampling.draws above 0.")
    here = draws.sel(mode=mode)
    values: dict[str, Mapping[Objective, Array]] = {}
    for name in (str(c) for c in here["candidate"].values):
        one = here.sel(candidate=name)
        kill = np.asarray(one["log_kill"].values, dtype=float)
        worst = np.maximum(np.asarray(one["worst_decile_survival"].values, dtype=float), 1e-300)  # above 1 by growth
        nothing = np.full(kill.shape, np.nan)
        values[name] = {
            "log_kill": kill,
            "worst_decile": -np.log10(worst),
            "mean_dose": np.asarray(one["mean_dose_Gy"].values, dtype=float),
            "tcp": nothing if clonogens is None else np.array([tcp_from_log_kill(k, clonogens) for k in kill]),
            "organ_burden": nothing,
        }
    inputs = {str(k): np.asarray(here["input"].sel(key=k).values, dtype=float) for k in here["key"].values}
    kept = {n: v for n, v in values.items() if np.isfinite(v["log_kill"]).any()}
    refused = {n: f"not evaluable in mode {mode}" for n in values if n not in kept}
    checked: Mode = mode  # type: ignore[assignment]
    given = {n: np.asarray(here["activity_MBq"].sel(candidate=n).values, dtype=float)[None] for n in kept
             if "activity_MBq" in here}
    return DecisionTable(checked, kept, inputs, given, refused)
