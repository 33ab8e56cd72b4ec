"""A tiny made-up section of cells, written in the layout of every vendor and program that `read_tissue` knows."""

from __future__ import annotations

import gzip
import json
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp

GENES = ("EPCAM", "KRT8", "COL1A1", "CD3E", "CD8A", "PECAM1", "CD68", "CD274", "CTGF")
MARKERS = ("CD8", "PanCK", "CD68", "PD-L1")
SYMBOLS = ("CD8A", "PanCK", "CD68", "CD274")


@dataclass(frozen=True)
class FakeCells:
    """20 x 20 cells about 12 um apart: counts (n, n_genes), positions in um, areas in um2, intensities (n, 4)."""

    xy_um: np.ndarray
    counts: np.ndarray
    area_um2: np.ndarray
    intensity: np.ndarray
    kind: np.ndarray

    @property
    def n(self) -> int:
        return len(self.xy_um)

    @property
    def names(self) -> list[str]:
        return [f"cell-{i}" for i in range(self.n)]


def fake_cells(seed: int = 0, side: int = 20) -> FakeCells:
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    xy = 12.0 * grid + rng.uniform(-4.0, 4.0, grid.shape) + np.array([500.0, 900.0])
    kind = np.where(grid[:, 0] < side // 2, "tumour", "CD8")
    rate = np.where(kind[:, None] == "tumour", [9, 9, 1, .3, .3, 1, 1, 2, 1], [1, 1, 4, 6, 6, 2, 2, 1, 1])
    pixels = rng.integers(300, 500, len(xy))
    intensity = rng.gamma(3.0, 2.0, (len(xy), len(MARKERS))) + 5.0 * (kind == "tumour")[:, None]
    return FakeCells(xy, rng.poisson(rate) + (np.arange(9) == 0), pixels * 0.25, intensity, kind)


def write_tenx(path: Path, cells: FakeCells, *, controls: bool = True, names: list[str] | None = None) -> None:
    """A 10x matrix with two control features behind the genes."""
    extra = ["NegControlProbe_0001", "BLANK_0002"] if controls else []
    counts = np.column_stack([cells.counts, np.ones((cells.n, len(extra)), int)])
    matrix = sp.csr_matrix(counts)
    with h5py.File(path, "w") as file:
        file["matrix/barcodes"] = np.array(names or cells.names, dtype="S")
        file["matrix/data"], file["matrix/indices"], file["matrix/indptr"] = matrix.data, matrix.indices, matrix.indptr
        file["matrix/shape"] = np.array(counts.shape[::-1])
        file["matrix/features/name"] = np.array([*GENES, *extra], dtype="S")
        kinds = ["Gene Expression"] * len(GENES) + ["Negative Control Probe", "Negative Control Codeword"][:len(extra)]
        file["matrix/features/feature_type"] = np.array(kinds, dtype="S")


def write_xenium(folder: Path, cells: FakeCells, *, parquet: bool = False) -> Path:
    folder.mkdir(parents=True)
    write_tenx(folder / "cell_feature_matrix.h5", cells)
    frame = pd.DataFrame({
        "cell_id": cells.names, "x_centroid": cells.xy_um[:, 0], "y_centroid": cells.xy_um[:, 1],
        "transcript_counts": cells.counts.sum(axis=1), "control_probe_counts": 1, "cell_area": cells.area_um2,
        "nucleus_area": 0.4 * cells.area_um2})
    if parquet:
        frame.to_parquet(folder / "cells.parquet")
    else:
        frame.to_csv(folder / "cells.csv.gz", index=False)
    (folder / "experiment.xenium").write_text(json.dumps(
        {"num_cells": cells.n, "region_name": "region_1", "pixel_size": 0.2125, "analysis_sw_version": "xenium-2.0"}))
    return folder


def write_cosmx(folder: Path, cells: FakeCells, *, um_per_px: float = 0.12028, area_um2: bool = True) -> Path:
    """Two fields of view side by side; row 0 of each holds what lies outside cells."""
    folder.mkdir(parents=True)
    fov = np.where(cells.xy_um[:, 0] < np.median(cells.xy_um[:, 0]), 1, 2)
    number = np.concatenate([np.arange(1, (fov == f).sum() + 1) for f in (1, 2)])
    order = np.argsort(fov, kind="stable")
    frame = pd.DataFrame(cells.counts[order], columns=list(GENES))
    frame["NegPrb1"], frame["SystemControl7"] = 1, 2
    frame.insert(0, "cell_ID", number)
    frame.insert(0, "fov", fov[order])
    outside = frame.groupby("fov", as_index=False).first().assign(cell_ID=0)
    pd.concat([outside[frame.columns], frame]).to_csv(folder / "Run1_exprMat_file.csv", index=False)
    xy, area = cells.xy_um[order] / um_per_px, cells.area_um2[order]
    meta = pd.DataFrame({"fov": fov[order], "cell_ID": number, "Area": area / um_per_px**2,
                         "CenterX_global_px": xy[:, 0], "CenterY_global_px": xy[:, 1], "Mean.DAPI": 10.0})
    if area_um2:
        meta["Area.um2"] = area
    meta.to_csv(folder / "Run1_metadata_file.csv", index=False)
    pd.DataFrame({"fov": [1, 2, 3], "x_global_px": [0.0, 4256.0, 8512.0], "y_global_px": 0.0}).to_csv(
        folder / "Run1_fov_positions_file.csv", index=False)
    return folder


def write_cosmx_transcripts(folder: Path, *, um_per_px: float, corners_um: tuple[float, ...] = (89.0, 1074.0)) -> Path:
    """Transcripts only, in fields of view whose corners are whole um."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(2)
    rows = []
    for fov, corner in enumerate(corners_um, start=1):
        for cell in range(40):
            local = np.array([cell % 8, cell // 8]) * 12.0 + 60.0
            for target in rng.choice([*GENES, "NegPrb3"], 30 if cell else 50):
                x, y = (local + rng.uniform(-2, 2, 2)) / um_per_px
                rows.append((fov, cell, x + corner / um_per_px, y - 28842.0 / um_per_px, x, y, 0, target, "Nuclear"))
    columns = ["fov", "cell_ID", "x_global_px", "y_global_px", "x_local_px", "y_local_px", "z", "target", "CellComp"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "S_tx_file.csv", index=False)
    pd.DataFrame({"fov": range(1, len(corners_um) + 1), "x_global_px": np.array(corners_um) / um_per_px,
                  "y_global_px": -28842.0 / um_per_px}).to_csv(folder / "S_fov_positions_file.csv", index=False)
    return folder


def write_merscope(folder: Path, cells: FakeCells) -> Path:
    folder.mkdir(parents=True)
    names = [str(1_110_000_000_000_000_000 + i) for i in range(cells.n)]  # longer than a float can hold
    counts = pd.DataFrame(cells.counts, columns=list(GENES), index=pd.Index(names, name="cell"))
    counts["Blank-1"] = 1
    counts.to_csv(folder / "cell_by_gene.csv")
    x, y = cells.xy_um.T
    pd.DataFrame({"fov": 3, "volume": 500.0, "center_x": x, "center_y": y, "min_x": x - 5, "max_x": x + 5,
                  "min_y": y - 5, "max_y": y + 5}, index=names).to_csv(folder / "cell_metadata.csv")
    return folder


def write_visium_hd(folder: Path, *, bin_um: int = 16, px_per_um: float = 3.5, side: int = 12) -> Path:
    root = folder / "binned_outputs" / f"square_{bin_um:03d}um"
    (root / "spatial").mkdir(parents=True)
    row, col = (a.ravel() for a in np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
    names = [f"s_{bin_um:03d}um_{r:05d}_{c:05d}-1" for r, c in zip(row, col, strict=True)]
    rng = np.random.default_rng(4)
    cells = FakeCells(np.zeros((len(row), 2)), rng.poisson(2.0, (len(row), len(GENES))) + 1, np.ones(len(row)),
                      np.zeros((len(row), 4)), np.array([""] * len(row)))
    write_tenx(root / "filtered_feature_bc_matrix.h5", cells, controls=False, names=names)
    frame = pd.DataFrame({
        "barcode": names, "in_tissue": (col > 0).astype(int), "array_row": row, "array_col": col,
        "pxl_row_in_fullres": 900.0 + row * bin_um * px_per_um, "pxl_col_in_fullres": 70.0 + col * bin_um * px_per_um})
    frame.to_parquet(root / "spatial" / "tissue_positions.parquet")
    (root / "spatial" / "scalefactors_json.json").write_text(json.dumps(
        {"bin_size_um": float(bin_um), "microns_per_pixel": 1.0 / px_per_um}))
    return folder


def write_geomx(folder: Path, *, positions: bool = True) -> Path:
    folder.mkdir(parents=True)
    panel = {"Name": "Test", "Targets": [
        {"DisplayName": "FAP", "CodeClass": "Endogenous01", "Probes": [{"RTS_ID": "RTS1"}, {"RTS_ID": "RTS2"}]},
        {"DisplayName": "EPCAM", "CodeClass": "Control01", "Probes": [{"RTS_ID": "RTS3"}]},
        {"DisplayName": "NegProbe", "CodeClass": "Negative01", "Probes": [{"RTS_ID": "RTS4"}]}]}
    (folder / "panel.pkc").write_text(json.dumps(panel))
    for i in range(4):
        (folder / f"DSP-1-A{i}.dcc").write_text(
            "<Header>\nFileVersion,0.01\n</Header>\n<Code_Summary>\n"
            f"RTS1,{i + 1}\nRTS2,2\nRTS3,{10 * i + 1}\nRTS4,5\n</Code_Summary>\n")
    frame = pd.DataFrame({"Sample_ID": [f"DSP-1-A{i}" for i in range(1, 4)], "segment": ["CK+", "CK-", "CK+"],
                          "area": [31416.0, 20000.0, 50000.0]})
    if positions:
        frame["ROI_X"], frame["ROI_Y"] = [100.0, 900.0, 1700.0], [50.0, 60.0, 70.0]
    frame.to_csv(folder / "annotations.csv", index=False)
    return folder


def inform_frame(cells: FakeCells, unit: str = "microns", px_per_um: float = 1.0) -> pd.DataFrame:
    area = "sq microns" if unit == "microns" else "pixels"
    frame = pd.DataFrame({
        "Path": r"C:\data", "Sample Name": "S_[100,200].im3", "Tissue Category": np.where(
            cells.kind == "tumour", "Tumor", "Stroma"),
        "Phenotype": np.where(cells.kind == "tumour", "CK+", "CD8+"), "Cell ID": np.arange(1, cells.n + 1),
        "Cell X Position": (cells.xy_um[:, 0] * px_per_um).round(1),
        "Cell Y Position": (cells.xy_um[:, 1] * px_per_um).round(1),
        f"Distance from Tissue Category Edge ({unit})": "#N/A",
        f"Entire Cell Area ({area})": cells.area_um2 * px_per_um**2,
        "Nucleus DAPI Mean (Normalized Counts, Total Weighting)": 3.25, "Slide ID": "patient 7"})
    for i, marker in enumerate(("CD8 (Opal 520)", "CK (Opal 690)", "CD68 (Opal 620)", "PDL1 (Opal 540)")):
        for place, factor in (("Nucleus", 0.5), ("Entire Cell", 1.0)):
            frame[f"{place} {marker} Mean (Normalized Counts, Total Weighting)"] = factor * cells.intensity[:, i]
    return frame


def halo_frame(cells: FakeCells, um_per_px: float = 0.5) -> pd.DataFrame:
    half = np.sqrt(cells.area_um2 / np.pi)
    box = np.column_stack([cells.xy_um[:, 0] - half, cells.xy_um[:, 0] + half, cells.xy_um[:, 1] - half,
                           cells.xy_um[:, 1] + half]) / um_per_px
    frame = pd.DataFrame(box, columns=["XMin", "XMax", "YMin", "YMax"])
    frame.insert(0, "Object Id", range(cells.n))
    frame.insert(0, "Image Location", "core_1.tif")
    for i, marker in enumerate(MARKERS):
        frame[f"{marker} (Opal 520) Positive"] = (cells.intensity[:, i] > 8).astype(int)
        frame[f"{marker} (Opal 520) Positive Nucleus"] = 1
        frame[f"{marker} (Opal 520) Cell Intensity"] = cells.intensity[:, i]
    frame["DAPI Positive"] = 1
    pixels = np.rint(cells.area_um2 / 0.25)  # counted in pixels
    frame["Cell Area (µm²)"] = pixels * um_per_px**2
    frame["Classifier Label"] = np.where(cells.kind == "tumour", "Tumor", "Stroma")
    return frame


def qupath_frame(cells: FakeCells, micro: str = "µm") -> pd.DataFrame:
    return pd.DataFrame({
        "Image": "slide.svs", "Object ID": cells.names, "Object type": "Cell",
        "Classification": np.where(cells.kind == "tumour", "Tumor", "CD8: PDL1"),
        "Parent": "Annotation (Core)", f"Centroid X {micro}": cells.xy_um[:, 0],
        f"Centroid Y {micro}": cells.xy_um[:, 1], "Cell: Area": cells.area_um2,
        "Cell: CD8 mean": cells.intensity[:, 0], "Nucleus: CD8 mean": 0.0, "PanCK: Cell: Mean": cells.intensity[:, 1],
        "Nucleus: DAPI mean": 1.0})


def mcmicro_frame(cells: FakeCells, um_per_px: float = 0.65) -> pd.DataFrame:
    frame = pd.DataFrame({"CellID": range(1, cells.n + 1), "DNA_1": 5.0})
    for i, marker in enumerate(("CD8A_cellMask", "ECAD_cellMask", "CD68_cellMask", "PDL1_cellMask")):
        frame[marker] = cells.intensity[:, i]
    frame["X_centroid"], frame["Y_centroid"] = (cells.xy_um / um_per_px).T
    frame["Area"] = cells.area_um2 / um_per_px**2
    return frame


def write_steinbock(
    folder: Path, cells: FakeCells, *, images: tuple[str, ...] = ("roi_1",), listed: bool = True
) -> Path:
    for part in ("intensities", "regionprops"):
        (folder / part).mkdir(parents=True)
    for image in images:
        frame = pd.DataFrame({"Object": range(1, cells.n + 1)})
        for i, marker in enumerate(("CD8a", "PanCK", "CD68", "PD-L1")):
            frame[marker] = cells.intensity[:, i]
        frame["DNA1"] = 3.0
        frame.to_csv(folder / "intensities" / f"{image}.csv", index=False)
        pd.DataFrame({"Object": range(1, cells.n + 1), "area": cells.area_um2, "centroid-0": cells.xy_um[:, 1],
                      "centroid-1": cells.xy_um[:, 0]}).to_csv(folder / "regionprops" / f"{image}.csv", index=False)
    if listed:
        pd.DataFrame({"image": [f"{i}.tiff" for i in images], "width_px": 1000, "height_px": 1200,
                      "acquisition_width_um": 1000.0}).to_csv(folder / "images.csv", index=False)
    return folder


def plain_frame(cells: FakeCells) -> pd.DataFrame:
    frame = pd.DataFrame({"cell_id": cells.names, "x_um": cells.xy_um[:, 0], "y_um": cells.xy_um[:, 1],
                          "area_um2": cells.area_um2, "phenotype": cells.kind})
    for i, gene in enumerate(GENES):
        frame[f"count:{gene}"] = cells.counts[:, i]
    return frame


def cell_anndata(cells: FakeCells, **uns: Any) -> anndata.AnnData:
    data = anndata.AnnData(sp.csr_matrix(cells.counts.astype(np.float32)),
                           obs=pd.DataFrame({"cell_area": cells.area_um2}, index=cells.names),
                           var=pd.DataFrame(index=list(GENES)))
    data.obsm["spatial"] = cells.xy_um.copy()
    data.uns.update(uns)
    return data


def write_spatialdata(folder: Path, cells: FakeCells, *, shapes: bool = False) -> Path:
    """The layout of a SpatialData store: a table as AnnData in zarr, and circles as GeoParquet."""
    folder.mkdir(parents=True)
    (folder / "zarr.json").write_text(json.dumps(
        {"zarr_format": 3, "node_type": "group", "attributes": {"spatialdata_attrs": {"version": "0.2"}}}))
    data = cell_anndata(cells, spatial_units="um")
    if shapes:
        del data.obsm["spatial"]
        data.obs["region"], data.obs["instance_id"] = "circles", np.arange(cells.n)
        data.uns["spatialdata_attrs"] = {"region": "circles", "region_key": "region", "instance_key": "instance_id"}
        points = [struct.pack("<BI2d", 1, 1, *xy) for xy in cells.xy_um]
        (folder / "shapes" / "circles").mkdir(parents=True)
        pd.DataFrame({"geometry": points, "radius": 5.0}).to_parquet(folder / "shapes" / "circles" / "shapes.parquet")
    (folder / "tables").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.write_zarr(folder / "tables" / "table")
    return folder


def cut_off(path: Path) -> None:
    """The first half of a file, as an interrupted download leaves it."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def gzip_text(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path
