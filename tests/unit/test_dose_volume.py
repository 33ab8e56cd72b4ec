"""Dose in 3-D maps: energy, equivalences with the section, tiles, coarse tails, anisotropy, bad input."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import signal
from scipy.interpolate import PchipInterpolator

import nichedose.dose.volume_memory as volume_memory
from nichedose.dose.convolve import GY_PER_MEV_MBQ_H_PER_L, uniform_sphere_MeV
from nichedose.dose.cubes import cube_kernel, half_widths, whole_sum
from nichedose.dose.kernels import CHARGED, radial_kernel
from nichedose.dose.planar import voxel_kernel
from nichedose.dose.result import Quality
from nichedose.dose.volume import convolve
from nichedose.dose.volume_memory import memory_needed_bytes
from nichedose.dose.voxels import voxel_s_values
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

RNG = np.random.default_rng(8)


def _even(octant: Array) -> Array:
    for axis in range(3):
        octant = np.concatenate([np.flip(np.delete(octant, 0, axis), axis), octant], axis=axis)
    return octant


@pytest.mark.parametrize(("nuclide", "quality", "spacing"), [
    ("211At", "alpha", (10.0, 10.0, 10.0)), ("211At", "alpha", (4.0, 10.0, 25.0)),
    ("177Lu", "beta", (60.0, 20.0, 30.0)), ("161Tb", "auger", (20.0, 20.0, 20.0)),
    ("225Ac", "recoil", (5.0, 5.0, 5.0)), ("90Y", "beta", (3e3, 3e3, 3e3))])
def test_a_voxel_kernel_holds_the_energy(nuclide: str, quality: str, spacing: tuple[float, float, float]) -> None:
    kernel = radial_kernel(nuclide, quality)  # type: ignore[arg-type]  # names of qualities
    octant = cube_kernel(kernel, spacing, half_widths(kernel, spacing))
    within = float(np.interp(kernel.reach_um, kernel.radius_um, kernel.cumulative_MeV))
    assert (octant >= 0.0).all()
    assert whole_sum(octant) == pytest.approx(within, rel=1e-6)


def test_a_voxel_kernel_against_samples() -> None:
    """400,000 sampled deposits from box to box of unequal sides: 4 standard deviations."""
    rng, n, spacing = np.random.default_rng(2), 400_000, (10.0, 20.0, 30.0)
    kernel = radial_kernel("225Ac", "alpha")
    r = np.interp(rng.random(n) * kernel.total_MeV, kernel.cumulative_MeV, kernel.radius_um)
    direction = rng.normal(size=(3, n))
    direction /= np.linalg.norm(direction, axis=0)
    ended = np.abs(np.rint(rng.uniform(-0.5, 0.5, (3, n)) + direction * r / np.array(spacing)[:, None])).astype(int)
    octant = cube_kernel(kernel, spacing, (4, 4, 4)) / kernel.total_MeV
    for at in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 1, 1), (3, 0, 1)):
        share = float((ended == np.array(at)[:, None]).all(axis=0).mean())
        expected = 2.0 ** np.count_nonzero(at) * octant[at]
        assert abs(share - expected) < 4.0 * np.sqrt(max(share, 1.0 / n) / n)


def test_energy_where_nothing_leaves() -> None:
    """Alphas of a spot: all of it stays, 1e-4; with mirrors of any nuclide too."""
    field = np.zeros((25, 27, 30))
    field[9:15, 10:14, 10:16] = RNG.random((6, 4, 6))
    dose = convolve(field, "225Ac", (20.0, 15.0, 12.0), quality="alpha")
    emitted = field.sum() * radial_kernel("225Ac", "alpha").total_MeV * GY_PER_MEV_MBQ_H_PER_L
    assert float(dose.total_Gy.sum()) == pytest.approx(emitted, rel=1e-4)
    assert dose.escaped_fraction < 1e-4 and dose.kernel_truncated_fraction < 1e-4
    mirrored = convolve(RNG.random((8, 9, 10)), "90Y", 50.0, surroundings="mirror")
    assert mirrored.escaped_fraction < 1e-9 < mirrored.kernel_truncated_fraction


def test_what_leaves_is_reported() -> None:
    """A small map of 177Lu betas: deposited + escaped = emitted, and the kernel is cut by the grid."""
    field = np.ones((6, 6, 6))
    dose = convolve(field, "177Lu", 20.0)
    emitted = sum(radial_kernel("177Lu", q).total_MeV for q in dose.by_quality) * field.sum() * GY_PER_MEV_MBQ_H_PER_L
    assert dose.escaped_fraction == pytest.approx(1.0 - float(dose.total_Gy.sum()) / emitted, abs=1e-12)
    assert dose.escaped_fraction > dose.kernel_truncated_fraction > 0.3


def test_uniform_with_mirrors_is_the_unbounded_medium() -> None:
    """19.64 Gy per MBq/g of 177Lu until it has decayed; even to rounding. Photons deposit all of theirs too."""
    tia = np.full((5, 6, 7), 1e3 * 159.528 / np.log(2.0))
    dose = convolve(tia, "177Lu", (20.0, 30.0, 40.0), surroundings="mirror")
    np.testing.assert_allclose(sum(dose.by_quality[q] for q in dose.by_quality if q != "photon"), 19.64, rtol=1e-3)
    np.testing.assert_allclose(dose.by_quality["photon"], 19.64 * 0.0351 / 0.1479, rtol=2e-3)
    assert float(np.ptp(dose.total_Gy)) < 1e-9 * float(dose.total_Gy.max())


def test_photons_of_a_voxel_are_the_s_values() -> None:
    """Two engines, one kernel: 131I, 3 mm; 0.5 %, the coarser table of the convolution."""
    field = np.zeros((9, 9, 9))
    field[4, 4, 4] = 1.0
    dose = convolve(field, "131I", 3000.0)
    assert set(dose.by_quality) == {"beta", "conversion", "auger", "photon"}
    s = voxel_s_values("131I", 3.0, 9, quality="photon") * 3.6e9 * 2.7e-5  # MBq.h/L in 27 uL
    np.testing.assert_allclose(dose.by_quality["photon"], s, rtol=5e-3)


def test_qualities_are_one_several_or_all() -> None:
    field = np.ones((3, 4, 5))
    whole = convolve(field, "177Lu", 20.0)
    some = convolve(field, "177Lu", 20.0, quality=("beta", "auger"))
    assert list(some.by_quality) == ["beta", "auger"]
    np.testing.assert_allclose(some.by_quality["beta"], whole.by_quality["beta"], rtol=1e-12)
    assert list(convolve(field, "177Lu", 20.0, quality=CHARGED).by_quality) == ["beta", "conversion", "auger"]
    with pytest.raises(BadInput, match="none of the qualities"):
        convolve(field, "177Lu", 20.0, quality=("alpha", "recoil"))


def test_mirror_is_a_map_that_repeats_reflected() -> None:
    """Against a map reflected explicitly, isolated, wider than the alphas' reach."""
    field = RNG.random((6, 7, 8))
    tiled = np.pad(field, 6, mode="symmetric")
    wide = convolve(tiled, "211At", 10.0, quality="alpha").total_Gy[6:-6, 6:-6, 6:-6]
    np.testing.assert_allclose(
        convolve(field, "211At", 10.0, quality="alpha", surroundings="mirror").total_Gy, wide, rtol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1, 30), (2, 25, 3)])
