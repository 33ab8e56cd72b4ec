"""`nichedose organs`: tables with units, JSON, mistakes named."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from nichedose.cli import app
from nichedose.dose import organ_s_values
from nichedose.errors import BadInput


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["organs", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_one_pair() -> None:
    rows = json.loads(run("Lu-177", "--target", "kidneys", "--source", "liver", "--json"))["rows"]
    s = organ_s_values("177Lu", targets=["kidneys"], sources=["liver"])["kidneys", "liver"]
    assert rows == [{"target": "kidneys", "source": "liver", "photon_Gy": pytest.approx(s["photon"]),
                     "total_Gy": pytest.approx(s["photon"])}]


def test_a_mass_and_the_woman() -> None:
    said = run("177Lu", "--phantom", "adult_female", "--target", "kidneys", "--source", "kidneys", "--mass",
               "kidneys=0.2kg")
    s = organ_s_values("177Lu", "adult_female", {"kidneys": 200.0})["kidneys", "kidneys"]
    assert f"{sum(s.values()):.4g}" in said and "adult female" in said


def test_doses_from_activities() -> None:
    rows = json.loads(run("177Lu", "--activity", "kidneys=150", "--activity", "marrow=5", "--json"))["rows"]
    kidneys = next(row for row in rows if row["organ"] == "kidneys")
    s = organ_s_values("177Lu", targets=["kidneys"], sources=["kidneys"])["kidneys", "kidneys"]
    assert kidneys["beta_Gy"] == pytest.approx(150.0 * 3.6e9 * s["beta"])


@pytest.mark.parametrize(("arguments", "said"), [
    (("--activity", "kidneys"), "a sign between"),
    (("--activity", "kidneys=1", "--activity", "kidneys=2"), "given twice"),
    (("--activity", "kidneys=much"), "must be|as a number"),
    (("--activity", "kidneys=nan"), "must be finite"),
    (("--activity", "kidneys=1", "--target", "liver"), "leave out --target"),
    (("--mass", "kidneys=280"), "--mass kidneys=280: .*unit"),
    (("--daughters", "all"), "--daughters"),
    (("--target", "kidney"), "No target organ"),
])
def test_mistakes(arguments: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(app, ["organs", "177Lu", *arguments])
    assert isinstance(done.exception, BadInput)
    with pytest.raises(BadInput, match=said):
        raise done.exception
