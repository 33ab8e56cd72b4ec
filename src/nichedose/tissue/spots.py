"""What a section says at its spots, before any physical unit: composition, scores and the shape of each target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from nichedose.fields.grid import Array
from nichedose.tissue.genes import Coverage
from nichedose.values import Flag

__all__ = ["LEAST_LEVEL", "CellSites", "GeneCoverage", "SpotErrors", "SpotModel", "SpotTarget", "TypeErrors"]


LEAST_LEVEL = 0.1  # assumed: a gene below a tenth of the average one does not show that its protein is there


@dataclass(frozen=True)
class SpotTarget:
    """A target at the spots: ``relative`` (n_spots,) transcripts per tissue volume, mean 1; None without a shape.

    ``relative_sd`` (n_spots,): what counting leaves open of each spot's level, as a share of it; ``shared_sd`` the part
    of it that neighbours have in common. None without counts.
    ``counts`` and ``positive_spots`` are those of the scarcest subunit, ``level`` its counts over those of the average
    gene of the assay; None for proteins.
    """

    name: str
    relative: Array | None
    counts: int
    positive_spots: int
    relative_sd: Array | None = None
    shared_sd: Array | None = None
    level: float | None = None

    @property
    def shape_known(self) -> bool:
        return self.relative is not None

    @property
    def detected(self) -> bool:
        """Whether the section shows that it is there: enough counts for a map, and not far below other genes."""
        return self.shape_known and (self.level is None or self.level >= LEAST_LEVEL)


@dataclass(frozen=True)
class GeneCoverage:
    """Which genes of each list were measured, and with how many counts."""

    cell_types: Mapping[str, Coverage]
    targets: Mapping[str, Coverage]
    signatures: Mapping[str, Coverage]

    def as_dict(self) -> dict[str, dict[str, dict[str, object]]]:
        """Plain objects, for JSON."""
        return {
            kind: {name: c.as_dict() for name, c in getattr(self, kind).items()}
            for kind in ("cell_types", "targets", "signatures")
        }


@dataclass(frozen=True, eq=False)
class TypeErrors:
    """What marker counts leave open of cell types; arrays (n_spots, n_types).

    ``level``: each type's score over its mean in the section. ``relative_sd`` and ``shared_sd`` of it, as in
    `SpotTarget`. ``least`` (n_types,): the lowest level that the section shows, above which markers cannot leak.
    ``untold`` (n_types,): how much of the variance of its scale's prior the section leaves, 0 to 1.
    """

    level: Array
    relative_sd: Array
    shared_sd: Array
    least: Array
    untold: Array


@dataclass(frozen=True, eq=False)
class SpotErrors:
    """What a section leaves open at its spots, as standard deviations of logarithms; `draw_spots` makes draws of it.

    ``content``: one number. ``composition``: see `TypeErrors`. ``vessel`` and ``matrix`` (n_spots,): from counting.
    None where nothing was counted. ``matrix_scale``: one number, of what counts as full matrix in the whole section.
    """

    content: float
    composition: TypeErrors | None
    vessel: Array | None
    matrix: Array | None
    matrix_scale: float = 0.0


@dataclass(frozen=True, eq=False)
class CellSites:
    """The cells (or fine bins) behind a model: names, ``xy_um`` (n, 2), diameter, ``share`` (n, n_types) by type."""

    names: tuple[str, ...]
    xy_um: Array
    diameter_um: float
    share: Array


@dataclass(frozen=True, eq=False)
class SpotModel:
    """One section at spot level; arrays (n_spots,) unless said. Computed once, the same in every draw.

    ``composition`` (n_spots, n_types): fractions of cells, rows sum to 1, columns ``cell_types``. ``content``: relative
    cell content, mean 1. ``vessel``: relative endothelial content, mean 1; None without endothelial genes. ``matrix``:
    relative, 0-1. ``hypoxia``: relative score, mean 1, shown beside the oxygen field and not used for it (or None).
    ``traits``: log scores of what may shift radiosensitivity, in standard deviations over the section, where measured.
    ``cells``: where the model was gathered from cells, the way back to them. ``cells_per_mm2``: mean number of cells
    that were counted per area of section, None where none were. ``errors``: what the counts leave open.
    """

    sample: str
    barcodes: tuple[str, ...]
    xy_um: Array
    pitch_um: float
    spot_diameter_um: float
    lattice: Literal["hexagonal", "square", "none"]
    depth: Array
    cell_types: tuple[str, ...]
    clonogenic: tuple[str, ...]
    composition: Array
    content: Array
    vessel: Array | None
    matrix: Array
    hypoxia: Array | None
    targets: Mapping[str, SpotTarget]
    unknown_targets: Mapping[str, str]
    coverage: GeneCoverage
    flags: tuple[Flag, ...]
    cells: CellSites | None = None
    traits: Mapping[str, Array] = field(default_factory=dict)
    errors: SpotErrors | None = None
    cells_per_mm2: float | None = None

    @property
    def n_spots(self) -> int:
        return len(self.barcodes)

    @property
    def gene_coverage(self) -> dict[str, dict[str, dict[str, object]]]:
        return self.coverage.as_dict()

    def fraction(self, cell_type: str) -> Array:
        return np.asarray(self.composition[:, self.cell_types.index(cell_type)])

    def host_share(self, host: str) -> Array:
        """How much of a target's host there is per unit of cell content: a cell type's fraction, ``matrix``, or vessel.

        Vessel walls without endothelial genes are even.
        """
        if host == "matrix":
            return np.asarray(self.matrix / self.content)
        if host == "vessel_wall":
            return np.ones(self.n_spots) if self.vessel is None else np.asarray(self.vessel / self.content)
        return self.fraction(host)
