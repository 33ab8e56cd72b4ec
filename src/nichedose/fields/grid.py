"""A regular grid in tissue coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nichedose.errors import BadInput
from nichedose.fields.number import are_numbers, is_number, is_whole

__all__ = ["Array", "BoolArray", "Grid"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Grid:
    """Cell-centred regular grid of a section; array axes are (y, x).

    ``shape`` (ny, nx); ``spacing_um`` the same along both axes; ``origin_um`` (y, x) of the centre of voxel [0, 0].
    """

    shape: tuple[int, int]
    spacing_um: float
    origin_um: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not are_numbers(self.shape) or len(self.shape) != 2 or not all(is_whole(n, 1) for n in self.shape):
            raise BadInput(f"A grid needs two whole sizes above 0, (ny, nx); got {self.shape}.")
        if not (is_number(self.spacing_um) and self.spacing_um > 0.0):
            raise BadInput(f"A grid spacing must be above 0 um; got {self.spacing_um}.")
        if not are_numbers(self.origin_um) or len(self.origin_um) != 2:
            raise BadInput(f"A grid's origin is (y, x) in um; got {self.origin_um!r:.40}.")

    @property
    def y_um(self) -> Array:
        return self.origin_um[0] + self.spacing_um * np.arange(self.shape[0], dtype=float)

    @property
    def x_um(self) -> Array:
        return self.origin_um[1] + self.spacing_um * np.arange(self.shape[1], dtype=float)

    @property
    def voxel_area_mm2(self) -> float:
        return (self.spacing_um * 1e-3) ** 2
