"""Alphas in cells against chords of sampled rays, with the same stopping table (the package's NIST ASTAR file) but its
own integration of it and its own geometry: 1 %, of which 0.3 % is noise."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from nichedose.dose import cell_s_values
from nichedose.dose.cells import CellPart
from nichedose.dose.clusters import cell_cross_s_value
from nichedose.fields.grid import Array
from nichedose.nuclide import emissions

RAYS = 300_000


def _table() -> tuple[Array, Array]:
    """Energy (MeV) and distance to the end of the track (um): trapezium of 1/S in small steps of energy."""
    text = (files("nichedose.dose") / "data" / "alpha_stopping_water.csv").read_text(encoding="utf-8")
    points = np.array([line.split(",") for line in text.splitlines()[2:]], dtype=float)
    energy = np.geomspace(1e-3, 10.0, 20001)
    per_um = np.exp(np.interp(np.log(energy), np.log(points[:, 0]), np.log(points[:, 1]))) * 1e-4
    steps = np.diff(energy) * 0.5 * (1.0 / per_um[1:] + 1.0 / per_um[:-1])
    return np.r_[0.0, energy], np.r_[0.0, 0.005, 0.005 + np.cumsum(steps)]


def _ray_S(nuclide: str, start: Array, directions: Array, centre: float, radius: float) -> float:
    energy, length = _table()
    lines = emissions(nuclide).lines["alpha"]
    from_centre = start - np.array([centre, 0.0, 0.0])
    b = -(from_centre * directions).sum(axis=1)
    miss2 = (from_centre**2).sum(axis=1) - b * b
    half = np.sqrt(np.clip(radius**2 - miss2, 0.0, None))
    enter, leave = np.clip(b - half, 0.0, None), np.clip(b + half, 0.0, None)
    total = 0.0
    for e, n in zip(lines.energy_MeV, lines.per_decay, strict=True):
        if n < 1e-3:
            continue
        reach = np.interp(e, energy, length)
        left = np.interp(reach - np.stack([enter, leave]), length, energy, left=0.0)
        total += n * float((left[0] - left[1]).mean())
    total *= float(lines.per_decay.sum()) / float(lines.per_decay[lines.per_decay >= 1e-3].sum())
    return total * 1.602176634e-13 / (4.0 / 3.0 * np.pi * radius**3 * 1e-15)


def _directions(rng: np.random.Generator) -> Array:
    v = rng.normal(size=(RAYS, 3))
    return np.asarray(v / np.linalg.norm(v, axis=1, keepdims=True))


@pytest.mark.parametrize("nuclide", ["225Ac", "211At", "212Po"])
@pytest.mark.parametrize(("cell", "nucleus", "offset"), [(7.0, 5.0, 0.0), (5.0, 4.0, 0.0), (7.0, 4.0, 3.0)])
def test_rays(nuclide: str, cell: float, nucleus: float, offset: float) -> None:
    rng = np.random.default_rng(31)
    ours = cell_s_values(nuclide, cell, nucleus, quality="alpha", nucleus_offset_um=offset)
    surface, cube = cell * _directions(rng), rng.uniform(-cell, cell, (3 * RAYS, 3))
    off = np.array([offset, 0.0, 0.0])
    in_cell, in_nucleus = (cube**2).sum(axis=1) < cell**2, ((cube - off) ** 2).sum(axis=1) < nucleus**2
    starts: dict[CellPart, Array] = {
        "surface": surface, "cell": cube[in_cell][:RAYS], "cytoplasm": cube[in_cell & ~in_nucleus][:RAYS]}
    for source, start in starts.items():
        sampled = _ray_S(nuclide, start, _directions(rng)[: len(start)], offset, nucleus)
        assert ours["nucleus", source] == pytest.approx(sampled, rel=0.01)


def test_rays_to_the_neighbour() -> None:
    """Touching cells; importance: of the rays only 3 % meet the nucleus, so 1.5 %."""
    rng = np.random.default_rng(32)
    sampled = np.mean([_ray_S("225Ac", 7.0 * _directions(rng), _directions(rng), 14.0, 5.0) for _ in range(4)])
    ours = float(cell_cross_s_value("225Ac", 14.0, 7.0, 5.0, quality="alpha"))
    assert ours == pytest.approx(sampled, rel=0.015)
