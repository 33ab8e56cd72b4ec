"""Quantiles of every field from the public map; errors of the spots in a draw; conductivity from the matrix."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, TARGETS, fixed, made_section, spread, tissue_parameters

from nichedose.errors import BadInput
from nichedose.tissue import SpotModel, build_tissue_map, map_with_spread, model_section
from nichedose.tissue.conductivity import hydraulic_conductivity
from nichedose.tissue.counted import cells_per_mm3, packing_flags, with_cell_counts
from nichedose.tissue.drawn import draw_spots
from nichedose.tissue.noise import common_noise
from nichedose.tissue.shrink import neighbour_graph, shrink_counts
from nichedose.values import Draw

PARAMETERS = tissue_parameters(rna_per_cell_geometric_sd=fixed(1.5), matrix_conductivity_ratio=fixed(0.2),
                               hydraulic_conductivity_um2_per_mmHg_s=spread(0.4, 2.0))


@pytest.fixture(scope="module")
def model() -> SpotModel:
    return model_section(made_section(12, 12).assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)


def test_every_field_carries_quantiles(model: SpotModel) -> None:
    found = map_with_spread(model, PARAMETERS, TARGETS, draws=19, spacing_um=100.0)
    assert set(found.spread) == set(found.named_fields())
    for s in found.spread.values():
        inside = found.mask
        assert (s.q05[inside] <= s.q50[inside]).all() and (s.q50[inside] <= s.q95[inside]).all()
        assert (s.q95[~inside] == 0.0).all() and s.mean[0] <= s.mean[1] <= s.mean[2]
    assert (found.spread["target_TUM"].sd[found.mask] > 0.0).all()
    data = found.to_dataset()
    for name in ("target_TUM", "oxygen", "cell_density_tumour", "vessel_surface", "hydraulic_conductivity"):
        for part in ("q05", "q95", "sd"):
            assert data[f"{name}_{part}"].attrs["units"]


def test_targets_alone_are_those_of_the_whole_map(model: SpotModel) -> None:
    """The short way that leaves out vessels and oxygen gives the same draws."""
    quick = map_with_spread(model, PARAMETERS, TARGETS, draws=19, fields=["target_TUM"], spacing_um=100.0)
    whole = map_with_spread(model, PARAMETERS, TARGETS, draws=19, fields=["target_TUM", "matrix"], spacing_um=100.0)
    np.testing.assert_array_equal(quick.spread["target_TUM"].q95, whole.spread["target_TUM"].q95)


def test_what_cannot_be_told_is_refused(model: SpotModel) -> None:
    with pytest.raises(BadInput, match="at least 19"):
        map_with_spread(model, PARAMETERS, TARGETS, draws=5)
    with pytest.raises(BadInput, match=r"no field 'target_TUN'.*target_TUM"):
        map_with_spread(model, PARAMETERS, TARGETS, fields=["target_TUN"], spacing_um=100.0)
    with pytest.raises(BadInput, match="GiB; name fewer fields"):
        map_with_spread(model, PARAMETERS, TARGETS, draws=500_000, spacing_um=100.0)


def test_a_draw_moves_the_spots_and_keeps_the_means(model: SpotModel) -> None:
    drawn = [draw_spots(model, PARAMETERS, Draw(1, i)) for i in range(200)]
    central = draw_spots(model, PARAMETERS, Draw())
    np.testing.assert_allclose(central.composition, model.composition)  # these parameters have markers that do not leak
    np.testing.assert_allclose(central.content, model.content)
    for one in drawn[:3]:
        assert one.content.mean() == pytest.approx(1.0)
        np.testing.assert_allclose(one.composition.sum(axis=1), 1.0)
        assert one.targets["TUM"].relative is not None and one.targets["TUM"].relative.mean() == pytest.approx(1.0)
    logs = np.array([np.log(d.content) for d in drawn])
    assert model.errors is not None and model.errors.content > 0.0
    # 200 draws: 5 % on a standard deviation; a smooth part of 128 waves scatters, and the mean is taken out
    assert logs.std(axis=0).mean() == pytest.approx(model.errors.content, rel=0.15)
    near = np.corrcoef(logs[:, 0], logs[:, 1])[0, 1]
    far = np.corrcoef(logs[:, 0], logs[:, -1])[0, 1]
    assert near > 0.25 > far  # half of the variance is shared over two pitches
    counted = dataclasses.replace(model, errors=None)
    assert draw_spots(counted, PARAMETERS, Draw(1, 0)) is counted


def test_the_leak_of_markers_is_taken_out(model: SpotModel) -> None:
    """Scores lifted by a floor of a fifth of their mean, as markers do that other cells express: with that leak in the
    library, shares come back as they were (1e-9), and never fall below zero."""
    assert model.errors is not None and model.errors.composition is not None
    errors = model.errors.composition
    i = model.cell_types.index("t_cell")
    level, floor = errors.level.copy(), 0.25 * errors.level[:, i].mean()
    level[:, i] += floor
    lifted = model.composition.copy()
    lifted[:, i] *= level[:, i] / errors.level[:, i]
    share = float(lifted[:, i].mean())
    told = dataclasses.replace(errors, level=level, least=np.full(len(model.cell_types), 10.0))
    given = dataclasses.replace(model, composition=lifted, errors=dataclasses.replace(model.errors, composition=told))
    found = draw_spots(given, PARAMETERS.model_copy(update={"marker_leak": fixed(floor * share)}), Draw()).composition
    ratio = found[:, i] / found[:, model.cell_types.index("tumour")]
    expected = model.composition[:, i] / model.composition[:, model.cell_types.index("tumour")]
    leak = floor * share / float(lifted[:, model.cell_types.index("tumour")].mean())
    kept = 1.0 - leak / errors.level[:, model.cell_types.index("tumour")]
    np.testing.assert_allclose(ratio * kept, expected, rtol=1e-9)
    extreme = draw_spots(given, PARAMETERS.model_copy(update={"marker_leak": fixed(1.0)}), Draw()).composition
    assert (extreme > 0.0).all()


@pytest.mark.parametrize("noise", [0.0, 0.25])
def test_scatter_that_all_genes_share_is_found(noise: float) -> None:
    """300 smooth genes with and without gamma scatter: 0.25 within a fifth, none below 0.02."""
    rng = np.random.default_rng(0)
    assay = made_section(16, 16).assay
    x = assay.xy_um / 1000.0
    mean = np.exp(rng.normal(0.0, 0.4, (1, 300)) + 0.5 * np.sin(2.0 * x @ rng.normal(0.0, 1.0, (2, 300)))) * 8.0
    scatter = rng.gamma(1.0 / noise, noise, mean.shape) if noise else 1.0
    counts = type(assay.counts)(rng.poisson(mean * scatter).astype(float))
    graph = neighbour_graph(assay.xy_um, assay.pitch_um)
    found = common_noise(counts, np.full(len(x), 1.0), graph)
    assert found == pytest.approx(noise, rel=0.2, abs=0.02)


def test_noise_draws_counts_towards_their_neighbours() -> None:
    rng = np.random.default_rng(4)
    xy = made_section(16, 16).assay.xy_um
    true = np.exp(0.7 * np.sin(xy[:, 0] / 250.0))
    counts = rng.poisson(5.0 * true * rng.gamma(4.0, 0.25, len(xy))).astype(float)
    graph = neighbour_graph(xy, 100.0)
    plain, told = (shrink_counts(counts, np.ones(len(xy)), graph, noise) for noise in (0.0, 0.25))
    error = [np.log(s.rate / true * true.mean()).std() for s in (plain, told)]
    assert error[1] < error[0]
    z = np.log(told.rate / true * true.mean()) / np.sqrt(np.log1p(told.relative_sd**2))
    assert 0.7 < z.std() < 1.3  # stated error against true error
    assert (told.shared_sd <= told.relative_sd).all()


def test_conductivity_falls_with_matrix_and_keeps_its_mean(model: SpotModel) -> None:
    tissue = build_tissue_map(model, PARAMETERS, TARGETS, spacing_um=50.0)
    k, m = tissue.hydraulic_conductivity_um2_per_mmHg_s, tissue.mask
    assert k is not None
    assert np.exp(np.log(k[m]).mean()) == pytest.approx(0.4)
    dense, loose = tissue.matrix[m].argmax(), tissue.matrix[m].argmin()
    drop = tissue.matrix[m][dense] - tissue.matrix[m][loose]
    assert k[m][dense] / k[m][loose] == pytest.approx(0.2**drop)
    even = hydraulic_conductivity(tissue.matrix, m, 0.4, 1.0)
    np.testing.assert_allclose(even[m], 0.4)


def test_counted_cells_set_the_density() -> None:
    made = made_section(12, 12)
    number = np.arange(made.assay.n_spots) % 7 + 1.0
    assay = dataclasses.replace(made.assay, annotations={"nuclei": number})
    counted = with_cell_counts(assay, "nuclei")
    model = model_section(counted, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)
    np.testing.assert_allclose(model.content, number / number.mean())
    parameters = tissue_parameters(section_thickness_um=fixed(5.0), nucleus_radius_um=fixed(4.0))
    tissue = build_tissue_map(model, parameters, TARGETS, spacing_um=50.0)
    area = np.pi / 4.0 * assay.spot_diameter_um**2 * 1e-6
    total = np.sum(list(tissue.cell_density_per_mm3.values()), axis=0)
    assert total[tissue.mask].mean() == pytest.approx(number.mean() / area / (5.0 + 8.0) * 1e3)
    assert any("were counted" in f.text for f in model.flags)
    for key, match in (("nucle", "Did you mean 'nuclei'"), ("name", "no column")):
        with pytest.raises(BadInput, match=match):
            with_cell_counts(assay, key)
    with pytest.raises(BadInput, match="0 or more"):
        with_cell_counts(dataclasses.replace(assay, annotations={"nuclei": -number}), "nuclei")


def test_more_cells_than_spheres_leave_room_for_are_told_and_kept() -> None:
    """A cube of 10 um in a face-centred lattice holds 4 balls whose radius is 10/sqrt(8) um: 4e6 per mm3."""
    radius, mask = 10.0 / np.sqrt(8.0), np.array([[True, True, True, False]])
    assert packing_flags(np.full((1, 4), 3.99e6), mask, radius) == ()
    [flag] = packing_flags(np.array([[1e6, 1e6, 4.01e6, 9e6]]), mask, radius)
    assert "In 33 % of the tissue" in flag.text and "left as counted" in flag.text


def test_profiles_of_nuclei_against_a_made_volume() -> None:
    """Balls of 8 um at 300,000 per mm3 in a slab: those that touch a section of 5 um, by Abercrombie's formula."""
    rng = np.random.default_rng(1)
    depth, side, density = 100.0, 2000.0, 3e5
    z = rng.uniform(0.0, depth, rng.poisson(density * depth * side**2 * 1e-9))
    cut = (z > 50.0 - 4.0) & (z < 55.0 + 4.0)
    per_mm2 = float(cut.sum()) / (side * 1e-3) ** 2
    # 15,600 profiles: 0.8 % counting error
    assert cells_per_mm3(per_mm2, 5.0, 8.0) == pytest.approx(density, rel=0.03)
