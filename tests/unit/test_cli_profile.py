"""`nichedose profile`: page, numbers and object; and what a user can get wrong, without a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from tme_cases import cell_section
from typer.testing import CliRunner

from nichedose.cli import app
from nichedose.errors import BadInput
from nichedose.io import read_normal_tissue, read_reference


def written(folder: Path, name: str = "section", *, spatial: bool = True, seed: int = 0) -> Path:
    section = cell_section(seed=seed, sample=name)
    data = anndata.AnnData(
        X=section.counts.astype(np.int32), obs=pd.DataFrame(
            {"truth": section.annotations["truth"], "region": section.annotations["region"]},
            index=pd.Index(section.barcodes, dtype=object)),
        var=pd.DataFrame(index=pd.Index(section.genes, dtype=object)))
    if spatial:
        data.obsm["spatial"] = section.xy_um
        data.uns["spatial_units"] = "um"
    path = folder / f"{name}.h5ad"
    data.write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("profile")
    written(place, "section")
    written(place, "later", seed=1)
    written(place, "reference", spatial=False)
    return place


def run(*arguments: str | Path) -> object:
    return CliRunner().invoke(app, ["profile", *map(str, arguments), "--quiet", "--json"], catch_exceptions=True)


def test_page_numbers_and_object(folder: Path) -> None:
    out = folder / "results"
    done = run(folder / "section.h5ad", "-o", out, "--rows", "cells", "--bootstraps", "50", "--discover",
               "--before", folder / "later.h5ad")
    assert done.exit_code == 0, done.output  # type: ignore[attr-defined]
    printed = json.loads(done.stdout)  # type: ignore[attr-defined]
    assert "xcluded" in printed["answer"]
    stored = json.loads((out / "profile.json").read_text("utf-8"))
    assert stored["profile"]["populations"].keys() == printed["profile"]["populations"].keys()
    assert stored["discovery"]["ranked"][0]["gene"] in ("EPCAM", "CDH1", "CLDN4")
    assert stored["change"]["changes"]
    page = (out / "profile.html").read_text("utf-8")
    assert "Research software, not a medical device" in page and "src=\"http" not in page
    [name] = [p for p in out.iterdir() if p.suffix == ".h5ad"]
    data = anndata.read_h5ad(name)
    assert {"nichedose_border_distance_um", "nichedose_in_nest", "nichedose_population_cd8_t"} <= set(data.obs.columns)
    again = run(folder / "section.h5ad", "-o", out)
    assert again.exit_code != 0  # type: ignore[attr-defined]  # nothing is overwritten unasked


def test_a_reference_without_space(folder: Path) -> None:
    table = folder / "organs.csv"
    table.write_text("gene,kidney,marrow\nCLDN4,0,0\nEPCAM,50,0\nTFRC,9,900\nCDH1,40,1\n", "utf-8")
    done = run(folder / "reference.h5ad", "-o", folder / "reference", "--discover", "--tumour-key", "truth",
               "--tumour-labels", "tumour", "--normal-tissue", table)
    assert done.exit_code == 0, done.output  # type: ignore[attr-defined]
    first = json.loads(done.stdout)["discovery"]["ranked"][0]  # type: ignore[attr-defined]
    assert first["gene"] == "CLDN4" and first["contrast_log2"] > 3.0


@pytest.mark.parametrize(("arguments", "text"), [
    (("section.h5ad", "--region-key", "regoin", "--nest-labels", "nest"), "Did you mean 'region'"),
    (("section.h5ad", "--nest-labels", "nest"), "region-key"),
    (("section.h5ad", "--rows", "cell"), "rows = 'cell'"),
    (("section.h5ad", "--normal-tissue", "x.csv"), "belong to --discover"),
    (("section.h5ad", "--discover", "--normal-tissue", "x.csv"), "no such file"),
    (("reference.h5ad", "--discover", "--tumour-key", "truht", "--tumour-labels", "tumour"), "Did you mean 'truth'"),
    (("reference.h5ad", "--discover", "--tumour-key", "truth"), "tumour-labels"),
    (("reference.h5ad",), "no spatial coordinates"),
    (("nothing.h5ad",), "no such file"),
])
def test_mistakes_are_explained(folder: Path, arguments: tuple[str, ...], text: str, tmp_path: Path) -> None:
    done = run(folder / arguments[0], *arguments[1:], "-o", tmp_path / "out")
    assert isinstance(done.exception, BadInput)  # type: ignore[attr-defined]
    assert text in str(done.exception)  # type: ignore[attr-defined]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("content", "text"), [
    ("gene,kidney\nA,1\nA,2\n", "stands twice"),
    ("gene,kidney\nA,high\n", "kidney, A"),
    ("gene,kidney\nA,-1\n", "kidney, A"),
    ("gene\nA\n", "organs in the others"),
])
def test_tables_of_normal_tissue(tmp_path: Path, content: str, text: str) -> None:
    table = tmp_path / "organs.csv"
    table.write_text(content, "utf-8")
    with pytest.raises(BadInput, match=text):
        read_normal_tissue(table)


def test_a_reference_must_hold_counts(folder: Path, tmp_path: Path) -> None:
    data = anndata.read_h5ad(folder / "reference.h5ad")
    data.X = data.X.astype(float) * 0.5
    data.write_h5ad(tmp_path / "half.h5ad")
    with pytest.raises(BadInput, match="raw counts"):
        read_reference(tmp_path / "half.h5ad", "truth", ("tumour",))
    (tmp_path / "cut.h5ad").write_bytes((folder / "reference.h5ad").read_bytes()[:2000])
    with pytest.raises(BadInput, match=r"cannot be read as \.h5ad"):
        read_reference(tmp_path / "cut.h5ad", "truth", ("tumour",))
