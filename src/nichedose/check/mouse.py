"""The mouse: balance, rules of scaling in closed form, and the series of PSMA-617 that the page shows."""

from __future__ import annotations

import math

import numpy as np

from nichedose.body import Biodistribution, Experiment, Injection, Regimen, Uptake, mouse_builder, scale_organs, solve
from nichedose.check.row import CheckRow
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.library.mouse import load_mouse
from nichedose.values import Draw

__all__ = ["rows"]

LU177 = math.log(2.0) / 159.5
RATE_PER_H, SHARE, MASS_G, HUMAN_G = 0.05, 0.03, 1.5, 1800.0
MOUSE_G, HUMAN_KG = 25.0, 73.0


def rows() -> list[CheckRow]:
    return [_balance(), *_rules()]


def _balance() -> CheckRow:
    bodies = load_bodies()
    build = mouse_builder(load_library().forms["PSMA-617"], bodies.of_form("PSMA-617"), load_mouse(),
                          bodies.physiology, Experiment(0.1, LU177))
    run = solve(build(Draw()), Regimen((Injection(0.1, 1.0),)), decay_per_h={"177Lu": LU177}, end_h=720.0,
                tolerance=1e-5)
    return CheckRow("mouse.activity_balance", "decays + what is left = what was injected, 30 d", "self-test",
                    run.activity_closure("177Lu"), 0.0, 1e-8, absolute=True)


def _rules() -> list[CheckRow]:
    """Uptake that falls as one exponential has every rule in closed form."""
    times = np.geomspace(0.01, 400.0, 60)
    table = Biodistribution(
        tuple(Uptake("liver", float(t), 100.0 * SHARE * math.exp(-RATE_PER_H * t)) for t in times), True)
    found = scale_organs(table, {"liver": MASS_G}, {"liver": HUMAN_G}, mouse_weight_g=MOUSE_G, human_weight_kg=HUMAN_KG,
                         decay_per_h=LU177, relative_error=1e-6)
    stretch = (HUMAN_KG * 1e3 / MOUSE_G) ** 0.25
    by_mass = SHARE * HUMAN_G * MOUSE_G / (HUMAN_KG * 1e3)
    exact = {
        "none": SHARE * MASS_G / (RATE_PER_H + LU177), "relative mass": by_mass / (RATE_PER_H + LU177),
        "time": SHARE * MASS_G / (RATE_PER_H / stretch + LU177),
        "mass and time": by_mass / (RATE_PER_H / stretch + LU177),
    }
    return [CheckRow(f"mouse.scaling.{r.rule.replace(' ', '_')}", "closed form: one exponential", "analytic",
                     r.median_h or math.nan, exact[r.rule], 1e-3, unit="h") for r in found]
