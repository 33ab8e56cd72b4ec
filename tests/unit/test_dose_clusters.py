"""Eccentric nuclei, dose from cell to cell, clusters: against sampling, limits, reciprocity."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose import cell_s_values, point_kernel
from nichedose.dose.apart import ball_step_fraction, shell_step_fraction
from nichedose.dose.cells import PARTS, CellPart, CellShape
from nichedose.dose.clusters import cell_cross_s_value, cluster_s_values, cubic_cluster_um
from nichedose.dose.geometry import sphere_volume_um3
from nichedose.dose.kernels import radial_kernel
from nichedose.dose.units import GY_PER_MEV_PER_UM3
from nichedose.errors import BadInput
from nichedose.fields.grid import Array

CELL_UM, NUCLEUS_UM = 7.0, 5.0


def _on_sphere(rng: np.random.Generator, n: int, radius: float) -> Array:
    v = rng.normal(size=(n, 3))
    return np.asarray(v / np.linalg.norm(v, axis=1)[:, None] * radius)


def _in_sphere(rng: np.random.Generator, n: int, radius: float) -> Array:
    return _on_sphere(rng, n, radius) * rng.random((n, 1)) ** (1.0 / 3.0)


@pytest.mark.parametrize(("source", "target", "apart", "length"), [
    (7.0, 5.0, 1.5, 4.0), (5.0, 7.0, 1.5, 4.0), (7.0, 5.0, 14.0, 12.0), (7.0, 7.0, 14.0, 20.0), (5.0, 4.0, 0.5, 0.3),
    (5.0, 7.0, 3.0, 1.0), (7.0, 5.0, 0.0, 4.0)])
def test_fractions_against_sampled_steps(source: float, target: float, apart: float, length: float) -> None:
    """200,000 random steps from a ball and from its surface: 4.5 standard deviations."""
    rng, n = np.random.default_rng(11), 200_000
    centre = np.array([0.0, 0.0, apart])
    for start, share in ((_in_sphere(rng, n, source), ball_step_fraction), (_on_sphere(rng, n, source),
                                                                            shell_step_fraction)):
        ended = np.linalg.norm(start + _on_sphere(rng, n, length) - centre, axis=1) < target
        exact = float(share(source, target, apart, np.array([length]))[0])
        assert abs(ended.mean() - exact) < 4.5 * np.sqrt(exact * (1.0 - exact) / n) + 1e-9


def test_small_offsets_lose_no_digits() -> None:
    """The fraction is even in the offset, so it changes with its square; differences of large terms would show."""
    steps = np.linspace(0.01, 11.9, 200)
    middle = ball_step_fraction(7.0, 5.0, 0.0, steps)
    for offset in (1e-9, 1e-6, 1e-4):
        np.testing.assert_allclose(ball_step_fraction(7.0, 5.0, offset, steps), middle, rtol=0, atol=1e-7)


def test_fraction_integrates_to_the_volume() -> None:
    """All points of space, seen from the source: int 4 pi r^2 fraction dr = target volume; exact."""
    r, w = np.polynomial.legendre.leggauss(20)
    panels = np.linspace(0.0, 30.0, 301)[:-1, None]
    steps, weights = (panels + 0.05 * (r + 1.0)).ravel(), np.tile(0.05 * w, 300)
    for share in (ball_step_fraction, shell_step_fraction):
        volume = float(4.0 * np.pi * steps**2 * share(6.0, 4.0, 9.0, steps) @ weights)
        assert volume == pytest.approx(sphere_volume_um3(4.0), rel=1e-6)


@pytest.mark.parametrize("nuclide", ["177Lu", "225Ac"])
def test_eccentric_reciprocity_and_sums(nuclide: str) -> None:
    """As for concentric cells: S(A from B) = S(B from A); the whole cell is nucleus and cytoplasm by volume."""
    s = cell_s_values(nuclide, CELL_UM, NUCLEUS_UM, nucleus_offset_um=1.5)
    assert len(s) == 15
    for target, source in s:
        if "surface" not in (target, source):
            assert s[target, source] == pytest.approx(s[source, target], rel=1e-9)
    nucleus = (NUCLEUS_UM / CELL_UM) ** 3
    sources: tuple[CellPart, ...] = ("nucleus", "cytoplasm", "surface", "cell")
    for source in sources:
        parts = nucleus * s["nucleus", source] + (1.0 - nucleus) * s["cytoplasm", source]
        assert s["cell", source] == pytest.approx(parts, rel=1e-9)


def test_offset_moves_only_what_it_should() -> None:
    """Cell from cell and nucleus from nucleus do not know where the nucleus is; label on the surface gets nearer."""
    middle = cell_s_values("177Lu", CELL_UM, NUCLEUS_UM)
    for offset in (1.0, 2.0):
        s = cell_s_values("177Lu", CELL_UM, NUCLEUS_UM, nucleus_offset_um=offset)
        for pair in (("cell", "cell"), ("nucleus", "nucleus"), ("cell", "surface")):
            assert s[pair] == pytest.approx(middle[pair], rel=1e-9)
        assert s["nucleus", "surface"] > middle["nucleus", "surface"]
    nearly = cell_s_values("177Lu", CELL_UM, NUCLEUS_UM, nucleus_offset_um=1e-4)
    for pair, value in middle.items():
        assert nearly[pair] == pytest.approx(value, rel=1e-5)


def test_eccentric_alphas_against_sampled_tracks() -> None:
    """Chords of straight tracks through an eccentric nucleus, with the same stopping table: 1 % (0.2 % of it noise)."""
    rng, n, offset = np.random.default_rng(12), 400_000, 2.0
    kernel = radial_kernel("211At", "alpha", "equilibrium")
    s = cell_s_values("211At", CELL_UM, NUCLEUS_UM, "equilibrium", "alpha", offset)
    assert s["nucleus", "surface"] == pytest.approx(
        _sampled(rng, kernel.radius_um, kernel.cumulative_MeV, _on_sphere(rng, n, CELL_UM), offset), rel=0.01)
    other = cell_cross_s_value("211At", 14.0, CELL_UM, NUCLEUS_UM, daughters="equilibrium", quality="alpha")
    assert float(other) == pytest.approx(
        _sampled(rng, kernel.radius_um, kernel.cumulative_MeV, _on_sphere(rng, 4 * n, CELL_UM), 14.0), rel=0.01)


def _sampled(rng: np.random.Generator, radius: Array, within: Array, start: Array, centre: float) -> float:
    start = start - np.array([0.0, 0.0, centre])
    direction = _on_sphere(rng, len(start), 1.0)
    along, gap = np.sum(start * direction, axis=1), np.sum(start**2, axis=1) - NUCLEUS_UM**2
    root = np.sqrt(np.maximum(along**2 - gap, 0.0))
    near, far = np.maximum(-along - root, 0.0), np.maximum(-along + root, 0.0)
    left = np.interp(far, radius, within) - np.interp(near, radius, within)
    energy = np.where(along**2 > gap, left, 0.0).mean()
    return float(energy / sphere_volume_um3(NUCLEUS_UM) * GY_PER_MEV_PER_UM3)


def test_far_cells_see_a_point() -> None:
    """At 40 radii a cell is a point source and a point target: 0.5 % (finite size, and the kernel's slope)."""
    d = 280.0
    for part in PARTS:
        s = float(cell_cross_s_value("177Lu", d, CELL_UM, NUCLEUS_UM, "cell", part))
        assert s == pytest.approx(float(point_kernel("177Lu", d)), rel=5e-3)


def test_cross_reciprocity_and_limit_of_one_cell() -> None:
    """S(A from B) = S(B from A) between cells; at vanishing distance the cell's own S value (0.1 %: electrons that
    stop within a nanometre are integrated in other steps)."""
    parts: tuple[CellPart, ...] = ("nucleus", "cytoplasm", "cell")
    for a in parts:
        for b in parts:
            one = float(cell_cross_s_value("177Lu", 17.0, CELL_UM, NUCLEUS_UM, a, b))
            assert one == pytest.approx(float(cell_cross_s_value("177Lu", 17.0, CELL_UM, NUCLEUS_UM, b, a)), rel=1e-9)
    turned = cell_cross_s_value("177Lu", 17.0, CELL_UM, NUCLEUS_UM, "surface", "nucleus")
    assert float(turned) == pytest.approx(float(cell_cross_s_value("177Lu", 17.0, CELL_UM, NUCLEUS_UM)), rel=1e-9)
    own = cell_s_values("177Lu", CELL_UM, NUCLEUS_UM)["nucleus", "cytoplasm"]
    near = cell_cross_s_value("177Lu", 1e-6, CELL_UM, NUCLEUS_UM, "nucleus", "cytoplasm")
    assert float(near) == pytest.approx(own, rel=1e-3)


def test_shape_is_kept_and_equal_distances_agree() -> None:
    d = np.array([[14.0, 20.0], [20.0, 14.0]])
    s = cell_cross_s_value("90Y", d, CELL_UM, NUCLEUS_UM)
    assert s.shape == (2, 2) and s[0, 0] == s[1, 1] > s[0, 1] == s[1, 0] > 0.0


def test_cluster_matrix() -> None:
    """Symmetric for equal cells; its diagonal is the self-dose; the first cell has 6 neighbours and 12 behind."""
    centres = cubic_cluster_um(CELL_UM)
    distance = np.linalg.norm(centres - centres[0], axis=1) / CELL_UM
    np.testing.assert_allclose(distance, [0.0] + [2.0] * 6 + [2.0 * np.sqrt(2.0)] * 12, rtol=1e-12)
    s = cluster_s_values("177Lu", centres, CELL_UM, NUCLEUS_UM)
    np.testing.assert_allclose(s, s.T, rtol=1e-9)
    np.testing.assert_allclose(np.diag(s), cell_s_values("177Lu", CELL_UM, NUCLEUS_UM)["nucleus", "surface"])
    alone = cluster_s_values("177Lu", np.zeros((1, 3)), CELL_UM, NUCLEUS_UM, "cell", "nucleus")
    assert alone[0, 0] == cell_s_values("177Lu", CELL_UM, NUCLEUS_UM)["cell", "nucleus"]


def test_bad_input() -> None:
    for offset in (-0.1, 2.1, np.nan):
        with pytest.raises(BadInput, match="nucleus_offset_um"):
            cell_s_values("177Lu", CELL_UM, NUCLEUS_UM, nucleus_offset_um=offset)
    for distance in (0.0, -1.0, np.inf):
        with pytest.raises(BadInput, match="distance_um"):
            cell_cross_s_value("177Lu", distance, CELL_UM, NUCLEUS_UM)
    with pytest.raises(BadInput, match="'nucleus'"):
        cell_cross_s_value("177Lu", 14.0, CELL_UM, NUCLEUS_UM, "nucleos")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="surface to surface"):
        cell_cross_s_value("177Lu", 14.0, CELL_UM, NUCLEUS_UM, "surface")
    with pytest.raises(BadInput, match="overlap"):
        cluster_s_values("177Lu", np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 13.0]]), CELL_UM, NUCLEUS_UM)
    with pytest.raises(BadInput, match="shape"):
        cluster_s_values("177Lu", np.zeros((1, 2)), CELL_UM, NUCLEUS_UM)
    with pytest.raises(BadInput, match="cell_radius_um"):
        cubic_cluster_um(0.0)


