"""Change between two time points: found when there, not found when only the place differs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tme_cases import LIBRARY, cell_section

from nichedose.errors import BadInput
from nichedose.tissue import ProfileOptions, TMEProfile, compare_profiles, profile

QUICK = ProfileOptions(bootstraps=50, region_key="region", nest_labels=("nest",), tile_um=125.0)


def profiled(seed: int, **densities: float) -> TMEProfile:
    return profile(cell_section(seed=seed, sample=f"s{seed}", **densities), LIBRARY, QUICK)


def test_a_fourfold_rise_of_t_cells_in_nests_is_found() -> None:
    report = compare_profiles(profiled(1, t_nest=100.0), profiled(2, t_nest=400.0))
    change = {c.name: c for c in report.changes}
    rise = change["cd8_t: density in nests"]
    assert rise.fold == pytest.approx(4.0, rel=0.35) and rise.p_holm is not None and rise.p_holm < 0.01
    assert rise.low is not None and rise.high is not None and rise.low < 4.0 < rise.high
    still = change["fibroblast: density in stroma"]
    assert still.p is not None and still.p > 0.01
    assert "cd8_t: density in nests" in report.summary and "One section" not in report.summary
    assert "cannot be told from a change in time" in report.summary and not report.between_sections
    json.dumps(report.as_dict(), allow_nan=False)


def test_without_a_change_p_is_even() -> None:
    """24 pairs of sections of one law: p < 0.1 about as often as it should be, in independent quantities."""
    profiles = [profiled(seed) for seed in range(10, 34)]
    p = [
        c.p for a, b in zip(profiles[::2], profiles[1::2], strict=True)
        for c in compare_profiles(a, b, samples=300).changes
        if c.p is not None and c.name.endswith(("in nests", "in stroma")) and not c.name.startswith("t_cell")
    ]
    assert len(p) > 80
    share = np.mean(np.array(p) < 0.1)
    assert share < 0.1 + 2.6 * np.sqrt(0.09 / len(p)) + 0.03  # a bootstrap of 64 tiles is a little narrow
    assert np.mean(p) == pytest.approx(0.5, abs=0.13)


def test_several_sections_bring_the_scatter_between_them_in() -> None:
    early = [profiled(40, t_nest=100.0), profiled(41, t_nest=250.0)]
    late = [profiled(42, t_nest=150.0), profiled(43, t_nest=330.0)]
    several = compare_profiles(early, late)
    one = compare_profiles(early[0], late[1])
    wide = {c.name: c for c in several.changes}["cd8_t: density in nests"]
    narrow = {c.name: c for c in one.changes}["cd8_t: density in nests"]
    assert several.between_sections
    assert wide.p is not None and narrow.p is not None and narrow.p < 1e-3 < wide.p


def test_what_cannot_be_compared_is_refused() -> None:
    a = profiled(1)
    free = profile(cell_section(seed=2), LIBRARY, ProfileOptions(bootstraps=50))
    with pytest.raises(BadInput, match="use the same for both"):
        compare_profiles(a, free)
    with pytest.raises(BadInput, match="at least one section"):
        compare_profiles([], a)
