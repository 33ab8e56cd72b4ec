"""Statistics of the tissue profile against what geometry and probability say of simple patterns."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from nichedose.check.row import CheckRow
from nichedose.fields import Grid
from nichedose.library.schema import SurfaceGenes
from nichedose.tissue.tme import discover_targets
from nichedose.tissue.tme.infiltration import normalised_depth
from nichedose.tissue.tme.neighbours import cross_g, mixing_score
from nichedose.tissue.tme.raster import inside_outlines, signed_distance_um

__all__ = ["rows"]


def rows() -> list[CheckRow]:
    """All comparisons of the tissue profile."""
    return [*_nearest_neighbours(), _depth(), _outline(), _border(), _mixing(), *_coverage()]


def _nearest_neighbours() -> list[CheckRow]:
    """Independent even patterns in a square: P(nearest within r) = 1 - exp(-density pi r^2), edge and all."""
    rng, side, n, repeats = np.random.default_rng(3), 1000.0, 400, 40
    radii = np.array([20.0, 40.0])
    found = []
    for _ in range(repeats):
        source, target = rng.uniform(0.0, side, (2, n, 2))
        distance = np.asarray(cKDTree(target).query(source)[0])
        found.append(cross_g(distance, np.minimum(source, side - source).min(axis=1), radii))
    mean = np.mean(found, axis=0)
    return [
        CheckRow(
            id=f"tissue.profile.nearest_within_{r:g}um",
            source="void probability of a Poisson pattern, 400 per mm2",
            kind="analytic",
            ours=float(mean[i]),
            reference=float(1.0 - np.exp(-n / side**2 * np.pi * r**2)),
            tolerance=0.01,  # 40 patterns of 400 cells: about 0.003 standard error
            absolute=True,
            unit="1",
        )
        for i, r in enumerate(radii.tolist())
    ]


def _depth() -> CheckRow:
    depth = 100.0 * (1.0 - np.sqrt((np.arange(100_000) + 0.5) / 100_000))
    return CheckRow(
        id="tissue.profile.depth_of_a_disc", source="even cells in a disc: mean depth over radius is 1/3",
        kind="analytic", ours=float(normalised_depth(depth, 100.0) or 0.0), reference=1.0 / 3.0, tolerance=1e-4,
        unit="1",
    )


def _outline() -> CheckRow:
    angle = np.linspace(0.0, 2.0 * np.pi, 720, endpoint=False)
    ring = 200.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    inside = inside_outlines(Grid((420, 420), 1.0, (-210.0, -210.0)), [ring, 0.5 * ring])
    return CheckRow(
        id="tissue.profile.area_of_a_ring", source="pi (R^2 - r^2), 200 and 100 um, voxels of 1 um", kind="analytic",
        ours=float(inside.sum()), reference=float(np.pi * (200.0**2 - 100.0**2)), tolerance=2e-3, unit="um2",
    )


def _border() -> CheckRow:
    grid = Grid((200, 200), 5.0)
    y, x = np.meshgrid(grid.y_um - 500.0, grid.x_um - 500.0, indexing="ij")
    radius = np.hypot(x, y)
    distance = signed_distance_um(radius < 250.0, radius >= 250.0, 5.0)
    return CheckRow(
        id="tissue.profile.distance_to_a_circle", source="largest |distance - (r - R)|, voxels of 5 um",
        kind="analytic",
        ours=float(np.abs(distance - (radius - 250.0)).max()), reference=0.0, tolerance=5.0, absolute=True, unit="um",
    )


def _mixing() -> CheckRow:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.0, 1000.0, (2, 3000, 2))
    return CheckRow(
        id="tissue.profile.mixing_of_even_patterns", source="n m pairs between over n (n - 1)/2 within",
        kind="analytic",
        ours=float(mixing_score(a, b, 30.0) or 0.0), reference=2.0 * 3000 / 2999, tolerance=0.03, unit="1",
    )


def _coverage() -> list[CheckRow]:
    """A gene on 40 % of the tumour cells, at three depths: the share comes back although most bearers show nothing."""
    family = {"one": SurfaceGenes(name="one", genes=("A",), source="own")}
    found = []
    for mean in (2.0, 0.6, 0.2):
        rng, n = np.random.default_rng(11), 40_000
        bears = rng.random(n) < 0.4
        counts = np.stack([rng.poisson(mean * bears), np.full(n, 1000)], axis=1).astype(float)
        [gene] = discover_targets(sp.csr_matrix(counts), ("A", "REST"), np.ones(n), family).ranked
        found.append(CheckRow(
            id=f"tissue.discover.coverage_at_{mean:g}_per_bearer", source="zero-inflated Poisson counts, 40 % bearers",
            kind="analytic", ours=gene.coverage, reference=0.4, tolerance=0.03, absolute=True, unit="1"))
    return found
