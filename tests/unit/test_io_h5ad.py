"""AnnData files: the scale is stated, measured or asked for; samples, layers and gene names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from io_fake import GENES, FakeVisium, as_anndata, square_anndata, write_h5ad

from nichedose.errors import BadInput
from nichedose.io import assay_to_anndata, read_tissue

FAKE = FakeVisium.make()
INSIDE = FAKE.xy_um[FAKE.in_tissue]


@pytest.mark.parametrize("uns", [True, False])
def test_visium_pixels_are_scaled_by_the_pitch(tmp_path: Path, uns: bool) -> None:
    assay = read_tissue(write_h5ad(tmp_path / "a.h5ad", as_anndata(FAKE, uns=uns)))
    np.testing.assert_allclose(assay.xy_um, INSIDE, rtol=1e-9)
    assert np.array_equal(assay.counts.toarray(), FAKE.counts) and assay.genes == GENES
    assert (assay.pitch_um, assay.spot_diameter_um, assay.lattice) == (100.0, 55.0, "hexagonal")
    assert assay.sample == ("fake" if uns else "a") and "100 um" in assay.scale_evidence and not assay.flags


def test_array_indices_are_asked_about(tmp_path: Path) -> None:
    path = write_h5ad(tmp_path / "st.h5ad", square_anndata())
    with pytest.raises(BadInput, match=r'say coordinate_unit = "array" and um_per_unit = 200'):
        read_tissue(path)
    with pytest.raises(BadInput, match=r'"array" needs um_per_unit.*um_per_unit = 200'):
        read_tissue(path, coordinate_unit="array")
    with pytest.raises(BadInput, match=r"spots are 1 um apart"):
        read_tissue(path, coordinate_unit="um")
    assay = read_tissue(path, coordinate_unit="array", um_per_unit=200.0)
    assert (assay.pitch_um, assay.spot_diameter_um, assay.lattice) == (200.0, 100.0, "square")
    assert assay.xy_um.min() == 600.0 and "as given" in assay.scale_evidence


def test_unknown_unit_is_asked_about(tmp_path: Path) -> None:
    path = write_h5ad(tmp_path / "px.h5ad", square_anndata(step=287.0))
    with pytest.raises(BadInput, match=r"unit of obsm.*not stated"):
        read_tissue(path)
    with pytest.raises(BadInput, match=r"needs um_per_unit"):
        read_tissue(path, coordinate_unit="pixel")
    with pytest.raises(BadInput, match=r"no array indices"):
        read_tissue(path, coordinate_unit="array", um_per_unit=200.0)
    with pytest.raises(BadInput, match=r"would be 2.87e\+04 um apart"):
        read_tissue(path, um_per_unit=100.0)
    assay = read_tissue(path, um_per_unit=200.0 / 287.0)
    assert assay.pitch_um == pytest.approx(200.0)
    other = read_tissue(path, coordinate_unit="um")
    assert other.pitch_um == other.spot_diameter_um == 287.0 and "neither Visium" in other.flags[0].text


def test_declared_um_is_believed_unless_absurd(tmp_path: Path) -> None:
    adata = square_anndata(step=200.0)
    adata.uns["spatial_units"] = "micrometre"
    assay = read_tissue(write_h5ad(tmp_path / "a.h5ad", adata))
    assert assay.pitch_um == 200.0 and 'says "micrometre"' in assay.scale_evidence
    adata = square_anndata(step=1.0)
    adata.uns["spatial_units"] = "um"
    with pytest.raises(BadInput, match=r"look like array indices"):
        read_tissue(write_h5ad(tmp_path / "b.h5ad", adata))


def test_visium_indices_as_positions_are_refused(tmp_path: Path) -> None:
    adata = as_anndata(FAKE)
    adata.obsm["spatial"] = adata.obs[["array_col", "array_row"]].to_numpy(float)
    with pytest.raises(BadInput, match=r"array indices"):
        read_tissue(write_h5ad(tmp_path / "a.h5ad", adata))
    with pytest.raises(BadInput, match=r"every x \+ y is even"):
        read_tissue(tmp_path / "a.h5ad", coordinate_unit="array", um_per_unit=100.0)


def two_samples(column: str | None) -> Any:
    import anndata

    adata = anndata.concat([as_anndata(FAKE), as_anndata(FakeVisium.make(seed=3))], index_unique="_")
    if column:
        adata.obs[column] = ["left"] * 50 + ["right"] * 50
    return adata


@pytest.mark.parametrize("column", ["sample", "library_id", "sample_id", "batch", "Sample"])
def test_two_samples_are_refused_until_one_is_chosen(tmp_path: Path, column: str) -> None:
    path = write_h5ad(tmp_path / "two.h5ad", two_samples(column))
    with pytest.raises(BadInput, match=rf"holds 2 samples in obs\['{column}'\] \(left, right\).*sample = \"left\""):
        read_tissue(path)
    right = read_tissue(path, sample="right")
    assert right.n_spots == 50 and right.sample == "right"
    assert np.array_equal(right.counts.toarray(), FakeVisium.make(seed=3).counts)
    with pytest.raises(BadInput, match=r"no sample 'rihgt'. Did you mean 'right'"):
        read_tissue(path, sample="rihgt")


def test_sample_key(tmp_path: Path) -> None:
    path = write_h5ad(tmp_path / "two.h5ad", two_samples("punch"))
    with pytest.raises(BadInput, match=r"several samples"):  # no column says so, but positions coincide
        read_tissue(path)
    with pytest.raises(BadInput, match=r"holds 2 samples"):
        read_tissue(path, sample_key="punch")
    with pytest.raises(BadInput, match=r"no column of obs. Did you mean 'punch'"):
        read_tissue(path, sample_key="punhc", sample="left")
    assert read_tissue(path, sample_key="punch", sample="left").n_spots == 50


def test_two_libraries_without_a_column(tmp_path: Path) -> None:
    adata = as_anndata(FAKE)
    adata.uns["spatial"]["other"] = {"scalefactors": {}}
    with pytest.raises(BadInput, match=r"fake, other"):
        read_tissue(write_h5ad(tmp_path / "a.h5ad", adata))


def test_raw_counts_may_stand_in_a_layer_or_raw(tmp_path: Path) -> None:
    adata = as_anndata(FAKE)
    adata.layers["counts"] = adata.X.copy()
    adata.X = adata.X.log1p()
    path = write_h5ad(tmp_path / "a.h5ad", adata)
    with pytest.raises(BadInput, match=r'log-normalised.*set layer = "counts"'):
        read_tissue(path)
    assert np.array_equal(read_tissue(path, layer="counts").counts.toarray(), FAKE.counts)
    with pytest.raises(BadInput, match=r"no layer 'count'. Did you mean 'counts'"):
        read_tissue(path, layer="count")
    adata = as_anndata(FAKE)
    adata.raw = adata.copy()
    adata.X = adata.X.log1p()
    path = write_h5ad(tmp_path / "b.h5ad", adata[:, :5].copy())
    with pytest.raises(BadInput, match=r'set layer = "raw"'):
        read_tissue(path)
    assert np.array_equal(read_tissue(path, layer="raw").counts.toarray(), FAKE.counts)


def test_gene_ids_are_mapped_or_refused(tmp_path: Path) -> None:
    adata = as_anndata(FAKE)
    adata.var["feature_name"] = pd.Categorical(list(GENES))
    adata.var_names = [f"ENSG{i:011d}.3" for i in range(10)]
    assay = read_tissue(write_h5ad(tmp_path / "a.h5ad", adata))
    assert assay.genes == GENES and "feature_name" in assay.flags[0].text
    del adata.var["feature_name"]
    adata.var["gene_ids"] = list(adata.var_names)
    with pytest.raises(BadInput, match=r"Ensembl ids"):
        read_tissue(write_h5ad(tmp_path / "b.h5ad", adata))


def test_aliases_duplicates_and_made_unique_names(tmp_path: Path) -> None:
    adata = as_anndata(FAKE)
    adata.var_names = ["FAP", "FAP-1", "CTGF", "EPCAM", "HIG2", "HILPDA", "HLA-A", "NKX2-1", "IGHV3-30", "IGHV3-30-2"]
    path = write_h5ad(tmp_path / "a.h5ad", adata)
    assay = read_tissue(path, aliases={"CTGF": "CCN2", "HIG2": "HILPDA"})
    # an alias whose current symbol is measured too may be another gene, so it stays
    assert assay.genes == ("FAP", "CCN2", "EPCAM", "HIG2", "HILPDA", "HLA-A", "NKX2-1", "IGHV3-30", "IGHV3-30-2")
    assert np.array_equal(assay.counts[:, [0]].toarray().ravel(), FAKE.counts[:, :2].sum(axis=1))
    assert assay.counts.sum() == FAKE.counts.sum()
    assert {f.text.split(" (")[0] for f in assay.flags} == {
        "1 old gene symbols were mapped to current ones", "1 gene symbols stood in several columns, which were summed"}


def test_names_that_went_through_r(tmp_path: Path) -> None:
    adata = as_anndata(FAKE)
    adata.var_names = ["FAP", "HLA.DRA", "MT.ND1", "NKX2.1", "A2M.AS1", "RP11.34P13.7", "AC1234.1", "CA9", "CD8A",
                       "KRT8"]
    assay = read_tissue(write_h5ad(tmp_path / "a.h5ad", adata))
    assert assay.genes[1:7] == ("HLA-DRA", "MT-ND1", "NKX2-1", "A2M-AS1", "RP11.34P13.7", "AC1234.1")


def test_annotations_and_mouse_symbols(tmp_path: Path) -> None:
    adata = as_anndata(FAKE)
    adata.obs["region"] = pd.Categorical(["tumour", None] * 25)
    adata.obs["score"] = np.arange(50.0)
    adata.obs["cells"] = pd.array([None, *range(49)], dtype="Int64")
    adata.obs["nichedose_old"] = 1.0
    adata.var_names = [g.capitalize() for g in GENES]
    assay = read_tissue(write_h5ad(tmp_path / "a.h5ad", adata))
    assert list(assay.annotations["region"][:2]) == ["tumour", ""] and assay.annotations["score"][3] == 3.0
    assert np.isnan(assay.annotations["cells"][0]) and assay.annotations["cells"][1] == 0.0
    assert "nichedose_old" not in assay.annotations and any("mouse" in f.text for f in assay.flags)


def _edit(change: Any) -> Any:
    adata = as_anndata(FAKE)
    return change(adata) or adata


def _no_spatial(a: Any) -> None:
    del a.obsm["spatial"]


def _no_tissue(a: Any) -> None:
    a.obs["in_tissue"] = 0


def _nan_counts(a: Any) -> None:
    a.X.data[:3] = np.nan


def _negative(a: Any) -> None:
    a.X.data[0] = -2


def _nan_position(a: Any) -> None:
    a.obsm["spatial"][4, 0] = np.nan


def _stack(a: Any) -> None:
    a.obsm["spatial"] = np.column_stack([a.obsm["spatial"], np.arange(50.0)])


def _zeros(a: Any) -> None:
    a.X = a.X * 0


def _no_counts(a: Any) -> Any:
    import anndata

    return anndata.AnnData(obs=a.obs, obsm={"spatial": a.obsm["spatial"]})


def _numbered(a: Any) -> None:
    a.var_names = [str(i) for i in range(10)]


def _scrambled(a: Any) -> None:
    a.obsm["spatial"] = a.obsm["spatial"][np.random.default_rng(0).permutation(50)]


@pytest.mark.parametrize(("change", "message"), [
    (_no_spatial, "no spatial coordinates"), (_no_tissue, "zero spots in tissue"),
    (_nan_counts, "3 counts are NaN"), (_negative, "go down to -2"), (_nan_position, "1 positions .* not finite"),
    (_stack, "z is not the same"), (_zeros, "all counts are zero"), (_no_counts, "X is empty|no gene is left"),
    (_numbered, "named by numbers"), (_scrambled, "do not follow the array"),
    (lambda a: a.T, "rows and columns are swapped"),
])
def test_bad_objects_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    path = write_h5ad(tmp_path / "a.h5ad", _edit(change))
    with pytest.raises(BadInput, match=message):
        read_tissue(path)


def test_damaged_and_empty_files(tmp_path: Path) -> None:
    path = write_h5ad(tmp_path / "a.h5ad", as_anndata(FAKE))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BadInput, match=r"cannot be read as .h5ad"):
        read_tissue(path)
    path.write_bytes(b"")
    with pytest.raises(BadInput, match=r"the file is empty"):
        read_tissue(path)


def test_equal_totals_are_flagged(tmp_path: Path) -> None:
    adata = as_anndata(FAKE.but(counts=np.tile(np.arange(10), (50, 1))))
    assay = read_tissue(write_h5ad(tmp_path / "a.h5ad", adata))
    assert any("same total" in f.text for f in assay.flags)


def test_results_go_into_the_user_s_own_object(tmp_path: Path) -> None:
    """Layers, embeddings, uns and every gene stay; only the used spots are kept, in the order of the assay."""
    rng = np.random.default_rng(3)
    side = 8
    rows, cols = np.divmod(np.arange(side * side), side)
    counts = rng.poisson(3.0, (side * side, 5)).astype(np.float32)
    data = anndata.AnnData(
        X=np.log1p(counts),
        obs=pd.DataFrame({"in_tissue": (np.arange(side * side) % 9 != 0).astype(int)},
                         index=[f"spot{i}" for i in range(side * side)]),
        var=pd.DataFrame(index=["EPCAM", "FAP", "CD8A", "KLK3", "VIM"]),
        layers={"counts": counts},
        obsm={"spatial": np.column_stack([cols, rows]) * 100.0, "X_umap": rng.normal(size=(side * side, 2))},
    )
    data.write_h5ad(tmp_path / "mine.h5ad")
    assay = read_tissue(tmp_path / "mine.h5ad", layer="counts", coordinate_unit="um")
    back = assay_to_anndata(assay, {"oxygen_mmHg": np.arange(assay.n_spots, dtype=float)})
    assert list(back.obs_names) == list(assay.barcodes)
    assert set(back.layers) - {None} == {"counts"} and "X_umap" in back.obsm
    assert back.uns["nichedose"]["units"] == {"nichedose_oxygen_mmHg": "mmHg"}
    assert np.array_equal(back.obsm["nichedose_um"], assay.xy_um)
    assert np.allclose(back.X, data[list(assay.barcodes)].X)
