"""Tiny made-up spatial assays, written in every layout that `read_tissue` knows."""

from __future__ import annotations

import gzip
import json
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse as sp

GENES = ("FAP", "FOLH1", "SSTR2", "EPCAM", "KRT8", "COL1A1", "CD8A", "PECAM1", "CA9", "GAPDH")
UM_PER_PX = 0.5


@dataclass(frozen=True)
class FakeVisium:
    """A 10 x 8 hexagonal array, 100 um pitch, with 50 of its spots in tissue; counts are (spots in tissue, genes)."""

    genes: tuple[str, ...] = GENES
    counts: Any = None
    seed: int = 0
    barcodes: tuple[str, ...] = ()
    row: Any = None
    col: Any = None
    in_tissue: Any = None
    scalefactors: dict[str, float] = field(default_factory=lambda: {"spot_diameter_fullres": 65.0 / UM_PER_PX})

    @staticmethod
    def make(genes: tuple[str, ...] = GENES, seed: int = 0) -> FakeVisium:
        rng = np.random.default_rng(seed)
        row, step = (a.ravel() for a in np.meshgrid(np.arange(10), np.arange(8), indexing="ij"))
        barcodes = tuple("".join(rng.choice(list("ACGT"), 16)) + "-1" for _ in row)
        in_tissue = np.isin(np.arange(80), rng.choice(80, 50, replace=False))
        counts = rng.poisson(3.0, (50, len(genes)))
        return FakeVisium(genes, counts, seed, barcodes, row, 2 * step + row % 2, in_tissue)

    @property
    def xy_um(self) -> np.ndarray:
        return np.column_stack([50.0 * self.col + 300.0, np.sqrt(0.75) * 100.0 * self.row + 500.0])

    @property
    def tissue_barcodes(self) -> tuple[str, ...]:
        return tuple(b for b, inside in zip(self.barcodes, self.in_tissue, strict=True) if inside)

    def but(self, **changes: Any) -> FakeVisium:
        return replace(self, **changes)


def write_visium(folder: Path, data: FakeVisium, *, version: int = 2, matrix: str = "h5", factors: bool = True) -> Path:
    spatial = folder / "spatial"
    spatial.mkdir(parents=True)
    xy = data.xy_um / UM_PER_PX
    lines = [
        f"{b},{int(t)},{r},{c},{y:.3f},{x:.3f}"
        for b, t, r, c, (x, y) in zip(data.barcodes, data.in_tissue, data.row, data.col, xy, strict=True)
    ]
    if version == 2:
        lines.insert(0, "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres")
    name = {1: "tissue_positions_list.csv", 2: "tissue_positions.csv"}[version]
    (spatial / name).write_text("\n".join(lines) + "\n")
    if factors:
        (spatial / "scalefactors_json.json").write_text(json.dumps(data.scalefactors))
    if matrix == "h5":
        write_h5(folder / "filtered_feature_bc_matrix.h5", data)
    elif matrix == "mtx":
        write_mtx(folder / "filtered_feature_bc_matrix", data)
    return folder


def write_h5(
    path: Path, data: FakeVisium, *, types: tuple[str, ...] | None = None, chemistry: str = "Spatial 3' v1"
) -> None:
    counts = sp.csr_matrix(data.counts)
    with h5py.File(path, "w") as file:
        file.attrs.update({"chemistry_description": chemistry, "library_ids": np.array([b"fake"])})
        file["matrix/barcodes"] = np.array(data.tissue_barcodes, dtype="S")
        file["matrix/data"], file["matrix/indices"], file["matrix/indptr"] = counts.data, counts.indices, counts.indptr
        file["matrix/shape"] = np.array(counts.shape[::-1])
        file["matrix/features/name"] = np.array(data.genes, dtype="S")
        file["matrix/features/feature_type"] = np.array(types or ["Gene Expression"] * len(data.genes), dtype="S")


def write_mtx(folder: Path, data: FakeVisium) -> None:
    folder.mkdir()
    with gzip.open(folder / "matrix.mtx.gz", "wb") as file:
        scipy.io.mmwrite(file, sp.coo_matrix(np.asarray(data.counts).T), field="integer")
    rows = [f"ENSG{i:011d}\t{g}\tGene Expression" for i, g in enumerate(data.genes)]
    (folder / "features.tsv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    (folder / "barcodes.tsv.gz").write_bytes(gzip.compress("\n".join(data.tissue_barcodes).encode()))


def as_anndata(data: FakeVisium, *, unit: str = "pixel", uns: bool = True) -> anndata.AnnData:
    """The spots in tissue as scanpy would hold them."""
    inside = np.asarray(data.in_tissue)
    obs = pd.DataFrame({"in_tissue": 1, "array_row": data.row[inside], "array_col": data.col[inside]},
                       index=list(data.tissue_barcodes))
    adata = anndata.AnnData(sp.csr_matrix(np.asarray(data.counts, dtype=np.float32)), obs=obs,
                            var=pd.DataFrame(index=list(data.genes)))
    adata.obsm["spatial"] = data.xy_um[inside] / (UM_PER_PX if unit == "pixel" else 1.0)
    if uns:
        adata.uns["spatial"] = {"fake": {"scalefactors": dict(data.scalefactors)}}
    return adata


def write_h5ad(path: Path, adata: anndata.AnnData) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata.write_h5ad(path)
    return path


def square_anndata(n: int = 6, step: float = 1.0, seed: int = 0) -> anndata.AnnData:
    """A legacy ST like array of n x n spots, ``step`` apart."""
    x, y = (a.ravel().astype(float) for a in np.meshgrid(np.arange(3, 3 + n), np.arange(5, 5 + n), indexing="ij"))
    counts = np.random.default_rng(seed).poisson(3.0, (n * n, len(GENES))).astype(np.float32)
    obs = pd.DataFrame(index=[f"{int(a)}x{int(b)}" for a, b in zip(x, y, strict=True)])
    adata = anndata.AnnData(sp.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=list(GENES)))
    adata.obsm["spatial"] = step * np.column_stack([x, y])
    return adata


def legacy_frame(n: int = 5, seed: int = 0) -> pd.DataFrame:
    x, y = (a.ravel() for a in np.meshgrid(np.arange(3, 3 + n), np.arange(5, 5 + n), indexing="ij"))
    counts = np.random.default_rng(seed).poisson(3.0, (n * n, len(GENES)))
    return pd.DataFrame(counts, index=[f"{a}x{b}" for a, b in zip(x, y, strict=True)], columns=list(GENES))


def spot_frame(names: list[str], px_per_step: float = 250.0) -> pd.DataFrame:
    x, y = np.array([[int(v) for v in n.split("x")] for n in names]).T
    return pd.DataFrame({"x": x, "y": y, "new_x": x + 0.0, "new_y": y + 0.0, "pixel_x": px_per_step * x + 11.0,
                         "pixel_y": px_per_step * y + 7.0, "selected": 1})