def test_mirror_of_a_map_far_narrower_than_the_range(shape: tuple[int, int, int]) -> None:
    """What reaches through many reflections of a short side is not even along the long one. 1e-3: bremsstrahlung (8e-4)
    is spread evenly here and escapes there."""
    field = RNG.random(shape)
    reach = half_widths(radial_kernel("177Lu", "beta"), (100.0,) * 3)[0]
    wide = convolve(np.pad(field, reach, mode="symmetric"), "177Lu", 100.0, quality="beta").total_Gy
    inner = wide[reach:-reach, reach:-reach, reach:-reach]
    found = convolve(field, "177Lu", 100.0, quality="beta", surroundings="mirror").total_Gy
    np.testing.assert_allclose(found, inner, rtol=2e-3)
    assert float(found.mean()) == pytest.approx(float(inner.mean()), rel=1e-3)


@pytest.mark.parametrize(("nuclide", "quality", "h"), [("211At", "alpha", 10.0), ("177Lu", "beta", 80.0)])
def test_slab_and_section_against_a_stack(nuclide: str, quality: str, h: float) -> None:
    """The middle layer of a stack thicker than twice the range is the slab, a single layer the section: 0.5 %."""
    kernel = radial_kernel(nuclide, quality)  # type: ignore[arg-type]  # names of qualities
    half = half_widths(kernel, (h, h, h))[0]
    layers = 2 * half + 1
    plane = RNG.random((14, 15))
    stack = np.broadcast_to(plane, (layers, 14, 15))
    deep = convolve(stack, nuclide, h, quality=quality).total_Gy[half]  # type: ignore[arg-type]
    thin = convolve(plane[None], nuclide, h, quality=quality).total_Gy[0]  # type: ignore[arg-type]
    for found, along_z, thickness in ((deep, "slab", layers * h), (thin, "section", h)):
        quarter = voxel_kernel(kernel, along_z, thickness, h, 14)
        whole = np.block([[quarter[:0:-1, :0:-1], quarter[:0:-1]], [quarter[:, :0:-1], quarter]])
        expected = signal.fftconvolve(plane, whole)[14:28, 14:29] * GY_PER_MEV_MBQ_H_PER_L
        np.testing.assert_allclose(found, expected, rtol=5e-3)


