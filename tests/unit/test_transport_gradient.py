"""The adjoint run: its derivatives against finite differences of the scheme at the same steps, and of `simulate`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import nichedose.transport.gradient as gradient_module
from nichedose.body import PlasmaCurve
from nichedose.errors import BadInput
from nichedose.fields.grid import Array, Grid
from nichedose.transport import LigandKinetics, TissueTransport, differentiate
from nichedose.transport._checkerboard import unpack
from nichedose.transport._equations import coefficients
from nichedose.transport._march import March, Stages, Step, march, plasma_stages
from nichedose.transport._tape import FIELDS_OF_STAGES, FIELDS_PER_CHECKPOINT, Tape
from nichedose.transport.gradient import Integrals
from transport_cases import CASES as SHARED
from transport_cases import END_H, LABELS, PEPTIDE, RAGGED, SMALL, USED, N, objective, run, section

# kint = krel = 0 and no diffusion are corners of the elimination
CASES = SHARED | {"antagonist": (replace(PEPTIDE, internalisation_per_h=0.0, release_per_h=0.0), SMALL, 2.0)}


def at_the_same_steps(
    tissue: TissueTransport, ligand: LigandKinetics, plasma: PlasmaCurve, tolerance: float
) -> Callable[[TissueTransport, LigandKinetics, PlasmaCurve], float]:
    """The objective of other inputs, on the steps that these take, every stage solved to the end."""
    steps: list[tuple[float, float, Array]] = []
    decays = np.array([0.0, *USED.values()])
    march(coefficients(tissue, ligand, "void"), plasma, END_H, decays, tolerance,
          record=lambda start, step, _: steps.append((start, step.size_h, step.weights)))

    def value(tissue: TissueTransport, ligand: LigandKinetics, plasma: PlasmaCurve) -> float:
        stages = Stages(coefficients(tissue, ligand, "void"))
        integrals, fade = np.zeros((len(decays), *stages.state.shape)), np.zeros(len(decays))
        for start, size, weights in steps:
            levels, _ = plasma_stages(plasma, start, size, 1.0)
            assert stages.take(size, levels, 1e-12, False, March())
            for n, decay in enumerate(decays):
                fade[n] = math.exp(-decay * start) * size
            stages.accept(fade[:, None] * weights, integrals)
        integrals[:, 0] *= stages.capacity
        maps = unpack(integrals, stages.shape)[1:]
        names = ("free", "bound", "internalised")
        return objective({u: dict(zip(names, m, strict=True)) for u, m in zip(USED, maps, strict=True)})[0]

    return value


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[TissueTransport, LigandKinetics, PlasmaCurve]:
    ligand, plasma, exchange = CASES[request.param]
    return section(N, exchange=exchange, mask=RAGGED), ligand, plasma


def slope(value: Callable[[float], float], scale: float) -> float:
    """Fourth-order central difference with a step of 2e-3 ``scale``: error about 1e-10 here."""
    h = 2e-3 * scale
    return (8.0 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12.0 * h)


def test_every_derivative_is_that_of_the_discrete_scheme(
    case: tuple[TissueTransport, LigandKinetics, PlasmaCurve], monkeypatch: pytest.MonkeyPatch
) -> None:
    tissue, ligand, plasma = case
    monkeypatch.setattr(gradient_module, "SOLVE_PER_TOLERANCE", 1e-8)
    monkeypatch.setattr("nichedose.transport._march.NEWTON_PER_TOLERANCE", 1e-8)
    found = differentiate(tissue, ligand, plasma, objective, end_h=END_H, decay_per_h=USED, tolerance=1e-3)
    value = at_the_same_steps(tissue, ligand, plasma, 1e-3)
    assert found.value == pytest.approx(value(tissue, ligand, plasma), rel=1e-9)

    for name, derivative in found.ligand.items():
        now = getattr(ligand, name)
        if now > 0.0:
            expected = slope(lambda d, n=name, v=now: value(tissue, replace(ligand, **{n: v + d}), plasma), now)
            assert derivative == pytest.approx(expected, rel=1e-6, abs=1e-7 * abs(found.value) / now), name
    for name in ("amplitudes_nmol_per_L", "rates_per_h"):
        for k, now in enumerate(getattr(plasma, name)):

            def changed(d: float, name: str = name, k: int = k) -> float:
                values = list(getattr(plasma, name))
                values[k] += d
                return value(tissue, ligand, replace(plasma, **{name: tuple(values)}))

            derivative = (found.plasma_amplitudes if name.startswith("amp") else found.plasma_rates)[k]
            assert derivative == pytest.approx(slope(changed, now), rel=1e-6), (name, k)
    direction = np.random.default_rng(3).random((N, N)) * RAGGED
    for name in ("target_nmol_per_L", "exchange_per_h"):
        now = getattr(tissue, name)
        expected = slope(
            lambda d, n=name, f=now: value(replace(tissue, **{n: f * (1.0 + d * direction)}), ligand, plasma), 1.0)
        derivative = float((getattr(found, name) * direction * now).sum())
        assert derivative == pytest.approx(expected, rel=1e-6), name
        assert not getattr(found, name)[~RAGGED].any()


def test_what_is_not_kept_is_solved_again_to_the_same_bits() -> None:
    tissue = section(N, mask=RAGGED)
    options = {"end_h": END_H, "decay_per_h": USED}
    whole = differentiate(tissue, PEPTIDE, SMALL, objective, **options)
    little = differentiate(tissue, PEPTIDE, SMALL, objective, memory_GiB=1e-9, **options)
    assert little.ligand == whole.ligand
    np.testing.assert_array_equal(little.target_nmol_per_L, whole.target_nmol_per_L)


def test_a_step_that_took_bound_ligand_back_is_solved_again_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sites that keep what they catch: free ligand becomes less than a stage may leave undone."""
    one, seen = np.ones((14, 5)), []
    settle = Stages.settle
    monkeypatch.setattr(Stages, "settle", lambda self: (seen.append(self), settle(self)))
    ligand = LigandKinetics(0.1, 0.0, 0.0, 0.008, 10.0, 0.1, 0.05)
    tissue = TissueTransport(Grid((14, 5), 20.0), one > 0, 20.0 * one, one)
    plasma, options = PlasmaCurve((6e-5, -6e-5), (0.2, 2.0)), {"end_h": 480.0, "decay_per_h": {"x": 0.693}}

    def bound(maps: Integrals) -> tuple[float, Integrals]:
        return float(maps["x"]["bound"].sum()), {"x": {"bound": one}}

    whole = differentiate(tissue, ligand, plasma, bound, **options)
    assert seen
    little = differentiate(tissue, ligand, plasma, bound, memory_GiB=1e-9, **options)
    assert little.ligand == whole.ligand

    def value(kon: float) -> float:
        changed = replace(ligand, association_L_per_nmol_per_h=kon)
        return bound(run(tissue, changed, plasma, tolerance=1e-6, **options).time_integrals_nmol_h_per_L)[0]

    expected = slope(lambda d: value(0.1 + d), 0.1)
    assert whole.ligand["association_L_per_nmol_per_h"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("most_fields", [24, 60, 150, 400])
def test_the_tape_keeps_within_its_memory(most_fields: int) -> None:
    stages = Stages(coefficients(section(N, mask=RAGGED), PEPTIDE, "void"))
    tape = Tape(most_fields)

    def record(start_h: float, step: Step, run: Stages) -> None:
        tape.record(start_h, step, run)
        held = sum(c.state.size + c.first_slope.size + c.free.size for c in tape.checkpoints.values())
        stages = len(tape.steps) if tape.whole else tape.stride  # all that was written, or a stretch solved again
        held += stages * FIELDS_OF_STAGES * run.q.size
        assert tape.whole or not tape.blocks
        # beyond what so little can hold, the least that a run of so many steps takes
        allowed = max(most_fields, 2 * math.sqrt(len(tape.steps) * FIELDS_OF_STAGES * FIELDS_PER_CHECKPOINT) + 15)
        assert held <= allowed * run.q.size

    march(stages.eq, SMALL, END_H, np.array([0.0]), 1e-3, record=record, stages=stages)
    assert tape.whole == (most_fields == 400)


def test_value_and_default_accuracy_are_those_of_simulate() -> None:
    """At the default tolerance, against differences of `simulate` at a tight one."""
    tissue = section(N, mask=RAGGED)
    found = differentiate(tissue, PEPTIDE, SMALL, objective, end_h=END_H, decay_per_h=USED)

    def value(ligand: LigandKinetics) -> float:
        solution = run(tissue, ligand, SMALL, end_h=END_H, decay_per_h=USED, tolerance=1e-6)
        return objective(solution.time_integrals_nmol_h_per_L)[0]

    assert found.value == pytest.approx(value(PEPTIDE), rel=1e-3)
    for name in ("association_L_per_nmol_per_h", "internalisation_per_h", "diffusivity_um2_per_s", "void_fraction"):
        now = getattr(PEPTIDE, name)
        expected = slope(lambda d, n=name, v=now: value(replace(PEPTIDE, **{n: v + d})), 10.0 * now)
        assert found.ligand[name] * now == pytest.approx(expected * now, abs=1e-3 * abs(found.value)), name


def test_more_of_everything_is_the_sum_over_amplitudes() -> None:
    tissue = section(N)
    weight = np.ones((N, N))

    def bound(maps: Integrals) -> tuple[float, Integrals]:
        return float(maps["177Lu"]["bound"].sum()), {"177Lu": {"bound": weight}}

    found = differentiate(tissue, replace(PEPTIDE, association_L_per_nmol_per_h=1e-6), SMALL, bound, end_h=END_H,
                          decay_per_h={"177Lu": LABELS["177Lu"]})
    assert found.log_plasma == pytest.approx(found.value, rel=2e-3)  # far from saturation: proportional


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"177LU": {"bound": np.ones((N, N))}}, "177Lu"),
        ({"177Lu": {"bond": np.ones((N, N))}}, "bound"),
        ({"177Lu": {"bound": np.ones((N, 1))}}, "shape"),
        ({"177Lu": {"bound": np.full((N, N), np.nan)}}, "finite"),
    ],
)
def test_an_objective_that_makes_no_sense_is_refused(wanted: Integrals, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        differentiate(section(N), PEPTIDE, SMALL, lambda _: (0.0, wanted), end_h=24.0,
                      decay_per_h={"177Lu": LABELS["177Lu"]})


@pytest.mark.parametrize("returned", [None, 1.0, (np.nan, {}), ("1", {}), (1.0, None), (1.0, {"177Lu": 3.0}),
                                      (1.0, {"177Lu": {"bound": "x"}}), (True, {}), (np.ones(2), {}),
                                      (1.0, {"177Lu": {"bound": [[1.0], [1.0, 2.0]]}}), (1.0, {177: {}}),
                                      (1.0, {"177Lu": {3: 1.0}})])
def test_an_objective_that_gives_no_value_with_derivatives_is_refused(returned: Any) -> None:
    with pytest.raises(BadInput, match="objective"):
        differentiate(section(N), PEPTIDE, SMALL, lambda _: returned, end_h=24.0,
                      decay_per_h={"177Lu": LABELS["177Lu"]})


@pytest.mark.parametrize("limit", [0.1, 0.7])
def test_progress_rises_to_the_end_and_may_stop_either_run(limit: float) -> None:
    seen: list[float] = []
    options = {"end_h": 24.0, "decay_per_h": USED}
    differentiate(section(N), PEPTIDE, SMALL, objective, progress=seen.append, **options)
    assert seen == sorted(seen) and seen[-1] == 1.0 and 0.5 in seen

    def stop(share: float) -> None:
        if share > limit:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        differentiate(section(N), PEPTIDE, SMALL, objective, progress=stop, **options)


def test_no_memory_is_refused() -> None:
    with pytest.raises(BadInput, match="memory_GiB"):
        differentiate(section(N), PEPTIDE, SMALL, objective, end_h=24.0, decay_per_h=USED, memory_GiB=0.0)


def test_an_objective_is_a_function() -> None:
    with pytest.raises(BadInput, match=r"An objective is a function .*got 'mean'"):
        differentiate(section(N), PEPTIDE, SMALL, "mean", end_h=24.0, decay_per_h=USED)  # type: ignore[arg-type]


def test_an_objective_needs_a_label() -> None:
    with pytest.raises(BadInput, match="name a label in decay_per_h"):
        differentiate(section(N, mask=RAGGED), PEPTIDE, SMALL, lambda maps: (0.0, {}), end_h=END_H, decay_per_h={})
