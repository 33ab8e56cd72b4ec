"""Known answers of real sections: densities by region, infiltration of CD3 cells, and rules that disagree."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from nichedose.fields import Grid
from nichedose.io import read_tissue
from nichedose.library import load_library
from nichedose.tissue import ProfileOptions, SpatialAssay, profile
from nichedose.tissue.tme.infiltration import normalised_depth
from nichedose.tissue.tme.raster import inside_outlines

LIBRARY = load_library()


@pytest.fixture(scope="module")
def breast(shared: Path) -> SpatialAssay:
    return read_tissue(shared / "data" / "xenium_breast_idc" / "xenium_idc.h5ad")


@pytest.mark.parametrize(("region", "area_mm2", "per_mm2"), [
    ("Invasive Tumor", 0.256, 148.0), ("DCIS", 0.213, 202.0), ("Stroma", 0.424, 616.0), ("Immune cells", 0.057, 3589.0),
    ("Blood vessels", 0.031, 324.0),
])
def test_cd8_cells_by_region_in_xenium(breast: SpatialAssay, region: str, area_mm2: float, per_mm2: float) -> None:
    """CD8 cells and areas by nearest cell, 10 um, clipped to the window; ours closes gaps at 5 um instead: 4 %."""
    options = ProfileOptions(region_key="region", nest_labels=(region,), bootstraps=50)
    found = profile(breast, LIBRARY, options)
    assert found.areas_mm2["nest"] == pytest.approx(area_mm2, rel=0.04)
    assert found.cells["cd8_t"].density["nest"].value == pytest.approx(per_mm2, rel=0.04)


def test_rules_disagree_on_xenium_as_they_are_known_to(breast: SpatialAssay) -> None:
    """Inflamed by density, excluded by the ratio of tumour to stroma."""
    found = profile(breast, LIBRARY, ProfileOptions(region_key="region", nest_labels=("Invasive Tumor", "DCIS")))
    calls = {n: c.phenotype for n, c in found.phenotype.calls.items()}
    assert calls["tile_density"] == "inflamed" and calls["ratio"] == "excluded"
    assert found.phenotype.summary.startswith("The rules disagree")
    nests = {b.name: b for b in found.barriers}["Exclusion of T cells"].numbers["nest_to_stroma"]
    assert nests < 0.24  # 0.24 for the invasive region against stroma alone; vessels and immune areas are stroma here


@pytest.mark.parametrize(("population", "tumour", "stroma"), [
    ("cd8_t", 174.0, 495.0), ("treg", 116.0, 542.0), ("macrophage", 345.0, 883.0)])
def test_multiplex_lung_densities(shared: Path, population: str, tumour: float, stroma: float) -> None:
    """Reference densities are over areas that are 5 % larger than what lies nearest to a cell, so ours are higher."""
    assay = read_tissue(shared / "data" / "mif_nsclc_phenoptr" / "sample_cell_seg_data.csv.gz")
    found = profile(assay, LIBRARY, ProfileOptions(
        region_key="tissue_category", nest_labels=("Tumor",), bootstraps=50)).cells[population]
    assert found.density["nest"].value == pytest.approx(tumour, rel=0.07)
    assert found.density["stroma"].value == pytest.approx(stroma, rel=0.07)


DEPTH = {
    ("dat19", "Vehicle"): 0.155, ("dat19", "aPDL1"): 0.162, ("dat19", "aTGFb(1D11)"): 0.162,
    ("dat19", "aPDL1+aTGFb"): 0.210, ("dat25", "Vehicle"): 0.147, ("dat25", "aPDL1"): 0.144,
    ("dat25", "aTGFb(1D11)"): 0.168, ("dat25", "aPDL1+aTGFb"): 0.265, ("dat25", "aOX40"): 0.187,
}


def test_cd3_cells_reach_deepest_under_the_combination(shared: Path) -> None:
    """EMT6 tumours (Mariathasan et al., Nature 2018;554:544): mean depth over greatest depth, by treatment; 3 %."""
    folder = shared / "data" / "mouse_emt6_cd3_pointpatterns"
    depths: dict[tuple[str, str], list[float]] = {key: [] for key in DEPTH}
    with (folder / "index.csv").open() as file:
        for row in csv.DictReader(file):
            depths[row["study"], row["treatment"]].append(_depth(folder, f"{row['study']}_{row['barcode']}"))
    means = {key: float(np.mean(values)) for key, values in depths.items()}
    assert means == pytest.approx(DEPTH, rel=0.03)
    for study in ("dat19", "dat25"):
        of_study = {key[1]: value for key, value in means.items() if key[0] == study}
        assert max(of_study, key=lambda k: of_study[k]) == "aPDL1+aTGFb"


def _depth(folder: Path, name: str) -> float:
    with gzip.open(folder / f"{name}_cd3.csv.gz", "rt") as file:
        xy = np.loadtxt(file, delimiter=",", skiprows=1)
    outlines = [np.array(p).T for p in json.loads((folder / f"{name}_roi.json").read_text())["polygons"]]
    low = np.min([o.min(axis=0) for o in outlines], axis=0)
    size = np.max([o.max(axis=0) for o in outlines], axis=0) - low
    step = float(size.max()) / 500.0  # the unit of the scanner does not matter for a ratio of depths
    nx, ny = (np.ceil(size / step).astype(int) + 3).tolist()
    inside = inside_outlines(Grid((ny, nx), step, (float(low[1]) - step, float(low[0]) - step)), outlines)
    depth = np.maximum(distance_transform_edt(inside) - 0.5, 0.0) * step  # to the border, not to the next centre
    x, y = ((xy - low) / step + 1.5).astype(int).T
    at = (np.clip(y, 0, ny - 1), np.clip(x, 0, nx - 1))
    value = normalised_depth(depth[at][inside[at]], float(depth.max()))
    assert value is not None
    return value
