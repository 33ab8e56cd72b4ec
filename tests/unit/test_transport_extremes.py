"""Corners in which a run must neither stop nor leave what is possible: sites that keep all they catch, short runs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from nichedose.body import PlasmaCurve
from nichedose.fields import voxel_mesh
from nichedose.fields.grid import Grid
from nichedose.transport import (
    Batch,
    Binding,
    Given,
    Ligand,
    LigandKinetics,
    Site,
    TissueTransport,
    simulate,
    simulate_course,
)

DEPOT = PlasmaCurve((6e-5, -6e-5), (0.02, 2.0))
LABEL = {"x": 0.693}
ONE = np.ones((1, 1))


def kept(sites: float, end_h: float) -> float:
    """Ligand in one voxel, of sites that never let go: SciPy's LSODA."""

    def rhs(t: float, y: np.ndarray) -> list[float]:
        bind = 0.01 * y[0] * (sites - y[1])
        return [(float(DEPOT.concentration_nmol_per_L(t)) - y[0] - bind) / 0.05, bind]

    found = solve_ivp(rhs, (0.0, end_h), [0.0, 0.0], method="LSODA", rtol=1e-9, atol=1e-16).y[:, -1]
    return float(0.05 * found[0] + found[1])


@pytest.mark.parametrize("sites", [20.0, 82.1341, 400.0])
@pytest.mark.parametrize("end_h", [48.0, 480.0, 2400.0])
def test_sites_that_keep_what_they_catch_do_not_stop_a_run(sites: float, end_h: float) -> None:
    """What is free becomes less than what a stage may leave undone; the run must get to its end all the same."""
    ligand = LigandKinetics(0.01, 0.0, 0.0, 0.008, 100.0, 0.1, 0.05)
    alone = simulate(TissueTransport(Grid((1, 1), 20.0), ONE > 0, sites * ONE, ONE), ligand, DEPOT, end_h=end_h,
                     decay_per_h=LABEL)  # fmt: skip
    course = simulate_course(
        voxel_mesh(ONE > 0, 20.0), [Site("target", sites)],
        [Ligand("x", 100.0, 0.05, 1.0, 1.0, (Binding("target", 0.01, 0.0),))],
        [Batch("b", "x", Given(DEPOT), LABEL)], end_h=end_h,
    )  # fmt: skip
    expected = kept(sites, end_h)
    assert alone.free[-1, 0, 0] + alone.bound[-1, 0, 0] == pytest.approx(expected, rel=2e-3)
    assert sum(course.at(end_h)[s][0, 0] for s in ("b", "b on target")) == pytest.approx(expected, rel=2e-3)
    assert alone.molecules is not None and alone.molecules.closure < 1e-8
    assert course.ledgers["b", ""].closure < 1e-8
    assert min(alone.free.min(), alone.bound.min()) >= 0.0


def test_lasting_plasma_fills_tissue_to_its_level() -> None:
    """Nothing but the tissue's own rate tells how short the first step must be; no label watches either."""
    ligand = LigandKinetics(0.0, 0.0, 0.0, 0.0, 100.0, 0.1, 0.4)
    lasting = PlasmaCurve((5.0,), (1e-9,))
    alone = simulate(TissueTransport(Grid((1, 1), 20.0), ONE > 0, 0.0 * ONE, ONE), ligand, lasting, end_h=500.0,
                     decay_per_h={})  # fmt: skip
    course = simulate_course(voxel_mesh(ONE > 0, 20.0), [], [Ligand("x", 100.0, 0.4, 1.0, 1.0)],
                             [Batch("b", "x", Given(lasting))], end_h=500.0)  # fmt: skip
    assert alone.free[-1, 0, 0] == pytest.approx(2.0, rel=1e-3)
    assert course.at(500.0)["b"][0, 0] == pytest.approx(2.0, rel=1e-3)
