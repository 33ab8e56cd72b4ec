"""The scale of ``obsm["spatial"]``, whose unit no standard fixes: stated, measured on a lattice, or asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.io.reader import ReadOptions
from nichedose.io.scale import (
    LEGACY_ST_DIAMETER_UM,
    LEGACY_ST_PITCH_UM,
    VISIUM_DIAMETER_UM,
    VISIUM_PITCH_UM,
    Scale,
    is_unit_lattice,
    lattice_of,
    nearest_spacing,
    refuse_lost_positions,
    scale_caution,
    visium_scale,
)

__all__ = ["declares_um", "h5ad_scale", "spots_in_um"]

_ASK_ARRAY = ("The positions look like array indices (whole numbers, {spacing:.3g} apart), so their scale is not "
              "known. For a legacy ST array (1007 spots, 200 um apart) say coordinate_unit = \"array\" and "
              "um_per_unit = 200.")
_ASK = ("The unit of obsm['spatial'] is not stated (neighbouring spots are {spacing:.4g} apart). Say coordinate_unit "
        "= \"um\" if it is um; or coordinate_unit = \"pixel\" with um_per_unit = (um per pixel); or, for array "
        "indices, coordinate_unit = \"array\" with um_per_unit = (um per array step).")
CELL_SPACING_UM = 40.0  # nearest neighbours of cells are closer, spots of every array without a lattice farther
_UM_WORDS = ("um", "µm", "μm", "micromet", "micron")


def h5ad_scale(
    xy: Array, obs: Any, uns: Mapping[str, Any], factors: Mapping[str, Any], options: ReadOptions, where: str
) -> Scale:
    """Positions in um and the evidence; ``xy`` (n_spots, 2) as in the file, ``obs`` its table, ``factors`` Space
    Ranger's.

    In order: what the user states; Visium's lattice when ``array_row`` and ``array_col`` are there; what the file
    declares in ``uns["spatial_units"]``. Otherwise `BadInput` asks.
    """
    refuse_lost_positions(xy, where)
    spacing, _ = nearest_spacing(xy)
    unit = options.coordinate_unit
    if unit == "um":
        if is_unit_lattice(xy):
            raise BadInput(f"{where}: coordinate_unit = \"um\", but spots are {spacing:.3g} um apart. "
                           + _ASK_ARRAY.format(spacing=spacing))
        return _in_um(xy, "coordinates are um, as coordinate_unit says")
    if unit == "array":
        return _array(xy, options.um_per_unit, where)
    indices = _array_indices(obs)
    if indices is not None and not is_unit_lattice(xy):
        um_per_px, evidence, flags = visium_scale(*indices, xy, factors, options.um_per_unit, where)
        if declares_um(uns) and abs(um_per_px - 1.0) < 0.03:
            um_per_px, evidence = 1.0, f"{_declaration(uns)}; {evidence}"
        return Scale(xy * um_per_px, VISIUM_PITCH_UM, VISIUM_DIAMETER_UM, "hexagonal", evidence, flags)
    if options.um_per_unit is not None:
        return _in_um(xy * options.um_per_unit, f"um_per_unit = {options.um_per_unit:g} as given")
    if unit == "pixel":
        raise BadInput(f"{where}: coordinate_unit = \"pixel\" needs um_per_unit (um per pixel): the file has no "
                       "array_row and array_col from which Visium's pitch could be measured.")
    if declares_um(uns) and not is_unit_lattice(xy):
        return _in_um(xy, _declaration(uns))
    if is_unit_lattice(xy):
        raise BadInput(f"{where}: " + _ASK_ARRAY.format(spacing=spacing))
    raise BadInput(f"{where}: " + _ASK.format(spacing=spacing))


def _array(xy: Array, um_per_unit: float | None, where: str) -> Scale:
    if um_per_unit is None:
        raise BadInput(f"{where}: coordinate_unit = \"array\" needs um_per_unit, the distance of one array step in um; "
                       "um_per_unit = 200 for a legacy ST array.")
    if not is_unit_lattice(xy):
        raise BadInput(f"{where}: coordinate_unit = \"array\", but the positions are no array indices: neighbouring "
                       f"spots are {nearest_spacing(xy)[0]:.4g} apart, where 1 (or 2) is expected.")
    whole = np.rint(xy)
    if len(xy) > 20 and np.abs(xy - whole).max() < 1e-6 and not (whole.sum(axis=1) % 2).any():
        raise BadInput(f"{where}: every x + y is even, as in Visium's array_row and array_col, whose steps differ by "
                       "direction (50 and 86.6 um); put pixel positions into obsm['spatial'] instead.")
    return _in_um(xy * um_per_unit, f"array indices, one step is {um_per_unit:g} um, as given")


def spots_in_um(xy_um: Array, evidence: str, where: str) -> Scale:
    """The scale of spots whose positions are um already; raises `BadInput` when they lie on one another."""
    refuse_lost_positions(xy_um, where)
    return _in_um(xy_um, evidence)


def _in_um(xy_um: Array, evidence: str) -> Scale:
    """Lattice, pitch and spot diameter of positions in um; an unknown array's diameter is its pitch, and flagged.

    Positions without a lattice and closer than any array of spots are cells.
    """
    spacing, _ = nearest_spacing(xy_um)
    lattice = lattice_of(xy_um)
    if lattice == "none" and spacing < CELL_SPACING_UM:
        evidence += f"; neighbours are {spacing:.3g} um apart without a lattice, as cells are"
        return Scale(xy_um, spacing, spacing, lattice, evidence, observation="cell")
    evidence += f"; neighbouring spots are {spacing:.4g} um apart ({lattice if lattice != 'none' else 'no'} lattice)"
    if lattice == "hexagonal" and abs(spacing / VISIUM_PITCH_UM - 1.0) < 0.03:
        return Scale(xy_um, VISIUM_PITCH_UM, VISIUM_DIAMETER_UM, lattice, evidence + ", as Visium")
    if lattice == "square" and abs(spacing / LEGACY_ST_PITCH_UM - 1.0) < 0.1:
        return Scale(xy_um, LEGACY_ST_PITCH_UM, LEGACY_ST_DIAMETER_UM, lattice, evidence + ", as legacy ST")
    flag = scale_caution(f"Spots are {spacing:.4g} um apart, which is neither Visium (100 um) nor legacy ST (200 um); "
                         "their diameter is not stated and is taken to be that distance.")
    return Scale(xy_um, spacing, spacing, lattice, evidence, (flag,))


def _array_indices(obs: Any) -> tuple[Array, Array] | None:
    """Visium's (array_row, array_col), if they are there and have its parity."""
    if "array_row" not in obs or "array_col" not in obs:
        return None
    row, col = (np.asarray(obs[c].astype(float)) for c in ("array_row", "array_col"))
    if not (np.isfinite(row).all() and np.isfinite(col).all()) or ((row + col) % 2).any():
        return None
    return row, col


def declares_um(uns: Mapping[str, Any]) -> bool:
    """True when ``uns["spatial_units"]`` names the micrometre."""
    return str(uns.get("spatial_units", "")).strip().lower().startswith(_UM_WORDS)


def _declaration(uns: Mapping[str, Any]) -> str:
    return f"uns['spatial_units'] says \"{str(uns['spatial_units']).strip()}\""
