"""Rules over generated tissues: found where there is one, tested on what did not make them."""

from __future__ import annotations

import numpy as np
import pytest

import nichedose.study.guideline as module
from nichedose.errors import BadInput
from nichedose.report import findings_text, render_findings
from nichedose.study.guideline import AXES, guideline
from nichedose.study.rules import rules_of

RNG = np.random.default_rng(2)
POINTS = RNG.uniform(size=(400, 4))


def test_a_rule_with_two_conditions_is_found() -> None:
    winners = ["x" if a < 0.5 and b >= 0.35 else "y" for a, b, *_ in POINTS]
    rules = rules_of(POINTS, winners, list(AXES))
    assert sum(r.right for r in rules) > 0.95 * sum(r.cases for r in rules)
    [rule] = [r for r in rules if r.winner == "x"]
    levels = {axis: level for axis, _, level in rule.conditions}
    assert levels == {"perfusion": pytest.approx(0.5, abs=0.05), "heterogeneity": pytest.approx(0.35, abs=0.05)}
    assert rule.without == 0  # "y" is the usual winner


def test_no_rule_is_invented_from_noise() -> None:
    """Of 40 coin-toss families a split is made in 5 % each: more than 6 would be a chance of 1 in 100."""
    made = [len(rules_of(POINTS[:100], RNG.choice(["x", "y"], 100).tolist(), list(AXES))) > 1 for _ in range(40)]
    assert sum(made) <= 6


def test_one_winner_is_one_rule() -> None:
    [rule] = rules_of(POINTS, ["x"] * 400, list(AXES))
    assert rule.conditions == () and rule.right == rule.cases == 200


def test_a_small_guideline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPACING_UM", 100.0)
    monkeypatch.setattr(module, "SIDE_UM", 1000.0)
    found = guideline("PSMA-617", tissues=24, workers=1)
    assert len(found.numbers["winners"]) == 24
    assert sum(found.numbers["share"].values()) == pytest.approx(1.0)
    assert "Rules" in findings_text(found)
    page = render_findings(found)
    assert page.count('<figure class="winners">') == 2
    told = {u.key: u.value for u in found.values_used}
    assert "form.PSMA-617.internalisation_per_h" in told
    assert all(v.source is None or v.source in found.sources for v in told.values())


def test_what_makes_no_guideline() -> None:
    with pytest.raises(BadInput, match="Did you mean 'PSMA-617'"):
        guideline("PSMA-671")
    with pytest.raises(BadInput, match="24 or more"):
        guideline("PSMA-617", tissues=3)
