"""`nichedose body` with measured activity: from a table to a fitted body, and every table that cannot be."""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nichedose.body import BodyFit, MeasuredActivity, Observation, fit_observations
from nichedose.body.observation import log_model
from nichedose.body.rate_map import rate_map
from nichedose.body.score_draw import ScoreDraw
from nichedose.case import Administration, Case, parse_case
from nichedose.cli import app
from nichedose.errors import BadInput
from nichedose.io import read_measured_activity
from nichedose.library import load_library
from nichedose.study import patient_fit
from nichedose.study.body_findings import body_report
from nichedose.study.measured_findings import measured_part
from nichedose.study.patient_fit import PatientFit, fit_case, measured_entries

LIBRARY = load_library()
HEAD = "place,time_h,value,unit,decay_corrected,relative_sd"
CASE = """
title = "A measured course"
tumour = "prostate"
[[sections]]
path = "not read"
[lesion]
diameter = "30 mm"
[patient]
weight_kg = 80.0
gfr_mL_per_min = 75.0
{tables}
[[candidates]]
agent = "177Lu-PSMA-617"
cycles = 2
[output]
folder = "out"
"""
SPECT = """[[measured_activity]]
path = "{path}"
form = "PSMA-617"
radionuclide = "177Lu"
injected = "7.4 GBq"
"""
PET = """[[measured_activity]]
path = "{path}"
form = "PSMA-617"
radionuclide = "68Ga"
injected = "150 MBq"
ligand = "2 nmol"
{tracer}
"""
GOOD = ("kidney,24,220,MBq,false,0.1", "kidney,96,33,MBq,false,0.1", "lesion,24,12.6,MBq,false,0.1")


def write(folder: Path, rows=GOOD, *, name: str = "scans.csv", head: str = HEAD, block: str = SPECT, **fields) -> Case:
    """A case with one table beside it."""
    (folder / name).write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return parse_case(CASE.format(tables=block.format(path=name, **fields)))


def fitted(folder: Path, rows=GOOD, **changes) -> PatientFit:
    case = write(folder, rows, **changes)
    found = fit_case(case, LIBRARY, read_measured_activity(case, folder / "case.toml"))
    assert found is not None
    return found


@functools.cache
def true_scores(n: int) -> np.ndarray:
    return np.random.default_rng(4).standard_normal(n) * 0.8


def synthetic(folder: Path, block: str, points: dict[str, tuple[float, ...]], **fields) -> list[str]:
    """Rows of exact data: what a body with known parameters has, as measured."""
    rows = [f"{place},{t},1e-9,{'MBq/mL' if place in ('blood', 'plasma') else 'MBq'},false,0.1"
            for place, times in points.items() for t in times]
    case = write(folder, rows, name="blank.csv", block=block, **fields)
    [entry] = measured_entries(case, LIBRARY, read_measured_activity(case, folder / "case.toml"))
    rates = rate_map(entry.observation.build)
    seen = np.exp(log_model(entry.observation, rates, true_scores(len(rates.names))[None])[0])
    flat = [(p, t) for p, times in points.items() for t in times]
    return [f"{p},{t},{v:.6g},{'MBq/mL' if p in ('blood', 'plasma') else 'MBq'},false,0.1"
            for (p, t), v in zip(flat, seen, strict=True)]


# ---- what it says


def test_the_command_fits_and_writes_what_it_says(tmp_path: Path) -> None:
    rows = synthetic(tmp_path, SPECT, {"kidney": (4, 24, 96), "salivary glands": (24, 96), "lesion": (24, 96),
                                       "blood": (4, 24)})
    case = write(tmp_path, rows)
    (tmp_path / "case.toml").write_text(CASE.format(tables=SPECT.format(path="scans.csv")))
    files = {name: tmp_path / f"{name}.csv" for name in ("organs", "points", "parameters")}
    args = ["body", str(tmp_path / "case.toml"), "--json", "--quiet", "--page", str(tmp_path / "p.html")]
    done = CliRunner().invoke(app, args + [a for n, f in files.items() for a in (f"--{n}", str(f))])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    mine = found["candidates"]["177Lu-PSMA-617"]
    low, high = mine["tolerated_activity_interval_MBq"]
    assert low < mine["tolerated_activity_MBq"] < high
    kidney = mine["organs"]["kidney"]
    assert kidney["origin"] == "fitted to measurements in it"
    assert kidney["low_Gy_per_GBq"] < kidney["Gy_per_GBq"] < kidney["high_Gy_per_GBq"]
    assert mine["organs"]["marrow"]["low_Gy_per_GBq"] is None
    assert len(found["measured"]["points"]) == len(rows)
    assert max(abs(p["residual_sd"]) for p in found["measured"]["points"]) < 2.0  # exact data
    page = (tmp_path / "p.html").read_text("utf-8")
    assert 'class="band"' in page and 'class="mark"' in page
    with files["points"].open() as file:
        assert {r["place"] for r in csv.DictReader(file)} == {"kidney", "salivary glands", "lesion", "blood"}
    with files["parameters"].open() as file:
        assert len(list(csv.DictReader(file))) > 30
    assert case.measured_activity[0].calibration_sd == 0.05


