"""The immune course: limits, balance, order of the scheme, calibration that fits and prediction that is held out."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from nichedose.effect import (
    Blockade,
    DoseRate,
    ImmuneParameters,
    calibrate_immune,
    combination_times,
    immune_course,
    time_to_size,
)
from nichedose.errors import BadInput, NotComputed
from nichedose.library import load_library

LN2 = float(np.log(2.0))
DRAWS = 120


def parameters(**change: Any) -> ImmuneParameters:
    numbers: dict[str, Any] = {
        "net_growth_per_d": 0.2, "alpha_per_Gy": 0.3, "kill_per_d": 0.5, "baseline_signal": 0.1, "suppression": 3.0,
        "regulation": 1.0, "half_antigen": 0.3, "clearance_per_d": 0.25, "turnover_per_d": 0.2,
        "lymphocyte_alpha_per_Gy": 0.3,
    }
    return ImmuneParameters(**(numbers | change))


def test_untreated_tumours_grow_as_they_are_seen_to_in_every_region() -> None:
    course = immune_course(parameters(), 20.0, infiltration=[1.0, 0.3, 0.0])
    np.testing.assert_allclose(course.log_tumour[-1, 0], 4.0, rtol=1e-9)
    np.testing.assert_allclose(course.effectors, 0.1, rtol=1e-12)
    assert course.dying.max() < 1e-12


def test_without_immunity_it_is_growth_and_kill() -> None:
    """ln V = growth t - alpha D (1 - exp(-k t))."""
    p = parameters(kill_per_d=0.0)
    course = immune_course(p, 12.0, doses=(DoseRate(4.0, 3.0, start_d=2.0),))
    after = np.maximum(course.times_d - 2.0, 0.0)
    expected = 0.2 * course.times_d - 0.3 * 4.0 * (1.0 - np.exp(-LN2 / 3.0 * after))
    np.testing.assert_allclose(course.log_tumour[:, 0, 0], expected, atol=1e-6)


def test_lymphocytes_die_by_the_decaying_dose_rate_and_come_back() -> None:
    p = parameters(turnover_per_d=1e-9, kill_per_d=0.0)
    share = immune_course(p, 60.0, doses=(DoseRate(4.0, 3.0, lymphocyte_share=0.5),)).effectors[-1, 0, 0]
    assert share == pytest.approx(0.1 * np.exp(-0.3 * 0.5 * 4.0), rel=1e-5)
    back = immune_course(parameters(kill_per_d=0.0, alpha_per_Gy=0.0), 120.0, doses=(DoseRate(4.0, 3.0),))
    assert back.effectors[:, 0, 0].min() < 0.07 < 0.0999 < back.effectors[-1, 0, 0]


def test_dead_tissue_is_accounted_for() -> None:
    """Radiation alone: what is killed is dying or cleared."""
    p = parameters(net_growth_per_d=0.0, kill_per_d=0.0)
    course = immune_course(p, 40.0, doses=(DoseRate(3.0, 2.0),), step_d=0.02)
    dying = course.dying[:, 0, 0]
    cleared = 0.25 * float(np.sum(0.5 * (dying[1:] + dying[:-1])) * 0.02)
    assert np.exp(course.log_tumour[-1, 0, 0]) + dying[-1] + cleared == pytest.approx(1.0, abs=1e-5)


def test_order_of_the_scheme_is_four() -> None:
    """Lymphocytes spared: where immune kill falls below the untreated one its antigen stops, which is a kink."""
    dose = (DoseRate(3.0, 2.0, lymphocyte_share=0.0),)
    run = {h: immune_course(parameters(), 10.0, doses=dose, step_d=h).log_tumour[-1, 0, 0]
           for h in (1.0, 0.5, 0.25, 0.03125)}
    errors = [abs(run[h] - run[0.03125]) for h in (1.0, 0.5, 0.25)]
    assert np.log2(errors[0] / errors[1]) > 3.5 and np.log2(errors[1] / errors[2]) > 3.5


def test_directions() -> None:
    """Blockade slows growth; more infiltration slows it more; immunogenic death primes; dose to lymphocytes hurts."""
    def days(p: ImmuneParameters, **kw: Any) -> float:
        return float(time_to_size(immune_course(p, 200.0, **kw), 10.0)[0])

    p, dose, block = parameters(), (DoseRate(3.5, 3.0),), Blockade(0.0, 14.0)
    assert days(p, blockade=block) > days(p) == pytest.approx(np.log(10.0) / 0.2, abs=1e-6)
    assert days(p, blockade=block, doses=dose) > max(days(p, blockade=block), days(p, doses=dose))
    assert days(p, blockade=block, doses=dose, infiltration=0.1) < days(p, blockade=block, doses=dose)
    primed = dataclasses.replace(p, immunogenicity=3.0)
    assert days(primed, blockade=block, doses=dose) > days(p, blockade=block, doses=dose)
    spared = (DoseRate(3.5, 3.0, lymphocyte_share=0.0),)
    assert days(p, blockade=block, doses=spared) > days(p, blockade=block, doses=dose)


def test_regions_share_their_antigen() -> None:
    """Dose to one region alone raises effectors in the other, which receives none."""
    both = immune_course(parameters(), 10.0, doses=(DoseRate([6.0, 0.0], 2.0, lymphocyte_share=0.0),),
                         infiltration=[1.0, 1.0])
    assert both.effectors[-1, 0, 1] > 0.11
    assert both.log_tumour[-1, 0, 1] < 2.0


def test_splitting_a_region_changes_nothing() -> None:
    dose = (DoseRate([3.0, 3.0, 1.0], 2.0),)
    three = immune_course(parameters(), 12.0, doses=dose, infiltration=[1.0, 1.0, 0.2], region_shares=[0.3, 0.3, 0.4])
    two = immune_course(parameters(), 12.0, doses=(DoseRate([3.0, 1.0], 2.0),), infiltration=[1.0, 0.2],
                        region_shares=[0.6, 0.4])
    np.testing.assert_allclose(three.total, two.total, rtol=1e-12)


def test_sets_are_independent_of_each_other() -> None:
    one, two = (immune_course(parameters(kill_per_d=k), 15.0, doses=(DoseRate(3.0, 2.0),)) for k in (0.2, 0.9))
    both = immune_course(parameters(kill_per_d=np.array([0.2, 0.9])), 15.0, doses=(DoseRate(3.0, 2.0),))
    np.testing.assert_allclose(both.log_tumour[:, 0], one.log_tumour[:, 0], rtol=1e-12)
    np.testing.assert_allclose(both.log_tumour[:, 1], two.log_tumour[:, 0], rtol=1e-12)


def test_never_reached_is_infinite() -> None:
    assert time_to_size(immune_course(parameters(net_growth_per_d=0.0), 5.0), 2.0)[0] == np.inf


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    data = load_library().immune
    return {name: calibrate_immune(e, data.prior, draws=DRAWS) for name, e in data.experiment.items()}


def test_the_single_arms_are_met(found: dict[str, Any]) -> None:
    """Medians of the accepted draws, run again: the arm's own median error is all that separates them."""
    data = load_library().immune
    for name, c in found.items():
        e = data.experiment[name]
        radiation = immune_course(
            c.parameters, c.horizon_d, step_d=0.25,
            doses=(DoseRate(c.dose_Gy[:, None], c.half_life_d[:, None], 0.0, c.lymphocyte_share),))
        assert np.median(time_to_size(radiation, c.end_size)) == pytest.approx(e.radiation_d, rel=0.1)
        checkpoint = immune_course(c.parameters, c.horizon_d, step_d=0.25, blockade=Blockade(0.0, c.blockade_days))
        assert np.median(time_to_size(checkpoint, c.end_size)) == pytest.approx(e.checkpoint_d, rel=0.1)


