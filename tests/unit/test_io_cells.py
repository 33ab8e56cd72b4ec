"""Each format of cells, bins and regions comes in with its units, areas and names; unknown units are asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from io_fake import write_h5ad

from io_cells_fake import (
    GENES,
    SYMBOLS,
    cell_anndata,
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
from nichedose.case import Section
from nichedose.errors import BadInput
from nichedose.io import READERS, assay_to_anndata, read_sections, read_tissue
from nichedose.tissue import SpatialAssay

CELLS = fake_cells()
CURRENT = (*GENES[:-1], "CCN2")  # CTGF by its current name


def save(frame: pd.DataFrame, path: Path, **options: object) -> Path:
    frame.to_csv(path, index=False, **options)  # type: ignore[call-overload]
    return path


def writers(tmp_path: Path) -> dict[str, Callable[[], tuple[Path, dict[str, float]]]]:
    """One file per format, and what must be said to read it."""
    px = {"um_per_unit": 0.65}
    return {
        "xenium": lambda: (write_xenium(tmp_path / "x", CELLS), {}),
        "cosmx": lambda: (write_cosmx(tmp_path / "c", CELLS), {}),
        "merscope": lambda: (write_merscope(tmp_path / "m", CELLS), {}),
        "spatialdata": lambda: (write_spatialdata(tmp_path / "s.zarr", CELLS), {}),
        "h5ad": lambda: (write_h5ad(tmp_path / "a.h5ad", cell_anndata(CELLS, spatial_units="um")), {}),
        "table": lambda: (save(plain_frame(CELLS), tmp_path / "t.csv"), {}),
        "inform": lambda: (save(inform_frame(CELLS), tmp_path / "i_cell_seg_data.txt", sep="\t"), {}),
        "halo": lambda: (save(halo_frame(CELLS), tmp_path / "h.csv"), {}),
        "qupath": lambda: (save(qupath_frame(CELLS), tmp_path / "q.tsv", sep="\t"), {}),
        "mcmicro": lambda: (save(mcmicro_frame(CELLS), tmp_path / "mc.csv"), px),
        "steinbock": lambda: (write_steinbock(tmp_path / "st", CELLS), {}),
    }


RNA = ("xenium", "cosmx", "merscope", "spatialdata", "h5ad", "table")
PROTEIN = ("inform", "halo", "qupath", "mcmicro", "steinbock")


def by_position(assay: SpatialAssay) -> np.ndarray:
    """Rows of the assay in the order of the fake's cells (CosMx sorts by field of view)."""
    return np.array([int(np.argmin(np.hypot(*(assay.xy_um - xy).T))) for xy in CELLS.xy_um])


@pytest.mark.parametrize("kind", [*RNA, *PROTEIN])
def test_positions_come_in_um_by_one_call(tmp_path: Path, kind: str) -> None:
    path, said = writers(tmp_path)[kind]()
    assay = read_tissue(path, **said)  # type: ignore[arg-type]
    assert (assay.kind, assay.observation, assay.n_spots) == (kind, "cell", CELLS.n)
    np.testing.assert_allclose(assay.xy_um[by_position(assay)], CELLS.xy_um, atol=0.06)
    assert 12.0 < assay.pitch_um < 14.0 and assay.lattice == "none"
    assert assay.scale_evidence and assay.files
    again = read_tissue(path, kind, **said)  # type: ignore[arg-type]
    np.testing.assert_array_equal(again.xy_um, assay.xy_um)


@pytest.mark.parametrize("kind", RNA)
def test_counts_come_in_without_controls_and_by_current_symbols(tmp_path: Path, kind: str) -> None:
    path, said = writers(tmp_path)[kind]()
    assay = read_tissue(path, **said)  # type: ignore[arg-type]
    assert assay.genes == CURRENT
    np.testing.assert_array_equal(assay.counts.toarray()[by_position(assay)], CELLS.counts)
    assert any("CTGF -> CCN2" in f.text for f in assay.flags)
    if kind in ("xenium", "cosmx", "merscope"):
        assert any("control probes" in f.text for f in assay.flags)


