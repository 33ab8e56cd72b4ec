"""Voxel S values of Lanconelli et al. (Phys. Med. Biol. 2012; 57: 517-533), Monte Carlo in soft tissue.

131I and 90Y as kept in github.com/MGHPhysicsResearch/MIRDCalculation (VoxelSValues). The density of their tissue was
not at hand: 1.04 g/mL is assumed as for MIRD Pamphlet 17, and the range of 90Y bears it out (water of 1.00 is 22 % too
high three voxels off). Voxels beside the source: 1.5 %. From two on photons alone reach in 131I: 2.5 %, at the corner
(5, 5, 5) too, where the pamphlet lies 11 % (3 mm) and 2 % (6 mm) higher. There 90Y has bremsstrahlung: 12 %, and the
pamphlet twice as much as either of us.
"""

from __future__ import annotations

import pytest

from nichedose.dose import voxel_s_values

_TISSUE_G_PER_ML = 1.04
_BESIDE = {
    ("131I", 3.0): {(0, 0, 1): 3.02e-2, (0, 1, 1): 2.41e-3, (1, 1, 1): 7.26e-4},
    ("131I", 6.0): {(0, 0, 1): 2.47e-3, (0, 1, 1): 2.98e-4, (1, 1, 1): 1.63e-4},
    ("90Y", 3.0): {(0, 0, 0): 1.59, (0, 0, 1): 2.75e-1, (0, 1, 1): 9.50e-2, (1, 1, 1): 4.29e-2},
    ("90Y", 6.0): {(0, 0, 0): 3.42e-1, (0, 0, 1): 3.80e-2},
}
_FAR = {
    ("131I", 3.0): {(0, 0, 2): 4.65e-4, (0, 0, 3): 2.04e-4, (0, 0, 5): 7.23e-5, (0, 3, 3): 1.01e-4, (0, 5, 5): 3.57e-5,
                    (2, 2, 2): 1.51e-4, (3, 3, 3): 6.71e-5, (2, 3, 4): 6.25e-5, (3, 4, 5): 3.60e-5,
                    (4, 4, 4): 3.71e-5, (4, 5, 5): 2.70e-5, (5, 5, 5): 2.37e-5},
    ("131I", 6.0): {(0, 0, 2): 1.17e-4, (0, 0, 3): 5.12e-5, (0, 0, 5): 1.83e-5, (0, 3, 3): 2.53e-5, (0, 5, 5): 8.92e-6,
                    (2, 2, 2): 3.82e-5, (3, 3, 3): 1.68e-5, (2, 3, 4): 1.56e-5, (3, 4, 5): 8.94e-6,
                    (4, 4, 4): 9.33e-6, (4, 5, 5): 6.78e-6, (5, 5, 5): 5.99e-6},
    ("90Y", 3.0): {(0, 0, 5): 1.14e-6, (3, 3, 3): 1.04e-6, (0, 5, 5): 5.08e-7, (4, 4, 4): 5.33e-7, (5, 5, 5): 3.22e-7},
    ("90Y", 6.0): {(0, 0, 3): 7.59e-7, (0, 0, 5): 2.37e-7, (2, 2, 2): 5.43e-7, (3, 3, 3): 2.17e-7, (0, 5, 5): 1.10e-7,
                   (4, 4, 4): 1.15e-7, (5, 5, 5): 7.04e-8},
}


@pytest.mark.parametrize(("nuclide", "side_mm"), _FAR)
def test_beside_and_far_from_the_source(nuclide: str, side_mm: float) -> None:
    s = voxel_s_values(nuclide, side_mm, 11, density_g_per_mL=_TISSUE_G_PER_ML) * 1e9
    far = 0.12 if nuclide == "90Y" else 0.025
    for places, tolerance in ((_BESIDE[nuclide, side_mm], 0.015), (_FAR[nuclide, side_mm], far)):
        for (i, j, k), reference in places.items():
            assert float(s[5 + i, 5 + j, 5 + k]) == pytest.approx(reference, rel=tolerance), (i, j, k)


DISAGREES = pytest.mark.xfail(
    strict=True, reason="2.2 % above; a part of the conversion electrons, it seems; docs/theory/photons.md")


@pytest.mark.parametrize(("side_mm", "reference"), [pytest.param(3.0, 8.99e-1, marks=DISAGREES), (6.0, 1.25e-1)])
def test_131i_from_itself(side_mm: float, reference: float) -> None:
    """Theirs lie 2.2 and 1.7 % lower, less than half of what conversion electrons give; neither the pamphlet's values
    (`test_mird_17.py`, 0.1 and 1.4 %) nor a Monte Carlo (`test_voxels_monte_carlo.py`, 0.1 %) do."""
    s = voxel_s_values("131I", side_mm, 1, density_g_per_mL=_TISSUE_G_PER_ML)[0, 0, 0] * 1e9
    assert float(s) == pytest.approx(reference, rel=0.02)


@pytest.mark.parametrize(("side_mm", "reference"), [(3.0, 0.693), (4.42, 0.226), (6.0, 0.0925)])
def test_177lu(side_mm: float, reference: float) -> None:
    """Beta particles alone in water of 1.00 g/mL meet these values; in tissue of 1.04 theirs lie 3 % above our beta
    particles and 7 % below all our electrons: they seem to hold a part of the conversion electrons."""
    ours = float(voxel_s_values("177Lu", side_mm, 1, quality="beta")[0, 0, 0]) * 1e9
    assert ours == pytest.approx(reference, rel=0.02)


def test_177lu_neighbours() -> None:
    """2.21 mm: 4.83e-2 to the next voxel, 2.52e-3 across an edge."""
    s = voxel_s_values("177Lu", 2.21, 5, quality="beta") * 1e9
    assert float(s[2, 2, 3]) == pytest.approx(4.83e-2, rel=0.03)
    assert float(s[2, 3, 3]) == pytest.approx(2.52e-3, rel=0.05)
