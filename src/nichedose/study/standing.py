"""Whether a candidate could be evaluated, what is in doubt about it, and what a reader should know besides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from nichedose.study.central import CentralCandidate
from nichedose.study.setup import ResolvedCandidate, Setup
from nichedose.tissue import TissueMap

__all__ = ["UNTRIED_ABOVE", "standing"]

Status = Literal["evaluable", "flagged", "not evaluable"]

UNTRIED_ABOVE = 3.0  # times the prescribed activity: organ limits may allow it, but nobody has been there


def standing(
    setup: Setup, maps: Sequence[TissueMap], candidate: ResolvedCandidate, entry: CentralCandidate | None
) -> tuple[Status, tuple[str, ...]]:
    """Status and reasons.

    What makes the numbers doubtful flags a candidate; what is known of its target in general is told, and does not.
    """
    reason = setup.reason_not_evaluable(candidate)
    if reason is not None or entry is None:
        return "not evaluable", (reason or "not computed",)
    doubts = (*_target_doubts(setup, maps, candidate.form.target), *_activity_doubts(candidate, entry))
    told = [setup.library.targets[candidate.form.target].caution, candidate.form.caution]
    return "flagged" if doubts else "evaluable", (*doubts, *(text for text in told if text))


def _target_doubts(setup: Setup, maps: Sequence[TissueMap], target: str) -> list[str]:
    found = [
        f"shape of {target} unknown in {tissue.sample}: only {tissue.targets[target].counts} counts; taken as even "
        "over its host cells"
        for tissue in maps
        if not tissue.targets[target].shape_known
    ]
    if target not in setup.case.anchors:
        text = f"mean density of {target} comes from the library, not from this lesion"
        if found:
            text += ", and is drawn downwards, because so few counts do not show that the target is there"
        found.append(text)
    return found


def _activity_doubts(candidate: ResolvedCandidate, entry: CentralCandidate) -> list[str]:
    found = []
    if candidate.agent.status == "hypothetical":
        found.append("a hypothetical agent: nobody has given it")
    if not entry.tolerance.evaluable:
        found.append(entry.tolerance.reason)
    tolerated = entry.tolerance.activity_MBq
    if tolerated is not None and tolerated > UNTRIED_ABOVE * candidate.activity_MBq:
        found.append(f"organ limits alone would allow {tolerated / candidate.activity_MBq:.0f} times the prescribed "
                     "activity; that has not been tried")
    return found
