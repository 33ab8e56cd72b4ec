"""What a transport run will take, before it starts."""

from __future__ import annotations

import os

from nichedose.errors import BadInput
from nichedose.fields.grid import Grid

__all__ = ["estimate_cost", "refuse_if_too_large"]

FIELDS_OF_ENGINE = 75  # float64 fields alive in the engine, coarse grids included
FIELDS_PER_STEP = 6  # three snapshots, twice while they are handed over
FIELDS_PER_LABEL = 9
NS_PER_VOXEL_AND_STEP = 600.0  # one core of a 2020s server
USUAL_STEPS = 45
LARGEST_SHARE_OF_MEMORY = 0.5


def estimate_cost(grid: Grid, n_steps: int = USUAL_STEPS, n_labels: int = 4) -> tuple[int, float]:
    """(bytes, seconds) of one run, roughly: within a factor two on the machines that it was measured on.

    >>> size, seconds = estimate_cost(Grid((128, 128), 20.0))
    >>> size < 1e8 and seconds < 2.0
    True
    """
    voxels = grid.shape[0] * grid.shape[1]
    alive = FIELDS_OF_ENGINE + FIELDS_PER_STEP * (n_steps + 1) + FIELDS_PER_LABEL * (n_labels + 1)
    return 8 * voxels * alive, NS_PER_VOXEL_AND_STEP * 1e-9 * voxels * n_steps


def refuse_if_too_large(grid: Grid, n_labels: int, available_bytes: int | None = None) -> None:
    """Raise ``BadInput``, with a spacing that would fit, where a run needs more than half of the memory."""
    have = _physical_memory() if available_bytes is None else available_bytes
    if have <= 0:
        return
    need, seconds = estimate_cost(grid, n_labels=n_labels)
    allowed = LARGEST_SHARE_OF_MEMORY * have
    if need > allowed:
        spacing = grid.spacing_um * (need / allowed) ** 0.5
        raise BadInput(
            f"A transport run on {grid.shape[0]} x {grid.shape[1]} voxels needs about {need / 2**30:.1f} GiB (and "
            f"{seconds:.0f} s), more than {LARGEST_SHARE_OF_MEMORY:.0%} of this machine's {have / 2**30:.1f} GiB. "
            f"Use a grid spacing of {spacing:.0f} um or more, or a smaller section."
        )


def _physical_memory() -> int:
    """Bytes of memory, or 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
