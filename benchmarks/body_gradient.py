"""What slopes of a whole-body fit cost, exact against differences. Prints a table of docs/theory/body_fit.md.

    python benchmarks/body_gradient.py [REPEATS]

One patient and lesion after 177Lu-PSMA-617, all uncertain parameters, by the scores; processor time on one thread,
best of the repeats. Error: against central differences that are extrapolated (Richardson), over the largest slope.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from body_fit_study import DECAY_PER_H, PLACES, REGIMEN, TIMES_H, patient_with_lesion
from nichedose.body import MeasuredActivity
from nichedose.body.misfit import Misfit
from nichedose.body.observation import Observation
from nichedose.body.rate_map import rate_map


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    work()
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return 1e3 * best


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    rates = rate_map(patient_with_lesion)
    at = 0.7 * np.random.default_rng(0).standard_normal(len(rates.names))
    eye = np.eye(at.size)
    print("| points | way | ms | over one value | error |")
    print("|---|---|---|---|---|")
    for places in (PLACES[:1], PLACES):
        measured = tuple(MeasuredActivity(p, TIMES_H[3], (3.0, 2.0, 1.0), unit="%IA", decay_corrected=False)
                         for p in places)
        observation = Observation(patient_with_lesion, measured, REGIMEN, DECAY_PER_H)
        problem = Misfit((observation,), (rates,), rates.names, 0.1)

        def central(h: float, problem: Misfit = problem) -> np.ndarray:
            found = problem.many(np.concatenate([at + h * eye, at - h * eye]))
            return (found[:at.size] - found[at.size:]).T / (2.0 * h)

        true = (4.0 * central(0.01) - central(0.02)) / 3.0
        one = milliseconds(lambda problem=problem: problem.one(at), repeats)
        print(f"| {3 * len(places)} | one value | {one:.2f} | 1 | |")
        ways: dict[str, Callable[[], np.ndarray]] = {
            f"exact, {at.size} parameters": lambda problem=problem: problem.with_slope(at)[1],
            "forward differences": lambda problem=problem: problem.with_differences(at)[1],
            "central differences": lambda central=central: central(1e-3),
        }
        for name, way in ways.items():
            cost, error = milliseconds(way, repeats), np.abs(way() - true).max() / np.abs(true).max()
            print(f"| {3 * len(places)} | {name} | {cost:.2f} | {cost / one:.1f} | {error:.0e} |")


if __name__ == "__main__":
    main()
