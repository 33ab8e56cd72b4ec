"""Cells that were counted in a section: where they lie, and how many that makes per volume."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from nichedose.errors import BadInput, near_miss
from nichedose.fields.grid import Array, BoolArray
from nichedose.tissue.assay import SpatialAssay
from nichedose.values import Flag

__all__ = ["COUNTED", "CountedCells", "cells_per_mm3", "counted_cells", "packing_flags", "with_cell_counts"]

CLOSE_PACKING = math.pi / math.sqrt(18.0)  # volume share of equal spheres packed as densely as they can be (Kepler)
COUNTED = "counted cells"  # the annotation that holds the number of cells or nuclei in each spot


@dataclass(frozen=True, eq=False)
class CountedCells:
    """``content`` (n_spots,) relative, mean 1; ``per_mm2`` mean number of cells per area of the spots."""

    content: Array
    per_mm2: float
    flags: tuple[Flag, ...]


def cells_per_mm3(per_mm2: float, thickness_um: float, nucleus_diameter_um: float) -> float:
    """Cells per volume from nuclear profiles per area of a section, N_V = N_A / (T + D).

    A section of thickness T shows each nucleus of diameter D of which it holds any part. Source: Abercrombie, Anat Rec
    1946;94:239-247. Profiles too thin to be seen are not allowed for: then there are more cells than this.

    >>> round(cells_per_mm3(6000.0, 5.0, 7.0))
    500000
    """
    return 1e3 * per_mm2 / (thickness_um + nucleus_diameter_um)


def with_cell_counts(assay: SpatialAssay, key: str | None) -> SpatialAssay:
    """The assay with the column ``key`` of its annotations as the number of cells in each spot; as it is without a key.

    Raises `BadInput` for a column that the file does not hold, one that holds no counts, or rows that are no spots.
    """
    if key is None:
        return assay
    if assay.observation != "spot":
        raise BadInput(f"{assay.sample}: cell_count_key is for spots; here each row is a {assay.observation}.")
    if key not in assay.annotations:
        known = [str(k) for k in assay.annotations]
        raise BadInput(f"{assay.sample}: cell_count_key = '{key}' is no column of this file.{near_miss(key, known)}")
    try:
        values = np.asarray(assay.annotations[key], dtype=float)
    except (TypeError, ValueError):
        raise BadInput(f"{assay.sample}: the column '{key}' holds no numbers of cells.") from None
    if not np.isfinite(values).all() or bool((values < 0.0).any()) or not values.any():
        raise BadInput(f"{assay.sample}: the column '{key}' must hold the number of cells of each spot, 0 or more, and "
                       "not 0 throughout.")
    return dataclasses.replace(assay, annotations={**assay.annotations, COUNTED: values})


def counted_cells(assay: SpatialAssay) -> CountedCells | None:
    """What the counts of `with_cell_counts` say; None where there are none. An empty spot counts as half a cell."""
    if COUNTED not in assay.annotations:
        return None
    number = np.maximum(np.asarray(assay.annotations[COUNTED], dtype=float), 0.5)
    per_mm2 = float(number.mean()) / (0.25 * math.pi * assay.spot_diameter_um**2 * 1e-6)
    text = (f"Cells per spot were counted (mean {number.mean():.1f}): content and the number of cells per volume "
            "follow them, not the transcripts.")
    return CountedCells(number / number.mean(), per_mm2, (Flag("note", "cells", text),))


def packing_flags(per_mm3: Array, mask: BoolArray, cell_radius_um: float) -> tuple[Flag, ...]:
    """A note where counted cells ``per_mm3`` (ny, nx) are more than spheres of ``cell_radius_um`` could be; else none.

    The numbers stay as counted: lymphocytes are smaller than the library's cell, and a cap would lose cells.

    >>> packing_flags(np.array([[3e5, 4e5]]), np.ones((1, 2), dtype=bool), 6.5)
    ()
    """
    most = CLOSE_PACKING / (4.0 / 3.0 * math.pi * cell_radius_um**3) * 1e9
    share = float((per_mm3[mask] > most).mean())
    if share == 0.0:
        return ()
    text = (f"In {100 * share:.2g} % of the tissue there are more cells (up to {per_mm3[mask].max():.2g} per mm3) than "
            f"spheres of {cell_radius_um:.2g} um radius leave room for ({most:.2g}). Cells are smaller there, as "
            "lymphocytes are, or the section is thicker than assumed; their number is left as counted.")
    return (Flag("note", "cells", text),)
