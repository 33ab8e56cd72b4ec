"""How well the fields of the synthetic section come back from its counts.

The truth is seen through a Gaussian of 50 um, about what spots of 55 um every 100 um can resolve, and both fields are
divided by their mean over the tissue: means come from the library or an anchor, a section gives shapes. The achieved
numbers stand beside each bound; a bound is a little wider than what was achieved, so that a loss of quality fails.
What is not asked for is said too: single glands and vessels are finer than the lattice, and stay unresolved.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from nichedose.demo import SAMPLE, GroundTruth, ground_truth, write_demo
from nichedose.demo.section import SECTION_ORIGIN_UM
from nichedose.fields.grid import Array
from nichedose.io import read_tissue
from nichedose.library import load_library
from nichedose.tissue import TissueMap, build_tissue_map, model_section

RESOLUTION_UM = 50.0

# (lowest correlation, highest rms error relative to the mean)  # achieved with the shipped section
BOUNDS = {
    "cell_density/tumour": (0.90, 0.45),  # 0.92, 0.40
    "cell_density/fibroblast": (0.88, 0.30),  # 0.92, 0.25
    "cell_density/endothelial": (0.70, 0.65),  # 0.74, 0.59
    "cell_density/t_cell": (0.94, 0.70),  # 0.97, 0.58
    "cell_density/macrophage": (0.88, 0.40),  # 0.92, 0.34
    "cell_density/b_cell": (0.93, 1.05),  # 0.97, 0.90
    "target/PSMA": (0.83, 0.72),  # 0.87, 0.62
    "target/FAP": (0.72, 0.66),  # 0.77, 0.56
    "target/GRPR": (0.82, 1.12),  # 0.86, 0.99
    "target/CAIX": (0.84, 0.80),  # 0.89, 0.69
    "target/B7-H3": (0.51, 0.29),  # 0.57, 0.25
    "vessel_surface": (0.75, 0.46),  # 0.80, 0.41
    "oxygen": (0.82, 0.31),  # 0.90, 0.28
    "matrix": (0.70, 0.45),  # 0.75, 0.39
}


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> TissueMap:
    folder = write_demo(tmp_path_factory.mktemp("demo")).parent
    library = load_library()
    assay = read_tissue(folder / SAMPLE, aliases=library.aliases)
    model = model_section(assay, library.cell_types, library.targets, library.signatures, library.aliases)
    return build_tissue_map(model, library.tissue, library.targets, spacing_um=20.0)


def field(tissue: TissueMap, name: str) -> Array:
    kind, _, part = name.partition("/")
    if kind == "cell_density":
        return np.asarray(tissue.cell_density_per_mm3[part])
    if kind == "target":
        return tissue.targets[part].total_nmol_per_L
    return {"vessel_surface": tissue.vessel_surface_per_cm, "oxygen": tissue.oxygen_mmHg, "matrix": tissue.matrix}[name]


def pair(tissue: TissueMap, truth: GroundTruth, name: str) -> tuple[Array, Array]:
    """The recovered and the true field over the tissue that both know."""
    y, x = np.meshgrid(tissue.grid.y_um - SECTION_ORIGIN_UM[1], tissue.grid.x_um - SECTION_ORIGIN_UM[0], indexing="ij")
    (y0, x0), spacing = truth.grid.origin_um, truth.grid.spacing_um
    index = [(y - y0) / spacing, (x - x0) / spacing]
    known = tissue.mask & (map_coordinates(truth.mask.astype(float), index, order=1) > 0.99)
    seen = map_coordinates(truth.smoothed(name, RESOLUTION_UM), index, order=1)
    return field(tissue, name)[known], seen[known]


def achieved(tissue: TissueMap, name: str) -> tuple[float, float]:
    """Correlation, and rms error relative to the mean."""
    ours, true = pair(tissue, ground_truth(), name)
    ours, true = ours / ours.mean(), true / true.mean()
    return float(np.corrcoef(ours, true)[0, 1]), float(np.sqrt(np.mean((ours - true) ** 2)))


@pytest.mark.parametrize("name", BOUNDS)
def test_a_field_comes_back(recovered: TissueMap, name: str) -> None:
    lowest, highest = BOUNDS[name]
    correlation, error = achieved(recovered, name)
    assert correlation >= lowest and error <= highest, f"{name}: correlation {correlation:.3f}, rms error {error:.3f}"


@pytest.mark.parametrize("name", BOUNDS)
def test_the_theory_page_states_what_is_achieved(recovered: TissueMap, name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "theory" / "synthetic_section.md").read_text("utf-8")
    [stated] = re.findall(rf"^\| {re.escape(name)} \| (\S+) \| (\S+) \|$", page, flags=re.MULTILINE)
    # rounding, and differences between platforms and releases of the libraries
    assert achieved(recovered, name) == pytest.approx(tuple(map(float, stated)), abs=0.03)


def test_what_was_not_measured_stays_unknown(recovered: TissueMap) -> None:
    """SSTR2 is left out of the section; it counts no gene of targets that the truth does not hold either."""
    assert "SSTR2" in recovered.unknown_targets
    assert not {f"target/{name}" for name in recovered.unknown_targets} & set(ground_truth().fields)
    assert not recovered.targets["PD-L1"].shape_known
    in_truth = {name: t for name, t in recovered.targets.items() if f"target/{name}" in ground_truth().fields}
    assert all(t.shape_known for name, t in in_truth.items() if name != "PD-L1")


def test_the_hypoxic_core_is_found(recovered: TissueMap) -> None:
    """Where the truth is below 2.5 mmHg at this resolution, the map is far below its own median."""
    ours, true = pair(recovered, ground_truth(), "oxygen")
    core = true < 2.5
    assert core.sum() > 200
    assert np.median(ours[core]) < 0.5 * np.median(ours)


def test_the_clone_without_psma_is_found(recovered: TissueMap) -> None:
    """The clone around (1530, 930) um keeps little PSMA and much GRPR."""
    y, x = np.meshgrid(recovered.grid.y_um - SECTION_ORIGIN_UM[1], recovered.grid.x_um - SECTION_ORIGIN_UM[0],
                       indexing="ij")
    clone = recovered.mask & (np.hypot(x - 1530.0, y - 930.0) < 230.0)
    tumour = recovered.cell_density_per_mm3["tumour"]
    rest = recovered.mask & ~clone & (tumour > tumour[clone].mean())
    per_cell = {name: recovered.targets[name].total_nmol_per_L for name in ("PSMA", "GRPR")}
    assert per_cell["PSMA"][clone].mean() < 0.25 * per_cell["PSMA"][rest].mean()
    assert per_cell["GRPR"][clone].mean() > 1.5 * per_cell["GRPR"][rest].mean()


def test_the_demo_folder_is_all_that_is_needed(tmp_path: Path) -> None:
    """Nothing of the ground truth leaks into what is read."""
    folder = write_demo(tmp_path / "d").parent
    (folder / "ground_truth.npz").unlink()
    assert read_tissue(folder / SAMPLE).n_spots > 700
