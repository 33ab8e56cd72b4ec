"""Whole-body kinetics: balance, order, analytic limits, tags with their own clocks, and what must follow from them."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from body_cases import BODIES, LESION, LU177, PHYSIOLOGY, ligand, linear_matrix, model, patient
from nichedose.body import Injection, Regimen, TargetChange, Tumour, cycles, integrate_population, simulate, solve
from nichedose.body._elimination import program
from nichedose.body.network import Binding, Network, State, Transfer
from nichedose.body.regimen import cycles as make_cycles
from nichedose.errors import BadInput, NotComputed, OutOfValidity

MONTH_H = 720.0
BOLUS = Regimen((Injection(57.0, 7400.0),))
LABEL = {"177Lu": LU177}


def tia(run, organ: str) -> float:
    return run.time_integrated_activity_MBq_h(organ, "177Lu")


@pytest.mark.parametrize("form", list(BODIES.kinetics))
def test_ligand_and_activity_balance_over_a_month(form: str) -> None:
    regimen = cycles(7400.0, 60.0, duration_h=0.5, amino_acids=(-0.5, 4.0))
    run = solve(model(form), regimen, decay_per_h=LABEL, end_h=MONTH_H, tolerance=1e-6)
    assert run.mass_closure < 1e-12
    assert run.activity_closure("177Lu") < 1e-8
    assert run.amounts_nmol.min() > -1e-6 * 60.0


def test_balance_of_many_injections_with_a_competitor() -> None:
    regimen = Regimen(
        (Injection(20.0, 2000.0, 0.0, 0.1), Injection(60.0, 5000.0, 24.0, 0.5), Injection(300.0, 0.0, 2.0),
         Injection(500.0, start_h=48.0, species="competitor")),
        amino_acids_h=((1.0, 5.0),))
    run = simulate(patient(), ligand(), regimen, physiology=PHYSIOLOGY, decay_per_h=LABEL, end_h=MONTH_H,
                   competitor=ligand(name="cold twin"), tolerance=1e-6)
    assert run.mass_closure < 1e-12
    assert run.activity_closure("177Lu") < 1e-8
    labelled = [i for i, s in enumerate(run.model.network.states) if s.species == "ligand"]
    assert np.abs(run.tagged_nmol.sum(axis=0) - run.amounts_nmol)[:, labelled].max() < 1e-9 * 380.0


def test_elimination_solves_what_dense_algebra_solves() -> None:
    body = model()
    lists = program(body.network)
    matrix = np.eye(lists.n_states) / 0.7 - linear_matrix(body)
    entries = np.zeros(lists.n_entries)
    entries[:] = matrix[lists.rows, lists.columns]
    outside = np.ones_like(matrix, dtype=bool)
    outside[lists.rows, lists.columns] = False
    assert not matrix[outside].any()
    from nichedose.body._rodas import LANES, _factorise, _solve

    w = np.repeat(entries[:, None], LANES, axis=1)
    inverse, x = np.empty((lists.n_states, LANES)), np.random.default_rng(1).normal(size=(lists.n_states, LANES))
    right = x.copy()
    _factorise(lists, w, inverse)
    _solve(lists, w, inverse, x, 0)
    assert np.allclose(x, np.linalg.solve(matrix, right), rtol=1e-10)


def test_fill_in_is_small() -> None:
    """An arrow has about four entries per state; the portal vein and the kidney add a few."""
    lists = program(model().network)
    assert lists.n_entries < 4.5 * lists.n_states


def test_observed_order_is_four_where_nothing_is_stiff() -> None:
    states = (State("plasma", "plasma", "plasma"), State("tumour bound", "tumour", "bound"),
              State("urine", "urine", "excreted"))
    transfers = (Transfer("plasma", "urine", "out"), Transfer("tumour bound", "plasma", "off"))
    network = Network(states, transfers, (Binding("plasma", "tumour bound", "tumour sites", "on"),))
    body = dataclasses.replace(model(), network=network, rates={"out": 0.3, "off": 0.2, "on": 0.1},
                               sites={"tumour sites": 6.0}, under_amino_acids={})
    regimen = Regimen((Injection(10.0, 1.0),))
    runs = [integrate_population([body], regimen, decay_per_h=LABEL, end_h=20.0, steps=n).integrals_nmol_h
            for n in (80, 160, 320, 640)]
    changes = [np.abs(b - a).max() for a, b in itertools.pairwise(runs)]
    assert np.log2(np.array(changes[:-1]) / changes[1:]) == pytest.approx([4.0, 4.0], abs=0.3)


def test_stated_steps_give_the_stated_error() -> None:
    body = [model()]
    organs = body[0].network.organs

    def integrals(steps: int) -> np.ndarray:
        run = integrate_population(body, BOLUS, decay_per_h=LABEL, end_h=MONTH_H, steps=steps)
        return np.array([run.time_integrated_activity_MBq_h(o, "177Lu")[0] for o in organs])

    exact = integrals(2560)
    for steps, error in ((40, 1e-3), (80, 1e-4), (240, 1e-6)):
        assert np.abs(integrals(steps) / exact - 1.0).max() < error


def test_without_targets_the_integral_is_that_of_a_linear_system() -> None:
    body = model(target_nmol_per_L={}, who=patient(dataclasses.replace(LESION, target_nmol_per_L=0.0)))
    run = solve(body, BOLUS, decay_per_h=LABEL, end_h=40_000.0, tolerance=1e-8)
    start = np.zeros(len(body.network.states))
    start[body.network.index("plasma")] = 57.0
    exact = np.linalg.solve(LU177 * np.eye(start.size) - linear_matrix(body), start)
    assert run.integrals_nmol_h[0, 0] == pytest.approx(exact, rel=2e-8, abs=1e-12 * exact.max())


def test_instant_exchange_makes_one_compartment_of_organ_and_plasma() -> None:
    body = model(target_nmol_per_L={}, who=patient(dataclasses.replace(LESION, target_nmol_per_L=0.0)))
    slow = ("> bladder", "> gut content", "> kidney lumen", "> released label", "> urine", "> faeces", "+ sites")
    fast = {k: v if k.endswith(slow) else v * 1e5 for k, v in body.rates.items()}
    run = solve(dataclasses.replace(body, rates=fast), BOLUS, decay_per_h=LABEL, end_h=MONTH_H, times_h=(1.0,))
    at = int(np.searchsorted(run.times_h, 1.0))
    plasma = run.amount_nmol("plasma")[at] / body.plasma_volume_L
    for organ in ("muscle", "spleen", "tumour"):
        held = run.amount_nmol(organ, "interstitial")[at]
        space = body.rates[f"{organ} vascular > {organ} interstitial"] / body.rates[
            f"{organ} interstitial > {organ} vascular"]
        assert held == pytest.approx(run.amount_nmol(organ, "vascular")[at] * space, rel=1e-4)
        assert run.amount_nmol(organ, "vascular")[at] == pytest.approx(
            plasma * body.plasma_volume_L * body.rates[f"plasma > {organ} vascular"]
            / sum(v for k, v in body.rates.items() if k.startswith(f"{organ} vascular > ")
                  and not k.endswith("interstitial")), rel=1e-4)


def test_saturation_binds_every_site() -> None:
    body = model(tumour_internalisation_per_h=0.0, tumour_release_per_h=0.0, dissociation_per_h=1e-9)
    run = solve(body, Regimen((Injection(1e6, 1.0),)), decay_per_h=LABEL, end_h=MONTH_H, tolerance=1e-4)
    assert run.amount_nmol("tumour", "bound")[-1] == pytest.approx(50.0 * 0.1, rel=1e-3)


def test_a_tag_does_what_an_explicit_second_species_does() -> None:
    """Two injections with their own clocks, against the same molecule followed as ligand and as competitor."""
    first, second = Injection(20.0, 2000.0), Injection(90.0, 3000.0, 30.0)
    tags = solve(model(), Regimen((first, second)), decay_per_h=LABEL, end_h=MONTH_H, tolerance=1e-8)
    for mine, other in ((first, second), (second, first)):
        cold = dataclasses.replace(other, activity_MBq=0.0, species="competitor")
        apart = simulate(patient(), ligand(), Regimen((mine, cold)), physiology=PHYSIOLOGY, decay_per_h=LABEL,
                         end_h=MONTH_H, competitor=ligand(), tolerance=1e-8)
        m = 0 if mine is first else 1
        for organ in ("kidney", "tumour", "salivary glands", "plasma"):
            rows = [i for i, s in enumerate(tags.model.network.states) if s.organ == organ]
            cold_rows = [i for i, s in enumerate(apart.model.network.states)
                         if s.organ == organ and s.species == "ligand"]
            assert tags.integrals_nmol_h[m, 0, rows].sum() == pytest.approx(
                apart.integrals_nmol_h[0, 0, cold_rows].sum(), rel=1e-7)


def test_a_split_dose_at_once_is_the_whole_dose() -> None:
    half = Injection(28.5, 3700.0)
    whole = solve(model(), BOLUS, decay_per_h=LABEL, end_h=MONTH_H, tolerance=1e-7)
    split = solve(model(), Regimen((half, half)), decay_per_h=LABEL, end_h=MONTH_H, tolerance=1e-7)
    for organ in ("kidney", "tumour"):
        assert tia(split, organ) == pytest.approx(tia(whole, organ), rel=1e-9)


def test_a_short_infusion_comes_close_to_a_bolus() -> None:
    runs = [solve(model(), Regimen((Injection(57.0, 7400.0, 0.0, d),)), decay_per_h=LABEL, end_h=MONTH_H)
            for d in (0.0, 0.01, 0.5)]
    assert tia(runs[1], "kidney") == pytest.approx(tia(runs[0], "kidney"), rel=2e-3)
    assert tia(runs[2], "kidney") == pytest.approx(tia(runs[0], "kidney"), rel=0.05)


# ---- what must follow


def run_with(form: str = "PSMA-617", regimen: Regimen = BOLUS, who=None, **changes):
    return solve(model(form, who, **changes), regimen, decay_per_h=LABEL, end_h=MONTH_H)


def test_tumour_sink() -> None:
    """More tumour takes ligand from the kidney and the glands, the more so the less ligand there is."""
    for nmol, most in ((57.0, 0.9), (5.0, 0.8)):
        small, large = (run_with(regimen=Regimen((Injection(nmol, 7400.0),)),
                                 who=patient(dataclasses.replace(LESION, volume_mL=v))) for v in (10.0, 1500.0))
        for organ in ("kidney", "salivary glands"):
            assert tia(large, organ) < most * tia(small, organ)


def test_more_ligand_saturates_and_a_cold_predose_spares_the_targets() -> None:
    light, heavy = (run_with(regimen=Regimen((Injection(n, 7400.0),))) for n in (10.0, 1000.0))
    assert tia(heavy, "salivary glands") < 0.3 * tia(light, "salivary glands")
    predose = run_with(regimen=Regimen((Injection(300.0, 0.0), Injection(57.0, 7400.0, 0.5))))
    assert tia(predose, "salivary glands") < 0.7 * tia(run_with(), "salivary glands")


def test_a_competitor_takes_the_kidney_more_than_it_takes_without() -> None:
    regimen = Regimen((Injection(57.0, 7400.0), Injection(2000.0, species="competitor")))
    blocked = simulate(patient(), ligand(), regimen, physiology=PHYSIOLOGY, decay_per_h=LABEL, end_h=MONTH_H,
                       competitor=ligand(name="small inhibitor"))
    assert tia(blocked, "kidney") < 0.3 * tia(run_with(), "kidney")


def test_amino_acids_spare_the_kidney_and_nothing_else() -> None:
    with_acids = run_with("DOTATATE", cycles(7400.0, 140.0, amino_acids=(-0.5, 4.0)))
    without = run_with("DOTATATE", cycles(7400.0, 140.0))
    assert 0.41 < tia(with_acids, "kidney") / tia(without, "kidney") < 0.66  # the fall as published, 34 to 59 %
    assert tia(with_acids, "spleen") == pytest.approx(tia(without, "spleen"), rel=0.01)


def test_poor_filtration_keeps_ligand_in_blood() -> None:
    good, poor = (run_with(who=patient(gfr_mL_per_min=g)) for g in (110.0, 30.0))
    assert tia(poor, "marrow") > 1.3 * tia(good, "marrow")
    assert poor.excreted_fraction(12.0) < good.excreted_fraction(12.0)
    with pytest.raises(NotComputed, match="The run ends at"):
        good.excreted_fraction(1e5)


def test_targets_that_fall_from_cycle_to_cycle() -> None:
    regimen = make_cycles(7400.0, 57.0, number=2, interval_h=1008.0, target_factors=(1.0, 0.73))
    run = solve(model(), regimen, decay_per_h=LABEL, end_h=2016.0)
    rows = [i for i, s in enumerate(run.model.network.states) if s.organ == "tumour"]
    first, second = run.integrals_nmol_h[:, 0, rows].sum(axis=1)
    assert 0.70 < second / first < 0.90


def test_an_antibody_stays_in_blood_for_weeks_and_fcrn_is_why() -> None:
    kept = run_with("atezolizumab-DOTA", Regimen((Injection(8000.0, 1000.0),)))
    at = [kept.amount_nmol("plasma")[np.searchsorted(kept.times_h, t)] for t in (24.0 * 7, 24.0 * 28)]
    half_life_d = 21.0 * np.log(2.0) / np.log(at[0] / at[1])
    assert 10.0 < half_life_d < 35.0
    pores = ligand("atezolizumab-DOTA").pores
    assert pores is not None
    whole = pores.catabolism_L_per_h / (1.0 - pores.recycled_fraction)
    lost = dataclasses.replace(pores, recycled_fraction=0.0, catabolism_L_per_h=whole)
    without = run_with("atezolizumab-DOTA", Regimen((Injection(8000.0, 1000.0),)), pores=lost)
    assert tia(without, "plasma") < 0.6 * tia(kept, "plasma")


def test_label_of_a_broken_down_antibody_stays_where_that_happened() -> None:
    pores = ligand("J591-DOTA").pores
    assert pores is not None and pores.catabolite_release_per_h is not None
    regimen = Regimen((Injection(130.0, 1000.0),))
    stays = run_with("J591-DOTA", regimen)
    at_once = run_with("J591-DOTA", regimen, pores=dataclasses.replace(pores, catabolite_release_per_h=None))
    quick = run_with("J591-DOTA", regimen, pores=dataclasses.replace(pores, catabolite_release_per_h=1e3))
    assert tia(stays, "plasma") == pytest.approx(tia(at_once, "plasma"), rel=1e-5)  # intact antibody is as before
    for organ in ("kidney", "liver", "marrow", "skin"):
        assert tia(stays, organ) > 1.2 * tia(at_once, organ)
        assert tia(quick, organ) == pytest.approx(tia(at_once, organ), rel=1e-3)
    assert stays.mass_closure < 1e-12 and stays.activity_closure("177Lu") < 1e-8


def test_a_patient_does_not_depend_on_who_else_is_there() -> None:
    many = [model(who=patient(gfr_mL_per_min=g)) for g in np.linspace(40.0, 120.0, 37)]
    together = integrate_population(many, BOLUS, decay_per_h=LABEL, end_h=MONTH_H, threads=2)
    alone = integrate_population(many[20:21], BOLUS, decay_per_h=LABEL, end_h=MONTH_H)
    assert together.integrals_nmol_h[20].tobytes() == alone.integrals_nmol_h[0].tobytes()


def test_questions_that_have_no_answer() -> None:
    run = run_with()
    with pytest.raises(NotComputed, match="No time integral was kept for '90Y'"):
        run.time_integrated_activity_MBq_h("kidney", "90Y")
    with pytest.raises(NotComputed, match=r"No state 'kidneys'.*'kidney'"):
        run.time_integrated_activity_MBq_h("kidneys", "177Lu")


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Injection(0.0, 7400.0), "ligand_nmol is 0"),
    (lambda: Injection(float("nan")), "ligand_nmol must be finite"),
    (lambda: Injection(1.0, 5.0, species="competitor"), "carries no activity"),
    (lambda: Injection(1.0, species="tracer"), "must be 'ligand' or 'competitor'"),
    (lambda: Regimen(()), "no injection"),
    (lambda: Regimen((Injection(1.0),), amino_acids_h=((-0.5, 4.0),)), "Shift all times"),
    (lambda: Regimen((Injection(1.0),), target_changes=(TargetChange(0.0, -1.0),)), "target change"),
    (lambda: make_cycles(1.0, 1.0, number=0), "at least one cycle"),
    (lambda: make_cycles(1.0, 1.0, number=2, target_factors=(1.0,)), "names 1 cycles"),
    (lambda: Tumour("t", 0.0, 0.2, 0.5, 50.0), "volume_mL must be finite and above 0"),
    (lambda: Tumour("t", 1.0, 0.2, 0.5, -5.0), "target_nmol_per_L"),
    (lambda: Tumour("t", 1.0, 0.2, 0.5, 5.0, void_fraction=1.2), "void_fraction"),
    (lambda: Tumour("t", 1.0, 0.2, 0.5, 5.0, void_fraction=0.9, plasma_fraction=0.2), "more than the whole"),
    (lambda: solve(model(), BOLUS, decay_per_h=LABEL, end_h=0.0), "end_h must lie after"),
    (lambda: solve(model(), BOLUS, decay_per_h={"x": -1.0}, end_h=10.0), "decay constant of 'x'"),
    (lambda: solve(model(), BOLUS, decay_per_h=LABEL, end_h=10.0, times_h=(11.0,)), "times_h must lie in 0 to 10"),
    (lambda: solve(model(), BOLUS, decay_per_h=LABEL, end_h=10.0, tolerance=1.0), "tolerance must lie"),
    (lambda: solve(model(), Regimen((Injection(1.0), Injection(1.0, species="competitor"))), decay_per_h=LABEL,
                   end_h=10.0), "none was described"),
    (lambda: integrate_population([], BOLUS, decay_per_h=LABEL, end_h=10.0), "at least one patient"),
    (lambda: integrate_population([model(), model("RM2")], BOLUS, decay_per_h=LABEL, end_h=10.0), "one structure"),
    (lambda: model(who=patient(Tumour("kidney", 1.0, 0.2, 0.5, 5.0))), "cannot be called 'kidney'"),
])
def test_bad_input(make, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make()


def test_a_target_cannot_be_taken_away_while_it_is_occupied() -> None:
    regimen = Regimen((Injection(57.0, 7400.0),), target_changes=(TargetChange(1.0, 0.01),))
    with pytest.raises(OutOfValidity, match="cannot be taken away"):
        solve(model(), regimen, decay_per_h=LABEL, end_h=MONTH_H)
