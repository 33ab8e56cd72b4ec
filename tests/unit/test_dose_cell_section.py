"""Dose to the cells of a section: against brute-force sums over pairs, sums, symmetry, surroundings."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from nichedose.dose import CHARGED, Daughters, Quality, SectionGeometry, cell_s_values, section_dose
from nichedose.dose.cell_section import CellsDose, cells_dose
from nichedose.dose.cells import CellPart, CellShape
from nichedose.dose.clusters import cell_cross_s_value
from nichedose.dose.kernels import radial_kernel
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput
from nichedose.fields.grid import Array, Grid

CELL_UM, NUCLEUS_UM, LAYER_UM = 7.0, 5.0, 12.0
ALONE = SectionGeometry("section", LAYER_UM, "isolated", 1e4)


def _cells(n: int, width_um: float, height_um: float) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(21)
    where = rng.random((n, 2)) * np.array([height_um, width_um])
    internal = rng.gamma(1.0, 500.0, n) * (rng.random(n) < 0.3)
    return where, rng.gamma(1.0, 1e3, n), internal


def _dose(where: Array, surface: Array, internal: Array, nuclide: str, geometry: SectionGeometry = ALONE,
          daughters: Daughters = "none", layer_um: float | None = LAYER_UM, target: CellPart = "nucleus") -> CellsDose:
    return cells_dose(
        where, surface, internal, nuclide, cell_radius_um=CELL_UM, nucleus_radius_um=NUCLEUS_UM, geometry=geometry,
        layer_um=layer_um, daughters=daughters, target=target)


@pytest.mark.parametrize(("nuclide", "daughters", "quality", "layers"), [
    ("177Lu", "none", "beta", 0), ("177Lu", "none", "auger", 1), ("225Ac", "equilibrium", "alpha", 0),
    ("225Ac", "equilibrium", "alpha", 1)])
def test_against_sums_over_pairs(nuclide: str, daughters: Daughters, quality: Quality, layers: int) -> None:
    """300 cells, some overlapping: every pair by its own S value. 1 % (largest found 0.35 %: alphas near the end of
    their range, on the grid)."""
    where, surface, internal = _cells(300, 600.0, 400.0)
    geometry = SectionGeometry("slab", (2 * layers + 1) * LAYER_UM, "isolated", 1e4)
    ours = _dose(where, surface, internal, nuclide, geometry, daughters)
    heights, some = LAYER_UM * np.arange(-layers, layers + 1), 6
    plane = ((where[:some, None] - where[None]) ** 2).sum(axis=2)
    distance = np.sqrt(plane[..., None] + heights**2)
    exact, other = np.zeros(some), distance > 0.0
    parts: tuple[tuple[CellPart, Array], ...] = (("surface", surface), ("cytoplasm", internal))
    for source, label in parts:
        each = np.zeros(distance.shape)
        each[other] = cell_cross_s_value(
            nuclide, distance[other], CELL_UM, NUCLEUS_UM, "nucleus", source, daughters, quality)
        exact += np.einsum("ijk,j->i", each, label)
    np.testing.assert_allclose(ours.cross_by_quality[quality][:some], exact, rtol=0.01)


def test_own_label_counts_once() -> None:
    """One cell alone: its self-dose and no cross-fire; the parts add up."""
    s = cell_s_values("177Lu", CELL_UM, NUCLEUS_UM, quality=CHARGED)
    alone = _dose(np.array([[3.0, 4.0]]), np.array([10.0]), np.array([20.0]), "177Lu")
    assert alone.total_Gy[0] == pytest.approx(10.0 * s["nucleus", "surface"] + 20.0 * s["nucleus", "cytoplasm"])
    assert all(x[0] == 0.0 for x in alone.cross_by_quality.values())
    where, surface, internal = _cells(200, 300.0, 300.0)
    both = _dose(where, surface, internal, "177Lu")
    parts = sum(both.self_by_quality[q] + both.cross_by_quality[q] for q in both.by_quality)
    np.testing.assert_allclose(both.total_Gy, parts)


def test_two_cells_for_both_targets() -> None:
    where = np.array([[0.0, 0.0], [0.0, 15.0]])
    targets: tuple[CellPart, ...] = ("nucleus", "cell")
    for target in targets:
        dose = _dose(where, np.array([100.0, 0.0]), np.zeros(2), "90Y", target=target)
        exact = 100.0 * float(cell_cross_s_value("90Y", 15.0, CELL_UM, NUCLEUS_UM, target, quality=CHARGED))
        assert sum(x[1] for x in dose.cross_by_quality.values()) == pytest.approx(exact, rel=2e-3)
        assert all(x[1] == 0.0 for x in dose.self_by_quality.values())


def test_linear_and_does_not_know_its_place() -> None:
    """Scaling the label scales the dose; shift, mirror and order of the cells change nothing (grid: 0.5 %)."""
    where, surface, internal = _cells(250, 500.0, 300.0)
    dose = _dose(where, surface, internal, "177Lu").total_Gy
    np.testing.assert_allclose(_dose(where, 3.0 * surface, 3.0 * internal, "177Lu").total_Gy, 3.0 * dose, rtol=1e-9)
    order = np.random.default_rng(3).permutation(len(where))
    moved = np.array([1.0, -1.0]) * where[order] + np.array([1234.5, -77.7])
    np.testing.assert_allclose(_dose(moved, surface[order], internal[order], "177Lu").total_Gy, dose[order], rtol=5e-3)


def test_dense_slab_is_a_uniform_medium() -> None:
    """Cells on a lattice through a thick slab, in its middle: 211At alphas give emitted energy per mass. 2 %: what a
    cell of a packed tissue gets instead of the mean is its own label's place, which the self-dose rule states."""
    pitch = 14.0
    y, x = np.meshgrid(np.arange(20) * pitch, np.arange(20) * pitch, indexing="ij")
    where = np.stack([y.ravel(), x.ravel()], axis=1)
    ones = np.ones(len(where))
    dose = _dose(where, 10.0 * ones, 0.0 * ones, "211At", SectionGeometry("slab", 300.0, "isolated", 1e4),
                 "equilibrium", pitch).by_quality["alpha"].reshape(20, 20)[9:11, 9:11]
    kernel = radial_kernel("211At", "alpha", "equilibrium")
    s = cell_s_values("211At", CELL_UM, NUCLEUS_UM, "equilibrium", "alpha")
    density = 10.0 / pitch**3
    volume = 4.0 / 3.0 * np.pi * CELL_UM**3
    expected = (density * kernel.total_MeV * GY_PER_MEV_PER_UM3 + 10.0 * s["nucleus", "surface"]
                - density * volume * s["nucleus", "cell"])
    np.testing.assert_allclose(dose, expected, rtol=0.02)


