"""Organs and curves of one candidate as tidy rows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from nichedose.body import BodySolution
from nichedose.study.organ_doses import body_organ_doses_Gy
from nichedose.study.patient_doses import FittedCandidate
from nichedose.study.setup import ResolvedCandidate
from nichedose.study.whole_body import self_dose_Gy_per_MBq_h

__all__ = ["CurveRow", "OrganRow", "curve_rows", "organ_rows", "with_interval"]

CurveRow = tuple[str, str, float, float]  # candidate, place, time in h, activity in MBq


@dataclass(frozen=True)
class OrganRow:
    """One organ of one candidate. ``Gy_per_GBq`` is the number to use: ``origin`` says whether it is the published
    coefficient scaled to this patient by ``ratio``, the model's own dose, or that of the model fitted to measurements
    in this organ; then with its 90 % interval."""

    candidate: str
    organ: str
    volume_mL: float
    residence_h: float
    model_Gy_per_GBq: float
    published_Gy_per_GBq: float | None
    ratio: float
    Gy_per_GBq: float
    course_Gy: float
    quantity: str
    origin: str
    low_Gy_per_GBq: float | None = None
    high_Gy_per_GBq: float | None = None


def organ_rows(
    candidate: ResolvedCandidate, run: BodySolution, ratios: dict[str, float], phantom: str
) -> list[OrganRow]:
    """Every organ and lesion of ``run``; ``ratios`` scale the published doses to this patient."""
    published = {c.organ: c for c in candidate.form.dose_coefficients if c.radionuclide == candidate.radionuclide}
    course_GBq = candidate.activity_MBq * candidate.cycles * 1e-3
    doses = body_organ_doses_Gy(run, candidate.radionuclide, phantom)
    rows = []
    for organ, volume in run.model.volume_L.items():
        tia = run.time_integrated_activity_MBq_h(organ, candidate.radionuclide)
        residence = tia / (course_GBq * 1e3)
        own = (sum(doses[organ].values()) / course_GBq if organ in doses else
               residence * 1e3 * self_dose_Gy_per_MBq_h(candidate.radionuclide, round(volume * 1e3, 2)))
        coefficient, ratio = published.get(organ), ratios.get(organ, 1.0)
        stated = None if coefficient is None else coefficient.Gy_per_GBq.central
        used = own if stated is None else stated * ratio
        rows.append(OrganRow(
            candidate=candidate.name, organ=organ, volume_mL=volume * 1e3, residence_h=residence, model_Gy_per_GBq=own,
            published_Gy_per_GBq=stated, ratio=ratio, Gy_per_GBq=used, course_Gy=used * course_GBq,
            quantity="absorbed_dose" if coefficient is None else coefficient.quantity,
            origin="model" if stated is None else "published, scaled to this patient"))
    return rows


def with_interval(row: OrganRow, own: FittedCandidate, candidate: ResolvedCandidate) -> OrganRow:
    """The row with the fitted dose where the agent was measured in this organ."""
    if row.organ not in own.Gy_per_GBq:
        return row
    low, middle, high = np.quantile(own.Gy_per_GBq[row.organ], np.array([0.05, 0.5, 0.95]), method="weibull")
    return dataclasses.replace(
        row, Gy_per_GBq=float(middle), course_Gy=float(middle) * candidate.activity_MBq * candidate.cycles * 1e-3,
        quantity=own.quantity[row.organ], origin="fitted to measurements in it", low_Gy_per_GBq=float(low),
        high_Gy_per_GBq=float(high))


def curve_rows(candidate: ResolvedCandidate, run: BodySolution) -> list[CurveRow]:
    """Activity in every place at the solver's times."""
    found = []
    for place in run.organs:
        activity = run.activity_MBq(place, candidate.radionuclide)
        found += [(candidate.name, place, float(t), float(a)) for t, a in zip(run.times_h, activity, strict=True)]
    return found
