"""LET along alpha tracks and at a distance from a source."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose import alpha_let_keV_per_um, alpha_tracks, point_kernel
from nichedose.dose.alphas import alpha_range_um
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput, OutOfValidity


def test_a_track_spends_its_energy() -> None:
    """The integral of LET over the track is the energy (1e-3: the trapezoid); that left belongs to the range left."""
    tracks = alpha_tracks("225Ac", "equilibrium", points=1001)
    assert {track.emitter for track in tracks} >= {"225Ac", "221Fr", "217At", "213Bi", "213Po"}
    for track in tracks:
        assert float(np.trapezoid(track.let_keV_per_um, track.travelled_um)) == pytest.approx(
            1e3 * track.emitted_MeV, rel=1e-3)
        np.testing.assert_allclose(alpha_range_um(track.energy_MeV), track.range_um - track.travelled_um, atol=1e-9)
        assert track.energy_MeV[0] == pytest.approx(track.emitted_MeV) and track.energy_MeV[-1] == 0.0
        spent = -np.diff(track.energy_MeV)
        middle = 0.5 * (track.let_keV_per_um[1:] + track.let_keV_per_um[:-1])
        assert track.dose_mean_let_keV_per_um == pytest.approx(float(middle @ spent) / track.emitted_MeV, rel=2e-3)
        assert track.let_keV_per_um[0] < track.track_mean_let_keV_per_um < track.dose_mean_let_keV_per_um
    assert sum(track.per_decay for track in tracks) == pytest.approx(4.0, abs=1e-3)  # alphas of the whole chain


def test_let_at_the_start_is_the_stopping_power() -> None:
    """NIST ASTAR, liquid water: 797 MeV cm2/g at 5.787 MeV; 0.5 % between its points and for the other energy."""
    main = max(alpha_tracks("225Ac"), key=lambda track: track.per_decay)
    assert main.let_keV_per_um[0] == pytest.approx(79.7 * (5.787 / main.emitted_MeV) ** 0.7, rel=5e-3)


def test_one_line_is_seen_at_a_distance_as_along_its_track() -> None:
    """213Po is one line to 5e-5; dose at a distance is the LET there, over the sphere."""
    track = alpha_tracks("213Po", points=9)[-1]
    inside = track.travelled_um[1:-1]
    let = alpha_let_keV_per_um("213Po", inside)
    np.testing.assert_allclose(let, track.let_keV_per_um[1:-1], rtol=1e-3)
    dose = 1e-3 * track.per_decay * let / (4.0 * np.pi * inside**2) * GY_PER_MEV_PER_UM3
    np.testing.assert_allclose(point_kernel("213Po", inside, "alpha"), dose, rtol=0.01)  # slope between stored radii


def test_a_mixture_is_weighted_by_dose() -> None:
    near, far = alpha_let_keV_per_um("212Pb", [0.0, 70.0], "equilibrium")
    tracks = alpha_tracks("212Pb", "equilibrium")
    start = np.array([(track.per_decay, track.let_keV_per_um[0]) for track in tracks])
    assert near == pytest.approx(float(start[:, 0] @ start[:, 1] ** 2) / float(start[:, 0] @ start[:, 1]))
    [fast] = [track for track in tracks if track.emitter == "212Po" and track.per_decay > 0.1]
    assert far == pytest.approx(float(np.interp(70.0, fast.travelled_um, fast.let_keV_per_um)), rel=2e-3)
    assert alpha_let_keV_per_um("211At", 500.0) == 0.0
    assert alpha_let_keV_per_um("211At", np.ones((2, 3))).shape == (2, 3)


def test_decay_data_may_be_chosen() -> None:
    ours, theirs = (alpha_let_keV_per_um("211At", 20.0, decay_data=source) for source in ("ensdf", "icrp107"))
    assert float(ours) == pytest.approx(float(theirs), rel=1e-3)


def test_bad_input() -> None:
    for call, said in ((lambda: alpha_tracks("177Lu"), "emits no alphas itself"),
                       (lambda: alpha_tracks("177Lu", "equilibrium"), "177Lu emits no alphas"),
                       (lambda: alpha_tracks("211At", points=1), "2 or more"),
                       (lambda: alpha_tracks("211Ax"), "Did you mean"),
                       (lambda: alpha_let_keV_per_um("211At", -1.0), "0 or above"),
                       (lambda: alpha_let_keV_per_um("211At", "20"), "real numbers")):
        with pytest.raises(BadInput, match=said):
            call()  # type: ignore[no-untyped-call]
    with pytest.raises(OutOfValidity, match="kernels are computed from"):
        alpha_let_keV_per_um("211At", 1e-4)
