"""Spots in tissue without a single count, which Space Ranger writes too, are dropped by every reader; the rest stays
aligned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from io_fake import FakeVisium, as_anndata, legacy_frame, spot_frame, square_anndata, write_h5ad, write_visium

from nichedose.errors import BadInput
from nichedose.io import assay_to_anndata, read_tissue
from nichedose.tissue.assay import SpatialAssay

FAKE = FakeVisium.make()
EMPTY = (0, 7, 30)


def emptied() -> FakeVisium:
    counts = np.array(FAKE.counts)
    counts[list(EMPTY)] = 0
    return FAKE.but(counts=counts)


def check(assay: SpatialAssay, whole: SpatialAssay) -> None:
    """``whole`` is the same section with counts everywhere."""
    kept = np.setdiff1d(np.arange(whole.n_spots), EMPTY)
    assert assay.barcodes == tuple(whole.barcodes[i] for i in kept)
    np.testing.assert_array_equal(assay.xy_um, whole.xy_um[kept])
    np.testing.assert_array_equal(assay.counts.toarray(), whole.counts.toarray()[kept])
    assert set(assay.annotations) == set(whole.annotations)
    for name, values in whole.annotations.items():
        np.testing.assert_array_equal(assay.annotations[name], np.asarray(values)[kept])
    notes = [f for f in assay.flags if "no counts at all" in f.text]
    assert [(f.level, f.text) for f in notes] == [
        ("note", f"3 of {whole.n_spots} spots in tissue have no counts at all; dropped.")]
    assert (assay.pitch_um, assay.scale_evidence) == (whole.pitch_um, whole.scale_evidence)


@pytest.mark.parametrize("matrix", ["h5", "mtx"])
def test_visium(tmp_path: Path, matrix: str) -> None:
    assay, whole = (
        read_tissue(write_visium(tmp_path / name / "fake", data, matrix=matrix))
        for name, data in (("a", emptied()), ("b", FAKE)))
    check(assay, whole)


def test_h5ad(tmp_path: Path) -> None:
    assay, whole = (
        read_tissue(write_h5ad(tmp_path / f"{name}.h5ad", as_anndata(data)), sample="fake")
        for name, data in (("a", emptied()), ("b", FAKE)))
    check(assay, whole)
    assert tuple(assay_to_anndata(assay, {"oxygen_mmHg": np.ones(47)}).obs_names) == assay.barcodes


def test_legacy_st(tmp_path: Path) -> None:
    whole = legacy_frame(6)
    frame = whole.copy()
    frame.iloc[list(EMPTY)] = 0
    spots = spot_frame(list(whole.index))
    assays = []
    for name, table in (("a", frame), ("b", whole)):
        (tmp_path / name).mkdir()
        table.to_csv(tmp_path / name / "fake.tsv", sep="\t")
        spots.to_csv(tmp_path / name / "fake_selection.tsv", sep="\t", index=False)
        assays.append(read_tissue(tmp_path / name / "fake.tsv"))
    check(*assays)


def test_counts_of_controls_alone_do_not_fill_a_spot(tmp_path: Path) -> None:
    counts = np.array(FAKE.counts)
    counts[4, :9] = 0  # only the control probe is left
    data = FAKE.but(counts=counts, genes=(*FAKE.genes[:9], "NegControlProbe_1"))
    assay = read_tissue(write_visium(tmp_path / "fake", data))
    assert assay.n_spots == 49 and any(f.text.startswith("1 of 50 spots in tissue has no counts") for f in assay.flags)


def test_nothing_or_too_little_left_is_refused(tmp_path: Path) -> None:
    counts = np.zeros_like(FAKE.counts)
    with pytest.raises(BadInput, match="all counts are zero"):
        read_tissue(write_visium(tmp_path / "none", FAKE.but(counts=counts)))
    counts[:3] = 5
    with pytest.raises(BadInput, match=r"3 spots in tissue; a section needs several spots"):
        read_tissue(write_visium(tmp_path / "three", FAKE.but(counts=counts)))


@pytest.mark.parametrize("unit", ["auto", "um", "array"])
def test_one_spot_and_one_position_are_named_as_what_they_are(tmp_path: Path, unit: str) -> None:
    options = {"coordinate_unit": unit, "um_per_unit": 200.0 if unit == "array" else None}
    one = square_anndata(6)[:1].copy()
    with pytest.raises(BadInput, match=r"1 spot in tissue; a section needs several spots") as error:
        read_tissue(write_h5ad(tmp_path / "one.h5ad", one), **options)  # type: ignore[arg-type]
    assert "nan" not in str(error.value).removeprefix(str(tmp_path))
    same = square_anndata(6)
    same.obsm["spatial"][:] = (12.0, 34.0)
    with pytest.raises(BadInput, match=r"all 36 spots stand at one position, \(12, 34\); a section needs several"):
        read_tissue(write_h5ad(tmp_path / "same.h5ad", same), **options)  # type: ignore[arg-type]
