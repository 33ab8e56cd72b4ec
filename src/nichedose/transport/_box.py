"""Work on the smallest box that holds the tissue, and put the results back on the whole grid."""

from __future__ import annotations

import numpy as np

from nichedose.fields.grid import Array, BoolArray, Grid
from nichedose.transport.solution import TissueTransport

__all__ = ["Box", "bounding_box", "crop", "expand"]

Box = tuple[slice, slice]


def bounding_box(mask: BoolArray) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def crop(tissue: TissueTransport, box: Box) -> TissueTransport:
    mask = tissue.mask[box]
    grid = Grid((mask.shape[0], mask.shape[1]), tissue.grid.spacing_um)
    factor = None if tissue.diffusivity_factor is None else tissue.diffusivity_factor[box]
    return TissueTransport(grid, mask, tissue.target_nmol_per_L[box], tissue.exchange_per_h[box], factor)


def expand(field: Array, shape: tuple[int, int], box: Box) -> Array:
    """(..., box) -> (..., ny, nx), zero outside the box; the field itself where the box is the whole."""
    if field.shape[-2:] == shape:
        return field
    out = np.zeros((*field.shape[:-2], *shape))
    out[(..., *box)] = field
    return out
