"""Real sections load with one call, in um, with the counts that their sources state."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from nichedose.io import read_tissue
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


@pytest.mark.parametrize(("name", "spots", "genes"), [
    ("A1", 346, 15045), ("A2", 325, 15526), ("B1", 295, 15109), ("C1", 176, 15557), ("C2", 187, 15706),
])
def test_andersson_2021_her2st(shared: Path, name: str, spots: int, genes: int) -> None:
    """Zenodo 4751624: spots and genes of five sections; positions from the spot files, labels where there are some."""
    assay = read_tissue(section(shared, f"st_breast_her2/counts/{name}.tsv.gz"))
    assert (assay.kind, assay.sample, assay.n_spots, len(assay.genes)) == ("legacy_st", name, spots, genes)
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
