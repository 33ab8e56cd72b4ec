"""Visium folders in every layout, and what is wrong with those that are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from io_fake import GENES, UM_PER_PX, FakeVisium, write_h5, write_mtx, write_visium

from nichedose.errors import BadInput
from nichedose.io import read_tissue

FAKE = FakeVisium.make()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("matrix", ["h5", "mtx"])
def test_every_layout_gives_the_same_assay(tmp_path: Path, version: int, matrix: str) -> None:
    assay = read_tissue(write_visium(tmp_path / "s", FAKE, version=version, matrix=matrix))
    assert assay.kind == "visium" and assay.genes == GENES and assay.barcodes == FAKE.tissue_barcodes
    assert np.array_equal(assay.counts.toarray(), FAKE.counts)
    # positions are written to 0.001 px
    np.testing.assert_allclose(assay.xy_um, FAKE.xy_um[FAKE.in_tissue], atol=0.02)
    assert (assay.pitch_um, assay.spot_diameter_um, assay.lattice) == (100.0, 55.0, "hexagonal")
    assert "100 um" in assay.scale_evidence and f"{UM_PER_PX:g} um/px" in assay.scale_evidence
    assert not assay.flags and len(assay.files) == (3 if matrix == "h5" else 5)


def test_outs_folder_may_be_given_one_level_up(tmp_path: Path) -> None:
    write_visium(tmp_path / "patient7" / "outs", FAKE, matrix="mtx")
    assert read_tissue(tmp_path / "patient7").sample == "patient7"
    assert read_tissue(tmp_path / "patient7" / "outs").sample == "patient7"
    assert read_tissue(tmp_path / "patient7", sample="A").sample == "A"


def test_prefixed_download_and_missing_scale_factors(tmp_path: Path) -> None:
    folder = write_visium(tmp_path / "s", FAKE, factors=False)
    (folder / "filtered_feature_bc_matrix.h5").rename(folder / "GSM1_filtered_feature_bc_matrix.h5")
    assay = read_tissue(folder)
    assert assay.n_spots == 50 and "spot_diameter_fullres" not in assay.scale_evidence


def test_scale_does_not_come_from_the_spot_diameter(tmp_path: Path) -> None:
    wrong = FAKE.but(scalefactors={"spot_diameter_fullres": 55.0 / UM_PER_PX})
    assay = read_tissue(write_visium(tmp_path / "s", wrong))
    np.testing.assert_allclose(assay.xy_um, FAKE.xy_um[FAKE.in_tissue], atol=0.02)
    assert [f.level for f in assay.flags] == ["caution"] and "spans 55 um" in assay.flags[0].text


def test_given_scale_is_used_and_flagged_when_it_disagrees(tmp_path: Path) -> None:
    folder = write_visium(tmp_path / "s", FAKE)
    assert not read_tissue(folder, um_per_unit=UM_PER_PX).flags
    other = read_tissue(folder, um_per_unit=0.6)
    assert "differs" in other.flags[0].text
    np.testing.assert_allclose(np.ptp(other.xy_um[:, 0]), 1.2 * np.ptp(FAKE.xy_um[FAKE.in_tissue][:, 0]), rtol=1e-4)


def test_synthetic_mark_is_seen(tmp_path: Path) -> None:
    folder = write_visium(tmp_path / "s", FAKE)
    with pytest.raises(BadInput, match="does not say that it is synthetic"):
        read_tissue(folder, "synthetic")
    write_h5(folder / "filtered_feature_bc_matrix.h5", FAKE, chemistry="synthetic")
    assert read_tissue(folder).kind == read_tissue(folder, "synthetic").kind == "synthetic"


def test_antibody_features_and_controls_are_dropped(tmp_path: Path) -> None:
    genes = (*GENES, "CD3", "NegControlProbe_1", "ERCC-00002")
    data = FakeVisium.make(genes)
    folder = write_visium(tmp_path / "s", data)
    types = tuple(["Gene Expression"] * 10 + ["Antibody Capture"] + ["Gene Expression"] * 2)
    write_h5(folder / "filtered_feature_bc_matrix.h5", data, types=types)
    assay = read_tissue(folder)
    assert assay.genes == GENES and "3 features" in assay.flags[0].text


def test_parquet_positions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_visium(tmp_path / "s", FAKE)
    positions = folder / "spatial" / "tissue_positions.csv"
    frame = pd.read_csv(positions)
    positions.unlink()
    (folder / "spatial" / "tissue_positions.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(pd, "read_parquet", lambda _: frame)
    np.testing.assert_allclose(read_tissue(folder).xy_um, FAKE.xy_um[FAKE.in_tissue], atol=0.02)

    def absent(_: Path) -> None:
        raise ImportError("no parquet engine")

    monkeypatch.setattr(pd, "read_parquet", absent)
    with pytest.raises(BadInput, match="pyarrow"):
        read_tissue(folder)


def _no_tissue(folder: Path) -> None:
    write_visium(folder, FAKE.but(in_tissue=np.zeros(80, dtype=bool)), matrix="none")
    write_h5(folder / "filtered_feature_bc_matrix.h5", FAKE)


def _other_section(folder: Path) -> None:
    write_visium(folder, FakeVisium.make(seed=5), matrix="none")
    write_h5(folder / "filtered_feature_bc_matrix.h5", FAKE)


def _aggregated(folder: Path) -> None:
    two = tuple(b[:-1] + str(1 + i % 2) for i, b in enumerate(FAKE.barcodes))
    write_visium(folder, FAKE.but(barcodes=two))


def _truncated(folder: Path) -> None:
    path = write_visium(folder, FAKE) / "filtered_feature_bc_matrix.h5"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _truncated_mtx(folder: Path) -> None:
    path = write_visium(folder, FAKE, matrix="mtx") / "filtered_feature_bc_matrix" / "matrix.mtx.gz"
    path.write_bytes(path.read_bytes()[:-40])


def _cut_barcodes(folder: Path) -> None:
    path = write_visium(folder, FAKE, matrix="mtx") / "filtered_feature_bc_matrix" / "barcodes.tsv.gz"
    path.write_bytes(gzip.compress("\n".join(FAKE.tissue_barcodes[:40]).encode()))


def _swapped_mtx(folder: Path) -> None:
    write_visium(folder, FAKE, matrix="none")
    write_mtx(folder / "filtered_feature_bc_matrix", FAKE)
    import scipy.io
    import scipy.sparse as sp

    (folder / "filtered_feature_bc_matrix" / "matrix.mtx.gz").unlink()
    scipy.io.mmwrite(folder / "filtered_feature_bc_matrix" / "matrix.mtx", sp.coo_matrix(FAKE.counts), field="integer")


def _empty_matrix(folder: Path) -> None:
    (write_visium(folder, FAKE) / "filtered_feature_bc_matrix.h5").write_bytes(b"")


def _no_positions(folder: Path) -> None:
    (write_visium(folder, FAKE) / "spatial" / "tissue_positions.csv").unlink()


def _odd_positions(folder: Path) -> None:
    path = write_visium(folder, FAKE) / "spatial" / "tissue_positions.csv"
    path.write_text("spot,x,y\nAAA,1,2\n")


def _text_in_positions(folder: Path) -> None:
    path = write_visium(folder, FAKE) / "spatial" / "tissue_positions.csv"
    path.write_text(path.read_text().replace(",1,0,0,", ",yes,0,0,").replace(",0,0,0,", ",yes,0,0,"))


def _scrambled_positions(folder: Path) -> None:
    order = np.random.default_rng(1).permutation(80)
    write_visium(folder, FAKE.but(row=FAKE.row[order], col=FAKE.col[order]))
    straight = write_visium(folder.parent / "straight", FAKE) / "spatial" / "tissue_positions.csv"
    pixels = [line.split(",")[4:] for line in straight.read_text().splitlines()[1:]]
    path = folder / "spatial" / "tissue_positions.csv"
    head, *lines = path.read_text().splitlines()
    mixed = [",".join([*line.split(",")[:4], *px]) for line, px in zip(lines, pixels, strict=True)]
    path.write_text("\n".join([head, *mixed]))


def _ids_only(folder: Path) -> None:
    write_visium(folder, FAKE.but(genes=tuple(f"ENSG{i:011d}" for i in range(10))))


def _negative(folder: Path) -> None:
    write_visium(folder, FAKE.but(counts=np.where(np.eye(50, 10) > 0, -1, FAKE.counts)))


def _nan(folder: Path) -> None:
    write_visium(folder, FAKE.but(counts=np.where(np.eye(50, 10) > 0, np.nan, FAKE.counts)))


def _log(folder: Path) -> None:
    write_visium(folder, FAKE.but(counts=np.log1p(FAKE.counts)))


def _hd(folder: Path) -> None:
    (folder / "spatial").mkdir(parents=True)
    (folder / "binned_outputs").mkdir()


@pytest.mark.parametrize(("make", "message"), [
    (_no_tissue, "zero spots in tissue"),
    (_other_section, "50 of 50 barcodes.*different sections"),
    (_aggregated, "-1, -2: several samples were aggregated"),
    (_truncated, r"filtered_feature_bc_matrix.h5: the file is damaged or not complete"),
    (_truncated_mtx, "matrix.mtx.gz: the file is damaged or not complete"),
    (_cut_barcodes, "10 genes x 50 barcodes, but 10 genes and 40 barcodes are named"),
    (_swapped_mtx, "barcodes x genes.*Transpose"),
    (_empty_matrix, "the file is empty"),
    (_no_positions, "not a Visium folder"),
    (_odd_positions, "not a Visium positions file: barcode, in_tissue"),
    (_text_in_positions, "in_tissue of spot 1 is 'yes', not a number"),
    (_scrambled_positions, "do not follow the array"),
    (_ids_only, "Ensembl ids.*ENSG"),
    (_negative, "counts go down to -1"),
    (_nan, "10 counts are NaN or infinite"),
    (_log, "not whole numbers.*log-normalised"),
    (_hd, "Visium HD"),
])
def test_bad_folders_are_refused(tmp_path: Path, make: object, message: str) -> None:
    assert callable(make)
    make(tmp_path / "s")
    with pytest.raises(BadInput, match=message):
        read_tissue(tmp_path / "s")


def test_bad_requests_are_refused(tmp_path: Path) -> None:
    folder = write_visium(tmp_path / "s", FAKE)
    with pytest.raises(BadInput, match="'layer' has no meaning"):
        read_tissue(folder, layer="counts")
    with pytest.raises(BadInput, match=r"\"array\" does not fit"):
        read_tissue(folder, coordinate_unit="array")
    with pytest.raises(BadInput, match="give the folder"):
        read_tissue(folder / "filtered_feature_bc_matrix.h5", "visium")
    with pytest.raises(BadInput, match=r"not recognised.*\n  visium:"):
        read_tissue(folder / "filtered_feature_bc_matrix.h5")
    with pytest.raises(BadInput, match=r"no such file or folder. Did you mean 's'"):
        read_tissue(tmp_path / "ss")
    with pytest.raises(BadInput, match="Did you mean 'visium'"):
        read_tissue(folder, "visum")
    with pytest.raises(BadInput, match="Did you mean 'pixel'"):
        read_tissue(folder, coordinate_unit="pixels")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="above 0"):
        read_tissue(folder, um_per_unit=-1.0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="a folder that holds nothing"):
        read_tissue(tmp_path / "empty")
