"""Dose around a photon source in water by an independent walk of photons: is our kernel right where MIRD 17 differs?

The walk (`photon_walk.nist_water`: free electrons, photoelectric effect from NIST) shares nothing with the tables or
the program behind our kernels. Shells around 26 and 52 mm, which are the voxels (5, 5, 5) of 3 and 6 mm, and 10 cm.
Tolerance 2.5 %: 0.6 % of noise at 300,000 photons, 1 % for coherent scattering and binding, left out in the walk.
"""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose.photons import fold_photons
from photon_walk import nist_water, walk


@pytest.mark.parametrize("energy_MeV", [0.1405, 0.3645])
def test_shells_around_a_point(energy_MeV: float) -> None:
    """99mTc and 131I; ours lie 1.5 to 1.7 % and 0.3 to 1.0 % below the walk."""
    shells_mm = [(22.0, 30.0), (46.0, 58.0), (90.0, 110.0)]
    count = 300_000
    edges_cm = np.array([0.0, *np.ravel(shells_mm)]) * 0.1
    walked = np.zeros(len(edges_cm) - 1)
    for radius, deposited in walk(energy_MeV, count, nist_water, np.random.default_rng(17)):
        walked += np.histogram(radius, edges_cm, weights=deposited)[0] / count
    ours = np.diff(fold_photons(np.array([energy_MeV]), np.ones(1), edges_cm * 1e4))
    np.testing.assert_allclose(ours[1::2], walked[1::2], rtol=0.025)
