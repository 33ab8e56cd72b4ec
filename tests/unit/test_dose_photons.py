"""Photons in water: cross sections, energy, shape, and the Monte Carlo behind the table."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose import energy_MeV_per_decay, organ_dose, point_kernel, sphere_s_value
from nichedose.dose.kernels import radial_density_MeV_per_um, radial_kernel
from nichedose.dose.photons import attenuation_per_um, fold_photons, photon_density, photon_radii, photon_table
from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from photon_walk import klein_nishina, walk

# Hubbell and Seltzer, NIST Standard Reference Database 126, liquid water: keV, mu/rho, mu_en/rho (cm2/g).
NIST = [(1, 4078.0, 4065.0), (2, 617.3, 615.2), (4, 82.78, 81.91), (6, 24.64, 24.05), (10, 5.329, 4.944),
        (15, 1.673, 1.374), (20, 0.8096, 0.5503), (30, 0.3756, 0.1557), (40, 0.2683, 0.06947), (50, 0.2269, 0.04223),
        (60, 0.2059, 0.03190), (80, 0.1837, 0.02597), (100, 0.1707, 0.02546), (150, 0.1505, 0.02764),
        (200, 0.1370, 0.02967), (300, 0.1186, 0.03192), (400, 0.1061, 0.03279), (500, 0.09687, 0.03299),
        (600, 0.08956, 0.03284), (800, 0.07865, 0.03206), (1000, 0.07072, 0.03103), (1500, 0.05754, 0.02833),
        (2000, 0.04942, 0.02608), (3000, 0.03969, 0.02281)]


@pytest.mark.parametrize(("energy_keV", "attenuation", "absorbed"), NIST)
def test_cross_sections_are_those_of_nist(energy_keV: float, attenuation: float, absorbed: float) -> None:
    """0.5 % in attenuation; 1.5 % in what is deposited (bound electrons take a little less per Compton scatter than
    free ones do; above 1 MeV bremsstrahlung of the electrons, up to 1 % at 3 MeV, is deposited here)."""
    table = photon_table()
    at = int(np.argmin(np.abs(table.energy_MeV - energy_keV * 1e-3)))
    assert table.attenuation_cm2_per_g[at] + table.coherent_cm2_per_g[at] == pytest.approx(attenuation, rel=5e-3)
    assert table.deposited_cm2_per_g[at] == pytest.approx(absorbed, rel=0.015)


def test_the_simulation_kept_the_energy() -> None:
    """Before scaling to 1: 0.1 % scatter over the energies, 0.28 % at most; the shipped kernels are scaled."""
    sums = photon_table().energy_sum
    assert np.all(np.abs(sums - 1.0) < 4e-3)
    assert abs(float(sums.mean()) - 1.0) < 1e-3


@pytest.mark.parametrize("energy_MeV", [5e-4, 0.003, 0.018, 0.07, 0.1405, 0.3645, 0.662, 1.25, 2.61, 7.0])
def test_each_photon_is_deposited_once(energy_MeV: float) -> None:
    energy = np.array([energy_MeV])
    radius = photon_radii(energy)
    cumulative = fold_photons(energy, np.array([2.0]), radius)
    assert cumulative[0] == 0.0
    assert np.all(np.diff(cumulative) >= 0.0)
    assert cumulative[-1] == pytest.approx(2.0 * energy_MeV, rel=1e-9)
    middle = 0.5 * (radius[1:] + radius[:-1])
    shells = photon_density(energy, np.array([2.0]), middle) * np.diff(radius)
    assert shells.sum() == pytest.approx(2.0 * energy_MeV, rel=2e-3)  # the kernel and its integral are one


@pytest.mark.parametrize("nuclide", ["99mTc", "131I", "177Lu", "111In", "68Ga", "212Pb", "225Ac", "125I"])
def test_kernels_hold_the_photon_energy(nuclide: str) -> None:
    energy = energy_MeV_per_decay(nuclide, "equilibrium")["photon"]
    assert radial_kernel(nuclide, "photon", "equilibrium").total_MeV == pytest.approx(energy, rel=1e-9)


@pytest.mark.parametrize("energy_keV", [20, 30, 50, 80, 100, 150, 300, 500, 1000, 2000])
def test_each_energy_is_predicted_without_itself(energy_keV: int) -> None:
    """Cumulative fraction within 0.01, and dose in shells out to 10 mean free paths within 5 % (11 % at
    30 keV, where the photoelectric effect gives way)."""
    table = photon_table()
    energy = np.array([energy_keV * 1e-3])
    paths = np.array([0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 7.0, 10.0])
    radius = paths / attenuation_per_um(energy)
    whole, without = (fold_photons(energy, 1.0 / energy, radius, t) for t in (table, table.without(float(energy[0]))))
    assert float(np.abs(whole - without).max()) < 0.01
    np.testing.assert_allclose(np.diff(without), np.diff(whole), rtol=0.11 if energy_keV == 30 else 0.055)


@pytest.mark.parametrize("energy_MeV", [0.05, 0.1405, 0.662])
def test_plain_walk_in_space(energy_MeV: float) -> None:
    """Photons followed in three dimensions without splitting or shells, coherent scattering left out: share of the
    energy within 1 to 20 cm, 0.01 (four standard deviations of 30,000 photons are 0.008)."""
    radii_cm = np.array([1.0, 2.6, 5.2, 10.0, 20.0])
    walked = np.zeros(len(radii_cm))
    for radius, deposited in walk(energy_MeV, 30_000, _of_the_table, np.random.default_rng(11)):
        walked += (deposited[:, None] * (radius[:, None] <= radii_cm)).sum(axis=0) / (30_000 * energy_MeV)
    energy = np.array([energy_MeV])
    np.testing.assert_allclose(fold_photons(energy, 1.0 / energy, radii_cm * 1e4), walked, atol=0.01)


def _of_the_table(energy: Array) -> tuple[Array, Array]:
    """Attenuation (1/cm), and the photoelectric share of it: what is deposited beyond the Compton electrons."""
    table = photon_table()
    at, x = np.log(energy), np.log(table.energy_MeV)
    total = np.exp(np.interp(at, x, np.log(table.attenuation_cm2_per_g)))
    deposited = np.exp(np.interp(at, x, np.log(table.deposited_cm2_per_g)))
    _, compton = klein_nishina(energy)
    return total, np.clip((deposited / total - compton) / (1.0 - compton), 0.0, 1.0)


def test_deposition_near_the_source_is_the_energy_absorption_coefficient() -> None:
    energy = np.array([0.1405])
    density = float(photon_density(energy, np.ones(1), np.array([1.0]))[0])
    assert density / 0.1405 * 1e4 == pytest.approx(0.0272, rel=0.015)  # cm2/g, between NIST's 100 and 150 keV


def test_photons_in_point_kernel_and_spheres() -> None:
    radius = np.array([10.0, 1e3, 5e4])
    parts = sum(point_kernel("177Lu", radius, q) for q in ("beta", "conversion", "auger", "photon"))
    np.testing.assert_allclose(point_kernel("177Lu", radius), parts, rtol=1e-12)
    assert float(point_kernel("177Lu", 5e4, "photon") / point_kernel("177Lu", 5e4)) > 0.99
    small, large = (sphere_s_value("131I", d, quality="photon") * d**3 for d in (1e3, 1e5))
    assert 0.0 < small < large  # energy absorbed grows with the sphere
    far = energy_MeV_per_decay("131I")["photon"] * 1.602176634e-13 * 6.0 / np.pi * 1e15  # all of it, one huge sphere
    assert sphere_s_value("131I", 2e8, quality="photon") * 2e8**3 == pytest.approx(far, rel=0.01)


def test_density_of_lines_adds_up() -> None:
    radius = np.array([1e2, 1e4])
    both = radial_density_MeV_per_um("131I", radius, "photon", "none")
    assert np.all(both > 0.0)


def test_organ_dose_is_the_sum_over_sources() -> None:
    s_values = {("kidney", "kidney"): {"beta": 2e-13, "photon": 1e-14}, ("kidney", "liver"): {"photon": 2e-15},
                ("liver", "kidney"): 2e-15, ("liver", "liver"): 4e-14}
    dose = organ_dose({"kidney": 100.0, "liver": 10.0}, s_values)  # type: ignore[arg-type]
    assert dose["kidney"]["beta"] == pytest.approx(100.0 * 3.6e9 * 2e-13)
    assert dose["kidney"]["photon"] == pytest.approx(3.6e9 * (100.0 * 1e-14 + 10.0 * 2e-15))
    assert dose["liver"] == {"all": pytest.approx(3.6e9 * (100.0 * 2e-15 + 10.0 * 4e-14))}


@pytest.mark.parametrize(("activity", "s_values", "message"), [
    ({"kidneys": 1.0}, {("kidney", "kidney"): 1e-13}, "Did you mean 'kidney'"),
    ({"kidney": -1.0}, {("kidney", "kidney"): 1e-13}, "not negative"),
    ({"kidney": float("nan")}, {("kidney", "kidney"): 1e-13}, "finite"),
    ({"kidney": 1.0}, {("kidney", "kidney"): -1e-13}, "not negative"),
    ({"kidney": 1.0, "liver": 1.0}, {("kidney", "kidney"): 1e-13, ("liver", "liver"): 1e-13}, "give it, as 0"),
    ({"kidney": 1.0}, {("kidney", "kidney"): {"gamma": 1e-13}}, "no quality 'gamma'"),
])
def test_organ_dose_bad_input(
    activity: dict[str, float], s_values: dict[tuple[str, str], float], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        organ_dose(activity, s_values)
