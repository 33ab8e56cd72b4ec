"""How much activity the organs allow: each limit in the quantity in which its source defined it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from nichedose.effect import bed, dose_from_bed, organ_g
from nichedose.errors import BadInput, near_miss
from nichedose.library.schema import DoseCoefficient, LabelledForm, OrganLimit
from nichedose.results import OrganDose
from nichedose.values import Draw, Value

__all__ = ["PriorDoses", "Tolerance", "max_tolerated_activity", "organ_dose_per_activity", "organ_doses"]

QUANTITIES: tuple[str, ...] = get_args(OrganLimit.model_fields["quantity"].annotation)
PriorDoses = Mapping[tuple[str, str], float]
"""Dose before this course, Gy, by (organ, quantity)."""


@dataclass(frozen=True)
class Tolerance:
    """The activity per administration that the organ limits leave for the whole course.

    ``organs`` are the organ doses at that activity. When not ``evaluable``, ``activity_MBq`` is None, ``organs`` is
    empty and ``reason`` names what is missing.
    """

    activity_MBq: float | None
    limiting_organ: str | None
    organs: tuple[OrganDose, ...]
    evaluable: bool
    reason: str


@dataclass(frozen=True)
class _Bound:
    """One organ against one limit, all numbers drawn. ``g`` and ``alpha_beta_Gy`` only where the limit is a BED."""

    limit: OrganLimit
    coefficient: DoseCoefficient
    Gy_per_MBq: float
    limit_Gy: float
    prior_Gy: float
    g: float = 0.0
    alpha_beta_Gy: float = 1.0

    def course_dose_Gy(self, activity_MBq: float, cycles: int) -> float:
        """Dose of the whole course in the limit's quantity; with g = 0 BED is the dose itself."""
        return cycles * float(bed(self.Gy_per_MBq * activity_MBq, self.g, self.alpha_beta_Gy))

    def activity_MBq(self, cycles: int) -> float:
        """Activity per administration at which the limit is reached; not below 0."""
        left = max(self.limit_Gy - self.prior_Gy, 0.0) / cycles
        return dose_from_bed(left, self.g, self.alpha_beta_Gy) / self.Gy_per_MBq

    def row(self, activity_MBq: float, cycles: int, *, is_limiting: bool) -> OrganDose:
        return OrganDose(
            organ=self.limit.organ, quantity=self.limit.quantity, dose_Gy=self.course_dose_Gy(activity_MBq, cycles),
            prior_Gy=self.prior_Gy, limit_Gy=self.limit_Gy, derived_from=self.coefficient.derived_from,
            origin=self.limit.origin, is_limiting=is_limiting,
        )


def organ_dose_per_activity(form: LabelledForm, radionuclide: str, draw: Draw) -> dict[tuple[str, str], float]:
    """Gy per MBq by (organ, quantity), for every coefficient that the form has with this radionuclide."""
    return {(c.organ, c.quantity): _drawn_coefficient(c, form, draw) for c in _coefficients(form, radionuclide)}


def max_tolerated_activity(
    form: LabelledForm,
    radionuclide: str,
    limits: Sequence[OrganLimit],
    cycles: int,
    prior: PriorDoses,
    draw: Draw,
    *,
    emits_alpha: bool,
) -> Tolerance:
    """The largest activity per administration with every organ within its limits over ``cycles`` plus ``prior``.

    Every organ with a coefficient and a limit counts. Each organ in ``form.dose_limiting_organs``, and each with a
    prior dose and a limit, must have both in comparable quantities; else the result is not evaluable and says what is
    missing.
    """
    bounds, missing = _bounds(form, radionuclide, limits, cycles, prior, draw, emits_alpha=emits_alpha)
    if missing or not bounds:
        return _not_evaluable("; ".join(missing) or f"{form.name} names no dose-limiting organ")
    tightest = min(bounds, key=lambda b: b.activity_MBq(cycles))
    activity = tightest.activity_MBq(cycles)
    if activity == 0.0:
        return _not_evaluable(f"the prior dose to {tightest.limit.organ} ({tightest.prior_Gy:.3g} Gy, "
                              f"{_words(tightest.limit.quantity)}) reaches the limit ({tightest.limit_Gy:.3g} Gy)")
    rows = organ_doses(form, radionuclide, limits, cycles, prior, draw, activity, emits_alpha=emits_alpha)
    return Tolerance(activity, tightest.limit.organ, rows, True, "")


