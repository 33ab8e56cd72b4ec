"""`optimise` and `threshold` on the synthetic section, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from plan_cases import demo_case
from typer.testing import CliRunner

from nichedose.case import Administration, Candidate, CandidatePartner, Case
from nichedose.cli import app
from nichedose.decide import CourseSpace, optimise_course, random_search
from nichedose.effect import Repopulation
from nichedose.errors import BadInput, OutOfValidity
from nichedose.report import findings_text, render_findings
from nichedose.study.optimise import _at_times, course_case
from nichedose.study.responses import prepare, respond
from nichedose.study.threshold import crossing, flip, threshold_case, uptake_elasticity

AGENTS = ("177Lu-PSMA-617", "225Ac-PSMA-617", "177Lu-FAP-2286")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Path]:
    case, path = demo_case(tmp_path_factory.mktemp("commands"), draws=2, workers=1, grid_spacing=160.0)
    return case.model_copy(update={"candidates": tuple(c for c in case.candidates if c.agent in AGENTS)}), path


def test_a_real_objective_beats_a_thousand_random_courses(small: tuple[Case, Path]) -> None:
    """The synthetic section, three agents, times free: at most a tenth of the evaluations."""
    found = respond(prepare(*small))
    space = CourseSpace(AGENTS, 3, (672.0, 1680.0), 72.0)
    growth = Repopulation(1440.0)
    best = optimise_course(found.draws, space, limits=found.central, growth=growth)
    yardstick = random_search(found.draws, space, 1000, limits=found.central, growth=growth, seed=4)
    assert best.value > yardstick.value
    assert best.evaluations <= 100
    assert max(best.shares.values()) == pytest.approx(1.0, abs=1e-5)


def test_findings_of_an_optimised_course(small: tuple[Case, Path]) -> None:
    found = course_case(*small, ["177Lu-PSMA-617", "177Lu-FAP-2286"], cycles=(1, 2), interval_h=(1008.0, 1008.0))
    assert set(found.numbers["by_cycles"]) == {"1", "2"}
    best = found.numbers["value"]
    assert best >= max(found.numbers["alone"].values()) - 1e-6
    assert "Organs" in findings_text(found) and "share of its limit" in render_findings(found)
    worst = max(share for share in found.numbers["passed"].values() if share == share)
    assert worst > 0.0 and f"in {100.0 * worst:.0f} % of the draws it takes" in found.answer
    fewest = found.numbers["cycles"] == 1
    assert fewest is ("The fewest cycles tried win" in found.answer)
    assert any("mass of ligand" in a for a in found.assumptions)


def test_interval_of_an_optimised_course_is_net_of_growth_as_its_mean_is(small: tuple[Case, Path]) -> None:
    found = course_case(*small, ["177Lu-PSMA-617"], cycles=(4, 4), interval_h=(1008.0, 1008.0), doubling_time_h=480.0)
    assert np.mean(found.numbers["log_kills"]) == pytest.approx(found.numbers["value"], rel=1e-6)


def test_only_a_partner_puts_a_candidate_at_the_times_of_the_search() -> None:
    how = Administration(target_by_cycle=(1.0, 0.8, 0.6))
    plain = Candidate(agent="177Lu-PSMA-617", cycles=3, administration=how)
    assert _at_times(plain, (5, 1008.0)) == plain
    beside = _at_times(plain.model_copy(update={"partners": (CandidatePartner(name="losartan"),)}), (5, 1008.0))
    assert (beside.cycles, beside.interval) == (5, 1008.0)
    assert beside.administration.target_by_cycle == (1.0, 0.8, 0.6, 0.6, 0.6)


def test_a_mode_that_the_case_leaves_out_is_swept_too(small: tuple[Case, Path]) -> None:
    """It was taken for a ranking that never flips."""
    case, path = small
    only = case.model_copy(update={"comparison": case.comparison.model_copy(
        update={"modes": ("equal_toxicity",), "decide_by": "equal_toxicity"})})
    found = threshold_case(only, path, "perfusion", down_to=0.5, mode="as_prescribed", draws=1)
    assert found.numbers["mode"] == "as_prescribed"
    first = next(part for part in found.parts if part.title == "Where the ranking flips").tables[0].rows
    assert sorted(row[1] for row in first)[-1] == "100 %"


def test_thresholds_of_a_sweep(small: tuple[Case, Path]) -> None:
    found = threshold_case(*small, "perfusion", down_to=0.03, mode="as_prescribed")
    for numbers in found.numbers["candidates"].values():
        assert len(numbers["elasticity"]) == len(found.numbers["factors"]) == 7
    text = findings_text(found)
    assert "never below" in text and "first place changes" in text
    assert "<polyline" in render_findings(found)


def test_a_sweep_says_its_answer_once_and_takes_growth_off(small: tuple[Case, Path]) -> None:
    """With regrowth a slow killer loses its place: kill is net of it, in the case's words or those of the question."""
    case, path = small
    stated = case.model_copy(update={"effect": case.effect.model_copy(update={"clonogen_doubling_time": 480.0})})
    without, asked, of_case, other = (
        threshold_case(*question, "perfusion", down_to=0.5, mode="as_prescribed", draws=0, doubling_time_h=hours)
        for question, hours in ((small, None), (small, 480.0), ((stated, path), None), ((stated, path), 960.0)))
    assert findings_text(asked).count(asked.answer) == 1 and asked.answer not in asked.parts[2].text
    kills = [max(line[-1] for line in found.parts[2].charts[0].lines.values()) for found in (without, asked)]
    assert kills[1] < kills[0] - 0.1
    assert asked.parts[2].charts == of_case.parts[2].charts != other.parts[2].charts
    assert [found.numbers["doubling_time_h"] for found in (without, asked, other)] == [None, 480.0, 960.0]
    assert "double every 40 d between administrations (the case says 20 d)" in findings_text(other)


