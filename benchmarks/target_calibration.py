"""Do 90 % intervals of target fields and cell densities hold the truth? 200 sections at full, 0.3 and 0.1 depth, and
with a wrong prior of the targets.

    python benchmarks/target_calibration.py [REPLICATES [FIRST_SEED [CONDITION]]]     condition 0 to 3, all without
    python benchmarks/target_calibration.py --figure FIGURE.svg TABLE.md [TABLE.md ...]     of what was printed

Prints, for each target and cell type, the share of sections in which the interval held the truth, with its exact 95 %
binomial interval (Clopper and Pearson): of the section mean, of the density in a voxel, and of that over the section
mean; and the mean share of all voxels in which the last held.
The study itself is `tests/calibration_study.py`; intervals are those of `nichedose.tissue.map_with_spread`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
from scipy.stats import beta

from figures import HUES, Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from calibration_study import TARGETS, TYPES, study

CONDITIONS = ((1.0, 1.0), (0.3, 1.0), (0.1, 1.0), (1.0, 3.0))  # depth, true mean density over the library's
PARTS = ("section mean", "density in a voxel", "voxel over mean")


def shown(held: list[bool]) -> str:
    n, k = len(held), sum(held)
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return f"{100 * k / n:.0f} % ({100 * low:.0f}-{100 * high:.0f})"


def main(replicates: int, first_seed: int, conditions: tuple[tuple[float, float], ...]) -> None:
    print("| depth | true density over prior | target or cells | section mean | voxel | voxel over mean | all voxels |")
    print("|---|---|---|---|---|---|---|")
    for depth, factor in conditions:
        names = (*TARGETS, *TYPES) if factor == 1.0 else TARGETS  # cells do not know of the targets' prior
        for name, held in study(replicates, depth, prior_factor=factor, first_seed=first_seed, names=names).items():
            cells = " | ".join(shown(x) for x in (held.mean, held.voxel, held.relative))
            print(f"| {depth:g} | {factor:g} | {name} | {cells} | {100 * np.mean(held.everywhere):.0f} % |", flush=True)


def figure(path: Path, tables: list[Path]) -> None:
    """Shares from printed tables, by condition and target: three points each."""
    rows = [r for t in tables for r in t.read_text("utf-8").splitlines()
            if re.match(rf"\| [\d.]+ \| [\d.]+ \| ({'|'.join(TARGETS)}) \|", r)]
    drawing = Figure("Truths held by nominal 90 % intervals", "depth of the section, and true density over the prior",
                     "share of 200 sections (95 % interval)")
    low, high = 40.0, 100.0
    drawing.band((85.0 - low) / (high - low), (95.0 - low) / (high - low), (90.0 - low) / (high - low))
    labels = {}
    for i, row in enumerate(rows):
        cells = [c.strip() for c in row.strip("|").split("|")]
        for j, cell in enumerate(cells[3:6]):
            value, below, above = ((float(v) - low) / (high - low) for v in re.findall(r"\d+", cell)[:3])
            at = (i + 0.5 + 0.22 * (j - 1)) / len(rows)
            drawing.point(at, max(value, 0.0), HUES[j], (max(below, 0.0), above))
        if i % len(TARGETS) == len(TARGETS) // 2:
            labels[(i + 0.5) / len(rows)] = f"{cells[2]}\n{cells[0]}x, prior {cells[1]}"
        else:
            labels[(i + 0.5) / len(rows)] = cells[2]
    drawing.ticks(labels, {(v - low) / (high - low): f"{v:.0f} %" for v in (40, 50, 60, 70, 80, 90, 100)})
    drawing.legend(PARTS)
    drawing.write(path)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--figure"]:
        figure(Path(sys.argv[2]), [Path(p) for p in sys.argv[3:]])
    else:
        given = [int(v) for v in sys.argv[1:]]
        replicates, first = [*given[:2], *(200, 0)[len(given[:2]):]]
        main(replicates, first, CONDITIONS if len(given) < 3 else (CONDITIONS[given[2]],))
