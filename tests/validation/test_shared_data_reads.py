"""Real sections load with one call, in um, with the counts that their sources state."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from nichedose.errors import BadInput
from nichedose.io import read_sections, read_tissue
from nichedose.io.scale import nearest_spacing
from nichedose.tissue.assay import SpatialAssay


def section(shared: Path, name: str) -> Path:
    path = shared / "data" / name
    if not path.exists():
        pytest.skip(f"{path} is absent")
    return path


def total(assay: SpatialAssay, gene: str) -> int:
    return int(assay.counts[:, [assay.genes.index(gene)]].sum())


def test_bassiouni_2023_tnbc_visium(shared: Path) -> None:
    """GSE210616, section 396A: 554 spots x 36,601 features of which 36,591 have different symbols."""
    started = time.perf_counter()
    assay = read_tissue(section(shared, "visium_tnbc_bassiouni/396A"))
    seconds = time.perf_counter() - started
    assert (assay.kind, assay.sample, assay.n_spots, len(assay.genes)) == ("visium", "396A", 554, 36591)
    # neighbours in a row of the array are 100 um apart; positions are whole pixels, hence 0.5 px of 231
    same_row = [
        np.hypot(*(assay.xy_um[i] - assay.xy_um[j]))
        for i, j in _neighbours_in_row(assay)
    ]
    assert np.mean(same_row) == pytest.approx(100.0, abs=0.1)
    # the other four neighbours are 0.35 % farther on this slide, so the lattice as a whole is 100 um to 0.5 %
    assert nearest_spacing(assay.xy_um)[0] == pytest.approx(100.0, rel=0.005)
    scale = float(assay.scale_evidence.split(" um/px")[0].split()[-1])
    assert scale == pytest.approx(0.4329, rel=1e-3)
    assert "spans 65 um" in assay.scale_evidence
    assert assay.spot_diameter_um == 55.0 and assay.lattice == "hexagonal"
    assert {f.level for f in assay.flags} == {"note"}  # old symbols mapped, duplicates summed
    assert total(assay, "COL1A1") > total(assay, "FAP") > 0
    assert seconds < 3.0  # on two cores; 0.3 s when alone


def _neighbours_in_row(assay: SpatialAssay) -> list[tuple[int, int]]:
    place = {(r, c): i for i, (r, c) in enumerate(
        zip(assay.annotations["array_row"], assay.annotations["array_col"], strict=True))}
    return [(i, place[r, c + 2]) for (r, c), i in place.items() if (r, c + 2) in place]


def test_moncada_2020_pdac_h5ad(shared: Path) -> None:
    """GSE111672, PDAC-A: 428 spots x 25,753 genes, 200 um apart; spots with counts of each target as listed there."""
    assay = read_tissue(section(shared, "st_pdac_moncada/pdac_a_st1.h5ad"))
    assert (assay.kind, assay.n_spots, len(assay.genes)) == ("h5ad", 428, 25753)
    assert (assay.pitch_um, assay.spot_diameter_um, assay.lattice) == (200.0, 100.0, "square")
    assert "uns['spatial_units'] says" in assay.scale_evidence
    positive = {"CA9": 36, "FAP": 10, "SSTR2": 23, "TNC": 13, "CD276": 90, "CLDN4": 169, "COL1A1": 271}
    for gene, spots in positive.items():
        assert assay.counts[:, [assay.genes.index(gene)]].nnz == spots, gene
    assert "HLA-DRA" in assay.genes
    regions, counts = np.unique(assay.annotations["Region"].astype(str), return_counts=True)
    assert dict(zip(regions, counts, strict=True)) == {
        "": 2, "Cancer": 137, "Duct Epithelium": 72, "Pancreatic": 70, "Stroma": 147}


@pytest.mark.parametrize(("name", "spots", "columns", "twice"), [
    ("A1", 346, 15045, 5), ("A2", 325, 15526, 2), ("B1", 295, 15109, 3), ("C1", 176, 15557, 3), ("C2", 187, 15706, 4),
])
def test_andersson_2021_her2st(shared: Path, name: str, spots: int, columns: int, twice: int) -> None:
    """Zenodo 4751624: spots and genes of five sections; positions from the spot files, labels where there are some.

    Some genes have two columns (MATR3 and MATR3.1), which are summed.
    """
    assay = read_tissue(section(shared, f"st_breast_her2/counts/{name}.tsv.gz"))
    assert (assay.kind, assay.sample, assay.n_spots) == ("legacy_st", name, spots)
    assert len(assay.genes) == columns - twice
    assert "um/px" in assay.scale_evidence
    assert _mean_step(assay) == pytest.approx(200.0, rel=0.01)
    assert ("pathologist_label" in assay.annotations) == (name in ("A1", "B1", "C1"))


def _mean_step(assay: SpatialAssay) -> float:
    """Mean displacement between neighbours of the array; spots scatter by some 7 % of a step around their lattice
    points, so the *nearest* neighbour is nearer than the pitch by about as much."""
    place = {(round(x), round(y)): i for i, (x, y) in enumerate(
        zip(assay.annotations["array_x"], assay.annotations["array_y"], strict=True))}
    steps = [
        np.hypot(*np.mean([assay.xy_um[place[x + dx, y + dy]] - assay.xy_um[i]
                           for (x, y), i in place.items() if (x + dx, y + dy) in place], axis=0))
        for dx, dy in ((1, 0), (0, 1))
    ]
    return float(np.mean(steps))


def test_andersson_2021_labels(shared: Path) -> None:
    assay = read_tissue(section(shared, "st_breast_her2/counts/A1.tsv.gz"))
    labels = assay.annotations["pathologist_label"]
    assert (labels == "").sum() == 0  # every spot with counts is labelled
    # 284 labelled spots in the file, of which two have no counts
    assert 282 <= (labels == "invasive cancer").sum() <= 284
    # tumour cells carry ERBB2 in these HER2-positive tumours
    erbb2 = assay.counts[:, [assay.genes.index("ERBB2")]].toarray().ravel()
    fat = labels == "adipose tissue"
    assert erbb2[labels == "invasive cancer"].mean() > 2.0 * erbb2[fat].mean()


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
def test_stahl_2016_breast_layers(shared: Path, layer: int) -> None:
    """Four layers of one biopsy: spots per layer as the source lists them; the spot names carry the array positions."""
    assay = read_tissue(section(shared, f"st_breast_layers_paste/slice{layer}.csv.gz"))
    assert assay.n_spots == {1: 254, 2: 251, 3: 264, 4: 262}[layer]
    assert _mean_step(assay) == pytest.approx(200.0, rel=0.01)
    assert assay.pitch_um == 200.0 and "CLDN4" in assay.genes


# ---- every folder with a spatial assay, by one call


@pytest.mark.parametrize(("name", "kind", "rows"), [
    ("visium_tnbc_bassiouni", "visium", [554]),
    ("st_breast_her2", "legacy_st", [346, 325, 295, 176, 187]),
    ("st_pdac_moncada", "h5ad", [428]),
    ("st_breast_layers_paste", "legacy_st", [254, 251, 264, 262]),
    ("xenium_breast_idc", "h5ad", [7352]),
    ("cosmx_nsclc", "cosmx", [120, 85, 96]),
    ("mif_tma_spatialtime", "halo", [3803, 3008, 1850, 2318, 1803]),
])
def test_a_folder_loads_whole(shared: Path, name: str, kind: str, rows: list[int]) -> None:
    assays = read_sections(section(shared, name))
    assert [a.n_spots for a in assays] == rows and {a.kind for a in assays} == {kind}
    assert len({a.sample for a in assays}) == len(assays) and all(a.scale_evidence for a in assays)


def test_a_folder_of_sections_is_told_from_a_section(shared: Path) -> None:
    with pytest.raises(BadInput, match=r"holds 5 of what can be read \(counts/A1.tsv.gz, .*read_sections"):
        read_tissue(section(shared, "st_breast_her2"))


@pytest.mark.parametrize(("name", "question"), [
    ("mouse_emt6_cd3_pointpatterns", "x and y have no unit"),
    ("cycif_scimap", "how large a pixel is"),
    ("mif_nsclc_phenoptr/inform_format_examples", "in pixels, and the file does not tell"),
    ("prostate_visium_annotations_erickson", "annotations of spots without counts"),
    ("prostate_bulk_curatedpcadata", "nothing in this folder"),
])
def test_a_folder_that_cannot_tell_is_asked_about(shared: Path, name: str, question: str) -> None:
    with pytest.raises(BadInput, match=question):
        read_sections(section(shared, name))


def test_janesick_2023_xenium_region(shared: Path) -> None:
    """10x's breast section, a square of 1 mm: 380 genes besides 161 controls; cells 7.8 um from their neighbours."""
    assay = read_tissue(section(shared, "xenium_breast_idc/xenium_idc.h5ad"))
    assert (assay.observation, assay.n_spots, len(assay.genes)) == ("cell", 7352, 380)  # one of 7,353 has no counts
    assert any(f.text.startswith("161 features") for f in assay.flags)
    assert np.ptp(assay.xy_um, axis=0) == pytest.approx([1000.0, 1000.0], rel=0.01)
    assert {"SSTR2", "CD274"} <= set(assay.genes) and not {"FOLH1", "FAP", "CA9"} & set(assay.genes)