@pytest.mark.parametrize("kind", ["xenium", "cosmx", "spatialdata", "h5ad", "table", "inform", "halo", "qupath",
                                  "mcmicro", "steinbock"])
def test_areas_come_in_um2(tmp_path: Path, kind: str) -> None:
    path, said = writers(tmp_path)[kind]()
    assay = read_tissue(path, **said)  # type: ignore[arg-type]
    assert assay.area_um2 is not None
    np.testing.assert_allclose(assay.area_um2[by_position(assay)], CELLS.area_um2, rtol=1e-6)
    assert assay.spot_diameter_um == pytest.approx(2.0 * np.sqrt(np.median(CELLS.area_um2) / np.pi))


@pytest.mark.parametrize("kind", ["inform", "halo", "steinbock"])
def test_markers_come_in_by_symbol(tmp_path: Path, kind: str) -> None:
    path, said = writers(tmp_path)[kind]()
    assay = read_tissue(path, **said)  # type: ignore[arg-type]
    assert assay.proteins is not None and assay.proteins.markers == SYMBOLS and assay.genes == ()
    np.testing.assert_allclose(assay.proteins.intensity, CELLS.intensity, rtol=1e-5)
    if kind == "halo":
        np.testing.assert_array_equal(assay.proteins.positive, CELLS.intensity > 8)
    else:
        assert assay.proteins.positive is None


def test_every_kind_can_be_named_in_a_case() -> None:
    for reader in READERS:
        assert Section(path="x", kind=reader.kind).kind == reader.kind  # type: ignore[arg-type]


# ---- what each vendor does in its own way


def test_xenium_reads_parquet_and_speaks_of_files_of_two_runs(tmp_path: Path) -> None:
    assay = read_tissue(write_xenium(tmp_path / "p", CELLS, parquet=True))
    assert assay.sample == "region_1" and "xenium-2.0" in assay.scale_evidence
    folder = write_xenium(tmp_path / "x", CELLS)
    (folder / "experiment.xenium").write_text('{"num_cells": 999}')
    assert any("999 cells" in f.text and f.level == "caution" for f in read_tissue(folder).flags)
    other = fake_cells(side=5)
    write_xenium(tmp_path / "y", other)
    (tmp_path / "y" / "cells.csv.gz").replace(folder / "cells.csv.gz")
    with pytest.raises(BadInput, match="different runs or versions"):
        read_tissue(folder)


def test_cosmx_takes_the_pixel_from_areas_or_asks(tmp_path: Path) -> None:
    assay = read_tissue(write_cosmx(tmp_path / "a", CELLS))
    assert "0.12028 um per pixel" in assay.scale_evidence and assay.sample == "Run1"
    assert any("cell_ID 0" in f.text for f in assay.flags)
    assert any("1 of 3 fields of view hold no cell (3)" in f.text for f in assay.flags)
    silent = write_cosmx(tmp_path / "b", CELLS, area_um2=False)
    with pytest.raises(BadInput, match=r"size of a pixel is not known.*um_per_unit"):
        read_tissue(silent)
    assert read_tissue(silent, um_per_unit=0.12028).pitch_um == pytest.approx(assay.pitch_um)


@pytest.mark.parametrize("um_per_px", [0.18, 0.12028])
def test_cosmx_counts_transcripts_and_finds_the_pixel_by_the_stage(tmp_path: Path, um_per_px: float) -> None:
    """Fields of view stand at whole um of the stage: only one pixel size makes them so."""
    assay = read_tissue(write_cosmx_transcripts(tmp_path / "t", um_per_px=um_per_px))
    assert f"whole um for {um_per_px:g}" in assay.scale_evidence
    assert assay.n_spots == 78 and assay.genes and "NegPrb3" not in assay.genes  # cell 0 of both is no cell
    cell = assay.xy_um[assay.barcodes.index("c_1_9")]
    np.testing.assert_allclose(cell, [89.0 + 12.0 + 60.0, -28842.0 + 12.0 + 60.0], atol=1.5)


