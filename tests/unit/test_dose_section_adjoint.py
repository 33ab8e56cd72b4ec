"""Dose in a section as a linear map: the same numbers as `section_dose`, and a transpose that is one."""

from __future__ import annotations

import numpy as np
import pytest

from nichedose.dose import CellLabel, SectionGeometry, section_dose
from nichedose.dose.section_adjoint import linear_dose, nucleus_doses, nucleus_owed, voxel_doses, voxel_owed
from nichedose.fields.grid import Grid

GRID = Grid((14, 11), 60.0)
RNG = np.random.default_rng(3)
MASK = RNG.uniform(size=GRID.shape) < 0.8
STATES = ("free", "bound", "internalised")


def tia(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {s: rng.uniform(0.2, 1.0, GRID.shape) * MASK for s in STATES}


@pytest.fixture(params=["uniform", "mirror", "isolated"])
def of(request: pytest.FixtureRequest):
    geometry = SectionGeometry("slab", 3000.0, request.param, 4000.0)
    cells = {"positive": CellLabel(np.full(GRID.shape, 1e-9), np.full(GRID.shape, 2e-9)),
             "negative": CellLabel(np.zeros(GRID.shape), np.zeros(GRID.shape))}
    return linear_dose(GRID, MASK, "225Ac", cells, geometry, 7.0, 5.0)


def test_the_same_doses_as_section_dose(of) -> None:
    maps = tia(1)
    total = sum(maps.values())
    cells = {n: CellLabel(maps["bound"] * c.surface_MBq_h_per_cell, maps["internalised"] * c.internal_MBq_h_per_cell)
             for n, c in of.cells.items()}
    times = np.linspace(0.0, 100.0, 5)
    dose = section_dose(GRID, MASK, "225Ac", tia_MBq_h_per_L=total, cells=cells, times_h=times,
                        activity_MBq_per_L=np.repeat(total[None], 5, axis=0), geometry=of.plane.geometry,
                        cell_radius_um=7.0, nucleus_radius_um=5.0, history=False)
    for name, by_quality in nucleus_doses(of, maps).items():
        for quality, values in by_quality.items():
            np.testing.assert_allclose(values, dose.nucleus_by_quality[name][quality], rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(voxel_doses(of, total[None])[0], sum(dose.by_quality.values()), rtol=1e-9, atol=1e-15)


def test_transposes_by_their_definition(of) -> None:
    """<A x, y> = <x, A' y>; the cut of cross-fire at zero is not met by these maps."""
    x, y = tia(4), np.random.default_rng(5).normal(size=(2, *GRID.shape)) * MASK
    maps = np.stack([x["free"], x["bound"]])
    assert float((voxel_doses(of, maps) * y).sum()) == pytest.approx(float((maps * voxel_owed(of, y)).sum()), rel=1e-10)
    doses = nucleus_doses(of, x)
    rng = np.random.default_rng(6)
    owed = {c: {q: rng.normal(size=GRID.shape) for q in by} for c, by in doses.items()}
    left = sum(float((doses[c][q] * owed[c][q]).sum()) for c in doses for q in doses[c])
    back = nucleus_owed(of, x, owed)
    assert left == pytest.approx(sum(float((x[s] * back[s]).sum()) for s in STATES), rel=1e-10)
