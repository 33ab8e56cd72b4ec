"""What neighbouring spots err in common: told from the counts, and drawn with the stated variance and law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gamma
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, TARGETS, hexagonal, made_section

from nichedose.fields import Grid
from nichedose.tissue import SpotModel, model_section
from nichedose.tissue.common_error import COUNT_PITCHES, common_share, smooth_correlation
from nichedose.tissue.drawn import counting_factor, smooth_at_spots
from nichedose.tissue.random_field import gaussian_field
from nichedose.tissue.shrink import neighbour_graph, shrink_counts
from nichedose.values import Draw


@pytest.fixture(scope="module")
def model() -> SpotModel:
    return model_section(made_section(12, 12).assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)


def share_of(log_rate: np.ndarray, xy: np.ndarray, rng: np.random.Generator) -> float:
    graph = neighbour_graph(xy, 100.0)
    counts, even = rng.poisson(3.0 * np.exp(log_rate)).astype(float), np.ones(len(xy))
    return common_share(counts, even, graph, shrink_counts(counts, even, graph), smooth_correlation(xy, 100.0, graph))


def test_smooth_tissue_shares_its_error_and_salt_and_pepper_does_not() -> None:
    """1,600 spots of three counts; a gene of geometric SD 2 that is smooth over 1.5 pitches, or each spot's own."""
    rng = np.random.default_rng(0)
    xy = hexagonal(40, 40)
    field = gaussian_field(Grid((80, 90), 50.0), 150.0, rng)
    smooth = field[(xy[:, 1] / 50.0).astype(int), (xy[:, 0] / 50.0).astype(int)]
    assert share_of(0.7 * smooth, xy, rng) > 0.8
    assert share_of(0.7 * rng.standard_normal(len(xy)), xy, rng) < 0.4


def test_lonely_spots_share_nothing() -> None:
    rng = np.random.default_rng(0)
    assert share_of(np.zeros(30), 500.0 * hexagonal(6, 5) / 100.0, rng) == 0.0


def test_correlation_of_a_smooth_field_between_neighbours() -> None:
    """Six neighbours at one pitch: exp(-1/2)."""
    xy = hexagonal(8, 8)
    assert smooth_correlation(xy, 100.0, neighbour_graph(xy, 100.0)) == pytest.approx(np.exp(-0.5), rel=1e-9)


def test_a_smooth_field_at_spots_has_the_variance_that_it_says(model: SpotModel) -> None:
    """400 fields: 6 % on the variance (voxel means instead of values would have 0.85 of it)."""
    drawn = np.array([smooth_at_spots(model, COUNT_PITCHES, np.random.default_rng(i)) for i in range(400)])
    assert (drawn**2).mean() == pytest.approx(1.0, rel=0.06)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_counting_factors_follow_the_stated_gamma_law(model: SpotModel, share: float) -> None:
    """Mean 1, the relative SD that the counts leave, and the 5 and 95 % points of that gamma law."""
    sd, shared = np.full(model.n_spots, 0.6), np.full(model.n_spots, 0.6 * share**0.5)
    drawn = np.array([counting_factor(model, sd, shared, Draw(1, i), "counts") for i in range(300)])
    assert drawn.mean() == pytest.approx(1.0, rel=0.03)
    assert drawn.std() == pytest.approx(0.6, rel=0.05)
    law = gamma(1.0 / 0.6**2, scale=0.6**2)
    assert (drawn < law.ppf(0.05)).mean() == pytest.approx(0.05, abs=0.01)
    assert (drawn > law.ppf(0.95)).mean() == pytest.approx(0.05, abs=0.01)
    assert counting_factor(model, sd, shared, Draw(), "counts") == 1.0
