"""How a candidate is given: what a case may say of it, and that body, plan and rank all follow it."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from body_case_files import body_case, body_case_text
from plan_cases import demo_case
from typer.testing import CliRunner

from nichedose.case import Administration, Case, parse_case
from nichedose.case import Patient as CasePatient
from nichedose.cli import app
from nichedose.errors import BadInput
from nichedose.library import load_library
from nichedose.study.administration import regimen_of
from nichedose.study.body_findings import body_report
from nichedose.study.one_tumour import section_lesion, section_over_body
from nichedose.study.responses import prepare
from nichedose.study.section_maps import tissue_maps
from nichedose.study.setup import ResolvedCandidate, Setup
from nichedose.study.whole_body import organ_ratios
from nichedose.study.world import World

LIBRARY = load_library()
PSMA = LIBRARY.forms["PSMA-617"]
PMPA = {"name": "2-PMPA", "amount": "300 nmol", "lead": "15 min"}


def given(**how: Any) -> Administration:
    return Administration.model_validate(how)


def ratios(how: Administration, form: str = "PSMA-617") -> dict[str, float]:
    entry = LIBRARY.forms[form]
    return organ_ratios(entry, CasePatient(), "177Lu", entry.injected_nmol.central, how)


def test_organ_doses_follow_how_the_ligand_is_given() -> None:
    """Published doses too: they were found after the usual administration."""
    assert ratios(Administration()) == pytest.approx(dict.fromkeys(ratios(Administration()), 1.0), abs=1e-12)
    for how in (given(competitor=PMPA), given(predose="200 nmol"), given(ligand="300 nmol")):
        found = ratios(how)
        assert 0.1 < found["kidney"] < 0.7
        assert 0.1 < found["salivary glands"] < 0.7
        assert 1.0 < found["marrow"] < 1.3  # what the targets do not take stays longer in blood
    split = ratios(given(split=2))
    assert 1.0 < split["salivary glands"] < 1.6  # less saturation in each half
    without = ratios(given(amino_acids=False), "DOTATATE")
    assert without["kidney"] > 1.1
    later = ratios(given(competitor={"name": "2-PMPA", "amount": "20 umol", "delay": "16 h"}))
    assert ratios(given(competitor=PMPA))["kidney"] < later["kidney"] < 1.0


def test_a_competitor_without_affinity_changes_nothing_and_more_of_it_takes_more() -> None:
    none = ratios(given(competitor={**PMPA, "dissociation_constant": "1000000 umol/L"}))
    assert none == pytest.approx(dict.fromkeys(none, 1.0), rel=2e-4)
    kidney = [ratios(given(competitor={**PMPA, "amount": amount}))["kidney"]
              for amount in ("10 nmol", "100 nmol", "1 umol", "100 umol")]
    assert all(a > b for a, b in itertools.pairwise(kidney))
    own = ratios(given(competitor={**PMPA, "name": "mine", "dissociation_constant": "0.28 nmol/L"}))
    assert own == pytest.approx(ratios(given(competitor=PMPA)), rel=1e-6)
    alias = ratios(given(competitor={**PMPA, "name": "pmpa"}))
    assert alias == pytest.approx(ratios(given(competitor=PMPA)), rel=1e-6)


def test_another_form_without_its_label_competes() -> None:
    found = ratios(given(competitor={"name": "PSMA-I&T", "amount": "300 nmol"}))
    assert found["kidney"] < 0.8


def test_the_regimen_has_the_competitor_before_or_after_every_part() -> None:
    def of(**competitor: str) -> list[tuple[str, float, float]]:
        how = given(split=2, competitor={"name": "2-PMPA", "amount": "1 umol", **competitor})
        found = regimen_of(PSMA, how, activity_MBq=1.0, ligand_nmol=1.0, number=1, interval_h=1.0)
        return sorted((i.species, i.start_h, i.duration_h) for i in found.injections)

    assert of(lead="2 h", infusion="1 h") == [
        ("competitor", 0.0, 1.0), ("competitor", 24.0, 1.0), ("ligand", 2.0, 0.25), ("ligand", 26.0, 0.25)]
    assert of(delay="16 h") == [
        ("competitor", 16.0, 0.0), ("competitor", 40.0, 0.0), ("ligand", 0.0, 0.25), ("ligand", 24.0, 0.25)]


def test_targets_change_before_anything_of_a_cycle_is_given() -> None:
    """A cold pre-dose that fills the tumours' sites must not meet the fall of their number half an hour later."""
    found = body_report(body_case(candidate='[candidates.administration]\npredose = "50 umol"'))
    assert found.findings.numbers["candidates"]["177Lu-PSMA-617"]["activity_closure"] < 1e-8