@pytest.mark.parametrize(("name", "cells"), [
    ("giotto_lung12_mini", 120), ("moleculeexperiment_lung9_mini/sample_1", 85)])
def test_he_2022_cosmx_lung(shared: Path, name: str, cells: int) -> None:
    """Excerpts of the first CosMx sections: 0.18 um per pixel, because only then does the stage stand at whole um."""
    assay = read_tissue(section(shared, f"cosmx_nsclc/{name}"))
    assert assay.n_spots == cells and "for 0.18 um per pixel" in assay.scale_evidence
    assert 5.0 < nearest_spacing(assay.xy_um)[0] < 15.0  # cells
    assert {"CD274", "CD276", "CLDN4"} <= set(assay.genes) and not {"FOLH1", "FAP"} & set(assay.genes)
    assert not [g for g in assay.genes if g.startswith("NegPrb")]


def test_phenoptr_lung_field(shared: Path) -> None:
    """One inForm field of 918 x 686 um, 6,072 cells; the phenotypes that phenoptr's documentation shows."""
    assay = read_tissue(section(shared, "mif_nsclc_phenoptr/sample_cell_seg_data.csv.gz"))
    assert assay.n_spots == 6072 and assay.proteins is not None
    assert assay.proteins.markers == ("CD274", "CD8A", "FOXP3", "CD68", "PDCD1", "PanCK")
    # cells reach 926 x 692 um, 0.9 % beyond the stated field: its pixel is 0.498 um, not 0.5 with a margin
    assert assay.xy_um.max(axis=0) == pytest.approx([918.0, 686.0], rel=0.01)
    assert set(assay.annotations["phenotype"]) == {"CK+", "CD8+", "CD68+", "FoxP3+", "other"}
    assert set(assay.annotations["tissue_category"]) == {"Tumor", "Stroma"}


