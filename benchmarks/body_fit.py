"""Do 90 % intervals of the whole-body fit hold the truth? Prints rows of docs/theory/body_fit.md.

    python benchmarks/body_fit.py [POINTS [REPLICATES [SHIFT [SEED]]]]

SHIFT of the truth in prior standard deviations. Intervals of the share are exact binomial ones (Clopper and Pearson).
The study itself is `tests/body_fit_study.py`; about 0.4 s a replicate on one core.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import beta

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from body_fit_study import PLACES, replicate


def main() -> None:
    points, replicates = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 3), (2, 200)))
    shift = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 2026
    start = time.process_time()
    rng = np.random.default_rng(seed)
    rows = [replicate(rng, points, shift) for _ in range(replicates)]
    print("| points | truth | runs | place | covered (95 % interval) | width / truth | error of the mode |")
    print("|---|---|---|---|---|---|---|")
    drawn_from = "as the priors" if shift == 0.0 else f"shifted by {shift:g} sd"
    for place in PLACES:
        inside, width, error = (np.array([r[place][k] for r in rows]) for k in range(3))
        hits = int(inside.sum())
        low, high = beta.ppf(0.025, hits, replicates - hits + 1), beta.ppf(0.975, hits + 1, replicates - hits)
        print(f"| {points} | {drawn_from} | {replicates} | {place} | "
              f"{100 * hits / replicates:.1f} % ({100 * low:.0f}-{100 * np.nan_to_num(high, nan=1.0):.0f}) | "
              f"{np.median(width):.2f} | {np.median(error):+.3f}, rms {np.sqrt(np.mean(error**2)):.3f} |")
    print(f"{time.process_time() - start:.0f} s of processor time", file=sys.stderr)


if __name__ == "__main__":
    main()
