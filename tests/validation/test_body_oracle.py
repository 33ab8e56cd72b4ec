"""Whole-body kinetics against two independent stiff solvers on the equations written state by state."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from body_cases import LU177, linear_matrix, model, right_hand_side
from nichedose.body import BodyModel, Injection, Regimen, solve
from nichedose.fields.grid import Array

REGIMEN = Regimen((Injection(57.0, 7400.0),))
END_H = 720.0


def with_integrals(body: BodyModel, t: float, state: Array) -> Array:
    """Amounts and their decay-weighted integrals; the linear part as a matrix, the binding by itself."""
    n = len(body.network.states)
    return np.concatenate([_RIGHT[id(body)](state[:n]), np.exp(-LU177 * t) * state[:n]])


_RIGHT: dict[int, object] = {}


def fast_right_hand_side(body: BodyModel):
    matrix, net = linear_matrix(body), body.network
    free = [net.index(b.free) for b in net.bindings]
    bound = [net.index(b.bound) for b in net.bindings]
    on = np.array([body.rates[b.on] for b in net.bindings])
    sites = np.array([body.sites[b.sites] for b in net.bindings])

    def right(y: Array) -> Array:
        out = matrix @ y
        flux = on * y[free] * (sites - y[bound])
        np.subtract.at(out, free, flux)
        np.add.at(out, bound, flux)
        return out

    return right


def checked(form: str) -> BodyModel:
    """A model whose fast equations are those written state by state."""
    made = model(form)
    _RIGHT[id(made)] = fast_right_hand_side(made)
    y = np.random.default_rng(3).random(len(made.network.states))
    assert np.allclose(_RIGHT[id(made)](y), right_hand_side(made, y), rtol=1e-12, atol=1e-12)
    return made


def start(body: BodyModel) -> Array:
    y = np.zeros(2 * len(body.network.states))
    y[body.network.index("plasma")] = 57.0
    return y


def agree(body: BodyModel, reference: Array) -> None:
    run = solve(body, REGIMEN, decay_per_h={"177Lu": LU177}, end_h=END_H, tolerance=1e-7)
    n = len(body.network.states)
    for ours, theirs in ((run.amounts_nmol[-1], reference[:n]), (run.integrals_nmol_h[0, 0], reference[n:])):
        assert np.abs(ours - theirs).max() < 1e-6 * np.abs(theirs).max()
        visible = theirs > 1e-4 * theirs.max()
        assert np.abs(ours / np.where(visible, theirs, 1.0) - 1.0)[visible].max() < 1e-6


@pytest.mark.parametrize("form", ["PSMA-617", "DOTATATE", "atezolizumab-DOTA"])
def test_cvode(form: str) -> None:
    body = checked(form)
    sundae = pytest.importorskip("sksundae", reason="scikit-sundae is not installed")

    def right(t: float, y: Array, out: Array) -> None:
        out[:] = with_integrals(body, t, y)

    solver = sundae.cvode.CVODE(right, method="BDF", rtol=1e-10, atol=1e-12, max_num_steps=200_000)
    found = solver.solve(np.array([0.0, END_H]), start(body))
    assert found.success
    agree(body, np.asarray(found.y[-1]))


def test_scipy_radau() -> None:
    body = checked("PSMA-617")
    found = solve_ivp(lambda t, y: with_integrals(body, t, y), (0.0, END_H), start(body), method="Radau", rtol=1e-9,
                      atol=1e-11)
    assert found.success
    agree(body, found.y[:, -1])