# ---- cells of different sizes, nuclei off the middle


def test_cross_dose_between_cells_of_different_sizes_against_sampled_tracks() -> None:
    """211At alphas from the surface of a 9-um cell to a 4-um nucleus off the middle of a 6-um cell, in a direction of
    its own each time: 1 % (0.4 % of it noise)."""
    rng, n, apart, offset = np.random.default_rng(13), 3_000_000, 16.0, 1.5
    kernel = radial_kernel("211At", "alpha", "equilibrium")
    ours = float(cell_cross_s_value(
        "211At", apart, 6.0, 4.0, daughters="equilibrium", quality="alpha", nucleus_offset_um=offset,
        source_cell=CellShape(9.0, 5.0)))
    start = _on_sphere(rng, n, 9.0) - np.array([0.0, 0.0, apart]) - _on_sphere(rng, n, offset)
    direction = _on_sphere(rng, n, 1.0)
    along, gap = np.sum(start * direction, axis=1), np.sum(start**2, axis=1) - 16.0
    root = np.sqrt(np.maximum(along**2 - gap, 0.0))
    within = [np.interp(np.maximum(-along + sign * root, 0.0), kernel.radius_um, kernel.cumulative_MeV)
              for sign in (-1.0, 1.0)]
    energy = np.where(along**2 > gap, within[1] - within[0], 0.0).mean()
    assert ours == pytest.approx(energy / sphere_volume_um3(4.0) * GY_PER_MEV_PER_UM3, rel=0.01)