def test_cosmx_with_rounded_stage_positions_is_asked_about(tmp_path: Path) -> None:
    folder = write_cosmx_transcripts(tmp_path / "t", um_per_px=0.18, corners_um=(18.3, 1002.7))
    with pytest.raises(BadInput, match="say um_per_unit"):
        read_tissue(folder)


def test_merscope_keeps_long_names_and_refuses_swapped_axes(tmp_path: Path) -> None:
    folder = write_merscope(tmp_path / "m", CELLS)
    assert read_tissue(folder).barcodes[-1] == str(1_110_000_000_000_000_000 + CELLS.n - 1)
    meta = pd.read_csv(folder / "cell_metadata.csv", index_col=0)
    meta.rename(columns={"center_x": "center_y", "center_y": "center_x"}).to_csv(folder / "cell_metadata.csv")
    with pytest.raises(BadInput, match=r"center_x lies outside min_x to max_x.*swapped"):
        read_tissue(folder)


def test_visium_hd_takes_the_scale_from_its_bins(tmp_path: Path) -> None:
    folder = write_visium_hd(tmp_path / "hd", bin_um=8)
    write_visium_hd(tmp_path / "hd", bin_um=16)
    assay = read_tissue(folder)
    assert (assay.kind, assay.observation, assay.lattice, assay.pitch_um) == ("visium_hd", "bin", "square", 16.0)
    assert assay.n_spots == 12 * 11 and assay.sample == "hd"  # one column of bins lies outside the tissue
    assert np.ptp(assay.xy_um, axis=0) == pytest.approx([160.0, 176.0])
    assert (assay.area_um2 == 256.0).all() and any("Bins of 16 um" in f.text for f in assay.flags)
    fine = read_tissue(folder / "binned_outputs" / "square_008um")
    assert fine.pitch_um == 8.0 and fine.sample == "hd"
    (folder / "binned_outputs" / "square_016um" / "spatial" / "scalefactors_json.json").write_text('{"bin_size_um": 8}')
    with pytest.raises(BadInput, match="different bin sizes"):
        read_tissue(folder)


def test_geomx_sums_probes_and_asks_for_positions_and_their_unit(tmp_path: Path) -> None:
    folder = write_geomx(tmp_path / "g")
    with pytest.raises(BadInput, match=r"no unit.*coordinate_unit"):
        read_tissue(folder)
    assay = read_tissue(folder, coordinate_unit="um")
    assert (assay.observation, assay.n_spots, assay.genes) == ("region", 3, ("FAP", "EPCAM"))
    np.testing.assert_array_equal(assay.counts.toarray(), [[4, 11], [5, 21], [6, 31]])
    assert assay.area_um2 is not None and assay.area_um2[0] == 31416.0
    assert list(assay.annotations["segment"]) == ["CK+", "CK-", "CK+"]
    with pytest.raises(BadInput, match=r"no positions.*ROICoordinateX"):
        read_tissue(write_geomx(tmp_path / "n", positions=False))


def test_geomx_reads_exported_tables(tmp_path: Path) -> None:
    folder = write_geomx(tmp_path / "g")
    for file in (*folder.glob("*.dcc"), *folder.glob("*.pkc")):
        file.unlink()
    save(pd.DataFrame({"TargetName": ["FAP", "EPCAM"], "DSP-1-A1": [4, 11], "DSP-1-A2": [5, 21], "DSP-1-A3": [6, 31]}),
         folder / "TargetCountMatrix.txt", sep="\t")
    assay = read_tissue(folder, coordinate_unit="um")
    np.testing.assert_array_equal(assay.counts.toarray(), [[4, 11], [5, 21], [6, 31]])


