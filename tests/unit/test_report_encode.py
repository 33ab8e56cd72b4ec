"""Maps in the page: what a reader sees under the cursor lies within the stated step of the map."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_fake import fake_result
from scipy.ndimage import gaussian_filter

from nichedose.report.colour import COLOUR_MAPS, line_style
from nichedose.report.encode import code_map, decode_map, pack, unpack
from nichedose.report.maps import section_maps

MASK = np.hypot(*np.mgrid[-1:1:40j, -1:1:50j]) < 0.9


def smooth(sigma: float = 3.0) -> np.ndarray:
    return np.asarray(gaussian_filter(np.random.default_rng(3).standard_normal((40, 50)), sigma))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_packing_is_lossless(ny: int, nx: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 256, (ny, nx), dtype=np.uint8)
    assert (unpack(pack(codes), (ny, nx)) == codes).all()


def test_the_same_map_gives_the_same_text() -> None:
    field = smooth()
    assert code_map(field, MASK) == code_map(field.copy(), MASK)


def test_linear_values_lie_within_half_a_step_and_the_ends_are_exact() -> None:
    field = smooth()
    coded = code_map(field, MASK)
    shown = decode_map(coded)
    assert coded.scale == "linear"
    assert np.isnan(shown[~MASK]).all()
    # half a step, plus rounding of float64 sums
    assert np.abs(shown - field)[MASK].max() <= 0.5 * coded.step * (1 + 1e-9)
    assert shown[MASK].min() == field[MASK].min() == coded.minimum
    assert shown[MASK].max() == pytest.approx(field[MASK].max(), rel=1e-15)


def test_wide_ranges_are_logarithmic_with_a_relative_step() -> None:
    field = np.exp(15.0 * smooth(2.0))
    coded = code_map(field, MASK)
    shown = decode_map(coded)
    assert coded.scale == "log" and not coded.has_zero
    assert (np.abs(np.log(shown / field))[MASK] <= 0.5 * np.log(coded.step) * (1 + 1e-9)).all()


def test_zero_stays_zero_on_a_logarithmic_scale() -> None:
    field = np.exp(15.0 * smooth(2.0))
    field[10:20, 10:20] = 0.0
    coded = code_map(field, MASK)
    assert coded.scale == "log" and coded.has_zero
    assert (decode_map(coded)[10:20, 10:20] == 0.0).all()
    assert decode_map(coded)[MASK].max() == pytest.approx(field[MASK].max())


@pytest.mark.parametrize("value", [0.0, 3.5])
def test_a_flat_map(value: float) -> None:
    coded = code_map(np.full(MASK.shape, value), MASK)
    assert coded.step == 0.0 and (decode_map(coded)[MASK] == value).all()


def test_no_value_at_all() -> None:
    for field, mask in [(smooth(), np.zeros_like(MASK)), (np.full(MASK.shape, np.nan), MASK)]:
        assert np.isnan(decode_map(code_map(field, mask))).all()


def test_voxels_without_a_finite_value_have_none() -> None:
    field = smooth()
    field[20, 25] = np.nan
    field[21, 25] = -np.inf
    shown = decode_map(code_map(field, MASK))
    assert np.isnan(shown[20:22, 25]).all() and np.isfinite(shown[20, 26])


def test_blocks_are_means_over_the_voxels_with_a_value() -> None:
    field = np.arange(12.0).reshape(3, 4)
    mask = np.ones((3, 4), dtype=bool)
    mask[0, 0] = False
    coded = code_map(field, mask, block=2)
    shown = decode_map(coded)
    assert coded.shape == (2, 2)
    np.testing.assert_allclose(shown, [[(1 + 4 + 5) / 3, 4.5], [8.5, 10.5]], atol=0.5 * coded.step)


def test_one_hot_voxel_does_not_set_the_colours() -> None:
    field = np.abs(smooth()) + 1.0
    field[20, 20] = 30.0
    coded = code_map(field, MASK)
    assert coded.scale == "linear" and coded.shown[1] < 20
    field[20, 20] = 1000.0
    coded = code_map(field, MASK)
    assert coded.scale == "log" and decode_map(coded)[20, 20] == pytest.approx(1000.0)
    assert np.abs(decode_map(coded) / field - 1.0)[MASK].max() < 0.02  # the others keep their values
    assert code_map(smooth(), MASK).shown == (1, 255)


def test_layers_of_a_section() -> None:
    result = fake_result(n=24, sections=2)
    order = [c.name for c in result.candidates]
    first, _ = section_maps(result, order)
    keys = {(layer.candidate, layer.key) for layer in first.layers}
    assert {
        ("", "oxygen"),
        ("", "matrix"),
        ("", "vessel_surface"),
        ("", "cells_tumour"),
        ("", "target_PSMA_tumour"),
    } <= keys
    assert {("177Lu-PSMA-617", k) for k in ("dose", "survival", "activity", "dose_beta")} <= keys
    assert ("225Ac-PSMA-617", "dose_photon") not in keys
    assert first.candidates == tuple(order[:6])
    units = {layer.key: layer.unit for layer in first.layers}
    assert units["oxygen"] == "mmHg" and units["dose"] == "Gy" and units["cells_tumour"] == "1/mm³"
    notes = {layer.key: layer.note for layer in first.layers}
    assert "Too few counts" in notes["target_GRPR_tumour"] and "measured in this lesion" in notes["target_PSMA_tumour"]


def test_survival_is_shown_only_where_there_are_tumour_cells() -> None:
    result = fake_result(n=24, sections=1)
    tumour = result.sections[0].tissue["cell_density"].sel(cell_type="tumour").values > 0
    layer = next(x for x in section_maps(result, [])[0].layers if x.key == "survival")
    assert (np.isfinite(decode_map(layer.coded)) == tumour).all()


def test_maps_give_way_to_a_budget_and_say_so() -> None:
    result = fake_result(n=40, sections=1)
    full = section_maps(result, [])[0]
    size = sum(layer.coded.size for layer in full.layers)
    small = section_maps(result, [], budget=size // 2)[0]
    assert sum(layer.coded.size for layer in small.layers) <= size // 2
    assert full.coarsened == "" and "µm" in small.coarsened
    blocks = {layer.kind: layer.coded.block for layer in small.layers}
    assert blocks["quality"] >= blocks["dose"]


def test_index_is_plain_json() -> None:
    layer = section_maps(fake_result(n=16, sections=1), [])[0].layers[0]
    assert json.loads(json.dumps(layer.index("map-0-0"), allow_nan=False))["element"] == "map-0-0"


def test_colours() -> None:
    assert all(len(anchors.split()) == 17 for anchors in COLOUR_MAPS.values())
    assert len({line_style(i) for i in range(20)}) == 20
