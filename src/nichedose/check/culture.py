"""Plates, chips and flat layers: one closed form, and one description against another."""

from __future__ import annotations

import math

import numpy as np

from nichedose.body import CellBinding, Culture, Injection, Regimen, culture_model, solve
from nichedose.body.culture import CELLS
from nichedose.check.row import CheckRow
from nichedose.dose import convolve, layer_dose
from nichedose.quantities import MOLECULES_PER_NMOL

__all__ = ["rows"]

GIVEN_NMOL, CELL_COUNT, SITES, KD_NMOL_PER_L = 0.01, 1e6, 2e5, 5.0


def rows() -> list[CheckRow]:
    return [_equilibrium(), _layers()]


def _equilibrium() -> CheckRow:
    plate = culture_model(Culture(CELL_COUNT, 1.0), CellBinding(SITES, 0.1, KD_NMOL_PER_L, 0.0))
    run = solve(plate, Regimen((Injection(GIVEN_NMOL, 1.0),)), decay_per_h={}, end_h=500.0, tolerance=1e-7)
    sites = SITES * CELL_COUNT / MOLECULES_PER_NMOL
    total = GIVEN_NMOL + sites + KD_NMOL_PER_L * 1e-3
    exact = 0.5 * (total - math.sqrt(total**2 - 4.0 * GIVEN_NMOL * sites))
    return CheckRow("culture.plate_equilibrium", "the quadratic of one kind of site", "analytic",
                    float(run.amount_nmol(CELLS)[-1]), exact, 1e-6, unit="nmol")


def _layers() -> CheckRow:
    activity = np.zeros((9, 41, 41))
    activity[3:5] = 1.0
    wide = convolve(activity, "211At", 10.0, quality="alpha").by_quality["alpha"][:, 20, 20]
    flat = layer_dose("211At", np.arange(10) * 10.0, activity[:, 20, 20], quality="alpha")["alpha"]
    return CheckRow("dose.flat_layers", "3-D convolution of a wide map, 211At, beside the source layer", "self-test",
                    float(flat[6]), float(wide[6]), 2e-3, unit="Gy")
