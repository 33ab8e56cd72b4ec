"""Reliability of stated probabilities: right ones stay in the bands, overconfident ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.decide import brier_score, reliability
from nichedose.errors import BadInput

RNG = np.random.default_rng(17)


def test_right_probabilities_stay_within_the_bands() -> None:
    """Each band holds 95 % of repetitions; 40 repetitions of 7 bins, so 90 % within is five standard deviations low."""
    within = []
    for _ in range(40):
        p = RNG.uniform(size=800)
        within += [b.within for b in reliability(p, (RNG.uniform(size=800) < p).astype(float))]
    assert np.mean(within) > 0.9


def test_overconfidence_leaves_the_bands() -> None:
    truth = RNG.uniform(size=2000)
    stated = np.clip(1.6 * (truth - 0.5) + 0.5, 0.0, 1.0)
    found = reliability(stated, (RNG.uniform(size=2000) < truth).astype(float))
    assert sum(not b.within for b in found) >= 3
    assert found[0].came_true > found[0].stated and found[-1].came_true < found[-1].stated


def test_scores_and_edges() -> None:
    assert brier_score(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0.0
    assert brier_score(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == 0.25
    [low, high] = reliability(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert low.within and high.within and (low.low, low.high) == (0.0, 0.0)


@pytest.mark.parametrize(("stated", "hit", "words"), [
    ([], [], "as many"), ([0.5], [0.5, 1.0], "as many"), ([1.5], [1.0], "0 to 1"), ([float("nan")], [1.0], "0 to 1"),
    ([0.5], [0.3], "0 or 1"),
])
def test_what_cannot_be_scored(stated: list[float], hit: list[float], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        reliability(np.array(stated), np.array(hit))
