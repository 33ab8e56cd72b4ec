"""Small cases on the shipped synthetic section, for tests that run the whole chain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nichedose.case import Case
from nichedose.demo import write_demo
from nichedose.io import read_case
from nichedose.study import run_plan
from nichedose.study.plan import PlanRun

AGENTS = ("177Lu-PSMA-617", "225Ac-PSMA-617", "177Lu-FAP-2286", "177Lu-DOTATATE")


def demo_case(folder: Path, **sampling: Any) -> tuple[Case, Path]:
    """The demo case in ``folder`` with four candidates and the given sampling."""
    path = write_demo(folder)
    case = read_case(path)
    return case.model_copy(update={
        "candidates": tuple(c for c in case.candidates if c.agent in AGENTS),
        "sampling": case.sampling.model_copy(update=sampling),
    }), path


def run(case: Case, path: Path) -> PlanRun:
    return run_plan(case, path.read_text(encoding="utf-8"), path)


def central(found: PlanRun, mode: str = "as_prescribed") -> Mapping[str, tuple[float, float]]:
    """Mean dose and log kill of each evaluable candidate at the medians."""
    return {
        c.name: (c.modes[mode].mean_dose_Gy.central, c.modes[mode].log_kill.central)
        for c in found.result.candidates
        if c.modes[mode].evaluable
    }
