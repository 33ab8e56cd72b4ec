"""The synthetic section as an array of capture spots with counts, and as a 10x Visium folder."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from nichedose.demo.expression import expected_counts, expression_model, sample_counts
from nichedose.demo.layout import section_outline
from nichedose.demo.noise import stream
from nichedose.demo.truth import DEFAULT_SEED, ground_truth
from nichedose.fields.grid import Array, BoolArray

__all__ = [
    "SAMPLE", "SECTION_ORIGIN_UM", "SpotArray", "SyntheticSection", "generate_section", "positions_csv",
    "scalefactors_json", "spot_array", "write_counts_h5",
]

SAMPLE = "synthetic_prostate"
PITCH_UM = 100.0
UM_PER_PIXEL = 0.5
_ROWS, _COLUMNS = 35, 31
SECTION_ORIGIN_UM = (400.0, 300.0)  # (x, y) in the image: the section does not begin at the image's corner


@dataclass(frozen=True)
class SpotArray:
    """All spots of the capture area: ``xy_um`` (n, 2) in the section's frame, array indices and barcodes."""

    barcodes: tuple[str, ...]
    row: NDArray[np.int_]
    column: NDArray[np.int_]
    xy_um: Array
    in_tissue: BoolArray

    @property
    def xy_pixel(self) -> Array:
        return np.asarray(np.round((self.xy_um + SECTION_ORIGIN_UM) / UM_PER_PIXEL))


@dataclass(frozen=True)
class SyntheticSection:
    """``counts`` (n_spots, n_genes) of the spots in tissue, in the order of ``barcodes`` (sorted)."""

    barcodes: tuple[str, ...]
    genes: tuple[str, ...]
    gene_ids: tuple[str, ...]
    counts: sp.csr_matrix


def spot_array(seed: int = DEFAULT_SEED) -> SpotArray:
    """A hexagonal lattice with 100 um between centres, indexed as Visium does (odd rows have odd columns)."""
    row, step = (a.ravel() for a in np.meshgrid(np.arange(_ROWS), np.arange(_COLUMNS), indexing="ij"))
    column = 2 * step + row % 2
    xy = np.stack([0.5 * PITCH_UM * column - 20.0, np.sqrt(0.75) * PITCH_UM * row + 40.0], axis=1)
    in_tissue = section_outline(seed, xy[:, 0], xy[:, 1]) > 0.0
    return SpotArray(_barcodes(seed, len(row)), row, column, xy, in_tissue)


def generate_section(seed: int = DEFAULT_SEED) -> SyntheticSection:
    """Counts of the synthetic section, from its ground truth. The same seed gives the same counts."""
    spots = spot_array(seed)
    inside = np.flatnonzero(spots.in_tissue)
    inside = inside[np.argsort([spots.barcodes[i] for i in inside])]
    truth, model = ground_truth(seed), expression_model(seed)
    mean = expected_counts(truth, model, spots.xy_um[inside])
    counts = sample_counts(seed, mean, model.overdispersion_size)
    barcodes = tuple(spots.barcodes[i] for i in inside)
    return SyntheticSection(barcodes, model.genes, model.gene_ids, sp.csr_matrix(counts))


def write_counts_h5(section: SyntheticSection, path: Path) -> None:
    """``filtered_feature_bc_matrix.h5`` as SpaceRanger lays it out (one compressed column per barcode)."""
    counts = section.counts
    with h5py.File(path, "w") as file:
        file.attrs.update({"chemistry_description": "synthetic", "filetype": "matrix", "version": np.int64(2),
                           "library_ids": np.array([SAMPLE.encode()]), "original_gem_groups": np.array([1]),
                           "software_version": "nichedose synthetic section"})
        features = {"id": section.gene_ids, "name": section.genes,
                    "feature_type": ["Gene Expression"] * len(section.genes), "genome": ["GRCh38"] * len(section.genes),
                    "_all_tag_keys": ["genome"]}
        arrays = {"barcodes": np.array(section.barcodes, dtype="S"), "data": counts.data.astype(np.int32),
                  "indices": counts.indices.astype(np.int64), "indptr": counts.indptr.astype(np.int64),
                  "shape": np.array([len(section.genes), len(section.barcodes)], dtype=np.int32),
                  **{f"features/{name}": np.array(values, dtype="S") for name, values in features.items()}}
        for name, array in arrays.items():
            file.create_dataset(f"matrix/{name}", data=array, compression="gzip", compression_opts=9, shuffle=True,
                                track_times=False)


def positions_csv(spots: SpotArray) -> str:
    """``tissue_positions.csv`` with the header of SpaceRanger 2; the pixel row is y, the pixel column is x."""
    text = io.StringIO()
    text.write("barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\n")
    for barcode, inside, row, column, (x, y) in zip(
        spots.barcodes, spots.in_tissue, spots.row, spots.column, spots.xy_pixel, strict=True
    ):
        text.write(f"{barcode},{int(inside)},{int(row)},{int(column)},{int(y)},{int(x)}\n")
    return text.getvalue()


def scalefactors_json() -> str:
    """``scalefactors_json.json``; as in real folders the spot diameter stands for 65 um, not for 55 um."""
    return json.dumps({"spot_diameter_fullres": 65.0 / UM_PER_PIXEL, "tissue_hires_scalef": 0.25,
                       "fiducial_diameter_fullres": 105.0 / UM_PER_PIXEL, "tissue_lowres_scalef": 0.075})


def _barcodes(seed: int, n: int) -> tuple[str, ...]:
    rng = stream(seed, "barcodes")
    names: dict[str, None] = {}
    while len(names) < n:
        names["".join("ACGT"[i] for i in (rng.random(16) * 4).astype(int)) + "-1"] = None
    return tuple(names)
