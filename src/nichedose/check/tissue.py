"""Oxygen around vessels against Krogh's cylinder, and spots against grid."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy.integrate import quad

from nichedose.check.row import CheckRow
from nichedose.fields import Grid
from nichedose.tissue import OxygenParameters, oxygen, section_grid, spots_to_grid
from nichedose.tissue.krogh import (
    critical_radius_um,
    krogh_erlang_mean_drop_mmHg,
    krogh_erlang_mmHg,
    radial_mean_mmHg,
)

__all__ = ["rows"]

_KROGH = "Krogh-Erlang equation (Krogh 1919, J Physiol 52:409); D 2000 um2/s, M 15 mmHg/s, 40 mmHg at the wall"


def rows() -> list[CheckRow]:
    """All comparisons of the tissue room."""
    return [*_krogh(5.0, 70.47, 13.157), *_krogh(10.0, 81.51, 22.374), _mean_drop(), _radial(), *_closure(), _amounts()]


def _parameters(vessel_um: float, half_mmHg: float = 2.5) -> OxygenParameters:
    return OxygenParameters(2000.0, 15.0, half_mmHg, 40.0, vessel_um)


def _krogh(vessel_um: float, critical_um: float, at_60_mmHg: float) -> list[CheckRow]:
    p = _parameters(vessel_um)
    name = f"tissue.krogh.vessel_{vessel_um:g}um"
    edge = float(krogh_erlang_mmHg(np.array(60.0), 60.0, p))
    return [
        CheckRow(f"{name}.critical_radius", _KROGH, "analytic", critical_radius_um(p), critical_um, 1e-4, unit="um"),
        CheckRow(f"{name}.edge_of_60um", _KROGH, "analytic", edge, at_60_mmHg, 1e-4, unit="mmHg"),
    ]


def _mean_drop() -> CheckRow:
    """Closed form against quadrature of the profile."""
    p, tissue = _parameters(5.0), 60.0
    total = quad(lambda r: (40.0 - float(krogh_erlang_mmHg(np.array(r), tissue, p))) * r, 5.0, tissue, epsrel=1e-12)[0]
    return CheckRow(
        id="tissue.krogh.mean_drop",
        source="integral of the Krogh-Erlang profile over the tissue cylinder",
        kind="analytic",
        ours=float(krogh_erlang_mean_drop_mmHg(tissue, p)),
        reference=float(2.0 * total / (tissue**2 - 25.0)),
        tolerance=1e-6,
        unit="mmHg",
    )


def _radial() -> CheckRow:
    """The radial solver in the limit in which Krogh and Erlang solved it (K = 1e-6 mmHg, no anoxia)."""
    p = _parameters(5.0, 1e-6)
    return CheckRow(
        id="tissue.krogh.radial_solver",
        source=_KROGH,
        kind="analytic",
        ours=float(radial_mean_mmHg(np.array([60.0]), p)[0]),
        reference=40.0 - float(krogh_erlang_mean_drop_mmHg(60.0, p)),
        tolerance=2e-4,
        unit="mmHg",
    )


def _closure() -> list[CheckRow]:
    """The field over even vessels against one finely resolved cylinder, well supplied and half anoxic."""
    found = []
    for tissue_um in (45.0, 80.0):
        p, grid = _parameters(5.0), Grid((4, 4), 20.0)
        surface = np.full(grid.shape, 2.0 * 5.0 / tissue_um**2 * 1e4)
        found.append(
            CheckRow(
                id=f"tissue.oxygen.mean_at_{tissue_um:g}um",
                source="radial diffusion with Michaelis-Menten consumption on 1,000 shells",
                kind="self-test",
                ours=float(oxygen(grid, np.ones(grid.shape, bool), surface, p).mean()),
                reference=float(radial_mean_mmHg(np.array([tissue_um]), p, 1000)[0]),
                tolerance=1e-3,
                unit="mmHg",
            )
        )
    return found


def _amounts() -> CheckRow:
    """Amounts of a ragged section on the grid over amounts at its spots."""
    rng = np.random.default_rng(0)
    xy = 100.0 * np.argwhere(rng.random((25, 25)) < 0.9).astype(float)
    spots = SimpleNamespace(xy_um=xy, pitch_um=100.0, spot_diameter_um=55.0, lattice="square")
    values, grid = rng.gamma(0.5, 10.0, len(xy)), section_grid(spots, 20.0)
    return CheckRow(
        id="tissue.spots_to_grid",
        source="the grid holds what the spots held",
        kind="self-test",
        ours=float(spots_to_grid(values, spots, grid).sum() * grid.voxel_area_mm2 / values.sum()),
        reference=1.0,
        tolerance=1e-12,
    )
