"""Survival in mixed fields with oxygen, BED and relatives: printed numbers, limits, reductions, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nichedose.dose.result import QUALITIES, Quality
from nichedose.effect import (
    EffectParameters,
    bed,
    bed_from_log_survival,
    dose_from_bed,
    eqd2,
    g_exponentials,
    log_survival,
    organ_bed,
    organ_g,
    oxygen_enhancement_ratio,
    rbe2,
    tcp,
)
from nichedose.errors import BadInput, NotComputed

LN2 = float(np.log(2.0))
PLENTY_mmHg = 1e9


def parameters(**change: Any) -> EffectParameters:
    high = {"alpha": 5.0, "recoil": 5.0}
    oer = {"alpha": 1.3, "recoil": 1.3}
    numbers: dict[str, Any] = {
        "alpha_per_Gy": 0.147,
        "alpha_beta_Gy": 1.5,
        "repair_rate_per_h": LN2 / 1.9,
        "rbe": {q: high.get(q, 1.0) for q in QUALITIES},
        "oer_max": {q: oer.get(q, 3.0) for q in QUALITIES},
        "oer_half_pressure_mmHg": 3.0,
    }
    return EffectParameters(**(numbers | change))


def survive(
    doses: dict[Quality, float], g: float, oxygen: float = PLENTY_mmHg, cycles: int = 1, **change: Any
) -> float:
    arrays = {q: np.array([d]) for q, d in doses.items()}
    return float(log_survival(arrays, np.array([g]), np.array([oxygen]), parameters(**change), cycles)[0])


# Oxygen -------------------------------------------------------------------------------------------------------------


def test_oxygen_table() -> None:
    pressures = [0, 0.5, 1, 2.5, 3, 5, 10, 20, 40]
    expected = [3.000, 2.333, 2.000, 1.571, 1.500, 1.333, 1.182, 1.095, 1.049]
    got = oxygen_enhancement_ratio(np.array(pressures, float), 3.0, 3.0)
    # the last printed digit; 40 mmHg is 43/41 = 1.04878
    np.testing.assert_allclose(got, expected, atol=5.1e-4)


@pytest.mark.parametrize(
    ("anoxic", "half_mmHg", "table"),
    [
        (2.83, 2.65, (2.13, 1.84, 1.46, 1.25, 1.03)),  # photons
        (2.34, 2.68, (1.88, 1.68, 1.39, 1.21, 1.03)),  # carbon, 40 keV/um
        (1.36, 2.78, (1.27, 1.23, 1.15, 1.09, 1.01)),  # carbon, 223 keV/um
    ],
)
def test_one_form_fits_the_published_tables(anoxic: float, half_mmHg: float, table: tuple[float, ...]) -> None:
    """Wenzl and Wilkens 2011 (Radiat Oncol 6:171, Table 3, as transcribed), two numbers fitted per row.

    The largest misfit is 0.022, of which 0.005 may be the rounding of the table.
    """
    p = np.array([0.5, 1.0, 2.5, 5.0, 20.0])
    ratio = oxygen_enhancement_ratio(p, anoxic, half_mmHg) / oxygen_enhancement_ratio(60.0, anoxic, half_mmHg)
    np.testing.assert_allclose(ratio, table, atol=0.025)


def test_oxygen_form_equals_the_other_ways_of_writing_it() -> None:
    p = np.linspace(0.0, 60.0, 13)
    m, k = 2.7, 5.1
    np.testing.assert_allclose(oxygen_enhancement_ratio(p, m, k), m * (p + k) / (m * p + k), rtol=1e-14)
    half = k / m  # the pressure at which half of the effect is reached
    np.testing.assert_allclose(oxygen_enhancement_ratio(p, m, k), (half * m + p) / (half + p), rtol=1e-14)
    assert np.all(np.diff(oxygen_enhancement_ratio(p, m, k)) < 0.0)
    assert np.all(oxygen_enhancement_ratio(p, 1.0, k) == 1.0)


@pytest.mark.parametrize("oxygen", [-1.0, np.nan, np.inf])
def test_bad_oxygen(oxygen: float) -> None:
    with pytest.raises(BadInput, match="Oxygen"):
        oxygen_enhancement_ratio(oxygen, 3.0, 3.0)
    with pytest.raises(BadInput, match="at least 1"):
        oxygen_enhancement_ratio(1.0, 0.9, 3.0)


# Survival -----------------------------------------------------------------------------------------------------------


def test_prostate_control_numbers() -> None:
    """alpha 0.147 per Gy, alpha/beta 1.5 Gy, effective half-life 51 h, repair 1.9 h, 1.79e8 clonogens."""
    g = g_exponentials([1.0], [LN2 / 51], LN2 / 1.9)
    assert f"{np.exp(survive({'beta': 20.0}, g)):.2e}" == "1.29e-02"
    assert float(bed(50.0, g, 1.5)) == pytest.approx(109.86, abs=5e-3)
    log_s = survive({"beta": 50.0}, g)
    assert f"{np.exp(log_s):.2e}" == "9.69e-08"
    assert tcp(-log_s / np.log(10), 1.79e3, 1e5) == pytest.approx(2.9e-8, rel=0.02)
    assert round(tcp(-survive({"beta": 80.0}, g) / np.log(10), 1.79e3, 1e5), 7) == 0.9999998


def test_limits() -> None:
    assert survive({"beta": 0.0}, 0.5) == 0.0
    assert survive({}, 0.5) == 0.0
    assert survive({"beta": 2.0}, 1.0) == pytest.approx(-(0.147 * 2 + 0.098 * 4), rel=1e-8)  # acute
    assert survive({"beta": 2.0}, 0.0) == pytest.approx(-0.147 * 2, rel=1e-8)  # infinitely slow
    assert survive({"beta": 6.0}, 1.0, 0.0) == pytest.approx(survive({"beta": 2.0}, 1.0), rel=1e-8)  # anoxia: dose / 3


def test_alpha_particles() -> None:
    assert survive({"alpha": 1.0}, 1.0) == pytest.approx(-5 * 0.147, rel=1e-8)  # no quadratic term
    assert survive({"alpha": 1.3}, 1.0, 0.0) == pytest.approx(-5 * 0.147, rel=1e-8)
    assert survive({"alpha": 1.0}, 0.1) == survive({"alpha": 1.0}, 0.9)  # nothing to repair
    mixed = survive({"alpha": 1.0, "beta": 2.0}, 0.4)
    assert mixed == pytest.approx(survive({"alpha": 1.0}, 0.4) + survive({"beta": 2.0}, 0.4), rel=1e-12)


def test_mixed_field_reduces_to_one_quality() -> None:
    """Splitting low-LET dose among qualities that act alike changes nothing: the roots of beta add, not beta."""
    whole = survive({"beta": 6.0}, 0.7, 2.0)
    parts: dict[Quality, float] = {"beta": 1.0, "conversion": 2.0, "auger": 2.5, "photon": 0.5}
    assert survive(parts, 0.7, 2.0) == pytest.approx(whole, rel=1e-12)


def test_mixed_field_against_the_definition() -> None:
    """alpha and sqrt(beta) of the mixture are dose-weighted (Zaider and Rossi), here with unlike OER and RBE."""
    p = parameters(rbe={"alpha": 4.0, "beta": 1.0, "auger": 2.0}, oer_max={"alpha": 1.3, "beta": 3.0, "auger": 2.0})
    doses: dict[Quality, float] = {"alpha": 0.5, "beta": 3.0, "auger": 1.5}
    oxygen, g = 1.7, 0.3
    total = sum(doses.values())
    oer = {q: (oxygen + 3) / (oxygen + 3 / p.oer_max[q]) for q in doses}
    alpha = sum(d * p.rbe[q] * 0.147 / oer[q] for q, d in doses.items()) / total
    root_beta = sum(d * np.sqrt(0.098) / oer[q] for q, d in doses.items() if q != "alpha") / total
    expected = -(alpha * total + g * root_beta**2 * total**2)
    got = log_survival({q: np.array(d) for q, d in doses.items()}, np.array(g), np.array(oxygen), p)
    assert float(got) == pytest.approx(expected, rel=1e-12)


def test_cycles_are_independent() -> None:
    doses: dict[Quality, float] = {"alpha": 0.2, "beta": 3.0}
    assert survive(doses, 0.3, 4.0, cycles=5) == pytest.approx(5 * survive(doses, 0.3, 4.0), rel=1e-14)
    merged: dict[Quality, float] = {"alpha": 1.0, "beta": 15.0}
    assert survive(merged, 0.3, 4.0) < survive(doses, 0.3, 4.0, cycles=5)  # one large dose kills more than five small


def test_monotonicity() -> None:
    rng = np.random.default_rng(2)
    d, g, oxygen = rng.uniform(0, 10, 200), rng.uniform(0, 1, 200), rng.uniform(0, 60, 200)
    base = log_survival({"beta": d, "alpha": 0.1 * d}, g, oxygen, parameters())
    assert np.all(log_survival({"beta": d + 0.1, "alpha": 0.1 * d}, g, oxygen, parameters()) < base)
    assert np.all(log_survival({"beta": d, "alpha": 0.1 * d}, np.minimum(g + 0.1, 1), oxygen, parameters()) <= base)
    assert np.all(log_survival({"beta": d, "alpha": 0.1 * d}, g, oxygen + 1, parameters()) <= base)
    assert np.all(base <= 0.0)


def test_rounding_of_a_convolution_is_forgiven_negative_dose_is_not() -> None:
    out = log_survival({"beta": np.array([1.0, -1e-15])}, np.ones(2), np.ones(2), parameters())
    assert out[1] == 0.0
    with pytest.raises(BadInput, match="cannot be negative"):
        survive({"beta": -0.1}, 0.5)


@pytest.mark.parametrize(
    ("doses", "g", "oxygen", "cycles", "message"),
    [
        ({"betta": 1.0}, 0.5, 5.0, 1, "Did you mean 'beta'"),
        ({"beta": float("nan")}, 0.5, 5.0, 1, "NaN"),
        ({"beta": 1.0}, 1.5, 5.0, 1, "between 0 and 1"),
        ({"beta": 1.0}, float("nan"), 5.0, 1, "between 0 and 1"),
        ({"beta": 1.0}, 0.5, -5.0, 1, "Oxygen"),
        ({"beta": 1.0}, 0.5, 5.0, 0, "at least one"),
    ],
)
def test_bad_input(doses: Any, g: float, oxygen: float, cycles: int, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        survive(doses, g, oxygen, cycles)


@pytest.mark.parametrize(
    "change",
    [
        {"alpha_per_Gy": 0.0},
        {"alpha_beta_Gy": -1.0},
        {"repair_rate_per_h": -1.0},
        {"repair_rate_per_h": float("nan")},
        {"oer_half_pressure_mmHg": 0.0},
        {"rbe": {"beta": 0.0}, "oer_max": {"beta": 3.0}},
        {"rbe": {"beta": 1.0}, "oer_max": {"beta": 0.5}},
        {"rbe": {"beta": 1.0}, "oer_max": {"alpha": 1.5}},
    ],
)
def test_bad_parameters(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parameters(**change)


# BED ----------------------------------------------------------------------------------------------------------------


def test_kidney_example() -> None:
    """7.4 GBq x 0.43 Gy/GBq, alpha/beta 2.5 Gy, repair 2.8 h, effective half-life 40 h."""
    assert round(organ_bed(7.4 * 0.43, 2.5, 2.8, 40.0), 3) == 3.447
    assert round(organ_bed(7.4 * 0.43, 2.5, 2.8, 40.0, cycles=6), 1) == 20.7
    assert organ_g(2.8, 40.0) == pytest.approx(2.8 / 42.8, rel=1e-13)


def test_bed_and_its_inverse() -> None:
    for dose in (0.0, 1e-9, 0.3, 5.0, 80.0):
        assert dose_from_bed(float(bed(dose, 0.07, 2.5)), 0.07, 2.5) == pytest.approx(dose, rel=1e-12)
    assert float(bed(4.0, 0.0, 2.5)) == 4.0 and dose_from_bed(4.0, 0.0, 2.5) == 4.0


def test_bed_agrees_with_survival() -> None:
    log_s = survive({"beta": 12.0}, 0.2)
    assert float(bed_from_log_survival(log_s, 0.147)) == pytest.approx(float(bed(12.0, 0.2, 1.5)), rel=1e-8)
    assert float(bed_from_log_survival(survive({"alpha": 2.0, "beta": 3.0}, 0.2), 0.147)) == pytest.approx(
        5.0 * 2.0 + float(bed(3.0, 0.2, 1.5)), rel=1e-8
    )


def test_eqd2_and_rbe2() -> None:
    acute_fractions = 10 * float(bed(2.0, 1.0, 3.0))
    assert float(eqd2(acute_fractions, 3.0)) == pytest.approx(20.0)
    assert round(rbe2(5.0, 2.5), 2) == 2.78 and round(rbe2(5.0, 10.0), 2) == 4.17
    dose, alpha = 3.0, 0.147
    kill = bed_from_log_survival(survive({"alpha": dose}, 0.5), alpha)
    assert float(eqd2(kill, 1.5)) == pytest.approx(rbe2(5.0, 1.5) * dose, rel=1e-8)


def test_bed_bad_input() -> None:
    for call in (
        lambda: bed(-1.0, 0.5, 3.0),
        lambda: bed(1.0, 0.5, 0.0),
        lambda: eqd2(1.0, -3.0),
        lambda: organ_g(0.0, 40.0),
        lambda: organ_bed(1.0, 2.5, 2.8, 40.0, cycles=0),
        lambda: dose_from_bed(-1.0, 0.1, 2.5),
        lambda: bed_from_log_survival(-1.0, 0.0),
    ):
        with pytest.raises(BadInput):
            call()


def test_tcp_refuses_without_volume_or_density() -> None:
    with pytest.raises(NotComputed, match="lesion volume"):
        tcp(3.0, None, 1e5)
    with pytest.raises(NotComputed, match="clonogen density"):
        tcp(3.0, 1e3, None)
    with pytest.raises(BadInput):
        tcp(float("nan"), 1e3, 1e5)
    with pytest.raises(BadInput):
        tcp(3.0, 0.0, 1e5)
    assert tcp(0.0, 1e3, 1e5) == 0.0 and tcp(400.0, 1e3, 1e5) == 1.0
