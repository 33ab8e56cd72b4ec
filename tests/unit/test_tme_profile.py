"""The tissue profile: densities against what was put in, invariances, errors."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.special import ndtri
from tme_cases import CENTRES, GENES, LIBRARY, MARKERS, NEST_RADIUS_UM, cell_section, moved, permuted

from nichedose.errors import BadInput
from nichedose.fields import Grid
from nichedose.tissue import ProfileOptions, Proteins, SpatialAssay, TMEProfile, profile
from nichedose.tissue.genes import gene_table
from nichedose.tissue.tme.cell_calls import OTHER, call_cells
from nichedose.tissue.tme.infiltration import normalised_depth
from nichedose.tissue.tme.neighbours import cross_g, mixing_score, morisita_horn
from nichedose.tissue.tme.raster import inside_outlines, signed_distance_um, tessellate
from nichedose.tissue.tme.rows import _matches

QUICK = ProfileOptions(bootstraps=100)
LABELLED = ProfileOptions(bootstraps=100, region_key="region", nest_labels=("nest",))


@pytest.fixture(scope="module")
def section() -> SpatialAssay:
    return cell_section()


@pytest.fixture(scope="module")
def found(section: SpatialAssay) -> TMEProfile:
    return profile(section, LIBRARY, QUICK)


def density(p: TMEProfile, population: str, zone: str) -> float:
    value = p.cells[population].density[zone].value
    assert value is not None
    return value


def test_areas_are_those_of_the_nests_not_of_the_box(found: TMEProfile) -> None:
    """Four discs in a square of 1 mm2.

    Of 8,270 cells per mm2 inside, 8,000 are tumour cells, of 4,300 outside none; blurred by 20 um, tumour cells are
    half of all where a share f of the blur lies inside with 8000 f = 4300 (1 - f) + 270 f: 7.5 um outside the border.
    """
    share = 4300.0 / (8000.0 - 270.0 + 4300.0)
    reach = 20.0 * float(-ndtri(share))
    discs = len(CENTRES) * np.pi * ((NEST_RADIUS_UM + reach) * 1e-3) ** 2
    assert 7.0 < reach < 8.0
    assert found.areas_mm2["nest"] == pytest.approx(discs, rel=0.03)
    assert sum(found.areas_mm2.values()) == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize(("population", "zone", "truth"), [
    ("tumour", "nest", 8000.0), ("fibroblast", "stroma", 3000.0), ("t_cell", "stroma", 600.0),
    ("t_cell", "nest", 100.0), ("cd8_t", "stroma", 600.0), ("endothelial", "stroma", 300.0),
])
def test_densities_are_those_that_were_put_in(section: SpatialAssay, population: str, zone: str, truth: float) -> None:
    """Within three Poisson errors of the number of cells and 4 % for calls and voxels."""
    p = profile(section, LIBRARY, LABELLED)
    cells = truth * p.areas_mm2[zone]
    assert density(p, population, zone) == pytest.approx(truth, rel=3.0 / np.sqrt(cells) + 0.04)


def test_a_hole_is_not_tissue(section: SpatialAssay) -> None:
    """Cutting a hole of 400 um out of the section takes its area away, and leaves the density of stroma as it was."""
    keep = np.hypot(*(section.xy_um - 500.0).T) > 200.0
    cut = permuted(section, np.flatnonzero(keep), np.arange(len(GENES)))
    whole, holed = profile(section, LIBRARY, LABELLED), profile(cut, LIBRARY, LABELLED)
    lost = sum(whole.areas_mm2.values()) - sum(holed.areas_mm2.values())
    assert lost == pytest.approx(np.pi * 0.2**2, rel=0.1)
    assert density(holed, "fibroblast", "stroma") == pytest.approx(density(whole, "fibroblast", "stroma"), rel=0.06)


def test_rules_see_an_excluded_an_inflamed_and_an_empty_section() -> None:
    calls = {}
    for name, nest, stroma in (("excluded", 20.0, 900.0), ("inflamed", 700.0, 600.0), ("desert", 1.0, 2.0)):
        p = profile(cell_section(t_nest=nest, t_stroma=stroma, seed=3), LIBRARY, LABELLED)
        calls[name] = {n: c.phenotype for n, c in p.phenotype.calls.items()}
        assert p.phenotype.agreed == name, calls[name]
        for call in p.phenotype.calls.values():
            assert sum(call.probability.values()) == pytest.approx(1.0)
            assert call.phenotype is not None and call.probability[call.phenotype] > 0.5


def test_thresholds_can_be_changed() -> None:
    rule = LIBRARY.phenotype_rules["ratio"]
    strict = rule.model_copy(update={"numbers": {
        **rule.numbers, "inflamed_ratio": rule.numbers["inflamed_ratio"].model_copy(update={"value": 0.01})}})
    library = replace(LIBRARY, phenotype_rules={"mine": strict.model_copy(update={"name": "mine"})})
    p = profile(cell_section(), library, QUICK)
    assert [(n, c.phenotype) for n, c in p.phenotype.calls.items()] == [("mine", "inflamed")]


def test_the_page_s_numbers_are_plain(found: TMEProfile) -> None:
    text = json.dumps(found.as_dict(), allow_nan=False)
    assert "cd8_t" in text and "per_mm2" in text
    assert all(len(column) == found.n_rows for column in found.row_columns().values())


# ---- invariances


def same(a: TMEProfile, b: TMEProfile, rel: float) -> None:
    for name in ("tumour", "fibroblast", "t_cell", "cd8_t"):
        assert a.cells[name].cells == pytest.approx(b.cells[name].cells, rel=rel)
        for zone in ("nest", "stroma", "margin_out_100um"):
            few = 4.0 / a.areas_mm2["nest"] if rel > 0.01 else 1e-9  # four cells that change voxel
            assert density(a, name, zone) == pytest.approx(density(b, name, zone), rel=rel, abs=few)
    for zone in a.areas_mm2:
        assert a.areas_mm2[zone] == pytest.approx(b.areas_mm2[zone], rel=rel)
    assert [c.phenotype for c in a.phenotype.calls.values()] == [c.phenotype for c in b.phenotype.calls.values()]


@settings(max_examples=4, deadline=None)
@given(shift=st.tuples(*[st.floats(-1e5, 1e5)] * 2))
def test_translation_changes_nothing(section: SpatialAssay, found: TMEProfile, shift: tuple[float, float]) -> None:
    same(profile(moved(section, 0.0, shift), LIBRARY, QUICK), found, rel=2e-3)  # rounding moves cells between voxels


@pytest.mark.parametrize("degrees", [90.0, 30.0])
def test_rotation_changes_no_more_than_voxels_do(section: SpatialAssay, found: TMEProfile, degrees: float) -> None:
    """Voxels of 5 um: the margin of 100 um is known to 5 %, areas to 2 %."""
    turned = profile(moved(section, degrees, (0.0, 0.0)), LIBRARY, QUICK)
    same(turned, found, rel=0.06)


def test_order_of_cells_and_genes_does_not_matter(section: SpatialAssay, found: TMEProfile) -> None:
    rng = np.random.default_rng(0)
    mixed = permuted(section, rng.permutation(section.n_spots), rng.permutation(len(GENES)))
    same(profile(mixed, LIBRARY, QUICK), found, rel=1e-9)


def test_the_unit_of_the_file_does_not_matter(section: SpatialAssay, found: TMEProfile) -> None:
    """The same section written in pixels and read with its scale has the same positions."""
    pixels = section.xy_um / 0.2125
    same(profile(replace(section, xy_um=pixels * 0.2125), LIBRARY, QUICK), found, rel=2e-3)


def test_a_gene_in_two_columns_counts_once(section: SpatialAssay, found: TMEProfile) -> None:
    """Two columns of one symbol whose counts add up to it, and the former name of a symbol."""
    i = GENES.index("EPCAM")
    half = section.counts[:, [i]].toarray() // 2
    rest = section.counts[:, [i]].toarray() - half
    counts = sp.csr_matrix(sp.hstack([section.counts[:, :i], half, section.counts[:, i + 1:], rest]))
    genes = (*GENES[:i], "EPCAM", *GENES[i + 1:], "TACSTD1")
    same(profile(replace(section, counts=counts, genes=genes), LIBRARY, QUICK), found, rel=1e-9)


def test_half_of_the_cells_give_the_density_within_its_error(section: SpatialAssay) -> None:
    """Thinned at random, twice the density is the old one within the two intervals."""
    rng = np.random.default_rng(1)
    half = permuted(section, np.sort(rng.choice(section.n_spots, section.n_spots // 2, replace=False)),
                    np.arange(len(GENES)))
    whole, thin = profile(section, LIBRARY, LABELLED), profile(half, LIBRARY, LABELLED)
    for zone in ("nest", "stroma"):
        a, b = whole.cells["t_cell"].density[zone], thin.cells["t_cell"].density[zone]
        assert b.high is not None and a.low is not None and b.low is not None and a.high is not None
        assert 2.0 * b.low < a.high and a.low < 2.0 * b.high


# ---- parts


def test_cells_are_told_apart(section: SpatialAssay) -> None:
    table = gene_table(section, [g for m in MARKERS.values() for g in m], {})
    depth = np.asarray(section.counts.sum(axis=1)).ravel()
    calls = call_cells(MARKERS, table, depth)
    called = np.array(calls.types)[calls.probability.argmax(axis=1)]
    truth = np.asarray(section.annotations["truth"], dtype=str)
    assert calls.types[-1] == OTHER and not calls.untold
    assert (called == truth).mean() > 0.98
    np.testing.assert_allclose(calls.probability.sum(axis=1), 1.0)


def test_markers_that_stand_out_nowhere_are_no_type(section: SpatialAssay) -> None:
    table = gene_table(section, [*MARKERS["tumour"], "BACKGROUND1", "BACKGROUND2"], {})
    depth = np.asarray(section.counts.sum(axis=1)).ravel()
    calls = call_cells({"tumour": MARKERS["tumour"], "noise": ("BACKGROUND1", "BACKGROUND2"), "gone": ("X",)},
                       table, depth)
    assert calls.types == ("tumour", OTHER)
    assert set(calls.untold) == {"noise", "gone"}


def test_nearest_neighbours_of_an_even_pattern() -> None:
    """G(r) = 1 - exp(-density pi r^2) for an independent Poisson pattern, in spite of the edge."""
    rng = np.random.default_rng(5)
    side, n = 1000.0, 400
    radii = np.array([5.0, 10.0, 20.0, 30.0, 40.0, 60.0])
    error, naive = [], []
    for _ in range(20):
        source, target = rng.uniform(0.0, side, (2, n, 2))
        distance = cKDTree(target).query(source)[0]
        edge = np.minimum(source, side - source).min(axis=1)
        exact = 1.0 - np.exp(-n / side**2 * np.pi * radii**2)
        error.append(cross_g(distance, edge, radii) - exact)
        naive.append((distance[:, None] <= radii).mean(axis=0) - exact)
    mean = np.mean(error, axis=0)
    assert np.abs(mean).max() < 3.0 * np.std(error, axis=0).max() / np.sqrt(20)
    assert np.mean(naive, axis=0)[-1] < mean[-1] - 0.005  # without the correction too few are found near the edge


def test_mixing_and_overlap_at_their_limits() -> None:
    rng = np.random.default_rng(0)
    a = rng.uniform(0.0, 100.0, (300, 2))
    apart = mixing_score(a, a + 1000.0, 20.0)
    mixed = mixing_score(a, rng.uniform(0.0, 100.0, (300, 2)), 20.0)
    assert apart == 0.0 and mixed == pytest.approx(2.0, rel=0.1)  # pairs between over pairs within: n m / (n^2/2)
    assert mixing_score(a[:1], a, 5.0) is None
    assert morisita_horn(np.array([1.0, 0.0]), np.array([0.0, 3.0])) == 0.0
    assert morisita_horn(np.zeros(2), np.ones(2)) is None


def test_depth_of_an_even_disc_is_a_third() -> None:
    rng = np.random.default_rng(0)
    radius = 100.0 * np.sqrt(rng.uniform(size=200_000))
    assert normalised_depth(100.0 - radius, 100.0) == pytest.approx(1.0 / 3.0, abs=2e-3)
    assert normalised_depth(np.array([]), 1.0) is None


def test_distance_to_a_straight_border() -> None:
    grid = Grid((40, 60), 5.0)
    inside = np.zeros(grid.shape, dtype=bool)
    inside[:, :30] = True
    distance = signed_distance_um(inside, ~inside, 5.0)
    exact = grid.x_um - 0.5 * (grid.x_um[29] + grid.x_um[30])
    np.testing.assert_allclose(distance, np.broadcast_to(exact, grid.shape), atol=1e-9)
    alone = signed_distance_um(np.ones((3, 3), dtype=bool), np.zeros((3, 3), dtype=bool), 5.0)
    assert np.all(alone == -np.inf)


def test_outlines_are_filled_to_their_area() -> None:
    angle = np.linspace(0.0, 2.0 * np.pi, 200, endpoint=False)
    ring = 100.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    grid = Grid((260, 260), 1.0, (-130.0, -130.0))
    area = inside_outlines(grid, [ring, 0.5 * ring]).sum()  # the second outline is a hole
    assert area == pytest.approx(0.75 * np.pi * 1e4, rel=0.01)


def test_a_single_file_of_cells_owns_a_strip() -> None:
    xy = np.stack([np.arange(0.0, 1000.0, 10.0), np.zeros(100)], axis=1)
    raster = tessellate(xy, voxel_um=1.0, reach_um=30.0, margin_um=5.0)
    assert raster.area_mm2 == pytest.approx(1.0 * 0.01, rel=0.06)
    assert len(np.unique(raster.owner[raster.tissue])) == 100


# ---- what a user can get wrong


@pytest.mark.parametrize(("change", "text"), [
    ({"region_key": "regoin", "nest_labels": ("nest",)}, "region"),
    ({"region_key": "region", "nest_labels": ("nests",)}, "Did you mean 'nest'"),
    ({"phenotype_key": "nothing"}, "no annotation 'nothing'"),
    ({"voxel_um": 0.001}, "take larger voxels"),
])
def test_options_that_do_not_fit_the_section(section: SpatialAssay, change: dict[str, object], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        profile(section, LIBRARY, ProfileOptions(**change))  # type: ignore[arg-type]


@pytest.mark.parametrize(("change", "text"), [
    ({"region_key": "region"}, "needs nest labels"),
    ({"nest_labels": ("nest",)}, "need the column"),
    ({"voxel_um": -1.0}, "voxel_um must be a length"),
    ({"tile_um": float("nan")}, "tile_um must be a length"),
    ({"margins_um": ()}, "margins_um"),
    ({"bootstraps": 3}, "bootstraps"),
    ({"nest_share": 1.5}, "nest_share"),
    ({"rows": "cell"}, "rows = 'cell'"),
])
def test_options_that_make_no_sense(change: dict[str, object], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        ProfileOptions(**change)  # type: ignore[arg-type]


def test_counts_that_are_none(section: SpatialAssay) -> None:
    broken = section.counts.copy()
    broken.data[0] = np.nan
    with pytest.raises(BadInput, match="NaN"):
        profile(replace(section, counts=broken), LIBRARY)
    with pytest.raises(BadInput, match="all counts are zero"):
        profile(replace(section, counts=sp.csr_matrix(section.counts.shape)), LIBRARY)


def test_a_section_without_tumour_markers_asks(section: SpatialAssay) -> None:
    names = tuple(f"X{i}" if g in MARKERS["tumour"] else g for i, g in enumerate(GENES))
    with pytest.raises(BadInput, match="phenotype_key"):
        profile(replace(section, genes=names), LIBRARY, QUICK)


def test_named_cells_are_taken_at_their_name(section: SpatialAssay) -> None:
    names = {"tumour": "CK+", "t_cell": "CD3+CD8+", "macrophage": "CD68+"}
    called = np.array([names.get(t, "other") for t in section.annotations["truth"]], dtype=object)
    p = profile(replace(section, annotations={"Phenotype": called}), LIBRARY,
                ProfileOptions(bootstraps=50, phenotype_key="Phenotype"))
    assert p.cells["cd8_t"].cells == (called == "CD3+CD8+").sum()
    assert "fibroblast" in p.unknown and p.composite.axes["fibrotic"].share is None
    assert "hypoxia" in p.unknown


@pytest.mark.parametrize(("name", "populations"), [
    ("CD8+", {"t_cell", "cd8_t"}), ("CD3+CD8-", {"t_cell"}), ("CD3+ CD8+", {"t_cell", "cd8_t"}), ("CK+", {"tumour"}),
    ("Tumor CD45- CD30+", {"tumour"}), ("Tumor CD4+ CD8+", {"tumour"}), ("PD1+ T cells", {"t_cell"}),
    ("Regulatory T cells", {"t_cell", "treg"}), ("CD8 T cells", {"t_cell", "cd8_t"}), ("other", set()),
    ("Non-tumor", set()), ("M2 Macrophages", {"macrophage"}), ("ECAD+", {"tumour"}), ("", set()),
    ("Tumor macrophages", {"macrophage"}), ("Tumor_CAF", {"fibroblast"}), ("myCAF", {"fibroblast"}),
    ("T-cells", {"t_cell"}),
    ("tumour endothelial", {"endothelial"}), ("stromal macrophage", {"macrophage"}), ("Normal epithelial", set()),
    ("cancer_associated_fibroblasts", {"fibroblast"}), ("Tumor_infiltrating_lymphocytes", set()),
])
def test_names_of_cells_as_files_have_them(name: str, populations: set[str]) -> None:
    words = {n: p.words for n, p in LIBRARY.populations.items()}
    assert {n for n, w in words.items() if _matches(name, w, words["tumour"])} == populations


def test_stained_cells_are_taken_by_their_calls(section: SpatialAssay) -> None:
    """A panel of four proteins and no genes: types and CD8 T cells by the calls, the rest unknown with the reason."""
    truth = np.asarray(section.annotations["truth"], dtype=str)
    calls = np.stack([truth == "tumour", truth == "t_cell", truth == "t_cell", truth == "macrophage"], axis=1)
    proteins = Proteins(("KRT8", "CD3E", "CD8A", "CD68"), calls.astype(float), calls)
    stained = replace(section, counts=sp.csr_matrix((section.n_spots, 0)), genes=(), annotations={}, proteins=proteins)
    p = profile(stained, LIBRARY, QUICK)
    assert p.cells["cd8_t"].cells == calls[:, 2].sum() and p.cells["tumour"].cells == calls[:, 0].sum()
    assert "FOXP3" in p.unknown["treg"] and "fibroblast" in p.unknown
    assert all(s.value is None for s in p.scores.values())
    uncalled = replace(stained, proteins=replace(proteins, positive=None))
    with pytest.raises(BadInput, match="neither phenotypes nor calls"):
        profile(uncalled, LIBRARY, QUICK)


def test_regions_of_interest_are_no_map(section: SpatialAssay) -> None:
    with pytest.raises(BadInput, match="no map"):
        profile(replace(section, observation="region"), LIBRARY, QUICK)


def test_few_tiles_and_missing_lists_are_said(found: TMEProfile) -> None:
    assert found.scores["hypoxia"].abstained is not None and found.scores["hypoxia"].value is None
    assert {b.name: b.level for b in found.barriers}["Hypoxia"] == "unknown"
    assert "treg" in found.unknown
    assert found.targets["PSMA"].missing == ("FOLH1",)


def test_spots_take_the_abundances_of_the_file(spots: SpatialAssay) -> None:
    """Tumour cells as the file says, on the left, though markers are even; passed over when asked."""
    left = (spots.xy_um[:, 0] < np.median(spots.xy_um[:, 0])).astype(float)
    named = {"Cancer Epithelial": 4.0 * left, "CAFs": 4.0 * (1.0 - left), "T_CD8": np.ones(spots.n_spots)}
    told = replace(spots, annotations={f"abundance:{n}": v for n, v in named.items()})
    found = profile(told, LIBRARY, ProfileOptions(bootstraps=50))
    assert found.how["cells"] == "abundances of cell types in the file"
    assert np.array_equal(found.rows.amounts["tumour"] > 0.0, left > 0.0)
    assert "no abundance of the file" in found.unknown["macrophage"]
    assert any(f.about == "composition" and "'T_CD8'" in f.text for f in found.flags)
    markers = profile(told, LIBRARY, ProfileOptions(bootstraps=50, composition="markers"))
    assert "marker genes" in markers.how["cells"] and (markers.rows.amounts["tumour"] > 0.0).all()
    with pytest.raises(BadInput, match="holds no abundances"):
        profile(spots, LIBRARY, ProfileOptions(composition="reported"))
    with pytest.raises(BadInput, match=r"composition = 'cell2location'.*auto, reported or markers"):
        ProfileOptions(composition="cell2location")  # type: ignore[arg-type]


def test_names_of_cells_are_refused_for_spots(spots: SpatialAssay) -> None:
    with pytest.raises(BadInput, match=r"phenotype_key = 'truth'.*rows are spots"):
        profile(spots, LIBRARY, ProfileOptions(phenotype_key="truth"))
    unmarked = replace(spots, genes=tuple(f"{g}X" for g in spots.genes))
    with pytest.raises(BadInput, match=r"tumour cells cannot be told apart.*Give abundances of cell types"):
        profile(unmarked, LIBRARY)


@pytest.fixture(scope="module")
def spots() -> SpatialAssay:
    rng = np.random.default_rng(4)
    xy = 100.0 * np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=-1).reshape(-1, 2)
    return SpatialAssay(
        counts=sp.csr_matrix(rng.poisson(4.0, (144, len(GENES))).astype(float)), genes=GENES, xy_um=xy,
        barcodes=tuple(f"s{i}" for i in range(144)), pitch_um=100.0, spot_diameter_um=55.0, lattice="square",
        kind="made", sample="spots", scale_evidence="made up")
