"""What a plan says of densities that were not measured in this lesion."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from plan_cases import demo_case

from nichedose.anchors import anchor_of
from nichedose.io import read_tissue
from nichedose.library import load_library
from nichedose.study.responses import prepare
from nichedose.study.section_maps import tissue_maps
from nichedose.study.standing import target_doubts, target_shown
from nichedose.tissue import build_tissue_map, model_section


def doubts(tmp_path: Path, **changes: object) -> str:
    case, path = demo_case(tmp_path / "demo", draws=2)
    setup = prepare(case.model_copy(update={"anchors": {}, **changes}), path)
    maps = tissue_maps(setup, setup.draw(), 60.0)
    return "; ".join(target_doubts(setup, maps, "PSMA"))


def test_a_density_found_in_other_tumours_is_told(tmp_path: Path) -> None:
    """The library's PSMA is that of prostate cancer."""
    assert doubts(tmp_path) == "mean density of PSMA comes from the library, not from this lesion"
    assert "found in prostate tumours, and this one is breast" in doubts(tmp_path, tumour="breast")


def test_an_h_score_leaves_the_library_s_scale_in_doubt(tmp_path: Path) -> None:
    assert "shifted by an H-score of 200" in doubts(tmp_path, anchors={"PSMA": anchor_of("200 H-score")})
    assert doubts(tmp_path, anchors={"PSMA": anchor_of("60 nmol/L")}) == ""


def test_a_gene_hardly_seen_does_not_show_its_target(tmp_path: Path) -> None:
    case, path = demo_case(tmp_path / "demo", draws=2)
    setup = prepare(case.model_copy(update={"anchors": {}}), path)
    maps = tissue_maps(setup, setup.draw(), 60.0)
    assert target_shown(setup, maps, "PSMA")
    rare = dataclasses.replace(maps[0].targets["PSMA"], detected=False)
    maps = (dataclasses.replace(maps[0], targets={**maps[0].targets, "PSMA": rare}),)
    assert not target_shown(setup, maps, "PSMA")
    assert "and is drawn downwards" in "; ".join(target_doubts(setup, maps, "PSMA"))


def test_a_breast_section_does_not_show_sstr2(shared: Path) -> None:
    """140 transcripts in 7,352 cells are a map, and 0.04 of the average gene: no evidence for the library's density,
    which is that of neuroendocrine tumours."""
    library = load_library()
    assay = read_tissue(shared / "data" / "xenium_breast_idc" / "xenium_idc.h5ad", coordinate_unit="um")
    model = model_section(assay, library.cell_types, library.targets, library.signatures, library.aliases)
    target = model.targets["SSTR2"]
    assert target.counts == 140 and target.shape_known and not target.detected
    found = build_tissue_map(model, library.tissue, library.targets, spacing_um=50.0).targets["SSTR2"]
    assert found.total_nmol_per_L.max() > 0.0 and not found.detected
    assert library.targets["SSTR2"].density_found_in == ("neuroendocrine",)
