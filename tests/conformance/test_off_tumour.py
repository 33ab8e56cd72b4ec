"""Targets outside the tumour, from a case file: comorbidities, measured organ targets, and the warning."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from body_case_files import body_case, body_case_text
from typer.testing import CliRunner

from nichedose.case import Case
from nichedose.case import Patient as CasePatient
from nichedose.cli import app
from nichedose.errors import BadInput
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.study.off_tumour import NOTED_RISE, off_tumour
from nichedose.study.setup import resolve
from nichedose.study.whole_body import ALL_LESIONS, organ_exposures, organ_ratios

LIBRARY = load_library()
SCENARIOS = [(form, name, organ) for form, entry in load_bodies().kinetics.items()
             for name, organs in entry.comorbidity.items() for organ in organs]


def warned(found: Case) -> dict[str, dict[str, object]]:
    setup = resolve(found, LIBRARY, ())
    return {c.name: {o.organ: o for o in off_tumour(c, found.patient, LIBRARY.limits)} for c in setup.candidates}


def test_stromal_and_immune_targets_have_scenarios() -> None:
    by_target = {LIBRARY.forms[form].target: set(entry.comorbidity) for form, entry in load_bodies().kinetics.items()
                 if entry.comorbidity}
    assert {"lung fibrosis", "wound healing", "chronic inflammation"} <= by_target["FAP"]
    assert "chronic inflammation" in by_target["PD-L1"]


@pytest.mark.parametrize(("form", "scenario", "organ"), SCENARIOS)
def test_every_scenario_raises_its_organ_and_leaves_the_lesions_less(form: str, scenario: str, organ: str) -> None:
    entry = LIBRARY.forms[form]
    plain, ill = (organ_exposures(entry, CasePatient(comorbidities=c), "177Lu", entry.injected_nmol.central)
                  for c in ((), (scenario,)))
    assert ill[organ].residence_h > 1.2 * plain[organ].residence_h
    assert ill[organ].on_target > plain[organ].on_target
    assert ill[ALL_LESIONS].residence_h <= plain[ALL_LESIONS].residence_h


def test_a_scenario_touches_only_the_forms_that_have_it() -> None:
    found = body_case('comorbidities = ["lung fibrosis"]', "177Lu-PSMA-617", "177Lu-FAP-2286")
    setup = resolve(found, LIBRARY, ())
    psma, fap = (organ_ratios(c.form, found.patient, "177Lu", 60.0) for c in setup.candidates)
    assert psma == pytest.approx(dict.fromkeys(psma, 1.0))
    assert fap["lungs"] > NOTED_RISE


def test_measured_organ_targets_belong_to_a_target() -> None:
    found = body_case('organ_targets = { PSMA = { kidney = "48 nmol/L" } }', "177Lu-PSMA-617", "177Lu-DOTATATE")
    psma, dotatate = (organ_ratios(LIBRARY.forms[f], found.patient, "177Lu", 60.0) for f in ("PSMA-617", "DOTATATE"))
    assert psma["kidney"] > 1.3
    assert dotatate["kidney"] == pytest.approx(1.0)
    alone = body_case('organ_targets = { kidney = "48 nmol/L" }', "177Lu-PSMA-617")
    assert organ_ratios(LIBRARY.forms["PSMA-617"], alone.patient, "177Lu", 60.0) == pytest.approx(psma)


def test_the_warning_names_organs_that_no_limit_watches() -> None:
    found = warned(body_case("", "177Lu-RM2", "177Lu-PSMA-617", "177Lu-FAP-2286", "131I-omburtamab"))
    assert not found["177Lu-RM2"]["pancreas"].watched
    assert set(found["177Lu-PSMA-617"]) == {"lacrimal glands"}  # kidneys and salivary glands have a limit
    assert found["177Lu-FAP-2286"] == found["131I-omburtamab"] == {}


def test_the_warning_follows_the_comorbidity_even_where_a_limit_watches() -> None:
    ill = warned(body_case('comorbidities = ["lung fibrosis"]', "177Lu-FAP-2286"))["177Lu-FAP-2286"]["lungs"]
    assert ill.rise > 5.0 and "no limit watches it" in ill.text and "FAP in lungs" in ill.text
    raised = warned(body_case('organ_targets = { kidney = "80 nmol/L" }', "177Lu-PSMA-617"))["177Lu-PSMA-617"]["kidney"]
    assert raised.watched and "its limit counts it" in raised.text


def test_the_body_command_warns(tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(body_case_text('comorbidities = ["lung fibrosis"]', "177Lu-FAP-2286"))
    done = CliRunner().invoke(app, ["body", str(path), "--json"])
    [lungs] = json.loads(done.stdout)["candidates"]["177Lu-FAP-2286"]["off_tumour"]
    assert lungs["organ"] == "lungs" and lungs["rise"] > NOTED_RISE
    assert "On-target, off-tumour: FAP in lungs" in CliRunner().invoke(app, ["body", str(path)]).stdout


@pytest.mark.parametrize(("patient", "agents", "message"), [
    ('comorbidities = ["lung fibroses"]', ("177Lu-FAP-2286", "177Lu-PSMA-617"), "no comorbidity.*lung fibrosis"),
    ('comorbidities = ["lung fibrosis"]', ("177Lu-PSMA-617",), "None of their whole-body sets has any"),
    ('organ_targets = { kidney = "16 nmol/L" }', ("177Lu-PSMA-617", "177Lu-DOTATATE"), "say whose density"),
    ('organ_targets = { kidneys = "16 nmol/L" }', ("177Lu-PSMA-617",), "no organ that can bear.*'kidney'"),
    ('organ_targets = { brain = "16 nmol/L" }', ("177Lu-PSMA-617",), "no organ that can bear"),
    ('organ_targets = { FAP = { lungs = "2 nmol/L" } }', ("177Lu-PSMA-617",), "no candidate binds 'FAP'"),
    ("organ_targets = { kidney = 16 }", ("177Lu-PSMA-617",), "organ_targets.kidney"),
    ('organ_targets = { PSMA = { kidney = "-3 nmol/L" } }', ("177Lu-PSMA-617",), "organ_targets.PSMA"),
])
def test_targets_that_nobody_can_use(patient: str, agents: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        resolve(body_case(patient, *agents), LIBRARY, ())
