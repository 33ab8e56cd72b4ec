"""Do 90 % intervals of target fields hold the truth? 200 sections at full, 0.3 and 0.1 depth, and with a wrong prior.

    python benchmarks/target_calibration.py [REPLICATES [CONDITION]]     condition 0 to 3, all without

Prints, for each target, the share of sections in which the interval held the truth, with its exact 95 % binomial
interval (Clopper and Pearson): of the section mean, of the density in a voxel, and of that over the section mean.
The study itself is `tests/calibration_study.py`; about 0.2 s a section on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scipy.stats import beta

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from calibration_study import study

CONDITIONS = ((1.0, 1.0), (0.3, 1.0), (0.1, 1.0), (1.0, 3.0))  # depth, true mean density over the library's


def shown(held: list[bool]) -> str:
    n, k = len(held), sum(held)
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return f"{100 * k / n:.0f} % ({100 * low:.0f}-{100 * high:.0f})"


def main(replicates: int, conditions: tuple[tuple[float, float], ...]) -> None:
    print("| depth | true density over prior | target | section mean | voxel | voxel over mean |")
    print("|---|---|---|---|---|---|")
    for depth, factor in conditions:
        for name, held in study(replicates, depth, prior_factor=factor).items():
            cells = " | ".join(shown(x) for x in (held.mean, held.voxel, held.relative))
            print(f"| {depth:g} | {factor:g} | {name} | {cells} |", flush=True)


if __name__ == "__main__":
    chosen = CONDITIONS if len(sys.argv) < 3 else (CONDITIONS[int(sys.argv[2])],)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, chosen)
