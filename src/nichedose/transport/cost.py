"""What a transport run will take, before it starts."""

from __future__ import annotations

import os

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Grid
from nichedose.fields.mesh import Mesh
from nichedose.fields.number import is_whole, kind
from nichedose.transport.network import Network

__all__ = ["course_memory", "estimate_cost", "refuse_course_if_too_large", "refuse_if_too_large"]

FIELDS_OF_ENGINE = 40  # float64 fields alive in the engine, coarse grids included
FIELDS_PER_SNAPSHOT = 6  # three snapshots, twice while they are handed over
FIELDS_PER_LABEL = 9
NS_PER_VOXEL_AND_STEP = 150.0  # one core of a 2020s server, section beyond its caches
USUAL_STEPS = 30
LARGEST_SHARE_OF_MEMORY = 0.5
STAGE_FIELDS = 10  # slopes of six stages, state, new state, right-hand side, and what NumPy holds meanwhile
SOLVER_FIELDS = 24  # stage values, Krylov vectors, weights, coefficients
FIELDS_OF_LATTICE = 27  # free ligand and slopes of six stages, state, right-hand sides, coefficients, solver
FIELDS_OF_PARTS = 10  # connected parts of blocks, and what making them takes, where tissue is torn
CELL_FIELDS = 3  # what is gathered from the inputs, cell by cell
BACKWARD_MOBILE_FIELDS = 27  # of the adjoint run: slopes, values and solutions of six stages, coefficients
BACKWARD_IMMOBILE_FIELDS = 16  # slopes and right-hand sides of six stages
BACKWARD_FIELDS_PER_LABEL = 4  # maps handed to the objective, what it asks for, and copies
MESH_FIELDS = 30  # places, faces and their coarse copies while the run is set up


def estimate_cost(
    grid: Grid, n_steps: int = USUAL_STEPS, n_labels: int = 4, n_snapshots: int | None = None
) -> tuple[int, float]:
    """(bytes, seconds) of one run, roughly: within a factor two on the machines that it was measured on.

    ``n_snapshots`` kept: of all steps where it is None. Raises `BadInput`.

    >>> size, seconds = estimate_cost(Grid((128, 128), 20.0))
    >>> size < 1e8 and seconds < 2.0
    True
    """
    if not isinstance(grid, Grid):
        raise BadInput(f"The cost of a run is that on a Grid; got {kind(grid)}.")
    for name, number, least in (("n_steps", n_steps, 1), ("n_labels", n_labels, 0), ("n_snapshots", n_snapshots, 1)):
        if not is_whole(number, least) and not (number is None and name == "n_snapshots"):
            raise BadInput(f"{name} is a whole number, {least} or more; got {number!r:.40}.")
    voxels = grid.shape[0] * grid.shape[1]
    kept = n_steps + 1 if n_snapshots is None else n_snapshots
    alive = FIELDS_OF_ENGINE + FIELDS_PER_SNAPSHOT * kept + FIELDS_PER_LABEL * (n_labels + 1)
    return 8 * voxels * alive, NS_PER_VOXEL_AND_STEP * 1e-9 * voxels * n_steps


def refuse_if_too_large(
    grid: Grid, n_labels: int, end_alone: bool = False, available_bytes: int | None = None
) -> None:
    """Raise ``BadInput``, with a spacing that would fit, where a run needs more than half of the memory."""
    have = _physical_memory() if available_bytes is None else available_bytes
    if have <= 0:
        return
    need, seconds = estimate_cost(grid, n_labels=n_labels, n_snapshots=1 if end_alone else None)
    allowed = LARGEST_SHARE_OF_MEMORY * have
    if need > allowed:
        spacing = grid.spacing_um * (need / allowed) ** 0.5
        raise BadInput(
            f"A transport run on {grid.shape[0]} x {grid.shape[1]} voxels needs about {need / 2**30:.1f} GiB (and "
            f"{seconds:.0f} s), more than {LARGEST_SHARE_OF_MEMORY:.0%} of this machine's {have / 2**30:.1f} GiB. "
            f"Use a grid spacing of {spacing:.0f} um or more, or a smaller section"
            + ("." if end_alone else '; snapshots="end" in Python keeps the state at the end alone.')
        )


def course_memory(
    mesh: Mesh, network: Network, lattice: bool = False, n_snapshots: int = 2, backward: bool = False
) -> int:
    """Bytes that a course of `simulate_course` will take, told before it starts: within a factor 1.5 (measured).

    ``lattice``: one ligand on one kind of site in square or cubic voxels, which have a leaner path. ``backward``: with
    the adjoint run, but without what is kept of the forward one. The mesh is not in.
    """
    if lattice:
        count = sum(1 + len(batch.decay_per_h) for batch in network.batches)
        sides = np.array([int(p.max()) - int(p.min()) + 1 for p in mesh.places])
        own = CELL_FIELDS + (FIELDS_OF_PARTS if mesh.n < np.prod(sides) else 0)
        return int(8 * (float(np.prod(sides + 2)) * (FIELDS_OF_LATTICE + 3 * count) + mesh.n * own))
    m, k = len(network.mobile), len(network.immobile)
    labels = sum(1 + len(batch.decay_per_h) for batch in network.batches)
    neighbours = 2 * mesh.places.shape[0]
    coarse = 1.0 + 1.0 / (2 ** mesh.places.shape[0] - 1)
    per_cell = (
        STAGE_FIELDS * (m + k) + m * (SOLVER_FIELDS + m) + labels * (m + k) + n_snapshots * (m + k)
        + coarse * (m * (neighbours + 3) + 0.5 * neighbours + 3) + len(network.reactions) + MESH_FIELDS
    )  # fmt: skip
    if backward:
        per_cell += (
            BACKWARD_MOBILE_FIELDS * m + BACKWARD_IMMOBILE_FIELDS * k + BACKWARD_FIELDS_PER_LABEL * labels * (m + k)
            + coarse * m * neighbours
        )  # fmt: skip
    return int(8 * mesh.n * per_cell)


def refuse_course_if_too_large(
    mesh: Mesh, network: Network, lattice: bool = False, available_bytes: int | None = None, kept_bytes: int = 0,
) -> None:  # fmt: skip
    """Raise `BadInput`, with a spacing that would fit, where a course needs more than half of the memory.

    ``kept_bytes`` of the forward run, where it shall be run backwards.
    """
    have = _physical_memory() if available_bytes is None else available_bytes
    need = course_memory(mesh, network, lattice, backward=kept_bytes > 0) + kept_bytes
    allowed = LARGEST_SHARE_OF_MEMORY * have
    if 0 < allowed < need:
        factor = (need / allowed) ** (1.0 / mesh.places.shape[0])
        raise BadInput(
            f"A transport course on {mesh.n} cells with {len(network.mobile)} mobile and {len(network.immobile)} "
            f"immobile species needs about {need / 2**30:.1f} GiB, more than {LARGEST_SHARE_OF_MEMORY:.0%} of this "
            f"machine's {have / 2**30:.1f} GiB. Use a grid spacing {factor:.2f} times as large, fewer batches, or a "
            "smaller region."
        )


def _physical_memory() -> int:
    """Bytes of memory, or 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
