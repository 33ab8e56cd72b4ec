"""What is wrong with a file of cells is said by name: damaged, cut off, empty, of two versions, in the wrong unit."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from io_fake import write_h5ad

from io_cells_fake import (
    GENES,
    cell_anndata,
    cut_off,
    fake_cells,
    halo_frame,
    inform_frame,
    mcmicro_frame,
    plain_frame,
    qupath_frame,
    write_cosmx,
    write_cosmx_transcripts,
    write_geomx,
    write_merscope,
    write_spatialdata,
    write_steinbock,
    write_visium_hd,
    write_xenium,
)
from nichedose.errors import BadInput
from nichedose.io import read_tissue
from nichedose.io.tables import read_table

CELLS = fake_cells()


def save(frame: pd.DataFrame, path: Path, **options: object) -> Path:
    frame.to_csv(path, index=False, **options)  # type: ignore[call-overload]
    return path


def refused(path: Path, match: str, **options: object) -> None:
    with pytest.raises(BadInput, match=match) as caught:
        read_tissue(path, **options)  # type: ignore[arg-type]
    assert path.name.split(".")[0] in str(caught.value) or str(path.parent) in str(caught.value)


@pytest.mark.parametrize("name", ["cell_feature_matrix.h5", "cells.csv.gz"])
def test_a_cut_off_xenium_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_xenium(tmp_path / "x", CELLS)
    cut_off(folder / name)
    refused(folder, rf"{name}.*(damaged|cut off)")


@pytest.mark.parametrize("name", ["cells.csv.gz", "cell_feature_matrix.h5"])
def test_a_xenium_folder_without_a_part_says_which(tmp_path: Path, name: str) -> None:
    folder = write_xenium(tmp_path / "x", CELLS)
    (folder / name).unlink()
    refused(folder, name.split(".")[0])


def test_cut_off_tables_and_parquet(tmp_path: Path) -> None:
    for name, frame in (("h", halo_frame(CELLS)), ("m", mcmicro_frame(CELLS)), ("t", plain_frame(CELLS))):
        path = tmp_path / f"{name}.csv.gz"
        frame.to_csv(path, index=False)
        cut_off(path)
        refused(path, r"damaged|cut off", um_per_unit=0.5)
    folder = write_visium_hd(tmp_path / "hd")
    cut_off(folder / "binned_outputs" / "square_016um" / "spatial" / "tissue_positions.parquet")
    refused(folder, r"tissue_positions.parquet.*cut off")
    store = write_spatialdata(tmp_path / "s.zarr", CELLS)
    for part in (store / "tables" / "table").rglob("*"):
        if part.is_file() and part.name in ("zarr.json", ".zarray", ".zattrs"):
            part.write_text("{")
    refused(store, "is the store whole")
    geomx = write_geomx(tmp_path / "g")
    cut_off(geomx / "DSP-1-A1.dcc")
    refused(geomx, r"A1.dcc: not a whole .dcc file", coordinate_unit="um")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_cells_without_a_position_are_counted(tmp_path: Path, bad: float) -> None:
    data = cell_anndata(CELLS, spatial_units="um")
    data.obsm["spatial"][3] = bad
    refused(write_h5ad(tmp_path / "a.h5ad", data), "1 positions.*not finite")
    frame = plain_frame(CELLS)
    frame.loc[[2, 5], "x_um"] = bad
    refused(save(frame, tmp_path / "t.csv"), r"2 of 400 cells have no position.*cell-2")


def test_cells_that_stand_there_twice(tmp_path: Path) -> None:
    frame = plain_frame(CELLS)
    refused(save(pd.concat([frame, frame.head(3)]), tmp_path / "t.csv"), r"3 cell names stand there twice.*cell-0")
    again = frame.assign(cell_id=[f"again-{i}" for i in range(len(frame))])
    refused(save(pd.concat([frame, again]), tmp_path / "u.csv"), "stand at the position of another")
    near = frame.copy()
    near.loc[0, ["x_um", "y_um"]] = near.loc[1, ["x_um", "y_um"]]  # rounding makes two fall together
    assert any("exactly where another" in f.text for f in read_tissue(save(near, tmp_path / "v.csv")).flags)


@pytest.mark.parametrize(("factor", "what"), [(0.001, "nearest neighbour"), (1000.0, "nearest neighbour")])
def test_positions_in_mm_or_nm_are_refused(tmp_path: Path, factor: float, what: str) -> None:
    frame = plain_frame(CELLS)
    frame[["x_um", "y_um"]] *= factor
    refused(save(frame, tmp_path / "t.csv"), rf"{what}.*unit of the positions is wrong")


def test_areas_in_the_wrong_unit_are_refused(tmp_path: Path) -> None:
    frame = plain_frame(CELLS)
    frame["area_um2"] *= 1e-6
    refused(save(frame, tmp_path / "t.csv"), r"median cell would have .* um2")
    frame.loc[:1, "area_um2"] = -80.0
    refused(save(frame, tmp_path / "n.csv"), "2 areas are negative")


def test_options_that_contradict_the_file_are_refused(tmp_path: Path) -> None:
    xenium = write_xenium(tmp_path / "x", CELLS)
    refused(xenium, "'um_per_unit' has no meaning", um_per_unit=0.2125)
    refused(xenium, "Xenium positions are um", coordinate_unit="pixel")
    refused(save(plain_frame(CELLS), tmp_path / "t.csv"), "are um; leave", um_per_unit=2.0)
    refused(save(qupath_frame(CELLS), tmp_path / "q.csv"), "centroids are in um", um_per_unit=0.5)
    refused(write_steinbock(tmp_path / "s", CELLS), "'layer' has no meaning", layer="counts")


def test_a_panel_without_genes_left_is_refused(tmp_path: Path) -> None:
    folder = write_merscope(tmp_path / "m", CELLS)
    frame = pd.read_csv(folder / "cell_by_gene.csv", dtype={"cell": str})
    frame[["cell", "Blank-1"]].to_csv(folder / "cell_by_gene.csv", index=False)
    refused(folder, "no gene is left")


def test_counts_that_are_not_raw_or_missing_are_refused(tmp_path: Path) -> None:
    folder = write_merscope(tmp_path / "m", CELLS)
    frame = pd.read_csv(folder / "cell_by_gene.csv", dtype={"cell": str})
    frame.assign(EPCAM=frame["EPCAM"] + 0.5).to_csv(folder / "cell_by_gene.csv", index=False)
    refused(folder, "not whole numbers")
    frame.assign(EPCAM=np.nan).to_csv(folder / "cell_by_gene.csv", index=False)
    refused(folder, "counts of EPCAM are missing")
    frame.assign(EPCAM="many").to_csv(folder / "cell_by_gene.csv", index=False)
    refused(folder, "not a number")


def test_genes_as_rows_are_refused(tmp_path: Path) -> None:
    data = cell_anndata(CELLS)
    turned = data.T.copy()
    turned.var_names = [f"{'ACGTACGTACGT'}-{i}" for i in range(turned.n_vars)]
    turned.obsm["spatial"] = np.random.default_rng(0).uniform(0, 500, (turned.n_obs, 2))
    refused(write_h5ad(tmp_path / "a.h5ad", turned), "rows and columns are swapped")


def test_files_of_two_versions_do_not_fit(tmp_path: Path) -> None:
    cosmx = write_cosmx(tmp_path / "c", CELLS)
    meta = pd.read_csv(cosmx / "Run1_metadata_file.csv")
    meta.head(100).to_csv(cosmx / "Run1_metadata_file.csv", index=False)
    refused(cosmx, "300 of 400 cells.*different versions")
    merscope = write_merscope(tmp_path / "m", CELLS)
    names = pd.read_csv(merscope / "cell_metadata.csv", index_col=0)
    names.index = pd.Index(range(CELLS.n))
    names.to_csv(merscope / "cell_metadata.csv")
    refused(merscope, "different segmentations")
    steinbock = write_steinbock(tmp_path / "s", CELLS)
    shapes = pd.read_csv(steinbock / "regionprops" / "roi_1.csv")
    shapes.head(9).to_csv(steinbock / "regionprops" / "roi_1.csv", index=False)
    refused(steinbock, "different segmentations")


def test_an_empty_field_of_view_and_a_section_without_cells(tmp_path: Path) -> None:
    folder = write_cosmx(tmp_path / "c", CELLS)
    assert any("hold no cell (3)" in f.text for f in read_tissue(folder).flags)
    empty = write_cosmx_transcripts(tmp_path / "t", um_per_px=0.18)
    frame = pd.read_csv(empty / "S_tx_file.csv")
    frame.assign(cell_ID=0).to_csv(empty / "S_tx_file.csv", index=False)
    refused(empty, "no transcript lies in a cell")
    refused(save(plain_frame(CELLS).head(0), tmp_path / "none.csv"), "no rows")
    refused(save(plain_frame(CELLS).head(3), tmp_path / "few.csv"), "3 cells only")


def test_cells_without_counts_are_dropped_and_counted(tmp_path: Path) -> None:
    frame = plain_frame(CELLS)
    frame.loc[:79, [f"count:{g}" for g in GENES]] = 0
    assay = read_tissue(save(frame, tmp_path / "t.csv"))
    assert assay.n_spots == 320 and assay.area_um2 is not None and len(assay.area_um2) == 320
    assert any("80 of 400 cells" in f.text and f.level == "caution" for f in assay.flags)


def test_a_summary_and_a_swapped_box_are_refused(tmp_path: Path) -> None:
    summary = inform_frame(CELLS).assign(**{"Cell ID": "all", "Total Cells": 400})
    refused(save(summary.head(8), tmp_path / "s.txt", sep="\t"), "summary per tissue category")
    swapped = halo_frame(CELLS).rename(columns={"XMin": "XMax", "XMax": "XMin"})
    refused(save(swapped, tmp_path / "h.csv"), "XMax lies below XMin")


def test_words_among_numbers_are_named(tmp_path: Path) -> None:
    frame = qupath_frame(CELLS)
    frame["Centroid X µm"] = frame["Centroid X µm"].astype(object)
    frame.loc[7, "Centroid X µm"] = "seven"
    refused(save(frame, tmp_path / "q.csv"), "Centroid X µm holds 'seven'")


@pytest.mark.parametrize("kind", ["inform", "halo", "qupath", "mcmicro", "table"])
def test_a_table_of_another_kind_says_what_is_missing(tmp_path: Path, kind: str) -> None:
    path = save(pd.DataFrame({"a": [1, 2], "b": [3, 4]}), tmp_path / "a.csv")
    with pytest.raises(BadInput, match=r"missing|needs the columns"):
        read_tissue(path, kind)


@pytest.mark.parametrize("kind", ["xenium", "cosmx", "merscope", "visium_hd", "geomx", "steinbock", "spatialdata"])
def test_a_file_or_an_empty_folder_of_a_stated_kind_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "empty").mkdir()
    file = tmp_path / "a.csv"
    file.write_text("a,b\n1,2\n")
    for place in (tmp_path / "empty", file):
        with pytest.raises(BadInput, match=str(place.name)):
            read_tissue(place, kind)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_a_last_row_that_is_cut_is_noticed(tmp_path: Path, suffix: str) -> None:
    """Readers of text fill a short row with missing values, and a cell more or less would go unnoticed."""
    def written(name: str, text: str) -> Path:
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode())
        return path

    text = plain_frame(CELLS).to_csv(index=False)
    kept = text.rstrip("\n").rpartition(",")[0]
    refused(written("short", kept), r"last row has \d+ cells and the line before it \d+")
    assert len(read_table(written("whole", text), separator=",")) == CELLS.n
    assert len(read_table(written("empty", kept + ","), separator=",")) == CELLS.n  # an empty cell is told
