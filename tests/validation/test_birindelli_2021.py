"""Birindelli et al. 2021 (Cancers 13:3429, doi:10.3390/cancers13143429), read as an abstract.

Published: of radiobiologically hypoxic tissue 10 % (177Lu) and 5 % (225Ac) receive the target dose where vessels are
sparse, more than 85 % and 65 % where they are dense; 225Ac's dose is more heterogeneous. Target dose, threshold of
hypoxia and vessel densities were not read and are assumed: the shares move with them (to 90 % where vessels are sparse
at half the target dose), so that the contrast is tested, and the shares stand in docs/theory/birindelli_2021.md.
"""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.errors import BadInput
from nichedose.findings import Findings
from nichedose.study.birindelli import (
    BIRINDELLI_FINDINGS,
    VESSELS_PER_MM2,
    Reach,
    birindelli_scenario,
    judge_reach,
)


@pytest.fixture(scope="module")
def found() -> Findings:
    return birindelli_scenario(draws=3, workers=1)


def test_sparse_vessels_leave_most_hypoxic_tissue_below_the_target_and_dense_ones_do_not(found: Findings) -> None:
    shares = found.numbers["shares"]
    for nuclide in ("177Lu", "225Ac"):
        assert shares[f"poor {nuclide}"] < 1.0 / 3.0
        assert shares[f"well {nuclide}"] > 0.65
    assert shares["poor 177Lu"] > shares["poor 225Ac"]


def test_findings_that_hold(found: Findings) -> None:
    held = found.numbers["held"]
    assert set(held) == set(BIRINDELLI_FINDINGS)
    assert held["vessels"] == 1.0 and held["poor"] >= 0.5


def test_the_page_says_what_was_assumed(found: Findings) -> None:
    text = " ".join(found.assumptions)
    assert "assumed" in text and "abstract" in text
    assert {"target.PSMA.mean_density_nmol_per_L", "tissue.permeability_factor"} <= {v.key for v in found.values_used}


def test_judging_known_regions() -> None:
    def region(vessels: float, oxygen: float, lu: float, ac: float) -> Reach:
        uneven = np.array([[0.5, 1.5]])
        return Reach(vessels, np.full((1, 2), oxygen), {"177Lu": lu * np.ones((1, 2)), "225Ac": ac * uneven})

    regions = [region(v, 1.0, 1.0 + i, 1.0 + i) for i, v in enumerate(np.repeat(VESSELS_PER_MM2, 3))]
    judged = judge_reach(regions, 10.0, 0.9)
    assert judged["vessels"] and judged["heterogeneity"] and judged["well"]
    oxic = [region(v, 50.0, 1.0, 1.0) for v in np.repeat(VESSELS_PER_MM2, 3)]
    assert judge_reach(oxic, 10.0, 1.0)["poor"] is None


def test_no_draws_no_count() -> None:
    with pytest.raises(BadInput, match="ask for one or more"):
        birindelli_scenario(draws=0)
