"""A section of spots is the same section turned, moved, or with spots left out, as far as its stated error."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, TARGETS, fixed, made_section, spread, tissue_parameters

from nichedose.tissue import SpatialAssay, SpotModel, build_tissue_map, grid_to_rows, map_with_spread, model_section

PARAMETERS = tissue_parameters(rna_per_cell_geometric_sd=fixed(1.5), matrix_conductivity_ratio=fixed(0.2),
                               hydraulic_conductivity_um2_per_mmHg_s=spread(0.4, 2.0))
ASSAY = made_section(14, 14).assay
WHOLE = model_section(ASSAY, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)


def at_spots(model: SpotModel) -> dict[str, np.ndarray]:
    tissue = build_tissue_map(model, PARAMETERS, TARGETS, spacing_um=25.0)
    return {name: grid_to_rows(field, model, tissue.grid) for name, field in tissue.named_fields().items()}


FIELDS = at_spots(WHOLE)


def model_of(assay: SpatialAssay) -> SpotModel:
    return model_section(assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)


@settings(max_examples=4, deadline=None)
@given(st.floats(0.0, 360.0), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_turning_and_moving_a_section_changes_no_field(degrees: float, dx: float, dy: float) -> None:
    """Voxels of a quarter pitch lie otherwise over spots: 5 % of a field's mean in the median spot, 1 % of means."""
    a = np.deg2rad(degrees)
    turn = np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    model = model_of(dataclasses.replace(ASSAY, xy_um=ASSAY.xy_um @ turn + np.array([dx, dy])))
    np.testing.assert_allclose(model.composition, WHOLE.composition, rtol=1e-6, atol=1e-9)
    for name, values in at_spots(model).items():
        mean = FIELDS[name].mean()
        assert values.mean() == pytest.approx(mean, rel=0.01), name
        assert np.median(np.abs(values - FIELDS[name])) < 0.05 * mean, name


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_spots_left_out_change_field_means_by_less_than_their_stated_error(seed: int) -> None:
    """A third of the spots away: every mean over the tissue stays in its 90 % interval."""
    stated = map_with_spread(WHOLE, PARAMETERS, TARGETS, draws=19, spacing_um=100.0)
    kept = np.sort(np.random.default_rng(seed).permutation(ASSAY.n_spots)[: 2 * ASSAY.n_spots // 3])
    fewer = dataclasses.replace(
        ASSAY, counts=ASSAY.counts[kept], xy_um=ASSAY.xy_um[kept], barcodes=tuple(ASSAY.barcodes[i] for i in kept),
        annotations={k: np.asarray(v)[kept] for k, v in ASSAY.annotations.items()})
    found = build_tissue_map(model_of(fewer), PARAMETERS, TARGETS, spacing_um=100.0)
    for name, field in found.named_fields().items():
        low, _, high = stated.spread[name].mean
        assert low <= field[found.mask].mean() <= high, name