def test_less_oxygen_changes_survival_and_not_uptake(small: tuple[Case, Path]) -> None:
    found = threshold_case(*small, "hypoxia", down_to=0.2, mode="as_prescribed", draws=0)
    for numbers in found.numbers["candidates"].values():
        assert numbers["elasticity"] == pytest.approx([numbers["elasticity"][0]] * 7, rel=1e-9)
    oxygen = found.numbers["oxygen_mmHg"]
    assert oxygen[-1] < 0.8 * oxygen[0]


def section(density: np.ndarray, uptake: np.ndarray) -> Any:
    tissue = SimpleNamespace(mask=np.ones((1, 4), dtype=bool),
                             targets={"T": SimpleNamespace(total_nmol_per_L=density)})
    return SimpleNamespace(sections=(SimpleNamespace(
        tissue=tissue, clonogens={"a": np.ones((1, 4))}, tia_MBq_h_per_L=uptake),))


def test_elasticity_of_made_up_uptake() -> None:
    density = np.array([[1.0, 2.0, 4.0, 8.0]])
    assert uptake_elasticity(section(density, 3.0 * density), "T") == pytest.approx(1.0)
    assert uptake_elasticity(section(density, np.sqrt(density)), "T") == pytest.approx(0.5)
    assert uptake_elasticity(section(density, np.ones((1, 4))), "T") == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(uptake_elasticity(section(np.ones((1, 4)), density), "T"))


def test_crossings_and_flips_by_hand() -> None:
    factors = np.array([1.0, 0.1, 0.01])
    assert crossing(factors, np.array([0.7, 0.6, 0.5]), 0.8) == 1.0
    assert np.isnan(crossing(factors, np.array([1.0, 0.95, 0.9]), 0.8))
    place, name = flip(factors, {"a": np.array([2.0, 1.0, 0.0]), "b": np.array([1.0, 1.0, 1.0])})
    assert (place, name) == (pytest.approx(0.1), "b")
    assert np.isnan(flip(factors, {"a": np.array([2.0, 2.0, 2.0]), "b": np.ones(3)})[0])