def test_inform_with_decimal_commas_is_the_same_table(tmp_path: Path) -> None:
    plain = read_tissue(save(inform_frame(CELLS), tmp_path / "a.txt", sep="\t"))
    comma = read_tissue(save(inform_frame(CELLS), tmp_path / "b.txt", sep="\t", decimal=","))
    np.testing.assert_array_equal(plain.xy_um, comma.xy_um)
    assert plain.proteins is not None and comma.proteins is not None
    np.testing.assert_array_equal(plain.proteins.intensity, comma.proteins.intensity)
    assert plain.patient == "patient 7" and plain.annotations["phenotype"][0] == "CK+"


def test_inform_in_pixels_is_asked_about(tmp_path: Path) -> None:
    path = save(inform_frame(CELLS, "pixels", px_per_um=2.0), tmp_path / "a.txt", sep="\t")
    with pytest.raises(BadInput, match=r"in pixels.*um_per_unit"):
        read_tissue(path)
    assay = read_tissue(path, um_per_unit=0.5)
    np.testing.assert_allclose(assay.xy_um, CELLS.xy_um, atol=0.06)
    assert assay.area_um2 is not None and assay.area_um2[0] == pytest.approx(CELLS.area_um2[0])
    microns = save(inform_frame(CELLS), tmp_path / "b.txt", sep="\t")
    with pytest.raises(BadInput, match=r"is in um.*leave um_per_unit"):
        read_tissue(microns, um_per_unit=0.5)


@pytest.mark.parametrize("um_per_px", [0.2, 0.325, 0.49702, 0.5])
def test_halo_finds_the_pixel_in_the_areas(tmp_path: Path, um_per_px: float) -> None:
    """Areas are whole numbers of pixels, positions are pixels: the pixel follows from the table alone."""
    frame = halo_frame(CELLS, um_per_px)
    frame["Cell Area (µm²)"] = (np.rint(CELLS.area_um2 / um_per_px**2) - np.arange(CELLS.n) % 7) * um_per_px**2
    assay = read_tissue(save(frame, tmp_path / "h.csv"))
    assert float(assay.scale_evidence.split("pixels of ")[1].split()[0]) == pytest.approx(um_per_px, rel=1e-4)
    without = save(frame.drop(columns="Cell Area (µm²)"), tmp_path / "w.csv")
    with pytest.raises(BadInput, match=r"XMin to YMax are in pixels.*um_per_unit"):
        read_tissue(without)


def test_halo_names_that_went_through_r_are_understood(tmp_path: Path) -> None:
    frame = halo_frame(CELLS)
    straight = read_tissue(save(frame, tmp_path / "a.csv"))
    frame.columns = pd.Index([c.replace("µm²", "m.").translate(str.maketrans(" ()-", "....")) for c in frame.columns])
    mangled = read_tissue(save(frame, tmp_path / "b.csv"))
    assert straight.proteins is not None and mangled.proteins is not None
    assert mangled.proteins.markers == straight.proteins.markers
    np.testing.assert_array_equal(mangled.xy_um, straight.xy_um)


@pytest.mark.parametrize("micro", ["µm", "μm", "um", "Âµm", "?m"])
def test_qupath_knows_its_micrometre_however_it_is_written(tmp_path: Path, micro: str) -> None:
    assay = read_tissue(save(qupath_frame(CELLS, micro), tmp_path / "q.tsv", sep="\t"))
    np.testing.assert_allclose(assay.xy_um, CELLS.xy_um)
    assert assay.proteins is not None and assay.proteins.markers == ("CD8A", "PanCK", "CD274")
    assert assay.proteins.positive is not None
    np.testing.assert_array_equal(assay.proteins.positive[:, 0], CELLS.kind == "CD8")  # the classes "CD8: PDL1"
    assert set(assay.annotations["tissue_category"]) == {"Core"}


def test_qupath_in_pixels_is_asked_about(tmp_path: Path) -> None:
    path = save(qupath_frame(CELLS, "px"), tmp_path / "q.csv")
    with pytest.raises(BadInput, match=r"Centroid X px.*um_per_unit"):
        read_tissue(path)
    whole = read_tissue(path, coordinate_unit="um")
    assert read_tissue(path, um_per_unit=0.5).pitch_um == pytest.approx(0.5 * whole.pitch_um)


