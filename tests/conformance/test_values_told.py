"""Every library value that a decision asked for stands on its page, with its source and kind of evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from plan_cases import demo_case

import nichedose.study.guideline as guideline_module
from nichedose.case import Case, Combination
from nichedose.findings import Findings
from nichedose.report import render_findings
from nichedose.study.design import DesignSpace, design_case
from nichedose.study.guideline import guideline
from nichedose.study.optimise import course_case
from nichedose.study.partners import with_partners
from nichedose.study.rank import RankQuestion, rank_case
from nichedose.study.threshold import threshold_case
from nichedose.values import Draw, Value

PAIR = Combination(agents=("225Ac-PSMA-617", "225Ac-FAP-2286"), cycles=2, interval="8 wk")  # type: ignore[arg-type]
SPACE = DesignSpace((3.0,), (1.0, 15.0), (0.06,), ("177Lu",))
ASKED: dict[str, Callable[[Case, Path], Findings]] = {
    "rank": lambda case, path: rank_case(
        case.model_copy(update={"combinations": (PAIR,)}), path, RankQuestion(partners=("losartan",))),
    "optimise": lambda case, path: course_case(
        with_partners(case, ["losartan"]), path, ["177Lu-PSMA-617", "225Ac-PSMA-617 + losartan"], cycles=(2, 2),
        interval_h=(1008.0, 1008.0)),
    "threshold": lambda case, path: threshold_case(case, path, "pressure", down_to=0.3),
    "design": lambda case, path: design_case(case, path, "177Lu-PSMA-617", space=SPACE, draws=1),
    "guideline": lambda case, path: guideline("PSMA-617", tissues=24, workers=1),
}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Path]:
    case, path = demo_case(tmp_path_factory.mktemp("told"), draws=1, workers=1, grid_spacing=160.0)
    return case.model_copy(update={"candidates": case.candidates[:2]}), path


@pytest.mark.parametrize("question", ASKED)
def test_no_value_of_a_decision_is_left_untold(
    question: str, case: tuple[Case, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever any draw was asked for, wherever in the run, must be told; the run stays in this process."""
    asked: dict[str, Value] = {}
    plain = Draw.__call__

    def spied(self: Draw, key: str, value: Value) -> float:
        asked[key] = value
        return plain(self, key, value)

    monkeypatch.setattr(Draw, "__call__", spied)
    monkeypatch.setattr(guideline_module, "SPACING_UM", 100.0)
    monkeypatch.setattr(guideline_module, "SIDE_UM", 1000.0)
    found = ASKED[question](*case)
    told = {u.key: u.value for u in found.values_used}
    assert len(asked) > 20
    assert set(asked) <= set(told), sorted(set(asked) - set(told))
    rows = render_findings(found).replace("<wbr>", "")
    for key, value in told.items():
        row = rows[rows.index(f'<span class="key">{key}</span>') :].split("</tr>", 1)[0]
        assert f">{value.evidence}<" in row, key
        if value.source is None:
            assert value.evidence in ("assumed", "definition"), key
        else:
            assert found.sources[value.source].citation.split("&")[0][:20] in row.replace("&#39;", "'"), key
