"""Ligand design on the synthetic section: limits that must hold, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from plan_cases import demo_case

from decide_cases import lesion
from nichedose.case import Case
from nichedose.decide import Administration, course_effect
from nichedose.errors import BadInput, OutOfValidity
from nichedose.findings import Findings
from nichedose.report import findings_text, render_findings
from nichedose.study.design import DesignSpace, design_case, net_kill

SPACE = DesignSpace((0.3, 1e4), (1.0, 150.0), (0.06,), ("64Cu", "177Lu"))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Path]:
    return demo_case(tmp_path_factory.mktemp("design"), draws=0, workers=1, grid_spacing=160.0)


@pytest.fixture(scope="module")
def found(case: tuple[Case, Path]) -> Findings:
    return design_case(*case, "177Lu-PSMA-617", space=SPACE, draws=0)


def kill(found: Findings, **wanted: object) -> float:
    [one] = [d for d in found.numbers["designs"] if all(d[k] == v for k, v in wanted.items())]
    return float(one["log_kill"])


def test_a_ligand_that_hardly_binds_kills_less(found: Findings) -> None:
    for mass in (1.0, 150.0):
        for clock in ("64Cu", "177Lu"):
            weak, strong = (kill(found, affinity_nmol_per_L=a, molar_mass_kDa=mass, clock=clock) for a in (1e4, 0.3))
            assert weak < strong


def test_every_design_is_told(found: Findings) -> None:
    assert len(found.numbers["designs"]) == 8
    assert "at the end of" in findings_text(found)
    page = render_findings(found)
    assert page.count('<figure class="winners">') == 2
    assert all(u.value.source is None or u.value.source in found.sources for u in found.values_used)


def test_growth_favours_what_decays_in_time(case: tuple[Case, Path], found: Findings) -> None:
    fast = design_case(*case, "177Lu-PSMA-617", space=SPACE, draws=0, doubling_time_h=48.0)
    ratio = [kill(f, affinity_nmol_per_L=0.3, molar_mass_kDa=1.0, clock="64Cu")
             - kill(f, affinity_nmol_per_L=0.3, molar_mass_kDa=1.0, clock="177Lu") for f in (found, fast)]
    assert ratio[1] > ratio[0]


def test_net_kill_is_below_the_gross_and_approaches_it() -> None:
    one = lesion()
    gross = course_effect(one, [Administration("A", 4000.0)]).log_kill
    slow, fast = (net_kill(one, "A", 4000.0, 1, t) for t in (1e9, 500.0))
    assert fast < slow < gross
    assert slow == pytest.approx(gross, rel=0.02)
    assert net_kill(one, "A", 4000.0, 3, None) == pytest.approx(3.0 * gross, rel=0.2)
    assert np.isfinite(fast)


def test_what_cannot_be_designed(case: tuple[Case, Path]) -> None:
    with pytest.raises(BadInput, match="Did you mean '177Lu-PSMA-617'"):
        design_case(*case, "177Lu-PSMA-671")
    with pytest.raises(BadInput, match="SSTR2"):
        design_case(*case, "177Lu-DOTATATE")
    for space in ({"affinities_nmol_per_L": (1e6,)}, {"molar_masses_kDa": (900.0,)}, {"molar_masses_kDa": ()},
                  {"internalisations_per_h": (-1.0,)}):
        with pytest.raises(OutOfValidity):
            DesignSpace(**space)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="half-life"):
        DesignSpace(clocks=())
