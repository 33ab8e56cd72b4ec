"""Ligand design by exact gradients against random search on the same objective, on the synthetic section.

    python benchmarks/design_gradient.py [--points 1000] [--spacing 160] [--doubling-time-d 40]

Prints the best log kill of both, how many evaluations each took, what one costs with and without its gradient, and the
largest difference of the gradient from fourth-order differences.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from nichedose.decide import ascend
from nichedose.demo import write_demo
from nichedose.io import read_case
from nichedose.study.design import DesignSpace, plasma_reference, search_ranges
from nichedose.study.design_chain import design_chain, design_gradient, design_value
from nichedose.study.design_ligand import PROPERTIES, LigandDesign
from nichedose.study.responses import prepare
from nichedose.study.section_maps import tissue_maps
from nichedose.study.world import World
from nichedose.values import Draw

AGENT = "177Lu-PSMA-617"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--points", type=int, default=1000)
    ask.add_argument("--spacing", type=float, default=160.0)
    ask.add_argument("--doubling-time-d", type=float, default=40.0)
    given = ask.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = write_demo(Path(folder))
        case = read_case(path)
        wanted = case.model_copy(update={"candidates": tuple(c for c in case.candidates if c.agent == AGENT)})
        setup = prepare(wanted, path)
    [candidate] = setup.candidates
    draw = Draw(seed=1)
    maps = tissue_maps(setup, draw, given.spacing)
    chain = design_chain(World(setup, draw, maps, pairs=2), candidate,
                         plasma_reference(setup, candidate, draw), given.doubling_time_d * 24.0)
    ranges = search_ranges(DesignSpace())
    low, high = (LigandDesign(**{n: ends[i] for n, ends in ranges.items()}).logs for i in (0, 1))
    middle = 0.5 * (low + high)
    design_gradient(chain, LigandDesign.of_logs(middle))  # compiles

    begin = time.perf_counter()
    best = ascend(lambda x: design_gradient(chain, LigandDesign.of_logs(x)), low, high, middle)
    climbed = time.perf_counter() - begin
    rng = np.random.default_rng(0)
    begin = time.perf_counter()
    random = max(design_value(chain, LigandDesign.of_logs(x)) for x in rng.uniform(low, high, (given.points, len(low))))
    searched = time.perf_counter() - begin
    value, gradient = design_gradient(chain, LigandDesign.of_logs(middle))
    difference = np.array([_slope(chain, middle, i) for i in range(len(low))])
    print(f"gradients        log kill {best.value:.4f}  evaluations {best.evaluations:5d}  {climbed:7.1f} s")
    print(f"random search    log kill {random:.4f}  evaluations {given.points:5d}  {searched:7.1f} s")
    print(f"one evaluation   {1e3 * searched / given.points:.0f} ms, with its gradient "
          f"{1e3 * climbed / best.evaluations:.0f} ms")
    print("best design      " + ", ".join(f"{n} {np.exp(v):.3g}" for n, v in zip(PROPERTIES, best.x, strict=True)))
    off = np.abs(gradient - difference).max() / np.abs(gradient).max()
    print(f"gradient         {off:.1e} of its largest part from differences, at log kill {value:.3g}")


def _slope(chain: object, at: np.ndarray, i: int, step: float = 0.01) -> float:
    def moved(k: int) -> float:
        x = at.copy()
        x[i] += k * step
        return design_value(chain, LigandDesign.of_logs(x))  # type: ignore[arg-type]

    return (8.0 * (moved(1) - moved(-1)) - moved(2) + moved(-2)) / (12.0 * step)


if __name__ == "__main__":
    main()
