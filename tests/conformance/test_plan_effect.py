"""The options of the survival model, partner drugs and the answer to therapy, through the whole chain."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plan_cases import demo_case

from nichedose.case import CandidatePartner, Case, EffectOptions, parse_case
from nichedose.errors import BadInput, NotComputed
from nichedose.io import read_tissue
from nichedose.library import load_library
from nichedose.study.evaluate import Metrics
from nichedose.study.responses import lesion_response
from nichedose.study.section_maps import tissue_maps
from nichedose.study.setup import Setup, resolve
from nichedose.study.words import assumptions
from nichedose.study.world import World
from nichedose.tissue import model_section
from nichedose.values import Draw

SPACING_um = 150.0
LU, AC = "177Lu-PSMA-617", "225Ac-PSMA-617"


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    case, path = demo_case(tmp_path_factory.mktemp("demo"), draws=0)
    library = load_library()
    assay = read_tissue(path.parent / case.sections[0].path, "synthetic", aliases=library.aliases)
    model = model_section(assay, library.cell_types, library.targets, library.signatures, library.aliases)
    kept = tuple(c for c in case.candidates if c.agent in (LU, AC))
    return resolve(case.model_copy(update={"candidates": kept}), library, [model])


def metrics(setup: Setup, agent: str, partners: tuple[CandidatePartner, ...] = (), **options: Any) -> Metrics:
    """As prescribed, at the medians, on a coarse grid."""
    case = changed(setup.case, agent, partners, options)
    fresh = resolve(case, load_library(), setup.sections)
    draw = Draw(seed=1)
    world = World(fresh, draw, tissue_maps(fresh, draw, SPACING_um), pairs=2)
    [candidate] = fresh.candidates
    return world.evaluate(candidate)["as_prescribed"]


def changed(case: Case, agent: str, partners: tuple[CandidatePartner, ...], options: dict[str, Any]) -> Case:
    [candidate] = [c for c in case.candidates if c.agent == agent]
    return case.model_copy(update={
        "candidates": (candidate.model_copy(update={"partners": partners}),),
        "comparison": case.comparison.model_copy(update={"modes": ("as_prescribed",), "decide_by": "as_prescribed"}),
        "effect": EffectOptions(**options),
    })


@pytest.fixture(scope="module")
def plain(setup: Setup) -> dict[str, Metrics]:
    return {agent: metrics(setup, agent) for agent in (LU, AC)}


def test_oxygen_within_voxels_protects_and_reoxygenation_takes_some_back(
    setup: Setup, plain: dict[str, Metrics]
) -> None:
    stay = metrics(setup, LU, oxygen_within_voxels=True)
    anew = metrics(setup, LU, oxygen_within_voxels=True, reoxygenation=True)
    assert stay.mean_dose_Gy == pytest.approx(plain[LU].mean_dose_Gy)
    assert stay.log_kill < anew.log_kill
    assert stay.log_kill < plain[LU].log_kill


@pytest.mark.parametrize(("agent", "options", "sign"), [
    (LU, {"clonogen_doubling_time": "60 d"}, -1), (LU, {"slow_repair_half_time": "20 h"}, 1),
    (LU, {"bystander": True}, 1), (AC, {"alpha_dose_spread": 0.6}, -1), (AC, {"synergy": 0.5}, 1),
    (AC, {"rbe_alpha": "howell"}, 1), (LU, {"oer": "furusawa"}, -1), (LU, {"rbe_alpha": "howell"}, 0),
    (LU, {"alpha_dose_spread": 0.6}, 0), (LU, {"oer_alpha": "barendsen"}, 0), (LU, {"synergy": 0.5}, 0),
    (LU, {"answer": ("targets_decline",)}, -1),
])
def test_each_option_acts_in_its_direction_and_only_where_it_belongs(
    setup: Setup, plain: dict[str, Metrics], agent: str, options: dict[str, Any], sign: int
) -> None:
    change = metrics(setup, agent, **options).log_kill - plain[agent].log_kill
    assert change == pytest.approx(0.0, abs=1e-12) if sign == 0 else change * sign > 1e-4


def test_a_repair_score_protects_where_it_is_high(setup: Setup, plain: dict[str, Metrics]) -> None:
    """The demo's panel holds no repair genes, which is refused. A score of two standard deviations everywhere."""
    with pytest.raises(BadInput, match="no gene of its score"):
        metrics(setup, LU, dna_repair=True)
    [model] = setup.sections
    kill = {}
    for score in (-2.0, 2.0):
        traits = {"dna_repair": np.full(model.n_spots, score)}
        scored = dataclasses.replace(setup, sections=(dataclasses.replace(model, traits=traits),))
        kill[score] = metrics(scored, LU, dna_repair=True).log_kill
        assert metrics(scored, LU).log_kill == pytest.approx(plain[LU].log_kill, rel=1e-12)  # off unless asked for
    assert kill[2.0] < plain[LU].log_kill < kill[-2.0]


