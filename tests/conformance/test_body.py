"""`nichedose body`: from a case file to curves, organs and the activity that they allow."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from body_case_files import body_case, body_case_text
from typer.testing import CliRunner

from nichedose.case import Administration, MeasuredUptake, parse_case
from nichedose.case import Patient as CasePatient
from nichedose.cli import app
from nichedose.errors import BadInput, OutOfValidity
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.study.administration import regimen_of
from nichedose.study.body_findings import body_report
from nichedose.study.whole_body import (
    body_plasma,
    case_patient,
    form_in_patient,
    organ_ratios,
    self_dose_Gy_per_MBq_h,
)
from nichedose.values import Draw

LIBRARY = load_library()
PSMA = LIBRARY.forms["PSMA-617"]


def test_the_command_writes_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(body_case_text("gfr_mL_per_min = 60.0", candidate="cycles = 2"))
    args = ["body", str(path), "--page", str(tmp_path / "p.html"), "--organs", str(tmp_path / "o.csv"),
            "--curves", str(tmp_path / "c.csv")]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output
    assert "limited by" in done.output
    page = (tmp_path / "p.html").read_text("utf-8")
    assert "<svg" in page and "src=\"http" not in page and "url(http" not in page
    with (tmp_path / "o.csv").open() as file:
        organs = {row["organ"]: row for row in csv.DictReader(file)}
    assert float(organs["kidney"]["ratio"]) > 1.0
    assert organs["kidney"]["origin"].startswith("published")
    assert organs["spleen"]["origin"] == "model"
    assert (tmp_path / "c.csv").read_text("utf-8").startswith("candidate,place,time_h,activity_MBq")


def test_weighted_doses_are_told_from_physical_ones_and_untried_activities_named() -> None:
    """Only alpha emitters have both; what limits alone would allow may lie far above what was given."""
    found = body_report(body_case("", "177Lu-FAPI-46", "225Ac-FAP-2286")).findings
    beta, alpha = found.parts[0].tables[0], found.parts[1].tables[0]
    assert "Quantity" not in beta.head and not beta.note
    quantity = {row[0]: row[-1] for row in alpha.rows}
    assert alpha.head[-1] == "Quantity" and "weighted by 5" in alpha.note
    assert (quantity["kidney"], quantity["liver"]) == ("weighted rbe5", "absorbed dose")
    assert "times the prescribed activity, which has not been tried" in found.answer
    assert "at the medians" in found.answer


def test_cycles_too_close_for_a_falling_target_name_the_field() -> None:
    with pytest.raises(OutOfValidity, match=r"177Lu-PSMA-617: .*'candidates.interval' longer"):
        body_report(body_case("", "177Lu-PSMA-617", candidate='interval = "1 h"'))


def test_every_candidate_s_body_is_written_for_other_simulators(tmp_path: Path) -> None:
    path, folder = tmp_path / "case.toml", tmp_path / "models"
    path.write_text(body_case_text("", "177Lu-DOTATATE", "177Lu-J591"))
    done = CliRunner().invoke(app, ["body", str(path), "--sbml", str(folder)])
    assert done.exit_code == 0, done.output
    written = {f.name: f.read_text("utf-8") for f in folder.iterdir()}
    assert len(written) == 2
    dotatate = next(text for name, text in written.items() if "DOTATATE" in name)
    assert "<sbml" in dotatate and f'initialAmount="{LIBRARY.forms["DOTATATE"].injected_nmol.central!r}"' in dotatate
    for wrong in (path, tmp_path / "no" / "models"):
        refused = CliRunner().invoke(app, ["body", str(path), "--sbml", str(wrong)])
        assert isinstance(refused.exception, BadInput) and "give a folder" in str(refused.exception)


def test_the_machine_gets_one_document(tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(body_case_text("", "177Lu-DOTATATE", candidate="cycles = 1"))
    done = CliRunner().invoke(app, ["body", str(path), "--json"])
    found = json.loads(done.stdout)["candidates"]["177Lu-DOTATATE"]
    assert found["limiting_organ"] in ("kidney", "marrow")
    assert found["mass_closure"] < 1e-10
    assert found["activity_closure"] < 1e-8


def test_the_tolerated_activity_brings_one_organ_to_its_limit() -> None:
    found = body_report(body_case(candidate="cycles = 1")).findings.numbers["candidates"]["177Lu-PSMA-617"]
    assert found["tolerated_activity_MBq"] > found["prescribed_MBq"]
    kidney = found["organs"]["kidney"]
    assert kidney["Gy_per_GBq"] == pytest.approx(kidney["published_Gy_per_GBq"])


def test_a_patient_of_whom_nothing_is_said_is_the_published_one() -> None:
    for form in load_bodies().kinetics:
        assert organ_ratios(LIBRARY.forms[form], CasePatient(), "177Lu", 60.0) == pytest.approx(
            dict.fromkeys(organ_ratios(LIBRARY.forms[form], CasePatient(), "177Lu", 60.0), 1.0), abs=1e-12)


def test_organ_doses_follow_kidneys_size_and_tumour() -> None:
    poor = organ_ratios(PSMA, CasePatient(gfr_mL_per_min=35.0), "177Lu", 57.0)
    heavy = organ_ratios(PSMA, CasePatient(weight_kg=110.0), "177Lu", 57.0)
    laden = organ_ratios(PSMA, CasePatient(tumour_volume_mL=2500.0), "177Lu", 57.0)
    assert poor["marrow"] > 1.2
    assert heavy["muscle"] < 0.95
    assert laden["kidney"] < 0.95
    small = organ_ratios(LIBRARY.forms["DOTATATE"], CasePatient(organ_volumes_mL={"kidney": 150.0}), "177Lu", 140.0)
    assert small["kidney"] > 1.1


@pytest.mark.parametrize(("changes", "organ", "low", "high"), [
    ({"sex": "female", "weight_kg": 58.0, "height_cm": 162.0}, "kidney", 1.02, 1.4),  # smaller kidneys, less plasma
    ({"age_years": 88.0}, "marrow", 1.02, 1.6),  # filtration falls with age
    ({"age_years": 40.0}, "marrow", 0.6, 0.98),
    ({"height_cm": 150.0}, "liver", 1.01, 1.5),  # smaller organs by body surface
    ({"haematocrit": 0.25}, "marrow", 0.9, 1.0),  # more plasma, so thinner; cleared as before
    ({"haematocrit": 0.5}, "marrow", 1.0, 1.1),
    ({"organ_volumes_mL": {"spleen": 600.0}}, "spleen", 0.9, 1.1),  # density and flow per gram stay
])
def test_organ_doses_follow_the_patient(changes, organ: str, low: float, high: float) -> None:
    """Directions by physiology; the bounds are wide, they catch a slip of unit or sign."""
    ratios = organ_ratios(PSMA, CasePatient(**changes), "177Lu", 57.0)
    assert low < ratios[organ] < high
    assert all(0.1 < r < 4.0 for r in ratios.values())


def test_published_doses_are_scaled_as_distributions() -> None:
    form = form_in_patient(PSMA, {"kidney": 1.5}, "177Lu", {})
    before, after = (next(c.Gy_per_GBq for c in f.dose_coefficients if (c.organ, c.radionuclide) == ("kidney", "177Lu"))
                     for f in (PSMA, form))
    for u in (0.05, 0.5, 0.95):
        assert after.quantile(u) == pytest.approx(1.5 * before.quantile(u))
    others = [c for c in form.dose_coefficients if c.radionuclide != "177Lu"]
    assert others == [c for c in PSMA.dose_coefficients if c.radionuclide != "177Lu"]


def test_plasma_of_the_body_is_a_curve_with_a_small_error() -> None:
    for form in load_bodies().kinetics:
        for index in (None, 1, 2, 3):
            curve, error = body_plasma(LIBRARY.forms[form], CasePatient(), 60.0, ("177Lu", "225Ac"), Draw(7, index))
            assert error < 0.01
            assert 2 <= len(curve.rates_per_h) <= 20


def test_administration_becomes_a_regimen() -> None:
    how = Administration(split=2, split_interval="24 h", predose="100 nmol", predose_lead="2 h", amino_acids=True)
    found = regimen_of(PSMA, how, activity_MBq=7400.0, ligand_nmol=57.0, number=2, interval_h=1008.0)
    assert len(found.injections) == 8
    assert len(found.amino_acids_h) == 4
    assert found.labelled[0].activity_MBq == 0.0
    assert sum(i.activity_MBq for i in found.injections) == 14800.0
    assert found.labelled[1].start_h - found.labelled[0].start_h == 2.0
    plain = regimen_of(LIBRARY.forms["DOTATATE"], Administration(), activity_MBq=1.0, ligand_nmol=1.0, number=1,
                       interval_h=1.0)
    assert plain.amino_acids_h == ((0.0, 4.0),)


def test_targets_fall_over_cycles_where_that_was_measured() -> None:
    def factors(form: str, number: int, **how: tuple[float, ...]) -> list[float]:
        course = regimen_of(LIBRARY.forms[form], Administration(**how), activity_MBq=1.0, ligand_nmol=1.0,
                            number=number, interval_h=1e3)
        return [c.factor for c in course.target_changes]

    assert factors("PSMA-617", 5) == [1.0, 0.73, 0.50, 0.44, 0.44]
    assert factors("PSMA-617", 1) == factors("DOTATATE", 4) == []
    assert factors("PSMA-617", 2, target_by_cycle=(1.0, 1.2)) == [1.0, 1.2]
    with pytest.raises(BadInput, match="'target_by_cycle' holds 2 numbers, and PSMA-617 is given in 4 cycles"):
        factors("PSMA-617", 4, target_by_cycle=(1.0, 1.2))
    told = {use.key for use in body_report(body_case(candidate="cycles = 2")).findings.values_used}
    assert "answer.uptake_cycle_2" in told and "answer.uptake_cycle_3" not in told


def test_self_dose_is_the_electrons_and_a_part_of_the_photons() -> None:
    electrons = 0.148 * 1.602e-13 * 3.6e9 / 0.31
    assert self_dose_Gy_per_MBq_h("177Lu", 310.0) == pytest.approx(electrons, rel=0.06)
    assert self_dose_Gy_per_MBq_h("177Lu", 310.0) > electrons * 0.99


def test_a_case_patient_takes_what_is_measured() -> None:
    who = case_patient(PSMA, CasePatient(gfr_mL_per_min=50.0, tumour_volume_mL=900.0, sex="female"), Draw())
    assert (who.gfr_mL_per_min, who.sex, who.tumours[0].volume_mL) == (50.0, "female", 900.0)


# ---- bad input


@pytest.mark.parametrize(("patient", "message"), [
    ("gfr_mL_per_min = 400.0", "gfr_mL_per_min.*less than or equal to 250"),
    ("gfr_mL_per_min = nan", "gfr_mL_per_min"),
    ("haematocrit = 42.0", "haematocrit.*less than or equal to 0.65; got 42. It is a fraction: 0.42"),
    ("height_cm = 1.8", "height_cm.*; got 1.8. It is in cm: 180."),
    ("gfr_mL_per_min = 0.9", "greater than or equal to 2; got 0.9. It is in mL/min"),
    ('sex = "M"', "sex"),
    ("tumour_volume_mL = 0.0", "tumour_volume_mL"),
    ("gfr = 60.0", "'patient.gfr' is not a field.*gfr_mL_per_min"),
])
def test_patients_outside_life(patient: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        body_case(patient)


@pytest.mark.parametrize(("patient", "agent", "message"), [
    ('comorbidities = ["fibrosis of the lung"]', "177Lu-FAP-2286", "no comorbidity scenario.*lung fibrosis"),
    ("organ_volumes_mL = { kidneys = 300.0 }", "177Lu-PSMA-617", "no organ 'kidneys'"),
    ("organ_volumes_mL = { liver = 60000.0 }", "177Lu-PSMA-617", "add up to"),
    ("tumour_volume_mL = 60000.0", "177Lu-PSMA-617", "add up to"),
    ("", "131I-omburtamab", "No candidate's labelled form has a whole-body set"),
])
def test_bodies_that_cannot_be(patient: str, agent: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        body_report(body_case(patient, agent))


UPTAKE = {"form": "PSMA-617", "time": "24 h", "decay_corrected": True}


@pytest.mark.parametrize(("changes", "message"), [
    ({}, "one of percent_per_mL"),
    ({"percent_per_mL": 0.1, "suv": 3.0}, "one of percent_per_mL"),
    ({"percent_per_mL": 0.1, "decay_corrected": False}, "correct the value to the time of injection"),
    ({"percent_per_mL": float("nan")}, "percent_per_mL"),
    ({"percent_per_mL": 0.1, "time": "24"}, "no unit"),
])
def test_uptake_that_is_not_what_it_should_be(changes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MeasuredUptake.model_validate({**UPTAKE, **changes})


def test_uptake_above_the_injected_activity_is_refused() -> None:
    text = body_case_text() + """
[[measured_uptake]]
form = "PSMA-617"
time = "24 h"
percent_per_mL = 80.0
decay_corrected = true
"""
    with pytest.raises(BadInput, match="more than was injected"):
        parse_case(text)