def test_surroundings_as_in_the_section_map() -> None:
    """Cells on a fine lattice with even label, 177Lu: mean dose to cells in the middle as on the voxel map, 1 %, for
    all surroundings. The sum of cross-fire and self-dose is compared with the map plus the own place (cells page)."""
    pitch, n = 12.5, 40
    y, x = np.meshgrid((np.arange(n) + 0.5) * pitch, (np.arange(n) + 0.5) * pitch, indexing="ij")
    where, ones = np.stack([y.ravel(), x.ravel()], axis=1), np.ones(n * n)
    s = cell_s_values("177Lu", CELL_UM, NUCLEUS_UM, quality=CHARGED)
    density = 100.0 / pitch**3
    tia = np.full((n, n), density * 1e15 / 3.6e9)
    place = 100.0 * s["nucleus", "surface"] - density * 4.0 / 3.0 * np.pi * CELL_UM**3 * s["nucleus", "cell"]
    received = {}
    kinds: tuple[Literal["isolated", "mirror", "uniform"], ...] = ("isolated", "mirror", "uniform")
    for around in kinds:
        geometry = SectionGeometry("slab", 1000.0, around, 5000.0)
        cells = _dose(where, 100.0 * ones, 0.0 * ones, "177Lu", geometry, layer_um=pitch)
        tissue = section_dose(
            Grid((n, n), pitch), np.ones((n, n), bool), "177Lu", tia_MBq_h_per_L=tia, cells={},
            times_h=np.array([0.0, 1.0]), activity_MBq_per_L=np.stack([tia, tia]), cell_radius_um=CELL_UM,
            nucleus_radius_um=NUCLEUS_UM, geometry=geometry, daughters="none", history=False)
        mean = sum(d[18:22, 18:22].mean() for d in tissue.by_quality.values())
        received[around] = cells.total_Gy.reshape(n, n)[18:22, 18:22].mean()
        assert received[around] == pytest.approx(mean + place, rel=0.015)
    assert received["isolated"] < received["uniform"] and received["isolated"] < received["mirror"]


def test_bad_input() -> None:
    where, surface, internal = _cells(10, 50.0, 50.0)
    with pytest.raises(BadInput, match="positions_um"):
        _dose(where[:, :1], surface, internal, "177Lu")
    with pytest.raises(BadInput, match="surface_decays"):
        _dose(where, surface[:5], internal, "177Lu")
    with pytest.raises(BadInput, match="internal_decays"):
        _dose(where, surface, -1.0 - internal, "177Lu")
    with pytest.raises(BadInput, match="target"):
        _dose(where, surface, internal, "177Lu", target="surface")
    with pytest.raises(BadInput, match="layer_um is missing"):
        _dose(where, surface, internal, "177Lu", SectionGeometry("slab", 100.0, "isolated", 1e4), layer_um=None)
    with pytest.raises(BadInput, match="layer_um"):
        _dose(where, surface, internal, "177Lu", layer_um=0.0)
    with pytest.raises(BadInput, match="thickness_um"):
        _dose(where, surface, internal, "177Lu", SectionGeometry("slab", 0.0, "isolated", 1e4))
    with pytest.raises(BadInput, match="along_z"):
        _dose(where, surface, internal, "177Lu", SectionGeometry("stack", 5.0, "isolated", 1e4))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="tiles"):
        _dose(where * 2000.0, surface, internal, "90Y")


