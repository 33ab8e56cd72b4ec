"""When to block a checkpoint: the command, its answer, and what it refuses."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from nichedose.cli import app
from nichedose.errors import BadInput
from nichedose.findings import Findings
from nichedose.study.partner_timing import partner_timing


@pytest.fixture(scope="module")
def inflamed() -> Findings:
    return partner_timing("inflamed", delays_d=(-14.0, 7.0), draws=40)


def test_priming_first_gains_and_blocking_first_loses(inflamed: Findings) -> None:
    for series in inflamed.numbers["better_than_together"].values():
        assert series["7"] > 0.8 > 0.5 > series["-14"]
    assert inflamed.answer.startswith("Block the checkpoint 7 d after the dose")


def test_the_page_shows_the_arm_that_the_model_misses(inflamed: Findings) -> None:
    [table] = inflamed.parts[1].tables
    assert [row[-1] for row in table.rows] == ["NO", "yes"]
    assert "What these arms cannot tell" in inflamed.parts[1].text[1]
    assert any("cannot eliminate" in text for text in inflamed.assumptions)
    assert all(v.value.note or v.value.source for v in inflamed.values_used if v.value.evidence == "assumed")


def test_the_table_has_no_signed_zero_and_whole_days(inflamed: Findings) -> None:
    for table in inflamed.parts[0].tables:
        assert [row[0] for row in table.rows] == ["−14", "0", "7"]
        assert not any("-" in str(cell) or "+0.0" in str(cell) for row in table.rows for cell in row)


def test_without_lymphocytes_timing_does_not_matter() -> None:
    found = partner_timing("desert", delays_d=(7.0,), draws=40)
    assert found.answer.startswith("Both at once, or nearly")


@pytest.mark.parametrize(("arguments", "message"), [
    (["timing", "inflammed"], "Did you mean 'inflamed'"), (["timing", "--delays", "a,b"], "numbers of days"),
    (["timing", "--delays", "900"], "between -60 and 60"), (["timing", "--delays", "nan"], "between -60 and 60"),
])
def test_bad_input(arguments: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_json() -> None:
    done = CliRunner().invoke(app, ["timing", "--delays", "7", "--draws", "30", "--json"], catch_exceptions=False)
    assert done.exit_code == 0 and "better_than_together" in json.loads(done.stdout)
