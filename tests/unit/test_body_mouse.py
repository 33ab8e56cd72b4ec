"""The mouse: its anatomy, balance, an independent solver, recovery of a known mouse, and rules of scaling."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from mouse_cases import LU177
from nichedose.body import (
    RULES,
    Biodistribution,
    BodyModel,
    Experiment,
    Injection,
    Mouse,
    Regimen,
    Tumour,
    Uptake,
    anatomy,
    body_ligand,
    fit_mouse,
    mouse_anatomy,
    mouse_builder,
    mouse_kinetics,
    mouse_ligand,
    scale_organs,
    solve,
)
from nichedose.body.patient import Patient
from nichedose.body.score_draw import ScoreDraw
from nichedose.errors import BadInput
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.library.mouse import load_mouse, read_mouse
from nichedose.values import Draw

BODIES, DATA = load_bodies(), load_mouse()
HUMAN, FORM = BODIES.physiology, load_library().forms["PSMA-617"]
KINETICS = BODIES.of_form("PSMA-617")
EXPERIMENT = Experiment(ligand_nmol=0.1, decay_per_h=LU177, tumour_mass_g=0.2)
BOLUS = Regimen((Injection(0.1, 1.0),))


def build(draw: Draw) -> BodyModel:
    return mouse_builder(FORM, KINETICS, DATA, HUMAN, EXPERIMENT)(draw)


def test_organs_and_flows_add_up() -> None:
    """The source's mouse closes: organs and blood to its 28 g, organs' flows to that of the lungs."""
    body = mouse_anatomy(Mouse(28.0), DATA, HUMAN)
    assert 0.9 < (sum(body.volume_L.values()) + body.plasma_L) / 0.028 < 1.05
    flow = sum(v for o, v in body.flow_L_per_h.items() if o not in ("lungs", "salivary glands"))
    assert flow == pytest.approx(body.flow_L_per_h["lungs"], rel=0.02)
    assert body.gfr_L_per_h < body.flow_L_per_h["kidney"]


def test_everything_goes_with_weight() -> None:
    small, large = (mouse_anatomy(Mouse(w), DATA, HUMAN) for w in (20.0, 40.0))
    for name in ("volume_L", "flow_L_per_h", "interstitial_L", "permeability_L_per_h"):
        ratios = [getattr(large, name)[o] / v for o, v in getattr(small, name).items()]
        assert ratios == pytest.approx([2.0] * len(ratios))
    assert large.gfr_L_per_h == pytest.approx(2.0 * small.gfr_L_per_h)


def test_balance_over_a_month() -> None:
    run = solve(build(Draw()), BOLUS, decay_per_h={"177Lu": LU177}, end_h=720.0, tolerance=1e-6)
    assert run.mass_closure < 1e-12
    assert run.activity_closure("177Lu") < 1e-8


def test_the_same_equations_by_another_solver() -> None:
    body = build(Draw())
    net, n = body.network, len(body.network.states)
    matrix = np.zeros((n, n))
    for t in net.transfers:
        i, j = net.index(t.source), net.index(t.destination)
        matrix[i, i] -= body.rates[t.rate]
        matrix[j, i] += body.rates[t.rate]
    free, bound = ([net.index(getattr(b, end)) for b in net.bindings] for end in ("free", "bound"))
    on = np.array([body.rates[b.on] for b in net.bindings])
    sites = np.array([body.sites[b.sites] for b in net.bindings])

    def right(t: float, y: np.ndarray) -> np.ndarray:
        out = matrix @ y
        flux = on * y[free] * (sites - y[bound])
        np.subtract.at(out, free, flux)
        np.add.at(out, bound, flux)
        return out

    start = np.zeros(n)
    start[net.index("plasma")] = 0.1
    found = solve_ivp(right, (0.0, 24.0), start, method="Radau", rtol=1e-9, atol=1e-13).y[:, -1]
    run = solve(body, BOLUS, decay_per_h={"": 0.0}, end_h=24.0, tolerance=1e-8)
    assert np.abs(run.amounts_nmol[-1] - found).max() < 1e-6 * 0.1


def test_a_known_mouse_is_found() -> None:
    """Data of a mouse that the priors could have made, with little noise: curves come back within 5 %."""
    middle = Draw()
    build(middle)
    uncertain = [k for k, v in middle.used.items() if not v.is_fixed]
    rng = np.random.default_rng(3)
    truth = build(ScoreDraw(scores=dict(zip(uncertain, 0.7 * rng.standard_normal(len(uncertain)), strict=True))))
    times = (1.0, 4.0, 24.0, 72.0)
    run = solve(truth, BOLUS, decay_per_h={"": 0.0}, end_h=73.0, times_h=times)
    at = np.searchsorted(run.times_h, times)
    points = tuple(
        Uptake(organ, t, float(run.activity_MBq(organ, "")[i] * 100.0 / (truth.volume_L[organ] * 1e3)), 0.0)
        for organ in ("kidney", "liver", "muscle", "tumour") for t, i in zip(times, at, strict=True))
    twin = fit_mouse(FORM, KINETICS, DATA, HUMAN, Biodistribution(points, True),
                     dataclasses.replace(EXPERIMENT, relative_error=0.02, model_sd=0.0))
    # organ masses of the truth differ from the medians that per grams refer to, so curves are compared, not parameters
    assert max(abs(math.log(r.fitted / r.measured)) for r in twin.residuals) < 0.05


def test_what_a_mouse_teaches_can_be_put_into_a_patient() -> None:
    """Widened sets keep the medians, so at medians a patient by the mouse's set is the patient by his own."""
    wide = mouse_kinetics(KINETICS, DATA.widening)
    plain, twin = (body_ligand(FORM, k, HUMAN.antibody) for k in (KINETICS, wide))
    assert twin.target_nmol_per_L == pytest.approx(dict(plain.target_nmol_per_L))
    assert {o: twin.release_per_h[o] for o in plain.release_per_h} == pytest.approx(dict(plain.release_per_h))
    assert wide.target_nmol_per_L["kidney"].geometric_sd == DATA.widening.target_density.central
    who = anatomy(Patient(), HUMAN)
    assert who.volume_L["kidney"] > 100.0 * mouse_anatomy(Mouse(), DATA, HUMAN).volume_L["kidney"]


