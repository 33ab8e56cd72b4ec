"""Dose to a voxel from itself: a `section` as thick as its voxel is wide is a cube.

90Y: Bolch et al., MIRD Pamphlet 17 (1.61 mGy per MBq.s in 3 mm, 0.346 in 6 mm) and Lanconelli et al. 2012. 177Lu:
Lanconelli et al. 2012, whose energy (0.130 MeV per decay in 6 mm) is that of the beta particles alone, as is ours
here. 2 %: soft tissue against water, and the two sources differ by 1.3 % between themselves.
"""

from __future__ import annotations

import pytest

from nichedose.dose import Quality
from nichedose.dose.kernels import charged_qualities, radial_kernel
from nichedose.dose.planar import voxel_kernel
from nichedose.dose.units import GY_PER_MEV_PER_UM3


def _self_dose(nuclide: str, side_mm: float, qualities: tuple[Quality, ...]) -> float:
    """mGy per MBq.s."""
    side_um = side_mm * 1e3
    kernels = [radial_kernel(nuclide, q) for q in qualities]
    energy = sum(float(voxel_kernel(k, "section", side_um, side_um, 1)[0, 0]) for k in kernels)
    return energy / side_um**3 * GY_PER_MEV_PER_UM3 * 1e9


@pytest.mark.parametrize(("side_mm", "reference"), [(3.0, 1.61), (6.0, 0.346), (3.0, 1.59), (4.42, 0.689)])
def test_90y(side_mm: float, reference: float) -> None:
    assert _self_dose("90Y", side_mm, charged_qualities("90Y")) == pytest.approx(reference, rel=0.02)


@pytest.mark.parametrize(("side_mm", "reference"), [
    (2.21, 1.66), (2.33, 1.43), (2.4, 1.31), (3.0, 0.693), (3.59, 0.413), (3.9, 0.325), (4.0, 0.302), (4.42, 0.226),
    (4.8, 0.178), (5.0, 0.158), (6.0, 0.0925)])
def test_177lu_beta_particles(side_mm: float, reference: float) -> None:
    assert _self_dose("177Lu", side_mm, ("beta",)) == pytest.approx(reference, rel=0.02)
