"""Legacy ST tables with and without spot files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from io_fake import GENES, legacy_frame, spot_frame

from nichedose.errors import BadInput
from nichedose.io import read_tissue


@pytest.mark.parametrize(("name", "sep"), [("A1.tsv.gz", "\t"), ("A1.csv", ","), ("A1.txt", "\t")])
def test_array_positions_from_the_spot_names(tmp_path: Path, name: str, sep: str) -> None:
    frame = legacy_frame()
    frame.to_csv(tmp_path / name, sep=sep)
    assay = read_tissue(tmp_path / name)
    assert assay.kind == "legacy_st" and assay.sample == "A1" and assay.genes == GENES
    assert np.array_equal(assay.counts.toarray(), frame.to_numpy())
    assert (assay.pitch_um, assay.spot_diameter_um, assay.lattice) == (200.0, 100.0, "square")
    assert tuple(assay.xy_um[0]) == (600.0, 1000.0) and "200 um" in assay.scale_evidence


@pytest.mark.parametrize("folder", [".", "../spotfiles"])
def test_pixel_positions_from_the_spot_file(tmp_path: Path, folder: str) -> None:
    counts = tmp_path / "counts"
    counts.mkdir()
    frame = legacy_frame()
    frame.to_csv(counts / "A1.tsv.gz", sep="\t")
    (counts / folder).resolve().mkdir(exist_ok=True)
    spots = spot_frame(list(frame.index))
    spots.loc[[2, 7], "selected"] = 0
    spots[::-1].to_csv(counts / folder / "A1_selection.tsv", sep="\t", index=False)
    assay = read_tissue(counts / "A1.tsv.gz")
    kept = [i for i in range(25) if i not in (2, 7)]
    assert assay.barcodes == tuple(frame.index[kept]) and np.array_equal(assay.counts.toarray(), frame.to_numpy()[kept])
    np.testing.assert_allclose(assay.xy_um, spots[["pixel_x", "pixel_y"]].to_numpy()[kept] * 0.8)
    assert "0.8 um/px" in assay.scale_evidence and "2 of 25 spots" in assay.flags[0].text and len(assay.files) == 2
    by_array = read_tissue(counts / "A1.tsv.gz", coordinate_unit="array", um_per_unit=150.0)
    assert by_array.n_spots == 23 and by_array.pitch_um == 150.0
    by_pixel = read_tissue(counts / "A1.tsv.gz", coordinate_unit="pixel", um_per_unit=1.0)
    assert by_pixel.pitch_um == pytest.approx(250.0) and any("differs" in f.text for f in by_pixel.flags)


def test_headerless_array_positions_and_labels(tmp_path: Path) -> None:
    frame = legacy_frame()
    frame.index = [f"{n.split('x')[0]}.04x{n.split('x')[1]}.1" for n in frame.index]
    frame.to_csv(tmp_path / "slice1.csv.gz")
    xy = np.array([[float(v) for v in n.split("x")] for n in frame.index])
    np.savetxt(tmp_path / "slice1_coor.csv", xy, delimiter=",")
    (tmp_path / "slice1_labels.tsv").write_text("x\ty\tlabel\n3.02\t5.01\ttumour\n3.9\t5.2\tstroma\n\t\tlost\n")
    assay = read_tissue(tmp_path / "slice1.csv.gz")
    np.testing.assert_allclose(assay.xy_um, 200.0 * xy)
    labels = dict(zip(assay.barcodes, assay.annotations["pathologist_label"], strict=True))
    assert labels["3.04x5.1"] == "tumour" and labels["4.04x5.1"] == "stroma" and labels["5.04x5.1"] == ""
    np.savetxt(tmp_path / "slice1_coor.csv", xy[:-1], delimiter=",")
    with pytest.raises(BadInput, match=r"24 positions do not match the 25 spot names"):
        read_tissue(tmp_path / "slice1.csv.gz")


def test_tables_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "A1.tsv"
    legacy_frame().T.to_csv(path, sep="\t")
    with pytest.raises(BadInput, match=r"rows and columns are swapped.*transpose"):
        read_tissue(path)
    legacy_frame().rename(index={"3x5": "spot1"}).to_csv(path, sep="\t")
    with pytest.raises(BadInput, match=r"such as 10x13; found 'spot1'"):
        read_tissue(path)
    legacy_frame().rename(index={"3x5": "3x6"}).to_csv(path, sep="\t")
    with pytest.raises(BadInput, match=r"1 spot names stand there twice"):
        read_tissue(path)
    legacy_frame().assign(label="tumour").to_csv(path, sep="\t")
    with pytest.raises(BadInput, match=r"column 'label' holds text"):
        read_tissue(path)
    np.log1p(legacy_frame()).to_csv(path, sep="\t")
    with pytest.raises(BadInput, match=r"log-normalised"):
        read_tissue(path)
    legacy_frame().astype(float).replace(3.0, np.nan).to_csv(path, sep="\t")
    with pytest.raises(BadInput, match=r"NaN"):
        read_tissue(path)
    legacy_frame().to_csv(path, sep="\t")
    with pytest.raises(BadInput, match=r"um_per_unit = 200 of what\?"):
        read_tissue(path, um_per_unit=200.0)
    with pytest.raises(BadInput, match=r"no spot file"):
        read_tissue(path, coordinate_unit="pixel")
    with pytest.raises(BadInput, match=r"does not fit"):
        read_tissue(path, coordinate_unit="um")
    path.write_text("just one column\n")
    with pytest.raises(BadInput, match=r"A1\.tsv"):
        read_tissue(path)
    (tmp_path / "B.csv.gz").write_bytes(gzip.compress(b"a,b\n1x1,2\n" * 999)[:-9])
    with pytest.raises(BadInput, match=r"damaged or cut off"):
        read_tissue(tmp_path / "B.csv.gz")


def test_spot_files_that_do_not_belong(tmp_path: Path) -> None:
    frame = legacy_frame()
    frame.to_csv(tmp_path / "A1.tsv", sep="\t")
    spot_file = tmp_path / "A1_selection.tsv"
    spots = spot_frame([f"{i}x{j}" for i in range(20, 25) for j in range(20, 25)])
    spots.to_csv(spot_file, sep="\t", index=False)
    with pytest.raises(BadInput, match=r"only 0 of 25 spots"):
        read_tissue(tmp_path / "A1.tsv")
    spot_frame(list(frame.index)).assign(selected=0).to_csv(spot_file, sep="\t", index=False)
    with pytest.raises(BadInput, match=r"zero spots in tissue"):
        read_tissue(tmp_path / "A1.tsv")
    spot_file.write_text("a\tb\tc\n1\t2\t3\n")
    with pytest.raises(BadInput, match=r"not a spot file"):
        read_tissue(tmp_path / "A1.tsv")
