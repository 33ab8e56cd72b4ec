"""From pixels and array steps to um, with the evidence in words.

Visium spots stand on a hexagonal lattice, 100 um centre to centre, each 55 um across; legacy ST spots on a square
lattice
of 200 um, each 100 um across. ``spot_diameter_fullres`` in Space Ranger's scale factors does not describe the 55 um
spot:
on real sections it spans 65 um of the lattice, so the scale is taken from the pitch and that number only checks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.spatial import cKDTree

from nichedose.errors import BadInput
from nichedose.fields.grid import Array
from nichedose.values import Flag

__all__ = [
    "LEGACY_ST_DIAMETER_UM", "LEGACY_ST_PITCH_UM", "VISIUM_DIAMETER_UM", "VISIUM_PITCH_UM", "LatticeFit", "Scale",
    "fit_hexagonal", "fit_square", "is_unit_lattice", "lattice_of", "nearest_spacing", "refuse_lost_positions",
    "scale_caution", "visium_scale",
]

# 10x Genomics' statement on the Visium v1 capture area (kb.10xgenomics.com, article 360035487572): 4992 spots of 55 um,
# 100 um centre to centre; the same in Table 2 of the review in Nat Aging 2023;3:776, doi:10.1038/s43587-023-00446-6
VISIUM_PITCH_UM = 100.0
VISIUM_DIAMETER_UM = 55.0
# Stahl et al., Science 2016;353:78, doi:10.1126/science.aaf2403: 1007 features of 100 um, 200 um centre to centre
LEGACY_ST_PITCH_UM = 200.0
LEGACY_ST_DIAMETER_UM = 100.0
_FULLRES_DIAMETER_UM = 65.0  # what spot_diameter_fullres spans; measured on Space Ranger output
_TOLERANCE = 0.03
_FEWEST_SPOTS = 4  # fewer fix no lattice, and have no neighbours to learn from

Lattice = Literal["hexagonal", "square", "none"]


@dataclass(frozen=True)
class LatticeFit:
    """Least-squares lattice through spot positions, in the unit of the positions.

    ``spread`` is the relative difference between the longest and the shortest neighbour distance by direction;
    ``residual`` the root mean square distance of spots from their lattice points.
    """

    pitch: float
    spread: float
    residual: float
    n_spots: int


@dataclass(frozen=True)
class Scale:
    """Positions in um (n_spots, 2) as (x, y), what the lattice is, and why we believe it."""

    xy_um: Array
    pitch_um: float
    spot_diameter_um: float
    lattice: Lattice
    evidence: str
    flags: tuple[Flag, ...] = ()
    observation: Literal["spot", "cell"] = "spot"


def fit_hexagonal(array_row: Array, array_col: Array, xy: Array, where: str) -> LatticeFit:
    """Visium array indices (neighbours are two columns apart, or one row and one column) against positions ``xy``.

    The pitch is that of neighbours in one row: on a real section rows stand 0.5 % farther apart than in an ideal
    hexagon, and it is the pitch within rows that agrees with ``spot_diameter_fullres``.
    """
    row_step, col_step, residual = _affine(array_row, array_col, xy, where)
    return _lattice_fit((2.0 * col_step, row_step + col_step, row_step - col_step), residual, len(xy), where, use=1)


def fit_square(array_x: Array, array_y: Array, xy: Array, where: str) -> LatticeFit:
    """Legacy ST array indices (neighbours are one step apart in x or y) against positions ``xy``."""
    x_step, y_step, residual = _affine(array_x, array_y, xy, where)
    return _lattice_fit((x_step, y_step), residual, len(xy), where, use=2)


def visium_scale(
    array_row: Array, array_col: Array, xy: Array, factors: Mapping[str, Any], um_per_unit: float | None, where: str
) -> tuple[float, str, tuple[Flag, ...]]:
    """um per pixel, its evidence in words, and flags; ``xy`` (n, 2) in pixels, over as many spots as the file lists."""
    fit = fit_hexagonal(array_row, array_col, xy, where)
    measured = VISIUM_PITCH_UM / fit.pitch
    evidence = (f"spot pitch {fit.pitch:.4g} px, from a lattice through {fit.n_spots} spots (residual "
                f"{fit.residual:.2g} px, directions within {100 * fit.spread:.2g} %), is {VISIUM_PITCH_UM:g} um: "
                f"{measured:.4g} um/px")
    flags = []
    if fit.spread > _TOLERANCE:
        flags.append(scale_caution(f"Neighbour distances differ by {100 * fit.spread:.2g} % between directions: the "
                                   "image may be stretched; the mean pitch sets the scale."))
    diameter_px = factors.get("spot_diameter_fullres")
    if isinstance(diameter_px, int | float) and diameter_px > 0:
        spans = diameter_px * measured
        evidence += f"; spot_diameter_fullres {diameter_px:.4g} px then spans {spans:.3g} um (65 expected)"
        if abs(spans / _FULLRES_DIAMETER_UM - 1.0) > _TOLERANCE:
            flags.append(scale_caution(f"spot_diameter_fullres spans {spans:.3g} um by the spot pitch, where 65 um is "
                                       "expected: the scale factors may belong to another image. The pitch is used."))
    if um_per_unit is None:
        return measured, evidence, tuple(flags)
    if abs(um_per_unit / measured - 1.0) > _TOLERANCE:
        flags.append(scale_caution(f"um_per_unit = {um_per_unit:g} differs from {measured:.4g} um/px by the spot "
                                   "pitch; um_per_unit is used, as asked."))
    return um_per_unit, f"um_per_unit = {um_per_unit:g} as given; for comparison, {evidence}", tuple(flags)


def nearest_spacing(xy: Array) -> tuple[float, float]:
    """Median distance to the nearest neighbour, and the half range from 5 to 95 % of it, relative."""
    if len(xy) < 2:
        return float("nan"), float("inf")
    nearest = np.asarray(cKDTree(xy).query(xy, k=2)[0])[:, 1]
    middle = float(np.median(nearest))
    low, high = np.quantile(nearest, [0.05, 0.95])
    return middle, float(0.5 * (high - low) / middle) if middle > 0 else float("inf")


def lattice_of(xy: Array) -> Lattice:
    """Hexagonal, square or none, from nearest-neighbour distances and how many neighbours stand at that distance."""
    spacing, spread = nearest_spacing(xy)
    if not spread < 0.15:
        return "none"
    # the second shell is at 1.41 (square) or 1.73 (hexagonal) spacings
    near = cKDTree(xy).query_ball_point(xy, 1.2 * spacing, return_length=True) - 1
    return "hexagonal" if float(np.quantile(near, 0.9)) >= 5.0 else "square"


def is_unit_lattice(xy: Array) -> bool:
    """True when positions look like array indices: nearly whole, nearly one (or two) apart, over a small range."""
    spacing, _ = nearest_spacing(xy)
    off = np.abs(xy - np.rint(xy))
    return bool(np.median(off) < 0.15 and 0.7 < spacing < 2.3 and np.ptp(xy, axis=0).max() < 400)


def refuse_lost_positions(xy: Array, where: str) -> None:
    """Raise `BadInput` for too few spots, and when spots lie on one another: several samples, or positions lost."""
    if len(xy) < _FEWEST_SPOTS:
        raise BadInput(f"{where}: {len(xy)} spot{'' if len(xy) == 1 else 's'} in tissue; a section needs "
                       f"several spots, {_FEWEST_SPOTS} at the very least. Check the sample chosen and in_tissue.")
    if not np.ptp(xy, axis=0).any():
        raise BadInput(f"{where}: all {len(xy)} spots stand at one position, ({xy[0, 0]:.4g}, {xy[0, 1]:.4g}); a "
                       "section needs several spots, each at its own place. The positions were lost or never filled "
                       "in; give those of the spots.")
    shared = len(xy) - len(np.unique(np.round(xy, 6), axis=0))
    if shared:
        raise BadInput(f"{where}: {shared} of {len(xy)} spots stand at the position of another spot. Does the file "
                       "hold several samples? Name the column with sample_key and the sample with sample, or split "
                       "the file.")


def _affine(first: Array, second: Array, xy: Array, where: str) -> tuple[Array, Array, float]:
    design = np.column_stack([first, second, np.ones(len(xy))]).astype(float)
    if len(xy) < 4 or np.linalg.matrix_rank(design - design.mean(axis=0)) < 2:
        raise BadInput(f"{where}: {len(xy)} spots are too few, or on one line, to measure the spot pitch; give "
                       "um_per_unit with coordinate_unit.")
    coefficients: Array = np.linalg.lstsq(design, xy, rcond=None)[0]
    residual = float(np.sqrt(np.mean(np.sum((xy - design @ coefficients) ** 2, axis=1))))
    return coefficients[0], coefficients[1], residual


def _lattice_fit(steps: tuple[Array, ...], residual: float, n_spots: int, where: str, *, use: int) -> LatticeFit:
    """The first ``use`` directions set the pitch; all are compared."""
    lengths = np.array([np.hypot(*step) for step in steps])
    pitch = float(lengths[:use].mean())
    spread = float(np.ptp(lengths) / pitch) if pitch > 0 else float("inf")
    if not (pitch > 0 and spread < 0.2 and residual < 0.25 * pitch):
        raise BadInput(f"{where}: spot positions do not follow the array (neighbour distances "
                       f"{', '.join(f'{v:.4g}' for v in lengths)}; residual {residual:.4g}). Are the position columns "
                       "swapped, or do positions and array indices belong to different sections?")
    return LatticeFit(pitch, spread, residual, n_spots)


def scale_caution(text: str) -> Flag:
    return Flag("caution", "scale", text)
