"""A spatial assay as read: raw counts and positions in um, nothing derived yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.values import Flag

__all__ = ["SpatialAssay"]


@dataclass(frozen=True)
class SpatialAssay:
    """One tissue section: ``counts`` (n_spots, n_genes) raw, ``genes`` HGNC symbols, ``xy_um`` (n_spots, 2) as (x, y).

    ``pitch_um`` centre-to-centre spot distance; ``spot_diameter_um`` capture diameter; ``lattice`` of the spots.
    ``scale_evidence`` says how pixels or array steps became um. ``barcodes`` name the rows.
    ``annotations`` keeps what the file said of each spot (pathologist labels and the like), by column name.
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

    @property
    def n_spots(self) -> int:
        return len(self.barcodes)
