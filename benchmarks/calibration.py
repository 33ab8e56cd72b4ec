"""Do rank probabilities come true? Truth drawn from the priors, tissues generated and misread, probabilities stated.

    python benchmarks/calibration.py [--tissues 200] [--draws 48] [--prior right|shifted] [--workers 2]

For each tissue a true histology is generated and one joint draw is the truth: the best of four agents there at equal
mean dose is what comes true. The observer sees the section with one label in ten wrong, and states for each agent the
share of its own draws in which it is best. ``shifted`` draws the truth from other distributions than the observer
assumes: twice the mean density of FAP and GRPR, three times the scatter between spots, alpha particles 1.5 times as
effective.
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np

from nichedose.decide import brier_score, reliability
from nichedose.study.histology import CLASSES, Histology, generated_histology
from nichedose.study.hong import scene_setup, section_kills
from nichedose.study.pool import run_tasks
from nichedose.study.setup import Setup
from nichedose.study.threshold import ScaledDraw
from nichedose.values import Draw

AGENTS = ("177Lu-own-PSMA", "225Ac-own-PSMA", "177Lu-own-FAP", "225Ac-own-GRPR")
SIDE_UM, SPACING_UM, MISREAD = 1300.0, 65.0, 0.1
TRUTH_FROM = 1_000_000  # indices of the true draws, which the observer never uses
SHIFT = {"target.FAP.mean_density_nmol_per_L": 2.0, "target.GRPR.mean_density_nmol_per_L": 2.0,
         "histology.spot.geometric_sd": 3.0, "radiobiology.prostate.rbe_alpha_particle": 1.5}


@dataclasses.dataclass(frozen=True)
class Task:
    tissue: int
    draws: int
    shifted: bool


def misread(histology: Histology, seed: int) -> Histology:
    rng = np.random.default_rng([seed, 7])
    wrong = rng.random(len(histology.label)) < MISREAD
    label = np.where(wrong, rng.integers(0, len(CLASSES), len(histology.label)), histology.label)
    return Histology(histology.sample, histology.xy_um, label)


def best(setup: Setup, histology: Histology, draw: Draw) -> int:
    kills = section_kills(setup, histology, draw, SPACING_UM, AGENTS)
    return int(np.argmax([kills[name] for name in AGENTS]))


def one(setup: Setup, task: Task) -> tuple[list[float], list[float]]:
    truth = generated_histology(task.tissue, side_um=SIDE_UM)
    seed = setup.case.sampling.seed
    index = TRUTH_FROM + task.tissue
    real = ScaledDraw(seed=seed, index=index, factors=SHIFT) if task.shifted else Draw(seed=seed, index=index)
    winner = best(setup, truth, real)
    seen = misread(truth, task.tissue)
    counts = np.zeros(len(AGENTS))
    for i in range(task.draws):
        counts[best(setup, seen, Draw(seed=seed, index=task.tissue * task.draws + i))] += 1
    return (counts / task.draws).tolist(), [float(k == winner) for k in range(len(AGENTS))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tissues", type=int, default=200)
    parser.add_argument("--draws", type=int, default=48)
    parser.add_argument("--prior", choices=("right", "shifted"), default="right")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    setup = scene_setup(seed=1)
    tasks = [Task(t, options.draws, options.prior == "shifted") for t in range(options.tissues)]
    found = list(run_tasks(one, setup, tasks, workers=options.workers))
    stated, hit = (np.array([x for pair in found for x in pair[side]]) for side in (0, 1))
    print(f"{options.tissues} tissues, {options.draws} draws each, prior {options.prior}; Brier score "
          f"{brier_score(stated, hit):.3f}")
    print("| stated | came true | cases | 95 % band of chance |\n|---|---|---|---|")
    for b in reliability(stated, hit):
        note = "" if b.within else " **outside**"
        print(f"| {b.stated:.2f} | {b.came_true:.2f} | {b.cases} | {b.low:.2f} to {b.high:.2f}{note} |")


if __name__ == "__main__":
    main()
