"""Photon energy carried between the regions of a voxel phantom: point kernels along straight rays.

A photon kernel of water gives the share of energy left within a mass path X (g/cm2) of a point. Along a ray through the
voxels X grows with density, so the share left in a stretch is the difference of the kernel over it: what all regions
take and what leaves the body sum to the whole. A second estimate joins random points of two regions, with the kernel's
derivative over 4 pi r2: it is symmetric in source and target, and good where a target is small and far.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nichedose._compiled import njit
from nichedose.dose.phantom import VoxelPhantom
from nichedose.dose.photons import fold_photons, photon_density
from nichedose.fields.grid import Array

__all__ = ["PathTable", "RayShares", "pair_fractions", "path_table", "ray_shares"]

_UM_PER_G_PER_CM2 = 1e4  # in water of unit density
_LONGEST = 400.0  # g/cm2; longer than any ray in a body
_ROWS = 8001  # even in the square root of the path: 2.5 mg/cm2 apart at 0.1 g/cm2
_BATCHES = 20


@dataclass(frozen=True)
class PathTable:
    """``within`` (n_rows, n_energy): share of a photon's energy left within a mass path; ``per_path`` its derivative,
    cm2/g. Row i is the path (i ``step``)^2."""

    energies_MeV: Array
    step: float
    within: Array
    per_path: Array


@functools.lru_cache(maxsize=2)
def path_table(energies_MeV: tuple[float, ...]) -> PathTable:
    """The kernels of photons of these energies in water."""
    root = np.linspace(0.0, np.sqrt(_LONGEST), _ROWS)
    radius = root**2 * _UM_PER_G_PER_CM2
    energy = np.array(energies_MeV)
    within, per_path = np.empty((_ROWS, len(energy))), np.empty((_ROWS, len(energy)))
    for i, value in enumerate(energy):
        one = np.array([value]), np.array([1.0 / value])
        within[:, i] = fold_photons(*one, radius)
        per_path[:, i] = photon_density(*one, radius) * _UM_PER_G_PER_CM2
    return PathTable(energy, float(root[1]), within, per_path)


@dataclass(frozen=True)
class RayShares:
    """Of the energy emitted evenly in one region: ``share`` (n_energy, n_regions) left in each, ``escaped`` (n_energy,)
    out of the body, ``error`` (n_energy, n_regions) the standard errors."""

    share: Array
    escaped: Array
    error: Array


def ray_shares(phantom: VoxelPhantom, source: str, table: PathTable, rays: int, seed: int) -> RayShares:
    """Follow ``rays`` from random places of the source in random directions."""
    rng = np.random.default_rng([seed, phantom.names.index(source), 1])
    start = _places(phantom, source, rays, rng)
    cosine, turn = rng.uniform(-1.0, 1.0, rays), rng.uniform(0.0, 2.0 * np.pi, rays)
    sine = np.sqrt(1.0 - cosine**2)
    direction = np.stack([cosine, sine * np.sin(turn), sine * np.cos(turn)], axis=1)
    sums = _follow(phantom.labels, phantom.density_g_per_cm3 * phantom.spacing_cm, start, direction, table.within,
                   table.step, len(phantom.names), _BATCHES)
    means = sums / (rays // _BATCHES)
    share, error = means.mean(axis=0), means.std(axis=0, ddof=1) / np.sqrt(_BATCHES)
    return RayShares(share[:, :-1], share[:, -1], error[:, :-1])


def pair_fractions(
    phantom: VoxelPhantom, first: str, second: str, table: PathTable, pairs: int, seed: int
) -> tuple[Array, Array]:
    """Specific absorbed fractions (1/g) between two regions, (n_energy,), and their standard errors."""
    rng = np.random.default_rng([seed, *sorted(phantom.names.index(n) for n in (first, second)), 2])
    a, b = (_places(phantom, name, pairs, rng) for name in sorted((first, second), key=phantom.names.index))
    sums = _join(phantom.labels, phantom.density_g_per_cm3 * phantom.spacing_cm, a, b, table.per_path, table.step,
                 _BATCHES)
    means = sums / (pairs // _BATCHES) / (4.0 * np.pi * phantom.spacing_cm**2)
    return means.mean(axis=0), means.std(axis=0, ddof=1) / np.sqrt(_BATCHES)


def _places(phantom: VoxelPhantom, name: str, count: int, rng: np.random.Generator) -> Array:
    """Random places in a region, in voxels (z, y, x), (count, 3)."""
    voxels = _voxels_of(phantom, name)
    chosen = voxels[rng.integers(len(voxels), size=count)]
    index = np.stack(np.unravel_index(chosen, phantom.labels.shape), axis=1)
    return np.asarray(index + rng.uniform(0.0, 1.0, (count, 3)))


def _voxels_of(phantom: VoxelPhantom, name: str) -> NDArray[np.intp]:
    return np.flatnonzero(phantom.labels.reshape(-1) == phantom.names.index(name))


@njit(cache=True)
def _to_next_face(place, way, cell):  # type: ignore[no-untyped-def]
    """How far along ``way`` the voxel ``cell`` ends, in lengths of ``way``, and the axis of that face."""
    length, axis = 1e30, 0
    for i in range(3):
        if way[i] > 0.0:
            reach = (cell[i] + 1 - place[i]) / way[i]
        elif way[i] < 0.0:
            reach = (cell[i] - place[i]) / way[i]
        else:
            reach = 1e30
        if reach < length:
            length, axis = reach, i
    return length, axis


@njit(cache=True)
def _follow(labels, per_voxel, start, direction, within, step, n_regions, batches):  # type: ignore[no-untyped-def]
    n_energy, last = within.shape[1], within.shape[0] - 1
    out = np.zeros((batches, n_energy, n_regions + 1))
    each = start.shape[0] // batches
    before = np.zeros(n_energy)
    now = np.zeros(n_energy)
    for ray in range(each * batches):
        batch = ray // each
        place = start[ray].copy()
        way = direction[ray]
        cell = np.floor(place).astype(np.int64)
        path = 0.0
        before[:] = 0.0
        held = labels[cell[0], cell[1], cell[2]]
        while True:
            length, axis = _to_next_face(place, way, cell)
            if held < n_regions:
                path += length * per_voxel[held]
            place += length * way
            move = 1 if way[axis] > 0.0 else -1
            cell[axis] += move
            place[axis] = cell[axis] if move > 0 else cell[axis] + 1.0
            out_of = cell[axis] < 0 or cell[axis] >= labels.shape[axis]
            next_held = n_regions if out_of else labels[cell[0], cell[1], cell[2]]
            if next_held != held:
                if held < n_regions:
                    at = np.sqrt(path) / step
                    row = min(int(at), last - 1)
                    part = min(at - row, 1.0)
                    for e in range(n_energy):
                        now[e] = within[row, e] + part * (within[row + 1, e] - within[row, e])
                        out[batch, e, held] += now[e] - before[e]
                        before[e] = now[e]
                held = next_held
            if out_of:
                break
        for e in range(n_energy):
            out[batch, e, n_regions] += 1.0 - before[e]
    return out


@njit(cache=True)
def _join(labels, per_voxel, first, second, per_path, step, batches):  # type: ignore[no-untyped-def]
    n_energy, last = per_path.shape[1], per_path.shape[0] - 1
    out = np.zeros((batches, n_energy))
    each = first.shape[0] // batches
    for pair in range(each * batches):
        batch = pair // each
        place = first[pair].copy()
        way = second[pair] - place
        square = way[0] ** 2 + way[1] ** 2 + way[2] ** 2
        distance = np.sqrt(square)
        cell = np.floor(place).astype(np.int64)
        path, gone = 0.0, 0.0
        while gone < 1.0:
            length, axis = _to_next_face(place, way, cell)
            length = min(length, 1.0 - gone)
            held = labels[cell[0], cell[1], cell[2]]
            if held < per_voxel.shape[0]:
                path += length * distance * per_voxel[held]
            gone += length
            if gone >= 1.0:
                break
            place += length * way
            move = 1 if way[axis] > 0.0 else -1
            cell[axis] += move
            place[axis] = cell[axis] if move > 0 else cell[axis] + 1.0
            if cell[axis] < 0 or cell[axis] >= labels.shape[axis]:
                break
        at = np.sqrt(path) / step
        row = min(int(at), last - 1)
        part = min(at - row, 1.0)
        for e in range(n_energy):
            out[batch, e] += (per_path[row, e] + part * (per_path[row + 1, e] - per_path[row, e])) / square
    return out