def test_inform_with_commas_is_the_file_with_points(shared: Path) -> None:
    folder = section(shared, "mif_nsclc_phenoptr/inform_format_examples")
    plain, comma = (read_tissue(folder / f"FIHC4__0929309_HP_IM3_2_{n}cell_seg_data.txt", um_per_unit=0.5)
                    for n in ("", "comma_"))
    np.testing.assert_allclose(plain.xy_um, comma.xy_um)
    assert plain.proteins is not None and comma.proteins is not None
    np.testing.assert_allclose(plain.proteins.intensity, comma.proteins.intensity)


def test_halo_cores_have_the_pixel_of_their_scanner(shared: Path) -> None:
    """All five cores came from one scanner: the pixel that the areas give is the same in each, to 1 in 10,000."""
    cores = read_sections(section(shared, "mif_tma_spatialtime"))
    pixels = [float(a.scale_evidence.split("pixels of ")[1].split()[0]) for a in cores]
    assert pixels == pytest.approx([0.49702] * 5, rel=1e-4)
    assert all(a.proteins is not None and a.proteins.positive is not None for a in cores)
    # cores of 0.6 mm (the third array) and 1 mm (the others) across
    assert all(600.0 < np.ptp(a.xy_um, axis=0).max() < 1250.0 for a in cores)


def test_emt6_patterns_with_their_outlines(shared: Path) -> None:
    """Points and outlines in scanner units: asked for, then scaled alike; nearly every point lies inside."""
    path = section(shared, "mouse_emt6_cd3_pointpatterns/dat25_4MTE_cd3.csv.gz")
    assay = read_tissue(path, um_per_unit=0.5)
    assert assay.n_spots == 4975 and len(assay.outlines_um) == 1
    low, high = assay.outlines_um[0].min(axis=0), assay.outlines_um[0].max(axis=0)
    assert ((assay.xy_um >= low) & (assay.xy_um <= high)).all(axis=1).mean() > 0.99


def test_scimap_cells_by_phenotype(shared: Path) -> None:
    """CyCIF of a lymphoma, 33 antibodies, 25 phenotypes; MCMICRO's exemplar with nine markers in pixels."""
    assay = read_tissue(section(shared, "cycif_scimap/example_data.h5ad"), um_per_unit=0.65)
    assert assay.n_spots == 3029 and assay.proteins is not None and len(assay.proteins.markers) == 33
    assert {"CD274", "PDCD1", "MKI67", "ACTA2"} <= set(assay.proteins.markers)
    exemplar = read_tissue(section(shared, "cycif_scimap/exemplar-001--unmicst_cell.csv.gz"), um_per_unit=0.65)
    assert exemplar.n_spots == 11201 and exemplar.proteins is not None and len(exemplar.proteins.markers) == 9
