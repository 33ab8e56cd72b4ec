"""Vessels per volume and per area, and how much of their signal is told."""

from __future__ import annotations

import numpy as np
import pytest
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, TARGETS, fixed, made_section, tissue_parameters

from nichedose.tissue import build_tissue_map, map_with_spread, model_section
from nichedose.tissue.tme.vessels import vessel_shares
from nichedose.tissue.vessel_signal import vessel_flag


def test_length_is_surface_over_the_circumference() -> None:
    """30 /cm of vessels with a radius of 7 um: 68.2 mm per mm3, in every voxel in proportion to the surface."""
    model = model_section(made_section(12, 12).assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)
    tissue = build_tissue_map(model, tissue_parameters(), TARGETS, spacing_um=100.0)
    length = tissue.vessel_length_mm_per_mm3
    assert length is not None
    assert length[tissue.mask].mean() == pytest.approx(30e-4 / (2.0 * np.pi * 7.0) * 1e6)
    np.testing.assert_allclose(length * 2.0 * np.pi * 7.0 * 1e-2, tissue.vessel_surface_per_cm, rtol=1e-12)
    found = map_with_spread(model, tissue_parameters(vessel_radius_um=fixed(5.0)), TARGETS, draws=19, spacing_um=100.0,
                            fields=["vessel_length"])
    low, middle, high = found.spread["vessel_length"].mean
    assert low < middle < high
    data = found.to_dataset()
    assert data["vessel_length"].attrs["units"] == "mm/mm3" == data["vessel_length_q95"].attrs["units"]


def test_a_map_says_how_much_of_its_vessels_is_signal() -> None:
    model = model_section(made_section(12, 12).assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)
    [flag] = [f for f in model.flags if f.about == "vessel"]
    assert "transcripts per spot" in flag.text and "% of its contrast is signal" in flag.text
    shallow = model_section(made_section(12, 12, depth=40.0).assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)
    [weak] = [f for f in shallow.flags if f.about == "vessel"]
    assert weak.level == "caution"
    assert vessel_flag(20.0, 0.4, "spot").level == "caution" and vessel_flag(20.0, 0.6, "spot").level == "note"


def test_endothelial_cells_that_touch_are_one_vessel() -> None:
    """Three in a row, a pair, one alone: three profiles, whatever the order of the rows."""
    xy = np.array([[0.0, 0.0], [8.0, 0.0], [16.0, 0.0], [100.0, 0.0], [100.0, 9.0], [200.0, 0.0], [4.0, 4.0]])
    endothelial = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    shares = vessel_shares(xy, endothelial, 10.0)
    assert shares.sum() == pytest.approx(3.0)
    np.testing.assert_allclose(shares, [1 / 3, 1 / 3, 1 / 3, 0.5, 0.5, 1.0, 0.0])
    order = np.random.default_rng(0).permutation(7)
    np.testing.assert_allclose(vessel_shares(xy[order], endothelial[order], 10.0), shares[order])
    assert vessel_shares(xy, np.zeros(7), 10.0).sum() == 0.0
