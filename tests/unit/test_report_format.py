"""Numbers, units and charts of the report."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nichedose.report.format import (
    NOT_COMPUTED,
    activity,
    as_sentence,
    bare_name,
    cell_words,
    chance,
    count,
    distribution,
    duration,
    humanise,
    log_kill,
    number,
    percent,
    quantiles,
    range_of,
    survival,
    unit_of,
    unit_sign,
)
from nichedose.report.nodes import coverage, describe
from nichedose.report.svg import linear_axis, log_axis, polyline
from nichedose.results import Quantiles
from nichedose.values import Value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1.00"),
        (0.9999, "1.00"),
        (9.999, "10.0"),
        (999.9, "1000"),
        (1234.0, "1230"),
        (12345.0, "12\u202f300"),
        (99999.0, "1.00 × 10⁵"),
        (123456.0, "1.23 × 10⁵"),
        (0.00012345, "0.000123"),
        (1.2345e-5, "1.23 × 10⁻⁵"),
        (-3.14159, "−3.14"),
        (-4.5e-9, "−4.50 × 10⁻⁹"),
        (None, NOT_COMPUTED),
        (math.nan, NOT_COMPUTED),
        (math.inf, NOT_COMPUTED),
        (-math.inf, NOT_COMPUTED),
    ],
)
def test_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_numbers_keep_three_digits_over_all_decades() -> None:
    rng = np.random.default_rng(0)
    for value in 10.0 ** rng.uniform(-12, 12, 400):
        text = number(value).replace("\u202f", "")
        mantissa, _, power = text.partition(" × 10")
        exponent = int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))) if power else 0
        assert float(mantissa) * 10.0**exponent == pytest.approx(value, rel=5.1e-3)


def test_shown_number_is_the_median_where_there_are_draws() -> None:
    shown = quantiles(Quantiles(4.0, 1.0, 3.0, 9.0), "Gy")
    assert (shown.text, shown.interval) == ("3.00 Gy", "1.00 to 9.00")
    assert quantiles(Quantiles(4.0), "Gy").interval == ""


@pytest.mark.parametrize("value", [None, Quantiles(math.nan), Quantiles(math.nan, math.nan, math.nan, math.nan)])
def test_missing_number_says_why(value: Quantiles | None) -> None:
    shown = quantiles(value, "Gy", why="no gene")
    assert (shown.text, shown.why, shown.computed) == (NOT_COMPUTED, "no gene", False)
    assert activity(value, why="no gene").text == NOT_COMPUTED


def test_activity_takes_the_unit_of_a_prescription() -> None:
    assert activity(Quantiles(7400.0)).text == "7.40 GBq"
    assert activity(Quantiles(8.0, 4.0, 8.0, 1600.0)).interval == "4.00 to 1600"
    assert activity(Quantiles(0.25)).text == "250 kBq"


def test_percent_and_counts() -> None:
    assert [percent(x) for x in (0.0, 1.0, 0.5, 0.12345, 1e-80, None)] == [
        "0 %",
        "100 %",
        "50 %",
        "12.3 %",
        "below 10⁻¹⁰ %",
        NOT_COMPUTED,
    ]
    assert [count(x) for x in (7, 2525, 125000)] == ["7", "2525", "125\u202f000"]


def test_log_kill_beyond_any_measurement_is_not_told_apart() -> None:
    shown = [log_kill(Quantiles(c, *q)) for c, q in [
        (2.0, ()), (10.0, ()), (26.0, ()), (26.0, (3.0, 12.0, 40.0)), (5.0, (2.0, 4.0, 11.0)),
        (26.0, (11.0, 12.0, 40.0))]]
    assert [(s.text, s.interval) for s in shown] == [
        ("2.00", ""), ("10.0", ""), ("over 10", ""), ("over 10", "3.00 to over 10"), ("4.00", "2.00 to over 10"),
        ("over 10", "over 10 at 5 % already")]
    left = [survival(Quantiles(c, *q)) for c, q in [
        (0.25, ()), (1e-10, ()), (1e-11, ()), (1e-30, (1e-40, 1e-20, 0.01)), (1e-30, (1e-40, 1e-20, 1e-12))]]
    assert [(s.text, s.interval) for s in left] == [
        ("25 %", ""), ("1.00 × 10⁻⁸ %", ""), ("below 10⁻¹⁰", ""), ("below 10⁻¹⁰", "below 10⁻¹⁰ to 1 %"),
        ("below 10⁻¹⁰", "below 10⁻¹⁰ at 95 % still")]
    assert not log_kill(None, why="x").computed and not survival(Quantiles(math.nan)).computed


def test_probabilities_are_whole_per_cent() -> None:
    assert [chance(p) for p in (0.0, 1e-4, 0.01, 0.3749, 0.99, 0.9999, 1.0, None)] == [
        "0 %", "below 1 %", "1 %", "37 %", "99 %", "over 99 %", "100 %", NOT_COMPUTED]


def test_words() -> None:
    assert duration(1008.0) == "6 wk" and duration(48.0) == "2 d" and duration(5.0) == "5.00 h"
    assert humanise("run_time_s") == "run time (s)" and bare_name("mean_dose_Gy") == "mean dose"
    assert as_sentence("few counts ") == "Few counts." and as_sentence("") == "" and as_sentence("Why?") == "Why?"
    assert cell_words("PD-L1 on t_cell") == "PD-L1 on T cell" and cell_words("smooth_muscle") == "smooth muscle"


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("form.PSMA-617.dissociation_constant_nmol_per_L", "nmol/L"),
        ("form.X.plasma.fraction_per_L[0]", "1/L"),
        ("form.X.plasma.half_life_h[1]", "h"),
        ("form.X.association_rate_L_per_nmol_per_h", "L/(nmol·h)"),
        ("form.X.177Lu.dose.salivary glands", "Gy/GBq"),
        ("limit.kidney.bed", "Gy"),
        ("limit.kidney.bed.alpha_beta_Gy", "Gy"),
        ("tissue.oxygen_consumption_mmHg_per_s", "mmHg/s"),
        ("tissue.oxygen_diffusivity_um2_per_s", "µm²/s"),
        ("tissue.vessel_contrast", ""),
        ("target.PSMA.positive_fraction", ""),
        ("radiobiology.prostate.alpha_per_Gy", "1/Gy"),
    ],
)
def test_unit_of_a_key(key: str, unit: str) -> None:
    assert unit_of(key) == unit


def test_unit_signs() -> None:
    assert [unit_sign(u) for u in ("1/mm3", "um", "1", "Gy")] == ["1/mm³", "µm", "", "Gy"]


def test_distributions_in_words() -> None:
    values = [
        Value(value=7.0, evidence="definition"),
        Value(median=2.0, geometric_sd=1.5, evidence="assumed"),
        Value(mean=2.0, sd=0.5, evidence="assumed"),
        Value(low=1.0, high=4.0, evidence="assumed"),
        Value(low=1.0, high=4.0, log=True, evidence="assumed"),
    ]
    assert [distribution(v) for v in values] == [
        "fixed",
        "log-normal, geometric SD 1.50",
        "normal above zero, SD 0.500",
        "uniform, 1.00 to 4.00",
        "log-uniform, 1.00 to 4.00",
    ]
    assert range_of(values[0]) == "" and range_of(values[3]) == "1.15 to 3.85"


def test_nested_facts_become_parts_and_tables() -> None:
    node = describe(
        {"seed": 1, "versions": {"a": "1"}, "table": {"x": {"n": 1, "s": 2.5}, "y": {"n": None, "s": math.nan}}}
    )
    assert [name for name, _ in node.parts] == ["seed", "versions", "table"]
    assert node.parts[2][1].rows == (("x", "1", "2.50"), ("y", "not stated", NOT_COMPUTED))


def test_an_unmeasured_target_is_unknown_not_zero() -> None:
    entry = {"present": [], "missing": ["CD276"], "counts": {}, "positive_spots": {}}
    table = coverage({"targets": {"B7-H3": entry}, "cell_types": {"t_cell": entry}})
    assert table.parts[0][1].rows == (("B7-H3", "0 of 1", "unknown", "unknown", "CD276"),)
    assert table.parts[1][1].rows[0][0] == "T cell"


@pytest.mark.parametrize(("low", "high"), [(0.0, 3.7), (-12.3, 0.0), (0.0, 1e-4), (5.0, 5.0), (0.0, 2.5e7)])
def test_linear_axis_holds_its_range_and_round_ticks(low: float, high: float) -> None:
    axis = linear_axis(low, high)
    assert axis.low <= low and axis.high >= high and 2 <= len(axis.ticks) <= 9
    assert axis.ticks[0].place == 0.0 and axis.ticks[-1].place == 100.0
    assert axis.place(axis.low - 1.0) == 0.0 and axis.place(axis.high * 2 + 1.0) == 100.0


def test_log_axis() -> None:
    axis = log_axis(0.1, 1000.0)
    assert [t.label for t in axis.ticks] == ["0.1", "1", "10", "100", "1000"]
    assert axis.place(10.0) == 50.0 and axis.place(0.0) == 0.0


def test_polyline_drops_repeats() -> None:
    axis = linear_axis(0.0, 1.0)
    assert polyline(np.array([0.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0]), axis, axis) == "0.00,0.00 100.00,100.00"
