"""From a person to organs and flows."""

from __future__ import annotations

import dataclasses

import pytest

from body_cases import PHYSIOLOGY
from nichedose.body import Patient, Tumour, anatomy
from nichedose.body.two_pore import wall_passage
from nichedose.errors import BadInput
from nichedose.library.bodies import load_bodies
from nichedose.library.library import iter_values
from nichedose.values import Draw


@pytest.mark.parametrize("sex", ["male", "female"])
@pytest.mark.parametrize(("weight", "height"), [(50.0, 165.0), (70.0, 175.0), (110.0, 180.0), (150.0, 170.0)])
def test_organs_blood_and_tumours_add_up_to_the_weight(sex: str, weight: float, height: float) -> None:
    who = Patient(weight_kg=weight, height_cm=height, sex=sex, tumours=(Tumour("t", 500.0, 0.2, 0.5, 20.0),))
    found = anatomy(who, PHYSIOLOGY)
    whole = sum(found.volume_L.values()) + 0.5 + found.central_plasma_L / (1.0 - found.haematocrit)
    assert whole == pytest.approx(weight, rel=1e-9)


def test_a_reference_man_has_reference_organs() -> None:
    found = anatomy(Patient(weight_kg=73.0, height_cm=176.0), PHYSIOLOGY)
    assert found.volume_L["kidney"] == pytest.approx(0.310, rel=1e-6)
    assert found.volume_L["muscle"] == pytest.approx(29.0, rel=1e-6)
    assert found.volume_L["adipose"] == pytest.approx(18.2, rel=0.12)  # what is left; 18.2 kg in the reference man
    assert 2.7 < found.plasma_L < 3.6
    assert 200.0 < sum(v for o, v in found.flow_L_per_h.items() if o != "lungs") < 260.0


def test_what_is_measured_is_taken() -> None:
    who = Patient(gfr_mL_per_min=55.0, haematocrit=0.30, organ_volumes_mL={"kidney": 150.0})
    found = anatomy(who, PHYSIOLOGY)
    assert found.gfr_L_per_h == pytest.approx(3.3)
    assert found.volume_L["kidney"] == 0.15
    assert found.haematocrit == 0.30


def test_filtration_falls_with_age_and_rises_with_size() -> None:
    gfr = {a: anatomy(Patient(age_years=a), PHYSIOLOGY).gfr_L_per_h for a in (40.0, 65.0, 85.0)}
    assert gfr[40.0] > gfr[65.0] > gfr[85.0]
    assert anatomy(Patient(weight_kg=100.0), PHYSIOLOGY).gfr_L_per_h > gfr[65.0]


@pytest.mark.parametrize(("changes", "message"), [
    ({"weight_kg": 700.0}, "weight_kg must lie in 20 to 400"),
    ({"weight_kg": float("nan")}, "weight_kg"),
    ({"height_cm": 1.75}, "It is in cm: 175"),
    ({"haematocrit": 42.0}, "It is a fraction: 0.42"),
    ({"haematocrit": 0.05}, "haematocrit must lie in 0.1 to 0.65"),
    ({"gfr_mL_per_min": 500.0}, "gfr_mL_per_min must lie in 2 to 250"),
    ({"gfr_mL_per_min": -5.0}, "gfr_mL_per_min must lie in 2 to 250"),
    ({"age_years": 200.0}, "age_years"),
    ({"sex": "m"}, "'male' or 'female'"),
    ({"age_years": 3.0}, "age_years must lie in 18 to 115; got 3. Organs, flows and filtration are those of adults"),
    ({"organ_volumes_mL": {"kidney": 0.0}}, "volume of 'kidney'"),
    ({"tumours": (Tumour("a", 1.0, 0.1, 0.1, 1.0), Tumour("a", 1.0, 0.1, 0.1, 1.0))}, "named twice"),
])
def test_values_outside_life(changes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Patient(**changes)


@pytest.mark.parametrize(("who", "message"), [
    (Patient(organ_volumes_mL={"kidneys": 300.0}), r"no organ 'kidneys'.*'kidney'"),
    (Patient(organ_volumes_mL={"kidney": 0.3}), r"0.3 mL for 'kidney', of which an adult has about \d+ mL.*unit"),
    (Patient(weight_kg=50.0, organ_volumes_mL={"liver": 40_000.0}), "add up to .* in a body of 50 kg.*liver 40000 mL"),
    (Patient(weight_kg=45.0, tumours=(Tumour("t", 30_000.0, 0.1, 0.1, 1.0),)), "tumours .30000 mL. add up"),
    (Patient(weight_kg=20.0, height_cm=110.0, haematocrit=0.6, gfr_mL_per_min=240.0), "exceeds the plasma flow"),
])
def test_bodies_that_do_not_add_up(who: Patient, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        anatomy(who, PHYSIOLOGY)


def test_every_draw_of_every_patient_is_possible() -> None:
    for index in range(50):
        found = anatomy(Patient(weight_kg=60.0 + index), PHYSIOLOGY, Draw(seed=5, index=index))
        assert min(found.volume_L.values()) > 0.0
        assert min(found.flow_L_per_h.values()) > 0.0


def test_pores_let_small_proteins_pass_and_hold_large_ones_back() -> None:
    from body_cases import ligand

    pores = ligand("atezolizumab-DOTA").pores
    assert pores is not None
    albumin, antibody = wall_passage(pores, 3.5)[0], wall_passage(pores, 4.84)[0]
    assert albumin > antibody
    assert 0.15 < antibody < 0.8  # over lymph flow: 1 less the reflection of the wall, for an IgG
    huge = wall_passage(pores, 40.0)
    assert huge == (0.0, 0.0)
    still = dataclasses.replace(pores, isogravimetric_share=0.0, large_conductance_share=1.0, large_radius_nm=1e6)
    out, back = wall_passage(still, 4.84)
    assert out - back == pytest.approx(1.0, rel=1e-3)  # no hindrance: what lymph carries away


def test_the_sets_name_their_sources_and_assumptions() -> None:
    bodies = load_bodies()
    for entry in (bodies.physiology, *bodies.kinetics.values()):
        for key, value in iter_values(entry):
            if value.evidence == "assumed":
                assert value.note and not value.is_fixed, key
            elif value.evidence != "definition":
                assert value.source is not None and value.read != "none", key
