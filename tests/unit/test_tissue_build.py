"""The map: means that were asked for, shapes that the section says, errors of a draw, and any spacing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, TARGETS, TYPES, fixed, made_section, target, tissue_parameters

from nichedose.errors import BadInput
from nichedose.fields import Grid
from nichedose.tissue import SpotModel, TissueMap, build_tissue_map, grid_to_spots, model_section
from nichedose.tissue.random_field import gaussian_field
from nichedose.values import Draw


@pytest.fixture(scope="module")
def model() -> SpotModel:
    return model_section(made_section().assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)


@pytest.fixture(scope="module")
def tissue(model: SpotModel) -> TissueMap:
    return build_tissue_map(model, tissue_parameters(), TARGETS)


def mean(tissue: TissueMap, field: np.ndarray) -> float:
    return float(field[tissue.mask].mean())


def test_means_are_the_library_s(tissue: TissueMap) -> None:
    total = sum(tissue.cell_density_per_mm3.values())
    assert mean(tissue, np.asarray(total)) == pytest.approx(4e5)
    assert mean(tissue, tissue.vessel_surface_per_cm) == pytest.approx(30.0)
    for name in ("TUM", "BOTH", "RARE", "PAIR"):
        assert mean(tissue, tissue.targets[name].total_nmol_per_L) == pytest.approx(40.0)
        assert tissue.targets[name].scale == "relative"
    assert set(tissue.unknown_targets) == {"ABSENT", "HALFPAIR"}
    assert tuple(tissue.cell_density_per_mm3) == TYPES


def test_an_anchor_sets_the_mean_in_every_draw(model: SpotModel) -> None:
    for draw in (Draw(), Draw(1, 4)):
        tissue = build_tissue_map(
            model, tissue_parameters(), TARGETS, anchors={"TUM": "7 nmol/L"}, draw=draw, spacing_um=50.0
        )
        assert mean(tissue, tissue.targets["TUM"].total_nmol_per_L) == pytest.approx(7.0)
        assert tissue.targets["TUM"].scale == "absolute"


def test_hosts_share_by_fraction_and_ratio(model: SpotModel, tissue: TissueMap) -> None:
    """At the spots: fibroblast over tumour density is 1.5 times the ratio of the fractions (2 %: interpolation)."""
    both = tissue.targets["BOTH"].by_host_nmol_per_L
    ratio = grid_to_spots(both["fibroblast"], model, tissue.grid) / grid_to_spots(both["tumour"], model, tissue.grid)
    expected = 1.5 * model.fraction("fibroblast") / model.fraction("tumour")
    assert np.median(ratio / expected) == pytest.approx(1.0, abs=0.02)


def test_an_unknown_shape_follows_its_hosts(tissue: TissueMap) -> None:
    rare, cells = tissue.targets["RARE"], tissue.cell_density_per_mm3["fibroblast"]
    assert not rare.shape_known
    per_cell = rare.total_nmol_per_L[tissue.mask] / cells[tissue.mask]
    assert np.ptp(per_cell) < 1e-3 * per_cell.mean()


def test_halving_the_spacing_changes_no_mean(model: SpotModel) -> None:
    """0.5 % in the central run and in a draw, for every field; the correlation between grids holds place by place.

    The counting error of a draw makes neighbouring spots differ more, and a spot reads the voxels around it: with it,
    places agree to 2 % of the largest value.
    """
    smooth = dataclasses.replace(
        model, targets={n: dataclasses.replace(t, relative_sd=None) for n, t in model.targets.items()})
    rough = (
        build_tissue_map(model, tissue_parameters(), TARGETS, spacing_um=h, draw=Draw(3, 2)) for h in (20.0, 10.0))
    one, other = (grid_to_spots(m.targets["BOTH"].by_host_nmol_per_L["tumour"], model, m.grid) for m in rough)
    assert one == pytest.approx(other, rel=0.05, abs=0.02 * float(other.max()))
    assert one.mean() == pytest.approx(other.mean(), rel=0.005)
    model = smooth
    for draw in (Draw(), Draw(3, 2)):
        coarse, fine = (
            build_tissue_map(model, tissue_parameters(), TARGETS, spacing_um=h, draw=draw) for h in (20.0, 10.0)
        )
        for name in ("oxygen_mmHg", "matrix", "vessel_surface_per_cm"):
            assert mean(coarse, getattr(coarse, name)) == pytest.approx(mean(fine, getattr(fine, name)), rel=0.005), (
                name
            )
        for t in TYPES:
            assert mean(coarse, coarse.cell_density_per_mm3[t]) == pytest.approx(
                mean(fine, fine.cell_density_per_mm3[t]), rel=0.005
            )
        one, other = (
            grid_to_spots(m.targets["BOTH"].by_host_nmol_per_L["tumour"], model, m.grid) for m in (coarse, fine)
        )
        assert one == pytest.approx(other, rel=0.05, abs=0.5)


def test_a_coarse_grid_keeps_the_means(model: SpotModel, tissue: TissueMap) -> None:
    coarse = build_tissue_map(model, tissue_parameters(), TARGETS, spacing_um=80.0)
    assert mean(coarse, coarse.oxygen_mmHg) == pytest.approx(mean(tissue, tissue.oxygen_mmHg), rel=0.03)


def test_draws_differ_and_repeat(model: SpotModel) -> None:
    one, same, other = (
        build_tissue_map(model, tissue_parameters(), TARGETS, spacing_um=50.0, draw=Draw(5, i)) for i in (1, 1, 2)
    )
    assert (one.targets["BOTH"].total_nmol_per_L == same.targets["BOTH"].total_nmol_per_L).all()
    assert (one.oxygen_mmHg == same.oxygen_mmHg).all()
    assert not np.allclose(one.targets["BOTH"].total_nmol_per_L, other.targets["BOTH"].total_nmol_per_L)
    assert mean(one, one.targets["TUM"].total_nmol_per_L) != mean(other, other.targets["TUM"].total_nmol_per_L)


def test_a_draw_s_mean_is_the_drawn_mean(model: SpotModel) -> None:
    """The local error and the host factors change the shape, not the mean."""
    draw = Draw(5, 1)
    tissue = build_tissue_map(model, tissue_parameters(), TARGETS, spacing_um=50.0, draw=draw)
    drawn = draw("target.BOTH.mean_density_nmol_per_L", TARGETS["BOTH"].mean_density_nmol_per_L)
    assert mean(tissue, tissue.targets["BOTH"].total_nmol_per_L) == pytest.approx(drawn)


def test_values_used_are_recorded(model: SpotModel) -> None:
    draw = Draw()
    build_tissue_map(model, tissue_parameters(), TARGETS, spacing_um=100.0, draw=draw)
    assert {"tissue.vessel_contrast", "target.TUM.mean_density_nmol_per_L", "tissue.oxygen_vessel_mmHg"} <= set(
        draw.used
    )


def test_host_factors_move_the_shares(model: SpotModel) -> None:
    quiet = {"BOTH": TARGETS["BOTH"].model_copy(update={"local_error_geometric_sd": fixed(1.0)})}
    subset = dataclasses.replace(model, targets={"BOTH": model.targets["BOTH"]})
    shares = []
    for index in range(200):
        field = build_tissue_map(subset, tissue_parameters(), quiet, spacing_um=200.0, draw=Draw(0, index)).targets[
            "BOTH"
        ]
        means = {h: f.sum() for h, f in field.by_host_nmol_per_L.items()}
        shares.append(np.log(means["fibroblast"] / means["tumour"]))
    # the log of the ratio of two factors of geometric SD 1.8: sqrt(2) ln 1.8 = 0.83; 5 % of 200 draws, two sigma 10 %
    assert np.std(shares) == pytest.approx(np.sqrt(2.0) * np.log(1.8), rel=0.12)


def test_no_host_in_the_section_is_unknown(model: SpotModel) -> None:
    odd = {**TARGETS, "TUM": target("TUM", ("TUMGENE",), ("schwann",))}
    tissue = build_tissue_map(model, tissue_parameters(), odd, spacing_um=100.0)
    assert "schwann" in tissue.unknown_targets["TUM"]
    half = {**TARGETS, "TUM": target("TUM", ("TUMGENE",), ("tumour", "schwann"))}
    tissue = build_tissue_map(model, tissue_parameters(), half, spacing_um=100.0)
    assert tuple(tissue.targets["TUM"].by_host_nmol_per_L) == ("tumour",)
    assert any("schwann" in f.text for f in tissue.flags)


def test_even_vessels_without_endothelial_genes(model: SpotModel) -> None:
    tissue = build_tissue_map(dataclasses.replace(model, vessel=None), tissue_parameters(), TARGETS, spacing_um=50.0)
    assert tissue.vessel_surface_per_cm[tissue.mask] == pytest.approx(30.0)
    assert np.ptp(tissue.oxygen_mmHg[tissue.mask]) < 1e-4


def test_unknown_anchor_is_refused(model: SpotModel) -> None:
    with pytest.raises(BadInput, match="Did you mean 'TUM'"):
        build_tissue_map(model, tissue_parameters(), TARGETS, anchors={"TUMM": "5 nmol/L"})


def test_random_field_statistics_and_resolution() -> None:
    """Mean 0, variance 1, correlation exp(-1/2) at one length, over 60 fields; the same field on two grids."""
    fine, coarse = Grid((60, 60), 20.0, (10.0, 10.0)), Grid((30, 30), 40.0, (20.0, 20.0))
    values, products = [], []
    for seed in range(60):
        field = gaussian_field(fine, 100.0, np.random.default_rng(seed))
        again = gaussian_field(coarse, 100.0, np.random.default_rng(seed))
        assert field.reshape(30, 2, 30, 2).mean(axis=(1, 3)) == pytest.approx(again, abs=1e-2)
        values.append(field)
        products.append((field[:, 5:] * field[:, :-5]).mean())
    assert np.mean(values) == pytest.approx(0.0, abs=0.05)
    assert np.var(values) == pytest.approx(1.0, abs=0.06)
    assert np.mean(products) == pytest.approx(np.exp(-0.5), abs=0.06)


def test_a_target_hardly_seen_is_drawn_downwards_unless_anchored(model: SpotModel) -> None:
    parameters = tissue_parameters(undetected_target_factor=fixed(0.1))
    tissue = build_tissue_map(model, parameters, TARGETS)
    assert mean(tissue, tissue.targets["RARE"].total_nmol_per_L) == pytest.approx(4.0)
    assert mean(tissue, tissue.targets["TUM"].total_nmol_per_L) == pytest.approx(40.0)
    anchored = build_tissue_map(model, parameters, TARGETS, anchors={"RARE": "9 nmol/L"})
    assert mean(anchored, anchored.targets["RARE"].total_nmol_per_L) == pytest.approx(9.0)
