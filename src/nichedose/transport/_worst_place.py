"""Where the error of a step is largest, asked for once a run has stopped: plain NumPy, species by species."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nichedose.fields.grid import Array, BoolArray
from nichedose.transport._checkerboard import ends, unpack
from nichedose.transport._stuck import BELOW_ZERO, CAUSES, place
from nichedose.transport._tableau import B_EMBEDDED, STAGES, B

if TYPE_CHECKING:
    from nichedose.transport._march import Stages
    from nichedose.transport._network_march import NetworkRun

__all__ = ["worst_of_network", "worst_of_section"]

THE_STATE = CAUSES[0]


def worst_of_section(run: Stages, cause: str, step_h: float, plasma: Array, floor: float) -> str:
    """Species and voxel with the largest error of a tried step, '' for a cause that has no place."""
    eq = run.eq
    free, slopes, capacity, source, leave = (
        unpack(f, run.shape) for f in (run.free, run.slopes, run.capacity, run.source, run.leave)
    )
    start, new = unpack(run.state, run.shape), unpack(run.q, run.shape)
    parts = np.concatenate([slopes, start[1:]])  # what bound and internalised ligand are combinations of
    bound_end, inside_end = (np.tensordot(weights, parts, 1) for weights in (run.bound[-1], run.inside[-1]))
    if cause == BELOW_ZERO:
        found = {"free ligand": -capacity * free[-1], "free and bound ligand": -new, "bound ligand": -bound_end,
                 "internalised ligand": -inside_end}
    elif cause == THE_STATE:
        weights = step_h * (B - B_EMBEDDED)
        bound, inside = (np.tensordot(w, parts, 1) for w in (weights @ run.bound, weights @ run.inside))
        mixed = np.tensordot(weights, free, 1)
        moved = _inflow(mixed, capacity > 0.0, eq.faces_per_h) - leave * mixed
        error = moved + float(weights @ plasma) * source - eq.kint_per_h * bound
        holds = np.abs(new) + np.abs(inside_end) + 0.1 * (np.abs(start[0]) + np.abs(start[2]))
        holds += floor * (float((new + inside_end).sum()) / run.voxels) + 1e-290
        found = {
            "free and bound ligand": np.abs(error / holds),
            "bound ligand": np.abs(np.tensordot(weights, slopes, 1) / holds),
            "internalised ligand": np.abs((eq.kint_per_h * bound - eq.krel_per_h * inside) / holds),
        }
    else:
        return ""
    outside = capacity <= 0.0
    species, index = _largest({name: np.where(outside, -np.inf, values) for name, values in found.items()})
    return place(species, [int(i) + f for i, f in zip(index, eq.first, strict=True)], eq.lines_um)


def worst_of_network(run: NetworkRun, cause: str, step_h: float, floor: float) -> str:
    """The same for a run of several species."""
    network, mesh = run.p.network, run.p.mesh
    names = [f"free ligand '{form}' of batch '{network.batches[batch].name}'" for batch, form in network.mobile]
    (mobile, immobile), (mobile_start, immobile_start) = run.new, run.state
    if cause == BELOW_ZERO:
        found = dict(zip(names, np.maximum(-run.p.capacity * run.free[-1][:, :-1], -mobile), strict=True))
        found |= {f"'{name}'": -values for name, values in zip(network.immobile, immobile, strict=True)}
    elif cause == THE_STATE:
        weights = step_h * (B - B_EMBEDDED)
        found = {}
        for label, errors, now, before in (
            (names, np.tensordot(weights, run.slopes[0].reshape(STAGES, *mobile.shape), 1), mobile, mobile_start),
            ([f"'{name}'" for name in network.immobile],
             np.tensordot(weights, run.slopes[1].reshape(STAGES, *immobile.shape), 1), immobile, immobile_start),
        ):  # fmt: skip
            for name, error, end, start in zip(label, errors, now, before, strict=True):
                scale = np.abs(end) + 0.1 * np.abs(start)
                found[name] = np.abs(error / (scale + floor * float(scale.mean()) + 1e-290))
    else:
        return ""
    species, (cell,) = _largest(found)
    return place(species, [int(i) for i in mesh.places[:, cell]], mesh.lines_um)


def _largest(found: Mapping[str, Array]) -> tuple[str, Sequence[int]]:
    """Name and place of the largest value; what is no number counts as larger than any."""
    tops = {name: int(np.argmax(values)) for name, values in found.items()}
    values = {name: float(found[name].flat[at]) for name, at in tops.items()}
    name = max(values, key=lambda n: values[n] if values[n] == values[n] else np.inf)
    return name, [int(i) for i in np.unravel_index(tops[name], found[name].shape)]


def _inflow(values: Array, mask: BoolArray, faces: float | tuple[Array, ...]) -> Array:
    """Sum over the open faces of conductance x what the neighbour has more."""
    out = np.zeros_like(values)
    for axis in range(values.ndim):
        low, high = ends(values.ndim, axis)
        face = faces * (mask[low] & mask[high]) if isinstance(faces, float) else faces[axis]
        flow = face * (values[high] - values[low])
        out[low] += flow
        out[high] -= flow
    return out
