"""Whether a candidate could be evaluated, what is in doubt about it, and what a reader should know besides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from nichedose.study.body_agreement import body_doubt
from nichedose.study.central import CentralCandidate
from nichedose.study.setup import ResolvedCandidate, Setup
from nichedose.tissue import TissueMap

__all__ = [
    "HYPOTHETICAL", "UNTRIED_ABOVE", "model_doubts", "standing", "target_doubts", "target_shown", "unshown_text",
    "untried_text",
]

Status = Literal["evaluable", "flagged", "not evaluable"]

OVERLAP_NOTED = 0.1  # share of a cycle's dose that falls into the next
LQ_TRUSTED_TO_LOG_KILL = 10.0  # survival curves end well before one cell in 10^10, and few lesions hold more cells
UNTRIED_ABOVE = 3.0  # times the prescribed activity: organ limits may allow it, but nobody has been there
HYPOTHETICAL = "a hypothetical agent: nobody has given it"


def target_shown(setup: Setup, maps: Sequence[TissueMap], target: str) -> bool:
    """Whether the lesion itself says something of the target: a map in every section, or an anchor."""
    return target in setup.case.anchors or all(tissue.targets[target].detected for tissue in maps)


def unshown_text(target: str, answer: str = "place") -> str:
    """What an ``answer`` must say (a first place, a course, a design) that rests on the library's density alone."""
    return (f"the section hardly shows {target}, and no anchor gives its density: measure it, by PET or "
            f"immunohistochemistry, before this {answer} means anything.")


def untried_text(activity_MBq: float, prescribed_MBq: float) -> str:
    """How far an activity that organ limits allow lies above what was given; empty where it does not."""
    if not activity_MBq > UNTRIED_ABOVE * prescribed_MBq:
        return ""
    return f"{activity_MBq / prescribed_MBq:.1f} times the prescribed activity, which has not been tried"


def standing(
    setup: Setup,
    maps: Sequence[TissueMap],
    candidate: ResolvedCandidate,
    entry: CentralCandidate | None,
    tolerated_MBq: float | None,
) -> tuple[Status, tuple[str, ...]]:
    """Status and reasons.

    What makes the numbers doubtful flags a candidate; what is known of its target in general is told, and does not.
    """
    reason = setup.reason_not_evaluable(candidate)
    if reason is not None or entry is None:
        return "not evaluable", (reason or "not computed",)
    doubts = (*target_doubts(setup, maps, candidate.form.target), *model_doubts(setup, candidate),
              *_activity_doubts(candidate, entry, tolerated_MBq))
    told = [
        _lesion_dose(setup, candidate, entry),
        setup.library.targets[candidate.form.target].caution,
        candidate.form.caution,
    ]
    return "flagged" if doubts else "evaluable", (*doubts, *(text for text in told if text))


def _lesion_dose(setup: Setup, candidate: ResolvedCandidate, entry: CentralCandidate) -> str | None:
    """Our dose per activity beside what lesions of patients had; the reader judges whether this one is like them."""
    published = candidate.agent.published_lesion_Gy_per_GBq
    if published is None:
        return None
    low, high = published.quantile(0.05), published.quantile(0.95)
    ours = entry.mean_dose_Gy_per_GBq
    return (f"this section gets {ours:.2g} Gy/GBq at the medians; published lesions had {published.central:.2g} "
            f"({low:.1g} to {high:.2g}) Gy/GBq ({setup.library.sources[published.source or ''].citation})")


def target_doubts(setup: Setup, maps: Sequence[TissueMap], target: str) -> list[str]:
    """Why the density of ``target`` in these sections may not be what the map says."""
    found = [
        f"shape of {target} unknown in {tissue.sample}: only {tissue.targets[target].counts} counts; taken as even "
        "over its host cells"
        for tissue in maps
        if not tissue.targets[target].shape_known
    ]
    anchor = setup.case.anchors.get(target)
    if anchor is not None and not anchor.is_absolute:
        found.append(f"mean density of {target} comes from the library, shifted by {anchor.words}: a stain counts no "
                     "sites, so it is wider, not narrower, than without")
    if anchor is None:
        text = f"mean density of {target} comes from the library, not from this lesion"
        elsewhere = setup.library.targets[target].density_found_in
        if elsewhere and setup.case.tumour not in elsewhere:
            text += f"; it was found in {' and '.join(elsewhere)} tumours, and this one is {_kind(setup.case.tumour)}"
        if not all(tissue.targets[target].detected for tissue in maps):
            text += ", and is drawn downwards, because so few counts do not show that the target is there"
        found.append(text)
    return found


def model_doubts(setup: Setup, candidate: ResolvedCandidate) -> list[str]:
    """Where the whole-body model misses what was published of the agent, and was not fitted to this patient's own."""
    fitted = setup.measured is not None and candidate.name in setup.measured.forms
    doubt = "" if fitted else body_doubt(candidate)
    return [doubt] if doubt else []


def _activity_doubts(
    candidate: ResolvedCandidate, entry: CentralCandidate, tolerated_MBq: float | None
) -> list[str]:
    found = []
    if candidate.agent.status == "hypothetical":
        found.append(HYPOTHETICAL)
    if not entry.tolerance.evaluable:
        found.append(entry.tolerance.reason)
    if tolerated_MBq is not None and tolerated_MBq > UNTRIED_ABOVE * candidate.activity_MBq:
        found.append(f"organ limits alone would allow {tolerated_MBq / candidate.activity_MBq:.1f} times the "
                     "prescribed activity; that has not been tried")
    if entry.dose_after_next_cycle > OVERLAP_NOTED:
        found.append(f"{entry.dose_after_next_cycle:.0%} of a cycle's dose falls after the next cycle begins; cycles "
                     "are computed as if each were over")
    kill = entry.metrics[entry.mode].log_kill if entry.mode in entry.metrics else 0.0
    if kill > LQ_TRUSTED_TO_LOG_KILL:
        found.append(f"its log kill at the medians is above {LQ_TRUSTED_TO_LOG_KILL:.0f}, where the linear-quadratic "
                     "model has never been measured: read it as 'very high', not as a number")
    return found


def _kind(tumour: str) -> str:
    return "of no stated kind" if tumour == "generic" else tumour
