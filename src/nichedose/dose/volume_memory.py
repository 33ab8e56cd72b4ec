"""Memory that a 3-D convolution needs, told before it starts, and the way out where it does not fit."""

from __future__ import annotations

import math
import os

from nichedose.dose.volume_plan import Plan, Shape, shape_of
from nichedose.errors import BadInput

__all__ = ["memory_needed_bytes", "refuse_what_does_not_fit"]

_SPARE = 0.9  # of the machine's memory may be used
_TILES = (512, 384, 256, 192, 128, 96, 64, 48, 32, 24, 16, 8)  # sizes that a refusal may name, largest first


def memory_needed_bytes(field_shape: Shape, periods: Shape, qualities: int, itemsize: int = 8) -> int:
    """Peak memory of a convolution beside the map itself: results, half-transformed map, spectrum and work."""
    voxels = math.prod(field_shape)
    half = field_shape[0] * (periods[1] // 2 + 1) * periods[2] * 2 * itemsize
    octant = math.prod(p // 2 + 1 for p in periods)
    return voxels * itemsize * (qualities + 1) + half + octant * (16 + itemsize)


def refuse_what_does_not_fit(
    shape: Shape, itemsize: int, plans: list[Plan], tiles: Shape | None, mirrored: bool = False
) -> None:
    room = _memory_bytes()
    need = _need_bytes(shape, itemsize, plans, tiles)
    if room is None or need <= _SPARE * room:
        return
    halved = ", dtype=float32 to halve it" if itemsize > 4 else ""
    raise BadInput(
        f"Convolving {' x '.join(map(str, shape))} voxels needs {_gib(need)} beside the map; this machine has "
        f"{_gib(room)}. Give {_without_mirrors(plans) if mirrored else _way_out(shape, itemsize, plans, _SPARE * room)}"
        f"{halved}, or wider voxels.")


def _without_mirrors(plans: list[Plan]) -> str:
    photons = any(plan.key.quality == "photon" for plan in plans)
    charged = "quality=CHARGED (photons reach through many reflections), " if photons and len(plans) > 1 else ""
    return charged + "surroundings that go in tiles (isolated, uniform)"


def _way_out(shape: Shape, itemsize: int, plans: list[Plan], room: float) -> str:
    """Tiles that fit; or else parts of the map that do, each with a margin. Photons reach through the whole map."""
    charged = [plan for plan in plans if plan.key.quality != "photon"]
    without = " with quality=CHARGED (photons reach through the whole map)" if len(charged) < len(plans) else ""
    for chosen, also in ((plans, ""), (charged, without)):
        fits = [n for n in _TILES
                if chosen and n < max(shape) and _need_bytes(shape, itemsize, chosen, (n, n, n)) <= room]
        if fits:
            return f"tile={fits[0]} to work in tiles{also}"
    reach = max((max(plan.half) for plan in charged), default=0)
    for n in _TILES:  # what is kept of each part
        side = n + 2 * reach
        if charged and _need_bytes((side,) * 3, itemsize, charged, (side,) * 3) <= room:
            return (f"the map in parts of {n} x {n} x {n} voxels, each with {reach} more on every side (drop the dose "
                    f"of these){without}")
    return "fewer qualities" if len(plans) > 1 else "a smaller map"


def _gib(size_bytes: float) -> str:
    """Digits that a user reads at a glance, never an exponent."""
    gib = size_bytes / 2**30
    return f"{1024.0 * gib:.0f} MiB" if gib < 1.0 else f"{gib:.1f} GiB" if gib < 10.0 else f"{gib:.0f} GiB"


def _need_bytes(shape: Shape, itemsize: int, plans: list[Plan], tiles: Shape | None) -> int:
    """The most that any of the qualities needs beside the map, results of all included."""
    if tiles is None:
        return max(memory_needed_bytes(shape, plan.periods, len(plans), itemsize) + _wide_kernel_bytes(plan)
                   for plan in plans)
    parts = [shape_of(t + 2 * h for t, h in zip(tiles, plan.half, strict=True)) for plan in plans]
    results = math.prod(shape) * itemsize * len(plans)
    return max(memory_needed_bytes(part, part, 2, itemsize) for part in parts) + results


def _wide_kernel_bytes(plan: Plan) -> int:
    """A kernel that wraps around its torus, among mirrors, is larger than its spectrum."""
    wraps = any(h > p // 2 for h, p in zip(plan.half, plan.periods, strict=True))
    return 16 * math.prod(h + 1 for h in plan.half) if wraps else 0


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not told on this system
        return None
