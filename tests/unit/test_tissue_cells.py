"""Cells become a tissue model: types by cell, densities by bin, results back to each cell, and the same map however the
section lies."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from io_cells_fake import GENES, fake_cells, halo_frame, inform_frame, plain_frame, write_visium_hd
from nichedose.errors import BadInput
from nichedose.io import read_tissue
from nichedose.library import load_library
from nichedose.tissue import SpatialAssay, SpotModel, TissueMap, build_tissue_map, grid_to_rows, model_section
from nichedose.tissue.cells import bin_edge_um, bins_of
from nichedose.tissue.reported import choose_composition, with_phenotypes

CELLS = fake_cells(side=30)
LIBRARY = load_library()


def model_of(assay: SpatialAssay) -> SpotModel:
    return model_section(assay, LIBRARY.cell_types, LIBRARY.targets, LIBRARY.signatures, LIBRARY.aliases)


def map_of(model: SpotModel) -> TissueMap:
    return build_tissue_map(model, LIBRARY.tissue, LIBRARY.targets)


@pytest.fixture(scope="module")
def assay(tmp_path_factory: pytest.TempPathFactory) -> SpatialAssay:
    path = tmp_path_factory.mktemp("cells") / "cells.csv"
    plain_frame(CELLS).to_csv(path, index=False)
    return read_tissue(path)


@pytest.fixture(scope="module")
def model(assay: SpatialAssay) -> SpotModel:
    return model_of(assay)


def test_every_cell_gets_its_own_type(assay: SpatialAssay, model: SpotModel) -> None:
    assert model.cells is not None and model.cells.names == assay.barcodes
    named = np.array(model.cell_types)[model.cells.share.argmax(axis=1)]
    assert (named[CELLS.kind == "tumour"] == "tumour").mean() > 0.95
    assert (named[CELLS.kind == "CD8"] == "t_cell").mean() > 0.8
    np.testing.assert_allclose(model.cells.share.sum(axis=1), 1.0)


def test_bins_hold_every_cell_once(assay: SpatialAssay, model: SpotModel) -> None:
    owner, centres = bins_of(assay.xy_um, bin_edge_um(assay))
    number = np.bincount(owner)
    assert number.sum() == assay.n_spots and len(centres) == len(number) == model.n_spots
    assert np.abs(assay.xy_um - centres[owner]).max() <= 0.5 * bin_edge_um(assay) + 1e-6
    np.testing.assert_allclose(model.content, number / number.mean())
    # cells of a type over all bins are those of the cells
    assert model.cells is not None
    np.testing.assert_allclose((model.composition * number[:, None]).sum(axis=0), model.cells.share.sum(axis=0))


def test_the_map_follows_the_cells_and_comes_back_to_them(model: SpotModel) -> None:
    tissue = map_of(model)
    tumour = grid_to_rows(tissue.cell_density_per_mm3["tumour"], model, tissue.grid)
    assert tumour.shape == (CELLS.n,)
    assert tumour[CELLS.kind == "tumour"].mean() > 3.0 * tumour[CELLS.kind == "CD8"].mean()
    target = grid_to_rows(tissue.targets["PD-L1"].total_nmol_per_L, model, tissue.grid)
    assert np.isfinite(target).all() and (target > 0).all()
    assert "FOLH1 not among the genes" in tissue.unknown_targets["PSMA"]


def test_an_even_section_of_twice_the_cells_is_twice_as_dense_in_them(tmp_path: Path) -> None:
    """Within a section the number of cells makes the density: half of it holds twice as many per area."""
    rng = np.random.default_rng(3)
    sparse = rng.uniform([0, 0], [400, 400], (600, 2))
    dense = rng.uniform([400, 0], [800, 400], (1200, 2))
    frame = pd.DataFrame({"x_um": np.concatenate([sparse, dense])[:, 0], "y_um": np.concatenate([sparse, dense])[:, 1]})
    for gene in GENES:
        frame[f"count:{gene}"] = rng.poisson(3.0, len(frame)) + 1
    path = tmp_path / "d.csv"
    frame.to_csv(path, index=False)
    model = model_of(read_tissue(path))
    tissue = map_of(model)
    total = np.sum(list(tissue.cell_density_per_mm3.values()), axis=0)
    x = np.broadcast_to(tissue.grid.x_um, tissue.grid.shape)
    left, right = (total[(x > a) & (x < b) & tissue.mask].mean() for a, b in ((60, 340), (460, 740)))
    assert right / left == pytest.approx(2.0, rel=0.12)  # counting noise of 600 cells, and one bin of blur


def test_phenotypes_and_calls_make_types(tmp_path: Path) -> None:
    inform, halo = tmp_path / "i.txt", tmp_path / "h.csv"
    inform_frame(CELLS).to_csv(inform, sep="\t", index=False)
    model = model_of(read_tissue(inform))
    assert model.cells is not None and model.cell_types == ("tumour", "t_cell")
    np.testing.assert_array_equal(model.cells.share[:, 0] == 1.0, CELLS.kind == "tumour")
    assert map_of(model).targets["PD-L1"].shape_known
    assert "FOLH1 not among the proteins" in model.unknown_targets["PSMA"]
    halo_frame(CELLS).to_csv(halo, index=False)
    called = model_of(read_tissue(halo))
    assert {"tumour", "t_cell", "macrophage"} <= set(called.cell_types)


def test_a_column_of_another_name_may_hold_the_types(tmp_path: Path) -> None:
    types = np.where(CELLS.kind == "tumour", "Tumor", "T cell")
    plain_frame(CELLS).to_csv(tmp_path / "c.csv", index=False)
    assay = dataclasses.replace(read_tissue(tmp_path / "c.csv"), annotations={"cell_type": types})
    model = model_of(with_phenotypes(assay, "cell_type"))
    assert model.cells is not None and model.cell_types == ("tumour", "t_cell")
    np.testing.assert_array_equal(model.cells.share[:, 0] == 1.0, CELLS.kind == "tumour")
    assert with_phenotypes(assay, None) is assay
    with pytest.raises(BadInput, match=r"phenotype_key = 'cell_typ' is no column.*cell_type"):
        with_phenotypes(assay, "cell_typ")
    with pytest.raises(BadInput, match="phenotype_key is for cells"):
        with_phenotypes(dataclasses.replace(assay, observation="spot"), "cell_type")


def test_what_the_file_calls_a_cell_goes_before_its_genes(tmp_path: Path) -> None:
    """Also where no marker of a tumour cell was counted; what no name speaks of counts as other."""
    frame = plain_frame(CELLS)
    others = np.where(np.arange(CELLS.n) % 5 == 0, "Schwann", "t_cell")
    frame = frame.assign(phenotype=np.where(CELLS.kind == "tumour", "Tumor", others))
    markers = [f"count:{g}" for g in LIBRARY.cell_types["tumour"].markers if f"count:{g}" in frame]
    for lost in ([], markers):
        frame.drop(columns=lost).assign(**{"count:ACTB": 5}).to_csv(tmp_path / "c.csv", index=False)
        model = model_of(read_tissue(tmp_path / "c.csv"))
        assert model.cells is not None and model.cell_types == ("tumour", "t_cell", "other")
        np.testing.assert_array_equal(model.cells.share[:, 0] == 1.0, CELLS.kind == "tumour")
        [said] = [f for f in model.flags if f.about == "composition"]
        assert "tumour from Tumor; t_cell from t_cell" in said.text and "Schwann" in said.text
        assert map_of(model).cell_density_per_mm3["other"].max() > 0.0
    frame.assign(phenotype="CD8").to_csv(tmp_path / "c.csv", index=False)
    assay = read_tissue(tmp_path / "c.csv")
    assert any("column phenotype is not used" in f.text for f in model_of(assay).flags)
    passed_over = model_of(choose_composition(assay, "markers"))
    assert not any("column phenotype" in f.text for f in passed_over.flags)
    frame["count:FAP"] = 3  # on fibroblasts, of which there are none by name
    frame.to_csv(tmp_path / "c.csv", index=False)
    without = model_of(read_tissue(tmp_path / "c.csv"))
    assert "FAP" not in without.targets
    assert "none of the cells that bear it (fibroblast) could be told apart" in without.unknown_targets["FAP"]


def test_cells_without_types_are_refused_with_what_to_do(tmp_path: Path) -> None:
    frame = halo_frame(CELLS)
    path = tmp_path / "h.csv"
    frame.drop(columns=[c for c in frame if "Positive" in c or c == "Classifier Label"]).to_csv(path, index=False)
    with pytest.raises(BadInput, match=r"neither phenotypes nor calls.*column phenotype"):
        model_of(read_tissue(path))
    frame = plain_frame(CELLS)[["x_um", "y_um"]].assign(phenotype="CD8")
    frame.to_csv(path, index=False)
    with pytest.raises(BadInput, match="no cell is a tumour cell"):
        model_of(read_tissue(path))


def test_regions_of_interest_are_no_map(assay: SpatialAssay) -> None:
    with pytest.raises(BadInput, match="regions of interest are no map"):
        model_of(dataclasses.replace(assay, observation="region"))


def test_fine_bins_are_gathered_whole(tmp_path: Path) -> None:
    assay = read_tissue(write_visium_hd(tmp_path / "hd", bin_um=16, side=16))
    assert bin_edge_um(assay) == 32.0
    model = model_of(assay)
    assert model.n_spots == 8 * 8 and model.cells is not None and model.cells.share.shape[0] == assay.n_spots


# ---- the same section, however it is written down


def moved(assay: SpatialAssay, turn: int, shift: tuple[float, float]) -> SpatialAssay:
    c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][turn]
    xy = assay.xy_um @ np.array([[c, s], [-s, c]], dtype=float) + np.array(shift)
    return dataclasses.replace(assay, xy_um=xy)


def summary(model: SpotModel, tissue: TissueMap) -> np.ndarray:
    assert model.cells is not None
    fields = [tissue.cell_density_per_mm3["tumour"], tissue.targets["PD-L1"].total_nmol_per_L]
    return np.stack([grid_to_rows(f, model, tissue.grid) for f in fields])


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 3), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_turning_and_moving_the_section_changes_no_type_and_no_mean(turn: int, dx: float, dy: float) -> None:
    first = in_memory()
    second = moved(first, turn, (dx, dy))
    a, b = model_of(first), model_of(second)
    assert a.cells is not None and b.cells is not None
    np.testing.assert_allclose(a.cells.share, b.cells.share, atol=1e-6)
    means = [summary(m, map_of(m)).mean(axis=1) for m in (a, b)]
    np.testing.assert_allclose(means[0], means[1], rtol=0.03)  # the bins start at another corner


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**31))
def test_the_order_of_cells_and_genes_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = in_memory()
    rows, columns = rng.permutation(first.n_spots), rng.permutation(len(first.genes))
    second = dataclasses.replace(
        first, counts=first.counts[rows][:, columns], xy_um=first.xy_um[rows],
        barcodes=tuple(first.barcodes[i] for i in rows), genes=tuple(first.genes[i] for i in columns), annotations={},
        area_um2=None)
    a, b = model_of(first), model_of(second)
    np.testing.assert_allclose(summary(a, map_of(a))[:, rows], summary(b, map_of(b)), rtol=1e-6)


@pytest.mark.parametrize("um_per_unit", [0.12, 0.65, 3.0])
def test_the_unit_of_the_file_does_not_matter(tmp_path: Path, um_per_unit: float) -> None:
    frame = plain_frame(CELLS)
    first = in_memory()
    frame["x"], frame["y"] = frame.pop("x_um") / um_per_unit, frame.pop("y_um") / um_per_unit
    path = tmp_path / "px.csv"
    frame.to_csv(path, index=False)
    second = read_tissue(path, um_per_unit=um_per_unit)
    np.testing.assert_allclose(second.xy_um, first.xy_um, rtol=1e-9)
    np.testing.assert_array_equal(second.counts.toarray(), first.counts.toarray())


def in_memory() -> SpatialAssay:
    """The fake section without a file, for tests that make many."""
    import scipy.sparse as sp

    from nichedose.io.cells import CellTable, assemble_cells

    table = CellTable(CELLS.names, CELLS.xy_um, sp.csr_matrix(CELLS.counts), GENES, area=CELLS.area_um2)
    return assemble_cells(table, 1.0, "um", path=Path("made"), kind="table", sample="made", aliases=LIBRARY.aliases,
                          files=[])
