"""Spots to grid and back: nothing created, nothing lost, and the same at any spacing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from tissue_cases import hexagonal, square

from nichedose.errors import BadInput
from nichedose.fields import Grid
from nichedose.tissue import grid_to_spots, interpolate_spots, section_grid, spots_to_grid, tissue_mask


@dataclass(frozen=True)
class Spots:
    xy_um: np.ndarray
    pitch_um: float = 100.0
    spot_diameter_um: float = 55.0
    lattice: str = "hexagonal"


def ragged(seed: int = 0) -> Spots:
    """A hexagonal section with a notch, single failed spots, a large hole and an island."""
    xy = hexagonal(24, 20)
    rng = np.random.default_rng(seed)
    keep = rng.random(len(xy)) > 0.04
    keep &= np.hypot(*(xy - [700.0, 900.0]).T) > 260.0
    keep &= ~((xy[:, 0] > 1800.0) & (xy[:, 1] < 500.0))
    keep |= (xy == xy[23]).all(axis=1)
    return Spots(xy[keep])


def smooth(xy: np.ndarray) -> np.ndarray:
    return 2.0 + np.sin(xy[:, 0] / 300.0) + np.cos(xy[:, 1] / 400.0)


@pytest.mark.parametrize("spacing", [7.0, 10.0, 20.0, 50.0, 110.0, 250.0])
@pytest.mark.parametrize("spots", [ragged(), Spots(square(9, 7), 200.0, 100.0, "square")])
def test_amounts_are_neither_created_nor_lost(spots: Spots, spacing: float) -> None:
    values = np.random.default_rng(1).gamma(0.5, 10.0, len(spots.xy_um))
    grid = section_grid(spots, spacing)
    density = spots_to_grid(values, spots, grid)
    assert density.sum() * grid.voxel_area_mm2 == pytest.approx(values.sum(), rel=1e-12)
    assert (density >= 0.0).all()
    assert (density[~tissue_mask(spots, grid)] == 0.0).all()


def test_each_spot_keeps_its_own_amount_near_itself() -> None:
    spots = ragged()
    values = np.zeros(len(spots.xy_um))
    values[150] = 3.0
    grid = section_grid(spots, 10.0)
    y, x = np.nonzero(spots_to_grid(values, spots, grid))
    assert np.hypot(grid.x_um[x] - spots.xy_um[150, 0], grid.y_um[y] - spots.xy_um[150, 1]).max() < 100.0 + 10.0


def test_a_constant_stays_constant_and_values_stay_in_range() -> None:
    spots = ragged()
    grid = section_grid(spots, 20.0)
    mask = tissue_mask(spots, grid)
    assert interpolate_spots(np.full(len(spots.xy_um), 3.0), spots, grid)[mask] == pytest.approx(3.0)
    values = smooth(spots.xy_um)
    field = interpolate_spots(values, spots, grid)[mask]
    assert values.min() <= field.min()
    assert field.max() <= values.max()


def test_even_amounts_give_an_even_density_inside() -> None:
    """One per spot is one per lattice cell, sqrt(3)/2 pitch^2; within 2 % a pitch or more from the edge."""
    spots = Spots(hexagonal(20, 22))
    grid = section_grid(spots, 10.0)
    inner = spots_to_grid(np.ones(len(spots.xy_um)), spots, grid)[40:-40, 40:-40]
    assert inner == pytest.approx(1.0 / (np.sqrt(0.75) * 0.01), rel=0.02)


def test_round_trip() -> None:
    """Levels come back at the spots: within 3 % of the range, for a field that varies over a few pitches."""
    spots = ragged()
    grid = section_grid(spots, 20.0)
    values = smooth(spots.xy_um)
    back = grid_to_spots(interpolate_spots(values, spots, grid), spots, grid)
    assert np.abs(back - values).max() < 0.03 * np.ptp(values)
    assert grid_to_spots(np.full(grid.shape, 2.5), spots, grid) == pytest.approx(2.5)


@pytest.mark.parametrize("spots", [ragged(), Spots(square(9, 7), 200.0, 100.0, "square")])
def test_halving_the_spacing_changes_no_mean(spots: Spots) -> None:
    values = smooth(spots.xy_um) ** 2
    means, areas = [], []
    for spacing in (20.0, 10.0):
        grid = section_grid(spots, spacing)
        mask = tissue_mask(spots, grid)
        means.append(interpolate_spots(values, spots, grid)[mask].mean())
        areas.append(mask.sum() * grid.voxel_area_mm2)
    assert means[0] == pytest.approx(means[1], rel=0.005)
    assert areas[0] == pytest.approx(areas[1], rel=0.02)  # the edge is drawn in whole voxels


def test_failed_spots_are_closed_and_holes_are_not() -> None:
    xy = hexagonal(15, 15)
    middle, corner = np.array([650.0, 7 * 50.0 * np.sqrt(3.0)]), np.array([300.0, 4 * 50.0 * np.sqrt(3.0)])
    one = Spots(xy[np.hypot(*(xy - corner).T) > 10.0])
    many = Spots(xy[np.hypot(*(xy - middle).T) > 210.0])
    assert len(one.xy_um) == len(xy) - 1
    for spots, place, inside in ((one, corner, True), (many, middle, False)):
        grid = section_grid(spots, 20.0)
        row = round((place[1] - grid.origin_um[0]) / 20.0)
        column = round((place[0] - grid.origin_um[1]) / 20.0)
        assert tissue_mask(spots, grid)[row, column] == inside
        assert np.isfinite(interpolate_spots(np.ones(len(spots.xy_um)), spots, grid)).all()


def test_moving_the_section_moves_the_fields_with_it() -> None:
    spots = ragged()
    moved = Spots(spots.xy_um + np.array([-12345.0, 6789.0]))
    values = smooth(spots.xy_um)
    grid, other = section_grid(spots, 20.0), section_grid(moved, 20.0)
    assert grid.shape == other.shape
    assert interpolate_spots(values, moved, other) == pytest.approx(interpolate_spots(values, spots, grid), abs=1e-6)


def test_a_single_spot() -> None:
    spots = Spots(np.array([[50.0, 80.0]]))
    grid = section_grid(spots, 20.0)
    assert spots_to_grid(np.array([4.0]), spots, grid).sum() * grid.voxel_area_mm2 == pytest.approx(4.0)


def test_refusals() -> None:
    spots = ragged()
    with pytest.raises(BadInput, match="too coarse"):
        section_grid(spots, 400.0)
    with pytest.raises(BadInput, match="voxels"):
        section_grid(spots, 0.5)
    with pytest.raises(BadInput, match="above 0"):
        section_grid(spots, -1.0)
    with pytest.raises(BadInput, match="cover"):
        spots_to_grid(np.ones(len(spots.xy_um)), spots, Grid((5, 5), 20.0))
    with pytest.raises(BadInput, match="shape"):
        grid_to_spots(np.ones((3, 3)), spots, section_grid(spots, 20.0))
