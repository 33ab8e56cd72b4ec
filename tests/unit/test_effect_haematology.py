"""Platelets and lymphocytes: limits, independent solution, courses, draws, grades, and what is refused."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from nichedose.effect import Exposure, blood_counts, pair_g, toxicity_grade
from nichedose.effect import haematology as model
from nichedose.errors import BadInput
from nichedose.library.haematology import load_haematology, read_haematology
from nichedose.values import Draw

DAY = 24.0
NOTHING = Exposure((0.0,), (1.0,))


def decaying(dose_Gy: float, half_life_h: float = 80.0) -> Exposure:
    rate = float(np.log(2.0) / half_life_h)
    return Exposure((dose_Gy * rate,), (rate,))


def test_without_dose_nothing_changes() -> None:
    found = blood_counts(NOTHING, NOTHING, np.linspace(0.0, 400.0 * DAY, 50))
    assert found.platelets == pytest.approx(1.0, abs=1e-6) and found.lymphocytes == pytest.approx(1.0, abs=1e-6)


def test_progenitors_die_by_the_linear_quadratic_formula() -> None:
    """An exposure far shorter than turnover: ln P = -(alpha D + beta G D2)."""
    exposure = decaying(1.5, 1.0)
    numbers = model._numbers(load_haematology(), Draw())
    state = np.concatenate([[1.0, 0.0], np.ones(numbers.steps + 1), [1.0, 0.0, 0.0]])


    slow = model._Numbers(**{**vars(numbers), "turnover": 0.0})
    end = solve_ivp(model._slope, (0.0, 60.0), state, "LSODA", args=(slow, exposure, NOTHING, [0.0]), rtol=1e-10,
                    atol=1e-12).y[0, -1]
    g = pair_g(exposure, exposure, numbers.repair)
    assert -np.log(end) == pytest.approx(numbers.alpha * 1.5 * (1.0 + g * 1.5 / numbers.alpha_beta), rel=1e-6)


def test_agrees_with_a_plain_runge_kutta() -> None:
    numbers = model._numbers(load_haematology(), Draw())
    marrow, blood = decaying(0.8), decaying(0.3, 20.0)
    state = np.concatenate([[1.0, 0.0], np.ones(numbers.steps + 1), [1.0, 0.0, 0.0]])
    step, end = 0.25, 20.0 * DAY

    def slope(t: float, y: Any) -> Any:
        return model._slope(t, y, numbers, marrow, blood, [0.0])

    for i in range(round(end / step)):
        t = i * step
        a = slope(t, state)
        b = slope(t + step / 2, state + step / 2 * a)
        c = slope(t + step / 2, state + step / 2 * b)
        d = slope(t + step, state + step * c)
        state = state + step / 6 * (a + 2 * b + 2 * c + d)
    found = blood_counts(marrow, blood, [end])
    assert found.platelets[0] == pytest.approx(state[2 + numbers.steps], rel=1e-6)
    assert found.lymphocytes[0] == pytest.approx(state[3 + numbers.steps :].sum(), rel=1e-6)


def test_lymphocytes_fall_by_exponential_survival() -> None:
    """1.2 Gy at once leaves 1/e of those at risk, when those hit are gone (10 d) and few have come back."""
    found = blood_counts(NOTHING, decaying(1.2, 0.5), [10.0 * DAY])
    assert np.exp(-1.0) < found.lymphocytes[0] < np.exp(-1.0) + 0.12


def test_platelets_reach_their_nadir_weeks_later_and_come_back() -> None:
    times = np.arange(0.0, 365.0) * DAY
    found = blood_counts(decaying(0.42), decaying(0.1, 10.0), times)
    when, least = found.nadir("platelets")
    assert 20.0 < when / DAY < 45.0 and 0.7 < least < 0.95
    assert found.platelets[-1] == pytest.approx(1.0, abs=0.01)
    assert found.nadir("lymphocytes")[0] < when


def test_more_dose_means_fewer_cells() -> None:
    times = np.arange(0.0, 100.0) * DAY
    least = [blood_counts(decaying(d), decaying(d), times).nadir("platelets")[1] for d in (0.2, 0.5, 1.0, 2.0)]
    assert least == sorted(least, reverse=True)


def test_cycles_far_apart_repeat_and_close_ones_add() -> None:
    times = np.arange(0.0, 700.0) * DAY
    apart = blood_counts(decaying(0.4), NOTHING, times, starts_h=(0.0, 350.0 * DAY))
    first, second = apart.platelets[:340], apart.platelets[350:690]
    assert first == pytest.approx(second, abs=5e-3)
    close = blood_counts(decaying(0.4), NOTHING, times, starts_h=(0.0, 14.0 * DAY))
    assert close.nadir("platelets")[1] < apart.nadir("platelets")[1] - 0.05


def test_times_asked_for_do_not_change_the_answer() -> None:
    coarse, fine = (blood_counts(decaying(0.4), decaying(0.2), np.arange(0.0, 81.0, s) * DAY) for s in (20.0, 1.0))
    assert coarse.platelets == pytest.approx(fine.platelets[::20], rel=1e-6)


def test_draws_spread_the_nadir() -> None:
    times = np.arange(0.0, 90.0) * DAY
    least = [blood_counts(decaying(0.5), decaying(0.1), times, draw=Draw(seed=3, index=i)).nadir("platelets")[1]
             for i in range(12)]
    assert max(least) - min(least) > 0.05


@pytest.mark.parametrize(("cells", "count", "grade"), [
    ("platelets", 200.0, 0), ("platelets", 100.0, 1), ("platelets", 74.0, 2), ("platelets", 49.0, 3),
    ("platelets", 24.0, 4), ("lymphocytes", 1.5, 0), ("lymphocytes", 0.9, 1), ("lymphocytes", 0.1, 4)])
def test_grades(cells: Any, count: float, grade: int) -> None:
    assert toxicity_grade(cells, count) == grade


@pytest.mark.parametrize(("times", "starts", "said"), [
    ([0.0, 0.0], (0.0,), "increase"), ([-1.0], (0.0,), "not negative"), ([float("nan")], (0.0,), "finite"),
    ([1.0], (), "at least one"), ([1.0], (5.0, 1.0), "in order"), ([1.0], (-1.0,), "not negative"),
])
def test_times_that_cannot_be(times: list[float], starts: tuple[float, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        blood_counts(NOTHING, NOTHING, times, starts_h=starts)


def test_grades_of_other_cells_and_bad_counts() -> None:
    with pytest.raises(BadInput, match="platelets"):
        toxicity_grade("red cells", 1.0)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="finite"):
        toxicity_grade("platelets", float("nan"))


@pytest.mark.parametrize(("change", "said"), [
    (lambda t: t["source"].pop("tbi_lymphocytes"), "tbi_lymphocytes"),
    (lambda t: t["platelets"].pop("life_d"), "life_d"),
    (lambda t: t["platelets"].update(transit_steps=0), "transit_steps"),
])
def test_files_that_do_not_hold_together(change: Any, said: str) -> None:
    file = files("nichedose.library") / "data" / "kinetics" / "haematology.toml"
    table = tomllib.loads(file.read_text("utf-8"))
    change(table)
    with pytest.raises(BadInput, match=said):
        read_haematology(table, "mine.toml")
