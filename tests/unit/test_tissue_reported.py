"""Composition that a file brings along: conventions, names, and what is said when it does not serve."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from io_fake import square_anndata, write_h5ad
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, TARGETS, made_section

from nichedose.errors import BadInput
from nichedose.io import read_tissue
from nichedose.library.markers import lineage_of_phenotype
from nichedose.tissue import SpatialAssay, model_section
from nichedose.tissue.reported import choose_composition, reported_composition

NAMES = ("Cancer_Epithelial", "CAFs", "Endothelial.lymphatic", "T_CD8", "T_CD4+", "Mast")
MADE = made_section(8, 8)


def amounts_of(n: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 1.0, (n, len(NAMES)))


def with_abundances(values: dict[str, np.ndarray]) -> SpatialAssay:
    return dataclasses.replace(MADE.assay, annotations={f"abundance:{n}": v for n, v in values.items()})


def expected(amounts: np.ndarray) -> np.ndarray:
    mapped = np.column_stack([amounts[:, 0], amounts[:, 1], amounts[:, 2], amounts[:, 3] + amounts[:, 4]])
    return np.asarray(mapped / mapped.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("how", ["means", "q05", "array", "rctd", "obs", "factor_names"])
def test_conventions_of_deconvolutions_give_the_same_shares(tmp_path: Path, how: str) -> None:
    data = square_anndata(step=200.0)
    amounts = amounts_of(data.n_obs)
    bare = pd.DataFrame(amounts, index=data.obs_names, columns=list(NAMES))
    if how in ("means", "q05"):
        data.obsm[f"{how}_cell_abundance_w_sf"] = bare.add_prefix(f"{how}cell_abundance_w_sf_")
    elif how == "array":
        data.obsm["means_cell_abundance_w_sf"], data.uns["mod"] = amounts, {"factor_names": np.array(NAMES)}
    elif how == "rctd":
        data.obsm["RCTD_weights"] = bare
    elif how == "obs":
        data.obs = data.obs.join(bare.add_prefix("q05cell_abundance_w_sf_"))
    else:
        data.obs, data.uns["mod"] = data.obs.join(bare), {"factor_names": np.array(NAMES)}
    assay = read_tissue(write_h5ad(tmp_path / "a.h5ad", data), coordinate_unit="um")
    found, flags = reported_composition(assay, CELL_TYPES)
    assert found is not None and found.types == ("tumour", "fibroblast", "endothelial", "t_cell")
    np.testing.assert_allclose(found.fractions, expected(amounts), rtol=1e-6)
    assert "'T_CD8', 'T_CD4+'" in flags[0].text and "'Mast'" in flags[0].text
    assert any(f.about == "composition" and "were found in" in f.text for f in assay.flags)


def test_names_of_a_bare_matrix_are_asked_for(tmp_path: Path) -> None:
    data = square_anndata(step=200.0)
    data.obsm["rctd"] = amounts_of(data.n_obs)
    with pytest.raises(BadInput, match=r"obsm\['rctd'\] has 6 columns, but 0 names"):
        read_tissue(write_h5ad(tmp_path / "a.h5ad", data), coordinate_unit="um")


def test_the_model_takes_the_file_over_the_markers() -> None:
    amounts = amounts_of(MADE.assay.n_spots)
    assay = with_abundances(dict(zip(NAMES, amounts.T, strict=True)))
    model = model_section(assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)
    np.testing.assert_allclose(model.composition, expected(amounts), rtol=1e-9)
    assert model.clonogenic == ("tumour",)
    plain = model_section(MADE.assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)
    again = model_section(choose_composition(assay, "markers"), CELL_TYPES, TARGETS, SIGNATURES, ALIASES)
    np.testing.assert_array_equal(again.composition, plain.composition)
    assert again.flags == plain.flags


def test_scale_of_the_abundances_does_not_matter() -> None:
    amounts = amounts_of(MADE.assay.n_spots)
    one, _ = reported_composition(with_abundances(dict(zip(NAMES, amounts.T, strict=True))), CELL_TYPES)
    ten, _ = reported_composition(with_abundances(dict(zip(NAMES, 10.0 * amounts.T, strict=True))), CELL_TYPES)
    assert one is not None and ten is not None
    np.testing.assert_allclose(one.fractions, ten.fractions, rtol=1e-12)


def test_much_left_out_is_a_caution_and_empty_spots_get_the_mean() -> None:
    n = MADE.assay.n_spots
    tumour = np.ones(n)
    tumour[0] = np.nan
    found, flags = reported_composition(
        with_abundances({"tumour": tumour, "T_cell": np.r_[0.0, np.full(n - 1, 3.0)], "Neuron": np.full(n, 4.0)}),
        CELL_TYPES)
    assert found is not None and flags[0].level == "caution" and "'Neuron'" in flags[0].text
    np.testing.assert_allclose(found.fractions, np.tile([0.25, 0.75], (n, 1)))
    assert flags[1].text.startswith("1 spots without abundances")


@pytest.mark.parametrize(("values", "reason"), [
    ({"Neuron": 1.0, "T_cells": 1.0}, r"none of its names \('Neuron', 'T_cells'\) speaks of tumour cells"),
    ({"tumour": 0.0}, "only 0 of 64 spots"),
    ({"tumour": np.nan}, "only 0 of 64 spots"),
])
def test_what_does_not_serve_is_said_and_the_markers_are_used(values: dict[str, float], reason: str) -> None:
    n = MADE.assay.n_spots
    assay = with_abundances({k: np.full(n, v) for k, v in values.items()})
    found, flags = reported_composition(assay, CELL_TYPES)
    assert found is None and flags[0].level == "caution" and re.search(reason, flags[0].text)
    model = model_section(assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)
    plain = model_section(MADE.assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)
    np.testing.assert_array_equal(model.composition, plain.composition)


def test_wrong_values_are_refused() -> None:
    n = MADE.assay.n_spots
    with pytest.raises(BadInput, match="negative or infinite"):
        reported_composition(with_abundances({"tumour": np.full(n, -1.0)}), CELL_TYPES)
    with pytest.raises(BadInput, match="are not numbers"):
        reported_composition(with_abundances({"tumour": np.full(n, "many", dtype=object)}), CELL_TYPES)


def test_asking_for_what_is_not_there() -> None:
    with pytest.raises(BadInput, match="the file holds no abundances"):
        choose_composition(MADE.assay, "reported")
    assert choose_composition(MADE.assay, "auto") is MADE.assay
    cells = dataclasses.replace(with_abundances({"tumour": np.ones(MADE.assay.n_spots)}), observation="cell")
    with pytest.raises(BadInput, match="is for spots"):
        choose_composition(cells, "reported")


def test_a_type_that_only_sounds_alike_is_left_out() -> None:
    found, flags = reported_composition(
        with_abundances({"tumour": np.ones(MADE.assay.n_spots), "Plasmacytoid_DC": np.ones(MADE.assay.n_spots)}),
        CELL_TYPES | {"b_cell": CELL_TYPES["t_cell"]})
    assert found is not None and found.types == ("tumour",) and "'Plasmacytoid_DC'" in flags[0].text


@pytest.mark.parametrize(("name", "cell_type"), [
    ("Tumor macrophages", "macrophage"), ("Tumor_CAF", "fibroblast"), ("tumour vessels", "endothelial"),
    ("tumor CD8+ T cells", "t_cell"), ("intraepithelial T cells", "t_cell"), ("Tumor CD8+", "tumour"),
    ("Bcell", "b_cell"),
    ("Normal Epithelial", None), ("non-tumour epithelium", None), ("Peritumoral", None), ("MastCell", None),
    ("Cancer Epithelial", "tumour"), ("Cancer Normal-like SC", "tumour"), ("normal fibroblast", "fibroblast"),
])
def test_a_tumour_s_neighbours_and_healthy_cells_are_no_tumour_cells(name: str, cell_type: str | None) -> None:
    assert lineage_of_phenotype(name.replace("_", " ")) == cell_type
