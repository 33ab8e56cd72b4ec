"""The page of a mouse twin: the fit, its parameters, and a patient by every method."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.body import RULES, MouseTwin, solve_population
from nichedose.body.measured import BLOOD
from nichedose.body.model import PLASMA
from nichedose.body.observation import AFTER_LAST_H, LABEL
from nichedose.findings import FindingChart, FindingTable, Part

__all__ = ["MECHANISTIC", "HumanOrgan", "mouse_answer", "mouse_parts"]

CURVE_POINTS = 61
MARGIN = 1.25  # of a chart beside its first and last point
MECHANISTIC: Mapping[str, tuple[str, str]] = {
    "equations, organs as in the mouse": (
        "all that the mouse taught of the ligand, with a patient's organs, flows and filtration",
        "Where organs bear as much target per volume, and handle it at the same rates, in both species."),
    "equations, organs as in patients": (
        "affinity and what tumour cells do from the mouse; organs by the patients' set of this ligand",
        "Where that set describes the ligand; wide where it is assumed."),
}


@dataclass(frozen=True)
class HumanOrgan:
    """One organ of a patient by one method: time-integrated activity over injected activity (h) with a 90 % interval,
    and self-dose. ``published`` is what the library holds of patients. ``reason`` where nothing can be given."""

    organ: str
    method: str
    median_h: float | None
    low_h: float | None
    high_h: float | None
    Gy_per_GBq: float | None
    published_Gy_per_GBq: float | None
    tail_share: float | None
    reason: str


def mouse_answer(twin: MouseTwin, human: tuple[HumanOrgan, ...]) -> str:
    """The page's first sentences."""
    text = (f"{len(twin.residuals)} points fitted; root mean square of the residuals {twin.misfit:.2g} of the errors "
            "stated.")
    kidney = [r for r in human if r.organ == "kidney" and r.Gy_per_GBq is not None]
    if not kidney:
        return text
    doses = [r.Gy_per_GBq for r in kidney if r.Gy_per_GBq is not None]
    stated = kidney[0].published_Gy_per_GBq
    beside = "" if stated is None else f" Published in patients: {stated:.2g}."
    return f"{text} Kidney of a patient by {len(doses)} methods: {min(doses):.2g} to {max(doses):.2g} Gy/GBq.{beside}"


def mouse_parts(twin: MouseTwin, human: tuple[HumanOrgan, ...]) -> tuple[Part, ...]:
    """The fit, what it told, the patient by every method, and the methods."""
    return _fit_part(twin), _parameter_part(twin), _human_part(human), _method_part()


def _fit_part(twin: MouseTwin) -> Part:
    table = FindingTable(
        head=("Organ", "Time, h", "Measured, %ID/g", "Relative error", "Fitted, %ID/g", "Residual, sd"),
        rows=tuple((r.organ, r.time_h, r.measured, r.relative_error, r.fitted, r.standardised) for r in twin.residuals),
        title="Residuals",
        note="Decay-corrected. A residual is log(fitted/measured) over the sd of measurement and model together.")
    text = [f"Root mean square of the residuals: {twin.misfit:.2f}. A value well above 1 says that the model cannot do "
            "what the mice did, or that the errors were stated too small: parameters then mean less than their "
            "intervals say."]
    if twin.left_out:
        text.append(f"{twin.left_out} point(s) at 0 were left out: below what the table resolves.")
    times = tuple(sorted({r.time_h for r in twin.residuals}))
    at = {(r.organ, r.time_h): r.standardised for r in twin.residuals}
    whole = [o for o in dict.fromkeys(r.organ for r in twin.residuals) if all((o, t) in at for t in times)]
    residuals = FindingChart(
        title="Residuals over time", summary="Residuals of organs with a point at every time, in standard deviations.",
        x_label="hours after injection", y_label="log(fitted/measured), sd", x=times, log_x=True,
        lines={o: tuple(at[o, t] for t in times) for o in whole})
    charts = (_uptake_chart(twin), *((residuals,) if whole else ()))
    return Part("The fitted mouse", tuple(text), (table,), charts)


def _uptake_chart(twin: MouseTwin) -> FindingChart:
    """Measured points and the most probable curves; decades, because organs differ by them."""
    decay = twin.experiment.decay_per_h
    times = sorted(r.time_h for r in twin.residuals)
    x = np.geomspace(times[0] / MARGIN, times[-1] * MARGIN, CURVE_POINTS)
    [rates], scores = twin.fit.problem.maps, twin.fit.scores
    [model] = rates.models(twin.fit.problem.columns(rates, scores[None]))
    o = twin.fit.problem.observations[0]
    run = solve_population([model], o.regimen, decay_per_h={LABEL: decay}, end_h=x[-1] + AFTER_LAST_H,
                           times_h=x.tolist())[0]
    at = np.searchsorted(run.times_h, x)
    whole = sum(i.activity_MBq for i in o.regimen.labelled) / 100.0
    lines = {}
    for series in o.measured:
        share = run.activity_MBq(PLASMA if series.place == BLOOD else series.place, LABEL)[at] / whole
        lines[series.place] = tuple(np.log10(share * np.exp(decay * x) / series.volume_mL(model)).tolist())
    return FindingChart(
        title="Uptake over time", summary="Fitted curves and measured points, decay-corrected.",
        x_label="hours after injection", y_label="log10(%ID/g)", x=tuple(x.tolist()), log_x=True, lines=lines,
        points={o: tuple((r.time_h, math.log10(r.measured)) for r in twin.residuals if r.organ == o) for o in lines})


def _parameter_part(twin: MouseTwin) -> Part:
    fit = twin.fit
    learnt = sorted(fit.parameters, key=fit.narrowing)
    rows = tuple((p, fit.value(p), *fit.interval(p), fit.narrowing(p)) for p in learnt if fit.narrowing(p) < 0.9)
    table = FindingTable(
        head=("Parameter", "Most probable", "5 %", "95 %", "Posterior / prior"), rows=rows,
        title="What the mice told", note=f"{len(learnt) - len(rows)} further parameters stay as their priors had them.")
    return Part("Parameters", (), (table,))


def _human_part(human: tuple[HumanOrgan, ...]) -> Part:
    if not human:
        return Part("A patient", ("No organ of the table is one of the patient's; nothing was predicted.",))
    rows = tuple((r.organ, r.method, r.median_h, r.low_h, r.high_h, r.Gy_per_GBq,
                  "-" if r.published_Gy_per_GBq is None else r.published_Gy_per_GBq,
                  "" if r.tail_share is None else r.tail_share, r.reason) for r in human)
    return Part("A patient", (), (FindingTable(
        head=("Organ", "Method", "Activity, MBq.h/MBq", "5 %", "95 %", "Self-dose, Gy/GBq", "Published, Gy/GBq",
              "Share after last point", "Note"), rows=rows, title="Every method",
        note="Published: in patients, as the library has it; - where it has none."),))


def _method_part() -> Part:
    rules = tuple((r.name, r.what, r.source, r.holds) for r in RULES)
    equations = tuple((name, what, "docs/theory/mouse.md", holds)
                      for name, (what, holds) in MECHANISTIC.items())
    head = ("Method", "What it does", "Source", "Where it holds")
    return Part("Methods", (), (FindingTable(head, rules + equations),))
