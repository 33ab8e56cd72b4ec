"""Kernels on the section's grid: energy, limits, and the same dose from samples and from a 3-D grid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from nichedose.dose.kernels import RadialKernel, radial_kernel
from nichedose.dose.planar import energy_within, planar_energy_MeV, voxel_kernel
from nichedose.fields.grid import Array

KERNELS = [("177Lu", "beta"), ("225Ac", "alpha"), ("161Tb", "auger"), ("225Ac", "recoil")]


def _whole_plane(quarter: Array) -> float:
    return float(quarter[0, 0] + 2.0 * quarter[0, 1:].sum() + 2.0 * quarter[1:, 0].sum() + 4.0 * quarter[1:, 1:].sum())


@pytest.mark.parametrize(("nuclide", "quality"), KERNELS)
@pytest.mark.parametrize(("along_z", "thickness"), [("slab", 1e9), ("slab", 80.0), ("section", 10.0)])
def test_energy_is_conserved(nuclide: str, quality: str, along_z: str, thickness: float) -> None:
    """Over the whole plane the voxel kernel sums to what leaves z, and to all of it in an endless slab: 1e-4, since the
    kernel's reach leaves 1e-5 and bremsstrahlung out (5e-4 for 177Lu in all)."""
    kernel = radial_kernel(nuclide, quality)  # type: ignore[arg-type]  # names of qualities
    spacing = 20.0
    quarter = voxel_kernel(kernel, along_z, thickness, spacing, int(kernel.reach_um / spacing) + 2)
    within_reach = float(energy_within(kernel, along_z, thickness, np.array([kernel.reach_um]))[0])
    assert _whole_plane(quarter) == pytest.approx(within_reach, rel=1e-4)
    if thickness == 1e9:
        assert planar_energy_MeV(kernel, along_z, thickness) == pytest.approx(kernel.total_MeV, rel=1e-4)


def test_energy_along_z_has_its_limits() -> None:
    """A thick section and an endless slab agree, and a thin section receives J(0) times its mean chord."""
    kernel = radial_kernel("225Ac", "alpha")
    far = np.array([1e3])
    slab = energy_within(kernel, "slab", 1e7, far)
    assert float(energy_within(kernel, "section", 1e7, far)[0]) == pytest.approx(float(slab[0]), rel=1e-5)
    flat = RadialKernel(np.array([0.0, 10.0]), np.array([0.0, 10.0]), 10.0)  # 1 MeV/um up to 10 um
    # share of directions with |z| < 2 um: all below 2 um, 2/r above: 2 + 2 ln 5
    assert planar_energy_MeV(flat, "slab", 4.0) == pytest.approx(2.0 + 2.0 * np.log(5.0), rel=1e-12)
    # mean of 1 - r|mu|/4 where positive: 1 - r/8 below 4 um, 2/r above: 3 + 2 ln 2.5
    assert planar_energy_MeV(flat, "section", 4.0) == pytest.approx(3.0 + 2.0 * np.log(2.5), rel=1e-12)


@pytest.mark.parametrize(("nuclide", "quality"), [("177Lu", "beta"), ("225Ac", "alpha"), ("161Tb", "conversion")])
@pytest.mark.parametrize(("along_z", "thickness"), [("slab", 60.0), ("section", 10.0)])
def test_voxel_kernel_against_samples(nuclide: str, quality: str, along_z: str, thickness: float) -> None:
    """500,000 sampled energy deposits, source and target both voxels: 4 standard deviations."""
    rng, n, h = np.random.default_rng(11), 500_000, 20.0
    kernel = radial_kernel(nuclide, quality)  # type: ignore[arg-type]  # names of qualities
    r = np.interp(rng.random(n) * kernel.total_MeV, kernel.cumulative_MeV, kernel.radius_um)
    mu, phi = rng.uniform(-1.0, 1.0, n), rng.uniform(0.0, 2.0 * np.pi, n)
    start = rng.uniform(-0.5, 0.5, (3, n))
    z = r * mu + (start[2] * thickness if along_z == "section" else 0.0)
    across = r * np.sqrt(1.0 - mu**2)
    i, j = (np.rint(start[k] + across * f(phi) / h).astype(int) for k, f in enumerate((np.sin, np.cos)))
    quarter = voxel_kernel(kernel, along_z, thickness, h, 4)
    for di, dj, copies in ((0, 0, 1), (0, 1, 4), (1, 1, 4), (0, 2, 4), (1, 3, 8)):
        hit = (np.abs(z) < 0.5 * thickness) & (np.maximum(abs(i), abs(j)) == dj) & (np.minimum(abs(i), abs(j)) == di)
        share, expected = float(hit.mean()), copies * quarter[di, dj] / kernel.total_MeV
        assert abs(share - expected) < 4.0 * np.sqrt(max(share, 1.0 / n) / n)


def _cube_kernel(kernel: RadialKernel, spacing: float, half: int) -> Array:
    """Voxel-to-voxel energy in 3-D by an independent route: deposits sampled on a fine radial and angular rule."""
    rng, n = np.random.default_rng(3), 3_000_000
    r = np.interp((np.arange(n) + 0.5) / n * kernel.total_MeV, kernel.cumulative_MeV, kernel.radius_um)
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    ended = np.rint(rng.uniform(-0.5, 0.5, (n, 3)) + direction * r[:, None] / spacing).astype(int)
    ended = np.sort(np.abs(ended), axis=1)
    kept = ended[ended[:, 2] <= half]
    size = 2 * half + 1
    counts = np.zeros((half + 1,) * 3)
    np.add.at(counts, tuple(kept.T), kernel.total_MeV / n)
    offsets = np.sort(np.abs(np.stack(np.meshgrid(*[np.arange(-half, half + 1)] * 3, indexing="ij"), -1)), axis=-1)
    keys = offsets.reshape(-1, 3)
    copies = np.zeros((half + 1,) * 3)
    np.add.at(copies, tuple(keys.T), 1.0)
    return np.asarray((counts / np.maximum(copies, 1.0))[tuple(keys.T)].reshape(size, size, size))


def test_slab_and_section_against_a_stack() -> None:
    """The middle layer of a 3-D stack thicker than twice the range is the slab, a single layer the section: 0.5 % of
    the peak, for 211At alphas with those of 211Po on 10 um voxels; the 3-D kernel is sampled."""
    kernel, h, half = radial_kernel("211At", "alpha", "equilibrium"), 10.0, 9
    cube = _cube_kernel(kernel, h, half)
    layers = 2 * half + 1
    rng = np.random.default_rng(0)
    plane = rng.random((24, 24))
    pad = fft.next_fast_len(24 + layers)
    for stacked, along_z, thickness in ((cube.sum(axis=0), "slab", layers * h), (cube[half], "section", h)):
        quarter = voxel_kernel(kernel, along_z, thickness, h, half)
        ours = np.block([[quarter[::-1, ::-1], quarter[::-1, 1:]], [quarter[1:, ::-1], quarter[1:, 1:]]])
        spectrum = fft.rfft2(plane, s=(pad, pad))
        a, b = (fft.irfft2(fft.rfft2(k, s=(pad, pad)) * spectrum, s=(pad, pad)) for k in (stacked, ours))
        assert float(b.sum()) == pytest.approx(float(a.sum()), rel=5e-3)
        np.testing.assert_allclose(b, a, atol=5e-3 * float(a.max()))
