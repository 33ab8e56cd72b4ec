"""Draws of a transport run on two cores: in threads and in processes, against one after the other.

    python benchmarks/transport_draws.py [--size 128] [--draws 16] [--workers 2] [--repeat 5] [--processes]

Every draw is its own section and ligand. Compiled steps let go of Python's lock, so that threads run side by side.
``--processes`` adds the pool of `nichedose.study.pool`, whose new processes import the package and load the compiled
kernels first: told with that start and without.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from nichedose.fields.grid import Array
from nichedose.study.pool import run_tasks
from nichedose.transport import TissueTransport
from transport_cases import LABELS, PEPTIDE, run, section, total


@cache
def section_of(size: int, seed: int) -> TissueTransport:
    """Made once: it is the runs that are timed."""
    return section(size, seed=seed)


def draw(size: int, seed: int) -> Array:
    """The 177Lu integral of one draw."""
    factor = float(np.exp(0.2 * np.random.default_rng(seed).standard_normal()))
    ligand = replace(PEPTIDE, association_L_per_nmol_per_h=factor * PEPTIDE.association_L_per_nmol_per_h)
    label = {"177Lu": LABELS["177Lu"]}
    return total(run(section_of(size, seed), ligand, decay_per_h=label, snapshots="end"), "177Lu")


def in_processes(size: int, draws: int, workers: int, alone: list[Array], one: float) -> None:
    start = time.perf_counter()
    ends, together = [], []
    for found in run_tasks(draw, size, range(draws), workers=workers):
        ends.append(time.perf_counter() - start)
        together.append(found)
    same = all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
    # once all processes are warm: the draws that follow the first of each
    steady = one / draws * (draws - workers) / (ends[-1] - ends[workers - 1])
    print(f"{workers} processes {ends[-1]:.2f} s ({one / ends[-1]:.2f} x), of which {ends[0]:.2f} s to the first draw; "
          f"without the start {steady:.2f} x; same bits: {same}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128, help="voxels per side")
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5, help="times each, in turn; the best counts")
    parser.add_argument("--processes", action="store_true", help="the pool of processes too")
    given = parser.parse_args()
    for seed in range(given.draws):  # compiled or loaded; sections made
        draw(given.size, seed)
    one = two = float("inf")
    for _ in range(given.repeat):
        start = time.perf_counter()
        alone = [draw(given.size, seed) for seed in range(given.draws)]
        one = min(one, time.perf_counter() - start)
        start = time.perf_counter()
        with ThreadPoolExecutor(given.workers) as pool:
            together = list(pool.map(lambda seed: draw(given.size, seed), range(given.draws)))
        two = min(two, time.perf_counter() - start)
    same = all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
    print(f"{given.draws} draws of {given.size} x {given.size}: one after the other {one:.2f} s; {given.workers} "
          f"threads {two:.2f} s ({one / two:.2f} x); same bits: {same}")
    if given.processes:
        in_processes(given.size, given.draws, given.workers, alone, one)


if __name__ == "__main__":
    main()
