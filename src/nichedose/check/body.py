"""Whole-body kinetics: closed forms, an independent solver, balance, and published excretion."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy.integrate import solve_ivp

from nichedose.body import (
    BodyModel,
    Injection,
    MeasuredActivity,
    Patient,
    Regimen,
    Tumour,
    anatomy,
    body_ligand,
    body_model,
    body_surface_m2,
    fit,
    solve,
)
from nichedose.body.rate_map import rate_map
from nichedose.check.row import CheckRow
from nichedose.fields.grid import Array
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.values import Draw, Value

__all__ = ["rows"]

LU177 = math.log(2.0) / 159.5
BOLUS = Regimen((Injection(57.0, 7400.0),))
MONTH_H = 720.0


def rows() -> list[CheckRow]:
    return [_linear(), _independent(), *_balance(), _excretion(), _surface(), _fit_mode(), _recorded()]


def _model(form: str = "PSMA-617", *, binds: bool = True) -> BodyModel:
    bodies = load_bodies()
    who = Patient(weight_kg=80.0, tumours=(Tumour("tumour", 100.0, 0.26, 0.6, 50.0 if binds else 0.0),))
    ligand = body_ligand(load_library().forms[form], bodies.of_form(form), bodies.physiology.antibody)
    if not binds:
        ligand = dataclasses.replace(ligand, target_nmol_per_L={})
    return body_model(who, anatomy(who, bodies.physiology), ligand)


def _matrix(body: BodyModel) -> Array:
    net = body.network
    matrix = np.zeros((len(net.states), len(net.states)))
    for t in net.transfers:
        source, destination = net.index(t.source), net.index(t.destination)
        matrix[source, source] -= body.rates[t.rate]
        matrix[destination, source] += body.rates[t.rate]
    return matrix


def _linear() -> CheckRow:
    body = _model(binds=False)
    run = solve(body, BOLUS, decay_per_h={"177Lu": LU177}, end_h=20_000.0, tolerance=1e-7)
    start = np.zeros(len(body.network.states))
    start[body.network.index("plasma")] = 57.0
    exact = np.linalg.solve(LU177 * np.eye(start.size) - _matrix(body), start)
    rows = [i for i, s in enumerate(body.network.states) if s.organ == "marrow"]
    return CheckRow(
        "body.linear_system", "closed form: (decay - matrix)^-1 times the injection", "analytic",
        float(run.integrals_nmol_h[0, 0, rows].sum()), float(exact[rows].sum()), 1e-7, unit="nmol.h",
        note="marrow, nothing binds")


def _independent() -> CheckRow:
    body = _model()
    net, matrix = body.network, _matrix(body)
    free, bound = ([net.index(getattr(b, end)) for b in net.bindings] for end in ("free", "bound"))
    on = np.array([body.rates[b.on] for b in net.bindings])
    sites = np.array([body.sites[b.sites] for b in net.bindings])
    n = len(net.states)

    def right(t: float, y: Array) -> Array:
        out = matrix @ y[:n]
        flux = on * y[free] * (sites - y[bound])
        np.subtract.at(out, free, flux)
        np.add.at(out, bound, flux)
        return np.concatenate([out, np.exp(-LU177 * t) * y[:n]])

    start = np.zeros(2 * n)
    start[net.index("plasma")] = 57.0
    found = solve_ivp(right, (0.0, MONTH_H), start, method="BDF", rtol=1e-7, atol=1e-10)
    run = solve(body, BOLUS, decay_per_h={"177Lu": LU177}, end_h=MONTH_H, tolerance=1e-7)
    rows = [i for i, s in enumerate(net.states) if s.organ == "kidney"]
    return CheckRow(
        "body.kidney_integral", "SciPy BDF (rtol 1e-7) on the equations state by state", "independent code",
        float(run.integrals_nmol_h[0, 0, rows].sum()), float(found.y[n:, -1][rows].sum()), 1e-5, unit="nmol.h",
        note="the tests hold CVODE at rtol 1e-10 within 1e-6")


def _balance() -> list[CheckRow]:
    found = []
    for form in ("PSMA-617", "atezolizumab-DOTA"):
        run = solve(_model(form), BOLUS, decay_per_h={"177Lu": LU177}, end_h=MONTH_H, tolerance=1e-5)
        found.append(CheckRow(
            f"body.activity_balance.{form}", "decays + what is left = what was injected, 30 d", "self-test",
            run.activity_closure("177Lu"), 0.0, 1e-8, absolute=True))
    return found


def _excretion() -> CheckRow:
    """Bladder and urine together: patients were measured by dose rate, before they void."""
    run = solve(_model(), BOLUS, decay_per_h={"177Lu": LU177}, end_h=MONTH_H, times_h=(4.0,))
    at = int(np.searchsorted(run.times_h, 4.0))
    out = run.amount_nmol("bladder")[at] + run.amount_nmol("urine")[at]
    return CheckRow(
        "body.psma_617_excreted_4_h", "EJNMMI Research 2018, 10.1186/s13550-018-0386-4: about 50 % by 4 h, n = 25",
        "published", float(out) / 57.0, 0.50, 0.10, absolute=True, unit="of injected",
        note="bladder counted as out; the source says 'approximately'")


def _surface() -> CheckRow:
    return CheckRow("body.surface", "Du Bois 1916 for 70 kg and 170 cm, tabulated as 1.81 m2", "published",
                    body_surface_m2(70.0, 170.0), 1.81, 0.005, absolute=True, unit="m2")


def _fit_mode() -> CheckRow:
    """One parameter and one scan, so that the whole posterior can be tabulated."""
    body = _model()
    prior = Value(median=1.0, geometric_sd=1.5, evidence="assumed")

    def build(draw: Draw) -> BodyModel:
        sites = body.sites["kidney sites"] * draw("kidney sites", prior)
        return dataclasses.replace(body, sites={**body.sites, "kidney sites": sites})

    scan = MeasuredActivity("kidney", (24.0,), (250.0,), unit="MBq", decay_corrected=False)
    found = fit(build, [scan], regimen=BOLUS, decay_per_h=LU177)
    scores = np.linspace(-4.0, 4.0, 161)
    log_density = -0.5 * (found.problem.many(scores[:, None]) ** 2).sum(axis=1)
    weight = np.exp(log_density - log_density.max())
    return CheckRow(
        "body.fit_posterior_mean", "the posterior of one parameter, tabulated over 161 scores", "self-test",
        float(found.scores[0]), float((weight * scores).sum() / weight.sum()), 0.05, absolute=True, unit="score",
        note="mode against mean; a score is a standard deviation of the prior")


def _recorded() -> CheckRow:
    """Rates replayed from a recording against a model that is built, at one draw of all parameters."""
    bodies, form, who = load_bodies(), load_library().forms["PSMA-617"], Patient(weight_kg=80.0)

    def build(draw: Draw) -> BodyModel:
        ligand = body_ligand(form, bodies.of_form("PSMA-617"), bodies.physiology.antibody, draw)
        return body_model(who, anatomy(who, bodies.physiology, draw), ligand)

    rates = rate_map(build)
    scores = np.random.default_rng(3).standard_normal(len(rates.names))
    [ours], afresh = rates.models(scores[None]), rates.built(scores)
    worst = max(abs(ours.rates[key] / rate - 1.0) for key, rate in afresh.rates.items() if rate != 0.0)
    return CheckRow(
        "body.recorded_rates", "every rate of a model that is built", "self-test", 1.0 + worst, 1.0, 1e-12,
        unit="ratio", note="largest relative difference of a replayed rate")
