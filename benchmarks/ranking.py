"""A ranking of 12 agents in 256 draws: time, memory, and what the coarse grid of the draws does to the probabilities.

    python benchmarks/ranking.py [--draws 256] [--agree 64] [--case CASE.toml]

Without a case the synthetic section is used. ``--agree N`` runs N draws twice, once with 16 of them repeated on the
fine grid and once with all, and prints the largest difference of a probability of being best.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from nichedose.case import Candidate, Case
from nichedose.demo import write_demo
from nichedose.io import read_case
from nichedose.results import PlanResult
from nichedose.study import run_plan

AGENTS = ("177Lu-PSMA-617", "225Ac-PSMA-617", "161Tb-PSMA-617", "211At-PSMA-5", "177Lu-FAP-2286", "225Ac-FAP-2286",
          "90Y-FAPI-46", "177Lu-FAPI-46", "177Lu-RM2", "177Lu-girentuximab", "131I-omburtamab", "177Lu-atezolizumab")
WORKERS, FULL = 2, 16


def plan(case: Case, path: Path, draws: int, full: int) -> tuple[PlanResult, float]:
    sampling = case.sampling.model_copy(update={"draws": draws, "full_draws": full, "workers": WORKERS})
    start = time.perf_counter()
    result = run_plan(case.model_copy(update={"sampling": sampling}), path.read_text("utf-8"), path).result
    return result, time.perf_counter() - start


def probabilities(result: PlanResult) -> dict[str, float]:
    return {c.name: c.modes[result.decide_by].probability_best or 0.0 for c in result.candidates}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=256)
    parser.add_argument("--agree", type=int, default=0)
    parser.add_argument("--case", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.case or write_demo(Path(folder))
        case = read_case(path).model_copy(update={"candidates": tuple(Candidate(agent=a) for a in AGENTS)})
        if options.draws:
            result, seconds = plan(case, path, options.draws, FULL)
            memory = [resource.getrusage(who).ru_maxrss / 2**20 for who in
                      (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
            print(f"{options.draws} draws, {len(AGENTS)} agents, {WORKERS} processes: {seconds:.0f} s; peak "
                  f"{memory[0]:.2f} GiB, and {memory[1]:.2f} GiB in the largest process")
            print(result.assumptions[-1])
        if options.agree:
            few, _ = plan(case, path, options.agree, FULL)
            every, seconds = plan(case, path, options.agree, options.agree)
            a, b = probabilities(few), probabilities(every)
            worst = max(a, key=lambda name: abs(a[name] - b[name]))
            print(f"{options.agree} draws, all on the fine grid ({seconds:.0f} s): largest difference of a probability "
                  f"of being best {abs(a[worst] - b[worst]):.3f} ({worst}: {a[worst]:.3f} against {b[worst]:.3f})")


if __name__ == "__main__":
    main()