@pytest.mark.parametrize("tile", [5, (3, 40, 7)])
def test_tiles_change_nothing(tile: int | tuple[int, int, int]) -> None:
    field = np.where(RNG.random((13, 21, 16)) < 0.05, RNG.random((13, 21, 16)), 0.0)
    whole = convolve(field, "177Lu", (100.0, 60.0, 80.0)).total_Gy
    parts = convolve(field, "177Lu", (100.0, 60.0, 80.0), tile=tile).total_Gy
    np.testing.assert_allclose(parts, whole, atol=1e-12 * float(whole.max()))


def test_the_error_of_a_coarse_tail_is_what_it_says() -> None:
    """Within ``coarse_error`` of the dose in a uniform medium of the highest activity, energy kept, 0.3 % per voxel."""
    field = np.where(RNG.random((56, 56, 56)) < 1e-2, 1.0, 0.0)
    exact = convolve(field, "177Lu", 20.0, quality="beta")
    coarse = convolve(field, "177Lu", 20.0, quality="beta", coarsen=3)
    uniform = radial_kernel("177Lu", "beta").total_MeV * GY_PER_MEV_MBQ_H_PER_L
    assert exact.coarse_error == 0.0 < coarse.coarse_error < 2e-3
    assert float(np.abs(coarse.total_Gy - exact.total_Gy).max()) < coarse.coarse_error * uniform
    np.testing.assert_allclose(coarse.total_Gy, exact.total_Gy, rtol=3e-3)
    assert coarse.escaped_fraction == pytest.approx(exact.escaped_fraction, abs=1e-4)
    assert coarse.kernel_truncated_fraction == pytest.approx(exact.kernel_truncated_fraction, abs=5e-3)


def test_alphas_and_the_betas_of_progeny_have_the_grid_each_needs() -> None:
    """225Ac with its progeny: 0.1 % per voxel, within the claim; the alphas end within the core and stay exact."""
    field = np.where(RNG.random((40, 40, 40)) < 1e-2, 1.0, 0.0)
    both: tuple[Quality, ...] = ("alpha", "beta")
    exact, coarse = (convolve(field, "225Ac", 20.0, quality=both, daughters="equilibrium", coarsen=n) for n in (1, 4))
    np.testing.assert_array_equal(coarse.by_quality["alpha"], exact.by_quality["alpha"])
    np.testing.assert_allclose(coarse.by_quality["beta"], exact.by_quality["beta"], rtol=1e-3)
    uniform = sum(radial_kernel("225Ac", q, "equilibrium").total_MeV for q in both) * GY_PER_MEV_MBQ_H_PER_L
    assert float(np.abs(coarse.total_Gy - exact.total_Gy).max()) < coarse.coarse_error * uniform
    assert coarse.escaped_fraction == pytest.approx(exact.escaped_fraction, abs=1e-5)


