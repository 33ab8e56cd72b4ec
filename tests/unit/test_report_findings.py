"""Pages of findings: charts whose lines have gaps, and groups that stand where their own means lie."""

from __future__ import annotations

import html
import json
import math
import re

import numpy as np
import pytest

from nichedose.findings import FindingChart, Findings, Part
from nichedose.report import render_findings
from nichedose.report.penetration_page import _by_band

GAPS = FindingChart("Kept", "A line with a gap.", "factor", "log kill", (1.0, 2.0, 3.0),
                    {"whole": (0.5, 1.23456789, 2.0), "late": (math.nan, 1.0, 2.0)})  # fmt: skip


def test_a_line_with_gaps_is_drawn_and_read_where_it_has_values() -> None:
    page = render_findings(Findings("t", "a", (Part("p", charts=(GAPS,)),)))
    [data] = [json.loads(html.unescape(text)) for text in re.findall(r'data-chart="([^"]*)"', page)]
    assert [s["y"] for s in data["series"]] == [[0.5, 1.235, 2.0], [None, 1.0, 2.0]]
    assert data["yUnit"] == ""  # not per cent, as in histograms
    drawn = re.findall(r'<polyline data-series="\d" points="([^"]*)"', page)
    assert [len(points.split()) for points in drawn] == [3, 2]


def test_groups_stand_at_their_own_mean_target() -> None:
    """Uptake that is the target itself lies on the diagonal, whichever voxels a group holds."""
    target = np.geomspace(1.0, 100.0, 60)
    band, low = np.arange(60) // 20, np.arange(60) % 20 < 5  # of each third the least quarter
    x, lines = _by_band(target, target, band, {"all": np.ones(60, bool), "low": low, "absent": band == 0})
    assert list(lines) == ["all", "low"] and len(x) == 6
    for line in lines.values():
        known = np.isfinite(line)
        np.testing.assert_allclose(np.array(line)[known], np.array(x)[known], rtol=1e-12)
    own = [float(target[low & (band == b)].mean()) for b in range(3)]
    assert x[0] == pytest.approx(own[0]) and set(np.round(own, 9)) <= set(np.round(x, 9))
    assert np.isnan(lines["low"][-1]) and np.isnan(lines["all"][0])  # nothing beyond a group's own means
