"""The transport's linear solver on made-up masks, in double precision, beside its matrix written out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nichedose.transport import _multigrid as multigrid
from nichedose.transport._checkerboard import build_ladder, pack, packed_shape, unpack, with_parts
from nichedose.transport._smoothing import prepare_levels


def conductances(mask: np.ndarray, patchy: bool) -> float | tuple[np.ndarray, ...]:
    """One for all faces, or another for each; closed across the edge of the mask."""
    if not patchy:
        return 3.0
    rng, out = np.random.default_rng(4), []
    for axis in range(mask.ndim):
        first = np.moveaxis(mask, axis, 0)
        face = (first[1:] & first[:-1]) * (0.1 + 5.0 * rng.random(first[1:].shape))
        out.append(np.moveaxis(face, 0, axis))
    return tuple(out)


def dense_matrix(mask: np.ndarray, faces: float | tuple[np.ndarray, ...], mass: np.ndarray, a: float) -> np.ndarray:
    """mass + a (sum of open faces - faces), written out voxel by voxel."""
    number = np.cumsum(mask).reshape(mask.shape) - 1
    matrix = np.diag(mass[mask])
    for axis in range(mask.ndim):
        first = np.moveaxis(number, axis, 0)
        inside = np.moveaxis(mask, axis, 0)
        between = inside[1:] & inside[:-1]
        value = np.full(between.shape, faces) if isinstance(faces, float) else np.moveaxis(faces[axis], axis, 0)
        for i, j, g in zip(first[1:][between], first[:-1][between], value[between], strict=True):
            matrix[i, i] += a * g
            matrix[j, j] += a * g
            matrix[i, j] -= a * g
            matrix[j, i] -= a * g
    return np.asarray(matrix)


@dataclass
class Linear:
    """The solver's fields in double precision, so that rounding hides nothing, and the matrix voxel by voxel."""

    mask: np.ndarray
    faces: float | tuple[np.ndarray, ...]
    a: float
    least_mass: float = 1.0
    in_parts: bool = False

    def __post_init__(self) -> None:
        self.ladder = ladder = build_ladder(self.mask, self.faces, np.float64)
        if self.in_parts:
            self.ladder = ladder = with_parts(ladder, self.mask, self.faces)
        self.mass = np.where(self.mask, self.least_mass + np.random.default_rng(2).random(self.mask.shape), 0.0)
        self.shape, self.cells, total = packed_shape(self.mask.shape), int(ladder.start[1]), int(ladder.start[-1])
        self.line, self.weight, self.work = np.zeros(ladder.places[0]), np.ones(self.cells), np.zeros((4, total))
        self.levels, self.inverse = np.zeros(total), np.zeros(total)
        self.levels[: self.cells] = pack(self.mass).ravel()
        prepare_levels(
            self.levels, self.inverse, ladder.face_sum, ladder.faces, ladder.even, self.a, self.line, ladder.sizes)
        places = np.arange(self.cells, dtype=float).reshape(self.shape)
        self.order = unpack(places, self.mask.shape)[self.mask].astype(int)
        self.matrix = dense_matrix(self.mask, self.faces, self.mass, self.a)

    def cycle(self, path: np.ndarray, begin: int, symmetric: bool) -> float:
        return float(multigrid.cycle(
            self.work[1], self.work[0], self.inverse, self.weight, self.ladder.faces, self.ladder.even, self.a,
            self.line, self.work[3], 0.0, 1.0, path, begin, symmetric, self.ladder.sizes,
        ))  # fmt: skip

    def multiply(self, field: np.ndarray) -> np.ndarray:
        out = np.zeros(self.shape)
        multigrid.multiply(
            field.reshape(self.shape), out, self.levels[: self.cells].reshape(self.shape), self.ladder.exact_sum,
            self.ladder.faces[: self.ladder.face_start[1]].reshape(2, -1, *self.shape[1:]), self.ladder.even, self.a,
            int(self.ladder.height[0]), self.ladder.deep, self.line,
        )  # fmt: skip
        return out.ravel()

    def solve(self, right: np.ndarray, reduction: float) -> tuple[np.ndarray, int]:
        self.work[0, self.order] = right
        first = float(right @ right)
        used, _ = multigrid.solve_linear(
            np.zeros(self.cells), self.levels, self.inverse, self.weight, self.work, self.ladder.exact_sum,
            self.ladder.faces, self.ladder.even, self.a, self.line, self.line, first, reduction**2 * first,
            self.ladder.sizes,
        )  # fmt: skip
        return self.work[1, self.order], used
