"""Boxes of rectangular cells, with edges of one's own along each axis, and the faces that are open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nichedose.errors import BadInput
from nichedose.fields.grid import Array, BoolArray
from nichedose.fields.mesh import Mesh
from nichedose.fields.number import kind, real_array

__all__ = ["box_mesh"]


def box_mesh(
    edges_um: Sequence[Array], open_sides: Sequence[tuple[int, int]] = (), where: BoolArray | None = None
) -> Mesh:
    """A full box whose cells lie between ``edges_um`` (n + 1 rising numbers for each of 1 to 3 axes).

    Only the sides in ``open_sides``, pairs of axis and -1 (low) or 1 (high), are edge faces, and of them only those of
    the cells in ``where`` (the box's shape; None: all). The others are walls that nothing passes. In fewer than 3 axes
    volumes and areas are per um of what is not resolved. Raises `BadInput`.

    >>> box_mesh([np.linspace(0.0, 10.0, 6), np.array([0.0, 1.0, 4.0])], [(0, -1)]).edge_area
    array([1., 3.])
    """
    if not isinstance(edges_um, Sequence | np.ndarray) or not 1 <= len(edges_um) <= 3:
        raise BadInput(f"A box has 1 to 3 axes, with a list of edges for each; got {edges_um!r:.60}.")
    edges = [real_array(f"edges_um of axis {axis}", e) for axis, e in enumerate(edges_um)]
    for axis, e in enumerate(edges):
        if e.ndim != 1 or e.size < 2 or not np.isfinite(e).all() or not bool((np.diff(e) > 0.0).all()):
            raise BadInput(f"The edges of axis {axis} must be at least two finite, rising numbers in um.")
    allowed = [(axis, side) for axis in range(len(edges)) for side in (-1, 1)]
    if not isinstance(open_sides, Sequence) or not all(
        isinstance(side, Sequence) and tuple(side) in allowed for side in open_sides
    ):
        raise BadInput("open_sides lists pairs of an axis of the box and -1 (low) or 1 (high), of "
                       f"{allowed}; got {open_sides!r:.60}.")  # fmt: skip
    widths = [np.diff(e) for e in edges]
    shape = tuple(w.size for w in widths)
    width = np.stack(np.meshgrid(*widths, indexing="ij")).reshape(len(shape), -1)
    index = np.arange(width.shape[1]).reshape(shape)
    volume = width.prod(axis=0)
    a, b, axes = [], [], []
    for axis in range(len(shape)):
        low, high = np.delete(index, -1, axis).ravel(), np.delete(index, 0, axis).ravel()
        a.append(low)
        b.append(high)
        axes.append(np.full(low.size, axis))
    first, second, along = np.concatenate(a), np.concatenate(b), np.concatenate(axes)
    if where is not None and (not isinstance(where, np.ndarray) or where.shape != shape or where.dtype != np.bool_):
        raise BadInput(f"where must be boolean of the box's shape {shape}; got {kind(where)}.")
    sides = [np.take(index, 0 if side == -1 else -1, axis).ravel() for axis, side in open_sides]
    open_cells = sides if where is None else [cells[where.ravel()[cells]] for cells in sides]
    none = np.zeros(0, dtype=np.intp)
    edge_cell = np.concatenate([none, *open_cells])
    edge_axis = np.concatenate([none, *(np.full(c.size, s[0]) for c, s in zip(open_cells, open_sides, strict=True))])
    edge_side = np.concatenate([none, *(np.full(c.size, s[1]) for c, s in zip(open_cells, open_sides, strict=True))])
    return Mesh(
        mask=np.ones(shape, bool),
        volume=volume,
        places=np.array(np.unravel_index(index.ravel(), shape)),
        a=first,
        b=second,
        axis=along,
        area=volume[first] / width[along, first],
        distance_a=0.5 * width[along, first],
        distance_b=0.5 * width[along, second],
        edge_cell=edge_cell,
        edge_axis=edge_axis,
        edge_side=edge_side,
        edge_area=volume[edge_cell] / width[edge_axis, edge_cell],
        edge_distance=0.5 * width[edge_axis, edge_cell],
        lines_um=tuple(0.5 * (e[1:] + e[:-1]) for e in edges),
    )