def test_reciprocity_between_cells_of_different_sizes() -> None:
    """What a body sends to another per mass is the same both ways, surfaces and offsets included."""
    small, large = CellShape(5.0, 3.0, 1.0), CellShape(9.0, 6.0, 2.0)

    def s(here: CellShape, there: CellShape, target: CellPart, source: CellPart) -> float:
        return float(cell_cross_s_value("177Lu", 20.0, here.cell_um, here.nucleus_um, target, source,
                                        nucleus_offset_um=here.offset_um, source_cell=there))

    for a, b in (("nucleus", "cell"), ("cytoplasm", "nucleus"), ("nucleus", "surface"), ("cell", "surface")):
        assert s(small, large, a, b) == pytest.approx(s(large, small, b, a), rel=1e-9)  # type: ignore[arg-type]
    parts = (3.0 / 5.0) ** 3
    assert s(small, large, "cell", "nucleus") == pytest.approx(
        parts * s(small, large, "nucleus", "nucleus") + (1.0 - parts) * s(small, large, "cytoplasm", "nucleus"),
        rel=1e-6)


def test_offset_nuclei_seen_from_afar() -> None:
    """From ten cells away a nucleus 2 um off the middle receives what one in the middle does (1e-3)."""
    far, near = (cell_cross_s_value("90Y", 150.0, CELL_UM, NUCLEUS_UM, quality="beta", nucleus_offset_um=o)
                 for o in (0.0, 2.0))
    assert float(far) == pytest.approx(float(near), rel=1e-3)
    same = cell_cross_s_value("177Lu", 17.0, CELL_UM, NUCLEUS_UM, nucleus_offset_um=1e-6)
    assert float(same) == pytest.approx(float(cell_cross_s_value("177Lu", 17.0, CELL_UM, NUCLEUS_UM)), rel=1e-6)