def organ_doses(
    form: LabelledForm,
    radionuclide: str,
    limits: Sequence[OrganLimit],
    cycles: int,
    prior: PriorDoses,
    draw: Draw,
    activity_MBq: float,
    *,
    emits_alpha: bool,
) -> tuple[OrganDose, ...]:
    """Organ doses of a course of ``cycles`` x ``activity_MBq``: one row per organ and limit, then those without limit.

    ``dose_Gy`` is this course alone; ``prior_Gy`` comes on top of it. ``is_limiting`` marks the row whose limit is
    reached first as activity rises, where all needed data exist.
    """
    if activity_MBq < 0.0:
        raise BadInput(f"activity_MBq = {activity_MBq:g}; it must not be negative.")
    bounds, missing = _bounds(form, radionuclide, limits, cycles, prior, draw, emits_alpha=emits_alpha)
    tightest = min(bounds, key=lambda b: b.activity_MBq(cycles)) if bounds and not missing else None
    rows = [b.row(activity_MBq, cycles, is_limiting=b is tightest) for b in bounds]
    bounded = {b.limit.organ for b in bounds}
    for c in _coefficients(form, radionuclide):
        if c.organ not in bounded:
            dose = cycles * activity_MBq * _drawn_coefficient(c, form, draw)
            prior_Gy = prior.get((c.organ, c.quantity), 0.0)
            rows.append(OrganDose(c.organ, c.quantity, dose, prior_Gy, None, c.derived_from, "no limit applies", False))
    return tuple(rows)


def _bounds(
    form: LabelledForm, radionuclide: str, limits: Sequence[OrganLimit], cycles: int, prior: PriorDoses, draw: Draw,
    *, emits_alpha: bool,
) -> tuple[list[_Bound], list[str]]:
    """Every organ against every limit that applies, and what is missing for the organs that must have one."""
    if cycles < 1 or cycles != int(cycles):
        raise BadInput(f"cycles = {cycles}; a course has a whole number of them, at least one.")
    _refuse_unknown(prior, {*(lim.organ for lim in limits), *(c.organ for c in form.dose_coefficients)})
    applicable = [lim for lim in limits if lim.applies_to in ("all", "alpha" if emits_alpha else "beta")]
    by_organ: dict[str, list[DoseCoefficient]] = {}
    for c in _coefficients(form, radionuclide):
        by_organ.setdefault(c.organ, []).append(c)
    bounds, missing = [], []
    for limit in applicable:
        match = _comparable(by_organ.get(limit.organ, []), limit, emits_alpha=emits_alpha)
        lacking = _lacking_for_bed(limit, match)
        if match is not None and lacking:
            missing.append(f"{limit.organ}: the BED limit has no {lacking}")
        elif match is not None:
            bounds.append(_bound(limit, match, form, prior, draw))
            missing += _prior_in_other_quantity(limit, prior)
    bounded = {b.limit.organ for b in bounds}
    limited = {lim.organ for lim in applicable}
    burdened = [organ for (organ, _), dose in prior.items() if dose > 0.0 and organ in limited]
    for organ in dict.fromkeys([*form.dose_limiting_organs, *burdened]):
        if organ not in bounded and not any(text.startswith(f"{organ}:") for text in missing):
            missing.append(_why_unbounded(organ, form, radionuclide, by_organ, applicable, emits_alpha=emits_alpha))
    return bounds, missing


def _refuse_unknown(prior: PriorDoses, organs: set[str]) -> None:
    """A prior dose that meets no limit by a slip of its name would count for nothing."""
    for (organ, quantity), dose in prior.items():
        if not (math.isfinite(dose) and dose >= 0.0):
            raise BadInput(f"A prior dose must be finite and not negative; got {dose} Gy for {organ}.")
        if organ not in organs:
            raise BadInput(f"A prior dose to '{organ}', for which there is neither limit nor dose."
                           f"{near_miss(organ, organs)}")
        if quantity not in QUANTITIES:
            raise BadInput(f"A prior dose to {organ} as '{quantity}'.{near_miss(quantity, QUANTITIES)} It must be one "
                           f"of {', '.join(QUANTITIES)}.")


