"""Voxel S values of Bolch et al., MIRD Pamphlet 17 (J. Nucl. Med. 1999; 40: 11S-36S): 32P, 89Sr, 90Y, 99mTc, 131I.

Their medium is soft tissue, whose density is taken as 1.04 g/mL (assumed; at 1.00 the values of 99mTc and 131I from a
voxel to itself lie 2 to 6 % higher). Self dose: 2 %, five voxels away along each axis, where photons decide, 10 %.
99mTc at 3 mm misses both, by 0.4 and 1.5 points. The self dose lacks, to 1e-5 at 3 mm, the Auger electrons below 1 keV
of ICRP Publication 107 (ENSDF has them too); whether its decay data or its cut-off left them out we do not know. At
(5, 5, 5) its values for 99mTc and 131I all lie above ours, most at 3 mm; a Monte Carlo with EGSnrc physics in soft
tissue (`test_voxels_monte_carlo.py`), a plain walk of photons (`test_photons_walked.py`) and, for 131I, Lanconelli et
al. 2012 (`test_lanconelli_2012.py`) agree with ours within 1, 2 and 2.3 %. The tails of 32P and 90Y are bremsstrahlung,
of which the pamphlet has twice as much as ours and, for 90Y, as Lanconelli et al.; they are not compared.
"""

from __future__ import annotations

import pytest

from nichedose.dose import voxel_s_values
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.nuclide import emissions

DISAGREES = pytest.mark.xfail(
    strict=True, reason="2.4 % above, 11.5 % below: its electrons below 1 keV, its corner; docs/theory/photons.md")


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


@pytest.mark.parametrize(("side_mm", "reference", "tolerance"), [(3.0, 9.02e-2, 0.001), (6.0, 1.20e-2, 0.007)])
def test_self_dose_of_99mtc_lacks_electrons_below_1_kev(side_mm: float, reference: float, tolerance: float) -> None:
    """0.38 of 16.2 keV per decay; three digits are printed. 131I, which has 0.08 of 194 keV there, shows nothing."""
    auger = emissions("99mTc").lines["auger"]
    slow = auger.energy_MeV < 1e-3
    gray = float(auger.energy_MeV[slow] @ auger.per_decay[slow]) * GY_PER_MEV_PER_UM3 / (1.04 * (side_mm * 1e3) ** 3)
    assert _s("99mTc", side_mm, 1.04)[0] - gray * 1e9 == pytest.approx(reference, rel=tolerance)


@pytest.mark.parametrize(("nuclide", "side_mm", "reference", "tolerance"), [
    pytest.param("99mTc", 3.0, 9.12e-6, 0.10, marks=DISAGREES),
    ("99mTc", 6.0, 2.33e-6, 0.10), ("131I", 3.0, 2.63e-5, 0.10),
    ("131I", 6.0, 6.1e-6, 0.10)])
def test_five_voxels_away(nuclide: str, side_mm: float, reference: float, tolerance: float) -> None:
    for density in (1.0, 1.04):
        assert _s(nuclide, side_mm, density)[1] == pytest.approx(reference, rel=tolerance)
