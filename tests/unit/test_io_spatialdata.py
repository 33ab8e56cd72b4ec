"""SpatialData stores beyond one table with one set of shapes: through the package spatialdata, or refused by name."""

from __future__ import annotations

import builtins
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from io_cells_fake import FakeCells, cell_anndata, fake_cells, write_spatialdata
from nichedose.errors import BadInput
from nichedose.io import read_sections, read_tissue

CELLS = fake_cells()
PIXEL_UM = 0.5


def annotating(cells: FakeCells, regions: list[str]) -> Any:
    """The cells as a table without positions, whose rows annotate ``regions`` in equal parts."""
    data = cell_anndata(cells, spatial_units="um")
    del data.obsm["spatial"]
    data.obs["region"] = pd.Categorical(np.array(regions)[np.arange(cells.n) % len(regions)])
    data.obs["instance_id"] = np.arange(cells.n) + 1
    data.uns["spatialdata_attrs"] = {
        "region": regions if len(regions) > 1 else regions[0], "region_key": "region", "instance_key": "instance_id"}
    return data


def label_image(cells: FakeCells) -> np.ndarray:
    """Each cell as a square of 5 x 5 pixels around its place."""
    at = np.round(cells.xy_um / PIXEL_UM).astype(int) + 4
    image = np.zeros(at.max(axis=0)[::-1] + 5, dtype=np.int32)
    for i, (x, y) in enumerate(at):
        image[y - 2:y + 3, x - 2:x + 3] = i + 1
    return image


def written(folder: Path, data: Any, **elements: Any) -> Path:
    """A store as the package writes it."""
    spatialdata = pytest.importorskip("spatialdata")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = spatialdata.models.TableModel.parse(data)
        spatialdata.SpatialData(tables={"table": table}, **elements).write(folder)
    return folder


def test_rows_that_annotate_labels_lie_where_the_labels_do(tmp_path: Path) -> None:
    """Half a pixel for the rounding of positions, half for the pixel's centre."""
    spatialdata = pytest.importorskip("spatialdata")
    data = annotating(CELLS, ["cells"])
    del data.uns["spatial_units"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        labels = spatialdata.models.Labels2DModel.parse(label_image(CELLS), dims=("y", "x"))
        store = written(tmp_path / "s.zarr", data, labels={"cells": labels})
    with pytest.raises(BadInput, match="um_per_unit"):
        read_tissue(store)
    assay = read_tissue(store, coordinate_unit="pixel", um_per_unit=PIXEL_UM)
    shift = assay.xy_um - CELLS.xy_um
    assert np.abs(shift - shift.mean(axis=0)).max() <= PIXEL_UM + 1e-9
    np.testing.assert_array_equal(assay.counts.toarray().sum(axis=1) > 0, CELLS.counts.sum(axis=1) > 0)


def test_regions_of_one_table_are_its_samples(tmp_path: Path) -> None:
    """Two sets of circles in coordinates of their own; a transformation to a common system does not move them."""
    spatialdata = pytest.importorskip("spatialdata")
    data = annotating(CELLS, ["left", "right"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        circles = {
            name: spatialdata.models.ShapesModel.parse(
                CELLS.xy_um[i::2], geometry=0, radius=5.0, index=np.arange(CELLS.n)[i::2] + 1,
                transformations={"global": spatialdata.transformations.Scale([7.0, 7.0], axes=("x", "y"))})
            for i, name in enumerate(("left", "right"))}
        store = written(tmp_path / "s.zarr", data, shapes=circles)
    with pytest.raises(BadInput, match=r"holds 2 samples in obs\['region'\] \(left, right\)"):
        read_tissue(store)
    found = read_sections(store)
    assert [a.sample for a in found] == ["left", "right"]
    for i, assay in enumerate(found):
        np.testing.assert_allclose(assay.xy_um, CELLS.xy_um[i::2])


def test_without_the_package_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = write_spatialdata(tmp_path / "s.zarr", CELLS, shapes=True)
    (store / "shapes" / "circles" / "shapes.parquet").rename(store / "shapes" / "circles" / "elsewhere")
    plain = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("spatialdata"):
            raise ImportError(name)
        return plain(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BadInput, match=r"annotates circles.*pip install 'nichedose\[spatialdata\]'"):
        read_tissue(store)


def test_what_the_store_does_not_hold_is_named(tmp_path: Path) -> None:
    store = write_spatialdata(tmp_path / "s.zarr", CELLS, shapes=True)
    (store / "shapes" / "circles").rename(store / "shapes" / "others")
    with pytest.raises(BadInput, match="annotates 'circles', which the store does not hold"):
        read_tissue(store)


def test_one_of_several_tables_is_chosen_by_name(tmp_path: Path) -> None:
    store = write_spatialdata(tmp_path / "s.zarr", CELLS)
    (store / "tables" / "table").rename(store / "tables" / "square_008um")
    data = cell_anndata(CELLS, spatial_units="um")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data[: CELLS.n // 2].copy().write_zarr(store / "tables" / "square_016um")
    with pytest.raises(BadInput, match=r"several tables \(square_008um, square_016um\); name one in sample"):
        read_tissue(store)
    assert read_tissue(store, sample="square_016um").n_spots == CELLS.n // 2
