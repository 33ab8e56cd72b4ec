"""A model's rates replayed from a recording: the same numbers as models that are built, branch by branch."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from body_cases import model
from nichedose.body import BodyModel, Patient, anatomy, body_ligand, body_model
from nichedose.body.rate_map import RateMap, rate_map
from nichedose.body.score_quantile import quantile_of_score, slope_of_score
from nichedose.library import load_library
from nichedose.library.bodies import load_bodies
from nichedose.values import Draw, Value

BODIES = load_bodies()
SPREAD = Value(median=1.0, geometric_sd=2.0, evidence="assumed")


@pytest.mark.parametrize("name", sorted(BODIES.kinetics))
def test_replayed_models_are_those_that_are_built(name: str) -> None:
    """Of every set. Antibodies pass walls by exponentials, which the recording loses only where pores are uncertain."""
    form, who = load_library().forms[name], Patient(weight_kg=80.0)

    def build(draw: Draw) -> BodyModel:
        ligand = body_ligand(form, BODIES.of_form(name), BODIES.physiology.antibody, draw)
        return body_model(who, anatomy(who, BODIES.physiology, draw), ligand)

    rates = rate_map(build)
    if BODIES.of_form(name).molecule == "peptide":
        assert rates.is_recorded
    scores = np.random.default_rng(1).standard_normal((4, len(rates.names)))
    for ours, row in zip(rates.models(scores), scores, strict=True):
        afresh = rates.built(row)
        for field in ("rates", "sites", "volume_L", "under_amino_acids"):
            assert dict(getattr(ours, field)) == pytest.approx(dict(getattr(afresh, field)), rel=1e-12)
        assert ours.plasma_volume_L == pytest.approx(afresh.plasma_volume_L, rel=1e-12)


def scaled(factor: float) -> BodyModel:
    body = model()
    return dataclasses.replace(body, plasma_volume_L=body.plasma_volume_L * factor)


def test_a_draw_that_takes_another_branch_is_built_afresh() -> None:
    def build(draw: Draw) -> BodyModel:
        x = draw("x", SPREAD)
        return scaled(x if x < 1.5 else 10.0 - 0.1 * x)

    rates = rate_map(build)
    scores = np.array([[-1.0], [0.3], [2.0]])
    found = [m.plasma_volume_L for m in rates.models(scores)]
    assert found == pytest.approx([build_at(build, s).plasma_volume_L for s in scores], rel=1e-14)


def build_at(build, score: np.ndarray) -> BodyModel:
    return rate_map(build).built(score)


def test_a_function_that_the_recording_loses_is_found_out() -> None:
    rates = rate_map(lambda draw: scaled(math.exp(draw("x", SPREAD))))
    assert not rates.is_recorded
    [low, high] = rates.models(np.array([[-1.0], [1.0]]))
    assert high.plasma_volume_L / low.plasma_volume_L == pytest.approx(math.exp(2.0 - 0.5), rel=1e-12)


def volume_slopes(rates: RateMap, score: np.ndarray) -> np.ndarray:
    """Of the plasma volume by every score, taken back along the tape."""
    found = rates.at(score)
    assert found is not None
    bars = np.zeros((len(rates.numbers), 1))
    bars[rates.numbers["plasma_volume_L", ""]] = 1.0
    return rates.pulled(found[1], score, bars)[:, 0]


def central_volume_slopes(rates: RateMap, score: np.ndarray, h: float = 1e-3) -> np.ndarray:
    def volumes(step: float) -> np.ndarray:
        return np.array([m.plasma_volume_L for m in rates.models(score + step * np.eye(score.size))])

    once, twice = ((volumes(s) - volumes(-s)) / (2.0 * s) for s in (h, 2.0 * h))
    return (4.0 * once - twice) / 3.0


def test_no_slopes_where_the_recording_does_not_hold() -> None:
    assert rate_map(lambda draw: scaled(math.exp(draw("x", SPREAD)))).at(np.zeros(1)) is None
    turns = rate_map(lambda draw: scaled(x if (x := draw("x", SPREAD)) < 1.5 else 10.0 - 0.1 * x))
    assert turns.at(np.array([0.3])) is not None and turns.at(np.array([2.0])) is None


def test_all_operations_are_recorded() -> None:
    def build(draw: Draw) -> BodyModel:
        x, y = draw("x", SPREAD), draw("y", SPREAD)
        return scaled(sum([x, 2.0 - y, -x, 3.0 / y, x / 2, 2**y, y**x, 1 + x * y]) + max(x, 0.0))

    rates = rate_map(build)
    assert rates.is_recorded
    scores = np.array([[0.4, -0.7], [-1.2, 0.1]])
    assert volume_slopes(rates, scores[0]) == pytest.approx(central_volume_slopes(rates, scores[0]), rel=1e-8)
    assert [m.plasma_volume_L for m in rates.models(scores)] == pytest.approx(
        [rates.built(s).plasma_volume_L for s in scores], rel=1e-13)


@pytest.mark.parametrize("value", [
    SPREAD, Value(mean=2.0, sd=0.5, evidence="assumed"), Value(mean=2.0, sd=0.0, evidence="assumed"),
    Value(low=1.0, high=3.0, evidence="assumed"), Value(low=1.0, high=30.0, log=True, evidence="assumed"),
    Value(value=4.0, evidence="assumed"),
])
def test_quantiles_of_scores_are_those_of_the_value(value: Value) -> None:
    scores = np.array([-2.5, -0.3, 0.0, 1.7])
    assert quantile_of_score(value, scores, ndtr, ndtri) == pytest.approx(
        [value.quantile(float(ndtr(s))) for s in scores], rel=1e-12)
    slopes = [(value.quantile(float(ndtr(s + 1e-5))) - value.quantile(float(ndtr(s - 1e-5)))) / 2e-5 for s in scores]
    if value.value is None:
        assert [slope_of_score(value, float(s)) for s in scores] == pytest.approx(slopes, rel=1e-6)
