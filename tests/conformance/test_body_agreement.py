"""Agents whose whole-body model misses published organ doses are named, in plans, decisions and `nichedose body`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
from body_case_files import body_case
from plan_cases import demo_case, run

from nichedose.case import Candidate
from nichedose.library import load_library
from nichedose.report import findings_text
from nichedose.study.body_agreement import AGREES_WITHIN, body_doubt, disagreements
from nichedose.study.body_findings import body_report
from nichedose.study.doubts import doubts_of
from nichedose.study.responses import prepare
from nichedose.study.section_maps import tissue_maps
from nichedose.study.setup import ResolvedCandidate, resolve

LIBRARY = load_library()


def candidate(agent: str) -> ResolvedCandidate:
    return resolve(body_case("", agent), LIBRARY, ()).candidates[0]


def with_dose(of: ResolvedCandidate, organ: str, **changed: object) -> ResolvedCandidate:
    """``of`` with another published dose of one organ."""
    doses = tuple(
        c.model_copy(update={"Gy_per_GBq": c.Gy_per_GBq.model_copy(update=changed)})
        if (c.organ, c.radionuclide) == (organ, of.radionuclide) else c for c in of.form.dose_coefficients)
    return dataclasses.replace(of, form=of.form.model_copy(update={"dose_coefficients": doses}))


@pytest.mark.parametrize(("agent", "organs"), [
    ("177Lu-FAP-2286", ["kidney", "marrow"]), ("225Ac-FAP-2286", ["kidney", "marrow"]), ("177Lu-J591", ["kidney"]),
    ("177Lu-DOTATATE", ["marrow"]), ("177Lu-PSMA-617", []), ("90Y-FAPI-46", []), ("177Lu-RM2", []),
    ("131I-omburtamab", []),
])  # fmt: skip
def test_agents_whose_organs_the_model_misses(agent: str, organs: list[str]) -> None:
    """RM2's organ doses are assumed, and omburtamab has no whole-body set: nothing to compare."""
    assert [d.organ for d in disagreements(candidate(agent))] == organs


def test_a_dose_differs_either_way_beyond_the_factor_alone() -> None:
    of = candidate("177Lu-FAP-2286")
    model = disagreements(of)[0].model_Gy_per_GBq
    assert 0.2 < model < 0.26  # 0.22 in 300 virtual patients
    for share, differs in ((1.01, True), (0.99, False), (0.99 / AGREES_WITHIN**2, True)):
        published = with_dose(of, "kidney", mean=share * AGREES_WITHIN * model)
        assert ("kidney" in [d.organ for d in disagreements(published)]) is differs
    far = {"value": None, "mean": 10.0 * AGREES_WITHIN * model, "evidence": "assumed", "source": None}
    assert "kidney" not in [d.organ for d in disagreements(with_dose(of, "kidney", **far))]


def test_the_doubt_in_words() -> None:
    text = body_doubt(candidate("177Lu-FAP-2286"))
    assert "more than 4-fold from published organ doses: kidney 0.23 against 1 Gy/GBq, marrow 0.01 against" in text
    assert "limits go by the latter" in text
    assert "derived from published ones: kidney 230 against 1000 Gy/GBq (alpha dose times 5)" in body_doubt(
        candidate("225Ac-FAP-2286"))
    assert body_doubt(candidate("177Lu-PSMA-617")) == ""


def test_the_body_command_says_so_beside_its_table() -> None:
    found = body_report(body_case("", "177Lu-FAP-2286", "177Lu-PSMA-617")).findings
    fap, psma = (found.numbers["candidates"][name] for name in ("177Lu-FAP-2286", "177Lu-PSMA-617"))
    assert [d["organ"] for d in fap["differs_from_published"]] == ["kidney", "marrow"]
    assert psma["differs_from_published"] == []
    assert findings_text(found).count("In doubt: the whole-body model differs") == 1


def test_a_plan_flags_the_candidate_and_decisions_say_why(tmp_path: Path) -> None:
    case, path = demo_case(tmp_path, draws=0, workers=1, grid_spacing=160.0)
    few = case.model_copy(update={"candidates": (Candidate(agent="177Lu-PSMA-617"), Candidate(agent="177Lu-FAP-2286"))})
    told = {c.name: c for c in run(few, path).result.candidates}
    assert told["177Lu-FAP-2286"].status == "flagged" and told["177Lu-PSMA-617"].status == "evaluable"
    assert any("kidney 0.23 against 1 Gy/GBq" in reason for reason in told["177Lu-FAP-2286"].reasons)
    setup = prepare(few, path)
    maps = tissue_maps(setup, setup.draw(), 160.0)
    assert any(text.startswith("177Lu-FAP-2286: the whole-body model differs") for text in doubts_of(
        setup, maps, ["177Lu-FAP-2286"]))
    fitted = dataclasses.replace(setup, measured=SimpleNamespace(forms={"177Lu-FAP-2286": None}))  # type: ignore[arg-type]
    assert not any("whole-body model" in text for text in doubts_of(fitted, maps, ["177Lu-FAP-2286"]))