def test_auto_coarsens_only_where_it_pays() -> None:
    field = RNG.random((40, 40, 40))
    assert convolve(field, "225Ac", 20.0, quality="alpha", coarsen="auto").coarse_error == 0.0


def test_single_precision() -> None:
    """1e-6 of the peak dose."""
    field = RNG.random((20, 21, 22))
    double, single = (convolve(field, "211At", 10.0, dtype=d).total_Gy for d in (np.float64, np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=1e-6 * float(double.max()))


def test_uniform_surroundings_are_the_lesion() -> None:
    """A uniform map of any shape in a uniform lesion receives what the sphere gives there; hot spots keep theirs."""
    even = np.ones((9, 13, 11))
    options = {"quality": "beta", "surroundings": "uniform", "lesion_diameter_um": 4000.0}
    dose = convolve(even, "177Lu", 60.0, **options)  # type: ignore[arg-type]
    kernel = radial_kernel("177Lu", "beta")
    sphere = uniform_sphere_MeV(kernel, 2000.0, np.array([0.0, 60.0 * 5.0 * 3.0**0.5])) * GY_PER_MEV_MBQ_H_PER_L
    assert float(dose.total_Gy[4, 6, 5]) == pytest.approx(float(sphere[0]), rel=1e-6)
    assert float(dose.total_Gy[0, 1, 0]) > 0.98 * float(sphere[1])
    assert dose.escaped_fraction == convolve(even, "177Lu", 60.0, quality="beta").escaped_fraction
    assert dose.entered_fraction == pytest.approx(
        float(dose.total_Gy.mean()) / (kernel.total_MeV * GY_PER_MEV_MBQ_H_PER_L) - 1.0 + dose.escaped_fraction)
    assert dose.beyond_lesion_fraction == 0.0
    assert convolve(np.ones((1, 1, 4)), "177Lu", 60.0, quality="beta", surroundings="uniform",
                    lesion_diameter_um=100.0).beyond_lesion_fraction == 0.5
    spot = np.zeros((9, 13, 11))
    spot[4, 6, 5] = 1.0
    alone, within = convolve(spot, "177Lu", 60.0, quality="beta"), convolve(spot, "177Lu", 60.0, **options)  # type: ignore[arg-type]
    added = within.total_Gy - alone.total_Gy
    np.testing.assert_allclose(added, (dose.total_Gy - convolve(even, "177Lu", 60.0, quality="beta").total_Gy)
                               / spot.size, rtol=1e-9, atol=1e-12 * float(dose.total_Gy.max()))
    tiled = convolve(spot, "177Lu", 60.0, tile=5, **options)  # type: ignore[arg-type]
    np.testing.assert_allclose(tiled.total_Gy, within.total_Gy, rtol=1e-9)


@pytest.mark.parametrize(("options", "message"), [
    ({"surroundings": "uniform"}, "go together"),
    ({"lesion_diameter_um": 1e3}, "go together"),
    ({"surroundings": "uniform", "lesion_diameter_um": 0.0}, "above 0"),
    ({"surroundings": "uniform", "lesion_diameter_um": float("nan")}, "above 0"),
    ({"surroundings": "unifrom", "lesion_diameter_um": 1e3}, "Did you mean 'uniform'"),
])
def test_bad_surroundings(options: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        convolve(np.ones((3, 3, 3)), "177Lu", 20.0, **options)  # type: ignore[arg-type]


class _Namespace:
    """NumPy under another name, with arrays of its own that refuse to be written: what a device's namespace does."""

    def __init__(self) -> None:
        self.fft, self.asked = np.fft, 0

    def asarray(self, array: Array) -> Array:
        self.asked += 1
        mine = np.array(array)
        mine.flags.writeable = False
        return mine

    def take(self, array: Array, index: Array, axis: int) -> Array:
        return np.take(array, index, axis=axis)


@pytest.mark.parametrize("options", [
    {}, {"surroundings": "mirror"}, {"surroundings": "uniform", "lesion_diameter_um": 5e3}])
def test_another_namespace_does_the_transforms(options: dict[str, object]) -> None:
    """The path of a GPU with a stub, in any surroundings: 1e-12 of the peak, and what it cannot do is refused."""
    field, xp = RNG.random((6, 7, 8)), _Namespace()
    ours = convolve(field, "177Lu", 50.0, quality=CHARGED, **options)  # type: ignore[arg-type]
    theirs = convolve(field, "177Lu", 50.0, quality=CHARGED, xp=xp, **options)  # type: ignore[arg-type]
    assert xp.asked >= 2 * len(ours.by_quality)
    for quality, dose in ours.by_quality.items():
        np.testing.assert_allclose(theirs.by_quality[quality], dose, rtol=0, atol=1e-12 * float(dose.max()))
    assert theirs.escaped_fraction == pytest.approx(ours.escaped_fraction, rel=1e-9)
    with pytest.raises(BadInput, match="xp goes without tile"):
        convolve(field, "177Lu", 50.0, xp=np, tile=3)


def test_jax_does_the_transforms() -> None:
    """1e-5 of the peak: single precision unless the user asks JAX for double; then 1e-12, and energy to 1e-4."""
    jnp = pytest.importorskip("jax.numpy")
    with pytest.importorskip("jax").enable_x64(True):
        spot = np.zeros((17, 15, 15))
        spot[8, 7, 7] = 1.0
        there, here = (convolve(spot, "225Ac", (12.0, 15.0, 15.0), quality="alpha", xp=xp) for xp in (jnp, None))
        np.testing.assert_allclose(there.total_Gy, here.total_Gy, rtol=0, atol=1e-12 * float(here.total_Gy.max()))
        kept = float(there.total_Gy.sum()) / GY_PER_MEV_MBQ_H_PER_L
        assert kept == pytest.approx(radial_kernel("225Ac", "alpha").total_MeV, rel=1e-4)
    field = RNG.random((9, 8, 7))
    ours = convolve(field, "177Lu", 50.0, quality="beta").total_Gy
    np.testing.assert_allclose(convolve(field, "177Lu", 50.0, quality="beta", xp=jnp).total_Gy, ours,
                               rtol=0, atol=1e-5 * float(ours.max()))


def test_memory_is_told_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_memory, "_memory_bytes", lambda: 1 << 20)
    with pytest.raises(BadInput, match=r"needs \d+ MiB .* has 1 MiB"):
        convolve(np.ones((40, 40, 40)), "177Lu", 20.0)
    monkeypatch.setattr(volume_memory, "_memory_bytes", lambda: 24 << 30)
    with pytest.raises(BadInput, match=r"needs 768 GiB .* has 24 GiB") as refused:  # nothing of the map was allocated
        convolve(np.broadcast_to(np.float32(1.0), (2048, 2048, 2048)), "177Lu", 20.0)
    assert "photons reach through" in str(refused.value)
    assert "e+" not in str(refused.value)
    with pytest.raises(BadInput, match="surroundings that go in tiles") as refused:  # mirrors do not
        convolve(np.broadcast_to(np.float32(1.0), (400, 400, 400)), "177Lu", 20.0, surroundings="mirror")
    assert "tile=" not in str(refused.value)
    monkeypatch.setattr(volume_memory, "_memory_bytes", lambda: 1 << 20)
    small = np.ones((10, 10, 10))
    assert convolve(small, "211At", 40.0, quality="alpha").total_Gy.shape == small.shape


def refused(monkeypatch: pytest.MonkeyPatch, room_MiB: int, words: str) -> tuple[Array, Array, str]:
    """A map, its dose, and what is said where the machine has only so much memory for it."""
    field = RNG.random((70, 70, 70))
    whole = convolve(field, "211At", 10.0, quality="alpha").total_Gy
    monkeypatch.setattr(volume_memory, "_memory_bytes", lambda: room_MiB << 20)
    with pytest.raises(BadInput, match=words) as error:
        convolve(field, "211At", 10.0, quality="alpha")
    return field, whole, str(error.value)


def test_the_tile_that_is_named_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way out that the refusal names works, with the same numbers, and a float32 map needs about half."""
    field, whole, said = refused(monkeypatch, 10, "float32 to halve it")
    tile = re.search(r"tile=(\d+)", said)
    assert tile is not None
    tiled = convolve(field, "211At", 10.0, quality="alpha", tile=int(tile[1])).total_Gy
    np.testing.assert_allclose(tiled, whole, atol=1e-12 * float(whole.max()))
    single, double = (memory_needed_bytes((70, 70, 70), (90, 90, 90), 1, n) for n in (4, 8))
    assert 0.4 < single / double < 0.75


def test_the_parts_that_are_named_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the results fit: a part with the margin that is named gives the dose of the whole inside it."""
    field, whole, said = refused(monkeypatch, 2, "in parts of")
    found = re.search(r"parts of (\d+) x .* each with (\d+) more", said)
    assert found is not None
    kept, margin = int(found[1]), int(found[2])
    around = (slice(20 - margin, 20 + kept + margin),) * 3
    part = convolve(np.ascontiguousarray(field[around]), "211At", 10.0, quality="alpha").total_Gy
    np.testing.assert_allclose(part[(slice(margin, -margin),) * 3], whole[(slice(20, 20 + kept),) * 3],
                               atol=1e-12 * float(whole.max()))


def test_a_kernel_cut_by_the_grid_is_reported() -> None:
    """90Y reaches 11 mm; a grid of 1 mm holds little of it, one of 40 mm all but bremsstrahlung."""
    small, large = (convolve(np.ones((5, 5, 5)), "90Y", h, quality=CHARGED) for h in (200.0, 8000.0))
    assert small.kernel_truncated_fraction > 0.7 > 0.02 > large.kernel_truncated_fraction
    assert small.escaped_fraction > small.kernel_truncated_fraction


def test_bad_input() -> None:
    field = np.ones((3, 3, 3))
    with pytest.raises(BadInput, match="above 0 um"):
        convolve(field, "177Lu", 0.0)
    with pytest.raises(BadInput, match="above 0 um"):
        convolve(field, "177Lu", (1.0, 2.0))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="section_dose"):
        convolve(field[0], "177Lu", 20.0)
    with pytest.raises(BadInput, match="negative"):
        convolve(-field, "177Lu", 20.0)
    with pytest.raises(BadInput, match="negative"):
        convolve(np.where(field > 0.0, np.nan, 0.0), "177Lu", 20.0)
    with pytest.raises(BadInput, match="177Lu"):
        convolve(field, "177Lv", 20.0)
    with pytest.raises(BadInput, match="Did you mean 'mirror'"):
        convolve(field, "177Lu", 20.0, surroundings="miror")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="float64 or float32"):
        convolve(field, "177Lu", 20.0, dtype=np.int32)
    with pytest.raises(BadInput, match="tile = 0"):
        convolve(field, "177Lu", 20.0, tile=0)
    with pytest.raises(BadInput, match="isolated or uniform surroundings"):
        convolve(field, "177Lu", 20.0, tile=2, surroundings="mirror")
    with pytest.raises(BadInput, match="coarsen = 0"):
        convolve(field, "177Lu", 20.0, coarsen=0)


