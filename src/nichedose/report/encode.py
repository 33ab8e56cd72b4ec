"""Maps as text in a page: quantised to one byte per voxel, predicted from the neighbours, gzipped, base64."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nichedose.fields.grid import Array, BoolArray

__all__ = ["CodedMap", "code_map", "decode_map", "pack", "unpack"]

_TOP = 255
_SPAN_FOR_LOG = 30.0  # a map whose upper and lower parts differ by more than this is shown on a logarithmic scale
_PEAK_FOR_LOG = 60.0  # and so is one with a peak this far above its lower parts: 255 even steps would lose those
_LOG_FLOOR = 1e-6  # smallest value told apart from zero on a logarithmic scale, relative to the largest


@dataclass(frozen=True)
class CodedMap:
    """One map in 255 steps. Code 0 is "no value"; 1 is exactly ``minimum`` and 255 exactly ``maximum`` of the map.

    On the ``log`` scale code 1 means zero (or below ``floor``) when ``has_zero``, and ``floor`` to ``maximum`` take the
    rest. ``step`` lies between two neighbouring codes: a difference on the linear scale, a ratio on the log scale.
    ``shown`` are the codes at the two ends of the colour bar (a few extreme voxels do not set the colours).
    """

    payload: str
    shape: tuple[int, int]
    block: int
    scale: Literal["linear", "log"]
    minimum: float
    maximum: float
    floor: float
    has_zero: bool
    step: float
    shown: tuple[int, int]

    @property
    def size(self) -> int:
        return len(self.payload)


def code_map(values: Array, mask: BoolArray, *, block: int = 1, allow_log: bool = True) -> CodedMap:
    """Quantise ``values`` (ny, nx) inside ``mask``, after averaging blocks of ``block`` x ``block`` voxels.

    Voxels outside ``mask`` or without a finite value get code 0.
    """
    field, known = _coarsen(np.asarray(values, dtype=float), np.asarray(mask, dtype=bool) & np.isfinite(values), block)
    inside = field[known]
    if inside.size == 0:
        empty = np.zeros(field.shape, dtype=np.uint8)
        return CodedMap(
            pack(empty), (field.shape[0], field.shape[1]), block, "linear", 0.0, 0.0, 0.0, False, 0.0, (1, _TOP)
        )
    low, high = float(inside.min()), float(inside.max())
    codes = np.zeros(field.shape, dtype=np.uint8)
    if allow_log and _wants_log(inside):
        positive = float(inside[inside > 0.0].min())
        floor = max(positive, high * _LOG_FLOOR)
        has_zero = low < floor
        first = 2 if has_zero else 1
        with np.errstate(divide="ignore"):
            place = np.log(np.maximum(inside, floor) / floor) / np.log(high / floor)
        codes[known] = np.where(inside < floor, 1, np.rint(first + place * (_TOP - first)))
        step = float((high / floor) ** (1.0 / (_TOP - first)))
        scale: Literal["linear", "log"] = "log"
    else:
        span = high - low
        codes[known] = np.rint(1.0 + (inside - low) / span * (_TOP - 1)) if span > 0.0 else 1
        floor, has_zero, scale, step = low, False, "linear", span / (_TOP - 1)
    return CodedMap(
        pack(codes),
        (field.shape[0], field.shape[1]),
        block,
        scale,
        low,
        high,
        floor,
        has_zero,
        step,
        _shown(codes[known], scale, has_zero),
    )


def decode_map(coded: CodedMap) -> Array:
    """The values that a page shows, NaN where there is none; the reference for the page's own reader."""
    codes = unpack(coded.payload, coded.shape)
    first = 2 if coded.has_zero else 1
    place = (codes.astype(float) - first) / (_TOP - first)
    if coded.scale == "log":
        values = coded.floor * (coded.maximum / coded.floor) ** np.clip(place, 0.0, 1.0)
        values = np.where((codes == 1) & coded.has_zero, 0.0, values)
    else:
        values = coded.minimum + (coded.maximum - coded.minimum) * np.clip(place, 0.0, 1.0)
    return np.where(codes == 0, np.nan, values)


def pack(codes: NDArray[np.uint8]) -> str:
    """Codes (ny, nx) as base64 of the gzipped residuals from `_predict`; the same bytes every time."""
    residual = (codes - _predict(codes)).astype(np.uint8)
    return base64.b64encode(gzip.compress(residual.tobytes(), 6, mtime=0)).decode("ascii")


def unpack(payload: str, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Inverse of `pack`."""
    residual = np.frombuffer(gzip.decompress(base64.b64decode(payload)), dtype=np.uint8).reshape(shape)
    codes = np.zeros((shape[0] + 1, shape[1] + 1), dtype=np.uint8)
    for y in range(1, shape[0] + 1):
        for x in range(1, shape[1] + 1):
            codes[y, x] = (int(residual[y - 1, x - 1]) + _median_edge(codes, y, x)) & 255
    return codes[1:, 1:]


def _predict(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each code as its left, upper and upper-left neighbours foretell it (median edge detector of LOCO-I)."""
    padded = np.pad(codes, ((1, 0), (1, 0))).astype(np.int16)
    left, up, corner = padded[1:, :-1], padded[:-1, 1:], padded[:-1, :-1]
    low, high = np.minimum(left, up), np.maximum(left, up)
    return np.asarray(np.clip(left + up - corner, low, high), dtype=np.uint8)


def _median_edge(codes: NDArray[np.uint8], y: int, x: int) -> int:
    left, up, corner = int(codes[y, x - 1]), int(codes[y - 1, x]), int(codes[y - 1, x - 1])
    return min(max(left + up - corner, min(left, up)), max(left, up))


def _coarsen(values: Array, known: BoolArray, block: int) -> tuple[Array, BoolArray]:
    """Block means over the voxels with a value; a block without any has none."""
    filled = np.where(known, values, 0.0)
    if block == 1:
        return filled, known
    ny, nx = (-(-n // block) for n in values.shape)
    pad = ((0, ny * block - values.shape[0]), (0, nx * block - values.shape[1]))
    total = np.pad(filled, pad).reshape(ny, block, nx, block).sum(axis=(1, 3))
    count = np.pad(known, pad).reshape(ny, block, nx, block).sum(axis=(1, 3))
    return total / np.maximum(count, 1), count > 0


def _wants_log(inside: Array) -> bool:
    if float(inside.min()) < 0.0:
        return False
    positive = inside[inside > 0.0]
    if positive.size < 2:
        return False
    low, high = np.quantile(positive, [0.1, 0.99])
    return bool(high > _SPAN_FOR_LOG * low or positive.max() > _PEAK_FOR_LOG * low)


def _shown(codes: NDArray[np.uint8], scale: str, has_zero: bool) -> tuple[int, int]:
    """Ends of the colour bar: all codes, unless one voxel in 200 would take more than half of the range at an end."""
    low, high = (round(q) for q in np.quantile(codes, [0.005, 0.995]))
    first, last = (2 if scale == "log" and has_zero else 1), _TOP
    if low - first > 127:
        first = low
    if last - high > 127:
        last = high
    return first, max(last, first + 1)
