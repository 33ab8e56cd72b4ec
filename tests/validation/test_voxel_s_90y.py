"""Dose to a 90Y voxel from itself: a `section` as thick as its voxel is wide is a cube.

Bolch et al., MIRD Pamphlet 17 (1.61 mGy per MBq.s in 3 mm, 0.346 in 6 mm) and Lanconelli et al. 2012 (1.59 in 3 mm,
0.689 in 4.42 mm). 2 %: soft tissue there, water here (0.4 % to 0.8 %), and the two differ by 1.3 % between themselves.
"""

from __future__ import annotations

import pytest

from nichedose.dose.kernels import charged_qualities, radial_kernel
from nichedose.dose.planar import voxel_kernel
from nichedose.dose.units import GY_PER_MEV_PER_UM3


@pytest.mark.parametrize(("side_mm", "mGy_per_MBq_s"), [(3.0, 1.61), (6.0, 0.346), (3.0, 1.59), (4.42, 0.689)])
def test_self_dose_of_a_cube(side_mm: float, mGy_per_MBq_s: float) -> None:
    side_um = side_mm * 1e3
    kernels = [radial_kernel("90Y", q) for q in charged_qualities("90Y")]
    energy = sum(float(voxel_kernel(k, "section", side_um, side_um, 1)[0, 0]) for k in kernels)
    assert energy / side_um**3 * GY_PER_MEV_PER_UM3 * 1e9 == pytest.approx(mGy_per_MBq_s, rel=0.02)
