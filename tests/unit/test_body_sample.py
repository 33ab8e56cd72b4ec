"""Sampling the posterior of a body fit: against a tabulated one, its diagnostics, and what it refuses."""

from __future__ import annotations

import dataclasses
import functools
import importlib

import numpy as np
import pytest
from test_body_fit import BOLUS, KIDNEY, LU177, SITES, build, series

from body_cases import PHYSIOLOGY, ligand
from nichedose.body import BodyFit, BodyModel, Observation, Patient, anatomy, body_model, fit, sample_posterior
from nichedose.body.misfit import Misfit
from nichedose.body.rate_map import rate_map
from nichedose.body.sample import _double_in_all_threads, _potential, _refuse_bad
from nichedose.errors import BadInput, DidNotConverge
from nichedose.values import Draw, Value


@functools.cache
def normal() -> BodyFit:
    """Two parameters, one with a uniform prior, and so few data that the posterior is not normal."""
    return fit(build, [series("kidney", (24.0,), noise=0.2), series("lesion", (96.0,), noise=0.2, sd=0.4)],
               regimen=BOLUS, decay_per_h=LU177, model_sd=0.2)


@functools.cache
def sampled() -> BodyFit:
    pytest.importorskip("numpyro")
    return sample_posterior(normal(), draws=150, warmup=60)


def tabulated(found: BodyFit) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of both scores by summing the posterior over a grid."""
    axis = np.linspace(-4.0, 4.0, 41)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    logs = -0.5 * (found.problem.many(grid) ** 2).sum(axis=1)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    mean = weights @ grid
    return mean, np.sqrt(weights @ (grid - mean) ** 2)


def test_the_samples_are_those_of_the_tabulated_posterior() -> None:
    """Standard errors of mean and sd are about 7 and 5 % of the sd at 200 effective draws; four of them."""
    found = sampled()
    assert found.samples is not None
    mean, sd = tabulated(found)
    assert np.abs(found.samples.mean(axis=0) - mean) == pytest.approx(0.0, abs=0.28 * sd.min())
    assert found.samples.std(axis=0) == pytest.approx(sd, rel=0.2)


def test_weighted_draws_are_those_of_the_tabulated_posterior() -> None:
    """Within 0.1 sd and 12 %: the long tail of one parameter is proposed too seldom. The normal posterior alone is off
    by 0.3 sd and 24 %."""
    found = normal()
    mean, sd = tabulated(found)
    for i, name in enumerate(found.parameters):
        assert found.weighted.weights @ found.weighted.scores[:, i] == pytest.approx(mean[i], abs=0.1 * sd[i])
        assert found.narrowing(name) == pytest.approx(sd[i], rel=0.12)
    skewed = found.parameters.index(SITES)
    assert abs(found.scores[skewed] - mean[skewed]) > 0.25 * sd[skewed]
    assert found.covariance[skewed, skewed] ** 0.5 < 0.8 * sd[skewed]


def test_predictions_of_both_agree() -> None:
    """Medians and the interval's width within four Monte Carlo errors of some 200 draws."""
    a, b = (f.predict(["kidney"], draws=256)["kidney"] for f in (sampled(), normal()))
    assert a.median_MBq_h == pytest.approx(b.median_MBq_h, rel=0.1)
    assert np.log(a.high_MBq_h / a.low_MBq_h) == pytest.approx(np.log(b.high_MBq_h / b.low_MBq_h), rel=0.3)


def test_diagnostics_are_told_and_good() -> None:
    found = sampled()
    assert found.diagnostics["r_hat"] < 1.05
    assert found.diagnostics["effective_draws"] > 100
    assert found.diagnostics["divergent"] < 0.01
    assert 0.5 < found.diagnostics["accepted"] <= 1.0
    assert found.effective_share == pytest.approx(1.0)
    low, high = found.interval(KIDNEY)
    assert low < found.value(KIDNEY) < high
    assert found.narrowing(SITES) < 1.0


@pytest.mark.parametrize(("changes", "message"), [
    ({"r_hat": 1.2}, "R-hat 1.200, above 1.05"),
    ({"effective_draws": 20.0}, "20 effective draws"),
    ({"divergent": 0.1}, "10.0 % of the trajectories diverge"),
    ({"r_hat": float("nan")}, "R-hat nan"),
])
def test_bad_chains_are_refused(changes: dict, message: str) -> None:
    good = {"r_hat": 1.0, "effective_draws": 300.0, "divergent": 0.0, "accepted": 0.8}
    _refuse_bad(good)
    with pytest.raises(DidNotConverge, match=message):
        _refuse_bad({**good, **changes})


def test_no_body_lies_far_out_nor_where_masses_do_not_add_up() -> None:
    """Long first steps of a walk lead there: the energy is infinite, and nothing is raised through JAX."""
    pytest.importorskip("jax")
    root = np.linalg.cholesky(normal().covariance)

    def weighs_too_much(draw: Draw) -> BodyModel:
        who = Patient(weight_kg=80.0, organ_volumes_mL={"liver": draw("liver", Value(
            median=2e3, geometric_sd=4.0, evidence="assumed"))})
        return body_model(who, anatomy(who, PHYSIOLOGY), ligand())

    cases = ((normal().problem, np.array([1e3, 0.0])), (normal().problem, np.array([np.nan, 0.0])),
             (Misfit((Observation(weighs_too_much, (series("kidney"),), BOLUS, LU177),), (rate_map(weighs_too_much),),
                     ("liver",), 0.1), np.array([4.0])))
    with _double_in_all_threads() as jax:
        for problem, z in cases:
            energy = _potential(jax, problem, np.zeros(z.size), root if z.size == 2 else np.eye(1))
            assert np.isposinf(float(energy(jax.numpy.asarray(z))))


def test_bad_numbers_are_refused() -> None:
    for changes in ({"draws": 10}, {"warmup": 10}, {"chains": 1}):
        with pytest.raises(BadInput, match="needs 50 draws"):
            sample_posterior(dataclasses.replace(normal()), **changes)


def test_without_numpyro_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax")
    real = importlib.import_module

    def without(name: str, *args: object) -> object:
        if name.startswith("numpyro"):
            raise ImportError("No module named 'numpyro'")
        return real(name, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(BadInput, match=r"needs the package numpyro.*nichedose\[bayes\]"):
        sample_posterior(normal())