def test_the_interval_holds_the_true_activity(tmp_path: Path) -> None:
    rows = synthetic(tmp_path, SPECT, {"kidney": (4, 24, 96), "lesion": (24, 96)})
    found = fitted(tmp_path, rows)
    build = found.build_of(LIBRARY.forms["PSMA-617"], Administration())
    rates = rate_map(build)
    truth = fit_truth(rates.models(true_scores(len(rates.names))[None])[0], found)
    for place, p in found.found.predict(["kidney", "lesion"], build=build, draws=64).items():
        assert p.low_MBq_h < truth[place] < p.high_MBq_h
        assert p.most_probable_MBq_h == pytest.approx(truth[place], rel=0.15)


def fit_truth(model, found: PatientFit) -> dict[str, float]:
    from nichedose.body import integrate_population

    o = found.entries[0].observation
    run = integrate_population([model], o.regimen, decay_per_h={"l": o.decay_per_h}, end_h=1600.0, steps=80)
    return {p: float(run.time_integrated_activity_MBq_h(p, "l")[0]) for p in ("kidney", "lesion")}


def test_one_point_is_allowed_and_wider(tmp_path: Path) -> None:
    widths = []
    for times in ((4, 24, 96), (96,)):
        rows = synthetic(tmp_path, SPECT, {"kidney": times})
        p = fitted(tmp_path, rows).found.predict(["kidney"], draws=64)["kidney"]
        widths.append(math.log(p.high_MBq_h / p.low_MBq_h))
    assert widths[1] > 1.5 * widths[0]


def test_a_tracer_tells_less_than_the_therapy_and_moves_it_the_same_way(tmp_path: Path) -> None:
    """The same kidney uptake, in PET of another molecule or of the form itself with another clock."""
    form = LIBRARY.forms["PSMA-617"]
    rows = [f"kidney,1,{v},%IA,true,0.1" for v in (12.0,)]
    same = fitted(tmp_path, rows, block=SPECT)
    tracer = fitted(tmp_path, rows, block=PET, tracer='tracer = "68Ga-PSMA-11"')
    nothing = fitted(tmp_path, ["kidney,1,5,%IA,true,1"], block=PET, tracer="")
    key = "form.PSMA-617.body.target_nmol_per_L.kidney"
    assert same.found.narrowing(key) < tracer.found.narrowing(key)
    assert tracer.found.value(key) > nothing.found.value(key)
    assert (tracer.entries[0].tracer, nothing.entries[0].tracer) == ("68Ga-PSMA-11", "68Ga-PSMA-617")
    assert same.measured_in(form) == ("kidney",) and tracer.measured_in(form) == ()
    assert any("68Ga-PSMA-11 is not PSMA-617 itself" in text for text in measured_part(tracer).text)


def test_early_pet_and_late_spect_are_one_fit(tmp_path: Path) -> None:
    (tmp_path / "pet.csv").write_text(f"{HEAD}\nkidney,1,5,%IA,true,0.1\n")
    (tmp_path / "scans.csv").write_text("\n".join([HEAD, *GOOD]) + "\n")
    case = parse_case(CASE.format(tables=PET.format(path="pet.csv", tracer="") + SPECT.format(path="scans.csv")))
    found = fit_case(case, LIBRARY, read_measured_activity(case, tmp_path / "case.toml"))
    assert found is not None
    assert [e.name for e in found.entries] == ["68Ga-PSMA-617", "177Lu-PSMA-617"]
    assert len(found.found.residuals) == 4
    alone = fitted(tmp_path)
    key = "form.PSMA-617.body.target_nmol_per_L.kidney"
    assert found.found.narrowing(key) <= alone.found.narrowing(key) * 1.05


def test_lines_may_stand_in_any_order(tmp_path: Path) -> None:
    one = write(tmp_path), read_measured_activity(write(tmp_path), tmp_path / "case.toml")
    other = read_measured_activity(write(tmp_path, GOOD[::-1]), tmp_path / "case.toml")
    by_place = {m.place: m for m in other[0]}
    assert all(dataclasses.replace(by_place[m.place]) == m for m in one[1][0])


