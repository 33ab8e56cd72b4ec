"""Convolution of a cubic map with a beta kernel of 2 mm: time, memory, and how the cost grows.

    python benchmarks/convolution_bench.py --n 256

Against ``scipy.signal.fftconvolve`` in the same precision and with as many threads, and against the time that six
passes (three axes, there and back, each reading and writing the padded half spectrum once) would take at the memory
bandwidth that a plain copy reaches in the same run. The spectrum of our kernel is computed beforehand, as in use.
"""

from __future__ import annotations

import argparse
import math
import time
import tracemalloc
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy import fft, signal

from nichedose.dose.cubes import cube_kernel
from nichedose.dose.kernels import radial_kernel
from nichedose.dose.padded import convolve_padded, padded_periods, padded_spectrum

WIDTH_UM = 2000.0


def best(work: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def peak_bytes(work: Callable[[], object]) -> int:
    """Peak of what is allocated through Python (NumPy reports its arrays; pocketfft's scratch lines are not seen)."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def copy_bandwidth(nbytes: int, workers: int, repeat: int) -> float:
    """Bytes read and written per second by a copy of arrays larger than any cache, on ``workers`` threads."""
    from concurrent.futures import ThreadPoolExecutor

    source = np.ones(max(nbytes, 1 << 28) // 8)
    target = np.empty_like(source)
    edges = np.linspace(0, len(source), workers + 1).astype(int)
    parts = [slice(a, b) for a, b in pairwise(edges)]
    with ThreadPoolExecutor(workers) as pool:
        seconds = best(lambda: list(pool.map(lambda p: np.copyto(target[p], source[p]), parts)), repeat)
    return 2.0 * source.nbytes / seconds


def whole(octant: np.ndarray) -> np.ndarray:
    for axis in range(3):
        octant = np.concatenate([np.flip(np.delete(octant, 0, axis), axis), octant], axis=axis)
    return octant


def compare(n: int, half: int, dtype: type, workers: int, repeat: int, other: bool) -> None:
    octant = cube_kernel(radial_kernel("177Lu", "beta"), (WIDTH_UM / half,) * 3, (half,) * 3)
    periods = padded_periods((n,) * 3, (half,) * 3)
    spectrum = padded_spectrum(octant, periods, dtype)
    field = np.random.default_rng(0).random((n, n, n)).astype(dtype)

    def ours() -> np.ndarray:
        return convolve_padded(field, spectrum, periods, workers)

    seconds = best(ours, repeat)
    itemsize = 2 * np.dtype(dtype).itemsize
    passes = 6 * 2 * periods[0] * periods[1] * (periods[2] // 2 + 1) * itemsize
    limit = passes / copy_bandwidth(passes // 12, workers, repeat)
    log = math.log2(n) * n**3
    print(f"{n}^3, kernel {2 * half + 1}^3, {np.dtype(dtype).name}: {seconds:.3f} s, {seconds / log * 1e9:.3f} ns per "
          f"N log2 n; six passes {limit:.3f} s, ratio {seconds / limit:.2f}")
    if other:
        kernel = whole(octant).astype(dtype)

        def theirs() -> np.ndarray:
            with fft.set_workers(workers):
                return signal.fftconvolve(field, kernel, mode="same")

        time_other = best(theirs, max(1, repeat // 2))
        error = float(np.abs(theirs() - ours()).max() / ours().max())
        mine, memory = peak_bytes(ours) + spectrum.nbytes, peak_bytes(theirs) + kernel.nbytes
        print(f"    fftconvolve {time_other:.3f} s: {time_other / seconds:.1f} times slower; memory beside the map "
              f"{memory / 2**20:.0f} MiB against {mine / 2**20:.0f} MiB ({mine / memory:.2f}); differ by {error:.0e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=256, help="voxels along each axis")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    for dtype in (np.float32, np.float64):
        compare(given.n, round(given.n * 100 / 256), dtype, given.workers, given.repeat, other=True)
    print("growth:")
    for n in (given.n // 4, given.n // 2, given.n):
        compare(n, round(n * 100 / 256), np.float64, given.workers, given.repeat, other=False)


if __name__ == "__main__":
    main()