# ---- cells of different sizes


def _mixed(n: int) -> tuple[Array, Array, Array]:
    """Radii of two kinds of cells."""
    large = np.random.default_rng(3).random(n) < 0.4
    return np.where(large, 9.0, 5.0), np.where(large, 6.0, 3.5), np.where(large, 1.0, 0.0)


@pytest.mark.parametrize(("nuclide", "quality"), [("177Lu", "beta"), ("211At", "alpha")])
def test_two_sizes_against_sums_over_pairs(nuclide: str, quality: Quality) -> None:
    """Every pair by the shapes of both, own label in its own geometry: 1 %."""
    where, surface, internal = _cells(200, 500.0, 400.0)
    cell, nucleus, offset = _mixed(200)
    ours = cells_dose(where, surface, internal, nuclide, cell_radius_um=cell, nucleus_radius_um=nucleus,
                      nucleus_offset_um=offset, geometry=ALONE)
    some = 5
    distance = np.linalg.norm(where[:some, None] - where[None], axis=2)
    for i in range(some):
        exact = 0.0
        for size in (5.0, 9.0):
            there = (cell == size) & (np.arange(200) != i)
            shape = CellShape(size, float(nucleus[there][0]), float(offset[there][0]))
            parts: tuple[tuple[CellPart, Array], ...] = (("surface", surface), ("cytoplasm", internal))
            for source, label in parts:
                s = cell_cross_s_value(
                    nuclide, distance[i, there], float(cell[i]), float(nucleus[i]), "nucleus", source,
                    quality=quality, nucleus_offset_um=float(offset[i]), source_cell=shape)
                exact += float(s @ label[there])
        assert float(ours.cross_by_quality[quality][i]) == pytest.approx(exact, rel=0.01)
        own = cell_s_values(nuclide, float(cell[i]), float(nucleus[i]), quality=quality,
                            nucleus_offset_um=float(offset[i]))
        assert float(ours.self_by_quality[quality][i]) == pytest.approx(
            surface[i] * own["nucleus", "surface"] + internal[i] * own["nucleus", "cytoplasm"], rel=1e-9)


def test_many_sizes_are_grouped_for_cross_fire_and_exact_for_self_dose() -> None:
    """500 radii: self-dose by interpolation within 0.3 % of each cell's own S value; cross-fire over four classes
    within 5 % of the exact sum for single cells (alphas, the hardest) and 1 % in the mean."""
    rng = np.random.default_rng(5)
    where, surface, _ = _cells(500, 700.0, 700.0)
    cell = rng.uniform(4.0, 10.0, 500)
    nucleus = cell * rng.uniform(0.5, 0.75, 500)
    ours = cells_dose(where, surface, 0.0 * surface, "211At", cell_radius_um=cell, nucleus_radius_um=nucleus,
                      geometry=ALONE)
    some = np.arange(20)
    own = np.array([cell_s_values("211At", float(cell[i]), float(nucleus[i]), quality="alpha")["nucleus", "surface"]
                    for i in some])
    np.testing.assert_allclose(ours.self_by_quality["alpha"][some], surface[some] * own, rtol=3e-3)
    exact = []
    for i in some:
        apart = np.linalg.norm(where - where[i], axis=1)
        near = (apart > 0.0) & (apart < 85.0)
        exact.append(sum(surface[j] * float(cell_cross_s_value(
            "211At", apart[j], float(cell[i]), float(nucleus[i]), quality="alpha",
            source_cell=CellShape(float(cell[j]), float(nucleus[j])))) for j in np.flatnonzero(near)))
    ratio = ours.cross_by_quality["alpha"][some] / np.array(exact)
    assert float(np.abs(ratio - 1.0).max()) < 0.05
    assert float(ratio.mean()) == pytest.approx(1.0, abs=0.01)


def test_sizes_that_do_not_fit_are_named() -> None:
    where = np.zeros((3, 2)) + np.arange(3)[:, None] * 30.0
    with pytest.raises(BadInput, match="one for each of the 3 cells"):
        cells_dose(where, np.ones(3), np.ones(3), "177Lu", cell_radius_um=np.ones(2), nucleus_radius_um=5.0,
                   geometry=ALONE)
    with pytest.raises(BadInput, match="smaller than the cell"):
        cells_dose(where, np.ones(3), np.ones(3), "177Lu", cell_radius_um=[7.0, 7.0, 4.0], nucleus_radius_um=5.0,
                   geometry=ALONE)
