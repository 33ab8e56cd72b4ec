"""What was measured beside what the fitted body makes of it: tables, curves with points and bands, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nichedose.body import BodyFit, PredictedCurve
from nichedose.body.observation import log_covariance, log_model
from nichedose.findings import FindingChart, FindingTable, Part
from nichedose.quantities import unit_of_key
from nichedose.study.patient_doses import DRAWS, LEVEL
from nichedose.study.patient_fit import MODEL_SD, Measured, PatientFit
from nichedose.values import ValueUse

__all__ = [
    "ParameterRow", "PointRow", "fitted_values", "measured_numbers", "measured_part", "parameter_rows", "point_rows",
]

CHART_POINTS = 61
PARAMETERS_SHOWN = 10
LEAST_SHARE = 0.1  # of the weighted draws; below, the intervals are rough
FAR = 3.0  # standard deviations


@dataclass(frozen=True)
class PointRow:
    """One measured point, in MBq (or MBq/mL) with decay; ``residual_sd`` log(model/measured) over its error."""

    injected: str
    place: str
    time_h: float
    unit: str
    measured: float
    model: float
    residual_sd: float


@dataclass(frozen=True)
class ParameterRow:
    """A fitted parameter in its library unit, with its 90 % interval; ``narrowing`` 1 where nothing was learnt."""

    parameter: str
    unit: str
    prior_median: float
    value: float
    low: float
    high: float
    narrowing: float


def point_rows(fit: PatientFit) -> list[PointRow]:
    """Every point, table after table."""
    rows = []
    for entry, rates in zip(fit.entries, fit.found.problem.maps, strict=True):
        o = entry.observation
        model = np.exp(log_model(o, rates, fit.found.problem.columns(rates, fit.found.scores[None]))[0])
        data, sd = np.exp(o.log_data), np.sqrt(np.diag(log_covariance(o, MODEL_SD)))
        points = [(m.place, t - entry.lead_h, "MBq/mL" if m.per_volume else "MBq")
                  for m in o.measured for t in m.times_h]
        rows += [PointRow(entry.name, place, time, unit, float(d), float(m), float(np.log(m / d) / s))
                 for (place, time, unit), d, m, s in zip(points, data, model, sd, strict=True)]
    return rows


def parameter_rows(found: BodyFit) -> list[ParameterRow]:
    """All parameters, those first of which most was learnt."""
    rows = []
    for name, prior in zip(found.parameters, found.priors, strict=True):
        low, high = found.interval(name, LEVEL)
        rows.append(ParameterRow(name, unit_of_key(name), prior.central, found.value(name), low, high,
                                 found.narrowing(name)))
    return sorted(rows, key=lambda r: r.narrowing)


def fitted_values(found: BodyFit) -> tuple[ValueUse, ...]:
    """The priors of all parameters, by name."""
    return tuple(ValueUse(name, value) for name, value in zip(found.parameters, found.priors, strict=True))


def measured_part(fit: PatientFit) -> Part:
    """The part of the page."""
    points, parameters = point_rows(fit), parameter_rows(fit.found)
    table = FindingTable(
        head=("Injected", "Place", "Time, h", "Unit", "Measured", "Model", "Residual, sd"),
        rows=tuple((p.injected, p.place, p.time_h, p.unit, p.measured, p.model, p.residual_sd) for p in points),
        title="Points", note="With decay. Residual: log(model/measured) over the error of point and model.")
    learnt = FindingTable(
        head=("Parameter", "Unit", "Library", "Fitted", "Low", "High", "Width against library"),
        rows=tuple((r.parameter, r.unit, r.prior_median, r.value, r.low, r.high, r.narrowing)
                   for r in parameters[:PARAMETERS_SHOWN]),
        title="What was learnt",
        note=f"{len(parameters)} parameters were fitted; those of which most was learnt. 90 % intervals.")
    return Part("Measured activity", (*_texts(fit, points), *fit.cautions), (table, learnt),
                tuple(_chart(fit, entry) for entry in fit.entries))


def measured_numbers(fit: PatientFit) -> dict[str, Any]:
    """The same for a program."""
    return {
        "points": [vars(p) for p in point_rows(fit)],
        "parameters": {r.parameter: {k: v for k, v in vars(r).items() if k != "parameter"}
                       for r in parameter_rows(fit.found)},
        "effective_share": fit.found.effective_share,
        "cautions": list(fit.cautions),
    }


def _texts(fit: PatientFit, points: Sequence[PointRow]) -> list[str]:
    names = ", ".join(dict.fromkeys(e.name for e in fit.entries))
    texts = [f"{len(points)} point{'s' if len(points) > 1 else ''} of {names} and the library's "
             f"distributions together: most probable body, and {100 * LEVEL:.0f} % intervals."]
    texts += [f"{e.name} is not {e.form.name} itself: each of its rates of uptake and retention may differ by a "
              "factor, so that it tells less of the therapy."
              for e in fit.entries if e.tracer is not None]
    far = [p for p in points if abs(p.residual_sd) > FAR]
    if far:
        texts.append("Far from the model, more than 3 standard deviations: "
                     + ", ".join(f"{p.place} at {p.time_h:g} h" for p in far) + ".")
    if fit.found.diagnostics:
        texts.append("Intervals by Hamiltonian Monte Carlo (NUTS): R-hat at most {r_hat:.3f}, at least "
                     "{effective_draws:.0f} effective draws, {divergent:.1%} of the trajectories diverge.".format(
                         **fit.found.diagnostics))
    if fit.found.effective_share < LEAST_SHARE:
        texts.append(f"Only {100 * fit.found.effective_share:.0f} % of the weighted draws count: intervals are rough.")
    return texts


def _chart(fit: PatientFit, entry: Measured) -> FindingChart:
    """Share of the injected activity, decay-corrected, in every measured place."""
    o = entry.observation
    last = max(o.times_h) - entry.lead_h
    times = np.geomspace(min(0.1, last / 10.0), 1.3 * last, CHART_POINTS)
    places = [p for p in dict.fromkeys(entry.places) if p not in ("blood", "plasma")]
    places += ["plasma"] if {"blood", "plasma"} & set(entry.places) else []
    curves = fit.found.curves(places, tuple(times + entry.lead_h), regimen=o.regimen, decay_per_h=o.decay_per_h,
                              build=o.build, draws=DRAWS, level=LEVEL)
    [rates] = [m for e, m in zip(fit.entries, fit.found.problem.maps, strict=True) if e is entry]
    [model] = rates.models(fit.found.problem.columns(rates, fit.found.scores[None]))
    whole = sum(i.activity_MBq for i in o.regimen.labelled) / 100.0

    def per_cent(line: Any) -> tuple[float, ...]:
        return tuple(float(v) for v in line * np.exp(o.decay_per_h * times) / whole)

    points: dict[str, tuple[tuple[float, float], ...]] = {}
    for m in o.measured:
        since = np.array(m.times_h) - entry.lead_h
        amount = m.as_measured(o.regimen, o.decay_per_h) * (m.volume_mL(model) if m.per_volume else 1.0)
        place = "plasma" if m.place == "blood" else m.place
        share = amount * np.exp(o.decay_per_h * since) / whole
        points[place] = (*points.get(place, ()), *zip(since.tolist(), share.tolist(), strict=True))
    return FindingChart(
        title=entry.name,
        summary=f"Share of the injected activity in {', '.join(places)}, decay-corrected: most probable curves, "
                f"{100 * LEVEL:.0f} % bands and measured points. Blood and plasma as the whole central plasma.",
        x_label="hours after the injection", y_label="% of the injected activity", x=tuple(float(t) for t in times),
        lines={p: per_cent(c.most_probable_MBq) for p, c in curves.items()}, log_x=True,
        bands={p: _band(c, per_cent) for p, c in curves.items()}, points=points)


def _band(curve: PredictedCurve, per_cent: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return per_cent(curve.low_MBq), per_cent(curve.high_MBq)
