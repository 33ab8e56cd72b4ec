"""Case files of the body for the tests of its command: the section is not read."""

from __future__ import annotations

from nichedose.case import Case, parse_case

__all__ = ["body_case", "body_case_text"]

CASE = """
title = "A course"
tumour = "prostate"
[[sections]]
path = "not read"
[lesion]
diameter = "15 mm"
[patient]
{patient}
{candidates}
[output]
folder = "out"
"""


def body_case_text(patient: str = "", *agents: str, candidate: str = "") -> str:
    """A case with one candidate for each agent, 177Lu-PSMA-617 where none is named; ``candidate`` adds to each."""
    candidates = (f'[[candidates]]\nagent = "{a}"\n{candidate}\n' for a in agents or ("177Lu-PSMA-617",))
    return CASE.format(patient=patient, candidates="".join(candidates))


def body_case(patient: str = "", *agents: str, candidate: str = "") -> Case:
    return parse_case(body_case_text(patient, *agents, candidate=candidate))
