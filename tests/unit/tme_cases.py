"""Made-up cell sections with known densities: round nests in stroma, every cell with its marker transcripts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from nichedose.library import load_library
from nichedose.tissue import SpatialAssay

LIBRARY = load_library()
SIDE_UM = 1000.0
NEST_RADIUS_UM = 180.0
CENTRES = ((250.0, 250.0), (750.0, 250.0), (250.0, 750.0), (750.0, 750.0))
MARKERS = {
    "tumour": ("EPCAM", "KRT8", "KRT18", "CDH1"),
    "fibroblast": ("DCN", "LUM", "COL3A1", "PDGFRA"),
    "t_cell": ("CD3D", "CD3E", "CD2", "TRAC", "CD8A"),
    "macrophage": ("CD68", "CSF1R", "C1QA"),
    "endothelial": ("PECAM1", "CDH5", "VWF"),
}
OTHERS = tuple(f"BACKGROUND{i}" for i in range(40))
EXTRA = ("CLDN4", "TFRC", "CD274")
GENES = (*(g for m in MARKERS.values() for g in m), *EXTRA, *OTHERS)


def in_nest(xy: np.ndarray) -> np.ndarray:
    return np.asarray(
        np.any([np.hypot(xy[:, 0] - x, xy[:, 1] - y) < NEST_RADIUS_UM for x, y in CENTRES], axis=0))


def cell_section(
    *, t_nest: float = 100.0, t_stroma: float = 600.0, seed: int = 0, sample: str = "made up", side_um: float = SIDE_UM
) -> SpatialAssay:
    """A square section: 8,000 tumour cells per mm2 in nests, fibroblasts in stroma, T cells as asked (per mm2)."""
    rng = np.random.default_rng(seed)
    placed: list[tuple[np.ndarray, str]] = []
    for cell_type, nest, stroma in (
        ("tumour", 8000.0, 0.0), ("fibroblast", 0.0, 3000.0), ("t_cell", t_nest, t_stroma),
        ("macrophage", 150.0, 400.0), ("endothelial", 20.0, 300.0),
    ):
        for density, inside in ((nest, True), (stroma, False)):
            n = rng.poisson(density * (side_um * 1e-3) ** 2)
            xy = rng.uniform(0.0, side_um, (n, 2))
            placed.append((xy[in_nest(xy) == inside], cell_type))
    xy = np.concatenate([p for p, _ in placed])
    types = np.concatenate([np.full(len(p), t) for p, t in placed])
    level = np.full((len(xy), len(GENES)), 0.02)
    level[:, [GENES.index(g) for g in OTHERS]] = 1.0
    for cell_type, markers in MARKERS.items():
        level[np.ix_(types == cell_type, [GENES.index(g) for g in markers])] = 4.0
    level[types == "tumour", GENES.index("CLDN4")] = 2.0  # on every tumour cell, nowhere else
    level[:, GENES.index("TFRC")] = 2.0  # everywhere
    level[types == "macrophage", GENES.index("CD274")] = 2.0
    counts = rng.poisson(level * rng.gamma(8.0, 1.0 / 8.0, (len(xy), 1)))
    return SpatialAssay(
        counts=sp.csr_matrix(counts.astype(float)), genes=GENES, xy_um=xy,
        barcodes=tuple(f"c{i}" for i in range(len(xy))), pitch_um=11.0, spot_diameter_um=11.0, lattice="none",
        kind="made", sample=sample, scale_evidence="made up", observation="cell",
        annotations={"truth": types.astype(object), "region": np.where(in_nest(xy), "nest", "rest").astype(object)},
    )


def permuted(assay: SpatialAssay, rows: np.ndarray, columns: np.ndarray) -> SpatialAssay:
    return replace(
        assay, counts=sp.csr_matrix(assay.counts[rows][:, columns]), genes=tuple(assay.genes[i] for i in columns),
        xy_um=assay.xy_um[rows], barcodes=tuple(assay.barcodes[i] for i in rows),
        annotations={k: np.asarray(v)[rows] for k, v in assay.annotations.items()})


def moved(assay: SpatialAssay, degrees: float, shift_um: tuple[float, float]) -> SpatialAssay:
    a = np.deg2rad(degrees)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return replace(assay, xy_um=assay.xy_um @ turn.T + np.array(shift_um))
