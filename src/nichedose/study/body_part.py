"""What the page, the text and the JSON of `nichedose body` say of one candidate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nichedose.body import BodySolution
from nichedose.decide import Tolerance
from nichedose.findings import Cell, FindingChart, FindingTable, Part
from nichedose.study.body_rows import OrganRow
from nichedose.study.off_tumour import OffTumour
from nichedose.study.setup import ResolvedCandidate
from nichedose.study.standing import untried_text
from nichedose.study.whole_body import ALL_LESIONS
from nichedose.study.words import activity_text

__all__ = ["candidate_answer", "candidate_numbers", "candidate_part"]

CHART_ORGANS = ("plasma", "kidney", "salivary glands", "liver", "spleen", "marrow", ALL_LESIONS)
CHART_TIMES_H = tuple(float(t) for t in np.geomspace(0.1, 400.0, 61))


def candidate_answer(candidate: ResolvedCandidate, tolerance: Tolerance) -> str:
    """The tolerated activity, in one sentence."""
    if tolerance.activity_MBq is None:
        return f"{candidate.name}: no tolerated activity can be given ({tolerance.reason})."
    untried = untried_text(tolerance.activity_MBq, candidate.activity_MBq)
    return (f"{candidate.name}: up to {activity_text(tolerance.activity_MBq)} in each of {candidate.cycles} "
            f"administrations, limited by {tolerance.limiting_organ} "
            f"(prescribed {activity_text(candidate.activity_MBq)}{f': {untried}' if untried else ''}).")


def candidate_part(
    candidate: ResolvedCandidate, run: BodySolution, rows: Sequence[OrganRow], tolerance: Tolerance,
    warned: Sequence[OffTumour], doubts: Sequence[str] = (),
) -> Part:
    """Table of organs, curves of the first administration, what limits, and the target outside the tumour."""
    fitted = any(r.low_Gy_per_GBq is not None for r in rows)
    weighted = any(r.quantity != "absorbed_dose" for r in rows)
    table = FindingTable(
        head=("Organ", "Volume, mL", "Residence, h", "Model, Gy/GBq", "Published, Gy/GBq", "This patient / reference",
              "Used, Gy/GBq", *(("Low", "High") if fitted else ()), "Course, Gy", *(("Quantity",) if weighted else ())),
        rows=tuple((
            r.organ, r.volume_mL, r.residence_h, r.model_Gy_per_GBq,
            "none" if r.published_Gy_per_GBq is None else r.published_Gy_per_GBq, r.ratio, r.Gy_per_GBq,
            *((_or_dash(r.low_Gy_per_GBq), _or_dash(r.high_Gy_per_GBq)) if fitted else ()), r.course_Gy,
            *((r.quantity.replace("_", " "),) if weighted else ()),
        ) for r in rows),
        title="Organs",
        note=("Published doses of this alpha emitter, and what is used where there is one, are weighted by 5 "
              "(weighted rbe5); the model's are physical." if weighted else ""),
    )
    bounds = FindingTable(
        head=("Organ", "Quantity", "Dose of the course, Gy", "Earlier dose, Gy", "Limit, Gy"),
        rows=tuple((f"{o.organ}{' (limits)' if o.is_limiting else ''}", o.quantity.replace("_", " "), o.dose_Gy,
                    o.prior_Gy, "none" if o.limit_Gy is None else o.limit_Gy) for o in tolerance.organs),
        title="At the tolerated activity",
        note=tolerance.reason,
    )
    given = run.regimen.labelled[0].start_h
    shown = [o for o in CHART_ORGANS if o in run.organs]
    times = np.array(CHART_TIMES_H)
    lines = {
        organ: tuple(float(v) for v in np.interp(given + times, run.times_h,
                                                 run.activity_MBq(organ, candidate.radionuclide)))
        for organ in shown
    }
    chart = FindingChart(
        title="Activity",
        summary=f"Activity in {', '.join(shown)} after the first administration, decay included.",
        x_label="hours after the first administration", y_label="MBq", x=CHART_TIMES_H, lines=lines, log_x=True)
    out = ", ".join(f"{100 * run.excreted_fraction(given + t):.0f} % by {t:g} h" for t in (4.0, 24.0, 72.0)
                    if given + t <= run.times_h[-1])
    text = (f"Excreted (ligand): {out}.",
            f"Largest change against half the steps {run.error_estimate:.0e}; mass balance {run.mass_closure:.0e}, "
            f"activity balance {run.activity_closure(candidate.radionuclide):.0e}.",
            *(organ.text for organ in warned), *doubts)
    return Part(candidate.name, text, (table, bounds) if tolerance.organs else (table,), (chart,))


def _or_dash(number: float | None) -> Cell:
    return "-" if number is None else number


def candidate_numbers(
    candidate: ResolvedCandidate, run: BodySolution, rows: Sequence[OrganRow], tolerance: Tolerance,
    warned: Sequence[OffTumour],
) -> dict[str, Any]:
    """The same for programs."""
    return {
        "tolerated_activity_MBq": tolerance.activity_MBq,
        "limiting_organ": tolerance.limiting_organ,
        "reason": tolerance.reason,
        "prescribed_MBq": candidate.activity_MBq,
        "cycles": candidate.cycles,
        "organs": {r.organ: {k: v for k, v in vars(r).items() if k not in ("candidate", "organ")} for r in rows},
        "off_tumour": [vars(organ) for organ in warned],
        "error_estimate": run.error_estimate,
        "mass_closure": run.mass_closure,
        "activity_closure": run.activity_closure(candidate.radionuclide),
    }