def test_the_case_chooses_how_the_posterior_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk itself is tested in tests/unit/test_body_sample.py."""
    asked = []

    def walked(found: BodyFit, *, seed: int) -> BodyFit:
        asked.append(seed)
        good = {"r_hat": 1.004, "effective_draws": 312.0, "divergent": 0.0, "accepted": 0.8}
        return dataclasses.replace(found, samples=found.draw_scores(64), diagnostics=good)

    monkeypatch.setattr(patient_fit, "sample_posterior", walked)
    case = write(tmp_path)
    case = case.model_copy(update={"sampling": case.sampling.model_copy(update={"body_posterior": "nuts", "seed": 7})})
    found = fit_case(case, LIBRARY, read_measured_activity(case, tmp_path / "case.toml"))
    assert found is not None and found.found.samples is not None and asked == [7]
    assert any("NUTS" in text and "312 effective draws" in text for text in measured_part(found).text)


def test_a_form_of_which_nothing_was_measured_stays_at_the_medians(tmp_path: Path) -> None:
    case = write(tmp_path)
    text = CASE.format(tables=SPECT.format(path="scans.csv")) + '[[candidates]]\nagent = "177Lu-FAP-2286"\n'
    both = parse_case(text)
    report = body_report(both, read_measured_activity(case, tmp_path / "case.toml"))
    assert {r.origin for r in report.organs if r.candidate == "177Lu-FAP-2286"} == {
        "model", "published, scaled to this patient"}


# ---- other readings of the same numbers


def test_data_that_were_not_corrected_as_declared_are_pointed_out(tmp_path: Path) -> None:
    rows = synthetic(tmp_path, PET, {"kidney": (0.5, 1, 2, 4), "salivary glands": (0.5, 1, 2, 4)}, tracer="")
    assert fitted(tmp_path, rows, block=PET, tracer="").cautions == ()
    wrong = [r.replace(",false,", ",true,") for r in rows]
    [caution] = [c for c in fitted(tmp_path, wrong, block=PET, tracer="").cautions if "decay" in c]
    assert "better if they were not decay-corrected" in caution


def test_blood_given_for_plasma_alone_is_pointed_out(tmp_path: Path) -> None:
    """Two points leave room for both; a kidney and plasma that are known well do not."""
    rows = ["plasma,1,214,MBq/L,false,0.05", "plasma,24,3.91,MBq/L,false,0.05"]
    [caution] = fitted(tmp_path, rows).cautions
    assert "fit as well if 'plasma' was whole blood" in caution and "called 'blood'" in caution
    assert fitted(tmp_path, [r.replace("plasma", "blood") for r in rows]).cautions == ()


@pytest.mark.parametrize(("rows", "words"), [
    (("kidney,24,220,kBq,false,0.1",), "values of kidney were 1000 times as high .kBq for MBq"),
    (("kidney,24,0.077,%IA,true,0.1", "kidney,96,0.03,%IA,true,0.1"), "values of kidney were 100 times as"),
    ((*GOOD, "blood,1,0.214,MBq/L,false,0.05", "blood,24,0.0039,MBq/L,false,0.05"), "values of blood were 1000 times"),
])
def test_a_wrong_unit_that_is_possible_is_pointed_out(tmp_path: Path, rows: tuple[str, ...], words: str) -> None:
    """Too much is refused; too little could be true, so it is said and fitted."""
    assert any(re.search(f"clearly better if {words}", c) for c in fitted(tmp_path, rows).cautions)
    assert fitted(tmp_path).cautions == ()


def test_blood_above_plasma_is_refused() -> None:
    """Both given, and exchanged: whole blood cannot hold more than plasma when cells stay empty."""
    entry = parse_case(CASE.format(tables=SPECT.format(path="x.csv")))
    plasma, blood = (MeasuredActivity(p, (1.0, 4.0), v, unit="MBq/L", decay_corrected=False, relative_sd=0.05)
                     for p, v in (("plasma", (200.0, 90.0)), ("blood", (320.0, 145.0))))
    with pytest.raises(BadInput, match=r"'blood' holds 1.6 times the activity of 'plasma'.*exchanged"):
        measured_entries(entry, LIBRARY, [(plasma, blood)])


# ---- tables that cannot be


@pytest.mark.parametrize(("rows", "message"), [
    (["kidny,24,220,MBq,false,0.1"], "No place 'kidny'.*Did you mean 'kidney'"),
    (["kidney,24,220,mCi,false,0.1"], "unit must be one of MBq.*got 'mCi'"),
    (["kidney,24,220,MBq,maybe,0.1"], "line 2: decay_corrected must be true.*got 'maybe'"),
    (["kidney,24,nan,MBq,false,0.1"], "line 2: value must be a finite number; got 'nan'"),
    (["kidney,24,,MBq,false,0.1"], "line 2: value must be a finite number; got ''"),
    (["kidney,24,220,MBq,false,0.1", "kidney,24,230,MBq,false,0.1"], "'kidney' has 24 h twice .lines 2 and 3"),
    (["kidney,24,220,MBq,false,0.1", "kidney,48,2,%IA,false,0.1"], "'kidney' has more than one unit"),
    (["kidney,24,220,MBq,false,0.1", "kidney,48,2,MBq,true,0.1"], "'kidney' has more than one decay_corrected"),
    (["kidney,-1,220,MBq,false,0.1"], "times must be above 0 h"),
    (["kidney,24,-3,MBq,false,0.1"], "values must be finite and above 0"),
    (["kidney,24,220,MBq,false,10"], "relative_sd.*0.1 is 10 %"),
    (["kidney,24,22000,MBq,false,0.1"], "only .* MBq of what was injected is left.*Check the unit"),
    (["kidney,24,60,%IA,true,0.1", "liver,24,70,%IA,true,0.1"], "scans.csv: All places together hold more at 24 h"),
    (["kidney,24,110,%IA,true,0.1"], "scans.csv: .*'kidney' at 24 h.* of what was injected is left"),
    (["kidney,24,220,MBq,false,0.1", "", ",,,,,", "kidney,96,x,MBq,false,0.1"], "line 5: value must be a finite"),
    (["kidney,24,220,MBq,false,0.1,7"], "more cells than the first line"),
    ([",,,,,"], "has no rows"),
    (["venous blood,24,1,MBq/L,false,0.1"], "line 2: 'venous blood' does not say which"),
    (["blood,24,1,MBq,false,0.1"], "give it per volume"),
])
def test_bad_tables(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        fitted(tmp_path, rows)


@pytest.mark.parametrize(("head", "message"), [
    ("place,time_h,value,unit", "column 'decay_corrected' is missing. Needed"),
    ("organ,time_h,value,unit,decay_corrected,relative_sd", "column 'place' is missing"),
    ("place,time_h,value,unit,decay_corrected,relative_std", "column 'relative_std' is not known.*'relative_sd'"),
])
def test_bad_heads(tmp_path: Path, head: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        fitted(tmp_path, [",".join(GOOD[0].split(",")[:head.count(",") + 1])], head=head)


@pytest.mark.parametrize(("old", "new", "message"), [
    ('form = "PSMA-617"', 'form = "PSMA-671"', "no labelled form 'PSMA-671'.*'PSMA-617'"),
    ('form = "PSMA-617"', 'form = "omburtamab-iodo"', "whole-body set|no labelled form"),
    ('radionuclide = "177Lu"', 'radionuclide = "177Lo"', "'177Lo' is not a radionuclide"),
    ('injected = "7.4 GBq"', "", "injected' of scans.csv is missing"),
    ('injected = "7.4 GBq"', 'injected = "0 GBq"', "must be above zero"),
    ('injected = "7.4 GBq"', 'injected = "7.4 GBq"\nligand = "1 nmol"',
     "1 nmol of ligand cannot carry 7400 MBq of 177Lu"),
    ('path = "{path}"', 'path = "none.csv"', "none.csv: no such table"),
    ('injected = "7.4 GBq"', 'injected = "7.4 GBq"\nunits = "MBq"', "activity.units' of scans.csv is not a field"),
])
def test_bad_entries(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        fitted(tmp_path, block=SPECT.replace(old, new))


def test_options_that_need_measurements_say_so(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(CASE.format(tables=""))
    done = CliRunner().invoke(app, ["body", str(tmp_path / "case.toml"), "--points", str(tmp_path / "x.csv")])
    assert isinstance(done.exception, BadInput)
    assert "measured_activity" in str(done.exception)


def test_observations_of_one_patient_share_parameters_by_name(tmp_path: Path) -> None:
    [entry] = fitted(tmp_path).entries
    o = entry.observation
    half = dataclasses.replace(o, measured=o.measured[:1]), dataclasses.replace(o, measured=o.measured[1:])
    assert isinstance(half[0], Observation)
    whole, parts = fit_observations([o]), fit_observations(half)
    assert parts.scores == pytest.approx(whole.scores, abs=2e-3)  # the same posterior, from other grids
    assert ScoreDraw(scores=dict(zip(parts.parameters, parts.scores, strict=True))).scores
