"""Small pictures of a section as PNG in a page, from the standard library alone."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST_SIDE", "category_picture", "png_address"]

LARGEST_SIDE = 900  # pixels


def category_picture(codes: NDArray[np.intp], hues: Mapping[int, str]) -> str:
    """A PNG data address of ``codes`` (ny, nx), y downwards as in the image of the tissue; -1 is transparent.

    Larger arrays are thinned to at most `LARGEST_SIDE` pixels a side.
    """
    step = max(-(-max(codes.shape) // LARGEST_SIDE), 1)
    thin = codes[::step, ::step]
    palette = sorted(hues)
    index = np.zeros(thin.shape, dtype=np.uint8)
    for i, code in enumerate(palette, start=1):
        index[thin == code] = i
    colours = [(255, 255, 255), *(_rgb(hues[code]) for code in palette)]
    return png_address(index, colours)


def png_address(index: NDArray[np.uint8], colours: list[tuple[int, int, int]]) -> str:
    """An indexed PNG with ``colours``; index 0 is transparent."""
    height, width = index.shape
    raw = np.concatenate([np.zeros((height, 1), dtype=np.uint8), index], axis=1).tobytes()
    body = b"".join((
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", b"".join(bytes(c) for c in colours)),
        _chunk(b"tRNS", b"\x00"),
        _chunk(b"IDAT", zlib.compress(raw, 9)),
        _chunk(b"IEND", b""),
    ))
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode("ascii")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _rgb(hue: str) -> tuple[int, int, int]:
    return int(hue[1:3], 16), int(hue[3:5], 16), int(hue[5:7], 16)