def test_held_out_combination_of_225ac_and_anti_pd_1(found: dict[str, Any]) -> None:
    low, median, high = found["czernin_2021"].interval_d(0.9)
    assert low < 47.5 < high
    assert median > 33.5  # better than either alone


@pytest.mark.xfail(strict=True, reason="observed: more than 70 d; the 90 % prediction interval ends at 45 d")
def test_held_out_combination_of_177lu_and_anti_ctla_4(found: dict[str, Any]) -> None:
    assert found["guzik_2020"].interval_d(0.9)[2] > 70.0


def test_what_the_arms_do_not_tell(found: dict[str, Any]) -> None:
    """Two fitted numbers meet two arms in nearly every draw, so that nothing else is narrowed."""
    narrowed = found["guzik_2020"].narrowed
    assert found["guzik_2020"].accepted > 0.9
    assert all(0.7 < v < 1.4 for v in narrowed.values())


def test_order_of_partners_is_paired(found: dict[str, Any]) -> None:
    c = found["czernin_2021"]
    together, late = combination_times(c, 0.0), combination_times(c, 30.0)
    assert together.shape == late.shape == c.combination_d.shape
    assert np.median(combination_times(c, 0.0, infiltration=0.05)) < np.median(together)


@pytest.mark.parametrize("call", [
    lambda: parameters(kill_per_d=-1.0), lambda: parameters(alpha_per_Gy=float("nan")),
    lambda: parameters(half_antigen=0.0), lambda: parameters(baseline_signal=1.5),
    lambda: immune_course(parameters(kill_per_d=np.ones(2), alpha_per_Gy=np.ones(3)), 5.0),
    lambda: immune_course(parameters(), 0.0), lambda: immune_course(parameters(), 5.0, step_d=0.0),
    lambda: immune_course(parameters(), 5.0, infiltration=[-1.0]),
    lambda: immune_course(parameters(), 5.0, infiltration=[1.0, 1.0], region_shares=[0.5, 0.6]),
    lambda: DoseRate(-1.0, 2.0),
    lambda: DoseRate(1.0, 0.0), lambda: DoseRate(1.0, 1.0, start_d=-1.0), lambda: Blockade(-1.0, 5.0),
    lambda: Blockade(0.0, 0.0),
])
def test_bad_input(call: Any) -> None:
    with pytest.raises(BadInput):
        call()


def test_arms_that_cannot_be_met_are_refused() -> None:
    data = load_library().immune
    worse = data.experiment["czernin_2021"].model_copy(update={"radiation_d": 5.0})
    with pytest.raises(NotComputed, match="can meet the single arms"):
        calibrate_immune(worse, data.prior, draws=40)
    with pytest.raises(BadInput, match="at least 20"):
        calibrate_immune(worse, data.prior, draws=5)
