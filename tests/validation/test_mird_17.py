"""Voxel S values of Bolch et al., MIRD Pamphlet 17 (J. Nucl. Med. 1999; 40: 11S-36S): 32P, 89Sr, 90Y, 99mTc, 131I.

Their medium is soft tissue, whose density is taken as 1.04 g/mL (assumed; at 1.00 the values of 99mTc and 131I from a
voxel to itself lie 2 to 6 % higher). Self dose: 2 %, five voxels away along each axis, where photons decide, 10 %.
99mTc at 3 mm misses both, by 0.4 and 1.5 points, and at 6 mm lies 1.7 % above and 6.6 % below. There the pamphlet is
the outlier: a Monte Carlo with EGSnrc physics in ICRU soft tissue agrees with ours within 0.4 % for all four
(`test_voxels_monte_carlo.py`). The tails of 32P and 90Y are bremsstrahlung, in which sources differ by half and ours by
up to 2; they are not compared.
"""

from __future__ import annotations

import pytest

from nichedose.dose import voxel_s_values

DISAGREES = pytest.mark.xfail(
    strict=True, reason="2.4 % above, 11.5 % below the pamphlet, equal to a Monte Carlo: docs/theory/photons.md")


def _s(nuclide: str, side_mm: float, density: float) -> tuple[float, float]:
    """(000) and (555), mGy per MBq.s."""
    s = voxel_s_values(nuclide, side_mm, 11, density_g_per_mL=density) * 1e9
    return float(s[5, 5, 5]), float(s[0, 0, 0])


@pytest.mark.parametrize(("nuclide", "side_mm", "reference", "tolerance"), [
    ("32P", 3.0, 1.65, 0.02), ("32P", 6.0, 0.319, 0.02), ("89Sr", 3.0, 1.55, 0.02), ("89Sr", 6.0, 0.285, 0.02),
    ("90Y", 3.0, 1.61, 0.02), ("90Y", 6.0, 0.346, 0.02),
    pytest.param("99mTc", 3.0, 9.02e-2, 0.02, marks=DISAGREES),
    ("99mTc", 6.0, 1.20e-2, 0.02), ("131I", 3.0, 0.92, 0.02),
    ("131I", 6.0, 0.129, 0.02)])
def test_self_dose(nuclide: str, side_mm: float, reference: float, tolerance: float) -> None:
    assert _s(nuclide, side_mm, 1.04)[0] == pytest.approx(reference, rel=tolerance)


@pytest.mark.parametrize(("nuclide", "side_mm", "reference", "tolerance"), [
    pytest.param("99mTc", 3.0, 9.12e-6, 0.10, marks=DISAGREES),
    ("99mTc", 6.0, 2.33e-6, 0.10), ("131I", 3.0, 2.63e-5, 0.10),
    ("131I", 6.0, 6.1e-6, 0.10)])
def test_five_voxels_away(nuclide: str, side_mm: float, reference: float, tolerance: float) -> None:
    for density in (1.0, 1.04):
        assert _s(nuclide, side_mm, density)[1] == pytest.approx(reference, rel=tolerance)


@pytest.mark.parametrize(("side_mm", "reference"), [(3.0, 0.693), (4.42, 0.226), (6.0, 0.0925)])
def test_177lu_of_lanconelli_2012(side_mm: float, reference: float) -> None:
    """Beta particles alone, which is what these values hold."""
    ours = float(voxel_s_values("177Lu", side_mm, 1, quality="beta")[0, 0, 0]) * 1e9
    assert ours == pytest.approx(reference, rel=0.02)


def test_177lu_neighbours_of_lanconelli_2012() -> None:
    """2.21 mm: 4.83e-2 to the next voxel, 2.52e-3 across an edge."""
    s = voxel_s_values("177Lu", 2.21, 5, quality="beta") * 1e9
    assert float(s[2, 2, 3]) == pytest.approx(4.83e-2, rel=0.03)
    assert float(s[2, 3, 3]) == pytest.approx(2.52e-3, rel=0.05)