def test_sweeps_outside_the_model_and_unknown_barriers(small: tuple[Case, Path]) -> None:
    for factor in (0.001, 1.0, 2.0, float("nan")):
        with pytest.raises(OutOfValidity, match="leaves the range"):
            threshold_case(*small, "perfusion", down_to=factor)
    with pytest.raises(BadInput, match="Did you mean 'perfusion'"):
        threshold_case(*small, "perfusions")


@pytest.mark.parametrize(("options", "words"), [
    (["optimise", "CASE", "--agents", "177Lu-DOTATATE"], "SSTR2"),
    (["optimise", "CASE", "--agents", "177Lu-PSMA-671"], "Did you mean"),
    (["optimise", "CASE", "--agents", "177Lu-PSMA-617", "--cycles", "two"], "cannot be read"),
    (["optimise", "CASE", "--agents", "177Lu-PSMA-617", "--cycles", "4..2"], "smaller number first"),
    (["optimise", "CASE", "--agents", "177Lu-PSMA-617", "--interval", "6"], "no unit"),
    (["optimise", "CASE", "--agents", "177Lu-PSMA-617", "--interval", "8 wk..6 wk"], "not end before"),
    (["optimise", "CASE", "--agents", "177Lu-PSMA-617,225Ac-PSMA-617", "--longest-delay", "7 wk"],
     "overlap impossibly"),
    (["rank", "CASE", "--objective", "joy"], "not computed"),
    (["rank", "CASE", "--doubling-time", "0 d"], "--doubling-time: '0 d' is below the smallest allowed"),
    (["threshold", "CASE", "--barrier", "hypoxia", "--doubling-time", "0 d"], "below the smallest allowed"),
    (["design", "CASE", "--agent", "x", "--doubling-time", "60"], "--doubling-time: '60' has no unit"),
    (["optimise", "CASE", "--agents", "x", "--interval", "4 wk..10"], "--interval: '10' has no unit"),
    (["optimise", "CASE", "--agents", "177Lu-PSMA-617", "--longest-delay", "24 h"], "delay within a cycle"),
    (["optimise", "CASE", "--agents", "x", "--longest-delay", "2 Gy"], "--longest-delay: '2 Gy' measures dose"),
    (["rank", "CASE", "--objective", "organ_burden", "--mode", "equal_toxicity"], "nothing but rounding"),
    (["rank", "CASE", "--mode", "equal"], "Unknown comparison mode"),
    (["rank", "CASE", "--draws", "0"], "decided over draws"),
    (["rank", "CASE", "--limit", "kidney absorbed_dose 18: us"], "The limit 'kidney absorbed_dose 18: us': '18' has"),
    (["rank", "CASE", "--condition", "log_kill >= 3", "--condition", "log_kill <= 2"], "contradict"),
    (["threshold", "CASE", "--barrier", "gravity"], "Unknown barrier"),
    (["threshold", "CASE", "--barrier", "hypoxia", "--page", "absent/page.html"], "does not exist"),
    (["body", "CASE", "--page", "."], "is a folder"),
    (["body", "CASE", "--organs", "absent/organs.csv"], "does not exist"),
    (["threshold", "CASE", "--barrier", "hypoxia", "--down-to", "0"], "leaves the range"),
])
def test_mistakes_on_the_command_line(tmp_path: Path, options: list[str], words: str) -> None:
    _, path = demo_case(tmp_path)
    text = path.read_text("utf-8").replace("draws = 32", "draws = 1\nworkers = 1\ngrid_spacing = \"160 um\"")
    path.write_text(text, "utf-8")
    done = CliRunner().invoke(app, [str(path) if o == "CASE" else o for o in options])
    assert done.exit_code != 0
    assert words in str(done.exception) + done.output
    assert isinstance(done.exception, BadInput | OutOfValidity | SystemExit)