def test_mcmicro_is_asked_about_its_pixel(tmp_path: Path) -> None:
    path = save(mcmicro_frame(CELLS), tmp_path / "m.csv")
    with pytest.raises(BadInput, match="X_centroid and Y_centroid are in pixels"):
        read_tissue(path)
    assay = read_tissue(path, um_per_unit=0.65)
    assert assay.proteins is not None and assay.proteins.markers == ("CD8A", "CDH1", "CD68", "CD274")


def test_steinbock_puts_rows_first_and_knows_its_pixel(tmp_path: Path) -> None:
    assay = read_tissue(write_steinbock(tmp_path / "a", CELLS))
    assert "1000 um are 1000 pixels" in assay.scale_evidence and assay.sample == "roi_1"
    with pytest.raises(BadInput, match="um_per_unit"):
        read_tissue(write_steinbock(tmp_path / "b", CELLS, listed=False))


def test_spatialdata_takes_positions_from_shapes_when_the_table_has_none(tmp_path: Path) -> None:
    assay = read_tissue(write_spatialdata(tmp_path / "s.zarr", CELLS, shapes=True))
    np.testing.assert_allclose(assay.xy_um, CELLS.xy_um)


@pytest.mark.parametrize("version", [2, 3])
def test_spatialdata_in_either_version_of_zarr(tmp_path: Path, version: int) -> None:
    import anndata

    with anndata.settings.override(zarr_write_format=version):
        store = write_spatialdata(tmp_path / "s.zarr", CELLS)
    assert read_tissue(store).n_spots == CELLS.n


def test_an_h5ad_of_antibodies_is_proteins(tmp_path: Path) -> None:
    import anndata

    names = ["CD8A", "KI67", "PDL1", "ECAD", "SMA"]
    data = anndata.AnnData(
        np.random.default_rng(0).random((CELLS.n, 5)), var=pd.DataFrame(index=names),
        obs=pd.DataFrame({"X_centroid": CELLS.xy_um[:, 0] / 0.65, "Y_centroid": CELLS.xy_um[:, 1] / 0.65,
                          "Area": CELLS.area_um2 / 0.65**2, "phenotype": CELLS.kind}, index=CELLS.names))
    path = write_h5ad(tmp_path / "p.h5ad", data)
    with pytest.raises(BadInput, match=r"obs\['X_centroid'\].*in pixels"):
        read_tissue(path)
    assay = read_tissue(path, um_per_unit=0.65)
    assert assay.proteins is not None and assay.proteins.markers == ("CD8A", "MKI67", "CD274", "CDH1", "ACTA2")
    np.testing.assert_allclose(assay.xy_um, CELLS.xy_um)


@pytest.mark.parametrize("kind", ["xenium", "halo", "inform", "steinbock"])
def test_what_plan_writes_is_read_back(tmp_path: Path, kind: str) -> None:
    path, said = writers(tmp_path)[kind]()
    first = read_tissue(path, **said)  # type: ignore[arg-type]
    out = write_h5ad(tmp_path / "out.h5ad", assay_to_anndata(first, {"oxygen_mmHg": np.ones(first.n_spots)}))
    again = read_tissue(out)
    np.testing.assert_allclose(again.xy_um, first.xy_um)
    assert (again.observation, again.genes, again.barcodes) == ("cell", first.genes, first.barcodes)
    assert again.area_um2 is not None and first.area_um2 is not None
    np.testing.assert_allclose(again.area_um2, first.area_um2)
    np.testing.assert_array_equal(again.counts.toarray(), first.counts.toarray())
    if first.proteins is not None:
        assert again.proteins is not None and again.proteins.markers == first.proteins.markers
        np.testing.assert_allclose(again.proteins.intensity, first.proteins.intensity)
        assert (again.proteins.positive is None) == (first.proteins.positive is None)


# ---- the plain table


