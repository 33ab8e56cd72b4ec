"""What sections cost: voxel maps with three pairs of dose rate, and cells one by one.

    python benchmarks/section_bench.py

Processor time of one thread; the first call of each radionuclide and size (kernels, spectra) stands apart.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import numpy as np

from nichedose.dose import SectionGeometry, cells_dose, section_dose
from nichedose.fields import Grid

GEOMETRY = SectionGeometry("slab", 2000.0, "uniform", 1e4)
NUCLIDES = (("177Lu", "none"), ("225Ac", "equilibrium"))
CELLS_PER_MM2 = 5000.0


def measured(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the first call and the least of three later ones."""
    times = []
    for _ in range(4):
        start = process_time()
        call()
        times.append(process_time() - start)
    return times[0], min(times[1:])


def section(side: int, nuclide: str, daughters: str) -> None:
    times = np.concatenate([[0.0], np.geomspace(0.5, 800.0, 47)])
    peak = np.random.default_rng(1).lognormal(0.0, 0.5, (side, side))
    course = peak * np.exp(-np.multiply.outer(times, 0.02 * peak**0.2))
    section_dose(
        Grid((side, side), 50.0), np.ones((side, side), bool), nuclide, tia_MBq_h_per_L=peak / (0.02 * peak**0.2),
        cells={}, times_h=times, activity_MBq_per_L=course, cell_radius_um=7.0, nucleus_radius_um=5.0,
        geometry=GEOMETRY, daughters=daughters, pairs=3)  # type: ignore[arg-type]  # two names


def cells(count: int, nuclide: str, daughters: str) -> None:
    rng = np.random.default_rng(2)
    where = rng.random((count, 2)) * 1e3 * np.sqrt(count / CELLS_PER_MM2)
    label = rng.lognormal(0.0, 0.5, count)
    cells_dose(where, label, 0.2 * label, nuclide, cell_radius_um=7.0, nucleus_radius_um=5.0,
               geometry=SectionGeometry("slab", 2000.0, "isolated", 1e4), layer_um=15.0,
               daughters=daughters)  # type: ignore[arg-type]


def main() -> None:
    for what, sizes, run in (("voxels a side, three pairs", (50, 150, 325), section),
                             ("cells in a slab", (10_000, 30_000, 100_000), cells)):
        for nuclide, daughters in NUCLIDES:
            for size in sizes:
                first, again = measured(lambda size=size, n=nuclide, d=daughters, run=run: run(size, n, d))
                print(f"{size:7d} {what:28}{nuclide:>6}  first {first:7.3f} s  then {again:7.3f} s")


if __name__ == "__main__":
    main()
