"""Voxel S values against a Monte Carlo with EGSnrc physics (ompMC 0.4.0), electrons and photons of ICRP-107 followed.

Numbers of ``benchmarks/voxel_s_bench.py``, mGy/(MBq s), with their standard error in per cent: the central voxel, and
the mean of the 332 voxels about as far off as (5, 5, 5). Tolerance: 0.5 % for ours and three standard errors.
"""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose import voxel_s_values

# nuclide, side mm, density g/mL (1.04: ICRU soft tissue there), centre, error, far, error
SIMULATED = [
    ("99mTc", 3.0, 1.04, 0.09234, 0.18, 8.133e-6, 0.69), ("99mTc", 6.0, 1.04, 0.01217, 0.27, 2.185e-6, 0.60),
    ("99mTc", 3.0, 1.0, 0.09559, 0.26, 8.180e-6, 0.91),
    ("131I", 3.0, 1.0, 0.9485, 0.13, 2.427e-5, 1.38), ("131I", 6.0, 1.0, 0.1315, 0.18, 6.018e-6, 1.24),
    ("177Lu", 3.0, 1.0, 0.7798, 0.11, 2.351e-6, 2.45), ("90Y", 3.0, 1.0, 1.600, 0.33, 3.62e-7, 16.4),
    ("32P", 3.0, 1.0, 1.658, 0.28, 2.53e-7, 27.1),
]


@pytest.mark.parametrize(("nuclide", "side", "density", "centre", "centre_error", "far", "far_error"), SIMULATED)
def test_centre_and_five_voxels_away(
    nuclide: str, side: float, density: float, centre: float, centre_error: float, far: float, far_error: float
) -> None:
    s = voxel_s_values(nuclide, side, 15, density_g_per_mL=density) * 1e9
    squared = ((np.indices(s.shape) - 7) ** 2).sum(axis=0)
    assert float(s[7, 7, 7]) == pytest.approx(centre, rel=0.005 + 0.03 * centre_error)
    away = float(s[(squared >= 70) & (squared <= 80)].mean())
    assert away == pytest.approx(far, rel=0.005 + 0.03 * far_error)
