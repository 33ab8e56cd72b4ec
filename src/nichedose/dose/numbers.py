"""Numbers and arrays as users hand them over, or `BadInput`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from nichedose.errors import BadInput, OutOfValidity
from nichedose.fields.grid import Array

__all__ = ["MOST_OBLONG", "check_kind", "check_lengths", "check_oblong", "one_length", "one_number", "real_array",
           "whole_number"]

MOST_OBLONG = 64.0  # longest over shortest voxel side; shells follow the shortest, so time grows with the cube of it
_SHORTEST_UM, _LONGEST_UM = 1e-3, 1e13  # first shell of the kernels; nothing is beyond


def one_number(name: str, value: Any, unit: str) -> float:
    """``value`` as a float; text, None and arrays are refused by name."""
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Sequence) or value is None or np.ndim(value) != 0:
        raise BadInput(f"{name} = {value!r}; give one number, {unit}.")
    return float(real_array(name, value))


def real_array(name: str, values: ArrayLike, dtype: DTypeLike | None = np.float64) -> Array:
    """``values`` as real numbers; text, truth values, objects and complex numbers are refused by name."""
    try:
        kind = np.asarray(values).dtype.kind
        if kind in "USb":  # NumPy would read "20" as 20 and True as 1
            raise TypeError("got truth values" if kind == "b" else "got text")
        with warnings.catch_warnings(), np.errstate(over="ignore"):  # too large for the type: infinite
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return np.ascontiguousarray(values, dtype=dtype) if np.ndim(values) else np.asarray(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError, np.exceptions.ComplexWarning) as error:
        raise BadInput(f"{name} must hold real numbers: {error}.") from None


def one_length(name: str, value: Any) -> float:
    """``value`` as a length in um above 0, or `BadInput`."""
    if not 0.0 < one_number(name, value, "um") < math.inf:
        raise BadInput(f"{name} = {value}; it must be above 0 um.")
    return float(value)


def check_kind(name: str, value: Any, kind: type) -> None:
    """Refuse what is no ``kind``."""
    if not isinstance(value, kind):
        raise BadInput(f"{name} is of type {type(value).__name__}; it must be {kind.__name__}.")


def whole_number(value: Any, least: int, most: float = math.inf) -> bool:
    """Is ``value`` a whole number from ``least`` to ``most``? True and False are none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(least <= value <= most)


def check_lengths(name: str, lengths_um: ArrayLike) -> None:
    """Refuse lengths above 0 that no kernel resolves, or whose cubes overflow."""
    lengths = np.asarray(lengths_um)
    outside = lengths[(lengths < _SHORTEST_UM * (1.0 - 1e-9)) | (lengths > _LONGEST_UM)]
    if outside.size:
        raise OutOfValidity(f"{name}: {outside[0]:g} um; kernels are computed from {_SHORTEST_UM:g} um (and known from "
                            f"about 1 um) to {_LONGEST_UM:g} um.")


def check_oblong(name: str, sides_um: Array) -> None:
    """Refuse voxels so oblong that their kernel would take minutes."""
    ratio = float(sides_um.max() / sides_um.min())
    if ratio > MOST_OBLONG:
        raise BadInput(f"{name}: the longest side is {ratio:.4g} times the shortest; kernels are computed up to "
                       f"{MOST_OBLONG:g} times. Split the long sides, or merge voxels along the short ones.")
