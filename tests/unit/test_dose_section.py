"""Section dose: limits, edges, symmetry, linearity, cells, bad input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from nichedose.dose import (
    CHARGED,
    CellLabel,
    DoseMap,
    Quality,
    SectionGeometry,
    cell_s_values,
    energy_MeV_per_decay,
    section_dose,
    sphere_s_value,
)
from nichedose.dose.cells import nucleus_s_values
from nichedose.dose.convolve import GY_PER_MEV_MBQ_H_PER_L
from nichedose.dose.kernels import radial_kernel
from nichedose.dose.section import LONGEST_PROGENY_HALF_LIFE_H
from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray, Grid

TIMES_H = np.array([0.0, 1.0, 5.0, 20.0, 80.0, 300.0])
ISOLATED = SectionGeometry("slab", 20e3, "isolated", 20e3)
UNIFORM = SectionGeometry("slab", 20e3, "uniform", 20e3)
MIRROR = SectionGeometry("slab", 20e3, "mirror", 20e3)


def _dose(
    tia: Array, nuclide: str = "177Lu", geometry: SectionGeometry = ISOLATED, *, spacing_um: float = 20.0,
    mask: BoolArray | None = None, cells: dict[str, CellLabel] | None = None, **options: Any,
) -> DoseMap:
    tia = np.asarray(tia, dtype=float)
    activity = tia * np.exp(-TIMES_H / 100.0)[:, None, None]
    return section_dose(
        Grid((tia.shape[0], tia.shape[1]), spacing_um), np.ones(tia.shape, bool) if mask is None else mask, nuclide,
        tia_MBq_h_per_L=tia, cells=cells or {}, times_h=TIMES_H, activity_MBq_per_L=activity, geometry=geometry,
        **{"cell_radius_um": 7.0, "nucleus_radius_um": 5.0, "history": False, **options})


def _total(dose: DoseMap) -> Array:
    return np.asarray(sum(dose.by_quality.values()))


def _smooth(shape: tuple[int, int], seed: int = 0, scale: float = 3.0) -> Array:
    rng = np.random.default_rng(seed)
    return np.asarray(np.exp(scale * gaussian_filter(rng.normal(size=shape), 4.0)))


@pytest.mark.parametrize(("nuclide", "gy_g_per_mbq"), [("177Lu", 19.64), ("225Ac", 5730.0)])
def test_unbounded_medium_absorbs_all_energy(nuclide: str, gy_g_per_mbq: float) -> None:
    """A uniform section that repeats for ever: 19.64 Gy per MBq/g for 177Lu that decays fully, 5.73 Gy per kBq/g for
    225Ac with its chain (energies of ICRP 107 times the mean life): 0.1 %, the rounding of the references."""
    half_life_h = {"177Lu": 159.528, "225Ac": 240.0}[nuclide]
    tia = np.full((12, 15), 1e3 * half_life_h / np.log(2.0))  # 1 MBq/g = 1,000 MBq/L
    dose = _dose(tia, nuclide, replace(MIRROR, thickness_um=1e9))
    np.testing.assert_allclose(_total(dose), gy_g_per_mbq, rtol=1e-3)


@pytest.mark.parametrize("nuclide", ["177Lu", "90Y", "225Ac"])
@pytest.mark.parametrize("thickness", [30.0, 2e4])
def test_mirror_of_a_uniform_map_is_uniform(nuclide: str, thickness: float) -> None:
    """1e-9: both the map and its reflections are the same everywhere."""
    dose = _dose(np.full((9, 14), 3.0), nuclide, replace(MIRROR, thickness_um=thickness))
    total = _total(dose)
    np.testing.assert_allclose(total, total.mean(), rtol=1e-9)


def test_mirror_is_the_average_of_what_is_there() -> None:
    """Energy cannot leave a mirrored box: the mean dose is that of the mean activity (1e-9)."""
    tia = _smooth((20, 30))
    even = np.full_like(tia, tia.mean())
    dose = _dose(tia, "90Y", MIRROR)
    assert _total(dose).mean() == pytest.approx(_total(_dose(even, "90Y", MIRROR)).mean(), rel=1e-9)
    assert dose.escaped_fraction > 0.9 and dose.entered_fraction > 0.5


def test_uniform_map_in_a_uniform_lesion_is_the_sphere() -> None:
    """In the middle of a lesion far larger than the range all energy stays but bremsstrahlung (5e-4 for 177Lu); at the
    surface of a large sphere it is one half, less what the curvature takes."""
    dose = _total(_dose(np.ones((5, 401)), "177Lu", replace(UNIFORM, lesion_diameter_um=8e3)))
    energies = energy_MeV_per_decay("177Lu")
    local = (sum(energies.values()) - energies["photon"]) * GY_PER_MEV_MBQ_H_PER_L
    assert dose[2, 200] == pytest.approx(local, rel=1e-3)
    assert dose[2, 0] == pytest.approx(0.5 * local, rel=0.06)
    assert dose[2, 0] < 0.5 * local


def test_surroundings_of_a_large_section_come_in_at_its_edge_only() -> None:
    tia = np.ones((201, 201))
    inside, around = _dose(tia), _dose(tia, geometry=UNIFORM)
    assert around.escaped_fraction == pytest.approx(inside.escaped_fraction)
    assert inside.entered_fraction == 0.0
    assert around.entered_fraction == pytest.approx(around.escaped_fraction, rel=0.03)
    centre = (100, 100)
    assert _total(around)[centre] == pytest.approx(_total(inside)[centre], rel=2e-3)
    assert _total(around)[0, 0] > 2.0 * _total(inside)[0, 0]


def test_voxels_beyond_the_lesion_are_flagged() -> None:
    far = _dose(np.ones((4, 200)), geometry=replace(UNIFORM, lesion_diameter_um=2e3))
    assert [flag.about for flag in far.flags] == ["surroundings"]
    assert "50% of the section" in far.flags[0].text
    assert _dose(np.ones((4, 20)), geometry=UNIFORM).flags == ()


@pytest.mark.parametrize(
    "geometry", [ISOLATED, UNIFORM, MIRROR, replace(ISOLATED, along_z="section", thickness_um=10.0)])
@pytest.mark.parametrize("nuclide", ["177Lu", "225Ac"])
def test_linear_symmetric_and_never_negative(geometry: SectionGeometry, nuclide: str) -> None:
    """Linearity to rounding; a mirrored map gives the mirrored dose; nothing in, nothing out.

    Without a hole where holes are filled: between two equally near voxels the first is taken.
    """
    a, b = _smooth((24, 30), 1), _smooth((24, 30), 2) * (np.arange(30) > 20)
    mask = np.ones(a.shape, bool)
    mask[5:9, 3:7] = geometry is MIRROR
    kwargs = {"nuclide": nuclide, "geometry": geometry, "mask": mask}
    da, db, both = (_total(_dose(x, **kwargs)) for x in (a, b, 2.0 * a + b))
    np.testing.assert_allclose(both, 2.0 * da + db, rtol=1e-9, atol=1e-13 * both.max())
    flipped = _total(_dose(a[::-1, ::-1], **{**kwargs, "mask": mask[::-1, ::-1]}))
    np.testing.assert_allclose(flipped[::-1, ::-1], da, rtol=1e-9, atol=1e-13 * da.max())
    assert np.all(db >= 0.0) and np.all(db[~mask] == 0.0)
    nothing = _dose(np.zeros((24, 30)), **kwargs)
    assert not _total(nothing).any() and nothing.escaped_fraction == nothing.entered_fraction == 0.0


def test_energy_is_conserved_where_nothing_leaves() -> None:
    """Alphas of a spot in the middle of an endless slab: all of their energy and none lost, 1e-4."""
    tia = np.zeros((31, 31))
    tia[15, 15] = 1.0
    dose = _dose(tia, "213Po", replace(ISOLATED, thickness_um=1e6), daughters="none")
    energies = energy_MeV_per_decay("213Po")
    emitted = (energies["alpha"] + energies["recoil"]) * GY_PER_MEV_MBQ_H_PER_L
    assert _total(dose).sum() == pytest.approx(emitted, rel=1e-4)
    assert dose.escaped_fraction < 1e-4


@pytest.mark.parametrize("nuclide", ["177Lu", "225Ac", "161Tb"])
def test_halving_the_spacing(nuclide: str) -> None:
    """The mean dose over a smooth map changes by less than 1 %, of its hottest tenth by less than 2 %."""
    fine = _smooth((80, 80), 3)
    fine[:8] = fine[-8:] = 0.0
    fine[:, :8] = fine[:, -8:] = 0.0
    coarse = fine.reshape(40, 2, 40, 2).mean(axis=(1, 3))
    a = _total(_dose(fine, nuclide, spacing_um=10.0)).reshape(40, 2, 40, 2).mean(axis=(1, 3))
    b = _total(_dose(coarse, nuclide, spacing_um=20.0))
    assert b.mean() == pytest.approx(a.mean(), rel=0.01)
    hot = a >= np.quantile(a, 0.9)
    assert b[hot].mean() == pytest.approx(a[hot].mean(), rel=0.02)


@pytest.mark.parametrize(("nuclide", "spacing_um", "shape"), [
    ("177Lu", 50.0, (1, 40)), ("177Lu", 50.0, (40, 1)), ("90Y", 100.0, (12, 60)), ("211At", 20.0, (2, 30))])
def test_a_section_narrower_than_the_range(nuclide: str, spacing_um: float, shape: tuple[int, int]) -> None:
    """Nothing wraps across the short side: the strip in a wide empty grid has the same dose (1e-9), and the same
    fraction escapes."""
    strip, wide = _smooth(shape), np.zeros((130, 130))
    wide[:shape[0], :shape[1]] = strip
    alone = _dose(strip, nuclide, spacing_um=spacing_um)
    padded = _dose(wide, nuclide, mask=wide > 0.0, spacing_um=spacing_um)
    np.testing.assert_allclose(_total(alone), _total(padded)[:shape[0], :shape[1]], rtol=1e-9)
    assert alone.escaped_fraction == pytest.approx(padded.escaped_fraction, abs=1e-9)


def test_section_is_thinner_than_slab() -> None:
    tia = np.ones((40, 40))
    doses = [_total(_dose(tia, geometry=SectionGeometry(z, t, "isolated", 2e4))).mean()  # type: ignore[arg-type]
             for z, t in (("section", 5.0), ("section", 10.0), ("slab", 10.0), ("slab", 200.0), ("slab", 2e4))]
    assert doses == sorted(doses)
    thick = _total(_dose(tia, geometry=SectionGeometry("section", 1e7, "isolated", 2e4))).mean()
    assert thick == pytest.approx(_total(_dose(tia, geometry=replace(ISOLATED, thickness_um=1e7))).mean(), rel=1e-3)


def test_qualities_are_kept_apart_and_photons_told() -> None:
    dose = _dose(np.ones((10, 10)), "225Ac")
    assert set(dose.by_quality) == {"alpha", "recoil", "beta", "conversion", "auger"}
    energies = energy_MeV_per_decay("225Ac", "equilibrium", LONGEST_PROGENY_HALF_LIFE_H)
    assert dose.photon_energy_fraction == pytest.approx(energies["photon"] / sum(energies.values()))
    alone = _dose(np.ones((10, 10)), "225Ac", daughters="none")
    assert "beta" not in alone.by_quality
    assert alone.by_quality["alpha"].mean() < 0.25 * dose.by_quality["alpha"].mean()
    assert set(_dose(np.ones((10, 10)), "211At").by_quality) >= {"alpha", "recoil"}


# cells

def test_photons_on_request() -> None:
    """131I in a lesion of 10 mm: photons come as a quality of their own, add to its middle what the bound says and no
    more anywhere; charged doses and fractions do not change."""
    tia, geometry = np.full((9, 9), 1.0), SectionGeometry("slab", 10e3, "uniform", 10e3)
    without, given = (_dose(tia, "131I", geometry, spacing_um=100.0, photons=p) for p in (False, True))
    assert "photon" not in without.by_quality and set(given.by_quality) - set(without.by_quality) == {"photon"}
    for quality, dose in without.by_quality.items():
        np.testing.assert_allclose(given.by_quality[quality], dose, rtol=1e-12)
    assert given.escaped_fraction == without.escaped_fraction and given.entered_fraction == without.entered_fraction
    charged = sum(energy_MeV_per_decay("131I")[q] for q in ("beta", "conversion", "auger"))
    chain = section_share("131I", 10e3)
    assert without.photon_dose_bound == pytest.approx(chain, rel=1e-6)
    middle = float(given.by_quality["photon"][4, 4]) / (GY_PER_MEV_MBQ_H_PER_L * charged)
    assert middle == pytest.approx(without.photon_dose_bound, rel=0.02)  # 131mXe adds to both
    mean = sphere_s_value("131I", 10e3, quality="photon") / sphere_s_value("131I", 10e3, quality=CHARGED)
    assert 0.7 * without.photon_dose_bound < mean < without.photon_dose_bound


def section_share(nuclide: str, diameter_um: float) -> float:
    """Photon energy deposited within the radius of a point source over the charged energy, progeny included."""
    kernel = radial_kernel(nuclide, "photon", "equilibrium", LONGEST_PROGENY_HALF_LIFE_H)
    energies = energy_MeV_per_decay(nuclide, "equilibrium", LONGEST_PROGENY_HALF_LIFE_H)
    within = float(np.interp(0.5 * diameter_um, kernel.radius_um, kernel.cumulative_MeV))
    return within / (sum(energies.values()) - energies["photon"])


@pytest.mark.parametrize(("nuclide", "most"), [("177Lu", 0.011), ("161Tb", 0.03), ("225Ac", 0.001), ("90Y", 1e-4)])
def test_what_photons_add_at_most_in_a_small_lesion(nuclide: str, most: float) -> None:
    """The bound of docs/theory/kernels.md for 10 mm."""
    dose = _dose(np.ones((3, 3)), nuclide, SectionGeometry("slab", 10e3, "isolated", 10e3))
    assert dose.photon_dose_bound < most


def test_label_of_a_cell_counts_once() -> None:
    """A cell whose label is what the mean tissue would put into its volume differs from the voxel mean only by where in
    the cell it sits, and not at all when it is spread evenly; one without label has less by its own volume's part."""
    tia = np.full((30, 30), 2.0)
    per_cell = tia * (4.0 / 3.0 * np.pi * 7.0**3) * 1e-15
    zero = np.zeros_like(tia)
    dose = _dose(tia, "161Tb", UNIFORM, cells={
        "inside": CellLabel(zero, per_cell), "surface": CellLabel(per_cell, zero), "none": CellLabel(zero, zero)})
    for quality, mean in dose.by_quality.items():
        s = nucleus_s_values("161Tb", quality, "equilibrium", LONGEST_PROGENY_HALF_LIFE_H, 7.0, 5.0)
        inside, surface, none = (dose.nucleus_by_quality[c][quality] for c in ("inside", "surface", "none"))
        decays = per_cell * 3.6e9
        np.testing.assert_allclose(none, mean - decays * s["cell"], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(inside - none, decays * s["cytoplasm"], rtol=1e-9)
        np.testing.assert_allclose(surface - none, decays * s["surface"], rtol=1e-9)
        assert np.all(none > 0.0) or quality in ("auger", "conversion")
        # spread over cytoplasm and nucleus and cytoplasm by volume, the label gives back the voxel's mean
        nucleus = (5.0 / 7.0) ** 3
        evenly = none + decays * ((1.0 - nucleus) * s["cytoplasm"] + nucleus * _nucleus_self(quality))
        np.testing.assert_allclose(evenly, mean, rtol=1e-9)


def _nucleus_self(quality: Quality) -> float:
    return cell_s_values("161Tb", 7.0, 5.0, "equilibrium", quality)["nucleus", "nucleus"]


def test_cross_fire_is_never_negative() -> None:
    """In a 3-um section a whole cell's evenly filled volume holds more than the layer gives: cut at zero."""
    tia = np.full((3, 3), 1.0)
    zero = np.zeros_like(tia)
    dose = _dose(tia, "225Ac", SectionGeometry("section", 3.0, "isolated", 1e3), spacing_um=5.0,
                 cells={"none": CellLabel(zero, zero)})
    for values in dose.nucleus_by_quality["none"].values():
        assert np.all(values >= 0.0)


# bad input

@pytest.mark.parametrize(("change", "message"), [
    ({"nuclide": "177Lx"}, "Did you mean '177Lu'"),
    ({"geometry": replace(ISOLATED, thickness_um=0.0)}, "geometry.thickness_um = 0"),
    ({"geometry": replace(ISOLATED, lesion_diameter_um=float("nan"))}, "geometry.lesion_diameter_um"),
    ({"geometry": replace(ISOLATED, surroundings="mirrored")}, "Did you mean 'mirror'"),
    ({"geometry": replace(ISOLATED, along_z="stack")}, "geometry.along_z = 'stack'"),
    ({"nucleus_radius_um": 8.0, "cells": {"a": CellLabel(np.ones((6, 6)), np.ones((6, 6)))}}, "smaller than the cell"),
    ({"cells": {"a": CellLabel(np.ones((5, 6)), np.ones((6, 6)))}}, r"cells\['a'\].surface_MBq_h_per_cell has shape"),
    ({"cells": {"a": CellLabel(np.ones((6, 6)), -np.ones((6, 6)))}}, "internal_MBq_h_per_cell holds NaN"),
    ({"mask": np.zeros((6, 6), bool)}, "with voxels in tissue"),
    ({"mask": np.ones((5, 6), bool)}, "mask has shape"),
    ({"daughters": "some"}, "'none' or 'equilibrium'"),
    ({"spacing_um": 0.0}, "spacing must be above 0"),
])
def test_bad_input(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        _dose(np.ones((6, 6)), **change)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e-9])
def test_bad_activity(value: float) -> None:
    tia = np.ones((6, 6))
    tia[2, 3] = value
    with pytest.raises(BadInput, match="tia_MBq_h_per_L holds NaN, infinite or negative"):
        _dose(tia)


@pytest.mark.parametrize(("times", "activity", "message"), [
    (np.array([0.0, 1.0]), np.ones((3, 6, 6)), "activity_MBq_per_L has shape"),
    (np.array([0.0, 0.0]), np.ones((2, 6, 6)), "increasing"),
    (np.array([0.0]), np.ones((1, 6, 6)), "at least two times"),
    (np.array([0.0, np.nan]), np.ones((2, 6, 6)), "increasing"),
])
def test_bad_times(times: Array, activity: Array, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        section_dose(Grid((6, 6), 20.0), np.ones((6, 6), bool), "177Lu", tia_MBq_h_per_L=np.ones((6, 6)), cells={},
                     times_h=times, activity_MBq_per_L=activity, geometry=ISOLATED, cell_radius_um=7.0,
                     nucleus_radius_um=5.0)
