"""The JAX twin: the same discrete scheme as `simulate`, its derivatives, batches, memory and refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import nichedose.transport.gradient as gradient_module
from nichedose.errors import BadInput, DidNotConverge
from nichedose.fields.grid import Array
from nichedose.jax_support import in_double_precision
from nichedose.transport import (
    FixedSteps,
    TransportInputs,
    differentiate,
    jax_label_integrals,
    log_times,
    simulate_jax,
    transport_inputs,
)
from nichedose.transport.jax_engine import KEPT_PER_STEP, _stretch
from transport_cases import (
    CASES,
    END_H,
    PEPTIDE,
    RAGGED,
    SMALL,
    TIGHT,
    USED,
    WEIGHT,
    N,
    objective,
    run,
    section,
    total,
    value_of,
)

jax = pytest.importorskip("jax", reason="extra 'jax' is not installed")
STEPS = 32
TIGHTLY = 1e-11  # residual of the implicit solves where derivatives are compared to 1e-6


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with in_double_precision():
        yield


def plan(times_h: Array, **options: Any) -> FixedSteps:
    return FixedSteps(RAGGED, 20.0, times_h, USED, **options)


def value_function(steps: FixedSteps) -> Callable[[TransportInputs], Any]:
    return lambda inputs: value_of(jax_label_integrals(inputs, steps), jax.numpy.log1p)


@pytest.mark.parametrize("name", ["tight", "antibody"])
def test_it_is_the_scheme_of_simulate_step_by_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the same steps, with all implicit solves taken to their end, only rounding is left."""
    ligand, plasma, exchange = CASES[name]
    tissue = replace(section(N, exchange=exchange, mask=RAGGED), diffusivity_factor=0.1 + WEIGHT)
    monkeypatch.setattr("nichedose.transport._march.NEWTON_PER_TOLERANCE", 1e-9)
    ours = run(tissue, ligand, plasma, decay_per_h=USED)
    twin = simulate_jax(
        tissue, ligand, plasma, end_h=END_H, decay_per_h=USED, times_h=ours.times_h, solver_tolerance=1e-12)
    for label in USED:
        for state, field in ours.time_integral(label).items():
            np.testing.assert_allclose(twin.time_integral(label)[state], field, rtol=1e-8, atol=1e-10 * field.max())
    for one, other in ((ours.free, twin.free), (ours.bound, twin.bound), (ours.internalised, twin.internalised)):
        np.testing.assert_allclose(other, one, rtol=1e-8, atol=1e-8 * one.max())


def gradient(inputs: TransportInputs, times: Array, **options: Any) -> tuple[float, TransportInputs]:
    value, slope = jax.value_and_grad(value_function(plan(times, solver_tolerance=TIGHTLY, **options)))(inputs)
    return float(value), slope