def test_the_values_of_the_competitor_are_told_with_their_source(tmp_path: Path) -> None:
    text = body_case_text(candidate='[candidates.administration.competitor]\nname = "2-PMPA"\namount = "300 nmol"')
    path = tmp_path / "case.toml"
    path.write_text(text)
    done = CliRunner().invoke(app, ["body", str(path), "--page", str(tmp_path / "p.html")])
    assert done.exit_code == 0, done.output
    assert "280 pM" in (tmp_path / "p.html").read_text("utf-8")
    used = {use.key: use.value for use in body_report(parse_case(text)).findings.values_used}
    assert used["competitor.2-PMPA.dissociation_constant_nmol_per_L"].source == "naaladase_page"
    assert used["competitor.2-PMPA.association_rate_L_per_nmol_per_h"].evidence == "assumed"


@pytest.mark.parametrize(("agent", "how", "words"), [
    ("177Lu-PSMA-617", '[candidates.administration.competitor]\nname = "2-PMAP"\namount = "1 umol"',
     "no molecule '2-PMAP' that takes PSMA.*Did you mean '2-PMPA'.*Known for it: 2-PMPA, PSMA-I&T.*dissociation_const"),
    ("177Lu-DOTATATE", '[candidates.administration.competitor]\nname = "2-PMPA"\namount = "1 umol"',
     "no molecule '2-PMPA' that takes SSTR2, which DOTATATE binds.*The library has none for it"),
    ("177Lu-PSMA-617", '[candidates.administration.competitor]\nname = "DOTATATE"\namount = "1 umol"',
     "DOTATATE does not take the sites of PSMA-617"),
    ("177Lu-PSMA-617", '[candidates.administration.competitor]\nname = "PSMA-617"\namount = "1 umol"',
     "PSMA-617 itself, unlabelled, is a 'predose'"),
    ("177Lu-J591", '[candidates.administration.competitor]\nname = "2-PMPA"\namount = "1 umol"',
     "J591-DOTA is an antibody.*'predose'"),
    ("177Lu-girentuximab", '[candidates.administration]\npredose = "10 nmol"',
     "girentuximab-DOTA has no whole-body set, so only 'ligand' can be followed.*Sets: "),
    ("177Lu-PSMA-617", '[candidates.administration.competitor]\nname = "2-PMPA"\namount = "1 umol"\nlead = "1 h"\n'
     'delay = "1 h"', "before the labelled ligand .lead. or after it .delay., not both"),
    ("177Lu-PSMA-617", '[candidates.administration.competitor]\nname = "2-PMPA"', "amount' of 177Lu-PSMA-617 is"),
    ("177Lu-PSMA-617", '[candidates.administration.competitor]\nname = "2-PMPA"\namount = 5', "5 has no unit"),
    ("177Lu-PSMA-617", '[candidates.administration]\nligand = "-5 nmol"', "'-5 nmol' is below the smallest allowed"),
    ("177Lu-PSMA-617", '[candidates.administration]\nligand = "5 MBq"', "ligand.*amount"),
    ("177Lu-PSMA-617", '[candidates.administration]\nligand = "0.1 nmol"',
     "0.1 nmol of ligand cannot carry 7400 MBq of 177Lu, which are 10.2 nmol of nuclei"),
    ("177Lu-PSMA-617", '[candidates.administration]\nsplit = 4\nsplit_interval = "6 wk"',
     "in one cycle takes 3024 h .* after 1008 h"),
    ("177Lu-PSMA-617", '[candidates.administration]\npredose = "100 nmol"\npredose_lead = "7 wk"', "takes 1176 h"),
    ("177Lu-PSMA-617", '[candidates.administration]\ninfusion = "8 wk"', "takes 1344 h"),
    ("177Lu-J591", "[candidates.administration]\namino_acids = true", "amino acids .*J591-DOTA is an antibody"),
    ("177Lu-PSMA-617", "[candidates.administration]\ntarget_by_cycle = [0.5, 0.5]", "the first is 1"),
])
def test_what_cannot_be_given_is_refused(agent: str, how: str, words: str) -> None:
    with pytest.raises(BadInput, match=f"(?s){words}"):
        body_report(body_case("", agent, candidate=how))


