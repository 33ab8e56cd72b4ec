"""The scenario after Hong et al. 2024: sections of histology, the five findings on made-up lesions, small runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nichedose.cli import app
from nichedose.errors import BadInput
from nichedose.io.histology_file import read_histology_table
from nichedose.library import load_library
from nichedose.report import findings_text, render_findings
from nichedose.study.histology import (
    CLASSES,
    TARGETS,
    Histology,
    generated_histology,
    histology_from_labels,
    histology_map,
    histology_table,
)
from nichedose.study.hong import FINDINGS, VARIANTS, hong_scenario, scenario_named, scene_setup, section_kills
from nichedose.values import Draw

DENSITY = dict.fromkeys(TARGETS, 40.0)


def test_every_number_of_the_table_has_a_source_or_is_assumed() -> None:
    table = histology_table()
    for name, classes in table.fields.items():
        assert set(classes) == set(CLASSES), name
        for value in classes.values():
            assert value.source is None or value.source in table.sources
            assert value.source != "hong_2024"  # expression comes from outside that paper


def test_a_section_is_scaled_to_its_densities_at_any_spacing() -> None:
    parameters = load_library().tissue
    histology = generated_histology(4, side_um=1200.0)
    for index in (None, 3):
        means = []
        for spacing in (50.0, 100.0):
            draw = Draw(seed=2, index=index)
            tissue = histology_map(histology, histology_table(), parameters, DENSITY, draw, spacing)
            assert all(float(f.total_nmol_per_L[tissue.mask].mean()) == pytest.approx(40.0)
                       for f in tissue.targets.values())
            means.append(float(tissue.oxygen_mmHg[tissue.mask].mean()))
        assert means[0] == pytest.approx(means[1], rel=0.1)


def test_targets_sit_where_their_hosts_are() -> None:
    tissue = histology_map(generated_histology(4), histology_table(), load_library().tissue, DENSITY, Draw(), 50.0)
    tumour, fibroblast = (tissue.cell_density_per_mm3[c][tissue.mask] for c in ("tumour", "fibroblast"))

    def correlation(target: str, cells: np.ndarray) -> float:
        return float(np.corrcoef(tissue.targets[target].total_nmol_per_L[tissue.mask], cells)[0, 1])

    assert correlation("PSMA", tumour) > 0.7 and correlation("PSMA", fibroblast) < 0.0
    assert correlation("FAP", fibroblast) > 0.3


def test_permuted_labels_keep_the_composition() -> None:
    one = generated_histology(1)
    other = one.permuted(5)
    assert np.array_equal(np.sort(one.label), np.sort(other.label)) and not np.array_equal(one.label, other.label)


def test_kills_of_a_section_are_the_same_each_time() -> None:
    setup = scene_setup(seed=1)
    histology = generated_histology(2, side_um=900.0)
    agents = ("177Lu-own-PSMA", "225Ac-own-FAP")
    first, second = (section_kills(setup, histology, Draw(seed=1, index=0), 75.0, agents) for _ in range(2))
    assert first == second and all(k > 0.0 for k in first.values())
    assert first["225Ac-own-FAP"] != first["177Lu-own-PSMA"]


def test_a_small_run_tells_all_that_it_should() -> None:
    small = [dataclasses.replace(generated_histology(s, side_um=800.0), sample=f"s{s}") for s in (1, 2)]
    found = hong_scenario(draws=1, workers=1, sections=small)
    assert set(found.numbers["share"]) == set(VARIANTS)
    assert all(set(s) == set(FINDINGS) for s in found.numbers["share"].values())
    text, page = findings_text(found), render_findings(found)
    assert "labels permuted" in text and "everything on" in text and "10.7150/thno.99516" in page
    assert found.numbers["share"]["no RBE of alphas"]["225Ac above 177Lu"] == 0.0
    told = {u.key: u.value for u in found.values_used}
    assert all(v.source is None or v.source in found.sources for v in told.values())
    assert {"histology.GRPR.high grade", "histology.FAP.benign"} <= set(told)


def test_a_table_of_histology_is_read(tmp_path: Path) -> None:
    path = tmp_path / "section.csv"
    rows = ("Barcode,Final_Annotations,x_um,y_um", "a,GG4 Cribriform,0,0", "b,Stroma,100,0", "c,Exclude,200,0",
            "d,,1,2")
    path.write_text("\n".join(rows) + "\n")
    section = histology_from_labels("s", *read_histology_table(path))
    assert section.label.tolist() == [0, 3] and section.xy_um.shape == (2, 2)


def test_annotated_sections_of_real_tissue(shared: Path) -> None:
    folder = shared / "data" / "prostate_visium_annotations_erickson"
    if not folder.is_dir():
        pytest.skip("the annotated sections are not among the reference data")
    section = histology_from_labels("H1_4", *read_histology_table(folder / "H1_4.csv.gz"))
    counts = np.bincount(section.label, minlength=4)
    assert counts.tolist() == [376, 938, 705, 1674 + 8]


@pytest.mark.parametrize(("text", "words"), [
    ("a,b\n1,2\n", "has no column Final_Annotations"),
    ("Final_Annotations,x_um,y_um\nStroma,one,2\n", "must be numbers"),
    ("Final_Annotations,x_um,y_um\nStroma,,2\n", "must be finite"),
    ("Final_Annotations,x_um,y_um\nCloud,1,2\n", "none of its labels"),
    ("Final_Annotations,x_um,y_um\nStroma,1,2\n", "no spot is tumour"),
    ("", "cannot be read"),
])
def test_tables_that_say_nothing(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "section.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=words):
        histology_from_labels("s", *read_histology_table(path))


def test_other_mistakes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no file"):
        read_histology_table(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="two sections"):
        hong_scenario(sections=[generated_histology(1)])
    with pytest.raises(BadInput, match="one or more"):
        hong_scenario(draws=0)
    with pytest.raises(BadInput, match="Did you mean 'hong-2024'"):
        scenario_named("hong-2042")
    with pytest.raises(BadInput, match="needs spots"):
        Histology("s", np.zeros((0, 2)), np.zeros(0, dtype=int))
    assert CliRunner().invoke(app, ["scenario", "hong"]).exit_code != 0