def test_every_derivative_is_that_of_the_hand_written_adjoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the adjoint's own steps, both with all solves taken to their end."""
    tissue = section(N, mask=RAGGED)
    monkeypatch.setattr(gradient_module, "SOLVE_PER_TOLERANCE", 1e-8)
    monkeypatch.setattr("nichedose.transport._march.NEWTON_PER_TOLERANCE", 1e-8)
    times = run(tissue, TIGHT, SMALL, decay_per_h=USED).times_h
    adjoint = differentiate(tissue, TIGHT, SMALL, objective, end_h=END_H, decay_per_h=USED)
    value, found = gradient(transport_inputs(tissue, TIGHT, SMALL), times)
    assert value == pytest.approx(adjoint.value, rel=1e-9)
    for field, derivative in adjoint.ligand.items():
        assert getattr(found, field) == pytest.approx(derivative, rel=1e-6), field
    for field in ("target_nmol_per_L", "exchange_per_h"):
        expected = getattr(adjoint, field)
        np.testing.assert_allclose(getattr(found, field), expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(found.plasma_amplitudes_nmol_per_L, adjoint.plasma_amplitudes, rtol=1e-6)
    np.testing.assert_allclose(found.plasma_rates_per_h, adjoint.plasma_rates, rtol=1e-6)


@pytest.mark.parametrize("name", list(CASES))
def test_derivatives_are_those_of_differences(name: str) -> None:
    """Along a direction that changes every rate by its own share, and one for every voxel and plasma parameter."""
    ligand, plasma, exchange = CASES[name]
    inputs = transport_inputs(section(N, exchange=exchange, mask=RAGGED), ligand, plasma)
    steps = plan(log_times(END_H, 3.0, STEPS), solver_tolerance=TIGHTLY)
    _, found = gradient(inputs, steps.times_h)
    way, function = relative_direction(inputs), value_function(steps)
    for changed in (inputs._fields[:6], inputs._fields[6:]):
        part = way._replace(**{f: np.zeros_like(getattr(way, f)) for f in inputs._fields if f not in changed})
        expected = difference(lambda x, d=part: function(jax.tree.map(lambda v, way: v + x * way, inputs, d)))
        assert dot(found, part) == pytest.approx(expected, rel=1e-6), changed


def relative_direction(inputs: TransportInputs) -> TransportInputs:
    """A change of every rate, every voxel and every plasma parameter by its own share."""
    rng = np.random.default_rng(3)
    return jax.tree.map(lambda v: np.asarray(v) * rng.random(np.shape(v)), inputs)


def difference(value: Callable[[float], Any], h: float = 2e-3) -> float:
    """Fourth-order central difference: error about 1e-9 here."""
    return float(8.0 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12.0 * h)


def dot(one: TransportInputs, other: TransportInputs) -> float:
    return float(sum(np.sum(np.asarray(a) * np.asarray(b)) for a, b in zip(one, other, strict=True)))


def test_forward_mode_and_stretches_that_are_solved_again_give_the_same_derivative() -> None:
    inputs = transport_inputs(section(N, mask=RAGGED), PEPTIDE, SMALL)
    times, way = log_times(END_H, 3.0, STEPS), relative_direction(inputs)
    value, whole = gradient(inputs, times)
    # ten stretches of three steps, and two steps before them
    again, little = gradient(inputs, times, memory_GiB=160 * 8 * N**2 / 2**30)
    assert again == pytest.approx(value, rel=1e-12)
    for one, other in zip(whole, little, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12 * np.abs(one).max())
    function = value_function(plan(times, solver_tolerance=TIGHTLY))
    assert jax.jvp(function, (inputs,), (way,))[1] == pytest.approx(dot(whole, way), rel=1e-9)


def test_a_batch_of_draws_is_the_loop_over_them() -> None:
    """To what the implicit solves leave open: in a batch all go on until the last has converged."""
    steps = plan(log_times(END_H, 3.0, STEPS), solver_tolerance=1e-10)
    inputs = transport_inputs(section(N, mask=RAGGED), PEPTIDE, SMALL)
    rng = np.random.default_rng(5)
    draws = jax.tree.map(lambda v: np.asarray(v) * np.exp(0.2 * rng.standard_normal((3, *np.shape(v)))), inputs)
    loop = [jax_label_integrals(jax.tree.map(lambda v, n=n: v[n], draws), steps) for n in range(3)]
    together = jax.vmap(lambda x: jax_label_integrals(x, steps))(draws)
    mapped = jax.lax.map(lambda x: jax_label_integrals(x, steps), draws)
    for n, one in enumerate(loop):
        for label, states in one.items():
            for state, field in states.items():
                for batch in (together, mapped):
                    np.testing.assert_allclose(batch[label][state][n], field, rtol=1e-8, atol=1e-10 * field.max())


def test_a_stack_of_equal_sections_is_a_section() -> None:
    inputs = transport_inputs(section(N, mask=RAGGED), PEPTIDE, SMALL)
    times = log_times(END_H, 3.0, STEPS)
    flat = jax_label_integrals(inputs, plan(times))["177Lu"]
    thick = {name: np.stack([getattr(inputs, name)] * 3) for name in
             ("target_nmol_per_L", "exchange_per_h", "diffusivity_factor")}
    steps = FixedSteps(np.stack([RAGGED] * 3), 20.0, times, USED)
    stack = jax_label_integrals(inputs._replace(**thick), steps)["177Lu"]
    for state, field in flat.items():
        for level in stack[state]:
            np.testing.assert_allclose(level, field, rtol=1e-4, atol=1e-6 * field.max())


def test_what_did_not_converge_is_not_a_number_and_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    from nichedose.transport import _jax_scheme as scheme

    monkeypatch.setattr(scheme, "MOST_NEWTON", 0)
    tissue = section(5)  # a shape of its own: compiled here, with that limit
    with pytest.raises(DidNotConverge, match=r"from 0 h to 480 h"):
        simulate_jax(tissue, PEPTIDE, SMALL, end_h=END_H, decay_per_h=USED, times_h=np.array([0.0, END_H]))


@pytest.mark.parametrize("name", list(CASES))
def test_in_single_precision_molecules_balance_and_maps_are_the_same(name: str) -> None:
    """Rounding of 32 steps: molecules 1e-5; maps 1e-4, a tenth of what the steps themselves are good for."""
    ligand, plasma, exchange = CASES[name]
    tissue = section(N, seed=7, exchange=exchange, mask=RAGGED)
    double, single = (simulate_jax(tissue, ligand, plasma, end_h=END_H, decay_per_h=USED, precision=precision)
                      for precision in ("double", "single"))
    assert single.molecules is not None and 0.0 < single.molecules.closure < 1e-5
    for label in USED:
        assert single.ledgers[label].closure < 1e-4
        np.testing.assert_allclose(total(single, label), total(double, label), rtol=1e-4)


def test_single_precision_and_settings_that_make_no_sense_are_refused() -> None:
    steps = plan(log_times(END_H, 3.0))
    with jax.enable_x64(False), pytest.raises(BadInput, match="double precision"):
        jax_label_integrals(transport_inputs(section(N, mask=RAGGED), PEPTIDE, SMALL), steps)
    for change, words in (
        ({"times_h": np.array([0.0, 2.0, 1.0])}, "times_h"),
        ({"times_h": np.array([1.0, 2.0])}, "times_h"),
        ({"solver_tolerance": 0.0}, "solver_tolerance"),
        ({"memory_GiB": 0.0}, "memory_GiB"),
        ({"spacing_um": -20.0}, "spacing_um"),
        ({"decay_per_h": {"177Lu": -1.0}}, "177Lu"),
        ({"mask": np.ones((3, 3))}, "boolean"),
        ({"times_h": "hours"}, "times_h must be .*got 'hours'"),
        ({"times_h": None}, "times_h must be"),
        ({"times_h": np.array([False, True])}, "times_h must be"),
        ({"decay_per_h": ["177Lu"]}, "maps the name"),
        ({"decay_per_h": {"177Lu": "0.1"}}, "177Lu"),
        ({"spacing_um": "20"}, "spacing_um must be above 0; got '20'"),
        ({"solver_tolerance": None}, "solver_tolerance"),
        ({"memory_GiB": "2"}, "memory_GiB"),
    ):
        with pytest.raises(BadInput, match=words):
            replace(steps, **change)
    with pytest.raises(BadInput, match="end_h"):
        log_times(0.0, 1.0)
    with pytest.raises(BadInput, match="at least one step"):
        log_times(1.0, 1.0, 0)
    with pytest.raises(BadInput, match="times_h"):
        simulate_jax(section(4), PEPTIDE, SMALL, end_h=END_H, decay_per_h=USED, times_h=np.array([0.0, 1.0]))
    with pytest.raises(BadInput, match=r"times_h must be .*got 'hours'"):
        simulate_jax(section(4), PEPTIDE, SMALL, end_h=END_H, decay_per_h=USED, times_h="hours")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="'half'"):
        simulate_jax(section(4), PEPTIDE, SMALL, end_h=END_H, decay_per_h=USED, precision="half")  # type: ignore[arg-type]


def test_the_memory_of_a_backward_run_is_bounded() -> None:
    assert _stretch(32, 32 * KEPT_PER_STEP) == 1  # all fits
    assert 1 < _stretch(32, 320) < 32
    assert _stretch(32, 0.0) in range(4, 7)  # least: about the square root