@pytest.fixture(scope="module")
def lesion(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """The demo's section with 177Lu-PSMA-617 given in several ways, as `plan` and `rank` resolve it."""
    case, path = demo_case(tmp_path_factory.mktemp("demo"), draws=0, grid_spacing=100.0, workers=1)
    [psma] = [c for c in case.candidates if c.agent == "177Lu-PSMA-617"]
    ways = {"usual": {}, "PMPA": {"competitor": PMPA}, "cold": {"predose": "200 nmol"}, "more": {"ligand": "300 nmol"},
            "falling": {"target_by_cycle": (1.0, 0.9, 0.8, 0.8, 0.8, 0.8)}}
    candidates = tuple(psma.model_copy(update={"label": name, "administration": given(**how)})
                       for name, how in ways.items())
    return prepare(Case.model_copy(case, update={"candidates": candidates}), path)


def named(setup: Setup, name: str) -> ResolvedCandidate:
    return next(c for c in setup.candidates if c.name == name)


def test_a_plan_follows_how_the_ligand_is_given(lesion: Setup) -> None:
    world = World(lesion, lesion.draw(), tissue_maps(lesion, lesion.draw(), 100.0), pairs=2)

    def dose(name: str) -> float:
        return world.dose(named(lesion, name)).mean_dose_Gy_per_MBq

    assert dose("falling") == dose("usual")  # the course of targets is the section's own option
    for name in ("PMPA", "cold", "more"):
        assert 0.1 < dose(name) / dose("usual") < 0.8
        assert world.tolerance(named(lesion, name)).activity_MBq > world.tolerance(named(lesion, "usual")).activity_MBq
    [run] = world.runs(named(lesion, "cold"))
    assert dose("cold") / dose("usual") == pytest.approx(run.administration_factor, rel=1e-6)
    assert world.runs(named(lesion, "more"))[0].injected_nmol == 300.0
    assert world.runs(named(lesion, "more"))[0].administration_factor == 1.0


def test_a_section_without_pattern_holds_what_the_body_s_lesion_holds(lesion: Setup) -> None:
    """10 % asked for, 0.2 % found. The section's mean flow, wall and target make the body's tumour."""
    draw = lesion.draw()
    maps = tuple(dataclasses.replace(
        m, vessel_surface_per_cm=np.full_like(m.vessel_surface_per_cm, m.vessel_surface_per_cm[m.mask].mean()),
        targets={name: dataclasses.replace(t, by_host_nmol_per_L={"any": np.full_like(
            t.total_nmol_per_L, t.total_nmol_per_L[m.mask].mean())}) for name, t in m.targets.items()})
        for m in tissue_maps(lesion, draw, 100.0))
    world = World(lesion, draw, maps, pairs=2)
    usual = named(lesion, "usual")
    even = world.section_over_body(usual)
    assert even == pytest.approx(1.0, rel=0.02)
    uneven = World(lesion, draw, tissue_maps(lesion, draw, 100.0), pairs=2).section_over_body(usual)
    assert uneven is not None and uneven < even  # vessels and target apart: less is held than in the mean
    tumour = section_lesion(maps, usual.form, LIBRARY.tissue, lesion.case.lesion, draw)
    assert tumour.target_nmol_per_L == pytest.approx(60.0, rel=1e-3)  # the demo's anchor
    assert section_over_body(maps, world.runs(usual), usual.form, lesion.case.patient, tumour, "177Lu", draw) == (
        pytest.approx(even))
