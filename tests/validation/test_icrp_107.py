"""Energy per decay of ICRP Publication 107, its tables summed apart, and known values of whole chains."""

from __future__ import annotations

import pytest

from nichedose.dose import energy_MeV_per_decay
from nichedose.nuclide import emissions

# MeV per decay, given to four decimals: half a unit of the last, 5e-5.
PARENTS = [  # nuclide, beta, conversion + Auger, alpha, recoil, photons
    ("177Lu", 0.1333, 0.0147, 0.0, 0.0, 0.0351), ("90Y", 0.9329, 0.0002, 0.0, 0.0, 0.0),
    ("131I", 0.1819, 0.0100, 0.0, 0.0, 0.3828), ("161Tb", 0.1543, 0.0482, 0.0, 0.0, 0.0365),
    ("67Cu", 0.1359, 0.0145, 0.0, 0.0, 0.1154), ("225Ac", 0.0, 0.0248, 5.7872, 0.1048, 0.0171),
    ("211At", 0.0, 0.0059, 2.4524, 0.0474, 0.0367), ("212Pb", 0.1017, 0.0749, 0.0, 0.0, 0.1450),
    ("213Bi", 0.4248, 0.0192, 0.1222, 0.0023, 0.1277), ("212Bi", 0.4929, 0.0117, 2.1745, 0.0418, 0.1038),
    ("212Po", 0.0, 0.0, 8.7851, 0.1691, 0.0), ("223Ra", 0.0, 0.0781, 5.6666, 0.1036, 0.1413),
    ("64Cu", 0.1227, 0.0021, 0.0, 0.0, 0.1855), ("99mTc", 0.0, 0.0162, 0.0, 0.0, 0.1266),
]
HALF_LIVES_H = [("177Lu", 6.647 * 24), ("90Y", 64.1), ("131I", 8.0207 * 24), ("161Tb", 6.906 * 24), ("67Cu", 61.83),
                ("225Ac", 240.0), ("211At", 7.214), ("212Pb", 10.64), ("213Po", 4.2e-6 / 3600), ("213Bi", 45.59 / 60)]


@pytest.mark.parametrize(("nuclide", "beta", "conversion_and_auger", "alpha", "recoil", "photon"), PARENTS)
def test_energy_per_decay(
    nuclide: str, beta: float, conversion_and_auger: float, alpha: float, recoil: float, photon: float
) -> None:
    got = emissions(nuclide).energy_MeV_per_decay
    assert got["beta"] == pytest.approx(beta, abs=6e-5)
    assert got["conversion"] + got["auger"] == pytest.approx(conversion_and_auger, abs=6e-5)
    assert got["alpha"] == pytest.approx(alpha, abs=6e-5)
    assert got["recoil"] == pytest.approx(recoil, abs=6e-5)
    assert got["photon"] == pytest.approx(photon, abs=6e-5)


@pytest.mark.parametrize(("nuclide", "hours"), HALF_LIVES_H)
def test_half_lives(nuclide: str, hours: float) -> None:
    assert emissions(nuclide).half_life_h == pytest.approx(hours, rel=1e-6)


@pytest.mark.parametrize(
    ("nuclide", "alpha_MeV"), [("225Ac", 27.48), ("212Pb", 7.802), ("211At", 6.784), ("223Ra", 26.38)])
def test_alpha_energy_of_chains(nuclide: str, alpha_MeV: float) -> None:
    """0.1 %: the references are rounded."""
    assert energy_MeV_per_decay(nuclide, "equilibrium")["alpha"] == pytest.approx(alpha_MeV, rel=1e-3)


def test_225ac_chain() -> None:
    """28.68 MeV of charged particles per decay: 27.48 alpha, 0.513 recoil, 0.690 electrons."""
    energy = energy_MeV_per_decay("225Ac", "equilibrium")
    assert energy["recoil"] == pytest.approx(0.513, abs=5e-4)
    assert energy["beta"] + energy["conversion"] + energy["auger"] == pytest.approx(0.690, abs=1e-3)
    assert sum(energy.values()) - energy["photon"] == pytest.approx(28.68, abs=0.01)
