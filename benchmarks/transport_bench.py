"""One transport run against SciPy's BDF with a sparse Jacobian, both timed here, at like error.

    python benchmarks/transport_bench.py [--sizes 32 48] [--ours 50 128 256] [--gradients 64 128]

Errors are those of the 177Lu integral in the worst voxel against our own run at tolerance 1e-7; SciPy is given the
plain equations with the label integral as a further unknown, an exact sparse Jacobian, and rtol = 1e-3. Of ours alone
(processor time, one label) also the cost per voxel and step over that of the traffic that no scheme can do without,
112 B (24 B more where a snapshot is kept of each step), at the speed of a triad, measured in the same run. Values with
their gradients are processor time too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
from scipy.integrate import solve_ivp

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from nichedose.fields.grid import Array
from nichedose.transport import differentiate
from nichedose.transport.gradient import Integrals
from transport_cases import ANTIBODY, LABELS, PEPTIDE, SLOW, SMALL, TIGHT, independent_rhs, run, section, total

CASES = {"peptide": (PEPTIDE, SMALL, 2.0), "tight": (TIGHT, SMALL, 2.0), "antibody": (ANTIBODY, SLOW, 0.07)}
END_H = 480.0
COMPULSORY_BYTES = 112.0  # per voxel and step
SNAPSHOT_BYTES = 24.0


def best_of(times: int, work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    found = []
    for _ in range(times):
        start = clock()
        work()
        found.append(clock() - start)
    return min(found)


def against_scipy(n: int) -> None:
    for name, (ligand, plasma, exchange) in CASES.items():
        tissue = section(n, exchange=exchange)
        labels = {"177Lu": LABELS["177Lu"]}
        options = {"end_h": END_H, "decay_per_h": labels}
        exact = total(run(tissue, ligand, plasma, tolerance=1e-7, **options), "177Lu").ravel()
        ours = total(run(tissue, ligand, plasma, **options), "177Lu").ravel()
        seconds = best_of(5, lambda t=tissue, g=ligand, p=plasma, o=options: run(t, g, p, **o))
        rhs, jacobian = independent_rhs(tissue, ligand, plasma, np.array([LABELS["177Lu"]]))
        start = time.perf_counter()
        peer = solve_ivp(rhs, (0.0, END_H), np.zeros(4 * n * n), method="BDF", jac=jacobian, rtol=1e-3, atol=1e-4)
        theirs = time.perf_counter() - start
        errors = [float(np.abs(y / exact - 1.0).max()) for y in (ours, peer.y[3 * n * n :, -1])]
        ratio = theirs / seconds
        print(f"{n:5d} {name:9s} {seconds:9.3f} {errors[0]:9.1e} {theirs:9.2f} {errors[1]:9.1e} {ratio:8.0f}")


@numba.njit(fastmath=True)
def triad(a: Array, b: Array, c: Array) -> None:
    for i in range(a.size):
        a[i] = b[i] + 3.0 * c[i]


def triad_bytes_per_s() -> float:
    """Memory speed of one thread: the best of ten triads over 3 x 64 MB."""
    a, b, c = (np.full(8_000_000, x) for x in (0.0, 1.0, 2.0))
    triad(a, b, c)
    return 24.0 * a.size / best_of(10, lambda: triad(a, b, c), time.process_time)


def alone(n: int) -> None:
    labels = {"177Lu": LABELS["177Lu"]}
    bound = COMPULSORY_BYTES / triad_bytes_per_s() * 1e9
    for name, (ligand, plasma, exchange) in CASES.items():
        tissue = section(n, exchange=exchange)
        steps = run(tissue, ligand, plasma, decay_per_h=labels).steps
        times = 5 if n <= 256 else 3
        seconds = best_of(times, lambda t=tissue, g=ligand, p=plasma: run(t, g, p, decay_per_h=labels),
                          time.process_time)  # fmt: skip
        lean = best_of(times, lambda t=tissue, g=ligand, p=plasma: run(t, g, p, decay_per_h=labels,
                       snapshots="end"), time.process_time)  # fmt: skip
        each, without = (s / steps / n**2 * 1e9 for s in (seconds, lean))
        more = bound * (COMPULSORY_BYTES + SNAPSHOT_BYTES) / COMPULSORY_BYTES
        print(f"{n:5d} {name:9s} {seconds:9.3f} s {steps:6d} steps {each:6.0f} ns per voxel and step, "
              f"{each / more:5.0f} x the memory bound ({more:.1f} ns); {without:.0f} ns, {without / bound:.0f} x "
              "where snapshots are kept of the end alone", flush=True)  # fmt: skip


def gradients(n: int) -> None:
    """Value and gradient of the mean 177Lu integral (all rates, both maps, plasma) against one forward run."""
    labels, weight = {"177Lu": LABELS["177Lu"]}, np.full((n, n), 1.0 / n**2)

    def mean(maps: Integrals) -> tuple[float, Integrals]:
        states = maps["177Lu"]
        return float(sum(f.mean() for f in states.values())), {"177Lu": dict.fromkeys(states, weight)}

    for name, (ligand, plasma, exchange) in CASES.items():
        tissue = section(n, exchange=exchange)
        options = {"end_h": END_H, "decay_per_h": labels}
        forward = best_of(5, lambda t=tissue, g=ligand, p=plasma, o=options: run(t, g, p, **o), time.process_time)
        both = best_of(5, lambda t=tissue, g=ligand, p=plasma, o=options: differentiate(t, g, p, mean, **o),
                       time.process_time)  # fmt: skip
        print(f"{n:5d} {name:9s} {forward:9.3f} s forward {both:9.3f} s value and gradient {both / forward:6.2f} x",
              flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[32, 48], help="voxels per side, against SciPy")
    parser.add_argument("--ours", type=int, nargs="*", default=[50, 128], help="voxels per side, ours alone")
    parser.add_argument("--gradients", type=int, nargs="*", default=[64, 128], help="voxels per side, with gradient")
    arguments = parser.parse_args()
    start = time.perf_counter()
    run(section(4))
    print(f"first call (compiles, or loads what was compiled): {time.perf_counter() - start:.1f} s")
    print(f"{'n':>5s} {'case':9s} {'ours s':>9s} {'error':>9s} {'BDF s':>9s} {'error':>9s} {'ratio':>8s}")
    for n in arguments.sizes:
        against_scipy(n)
    for n in arguments.ours:
        alone(n)
    for n in arguments.gradients:
        gradients(n)


if __name__ == "__main__":
    main()
