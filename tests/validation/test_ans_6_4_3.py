"""Energy-absorption build-up of water against ANSI/ANS-6.4.3 (Trubey, ORNL/RSIC-49 and NUREG/CR-5740), to 30 cm.

The standard's geometric-progression coefficients b, c, a, Xk, d (Harima et al. 1986) for the response of water, as
transcribed in github.com/Radiationsafety/soilactivity (the row of 0.6 MeV is misprinted there and left out); mean free
paths without coherent scattering, as ours. 10 %, which is what we claim; the largest difference is 9.4 % (50 keV,
30 cm), from 60 keV up 6.7 %. The standard leaves coherent scattering and binding out, which ours has: at 30 and 40 keV,
where coherent scattering is more than a tenth, photons of the standard get farther. There a walk of photons without
both takes our place.
"""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose.photons import attenuation_per_um, photon_density, photon_table
from nichedose.fields.grid import Array
from photon_walk import nist_water, walk

_COEFFICIENTS = {
    0.05: (4.554, 1.457, -0.084, 13.69, 0.0341), 0.06: (5.018, 1.735, -0.127, 13.70, 0.0676),
    0.08: (5.030, 2.054, -0.167, 13.84, 0.0763), 0.10: (4.627, 2.207, -0.184, 13.27, 0.0799),
    0.15: (3.888, 2.206, -0.180, 14.27, 0.0738), 0.20: (3.462, 2.132, -0.173, 14.51, 0.0750),
    0.30: (2.897, 2.008, -0.162, 14.18, 0.0641), 0.50: (2.499, 1.749, -0.132, 14.36, 0.0517),
    0.80: (2.223, 1.524, -0.101, 14.31, 0.0403), 1.00: (2.106, 1.436, -0.088, 14.19, 0.0367),
    1.50: (1.948, 1.265, -0.057, 14.98, 0.0245), 2.00: (1.843, 1.169, -0.038, 14.22, 0.0157),
}
_SOFT = {0.03: ((2.411, 0.741, 0.084, 14.62, -0.0452), 0.1557), 0.04: ((3.587, 1.114, -0.018, 12.48, 0.0013), 0.06947)}
_DEPTHS_CM = np.array([1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0])


def _standard(coefficients: tuple[float, float, float, float, float], path: Array) -> Array:
    b, c, a, x_k, d = coefficients
    k = c * path**a + d * (np.tanh(path / x_k - 2.0) - np.tanh(-2.0)) / (1.0 - np.tanh(-2.0))
    return np.asarray(1.0 + (b - 1.0) * (k**path - 1.0) / (k - 1.0))


@pytest.mark.parametrize("energy_MeV", _COEFFICIENTS)
def test_build_up_to_30_cm(energy_MeV: float) -> None:
    energy, table = np.array([energy_MeV]), photon_table()
    path = _DEPTHS_CM * 1e4 * float(attenuation_per_um(energy)[0])
    start = table.deposited_cm2_per_g[np.isclose(table.energy_MeV, energy_MeV)][0] * energy_MeV * 1e-4
    ours = photon_density(energy, np.ones(1), _DEPTHS_CM * 1e4) / (start * np.exp(-path))
    np.testing.assert_allclose(ours, _standard(_COEFFICIENTS[energy_MeV], path), rtol=0.10)


@pytest.mark.parametrize("energy_MeV", _SOFT)
def test_soft_photons_in_the_physics_of_the_standard(energy_MeV: float) -> None:
    """Shells around 1, 2 and 3.8 mean free paths; 7 %: 3 % in the fit, 1.5 % of noise, interpolated cross sections."""
    coefficients, absorption = _SOFT[energy_MeV]
    attenuation = float(nist_water(np.array([energy_MeV]))[0][0])
    path, count = np.array([0.0, 0.9, 1.1, 1.8, 2.2, 3.4, 4.2]), 100_000
    walked = np.zeros(len(path) - 1)
    for radius_cm, deposited in walk(energy_MeV, count, nist_water, np.random.default_rng(3)):
        walked += np.histogram(radius_cm * attenuation, path, weights=deposited)[0] / (count * energy_MeV)
    uncollided = absorption / attenuation * -np.diff(np.exp(-path))
    standard = _standard(coefficients, 0.5 * (path[1:] + path[:-1]))
    np.testing.assert_allclose((walked / uncollided)[1::2], standard[1::2], rtol=0.07)
