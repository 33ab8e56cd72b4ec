"""What may be measured of a target's mean, in which units, and what it makes of the field."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, TARGETS, fixed, made_section, tissue_parameters

from nichedose.anchors import Anchor, anchor_of
from nichedose.case import parse_case
from nichedose.case_template import template_text
from nichedose.errors import BadInput
from nichedose.library import load_library
from nichedose.tissue import SpotModel, build_tissue_map, map_with_spread, model_section
from nichedose.tissue.anchored import anchor_log_sd, anchored_mean, relative_density
from nichedose.values import Draw

LIBRARY = load_library()
PSMA = LIBRARY.targets["PSMA"]


@pytest.fixture(scope="module")
def model() -> SpotModel:
    return model_section(made_section().assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)


@pytest.mark.parametrize(("text", "kind", "value"), [
    ("60 nmol/L", "density", 60.0), ("0.06 uM", "density", 60.0),
    ("60 pmol/mL", "density", 60.0), ("40 pmol/g tissue", "bmax_tissue", 40.0),
    ("40 fmol/mg wet tissue", "bmax_tissue", 40.0), ("0.3 pmol/mg protein", "bmax_protein", 300.0),
    ("900 fmol/mg  membrane protein", "bmax_membrane", 900.0), ("1.2e5 sites/cell", "sites_per_cell", 1.2e5),
    ("1.2e5 receptors per cell", "sites_per_cell", 1.2e5), ("180 H-score", "h_score", 180.0),
    ("H-score 180", "h_score", 180.0), ("300 fmol/mg Protein", "bmax_protein", 300.0),
    ("40 pmol/g Tissue", "bmax_tissue", 40.0),
])
def test_units_tell_what_was_measured(text: str, kind: str, value: float) -> None:
    found = anchor_of(text)
    assert found.kind == kind and found.value == pytest.approx(value, rel=1e-12)
    assert anchor_of(found) == found and found.relative_sd == 0.0


@pytest.mark.parametrize(("raw", "message"), [
    (60, "60 has no unit"), ("60", "'60' has no unit"), ("300 fmol/mg", "of what is not said"),
    ("300 fmol/mg urine", "'urine' is not known"), ("3 Gy", "measures dose, not binding sites"),
    ("12 MBq", r"goes into \[\[measured_uptake\]\]"), ("400 H-score", "runs from 0 to 300"),
    ("5 SUV", r"unit 'SUV'.*\[\[measured_uptake\]\]"),
    ("-5 nmol/L", "must be 0 to"), ("many", "not a number"), ({"value": "60 nmol/L", "sd": 1}, "'sd' is not a field"),
    ({"value": "60 nmol/L", "relative_sd": 5}, "relative_sd = 5"), ({"relative_sd": 0.1}, "write an anchor as text"),
])
def test_what_is_no_anchor_is_refused_with_what_is(raw: object, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        anchor_of(raw)


def test_a_case_takes_anchors_as_text_or_with_their_error() -> None:
    text = template_text().replace("[anchors]", '[anchors]\nFAP = { value = "300 fmol/mg protein", relative_sd = 0.2 }')
    case = parse_case(text)
    assert case.anchors["FAP"] == Anchor("bmax_protein", 300.0, 0.2)
    with pytest.raises(BadInput, match=r"'anchors.FAP': '300 fmol/mg' is an amount per mass"):
        parse_case(text.replace("mg protein", "mg"))


def test_a_bmax_is_a_density_by_the_protein_in_tissue() -> None:
    p = tissue_parameters(protein_mass_fraction=fixed(0.15), membrane_protein_mass_fraction=fixed(0.02),
                          tissue_density_kg_per_L=fixed(1.04))
    for text, expected in (("40 pmol/g tissue", 41.6), ("300 fmol/mg protein", 46.8),
                           ("900 fmol/mg membrane protein", 18.72), ("50 nmol/L", 50.0)):
        assert anchored_mean(anchor_of(text), PSMA, p, Draw()) == pytest.approx(expected, rel=1e-12)


def test_sites_per_cell_are_those_of_the_first_host_s_cells(model: SpotModel) -> None:
    """1e5 sites on each tumour cell, whatever another host bears: checked on the fields, in the central run and a draw
    (the same sums twice: rounding)."""
    for draw in (Draw(), Draw(3, 1)):
        tissue = build_tissue_map(
            model, tissue_parameters(), TARGETS, anchors={"BOTH": "1e5 sites/cell"}, draw=draw, spacing_um=50.0)
        field = tissue.targets["BOTH"]
        sites_per_mm3 = field.by_host_nmol_per_L["tumour"][tissue.mask].mean() * 6.02214076e14 * 1e-6
        assert sites_per_mm3 / tissue.cell_density_per_mm3["tumour"][tissue.mask].mean() == pytest.approx(1e5, rel=1e-9)
        assert field.anchor == "100000 sites per cell" and field.scale == "absolute"


def test_sites_per_cell_need_a_cell() -> None:
    section = made_section()
    collagen = LIBRARY.targets["collagen"].model_copy(update={"genes": ("TUMGENE",)})
    found = model_section(section.assay, CELL_TYPES, {"collagen": collagen}, SIGNATURES, ALIASES)
    with pytest.raises(BadInput, match=r"matrix is no cell type; give a density or a Bmax"):
        build_tissue_map(found, tissue_parameters(), {"collagen": collagen}, anchors={"collagen": "1e5 sites/cell"})


def test_an_anchor_without_a_map_is_said(model: SpotModel) -> None:
    tissue = build_tissue_map(model, tissue_parameters(), TARGETS, anchors={"ABSENT": "7 nmol/L"}, spacing_um=50.0)
    [flag] = [f for f in tissue.flags if f.about == "ABSENT"]
    assert "NOTMEASURED not among the genes" in flag.text and "is not used" in flag.text


def test_each_field_says_its_anchor_and_how_far_it_may_be_off(model: SpotModel) -> None:
    p = LIBRARY.tissue
    given = {"TUM": "40 pmol/g tissue", "BOTH": "200 H-score", "PAIR": "300 fmol/mg membrane protein"}
    fields = build_tissue_map(model, p, TARGETS, anchors=given, spacing_um=50.0).targets
    assert fields["TUM"].anchor == "a Bmax of 40 fmol/mg tissue" and fields["TUM"].scale == "absolute"
    assert fields["BOTH"].anchor == "an H-score of 200" and fields["BOTH"].scale == "relative"
    assert fields["RARE"].anchor == "library" and fields["RARE"].scale == "relative"
    sd = {n: f.error.section_mean for n, f in fields.items() if f.error is not None}
    assert 1.0 < sd["TUM"] < 1.05 < sd["PAIR"] < 3.0
    assert sd["BOTH"] > sd["RARE"] == pytest.approx(2.0)  # the library's own


def test_an_h_score_orders_and_widens() -> None:
    """More stain, more sites; at 300 no sites beyond the library's by more than a weak reference allows; never narrower
    than the library, whatever the score."""
    p = LIBRARY.tissue
    scores = (0.0, 5.0, 50.0, 150.0, 300.0)
    means = [anchored_mean(Anchor("h_score", h), PSMA, p, Draw()) for h in scores]
    assert all(a < b for a, b in itertools.pairwise(means))
    library = anchor_log_sd(None, PSMA, p)
    assert all(anchor_log_sd(Anchor("h_score", h), PSMA, p) > library for h in scores)
    assert means[-1] < 3.0 * PSMA.mean_density_nmol_per_L.central


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_relative_density_at_its_ends(share: float) -> None:
    assert relative_density(300.0, 5.0, share) == pytest.approx(1.0)
    assert relative_density(0.0, 5.0, share) == relative_density(1.0, 5.0, share) > 0.0
    assert relative_density(200.0, 5.0, 0.0) == pytest.approx(0.2) and relative_density(150.0, 5.0, 1.0) == 0.5


@pytest.mark.parametrize("text", ["60 nmol/L", "300 fmol/mg protein", "1e5 sites/cell", "180 H-score"])
def test_the_stated_error_of_the_mean_is_that_of_its_draws(text: str) -> None:
    """400 draws of the mean: a standard deviation is told to 1/sqrt(800) = 3.5 %; three of these, and 5 % for laws that
    are not normal."""
    anchor = anchor_of({"value": text, "relative_sd": 0.2})
    logs = [math.log(anchored_mean(anchor, PSMA, LIBRARY.tissue, Draw(5, i))) for i in range(400)]
    spread = 0.5 * np.diff(np.quantile(logs, [0.1587, 0.8413]))[0] if "H-score" not in text else np.std(logs)
    assert spread == pytest.approx(anchor_log_sd(anchor, PSMA, LIBRARY.tissue), rel=0.16)


def test_the_error_of_a_score_counts_by_how_steeply_sites_rise_with_it() -> None:
    """600 draws, as above: at 200 a tenth more score is a quarter more sites."""
    anchor = anchor_of({"value": "200 H-score", "relative_sd": 0.5})
    logs = [math.log(anchored_mean(anchor, PSMA, LIBRARY.tissue, Draw(5, i))) for i in range(600)]
    assert np.std(logs) == pytest.approx(anchor_log_sd(anchor, PSMA, LIBRARY.tissue), rel=0.1)


@pytest.mark.parametrize("name", ["TUM", "BOTH"])
def test_the_stated_error_of_sites_per_cell_is_that_of_the_map_s_draws(model: SpotModel, name: str) -> None:
    """The number of cells, the host's share and what others bear; 200 draws tell it to 5 %, and it is first order."""
    def mean(i: int) -> tuple[float, float]:
        tissue = build_tissue_map(model, LIBRARY.tissue, {name: TARGETS[name]}, anchors={name: "1e5 sites/cell"},
                                  spacing_um=100.0, draw=Draw(2, i))
        field = tissue.targets[name]
        assert field.error is not None
        return math.log(field.total_nmol_per_L[tissue.mask].mean()), math.log(field.error.section_mean)

    drawn, stated = np.array([mean(i) for i in range(200)]).T
    assert drawn.std() == pytest.approx(stated.mean(), rel=0.2)
    assert stated.mean() > anchor_log_sd(anchor_of("1e5 sites/cell"), PSMA, LIBRARY.tissue)


