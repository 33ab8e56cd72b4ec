"""Options of the tissue map: targets that follow oxygen, and oxygen placed by physics and signature together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from tissue_cases import ALIASES, CELL_TYPES, SIGNATURES, fixed, made_section, target, tissue_parameters

from nichedose.errors import BadInput
from nichedose.tissue import SpotModel, TissueMap, build_tissue_map, model_section
from nichedose.tissue.build import oxygen_parameters
from nichedose.tissue.coupling import couple_targets, hypoxia_degree
from nichedose.tissue.genes import Coverage
from nichedose.tissue.map_options import MapOptions
from nichedose.tissue.oxygen_signature import combine_oxygen, oxygen_again, oxygen_agreement, signature_share
from nichedose.values import Draw

TARGETS = {
    "PSMA": target("PSMA", ("TUMGENE",), ("tumour", "endothelial")), "CAIX": target("CAIX", ("RAREGENE",), ("tumour",)),
    "OTHER": target("OTHER", ("NEWNAME",), ("fibroblast",)),
}
PARAMETERS = tissue_parameters(
    psma_hypoxia_loss=fixed(0.6), caix_normoxic_share=fixed(0.1), hypoxia_half_mmHg=fixed(5.0),
    oxygen_signature_weight=fixed(0.5))
NUMBERS: Mapping[str, Any] = {"half_mmHg": 5.0, "psma_loss": 0.6, "caix_normoxic_share": 0.1}


@pytest.fixture(scope="module")
def model() -> SpotModel:
    return model_section(made_section(14, 14).assay, CELL_TYPES, TARGETS, SIGNATURES, ALIASES)


def built(model: SpotModel, **options: Any) -> TissueMap:
    return build_tissue_map(model, PARAMETERS, TARGETS, spacing_um=50.0, options=MapOptions(**options))


def corr(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_without_options_nothing_changes(model: SpotModel) -> None:
    plain, same = build_tissue_map(model, PARAMETERS, TARGETS, spacing_um=50.0), built(model)
    assert plain.flags == same.flags and plain.hypoxia_score is None
    np.testing.assert_array_equal(plain.oxygen_mmHg, same.oxygen_mmHg)
    draw = Draw(3, 1)
    build_tissue_map(model, PARAMETERS, TARGETS, spacing_um=100.0, draw=draw)
    assert not any("hypoxia" in key or "signature" in key for key in draw.used)


def test_degree_of_hypoxia() -> None:
    np.testing.assert_allclose(hypoxia_degree(np.array([0.0, 5.0, 1e9]), 5.0), [1.0, 0.5, 0.0], atol=1e-8)
    with pytest.raises(BadInput, match="above 0 mmHg"):
        hypoxia_degree(np.ones(1), 0.0)


def test_couplings_keep_the_mean_and_move_apart(model: SpotModel) -> None:
    plain, coupled = built(model), built(model, hypoxia_couplings=("PSMA", "CAIX"))
    m, p = plain.mask, plain.oxygen_mmHg
    ratio = {}
    for name in ("PSMA", "CAIX"):
        before, after = plain.targets[name], coupled.targets[name]
        np.testing.assert_allclose(after.total_nmol_per_L[m].mean(), before.total_nmol_per_L[m].mean(), rtol=1e-12)
        inside = m & (before.by_host_nmol_per_L["tumour"] > 0.0)
        ratio[name] = after.by_host_nmol_per_L["tumour"][inside] / before.by_host_nmol_per_L["tumour"][inside]
        assert corr(ratio[name], p[inside]) * (1.0 if name == "PSMA" else -1.0) > 0.9
    s = hypoxia_degree(p[m], 5.0)
    np.testing.assert_allclose(ratio["PSMA"] / ratio["PSMA"][0], (1.0 - 0.6 * s) / (1.0 - 0.6 * s[0]), rtol=1e-9)
    np.testing.assert_array_equal(coupled.targets["OTHER"].total_nmol_per_L, plain.targets["OTHER"].total_nmol_per_L)
    assert {f.about for f in coupled.flags} - {f.about for f in plain.flags} == {"PSMA"} | (
        {"CAIX"} - {f.about for f in plain.flags})


def test_no_loss_changes_nothing(model: SpotModel) -> None:
    plain = built(model)
    same = couple_targets(plain.targets, plain.oxygen_mmHg, plain.mask, ("PSMA", "CAIX"), half_mmHg=5.0, psma_loss=0.0,
                          caix_normoxic_share=1.0)
    for name, field in plain.targets.items():
        np.testing.assert_allclose(same[name].total_nmol_per_L, field.total_nmol_per_L, rtol=1e-12)


@pytest.mark.parametrize("wrong", [{"psma_loss": 1.2}, {"caix_normoxic_share": float("nan")}, {"half_mmHg": -1.0}])
def test_numbers_out_of_range_are_refused(model: SpotModel, wrong: dict[str, float]) -> None:
    plain = built(model)
    with pytest.raises(BadInput, match=r"must (lie|be above)"):
        couple_targets(plain.targets, plain.oxygen_mmHg, plain.mask, ("PSMA",), **{**NUMBERS, **wrong})


def test_names_that_are_not_known_are_refused() -> None:
    with pytest.raises(BadInput, match=r"hypoxia is known for 'PSMAA'.*PSMA"):
        MapOptions(hypoxia_couplings=("PSMAA",))  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="physics"):
        MapOptions(oxygen="both")  # type: ignore[arg-type]


def test_a_coupling_without_its_target_says_so(model: SpotModel) -> None:
    tissue = build_tissue_map(model, PARAMETERS, {"OTHER": TARGETS["OTHER"]}, spacing_um=100.0,
                              options=MapOptions(hypoxia_couplings=("PSMA",)))
    assert any(f.level == "caution" and "does nothing" in f.text for f in tissue.flags)


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.7, 1.0])
def test_the_levels_of_physics_are_kept_whatever_the_weight(weight: float) -> None:
    rng = np.random.default_rng(1)
    mask = rng.random((20, 30)) < 0.8
    p, score = np.where(mask, rng.gamma(2.0, 8.0, mask.shape), 0.0), rng.lognormal(0.0, 0.5, mask.shape)
    found = combine_oxygen(p, score, mask, weight)
    np.testing.assert_array_equal(np.sort(found[mask]), np.sort(p[mask]))
    assert not found[~mask].any()
    np.testing.assert_array_equal(combine_oxygen(p, np.log(score), mask, weight), found)
    if weight == 0.0:
        np.testing.assert_array_equal(found, p)
    if weight == 1.0:
        np.testing.assert_array_equal(np.argsort(found[mask]), np.argsort(-score[mask]))


def test_agreeing_fields_are_left_alone_and_wrong_ones_refused() -> None:
    p, mask = np.linspace(1.0, 40.0, 12).reshape(3, 4), np.ones((3, 4), bool)
    np.testing.assert_array_equal(combine_oxygen(p, -p, mask, 0.5), p)
    with pytest.raises(BadInput, match="between 0 and 1"):
        combine_oxygen(p, p, mask, 1.5)
    with pytest.raises(BadInput, match="finite and of shape"):
        combine_oxygen(p, np.full((3, 4), np.nan), mask, 0.5)
    with pytest.raises(BadInput, match="finite and of shape"):
        combine_oxygen(p, p[:2], mask, 0.5)


def test_disagreement_is_a_caution() -> None:
    p, mask = np.linspace(1.0, 40.0, 12).reshape(3, 4), np.ones((3, 4), bool)
    agree, against = (oxygen_agreement(p, s, np.ones_like(p), mask) for s in (1.0 / p, p))
    assert agree.level == "note" and "correlation of the two 1.00" in agree.text
    assert against.level == "caution" and "-1.00" in against.text and "disagree" in against.text
    assert "25 % of the tissue" in agree.text  # 3 of 12 values lie below 10 mmHg
    even = oxygen_agreement(p, np.ones_like(p), np.zeros_like(p), mask)
    assert even.level == "note" and "correlation of the two 0.00" in even.text


def test_combined_oxygen_in_the_map(model: SpotModel) -> None:
    plain, combined = built(model), built(model, oxygen="combined")
    m = plain.mask
    np.testing.assert_array_equal(np.sort(combined.oxygen_mmHg[m]), np.sort(plain.oxygen_mmHg[m]))
    assert combined.hypoxia_score is not None and combined.hypoxia_weight == pytest.approx(0.5 * 2 / 3)
    assert corr(combined.oxygen_mmHg[m], combined.hypoxia_score[m]) < corr(
        plain.oxygen_mmHg[m], combined.hypoxia_score[m])
    assert any("Combined:" in f.text for f in combined.flags) and not any("Combined:" in f.text for f in plain.flags)
    again = oxygen_again(combined, combined.vessel_surface_per_cm, oxygen_parameters(PARAMETERS, Draw()))
    np.testing.assert_allclose(again, combined.oxygen_mmHg, rtol=1e-9)
    more = oxygen_again(combined, 2.0 * combined.vessel_surface_per_cm, oxygen_parameters(PARAMETERS, Draw()))
    assert more[m].mean() > combined.oxygen_mmHg[m].mean()


@pytest.mark.parametrize(("present", "missing", "counts", "reason"), [
    (("A",), ("B", "C"), 500, "only 1 of its 3 genes"),
    (("A", "B"), ("C",), 20, "20 transcripts in the whole section"),
])
def test_the_signature_abstains(
    model: SpotModel, present: tuple[str, ...], missing: tuple[str, ...], counts: int, reason: str
) -> None:
    poor = Coverage(present, missing, {present[0]: counts}, {})
    silent = dataclasses.replace(
        model, coverage=dataclasses.replace(model.coverage, signatures={**model.coverage.signatures, "hypoxia": poor}))
    assert signature_share(silent)[0] == 0.0
    combined, plain = built(silent, oxygen="combined"), built(silent)
    np.testing.assert_array_equal(combined.oxygen_mmHg, plain.oxygen_mmHg)
    assert any(f.level == "caution" and reason in f.text for f in combined.flags)
    assert not any(f.about == "oxygen" for f in plain.flags)
    assert signature_share(dataclasses.replace(model, hypoxia=None)) == (0.0, "none of its genes has counts")
