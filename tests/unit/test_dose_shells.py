"""S values of shells: the sphere, reciprocity, sums, sampled tracks, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose import CHARGED, shell_s_value, sphere_s_value
from nichedose.dose.geometry import sphere_volume_um3
from nichedose.dose.kernels import radial_kernel
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput


@pytest.mark.parametrize("nuclide", ["177Lu", "225Ac", "99mTc"])
def test_spheres_shells_and_their_sums(nuclide: str) -> None:
    """A sphere as one shell; the same dose either way between two shells; parts add up by volume: 1e-9."""
    whole = shell_s_value(nuclide, (0.0, 60.0), (0.0, 60.0))
    assert whole == pytest.approx(sphere_s_value(nuclide, 120.0), rel=1e-12)
    out, back = shell_s_value(nuclide, (0.0, 40.0), (40.0, 60.0)), shell_s_value(nuclide, (40.0, 60.0), (0.0, 40.0))
    assert out == pytest.approx(back, rel=1e-9)
    core = (40.0 / 60.0) ** 3
    parts = [core * shell_s_value(nuclide, (0.0, 40.0), source) + (1.0 - core) * shell_s_value(
        nuclide, (40.0, 60.0), source) for source in ((0.0, 60.0), (60.0, 60.0))]
    assert parts[0] == pytest.approx(whole, rel=1e-9)
    assert parts[1] == pytest.approx(shell_s_value(nuclide, (0.0, 60.0), (60.0, 60.0)), rel=1e-9)


def test_a_surface_is_the_limit_of_thin_shells() -> None:
    thin = shell_s_value("177Lu", (0.0, 300.0), (299.99, 300.01))
    assert thin == pytest.approx(shell_s_value("177Lu", (0.0, 300.0), (300.0, 300.0)), rel=1e-4)


def test_against_sampled_tracks() -> None:
    """Alphas of 211At from a shell of 60 to 70 um into a core of 50 um, deposits sampled along the kernel: 1 %."""
    rng, n = np.random.default_rng(6), 1_000_000
    kernel = radial_kernel("211At", "alpha")
    radius = (60.0**3 + rng.random(n) * (70.0**3 - 60.0**3)) ** (1.0 / 3.0)
    cosine = 2.0 * rng.random(n) - 1.0
    step = np.interp(rng.random(n) * kernel.total_MeV, kernel.cumulative_MeV, kernel.radius_um)
    inside = radius**2 + step**2 + 2.0 * radius * step * cosine < 50.0**2
    sampled = float(inside.mean()) * kernel.total_MeV / sphere_volume_um3(50.0) * GY_PER_MEV_PER_UM3
    assert shell_s_value("211At", (0.0, 50.0), (60.0, 70.0), quality="alpha") == pytest.approx(sampled, rel=0.01)
    assert shell_s_value("211At", (0.0, 5.0), (200.0, 300.0), quality="alpha") == 0.0  # out of reach


@pytest.mark.parametrize(("target", "source", "message"), [
    ((0.0, 0.0), (0.0, 5.0), "outer above 0"),
    ((5.0, 4.0), (0.0, 5.0), "inner <= outer"),
    ((-1.0, 4.0), (0.0, 5.0), "inner <= outer"),
    ((0.0, float("nan")), (0.0, 5.0), "target_radii_um"),
    ((5.0, 5.0), (0.0, 5.0), "a surface has no mass"),
    ((0.0, 5.0), (3.0,), "source_radii_um"),
])
def test_bad_radii(target: tuple[float, float], source: tuple[float, float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        shell_s_value("177Lu", target, source)


def test_bad_names() -> None:
    with pytest.raises(BadInput, match="Did you mean '177Lu'"):
        shell_s_value("177Lx", (0.0, 5.0), (0.0, 5.0))
    assert shell_s_value("177Lu", (0.0, 5.0), (0.0, 5.0), quality=CHARGED) < shell_s_value(
        "177Lu", (0.0, 5.0), (0.0, 5.0))
