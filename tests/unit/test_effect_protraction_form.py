"""Protraction factor and dose to come from time integrals of labels, against closed forms for sums of exponentials."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.effect import dose_to_come, g_exponentials, label_offsets, protraction_form
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

REPAIR = np.log(2.0) / np.array([0.5, 1.5, 4.0])


def mixture(rng: np.random.Generator, decay: float) -> tuple[Array, Array]:
    """Amplitudes and rates of an uptake and two washout phases at random."""
    out = np.exp(rng.uniform(np.log(1e-4), np.log(0.5), 2))
    rates = decay + np.array([*out, max(float(np.exp(rng.uniform(-3.0, 1.6))), 1.5 * float(out.max()))])
    share = rng.uniform(size=2)
    return np.array([*share, -share.sum()]), rates


@pytest.mark.parametrize(("half_life_h", "worst", "rms"), [(1.1, 0.002, 0.0005), (51.0, 0.01, 0.001),
                                                          (160.0, 0.03, 0.002), (240.0, 0.04, 0.003)])
def test_mixtures_of_exponentials(half_life_h: float, worst: float, rms: float) -> None:
    """The tolerances are the claims of the docstring."""
    rng, decay, errors = np.random.default_rng(0), np.log(2.0) / half_life_h, []
    for mu in REPAIR:
        offsets = label_offsets(decay, (mu,))
        form = protraction_form(decay, (mu,), (1.0,), offsets)
        for _ in range(60):
            amplitudes, rates = mixture(rng, decay)
            integrals = (amplitudes / (rates + offsets[:, None])).sum(axis=1)
            found = integrals @ form @ integrals / integrals[0] ** 2
            errors.append(found / g_exponentials(amplitudes, rates, float(mu)) - 1.0)
    assert np.abs(errors).max() < worst
    assert np.sqrt(np.mean(np.square(errors))) < rms


@pytest.mark.parametrize("half_life_h", [1.1, 12.7, 51.0, 160.0, 240.0])
def test_dose_to_come_of_mixtures(half_life_h: float) -> None:
    """The tolerances are the claims of the docstring; all is to come at the start, and nothing at the end."""
    rng, decay, errors = np.random.default_rng(0), np.log(2.0) / half_life_h, []
    times_h = np.linspace(0.0, 14.0 / decay, 500)
    for mu in REPAIR:
        offsets = label_offsets(decay, (mu,))
        weights = dose_to_come(decay, offsets).at(times_h)
        for _ in range(60):
            amplitudes, rates = mixture(rng, decay)
            integrals = (amplitudes / (rates + offsets[:, None])).sum(axis=1)
            exact = np.exp(-np.outer(times_h, rates)) @ (amplitudes / rates)
            errors.append((weights @ integrals - exact) / integrals[0])
    assert np.abs(errors).max() < 0.05
    assert np.sqrt(np.mean(np.square(errors))) < 0.002
    assert np.abs(errors)[:, [0, -1]].max() < 1e-4


def test_two_repair_rates_are_their_mixture() -> None:
    decay, x = 0.01, 0.03
    offsets = label_offsets(decay, (0.2, 0.9))
    integrals = 1.0 / (x + offsets)
    g = [float(integrals @ protraction_form(decay, r, w, offsets) @ integrals) / integrals[0] ** 2
         for r, w in (((0.2, 0.9), (0.3, 0.7)), ((0.2,), (1.0,)), ((0.9,), (1.0,)))]
    assert g[0] == pytest.approx(0.3 * g[1] + 0.7 * g[2], rel=1e-3)  # each is fitted with its own weights
    assert g[1] == pytest.approx(x / (x + 0.2), rel=2e-3)


def test_no_repair_and_no_decay_have_no_form() -> None:
    with pytest.raises(BadInput, match="faster than 0"):
        label_offsets(0.0, (0.4,))
    with pytest.raises(BadInput, match="faster than 0"):
        label_offsets(0.01, (0.0,))
