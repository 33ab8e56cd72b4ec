"""The synthetic section: reproducible, marked as synthetic, in true Visium layout, and with the anatomy it claims."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.ndimage import label

from nichedose.case import parse_case
from nichedose.demo import (
    CELL_TYPES,
    DEFAULT_SEED,
    SAMPLE,
    GroundTruth,
    generate_section,
    ground_truth,
    spot_array,
    write_demo,
)
from nichedose.demo.expression import DATA, expression_model, sample_counts
from nichedose.demo.oxygen import (
    CONSUMPTION_MMHG_PER_S,
    DIFFUSIVITY_UM2_PER_S,
    MICHAELIS_MMHG,
    VESSEL_MMHG,
    WALL_UM_PER_S,
    steady_oxygen,
)
from nichedose.errors import BadInput
from nichedose.io import read_case, read_tissue
from nichedose.library import load_library


@pytest.fixture(scope="module")
def truth() -> GroundTruth:
    return ground_truth()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("demo") / "demo-output").parent


def h5_counts(path: Path) -> tuple[sp.csc_matrix, list[str], list[str]]:
    with h5py.File(path) as file:
        m = file["matrix"]
        counts = sp.csc_matrix((m["data"][:], m["indices"][:], m["indptr"][:]), shape=tuple(m["shape"][:]))
        return counts, [b.decode() for b in m["barcodes"][:]], [g.decode() for g in m["features/name"][:]]


# ---- reproducible --------------------------------------------------------------------------------------------------


def test_the_shipped_counts_are_what_the_generator_makes(demo: Path) -> None:
    shipped, barcodes, genes = h5_counts(demo / SAMPLE / "filtered_feature_bc_matrix.h5")
    section = generate_section()
    assert barcodes == list(section.barcodes) and genes == list(section.genes)
    assert (section.counts != shipped.T).nnz == 0


def test_another_seed_gives_another_section(tmp_path: Path) -> None:
    case = write_demo(tmp_path / "other", seed=DEFAULT_SEED + 1)
    other, barcodes, _ = h5_counts(case.parent / SAMPLE / "filtered_feature_bc_matrix.h5")
    assert barcodes != list(generate_section().barcodes)
    assert 600 < other.shape[1] < 1000
    assert (ground_truth(DEFAULT_SEED + 1).mask.mean()) == pytest.approx(ground_truth().mask.mean(), abs=0.1)


def test_the_package_data_stay_small() -> None:
    assert sum(len(f.read_bytes()) for f in DATA.iterdir() if f.is_file()) < 600_000


# ---- the files -----------------------------------------------------------------------------------------------------


def test_every_place_says_synthetic(demo: Path) -> None:
    assert "synthetic" in SAMPLE
    for readme in (demo / "README.txt", demo / SAMPLE / "README.txt"):
        assert readme.read_text("utf-8").startswith("SYNTHETIC DATA")
    assert "SYNTHETIC" in (demo / "case.toml").read_text("utf-8")
    with h5py.File(demo / SAMPLE / "filtered_feature_bc_matrix.h5") as file:
        assert file.attrs["chemistry_description"] == "synthetic"


def test_the_folder_reads_as_a_visium_section(demo: Path) -> None:
    assay = read_tissue(demo / SAMPLE, aliases=load_library().aliases)
    assert assay.kind == "synthetic" and assay.sample == SAMPLE
    assert assay.lattice == "hexagonal"
    assert assay.pitch_um == pytest.approx(100.0, rel=1e-3)
    assert 700 <= assay.n_spots <= 1000
    assert 300 <= len(assay.genes) <= 999
    spots = spot_array()
    place = {b: i for i, b in enumerate(spots.barcodes)}
    shift = assay.xy_um - spots.xy_um[[place[b] for b in assay.barcodes]]
    # positions are whole pixels of 0.5 um: at most half a pixel off, apart from where the image begins
    assert np.abs(shift - shift.mean(axis=0)).max() < 0.5


def test_the_layout_is_that_of_spaceranger_2(demo: Path) -> None:
    lines = (demo / SAMPLE / "spatial" / "tissue_positions.csv").read_text("utf-8").splitlines()
    assert lines[0] == "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres"
    rows = [line.split(",") for line in lines[1:]]
    assert all(int(r[2]) % 2 == int(r[3]) % 2 for r in rows)  # odd rows have odd columns
    assert len({r[0] for r in rows}) == len(rows)
    assert {r[1] for r in rows} == {"0", "1"}
    scale = json.loads((demo / SAMPLE / "spatial" / "scalefactors_json.json").read_text("utf-8"))
    assert scale["spot_diameter_fullres"] / 200.0 == pytest.approx(0.65)  # 65 um where the pitch is 100 um


def test_the_demo_case_is_ready_to_run(demo: Path) -> None:
    case = read_case(demo / "case.toml")
    library = load_library()
    assert len(case.candidates) >= 12
    assert {c.agent for c in case.candidates} <= set(library.agents)
    assert case.tumour == "prostate" and case.sampling.draws == 32
    assert set(case.anchors) <= set(library.targets)
    assert parse_case((demo / "case.toml").read_text("utf-8")) == case


def test_ground_truth_stands_beside_the_section_in_image_coordinates(demo: Path, truth: GroundTruth) -> None:
    with np.load(demo / "ground_truth.npz") as saved:
        assert saved["x_um"][0] == 405.0 and saved["y_um"][0] == 305.0
        np.testing.assert_allclose(saved["oxygen"], truth.fields["oxygen"], rtol=1e-6)
        assert {f"cell_density__{c}" for c in CELL_TYPES} <= set(saved.files)


def test_writing_twice_is_the_same_and_strangers_are_left_alone(tmp_path: Path) -> None:
    first = write_demo(tmp_path / "d").read_bytes()
    assert write_demo(tmp_path / "d").read_bytes() == first
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "case.toml").write_text('title = "my patient"', "utf-8")
    with pytest.raises(BadInput, match="not the demo's case"):
        write_demo(tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["case.toml"]
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(BadInput, match="cannot be written"):
        write_demo(tmp_path / "file")


# ---- counts --------------------------------------------------------------------------------------------------------


def test_counts_follow_the_stated_distribution() -> None:
    mean = np.concatenate([np.full(40_000, m) for m in (0.05, 1.0, 30.0)]).reshape(3, -1)
    counts = sample_counts(3, mean, 25.0).astype(float)
    expected = mean[:, 0]
    variance = expected + expected**2 / 25.0
    # five standard errors of the mean; the variance within 5 % (its own error is below 2 %)
    assert (np.abs(counts.mean(axis=1) - expected) < 5.0 * np.sqrt(variance / 40_000)).all()
    np.testing.assert_allclose(counts.var(axis=1), variance, rtol=0.05)


def test_a_mean_of_zero_gives_no_counts() -> None:
    assert sample_counts(1, np.zeros((5, 5)), 25.0).sum() == 0


def test_the_panel_has_what_the_library_asks_for_but_not_sstr2() -> None:
    genes, library = set(expression_model(DEFAULT_SEED).genes), load_library()
    for name in {form.target for form in library.forms.values()}:
        assert (set(library.targets[name].genes) <= genes) is (name != "SSTR2")
    for cell_type in library.cell_types.values():
        # a real panel lacks some markers too; most must be there
        assert sum(m in genes for m in cell_type.markers) >= 0.7 * len(cell_type.markers)


def test_target_counts_tell_the_stories_that_the_demo_needs(demo: Path) -> None:
    counts, _, genes = h5_counts(demo / SAMPLE / "filtered_feature_bc_matrix.h5")
    total = {g: int(counts[genes.index(g)].sum()) for g in ("FOLH1", "FAP", "GRPR", "CA9", "CD276", "CD274")}
    assert all(total[g] > 200 for g in total if g != "CD274")
    assert 0 < total["CD274"] < 30  # too few for a map: shape unknown
    assert "SSTR2" not in genes


# ---- anatomy -------------------------------------------------------------------------------------------------------


def test_glands_are_rings_around_lumens(truth: GroundTruth) -> None:
    ringed = [g for g in truth.glands if len(g.lumens) == 1]
    assert len(ringed) > 30
    tumour, lumen = truth.field("cell_density/tumour"), truth.field("lumen")
    x, y = np.array([g.x_um for g in ringed]), np.array([g.y_um for g in ringed])
    assert (truth.sample("lumen", x, y) > 0.7).mean() > 0.9
    assert truth.sample("cell_density/tumour", x, y).mean() < 0.2 * tumour[tumour > 1e5].mean()
    # the lumens stay apart: each is a hole of its own in the epithelium (13 in the cribriform core)
    assert label(lumen > 0.5)[1] >= 0.9 * (len(ringed) + 13)


def test_nests_do_not_overlap(truth: GroundTruth) -> None:
    angle = np.linspace(0.0, 2.0 * np.pi, 90, endpoint=False)
    for i, gland in enumerate(truth.glands):
        ripple = sum(a * np.cos(n * angle + p) for n, (a, p) in enumerate(gland.wobble, start=2))
        reach = gland.radius_um * (1.0 + ripple)
        x, y = gland.x_um + reach * np.cos(angle), gland.y_um + reach * np.sin(angle)
        for other in truth.glands[i + 1:]:
            assert float(other.depth_um(x, y).max()) < 0.0


def test_vessels_stay_out_of_nests_and_the_core_is_hypoxic(truth: GroundTruth) -> None:
    x, y = np.array([v.x_um for v in truth.vessels]), np.array([v.y_um for v in truth.vessels])
    assert max(float(g.depth_um(x, y).max()) for g in truth.glands) < 0.0
    oxygen = truth.field("oxygen")
    core = (truth.field("nest") == 0) & (truth.field("cell_density/tumour") > 1e5)
    assert np.median(oxygen[core]) < 3.0 < 15.0 < np.median(oxygen[truth.mask])
    assert oxygen[truth.mask].max() < VESSEL_MMHG


def test_immune_cells_line_the_border_and_psma_is_lost_where_grpr_is_kept(truth: GroundTruth) -> None:
    y, x = np.meshgrid(truth.grid.y_um, truth.grid.x_um, indexing="ij")
    t_cells = truth.field("cell_density/t_cell")
    assert t_cells[truth.mask & (x > 1900.0)].mean() > 5.0 * t_cells[truth.mask & (x < 1200.0)].mean()
    clone = (np.hypot(x - 1530.0, y - 930.0) < 200.0) & (truth.field("cell_density/tumour") > 1e5)
    assert truth.field("target/PSMA")[clone].mean() < 0.2
    assert truth.field("target/GRPR")[clone].mean() > 2.0


def test_relative_targets_have_mean_one_and_follow_their_hosts(truth: GroundTruth) -> None:
    for name in ("PSMA", "FAP", "GRPR", "CAIX", "B7-H3", "PD-L1"):
        field = truth.field(f"target/{name}")
        assert field[truth.mask].mean() == pytest.approx(1.0)
        assert (field >= 0.0).all() and (field[~truth.mask] == 0.0).all()
    bare = truth.mask & (truth.field("cell_density/fibroblast") < 1.0)
    assert truth.field("target/FAP")[bare].max() < 1e-3


def test_the_oxygen_solves_its_equation() -> None:
    """The residual of the stated equation, in units of the consumption, by independent differences."""
    rng = np.random.default_rng(1)
    supply = np.where(rng.random((60, 70)) < 0.03, 800.0, 0.0)
    cells = 0.2 + 0.8 * rng.random((60, 70))
    p = steady_oxygen(supply, cells, 10.0)
    laplace = (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4.0 * p[1:-1, 1:-1]) / 100.0
    here = p[1:-1, 1:-1]
    residual = (DIFFUSIVITY_UM2_PER_S * laplace
                - CONSUMPTION_MMHG_PER_S * cells[1:-1, 1:-1] * here / (here + MICHAELIS_MMHG)
                + WALL_UM_PER_S * 1e-4 * supply[1:-1, 1:-1] * (VESSEL_MMHG - here))
    assert np.abs(residual).max() < 1e-5 * CONSUMPTION_MMHG_PER_S


def test_even_oxygen_balances_supply_and_consumption() -> None:
    p = float(steady_oxygen(np.full((8, 8), 100.0), np.ones((8, 8)), 10.0).mean())
    used = CONSUMPTION_MMHG_PER_S * p / (p + MICHAELIS_MMHG)
    assert used == pytest.approx(WALL_UM_PER_S * 1e-2 * (VESSEL_MMHG - p), rel=1e-5)


def test_a_field_that_does_not_exist_is_suggested(truth: GroundTruth) -> None:
    with pytest.raises(BadInput, match="oxygen"):
        truth.field("oxigen")


def test_a_disc_mean_is_what_a_spot_covers(truth: GroundTruth) -> None:
    y, x = np.meshgrid(truth.grid.y_um, truth.grid.x_um, indexing="ij")
    field = truth.field("cell_density/fibroblast")
    places = np.array([[1500.0, 600.0], [2000.0, 2000.0], [700.0, 1500.0]])
    ours = truth.disc_mean("cell_density/fibroblast", places[:, 0], places[:, 1], 55.0)
    for (px, py), value in zip(places, ours, strict=True):
        # the pixels of the 10-um grid inside the disc: coarse, hence 15 % of the mean level
        inside = np.hypot(x - px, y - py) < 27.5
        assert value == pytest.approx(field[inside].mean(), abs=0.15 * field[truth.mask].mean())