# ---- scaling


def exponential(rate_per_h: float) -> Biodistribution:
    times = np.geomspace(0.01, 400.0, 60)
    return Biodistribution(tuple(Uptake("liver", float(t), float(3.0 * np.exp(-rate_per_h * t))) for t in times), True)


def scaled(table: Biodistribution, human_kg: float = 73.0, human_g: float = 1800.0, **more: float) -> dict[str, float]:
    rows = scale_organs(table, {"liver": 1.5}, {"liver": human_g}, mouse_weight_g=25.0, human_weight_kg=human_kg,
                        decay_per_h=LU177, relative_error=1e-6, **more)
    return {r.rule: r.median_h for r in rows}


def test_rules_on_one_exponential() -> None:
    rate, stretch = 0.05, (73_000.0 / 25.0) ** 0.25
    found = scaled(exponential(rate))
    share, relative = 0.03 * 1.5, 0.03 * 1800.0 * 25.0 / 73_000.0
    assert found["none"] == pytest.approx(share / (rate + LU177), rel=1e-3)
    assert found["relative mass"] == pytest.approx(relative / (rate + LU177), rel=1e-3)
    assert found["time"] == pytest.approx(share / (rate / stretch + LU177), rel=1e-3)
    assert found["mass and time"] == pytest.approx(relative / (rate / stretch + LU177), rel=1e-3)


def test_a_patient_the_size_of_a_mouse_is_a_mouse() -> None:
    found = scaled(exponential(0.02), human_kg=0.025, human_g=1.5)
    assert list(found.values()) == pytest.approx([found["none"]] * len(RULES))


