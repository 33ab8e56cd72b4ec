"""Real sections: what is found, what is refused, and agreement with pathologists' labels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from nichedose.io import read_tissue
from nichedose.library import load_library
from nichedose.tissue import SpotModel, build_tissue_map, model_section


def read(path: Path) -> tuple[SpotModel, np.ndarray]:
    library = load_library()
    assay = read_tissue(path)
    labels = np.array([str(v) for v in assay.annotations.get("Region", [""] * assay.n_spots)])
    model = model_section(assay, library.cell_types, library.targets, library.signatures, library.aliases)
    return model, labels


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    n = positive.sum()
    return float((rankdata(score)[positive].sum() - n * (n + 1) / 2) / (n * (~positive).sum()))


def test_breast_visium(shared: Path) -> None:
    """Counts as in the file: CD276 has a map, FAP (29) and CA9 (4) have none, GRPR was measured and is absent."""
    model, _ = read(shared / "data" / "visium_tnbc_bassiouni" / "396A")
    counts = {name: target.counts for name, target in model.targets.items()}
    assert (counts["B7-H3"], counts["FAP"], counts["CAIX"], counts["GRPR"]) == (714, 29, 4, 0)
    assert model.targets["B7-H3"].shape_known
    assert not model.targets["FAP"].shape_known
    assert not model.unknown_targets
    assert any(f.about == "vessel" for f in model.flags)
    library = load_library()
    tissue = build_tissue_map(model, library.tissue, library.targets, spacing_um=40.0)
    assert 4.0 < tissue.mask.sum() * tissue.grid.voxel_area_mm2 < 6.0  # 554 lattice cells of 0.00866 mm2 are 4.8
    assert tissue.oxygen_mmHg[tissue.mask].min() > 0.0


def test_pancreas_tumour_fraction_follows_the_label(shared: Path) -> None:
    model, labels = read(shared / "data" / "st_pdac_moncada" / "pdac_a_st1.h5ad")
    assert auc(model.fraction("tumour"), labels == "Cancer") > 0.75
    assert "GRPR" in model.unknown_targets
    assert model.targets["ATP-synthase"].shape_known  # the file says ATP5B


@pytest.mark.parametrize(("section", "least"), [("A1", 0.60), ("B1", 0.90), ("C1", 0.70)])
def test_breast_tumour_density_follows_the_label(shared: Path, section: str, least: float) -> None:
    """Cancer against connective tissue, cells per volume; a z-mean of epithelial genes: 0.56, 0.84, 0.70."""
    folder = shared / "data" / "st_breast_her2"
    model, _ = read(folder / "counts" / f"{section}.tsv.gz")
    label = {}
    with (folder / "pathologist_labels" / f"{section}_labeled_coordinates.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["x"] not in ("", "NA", "nan"):
                label[f"{round(float(row['x']))}x{round(float(row['y']))}"] = row["label"]
    labels = np.array([label.get(b, "") for b in model.barcodes])
    cancer = np.array(["cancer" in text for text in labels])
    either = cancer | (labels == "connective tissue")
    density = model.fraction("tumour") * model.content
    assert either.sum() > 100
    assert auc(density[either], cancer[either]) > least
