"""The JAX twin of the transport scheme beside the numba engine on this machine's CPU: forward, gradient, draws.

    python benchmarks/transport_jax_bench.py [--sizes 64 128] [--draws 16] [--steps 32]

Forward runs are compared at like error (worst voxel of the 177Lu integral, against our own run at tolerance 1e-7):
numba adaptive at its default tolerance, JAX on 32 steps of a log grid. Memory is what XLA plans for a run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from nichedose.jax_support import in_double_precision
from nichedose.transport import FixedSteps, differentiate, jax_label_integrals, log_times, transport_inputs
from nichedose.transport.gradient import Integrals
from transport_cases import LABELS, PEPTIDE, SMALL, TIGHT, run, section, total

CASES = {"peptide": (PEPTIDE, SMALL, 2.0), "tight": (TIGHT, SMALL, 2.0)}
END_H, LABEL = 480.0, {"177Lu": LABELS["177Lu"]}


def best_of(times: int, work: Callable[[], Any]) -> tuple[float, Any]:
    found, out = [], None
    for _ in range(times):
        start = time.perf_counter()
        out = work()
        found.append(time.perf_counter() - start)
    return min(found), out


def mean(maps: Integrals) -> tuple[float, Integrals]:
    states = maps["177Lu"]
    size = next(iter(states.values())).size
    slope = np.full_like(next(iter(states.values())), 1.0 / size)
    return float(sum(f.mean() for f in states.values())), {"177Lu": dict.fromkeys(states, slope)}


def compare(jax: Any, name: str, n: int, steps: int, draws: int) -> None:
    ligand, plasma, exchange = CASES[name]
    tissue, fields = section(n, exchange=exchange), 8.0 * n * n
    exact = total(run(tissue, ligand, plasma, decay_per_h=LABEL, tolerance=1e-7), "177Lu")
    plan = FixedSteps(tissue.mask, 20.0, log_times(END_H, max(plasma.rates_per_h), steps), LABEL, 1e-4)
    inputs = jax.device_put(transport_inputs(tissue, ligand, plasma))

    def total_of(x: Any) -> Any:
        return sum(jax_label_integrals(x, plan)["177Lu"].values())

    def compiled(function: Callable[..., Any], *given: Any) -> tuple[Callable[[], Any], float, float]:
        start = time.perf_counter()
        ready = jax.jit(function).lower(*given).compile()
        memory = ready.memory_analysis().temp_size_in_bytes / fields
        return lambda: jax.block_until_ready(ready(*given)), time.perf_counter() - start, memory

    forward, compile_s, memory = compiled(total_of, inputs)
    numba_s, ours = best_of(3, lambda: run(tissue, ligand, plasma, decay_per_h=LABEL))
    jax_s, twin = best_of(3, forward)
    errors = [float(np.abs(np.asarray(f) / exact - 1.0).max()) for f in (total(ours, "177Lu"), twin)]
    print(f"{n:4d} {name:8s} forward   numba {numba_s:7.3f} s ({errors[0]:.0e})   jax {jax_s:7.3f} s "
          f"({errors[1]:.0e})   {jax_s / numba_s:5.2f} x   {memory:5.0f} fields   compiled in {compile_s:.1f} s")

    both, compile_s, memory = compiled(jax.value_and_grad(lambda x: total_of(x).mean()), inputs)
    adjoint_s, _ = best_of(3, lambda: differentiate(
        tissue, ligand, plasma, mean, end_h=END_H, decay_per_h=LABEL))
    gradient_s, _ = best_of(3, both)
    print(f"{n:4d} {name:8s} gradient  numba {adjoint_s:7.3f} s           jax {gradient_s:7.3f} s           "
          f"{gradient_s / adjoint_s:5.2f} x   {memory:5.0f} fields   compiled in {compile_s:.1f} s   "
          f"{gradient_s / jax_s:.2f} x forward")

    rng = np.random.default_rng(1)
    many = jax.device_put(jax.tree.map(
        lambda v: np.asarray(v) * np.exp(0.2 * rng.standard_normal((draws, *([1] * np.ndim(v))))), inputs))
    for kind, batch in (("vmap", jax.vmap(total_of)), ("lax.map", lambda x: jax.lax.map(total_of, x))):
        work, compile_s, memory = compiled(batch, many)
        seconds, _ = best_of(2, work)
        print(f"{n:4d} {name:8s} {draws} draws by {kind:8s}     jax {seconds / draws:7.3f} s a draw    "
              f"{seconds / draws / jax_s:5.2f} x of one run   {memory:5.0f} fields   compiled in {compile_s:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 128], help="voxels per side")
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--draws", type=int, default=16)
    arguments = parser.parse_args()
    with in_double_precision("This benchmark") as jax:
        print("devices:", ", ".join(str(d) for d in jax.devices()))
        for n in arguments.sizes:
            for name in arguments.cases:
                compare(jax, name, n, arguments.steps, arguments.draws)


if __name__ == "__main__":
    main()