def test_a_plain_table_of_points_asks_for_the_unit_and_reads_an_outline(tmp_path: Path) -> None:
    path = save(pd.DataFrame({"x": CELLS.xy_um[:, 0] * 4, "y": CELLS.xy_um[:, 1] * 4}), tmp_path / "a_cd3.csv")
    with pytest.raises(BadInput, match="x and y have no unit"):
        read_tissue(path)
    (tmp_path / "a_roi.json").write_text('{"polygons": [[[0, 4000, 4000, 0], [0, 0, 8000, 8000]]]}')
    assay = read_tissue(path, um_per_unit=0.25)
    np.testing.assert_allclose(assay.xy_um, CELLS.xy_um)
    np.testing.assert_array_equal(assay.outlines_um[0], [[0, 0], [1000, 0], [1000, 2000], [0, 2000]])
    assert any("positions only" in f.text for f in assay.flags)


def test_annotations_without_counts_are_refused_with_the_reason(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Barcode": [f"{'ACGT' * 4}-{i}" for i in range(9)], "Label": "Stroma",
                          "x_um": np.arange(9) * 100.0, "y_um": 0.0})
    with pytest.raises(BadInput, match="annotations of spots without counts"):
        read_tissue(save(frame, tmp_path / "labels.csv"))


def test_a_gene_in_two_columns_of_text_is_summed(tmp_path: Path) -> None:
    """pandas names the second column of a gene GENE.1, and R does so too."""
    frame = plain_frame(CELLS)
    genes = [c for c in frame if c.startswith("count:")]
    frame.rename(columns={genes[1]: genes[0]}).to_csv(tmp_path / "t.csv", index=False)
    assay = read_tissue(tmp_path / "t.csv")
    name = genes[0].removeprefix("count:")
    assert len(assay.genes) == len(genes) - 1
    assert assay.counts[:, assay.genes.index(name)].sum() == frame[genes[:2]].to_numpy().sum()
    assert any("stood in several columns" in f.text for f in assay.flags)


def test_a_plain_table_of_spots_has_their_lattice(tmp_path: Path) -> None:
    x, y = (a.ravel() for a in np.meshgrid(np.arange(6), np.arange(6)))
    frame = pd.DataFrame({"spot_id": [f"s{i}" for i in range(36)], "x_um": 200.0 * x, "y_um": 200.0 * y,
                          "count:EPCAM": 3, "count:FAP": np.arange(36)})
    assay = read_tissue(save(frame, tmp_path / "spots.csv"))
    assert (assay.observation, assay.lattice, assay.pitch_um) == ("spot", "square", 200.0)


# ---- several samples


def test_several_samples_are_refused_by_name_and_split_by_read_sections(tmp_path: Path) -> None:
    both = pd.concat([halo_frame(CELLS), halo_frame(fake_cells(1)).assign(**{"Image Location": "core_2.tif"})])
    path = save(both, tmp_path / "tma.csv")
    with pytest.raises(BadInput, match=r"2 samples.*core_1\.tif.*choose one"):
        read_tissue(path)
    first, second = read_sections(path, patient="P1")
    assert (first.sample, second.sample) == ("core_1.tif", "core_2.tif")
    assert first.patient == second.patient == "P1" and first.n_spots == CELLS.n
    with pytest.raises(BadInput, match=r"no sample 'core_3'"):
        read_tissue(path, sample="core_3")


def test_read_sections_finds_what_a_folder_holds(tmp_path: Path) -> None:
    write_xenium(tmp_path / "run" / "xenium", CELLS)
    write_steinbock(tmp_path / "run" / "imc", CELLS, images=("roi_1", "roi_2"))
    save(halo_frame(CELLS), tmp_path / "run" / "core.csv")
    (tmp_path / "run" / "README.txt").write_text("not a section\n")
    found = read_sections(tmp_path / "run")
    assert [a.kind for a in found] == ["halo", "steinbock", "steinbock", "xenium"]
    assert len({a.sample for a in found}) == 4
    with pytest.raises(BadInput, match="nothing in this folder"):
        (tmp_path / "empty").mkdir()
        read_sections(tmp_path / "empty")
