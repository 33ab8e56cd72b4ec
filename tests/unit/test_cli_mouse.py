"""`nichedose mouse`: from a table to findings, and mistakes in tables named."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nichedose.cli import app
from nichedose.errors import BadInput
from nichedose.io.biodistribution import read_biodistribution

HEAD = "organ,time_h,mean,sd,animals,unit,decay_corrected\n"
ROWS = ("Kidneys,1,97.2,20,4,%ID/g,true\nkidney,24,0.58,,,%ID/g,true\nliver,1,0.26,0.1,4,%ID/g,true\n"
        "liver,24,0.03,,,%ID/g,true\nliver,72,0,,,%ID/g,true\n")


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def example() -> str:
    """The table of the how-to page."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "plate_chip_mouse.md"
    return page.read_text("utf-8").split("```csv\n")[1].split("```")[0]


def test_from_table_to_page(tmp_path: Path) -> None:
    table = write(tmp_path, example() + "liver,72,0,,,%ID/g,true\n")
    done = CliRunner().invoke(app, [
        "mouse", str(table), "--agent", "177Lu-PSMA-617", "--ligand", "0.1 nmol", "--draws", "16", "--page",
        str(tmp_path / "p.html"), "--residuals", str(tmp_path / "r.csv"), "--human", str(tmp_path / "h.csv"), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert len(said["residuals"]) == 11 and said["left_out"] == 1
    methods = {row["method"] for row in said["human"] if row["organ"] == "kidney"}
    assert methods == {"none", "relative mass", "time", "mass and time", "equations, organs as in the mouse",
                       "equations, organs as in patients"}
    assert all(row["low_h"] <= row["median_h"] <= row["high_h"] for row in said["human"])
    page = (tmp_path / "p.html").read_text("utf-8")
    assert "Where it holds" in page and "Cicone" in page
    assert "Uptake over time" in page and 'class="mark"' in page
    with (tmp_path / "h.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(said["human"]) == 12
    assert (tmp_path / "r.csv").read_text("utf-8").count("\n") == 12


def test_what_the_reader_takes(tmp_path: Path) -> None:
    table = read_biodistribution(write(tmp_path, HEAD + ROWS))
    assert table.organs == ("kidney", "liver") and table.decay_corrected
    assert table.points[0].animals == 4 and table.points[1].sd is None


@pytest.mark.parametrize(("text", "says"), [
    (HEAD + ROWS.replace("%ID/g", "%ID"), "line 2: the unit is %ID, per organ"),
    (HEAD + ROWS.replace("%ID/g", "SUV"), "line 2: the unit must be one of"),
    (HEAD + ROWS.replace("Kidneys,1,97.2", "Kidneys,,97.2"), "line 2: time_h is missing"),
    (HEAD + ROWS.replace("97.2", "-97.2"), "line 2: .*not negative"),
    (HEAD + ROWS.replace("97.2", "many"), "line 2: mean must be a number"),
    (HEAD + ROWS.replace("true", "maybe", 1), "line 2: decay_corrected must be"),
    (HEAD + ROWS.replace("true", "false", 1), "true in some rows"),
    (HEAD + ROWS.replace(",4,", ",4.5,", 1), "whole number"),
    (HEAD.replace("time_h", "hours") + ROWS, "'time_h' is missing"),
    (HEAD.replace("sd", "sem") + ROWS, "no column 'sem'"),
    (HEAD + "kidney,1,97.2,,,%ID/g,true\n", "at least two"),
    (HEAD + "\n,,,,,,\n" + ROWS.replace("97.2", "many"), "line 4: mean must be a number"),
    (HEAD + ROWS.replace("true", "true,9"), "more cells than the first line"),
    (HEAD + ",,,,,,\n", "has no rows"),
])
def test_mistakes_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_biodistribution(write(tmp_path, text))


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none.csv: no such table"):
        read_biodistribution(tmp_path / "none.csv")


def test_antibodies_have_no_mouse(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["mouse", str(write(tmp_path, HEAD + ROWS)), "--agent", "177Lu-J591", "--ligand",
                                    "0.1 nmol"])
    assert isinstance(done.exception, BadInput) and "no mouse set for antibodies" in str(done.exception)


def test_an_unknown_agent_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["mouse", str(write(tmp_path, HEAD + ROWS)), "--agent", "177Lu-PSMA-671", "--ligand",
                                    "0.1 nmol"])
    assert isinstance(done.exception, BadInput) and "177Lu-PSMA-617" in str(done.exception)