def test_a_cluster_of_different_cells() -> None:
    """Each pair by its own shapes; the diagonal is the self-dose; equal numbers are the equal cluster."""
    centres = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 13.0], [0.0, 14.0, 0.0]])
    cells, nuclei, offsets = np.array([7.0, 6.0, 7.0]), np.array([5.0, 4.0, 5.0]), np.array([0.0, 1.0, 0.0])
    s = cluster_s_values("177Lu", centres, cells, nuclei, nucleus_offset_um=offsets)
    assert s[1, 1] == pytest.approx(cell_s_values("177Lu", 6.0, 4.0, nucleus_offset_um=1.0)["nucleus", "surface"])
    assert s[0, 1] == pytest.approx(float(cell_cross_s_value(
        "177Lu", 13.0, 7.0, 5.0, source_cell=CellShape(6.0, 4.0, 1.0))))
    assert s[1, 0] == pytest.approx(float(cell_cross_s_value(
        "177Lu", 13.0, 6.0, 4.0, nucleus_offset_um=1.0, source_cell=CellShape(7.0, 5.0))))
    assert s[0, 2] == pytest.approx(s[2, 0])
    equal = cluster_s_values("177Lu", cubic_cluster_um(7.0), np.full(19, 7.0), 5.0)
    np.testing.assert_allclose(equal, cluster_s_values("177Lu", cubic_cluster_um(7.0), 7.0, 5.0), rtol=1e-12)
    with pytest.raises(BadInput, match=r"Cells 0 and 1 are 13 um apart; spheres of radius 7 and 7"):
        cluster_s_values("177Lu", centres, 7.0, 5.0)
    with pytest.raises(BadInput, match="one for each of the 3 cells"):
        cluster_s_values("177Lu", centres, np.ones(2), 5.0)
    with pytest.raises(BadInput, match="smaller than the cell"):
        cluster_s_values("177Lu", centres, cells, np.array([5.0, 6.5, 5.0]))
    with pytest.raises(BadInput, match="nucleus_offset_um = 3"):
        cell_cross_s_value("177Lu", 20.0, 7.0, 5.0, source_cell=CellShape(7.0, 5.0, 3.0))
