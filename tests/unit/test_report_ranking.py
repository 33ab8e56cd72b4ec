"""What a row of the ranking says, and at which activity doses and maps hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from report_fake import fake_result

from nichedose.report import render_report
from nichedose.report.format import LARGEST_LOG_KILL
from nichedose.report.histograms import survival_chart
from nichedose.report.maps import section_maps
from nichedose.report.ranking import ModePanel, mode_panels
from nichedose.report.tables import organ_rows
from nichedose.results import ModeResult, PlanResult, Quantiles

RESULT = fake_result(n=12, agents=6, evaluable=6, sections=1)


def edited(result: PlanResult, **changes: object) -> PlanResult:
    """Every mode of every candidate with ``changes``; a callable gets the candidate's place."""
    def mode(place: int, m: ModeResult) -> ModeResult:
        return replace(m, **{k: v(place) if callable(v) else v for k, v in changes.items()})  # type: ignore[arg-type]

    return replace(result, candidates=tuple(
        replace(c, modes={k: mode(i, m) for k, m in c.modes.items()}) for i, c in enumerate(result.candidates)))


def panel(result: PlanResult, mode: str) -> ModePanel:
    return next(p for p in mode_panels(result) if p.mode == mode)


def test_equal_toxicity_names_the_organ_without_a_dose_of_another_activity() -> None:
    row = panel(RESULT, "equal_toxicity").rows[0]
    assert row.limiting.text == "kidneys" and "Gy" not in row.limiting.interval
    assert row.limiting.interval == "first in the central run; every draw is at a limit"  # or marrow
    kidneys = RESULT.candidates[0].modes["equal_toxicity"].organs[:1]
    assert panel(edited(RESULT, organs=kidneys), "equal_toxicity").rows[0].limiting.interval == (
        "at its limit in every draw")
    assert panel(RESULT, "as_prescribed").rows[0].limiting.interval == "24.4 of 23.0 Gy in the central run"


def test_organ_doses_maps_and_histograms_say_their_activity() -> None:
    rows = organ_rows(RESULT.candidates, "as_prescribed")
    assert rows[0].course == "7.40 GBq per administration, whole course of 4"
    layers = section_maps(RESULT, [])[0].layers
    at = {x.candidate: x.note for x in layers if x.key == "dose"}
    assert at["177Lu-PSMA-617"].endswith(
        "At 7.40 GBq per administration, whole course of 4. The central run has a mean dose of 48.0 Gy; over the draws "
        "it is 48.0 Gy (25.3 to 91.2).")
    assert "At 7.20 MBq per administration, whole course of 4." in at["225Ac-PSMA-617"]
    kill = next(x.note for x in layers if x.key == "survival" and x.candidate == "177Lu-PSMA-617")
    assert "The central run has a log kill of" in kill and "over the draws it is" in kill
    assert not any("per administration" in x.note for x in layers if not x.candidate)
    page = render_report(RESULT)
    assert "Both hold for the activities of the central run" in page


@pytest.mark.parametrize(("shift", "named"), [(0, 0), (1, 0), (2, 3)])
def test_dose_and_survival_ranks_are_contrasted_only_where_it_matters(shift: int, named: int) -> None:
    doses = np.roll(np.arange(6.0, 0.0, -1.0), shift) if shift != 1 else np.array([5.0, 6.0, 3.0, 4.0, 1.0, 2.0])
    note = panel(edited(RESULT, mean_dose_Gy=lambda i: Quantiles(doses[i])), "as_prescribed").dose_note
    assert note.count("by log kill") == named and bool(note) == bool(named)


def test_the_central_run_is_a_ring_where_it_lies_on_the_axis() -> None:
    shown = panel(edited(RESULT, log_kill=lambda i: Quantiles((4.0, 50.0)[i % 2], 1.0, 2.0, 5.0)), "as_prescribed")
    on, beyond = (row.track for row in shown.rows[:2])
    assert on is not None and on.central == pytest.approx(100.0 * 4.0 / shown.axis.high)
    assert beyond is not None and beyond.central is None
    assert "A ring marks the central run" in render_report(RESULT)


def test_log_kill_axis_ends_at_ten() -> None:
    high = edited(RESULT, log_kill=lambda i: Quantiles(30.0 - i, 8.0, 30.0 - i, 60.0))
    shown = panel(high, "as_prescribed")
    assert shown.axis.high == LARGEST_LOG_KILL and shown.beyond
    first = shown.rows[0]
    assert first.track is not None and first.track.dot == 100.0 and first.track.cut
    assert (first.log_kill.text, first.log_kill.interval) == ("over 10", "8.00 to over 10")
    assert "beyond any measurement of the linear-quadratic model" in render_report(high)
    low = edited(RESULT, log_kill=lambda i: Quantiles(0.5 / (i + 1)), log_kill_positive=None)
    assert not panel(low, "as_prescribed").beyond
    for kill in (7.0, 9.5, 10.0):
        assert panel(edited(RESULT, log_kill=Quantiles(kill, 1.0, kill, 90.0)), "as_prescribed").axis.high <= 10.0


def test_survival_maps_and_histograms_end_at_ten_decades() -> None:
    section = RESULT.sections[0]
    maps = section.candidates.assign(survival_log10=8.0 * section.candidates["survival_log10"])
    maps = maps.assign_coords(log10_survival_bin=4.0 * maps["log10_survival_bin"])
    result = replace(RESULT, sections=(replace(section, candidates=maps),))
    assert float(maps["survival_log10"].min()) < -20.0
    layers = [x for x in section_maps(result, [])[0].layers if x.key == "survival"]
    assert min(x.coded.minimum for x in layers) == -10.0 and all(x.least == -10.0 for x in layers)
    chart = survival_chart(result.sections[0], [c.name for c in result.candidates], 0)
    assert chart is not None and chart.x_axis.low >= -10.0