def test_scatter_widens_and_the_tail_is_told() -> None:
    points = tuple(Uptake("liver", t, v) for t, v in ((1.0, 3.0), (24.0, 2.0)))
    table = Biodistribution(points, True)
    rows = [scale_organs(table, {"liver": 1.5}, {"liver": 1800.0}, mouse_weight_g=25.0, human_weight_kg=73.0,
                         decay_per_h=LU177, relative_error=e)[0] for e in (0.05, 0.3)]
    assert rows[1].high_h / rows[1].low_h > rows[0].high_h / rows[0].low_h > 1.0
    assert 0.5 < rows[0].tail_share < 1.0  # 24 h of a label of 160 h


def test_one_point_of_an_organ_gives_no_curve() -> None:
    points = (Uptake("liver", 1.0, 3.0), Uptake("kidney", 1.0, 5.0), Uptake("kidney", 4.0, 2.0))
    rows = scale_organs(Biodistribution(points, True), {"liver": 1.5, "kidney": 0.4}, {"liver": 1800.0},
                        mouse_weight_g=25.0, human_weight_kg=73.0, decay_per_h=LU177)
    assert len(rows) == len(RULES)
    assert all(r.median_h is None and "two" in r.reason for r in rows)


# ---- refusals


@pytest.mark.parametrize(("point", "says"), [
    (("liver", 0.0, 1.0), "above 0 h"), (("liver", 1.0, -1.0), "not negative"),
    (("liver", 1.0, math.nan), "finite"), (("liver", 1.0, 1.0, -0.1), "sd"), (("liver", 1.0, 1.0, 0.1, 0), "animals"),
])
def test_points_that_cannot_be(point: tuple, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Uptake(*point)


def test_tables_that_cannot_be() -> None:
    one, two = Uptake("kidney", 1.0, 10.0), Uptake("kidney", 4.0, 5.0)
    with pytest.raises(BadInput, match="at least two"):
        Biodistribution((one,), True)
    with pytest.raises(BadInput, match="twice"):
        Biodistribution((one, one, two), True)
    with pytest.raises(BadInput, match="decay_corrected"):
        Biodistribution((one, two), "yes")  # type: ignore[arg-type]

    def fit(*points: Uptake, corrected: bool = True, decay: float = LU177) -> None:
        fit_mouse(FORM, KINETICS, DATA, HUMAN, Biodistribution(points, corrected),
                  dataclasses.replace(EXPERIMENT, decay_per_h=decay))

    with pytest.raises(BadInput, match="'kidney'"):
        fit(one, two, Uptake("kidny", 4.0, 1.0))
    with pytest.raises(BadInput, match=r"%ID/g.*not per organ"):
        fit(Uptake("kidney", 1.0, 400.0), two)
    with pytest.raises(BadInput, match="decay_corrected"):  # 18F read as counted at 24 h
        fit(one, Uptake("kidney", 24.0, 10.0), corrected=False, decay=math.log(2.0) / 1.83)


def test_mice_and_molecules_that_cannot_be() -> None:
    with pytest.raises(BadInput, match="grams"):
        Mouse(weight_g=0.025)
    with pytest.raises(BadInput, match="third"):
        Mouse(25.0, (Tumour("tumour", 200.0, 0.1, 0.1, 50.0),))
    with pytest.raises(BadInput, match="antibodies"):
        mouse_ligand(load_library().forms["atezolizumab-DOTA"], BODIES.of_form("atezolizumab-DOTA"), DATA, HUMAN)
    raw = DATA.model_dump(mode="python")
    raw["organs"]["liver"]["body_share"] = {"value": 0.5, "evidence": "assumed"}
    with pytest.raises(BadInput, match="add up"):
        read_mouse({**raw, "sources": {k: {"citation": "x"} for k in raw["sources"]}}, "mouse.toml")
