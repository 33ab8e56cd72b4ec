"""A spatial assay as read: raw counts or protein intensities and positions in um, nothing derived yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.values import Flag

__all__ = ["Observation", "Proteins", "SpatialAssay"]

Observation = Literal["spot", "bin", "cell", "region"]
"""What one row is: a capture spot, a square bin of a continuous array, a segmented cell, or a region of interest."""


@dataclass(frozen=True, eq=False)
class Proteins:
    """Protein markers of each observation: ``intensity`` (n, n_markers) in the unit of the instrument, NaN where a
    marker was not measured.

    ``markers`` are named by gene symbol where the library knows the marker (CD8 -> CD8A), else as in the file.
    ``positive`` (n, n_markers) holds the calls of the software that made the file, None where it made none.
    """

    markers: tuple[str, ...]
    intensity: Array
    positive: BoolArray | None = None

    def column(self, marker: str) -> Array:
        """Intensity (n,) of one marker; `KeyError` when it was not measured."""
        if marker not in self.markers:
            raise KeyError(marker)
        return np.asarray(self.intensity[:, self.markers.index(marker)], dtype=float)

    def take(self, rows: Any) -> Proteins:
        """The same markers for the chosen rows."""
        return Proteins(self.markers, self.intensity[rows], None if self.positive is None else self.positive[rows])


@dataclass(frozen=True)
class SpatialAssay:
    """One tissue section: ``counts`` (n_spots, n_genes) raw, ``genes`` HGNC symbols, ``xy_um`` (n_spots, 2) as (x, y).

    A row is what ``observation`` says; its name stands in ``barcodes``. ``pitch_um`` centre-to-centre distance
    (of cells: the one that they would have if spread evenly at their median density); ``spot_diameter_um`` capture
    diameter (of cells: the median cell's, as a circle); ``lattice`` of the spots.
    ``area_um2`` (n_spots,) is the measured area of each cell, bin or region, NaN where the file has none for it.
    ``proteins`` holds protein markers, if any; an assay without genes has counts of shape (n_spots, 0).
    ``outlines_um`` are closed outlines (n, 2) of the tissue or region that was looked at, when the file draws them.
    ``scale_evidence`` says how pixels or array steps became um. ``sample`` names the section, ``patient`` whose it is.
    ``annotations`` keeps what the file said of each row, by column name; ``phenotype`` and ``tissue_category`` are the
    names of a cell's type and of the compartment that it lies in, whatever the software called them; ``abundance:NAME``
    is how much of the cell type NAME a deconvolution found in each spot.
    ``files`` are the files that were read, whose hashes go into the provenance.
    """

    counts: sp.csr_matrix
    genes: tuple[str, ...]
    xy_um: Array
    barcodes: tuple[str, ...]
    pitch_um: float
    spot_diameter_um: float
    lattice: Literal["hexagonal", "square", "none"]
    kind: str
    sample: str
    scale_evidence: str
    source_path: str = ""
    annotations: Mapping[str, Any] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()
    files: tuple[str, ...] = ()
    observation: Observation = "spot"
    area_um2: Array | None = None
    proteins: Proteins | None = None
    outlines_um: tuple[Array, ...] = ()
    patient: str = ""

    def __post_init__(self) -> None:
        n_spots, n_genes = self.counts.shape
        if n_spots == 0:
            raise BadInput(f"{self.sample}: no spot lies in tissue; check the in_tissue column of the positions file.")
        if n_genes != len(self.genes) or n_spots != len(self.barcodes) or self.xy_um.shape != (n_spots, 2):
            raise BadInput(f"{self.sample}: counts are {self.counts.shape}, but there are {len(self.genes)} genes, "
                           f"{len(self.barcodes)} barcodes and positions of shape {self.xy_um.shape}.")
        if not np.isfinite(self.xy_um).all():
            bad = int((~np.isfinite(self.xy_um)).any(axis=1).sum())
            raise BadInput(f"{self.sample}: {bad} positions are not finite.")
        if self.area_um2 is not None and self.area_um2.shape != (n_spots,):
            raise BadInput(f"{self.sample}: areas have shape {self.area_um2.shape}; there are {n_spots} rows.")
        if self.proteins is not None and self.proteins.intensity.shape != (n_spots, len(self.proteins.markers)):
            raise BadInput(f"{self.sample}: protein intensities are {self.proteins.intensity.shape}, but there are "
                           f"{n_spots} rows and {len(self.proteins.markers)} markers.")

    @property
    def n_spots(self) -> int:
        return len(self.barcodes)
