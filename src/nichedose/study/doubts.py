"""What is in doubt about the agents that a decision names: targets here, the body model, activities never given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from nichedose.findings import Part
from nichedose.study.setup import ResolvedCandidate, Setup
from nichedose.study.standing import HYPOTHETICAL, model_doubts, target_doubts, target_shown, unshown_text, untried_text
from nichedose.tissue import TissueMap

__all__ = ["doubts_of", "doubts_of_first", "doubts_part"]


def doubts_of(
    setup: Setup, maps: Sequence[TissueMap], agents: Iterable[str], *, by_body: bool = True
) -> tuple[str, ...]:
    """One sentence for each doubt, with the agents that it concerns; ``maps`` are the sections at the medians.
    ``by_body``: whether plasma is that of the whole-body model, whose doubts then count."""
    names = set(agents)
    asked = [c for c in setup.candidates if c.name in names]
    by_target: dict[str, list[ResolvedCandidate]] = {}
    for c in asked:
        by_target.setdefault(c.form.target, []).append(c)
    found = [f"{', '.join(c.name for c in of)}: {'; '.join(doubts)}." for target, of in by_target.items()
             if (doubts := target_doubts(setup, maps, target))]
    found += [f"{c.name}: {doubt}." for c in asked if by_body for doubt in model_doubts(setup, c)]
    hypothetical = [c.name for c in asked if c.agent.status == "hypothetical"]
    return (*found, *((f"{', '.join(hypothetical)}: {HYPOTHETICAL}.",) if hypothetical else ()))


def doubts_part(doubts: tuple[str, ...]) -> tuple[Part, ...]:
    """The same as a part of its own, to stand behind the answer's tables; none where nothing is in doubt."""
    return (Part("What is in doubt", doubts),) if doubts else ()


def doubts_of_first(
    setup: Setup, maps: Sequence[TissueMap], activities_MBq: Mapping[str, float], answer: str = "place"
) -> str:
    """What an ``answer`` says besides of its first choice, given as activity per administration of each agent in it."""
    known = {c.name: c for c in setup.candidates}
    text = ""
    targets = dict.fromkeys(known[n].form.target for n in activities_MBq)
    unshown = [t for t in targets if not target_shown(setup, maps, t)]
    if unshown:
        text += f" But {unshown_text(' and '.join(unshown), answer)}"
    untried = [f"{n} at {words}" for n, given in activities_MBq.items()
               if (words := untried_text(given, known[n].activity_MBq))]
    return text + (f" It takes {', and '.join(untried)}." if untried else "")