@pytest.mark.parametrize(("nuclide", "side_um"), [("177Lu", 5000.0), ("90Y", 20000.0), ("212mPo", 1000.0)])
def test_voxels_wider_than_the_range(nuclide: str, side_um: float) -> None:
    """Energy from a voxel to itself and through a face, from the moments of a direction; far from even in a shell."""
    quality: Quality = "alpha" if nuclide == "212mPo" else "beta"
    kernel = radial_kernel(nuclide, quality)
    r = np.linspace(0.0, kernel.reach_um, 200_001)
    energy = np.diff(PchipInterpolator(kernel.radius_um, kernel.cumulative_MeV)(r))
    s = 0.5 * (r[1:] + r[:-1]) / side_um
    one, two, three = s / 2.0, s**2 * 2.0 / (3.0 * np.pi), s**3 / (4.0 * np.pi)  # |x|, |xy|, |xyz|
    own = float(kernel.cumulative_MeV[0] + energy @ (1.0 - 3.0 * one + 3.0 * two - three))
    face = float(energy @ (0.5 * (one - 2.0 * two + three)))
    near = cube_kernel(kernel, (side_um,) * 3, (1, 1, 1))
    assert float(near[0, 0, 0]) == pytest.approx(own, rel=1e-3)
    assert float(near[0, 0, 1]) == pytest.approx(face, rel=2e-3)