def test_the_alpha_form_moves_little_from_the_library(setup: Setup, plain: dict[str, Metrics]) -> None:
    """Both rest on the same data: 1.29 along the chain's tracks against the library's median of 1.3."""
    assert metrics(setup, AC, oer_alpha="barendsen").log_kill == pytest.approx(plain[AC].log_kill, rel=0.01)


def test_targets_decline_lowers_the_dose_by_their_mean(setup: Setup, plain: dict[str, Metrics]) -> None:
    """Six cycles at 1, 0.73, 0.5, 0.44, 0.44, 0.44: dose falls nearly in proportion (free label does not)."""
    ratio = metrics(setup, LU, answer=("targets_decline",)).mean_dose_Gy / plain[LU].mean_dose_Gy
    assert 0.55 < ratio < 0.75


def test_androgen_blockade_by_its_time(setup: Setup, plain: dict[str, Metrics]) -> None:
    """Two weeks before: more PSMA in the first cycle. Half a year before: less in all of them."""
    def dose(lead_h: float) -> float:
        return metrics(setup, LU, (CandidatePartner(name="enzalutamide", lead=f"{lead_h} h"),)).mean_dose_Gy

    assert dose(24.0 * 200) < plain[LU].mean_dose_Gy
    assert dose(24.0 * 200) < dose(24.0 * 14)


def test_hyaluronidase_waits_to_be_told(setup: Setup, plain: dict[str, Metrics]) -> None:
    silent = metrics(setup, LU, (CandidatePartner(name="PEGPH20", lead="24 h"),))
    assert silent.log_kill == plain[LU].log_kill and silent.mean_dose_Gy == plain[LU].mean_dose_Gy
    told = metrics(setup, LU, (CandidatePartner(name="PEGPH20", lead="24 h", stated=("hyaluronan_high",)),))
    assert told.mean_dose_Gy > plain[LU].mean_dose_Gy


def test_parp_inhibitor_in_prostate_changes_nothing(setup: Setup, plain: dict[str, Metrics]) -> None:
    assert metrics(setup, LU, (CandidatePartner(name="olaparib"),)).log_kill == plain[LU].log_kill


@pytest.mark.parametrize(("partner", "message"), [
    ({"name": "hyaluronidaze"}, "Did you mean 'hyaluronidase'"),
    ({"name": "olaparib", "stated": ["hyaluronan_high"]}, "asks for nothing stated"),
])
def test_unknown_partners(setup: Setup, partner: dict[str, Any], message: str) -> None:
    case = changed(setup.case, LU, (CandidatePartner(**partner),), {})
    with pytest.raises(BadInput, match=message):
        resolve(case, load_library(), setup.sections)


@pytest.mark.parametrize(("block", "message"), [
    ("[effect]\noer = 'barendson'\n", "oer"), ("[effect]\nsynergy = 2.0\n", "synergy"),
    ("[effect]\nreoxygenation = true\n", "oxygen_within_voxels"), ("[effect]\nanswer = ['grows']\n", "answer"),
    ("[effect]\nalpha_dose_spread = nan\n", "alpha_dose_spread"),
    ("[effect]\nclonogen_doubling_time = 60\n", "clonogen_doubling_time"),
    ("[effect]\nslow_repair_half_time = '0 h'\n", "slow_repair_half_time"), ("[effect]\noxigen = 1\n", "not a field"),
    ("[[candidates.partners]]\nname = 'x'\nlead = '1 d'\ndelay = '1 d'\n", "not both"),
    ("[[candidates.partners]]\nlead = '1 d'\n", "missing"),
])
def test_bad_options(block: str, message: str) -> None:
    text = ("title = 'x'\ntumour = 'prostate'\n[[sections]]\npath = 'p'\n[lesion]\ndiameter = '10 mm'\n[output]\n"
            f"folder = 'r'\n[[candidates]]\nagent = '{LU}'\n{block}")
    with pytest.raises(BadInput, match=message):
        parse_case(text)


def test_the_demo_folder_is_used(tmp_path: Path) -> None:
    assert demo_case(tmp_path, draws=0)[0].effect == EffectOptions()


def test_courses_are_not_composed_where_cycles_answer_to_the_dose(setup: Setup) -> None:
    fresh = resolve(changed(setup.case, LU, (), {"answer": ("targets_decline",)}), load_library(), setup.sections)
    draw = Draw(seed=1)
    world = World(fresh, draw, tissue_maps(fresh, draw, SPACING_um), pairs=2)
    with pytest.raises(NotComputed, match="its cycles meet different tissue"):
        lesion_response(world, fresh.candidates)


def test_the_report_says_what_partners_and_options_do(setup: Setup) -> None:
    partners = tuple(CandidatePartner(name=n) for n in ("PEGPH20", "anti-PD-1", "losartan"))
    case = changed(setup.case, LU, partners, {"oer": "antonovic", "answer": ("targets_decline",), "bystander": True})
    text = " ".join(assumptions(resolve(case, load_library(), setup.sections), SPACING_um))
    assert "does not state 'hyaluronan_high'" in text and "nichedose timing" in text
    assert "A scenario, its size assumed" in text and "0.73, 0.50, 0.44" in text
    assert "'antonovic'" in text and "bystander effect (size assumed)" in text