def _bound(limit: OrganLimit, c: DoseCoefficient, form: LabelledForm, prior: PriorDoses, draw: Draw) -> _Bound:
    key = f"limit.{limit.organ}.{limit.quantity}"
    per_MBq, limit_Gy = _drawn_coefficient(c, form, draw), draw(key, limit.Gy)
    prior_Gy = prior.get((limit.organ, limit.quantity), 0.0)
    if limit.quantity != "bed":
        return _Bound(limit, c, per_MBq, limit_Gy, prior_Gy)

    def take(name: str, value: Value | None) -> float:
        assert value is not None  # _lacking_for_bed has looked
        return draw(f"{key}.{name}", value)

    half_life_h = (
        take("effective_half_life_h", limit.effective_half_life_h) if c.effective_half_life_h is None else
        draw(f"form.{form.name}.{c.radionuclide}.effective_half_life_h.{c.organ}", c.effective_half_life_h))
    return _Bound(
        limit, c, per_MBq, limit_Gy, prior_Gy,
        g=organ_g(take("repair_half_time_h", limit.repair_half_time_h), half_life_h),
        alpha_beta_Gy=take("alpha_beta_Gy", limit.alpha_beta_Gy),
    )


def _comparable(found: list[DoseCoefficient], limit: OrganLimit, *, emits_alpha: bool) -> DoseCoefficient | None:
    """The coefficient that may be held against ``limit``.

    Without alpha particles weighting them changes nothing, so all quantities of dose are one. With them, only equal
    quantities compare, and the BED of an unweighted dose would mean nothing.
    """
    wanted = "absorbed_dose" if limit.quantity == "bed" else limit.quantity
    exact = [c for c in found if c.quantity == wanted]
    if emits_alpha:
        return exact[0] if exact and limit.quantity != "bed" else None
    return next(iter([*exact, *found]), None)


def _lacking_for_bed(limit: OrganLimit, c: DoseCoefficient | None) -> str:
    if limit.quantity != "bed" or c is None:
        return ""
    parts = {"alpha/beta": limit.alpha_beta_Gy, "repair half-time": limit.repair_half_time_h,
             "effective half-life": c.effective_half_life_h or limit.effective_half_life_h}
    return ", ".join(name for name, value in parts.items() if value is None)


def _prior_in_other_quantity(limit: OrganLimit, prior: PriorDoses) -> list[str]:
    """A prior dose cannot be turned into another quantity without its dose rate, and ignoring it would be unsafe."""
    stated = [q for (organ, q), dose in prior.items() if organ == limit.organ and dose > 0.0]
    if not stated or limit.quantity in stated:
        return []
    return [f"{limit.organ}: the prior dose is stated as {_words(stated[0])}, the limit as {_words(limit.quantity)}; "
            "state it in that quantity as well"]


def _why_unbounded(
    organ: str, form: LabelledForm, radionuclide: str, by_organ: Mapping[str, list[DoseCoefficient]],
    applicable: Sequence[OrganLimit], *, emits_alpha: bool,
) -> str:
    if organ not in by_organ:
        return f"{organ}: no dose coefficient of {radionuclide}-{form.ligand} is known"
    kind = "alpha" if emits_alpha else "beta"
    quantities = [lim.quantity for lim in applicable if lim.organ == organ]
    if not quantities:
        return f"{organ}: no limit is known that applies to {kind} emitters"
    have = " and ".join(_words(c.quantity) for c in by_organ[organ])
    return (f"{organ}: the dose of {radionuclide}-{form.ligand} is known as {have}, but the limit is "
            f"{' and '.join(_words(q) for q in quantities)}, which does not compare for {kind} emitters")


def _coefficients(form: LabelledForm, radionuclide: str) -> list[DoseCoefficient]:
    if radionuclide not in form.radionuclides:
        raise BadInput(f"{form.name} does not carry {radionuclide}; it carries {', '.join(form.radionuclides)}.")
    return [c for c in form.dose_coefficients if c.radionuclide == radionuclide]


def _drawn_coefficient(c: DoseCoefficient, form: LabelledForm, draw: Draw) -> float:
    per_GBq = draw(f"form.{form.name}.{c.radionuclide}.dose.{c.organ}", c.Gy_per_GBq)
    if not per_GBq > 0.0:
        raise BadInput(f"{form.name}: the dose coefficient of {c.organ} for {c.radionuclide} is {per_GBq:g} Gy/GBq; "
                       "it must be above 0.")
    return per_GBq / 1e3


def _not_evaluable(reason: str) -> Tolerance:
    return Tolerance(activity_MBq=None, limiting_organ=None, organs=(), evaluable=False, reason=reason)


def _words(quantity: str) -> str:
    words = {"absorbed_dose": "absorbed dose", "bed": "BED", "weighted_rbe5": "dose weighted with RBE 5"}
    return words.get(quantity, quantity)
