"""Voxel S values: geometry, energy, density, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose import Quality, convolve, energy_MeV_per_decay, point_kernel, sphere_s_value, voxel_s_values
from nichedose.dose.kernels import charged_qualities, radial_kernel
from nichedose.dose.planar import voxel_kernel
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput, OutOfValidity


def test_shape_and_symmetry() -> None:
    s = voxel_s_values("131I", (4.0, 3.0, 3.0), (5, 7, 9))
    assert s.shape == (5, 7, 9)
    for axis in range(3):
        np.testing.assert_array_equal(s, np.flip(s, axis))
    np.testing.assert_allclose(s[:, :, 1:8], s[:, :, 1:8].transpose(0, 2, 1), rtol=5e-3)  # y and x are alike
    assert np.all(s > 0.0)
    assert float(s.max()) == float(s[2, 3, 4])


@pytest.mark.parametrize(("nuclide", "quality", "voxel_mm"), [
    ("177Lu", "beta", 0.4), ("177Lu", "conversion", 0.1), ("177Lu", "auger", 0.05), ("90Y", "beta", 3.0),
    ("213Po", "alpha", 0.02), ("213Po", "recoil", 0.02)])
def test_energy_within_reach_is_kept(nuclide: str, quality: Quality, voxel_mm: float) -> None:
    """All that the kernel holds within its reach is in the array (bremsstrahlung beyond comes on top): 1e-4."""
    kernel = radial_kernel(nuclide, quality)
    half = int(np.ceil(kernel.reach_um / (voxel_mm * 1e3))) + 1
    s = voxel_s_values(nuclide, voxel_mm, 2 * half + 1, quality=quality)
    energy = float(s.sum()) * (voxel_mm * 1e3) ** 3 / GY_PER_MEV_PER_UM3
    low = float(np.interp(kernel.reach_um, kernel.radius_um, kernel.cumulative_MeV))
    assert low * (1.0 - 1e-4) <= energy <= kernel.total_MeV * (1.0 + 1e-4)


def test_photon_energy_in_a_large_array() -> None:
    """Nearly all photons of 125I (28 keV) are absorbed within 30 cm."""
    s = voxel_s_values("125I", 10.0, 61, quality="photon")
    energy = float(s.sum()) * 1e12 / GY_PER_MEV_PER_UM3
    assert energy == pytest.approx(energy_MeV_per_decay("125I")["photon"], rel=3e-3)


@pytest.mark.parametrize("nuclide", ["177Lu", "90Y"])
def test_cube_is_the_section_of_one_voxel(nuclide: str) -> None:
    """The planar kernel of a `section` as thick as its voxel is wide is an independent way to the same number."""
    for quality in charged_qualities(nuclide):
        planar = voxel_kernel(radial_kernel(nuclide, quality), "section", 3e3, 3e3, 1) / 2.7e10 * GY_PER_MEV_PER_UM3
        s = voxel_s_values(nuclide, 3.0, 3, quality=quality)
        assert s[1, 1, 1] == pytest.approx(planar[0, 0], rel=2e-3)
        if planar[0, 1] > 1e-4 * planar[0, 0]:
            assert s[1, 1, 2] == pytest.approx(planar[0, 1], rel=5e-3)


def test_voxels_much_wider_than_the_range() -> None:
    """Alphas through a face, an edge and a corner: means of 1, 1/2, 2/(3 pi) and 1/(4 pi) over directions, times
    moments of the kernel (1e-4: middles of its shells)."""
    kernel, side = radial_kernel("211At", "alpha"), 3000.0
    middle = 0.5 * (kernel.radius_um[1:] + kernel.radius_um[:-1]) / side
    first, second, third = (float(np.diff(kernel.cumulative_MeV) @ middle**n) for n in (1, 2, 3))
    face, edge, corner = 0.5 * first, 2.0 / (3.0 * np.pi) * second, 0.25 / np.pi * third
    s = voxel_s_values("211At", 3.0, 5, quality="alpha") * side**3 / GY_PER_MEV_PER_UM3
    self_MeV = kernel.total_MeV - 3.0 * face + 3.0 * edge - corner
    for place, wanted in (((2, 2, 2), self_MeV), ((2, 2, 3), 0.5 * (face - 2.0 * edge + corner)),
                          ((1, 2, 1), 0.25 * (edge - corner)), ((3, 3, 1), 0.125 * corner), ((2, 2, 0), 0.0)):
        assert float(s[place]) == pytest.approx(wanted, rel=1e-4, abs=1e-12), place


def test_against_random_points() -> None:
    """Anisotropic voxels: a million random pairs of points in the source and target voxel, photons of 131I."""
    rng = np.random.default_rng(7)
    size = np.array([4.0, 2.0, 3.0])
    s = voxel_s_values("131I", (4.0, 2.0, 3.0), 11, quality="photon")
    for index in [(0, 0, 1), (1, 1, 0), (2, 3, 1), (5, 5, 5)]:
        offset = (np.array(index) + rng.random((200_000, 3)) - rng.random((200_000, 3))) * size
        doses = point_kernel("131I", np.sqrt((offset**2).sum(axis=1)) * 1e3, "photon")
        error = float(doses.std() / np.sqrt(len(doses)))
        wanted = s[5 + index[0], 5 + index[1], 5 + index[2]]
        assert float(doses.mean()) == pytest.approx(wanted, abs=4.0 * error + 5e-3 * wanted)


def test_merging_voxels() -> None:
    """The mean over 27 sources and 27 targets of a third of the side is the S value of the large voxel."""
    fine, coarse = voxel_s_values("90Y", 1.0, 5), voxel_s_values("90Y", 3.0, 1)
    tent = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
    assert float(np.einsum("ijk,i,j,k", fine, tent, tent, tent)) == pytest.approx(float(coarse[0, 0, 0]), rel=2e-3)


def test_density_scales_lengths_and_mass() -> None:
    """Distances in g/cm2 decide: S(d, rho) = rho^2 S(rho d, 1)."""
    dense = voxel_s_values("177Lu", 2.0, 5, density_g_per_mL=0.3)
    np.testing.assert_allclose(dense, 0.09 * voxel_s_values("177Lu", 0.6, 5), rtol=1e-12)


def test_small_voxel_is_close_to_a_sphere_of_its_volume() -> None:
    diameter = (6.0 / np.pi) ** (1.0 / 3.0) * 1e3
    cube = float(voxel_s_values("90Y", 1.0, 1)[0, 0, 0])
    sphere = sphere_s_value("90Y", diameter)
    assert 0.95 * sphere < cube < sphere  # of all bodies the sphere keeps most


def test_qualities_and_progeny_add_up() -> None:
    whole = voxel_s_values("225Ac", 0.1, 5, "equilibrium")
    parts = sum(voxel_s_values("225Ac", 0.1, 5, "equilibrium", q)
                for q in ("alpha", "recoil", "beta", "conversion", "auger", "photon"))
    np.testing.assert_allclose(parts, whole, rtol=1e-12)
    assert np.all(whole >= voxel_s_values("225Ac", 0.1, 5))


@pytest.mark.parametrize(("arguments", "message"), [
    (("177Lx", 3.0, 3), "Did you mean '177Lu'"),
    (("177Lu", 0.0, 3), "above 0"),
    (("177Lu", -1.0, 3), "above 0"),
    (("177Lu", float("nan"), 3), "above 0"),
    (("177Lu", (3.0, 3.0), 3), "three as"),
    (("177Lu", 3.0, 4), "odd"),
    (("177Lu", 3.0, 0), "odd"),
    (("177Lu", 3.0, (3, 3)), "three as"),
    (("177Lu", 3.0, 3.0), "whole number"),
    (("177Lu", 3.0, 1001), "needs 7.5 GiB; at most 2 GiB"),
    (("177Lu", 3.0, 3, "all"), "'none' or 'equilibrium'"),
    (("177Lu", 3.0, 3, "none", "gamma"), "No radiation quality 'gamma'"),
])
def test_bad_input(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        voxel_s_values(*arguments)  # type: ignore[arg-type]


def test_density_elsewhere_as_the_page_says() -> None:
    """A point far off and a voxel there; a map of one hot voxel and its S values, in lung."""
    rho, side_um = 0.3, 2000.0
    dense = voxel_s_values("177Lu", 1e-3 * side_um, 21, quality="photon", density_g_per_mL=rho)
    away = float(point_kernel("177Lu", rho * 10.0 * side_um, "photon")) * rho**2
    assert float(dense[10, 10, 20]) == pytest.approx(away, rel=0.01)  # half a voxel in 10: 1/r^2 averaged, 0.4 %
    hot = np.zeros((5, 5, 5))
    hot[2, 2, 2] = 1.0 / (3.6e-6 * side_um**3)  # one decay in the voxel
    mapped = convolve(hot, "177Lu", rho * side_um, quality="beta").total_Gy / rho
    np.testing.assert_allclose(mapped, voxel_s_values("177Lu", 1e-3 * side_um, 5, quality="beta", density_g_per_mL=rho),
                               rtol=0.01, atol=1e-3 * float(mapped.max()))


def test_density_of_a_sphere() -> None:
    dense = sphere_s_value("177Lu", 400.0, density_g_per_mL=0.3)
    assert dense == pytest.approx(0.3**2 * sphere_s_value("177Lu", 120.0), rel=1e-12)
    with pytest.raises(OutOfValidity, match="tissue is bone"):
        sphere_s_value("177Lu", 400.0, density_g_per_mL=1.9)
    assert sphere_s_value("177Lu", 400.0, quality="beta", density_g_per_mL=1.9) > 0.0


@pytest.mark.parametrize("density", [0.0, -1.0, 5.0, float("nan")])
def test_densities_that_water_cannot_stand_for(density: float) -> None:
    with pytest.raises(OutOfValidity, match="g/mL"):
        voxel_s_values("177Lu", 3.0, 1, density_g_per_mL=density)


def test_bone_is_for_charged_particles() -> None:
    with pytest.raises(OutOfValidity, match="charged particles alone"):
        voxel_s_values("177Lu", 3.0, 1, density_g_per_mL=1.9)
    light, dense = (voxel_s_values("177Lu", 3.0, 1, quality="beta", density_g_per_mL=d) for d in (1.0, 1.9))
    assert float(dense[0, 0, 0]) < float(light[0, 0, 0])  # more mass, and nearly all absorbed in either
    assert float(voxel_s_values("90Y", 3.0, 1, density_g_per_mL=1.9)[0, 0, 0]) > 0.0  # no photons to speak of
