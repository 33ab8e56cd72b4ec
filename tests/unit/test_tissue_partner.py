"""Partner drugs and the answer to therapy as transforms of a map; oxygen classes within voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nichedose.errors import BadInput
from nichedose.fields.grid import Grid
from nichedose.library import load_library
from nichedose.library.partners import Partner, PartnerEffect, find_partner
from nichedose.tissue import TargetField, TissueMap
from nichedose.tissue.answer import CycleAnswer, answer_to_cycle
from nichedose.tissue.krogh import OxygenParameters, radial_profile_mmHg
from nichedose.tissue.oxygen import oxygen
from nichedose.tissue.oxygen_spread import oxygen_classes
from nichedose.tissue.partner import ActiveEffect, apply_effects, partner_effects, product
from nichedose.values import Draw

GRID = Grid(spacing_um=50.0, shape=(8, 10), origin_um=(0.0, 0.0))
OXYGEN = OxygenParameters(2000.0, 15.0, 2.5, 40.0, 8.0)


def tissue(**change: Any) -> TissueMap:
    mask = np.ones(GRID.shape, bool)
    mask[0] = False
    inside = mask.astype(float)
    vessels = np.linspace(10.0, 60.0, mask.size).reshape(GRID.shape) * inside
    fields: dict[str, Any] = {
        "grid": GRID, "mask": mask, "cell_density_per_mm3": {"tumour": 3e5 * inside, "fibroblast": 1e5 * inside},
        "targets": {"PSMA": TargetField("PSMA", {"tumour": 50.0 * inside}, True, "relative", 100),
                    "FAP": TargetField("FAP", {"fibroblast": 20.0 * inside}, True, "relative", 100)},
        "unknown_targets": {}, "vessel_surface_per_cm": vessels,
        "matrix": np.linspace(0.0, 1.0, mask.size).reshape(GRID.shape) * inside,
        "oxygen_mmHg": oxygen(GRID, mask, vessels, OXYGEN), "sample": "s",
    }
    return TissueMap(**(fields | change))


def effect(field: str, factor: float, **more: Any) -> ActiveEffect:
    return ActiveEffect("drug", field, factor, **more)  # type: ignore[arg-type]


def test_no_effect_on_the_map_leaves_it_as_it_is() -> None:
    before = tissue()
    assert apply_effects(before, [], OXYGEN) is before
    assert apply_effects(before, [effect("sensitivity", 1.2), effect("permeability", 2.0)], OXYGEN) is before


def test_more_vessels_bring_more_oxygen_and_nothing_else() -> None:
    before = tissue()
    after = apply_effects(before, [effect("vessel_surface", 2.0)], OXYGEN)
    np.testing.assert_allclose(after.vessel_surface_per_cm, 2.0 * before.vessel_surface_per_cm)
    assert (after.oxygen_mmHg >= before.oxygen_mmHg).all() and after.oxygen_mmHg.mean() > before.oxygen_mmHg.mean()
    assert after.targets["PSMA"] == before.targets["PSMA"] and after.flags[-1].about == "drug"


def test_effects_multiply_and_keep_to_their_place() -> None:
    before = tissue()
    after = apply_effects(before, [
        effect("target", 2.0, target="PSMA"), effect("target", 0.5, target="PSMA", where_matrix_above=0.5),
        effect("target", 3.0, target="SSTR2"),  # which this map does not hold
    ], OXYGEN)
    ratio = after.targets["PSMA"].total_nmol_per_L[before.mask] / 50.0
    np.testing.assert_allclose(ratio, np.where(before.matrix[before.mask] > 0.5, 1.0, 2.0))
    assert product([effect("sensitivity", 1.2), effect("sensitivity", 1.5), effect("matrix", 9.0)],
                   "sensitivity") == pytest.approx(1.8)


def test_matrix_stays_a_share() -> None:
    assert apply_effects(tissue(), [effect("matrix", 4.0)], OXYGEN).matrix.max() <= 1.0


def test_oxygen_in_vessels_raises_oxygen() -> None:
    before = tissue()
    assert apply_effects(before, [effect("vessel_oxygen", 1.3)], OXYGEN).oxygen_mmHg.mean() > before.oxygen_mmHg.mean()


def test_effects_hold_in_their_time() -> None:
    library = load_library()
    adt = find_partner(library, "ENZALUTAMIDE")
    for hours, count in ((-1.0, 0), (24.0, 0), (200.0, 1), (1500.0, 0), (3000.0, 1)):
        assert len(partner_effects(adt, hours, "prostate", Draw())) == count
    up, down = (partner_effects(adt, h, "prostate", Draw())[0].factor for h in (200.0, 3000.0))
    assert up > 1.0 > down


def test_candidates_share_a_partners_draw() -> None:
    adt = find_partner(load_library(), "abiraterone")
    one, two = (partner_effects(adt, 200.0, "prostate", Draw(seed=1, index=3))[0].factor for _ in range(2))
    assert one == two != partner_effects(adt, 200.0, "prostate", Draw(seed=1, index=4))[0].factor


def test_tumours_and_what_must_be_stated() -> None:
    library = load_library()
    parp = find_partner(library, "olaparib")
    assert partner_effects(parp, 1.0, "prostate", Draw())[0].factor == 1.0
    assert partner_effects(parp, 1.0, "neuroendocrine", Draw())[0].factor > 1.0
    ha = find_partner(library, "PEGPH20")
    assert partner_effects(ha, 24.0, "pancreas", Draw()) == ()
    assert len(partner_effects(ha, 24.0, "pancreas", Draw(), ("hyaluronan_high",))) == 2


@pytest.mark.parametrize("partner", load_library().partners.values(), ids=lambda p: p.name)
def test_what_no_source_quantifies_is_wide_and_assumed(partner: Partner) -> None:
    for e in partner.effects:
        if not partner.quantified:
            assert e.factor.evidence == "assumed" and not e.factor.is_fixed and e.factor.note
        assert partner.source or not partner.quantified


def test_unknown_partner() -> None:
    with pytest.raises(BadInput, match="Did you mean 'losartan'"):
        find_partner(load_library(), "losarton")


@pytest.mark.parametrize("change", [
    {"field": "target"}, {"target": "PSMA"}, {"from_h": 10.0, "until_h": 5.0}, {"where_matrix_above": 2.0},
    {"factor": {"value": 0.0, "evidence": "definition"}}, {"factor": {"low": -1.0, "high": 1.0, "evidence": "assumed"}},
])
def test_effects_that_do_not_fit(change: dict[str, Any]) -> None:
    raw: dict[str, Any] = {"field": "matrix", "factor": {"value": 1.0, "evidence": "definition"}, "from_h": 0.0}
    with pytest.raises(ValueError):
        PartnerEffect.model_validate(raw | change)


# The answer to therapy ------------------------------------------------------------------------------------------------


def test_nothing_answers_when_nothing_is_asked() -> None:
    before = tissue()
    after = answer_to_cycle(before, np.full(GRID.shape, 0.1), CycleAnswer(), OXYGEN)
    np.testing.assert_allclose(after.oxygen_mmHg, before.oxygen_mmHg, rtol=1e-6)
    np.testing.assert_allclose(after.targets["PSMA"].total_nmol_per_L, before.targets["PSMA"].total_nmol_per_L)


def test_cleared_cells_take_targets_and_thirst_with_them() -> None:
    before = tissue()
    after = answer_to_cycle(before, np.full(GRID.shape, 0.2), CycleAnswer(dead_cleared_fraction=0.5), OXYGEN)
    np.testing.assert_allclose(after.cell_density_per_mm3["tumour"], 0.6 * before.cell_density_per_mm3["tumour"])
    np.testing.assert_allclose(after.targets["PSMA"].total_nmol_per_L, 0.6 * before.targets["PSMA"].total_nmol_per_L)
    assert after.targets["FAP"] == before.targets["FAP"]
    assert after.oxygen_mmHg[before.mask].min() > before.oxygen_mmHg[before.mask].min()  # reoxygenation


def test_oxygen_gives_targets_back() -> None:
    more, fewer = (
        answer_to_cycle(tissue(), np.ones(GRID.shape), CycleAnswer(hypoxia_target_loss=0.8, vessel_factor=v), OXYGEN)
        for v in (3.0, 0.5))
    now = tissue().targets["PSMA"].total_nmol_per_L.sum()
    assert more.targets["PSMA"].total_nmol_per_L.sum() > now > fewer.targets["PSMA"].total_nmol_per_L.sum()


@pytest.mark.parametrize("bad", [
    {"target_factor": 0.0}, {"dead_cleared_fraction": 1.2}, {"hypoxia_target_loss": -0.1},
    {"vessel_factor": float("nan")},
])
def test_answers_that_make_no_sense(bad: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        CycleAnswer(**bad)


def test_survival_must_be_a_share_of_this_map() -> None:
    for bad in (np.ones((2, 2)), np.full(GRID.shape, 1.5), np.full(GRID.shape, np.nan)):
        with pytest.raises(BadInput, match="Surviving fractions"):
            answer_to_cycle(tissue(), bad, CycleAnswer(), OXYGEN)


# Oxygen within a voxel ------------------------------------------------------------------------------------------------


def test_classes_keep_the_mean_and_fall_from_the_vessel() -> None:
    t = tissue()
    classes, shares = oxygen_classes(t.oxygen_mmHg, t.mask, t.vessel_surface_per_cm, OXYGEN, 6)
    assert shares.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(np.tensordot(shares, classes, axes=1), t.oxygen_mmHg, rtol=1e-12)
    assert (np.diff(classes, axis=0) <= 1e-12).all() and (classes >= 0.0).all()
    assert (np.diff(classes[:, t.mask], axis=0) < 0.0).all()


def test_classes_of_even_vessels_are_the_cylinder_itself() -> None:
    """Quantiles of 128 shells at one tissue radius, where the voxel's mean is the cylinder's."""
    surface = np.full((1, 1), 28.0)
    from nichedose.tissue.krogh import radial_mean_mmHg, tissue_radius_um

    radius = tissue_radius_um(surface, OXYGEN.vessel_radius_um).ravel()
    mean = radial_mean_mmHg(radius, OXYGEN).reshape(1, 1)
    classes, _ = oxygen_classes(mean, np.ones((1, 1), bool), surface, OXYGEN, 4)
    pressure, volume = radial_profile_mmHg(radius, OXYGEN)
    order = np.cumsum(volume[0]) / volume[0].sum()
    for k in range(4):
        inside = (order > k / 4) & (order <= (k + 1) / 4)
        assert classes[k, 0, 0] == pytest.approx(np.average(pressure[0, inside], weights=volume[0, inside]), rel=0.02)


def test_one_class_is_the_voxel_itself() -> None:
    t = tissue()
    np.testing.assert_allclose(
        oxygen_classes(t.oxygen_mmHg, t.mask, t.vessel_surface_per_cm, OXYGEN, 1)[0][0], t.oxygen_mmHg)
    with pytest.raises(BadInput, match="at least one"):
        oxygen_classes(t.oxygen_mmHg, t.mask, t.vessel_surface_per_cm, OXYGEN, 0)
