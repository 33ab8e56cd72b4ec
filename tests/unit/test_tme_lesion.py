"""Several sections of one lesion: what differs beyond sampling, and what does not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tme_cases import LIBRARY, cell_section

from nichedose.errors import BadInput
from nichedose.tissue import ProfileOptions, TMEProfile, lesion_profile, profile
from nichedose.tissue.tme.lesion import random_effects

QUICK = ProfileOptions(bootstraps=100, region_key="region", nest_labels=("nest",), tile_um=125.0)


def profiled(seed: int, **densities: float) -> TMEProfile:
    return profile(cell_section(seed=seed, sample=f"s{seed}", **densities), LIBRARY, QUICK)


def test_the_spread_between_sections_is_recovered() -> None:
    """Known errors of 0.3 and a spread of 0.5 between 4 sections, 400 lesions: means to three standard errors."""
    rng = np.random.default_rng(0)
    error = np.full(4, 0.3)
    found = np.array([random_effects(1.0 + 0.5 * rng.standard_normal(4) + 0.3 * rng.standard_normal(4), error)
                      for _ in range(400)])
    assert found[:, 0].mean() == pytest.approx(1.0, abs=3.0 * 0.58 / np.sqrt(4 * 400))
    assert np.sqrt((found[:, 2] ** 2).mean()) == pytest.approx(0.5, abs=0.06)
    none = np.array([random_effects(0.3 * rng.standard_normal(4), error)[3] for _ in range(400)])
    assert (none < 0.1).mean() == pytest.approx(0.1, abs=0.045)  # three standard errors


def test_sections_that_differ_are_told_from_those_that_do_not() -> None:
    alike = lesion_profile([profiled(1), profiled(2)])
    apart = lesion_profile([profiled(1, t_nest=100.0), profiled(2, t_nest=600.0)], "patient 7")
    one, other = ({q.name: q for q in x.quantities} for x in (alike, apart))
    name = "cd8_t: per mm2 in nests"
    assert other[name].p is not None and other[name].p < 1e-3 and other[name].between is not None
    assert other[name].between > 1.5 and len(other[name].sections) == 2
    stroma = one["fibroblast: per mm2 in stroma"]
    assert stroma.p is not None and stroma.p > 0.01
    # the outermost 50 um of the section belong to no cell beyond: areas are some per cent smaller
    assert stroma.mean == pytest.approx(3000.0, rel=0.1)
    assert "cd8_t" in apart.summary and apart.patient == "patient 7"
    assert "immune phenotype differs" in apart.summary
    assert "cd8_t: per mm2 in nests" not in alike.summary
    json.dumps(apart.as_dict(), allow_nan=False)


def test_what_is_no_lesion_is_refused() -> None:
    with pytest.raises(BadInput, match="at least two"):
        lesion_profile([profiled(1)])
