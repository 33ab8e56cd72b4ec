"""What kernels and S values cost: processor time of importing, of the first call and of later ones.

    python benchmarks/kernel_bench.py

Each line is a process of its own: import, first call for 177Lu (shipped tables and decay data are read), first call for
a second radionuclide, and the same call again.
"""

from __future__ import annotations

import subprocess
import sys

CALLS = {
    "point_kernel, 50 radii": "d.point_kernel(n, np.geomspace(1.0, 1e4, 50), daughters=m)",
    "sphere_s_value": "d.sphere_s_value(n, 1000.0, m)",
    "cell_s_values": "d.cell_s_values(n, 7.0, 5.0, m)",
    "voxel_s_values, 11 x 11 x 11 of 3 mm": "d.voxel_s_values(n, 3.0, 11, m)",
}
PROGRAM = """
from time import process_time as now
import numpy as np
start = now()
import nichedose.dose as d
times = [now() - start]
for n, m in (("177Lu", "none"), ({nuclide!r}, {daughters!r}), ({nuclide!r}, {daughters!r})):
    start = now()
    {call}
    times.append(now() - start)
print(*(1e3 * t for t in times))
"""


def main() -> None:
    print(f"{'processor time, ms':38}{'nuclide':>10}{'import':>9}{'177Lu first':>13}{'then first':>12}{'again':>8}")
    for name, call in CALLS.items():
        for nuclide, daughters in (("131I", "none"), ("225Ac", "equilibrium")):
            program = PROGRAM.format(call=call, nuclide=nuclide, daughters=daughters)
            runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
                    for _ in range(3)]
            best = [min(times) for times in zip(*([float(t) for t in r.stdout.split()] for r in runs), strict=True)]
            label = f"{nuclide}{'+' if daughters != 'none' else ''}"
            print(f"{name:38}{label:>10}{best[0]:9.0f}{best[1]:13.1f}{best[2]:12.1f}{best[3]:8.2f}")


if __name__ == "__main__":
    main()
