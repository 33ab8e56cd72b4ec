"""The protraction factor from time integrals of labels, against the closed form for sums of exponentials."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.effect import g_exponentials, label_offsets, protraction_form
from nichedose.errors import BadInput

REPAIR = np.log(2.0) / np.array([0.5, 1.5, 4.0])


@pytest.mark.parametrize(("half_life_h", "worst", "rms"), [(1.1, 0.002, 0.0005), (51.0, 0.01, 0.001),
                                                          (160.0, 0.03, 0.002), (240.0, 0.04, 0.003)])
def test_mixtures_of_exponentials(half_life_h: float, worst: float, rms: float) -> None:
    """An uptake and two washout phases at random; the tolerances are the claims of the docstring."""
    rng, decay, errors = np.random.default_rng(0), np.log(2.0) / half_life_h, []
    for mu in REPAIR:
        offsets = label_offsets(decay, (mu,))
        form = protraction_form(decay, (mu,), (1.0,), offsets)
        for _ in range(60):
            out = np.exp(rng.uniform(np.log(1e-4), np.log(0.5), 2))
            rates = decay + np.array([*out, max(float(np.exp(rng.uniform(-3.0, 1.6))), 1.5 * float(out.max()))])
            share = rng.uniform(size=2)
            amplitudes = np.array([*share, -share.sum()])
            integrals = (amplitudes / (rates + offsets[:, None])).sum(axis=1)
            found = integrals @ form @ integrals / integrals[0] ** 2
            errors.append(found / g_exponentials(amplitudes, rates, float(mu)) - 1.0)
    assert np.abs(errors).max() < worst
    assert np.sqrt(np.mean(np.square(errors))) < rms


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
