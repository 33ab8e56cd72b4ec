"""Tolerated activity: linear and BED limits, prior doses, missing data, draws; entries made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from nichedose.decide import max_tolerated_activity, organ_dose_per_activity, organ_doses
from nichedose.effect import organ_bed
from nichedose.errors import BadInput
from nichedose.library.schema import DoseCoefficient, LabelledForm, OrganLimit, PlasmaKinetics
from nichedose.values import Draw, Value


def fixed(value: float) -> Value:
    return Value(value=value, evidence="assumed")


def coefficient(
    organ: str, radionuclide: str, per_GBq: float | Value, quantity: Any = "absorbed_dose"
) -> DoseCoefficient:
    value = per_GBq if isinstance(per_GBq, Value) else fixed(per_GBq)
    return DoseCoefficient(organ=organ, radionuclide=radionuclide, quantity=quantity, Gy_per_GBq=value)


def form(
    coefficients: list[DoseCoefficient], limiting: tuple[str, ...] = ("kidneys",), name: str = "made-up"
) -> LabelledForm:
    one = fixed(1.0)
    return LabelledForm(
        name=name,
        ligand="made-up",
        target="T",
        chelator="DOTA",
        radionuclides=("177Lu", "225Ac"),
        residualising=True,
        molar_mass_kDa=one,
        dissociation_constant_nmol_per_L=one,
        association_rate_L_per_nmol_per_h=one,
        internalisation_per_h=one,
        release_per_h=one,
        plasma_free_fraction=one,
        plasma=PlasmaKinetics(
            tracer="itself", fraction_per_L=(one,), half_life_h=(one,), reference_weight_kg=70.0, entry="plasma"
        ),
        injected_nmol=one,
        dose_limiting_organs=limiting,
        dose_coefficients=tuple(coefficients),
    )


def limit(
    organ: str, gray: float | Value, quantity: Any = "absorbed_dose", applies_to: Any = "beta", **more: Any
) -> OrganLimit:
    value = gray if isinstance(gray, Value) else fixed(gray)
    return OrganLimit(
        organ=organ, quantity=quantity, Gy=value, applies_to=applies_to, origin="made up for a test", **more
    )


BED_PARTS = {"alpha_beta_Gy": fixed(2.5), "repair_half_time_h": fixed(2.8), "effective_half_life_h": fixed(40.0)}
KIDNEY_BED = limit("kidneys", 40.0, "bed", **BED_PARTS)
MARROW = limit("marrow", 2.0)
SALIVARY = limit("salivary glands", 20.0, "weighted_rbe5", "alpha")
LU_FORM = form([coefficient("kidneys", "177Lu", 0.43), coefficient("marrow", "177Lu", 0.03)], ("kidneys", "marrow"))


def tolerate(
    made: LabelledForm,
    limits: list[OrganLimit],
    cycles: int = 4,
    prior: dict[tuple[str, str], float] | None = None,
    nuclide: str = "177Lu",
    draw: Draw | None = None,
) -> Any:
    return max_tolerated_activity(
        made, nuclide, limits, cycles, prior or {}, draw or Draw(), emits_alpha=nuclide == "225Ac"
    )


def test_linear_limit() -> None:
    got = tolerate(LU_FORM, [MARROW, limit("kidneys", 23.0)])
    assert got.evaluable and got.reason == ""
    assert got.activity_MBq == pytest.approx(min(2.0 / 0.03, 23.0 / 0.43) / 4 * 1e3)
    assert got.limiting_organ == "kidneys"
    kidneys = next(o for o in got.organs if o.organ == "kidneys")
    assert kidneys.is_limiting and kidneys.dose_Gy == pytest.approx(23.0) and kidneys.limit_Gy == 23.0
    assert [o.is_limiting for o in got.organs].count(True) == 1


def test_bed_limit_is_reached_exactly() -> None:
    got = tolerate(LU_FORM, [KIDNEY_BED, MARROW], cycles=6)
    dose = got.activity_MBq * 0.43e-3
    if got.limiting_organ == "kidneys":
        assert organ_bed(dose, 2.5, 2.8, 40.0, 6) == pytest.approx(40.0, rel=1e-12)
    alone = tolerate(form([coefficient("kidneys", "177Lu", 0.43)]), [KIDNEY_BED], cycles=6)
    assert organ_bed(alone.activity_MBq * 0.43e-3, 2.5, 2.8, 40.0, 6) == pytest.approx(40.0, rel=1e-12)
    assert alone.organs[0].dose_Gy == pytest.approx(40.0) and alone.organs[0].quantity == "bed"


def test_an_organ_s_own_half_life_replaces_that_of_the_limit() -> None:
    own = coefficient("kidneys", "177Lu", 0.43).model_copy(update={"effective_half_life_h": fixed(10.0)})
    got = tolerate(form([own]), [KIDNEY_BED], cycles=2)
    assert organ_bed(got.activity_MBq * 0.43e-3, 2.5, 2.8, 10.0, 2) == pytest.approx(40.0, rel=1e-12)
    bare = limit("kidneys", 40.0, "bed", alpha_beta_Gy=fixed(2.5), repair_half_time_h=fixed(2.8))
    assert tolerate(form([own]), [bare], cycles=2).activity_MBq == got.activity_MBq


def test_more_cycles_of_less_activity_allow_more_in_all_where_bed_limits() -> None:
    made = form([coefficient("kidneys", "177Lu", 0.43)])
    totals = [n * tolerate(made, [KIDNEY_BED], cycles=n).activity_MBq for n in (1, 2, 4, 8)]
    assert totals == sorted(totals) and totals[0] < totals[-1]
    linear = [n * tolerate(made, [limit("kidneys", 23.0)], cycles=n).activity_MBq for n in (1, 2, 4, 8)]
    assert linear == pytest.approx([linear[0]] * 4)


def test_prior_dose_counts_in_the_quantity_of_the_limit() -> None:
    made = form([coefficient("kidneys", "177Lu", 0.43)])
    got = tolerate(made, [KIDNEY_BED], cycles=2, prior={("kidneys", "bed"): 15.0})
    assert organ_bed(got.activity_MBq * 0.43e-3, 2.5, 2.8, 40.0, 2) == pytest.approx(25.0)
    assert got.organs[0].prior_Gy == 15.0
    other = tolerate(made, [KIDNEY_BED], prior={("kidneys", "absorbed_dose"): 15.0})
    assert not other.evaluable and "prior dose is stated as absorbed dose, the limit as BED" in other.reason
    spent = tolerate(made, [KIDNEY_BED], prior={("kidneys", "bed"): 41.0})
    assert not spent.evaluable and "reaches the limit" in spent.reason and spent.activity_MBq is None


@pytest.mark.parametrize(("prior", "words"), [
    ({("kidney", "bed"): 10.0}, "'kidney', for which there is neither limit nor dose. Did you mean 'kidneys'"),
    ({("kidneys", "BED"): 10.0}, "as 'BED'.*one of absorbed_dose, bed, weighted_rbe5"),
    ({("kidneys", "bed"): float("nan")}, "finite and not negative; got nan Gy for kidneys"),
    ({("kidneys", "bed"): -1.0}, "finite and not negative"),
])
def test_a_prior_dose_that_would_count_for_nothing_is_refused(prior: dict[tuple[str, str], float], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        tolerate(LU_FORM, [KIDNEY_BED, MARROW], prior=prior)


def test_prior_dose_makes_an_organ_count() -> None:
    got = tolerate(
        form([coefficient("kidneys", "177Lu", 0.43)]), [KIDNEY_BED, MARROW], prior={("marrow", "absorbed_dose"): 1.0}
    )
    assert not got.evaluable and got.reason == "marrow: no dose coefficient of 177Lu-made-up is known"


def test_what_is_missing_is_named() -> None:
    no_dose = tolerate(form([coefficient("kidneys", "177Lu", 0.43)], ("kidneys", "marrow")), [KIDNEY_BED, MARROW])
    assert not no_dose.evaluable and no_dose.reason == "marrow: no dose coefficient of 177Lu-made-up is known"
    assert no_dose.organs == () and no_dose.activity_MBq is None and no_dose.limiting_organ is None
    no_limit = tolerate(LU_FORM, [KIDNEY_BED])
    assert no_limit.reason == "marrow: no limit is known that applies to beta emitters"
    other_label = tolerate(LU_FORM, [KIDNEY_BED, MARROW], nuclide="225Ac")
    assert "kidneys: no dose coefficient of 225Ac-made-up is known" in other_label.reason
    unlimited = tolerate(form([], ()), [KIDNEY_BED])
    assert not unlimited.evaluable and "names no dose-limiting organ" in unlimited.reason
    bare = limit("kidneys", 40.0, "bed", alpha_beta_Gy=fixed(2.5))
    lacking = tolerate(form([coefficient("kidneys", "177Lu", 0.43)]), [bare])
    assert lacking.reason == "kidneys: the BED limit has no repair half-time, effective half-life"


def test_alpha_emitters_compare_only_like_with_like() -> None:
    weighted = form([coefficient("salivary glands", "225Ac", 2300.0, "weighted_rbe5")], ("salivary glands",))
    got = tolerate(weighted, [SALIVARY, KIDNEY_BED], cycles=1, nuclide="225Ac")
    assert got.activity_MBq == pytest.approx(20.0 / 2.3)
    plain = form([coefficient("salivary glands", "225Ac", 460.0)], ("salivary glands",))
    mixed = tolerate(plain, [SALIVARY], nuclide="225Ac")
    assert not mixed.evaluable and "does not compare for alpha emitters" in mixed.reason
    bed_for_all = limit("kidneys", 40.0, "bed", "all", **BED_PARTS)
    unweighted = tolerate(form([coefficient("kidneys", "225Ac", 100.0)]), [bed_for_all], nuclide="225Ac")
    assert not unweighted.evaluable


def test_without_alpha_particles_weighting_changes_nothing() -> None:
    plain = form([coefficient("kidneys", "177Lu", 0.43)])
    weighted = form([coefficient("kidneys", "177Lu", 0.43, "weighted_rbe5")])
    for lim in (limit("kidneys", 23.0), limit("kidneys", 23.0, "weighted_rbe5", "all"), KIDNEY_BED):
        assert tolerate(plain, [lim]).activity_MBq == tolerate(weighted, [lim]).activity_MBq


def test_limits_of_the_other_kind_of_emitter_do_not_apply() -> None:
    strict = limit("kidneys", 1.0, applies_to="alpha")
    assert (
        tolerate(LU_FORM, [KIDNEY_BED, MARROW, strict]).activity_MBq
        == tolerate(LU_FORM, [KIDNEY_BED, MARROW]).activity_MBq
    )


def test_organs_outside_the_list_limit_too_when_known() -> None:
    made = form([coefficient("kidneys", "177Lu", 0.43), coefficient("marrow", "177Lu", 3.0)])
    assert tolerate(made, [KIDNEY_BED, MARROW]).limiting_organ == "marrow"


def test_scaling() -> None:
    """Twice the dose per activity: half the activity, in every quantity."""
    for lim in (limit("kidneys", 23.0), KIDNEY_BED):
        one, two = (tolerate(form([coefficient("kidneys", "177Lu", c)]), [lim]).activity_MBq for c in (0.43, 0.86))
        assert one == pytest.approx(2 * two, rel=1e-12)


def test_organ_table_at_any_activity() -> None:
    made = form([coefficient("kidneys", "177Lu", 0.43), coefficient("liver", "177Lu", 0.1)])
    rows = organ_doses(
        made,
        "177Lu",
        [KIDNEY_BED, limit("kidneys", 23.0)],
        4,
        {("liver", "absorbed_dose"): 1.0},
        Draw(),
        7400.0,
        emits_alpha=False,
    )
    assert [(r.organ, r.quantity, r.is_limiting) for r in rows] == [
        ("kidneys", "bed", False),
        ("kidneys", "absorbed_dose", True),
        ("liver", "absorbed_dose", False),
    ]
    assert rows[1].dose_Gy == pytest.approx(4 * 7.4 * 0.43)
    assert rows[0].dose_Gy == pytest.approx(organ_bed(7.4 * 0.43, 2.5, 2.8, 40.0, 4))
    assert rows[2].limit_Gy is None and rows[2].prior_Gy == 1.0 and rows[2].dose_Gy == pytest.approx(2.96)
    assert all(
        r.dose_Gy == 0.0 for r in organ_doses(made, "177Lu", [KIDNEY_BED], 4, {}, Draw(), 0.0, emits_alpha=False)
    )


def test_values_are_drawn_under_shared_names() -> None:
    spread = Value(median=0.43, geometric_sd=1.3, evidence="assumed")
    lim = limit("kidneys", Value(low=35.0, high=45.0, evidence="assumed"), "bed", **BED_PARTS)
    first, second = (
        form([coefficient("kidneys", "177Lu", spread)]),
        form([coefficient("kidneys", "177Lu", 0.9)], name="other"),
    )
    draw = Draw(seed=3, index=5)
    one = tolerate(first, [lim], draw=draw)
    assert {"form.made-up.177Lu.dose.kidneys", "limit.kidneys.bed", "limit.kidneys.bed.alpha_beta_Gy"} <= set(draw.used)
    assert one.activity_MBq != tolerate(first, [lim], draw=Draw(seed=3, index=6)).activity_MBq
    two = tolerate(second, [lim], draw=Draw(seed=3, index=5))
    assert one.organs[0].limit_Gy == two.organs[0].limit_Gy != 40.0  # one draw of the limit for all candidates
    assert organ_dose_per_activity(first, "177Lu", Draw()) == {("kidneys", "absorbed_dose"): pytest.approx(0.43e-3)}


def test_bad_input() -> None:
    with pytest.raises(BadInput, match="does not carry 90Y"):
        tolerate(LU_FORM, [MARROW], nuclide="90Y")
    with pytest.raises(BadInput, match="at least one"):
        tolerate(LU_FORM, [MARROW], cycles=0)
    with pytest.raises(BadInput, match="prior dose"):
        tolerate(LU_FORM, [MARROW], prior={("marrow", "absorbed_dose"): -1.0})
    with pytest.raises(BadInput, match="must be above 0"):
        tolerate(form([coefficient("kidneys", "177Lu", 0.0)]), [KIDNEY_BED])
    with pytest.raises(BadInput, match="not be negative"):
        organ_doses(LU_FORM, "177Lu", [MARROW], 1, {}, Draw(), -1.0, emits_alpha=False)
