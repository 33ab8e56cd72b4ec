"""Draws of a transport run: in two processes against one after the other, by `nichedose.study.pool`.

    python benchmarks/transport_draws.py [--size 128] [--draws 16] [--workers 2]

Every draw is its own section and ligand. Told: wall time of the loop in one process; of the pool, with its start (new
processes import the package and load the compiled kernels) and without; what each draw sends back.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from nichedose.fields.grid import Array
from nichedose.study.pool import run_tasks
from transport_cases import LABELS, PEPTIDE, run, section, total


def draw(size: int, seed: int) -> Array:
    """The 177Lu integral of one draw."""
    factor = float(np.exp(0.2 * np.random.default_rng(seed).standard_normal()))
    ligand = replace(PEPTIDE, association_L_per_nmol_per_h=factor * PEPTIDE.association_L_per_nmol_per_h)
    return total(run(section(size, seed=seed), ligand, decay_per_h={"177Lu": LABELS["177Lu"]}), "177Lu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128, help="voxels per side")
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    draw(arguments.size, 0)  # compiled or loaded
    start = time.perf_counter()
    alone = list(run_tasks(draw, arguments.size, range(arguments.draws), workers=1))
    one = time.perf_counter() - start
    start = time.perf_counter()
    ends, together = [], []
    for found in run_tasks(draw, arguments.size, range(arguments.draws), workers=arguments.workers):
        ends.append(time.perf_counter() - start)
        together.append(found)
    same = all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
    first, whole = ends[0], ends[-1]
    # once all processes are warm: the draws that follow the first of each
    rest = arguments.draws - arguments.workers
    steady = one / arguments.draws * rest / (whole - ends[arguments.workers - 1])
    size = len(pickle.dumps(alone[0])) / 1024
    print(f"{arguments.draws} draws of {arguments.size} x {arguments.size}: one process {one:.2f} s, "
          f"{arguments.workers} processes {whole:.2f} s ({one / whole:.2f} x), of which {first:.2f} s to the first "
          f"draw; without the start {steady:.2f} x; same bits: {same}; {size:.0f} KiB each")


if __name__ == "__main__":
    main()