def test_cells_that_were_counted_err_by_the_thickness_of_the_section(model: SpotModel) -> None:
    counted = replace(model, cells_per_mm2=3000.0, errors=None)
    field = build_tissue_map(counted, LIBRARY.tissue, {"TUM": TARGETS["TUM"]}, anchors={"TUM": "1e5 sites/cell"},
                             spacing_um=100.0).targets["TUM"]
    assert field.error is not None and 1.05 < field.error.section_mean < 1.25  # 4 to 10 um, and nuclei of 7 to 10


def test_a_measured_mean_narrows_the_map_s_intervals(model: SpotModel) -> None:
    def width(anchors: dict[str, object]) -> float:
        found = map_with_spread(model, LIBRARY.tissue, TARGETS, draws=39, spacing_um=100.0, fields=["target_TUM"],
                                anchors=anchors).spread["target_TUM"].mean
        return math.log(found[2] / found[0])

    assert width({"TUM": {"value": "40 nmol/L", "relative_sd": 0.15}}) < 0.6 * width({}) < width({"TUM": "200 H-score"})


def test_tumours_in_which_a_density_was_found_are_those_of_a_case() -> None:
    found = {t for target in LIBRARY.targets.values() for t in target.density_found_in}
    assert found and found <= set(LIBRARY.radiobiology)
