"""What is in doubt about the agents that a decision names: their targets here, and activities nobody has given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nichedose.study.responses import Responses
from nichedose.study.setup import ResolvedCandidate
from nichedose.study.standing import HYPOTHETICAL, target_doubts, target_shown, unshown_text, untried_text

__all__ = ["doubts_of", "doubts_of_first"]


def doubts_of(responses: Responses, agents: Iterable[str]) -> tuple[str, ...]:
    """One sentence for each doubt, with the agents that it concerns."""
    asked = [c for c in responses.setup.candidates if c.name in set(agents)]
    by_target: dict[str, list[ResolvedCandidate]] = {}
    for c in asked:
        by_target.setdefault(c.form.target, []).append(c)
    found = [f"{', '.join(c.name for c in of)}: {'; '.join(doubts)}." for target, of in by_target.items()
             if (doubts := target_doubts(responses.setup, responses.maps, target))]
    hypothetical = [c.name for c in asked if c.agent.status == "hypothetical"]
    return (*found, *((f"{', '.join(hypothetical)}: {HYPOTHETICAL}.",) if hypothetical else ()))


def doubts_of_first(responses: Responses, activities_MBq: Mapping[str, float]) -> str:
    """What an answer says besides of its first choice, given as activity per administration of each agent in it."""
    known = {c.name: c for c in responses.setup.candidates}
    text = ""
    targets = dict.fromkeys(known[n].form.target for n in activities_MBq)
    unshown = [t for t in targets if not target_shown(responses.setup, responses.maps, t)]
    if unshown:
        text += f" But {unshown_text(' and '.join(unshown))}"
    untried = [f"{n} at {words}" for n, given in activities_MBq.items()
               if (words := untried_text(given, known[n].activity_MBq))]
    return text + (f" It takes {', and '.join(untried)}." if untried else "")
