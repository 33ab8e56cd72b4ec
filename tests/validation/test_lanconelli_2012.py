"""Voxel S values of Lanconelli et al. (Phys. Med. Biol. 2012; 57: 517-533), soft tissue.

131I as kept in github.com/MGHPhysicsResearch/MIRDCalculation (VoxelSValues). A voxel from itself: 2 %, of what their
values hold, which are beta particles and photons: conversion and Auger electrons would add 5 %. From 2 voxels on
photons alone reach: 2.5 %, at the corner (5, 5, 5) too, where MIRD Pamphlet 17 lies 11 % (3 mm) and 2 % (6 mm) higher.
"""

from __future__ import annotations

import pytest

from nichedose.dose import voxel_s_values

_131I = {
    3.0: {(0, 0, 0): 8.99e-1, (0, 0, 2): 4.65e-4, (0, 0, 3): 2.04e-4, (0, 0, 5): 7.23e-5, (0, 3, 3): 1.01e-4,
          (0, 5, 5): 3.57e-5, (2, 2, 2): 1.51e-4, (3, 3, 3): 6.71e-5, (2, 3, 4): 6.25e-5, (3, 4, 5): 3.60e-5,
          (4, 4, 4): 3.71e-5, (4, 5, 5): 2.70e-5, (5, 5, 5): 2.37e-5},
    6.0: {(0, 0, 0): 1.25e-1, (0, 0, 2): 1.17e-4, (0, 0, 3): 5.12e-5, (0, 0, 5): 1.83e-5, (0, 3, 3): 2.53e-5,
          (0, 5, 5): 8.92e-6, (2, 2, 2): 3.82e-5, (3, 3, 3): 1.68e-5, (2, 3, 4): 1.56e-5, (3, 4, 5): 8.94e-6,
          (4, 4, 4): 9.33e-6, (4, 5, 5): 6.78e-6, (5, 5, 5): 5.99e-6},
}


@pytest.mark.parametrize("side_mm", _131I)
def test_131i(side_mm: float) -> None:
    s = voxel_s_values("131I", side_mm, 11, quality=("beta", "photon")) * 1e9
    for (i, j, k), reference in _131I[side_mm].items():
        tolerance = 0.025 if max(i, j, k) else 0.02
        assert float(s[5 + i, 5 + j, 5 + k]) == pytest.approx(reference, rel=tolerance), (i, j, k)


@pytest.mark.parametrize(("side_mm", "reference"), [(3.0, 0.693), (4.42, 0.226), (6.0, 0.0925)])
def test_177lu(side_mm: float, reference: float) -> None:
    """Beta particles alone, which is what these values hold."""
    ours = float(voxel_s_values("177Lu", side_mm, 1, quality="beta")[0, 0, 0]) * 1e9
    assert ours == pytest.approx(reference, rel=0.02)


def test_177lu_neighbours() -> None:
    """2.21 mm: 4.83e-2 to the next voxel, 2.52e-3 across an edge."""
    s = voxel_s_values("177Lu", 2.21, 5, quality="beta") * 1e9
    assert float(s[2, 2, 3]) == pytest.approx(4.83e-2, rel=0.03)
    assert float(s[2, 3, 3]) == pytest.approx(2.52e-3, rel=0.05)
